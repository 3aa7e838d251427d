"""Arithmetic on uniformly quantized integers: `scale * (integer - zero point)` is the float that one stands for.

Scales and zero points are scalars (axis -1), or vectors along an axis. Results are rescaled by a multiplication with an
integer and a shift, as TensorFlow rescales them, so that they agree to the bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import shapes
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.shared import invalid

Array = np.ndarray[Any, Any]
_f = np.float32
_INT32 = np.iinfo(np.int32)


def _spread(shape: tuple[int, ...], axis: int, scales: Array, zero_points: Array) -> tuple[Array, Array]:
    """Scales and zero points (int64), shaped to go with a tensor of this shape.

    Raises:
      InvalidArgumentError: they don't fit it.
    """
    given = f"scales shape {shapes.text(np.shape(scales))} and zero_points shape {shapes.text(np.shape(zero_points))}"
    if axis < -1:
        raise invalid(f"quantization_axis must be >= -1, given: {axis}")
    if np.shape(scales) != np.shape(zero_points):
        raise invalid(f"scales and zero_points shape must be same, but given {given}")
    if axis == -1:
        if np.ndim(scales):
            raise invalid(
                f"If quantization_axis is -1, scales and zero_points must be scalar tensors, but given {given}"
            )
        return np.asarray(scales), np.asarray(zero_points, np.int64)
    if axis >= len(shape):
        raise invalid(f"quantization_axis must be -1 or in range [0, input.rank), but given {axis}")
    if np.shape(scales) != (shape[axis],):
        raise invalid(
            "If quantization_axis is not -1, scales and zero_points must be a tensor of rank 1 and the size must be "
            f"equal to the input.dim_size(quantization_axis), but given quantization_axis {axis}, {given}"
        )
    along = (shape[axis], *(1 for _ in shape[axis + 1 :]))
    return scales.reshape(along), zero_points.reshape(along).astype(np.int64)


def _half_up(value: Array) -> Array:
    return np.floor(value + _f(0.5))


def _as_int(value: Array) -> Array:
    """As C++ casts floats to 32-bit integers: what doesn't fit, NaN too, is the least."""
    fits = np.abs(value) < _f(2**31)
    return np.where(fits, np.where(fits, value, _f(0)).astype(np.int64), _INT32.min)


def _clamped(value: Array, node: Node, prefix: str, dtype: Any) -> Array:
    """`np.clip` with the limits of the node, of which the lower one goes first."""
    low, high = (node.attrs[f"{prefix}quantization_{end}_val"] for end in ("min", "max"))
    return np.minimum(np.maximum(value, low), high).astype(dtype)


def _rescaled(value: Array, scale: Array) -> Array:
    """`value * scale`, rounded half up: by an integer of 31 bits and a shift."""
    factors, exponents = np.frexp(scale)
    fixed = np.floor(factors * 2.0**31 + 0.5).astype(np.int64)
    over = fixed == 1 << 31
    fixed, exponents = np.where(over, 1 << 30, fixed), exponents + over
    fixed = np.where(exponents < -31, 0, np.where(exponents > 30, _INT32.max, fixed))
    shift = 31 - np.where(exponents < -31, 0, np.minimum(exponents, 30)).astype(np.int64)
    return (value * fixed + (np.int64(1) << shift - 1)) >> shift


@numpy_kernel.make("UniformQuantize")
def uniform_quantize(node: Node) -> Kernel:
    axis, dtype = node.attrs["quantization_axis"], node.output_types[0].np

    def run(value: Any, scales: Any, zero_points: Any) -> Array:
        value = np.asarray(value)
        scale, zero = _spread(value.shape, axis, scales, zero_points)
        return _clamped(_as_int(_half_up(value * (_f(1) / scale))) + zero, node, "", dtype)

    return run


@numpy_kernel.make("UniformDequantize")
def uniform_dequantize(node: Node) -> Kernel:
    axis = node.attrs["quantization_axis"]

    def run(value: Any, scales: Any, zero_points: Any) -> Array:
        value = np.asarray(value)
        scale, zero = _spread(value.shape, axis, scales, zero_points)
        return (value.astype(np.int64) - zero).astype(_f) * scale

    return run


@numpy_kernel.make("UniformRequantize")
def uniform_requantize(node: Node) -> Kernel:
    before, after = node.attrs["input_quantization_axis"], node.attrs["output_quantization_axis"]
    dtype = node.output_types[0].np

    def run(value: Any, scales: Any, zeros: Any, new_scales: Any, new_zeros: Any) -> Array:
        value = np.asarray(value)
        scale, zero = _spread(value.shape, before, scales, zeros)
        new_scale, new_zero = _spread(value.shape, after, new_scales, new_zeros)
        if before >= 0 and after >= 0 and before != after:
            raise invalid("If input and output is both per-axis quantized, the quantization axis must be same.")
        ratio = np.divide(scale, new_scale, dtype=np.float64)
        return _clamped(_rescaled(value - zero, ratio) + new_zero, node, "output_", dtype)

    return run


@numpy_kernel.make("UniformQuantizedClipByValue")
def uniform_clip(node: Node) -> Kernel:
    axis = node.attrs["quantization_axis"]

    def run(value: Any, low: Any, high: Any, scales: Any, zero_points: Any) -> Array:
        value = np.asarray(value)
        _spread(value.shape, axis, scales, zero_points)
        for limit, name in ((low, "min"), (high, "max")):
            if np.shape(limit) != np.shape(scales):
                raise invalid(
                    f"Input {name} shape must be same as scales/zero_points. Given {name} of shape "
                    f"{shapes.text(np.shape(limit))} and scales/zero_points of shape {shapes.text(np.shape(scales))}"
                )
        if axis >= 0:
            along = (-1, *(1 for _ in value.shape[axis + 1 :]))
            low, high = low.reshape(along), high.reshape(along)
        return np.minimum(np.maximum(value, low), high)

    return run


@numpy_kernel.make("UniformQuantizedAdd")
def uniform_add(node: Node) -> Kernel:
    axes = [node.attrs[f"{name}_quantization_axis"] for name in ("lhs", "rhs", "output")]

    def run(x: Any, y: Any, *parameters: Any) -> Array:
        x, y = np.asarray(x), np.asarray(y)
        try:
            shape = np.broadcast_shapes(x.shape, y.shape)
        except ValueError:
            raise invalid(
                f"cannot broadcast {shapes.text(x.shape)} with {shapes.text(y.shape)}: they must be of the same sizes"
            ) from None
        scale, zero = _spread(shape, axes[2], *parameters[4:])
        total: Any = -zero
        for value, axis, start in ((x, axes[0], 0), (y, axes[1], 2)):
            own_scale, own_zero = _spread(value.shape, axis, *parameters[start : start + 2])
            total = total + _rescaled(value - own_zero, np.divide(own_scale, scale, dtype=np.float64)) + zero
        return _clamped(total, node, "output_", np.int32)

    return run


def _matrices(x: Array, y: Array) -> None:
    if x.ndim != 2 or y.ndim != 2:
        raise invalid(f"lhs and rhs must be matrices, got shapes {shapes.text(x.shape)} and {shapes.text(y.shape)}")
    if x.shape[1] != y.shape[0]:
        raise invalid(
            "lhs.dim_size(1) and rhs.dim_size(0) must be equal, but given lhs shape "
            f"{shapes.text(x.shape)} and rhs shape {shapes.text(y.shape)}"
        )


def _product(x: Array, y: Array) -> Array:
    """The product of integer matrices, exact: by floats of 53 bits."""
    return (x.astype(np.float64) @ y.astype(np.float64)).astype(np.int64)


@numpy_kernel.make("UniformQuantizedDot")
def uniform_dot(node: Node) -> Kernel:
    axes = [node.attrs[f"{name}_quantization_axis"] for name in ("lhs", "rhs", "output")]

    def run(x: Any, y: Any, *parameters: Any) -> Array:
        _matrices(x, y)
        scale, zero = _spread(x.shape, axes[0], *parameters[:2])
        other_scale, other_zero = _spread(y.shape, axes[1], *parameters[2:4])
        new_scale, new_zero = _spread((x.shape[0], y.shape[1]), axes[2], *parameters[4:])
        total = _product(x - zero, y - other_zero)
        ratio = np.multiply(scale, other_scale, dtype=np.float64) / new_scale
        return _clamped(_rescaled(total, ratio) + new_zero, node, "output_", np.int32)

    return run


def _quantized(value: Array) -> tuple[Array, Array]:
    """Each row of floats as integers of 8 bits without their zero point, and the row's scale: (rows, 1)."""
    value = value.astype(np.float64)
    low, high = value.min(1, initial=0, keepdims=True), value.max(1, initial=0, keepdims=True)
    scale = np.where(low == high, 1.0, (high - low) / 255.0)
    low, high = low / scale, high / scale
    zero = np.where(128.0 - low < 127.0 + high, -128.0 - low, 127.0 - high)
    zero = np.clip(np.floor(zero + 0.5), -128, 127)
    return np.clip(np.floor(value / scale + zero + 0.5), -128, 127).astype(np.int64) - zero.astype(np.int64), scale


@numpy_kernel.make("UniformQuantizedDotHybrid")
def uniform_dot_hybrid(node: Node) -> Kernel:
    axis = node.attrs["rhs_quantization_axis"]

    def run(x: Any, y: Any, scales: Any, zero_points: Any) -> Array:
        _matrices(x, y)
        scale, zero = _spread(y.shape, axis, scales, zero_points)
        whole, own_scale = _quantized(x)
        return _product(whole, y - zero).astype(_f) * (own_scale.astype(_f) * scale)

    return run
