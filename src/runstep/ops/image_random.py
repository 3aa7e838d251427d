"""Images changed at random, and how images differ: the `tf.image.*` functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.graph import get_default_graph, name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.activation import relu
from runstep.ops.arithmetic import pow, squared_difference, subtract
from runstep.ops.basic import identity
from runstep.ops.branching import cond
from runstep.ops.cast import cast
from runstep.ops.comparison import equal, greater_equal, less
from runstep.ops.creation import zeros
from runstep.ops.elementwise import log, round, square
from runstep.ops.image_colors import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    convert_image_dtype,
)
from runstep.ops.joining import concat, pad, stack, tile, unstack
from runstep.ops.logging import Assert
from runstep.ops.nn_dilated_convolution import depthwise_conv2d
from runstep.ops.nn_pooling import avg_pool, extract_image_patches
from runstep.ops.random import random_uniform
from runstep.ops.rearranging import reverse
from runstep.ops.reduction import reduce_all, reduce_mean, reduce_prod
from runstep.ops.shape_ops import reshape, shape, shape_n, size

__all__ = [
    "extract_patches",
    "image_gradients",
    "psnr",
    "random_brightness",
    "random_contrast",
    "random_flip_left_right",
    "random_flip_up_down",
    "random_hue",
    "random_saturation",
    "sobel_edges",
    "ssim",
    "ssim_multiscale",
]


# --- changes ----------------------------------------------------------------------------------------------------------


def random_flip_left_right(image: TensorLike, seed: int | None = None) -> Tensor:
    """Each image mirrored, or not, with equal chances. Source: `tf.image.random_flip_left_right`.

    Args:
      image: `[height, width, channels]`, or a batch of those.
    """
    return _flipped(image, 1, seed, "random_flip_left_right")


def random_flip_up_down(image: TensorLike, seed: int | None = None) -> Tensor:
    """Each image upside down, or not, with equal chances. Source: `tf.image.random_flip_up_down`.

    Args:
      image: `[height, width, channels]`, or a batch of those.
    """
    return _flipped(image, 0, seed, "random_flip_up_down")


def _flipped(image: TensorLike, axis: int, seed: int | None, scope: str) -> Tensor:
    with name_scope(None, scope, [image]) as scope:
        image = convert_to_tensor(image, name="image")
        rank = image.get_shape().ndims
        if rank not in (3, 4):
            raise ValueError(f"'image' (shape {image.get_shape()}) must have either 3 or 4 dimensions.")
        known = image.get_shape()
        if rank == 3:
            if known.is_fully_defined():
                with get_default_graph().colocate_with(image.op):
                    image = identity(image, name="control_dependency")
            chance = random_uniform([], 0, 1.0, seed=seed)
            original = image
            flipped = cond(less(chance, 0.5), lambda: reverse(original, [axis]), lambda: original, name=scope)
            flipped.set_shape(known)
            return flipped
        if known.is_fully_defined():
            with get_default_graph().colocate_with(image.op):
                image = identity(image, name="control_dependency")
        batch = shape(image)[0]
        chances = reshape(random_uniform([batch], 0, 1.0, seed=seed), [batch, 1, 1, 1])
        turned = cast(round(chances), image.dtype)
        mirrored = reverse(image, [axis + 1])
        return turned * mirrored + (1 - turned) * image


def random_brightness(image: TensorLike, max_delta: float, seed: int | None = None) -> Tensor:
    """`adjust_brightness` by a random amount in [-max_delta, max_delta). Source: `tf.image.random_brightness`.

    Raises:
      ValueError: max_delta is negative.
    """
    if max_delta < 0:
        raise ValueError("max_delta must be non-negative.")
    return adjust_brightness(image, random_uniform([], -max_delta, max_delta, seed=seed))


def random_contrast(image: TensorLike, lower: float, upper: float, seed: int | None = None) -> Tensor:
    """`adjust_contrast` by a random factor in [lower, upper). Source: `tf.image.random_contrast`.

    Raises:
      ValueError: lower is negative, or not less than upper.
    """
    _bounds(lower, upper)
    return adjust_contrast(image, random_uniform([], lower, upper, seed=seed))


def random_hue(image: TensorLike, max_delta: float, seed: int | None = None) -> Tensor:
    """`adjust_hue` by a random amount in [-max_delta, max_delta). Source: `tf.image.random_hue`.

    Raises:
      ValueError: max_delta is not in [0, 0.5].
    """
    if max_delta > 0.5:
        raise ValueError("max_delta must be <= 0.5.")
    if max_delta < 0:
        raise ValueError("max_delta must be non-negative.")
    return adjust_hue(image, random_uniform([], -max_delta, max_delta, seed=seed))


def random_saturation(image: TensorLike, lower: float, upper: float, seed: int | None = None) -> Tensor:
    """`adjust_saturation` by a random factor in [lower, upper). Source: `tf.image.random_saturation`.

    Raises:
      ValueError: lower is negative, or not less than upper.
    """
    _bounds(lower, upper)
    return adjust_saturation(image, random_uniform([], lower, upper, seed=seed))


def _bounds(lower: float, upper: float) -> None:
    if upper <= lower:
        raise ValueError("upper must be > lower.")
    if lower < 0:
        raise ValueError("lower must be non-negative.")


def extract_patches(
    images: TensorLike, sizes: Any, strides: Any, rates: Any, padding: str, name: str | None = None
) -> Tensor:
    """The pixels of each window side by side in the last axis. Source: `tf.image.extract_patches`."""
    return extract_image_patches(images, sizes, strides, rates, padding, name)


# --- differences ------------------------------------------------------------------------------------------------------


def image_gradients(image: Tensor) -> tuple[Tensor, Tensor]:
    """`I(y + 1, x) - I(y, x)` and `I(y, x + 1) - I(y, x)`, zeros at the end. Source: `tf.image.image_gradients`.

    Raises:
      ValueError: not `[batch, height, width, channels]`.
    """
    if image.get_shape().ndims != 4:
        raise ValueError(f"image_gradients expects a 4D tensor [batch_size, h, w, d], not {image.get_shape()}.")
    sizes = shape(image)
    batch, height, width, depth = unstack(sizes)
    down = image[:, 1:, :, :] - image[:, :-1, :, :]
    across = image[:, :, 1:, :] - image[:, :, :-1, :]
    down = concat([down, zeros(stack([batch, 1, width, depth]), image.dtype)], 1)
    across = concat([across, zeros(stack([batch, height, 1, depth]), image.dtype)], 2)
    return reshape(down, sizes), reshape(across, sizes)


def sobel_edges(image: Tensor) -> Tensor:
    """Sobel's filters, vertical and horizontal, in a new last axis. Source: `tf.image.sobel_edges`.

    Args:
      image: `[batch, height, width, channels]`.
    """
    known = image.get_shape()
    sizes = shape(image)
    vertical = [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]
    kernels = np.transpose(np.asarray([vertical, np.transpose(vertical)]), (1, 2, 0))
    filters = tile(constant(np.expand_dims(kernels, -2), dtype=image.dtype), [1, 1, sizes[-1], 1], name="sobel_filters")
    padded = pad(image, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="REFLECT")
    found = depthwise_conv2d(padded, filters, [1, 1, 1, 1], "VALID")
    found = reshape(found, concat([sizes, [2]], 0))
    found.set_shape(known.concatenate([2]))
    return found


def psnr(a: TensorLike, b: TensorLike, max_val: Any, name: str | None = None) -> Tensor:
    """The peak signal-to-noise ratio of images, in decibels. Source: `tf.image.psnr`.

    Args:
      a, b: `[..., height, width, channels]`. max_val: the range of their pixels, such as 255.
    """
    with name_scope(name, "PSNR", [a, b]):
        largest = convert_image_dtype(cast(max_val, convert_to_tensor(a).dtype), dtypes.float32)
        first, second = convert_image_dtype(a, dtypes.float32), convert_image_dtype(b, dtypes.float32)
        error = reduce_mean(squared_difference(first, second), [-3, -2, -1])
        value = subtract(20 * log(largest) / log(10.0), np.float32(10 / np.log(10)) * log(error), name="psnr")
        with get_default_graph().control_dependencies(_same_shapes(first, second)):
            return identity(value)


def _same_shapes(a: Tensor, b: Tensor) -> list[Any]:
    """Checks that two batches of images have one shape.

    Raises:
      ValueError: the graph knows that they don't.
    """
    for which, other in ((a, b), (b, a)):
        rank = which.get_shape().ndims
        if rank is not None and rank < 3:
            raise ValueError(f"'image' must be at least three-dimensional, not {which.get_shape()}.")
        if other.get_shape().ndims is not None:
            which.get_shape()[-3:].assert_is_compatible_with(other.get_shape()[-3:])
    first, second = shape_n([a, b])
    return [
        Assert(greater_equal(size(first), 3), [first, second], summarize=10),
        Assert(reduce_all(equal(first[-3:], second[-3:])), [first, second], summarize=10),
    ]


def _gaussian(filter_size: int, sigma: float) -> Any:
    """A Gaussian kernel whose elements sum to 1."""
    places = np.arange(filter_size, dtype=np.float32) - np.float32((filter_size - 1) / 2.0)
    line = np.square(places) * np.float32(-0.5 / sigma**2)
    table = np.exp(line[None, :] + line[:, None])
    return (table / table.sum()).astype(np.float32)[..., None, None]


def _similarity(
    a: Tensor, b: Tensor, max_val: Any, filter_size: int, sigma: float, k1: float, k2: float
) -> tuple[Tensor, Tensor]:
    """The luminance term times the contrast-structure term, and the latter, one map an image and channel."""
    channels = shape(a)[-1]
    kernel = tile(constant(_gaussian(filter_size, sigma)), [1, 1, channels, 1])
    c1, c2 = pow(k1 * max_val, 2), pow(k2 * max_val, 2)

    def averaged(x: Tensor) -> Tensor:
        sizes = shape(x)
        found = depthwise_conv2d(reshape(x, concat([[-1], sizes[-3:]], 0)), kernel, [1, 1, 1, 1], "VALID")
        return reshape(found, concat([sizes[:-3], shape(found)[1:]], 0))

    mean_a, mean_b = averaged(a), averaged(b)
    product = mean_a * mean_b * 2.0
    squares = square(mean_a) + square(mean_b)
    luminance = (product + c1) / (squares + c1)
    both = averaged(a * b) * 2.0
    each = averaged(square(a) + square(b))
    structure = (both - product + c2) / (each - squares + c2)
    return luminance * structure, structure


def _scaled(images: Any, largest: Any) -> tuple[list[Tensor], Tensor]:
    """Images and their range in float32."""
    given = [convert_to_tensor(image) for image in images]
    largest = convert_image_dtype(cast(largest, given[0].dtype), dtypes.float32)
    return [convert_image_dtype(image, dtypes.float32) for image in given], largest


def ssim(
    img1: TensorLike,
    img2: TensorLike,
    max_val: Any,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    return_index_map: bool = False,
) -> Tensor:
    """The structural similarity of images, one number each. Source: `tf.image.ssim` (Wang et al. 2004).

    Args:
      img1, img2: `[..., height, width, channels]`, at least `filter_size` high and wide. max_val: the range of pixels.
      filter_size, filter_sigma: of the Gaussian window. k1, k2: small constants. return_index_map: keep one number for
        each place of the window.
    """
    with name_scope(None, "SSIM", [img1, img2]):
        img1 = convert_to_tensor(img1, name="img1")
        img2 = convert_to_tensor(img2, name="img2")
        with get_default_graph().control_dependencies(_same_shapes(img1, img2)):
            img1 = identity(img1)
        (a, b), largest = _scaled((img1, img2), max_val)
        similarity, _ = _similarity(a, b, largest, filter_size, filter_sigma, k1, k2)
        axes = [-1] if return_index_map else [-3, -2, -1]
        return reduce_mean(similarity, axes)


def ssim_multiscale(
    img1: TensorLike,
    img2: TensorLike,
    max_val: Any,
    power_factors: Any = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333),
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
) -> Tensor:
    """The product of structural similarities at several scales. Source: `tf.image.ssim_multiscale` (Wang et al. 2003).

    Args:
      power_factors: one exponent for each scale, from the finest; each scale is half as large as the one before. The
        others: as `ssim`.
    """
    with name_scope(None, "MS-SSIM", [img1, img2]):
        img1 = convert_to_tensor(img1, name="img1")
        img2 = convert_to_tensor(img2, name="img2")
        with get_default_graph().control_dependencies(_same_shapes(img1, img2)):
            img1 = identity(img1)
        images, largest = _scaled((img1, img2), max_val)
        outer = [shape(image)[:-3] for image in images]
        inner = [shape(image)[-3:] for image in images]
        structures: list[Tensor] = []
        similarity = None
        for scale in range(len(power_factors)):
            if scale:
                images, inner = _halved(images, outer, inner)
            similarity, structure = _similarity(images[0], images[1], largest, filter_size, filter_sigma, k1, k2)
            similarity = reduce_mean(similarity, [-3, -2])
            structures.append(relu(reduce_mean(structure, [-3, -2])))
        assert similarity is not None
        terms = stack([*structures[:-1], relu(similarity)], axis=-1)
        return reduce_mean(reduce_prod(pow(terms, list(power_factors)), [-1]), [-1])


def _halved(images: list[Tensor], outer: list[Tensor], inner: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Means of 2 x 2 pixels; an odd last row or column is repeated first."""
    flat = [reshape(image, concat([[-1], sizes], 0)) for image, sizes in zip(images, inner, strict=True)]
    rest = inner[0] % [2, 2, 1]

    def padded() -> list[Tensor]:
        paddings = concat([[[0, 0]], stack([zeros([3], dtypes.int32), rest], axis=1)], 0)
        return [pad(image, paddings, mode="SYMMETRIC") for image in flat]

    flat = cond(reduce_all(equal(rest, 0)), lambda: flat, padded)
    small = [avg_pool(image, [1, 2, 2, 1], [1, 2, 2, 1], "VALID") for image in flat]
    sizes = [shape(image)[1:] for image in small]
    found = [reshape(image, concat([batch, size], 0)) for image, batch, size in zip(small, outer, sizes, strict=True)]
    return found, sizes
