"""Colours of images: HSV, contrast, hue, saturation, and drawing boxes."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.errors import FailedPreconditionError, InvalidArgumentError
from runstep.graph import shapes
from runstep.kernels.numpy.windows import compute_type
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = Any

# What DrawBoundingBoxes goes through when it is given no colours.
_PALETTE = np.array(
    [
        [1, 1, 0, 1],
        [0, 0, 1, 1],
        [1, 0, 0, 1],
        [0, 1, 0, 1],
        [0.5, 0, 0.5, 1],
        [0.5, 0.5, 0, 1],
        [0.5, 0, 0, 1],
        [0, 0, 0.5, 1],
        [0, 1, 1, 1],
        [1, 0, 1, 1],
    ],
    np.float32,
)


def to_hsv(rgb: Array) -> Array:
    """`[..., 3]` red, green, blue in [0, 1] to hue, saturation, value in [0, 1]."""
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    value = rgb.max(axis=-1)
    span = value - rgb.min(axis=-1)
    safe = np.where(span > 0, span, 1)
    saturation = np.where(value > 0, span / np.where(value > 0, value, 1), 0)
    hue = np.where(
        value == red,
        (green - blue) / safe,
        np.where(value == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    hue = np.where(span > 0, hue / 6, 0)
    hue = np.where(hue < 0, hue + 1, hue)
    return np.stack([hue, saturation, value], axis=-1).astype(rgb.dtype, copy=False)


def to_rgb(hsv: Array) -> Array:
    """The opposite of `to_hsv`."""
    hue, saturation, value = hsv[..., 0] * 6, hsv[..., 1], hsv[..., 2]
    ramps = [np.clip(np.abs(hue - 3) - 1, 0, 1), np.clip(2 - np.abs(hue - 2), 0, 1), np.clip(2 - np.abs(hue - 4), 0, 1)]
    channels = [(1 - saturation + saturation * ramp) * value for ramp in ramps]
    return np.stack(channels, axis=-1).astype(hsv.dtype, copy=False)


@numpy_kernel.make("RGBToHSV", "HSVToRGB")
def colorspace(node: Node) -> Kernel:
    convert = to_hsv if node.type == "RGBToHSV" else to_rgb
    dtype = node.output_types[0].np
    compute = compute_type(node.output_types[0])

    def kernel(images: Array) -> Array:
        if images.ndim < 1:
            raise InvalidArgumentError(None, None, "input must be at least 1D[]")
        if images.shape[-1] != 3:
            raise FailedPreconditionError(
                None, None, f"input must have 3 channels but input only has {images.shape[-1]} channels."
            )
        return convert(images.astype(compute, copy=False)).astype(dtype, copy=False)

    return kernel


def _image(images: Array, amount: Array, what: str) -> None:
    if images.ndim < 3:
        raise InvalidArgumentError(None, None, f"input must be at least 3-D, got shape{shapes.text(images.shape)}")
    if np.ndim(amount):
        raise InvalidArgumentError(None, None, f"{what} must be scalar: {shapes.text(amount.shape)}")


@numpy_kernel.make("AdjustContrastv2")
def adjust_contrast(node: Node) -> Kernel:
    """Moves every channel of every image away from (or towards) its mean."""
    dtype = node.output_types[0].np

    def kernel(images: Array, factor: Array) -> Array:
        _image(images, factor, "contrast_factor")
        x = images.astype(np.float32, copy=False)
        mean = x.mean(axis=(-3, -2), keepdims=True)
        return ((x - mean) * factor + mean).astype(dtype, copy=False)

    return kernel


@numpy_kernel("AdjustContrast")
def adjust_contrast_within(images: Array, factor: Array, least: Array, most: Array) -> Array:
    """The first version: floats, cut to a range."""
    for amount, what in ((factor, "contrast_factor"), (least, "min_value"), (most, "max_value")):
        _image(images, amount, what)
    x = images.astype(np.float32)
    mean = x.mean(axis=(-3, -2), keepdims=True)
    return np.clip((x - mean) * factor + mean, least, most)


@numpy_kernel.make("AdjustHue", "AdjustSaturation")
def adjust_color(node: Node) -> Kernel:
    hue = node.type == "AdjustHue"
    dtype = node.output_types[0].np

    def kernel(images: Array, amount: Array) -> Array:
        _image(images, amount, "delta" if hue else "scale")
        if images.shape[-1] != 3:
            raise InvalidArgumentError(
                None, None, f"input must have 3 channels but instead has {images.shape[-1]} channels."
            )
        hsv = to_hsv(images.astype(np.float32, copy=False))
        if hue:
            turned = hsv[..., 0] + amount
            hsv[..., 0] = turned - np.floor(turned)
        else:
            hsv[..., 1] = np.clip(hsv[..., 1] * amount, 0, 1)
        return to_rgb(hsv).astype(dtype, copy=False)

    return kernel


@numpy_kernel.make("DrawBoundingBoxes", "DrawBoundingBoxesV2")
def draw_bounding_boxes(node: Node) -> Kernel:
    """Outlines, one pixel wide, of boxes in relative coordinates."""
    dtype = node.output_types[0].np

    def kernel(images: Array, boxes: Array, colors: Array | None = None) -> Array:
        if images.ndim != 4:
            raise InvalidArgumentError(None, None, "The rank of the images should be 4")
        if boxes.ndim != 3:
            raise InvalidArgumentError(None, None, "The rank of the boxes tensor should be 3")
        if images.shape[0] != boxes.shape[0]:
            raise InvalidArgumentError(None, None, "The batch sizes should be the same")
        if boxes.shape[2] != 4:
            why = f"The size of the third dimension of the box must be 4. Received: {boxes.shape[2]}"
            raise InvalidArgumentError(None, None, why)
        depth = images.shape[3]
        if depth not in (1, 3, 4):
            raise InvalidArgumentError(None, None, "Channel depth should be either 1 (GRY), 3 (RGB), or 4 (RGBA)")
        palette = _PALETTE
        if colors is not None:
            where = shapes.text(colors.shape)
            if colors.ndim != 2:
                raise InvalidArgumentError(None, None, f"colors must be a 2-D matrix{where}")
            if colors.shape[1] < depth:
                why = f"colors must have equal or more channels than the image provided: {where}"
                raise InvalidArgumentError(None, None, why)
        if colors is not None and colors.size:
            palette = colors
        elif depth == 1:
            palette = np.ones_like(_PALETTE)
        drawn = images.copy()
        for picture, outlines in zip(drawn, boxes, strict=True):
            for place, box in enumerate(outlines):
                _draw(picture, box, palette[place % len(palette)][:depth].astype(dtype))
        return drawn

    return kernel


def _pixel(place: Any) -> int:
    """A place as an int64: what has none, NaN and infinity of either sign too, is the least one."""
    return int(place) if abs(place) < 2**63 else -(2**63)


def _draw(picture: Array, box: Array, color: Array) -> None:
    height, width = picture.shape[:2]
    top, left = _pixel(box[0] * (height - 1)), _pixel(box[1] * (width - 1))
    bottom, right = _pixel(box[2] * (height - 1)), _pixel(box[3] * (width - 1))
    if top > bottom or left > right or top >= height or bottom < 0 or left >= width or right < 0:
        return
    rows, columns = slice(max(top, 0), min(bottom, height - 1) + 1), slice(max(left, 0), min(right, width - 1) + 1)
    if top >= 0:
        picture[top, columns] = color
    if bottom < height:
        picture[bottom, columns] = color
    if left >= 0:
        picture[rows, left] = color
    if right < width:
        picture[rows, right] = color
