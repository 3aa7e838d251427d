"""Segment reductions agree with TensorFlow."""

from __future__ import annotations

import pytest

import runstep.kernels.numpy.segment
import runstep.ops.segment  # noqa: F401
from runstep import errors
from runstep.graph import dtypes
from runstep.testing import case, check, of, positive, real

REAL = {"T": [dtypes.float32, dtypes.float64]}
LOOSE = {"float16": 4e-3, "bfloat16": 3e-2}
SORTED = ("SegmentSum", "SegmentMean", "SegmentProd", "SegmentMax", "SegmentMin")
UNSORTED = ("UnsortedSegmentSum", "UnsortedSegmentProd", "UnsortedSegmentMax", "UnsortedSegmentMin")

GAPS = {
    name: "a NaN in a segment is its result; in TensorFlow that depends on the order of the rows"
    for name in ("UnsortedSegmentMax", "UnsortedSegmentMin")
}

CASES = [
    *[
        row
        for name in SORTED
        for row in (
            case(name, positive(5, 2), [0, 0, 1, 1, 3], rtol=LOOSE),
            case(name, positive(4), [2, 2, 2, 3], rtol=LOOSE),
            case(name, positive(2, 3, 2), [0, 1], types=REAL),
            case(name, real(0, 3), of([]), types=REAL),
            case(name, real(3), [0, 2, 1], types=REAL, error=errors.InvalidArgumentError),
            case(name, real(3), [-1, 0, 1], types=REAL, error=errors.InvalidArgumentError),
            case(name, real(3), [0, 1], types=REAL, error=errors.InvalidArgumentError),
            case(name, real(3), [[0, 1, 2]], types=REAL, error=errors.InvalidArgumentError),
            case(name, real(), [0], types=REAL, error=errors.InvalidArgumentError),
        )
    ],
    *[
        row
        for name in UNSORTED
        for row in (
            case(name, positive(5, 2), [3, 0, 1, 0, 3], 4, rtol=LOOSE),
            case(name, positive(4), [2, -1, 2, 0], 5, rtol=LOOSE),
            case(name, real(3, 2), [0, 1, 2], 3, types=REAL),
            case(name, positive(3, 2), [0, 0, 2], 3, types=REAL),
            case(name, positive(2, 2, 3), [[1, 0], [1, 2]], 3, types=REAL),
            case(name, positive(2, 3), [-1, -2], 2, types=REAL),
            case(name, positive(), 1, 3, types=REAL),
            case(name, real(0, 3), of([]), 2, types=REAL),
            case(name, real(2, 0), [0, 1], 2, types=REAL),
            case(name, real(3), [0, 2, 1], 2, types=REAL, error=errors.InvalidArgumentError),
            case(name, real(3), [0, 2], 3, types=REAL, error=errors.InvalidArgumentError),
            case(name, real(3), [0, 2], 3, types=REAL, error=ValueError),
            case(name, real(3), [0, 1, 1], -3, types=REAL, error=errors.InvalidArgumentError),
            case(name, real(3), [0, 1, 1], [3], types=REAL, error=errors.InvalidArgumentError),
        )
    ],
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
