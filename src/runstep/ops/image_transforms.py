"""Flipping, turning, cropping, padding and resizing of images: the `tf.image.*` functions.

An image is `[height, width, channels]`, or `[batch, height, width, channels]`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops import arithmetic, basic, cast, elementwise, joining, rearranging, reduction, shape_ops, slicing

__all__ = [
    "ResizeMethod",
    "central_crop",
    "crop_to_bounding_box",
    "flip_left_right",
    "flip_up_down",
    "pad_to_bounding_box",
    "per_image_standardization",
    "resize",
    "resize_area",
    "resize_bicubic",
    "resize_bilinear",
    "resize_image_with_crop_or_pad",
    "resize_image_with_pad",
    "resize_images",
    "resize_nearest_neighbor",
    "resize_with_crop_or_pad",
    "rot90",
    "transpose_image",
]


class ResizeMethod:
    """How `resize_images` finds the pixels between pixels. Source: `tf.image.ResizeMethod`."""

    BILINEAR = 0
    NEAREST_NEIGHBOR = 1
    BICUBIC = 2
    AREA = 3


def _image(image: TensorLike) -> Tensor:
    """`image` as a tensor of rank 3 or 4; ValueError for another rank, an unknown one, or an axis of size 0."""
    image = convert_to_tensor(image, name="image")
    raw = image.raw_shape
    if raw is None:
        raise ValueError("'image' must have either 3 or 4 dimensions.")
    if len(raw) not in (3, 4):
        raise ValueError(f"'image' must have either 3 or 4 dimensions. Got shape {image.shape}")
    if any(size == 0 for size in raw[-3:]):
        raise ValueError(f"inner 3 dims of 'image.shape' must be > 0: {image.shape}")
    return image


def _checked(image: Tensor) -> Tensor:
    """Where TensorFlow hangs the checks that a static shape makes needless."""
    return basic.with_dependencies([], image)


def _flipped(image: TensorLike, axis: int, scope_name: str) -> Tensor:
    with name_scope(None, scope_name):
        image = _image(image)
        rank = len(image.raw_shape or ())
        result = rearranging.reverse(_checked(image), [axis + rank - 3])
        result.set_shape(image.shape)
        return result


def flip_left_right(image: TensorLike) -> Tensor:
    """The image with its columns in the opposite order. Source: `tf.image.flip_left_right`."""
    return _flipped(image, 1, "flip_left_right")


def flip_up_down(image: TensorLike) -> Tensor:
    """The image with its rows in the opposite order. Source: `tf.image.flip_up_down`."""
    return _flipped(image, 0, "flip_up_down")


def rot90(image: TensorLike, k: int = 1, name: str | None = None) -> Tensor:
    """The image turned `k` times by 90 degrees, counter-clockwise. Source: `tf.image.rot90`."""
    with name_scope(name, "rot90"):
        image = _image(image)
        rank = len(image.raw_shape or ())
        image = _checked(image)
        turns = constant_value(convert_to_tensor(k, dtype=dtypes.int32, name="k"))
        if turns is None or turns.ndim:
            raise ValueError("`k` must be a known scalar.")
        rows, columns = rank - 3, rank - 2
        order = list(range(rank))
        order[rows], order[columns] = columns, rows
        match int(turns) % 4:
            case 1:
                return rearranging.transpose(rearranging.reverse(image, [columns]), order)
            case 2:
                return rearranging.reverse(image, [rows, columns])
            case 3:
                return rearranging.reverse(rearranging.transpose(image, order), [columns])
        return image


def transpose_image(image: TensorLike, name: str | None = None) -> Tensor:
    """The image with rows and columns exchanged. Source: `tf.image.transpose_image`."""
    with name_scope(name, "transpose"):
        image = _image(image)
        order = [1, 0, 2] if len(image.raw_shape or ()) == 3 else [0, 2, 1, 3]
        return rearranging.transpose(_checked(image), order, name="transpose")


def _known(size: Any) -> int | None:
    value = constant_value(size) if isinstance(size, Tensor) else size
    return None if value is None else int(value)


def central_crop(image: TensorLike, central_fraction: Any) -> Tensor:
    """The middle of the image, `central_fraction` of its height and width. Source: `tf.image.central_crop`."""
    with name_scope(None, "central_crop"):
        fraction = _known_fraction(central_fraction)
        if not 0 < fraction <= 1:
            raise ValueError("central_fraction must be within (0, 1]")
        if fraction == 1:
            return convert_to_tensor(image, name="image")
        image = _image(image)
        raw: Any = image.raw_shape or ()
        _checked(image)
        height, width = raw[-3], raw[-2]
        lead = len(raw) - 3
        if height is not None and width is not None:
            top, left = int((height - height * fraction) / 2), int((width - width * fraction) / 2)
            tall, wide = height - 2 * top, width - 2 * left
            begin = joining.stack([0] * lead + [top, left, 0])
            size = joining.stack([-1] * lead + [tall, wide, -1])
            result = slicing.slice(image, begin, size)
            result.set_shape([*raw[:lead], tall, wide, raw[-1]])
            return result
        sizes = shape_ops.shape(image)
        parts = []
        for axis in (lead, lead + 1):
            length = sizes[axis]
            wanted = arithmetic.multiply(cast.cast(length, dtypes.float64), np.float64(fraction))
            rest = arithmetic.subtract(cast.cast(length, dtypes.float64), wanted)
            offset = cast.cast(arithmetic.realdiv(rest, np.float64(2)), dtypes.int32)
            parts.append((offset, arithmetic.subtract(length, arithmetic.multiply(offset, 2))))
        begin = joining.stack([0] * lead + [parts[0][0], parts[1][0], 0])
        size = joining.stack([-1] * lead + [parts[0][1], parts[1][1], -1])
        result = slicing.slice(image, begin, size)
        result.set_shape([*raw[:lead], None, None, raw[-1]])
        return result


def _known_fraction(value: Any) -> float:
    known = constant_value(value) if isinstance(value, Tensor) else value
    if known is None or isinstance(known, (list, tuple)):
        raise ValueError("`central_fraction` must be a known scalar.")
    return float(known)


def _batched(image: TensorLike) -> tuple[Tensor, bool]:
    """A batch of images, and whether it was made of one."""
    image = convert_to_tensor(image, name="image")
    rank = image.shape.ndims
    if rank == 3:
        return shape_ops.expand_dims(image, 0), True
    if rank is None:
        image.set_shape([None] * 4)
    elif rank != 4:
        raise ValueError(f"'image' ({image.shape}) must have either 3 or 4 dimensions.")
    return image, False


def _sizes(image: Tensor) -> list[Any]:
    """Batch, height, width and depth: ints where known, else scalar tensors."""
    raw = image.raw_shape or (None,) * 4
    if None not in raw:
        return list(raw)
    dynamic = joining.unstack(shape_ops.shape(image), 4)
    return [dynamic[axis] if size is None else size for axis, size in enumerate(raw)]


def _refuse(condition: bool | None, text: str) -> None:
    if condition is False:
        raise ValueError(text)


def _at_least(a: Any, b: int = 0) -> bool | None:
    known = _known(a)
    return None if known is None else known >= b


def _minus(a: Any, b: Any) -> Any:
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return apply("Sub", a, b, name="sub")
    return a - b


def pad_to_bounding_box(
    image: TensorLike, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any
) -> Tensor:
    """The image on a black ground of the target size, its corner at the offset.
    Source: `tf.image.pad_to_bounding_box`."""
    with name_scope(None, "pad_to_bounding_box"):
        image, single = _batched(image)
        batch, height, width, depth = _sizes(image)
        right = _minus(_minus(target_width, offset_width), width)
        bottom = _minus(_minus(target_height, offset_height), height)
        _refuse(_at_least(offset_height), "offset_height must be >= 0")
        _refuse(_at_least(offset_width), "offset_width must be >= 0")
        _refuse(_at_least(right), "width must be <= target - offset")
        _refuse(_at_least(bottom), "height must be <= target - offset")
        image = _checked(image)
        paddings = apply("Reshape", joining.stack([0, 0, offset_height, bottom, offset_width, right, 0, 0]), [4, 2])
        padded = joining.pad(image, paddings)
        raw = image.raw_shape or (None,) * 4
        padded.set_shape([raw[0], _known(target_height), _known(target_width), raw[3]])
        return shape_ops.squeeze(padded, axis=[0]) if single else padded


def crop_to_bounding_box(
    image: TensorLike, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any
) -> Tensor:
    """The part of the image of the target size, its corner at the offset. Source: `tf.image.crop_to_bounding_box`."""
    with name_scope(None, "crop_to_bounding_box"):
        image, single = _batched(image)
        raw = image.raw_shape or (None,) * 4
        _, height, width, _ = _sizes(image)
        _refuse(_at_least(offset_width), "offset_width must be >= 0.")
        _refuse(_at_least(offset_height), "offset_height must be >= 0.")
        _refuse(_at_least(target_width, 1), "target_width must be > 0.")
        _refuse(_at_least(target_height, 1), "target_height must be > 0.")
        rest = None if isinstance(width, Tensor) else _minus(width, target_width)
        if rest is not None and not isinstance(rest, Tensor) and not isinstance(offset_width, Tensor):
            _refuse(rest >= offset_width, "width must be >= target + offset.")
        rest = None if isinstance(height, Tensor) else _minus(height, target_height)
        if rest is not None and not isinstance(rest, Tensor) and not isinstance(offset_height, Tensor):
            _refuse(rest >= offset_height, "height must be >= target + offset.")
        image = _checked(image)
        begin = joining.stack([0, offset_height, offset_width, 0])
        count = shape_ops.shape(image)[0]
        depth = shape_ops.shape(image)[3]
        size = joining.stack([count, target_height, target_width, depth])
        cropped = slicing.slice(image, begin, size)
        cropped.set_shape([raw[0], _known(target_height), _known(target_width), raw[3]])
        return shape_ops.squeeze(cropped, axis=[0]) if single else cropped


def resize_image_with_crop_or_pad(image: TensorLike, target_height: Any, target_width: Any) -> Tensor:
    """The middle of the image, or the image in the middle of black: of the target size either way.
    Source: `tf.image.resize_image_with_crop_or_pad`."""
    with name_scope(None, "resize_image_with_crop_or_pad"):
        image, single = _batched(image)
        for size, what in ((target_width, "width"), (target_height, "height")):
            _refuse(_at_least(size, 1), f"target_{what} must be > 0.")
        image = _checked(image)
        _, height, width, _ = _sizes(image)
        over_width, over_height = _minus(target_width, width), _minus(target_height, height)
        crop_left, pad_left = _half(over_width, -1), _half(over_width, 1)
        crop_top, pad_top = _half(over_height, -1), _half(over_height, 1)
        cropped = crop_to_bounding_box(
            image, crop_top, crop_left, _smaller(target_height, height), _smaller(target_width, width)
        )
        padded = pad_to_bounding_box(cropped, pad_top, pad_left, target_height, target_width)
        padded = _checked(padded)
        return shape_ops.squeeze(padded, axis=[0]) if single else padded


resize_with_crop_or_pad = resize_image_with_crop_or_pad


def _half(excess: Any, sign: int) -> Any:
    """Half of what is too little (sign 1) or too much (sign -1), at least 0."""
    if isinstance(excess, Tensor):
        half = arithmetic.floordiv(excess if sign > 0 else elementwise.negative(excess), 2)
        return arithmetic.maximum(half, 0)
    return max(sign * excess // 2, 0)


def _smaller(a: Any, b: Any) -> Any:
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return arithmetic.minimum(a, b)
    return min(a, b)


def per_image_standardization(image: TensorLike) -> Tensor:
    """Each image with mean 0 and variance 1 (of a flat image: less). Source: `tf.image.per_image_standardization`."""
    with name_scope(None, "per_image_standardization") as scope:
        image = _image(image)
        image = _checked(image)
        original = image.dtype
        if original not in (dtypes.float16, dtypes.float32):
            from runstep.ops.image_colors import convert_image_dtype

            image = convert_image_dtype(image, dtypes.float32)
        inner = shape_ops.shape(image)[-3:]
        count = reduction.reduce_prod(inner)
        mean = reduction.reduce_mean(image, axis=[-1, -2, -3], keepdims=True)
        deviation = reduction.reduce_std(image, axis=[-1, -2, -3], keepdims=True)
        least = elementwise.rsqrt(cast.cast(count, image.dtype))
        adjusted = arithmetic.maximum(deviation, least)
        centered = apply("Sub", image, mean, name="sub")
        return arithmetic.realdiv(centered, adjusted, name=scope)


# --- resizing -----------------------------------------------------------------------------------------------------


def resize_bilinear(
    images: TensorLike,
    size: TensorLike,
    align_corners: bool = False,
    name: str | None = None,
    half_pixel_centers: bool = False,
) -> Tensor:
    """Source: `tf.image.resize_bilinear`."""
    return apply(
        "ResizeBilinear", images, size, align_corners=align_corners, half_pixel_centers=half_pixel_centers, name=name
    )


def resize_nearest_neighbor(
    images: TensorLike,
    size: TensorLike,
    align_corners: bool = False,
    name: str | None = None,
    half_pixel_centers: bool = False,
) -> Tensor:
    """Source: `tf.image.resize_nearest_neighbor`."""
    return apply(
        "ResizeNearestNeighbor",
        images,
        size,
        align_corners=align_corners,
        half_pixel_centers=half_pixel_centers,
        name=name,
    )


def resize_bicubic(
    images: TensorLike,
    size: TensorLike,
    align_corners: bool = False,
    name: str | None = None,
    half_pixel_centers: bool = False,
) -> Tensor:
    """Source: `tf.image.resize_bicubic`."""
    return apply(
        "ResizeBicubic", images, size, align_corners=align_corners, half_pixel_centers=half_pixel_centers, name=name
    )


def resize_area(images: TensorLike, size: TensorLike, align_corners: bool = False, name: str | None = None) -> Tensor:
    """Source: `tf.image.resize_area`."""
    return apply("ResizeArea", images, size, align_corners=align_corners, name=name)


def _scaled_size(size: Tensor, raw: Any) -> Tensor:
    """The largest size within `size` that keeps the proportions."""
    factors = []
    for axis in (0, 1):
        wanted = cast.cast(size[axis], dtypes.float32)
        factors.append(arithmetic.realdiv(wanted, cast.cast(raw[axis + 1], dtypes.float32), name="truediv"))
    factor = arithmetic.minimum(factors[0], factors[1])
    parts = []
    for axis in (0, 1):
        scaled = apply("Mul", factor, cast.cast(raw[axis + 1], dtypes.float32), name="mul")
        parts.append(cast.cast(elementwise.round(scaled), dtypes.int32))
    return joining.stack(parts, name="size")


def resize_images(
    images: TensorLike,
    size: TensorLike,
    method: Any = ResizeMethod.BILINEAR,
    align_corners: bool = False,
    preserve_aspect_ratio: bool = False,
    name: str | None = None,
) -> Tensor:
    """Images of `size` [height, width], by a `ResizeMethod`; the images themselves where they have it already.
    Source: `tf.image.resize_images`."""
    with name_scope(name, "resize"):
        images = convert_to_tensor(images, name="images")
        rank = images.shape.ndims
        if rank is None:
            raise ValueError("'images' contains no shape.")
        single = rank == 3
        if single:
            images = shape_ops.expand_dims(images, 0)
        elif rank != 4:
            raise ValueError("'images' must have either 3 or 4 dimensions.")
        raw = images.raw_shape or (None,) * 4
        size = convert_to_tensor(size, dtype=dtypes.int32, name="size")
        if not size.shape.is_compatible_with([2]):
            raise ValueError("'size' must be a 1-D Tensor of 2 elements: new_height, new_width")
        if preserve_aspect_ratio:
            known = [*raw] if None not in raw[1:3] else _sizes(images)
            size = _scaled_size(size, known)
        wanted = constant_value(size)
        height, width = (None, None) if wanted is None else (int(value) for value in wanted)
        if height is not None and (raw[1], raw[2]) == (height, width):
            return shape_ops.squeeze(images, axis=[0]) if single else images
        functions: dict[Any, Any] = {
            ResizeMethod.BILINEAR: resize_bilinear,
            ResizeMethod.NEAREST_NEIGHBOR: resize_nearest_neighbor,
            ResizeMethod.BICUBIC: resize_bicubic,
            ResizeMethod.AREA: resize_area,
            "bilinear": resize_bilinear,
            "nearest": resize_nearest_neighbor,
            "bicubic": resize_bicubic,
            "area": resize_area,
        }
        if method not in functions:
            raise ValueError("Resize method is not implemented.")
        result = functions[method](images, size, align_corners=align_corners)
        result.set_shape([raw[0], height, width, raw[3]])
        return shape_ops.squeeze(result, axis=[0]) if single else result


resize = resize_images


def resize_image_with_pad(
    image: TensorLike,
    target_height: Any,
    target_width: Any,
    method: Any = ResizeMethod.BILINEAR,
    align_corners: bool = False,
) -> Tensor:
    """The image in its proportions, as large as fits, in the middle of black of the target size.
    Source: `tf.image.resize_image_with_pad`."""
    with name_scope(None, "resize_image_with_pad"):
        image, single = _batched(image)
        for target, what in ((target_width, "width"), (target_height, "height")):
            _refuse(_at_least(target, 1), f"target_{what} must be > 0.")
        image = _checked(image)
        _, height, width, _ = _sizes(image)
        tall, wide = (cast.cast(size, dtypes.float32) for size in (height, width))
        most_tall, most_wide = (cast.cast(size, dtypes.float32) for size in (target_height, target_width))
        ratio = arithmetic.maximum(
            arithmetic.realdiv(wide, most_wide, name="truediv"), arithmetic.realdiv(tall, most_tall, name="truediv")
        )
        scaled = [arithmetic.realdiv(size, ratio, name="truediv") for size in (tall, wide)]
        sizes = [cast.cast(elementwise.floor(size), dtypes.int32) for size in scaled]
        halves = [
            arithmetic.realdiv(apply("Sub", most, size, name="sub"), np.float32(2), name="truediv")
            for most, size in zip((most_tall, most_wide), scaled, strict=True)
        ]
        floors = [elementwise.floor(half) for half in halves]
        offsets = [arithmetic.maximum(0, cast.cast(floor, dtypes.int32)) for floor in floors]
        resized = resize_images(image, joining.stack(sizes), method, align_corners=align_corners)
        padded = pad_to_bounding_box(resized, offsets[0], offsets[1], target_height, target_width)
        padded.set_shape([None, _known(target_height), _known(target_width), None])
        return shape_ops.squeeze(padded, axis=[0]) if single else padded
