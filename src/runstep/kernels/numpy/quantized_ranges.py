"""Kernels on quantized integers that change their layout, or work a range out: concatenation, resizing,
normalization, ranges by channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep.graph import dtypes, shapes
from runstep.kernels.numpy import image_resize
from runstep.kernels.numpy.joining import joined
from runstep.kernels.numpy.quantized import (
    Ranged,
    float_to_quantized,
    quantized_to_float,
    requantized,
    scalar_limits,
    to_floats,
    to_integers,
)
from runstep.kernels.numpy.shape_ops import invalid, reshape
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = Any

_f = np.float32
_QUINT8, _QINT8, _QINT32 = (dtypes.as_dtype(name) for name in ("quint8", "qint8", "qint32"))


# --- concatenation, shapes ----------------------------------------------------------------------------------------


def _concatenated(values: Sequence[Array], axis: Array, lows: Sequence[Array], highs: Sequence[Array]) -> Ranged:
    """What stands for other ranges than the widest is made to stand for that one."""
    scalar_limits(*lows, *highs)
    low, high = _f(min(0, *lows)), _f(max(highs))
    dtype = values[0].dtype
    if np.iinfo(dtype).min < 0:  # 0 in the middle
        high = max(-low, high)
        low = -high
    parts = [
        value if (least, most) == (low, high) else to_integers(to_floats(value, least, most), low, high, dtype)
        for value, least, most in zip(values, lows, highs, strict=True)
    ]
    return joined(parts, axis), low, high


@numpy_kernel.make("QuantizedConcat", types={"T": [_QUINT8, _QINT32]})
def concat(node: Node) -> Kernel:
    count = node.attrs["N"]

    def kernel(axis: Array, *args: Array) -> Ranged:
        rank = args[0].ndim
        if not np.ndim(axis) and not 0 <= axis < rank:
            invalid(f"ConcatOp : Expected concatenating dimensions in the range [0, {rank}), but got {axis}")
        return _concatenated(args[:count], axis, args[count : 2 * count], args[2 * count :])

    return kernel


@numpy_kernel.make("QuantizedReshape", types={"T": [_QUINT8, _QINT32]}, view=True)
def quantized_reshape(node: Node) -> Kernel:
    inner = reshape(node)

    def kernel(x: Array, shape: Array, low: Array, high: Array) -> Ranged:
        scalar_limits(low, high)
        return inner(x, shape), low, high

    return kernel


# --- resizing -----------------------------------------------------------------------------------------------------


def _over(x: Array, bits: int) -> Array:
    """`x / 2**bits`, cut toward zero."""
    return np.where(x < 0, -((-x) >> bits), x >> bits)


@numpy_kernel.make("QuantizedResizeBilinear", view=True)
def resize_bilinear(node: Node) -> Kernel:
    """Mixes neighbours by shares of 7 bits (30 for wide integers, whose values pass through float32)."""
    align, half = image_resize.flags(node)
    dtype = node.input_types[0]
    bits = 7 if dtype is _QUINT8 else 30

    def mixed(x: Array, size: Array) -> Array:
        height, width = image_resize.checked(x, size)
        if dtype is dtypes.float32:
            return image_resize.resize_bilinear(x, size, align, half)
        left, right, across = image_resize.linear(x.shape[2], width, align, half)
        top, bottom, down = image_resize.linear(x.shape[1], height, align, half)
        one = _f(1 << bits)
        across = (across * one).astype(np.int64)[:, None]
        down = (down * one).astype(np.int64)[:, None, None]
        x = x.astype(_f).astype(np.int64)
        y, z = (
            (rows[:, :, left] << bits) + (rows[:, :, right] - rows[:, :, left]) * across
            for rows in (x[:, top], x[:, bottom])
        )
        found = _over(y + _over(z - y, bits) * down + (1 << (bits - 1)), bits)
        return found.astype(dtype.np)

    def kernel(x: Array, size: Array, low: Array, high: Array) -> Ranged:
        scalar_limits(low, high)
        return mixed(x, size), low, high

    return kernel


# --- normalization ------------------------------------------------------------------------------------------------


@numpy_kernel.make("QuantizedInstanceNorm", types={"T": [_QUINT8]})
def instance_norm(node: Node) -> Kernel:
    attrs, dtype = node.attrs, node.output_types[0].np
    given = (_f(attrs["given_y_min"]), _f(attrs["given_y_max"])) if attrs["output_range_given"] else None
    epsilon, separation = _f(attrs["variance_epsilon"]), _f(attrs["min_separation"])
    if given and not given[0] < given[1]:
        invalid(f"Given range must have y_min < y_max, got {given[0]} and {given[1]}")

    def kernel(x: Array, low: Array, high: Array) -> Ranged:
        scalar_limits(low, high)
        if x.ndim != 4:
            invalid(f"input must be 4-dimensional, got shape {shapes.text(x.shape)}")
        step = (high - low) / _f(255)
        away = (x - x.mean(axis=(1, 2), keepdims=True, dtype=_f)) * step
        y = away / np.sqrt(np.square(away).mean(axis=(1, 2), keepdims=True, dtype=_f) + epsilon)
        if given:
            least, most = given
        else:
            least, most = y.min(), y.max()
            most = np.maximum(most, least + separation)
        return to_integers(y, least, most, dtype), least, most

    return kernel


@numpy_kernel.make("QuantizedBatchNormWithGlobalNormalization", types={"Tinput": [_QUINT8], "out_type": [_QINT32]})
def batch_norm(node: Node) -> Kernel:
    """In integers: the input and the factors as they are in the range of the output."""
    attrs, dtype = node.attrs, node.output_types[0].np
    epsilon, scaled = _f(attrs["variance_epsilon"]), attrs["scale_after_normalization"]
    low, high = _f(-(1 << 20)), _f(1 << 20)
    one = float_to_quantized(1.0, low, high, dtype)

    def wide(values: Array) -> Array:
        return np.array([float_to_quantized(value, low, high, dtype) for value in values], np.int64)

    def kernel(x: Array, low_x: Array, high_x: Array, *factors: Array) -> Ranged:
        if x.ndim != 4:
            invalid(f"input must be 4-dimensional, got shape {shapes.text(x.shape)}")
        found = []
        for at, name in zip(range(0, 12, 3), ("mean", "var", "beta", "gamma"), strict=True):
            values, *limits = factors[at : at + 3]
            scalar_limits(*limits)
            if values.shape != x.shape[-1:]:
                invalid(f"{name} must be a vector of {x.shape[-1]}, got shape {shapes.text(values.shape)}")
            found.append(quantized_to_float(values, *limits))
        mean, variance, beta, gamma = found
        scale = _f(1) / np.sqrt(variance + epsilon)
        if scaled:
            scale = scale * gamma
        product = requantized(x, low_x, high_x, low, high, dtype).astype(np.int64) * wide(scale)
        y = np.where(product < 0, -(-product // one), product // one) + wide(beta - mean * scale)
        return y.astype(dtype), low, high

    return kernel


# --- ranges by channel --------------------------------------------------------------------------------------------


def _widest(x: Array, low: Array, high: Array) -> Array:
    if x.ndim != 4:
        invalid(f"input must be in NHWC format, got shape {shapes.text(x.shape)}")
    if np.shape(low) != x.shape[-1:] or np.shape(high) != x.shape[-1:]:
        invalid(f"input_min must have an element for each of {x.shape[-1:]} channels, got {shapes.text(low.shape)}")
    return np.maximum(np.abs(low), np.abs(high))


@numpy_kernel.make("RequantizationRangePerChannel", types={"T": [_QINT32]})
def range_per_channel(node: Node) -> Kernel:
    most = _f(node.attrs["clip_value_max"])

    def kernel(x: Array, low: Array, high: Array) -> tuple[Array, Array]:
        widest = _widest(x, low, high)
        if not x.size:
            invalid("input must not be empty")
        flat = x.reshape(-1, x.shape[-1]).astype(np.int64)
        used = np.abs(flat).max(axis=0).astype(_f)
        found = _f((widest * used / _f(1 << 31)).max())
        found = min(found, most)
        return (_f(0) if flat.min() >= 0 else -found), found

    return kernel


@numpy_kernel.make("RequantizePerChannel", types={"T": [_QINT32], "out_type": [_QUINT8, _QINT8]}, view=True)
def requantize_per_channel(node: Node) -> Kernel:
    dtype = node.output_types[0].np
    info = np.iinfo(dtype)

    def kernel(x: Array, low: Array, high: Array, new_low: Array, new_high: Array) -> Ranged:
        scalar_limits(new_low, new_high)
        wanted = np.maximum(np.abs(new_low), np.abs(new_high))
        scale = _f(info.max) * (_widest(x, low, high) / wanted / _f(1 << 31))
        y = np.rint(x.astype(_f) * scale)
        return np.clip(y, info.min, info.max).astype(dtype), new_low, new_high

    return kernel
