"""Clipping agrees with TensorFlow."""

from __future__ import annotations

import pytest

import runstep.kernels.numpy.norms
import runstep.ops.norms  # noqa: F401
from runstep import errors
from runstep.graph import dtypes
from runstep.testing import case, check, ints, of, real

REAL = {"T": [dtypes.float32, dtypes.float64]}
ORDERED = [dtypes.float32, dtypes.float64, dtypes.float16, dtypes.bfloat16, dtypes.int8, dtypes.int32, dtypes.uint8]
NAN = float("nan")

CASES = [
    case("ClipByValue", ints(2, 5), of(3), of(6), types={"T": ORDERED}),
    case("ClipByValue", ints(2, 5), ints(2, 5, high=3), ints(2, 5, low=3), types={"T": ORDERED}),
    case("ClipByValue", ints(2, 5), ints(2, 5, high=3), of(6), types={"T": ORDERED}),
    case("ClipByValue", ints(2, 5), of(2), ints(2, 5, low=3), types={"T": ORDERED}),
    case("ClipByValue", ints(), of(2), of(4), types={"T": ORDERED}),
    case("ClipByValue", of([1.0, NAN, 3.0, 5.0]), of(2.0), of(1.0), types=REAL),
    case("ClipByValue", of([1.0, NAN, 3.0, 5.0]), of(NAN), of(2.0), types=REAL),
    case("ClipByValue", real(2, 3), real(3), real(), types=REAL, error=errors.InvalidArgumentError),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
