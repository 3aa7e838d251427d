"""Resizing and cropping of images: rows and shape rules."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.graph.shapes import RawShape
from runstep.ops.common import Shapes
from runstep.ops.registry import op


def size_of(op: Any, index: int) -> tuple[int | None, int | None]:
    """Height and width from a vector of two, unknown where it isn't constant."""
    vector = shapes.with_rank(op.inputs[index].raw_shape, 1)
    if vector[0] not in (None, 2):
        raise ValueError(f"Dimension must be 2 but is {vector[0]}")
    value = op.constant(index)
    if value is None:
        return None, None
    if value.size != 2:
        raise ValueError(f"Dimension must be 2 but is {value.size}")
    height, width = (None if size < 0 else size for size in value.tolist())
    return height, width


def resized(op: Any) -> Shapes:
    image = shapes.with_rank(op.inputs[0].raw_shape, 4)
    return [(image[0], *size_of(op, 1), image[3])]


def _resized_gradient(op: Any) -> Shapes:
    original = shapes.with_rank(op.inputs[1].raw_shape, 4)
    gradient = shapes.with_rank(op.inputs[0].raw_shape, 4)
    return [(gradient[0], *original[1:3], gradient[3])]


def like_original(op: Any) -> Shapes:
    return [op.inputs[1].raw_shape]


def _boxes(op: Any, boxes: int, indices: int) -> int | None:
    box = shapes.with_rank(op.inputs[boxes].raw_shape, 2)
    index = shapes.with_rank(op.inputs[indices].raw_shape, 1)
    count = shapes.merge_size(box[0], index[0])
    if box[1] not in (None, 4):
        raise ValueError(f"Dimension must be 4 but is {box[1]}")
    return count


def _cropped(op: Any) -> Shapes:
    image = shapes.with_rank(op.inputs[0].raw_shape, 4)
    count = _boxes(op, 1, 2)
    return [(count, *size_of(op, 3), image[3])]


def _cropped_image_gradient(op: Any) -> Shapes:
    sizes: RawShape = op.constant_shape(3)
    return [shapes.with_rank(sizes, 4)]


def _cropped_box_gradient(op: Any) -> Shapes:
    return [op.inputs[2].raw_shape]


_IMAGES = "T: {int8, uint8, int16, uint16, int32, int64, float16, float32, float64, bfloat16}"
_CROPPED = "T: {uint8, uint16, int8, int16, int32, int64, float16, float32, float64}"
_ALIGN = "align_corners: bool = false"
_HALF = "half_pixel_centers: bool = false"
_METHOD = "method: {'bilinear', 'nearest'} = 'bilinear'"

op(
    "ResizeBilinear",
    "images: T, size: int32 -> resized_images: float32",
    "T: {int8, uint8, int16, uint16, int32, int64, bfloat16, float16, float32, float64, bfloat16}",
    _ALIGN,
    _HALF,
    shape=resized,
)
op("ResizeBicubic", "images: T, size: int32 -> resized_images: float32", _IMAGES, _ALIGN, _HALF, shape=resized)
op("ResizeArea", "images: T, size: int32 -> resized_images: float32", _IMAGES, _ALIGN, shape=resized)
op("ResizeNearestNeighbor", "images: T, size: int32 -> resized_images: T", _IMAGES, _ALIGN, _HALF, shape=resized)
op(
    "ResizeBilinearGrad",
    "grads: float32, original_image: T -> output: T",
    "T: {float32, bfloat16, float16, float64}",
    _ALIGN,
    _HALF,
    shape=like_original,
)
op(
    "ResizeBicubicGrad",
    "grads: float32, original_image: T -> output: T",
    "T: {float32, float64}",
    _ALIGN,
    _HALF,
    shape=like_original,
)
op(
    "ResizeNearestNeighborGrad",
    "grads: T, size: int32 -> output: T",
    "T: {uint8, int8, int32, float16, float32, float64, bfloat16}",
    _ALIGN,
    _HALF,
    shape=resized,
)
op(
    "CropAndResize",
    "image: T, boxes: float32, box_ind: int32, crop_size: int32 -> crops: float32",
    _CROPPED,
    _METHOD,
    "extrapolation_value: float = 0.0",
    shape=_cropped,
)
op(
    "CropAndResizeGradImage",
    "grads: float32, boxes: float32, box_ind: int32, image_size: int32 -> output: T",
    "T: {float32, float16, float64}",
    _METHOD,
    shape=_cropped_image_gradient,
)
op(
    "CropAndResizeGradBoxes",
    "grads: float32, image: T, boxes: float32, box_ind: int32 -> output: float32",
    _CROPPED,
    "method: {'bilinear'} = 'bilinear'",
    shape=_cropped_box_gradient,
)
