"""Losses and top-k against TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep as tf
from runstep.errors import InvalidArgumentError
from runstep.testing import case, check, ints, of, real
from runstep.testing.stateful import compare

BY_HAND = {"ApproxTopK": "TensorFlow's wants known shapes: programs in this file"}
HALVES = {"float16": 1e-2, "bfloat16": 6e-2}


def loss(op, *inputs, **more):
    return case(op, *inputs, rtol=HALVES, atol=HALVES, **more)


CASES = [
    loss("SoftmaxCrossEntropyWithLogits", real(3, 4), real(3, 4)),
    loss("SoftmaxCrossEntropyWithLogits", real(3, 4), real(1, 4)),
    loss("SoftmaxCrossEntropyWithLogits", real(3, 1), real(3, 4)),
    loss("SoftmaxCrossEntropyWithLogits", real(0, 4), real(0, 4)),
    loss("SoftmaxCrossEntropyWithLogits", of([[1e4, -1e4, 0]]), of([[0.5, 0.5, 0.0]])),
    loss("SoftmaxCrossEntropyWithLogits", real(3, 4), real(2, 4), error=InvalidArgumentError),
    loss("SoftmaxCrossEntropyWithLogits", real(2, 3, 4), real(2, 3, 4), error=InvalidArgumentError),
    loss("SoftmaxCrossEntropyWithLogits", real(2, 3, 4), real(2, 3, 4), error=ValueError),
    loss("SparseSoftmaxCrossEntropyWithLogits", real(3, 4), ints(3, high=4)),
    # Few classes, more, and many elements each take another way.
    *[
        loss("SparseSoftmaxCrossEntropyWithLogits", real(rows, classes), ints(rows, high=classes))
        for rows, classes in ((5, 20), (300, 16))
    ],
    loss("SparseSoftmaxCrossEntropyWithLogits", real(0, 4), ints(0)),
    loss("SparseSoftmaxCrossEntropyWithLogits", real(2, 4), of([4, 0]), error=InvalidArgumentError),
    loss("SparseSoftmaxCrossEntropyWithLogits", real(2, 4), of([-1, 0]), error=InvalidArgumentError),
    loss("SparseSoftmaxCrossEntropyWithLogits", real(2, 0), of([0, 0]), error=InvalidArgumentError),
    loss("SparseSoftmaxCrossEntropyWithLogits", real(2, 4), of([1]), error=InvalidArgumentError),
    loss("SparseSoftmaxCrossEntropyWithLogits", real(2, 4), of([1]), error=ValueError),
    loss("SparseSoftmaxCrossEntropyWithLogits", real(4), of(1), error=InvalidArgumentError),
    *[loss("L2Loss", real(*shape)) for shape in ((3, 4), (), (0,), (100,))],
    *[case("TopKV2", real(2, 3, 7), k) for k in (0, 1, 3, 7)],
    case("TopKV2", ints(3, 9, high=4), 5),
    case("TopKV2", real(600), 5),
    case("TopKV2", real(0, 3), 2),
    case("TopKV2", real(6), 6, sorted=False),
    case("TopKV2", real(6), 7, error=InvalidArgumentError),
    case("TopKV2", real(6), -1, error=InvalidArgumentError),
    case("TopKV2", real(), 0, error=InvalidArgumentError),
    case("TopKV2", real(6), 7, error=ValueError),
    *[case("NthElement", real(3, 6), n, reverse=reverse) for n in (0, 4) for reverse in (False, True)],
    case("NthElement", real(3, 6), 6, error=InvalidArgumentError),
    case("NthElement", real(3, 6), -1, error=InvalidArgumentError),
    *[case("InTopKV2", real(6, 4), ints(6, high=4), k) for k in (0, 1, 2, 4)],
    case("InTopK", real(6, 4), ints(6, high=4), k=2),
    case(
        "InTopKV2",
        of(np.array([[1, 2, 3], [1, 1, 1], [np.nan, 1, 2], [np.inf, 0, 1], [0, 1, np.inf]])),
        of([0, 0, 1, 1, 2]),
        2,
    ),
    case("InTopKV2", real(2, 3), of([5, -1]), 2),
    case("InTopKV2", real(2, 3), of([1]), 2, error=InvalidArgumentError),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)


def test_approximate_top_k_is_exact_on_a_cpu() -> None:
    def program(api: Any) -> None:
        x = np.random.default_rng(0).integers(0, 9, (2, 600)).astype(np.float32)
        for k in (0, 1, 7):
            for part in api.op("ApproxTopK", x, k=k):
                api.run(part)
        api.build("ApproxTopK", x, k=601)

    compare(program)


def test_approximate_top_k_of_other_axes_and_of_the_least() -> None:
    x = np.array([[3, 1, 2], [0, 5, 4], [7, 6, 9]], np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        most, least = tf.nn.approx_max_k(x, 2, reduction_dimension=0), tf.nn.approx_min_k(x, 2)
        given = tf.constant(x)
        slope = tf.gradients(tf.nn.approx_max_k(given, 2)[0], given)[0]
        (values, places), (low, low_places), back = session.run([most, least, slope])
    assert most[0].shape == [2, 3] and least[0].shape == [3, 2]
    assert values.tolist() == [[7, 6, 9], [3, 5, 4]] and places.tolist() == [[2, 2, 2], [0, 1, 1]]
    assert low.tolist() == [[1, 2], [0, 4], [6, 7]] and low_places.tolist() == [[1, 2], [0, 2], [1, 0]]
    assert back.tolist() == [[1, 0, 1], [0, 1, 1], [1, 0, 1]]
