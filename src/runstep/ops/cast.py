"""Changing the element type, and the parts of complex numbers: op definitions and the `tf.*` functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.composite import IndexedSlices, SparseTensor
from runstep.graph.convert import convert_to_tensor
from runstep.graph.dtypes import DType
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import broadcast, unchanged
from runstep.ops.creation import ones_like, zeros_like
from runstep.ops.registry import op
from runstep.ops.typesets import COMPLEX, REAL_OF_COMPLEX

__all__ = [
    "angle",
    "cast",
    "complex",
    "conj",
    "imag",
    "real",
    "saturate_cast",
    "to_bfloat16",
    "to_complex128",
    "to_complex64",
    "to_double",
    "to_float",
    "to_int32",
    "to_int64",
]

op("Cast", "x: SrcT -> y: DstT", "SrcT: type", "DstT: type", "Truncate: bool = false", shape=unchanged)
for _name in ("Real", "Imag", "Angle"):
    op(_name, "input: T -> output: Tout", COMPLEX, REAL_OF_COMPLEX, shape=unchanged)
op("ComplexAbs", "x: T -> y: Tout", COMPLEX, REAL_OF_COMPLEX, shape=unchanged)
op("Conj", "input: T -> output: T", "T: {complex64, complex128, variant} = complex64", shape=unchanged)
op(
    "Complex",
    "real: T, imag: T -> out: Tout",
    "T: {float32, float64} = float32",
    "Tout: {complex64, complex128} = complex64",
    shape=broadcast,
)


def cast(x: Any, dtype: Any, name: str | None = None) -> Any:
    """`x` with elements of `dtype`; `x` itself if it has them. Source: `tf.cast`.

    Takes a SparseTensor or IndexedSlices too, whose values are cast. A resource variable that has them is read.
    """
    target = dtypes.as_dtype(dtype).base_dtype
    if getattr(x, "dtype", None) is target and (isinstance(x, Tensor) or hasattr(x, "handle")):
        return x
    with name_scope(name, "Cast") as scope:
        if isinstance(x, SparseTensor):
            return SparseTensor(x.indices, cast(x.values, target, scope), x.dense_shape)
        if isinstance(x, IndexedSlices):
            return IndexedSlices(cast(x.values, target, scope), x.indices, x.dense_shape)
        x = convert_to_tensor(x, name="x")
        return x if x.dtype is target else apply("Cast", x, DstT=target, name=scope)


def _real_of(dtype: DType) -> DType:
    return dtypes.as_dtype(dtype.real_dtype)


def _limits(source: DType, target: DType) -> tuple[Any, Any]:
    """The least and greatest value of `source` that `target` can hold, as values of `source`."""
    low = max(_number(target.min), _number(source.min))
    high = min(_number(target.max), _number(source.max))
    kind = source.np.type
    least, most = kind(low), kind(high)
    if target.is_integer and source.is_floating:
        # Rounding to the source's precision may have left the target's range.
        if int(most) > high:
            most = np.nextafter(most, kind(0))
        if int(least) < low:
            least = np.nextafter(least, kind(0))
    return least, most


def _number(limit: Any) -> Any:
    return limit if isinstance(limit, int) else float(limit)


def saturate_cast(value: TensorLike, dtype: Any, name: str | None = None) -> Tensor:
    """Casts, with what `dtype` cannot hold held at its limits. Source: `tf.saturate_cast`."""
    with name_scope(name, "saturate_cast") as scope:
        value = convert_to_tensor(value, name="value")
        target = dtypes.as_dtype(dtype).base_dtype
        if value.dtype.is_complex:
            if target.is_complex:
                return _saturate_complex(value, target, scope)
            value = real(value)
        source = value.dtype.base_dtype
        least, most = _limits(source, _real_of(target) if target.is_complex else target)
        low = convert_to_tensor(least, dtype=source)
        high = convert_to_tensor(most, dtype=source)
        return cast(apply("ClipByValue", value, low, high, name="clamp"), target, scope)


def _saturate_complex(value: Tensor, target: DType, scope: str) -> Tensor:
    if target.size >= value.dtype.size:
        return cast(value, target, scope)
    part = _real_of(target)
    return complex(saturate_cast(real(value), part), saturate_cast(imag(value), part), name=scope)


def to_float(x: Any, name: str = "ToFloat") -> Any:
    """Casts to float32. Source: `tf.to_float`."""
    return cast(x, dtypes.float32, name)


def to_double(x: Any, name: str = "ToDouble") -> Any:
    """Casts to float64. Source: `tf.to_double`."""
    return cast(x, dtypes.float64, name)


def to_int32(x: Any, name: str = "ToInt32") -> Any:
    """Casts to int32. Source: `tf.to_int32`."""
    return cast(x, dtypes.int32, name)


def to_int64(x: Any, name: str = "ToInt64") -> Any:
    """Casts to int64. Source: `tf.to_int64`."""
    return cast(x, dtypes.int64, name)


def to_bfloat16(x: Any, name: str = "ToBFloat16") -> Any:
    """Casts to bfloat16. Source: `tf.to_bfloat16`."""
    return cast(x, dtypes.bfloat16, name)


def to_complex64(x: Any, name: str = "ToComplex64") -> Any:
    """Casts to complex64. Source: `tf.to_complex64`."""
    return cast(x, dtypes.complex64, name)


def to_complex128(x: Any, name: str = "ToComplex128") -> Any:
    """Casts to complex128. Source: `tf.to_complex128`."""
    return cast(x, dtypes.complex128, name)


def complex(real: TensorLike, imag: TensorLike, name: str | None = None) -> Tensor:
    """`real + i * imag` of two float32 or two float64 tensors; TypeError for others. Source: `tf.complex`."""
    real = convert_to_tensor(real, name="real")
    imag = convert_to_tensor(imag, name="imag")
    with name_scope(name, "Complex") as scope:
        types = (real.dtype.base_dtype, imag.dtype.base_dtype)
        if types == (dtypes.float64, dtypes.float64):
            out = dtypes.complex128
        elif types == (dtypes.float32, dtypes.float32):
            out = dtypes.complex64
        else:
            raise TypeError(
                f"The `real` and `imag` components have incorrect types: {real.dtype.name} {imag.dtype.name}. They "
                f"must be consistent, and one of {[dtypes.float32, dtypes.float64]}"
            )
        return apply("Complex", real, imag, Tout=out, name=scope)


def real(input: TensorLike, name: str | None = None) -> Tensor:
    """The real part; a real tensor as it is. Source: `tf.real`."""
    with name_scope(name, "Real") as scope:
        input = convert_to_tensor(input, name="input")
        if input.dtype.is_complex:
            return apply("Real", input, Tout=_real_of(input.dtype), name=scope)
        if input.dtype.is_numeric:
            return input
        raise TypeError(f"input must be a numeric tensor, but got tensor with dtype {input.dtype}")


def imag(input: TensorLike, name: str | None = None) -> Tensor:
    """The imaginary part; zeros for a real tensor. Source: `tf.imag`."""
    with name_scope(name, "Imag") as scope:
        input = convert_to_tensor(input, name="input")
        if input.dtype.is_complex:
            return apply("Imag", input, Tout=_real_of(input.dtype), name=scope)
        return zeros_like(input)


def angle(input: TensorLike, name: str | None = None) -> Tensor:
    """The argument in radians; of real numbers, 0 or pi. Source: `tf.angle`."""
    with name_scope(name, "Angle") as scope:
        input = convert_to_tensor(input, name="input")
        if input.dtype.is_complex:
            return apply("Angle", input, Tout=_real_of(input.dtype), name=scope)
        negative = apply("Less", input, 0)
        pi = apply("Mul", math.pi, ones_like(input), name="mul")
        result: Tensor = apply("Select", negative, pi, zeros_like(input))
        return result


def conj(x: TensorLike, name: str | None = None) -> Tensor:
    """The complex conjugate; a real tensor as it is. Source: `tf.conj`."""
    if isinstance(x, Tensor) and (x.dtype.is_floating or x.dtype.is_integer):
        return x
    with name_scope(name, "Conj") as scope:
        x = convert_to_tensor(x, name="x")
        if x.dtype.is_complex or x.dtype is dtypes.variant:
            return apply("Conj", x, name=scope)
        if x.dtype.is_floating or x.dtype.is_integer:
            return x
        raise TypeError(f"Expected numeric or variant tensor, got dtype {x.dtype!r}.")
