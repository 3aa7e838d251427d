"""Colours, crops and boxes of images: the `tf.image.*` functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops import arithmetic, basic, cast, contraction, creation, elementwise, joining, reduction, shape_ops
from runstep.ops.reduction import one_of

__all__ = [
    "adjust_brightness",
    "adjust_contrast",
    "adjust_gamma",
    "adjust_hue",
    "adjust_saturation",
    "combined_non_max_suppression",
    "convert_image_dtype",
    "crop_and_resize",
    "draw_bounding_boxes",
    "grayscale_to_rgb",
    "hsv_to_rgb",
    "non_max_suppression",
    "non_max_suppression_overlaps",
    "non_max_suppression_with_scores",
    "rgb_to_grayscale",
    "rgb_to_hsv",
    "rgb_to_yiq",
    "rgb_to_yuv",
    "total_variation",
    "yiq_to_rgb",
    "yuv_to_rgb",
]


def convert_image_dtype(image: TensorLike, dtype: Any, saturate: bool = False, name: str | None = None) -> Tensor:
    """The image in another type, its values scaled: integers fill their range, floats lie in [0, 1).
    Source: `tf.image.convert_image_dtype`."""
    image = convert_to_tensor(image, name="image")
    dtype = dtypes.as_dtype(dtype)
    if not dtype.is_floating and not dtype.is_integer:
        raise AttributeError("dtype must be either floating point or integer")
    if dtype is image.dtype:
        return basic.identity(image, name=name)
    narrowed = cast.saturate_cast if saturate else cast.cast
    with name_scope(name, "convert_image") as scope:
        if image.dtype.is_integer and dtype.is_integer:
            most, target = int(image.dtype.max), int(dtype.max)
            if most > target:
                factor = (most + 1) // (target + 1)
                scaled = arithmetic.floordiv(image, factor, name="floordiv")
                return narrowed(scaled, dtype, name=scope)
            factor = (target + 1) // (most + 1)
            wide = cast.saturate_cast(image, dtype) if saturate else cast.cast(image, dtype)
            return arithmetic.multiply(wide, factor, name=scope)
        if image.dtype.is_floating and dtype.is_floating:
            return cast.cast(image, dtype, name=scope)
        if image.dtype.is_integer:
            return arithmetic.multiply(cast.cast(image, dtype), 1.0 / int(image.dtype.max), name=scope)
        scaled = arithmetic.multiply(image, int(dtype.max) + 0.5)
        return narrowed(scaled, dtype, name=scope)


def rgb_to_grayscale(images: TensorLike, name: str | None = None) -> Tensor:
    """The brightness of each pixel, one channel. Source: `tf.image.rgb_to_grayscale`."""
    with name_scope(name, "rgb_to_grayscale") as scope:
        images = convert_to_tensor(images, name="images")
        original = images.dtype
        floats = convert_image_dtype(images, dtypes.float32)
        gray = contraction.tensordot(floats, [0.2989, 0.5870, 0.1140], [-1, -1])
        return convert_image_dtype(shape_ops.expand_dims(gray, -1), original, name=scope)


def grayscale_to_rgb(images: TensorLike, name: str | None = None) -> Tensor:
    """Three channels that are all the one. Source: `tf.image.grayscale_to_rgb`."""
    with name_scope(name, "grayscale_to_rgb") as scope:
        images = convert_to_tensor(images, name="images")
        raw = images.raw_shape
        if raw is not None and raw[-1] not in (1, None):
            raise ValueError("Last dimension of a grayscale image should be size 1.")
        images = basic.with_dependencies([], images)
        last = apply("Sub", shape_ops.rank(images), 1, name="sub")
        times = joining.concat(
            [creation.ones(shape_ops.expand_dims(last, 0), dtype=dtypes.int32), shape_ops.expand_dims(3, 0)], 0
        )
        result = apply("Tile", images, times, name=scope)
        if raw is not None:
            result.set_shape([*raw[:-1], 3])
        return result


def rgb_to_hsv(images: TensorLike, name: str | None = None) -> Tensor:
    """Hue, saturation and value, all in [0, 1]. Source: `tf.image.rgb_to_hsv`."""
    return apply("RGBToHSV", images, name=name)


def hsv_to_rgb(images: TensorLike, name: str | None = None) -> Tensor:
    """The opposite of `rgb_to_hsv`. Source: `tf.image.hsv_to_rgb`."""
    return apply("HSVToRGB", images, name=name)


_YIQ = [[0.299, 0.59590059, 0.2115], [0.587, -0.27455667, -0.52273617], [0.114, -0.32134392, 0.31119955]]
_FROM_YIQ = [[1.0, 1.0, 1.0], [0.95598634, -0.27201283, -1.10674021], [0.6208248, -0.64720424, 1.70423049]]
_YUV = [[0.299, -0.14714119, 0.61497538], [0.587, -0.28886916, -0.51496512], [0.114, 0.43601035, -0.10001026]]
_FROM_YUV = [[1.0, 1.0, 1.0], [0.0, -0.394642334, 2.03206185], [1.13988303, -0.58062185, 0.0]]


def _by_matrix(images: TensorLike, matrix: Sequence[Sequence[float]]) -> Tensor:
    images = convert_to_tensor(images, name="images")
    kernel = convert_to_tensor(matrix, dtype=images.dtype, name="kernel")
    return contraction.tensordot(images, kernel, axes=[[len(images.raw_shape or ()) - 1], [0]])


def rgb_to_yiq(images: TensorLike) -> Tensor:
    """Source: `tf.image.rgb_to_yiq`."""
    return _by_matrix(images, _YIQ)


def yiq_to_rgb(images: TensorLike) -> Tensor:
    """Source: `tf.image.yiq_to_rgb`."""
    return _by_matrix(images, _FROM_YIQ)


def rgb_to_yuv(images: TensorLike) -> Tensor:
    """Source: `tf.image.rgb_to_yuv`."""
    return _by_matrix(images, _YUV)


def yuv_to_rgb(images: TensorLike) -> Tensor:
    """Source: `tf.image.yuv_to_rgb`."""
    return _by_matrix(images, _FROM_YUV)


# --- adjustments --------------------------------------------------------------------------------------------------


def _in_floats(image: Tensor) -> Tensor:
    if image.dtype in (dtypes.float16, dtypes.float32):
        return image
    return convert_image_dtype(image, dtypes.float32)


def adjust_brightness(image: TensorLike, delta: Any) -> Tensor:
    """The image with `delta` added, on a scale of [0, 1). Source: `tf.image.adjust_brightness`."""
    with name_scope(None, "adjust_brightness") as scope:
        image = convert_to_tensor(image, name="image")
        floats = _in_floats(image)
        adjusted = arithmetic.add(floats, cast.cast(delta, floats.dtype), name=scope)
        return convert_image_dtype(adjusted, image.dtype, saturate=True)


def adjust_contrast(images: TensorLike, contrast_factor: TensorLike) -> Tensor:
    """Each channel moved away from its mean `contrast_factor` times as far. Source: `tf.image.adjust_contrast`."""
    with name_scope(None, "adjust_contrast") as scope:
        images = convert_to_tensor(images, name="images")
        floats = _in_floats(images)
        factor = convert_to_tensor(contrast_factor, dtype=dtypes.float32, name="contrast_factor")
        adjusted = apply("AdjustContrastv2", floats, factor, name=scope)
        return convert_image_dtype(adjusted, images.dtype, saturate=True)


def adjust_gamma(image: TensorLike, gamma: Any = 1, gain: Any = 1) -> Tensor:
    """`gain * image ** gamma`, on a scale of [0, 1). Source: `tf.image.adjust_gamma`."""
    with name_scope(None, "adjust_gamma"):
        image = convert_to_tensor(image, name="image")
        floats = _in_floats(image)
        if not isinstance(gamma, Tensor) and gamma < 0:
            raise ValueError("Gamma should be a non-negative real number.")
        return convert_image_dtype(gain * floats**gamma, image.dtype, saturate=True)


def adjust_hue(image: TensorLike, delta: TensorLike, name: str | None = None) -> Tensor:
    """The image with its hue turned by `delta` in [-1, 1]. Source: `tf.image.adjust_hue`."""
    with name_scope(name, "adjust_hue"):
        if not isinstance(delta, Tensor) and not -1 <= delta <= 1:
            raise ValueError("delta must be in the interval [-1, 1]")
        image = convert_to_tensor(image, name="image")
        return convert_image_dtype(apply("AdjustHue", _in_floats(image), delta), image.dtype)


def adjust_saturation(image: TensorLike, saturation_factor: TensorLike, name: str | None = None) -> Tensor:
    """The image with its saturation times `saturation_factor`. Source: `tf.image.adjust_saturation`."""
    with name_scope(name, "adjust_saturation"):
        image = convert_to_tensor(image, name="image")
        adjusted = apply("AdjustSaturation", _in_floats(image), saturation_factor)
        return convert_image_dtype(adjusted, image.dtype)


def total_variation(images: TensorLike, name: str | None = None) -> Tensor:
    """The sum of the differences of neighbouring pixels, per image. Source: `tf.image.total_variation`."""
    with name_scope(name, "total_variation"):
        images = convert_to_tensor(images)
        rank = images.shape.ndims
        if rank not in (3, 4):
            raise ValueError("'images' must be either 3 or 4-dimensional.")
        if rank == 3:
            down = apply("Sub", images[1:, :, :], images[:-1, :, :], name="sub")
            across = apply("Sub", images[:, 1:, :], images[:, :-1, :], name="sub")
        else:
            down = apply("Sub", images[:, 1:, :, :], images[:, :-1, :, :], name="sub")
            across = apply("Sub", images[:, :, 1:, :], images[:, :, :-1, :], name="sub")
        axes = None if rank == 3 else [1, 2, 3]
        sums = [reduction.reduce_sum(elementwise.abs(part), axis=axes) for part in (down, across)]
        return apply("AddV2", *sums, name="add")


# --- boxes --------------------------------------------------------------------------------------------------------


def crop_and_resize(
    image: TensorLike,
    boxes: TensorLike,
    box_ind: TensorLike = None,
    crop_size: TensorLike = None,
    method: str = "bilinear",
    extrapolation_value: float = 0,
    name: str | None = None,
    box_indices: TensorLike = None,
) -> Tensor:
    """The boxes of the images, each resized to `crop_size`. Source: `tf.image.crop_and_resize`."""
    return apply(
        "CropAndResize",
        image,
        boxes,
        one_of("box_indices", box_indices, "box_ind", box_ind),
        crop_size,
        method=method,
        extrapolation_value=extrapolation_value,
        name=name,
    )


def draw_bounding_boxes(
    images: TensorLike, boxes: TensorLike, name: str | None = None, colors: TensorLike | None = None
) -> Tensor:
    """Outlines of the boxes, drawn on the images. Source: `tf.image.draw_bounding_boxes`."""
    if colors is None:
        return apply("DrawBoundingBoxes", images, boxes, name=name)
    return apply("DrawBoundingBoxesV2", images, boxes, colors, name=name)


def non_max_suppression(
    boxes: TensorLike,
    scores: TensorLike,
    max_output_size: TensorLike,
    iou_threshold: float = 0.5,
    score_threshold: float = -math.inf,
    name: str | None = None,
) -> Tensor:
    """Indices of the boxes with the best scores that don't overlap much. Source: `tf.image.non_max_suppression`."""
    with name_scope(name, "non_max_suppression"):
        iou = convert_to_tensor(np.float32(iou_threshold), name="iou_threshold")
        score = convert_to_tensor(np.float32(score_threshold), name="score_threshold")
        return apply("NonMaxSuppressionV3", boxes, scores, max_output_size, iou, score)


def non_max_suppression_with_scores(
    boxes: TensorLike,
    scores: TensorLike,
    max_output_size: TensorLike,
    iou_threshold: float = 0.5,
    score_threshold: float = -math.inf,
    soft_nms_sigma: float = 0.0,
    name: str | None = None,
) -> tuple[Tensor, Tensor]:
    """As `non_max_suppression`, with the scores that are left. Source: `tf.image.non_max_suppression_with_scores`."""
    with name_scope(name, "non_max_suppression_with_scores"):
        iou = convert_to_tensor(np.float32(iou_threshold), name="iou_threshold")
        score = convert_to_tensor(np.float32(score_threshold), name="score_threshold")
        sigma = convert_to_tensor(np.float32(soft_nms_sigma), name="soft_nms_sigma")
        chosen, kept, _ = apply(
            "NonMaxSuppressionV5",
            boxes,
            scores,
            max_output_size,
            iou,
            score,
            sigma,
            pad_to_max_output_size=False,
        )
        return chosen, kept


def non_max_suppression_overlaps(
    overlaps: TensorLike,
    scores: TensorLike,
    max_output_size: TensorLike,
    overlap_threshold: float = 0.5,
    score_threshold: float = -math.inf,
    name: str | None = None,
) -> Tensor:
    """As `non_max_suppression`, by given overlaps. Source: `tf.image.non_max_suppression_overlaps`."""
    with name_scope(name, "non_max_suppression_overlaps"):
        limit = convert_to_tensor(np.float32(overlap_threshold), name="overlap_threshold")
        return apply("NonMaxSuppressionWithOverlaps", overlaps, scores, max_output_size, limit, score_threshold)


def combined_non_max_suppression(
    boxes: TensorLike,
    scores: TensorLike,
    max_output_size_per_class: TensorLike,
    max_total_size: int,
    iou_threshold: float = 0.5,
    score_threshold: float = -math.inf,
    pad_per_class: bool = False,
    clip_boxes: bool = True,
    name: str | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Suppression per class, of a batch. Source: `tf.image.combined_non_max_suppression`."""
    with name_scope(name, "combined_non_max_suppression"):
        iou = convert_to_tensor(np.float32(iou_threshold), name="iou_threshold")
        score = convert_to_tensor(np.float32(score_threshold), name="score_threshold")
        total = convert_to_tensor(max_total_size)
        return apply(
            "CombinedNonMaxSuppression",
            boxes,
            scores,
            max_output_size_per_class,
            total,
            iou,
            score,
            pad_per_class=pad_per_class,
            clip_boxes=clip_boxes,
        )
