"""Crops of boxes, resized to one size, and the gradients with respect to image and boxes."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.errors import InvalidArgumentError, OutOfRangeError
from runstep.graph import shapes
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = Any


def _check(boxes: Array, index: Array, batch: int) -> None:
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        if boxes.size or boxes.ndim != 2:
            raise InvalidArgumentError(None, None, f"boxes must be 2-D with 4 columns, got {shapes.text(boxes.shape)}")
    if index.ndim != 1:
        raise InvalidArgumentError(None, None, f"box_index must be 1-D, got {shapes.text(index.shape)}")
    if index.size != boxes.shape[0]:
        raise InvalidArgumentError(None, None, "box_index has incompatible shape")
    if ((index < 0) | (index >= batch)).any():
        raise OutOfRangeError(None, None, f"box_index has values outside [0, {batch})")


def _places(start: Array, end: Array, size: int, crop: int) -> Array:
    """`[boxes, crop]`: where the crop's pixels lie on the image, along one axis."""
    start, end = start[:, None].astype(np.float32), end[:, None].astype(np.float32)
    last = np.float32(size - 1)
    if crop > 1:
        step = (end - start) * last / np.float32(crop - 1)
        return start * last + np.arange(crop, dtype=np.float32) * step
    return np.broadcast_to(np.float32(0.5) * (start + end) * last, (start.shape[0], crop))


class _Samples:
    """Four neighbours and shares of every pixel of every crop; pixels outside the image are not `valid`."""

    def __init__(self, boxes: Array, shape: tuple[int, ...], crop: tuple[int, int]) -> None:
        height, width = shape[1:3]
        y = _places(boxes[:, 0], boxes[:, 2], height, crop[0])
        x = _places(boxes[:, 1], boxes[:, 3], width, crop[1])
        self.y, self.x = y, x
        inside_y, inside_x = (y >= 0) & (y <= height - 1), (x >= 0) & (x <= width - 1)
        self.valid = inside_y[:, :, None] & inside_x[:, None, :]
        y, x = np.where(inside_y, y, 0), np.where(inside_x, x, 0)
        top, left = np.floor(y), np.floor(x)
        self.down, self.across = (y - top)[:, :, None, None], (x - left)[:, None, :, None]
        self.top, self.bottom = top.astype(np.int64)[:, :, None], np.ceil(y).astype(np.int64)[:, :, None]
        self.left, self.right = left.astype(np.int64)[:, None, :], np.ceil(x).astype(np.int64)[:, None, :]
        # Halves go away from zero, as roundf does.
        self.near_y = np.floor(y + np.float32(0.5)).astype(np.int64)[:, :, None]
        self.near_x = np.floor(x + np.float32(0.5)).astype(np.int64)[:, None, :]


@numpy_kernel.make("CropAndResize")
def crop_and_resize(node: Node) -> Kernel:
    nearest = node.attrs["method"] == b"nearest"
    outside = np.float32(node.attrs["extrapolation_value"])

    def kernel(image: Array, boxes: Array, index: Array, crop_size: Array) -> Array:
        if image.ndim != 4:
            raise InvalidArgumentError(None, None, f"input image must be 4-D, got {shapes.text(image.shape)}")
        if crop_size.shape != (2,):
            raise InvalidArgumentError(
                None, None, f"crop_size must be 1-D with two elements, got {shapes.text(crop_size.shape)}"
            )
        crop = tuple(crop_size.tolist())
        if min(crop) <= 0:
            raise InvalidArgumentError(None, None, "crop dimensions must be positive")
        if image.shape[1] <= 0 or image.shape[2] <= 0:
            raise InvalidArgumentError(None, None, "image dimensions must be positive")
        _check(boxes, index, image.shape[0])
        if not boxes.shape[0] or not image.shape[3]:
            return np.zeros((boxes.shape[0], *crop, image.shape[3]), np.float32)
        s = _Samples(boxes, image.shape, crop)
        which = index.astype(np.int64)[:, None, None]
        if nearest:
            crops = image[which, s.near_y, s.near_x].astype(np.float32)
        else:
            top_left, top_right = (image[which, s.top, x].astype(np.float32) for x in (s.left, s.right))
            low_left, low_right = (image[which, s.bottom, x].astype(np.float32) for x in (s.left, s.right))
            top = top_left + (top_right - top_left) * s.across
            low = low_left + (low_right - low_left) * s.across
            crops = top + (low - top) * s.down
        crops[~s.valid] = outside
        return crops

    return kernel


@numpy_kernel.make("CropAndResizeGradImage")
def crop_and_resize_image_gradient(node: Node) -> Kernel:
    nearest = node.attrs["method"] == b"nearest"
    dtype = node.output_types[0].np

    def kernel(grads: Array, boxes: Array, index: Array, image_size: Array) -> Array:
        if grads.ndim != 4:
            raise InvalidArgumentError(None, None, f"grads image must be 4-D, got {shapes.text(grads.shape)}")
        if image_size.shape != (4,):
            raise InvalidArgumentError(
                None, None, f"image_size must be 1-D with 4 elements, got {shapes.text(image_size.shape)}"
            )
        shape = tuple(image_size.tolist())
        if min(shape) < 0 or min(shape[1:3]) <= 0:
            raise InvalidArgumentError(None, None, "image dimensions must be positive")
        _check(boxes, index, shape[0])
        if grads.shape[3] != shape[3]:
            raise InvalidArgumentError(None, None, "image_size and grads are incompatible")
        dx = np.zeros(shape, np.float64 if dtype == np.float64 else np.float32)
        if grads.size:
            s = _Samples(boxes, shape, grads.shape[1:3])
            which = index.astype(np.int64)[:, None, None]
            g = np.where(s.valid[..., None], grads, np.float32(0))
            if nearest:
                np.add.at(dx, (which, s.near_y, s.near_x), g)
            else:
                upper, lower = g * (1 - s.down), g * s.down
                np.add.at(dx, (which, s.top, s.left), upper * (1 - s.across))
                np.add.at(dx, (which, s.top, s.right), upper * s.across)
                np.add.at(dx, (which, s.bottom, s.left), lower * (1 - s.across))
                np.add.at(dx, (which, s.bottom, s.right), lower * s.across)
        return dx.astype(dtype, copy=False)

    return kernel


@numpy_kernel("CropAndResizeGradBoxes")
def crop_and_resize_box_gradient(grads: Array, image: Array, boxes: Array, index: Array) -> Array:
    """The gradient of bilinear crops with respect to the corners of the boxes."""
    if grads.ndim != 4 or image.ndim != 4:
        raise InvalidArgumentError(None, None, f"grads image must be 4-D, got {shapes.text(grads.shape)}")
    _check(boxes, index, image.shape[0])
    if boxes.shape[1] != 4:
        raise InvalidArgumentError(None, None, "boxes must have 4 columns")
    if grads.shape[3] != image.shape[3]:
        raise InvalidArgumentError(None, None, "image, grads depth differ")
    result = np.zeros(boxes.shape, np.float32)
    if not grads.size:
        return result
    rows, columns = grads.shape[1:3]
    s = _Samples(boxes, image.shape, (rows, columns))
    which = index.astype(np.int64)[:, None, None]
    top_left, top_right = (image[which, s.top, x].astype(np.float32) for x in (s.left, s.right))
    low_left, low_right = (image[which, s.bottom, x].astype(np.float32) for x in (s.left, s.right))
    slope_y = (1 - s.across) * (low_left - top_left) + s.across * (low_right - top_right)
    slope_x = (1 - s.down) * (top_right - top_left) + s.down * (low_right - low_left)
    g = np.where(s.valid[..., None], grads, np.float32(0))
    slope_y, slope_x = (slope_y * g).sum(axis=3), (slope_x * g).sum(axis=3)
    height, width = np.float32(image.shape[1] - 1), np.float32(image.shape[2] - 1)
    for axis, slope, last, count in ((0, slope_y, height, rows), (1, slope_x, width, columns)):
        if count > 1:
            share: Any = np.arange(count, dtype=np.float32) / np.float32(count - 1)
            share = share[:, None] if axis == 0 else share[None, :]
            start, end = last * (1 - share), last * share
        else:
            start = end = np.asarray(last * np.float32(0.5))
        result[:, axis] = (slope * start).sum(axis=(1, 2))
        result[:, axis + 2] = (slope * end).sum(axis=(1, 2))
    return result
