"""Crops at random, glimpses and JPEG artefacts against TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import runstep
from runstep.errors import InvalidArgumentError
from runstep.testing import case, check, of, real

IMAGES = real(2, 6, 7, 2)
OFFSETS = of([[-0.5, 0.25], [1.0, -0.7]])
BOXES = of(np.float32([[[0.1, 0.2, 0.6, 0.9], [0.5, 0.5, 0.9, 0.6]]]))  # type: ignore[arg-type]
SIZE = of([40, 60, 3])
SEED: dict[str, Any] = {"seed": 3, "seed2": 5}

CASES = [
    *[
        case(op, IMAGES, size, OFFSETS, noise="zero", uniform_noise=False, centered=centered, normalized=normalized)
        for op in ("ExtractGlimpse", "ExtractGlimpseV2")
        for centered, normalized in ((True, True), (True, False), (False, True), (False, False))
        for size in ([3, 2], [6, 7], [9, 8])
    ],
    case("ExtractGlimpse", IMAGES, [2, 2], of([[0.0, 0.0], [0.0, 0.0]])),
    case("ExtractGlimpse", IMAGES, [0, 2], of([[0.0, 0.0], [0.0, 0.0]])),
    case("ExtractGlimpse", IMAGES, [-1, 2], of([[0.0, 0.0], [0.0, 0.0]]), error=InvalidArgumentError),
    case("ExtractGlimpse", IMAGES, [2, 2], OFFSETS, noise="zero", error=ValueError),
    case("ExtractGlimpse", IMAGES, [2, 2], OFFSETS, noise="pink", uniform_noise=False, error=InvalidArgumentError),
    *[
        case("SampleDistortedBoundingBoxV2", SIZE, BOXES, of(covered), **SEED, **more, types=types)
        for covered, more, types in (
            (0.1, {}, {}),
            (0.9, {"max_attempts": 5}, {"T": ["int32"]}),
            (0.0, {"area_range": [0.3, 0.31], "aspect_ratio_range": [1.0, 1.0]}, {"T": ["int32"]}),
            (0.5, {"aspect_ratio_range": [2.0, 5.0]}, {"T": ["int32"]}),
            (1.0, {"area_range": [0.01, 0.02]}, {"T": ["int32"]}),
            (0.1, {"area_range": [0.5, 0.1]}, {"T": ["int32"]}),
        )
    ],
    case("StatelessSampleDistortedBoundingBox", SIZE, BOXES, of(0.3), [3, 5], types={"T": ["int32"]}),
    case("SampleDistortedBoundingBox", SIZE, BOXES, min_object_covered=0.3, **SEED, types={"T": ["int32", "uint8"]}),
    case(
        "SampleDistortedBoundingBoxV2",
        SIZE,
        real(1, 0, 4),
        of(0.1),
        use_image_if_no_bounding_boxes=True,
        **SEED,
        types={"T": ["int32"]},
    ),  # fmt: skip
    *[
        case(
            "SampleDistortedBoundingBoxV2",
            size,
            boxes,
            of(0.1),
            **SEED,
            **more,
            error=InvalidArgumentError,
            types={"T": ["int32"]},
        )
        for size, boxes, more in (
            (SIZE, real(1, 0, 4), {}),
            (SIZE, of([[[0.0, 0.0, 1.5, 1.0]]]), {}),
            (of([40, 60]), BOXES, {}),
            (SIZE, BOXES, {"max_attempts": 0}),
            (SIZE, BOXES, {"area_range": [0.5, 1.1]}),
        )
    ],  # fmt: skip
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row: Any) -> None:
    check(row)


def test_a_session_goes_on_with_its_numbers(same: Callable[..., None]) -> None:
    def program(tf: Any, log: Any) -> None:
        boxes = [[[0.1, 0.2, 0.6, 0.9]]]
        found = [
            tf.image.sample_distorted_bounding_box([90, 70, 3], boxes, seed=seed, **more)
            for seed, more in ((1, {}), (7, {"min_object_covered": 0.7, "aspect_ratio_range": (0.5, 2.0)}))
        ]
        log([tuple(one) for one in found])
        begin, size, _ = found[0]
        image = tf.constant(np.arange(90 * 70 * 3, dtype=np.float32).reshape(90, 70, 3))
        found.append(tf.slice(image, begin, size))
        with tf.Session() as session:
            log([[tuple(one) for one in session.run(found[:2])] for _ in range(8)])

    same(program)


def test_functions_make_the_nodes_of_tensorflows(same: Callable[..., None]) -> None:
    def program(tf: Any, log: Any) -> None:
        i, q = tf.image, tf.quantization
        tf.set_random_seed(4)
        image = tf.placeholder(tf.float32, [8, 9, 3])
        log(i.adjust_jpeg_quality(image, 50), i.random_jpeg_quality(image, 10, 50, seed=3))
        log(i.adjust_jpeg_quality(tf.placeholder(tf.uint8, [8, 9, 1]), tf.placeholder(tf.int32), name="j"))
        log(i.extract_glimpse(image[None], [2, 2], [[0.0, 0.0]]))
        log.tried(lambda: i.random_jpeg_quality(image, 50, 10))
        log.tried(lambda: i.random_jpeg_quality(image, -1, 10))
        log(tuple(q.quantize(image, 0.0, 1.0, tf.quint8)), q.dequantize(tf.placeholder(tf.qint8, [3]), 0.0, 1.0))
        log(q.quantize_and_dequantize(image, 0.0, 1.0, num_bits=4), q.quantize_and_dequantize_v2(image, 0.0, 1.0))
        log(q.quantize_and_dequantize(image, [0.0] * 3, [1.0] * 3, axis=-1))
        log(q.fake_quant_with_min_max_args(image, min=-1), q.fake_quant_with_min_max_vars(image, -1.0, 1.0, name="f"))
        log(q.fake_quant_with_min_max_args_gradient(image, image))
        log(tuple(q.fake_quant_with_min_max_vars_gradient(image, image, -1.0, 1.0)))
        log(q.fake_quant_with_min_max_vars_per_channel(image, [-1.0] * 3, [1.0] * 3, 4))
        log(tuple(q.fake_quant_with_min_max_vars_per_channel_gradient(image, image, [-1.0] * 3, [1.0] * 3, 4)))

    same(program, ordered=False)


def test_jpeg_quality() -> None:
    """Two codecs: near, not equal. (Op: EncodeJpegVariableQuality.)"""
    y, x = np.mgrid[:16, :24]
    image = np.stack([x / 24, y / 16, (x + y) / 40], -1).astype(np.float32)
    good = runstep.image.adjust_jpeg_quality(image, 95)
    poor = runstep.image.adjust_jpeg_quality(image, runstep.constant(5))
    wrong = runstep.image.adjust_jpeg_quality(image, 101)
    with runstep.Session() as session:
        values = session.run([good, poor])
        with pytest.raises(InvalidArgumentError, match="from 0 to 100"):
            session.run(wrong)
    errors = [np.abs(value - image).mean() for value in values]
    assert values[0].dtype == np.float32 and values[0].shape == image.shape
    assert errors[0] < 0.01 < errors[1] < 0.2


def test_glimpses_show_noise_within_the_images_range_outside_of_it() -> None:
    image = np.linspace(3, 5, 16, dtype=np.float32).reshape(1, 4, 4, 1)
    with runstep.Session() as session:
        drawn = session.run(runstep.image.extract_glimpse(image, [4, 40], [[0.0, 0.0]]))
        normal = session.run(
            runstep.raw_ops.ExtractGlimpse(
                input=image, size=[4, 40], offsets=[[0.0, 0.0]], uniform_noise=False, noise="gaussian"
            )
        )
    np.testing.assert_array_equal(drawn[0, :, 18:22, 0], image[0, :, :, 0])
    for value in (drawn, normal):
        assert value.min() >= 3 and value.max() <= 5 and value[0, :, :18].std() > 0.2
