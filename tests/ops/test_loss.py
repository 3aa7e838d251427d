"""Losses and top-k against TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

from runstep.errors import InvalidArgumentError
from runstep.testing import case, check, ints, of, real

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
