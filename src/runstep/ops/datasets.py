"""Datasets and their iterators. The user's classes are in `runstep.data`.

A dataset is a variant tensor: a description, which an iterator resource goes through. Elements are tuples of tensors.
"""

from __future__ import annotations

from typing import Any

from runstep.ops.common import Shapes, nothing, scalar
from runstep.ops.registry import op


def _components(op: Any) -> Shapes:
    return list(op.attrs["output_shapes"])


_TYPED = ("output_types: list(type) >= 1", "output_shapes: list(shape) >= 1")
_METADATA = "metadata: string = ''"
_ELEMENTS = (*_TYPED, _METADATA)
_GIVEN = ("Toutput_types: list(type) >= 1", "output_shapes: list(shape) >= 1")
_ARGUMENTS = "Targuments: list(type) >= 0"
_INTER_OP = "use_inter_op_parallelism: bool = true"

# --- iterators ----------------------------------------------------------------------------------------------------

for _name in ("Iterator", "IteratorV2"):
    op(_name, " -> handle: resource", "shared_name: string", "container: string", *_TYPED, shape=scalar, stateful=True)
op(
    "OneShotIterator",
    " -> handle: resource",
    "dataset_factory: func",
    *_TYPED,
    "container: string = ''",
    "shared_name: string = ''",
    shape=scalar,
    stateful=True,
)
op("MakeIterator", "dataset: variant, iterator: resource -> ", shape=nothing, stateful=True)
for _name in ("IteratorGetNext", "IteratorGetNextSync"):
    op(_name, "iterator: resource -> components: output_types", *_TYPED, shape=_components, stateful=True)
op("IteratorGetNextAsOptional", "iterator: resource -> optional: variant", *_TYPED, shape=scalar, stateful=True)
op("IteratorToStringHandle", "resource_handle: resource -> string_handle: string", shape=scalar, stateful=True)
for _name in ("IteratorFromStringHandle", "IteratorFromStringHandleV2"):
    op(
        _name,
        "string_handle: string -> resource_handle: resource",
        "output_types: list(type) >= 0 = []",
        "output_shapes: list(shape) >= 0 = []",
        shape=scalar,
        stateful=True,
    )

# --- sources ------------------------------------------------------------------------------------------------------

op(
    "TensorDataset",
    "components: Toutput_types -> handle: variant",
    *_GIVEN,
    _METADATA,
    shape=scalar,
    stateful=True,
)
op(
    "TensorSliceDataset",
    "components: Toutput_types -> handle: variant",
    *_GIVEN,
    "is_files: bool = false",
    _METADATA,
    "replicate_on_split: bool = false",
    shape=scalar,
    stateful=True,
)
op(
    "RangeDataset",
    "start: int64, stop: int64, step: int64 -> handle: variant",
    *_TYPED,
    _METADATA,
    "replicate_on_split: bool = false",
    shape=scalar,
    stateful=True,
)
_FILES = "filenames: string, compression_type: string, buffer_size: int64"
op("TFRecordDataset", f"{_FILES} -> handle: variant", _METADATA, shape=scalar, stateful=True)
op(
    "TFRecordDatasetV2",
    f"{_FILES}, byte_offsets: int64 -> handle: variant",
    _METADATA,
    shape=scalar,
    stateful=True,
)
op("TextLineDataset", f"{_FILES} -> handle: variant", _METADATA, shape=scalar, stateful=True)
_FIXED = "filenames: string, header_bytes: int64, record_bytes: int64, footer_bytes: int64, buffer_size: int64"
op("FixedLengthRecordDataset", f"{_FIXED} -> handle: variant", _METADATA, shape=scalar, stateful=True)
op(
    "FixedLengthRecordDatasetV2",
    f"{_FIXED}, compression_type: string -> handle: variant",
    _METADATA,
    shape=scalar,
    stateful=True,
)
op(
    "GeneratorDataset",
    "init_func_other_args: Tinit_func_args, next_func_other_args: Tnext_func_args, "
    "finalize_func_other_args: Tfinalize_func_args -> handle: variant",
    "init_func: func",
    "next_func: func",
    "finalize_func: func",
    "Tinit_func_args: list(type) >= 0",
    "Tnext_func_args: list(type) >= 0",
    "Tfinalize_func_args: list(type) >= 0",
    *_ELEMENTS,
    shape=scalar,
    stateful=True,
)

# --- by functions -------------------------------------------------------------------------------------------------

_CALLED = "input_dataset: variant, other_arguments: Targuments"
op(
    "MapDataset",
    f"{_CALLED} -> handle: variant",
    "f: func",
    _ARGUMENTS,
    *_TYPED,
    _INTER_OP,
    "preserve_cardinality: bool = false",
    "force_synchronous: bool = false",
    _METADATA,
    shape=scalar,
)
op(
    "ParallelMapDataset",
    f"{_CALLED}, num_parallel_calls: int32 -> handle: variant",
    "f: func",
    _ARGUMENTS,
    *_TYPED,
    _INTER_OP,
    "sloppy: bool = false",
    "preserve_cardinality: bool = false",
    _METADATA,
    shape=scalar,
)
op(
    "ParallelMapDatasetV2",
    f"{_CALLED}, num_parallel_calls: int64 -> handle: variant",
    "f: func",
    _ARGUMENTS,
    *_TYPED,
    _INTER_OP,
    "deterministic: string = 'default'",
    "preserve_cardinality: bool = false",
    "use_unbounded_threadpool: bool = false",
    _METADATA,
    shape=scalar,
)
op(
    "MapAndBatchDataset",
    f"{_CALLED}, batch_size: int64, num_parallel_calls: int64, drop_remainder: bool -> handle: variant",
    "f: func",
    _ARGUMENTS,
    *_TYPED,
    "preserve_cardinality: bool = false",
    _METADATA,
    shape=scalar,
)
for _name in ("FilterDataset", "TakeWhileDataset"):
    op(_name, f"{_CALLED} -> handle: variant", "predicate: func", _ARGUMENTS, *_ELEMENTS, shape=scalar)
op("FlatMapDataset", f"{_CALLED} -> handle: variant", "f: func", _ARGUMENTS, *_ELEMENTS, shape=scalar)
_CYCLES = f"{_CALLED}, cycle_length: int64, block_length: int64"
op("InterleaveDataset", f"{_CYCLES} -> handle: variant", "f: func", _ARGUMENTS, *_ELEMENTS, shape=scalar)
op(
    "ParallelInterleaveDatasetV2",
    f"{_CYCLES}, num_parallel_calls: int64 -> handle: variant",
    "f: func",
    _ARGUMENTS,
    *_TYPED,
    "sloppy: bool = false",
    _METADATA,
    shape=scalar,
)
op(
    "ParallelInterleaveDatasetV3",
    f"{_CYCLES}, num_parallel_calls: int64 -> handle: variant",
    "f: func",
    "deterministic: string = 'default'",
    _ARGUMENTS,
    *_ELEMENTS,
    shape=scalar,
)
op(
    "ParallelInterleaveDatasetV4",
    f"{_CYCLES}, buffer_output_elements: int64, prefetch_input_elements: int64, num_parallel_calls: int64 "
    "-> handle: variant",
    "f: func",
    "deterministic: string = 'default'",
    _ARGUMENTS,
    *_ELEMENTS,
    shape=scalar,
)
_STATE = "input_dataset: variant, initial_state: Tstate, other_arguments: Targuments"
op(
    "ScanDataset",
    f"{_STATE} -> handle: variant",
    "f: func",
    "Tstate: list(type) >= 1",
    _ARGUMENTS,
    *_TYPED,
    "preserve_cardinality: bool = false",
    "use_default_device: bool = true",
    _METADATA,
    shape=scalar,
)
op(
    "ReduceDataset",
    f"{_STATE} -> components: output_types",
    "f: func",
    "Tstate: list(type) >= 1",
    _ARGUMENTS,
    *_TYPED,
    _INTER_OP,
    _METADATA,
    shape=_components,
    stateful=True,
)

# --- of datasets --------------------------------------------------------------------------------------------------

op("BatchDataset", "input_dataset: variant, batch_size: int64 -> handle: variant", *_ELEMENTS, shape=scalar)
op(
    "BatchDatasetV2",
    "input_dataset: variant, batch_size: int64, drop_remainder: bool -> handle: variant",
    "parallel_copy: bool = false",
    *_ELEMENTS,
    shape=scalar,
)
op(
    "ParallelBatchDataset",
    "input_dataset: variant, batch_size: int64, num_parallel_calls: int64, drop_remainder: bool -> handle: variant",
    "parallel_copy: bool = false",
    *_TYPED,
    "deterministic: string = 'default'",
    _METADATA,
    shape=scalar,
)
_PADDED = "input_dataset: variant, batch_size: int64, padded_shapes: N * int64, padding_values: Toutput_types"
op("PaddedBatchDataset", f"{_PADDED} -> handle: variant", *_GIVEN, "N: int >= 1", _METADATA, shape=scalar)
op(
    "PaddedBatchDatasetV2",
    f"{_PADDED}, drop_remainder: bool -> handle: variant",
    "parallel_copy: bool = false",
    *_GIVEN,
    "N: int >= 1",
    _METADATA,
    shape=scalar,
)
for _name in ("RepeatDataset", "SkipDataset", "TakeDataset"):
    op(_name, "input_dataset: variant, count: int64 -> handle: variant", *_ELEMENTS, shape=scalar)
_SEEDED = "input_dataset: variant, buffer_size: int64, seed: int64, seed2: int64"
op(
    "ShuffleDataset",
    f"{_SEEDED} -> handle: variant",
    "reshuffle_each_iteration: bool = true",
    *_ELEMENTS,
    shape=scalar,
)
op(
    "ShuffleAndRepeatDataset",
    f"{_SEEDED}, count: int64 -> handle: variant",
    *_TYPED,
    "reshuffle_each_iteration: bool = true",
    _METADATA,
    shape=scalar,
)
op(
    "PrefetchDataset",
    "input_dataset: variant, buffer_size: int64 -> handle: variant",
    *_TYPED,
    "slack_period: int = 0",
    "legacy_autotune: bool = true",
    "buffer_size_min: int = 0",
    _METADATA,
    shape=scalar,
)
op(
    "ConcatenateDataset",
    "input_dataset: variant, another_dataset: variant -> handle: variant",
    *_ELEMENTS,
    shape=scalar,
)
op("ZipDataset", "input_datasets: N * variant -> handle: variant", *_TYPED, "N: int >= 1", _METADATA, shape=scalar)
op("CacheDataset", "input_dataset: variant, filename: string -> handle: variant", *_ELEMENTS, shape=scalar)
op(
    "ShardDataset",
    "input_dataset: variant, num_shards: int64, index: int64 -> handle: variant",
    "require_non_empty: bool = false",
    *_ELEMENTS,
    shape=scalar,
)
op(
    "WindowDataset",
    "input_dataset: variant, size: int64, shift: int64, stride: int64, drop_remainder: bool -> handle: variant",
    *_ELEMENTS,
    shape=scalar,
)
for _name in ("UnbatchDataset", "UniqueDataset"):
    op(_name, "input_dataset: variant -> handle: variant", *_ELEMENTS, shape=scalar)
op(
    "IgnoreErrorsDataset",
    "input_dataset: variant -> handle: variant",
    *_TYPED,
    "log_warning: bool = false",
    shape=scalar,
)
op("RewriteDataset", "input_dataset: variant, rewrite_name: string -> handle: variant", *_TYPED, shape=scalar)
op(
    "OptionsDataset",
    "input_dataset: variant -> handle: variant",
    "serialized_options: string",
    *_ELEMENTS,
    shape=scalar,
)
op(
    "DatasetToSingleElement",
    "dataset: variant -> components: output_types",
    *_ELEMENTS,
    shape=_components,
    stateful=True,
)

# --- of several datasets, by keys and by choice -------------------------------------------------------------------

_PARTS = ("key_func", "reduce_func", "window_size_func")
_OTHERS = ", ".join(f"{_part}_other_arguments: T{_part}_other_arguments" for _part in _PARTS)
for _name, _more in (("GroupByWindowDataset", (_METADATA,)), ("ExperimentalGroupByWindowDataset", ())):
    op(
        _name,
        f"input_dataset: variant, {_OTHERS} -> handle: variant",
        *(f"{_part}: func" for _part in _PARTS),
        *(f"T{_part}_other_arguments: list(type) >= 0" for _part in _PARTS),
        *_TYPED,
        *_more,
        shape=scalar,
    )
_CHOSEN = "selector_input_dataset: variant, data_input_datasets: N * variant -> handle: variant"
op(
    "DirectedInterleaveDataset",
    _CHOSEN,
    *_TYPED,
    "N: int >= 1",
    "stop_on_empty_dataset: bool = false",
    shape=scalar,
)
op("ExperimentalDirectedInterleaveDataset", _CHOSEN, *_TYPED, "N: int >= 1", shape=scalar)
_NUMBERS = "seed: int64, seed2: int64 -> handle: variant"
op("RandomDataset", _NUMBERS, *_ELEMENTS, shape=scalar, stateful=True)
op("ExperimentalRandomDataset", _NUMBERS, *_TYPED, shape=scalar, stateful=True)
op("AssertCardinalityDataset", "input_dataset: variant, cardinality: int64 -> handle: variant", *_TYPED, shape=scalar)
