"""Arithmetic on sparse tensors, as op definitions: sums, products, reductions, softmax, elementwise pairs."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.ops.common import Shapes, unknown
from runstep.ops.registry import op

_PAIR = (
    "a_indices: int64, a_values: T, a_shape: int64, b_indices: int64, b_values: T, b_shape: int64 -> "
    "output_indices: int64, output_values: T"
)


def _matrix_product(op: Any) -> Shapes:
    dims = op.constant_shape(2)
    shapes.with_rank(op.inputs[0].raw_shape, 2)
    shapes.with_rank(op.inputs[1].raw_shape, 1)
    shapes.with_rank(op.inputs[2].raw_shape, 1)
    a = shapes.with_rank(dims, 2)
    b = shapes.with_rank(op.inputs[3].raw_shape, 2)
    rows, inner = (a[1], a[0]) if op.attrs["adjoint_a"] else a
    other, columns = (b[1], b[0]) if op.attrs["adjoint_b"] else b
    shapes.merge_size(inner, other)
    return [(rows, columns)]


def _dense_sum(op: Any) -> Shapes:
    return [op.inputs[3].raw_shape]


def _sum(op: Any) -> Shapes:
    dense = shapes.with_rank(op.inputs[2].raw_shape, 1)
    return [(None, dense[0]), (None,), dense]


def _sum_gradient(op: Any) -> Shapes:
    a = shapes.with_rank(op.inputs[1].raw_shape, 2)
    b = shapes.with_rank(op.inputs[2].raw_shape, 2)
    return [(a[0],), (b[0],)]


def _softmax(op: Any) -> Shapes:
    shapes.with_rank(op.inputs[0].raw_shape, 2)
    values = shapes.with_rank(op.inputs[1].raw_shape, 1)
    shapes.with_rank(op.inputs[2].raw_shape, 1)
    return [values]


def _with_dense(op: Any) -> Shapes:
    places = shapes.with_rank(op.inputs[0].raw_shape, 2)
    return [(places[0],)]


def _pair(op: Any) -> Shapes:
    return [(None, None), (None,)]


def _reduced(op: Any) -> Shapes:
    dense, axes = op.constant(2), op.constant(3)
    if dense is None or axes is None:
        return [None]
    sizes, rank = dense.tolist(), dense.size
    gone = {axis % rank for axis in axes.ravel().tolist()} if rank else set()  # the run checks the range
    if op.attrs["keep_dims"]:
        return [tuple(1 if axis in gone else size for axis, size in enumerate(sizes))]
    return [tuple(size for axis, size in enumerate(sizes) if axis not in gone)]


op(
    "SparseTensorDenseMatMul",
    "a_indices: Tindices, a_values: T, a_shape: int64, b: T -> product: T",
    "T: type",
    "Tindices: {int32, int64} = int64",
    "adjoint_a: bool = false",
    "adjoint_b: bool = false",
    shape=_matrix_product,
)
op(
    "SparseTensorDenseAdd",
    "a_indices: Tindices, a_values: T, a_shape: Tindices, b: T -> output: T",
    "T: numbertype",
    "Tindices: {int32, int64}",
    shape=_dense_sum,
)
op(
    "SparseAdd",
    "a_indices: int64, a_values: T, a_shape: int64, b_indices: int64, b_values: T, b_shape: int64, thresh: Treal -> "
    "sum_indices: int64, sum_values: T, sum_shape: int64",
    "T: numbertype",
    "Treal: realnumbertype",
    shape=_sum,
)
op(
    "SparseAddGrad",
    "backprop_val_grad: T, a_indices: int64, b_indices: int64, sum_indices: int64 -> a_val_grad: T, b_val_grad: T",
    "T: numbertype",
    shape=_sum_gradient,
)
for _name, _types in (("Sum", "T: numbertype"), ("Max", "T: realnumbertype")):
    op(
        f"SparseReduce{_name}",
        "input_indices: int64, input_values: T, input_shape: int64, reduction_axes: int32 -> output: T",
        "keep_dims: bool = false",
        _types,
        shape=_reduced,
    )
    op(
        f"SparseReduce{_name}Sparse",
        "input_indices: int64, input_values: T, input_shape: int64, reduction_axes: int32 -> output_indices: int64, "
        "output_values: T, output_shape: int64",
        "keep_dims: bool = false",
        _types,
        shape=unknown,
    )
op(
    "SparseSoftmax",
    "sp_indices: int64, sp_values: T, sp_shape: int64 -> output: T",
    "T: {float16, float32, float64}",
    shape=_softmax,
)
for _name in ("Mul", "Add", "Div"):
    op(
        f"SparseDenseCwise{_name}",
        "sp_indices: int64, sp_values: T, sp_shape: int64, dense: T -> output: T",
        "T: numbertype",
        shape=_with_dense,
    )
op("SparseSparseMinimum", _PAIR, "T: numbertype", shape=_pair)
op("SparseSparseMaximum", _PAIR, "T: realnumbertype", shape=_pair)
