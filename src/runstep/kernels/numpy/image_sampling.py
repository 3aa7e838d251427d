"""Parts of images: random crops that show enough of an object, and glimpses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from runstep.kernels.numpy.philox import stream_of, words
from runstep.kernels.numpy.random_stateless import seeded
from runstep.kernels.numpy.shape_ops import invalid, text
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = Any

Rectangle = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels."""


class _Words:
    """The words of one run's share of a stream, drawn one after the other."""

    def __init__(self, key: int, counter: int, count: int) -> None:
        self._words = iter(words(key, counter, count).tolist())

    def share(self) -> np.float32:
        """A float32 from 0 to below 1."""
        return np.uint32(next(self._words) & 0x7FFFFF | 0x3F800000).view(np.float32) - np.float32(1)

    def below(self, limit: int) -> int:
        """An integer from 0 to below `limit`, all alike: words that would favour some are passed over."""
        if limit & (limit - 1) == 0:
            return int(next(self._words)) & (limit - 1)
        last = 0xFFFFFFFF - (0xFFFFFFFF % limit + 1)
        while (word := int(next(self._words))) > last:
            pass
        return word % limit


def _area(box: Rectangle) -> np.float32:
    return np.float32(max(0, box[2] - box[0]) * max(0, box[3] - box[1])) if box[2] > box[0] else np.float32(0)


def _shows_enough(crop: Rectangle, boxes: list[Rectangle], least: np.float32) -> bool:
    if _area(crop) < 1:
        return False
    for box in boxes:
        area = _area(box)
        if area < 1:
            continue
        common = (max(crop[0], box[0]), max(crop[1], box[1]), min(crop[2], box[2]), min(crop[3], box[3]))
        if _area(common) / area >= least:
            return True
    return False


def _sides(
    width: int, height: int, least: np.float32, most: np.float32, ratio: np.float32, draw: _Words
) -> tuple[int, int] | None:
    """Width and height of a crop of that ratio, its area within the bounds; None if there is none."""

    def wide(tall: int) -> int:
        return int(np.rint(np.float32(tall) * ratio))

    low = int(np.rint(np.sqrt(least / ratio)))
    high = int(np.rint(np.sqrt(most / ratio)))
    if wide(high) > width:
        high = int(np.float32(width + 0.5 - 1e-7) / ratio)
        if wide(high) > width:
            high -= 1
    high = min(high, height)
    tall = min(low, high)
    if tall < high:
        tall += draw.below(high - tall + 1)
    area = np.float32(wide(tall) * tall)
    if area < least:
        tall += 1
    elif area > most:
        tall -= 1
    area = np.float32(wide(tall) * tall)
    if not least <= area <= most or not 0 < tall <= height or not 0 < wide(tall) <= width:
        return None
    return wide(tall), tall


def _boxes_in_pixels(boxes: Array, width: int, height: int) -> list[Rectangle]:
    flat = boxes.reshape(-1, 4)
    if ((flat < 0) | (flat > 1)).any():
        invalid("All bounding box coordinates must be in [0.0, 1.0]")
    scale = np.array([height, width, height, width], np.float32)
    return [(left, top, right, bottom) for top, left, bottom, right in (flat * scale).astype(np.int32).tolist()]


@numpy_kernel.make("SampleDistortedBoundingBox", "SampleDistortedBoundingBoxV2")
def sample_distorted_bounding_box(node: Node) -> Kernel:
    stream, attempts = stream_of(node), int(node.attrs["max_attempts"])
    given = node.attrs.get("min_object_covered")
    sample = _sampler(node)

    def kernel(size: Any, boxes: Any, *covered: Any) -> tuple[Any, Any, Any]:
        if covered and np.ndim(covered[0]):
            invalid(f"min_object_covered must be 0-D, got shape {text(np.shape(covered[0]))}")
        least = np.float32(covered[0] if covered else given)
        return sample(size, boxes, least, lambda: (stream.key, stream.reserve_words(4 * attempts)))

    return kernel


@numpy_kernel.make("StatelessSampleDistortedBoundingBox")
def stateless_sample_distorted_bounding_box(node: Node) -> Kernel:
    sample = _sampler(node)
    return lambda size, boxes, covered, seed: sample(size, boxes, np.float32(covered), lambda: seeded(seed))


def _sampler(node: Node) -> Kernel:
    """Of the size of an image, boxes in it, the share of one to be seen, and where its stream of words begins."""
    attrs = node.attrs
    attempts = int(attrs["max_attempts"])
    ratios = np.array(attrs["aspect_ratio_range"], np.float32)
    areas = np.array(attrs["area_range"], np.float32)
    whole = attrs["use_image_if_no_bounding_boxes"]
    kind = node.output_types[0].np
    _check(ratios, areas, attempts)

    def sample(size: Any, boxes: Any, least: Any, start: Callable[[], tuple[int, int]]) -> tuple[Any, Any, Any]:
        if size.shape != (3,):
            invalid(f"image_size must be a vector of 3 elements, got shape {text(size.shape)}")
        if boxes.ndim != 3 or boxes.shape[2] != 4:
            invalid(f"input boxes must be 3-dimensional [batch, num_boxes, coords]: {text(boxes.shape)}")
        if not least >= 0:
            invalid(f"Min object covered must be non-negative: {least}")
        height, width = int(size[0]), int(size[1])
        for what, pixels in (("height", height), ("width", width)):
            if not 0 <= pixels < 2**31 - 1:
                invalid(f"image {what} cannot be >= int32 max")
        objects = _boxes_in_pixels(boxes, width, height)
        if not objects:
            if not whole:
                invalid(
                    "No bounding boxes provided as input. One must enable use_image_if_no_bounding_boxes if you wish "
                    "to not provide any bounding boxes."
                )
            objects = [(0, 0, width, height)]
        draw = _Words(*start(), 64 * attempts)
        left, top, right, bottom = _crop(width, height, ratios, areas, objects, least, attempts, draw)
        shares = np.array([top, left, bottom, right], np.float32) / np.array([height, width] * 2, np.float32)
        return (
            np.array([top, left, 0], kind),
            np.array([bottom - top, right - left, -1]).astype(kind),
            shares.reshape(1, 1, 4),
        )

    return sample


@numpy_kernel.make("RandomCrop")
def random_crop(node: Node) -> Kernel:
    """A part of an image, of a given size at a random place."""
    stream = stream_of(node)

    def kernel(image: Any, size: Any) -> Any:
        if image.ndim != 3:
            invalid(f"input must be 3-dim, received shape: {text(image.shape)}")
        if size.shape != (2,):
            invalid(f"size must be a vector of 2 elements, got shape {text(size.shape)}")
        height, width = size.tolist()
        if not (0 <= height <= image.shape[0] and 0 <= width <= image.shape[1]):
            invalid(f"Crop of {height} x {width} does not fit in an image of {image.shape[0]} x {image.shape[1]}")
        draw = _Words(stream.key, stream.reserve_words(2), 256)
        left = draw.below(image.shape[1] - width + 1) if width < image.shape[1] else 0
        top = draw.below(image.shape[0] - height + 1) if height < image.shape[0] else 0
        return image[top : top + height, left : left + width].copy()

    return kernel


def _check(ratios: Array, areas: Array, attempts: int) -> None:
    for values, what in ((ratios, "Aspect ratio"), (areas, "Area")):
        if values.shape != (2,) or not (values > 0).all():
            invalid(f"{what} range must be two positive numbers, got {values.tolist()}")
    if (areas > 1).any():
        invalid(f"Area range must end at 1 or before, got {areas.tolist()}")
    if attempts <= 0:
        invalid(f"Max attempts must be positive: {attempts}")


def _crop(
    width: int,
    height: int,
    ratios: Array,
    areas: Array,
    objects: list[Rectangle],
    least: np.float32,
    attempts: int,
    draw: _Words,
) -> Rectangle:
    image = np.float32(width * height)
    for _ in range(attempts):
        ratio = draw.share() * (ratios[1] - ratios[0]) + ratios[0]
        sides = _sides(width, height, areas[0] * image, areas[1] * image, ratio, draw)
        if sides is None:
            continue
        top = draw.below(height - sides[1]) if sides[1] < height else 0
        left = draw.below(width - sides[0]) if sides[0] < width else 0
        crop = (left, top, left + sides[0], top + sides[1])
        if _shows_enough(crop, objects, least):
            return crop
    return 0, 0, width, height


# --- glimpses -----------------------------------------------------------------------------------------------------


def _noise(image: Array, shape: tuple[int, ...], kind: str) -> Array:
    """What a glimpse shows outside of the image: numbers within its range, other ones in each run, as in TensorFlow."""
    if kind == "zero" or not image.size:
        return np.zeros(shape, np.float32)
    generator = np.random.default_rng()
    least, most = image.min(), image.max()
    if kind == "gaussian":
        drawn = generator.normal(image.mean(), image.std(), shape)
        return np.clip(drawn, least, most).astype(np.float32)
    return generator.uniform(least, most, shape).astype(np.float32)


@numpy_kernel.make("ExtractGlimpse", "ExtractGlimpseV2")
def extract_glimpse(node: Node) -> Kernel:
    attrs, first = node.attrs, node.type == "ExtractGlimpse"
    centered, normalized = attrs["centered"], attrs["normalized"]
    noise = bytes(attrs["noise"]).decode()
    if noise not in ("uniform", "gaussian", "zero"):
        invalid(f"The noise could only be uniform, gaussian, or zero, got {noise}")

    def kernel(images: Any, size: Any, offsets: Any) -> Array:
        if images.ndim != 4:
            invalid(f"input must be 4-dimensional: {text(images.shape)}")
        if size.shape != (2,):
            invalid(f"input must be a vector of size 2 (height, width): {text(size.shape)}")
        if (size < 0).any():
            invalid(f"got image size {size.tolist()}: neither may be negative")
        if offsets.shape != (len(images), 2):
            invalid(f"offsets must be [batch, 2], batch {len(images)}, got {text(offsets.shape)}")
        sides = np.array(images.shape[1:3], np.float32)
        starts = offsets * sides if normalized else offsets.copy()
        if centered and (first or normalized):
            starts = starts / 2 + sides / 2
        elif centered:
            starts = starts + sides / 2
        if first or (centered and normalized):
            starts = starts - size.astype(np.float32) / 2
        out = np.empty((len(images), *size.tolist(), images.shape[3]), np.float32)
        for image, start, glimpse in zip(images, starts.astype(np.int64).tolist(), out, strict=True):
            _copy(image, start, glimpse, noise)
        return out

    return kernel


def _copy(image: Array, start: list[int], glimpse: Array, noise: str) -> None:
    """The part of the image from `start` on; noise where it is outside."""
    inside, source = [], []
    for axis in range(2):
        low, high = max(0, -start[axis]), min(glimpse.shape[axis], image.shape[axis] - start[axis])
        inside.append(slice(low, max(low, high)))
        source.append(slice(start[axis] + low, start[axis] + max(low, high)))
    whole = all(part == slice(0, side) for part, side in zip(inside, glimpse.shape, strict=False))
    if not whole:
        glimpse[...] = _noise(image, glimpse.shape, noise)
    glimpse[tuple(inside)] = image[tuple(source)]
