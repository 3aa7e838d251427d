"""`tf.image` functions make the nodes that TensorFlow's make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import runstep.ops.table  # noqa: F401
from runstep.graph.graph import Graph
from runstep.ops import image_colors, image_transforms
from runstep.session.session import Session
from runstep.testing import oracle
from runstep.testing.building import compare_graphs

MODULES = [image_colors, image_transforms]


def x(tf: Any, *shape: int | None, dtype: str = "float32") -> Any:
    return tf.placeholder(dtype, shape, name="x")


def one(tf: Any, dtype: str = "float32") -> Any:
    return x(tf, 6, 8, 3, dtype=dtype)


def batch(tf: Any, dtype: str = "float32") -> Any:
    return x(tf, 2, 6, 8, 3, dtype=dtype)


def same(build: Callable[[Any, Any], Any]) -> None:
    """`build(tf, tf.image)` on both."""
    compare_graphs(lambda tf: build(tf, tf), MODULES, theirs=lambda tf: build(tf, tf.image))


SIZES = [
    lambda tf, im: im.resize_images(batch(tf), [4, 5]),
    lambda tf, im: im.resize_images(one(tf), [4, 5]),
    lambda tf, im: im.resize_images(batch(tf), [6, 8]),
    lambda tf, im: im.resize_images(batch(tf, "uint8"), [4, 5], method=1),
    lambda tf, im: im.resize_images(batch(tf), tf.placeholder("int32", [2]), 2, preserve_aspect_ratio=True),
    lambda tf, im: im.resize_images(batch(tf), tf.placeholder("int32", [2], name="s")),
    lambda tf, im: im.resize_images(batch(tf), [4, 5], preserve_aspect_ratio=True),
    lambda tf, im: im.resize_bilinear(batch(tf), [4, 5], align_corners=True),
    lambda tf, im: [
        im.resize_nearest_neighbor(batch(tf), [4, 5]),
        im.resize_bicubic(batch(tf), [4, 5], half_pixel_centers=True),
        im.resize_area(batch(tf), [4, 5]),
    ],
    lambda tf, im: im.flip_left_right(one(tf)),
    lambda tf, im: im.flip_left_right(batch(tf)),
    lambda tf, im: im.flip_up_down(one(tf)),
    lambda tf, im: im.transpose_image(one(tf)),
    lambda tf, im: im.transpose_image(batch(tf)),
    lambda tf, im: im.central_crop(one(tf), 0.5),
    lambda tf, im: im.central_crop(one(tf), 1.0),
    lambda tf, im: im.central_crop(batch(tf), 0.5),
    lambda tf, im: im.pad_to_bounding_box(one(tf), 1, 2, 10, 12),
    lambda tf, im: im.pad_to_bounding_box(batch(tf), 1, 2, 10, 12),
    lambda tf, im: im.pad_to_bounding_box(batch(tf), 5, 2, 10, 12),
    lambda tf, im: im.crop_to_bounding_box(one(tf), 1, 2, 3, 4),
    lambda tf, im: im.crop_to_bounding_box(batch(tf), 1, 2, 3, 4),
    lambda tf, im: im.crop_to_bounding_box(batch(tf), 1, 2, 3, 14),
    lambda tf, im: im.per_image_standardization(one(tf)),
    lambda tf, im: im.resize_image_with_crop_or_pad(one(tf), 4, 12),
]
COLORS = [
    lambda tf, im: im.rgb_to_grayscale(one(tf)),
    lambda tf, im: im.rgb_to_grayscale(one(tf, "uint8")),
    lambda tf, im: im.grayscale_to_rgb(x(tf, 6, 8, 1)),
    lambda tf, im: [im.rgb_to_hsv(one(tf)), im.hsv_to_rgb(one(tf))],
    lambda tf, im: im.convert_image_dtype(one(tf, "uint8"), "float32"),
    lambda tf, im: im.convert_image_dtype(one(tf), "uint8"),
    lambda tf, im: im.convert_image_dtype(one(tf), "uint8", saturate=True),
    lambda tf, im: im.convert_image_dtype(one(tf), "float32"),
    lambda tf, im: im.convert_image_dtype(one(tf, "uint8"), "uint16"),
    lambda tf, im: im.convert_image_dtype(one(tf, "uint16"), "uint8", saturate=True),
    lambda tf, im: im.convert_image_dtype(one(tf), "float64"),
    lambda tf, im: im.adjust_brightness(one(tf), 0.1),
    lambda tf, im: im.adjust_brightness(one(tf, "uint8"), 0.1),
    lambda tf, im: im.adjust_contrast(one(tf), 2.0),
    lambda tf, im: im.adjust_contrast(one(tf, "uint8"), 2.0),
    lambda tf, im: im.adjust_gamma(one(tf), 2.0, 1.5),
    lambda tf, im: im.adjust_gamma(one(tf)),
    lambda tf, im: im.adjust_hue(one(tf), 0.2),
    lambda tf, im: im.adjust_hue(one(tf, "uint8"), 0.2),
    lambda tf, im: im.adjust_saturation(one(tf), 0.2),
    lambda tf, im: im.draw_bounding_boxes(batch(tf), [[[0.0, 0, 1, 1]], [[0.0, 0, 1, 1]]]),
    lambda tf, im: im.rgb_to_yiq(one(tf)),
    lambda tf, im: im.total_variation(batch(tf)),
]
BOXES = [
    lambda tf, im: im.crop_and_resize(batch(tf), [[0.0, 0, 1, 1]], [0], [4, 5]),
    lambda tf, im: im.non_max_suppression(x(tf, 5, 4), x(tf, 5), 3),
    lambda tf, im: im.non_max_suppression_with_scores(x(tf, 5, 4), x(tf, 5), 3),
    lambda tf, im: im.non_max_suppression_overlaps(x(tf, 5, 5), x(tf, 5), 3),
    lambda tf, im: im.combined_non_max_suppression(x(tf, 1, 5, 1, 4), x(tf, 1, 5, 2), 3, 4),
]


@pytest.mark.parametrize("build", SIZES + COLORS + BOXES)
def test_nodes(build: Any) -> None:
    same(build)


def test_rot90() -> None:
    """TensorFlow builds branches for a `k` that it could know; we look at it at once."""
    image = np.arange(24.0, dtype=np.float32).reshape(2, 4, 3)
    for k in range(-1, 5):
        with Graph().as_default() as graph, Session(graph=graph) as session:
            got = session.run(image_transforms.rot90(image, k))
            both = session.run(image_transforms.rot90(image[None], k))
        np.testing.assert_array_equal(got, np.rot90(image, k))
        np.testing.assert_array_equal(both[0], np.rot90(image, k))


@pytest.mark.parametrize("size", [(4, 12), (12, 4), (3, 4), (20, 20)])
def test_resize_image_with_pad(size: tuple[int, int]) -> None:
    tf = oracle.tensorflow()
    image = np.random.default_rng(0).normal(size=(2, 6, 8, 3)).astype(np.float32)
    with Graph().as_default() as graph, Session(graph=graph) as session:
        got = session.run(image_transforms.resize_image_with_pad(image, *size))
    want = tf.compat.v1.image.resize_image_with_pad(image, *size).numpy()
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
