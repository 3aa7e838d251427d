"""Images changed at random, and how images differ, against TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Same = Callable[..., None]


def x(tf: Any, *shape: int | None, dtype: str = "float32") -> Any:
    return tf.placeholder(dtype, shape, name="x")


IMAGES = [
    lambda tf, i: [i.random_flip_left_right(x(tf, 4, 5, 3)), i.random_flip_up_down(x(tf, 2, 4, 5, 3), seed=4)],
    lambda tf, i: [i.random_brightness(x(tf, 4, 5, 3), 0.3), i.random_contrast(x(tf, 4, 5, 3), 0.3, 0.6, seed=2)],
    lambda tf, i: [i.random_hue(x(tf, 4, 5, 3), 0.2), i.random_saturation(x(tf, 4, 5, 3), 0.5, 0.6)],
    lambda tf, i: i.psnr(x(tf, 2, 4, 5, 3), x(tf, 2, 4, 5, 3), 1.0),
    lambda tf, i: [i.sobel_edges(x(tf, 2, 6, 5, 3)), i.image_gradients(x(tf, 2, 6, 5, 3))],
    lambda tf, i: i.extract_patches(x(tf, 2, 6, 5, 3), [1, 2, 2, 1], [1, 1, 1, 1], [1, 1, 1, 1], "VALID"),
    lambda tf, i: [
        i.decode_png(x(tf, dtype="string")),
        i.decode_png(x(tf, dtype="string"), channels=3, dtype=tf.uint16),
        i.encode_png(x(tf, 4, 5, 3, dtype="uint8")),
        i.decode_jpeg(x(tf, dtype="string"), channels=3),
        i.encode_jpeg(x(tf, 4, 5, 3, dtype="uint8")),
        i.decode_bmp(x(tf, dtype="string")),
        i.decode_gif(x(tf, dtype="string")),
        i.decode_image(x(tf, dtype="string")),
        i.decode_image(x(tf, dtype="string"), channels=3, expand_animations=False, dtype=tf.float32),
        i.extract_jpeg_shape(x(tf, dtype="string")),
        i.is_jpeg(x(tf, dtype="string")),
    ],
]


@pytest.mark.parametrize("build", IMAGES)
def test_a_function_makes_the_nodes_of_tensorflows(same: Same, build: Any) -> None:
    def program(tf: Any, log: Any) -> None:
        tf.set_random_seed(3)
        log(build(tf, tf.image))

    same(program, ordered=False)


def test_values(same: Same) -> None:
    random = np.random.RandomState(0)
    images = random.rand(2, 46, 39, 3).astype(np.float32)
    others = np.clip(images + 0.1 * random.randn(*images.shape), 0, 1).astype(np.float32)
    whole = (images[:, :, :5] * 255).astype(np.uint8)

    def program(tf: Any, log: Any) -> None:
        tf.set_random_seed(3)
        i = tf.image
        changed = [
            function(value, *how)
            for function, how in (
                (i.random_flip_left_right, ()),
                (i.random_flip_up_down, ()),
                (i.random_brightness, (0.3,)),
                (i.random_contrast, (0.3, 1.6)),
                (i.random_hue, (0.2,)),
                (i.random_saturation, (0.4, 1.5)),
            )
            for value in (images[0, :5, :5], whole)
        ]
        a, b = tf.constant(images), tf.constant(others)
        unknown = tf.placeholder_with_default(images, [None, None, None, None])
        compared = [
            i.psnr(a, b, 1.0),
            i.psnr(whole, whole[::-1], 255),
            i.ssim(a, b, 1.0),
            i.ssim(unknown, b, 1.0, filter_size=7, filter_sigma=2.0, k1=0.1, k2=0.2),
            i.ssim(a, b, 1.0, return_index_map=True),
            i.ssim_multiscale(a, b, 1.0, power_factors=(0.4, 0.6), filter_size=5),
            i.sobel_edges(a[:, :6, :5]),
            i.image_gradients(a[:, :6, :5]),
        ]
        with tf.Session() as session:
            for _ in range(2):
                log(session.run(changed))
            log(session.run(compared))

    same(program, graph=False)


def test_errors(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        i, image = tf.image, x(tf, 4, 5, 3)
        log.tried(lambda: i.random_brightness(image, -1))
        log.tried(lambda: i.random_contrast(image, 2, 1))
        log.tried(lambda: i.random_contrast(image, -2, 1))
        log.tried(lambda: i.random_hue(image, 1))
        log.tried(lambda: i.random_saturation(image, 1, 1))
        log.tried(lambda: i.image_gradients(image))
        log.tried(lambda: i.random_flip_left_right(x(tf, 4)))
        log.tried(lambda: i.psnr(x(tf, 2, 4, 5, 3), x(tf, 2, 4, 5, 1), 1.0))

    same(program, graph=False, texts=False)
