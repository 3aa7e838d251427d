"""Reductions agree with TensorFlow."""

from __future__ import annotations

import pytest

import runstep.kernels.numpy.reduction
import runstep.ops.reduction  # noqa: F401
from runstep import errors
from runstep.graph import dtypes
from runstep.testing import bools, case, check, distinct, ints, of, positive, real, special

REAL = [dtypes.float32, dtypes.float64]
INTEGERS = [dtypes.int8, dtypes.int16, dtypes.int32, dtypes.int64, dtypes.uint8]
# TensorFlow reads an int16 axis as if it were wider, and fails.
INDEX = {"Tidx": [dtypes.int32, dtypes.int64]}
FOLDS = ("Sum", "Mean", "Prod", "Max", "Min", "EuclideanNorm")
# TensorFlow adds half precision numbers up in half precision along some axes; here they are rounded once.
LOOSE = {"float16": 1e-2, "bfloat16": 4e-2, "float32": 1e-5}

GAPS = {"ArgMax": "an int16 axis works; TensorFlow reads it as if it were wider"}

CASES = [
    *[
        row
        for name in FOLDS
        for row in (
            case(name, positive(2, 3, 4), 1, rtol=LOOSE),
            case(name, positive(2, 3, 4), [0, -1], rtol=LOOSE),
            case(name, positive(2, 3, 4), [2, 0], keep_dims=True, rtol=LOOSE),
            case(name, positive(2, 3), [0, 1], rtol=LOOSE),
            case(name, positive(2, 3), [[0, 1]], types={"T": REAL}, error=ValueError),
            case(name, positive(2, 3), of([], dtype="int32"), types={"T": [*REAL, dtypes.int32]}),
            case(name, positive(), of([], dtype="int32"), types={"T": [*REAL, dtypes.int32]}),
            case(name, real(0, 3), 0),
            case(name, real(0, 3), 1),
            case(name, real(2, 3), 2, types={"T": REAL}, error=errors.InvalidArgumentError),
            case(name, real(2, 3), 2, types={"T": REAL}, error=ValueError),
            case(name, real(2, 3), [0, -2], types={"T": REAL}, error=errors.InvalidArgumentError),
            case(name, real(), 0, types={"T": REAL}, error=errors.InvalidArgumentError),
            case(name, special(24), 0, types={"T": REAL}),
        )
    ],
    *[case(name, of([100, 100, 101]), 0, types={"T": INTEGERS}) for name in ("Sum", "Mean", "Prod", "EuclideanNorm")],
    *[case(name, of([-1, -1, -3]), 0, types={"T": INTEGERS[:4]}) for name in ("Mean", "Max", "Min")],
    *[case(name, real(40, 50, 3), [0, 1], types={"T": REAL}, atol=1e-4) for name in ("Sum", "Mean", "Max")],
    # Few elements take another way than many.
    *[
        case(name, real(*shape), axes, types={"T": REAL}, atol=1e-4)
        for name in ("Sum", "Mean")
        for shape, axes in (((9,), -1), ((5000,), 0), ((5, 7), 0), ((5, 7), -1), ((70, 80), 0), ((3, 4, 5), [0, 1, 2]))
    ],
    # Many short rows take another way.
    *[
        case(name, real(2000, 5), axis, keep_dims=kept, types={"T": REAL})
        for name in ("Sum", "Mean", "Max", "Min")
        for axis, kept in ((1, False), (-1, True), ([1], False))
    ],
    *[
        row
        for name in ("All", "Any")
        for row in (
            case(name, bools(2, 3, 2), 1),
            case(name, bools(2, 3), [0, 1], keep_dims=True),
            case(name, bools(0, 3), 0),
            case(name, bools(), of([], dtype="int32")),
            case(name, bools(2, 3), 2, error=errors.InvalidArgumentError),
        )
    ],
    *[
        row
        for name in ("ArgMax", "ArgMin")
        for row in (
            case(name, distinct(3, 4), 1, types=INDEX),
            case(name, distinct(3, 4), -2, types=INDEX),
            case(name, ints(3, 4, high=3), 1, types=INDEX),
            case(name, bools(3, 4), 1, types={"T": [dtypes.bool], **INDEX}),
            case(name, distinct(5), 0, types=INDEX),
            case(name, real(0, 3), 1, types=INDEX),
            case(name, special(24), 0, types={"T": REAL, **INDEX}),
            case(name, of([[1.0, float("nan"), 2.0], [float("nan")] * 3]), 1, types={"T": REAL, **INDEX}),
            case(name, distinct(3, 4), 2, types={"T": REAL, **INDEX}, error=errors.InvalidArgumentError),
            case(name, distinct(3, 4), 2, types={"T": REAL, **INDEX}, error=ValueError),
            case(name, real(0, 3), 0, types={"T": REAL, **INDEX}, error=errors.InvalidArgumentError),
            case(name, real(), 0, types={"T": REAL, **INDEX}, error=errors.InvalidArgumentError),
        )
    ],
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
