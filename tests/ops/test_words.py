"""What kernels say of arguments that don't fit: TensorFlow's code and its very words, through the wire door (S182)."""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np
import pytest

from runstep.testing import oracle
from runstep.testing.engine import Engine, EngineError


def ones(*shape):
    return np.ones(shape, np.float32)


PLANE = {"strides": [1, 1, 1, 1], "padding": "SAME"}
VOLUME = {"strides": [1, 1, 1, 1, 1], "padding": "SAME"}
POOL = {"ksize": [1, 2, 2, 1], "strides": [1, 2, 2, 1], "padding": "VALID"}
NGRAMS: dict[str, Any] = {"separator": "|", "ngram_widths": [2], "left_pad": "L", "right_pad": "R", "pad_width": 0}
NGRAMS["preserve_short_sequences"] = False
GRU = [ones(2, 3), ones(2, 4), ones(7, 8), ones(7, 4), ones(8), ones(4)]
LSTM = [ones(2, 4), ones(2, 4), ones(7, 16), ones(4), ones(4), ones(4), ones(16)]
CELLS = np.array([[0, 1], [1, 0], [1, 2]])
EXPLICIT = {"strides": [1, 1, 1, 1], "padding": "EXPLICIT"}

ROWS: list[tuple[Any, ...]] = [
    ("Conv2D", PLANE, ones(4, 4, 2), ones(2, 2, 2, 2)),
    ("Conv2D", PLANE, ones(1, 4, 4, 2), ones(2, 2, 0, 2)),
    ("Conv2D", PLANE, ones(1, 4, 4, 2), ones(0, 2, 2, 2)),
    ("Conv3D", VOLUME, ones(1, 4, 4, 4, 3), ones(2, 2, 2, 2, 2)),
    ("Conv3D", {**VOLUME, "strides": [2, 1, 1, 1, 1]}, ones(1, 4, 4, 4, 2), ones(2, 2, 2, 2, 2)),
    ("Conv2DBackpropInput", PLANE, [1, 4, 4, 2], ones(2, 2, 2), ones(1, 4, 4, 2)),
    ("Conv2DBackpropInput", PLANE, [1, 4, 4], ones(2, 2, 2, 2), ones(1, 4, 4, 2)),
    ("Conv2DBackpropInput", PLANE, [2, 4, 4, 2], ones(2, 2, 2, 2), ones(1, 4, 4, 2)),
    ("Conv2DBackpropInput", PLANE, [1, 5, 4, 2], ones(2, 2, 2, 2), ones(1, 4, 4, 2)),
    ("Conv2DBackpropInput", PLANE, [1, 4, 4, 3], ones(2, 2, 2, 2), ones(1, 4, 4, 2)),
    ("Conv2DBackpropInput", EXPLICIT, [1, 4, 4, 2], ones(2, 2, 2, 2), ones(1, 4, 4, 2)),
    ("Conv2DBackpropInput", {**PLANE, "strides": [1, 1]}, [1, 4, 4, 2], ones(2, 2, 2, 2), ones(1, 4, 4, 2)),
    ("Conv2DBackpropFilter", PLANE, ones(1, 4, 4, 2), [2, -2, 2, 2], ones(1, 4, 4, 2)),
    ("Conv2DBackpropFilter", PLANE, ones(4, 4, 2), [2, 2, 2, 2], ones(1, 4, 4, 2)),
    ("Conv2DBackpropFilter", {**PLANE, "strides": [2, 1, 1, 1]}, ones(1, 4, 4, 2), [2, 2, 2, 2], ones(1, 4, 4, 2)),
    ("Conv3DBackpropInputV2", VOLUME, [1, 4, 4, 4, 2], ones(2, 2, 2, 2), ones(1, 4, 4, 4, 2)),
    ("Conv3DBackpropInputV2", VOLUME, [1, 4, 4, 4, 2], ones(2, 2, 2, 2, 2), ones(1, 4, 4, 4, 3)),
    ("Conv3DBackpropFilterV2", VOLUME, ones(1, 4, 4, 4, 3), [2, 2, 2, 2, 2], ones(1, 4, 4, 4, 2)),
    ("DepthwiseConv2dNativeBackpropInput", PLANE, [1, 4, 4, 3], ones(2, 2, 2, 1), ones(1, 4, 4, 2)),
    ("DepthwiseConv2dNativeBackpropInput", PLANE, [1, 5, 4, 2], ones(2, 2, 2, 1), ones(1, 4, 4, 2)),
    ("DepthwiseConv2dNativeBackpropFilter", PLANE, ones(1, 4, 4, 2), [2, 2, 2, 1], ones(1, 4, 4, 3)),
    ("MaxPool", POOL, ones(4, 4, 2)),
    ("MaxPoolGrad", POOL, ones(1, 4, 4, 1), ones(1, 2, 2), ones(1, 2, 2, 1)),
    ("MaxPoolGrad", POOL, ones(1, 4, 4, 1), ones(1, 2, 2, 1), ones(1, 3, 2, 1)),
    ("MaxPoolGrad", {**POOL, "ksize": [1, 2, 2, 2]}, ones(1, 4, 4, 2), ones(1, 2, 2, 2), ones(1, 2, 2, 2)),
    ("AvgPoolGrad", POOL, [1, -4, 4, 1], ones(1, 2, 2, 1)),
    ("AvgPoolGrad", POOL, [4, 4, 1], ones(1, 2, 2, 1)),
    ("BiasAdd", {"data_format": "NCHW"}, ones(1, 2, 3, 3), ones(3)),
    ("Gather", {}, np.float32(1), [0]),
    ("GatherV2", {"batch_dims": 2}, ones(2, 3), [[0], [1]], 1),
    ("GatherV2", {"batch_dims": 1}, ones(3, 3), [[0], [9]], 1),
    ("GatherV2", {}, ones(2, 3), [0], [0]),
    ("GatherNd", {}, ones(2, 0), [[0]]),
    ("ScatterNd", {}, [[0]], ones(1, 2), [4, 3]),
    ("ScatterNd", {}, [[0]], ones(2, 3), [4, 3]),
    ("ScatterNd", {}, [1], ones(3), [4, 3]),
    ("ScatterNd", {}, [[0]], ones(1, 3), [0, 3]),
    ("TensorScatterUpdate", {}, ones(4, 3), [[0]], ones(1, 2)),
    ("TensorScatterUpdate", {}, ones(4, 3), [[0]], ones(2, 3)),
    ("TensorScatterUpdate", {}, ones(8), [[0], [1]], ones(2, 2)),
    ("TensorScatterUpdate", {}, ones(8), [[0], [1]], np.float32(1)),
    ("ScatterNdNonAliasingAdd", {}, np.float32(1), [[0]], ones(1)),
    ("Slice", {}, ones(2, 3), [[0, 0]], [1, 1]),
    ("Reshape", {}, ones(6), [[6]]),
    ("Transpose", {}, ones(2, 3), [[0, 1]]),
    ("Transpose", {}, ones(2, 3), [0, -3]),
    ("Tile", {}, ones(2, 3), [[1, 1]]),
    ("Fill", {}, [[2]], np.float32(1)),
    ("ReverseV2", {}, ones(2, 3), 0),
    ("Roll", {}, ones(2, 3), [1], [-4]),
    ("Split", {"num_split": 1}, [0], ones(2, 3)),
    ("Concat", {}, -(2**31), [ones(2), ones(2)]),
    ("AddN", {}, [ones(2, 3), ones(3, 2)]),
    ("Einsum", {"equation": "ij,jk->ik"}, [ones(2), ones(3, 4)]),
    ("Einsum", {"equation": "ij,jk->ik"}, [ones(2, 3), ones(4, 4)]),
    ("Einsum", {"equation": "...ij,...jk->...ik"}, [ones(2, 3), np.float32(1)]),
    ("Einsum", {"equation": "ii->i"}, [ones(2, 3)]),
    ("MatrixDiagV3", {}, ones(3), 0, [1], -1, np.float32(0)),
    ("MatrixDiagPartV3", {}, ones(3, 4), [-1, 9], np.float32(0)),
    ("MatrixSolve", {}, ones(2, 3), ones(2, 1)),
    ("MatrixTriangularSolve", {}, ones(2, 2), ones(3, 1)),
    ("Eig", {"Tout": np.complex64}, np.full((2, 2), np.nan, np.float32)),
    ("SegmentSum", {}, ones(3), [0, 0, -2]),
    ("SegmentSum", {}, ones(3), [-1, 0, 1]),
    ("SegmentSum", {}, ones(4), [0, 5, 7, 1]),
    ("SegmentSum", {}, ones(3), [0, 2, 1]),
    ("SparseSegmentSum", {}, ones(4, 2), [0, 1, 2], [-1, 0, 1]),
    ("SparseSegmentSumGrad", {}, ones(2, 2), [0, 1, 2], [0, 0, 2], 3),
    ("SparseSegmentSumGrad", {}, ones(2, 2), [0, 1, 2], [0, 0, 1], -1),
    ("UnsortedSegmentSum", {}, np.float32(1), 5, 3),
    ("TanhGrad", {}, ones(2, 3), ones(3)),
    ("ReciprocalGrad", {}, ones(2, 3), np.float32(1)),
    ("EluGrad", {}, ones(2, 3), ones(3)),
    ("Zeta", {}, ones(2), ones(3)),
    ("Range", {}, np.float32(0), np.float32(np.inf), np.float32(1)),
    ("Range", {}, np.float32(3), np.float32(1), np.float32(1)),
    ("Betainc", {}, ones(2), ones(3), np.float32(1)),
    ("HistogramFixedWidth", {}, ones(2), np.array([1, 0], np.float32), 5),
    ("HistogramFixedWidth", {}, ones(2), np.float32(1), 5),
    ("ApproximateEqual", {}, ones(2, 3), ones(3, 3)),
    ("NthElement", {}, ones(2, 3), 3),
    ("SparseSoftmaxCrossEntropyWithLogits", {}, ones(3, 4), [1, 9, -1]),
    ("CTCGreedyDecoder", {}, ones(6, 2, 4), [6]),
    ("Switch", {}, ones(2), [True]),
    ("NonMaxSuppressionV4", {}, ones(3, 4), ones(3), 2, np.float32(0.5), ones(1)),
    ("NonMaxSuppressionV5", {}, ones(3, 4), ones(3), 2, np.float32(0.5), np.float32(0), ones(1)),
    ("NonMaxSuppressionWithOverlaps", {}, ones(3), ones(3), 2, np.float32(0.5), np.float32(0)),
    ("NonMaxSuppressionWithOverlaps", {}, ones(3, 3), ones(3), [2], np.float32(0.5), np.float32(0)),
    ("NonMaxSuppressionWithOverlaps", {}, ones(3, 3), ones(4), 2, np.float32(0.5), np.float32(0)),
    ("CombinedNonMaxSuppression", {}, ones(1, 3, 1, 4), ones(1, 3, 2), [2], 3, np.float32(0.5), np.float32(0)),
    ("CombinedNonMaxSuppression", {}, ones(1, 3, 1, 3), ones(1, 3, 2), 2, 3, np.float32(0.5), np.float32(0)),
    ("CombinedNonMaxSuppression", {}, ones(1, 3, 3, 4), ones(1, 3, 2), 2, 3, np.float32(0.5), np.float32(0)),
    ("CombinedNonMaxSuppression", {}, ones(1, 4, 1, 4), ones(1, 3, 2), 2, 3, np.float32(0.5), np.float32(0)),
    ("DrawBoundingBoxes", {}, ones(1, 4, 4, 3), ones(1, 1, 0)),
    ("DrawBoundingBoxesV2", {}, ones(1, 4, 4, 3), ones(1, 1, 4), ones(1, 2)),
    ("ResizeBilinear", {}, ones(1, 4, 4, 0), [2, 2]),
    ("AudioSummaryV2", {}, b"t", ones(2, 2, 1), np.float32(np.inf)),
    ("AudioSummaryV2", {}, b"t", ones(2, 2, 1), ones(2)),
    ("AudioSummaryV2", {}, b"t", ones(2, 2, 0), np.float32(5)),
    ("EncodeWav", {}, ones(2, 0), 5),
    ("TridiagonalMatMul", {}, ones(5), ones(1, 5), ones(1, 5), ones(5, 2)),
    ("TridiagonalMatMul", {}, ones(1, 5), ones(1, 5), ones(1, 5), np.float32(1)),
    ("TridiagonalMatMul", {}, ones(1, 5), ones(1, 4), ones(1, 5), ones(5, 2)),
    ("RaggedBincount", {}, np.int64(3), [1, 2, 3], 5, ones(0)),
    ("RaggedTensorToSparse", {}, [np.array([0, 1])], np.float32(1)),
    ("StringNGrams", NGRAMS, np.array(b"a", object), np.array([0, 2])),
    ("StringNGrams", NGRAMS, np.array([[b"a", b"b", b"c"]], object), np.array([0, 1])),
    ("GRUBlockCell", {}, ones(3, 3), *GRU[1:]),
    ("GRUBlockCell", {}, *GRU[:2], ones(7), *GRU[3:]),
    ("GRUBlockCellGrad", {}, *GRU, ones(1, 2, 4), ones(2, 4), ones(2, 4), ones(2, 4)),
    ("GRUBlockCellGrad", {}, *GRU, ones(2, 4), ones(1, 4), ones(2, 4), ones(2, 4)),
    ("BlockLSTM", {}, np.int64(5), ones(2, 3), *LSTM),
    ("BlockLSTM", {}, np.int64(5), ones(5, 2, 3), *LSTM[:3], ones(3), *LSTM[4:]),
    ("LSTMBlockCellGrad", {"use_peephole": False}, ones(2, 3), *LSTM, ones(1, 4), *[ones(2, 4)] * 7),
    ("SparseReduceSum", {}, CELLS, ones(3), np.array([2, -3]), [1]),
    ("SparseReduceSum", {}, CELLS, ones(2), np.array([2, 3]), [1]),
    ("SparseReduceSum", {}, CELLS, ones(3), np.array([[2, 3]]), [1]),
    ("SparseReduceSum", {}, np.array([[0, 1], [1, 0], [-1, 2]]), ones(3), np.array([2, 3]), [1]),
    ("SparseReduceMax", {}, CELLS, ones(3), np.array([2, 2**63 - 1]), [0]),
    ("SparseReshape", {}, CELLS[0], np.array([2, 3]), np.array([3, 2])),
    ("SparseSlice", {}, CELLS, ones(3), np.array([2, -3]), np.array([0, 0]), np.array([1, 2])),
    ("SparseSplit", {"num_split": 2}, np.int64(0), CELLS, ones(3), np.array([-2, 3])),
    ("SparseSplit", {"num_split": 2}, np.int64(0), CELLS[0], ones(3), np.array([2, 3])),
    ("SparseFillEmptyRows", {}, CELLS, ones(3), np.array([2, 3, 4]), np.float32(0)),
    ("SparseFillEmptyRows", {}, CELLS, ones(3), np.array([-2, 3]), np.float32(0)),
    ("SerializeSparse", {}, CELLS, ones(3, 1), np.array([2, 3])),
    ("SerializeManySparse", {}, CELLS, ones(3), np.array([2, 3, 4])),
    ("SparseSoftmax", {}, CELLS, ones(3, 1), np.array([2, 3])),
    ("SparseDenseCwiseMul", {}, CELLS, ones(3), np.array([2, -3]), ones(2, 3)),
    ("SparseDenseCwiseMul", {}, CELLS, ones(3), np.array([2, 3, 4]), ones(2, 3)),
    ("SetSize", {}, CELLS, np.zeros(3, np.int32), np.array([[2, 3]])),
    ("SetSize", {"validate_indices": False}, CELLS, np.zeros(3, np.int32), np.array([2, 2])),
]


def said(message):
    """The kernel's own words, out of what the client puts around them."""
    text = re.sub(r"\AGraph execution error:.*\nNode: '[^\n]*'\n", "", message, flags=re.DOTALL)
    text = re.split(r"\n\s*\[\[", text)[0]
    return re.sub(r"\{\{\w*node [^}]*\}\} ?", "", text).strip()


@pytest.fixture(scope="module")
def outcomes():
    """By row, what TensorFlow raises and what runstep does, from one graph."""
    tf = oracle.tensorflow()
    graph = tf.Graph()
    built = []
    with graph.as_default(), tf.device("/cpu:0"):
        for op, attrs, *values in ROWS:
            feeds: dict[Any, Any] = {}

            def fed(value, feeds=feeds):
                if isinstance(value, list) and isinstance(value[0], np.ndarray):
                    return [fed(one) for one in value]
                array = np.asarray(value)
                if array.dtype.kind == "i" and not isinstance(value, np.ndarray | np.generic):
                    array = array.astype(np.int32)
                tensor = tf.compat.v1.placeholder(tf.string if array.dtype.kind in "SO" else array.dtype)
                feeds[tensor] = array
                return tensor

            function = getattr(tf.raw_ops, op)
            names = list(inspect.signature(function).parameters)[: len(values)]
            made = function(**dict(zip(names, map(fed, values), strict=True)), **attrs)
            built.append((tf.nest.flatten(made), feeds))
    engine = Engine()
    engine.extend(graph.as_graph_def().SerializeToString())
    found = []
    with tf.compat.v1.Session(graph=graph, config=oracle.config()) as session:
        for tensors, feeds in built:
            theirs = ours = None
            try:
                session.run(tensors, feeds)
            except tf.errors.OpError as error:
                theirs = error.error_code, said(error.message)
            try:
                engine.run({t.name: value for t, value in feeds.items()}, [t.name for t in tensors])
            except EngineError as error:
                ours = error.code, said(error.message)
            found.append((ours, theirs))
    engine.close()
    return found


@pytest.mark.parametrize("index", range(len(ROWS)), ids=[f"{row[0]}-{at}" for at, row in enumerate(ROWS)])
def test_a_refusal_has_tensorflows_words(outcomes, index):
    ours, theirs = outcomes[index]
    assert theirs is not None
    assert ours == theirs
