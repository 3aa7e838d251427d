"""Fourier transforms over the last one, two or three axes: op definitions, and `tf.fft`, `tf.spectral.*`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep.graph import dtypes, shapes
from runstep.graph.apply import apply
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.shapes import RawShape
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import Shapes
from runstep.ops.creation import zeros, zeros_like
from runstep.ops.joining import concat, pad, stack, unstack
from runstep.ops.rearranging import roll
from runstep.ops.registry import op
from runstep.ops.shape_ops import rank as rank_of, shape as shape_of

__all__ = [
    "fft",
    "fft2d",
    "fft3d",
    "fftshift",
    "ifft",
    "ifft2d",
    "ifft3d",
    "ifftshift",
    "irfft",
    "irfft2d",
    "irfft3d",
    "rfft",
    "rfft2d",
    "rfft3d",
]


def _unchanged(axes: int) -> Any:
    def rule(op: Any) -> Shapes:
        return [shapes.with_rank_at_least(op.inputs[0].raw_shape, axes)]

    return rule


def _of_length(axes: int, *, real_input: bool) -> Any:
    def rule(op: Any) -> Shapes:
        raw = shapes.with_rank_at_least(op.inputs[0].raw_shape, axes)
        (count,) = shapes.with_rank(op.inputs[1].raw_shape, 1)
        if count is not None and count != axes:
            raise ValueError(f"Dimension must be {axes} but is {count}")
        if raw is None:
            return [None]
        lengths = op.constant(1)
        if lengths is None:
            return [(*raw[:-axes], *(None,) * axes)]
        sizes = lengths.tolist()
        if real_input and sizes[-1]:
            sizes[-1] = sizes[-1] // 2 + 1
        return [(*raw[:-axes], *sizes)]

    return rule


_COMPLEX = "Tcomplex: {complex64, complex128} = complex64"
_REAL = "Treal: {float32, float64} = float32"
for _axes, _suffix in ((1, ""), (2, "2D"), (3, "3D")):
    for _name in ("FFT", "IFFT"):
        op(f"{_name}{_suffix}", "input: Tcomplex -> output: Tcomplex", _COMPLEX, shape=_unchanged(_axes))
    op(
        f"RFFT{_suffix}",
        "input: Treal, fft_length: int32 -> output: Tcomplex",
        _REAL,
        _COMPLEX,
        shape=_of_length(_axes, real_input=True),
    )
    op(
        f"IRFFT{_suffix}",
        "input: Tcomplex, fft_length: int32 -> output: Treal",
        _REAL,
        _COMPLEX,
        shape=_of_length(_axes, real_input=False),
    )


def fft(input: TensorLike, name: str | None = None) -> Tensor:
    """The Fourier transform over the last axis. Source: `tf.fft`."""
    return apply("FFT", input, name=name)


def ifft(input: TensorLike, name: str | None = None) -> Tensor:
    """The inverse Fourier transform over the last axis. Source: `tf.ifft`."""
    return apply("IFFT", input, name=name)


def fft2d(input: TensorLike, name: str | None = None) -> Tensor:
    """The Fourier transform over the last two axes. Source: `tf.fft2d`."""
    return apply("FFT2D", input, name=name)


def ifft2d(input: TensorLike, name: str | None = None) -> Tensor:
    """The inverse Fourier transform over the last two axes. Source: `tf.ifft2d`."""
    return apply("IFFT2D", input, name=name)


def fft3d(input: TensorLike, name: str | None = None) -> Tensor:
    """The Fourier transform over the last three axes. Source: `tf.fft3d`."""
    return apply("FFT3D", input, name=name)


def ifft3d(input: TensorLike, name: str | None = None) -> Tensor:
    """The inverse Fourier transform over the last three axes. Source: `tf.ifft3d`."""
    return apply("IFFT3D", input, name=name)


# --- transforms of real numbers -----------------------------------------------------------------------------------


def _halved(sizes: Sequence[int]) -> list[int]:
    """The sizes of the complex side of a transform of so many real numbers."""
    return [*sizes[:-1], sizes[-1] // 2 + 1 if sizes[-1] > 0 else 0]


def _inner(raw: RawShape, axes: int) -> list[int] | None:
    """The last sizes, where all are known."""
    if raw is None or len(raw) < axes:
        return None
    sizes = [size for size in raw[-axes:] if size is not None]
    return sizes if len(sizes) == axes else None


def _padded(value: Tensor, axes: int, lengths: Tensor, *, inverse: bool) -> Tensor:
    """`value` with zeros behind where it is shorter than the transform."""
    known, sizes = constant_value(lengths), _inner(value.raw_shape, axes)
    if known is not None and sizes is not None:
        wanted = _halved(known.tolist()) if inverse else known.tolist()
        missing = [max(want - size, 0) for want, size in zip(wanted, sizes, strict=True)]
        if not any(missing):
            return value
        assert value.raw_shape is not None
        outer = [[0, 0]] * (len(value.raw_shape) - axes)
        return pad(value, outer + [[0, count] for count in missing])
    rank = rank_of(value)
    dims = shape_of(value)[-axes:]
    outer_zeros = zeros([apply("Maximum", 0, apply("Sub", rank, axes, name="sub"))], dtypes.int32)
    if inverse:
        leading = lengths[:-1]
        half = apply("AddV2", apply("FloorDiv", lengths[-1:], 2, name="floordiv"), 1, name="add")
        lengths = concat([leading, half], 0)
    missing_ = apply("Maximum", 0, apply("Sub", lengths, dims, name="sub"))
    behind = concat([outer_zeros, missing_], axis=0)
    return pad(value, stack([zeros_like(behind), behind], axis=1))


def _length_of_real(value: Tensor, axes: int) -> Tensor:
    sizes = _inner(value.raw_shape, axes)
    if sizes is not None:
        return convert_to_tensor(np.array(sizes, np.int32))
    return shape_of(value)[-axes:]


def _length_of_complex(value: Tensor, axes: int) -> Tensor:
    sizes = _inner(value.raw_shape, axes)
    if sizes is not None:
        return convert_to_tensor(np.array([*sizes[:-1], max(0, 2 * (sizes[-1] - 1))], np.int32))
    dims = shape_of(value)[-axes:]
    *leading, last = unstack(dims, num=axes)
    return stack([*leading, apply("Maximum", 0, apply("Mul", 2, apply("Sub", last, 1, name="sub"), name="mul"))])


def _real_transform(op_type: str, axes: int, value: Any, fft_length: Any, name: str | None) -> Tensor:
    inverse = op_type.startswith("I")
    with name_scope(name, op_type.lower()) as scope:
        hint = dtypes.complex64 if inverse else dtypes.float32
        tensor = convert_to_tensor(value, preferred_dtype=hint)
        if inverse and tensor.dtype not in (dtypes.complex64, dtypes.complex128):
            raise ValueError(f"{op_type} requires tf.complex64 or tf.complex128 inputs, got: {tensor}")
        wide = tensor.dtype in (dtypes.float64, dtypes.complex128)
        real = dtypes.float64 if wide else dtypes.float32
        kind = dtypes.complex128 if wide else dtypes.complex64
        if fft_length is None:
            lengths = _length_of_complex(tensor, axes) if inverse else _length_of_real(tensor, axes)
        else:
            lengths = convert_to_tensor(fft_length, dtypes.int32)
        tensor = _padded(tensor, axes, lengths, inverse=inverse)
        known = constant_value(lengths)
        final = lengths if known is None else known
        return apply(op_type, tensor, final, Treal=real, Tcomplex=kind, name=scope)


def rfft(input_tensor: TensorLike, fft_length: Any = None, name: str | None = None) -> Tensor:
    """The Fourier transform of real numbers over the last axis: length // 2 + 1 complex ones.

    Source: `tf.spectral.rfft`.

    Args:
      fft_length: one length; the input is cut to it, or filled up with zeros. By default its own.
    """
    return _real_transform("RFFT", 1, input_tensor, fft_length, name)


def rfft2d(input_tensor: TensorLike, fft_length: Any = None, name: str | None = None) -> Tensor:
    """As `rfft`, over the last two axes. Source: `tf.spectral.rfft2d`."""
    return _real_transform("RFFT2D", 2, input_tensor, fft_length, name)


def rfft3d(input_tensor: TensorLike, fft_length: Any = None, name: str | None = None) -> Tensor:
    """As `rfft`, over the last three axes. Source: `tf.spectral.rfft3d`."""
    return _real_transform("RFFT3D", 3, input_tensor, fft_length, name)


def irfft(input_tensor: TensorLike, fft_length: Any = None, name: str | None = None) -> Tensor:
    """The real numbers, `fft_length` of them, whose `rfft` the input is. Source: `tf.spectral.irfft`."""
    return _real_transform("IRFFT", 1, input_tensor, fft_length, name)


def irfft2d(input_tensor: TensorLike, fft_length: Any = None, name: str | None = None) -> Tensor:
    """As `irfft`, over the last two axes. Source: `tf.spectral.irfft2d`."""
    return _real_transform("IRFFT2D", 2, input_tensor, fft_length, name)


def irfft3d(input_tensor: TensorLike, fft_length: Any = None, name: str | None = None) -> Tensor:
    """As `irfft`, over the last three axes. Source: `tf.spectral.irfft3d`."""
    return _real_transform("IRFFT3D", 3, input_tensor, fft_length, name)


# --- the order of frequencies -------------------------------------------------------------------------------------


def _shifted(x: Any, axes: Any, name: str | None, default: str, *, back: bool) -> Tensor:
    with name_scope(name, default) as scope:
        value = convert_to_tensor(x)
        dims = shape_of(value)
        if axes is None:
            if value.raw_shape is None:
                raise ValueError(f"{default} needs `axes` where the rank is unknown.")
            axes = list(range(len(value.raw_shape)))
        elif isinstance(axes, int):
            dims = dims[axes]
        else:
            axes = list(axes)
            dims = apply("GatherV2", dims, axes, 0)
        shift = apply("FloorDiv", dims, 2, name="floordiv")
        return roll(value, apply("Neg", shift) if back else shift, axes, name=scope)


def fftshift(x: TensorLike, axes: Any = None, name: str | None = None) -> Tensor:
    """Frequency 0 in the middle of `axes` (all by default). Source: `tf.signal.fftshift`."""
    return _shifted(x, axes, name, "fftshift", back=False)


def ifftshift(x: TensorLike, axes: Any = None, name: str | None = None) -> Tensor:
    """The reverse of `fftshift`. Source: `tf.signal.ifftshift`."""
    return _shifted(x, axes, name, "ifftshift", back=True)
