"""Parts of images, at random or by place: distorted bounding boxes, glimpses; JPEG artefacts. Rows and functions."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes, shapes
from runstep.graph.apply import apply, apply_named
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import Shapes
from runstep.ops.image_codecs import decode_jpeg
from runstep.ops.image_colors import convert_image_dtype
from runstep.ops.random import SEEDS, random_uniform
from runstep.ops.registry import op

__all__ = [
    "adjust_jpeg_quality",
    "extract_glimpse",
    "random_jpeg_quality",
    "sample_distorted_bounding_box",
]

_INTEGERS = "T: {uint8, int8, int16, int32, int64}"


def _box(op: Any) -> Shapes:
    size = shapes.with_rank(op.inputs[0].raw_shape, 1)
    shapes.merge_size(size[0], 3)
    boxes = shapes.with_rank(op.inputs[1].raw_shape, 3)
    shapes.merge_size(boxes[2], 4)
    for tensor in op.inputs[2:3]:
        shapes.with_rank(tensor.raw_shape, 0)
    for seed in op.inputs[3:]:
        shapes.with_rank(seed.raw_shape, 1)
    return [(3,), (3,), (1, 1, 4)]


_BOX_ATTRS = (
    "aspect_ratio_range: list(float) = [0.75, 1.33]",
    "area_range: list(float) = [0.05, 1.0]",
    "max_attempts: int = 100",
    "use_image_if_no_bounding_boxes: bool = false",
)
_BOX_OUTPUTS = "begin: T, size: T, bboxes: float32"
op(
    "SampleDistortedBoundingBox",
    f"image_size: T, bounding_boxes: float32 -> {_BOX_OUTPUTS}",
    _INTEGERS,
    *SEEDS,
    "min_object_covered: float = 0.1",
    *_BOX_ATTRS,
    shape=_box,
    stateful=True,
)
op(
    "SampleDistortedBoundingBoxV2",
    f"image_size: T, bounding_boxes: float32, min_object_covered: float32 -> {_BOX_OUTPUTS}",
    _INTEGERS,
    *SEEDS,
    *_BOX_ATTRS,
    shape=_box,
    stateful=True,
)
op(
    "StatelessSampleDistortedBoundingBox",
    f"image_size: T, bounding_boxes: float32, min_object_covered: float32, seed: Tseed -> {_BOX_OUTPUTS}",
    _INTEGERS,
    "Tseed: {int32, int64}",
    *_BOX_ATTRS,
    shape=_box,
)


def _cropped(op: Any) -> Shapes:
    image = shapes.with_rank(op.inputs[0].raw_shape, 3)
    shapes.merge_size(shapes.with_rank(op.inputs[1].raw_shape, 1)[0], 2)
    size = op.constant(1)
    return [(*((None, None) if size is None else size.tolist()), image[2])]


op(
    "RandomCrop",
    "image: T, size: int64 -> output: T",
    "T: {uint8, int8, int16, int32, int64, float32, float64}",
    *SEEDS,
    shape=_cropped,
    stateful=True,
)


def _glimpse(op: Any) -> Shapes:
    image = shapes.with_rank(op.inputs[0].raw_shape, 4)
    shapes.merge_size(shapes.with_rank(op.inputs[1].raw_shape, 1)[0], 2)
    offsets = shapes.with_rank(op.inputs[2].raw_shape, 2)
    shapes.merge_size(offsets[1], 2)
    if op.attrs["uniform_noise"] and op.attrs["noise"] != b"uniform":
        raise ValueError("The uniform_noise should not be True when noise is not uniform")
    size = op.constant(1)
    height, width = (None, None) if size is None else (int(side) if side != -1 else None for side in size)
    return [(shapes.merge_size(image[0], offsets[0]), height, width, image[3])]


for _name in ("ExtractGlimpse", "ExtractGlimpseV2"):
    op(
        _name,
        "input: float32, size: int32, offsets: float32 -> glimpse: float32",
        "centered: bool = true",
        "normalized: bool = true",
        "uniform_noise: bool = true",
        "noise: string = 'uniform'",
        shape=_glimpse,
    )


def sample_distorted_bounding_box(
    image_size: TensorLike,
    bounding_boxes: TensorLike,
    seed: int | None = None,
    seed2: int | None = None,
    min_object_covered: TensorLike = 0.1,
    aspect_ratio_range: Any = None,
    area_range: Any = None,
    max_attempts: int | None = None,
    use_image_if_no_bounding_boxes: bool | None = None,
    name: str | None = None,
) -> Any:
    """A random part of an image that shows enough of one of its objects: (begin, size, bboxes).

    Source: `tf.image.sample_distorted_bounding_box`. `begin` and `size` are for `tf.slice`; `bboxes`, float32
    [1, 1, 4], for `tf.image.draw_bounding_boxes`.

    Args:
      image_size: integers [height, width, channels].
      bounding_boxes: float32 [batch, count, 4]: (y, x) of two corners each, as shares of the image's size.
      min_object_covered: the least share of one box that the part shows. aspect_ratio_range: of width to height;
        (0.75, 1.33) by default. area_range: of the part to the image; (0.05, 1) by default.
      max_attempts: so many tries, 100 by default; then the whole image.
      use_image_if_no_bounding_boxes: take no box for one of the whole image; else it is an error.
    """
    with name_scope(name, "sample_distorted_bounding_box"):
        return apply_named(
            "SampleDistortedBoundingBoxV2",
            image_size,
            bounding_boxes,
            min_object_covered,
            seed=seed,
            seed2=seed2,
            aspect_ratio_range=aspect_ratio_range,
            area_range=area_range,
            max_attempts=max_attempts,
            use_image_if_no_bounding_boxes=use_image_if_no_bounding_boxes,
            name=name,
        )


def extract_glimpse(
    input: TensorLike,
    size: TensorLike,
    offsets: TensorLike,
    centered: bool = True,
    normalized: bool = True,
    uniform_noise: bool = True,
    name: str | None = None,
) -> Tensor:
    """A window of each image: float32 [batch, size[0], size[1], channels]. Source: `tf.image.extract_glimpse`.

    Args:
      input: float32 [batch, height, width, channels]. size: int32 [2], height and width.
      offsets: float32 [batch, 2]: (y, x) of the window's centre.
      centered: count from the image's centre. normalized: in halves of the image's size; else in pixels.
      uniform_noise: what is outside of the image is uniform noise; else normal noise.
    """
    return apply(
        "ExtractGlimpse",
        input,
        size,
        offsets,
        centered=centered,
        normalized=normalized,
        uniform_noise=uniform_noise,
        name=name,
    )


def adjust_jpeg_quality(
    image: TensorLike, jpeg_quality: TensorLike, dct_method: str = "", name: str | None = None
) -> Tensor:
    """The image as a JPEG file of that quality shows it; needs Pillow. Source: `tf.image.adjust_jpeg_quality`.

    Args:
      image: [height, width, 1 or 3], uint8 or floats from 0 to 1. jpeg_quality: from 0 to 100, a scalar.
    """
    with name_scope(name, "adjust_jpeg_quality", [image]):
        image = convert_to_tensor(image, name="image")
        channels = image.shape.as_list()[-1]
        original = image.dtype
        image = convert_image_dtype(image, dtypes.uint8, saturate=True)
        if not isinstance(jpeg_quality, Tensor):
            jpeg_quality = convert_to_tensor(jpeg_quality, dtypes.int32)
        file = apply("EncodeJpegVariableQuality", image, jpeg_quality)
        image = decode_jpeg(file, channels=channels, dct_method=dct_method)
        return convert_image_dtype(image, original, saturate=True)


def random_jpeg_quality(
    image: TensorLike, min_jpeg_quality: int, max_jpeg_quality: int, seed: int | None = None
) -> Tensor:
    """As `adjust_jpeg_quality`, of a random quality below `max_jpeg_quality`. Source: `tf.image.random_jpeg_quality`.

    Raises:
      ValueError: the bounds are not from 0 to 100, or not in order.
    """
    if min_jpeg_quality < 0 or max_jpeg_quality < 0 or min_jpeg_quality > 100 or max_jpeg_quality > 100:
        raise ValueError("jpeg encoding range must be between 0 and 100.")
    if min_jpeg_quality >= max_jpeg_quality:
        raise ValueError("`min_jpeg_quality` must be less than `max_jpeg_quality`.")
    quality = random_uniform([], min_jpeg_quality, max_jpeg_quality, seed=seed, dtype=dtypes.int32)
    return adjust_jpeg_quality(image, quality)
