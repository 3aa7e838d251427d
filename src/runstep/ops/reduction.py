"""Reductions over axes: op definitions and the `tf.*` functions.

Every function takes TensorFlow 1's old argument names beside the new ones: `reduction_indices` for `axis`, `keep_dims`
for `keepdims`, `dimension` for the axis of argmax; naming both is a ValueError.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import dtypes, shapes
from runstep.graph.apply import apply
from runstep.graph.composite import SparseTensor
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.cast import cast
from runstep.ops.common import Shapes
from runstep.ops.registry import op
from runstep.ops.typesets import INDEX

__all__ = [
    "argmax",
    "argmin",
    "count_nonzero",
    "is_non_decreasing",
    "is_strictly_increasing",
    "reduce_all",
    "reduce_any",
    "reduce_euclidean_norm",
    "reduce_logsumexp",
    "reduce_max",
    "reduce_mean",
    "reduce_min",
    "reduce_prod",
    "reduce_std",
    "reduce_sum",
    "reduce_variance",
]


def _reduced(op: Any) -> Shapes:
    shape = op.inputs[0].raw_shape
    shapes.with_rank_at_most(op.inputs[1].raw_shape, 1)
    if shape is None:
        return [None]
    rank = len(shape)
    axes = op.constant(1)
    if axes is None:
        return [(None,) * rank if op.attrs["keep_dims"] else None]
    gone = set()
    for axis in axes.ravel().tolist():
        if not -rank <= axis < rank:
            raise ValueError(f"Invalid reduction dimension {axis} for input with {rank} dimensions.")
        gone.add(axis % rank)
    if op.attrs["keep_dims"]:
        return [tuple([1 if axis in gone else size for axis, size in enumerate(shape)])]
    return [tuple([size for axis, size in enumerate(shape) if axis not in gone])]


def _without_axis(op: Any) -> Shapes:
    shape = op.inputs[0].raw_shape
    shapes.with_rank(op.inputs[1].raw_shape, 0)
    if shape is None:
        return [None]
    rank = len(shape)
    if rank <= 1:
        return [()]
    axis = op.constant(1)
    if axis is None:
        return [(None,) * (rank - 1)]
    where = int(axis)
    if not -rank <= where < rank:
        raise ValueError(
            f"Dimension ({where}) must be in the range [{-rank}, {rank}), where {rank} is the number of dimensions in "
            "the input."
        )
    where %= rank
    return [shape[:where] + shape[where + 1 :]]


_ORDERED = (
    "T: {float32, float64, int32, uint8, int16, int8, int64, bfloat16, uint16, float16, uint32, uint64, qint8, quint8, "
    "qint32, qint16, quint16}"
)
for _name, _types in (
    ("Sum", "T: numbertype"),
    ("Mean", "T: numbertype"),
    ("Prod", "T: numbertype"),
    ("EuclideanNorm", "T: numbertype"),
    ("Max", _ORDERED),
    ("Min", _ORDERED),
):
    op(
        _name,
        "input: T, reduction_indices: Tidx -> output: T",
        "keep_dims: bool = false",
        _types,
        INDEX,
        shape=_reduced,
    )
for _name in ("All", "Any"):
    op(
        _name,
        "input: bool, reduction_indices: Tidx -> output: bool",
        "keep_dims: bool = false",
        INDEX,
        shape=_reduced,
    )
for _name, _index, _out in (
    ("ArgMax", "Tidx: {int16, int32, int64} = int32", "output_type: {int16, uint16, int32, int64} = int64"),
    ("ArgMin", INDEX, "output_type: {int32, int64} = int64"),
):
    op(
        _name,
        "input: T, dimension: Tidx -> output: output_type",
        _ORDERED[:-1] + ", bool}",
        _index,
        _out,
        shape=_without_axis,
    )


def one_of(new_name: str, new: Any, old_name: str, old: Any) -> Any:
    """The argument that was given under its new or its old name. ValueError if both were."""
    if old is None:
        return new
    if new is not None:
        raise ValueError(f"Cannot specify both '{old_name}' and '{new_name}'.")
    return old


def _is_kept(keepdims: Any, keep_dims: Any) -> bool:
    return bool(one_of("keepdims", keepdims, "keep_dims", keep_dims))


def all_axes(x: Any, axis: Any) -> Any:
    """`axis`, or for None a constant or (where the rank is unknown or 0, as TensorFlow does) a range over all axes of
    `x`."""
    if axis is not None:
        return axis
    if isinstance(x, SparseTensor):
        rank = x.dense_shape.raw_shape[0] if x.dense_shape.raw_shape else None
    else:
        rank = x.get_shape().ndims if hasattr(x, "get_shape") else None  # a tensor or a variable
    if rank:
        return convert_to_tensor(np.arange(rank, dtype=np.int32))
    if isinstance(x, SparseTensor):
        count = apply("Size", x.dense_shape, name="Rank")
    elif not isinstance(x, Tensor):
        with name_scope(None, "Rank") as scope:
            value = convert_to_tensor(x)
            if value.raw_shape is None:
                count = apply("Rank", value, name=scope)
            else:
                count = convert_to_tensor(np.int32(len(value.raw_shape)), name=scope)
    elif rank == 0:
        count = convert_to_tensor(np.int32(0), name="Rank")
    else:
        count = apply("Rank", x)
    return apply("Range", 0, count, 1, name="range")


def _reduce(op_type: str, x: Any, axis: Any, keepdims: bool, name: str | None) -> Tensor:
    axes = all_axes(x, axis)
    if axis is not None and isinstance(axes, (list, tuple)) and not axes:
        axes = convert_to_tensor(np.zeros(0, np.int32), name="reduction_indices")
    result: Tensor = apply(op_type, x, axes, keep_dims=keepdims, name=name)
    if axis is None and not keepdims and result.raw_shape is None:
        result.set_shape(())
    return result


def reduce_sum(
    input_tensor: TensorLike,
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
    reduction_indices: Any = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """The sum over `axis` (an int, several, or all). Source: `tf.reduce_sum`."""
    axis = one_of("axis", axis, "reduction_indices", reduction_indices)
    return _reduce("Sum", input_tensor, axis, _is_kept(keepdims, keep_dims), name)


def reduce_mean(
    input_tensor: TensorLike,
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
    reduction_indices: Any = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """The mean over `axis`; of integers, rounded to zero. Source: `tf.reduce_mean`."""
    axis = one_of("axis", axis, "reduction_indices", reduction_indices)
    return _reduce("Mean", input_tensor, axis, _is_kept(keepdims, keep_dims), name)


def reduce_prod(
    input_tensor: TensorLike,
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
    reduction_indices: Any = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """The product over `axis`. Source: `tf.reduce_prod`."""
    axis = one_of("axis", axis, "reduction_indices", reduction_indices)
    return _reduce("Prod", input_tensor, axis, _is_kept(keepdims, keep_dims), name)


def reduce_max(
    input_tensor: TensorLike,
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
    reduction_indices: Any = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """The greatest element over `axis`. Source: `tf.reduce_max`."""
    axis = one_of("axis", axis, "reduction_indices", reduction_indices)
    return _reduce("Max", input_tensor, axis, _is_kept(keepdims, keep_dims), name)


def reduce_min(
    input_tensor: TensorLike,
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
    reduction_indices: Any = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """The least element over `axis`. Source: `tf.reduce_min`."""
    axis = one_of("axis", axis, "reduction_indices", reduction_indices)
    return _reduce("Min", input_tensor, axis, _is_kept(keepdims, keep_dims), name)


def reduce_all(
    input_tensor: TensorLike,
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
    reduction_indices: Any = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """Whether every element over `axis` is true. Source: `tf.reduce_all`."""
    axis = one_of("axis", axis, "reduction_indices", reduction_indices)
    return _reduce("All", input_tensor, axis, _is_kept(keepdims, keep_dims), name)


def reduce_any(
    input_tensor: TensorLike,
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
    reduction_indices: Any = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """Whether any element over `axis` is true. Source: `tf.reduce_any`."""
    axis = one_of("axis", axis, "reduction_indices", reduction_indices)
    return _reduce("Any", input_tensor, axis, _is_kept(keepdims, keep_dims), name)


def reduce_euclidean_norm(
    input_tensor: TensorLike, axis: Any = None, keepdims: bool = False, name: str | None = None
) -> Tensor:
    """The square root of the sum of squares over `axis`. Source: `tf.math.reduce_euclidean_norm`."""
    return _reduce("EuclideanNorm", input_tensor, axis, bool(keepdims), name)


def reduce_logsumexp(
    input_tensor: TensorLike,
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
    reduction_indices: Any = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """`log(sum(exp(x)))` over `axis`, without overflow. Source: `tf.reduce_logsumexp`."""
    axis = one_of("axis", axis, "reduction_indices", reduction_indices)
    kept = _is_kept(keepdims, keep_dims)
    with name_scope(name, "ReduceLogSumExp") as scope:
        x = convert_to_tensor(input_tensor)
        highest = _reduce("Max", x, axis, True, None)
        finite = apply("IsFinite", highest)
        shift = apply("StopGradient", apply("SelectV2", finite, highest, 0))
        total = apply("Log", _reduce("Sum", apply("Exp", apply("Sub", x, shift)), axis, kept, None))
        if not kept:
            shift = apply("Reshape", shift, apply("Shape", total))
        result: Tensor = apply("AddV2", total, shift, name=scope)
        return result


def reduce_variance(
    input_tensor: TensorLike, axis: Any = None, keepdims: bool = False, name: str | None = None
) -> Tensor:
    """The mean squared distance from the mean over `axis`.

    TypeError for integers. Source: `tf.math.reduce_variance`.
    """
    with name_scope(name or "reduce_variance"):
        x = convert_to_tensor(input_tensor)
        mean = _reduce("Mean", x, axis, True, None)
        if mean.dtype.is_integer:
            raise TypeError(f"Input must be either real or complex. Received integer type {mean.dtype}.")
        distance = apply("Sub", x, mean, name="sub")
        if x.dtype.is_complex:
            squared = apply("Mul", apply("Conj", distance), distance)
            squared = apply("Real", squared, Tout=x.dtype.real_dtype)
        else:
            squared = apply("Square", distance)
        return _reduce("Mean", squared, axis, bool(keepdims), None)


def reduce_std(input_tensor: TensorLike, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """The square root of `reduce_variance`. Source: `tf.math.reduce_std`."""
    with name_scope(name or "reduce_std"):
        result: Tensor = apply("Sqrt", reduce_variance(input_tensor, axis, keepdims))
        return result


def count_nonzero(
    input_tensor: Any = None,
    axis: Any = None,
    keepdims: bool | None = None,
    dtype: Any = dtypes.int64,
    name: str | None = None,
    reduction_indices: Any = None,
    keep_dims: bool | None = None,
    input: Any = None,
) -> Tensor:
    """How many elements over `axis` are not zero (for strings: not empty). Source: `tf.math.count_nonzero`."""
    kept = _is_kept(keepdims, keep_dims)
    x = one_of("input", input, "input_tensor", input_tensor)
    axis = one_of("axis", axis, "reduction_indices", reduction_indices)
    with name_scope(name, "count_nonzero"):
        if isinstance(x, SparseTensor):
            if axis is not None:
                raise ValueError("axis is not supported for sparse tensors.")
            x = x.values
        x = convert_to_tensor(x, name="input")
        if x.dtype is not dtypes.bool:
            zero = b"" if x.dtype is dtypes.string else 0
            x = apply("NotEqual", x, convert_to_tensor(zero, dtype=x.dtype, name="zeros"))
        total = _reduce("Sum", cast(x, dtypes.int64), axis, kept, None)
        result: Tensor = cast(total, dtype)
        return result


def _arg(op_type: str, x: Any, axis: Any, output_type: Any, name: str | None) -> Tensor:
    result: Tensor = apply(op_type, x, 0 if axis is None else axis, output_type=output_type, name=name)
    return result


def argmax(
    input: TensorLike,
    axis: Any = None,
    name: str | None = None,
    dimension: Any = None,
    output_type: Any = dtypes.int64,
) -> Tensor:
    """Where along `axis` (0 by default) the greatest element is; the first of equals. Source: `tf.argmax`."""
    return _arg("ArgMax", input, one_of("axis", axis, "dimension", dimension), output_type, name)


def argmin(
    input: TensorLike,
    axis: Any = None,
    name: str | None = None,
    dimension: Any = None,
    output_type: Any = dtypes.int64,
) -> Tensor:
    """Where along `axis` (0 by default) the least element is; the first of equals. Source: `tf.argmin`."""
    return _arg("ArgMin", input, one_of("axis", axis, "dimension", dimension), output_type, name)


def _neighbours_satisfy(x: TensorLike, op_type: str) -> Tensor:
    flat = apply("Reshape", convert_to_tensor(x), [-1])
    before = apply("StridedSlice", flat, [0], [-1], [1], begin_mask=1)
    after = apply("StridedSlice", flat, [1], [0], [1], end_mask=1)
    return reduce_all(apply(op_type, before, after))


def is_non_decreasing(x: TensorLike, name: str | None = None) -> Tensor:
    """Whether no element is less than the one before it, in row-major order. Source: `tf.math.is_non_decreasing`."""
    with name_scope(name, "is_non_decreasing"):
        return _neighbours_satisfy(x, "LessEqual")


def is_strictly_increasing(x: TensorLike, name: str | None = None) -> Tensor:
    """Whether every element exceeds the one before it, in row-major order. Source: `tf.math.is_strictly_increasing`."""
    with name_scope(name, "is_strictly_increasing"):
        return _neighbours_satisfy(x, "Less")
