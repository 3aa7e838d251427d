"""Running sums agree with TensorFlow."""

from __future__ import annotations

import itertools

import pytest

import runstep.kernels.numpy.cumulative
import runstep.ops.cumulative  # noqa: F401
from runstep import errors
from runstep.graph import dtypes
from runstep.testing import case, check, of, positive, real

REAL = {"T": [dtypes.float32, dtypes.float64]}
LOOSE = {"float16": 1e-2, "bfloat16": 6e-2}
SCANS = ("Cumsum", "Cumprod", "CumulativeLogsumexp")

GAPS = {"CumulativeLogsumexp": "a NaN stays NaN to the end of the axis; TensorFlow loses it"}

CASES = [
    *[
        case(name, positive(2, 4, 3), axis, exclusive=exclusive, reverse=reverse, rtol=LOOSE)
        for name, axis, exclusive, reverse in itertools.product(SCANS, (1, -1), (False, True), (False, True))
    ],
    *[
        row
        for name in SCANS
        for row in (
            case(name, positive(5), 0, rtol=LOOSE),
            case(name, real(0, 3), 0, types=REAL, exclusive=True),
            case(name, real(0, 3), 1, types=REAL),
            case(name, real(2, 3), 2, types=REAL, error=errors.InvalidArgumentError),
            case(name, real(), 0, types=REAL, error=errors.InvalidArgumentError),
            case(name, real(3), [0], types=REAL, error=errors.InvalidArgumentError),
        )
    ],
    case("CumulativeLogsumexp", of([float("-inf"), 1.0, 2.0, float("-inf"), float("inf"), 3.0]), 0, types=REAL),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
