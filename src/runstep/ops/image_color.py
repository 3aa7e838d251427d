"""Colours of images: rows and shape rules."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.ops.common import Shapes
from runstep.ops.registry import op


def _colorspace(op: Any) -> Shapes:
    shape = shapes.with_rank_at_least(op.inputs[0].raw_shape, 1)
    if shape is None:
        return [None]
    if shape[-1] not in (None, 3):
        raise ValueError(f"Dimension must be 3 but is {shape[-1]}")
    return [(*shape[:-1], 3)]


def _adjusted(op: Any) -> Shapes:
    return [shapes.with_rank_at_least(op.inputs[0].raw_shape, 3)]


def _boxes_drawn(op: Any) -> Shapes:
    image = op.inputs[0].raw_shape
    return [shapes.with_rank_at_least(image, 3)]


_COLORS = "T: {float16, bfloat16, float32, float64} = float32"
_TWO = "T: {float16, float32} = float32"

op("RGBToHSV", "images: T -> output: T", _COLORS, shape=_colorspace)
op("HSVToRGB", "images: T -> output: T", _COLORS, shape=_colorspace)
op("AdjustContrastv2", "images: T, contrast_factor: float32 -> output: T", _TWO, shape=_adjusted)
op(
    "AdjustContrast",
    "images: T, contrast_factor: float32, min_value: float32, max_value: float32 -> output: float32",
    "T: {uint8, int8, int16, int32, int64, float32, float64}",
    shape=_adjusted,
)
op("AdjustHue", "images: T, delta: float32 -> output: T", _TWO, shape=_adjusted)
op("AdjustSaturation", "images: T, scale: float32 -> output: T", _TWO, shape=_adjusted)
op("DrawBoundingBoxes", "images: T, boxes: float32 -> output: T", "T: {float32, float16} = float32", shape=_boxes_drawn)
op(
    "DrawBoundingBoxesV2",
    "images: T, boxes: float32, colors: float32 -> output: T",
    "T: {float32, float16} = float32",
    shape=_boxes_drawn,
)
