"""Images scaled and moved with a chosen filter, and seen through a projection: rows and shape rules."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.ops.common import Shapes
from runstep.ops.image_resize import like_original, resized, size_of
from runstep.ops.registry import op

_FILTER = ("kernel_type: string = 'lanczos3'", "antialias: bool = true")
_PIXELS = "dtype: {uint8, int32, int64, float16, bfloat16, float32, float64}"


def _projected(op: Any) -> Shapes:
    image = shapes.with_rank(op.inputs[0].raw_shape, 4)
    return [(image[0], *size_of(op, 2), image[3])]


def _scaled(op: Any) -> Shapes:
    for tensor in op.inputs[2:]:
        shapes.merge_size(shapes.with_rank(tensor.raw_shape, 1)[0], 2)
    return resized(op)


op(
    "ScaleAndTranslate",
    "images: T, size: int32, scale: float32, translation: float32 -> resized_images: float32",
    "T: {int8, uint8, int16, uint16, int32, int64, bfloat16, float16, float32, float64}",
    *_FILTER,
    shape=_scaled,
)
op(
    "ScaleAndTranslateGrad",
    "grads: T, original_image: T, scale: float32, translation: float32 -> output: T",
    "T: {float32}",
    *_FILTER,
    shape=like_original,
)
op(
    "ImageProjectiveTransformV2",
    "images: dtype, transforms: float32, output_shape: int32 -> transformed_images: dtype",
    _PIXELS,
    "interpolation: string",
    "fill_mode: string = 'CONSTANT'",
    shape=_projected,
)
op(
    "ImageProjectiveTransformV3",
    "images: dtype, transforms: float32, output_shape: int32, fill_value: float32 -> transformed_images: dtype",
    _PIXELS,
    "interpolation: string",
    "fill_mode: string = 'CONSTANT'",
    shape=_projected,
)
