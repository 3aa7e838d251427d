"""Gradients of sparse tensors: in their values, and in what is dense beside them."""

from __future__ import annotations

from typing import Any

from runstep.gradients.broadcasting import conj
from runstep.gradients.nn_common import dense
from runstep.gradients.registry import gradient
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.cast import cast
from runstep.ops.creation import ones, range as range_of
from runstep.ops.indexing import gather, gather_nd
from runstep.ops.joining import concat
from runstep.ops.rearranging import matrix_transpose
from runstep.ops.reduction import reduce_sum
from runstep.ops.shape_ops import rank, reshape, shape, size


@gradient("SparseReorder")
def _reorder(op: Operation, _: Any, grad: Any) -> list[Any]:
    indices, _values, sizes = op.inputs
    places = range_of(shape(indices)[0])
    _, ordered = apply("SparseReorder", indices, places, sizes)
    return [None, gather(dense(grad), apply("InvertPermutation", ordered)), None]


@gradient("SparseAdd")
def _add(op: Operation, _: Any, grad: Any, __: Any) -> list[Any]:
    a_indices, a_values, b_indices, b_values = (op.inputs[place] for place in (0, 1, 3, 4))
    found = apply("SparseAddGrad", dense(grad), a_indices, b_indices, op.outputs[0])
    for part, like in zip(found, (a_values, b_values), strict=True):
        part.set_shape(like.shape)
    return [None, found[0], None, None, found[1], None, None]


@gradient("SparseTensorDenseAdd")
def _add_dense(op: Operation, grad: Any) -> list[Any]:
    return [None, gather_nd(grad, op.inputs[0]), None, grad]


@gradient("SparseToDense")
def _to_dense(op: Operation, grad: Any) -> list[Any]:
    indices, _, values, _ = op.inputs
    of_values = gather_nd(grad, reshape(indices, [1]) if indices.raw_shape == () else indices)
    if values.raw_shape == ():
        of_values = reduce_sum(of_values)
    return [None, None, of_values, reduce_sum(grad) - reduce_sum(of_values)]


@gradient("SparseReduceSum")
def _reduce_sum(op: Operation, grad: Any) -> list[Any]:
    indices, _, sizes, axes = op.inputs
    kept = _reduced_sizes(sizes, axes)
    scale = apply("FloorDiv", sizes, cast(kept, dtypes.int64))
    return [None, gather_nd(reshape(grad, kept), apply("FloorDiv", indices, scale)), None, None]


def _reduced_sizes(sizes: Tensor, axes: Tensor) -> Tensor:
    """The sizes after a reduction that keeps its axes, with one element."""
    sizes, axes = cast(sizes, dtypes.int32), cast(axes, dtypes.int32)
    count = size(sizes)
    axes = apply("FloorMod", axes + count, count)
    ones_there = apply("Fill", shape(axes), 1)
    found: Tensor = apply("DynamicStitch", [range_of(count), axes], [sizes, ones_there])
    return found


@gradient("SparseSlice")
def _slice(op: Operation, _: Any, grad: Any, __: Any) -> list[Any]:
    indices, values, _, start, _ = op.inputs
    back = apply("SparseSliceGrad", dense(grad), indices, start, op.outputs[0])
    back.set_shape(values.shape)
    return [None, back, None, None, None]


@gradient("SparseTensorDenseMatMul")
def _product(op: Operation, grad: Any) -> list[Any]:
    indices, values, sizes, b = op.inputs
    flip_a, flip_b = op.attrs["adjoint_a"], op.attrs["adjoint_b"]
    in_b = apply("SparseTensorDenseMatMul", indices, values, sizes, grad, adjoint_a=not flip_a)
    if flip_b:
        in_b = matrix_transpose(in_b, conjugate=True)
    rows, columns = indices[:, 0], indices[:, 1]
    of_grad = gather(grad, columns if flip_a else rows)
    of_b = gather(matrix_transpose(b, conjugate=True) if flip_b else b, rows if flip_a else columns)
    in_values = reduce_sum(of_grad * conj(of_b), axis=1)
    if flip_a:
        in_values = conj(in_values)
    return [None, in_values, None, in_b]


@gradient("SparseSoftmax")
def _softmax(op: Operation, grad: Any) -> list[Any]:
    indices, _, sizes = op.inputs
    y = op.outputs[0]
    total = apply("SparseReduceSum", indices, y * grad, sizes, [-1], keep_dims=True)
    centred = apply("SparseDenseCwiseAdd", indices, grad, sizes, -total)
    return [None, centred * y, None]


@gradient("SparseFillEmptyRows")
def _fill_empty_rows(op: Operation, _: Any, grad: Any, __: Any, ___: Any) -> list[Any]:
    back, in_default = apply("SparseFillEmptyRowsGrad", op.outputs[3], dense(grad))
    return [None, back, None, in_default]


@gradient("RaggedFillEmptyRows")
def _ragged_fill_empty_rows(op: Operation, _: Any, grad: Any, __: Any, ___: Any) -> list[Any]:
    back, in_default = apply("RaggedFillEmptyRowsGrad", op.outputs[3], dense(grad))
    return [None, back, None, in_default]


# --- with a dense tensor that is repeated along the sparse one ----------------------------------------------------


def _with_dense(op: Operation, grad: Any, times: bool) -> list[Any]:
    indices, values, sizes, y = op.inputs
    y_sizes = cast(shape(y), dtypes.int64)
    lacking = size(sizes) - rank(y)
    stretched = concat([ones(apply("Pack", [lacking]), dtypes.int64), y_sizes], 0)
    places = apply("FloorDiv", indices, apply("FloorDiv", sizes, stretched))
    places = places[:, lacking:]
    there = gather_nd(y, places)
    if times:
        in_values, in_there = grad * there, grad * values
    else:
        in_values, in_there = grad / there, grad * (-values / (there * there))
    in_y = apply("ScatterNd", places, in_there, y_sizes)
    return [None, in_values, None, reshape(in_y, shape(y))]


@gradient("SparseDenseCwiseMul")
def _times_dense(op: Operation, grad: Any) -> list[Any]:
    return _with_dense(op, grad, True)


@gradient("SparseDenseCwiseDiv")
def _over_dense(op: Operation, grad: Any) -> list[Any]:
    return _with_dense(op, grad, False)


@gradient("SparseDenseCwiseAdd")
def _plus_dense(op: Operation, grad: Any) -> list[Any]:
    raise NotImplementedError("Gradient for SparseDenseCwiseAdd is not implemented.")


@gradient("SparseSparseMaximum")
def _maximum(op: Operation, *grads: Any) -> list[Any]:
    raise NotImplementedError("Gradients for SparseSparseMaximum is currently not implemented yet.")


@gradient("SparseSparseMinimum")
def _minimum(op: Operation, *grads: Any) -> list[Any]:
    raise NotImplementedError("Gradients for SparseSparseMinimum is currently not implemented yet.")
