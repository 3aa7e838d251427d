"""Bitwise functions agree with TensorFlow."""

from __future__ import annotations

import pytest

import runstep.kernels.numpy.bitwise
import runstep.ops.bitwise  # noqa: F401
from runstep.graph import dtypes
from runstep.testing import case, check, ints, of

SIGNED = [dtypes.int8, dtypes.int16, dtypes.int32, dtypes.int64]

CASES = [
    *[
        row
        for name in ("BitwiseAnd", "BitwiseOr", "BitwiseXor", "LeftShift", "RightShift")
        for row in (
            case(name, ints(2, 3, high=100), ints(3, high=8)),
            case(name, ints(), ints()),
            case(name, ints(0, 2), ints(2)),
            case(name, of([-1, -128, 127, 5]), of([3, 1, 7, 0]), types={"T": SIGNED}),
        )
    ],
    *[
        case(name, of([5, 5, -5, 5, 1]), of([8, 31, 100, -1, 64]), types={"T": SIGNED})
        for name in ("LeftShift", "RightShift")
    ],
    *[case(name, ints(2, 3, high=100)) for name in ("Invert", "PopulationCount")],
    *[case(name, of([-1, -128, 0]), types={"T": SIGNED}) for name in ("Invert", "PopulationCount")],
    *[case(name, ints()) for name in ("Invert", "PopulationCount")],
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
