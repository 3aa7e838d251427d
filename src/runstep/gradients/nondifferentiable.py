"""Ops through which no gradient flows, as TensorFlow says of them, by family.

Of an op that is neither here nor has a gradient function nobody has said anything: differentiating it is an error.
"""

from __future__ import annotations

from runstep.gradients.registry import no_gradient

_COMPARISONS = """
    ApproximateEqual Equal Greater GreaterEqual Less LessEqual NotEqual LogicalAnd LogicalNot LogicalOr
    BitwiseAnd BitwiseOr BitwiseXor Invert LeftShift RightShift PopulationCount
"""
_STATE = """
    Assign AssignAdd AssignSub ScatterAdd ScatterDiv ScatterMul ScatterSub ScatterNdAdd ScatterNdSub ScatterNdUpdate
    VarIsInitializedOp VariableShape DeleteSessionTensor GetSessionHandle GetSessionHandleV2 GetSessionTensor
"""
_RANDOM = """
    Multinomial ParameterizedTruncatedNormal RandomShuffle RandomStandardNormal RandomUniform TruncatedNormal
    StatelessMultinomial StatelessRandomBinomial StatelessRandomNormal StatelessRandomNormalV2 StatelessRandomPoisson
    StatelessRandomUniform
    StatelessRandomUniformFullInt StatelessRandomUniformFullIntV2 StatelessRandomUniformInt StatelessRandomUniformIntV2
    StatelessRandomUniformV2 StatelessTruncatedNormal StatelessTruncatedNormalV2
"""
_TEXTS = """
    AsString DecodeBase64 EncodeBase64 DecodeRaw DecodePaddedRaw ParseTensor SerializeTensor ReduceJoin RegexReplace
    StringJoin StringSplit StringToHashBucket StringToHashBucketFast StringToHashBucketStrong StringToNumber
"""
_TABLES_AND_QUEUES = """
    HashTable HashTableV2 InitializeTable InitializeTableV2 InitializeTableFromTextFile InitializeTableFromTextFileV2
    LookupTableFind LookupTableFindV2 LookupTableInsert LookupTableInsertV2 LookupTableSize LookupTableSizeV2
    MutableDenseHashTable MutableDenseHashTableV2 MutableHashTable MutableHashTableV2 MutableHashTableOfTensors
    MutableHashTableOfTensorsV2 QueueClose QueueDequeue QueueDequeueMany QueueDequeueUpTo QueueEnqueue QueueEnqueueMany
    QueueSize
"""
_FILES = """
    FixedLengthRecordReader IdentityReader LMDBReader TFRecordReader TextLineReader WholeFileReader
    ReaderNumRecordsProduced ReaderNumWorkUnitsCompleted ReaderRead ReaderReadUpTo ReaderReset
    ReaderRestoreState ReaderSerializeState GenerateVocabRemapping LoadAndRemapMatrix
"""
_SUMMARIES = """
    AudioSummary AudioSummaryV2 HistogramSummary ImageSummary MergeSummary ScalarSummary TensorSummary TensorSummaryV2
"""
_SETS_AND_SEQUENCES = """
    DenseToDenseSetOperation DenseToSparseSetOperation SparseToSparseSetOperation SetSize EditDistance
    CTCBeamSearchDecoder CTCGreedyDecoder RaggedRange SparseAddGrad SparseConcat SparseMatrixNNZ
"""
_IMAGES = """
    DrawBoundingBoxes ExtractGlimpse HSVToRGB NonMaxSuppression NonMaxSuppressionV2 NonMaxSuppressionWithOverlaps
    ResizeBilinearGrad SampleDistortedBoundingBox SampleDistortedBoundingBoxV2 RandomCrop
"""
_OUTSIDE = "PyFunc PyFuncStateless ReduceDataset Timestamp"

for _family in (
    _COMPARISONS,
    _STATE,
    _RANDOM,
    _TEXTS,
    _TABLES_AND_QUEUES,
    _FILES,
    _SUMMARIES,
    _SETS_AND_SEQUENCES,
    _IMAGES,
    _OUTSIDE,
):
    no_gradient(*_family.split())
