"""Arithmetic on quantized integers, each with the range of floats that it stands for: rows and shape rules.

A quantized tensor is three: integers, and the floats that the least and the greatest of them stand for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runstep.graph import shapes
from runstep.graph.shapes import RawShape
from runstep.ops.common import Shapes, unchanged
from runstep.ops.conv import convolved_2d
from runstep.ops.image_resize import resized
from runstep.ops.joining import joined
from runstep.ops.matmul import product
from runstep.ops.normalization import biased
from runstep.ops.pooling import pooled_2d
from runstep.ops.registry import ShapeFunction, op
from runstep.ops.shape_ops import reshaped


def _ranged(rule: Callable[[Any], Shapes], first: int | None) -> ShapeFunction:
    """`rule` for the integers; every input from `first` on is the end of a range, as the last two outputs are."""

    def shape(op: Any) -> Shapes:
        found = rule(op)[:1]
        for limit in op.inputs[first:] if first is not None else ():
            shapes.with_rank(limit.raw_shape, 0)
        return [*found, (), ()]

    return shape


def _limits(op: Any) -> Shapes:
    for limit in op.inputs[1:]:
        shapes.with_rank(limit.raw_shape, 0)
    return [(), ()]


def _stretched(op: Any) -> Shapes:
    return [shapes.broadcast(op.inputs[0].raw_shape, op.inputs[1].raw_shape)]


def _concat(op: Any) -> Shapes:
    count = op.attrs["N"]
    found = joined(op, op.inputs[1 : count + 1], 0)
    for limit in op.inputs[count + 1 :]:
        shapes.with_rank(limit.raw_shape, 0)
    return [*found, (), ()]


def _normalized(op: Any) -> Shapes:
    image = shapes.with_rank(op.inputs[0].raw_shape, 4)
    size: int | None = image[3]
    for first in range(3, 15, 3):
        size = shapes.merge_size(size, shapes.with_rank(op.inputs[first].raw_shape, 1)[0])
    return [(*image[:3], size)]


def _of_rank_4(op: Any) -> Shapes:
    shapes.with_rank(op.inputs[0].raw_shape, 4)
    return [op.inputs[0].raw_shape]


def _per_channel(op: Any) -> Shapes:
    for limit in op.inputs[1:3]:
        shapes.with_rank(limit.raw_shape, 1)
    return [(), ()]


def _requantized_per_channel(op: Any) -> Shapes:
    found: RawShape = op.inputs[0].raw_shape
    for limit in op.inputs[1:3]:
        shapes.with_rank(limit.raw_shape, 1)
    for limit in op.inputs[3:]:
        shapes.with_rank(limit.raw_shape, 0)
    return [found, (), ()]


def _kind(name: str, default: str = "") -> str:
    return f"{name}: quantizedtype" + (f" = {default}" if default else "")


_X = "x: T1, y: T2, min_x: float32, max_x: float32, min_y: float32, max_y: float32"
_STRIDED = ("strides: list(int)", "padding: {'SAME', 'VALID'}")
_DILATIONS = "dilations: list(int) = [1, 1, 1, 1]"

op(
    "QuantizeDownAndShrinkRange",
    "input: Tinput, input_min: float32, input_max: float32 -> "
    "output: out_type, output_min: float32, output_max: float32",
    _kind("Tinput"),
    _kind("out_type"),
    shape=_ranged(unchanged, 1),
)
op(
    "RequantizationRange",
    "input: Tinput, input_min: float32, input_max: float32 -> output_min: float32, output_max: float32",
    _kind("Tinput"),
    shape=_limits,
)
op(
    "Requantize",
    "input: Tinput, input_min: float32, input_max: float32, requested_output_min: float32, "
    "requested_output_max: float32 -> output: out_type, output_min: float32, output_max: float32",
    _kind("Tinput"),
    _kind("out_type"),
    shape=_ranged(unchanged, 1),
)
op(
    "RequantizationRangePerChannel",
    "input: T, input_min: float32, input_max: float32 -> output_min: float32, output_max: float32",
    _kind("T", "qint32"),
    "clip_value_max: float",
    shape=_per_channel,
)
op(
    "RequantizePerChannel",
    "input: T, input_min: float32, input_max: float32, requested_output_min: float32, "
    "requested_output_max: float32 -> output: out_type, output_min: float32, output_max: float32",
    _kind("T", "qint32"),
    _kind("out_type", "quint8"),
    shape=_requantized_per_channel,
)
for _name in ("QuantizedAdd", "QuantizedMul"):
    op(
        _name,
        f"{_X} -> z: Toutput, min_z: float32, max_z: float32",
        _kind("T1"),
        _kind("T2"),
        _kind("Toutput", "qint32"),
        shape=_ranged(_stretched, None),
    )
op(
    "QuantizedMatMul",
    "a: T1, b: T2, min_a: float32, max_a: float32, min_b: float32, max_b: float32 -> "
    "out: Toutput, min_out: float32, max_out: float32",
    _kind("T1"),
    _kind("T2"),
    _kind("Toutput", "qint32"),
    "transpose_a: bool = false",
    "transpose_b: bool = false",
    _kind("Tactivation", "quint8"),
    shape=_ranged(product, 2),
)
op(
    "QuantizedConv2D",
    "input: Tinput, filter: Tfilter, min_input: float32, max_input: float32, min_filter: float32, "
    "max_filter: float32 -> output: out_type, min_output: float32, max_output: float32",
    _kind("Tinput"),
    _kind("Tfilter"),
    _kind("out_type", "qint32"),
    *_STRIDED,
    _DILATIONS,
    shape=_ranged(convolved_2d, 2),
)
op(
    "QuantizedBiasAdd",
    "input: T1, bias: T2, min_input: float32, max_input: float32, min_bias: float32, max_bias: float32 -> "
    "output: out_type, min_out: float32, max_out: float32",
    _kind("T1"),
    _kind("T2"),
    _kind("out_type"),
    shape=_ranged(biased, 2),
)
for _name in ("QuantizedRelu", "QuantizedRelu6"):
    op(
        _name,
        "features: Tinput, min_features: float32, max_features: float32 -> "
        "activations: out_type, min_activations: float32, max_activations: float32",
        _kind("Tinput"),
        _kind("out_type", "quint8"),
        shape=_ranged(unchanged, 1),
    )
for _name in ("QuantizedAvgPool", "QuantizedMaxPool"):
    op(
        _name,
        "input: T, min_input: float32, max_input: float32 -> output: T, min_output: float32, max_output: float32",
        _kind("T"),
        "ksize: list(int)",
        *_STRIDED,
        shape=_ranged(pooled_2d, 1),
    )
op(
    "QuantizedConcat",
    "concat_dim: int32, values: N * T, input_mins: N * float32, input_maxes: N * float32 -> "
    "output: T, output_min: float32, output_max: float32",
    "N: int >= 2",
    "T: type",
    shape=_concat,
)
op(
    "QuantizedReshape",
    "tensor: T, shape: Tshape, input_min: float32, input_max: float32 -> "
    "output: T, output_min: float32, output_max: float32",
    "T: type",
    "Tshape: {int32, int64} = int32",
    shape=_ranged(reshaped, 2),
)
op(
    "QuantizedResizeBilinear",
    "images: T, size: int32, min: float32, max: float32 -> resized_images: T, out_min: float32, out_max: float32",
    "T: {quint8, qint32, float32}",
    "align_corners: bool = false",
    "half_pixel_centers: bool = false",
    shape=_ranged(resized, 2),
)
op(
    "QuantizedInstanceNorm",
    "x: T, x_min: float32, x_max: float32 -> y: T, y_min: float32, y_max: float32",
    _kind("T"),
    "output_range_given: bool = false",
    "given_y_min: float = 0.0",
    "given_y_max: float = 0.0",
    "variance_epsilon: float = 0.00001",
    "min_separation: float = 0.001",
    shape=_ranged(_of_rank_4, 1),
)
op(
    "QuantizedBatchNormWithGlobalNormalization",
    ", ".join(f"{part}: Tinput, {part}_min: float32, {part}_max: float32" for part in ("t", "m", "v", "beta", "gamma"))
    + " -> result: out_type, result_min: float32, result_max: float32",
    _kind("Tinput"),
    _kind("out_type"),
    "variance_epsilon: float",
    "scale_after_normalization: bool",
    shape=_ranged(_normalized, None),
)
