"""Arithmetic on quantized integers. Ranges are float32 scalars; where TensorFlow rounds through float32, so do we."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import dtypes, shapes
from runstep.kernels import blas
from runstep.kernels.numpy.conv import convolution
from runstep.kernels.numpy.pooling import average, maximum, of_attrs
from runstep.kernels.numpy.quantization import away
from runstep.kernels.numpy.shape_ops import invalid
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = Any
Ranged = tuple[Array, Array, Array]

_f = np.float32
_QUINT8, _QINT8, _QINT32 = (dtypes.as_dtype(name) for name in ("quint8", "qint8", "qint32"))
_EXACT = 1 << 24
"""Sums of integers below this are exact in float32."""


def scalar_limits(*limits: Array) -> None:
    """Raises InvalidArgumentError unless every end of a range is a scalar."""
    for limit in limits:
        if np.ndim(limit):
            invalid(f"The ends of a range must be scalars, got shape {shapes.text(np.shape(limit))}")


# --- one value ----------------------------------------------------------------------------------------------------


def float_to_quantized(value: Any, low: Any, high: Any, dtype: Any, clamp: bool = True) -> int:
    """The integer of `dtype` that stands for one float; beyond the dtype's range with `clamp=False`."""
    info = np.iinfo(dtype)
    if low == high:
        return int(info.min)
    steps = 2.0**info.bits
    scale = steps / (float(_f(high) - _f(low)) * (steps / (steps - 1)))
    found = _whole(away(float(value) * scale)) - _whole(away(float(low) * scale)) + int(info.min)
    return min(max(found, int(info.min)), int(info.max)) if clamp else found


def _whole(value: Any) -> int:
    """An int64; what is none (NaN, infinity) is the least, as on x86."""
    return int(value) if -(2.0**63) <= value < 2.0**63 else -(2**63)


def quantized_to_float(value: Array, low: Any, high: Any) -> Array:
    """The floats that quantized integers stand for."""
    info = np.iinfo(value.dtype)
    if low == high:
        return np.full(value.shape, low, _f)
    steps = 2.0**info.bits
    scale = float(_f(high) - _f(low)) * (steps / (steps - 1)) / steps
    rough = _f(scale)
    least = float(_f(away(_f(low) / rough)) * rough)
    return (least + (value.astype(np.float64) - info.min) * scale).astype(_f)


def requantized(value: Array, low: Any, high: Any, new_low: Any, new_high: Any, dtype: Any) -> Array:
    """Integers of one range as those of another, each rounded once, in double precision."""
    floats = quantized_to_float(value, low, high).astype(np.float64)
    info = np.iinfo(dtype)
    if new_low == new_high:
        return np.full(value.shape, info.min, dtype)
    steps = 2.0**info.bits
    scale = steps / (float(_f(new_high) - _f(new_low)) * (steps / (steps - 1)))
    found = away(floats * scale) - away(float(new_low) * scale) + info.min
    return np.clip(found, info.min, info.max).astype(dtype)


def _level(low: Any, high: Any, dtype: Any) -> Any:
    """How far apart, in floats, two neighbouring integers are."""
    info = np.iinfo(dtype)
    return (_f(high) - _f(low)) / _f(float(info.max) - float(info.min))


def product_range(low_x: Any, high_x: Any, x: Any, low_y: Any, high_y: Any, y: Any, out: Any) -> tuple[Any, Any]:
    """The range of the products of integers of two ranges, as integers of dtype `out`."""
    level = _level(low_x, high_x, x) * _level(low_y, high_y, y)
    info = np.iinfo(out)
    return _f(level * _f(info.min)), _f(level * _f(info.max))


# --- many values: in float32 --------------------------------------------------------------------------------------


def to_floats(x: Array, low: Any, high: Any) -> Array:
    info = np.iinfo(x.dtype)
    scale = _f((_f(high) - _f(low)) / _f(2.0**info.bits - 1))
    least = _f(low) if low == high else _f(away(_f(_f(low) / scale)) * scale)
    return (least - _f(info.min) * scale) + x.astype(_f) * scale


def to_integers(x: Array, low: Any, high: Any, dtype: Any) -> Array:
    info = np.iinfo(dtype)
    scale = _f(0) if low == high else _f((2.0**info.bits - 1) / (_f(high) - _f(low)))
    shift = _f(away(_f(low) * scale)) - _f(info.min)
    top = _f(info.max) if info.bits < 32 else np.nextafter(_f(info.max), _f(0))
    return np.clip(away(x * scale).astype(_f) - shift, _f(info.min), top).astype(dtype)


def _used_range(x: Array, low: Any, high: Any) -> tuple[Any, Any]:
    """What of a range a tensor uses; it always holds 0."""
    least, most = (x.min(), x.max()) if x.size else (np.iinfo(x.dtype).max, np.iinfo(x.dtype).min)
    found = quantized_to_float(np.array([least, most], x.dtype), low, high)
    return np.minimum(_f(0), found[0]), found[1]


@numpy_kernel.make("QuantizeDownAndShrinkRange", types={"Tinput": [_QINT32], "out_type": [_QUINT8]})
def shrink(node: Node) -> Kernel:
    dtype = node.output_types[0].np

    def kernel(x: Array, low: Array, high: Array) -> Ranged:
        scalar_limits(low, high)
        new_low, new_high = _used_range(x, low, high)
        return to_integers(to_floats(x, low, high), new_low, new_high, dtype), new_low, new_high

    return kernel


@numpy_kernel("RequantizationRange", types={"Tinput": [_QINT32]})
def used_range(x: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """The part of the range that is used, so that the rest need not be kept."""
    scalar_limits(low, high)
    return _used_range(x, low, high)


@numpy_kernel.make("Requantize", types={"Tinput": [_QINT32], "out_type": [_QINT8, _QUINT8]}, view=True)
def requantize(node: Node) -> Kernel:
    dtype = node.output_types[0].np

    def kernel(x: Array, low: Array, high: Array, new_low: Array, new_high: Array) -> Ranged:
        scalar_limits(low, high, new_low, new_high)
        if new_low > 0:
            invalid(f"requested_output_min must be <= 0, but got {new_low}")
        if new_high < new_low:
            invalid(f"requested_output_max must be >= requested_output_min, but got {new_high} and {new_low}")
        return to_integers(to_floats(x, low, high), new_low, new_high, dtype), new_low, new_high

    return kernel


# --- sums and products --------------------------------------------------------------------------------------------


def _sum_range(low_x: Any, high_x: Any, low_y: Any, high_y: Any, room: int) -> tuple[Any, Any]:
    """Wide enough for `room` sums of sums, and 0 in the middle."""
    high = _f(max(high_x, -low_x, high_y, -low_y) * _f(room))
    return -high, high


def _valid(*pairs: tuple[Any, Any]) -> None:
    for low, high in pairs:
        if not low < high:
            invalid(f"The minimum of a range must be below its maximum, got {low} and {high}")


def _by_steps(x: Array, low: Any, high: Any, new_low: Any, new_high: Any, dtype: Any) -> Array:
    """Bytes as wider integers of another range: what 0 is there, and whole steps from there."""
    zero, one = requantized(np.array([0, 1], x.dtype), low, high, new_low, new_high, dtype).tolist()
    return x.astype(dtype) * dtype.type(one - zero) + dtype.type(zero)


@numpy_kernel.make("QuantizedAdd", types={"T1": [_QUINT8], "T2": [_QUINT8], "Toutput": [_QINT32]})
def add(node: Node) -> Kernel:
    dtype = node.output_types[0].np

    def kernel(x: Array, y: Array, low_x: Array, high_x: Array, low_y: Array, high_y: Array) -> Ranged:
        scalar_limits(low_x, high_x, low_y, high_y)
        _valid((low_x, high_x), (low_y, high_y))
        low, high = _sum_range(low_x, high_x, low_y, high_y, 1 << 14)
        # As in TensorFlow, one number is rounded, many take whole steps.
        one_x = x.size == 1
        a = (requantized if one_x else _by_steps)(x, low_x, high_x, low, high, dtype)
        b = (requantized if y.size == 1 and not one_x else _by_steps)(y, low_y, high_y, low, high, dtype)
        return a + b, low, high

    return kernel


@numpy_kernel.make("QuantizedBiasAdd", types={"T1": [_QUINT8, _QINT8], "T2": [_QUINT8, _QINT8], "out_type": [_QINT32]})
def bias_add(node: Node) -> Kernel:
    dtype = node.output_types[0].np

    def kernel(x: Array, bias: Array, low_x: Array, high_x: Array, low_y: Array, high_y: Array) -> Ranged:
        scalar_limits(low_x, high_x, low_y, high_y)
        if x.ndim < 2:
            invalid(f"Input tensor must be at least 2D: {shapes.text(x.shape)}")
        if bias.ndim != 1:
            invalid(f"Biases must be 1D: {shapes.text(bias.shape)}")
        if bias.size != x.shape[-1]:
            invalid(
                f"Must provide as many biases as the last dimension of the input tensor: {shapes.text(bias.shape)} "
                f"vs. {shapes.text(x.shape)}"
            )
        low, high = _sum_range(low_x, high_x, low_y, high_y, 1 << 17)
        a = requantized(x, low_x, high_x, low, high, dtype)
        return a + requantized(bias, low_y, high_y, low, high, dtype), low, high

    return kernel


@numpy_kernel.make("QuantizedMul", types={"T1": [_QUINT8], "T2": [_QUINT8], "Toutput": [_QINT32]})
def multiply(node: Node) -> Kernel:
    dtype = node.output_types[0].np

    def kernel(x: Array, y: Array, low_x: Array, high_x: Array, low_y: Array, high_y: Array) -> Ranged:
        scalar_limits(low_x, high_x, low_y, high_y)
        _valid((low_x, high_x), (low_y, high_y))
        low, high = product_range(low_x, high_x, x.dtype, low_y, high_y, y.dtype, dtype)
        a = x.astype(dtype) - dtype.type(float_to_quantized(0, low_x, high_x, x.dtype, clamp=False))
        b = y.astype(dtype) - dtype.type(float_to_quantized(0, low_y, high_y, y.dtype, clamp=False))
        return a * b, low, high

    return kernel


def _about_zero(x: Array, low: Any, high: Any, dtype: Any) -> Array:
    """`x` as floats of `dtype`, less the integer that stands for 0."""
    return x.astype(dtype) - dtype(float_to_quantized(0, low, high, x.dtype, clamp=False))


def _exact_type(inner: int) -> Any:
    """A float type in which sums of `inner` products of bytes are exact."""
    return np.float32 if inner * 255 * 255 < _EXACT else np.float64


def _integers(y: Array) -> Array:
    return y.astype(np.int64).astype(np.int32)


@numpy_kernel.make("QuantizedMatMul", types={"T1": [_QUINT8], "T2": [_QUINT8], "Toutput": [_QINT32]})
def matmul(node: Node) -> Kernel:
    """The product of what the integers mean, in exact floats: BLAS does those, and no integers."""
    dtype = node.output_types[0].np
    turn_a, turn_b = node.attrs["transpose_a"], node.attrs["transpose_b"]

    def kernel(a: Array, b: Array, low_a: Array, high_a: Array, low_b: Array, high_b: Array) -> Ranged:
        scalar_limits(low_a, high_a, low_b, high_b)
        if a.ndim != 2 or b.ndim != 2:
            invalid(f"In[0] and In[1] must be matrices, got {shapes.text(a.shape)} and {shapes.text(b.shape)}")
        left, right = (a.T if turn_a else a), (b.T if turn_b else b)
        if left.shape[1] != right.shape[0]:
            invalid(f"Matrix size-compatible: In[0]: {shapes.text(a.shape)}, In[1]: {shapes.text(b.shape)}")
        low, high = product_range(low_a, high_a, a.dtype, low_b, high_b, b.dtype, dtype)
        kind = _exact_type(left.shape[1])
        y = blas.matmul(_about_zero(left, low_a, high_a, kind), _about_zero(right, low_b, high_b, kind))
        return _integers(y), low, high

    return kernel


@numpy_kernel.make("QuantizedConv2D", types={"Tinput": [_QUINT8], "Tfilter": [_QUINT8], "out_type": [_QINT32]})
def conv2d(node: Node) -> Kernel:
    dtype = node.output_types[0].np
    if node.attrs["strides"][1] != node.attrs["strides"][2]:
        invalid("Current implementation only supports equal length strides in the row and column dimensions.")
    if node.attrs["dilations"][1:3] != (1, 1):
        invalid("Current implementation only supports dilated rate as 1 in the row and column dimensions.")
    made: dict[Any, Kernel] = {kind.np.type: convolution(node.attrs, kind, 4, None, None) for kind in _FLOATS}

    def kernel(x: Array, w: Array, low_x: Array, high_x: Array, low_w: Array, high_w: Array) -> Ranged:
        scalar_limits(low_x, high_x, low_w, high_w)
        low, high = product_range(low_x, high_x, x.dtype, low_w, high_w, w.dtype, dtype)
        kind = _exact_type(w.size // max(1, w.shape[-1]) if w.ndim else 1)
        y = made[kind](_about_zero(x, low_x, high_x, kind), _about_zero(w, low_w, high_w, kind))
        return _integers(y), low, high

    return kernel


_FLOATS = (dtypes.float32, dtypes.float64)


# --- activations, pooling, normalization --------------------------------------------------------------------------


@numpy_kernel.make("QuantizedRelu", "QuantizedRelu6", types={"Tinput": [_QUINT8], "out_type": [_QUINT8]}, view=True)
@numpy_kernel.make("QuantizedRelu", "QuantizedRelu6", types={"Tinput": [_QINT32], "out_type": [_QINT32]}, view=True)
def relu(node: Node) -> Kernel:
    bounded = node.type.endswith("6")

    def kernel(x: Array, low: Array, high: Array) -> Ranged:
        scalar_limits(low, high)
        y = np.maximum(x, x.dtype.type(float_to_quantized(0, low, high, x.dtype)))
        if bounded:
            y = np.minimum(y, x.dtype.type(float_to_quantized(6, low, high, x.dtype)))
        return y, low, high

    return kernel


@numpy_kernel.make("QuantizedMaxPool", types={"T": [_QUINT8]}, view=True)
def max_pool(node: Node) -> Kernel:
    inner = maximum(of_attrs(node, 4), node.output_types[0])

    def kernel(x: Array, low: Array, high: Array) -> Ranged:
        scalar_limits(low, high)
        return inner(x), low, high

    return kernel


@numpy_kernel.make("QuantizedAvgPool", types={"T": [_QUINT8]}, view=True)
def avg_pool(node: Node) -> Kernel:
    """The mean of the integers, rounded down."""
    inner, dtype = average(of_attrs(node, 4), dtypes.float64), node.output_types[0].np

    def kernel(x: Array, low: Array, high: Array) -> Ranged:
        scalar_limits(low, high)
        return inner(x.astype(np.float64)).astype(dtype), low, high

    return kernel
