"""Quantization to small integers and back. Arithmetic is in float32, as TensorFlow's, where its rounding shows."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.errors import InvalidArgumentError
from runstep.graph import shapes
from runstep.kernels.numpy.windows import compute_type
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = Any

_f = np.float32
_MOST = np.finfo(np.float32).max


def away(x: Array) -> Array:
    """Rounds halves away from zero."""
    x = np.asarray(x)
    return np.copysign(np.floor(np.abs(x) + x.dtype.type(0.5)), x)


def _limits(node: Node, x: Array, low: Array, high: Array, axis: int) -> tuple[Array, Array, tuple[int, ...]]:
    """The range as float32 scalars, or as vectors that broadcast along `axis`."""
    if axis == -1:
        if np.size(low) != 1 or np.size(high) != 1:
            raise InvalidArgumentError(
                None, None, f"min_range must be a scalar, got shape {shapes.text(np.shape(low))}"
            )
        return np.reshape(low, ()), np.reshape(high, ()), ()
    if axis < -1 or axis >= x.ndim:
        raise InvalidArgumentError(None, None, f"Axis must be less than input dimension({x.ndim}), was {axis}")
    shape = tuple(x.shape[axis] if place == axis else 1 for place in range(x.ndim))
    for limit in (low, high):
        if np.shape(limit) != (x.shape[axis],):
            raise InvalidArgumentError(
                None, None, f"min_range has incorrect size, was {np.size(limit)} expected {x.shape[axis]}"
            )
    return np.reshape(low, shape), np.reshape(high, shape), (x.shape[axis],)


def _scaled_range(info: Any, narrow: bool, low: Array, high: Array) -> tuple[Array, Array, Array]:
    """The scale of SCALED mode, at which 0 stays 0, and the range that it covers."""
    least, most = _f(info.min + (1 if narrow else 0)), _f(info.max)
    from_low = np.where(least * low > 0, least / low, _MOST)
    from_high = np.where(most * high > 0, most / high, _MOST)
    factor = np.minimum(from_low, from_high).astype(np.float32)
    return factor, (least / factor).astype(np.float32), (most / factor).astype(np.float32)


@numpy_kernel.make("QuantizeV2")
def quantize(node: Node) -> Kernel:
    """Integers that stand for floats in a range, and the range."""
    attrs = node.attrs
    mode, narrow, axis = attrs["mode"], attrs["narrow_range"], attrs["axis"]
    even = attrs["round_mode"] == b"HALF_TO_EVEN"
    if even and mode != b"SCALED":
        raise InvalidArgumentError(
            None, None, f"Round mode 'HALF_TO_EVEN' only supported for mode 'SCALED', but mode is '{mode.decode()}'."
        )
    dtype = node.output_types[0].np
    info = np.iinfo(dtype)
    steps = 2.0 ** (8 * dtype.itemsize)

    def kernel(x: Array, low: Array, high: Array) -> tuple[Array, Array, Array]:
        low, high, shape = _limits(node, x, low, high, axis)
        if np.any(low > high):
            raise InvalidArgumentError(None, None, "input_max_range must be larger than input_min_range.")
        low = np.minimum(_f(0), low)
        widest = np.maximum(_f(1), np.maximum(np.abs(low), np.abs(high)))
        high = np.maximum(high, low + widest * _f(attrs["ensure_minimum_range"]))
        high = np.maximum(_f(0), high)
        if mode == b"SCALED":
            factor, low, high = _scaled_range(info, narrow, low, high)
            y = np.clip(x, low, high) * factor
            y = np.rint(y) if even else away(y)
        elif mode == b"MIN_COMBINED":
            half = _f((float(info.max) - float(info.min) + 1) / 2) if info.min < 0 else _f(0)
            factor = _f(float(info.max) - float(info.min)) / (high - low)
            y = away((np.clip(x, low, high) - low) * factor - half)
        else:
            span = (high.astype(np.float64) - low) * (steps / (steps - 1))
            factor = (steps / span).astype(np.float32)
            shift = away(low * factor) - _f(info.min)
            y = away(x * factor) - shift
            top = _f(info.max) if dtype.itemsize < 4 else np.nextafter(_f(info.max), _f(0))
            y = np.clip(y, _f(info.min), top)
        quantized = y.astype(dtype)
        return quantized, np.reshape(low, shape)[()].astype(np.float32), np.reshape(high, shape)[()].astype(np.float32)

    return kernel


@numpy_kernel.make("Dequantize")
def dequantize(node: Node) -> Kernel:
    """The floats that quantized integers stand for."""
    attrs = node.attrs
    mode, axis, narrow = attrs["mode"], attrs["axis"], attrs["narrow_range"]
    dtype, out = node.input_types[0].np, node.output_types[0].np
    if out != np.float32 and mode != b"SCALED":
        raise InvalidArgumentError(
            None, None, f"When output type is bfloat16, only mode 'SCALED' is supported. Found {mode.decode()}."
        )
    info = np.iinfo(dtype)
    span = float(info.max) - float(info.min)

    def kernel(x: Array, low: Array, high: Array) -> Array:
        low, high, _ = _limits(node, x, low, high, axis)
        if mode == b"MIN_COMBINED":
            half = _f((span + 1) / 2) if info.min < 0 else _f(0)
            y = (x.astype(np.float32) + half) * ((high - low) / _f(span)) + low
        elif mode == b"MIN_FIRST":
            steps = span + 1
            wide = (high.astype(np.float64) - low) * (steps / (steps - 1)) / steps
            safe = np.where(wide == 0, 1, wide)
            least = np.where(wide == 0, low, np.rint(low / safe) * safe)
            y = (x.astype(np.float64) - info.min) * wide + least
        else:
            bottom = float(info.min) + (1 if narrow else 0)
            factor = high / _f(info.max)
            if info.min < 0:
                factor = np.maximum(low / _f(bottom), factor)
            y = x.astype(np.float32) * factor
        return y.astype(out, copy=False)

    return kernel


def _imitate(x: Array, low: Array, high: Array, bits: int, signed: bool, narrow: bool, given: bool, up: bool) -> Array:
    kind = x.dtype.type
    if signed:
        least, most = kind(-(2 ** (bits - 1)) + (1 if narrow else 0)), kind(2 ** (bits - 1) - 1)
    else:
        least, most = kind(0), kind(2**bits - 1)
    huge = np.finfo(x.dtype).max
    from_low = np.where(least * low > 0, least / low, huge).astype(x.dtype)
    from_high = np.where(most * high > 0, most / high, huge).astype(x.dtype)
    by_low = from_low < from_high
    factor = np.where(by_low, from_low, from_high)
    inverse = np.where(by_low, low / (least if least else kind(1)), high / most).astype(x.dtype)
    if given:
        x = np.clip(x, np.where(by_low, low, least * inverse), np.where(by_low, most * inverse, high))
    scaled = x * factor
    return (np.floor(scaled + kind(0.5)) if up else np.rint(scaled)) * inverse


def _quantize_and_dequantize(node: Node) -> Any:
    attrs = node.attrs
    axis = attrs.get("axis", -1)
    dtype = node.output_types[0].np
    compute = compute_type(node.output_types[0])
    up = attrs.get("round_mode") == b"HALF_UP"
    given, signed, narrow = attrs["range_given"], attrs["signed_input"], attrs.get("narrow_range", False)

    def kernel(x: Array, low: Array, high: Array, bits: int) -> Array:
        if not 1 <= bits <= (62 if signed else 63):
            raise InvalidArgumentError(None, None, f"num_bits is out of range: {bits} with signed_input_ {signed}")
        x = x.astype(compute, copy=False)
        if given:
            low, high, _ = _limits(node, x, low, high, axis)
            low, high = low.astype(compute), high.astype(compute)
            if np.any(low > high):
                raise InvalidArgumentError(None, None, f"Invalid range: input_min {low} > input_max {high}")
        elif x.size:
            axes = None if axis == -1 else tuple(place for place in range(x.ndim) if place != axis)
            low, high = x.min(axis=axes, keepdims=axis != -1), x.max(axis=axes, keepdims=axis != -1)
        else:
            return np.zeros(x.shape, dtype)
        return _imitate(x, low, high, bits, signed, narrow, given, up).astype(dtype, copy=False)

    return kernel


@numpy_kernel.make("QuantizeAndDequantizeV2", "QuantizeAndDequantizeV4")
def quantize_and_dequantize(node: Node) -> Kernel:
    """Floats rounded to those that `num_bits` can tell apart."""
    inner, bits = _quantize_and_dequantize(node), node.attrs["num_bits"]
    return lambda x, low, high: inner(x, low, high, bits)


@numpy_kernel.make("QuantizeAndDequantizeV3")
def quantize_and_dequantize_v3(node: Node) -> Kernel:
    inner = _quantize_and_dequantize(node)
    return lambda x, low, high, bits: inner(x, low, high, int(bits))


@numpy_kernel.make("QuantizeAndDequantize")
def quantize_and_dequantize_v1(node: Node) -> Kernel:
    inner, attrs = _quantize_and_dequantize(node), node.attrs
    low, high = np.float32(attrs["input_min"]), np.float32(attrs["input_max"])
    return lambda x: inner(x, low, high, attrs["num_bits"])


@numpy_kernel.make("QuantizeAndDequantizeV4Grad")
def quantize_and_dequantize_gradient(node: Node) -> Kernel:
    """The gradient passes where the input lies within the range."""
    axis = node.attrs["axis"]

    def kernel(g: Array, x: Array, low: Array, high: Array) -> tuple[Array, Array, Array]:
        if g.shape != x.shape:
            raise InvalidArgumentError(None, None, f"gradients shape {g.shape} must match input shape {x.shape}")
        least, most, _ = _limits(node, x, low, high, axis)
        passed = np.where((x >= least) & (x <= most), g, g.dtype.type(0))
        return passed, np.zeros_like(low), np.zeros_like(high)

    return kernel


# --- fake quantization --------------------------------------------------------------------------------------------


def _nudged(low: Array, high: Array, bits: int, narrow: bool) -> tuple[Array, Array, Array]:
    """The range moved a little so that 0 is exactly one of its steps, and the size of a step."""
    least, most = _f(1 if narrow else 0), _f(2**bits - 1)
    step = (high - low) / (most - least)
    zero = least - low / step
    zero = np.where(zero < least, least, np.where(zero > most, most, away(zero)))
    return ((least - zero) * step).astype(_f), ((most - zero) * step).astype(_f), np.asarray(step, _f)


def _faked(x: Array, low: Array, high: Array, bits: int, narrow: bool) -> Array:
    least, most, step = _nudged(low, high, bits, narrow)
    shifted = np.clip(x, least, most) - least
    y = np.floor(shifted * (_f(1) / step) + _f(0.5)) * step + least
    return np.where((low == 0) & (high == 0), _f(0), y).astype(_f)


def _faked_gradient(g: Array, x: Array, low: Array, high: Array, bits: int, narrow: bool) -> tuple[Array, Array, Array]:
    least, most, _ = _nudged(low, high, bits, narrow)
    nothing = (low == 0) & (high == 0)
    inside = (x >= least) & (x <= most)
    masks = (inside | nothing, (x < least) & ~nothing, (x > most) & ~nothing)
    # Times 1 or 0, as in TensorFlow: NaN and infinity make NaN where nothing passes.
    passed, below, above = (g * mask.astype(_f) for mask in masks)
    return passed, below, above


def _checked_bits(node: Node) -> tuple[int, bool]:
    bits, narrow = node.attrs["num_bits"], node.attrs["narrow_range"]
    if not 2 <= bits <= 16:
        raise InvalidArgumentError(None, None, f"num_bits must be between 2 and 16, inclusive, got {bits}")
    return bits, narrow


@numpy_kernel.make("FakeQuantWithMinMaxArgs")
def fake_quant_args(node: Node) -> Kernel:
    bits, narrow = _checked_bits(node)
    low, high = _f(node.attrs["min"]), _f(node.attrs["max"])
    if low >= high:
        raise InvalidArgumentError(None, None, f"min has to be smaller than max, was: {low} >= {high}")
    return lambda x: _faked(x, low, high, bits, narrow)


@numpy_kernel.make("FakeQuantWithMinMaxArgsGradient")
def fake_quant_args_gradient(node: Node) -> Kernel:
    bits, narrow = _checked_bits(node)
    low, high = _f(node.attrs["min"]), _f(node.attrs["max"])

    def kernel(g: Array, x: Array) -> Array:
        if g.shape != x.shape:
            raise InvalidArgumentError(None, None, "gradient and input must be the same size")
        return _faked_gradient(g, x, low, high, bits, narrow)[0]

    return kernel


def _range_of(x: Array, low: Array, high: Array, per_channel: bool) -> None:
    if per_channel:
        if x.ndim < 1 or low.shape != (x.shape[-1],) or high.shape != (x.shape[-1],):
            raise InvalidArgumentError(None, None, f"min has incorrect size, expected {x.shape[-1]} was {low.size}")
    elif np.ndim(low) or np.ndim(high):
        raise InvalidArgumentError(None, None, f"`min` must be rank 0 but is rank {np.ndim(low)}")


@numpy_kernel.make("FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel")
def fake_quant_vars(node: Node) -> Kernel:
    bits, narrow = _checked_bits(node)
    per_channel = node.type.endswith("PerChannel")

    def kernel(x: Array, low: Array, high: Array) -> Array:
        _range_of(x, low, high, per_channel)
        return _faked(x, low, high, bits, narrow)

    return kernel


@numpy_kernel.make("FakeQuantWithMinMaxVarsGradient", "FakeQuantWithMinMaxVarsPerChannelGradient")
def fake_quant_vars_gradient(node: Node) -> Kernel:
    """The gradients of the input, and of the two ends of the range (what was cut off there)."""
    bits, narrow = _checked_bits(node)
    per_channel = node.type.endswith("PerChannelGradient")

    def kernel(g: Array, x: Array, low: Array, high: Array) -> tuple[Array, Array, Array]:
        if g.shape != x.shape:
            raise InvalidArgumentError(None, None, "gradient and input must be the same size")
        _range_of(x, low, high, per_channel)
        passed, below, above = _faked_gradient(g, x, low, high, bits, narrow)
        axes = tuple(range(x.ndim - 1)) if per_channel else None
        return passed, np.asarray(below.sum(axis=axes))[()], np.asarray(above.sum(axis=axes))[()]

    return kernel
