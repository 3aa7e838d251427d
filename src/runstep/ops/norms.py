"""Norms, and clipping by value or by norm: the ClipByValue op and the `tf.*` functions. Also trace and polyval."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep.graph.apply import apply
from runstep.graph.composite import IndexedSlices
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import get_default_graph, name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.cast import cast, conj
from runstep.ops.common import unchanged
from runstep.ops.creation import ones_like, zeros_like
from runstep.ops.reduction import one_of, reduce_max, reduce_sum
from runstep.ops.registry import op
from runstep.ops.shape_ops import rank, size

__all__ = [
    "clip_by_average_norm",
    "clip_by_global_norm",
    "clip_by_norm",
    "clip_by_value",
    "global_norm",
    "norm",
    "normalize",
    "polyval",
    "trace",
]


op(
    "ClipByValue",
    "t: T, clip_value_min: T, clip_value_max: T -> output: T",
    "T: numbertype",
    shape=unchanged,
)


# --- norms ----------------------------------------------------------------------------------------------------------


def norm(
    tensor: TensorLike,
    ord: Any = "euclidean",
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """The norm of vectors, matrices, or of all elements together. Source: `tf.norm`.

    Args:
      ord: 'euclidean', 1, 2, np.inf or any positive number for vectors; 'euclidean', 'fro', 1, 2, np.inf for matrices.
      axis: None for all elements, an int for vectors, a pair of ints for matrices.

    Raises:
      ValueError: `axis` or `ord` is none of these.
    """
    kept = bool(one_of("keepdims", keepdims, "keep_dims", keep_dims))
    is_matrix = isinstance(axis, (tuple, list)) and len(axis) == 2
    if is_matrix:
        axis = tuple(axis)
        if not all(isinstance(item, (int, np.integer)) for item in axis) or axis[0] == axis[1]:
            raise ValueError(f"'axis' must be None, an integer, or a tuple of 2 unique integers, got {axis}")
        allowed = ["euclidean", "fro", 1, 2, np.inf]
        if ord not in allowed:
            raise ValueError(f"'ord' must be a supported matrix norm in {allowed}, got {ord}")
    else:
        if not (axis is None or isinstance(axis, (int, np.integer))):
            raise ValueError(f"'axis' must be None, an integer, or a tuple of 2 unique integers, got {axis}")
        if ord != "euclidean" and (isinstance(ord, str) or ord <= 0):
            raise ValueError(f"'ord' must be a supported vector norm, got {ord}")
        if axis is not None:
            axis = (axis,)
    with name_scope(name, "norm"):
        x = convert_to_tensor(tensor)
        if ord in ("fro", "euclidean") or (ord == 2 and not is_matrix):
            result = apply("Sqrt", _sum(apply("Mul", x, conj(x), name="mul"), axis))
        elif ord == 2:
            result = _spectral_norm(x, axis)
        else:
            lengths = _magnitude(x)
            if ord == 1:
                result = _sum(lengths, None if axis is None else axis[0])
                result = _max(result, axis[-1]) if is_matrix else result
            elif ord == np.inf:
                result = _max(_sum(lengths, axis[1]) if is_matrix else lengths, None if axis is None else axis[0])
            else:
                result = apply("Pow", _sum(apply("Pow", lengths, ord), axis), 1.0 / ord)
        if not kept:
            result = apply("Squeeze", result, squeeze_dims=axis or ())
        norm_: Tensor = result
        return norm_


def normalize(
    tensor: TensorLike, ord: Any = "euclidean", axis: Any = None, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """`tensor` over its norm, and the norm. Source: `tf.linalg.normalize`. Arguments as `norm`."""
    with name_scope(name, "normalize", [tensor]):
        tensor = convert_to_tensor(tensor)
        length = norm(tensor, ord, axis, keepdims=True)
        if length.dtype != tensor.dtype:
            length = cast(length, tensor.dtype)
        return tensor / length, length


def _sum(x: Tensor, axis: Any) -> Tensor:
    return reduce_sum(x, axis, keepdims=True)


def _max(x: Tensor, axis: Any) -> Tensor:
    return reduce_max(x, axis, keepdims=True)


def _magnitude(x: Tensor) -> Any:
    return apply("ComplexAbs", x, Tout=x.dtype.real_dtype, name="Abs") if x.dtype.is_complex else apply("Abs", x)


def _spectral_norm(x: Tensor, axis: tuple[int, int]) -> Any:
    """The greatest singular value, with both axes kept at size 1."""
    if x.raw_shape is None:
        raise ValueError("The 2-norm of matrices needs a tensor of known rank.")
    count = len(x.raw_shape)
    last = [item % count for item in axis]
    order = [item for item in range(count) if item not in last] + last
    back = np.argsort(order).astype(np.int32)
    values = apply("Svd", apply("Transpose", x, np.array(order, np.int32), name="transpose"), compute_uv=False)[0]
    greatest = apply("ExpandDims", reduce_max(apply("Abs", values), -1, keepdims=True), -1)
    return apply("Transpose", greatest, back, name="transpose")


def global_norm(t_list: Sequence[Any], name: str | None = None) -> Tensor:
    """The norm of all elements of the tensors together; None and IndexedSlices are taken. Source: `tf.global_norm`.

    Raises:
      TypeError: `t_list` is not a sequence.
    """
    if not isinstance(t_list, Sequence) or isinstance(t_list, str):
        raise TypeError(f"`t_list` should be a sequence of tensors. Received {type(t_list)}.")
    with name_scope(name, "global_norm"):
        halves = []
        for value in _values(t_list):
            if value is not None:
                with get_default_graph().colocate_with(value.op):
                    halves.append(apply("L2Loss", value))
        total = reduce_sum(apply("Pack", halves, name="stack"))
        doubled = apply("Mul", total, convert_to_tensor(2.0, dtype=total.dtype), name="mul")
        result: Tensor = apply("Sqrt", doubled, name="global_norm")
        return result


def _values(t_list: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for index, item in enumerate(t_list):
        if item is None:
            found.append(None)
        else:
            found.append(item.values if isinstance(item, IndexedSlices) else convert_to_tensor(item, name=f"t_{index}"))
    return found


# --- clipping -------------------------------------------------------------------------------------------------------


def clip_by_value(t: Any, clip_value_min: TensorLike, clip_value_max: TensorLike, name: str | None = None) -> Any:
    """`t` with elements below the minimum or above the maximum held there. Source: `tf.clip_by_value`.

    The limits broadcast to the shape of `t`. IndexedSlices come back as such.

    Raises:
      ValueError: the limits would stretch `t`.
    """
    with name_scope(name, "clip_by_value") as scope:
        is_slices = isinstance(t, IndexedSlices)
        values = convert_to_tensor(t.values if is_slices else t, name="t")
        below = apply("Minimum", values, clip_value_max)
        values.get_shape().assert_is_compatible_with(below.get_shape())
        result = apply("Maximum", below, clip_value_min, name=scope)
        values.get_shape().assert_is_compatible_with(result.get_shape())
        return IndexedSlices(result, t.indices, t.dense_shape) if is_slices else result


def clip_by_norm(t: Any, clip_norm: TensorLike, axes: Any = None, name: str | None = None) -> Any:
    """`t`, scaled down where its norm over `axes` is above `clip_norm`. Source: `tf.clip_by_norm`."""
    with name_scope(name, "clip_by_norm") as scope:
        is_slices = isinstance(t, IndexedSlices)
        values = convert_to_tensor(t.values if is_slices else t, name="t")
        squares = reduce_sum(apply("Mul", values, values, name="mul"), axes, keepdims=True)
        # The derivative of sqrt at 0 is infinite: where the sum is 0 another value takes its place.
        positive = apply("Greater", squares, 0)
        safe = apply("Select", positive, squares, ones_like(squares))
        length = apply("Select", positive, apply("Sqrt", safe), squares)
        scaled = apply("Mul", values, clip_norm, name="mul")
        values.get_shape().assert_is_compatible_with(scaled.get_shape())
        limit = apply("Maximum", length, clip_norm)
        result = apply("Identity", apply("RealDiv", scaled, limit, name="truediv"), name=scope)
        return IndexedSlices(result, t.indices, t.dense_shape) if is_slices else result


def clip_by_average_norm(t: TensorLike, clip_norm: TensorLike, name: str | None = None) -> Tensor:
    """`t`, scaled down where its norm per element is above `clip_norm`. Source: `tf.clip_by_average_norm`."""
    with name_scope(name, "clip_by_average_norm") as scope:
        t = convert_to_tensor(t, name="t")
        count = cast(size(t), t.dtype.base_dtype)
        squares = apply("Mul", t, t, name="mul")
        axes = apply("Range", 0, rank(t), 1, name="range")
        inverse = apply("Rsqrt", reduce_sum(squares, axes))
        scaled = apply("Mul", t, clip_norm, name="mul")
        average = apply("Mul", inverse, count, name="mul")
        bound = apply("RealDiv", convert_to_tensor(1.0, dtype=t.dtype.base_dtype), clip_norm, name="truediv")
        result = apply("Mul", scaled, apply("Minimum", average, bound), name="mul")
        clipped: Tensor = apply("Identity", result, name=scope)
        return clipped


def clip_by_global_norm(
    t_list: Sequence[Any], clip_norm: TensorLike, use_norm: TensorLike | None = None, name: str | None = None
) -> tuple[list[Any], Tensor]:
    """All tensors scaled by one factor that brings their global norm down to `clip_norm`.

    Source: `tf.clip_by_global_norm`. None entries stay None.

    Args:
      use_norm: the global norm, where it is known already.

    Returns:
      The clipped tensors, and the global norm before.

    Raises:
      TypeError: `t_list` is not a sequence.
    """
    if not isinstance(t_list, Sequence) or isinstance(t_list, str):
        raise TypeError(f"`t_list` should be a sequence of tensors. Received {type(t_list)}.")
    t_list = list(t_list)
    if use_norm is None:
        use_norm = global_norm(t_list)
    with name_scope(name, "clip_by_global_norm") as scope:
        use_norm = convert_to_tensor(use_norm)
        kind = use_norm.dtype.base_dtype
        needed = apply("RealDiv", 1.0, use_norm, name="truediv")
        bound = apply("RealDiv", convert_to_tensor(1.0, dtype=kind), clip_norm, name="truediv")
        factor = apply("Mul", clip_norm, apply("Minimum", needed, bound), name="mul")
        # An infinite or NaN norm makes everything NaN, so that it does not go unnoticed.
        factor = apply("AddV2", factor, apply("Sub", use_norm, use_norm, name="sub"), name="add")
        clipped: list[Any] = []
        for index, (item, value) in enumerate(zip(t_list, _values(t_list), strict=True)):
            if value is None:
                clipped.append(None)
                continue
            with get_default_graph().colocate_with(value.op):
                scaled = apply("Mul", value, factor, name="mul")
                scaled = apply("Identity", scaled, name=f"{scope.rstrip('/').rpartition('/')[2]}/_{index}")
            clipped.append(
                IndexedSlices(scaled, item.indices, item.dense_shape) if isinstance(item, IndexedSlices) else scaled
            )
        return clipped, use_norm


# --- others ---------------------------------------------------------------------------------------------------------


def trace(x: TensorLike, name: str | None = None) -> Tensor:
    """The sum along the main diagonal of each matrix in the last two axes. Source: `tf.linalg.trace`.

    With the path of a file in place of a tensor: `with trace("t.json"):` traces steps (`runstep.observe.trace`).
    """
    if isinstance(x, str | os.PathLike):
        from runstep.observe.trace import trace as trace_steps

        return trace_steps(x)  # type: ignore[return-value]
    with name_scope(name, "Trace") as scope:
        x = convert_to_tensor(x, name="x")
        diagonal = apply("MatrixDiagPartV3", x, 0, 0, name="diag_part")
        return reduce_sum(diagonal, [-1], name=scope)


def polyval(coeffs: list[TensorLike], x: TensorLike, name: str | None = None) -> Tensor:
    """The polynomial at `x`; `coeffs` from the highest power to the constant. Source: `tf.math.polyval`.

    Raises:
      ValueError: `coeffs` is not a list.
    """
    if not isinstance(coeffs, list):
        raise ValueError(f"Argument coeffs must be list type. Received type {type(coeffs)}.")
    with name_scope(name, "polyval") as scope:
        x = convert_to_tensor(x, name="x")
        if not coeffs:
            nothing: Tensor = zeros_like(x, name=scope)
            return nothing
        terms = [convert_to_tensor(item, name=f"coeff_{index}") for index, item in enumerate(coeffs)]
        total = terms[0]
        for term in terms[1:]:
            total = apply("AddV2", term, apply("Mul", total, x, name="mul"), name="add")
        return total
