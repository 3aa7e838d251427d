"""Ops that make tensors from sizes and single values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from runstep.graph import dtypes, shapes
from runstep.graph.apply import apply
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor
from runstep.ops import common
from runstep.ops.common import Shapes
from runstep.ops.registry import op
from runstep.ops.shape_ops import reshape, shape_internal

__all__ = [
    "diag",
    "diag_part",
    "eye",
    "fill",
    "one_hot",
    "ones",
    "ones_like",
    "range",
    "zeros",
    "zeros_like",
]

_LARGEST_CONSTANT = 1000
"""From this many elements on, zeros and ones are filled at run time instead of being stored in the graph."""


# --- static shape rules -------------------------------------------------------------------------------------------


def _fill(op: Any) -> Shapes:
    shapes.with_rank(op.inputs[0].raw_shape, 1)
    shapes.with_rank(op.inputs[1].raw_shape, 0)
    return [op.constant_shape(0)]


def _scalars(op: Any, *indices: int) -> list[Any]:
    for index in indices:
        shapes.with_rank(op.inputs[index].raw_shape, 0)
    return [op.constant(index) for index in indices]


def _range(op: Any) -> Shapes:
    start, limit, delta = _scalars(op, 0, 1, 2)
    if start is None or limit is None or delta is None:
        return [(None,)]
    # The element type does the rounding, as at run time. Only int types need Python's exact numbers.
    floating = op.output_types[0].is_floating
    first, last, step = [value[()] if floating else value.item() for value in (start, limit, delta)]
    if step > 0 and first > last:
        raise ValueError(f"Requires start <= limit when delta > 0: {first}/{last}")
    if step < 0 and first < last:
        raise ValueError(f"Requires start >= limit when delta < 0: {first}/{last}")
    if step == 0:
        raise ValueError("Requires delta != 0")
    if not floating:
        return [(-(-(last - first) // step),)]
    return [(math.ceil(abs((last - first) / step)),)]


def _lin_space(op: Any) -> Shapes:
    num = _scalars(op, 0, 1, 2)[2]
    if num is None:
        return [(None,)]
    if num <= 0:
        raise ValueError(f"Requires num > 0: {num}")
    return [(int(num),)]


def _one_hot(op: Any) -> Shapes:
    axis = op.attrs["axis"]
    if axis < -1:
        raise ValueError("axis must be >= -1")
    depth = op.constant(1)
    raw = op.inputs[0].raw_shape
    if depth is not None and depth.ndim:
        raise ValueError(f"Input must be scalar but has rank {depth.ndim}")
    if depth is not None and depth < 0:
        raise ValueError(f"Dimension size, given by scalar input 1, must be non-negative but is {depth}")
    if raw is None:
        return [None]
    if axis > len(raw):
        raise ValueError(f"Shape must be at least rank {axis} but is rank {len(raw)}")
    at = len(raw) if axis == -1 else axis
    return [(*raw[:at], None if depth is None else int(depth), *raw[at:])]


def _diag(op: Any) -> Shapes:
    raw = shapes.with_rank_at_least(op.inputs[0].raw_shape, 1)
    return [None if raw is None else raw + raw]


def _diag_part(op: Any) -> Shapes:
    raw = op.inputs[0].raw_shape
    if raw is None:
        return [None]
    half, odd = divmod(len(raw), 2)
    if odd or not half:
        raise ValueError(f"Input must have even and non-zero rank, input rank is {len(raw)}")
    return [shapes.merge(raw[:half], raw[half:])]


op(
    "Fill",
    "dims: index_type, value: T -> output: T",
    "T: type",
    "index_type: {int32, int64} = int32",
    shape=_fill,
)
op("ZerosLike", "x: T -> y: T", "T: type", shape=common.unchanged)
op(
    "OnesLike",
    "x: T -> y: T",
    "T: {bfloat16, float16, float32, float64, int8, uint8, int16, uint16, int32, uint32, int64, uint64, complex64, "
    "complex128, bool}",
    shape=common.unchanged,
)
op(
    "Range",
    "start: Tidx, limit: Tidx, delta: Tidx -> output: Tidx",
    "Tidx: {bfloat16, float16, float32, float64, int8, int16, int32, int64, uint16, uint32, uint64} = int32",
    shape=_range,
)
op(
    "LinSpace",
    "start: T, stop: T, num: Tidx -> output: T",
    "T: {bfloat16, float16, float32, float64}",
    "Tidx: {int32, int64} = int32",
    shape=_lin_space,
)
op(
    "OneHot",
    "indices: TI, depth: int32, on_value: T, off_value: T -> output: T",
    "axis: int = -1",
    "T: type",
    "TI: {uint8, int8, int32, int64} = int64",
    shape=_one_hot,
)
op(
    "Diag",
    "diagonal: T -> output: T",
    "T: {bfloat16, float16, float32, float64, int32, int64, complex64, complex128}",
    shape=_diag,
)
op(
    "DiagPart",
    "input: T -> diagonal: T",
    "T: {bfloat16, float16, float32, float64, int32, int64, complex64, complex128}",
    shape=_diag_part,
)


# --- user functions -----------------------------------------------------------------------------------------------


def _one(dtype: dtypes.DType) -> Any:
    return True if dtype.is_bool else 1


def _zero(dtype: dtypes.DType) -> Any:
    return False if dtype.is_bool else "" if dtype is dtypes.string else 0


def _filled(value: Any, shape: Any, dtype: Any, name: str | None, default_name: str) -> Tensor:
    """A tensor of one value: stored as a constant where that is small, else filled when it runs."""
    dtype = dtypes.as_dtype(dtype).base_dtype
    with name_scope(name, default_name, [shape]) as scope:
        value = value(dtype)
        if not isinstance(shape, Tensor):
            if isinstance(shape, list | tuple | TensorShape | np.ndarray):
                raw = _known_raw(shape)
                if raw is not None and math.prod(raw) < _LARGEST_CONSTANT:
                    return constant(value, dtype, shape=raw, name=scope)
            try:
                shape = convert_to_tensor(TensorShape(shape))
            except (TypeError, ValueError):
                shape = convert_to_tensor(shape, dtypes.int32)
        if shape.raw_shape == ():
            shape = reshape(shape, [-1])  # a single size
        return apply("Fill", shape, constant(value, dtype), name=scope)


def _known_raw(shape: Any) -> tuple[int, ...] | None:
    try:
        raw = shapes.as_raw(shape)
    except (TypeError, ValueError):
        return None
    return None if raw is None or None in raw else raw  # type: ignore[return-value]


def zeros(shape: Any, dtype: Any = dtypes.float32, name: str | None = None, layout: Any = None) -> Tensor:
    """Zeros (empty strings, False) of the given sizes. Mirrors `tf.zeros`."""
    return _filled(_zero, shape, dtype, name, "zeros")


def ones(shape: Any, dtype: Any = dtypes.float32, name: str | None = None, layout: Any = None) -> Tensor:
    """Ones (True) of the given sizes. Mirrors `tf.ones`."""
    return _filled(_one, shape, dtype, name, "ones")


def zeros_like(tensor: Any, dtype: Any = None, name: str | None = None, optimize: bool = True) -> Tensor:
    """Zeros in the shape and, by default, type of `tensor`. Mirrors `tf.compat.v1.zeros_like`."""
    with name_scope(name, "zeros_like", [tensor]) as scope:
        if not hasattr(tensor, "_as_graph_element"):
            tensor = convert_to_tensor(tensor, name="tensor")
        kind = tensor.dtype.base_dtype
        wanted = kind if dtype is None else dtypes.as_dtype(dtype)
        raw = tensor.get_shape().raw
        if optimize and raw is not None and None not in raw and kind is not dtypes.variant:
            return zeros(raw, wanted, name=scope)
        tensor = convert_to_tensor(tensor, name="tensor")  # a variable is read only where its shape isn't known
        if wanted is not kind and kind is not dtypes.variant:
            return zeros(shape_internal(tensor, optimize=optimize), wanted, name=scope)
        return apply("ZerosLike", tensor, name=scope)


def ones_like(tensor: Any, dtype: Any = None, name: str | None = None, optimize: bool = True) -> Tensor:
    """Ones in the shape and, by default, type of `tensor`. Mirrors `tf.compat.v1.ones_like`."""
    with name_scope(name, "ones_like", [tensor]) as scope:
        tensor = convert_to_tensor(tensor, name="tensor")
        raw = tensor.raw_shape
        if optimize and raw is not None and None not in raw:
            with name_scope("Shape"):
                sizes = convert_to_tensor(TensorShape.from_raw(raw))
        else:
            sizes = shape_internal(tensor, optimize=False)
        wanted = tensor.dtype.base_dtype if dtype is None else dtypes.as_dtype(dtype)
        return ones(sizes, wanted, name=scope)


def fill(dims: Any, value: Any, name: str | None = None, layout: Any = None) -> Tensor:
    """`value`, a scalar, repeated to the sizes `dims`. Mirrors `tf.fill`."""
    return apply("Fill", dims, value, name=name)


def eye(
    num_rows: Any,
    num_columns: Any = None,
    batch_shape: Any = None,
    dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Tensor:
    """Identity matrices [*batch_shape, num_rows, num_columns]. Mirrors `tf.eye`."""
    from runstep.ops.joining import concat
    from runstep.ops.matrix_diag import diag as matrix_diag, set_diag

    with name_scope(name, "eye", [num_rows, num_columns, batch_shape]):
        numbers = not isinstance(num_rows, Tensor) and not isinstance(num_columns, Tensor)
        square = num_columns is None or (numbers and num_columns == num_rows)
        batch = [] if batch_shape is None else batch_shape
        columns = num_rows if square else num_columns
        if isinstance(num_rows, Tensor) or isinstance(columns, Tensor):
            from runstep.ops.arithmetic import minimum

            size = minimum(num_rows, columns)
        else:
            size = min(num_rows, columns)
        if isinstance(batch, Tensor) or isinstance(num_rows, Tensor) or isinstance(columns, Tensor):
            batch = convert_to_tensor(batch, dtypes.int32, name="shape")
            diagonal_shape: Any = concat((batch, [size]), axis=0)
            shape: Any = None if square else concat((batch, [num_rows, columns]), axis=0)
        else:
            batch = [*(shapes.as_raw(batch) or ())]
            diagonal_shape, shape = [*batch, size], [*batch, num_rows, columns]
        diagonal = ones(diagonal_shape, dtype=dtype)
        if square:
            return matrix_diag(diagonal)
        return set_diag(zeros(shape, dtype=dtype), diagonal)


def one_hot(
    indices: Any,
    depth: Any,
    on_value: Any = None,
    off_value: Any = None,
    axis: int | None = None,
    dtype: Any = None,
    name: str | None = None,
) -> Tensor:
    """Vectors of length `depth` along `axis`: `on_value` where the index says, `off_value` else. Mirrors `tf.one_hot`.

    TypeError if the types of the values and `dtype` differ.
    """
    with name_scope(name, "one_hot", [indices, depth, on_value, off_value, axis, dtype]) as scope:
        wanted = None if dtype is None else dtypes.as_dtype(dtype)
        if on_value is not None:
            on_value = convert_to_tensor(on_value, dtype_hint=wanted)
        if off_value is not None:
            off_value = convert_to_tensor(off_value, dtype_hint=wanted)
        on_dtype = None if on_value is None else on_value.dtype.base_dtype
        off_dtype = None if off_value is None else off_value.dtype.base_dtype
        if wanted is not None:
            for what, kind in (("on_value", on_dtype), ("off_value", off_dtype)):
                if kind is not None and kind is not wanted:
                    raise TypeError(f"dtype {kind} of {what} does not match dtype parameter {wanted}")
        else:
            wanted = on_dtype or off_dtype or dtypes.float32
        if on_dtype is None:
            on_value = convert_to_tensor(1, wanted, name="on_value")
        if off_dtype is None:
            off_value = convert_to_tensor(0, wanted, name="off_value")
        if on_value.dtype.base_dtype is not off_value.dtype.base_dtype:
            raise TypeError(f"dtype {on_value.dtype} of on_value does not match dtype {off_value.dtype} of off_value")
        return apply("OneHot", indices, depth, on_value, off_value, axis=-1 if axis is None else axis, name=scope)


_RANGE_ORDER = [dtypes.int32, dtypes.int64, dtypes.float32, dtypes.float64]


def range(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str = "range") -> Tensor:
    """Numbers from `start` (0 if only one is given) in steps of `delta`, before `limit`. Mirrors `tf.range`."""
    if limit is None:
        start, limit = 0, start
    from runstep.ops.cast import cast

    with name_scope(name, "Range", [start, limit, delta]) as scope:
        wanted = None if dtype is None else dtypes.as_dtype(dtype)
        values = [
            value if isinstance(value, Tensor) else convert_to_tensor(value, wanted, name=what)
            for what, value in (("start", start), ("limit", limit), ("delta", delta))
        ]
        if wanted is None:
            found = [value.dtype.base_dtype for value in values]
            for kind in found:
                if kind not in _RANGE_ORDER:
                    raise AssertionError(f"Value passed to tf.range has dtype {kind.name}")
            wanted = max(found, key=_RANGE_ORDER.index)
        first, last, step = [cast(value, wanted) for value in values]
        return apply("Range", first, last, step, name=scope)


def diag(diagonal: Any, name: str | None = None) -> Tensor:
    """Zeros of twice the rank, with `diagonal` where both halves of the index agree. Mirrors `tf.compat.v1.diag`."""
    return apply("Diag", diagonal, name=name)


def diag_part(input: Any, name: str | None = None) -> Tensor:
    """The elements where both halves of the index agree. Mirrors `tf.compat.v1.diag_part`."""
    return apply("DiagPart", input, name=name)
