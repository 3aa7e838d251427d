"""Sobol's points are TensorFlow's."""

from __future__ import annotations

import pytest

import runstep as tf
import runstep.kernels.numpy.sobol
import runstep.ops.sobol  # noqa: F401
from runstep import errors
from runstep.testing import case, check

INVALID = errors.InvalidArgumentError

CASES = [
    case("SobolSample", 3, 9, 0),
    case("SobolSample", 1, 1, 0),
    case("SobolSample", 40, 5, 1000),
    case("SobolSample", 2, 3, 2**24 - 1, dtype="float64"),
    case("SobolSample", 1111, 40, 3),
    case("SobolSample", 0, 3, 0, error=INVALID),
    case("SobolSample", 2, 0, 0, error=INVALID),
    case("SobolSample", 2, 3, -1, error=INVALID),
    case("SobolSample", 2, 3, [0], error=INVALID),
    case("SobolSample", 2, 3, [0], error=ValueError),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)


def test_the_function():
    with tf.Session():
        points = tf.math.sobol_sample(2, 3)
        assert points.op.name == "sobol" and points.eval().tolist() == [[0.5, 0.5], [0.75, 0.25], [0.25, 0.75]]
        assert tf.math.sobol_sample(2, 3, skip=1, dtype=tf.float64).dtype == tf.float64
