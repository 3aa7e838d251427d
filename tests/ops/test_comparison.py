"""Comparisons and logic agree with TensorFlow."""

from __future__ import annotations

import pytest

import runstep.kernels.numpy.comparison
import runstep.ops.comparison  # noqa: F401
from runstep import errors
from runstep.graph import dtypes
from runstep.testing import bools, case, check, ints, of, real, special, strings

ORDER = ("Less", "LessEqual", "Greater", "GreaterEqual")
EQUALITY = ("Equal", "NotEqual")

CASES = [
    *[
        row
        for name in (*ORDER, *EQUALITY)
        for row in (
            case(name, ints(2, 3, high=3), ints(2, 3, high=3)),
            case(name, ints(2, 1, 3), ints(4, 1)),
            case(name, real(), real()),
            case(name, real(0, 3), real()),
            case(name, special(), special(), types={"T": [dtypes.float32, dtypes.float16, dtypes.bfloat16]}),
            case(name, real(2), real(3), error=errors.InvalidArgumentError),
            case(name, real(2), real(3), error=ValueError),
        )
    ],
    *[
        row
        for name in EQUALITY
        for row in (
            case(name, strings(4), strings(4), types={"T": [dtypes.string]}),
            case(name, strings(), strings(), types={"T": [dtypes.string]}),
            case(name, bools(4), bools(4), types={"T": [dtypes.bool]}),
            case(name, real(2), real(3), incompatible_shape_error=False),
            case(name, real(2), real(1), incompatible_shape_error=False),
        )
    ],
    *[
        row
        for name in ("LogicalAnd", "LogicalOr")
        for row in (case(name, bools(2, 3), bools(3)), case(name, bools(), bools()))
    ],
    case("LogicalNot", bools(2, 3)),
    case("LogicalNot", bools()),
    case("ApproximateEqual", of([1.0, 2.0, 3.0]), of([1.0, 2.000001, 3.1])),
    case("ApproximateEqual", of([1.0, 2.0]), of([1.05, 2.2]), tolerance=0.1),
    case("ApproximateEqual", real(2), real(3), error=errors.InvalidArgumentError),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
