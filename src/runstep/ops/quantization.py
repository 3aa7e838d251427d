"""Quantization and its imitation in floats: rows and shape rules."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.graph.shapes import RawShape
from runstep.ops.common import Shapes, unchanged
from runstep.ops.registry import op


def _range(op: Any, first: int) -> RawShape:
    """The shape of a minimum or maximum: a scalar, or a vector with an element for each slice along `axis`."""
    axis = op.attrs.get("axis", -1)
    if axis == -1:
        for tensor in op.inputs[first : first + 2]:
            shapes.with_rank(tensor.raw_shape, 0)
        return ()
    if axis < -1:
        raise ValueError(f"axis should be at least -1, got {axis}")
    found = shapes.with_rank(op.inputs[first].raw_shape, 1)
    image = op.inputs[0].raw_shape
    if image is not None:
        shapes.with_rank_at_least(image, axis + 1)
        return (shapes.merge_size(found[0], image[axis]),)
    return found


def _quantize(op: Any) -> Shapes:
    limits = _range(op, 1)
    return [op.inputs[0].raw_shape, limits, limits]


def _dequantize(op: Any) -> Shapes:
    _range(op, 1)
    return [op.inputs[0].raw_shape]


def _imitated(op: Any) -> Shapes:
    _range(op, 1)
    return [op.inputs[0].raw_shape]


def _imitated_gradient(op: Any) -> Shapes:
    axis = op.attrs["axis"]
    limits: RawShape = ()
    if axis != -1:
        limits = shapes.with_rank(op.inputs[2].raw_shape, 1)
    else:
        shapes.with_rank(op.inputs[2].raw_shape, 0)
    return [shapes.merge(op.inputs[0].raw_shape, op.inputs[1].raw_shape), limits, limits]


def _fake(op: Any) -> Shapes:
    for tensor in op.inputs[1:]:
        shapes.with_rank(tensor.raw_shape, 0)
    return [op.inputs[0].raw_shape]


def _fake_gradient(op: Any) -> Shapes:
    for tensor in op.inputs[2:]:
        shapes.with_rank(tensor.raw_shape, 0)
    return [shapes.merge(op.inputs[0].raw_shape, op.inputs[1].raw_shape), (), ()]


def _channels(op: Any, image: RawShape, first: int) -> tuple[RawShape, int | None]:
    image = shapes.with_rank_at_least(image, 1)
    size: int | None = None if image is None else image[-1]
    for tensor in op.inputs[first : first + 2]:
        size = shapes.merge_size(size, shapes.with_rank(tensor.raw_shape, 1)[0])
    return image, size


def _fake_per_channel(op: Any) -> Shapes:
    return [_channels(op, op.inputs[0].raw_shape, 1)[0]]


def _fake_per_channel_gradient(op: Any) -> Shapes:
    image = shapes.merge(op.inputs[0].raw_shape, op.inputs[1].raw_shape)
    image, size = _channels(op, image, 2)
    return [image, (size,), (size,)]


_QUANTIZED = "T: {qint8, quint8, qint32, qint16, quint16}"
_MODE = "mode: {'MIN_COMBINED', 'MIN_FIRST', 'SCALED'} = 'MIN_COMBINED'"
_NARROW = "narrow_range: bool = false"
_AXIS = "axis: int = -1"
_BITS = "num_bits: int = 8"
_SIGNED = "signed_input: bool = true"
_FLOATS = "T: {bfloat16, float16, float32, float64}"
_ROUND = "round_mode: {'HALF_TO_EVEN', 'HALF_UP'} = 'HALF_TO_EVEN'"

op(
    "QuantizeV2",
    "input: float32, min_range: float32, max_range: float32 -> output: T, output_min: float32, output_max: float32",
    _QUANTIZED,
    _MODE,
    "round_mode: {'HALF_AWAY_FROM_ZERO', 'HALF_TO_EVEN'} = 'HALF_AWAY_FROM_ZERO'",
    _NARROW,
    _AXIS,
    "ensure_minimum_range: float = 0.01",
    shape=_quantize,
)
op(
    "Dequantize",
    "input: T, min_range: float32, max_range: float32 -> output: dtype",
    _QUANTIZED,
    _MODE,
    _NARROW,
    _AXIS,
    "dtype: {bfloat16, float32} = float32",
    shape=_dequantize,
)
op(
    "QuantizeAndDequantize",
    "input: T -> output: T",
    _SIGNED,
    _BITS,
    "range_given: bool = false",
    "input_min: float = 0.0",
    "input_max: float = 0.0",
    _FLOATS,
    shape=unchanged,
)
for _name in ("QuantizeAndDequantizeV2", "QuantizeAndDequantizeV4"):
    op(
        _name,
        "input: T, input_min: T, input_max: T -> output: T",
        _SIGNED,
        _BITS,
        "range_given: bool = false",
        _FLOATS,
        _ROUND,
        _NARROW,
        _AXIS,
        shape=_imitated,
    )
op(
    "QuantizeAndDequantizeV3",
    "input: T, input_min: T, input_max: T, num_bits: int32 -> output: T",
    _SIGNED,
    "range_given: bool = true",
    _FLOATS,
    _NARROW,
    _AXIS,
    shape=_imitated,
)
op(
    "QuantizeAndDequantizeV4Grad",
    "gradients: T, input: T, input_min: T, input_max: T -> input_backprop: T, input_min_backprop: T, "
    "input_max_backprop: T",
    _FLOATS,
    _AXIS,
    shape=_imitated_gradient,
)
op(
    "FakeQuantWithMinMaxArgs",
    "inputs: float32 -> outputs: float32",
    "min: float = -6.0",
    "max: float = 6.0",
    _BITS,
    _NARROW,
    shape=unchanged,
)
op(
    "FakeQuantWithMinMaxArgsGradient",
    "gradients: float32, inputs: float32 -> backprops: float32",
    "min: float = -6.0",
    "max: float = 6.0",
    _BITS,
    _NARROW,
    shape=unchanged,
)
op(
    "FakeQuantWithMinMaxVars",
    "inputs: float32, min: float32, max: float32 -> outputs: float32",
    _BITS,
    _NARROW,
    shape=_fake,
)
op(
    "FakeQuantWithMinMaxVarsGradient",
    "gradients: float32, inputs: float32, min: float32, max: float32 -> backprops_wrt_input: float32, "
    "backprop_wrt_min: float32, backprop_wrt_max: float32",
    _BITS,
    _NARROW,
    shape=_fake_gradient,
)
op(
    "FakeQuantWithMinMaxVarsPerChannel",
    "inputs: float32, min: float32, max: float32 -> outputs: float32",
    _BITS,
    _NARROW,
    shape=_fake_per_channel,
)
op(
    "FakeQuantWithMinMaxVarsPerChannelGradient",
    "gradients: float32, inputs: float32, min: float32, max: float32 -> backprops_wrt_input: float32, "
    "backprop_wrt_min: float32, backprop_wrt_max: float32",
    _BITS,
    _NARROW,
    shape=_fake_per_channel_gradient,
)
