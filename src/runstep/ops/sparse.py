"""The structure of sparse tensors, as op definitions: dense forms, order, shape, parts, empty rows.

A sparse tensor is three tensors: indices int64 [n, rank], values [n], dense_shape int64 [rank]. The functions of
`tf.sparse` are in `runstep.ops.sparse_functions`.
"""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.ops.common import Shapes
from runstep.ops.registry import op


def sparse_rank(op: Any, first: int = 0) -> tuple[int | None, int | None]:
    """The number of elements and the rank of the sparse tensor whose tensors are inputs `first` to `first + 2`."""
    indices, values, dense = (tensor.raw_shape for tensor in op.inputs[first : first + 3])
    places = shapes.with_rank(indices, 2)
    count = shapes.merge_size(places[0], shapes.with_rank(values, 1)[0])
    return count, shapes.merge_size(places[1], shapes.with_rank(dense, 1)[0])


def _to_dense(op: Any) -> Shapes:
    shapes.with_rank(op.inputs[1].raw_shape, 1)
    return [op.constant_shape(1)]


def _reordered(op: Any) -> Shapes:
    places = shapes.with_rank(op.inputs[0].raw_shape, 2)
    values = shapes.with_rank(op.inputs[1].raw_shape, 1)
    shapes.with_rank(op.inputs[2].raw_shape, 1)
    return [places, values]


def _reshaped(op: Any) -> Shapes:
    places = shapes.with_rank(op.inputs[0].raw_shape, 2)
    shapes.with_rank(op.inputs[1].raw_shape, 1)
    shape = shapes.with_rank(op.inputs[2].raw_shape, 1)
    return [(places[0], shape[0]), shape]


def _concatenated(op: Any) -> Shapes:
    number = op.attrs["N"]
    inputs = [tensor.raw_shape for tensor in op.inputs]
    total: int | None = 0
    rank: int | None = None
    for indices, values, shape in zip(inputs[:number], inputs[number : 2 * number], inputs[2 * number :], strict=True):
        places = shapes.with_rank(indices, 2)
        count = shapes.merge_size(places[0], shapes.with_rank(values, 1)[0])
        rank = shapes.merge_size(shapes.merge_size(rank, places[1]), shapes.with_rank(shape, 1)[0])
        total = None if total is None or count is None else total + count
    return [(total, rank), (total,), (rank,)]


def _split(op: Any) -> Shapes:
    number = op.attrs["num_split"]
    places, dense = op.inputs[1].raw_shape, op.inputs[3].raw_shape
    values = op.inputs[2].raw_shape
    rank = shapes.with_rank(dense, 1)[0]
    shapes.with_rank(places, 2)
    shapes.with_rank(values, 1)
    return [(None, rank)] * number + [(None,)] * number + [dense] * number


def _sliced(op: Any) -> Shapes:
    outer = shapes.with_rank(op.inputs[2].raw_shape, 1)
    shapes.with_rank(op.inputs[0].raw_shape, 2)
    shapes.with_rank(op.inputs[1].raw_shape, 1)
    shapes.with_rank(op.inputs[3].raw_shape, 1)
    shapes.with_rank(op.inputs[4].raw_shape, 1)
    return [(None, outer[0]), (None,), op.inputs[2].raw_shape]


def _slice_gradient(op: Any) -> Shapes:
    shapes.with_rank(op.inputs[0].raw_shape, 1)
    places = shapes.with_rank(op.inputs[1].raw_shape, 2)
    return [(places[0],)]


def _filled(op: Any) -> Shapes:
    places = shapes.with_rank(op.inputs[0].raw_shape, 2)
    values = shapes.with_rank(op.inputs[1].raw_shape, 1)
    dense = shapes.with_rank(op.inputs[2].raw_shape, 1)
    shapes.with_rank(op.inputs[3].raw_shape, 0)
    count = shapes.merge_size(places[0], values[0])
    rank = shapes.merge_size(places[1], dense[0])
    known = op.constant_shape(2)
    rows = None
    if known is not None and len(known) > 0:
        rows = known[0]
    return [(None, rank), (None,), (rows,), (count,)]


def _fill_gradient(op: Any) -> Shapes:
    count = shapes.with_rank(op.inputs[0].raw_shape, 1)
    shapes.with_rank(op.inputs[1].raw_shape, 1)
    return [count, ()]


op(
    "SparseToDense",
    "sparse_indices: Tindices, output_shape: Tindices, sparse_values: T, default_value: T -> dense: T",
    "validate_indices: bool = true",
    "T: type",
    "Tindices: {int32, int64}",
    shape=_to_dense,
)
op(
    "SparseReorder",
    "input_indices: int64, input_values: T, input_shape: int64 -> output_indices: int64, output_values: T",
    "T: type",
    shape=_reordered,
)
op(
    "SparseReshape",
    "input_indices: int64, input_shape: int64, new_shape: int64 -> output_indices: int64, output_shape: int64",
    shape=_reshaped,
)
op(
    "SparseConcat",
    "indices: N * int64, values: N * T, shapes: N * int64 -> output_indices: int64, output_values: T, "
    "output_shape: int64",
    "concat_dim: int",
    "N: int >= 2",
    "T: type",
    shape=_concatenated,
)
op(
    "SparseSplit",
    "split_dim: int64, indices: int64, values: T, shape: int64 -> output_indices: num_split * int64, "
    "output_values: num_split * T, output_shape: num_split * int64",
    "num_split: int >= 1",
    "T: type",
    shape=_split,
)
op(
    "SparseSlice",
    "indices: int64, values: T, shape: int64, start: int64, size: int64 -> output_indices: int64, output_values: T, "
    "output_shape: int64",
    "T: type",
    shape=_sliced,
)
op(
    "SparseSliceGrad",
    "backprop_val_grad: T, input_indices: int64, input_start: int64, output_indices: int64 -> val_grad: T",
    "T: numbertype",
    shape=_slice_gradient,
)
op(
    "SparseFillEmptyRows",
    "indices: int64, values: T, dense_shape: int64, default_value: T -> output_indices: int64, output_values: T, "
    "empty_row_indicator: bool, reverse_index_map: int64",
    "T: type",
    shape=_filled,
)
op(
    "SparseFillEmptyRowsGrad",
    "reverse_index_map: int64, grad_values: T -> d_values: T, d_default_value: T",
    "T: type",
    shape=_fill_gradient,
)
