"""Arithmetic on two and more tensors agrees with TensorFlow."""

from __future__ import annotations

import pytest

import runstep.kernels.numpy.arithmetic
import runstep.ops.arithmetic  # noqa: F401
from runstep import errors
from runstep.graph import dtypes
from runstep.testing import case, check, distinct, ints, of, positive, real, special, strings

FLOATS = [dtypes.float32, dtypes.float64]
_X = of([5.0, -5.0, 5.0, -5.0, 0.0, 7.0, -7.0, 1.0])
_Y = of([3.0, 3.0, -3.0, -3.0, 2.0, 7.0, 2.0, 0.1])
_XI = of([5, -5, 5, -5, 0, 7, -7, 100])
_YI = of([3, 3, -3, -3, 2, 7, 2, -1])

GAPS = {"Pow": "the complex 0 ** 0 is 1; TensorFlow says NaN"}

CASES = [
    *[
        row
        for name in ("AddV2", "Sub", "Mul")
        for row in (
            case(name, real(2, 3), real(2, 3)),
            case(name, real(2, 1, 3), real(4, 1)),
            case(name, real(), real(2)),
            case(name, real(), real()),
            case(name, real(0, 3), real(1)),
            case(name, special(), special()),
            case(name, real(2), real(3), error=errors.InvalidArgumentError),
            case(name, real(2), real(3), error=ValueError),
        )
    ],
    case("Add", real(2, 3), real(3)),
    case("Add", strings(2), strings(2), types={"T": [dtypes.string]}),
    case("Add", strings(), strings(), types={"T": [dtypes.string]}),
    case("RealDiv", real(2, 3), positive(3)),
    case("RealDiv", of([1.0, -1.0, 0.0]), of([0.0, 0.0, 0.0]), types={"T": FLOATS}),
    case("Div", _X, _Y, types={"T": FLOATS}),
    case("Div", _XI, _YI, types={"T": [dtypes.int8, dtypes.int32, dtypes.int64]}),
    case("Div", ints(4), of([1, 0, 1, 1]), types={"T": [dtypes.int32]}, error=errors.InvalidArgumentError),
    *[
        row
        for name in ("FloorDiv", "FloorMod", "TruncateDiv")
        for row in (
            case(name, _X, _Y, types={"T": [dtypes.bfloat16, dtypes.float16, *FLOATS]}),
            case(name, _XI, _YI, types={"T": [dtypes.int8, dtypes.int16, dtypes.int32, dtypes.int64]}),
            case(name, ints(2, 5), positive(5)),
            case(name, special(), special(), types={"T": FLOATS}),
        )
    ],
    *[case(name, _X, _Y, types={"T": FLOATS}) for name in ("Mod", "TruncateMod")],
    *[case(name, _XI, _YI, types={"T": [dtypes.int32, dtypes.int64]}) for name in ("Mod", "TruncateMod")],
    *[
        case(name, ints(3), of([1, 0, 2]), types={"T": [dtypes.int32]}, error=error)
        for name, error in (
            ("FloorDiv", errors.InvalidArgumentError),
            ("FloorMod", errors.InvalidArgumentError),
            ("Mod", errors.InvalidArgumentError),
            ("TruncateDiv", errors.InternalError),
            ("TruncateMod", errors.InternalError),
        )
    ],
    case("FloorDiv", ints(0, 3), of([1, 0, 2]), types={"T": [dtypes.int32]}),
    *[
        row
        for name in ("Maximum", "Minimum")
        for row in (case(name, real(2, 3), real(3)), case(name, special(), special()), case(name, real(), real()))
    ],
    *[
        row
        for name in ("DivNoNan", "MulNoNan", "Xdivy", "Xlogy", "Xlog1py")
        for row in (
            case(name, positive(2, 3), positive(3)),
            case(name, of([5.0, 0.0, float("nan"), 0.0]), of([0.0, float("nan"), 0.0, 0.0]), types={"T": FLOATS}),
            case(name, of(0.0), of(0.0)),
        )
    ],
    case("SquaredDifference", real(2, 3), real(3)),
    case("SquaredDifference", real(), real()),
    case("Pow", positive(2, 3), real(3)),
    # TensorFlow says that the complex 0 ** 0 is NaN; here it is 1, as it is for real numbers in both.
    case("Pow", ints(6, low=1), of([0, 1, 2, 3, 2, 1])),
    case("Pow", of([0, 0]), of([0, 1]), types={"T": [dtypes.float32, dtypes.int32]}),
    case("Pow", real(2, 3), of(2.0)),
    case("Pow", real(2, 3), of(1.0)),
    case("Pow", special(), special(), types={"T": FLOATS}),
    case("Pow", of([2, 3]), of([2, -1]), types={"T": [dtypes.int32]}, error=errors.InvalidArgumentError),
    case("Atan2", real(2, 3), real(3)),
    case("Atan2", special(), special(), types={"T": FLOATS}),
    case("NextAfter", real(5), real(5)),
    case("NextAfter", special(), special()),
    case("Cross", distinct(2, 3), distinct(2, 3)),
    case("Cross", distinct(3), distinct(3)),
    case("Cross", real(2, 4), real(2, 4), error=errors.FailedPreconditionError),
    case("Cross", real(2, 4), real(2, 4), error=ValueError),
    case("AddN", [real(2, 3), real(2, 3), real(2, 3)]),
    case("AddN", [real(2)]),
    case("AddN", [real(), real()]),
    case("AddN", [real(2), real(3)], error=errors.InvalidArgumentError),
    case("AddN", [real(2), real(1)], error=ValueError),
    case("AddN", [real(2, 3)] * 19, rtol={"float16": 1e-2, "bfloat16": 6e-2}),
    *[
        case("AddN", [*[real(2, 3)] * 18, real(*shape)], types={"T": FLOATS}, error=errors.InvalidArgumentError)
        for shape in ((3, 3), (2, 1), (3,), ())
    ],
    case("AddN", [real(1, 3), *[real(2, 3)] * 17, real(3, 3)], types={"T": FLOATS}, error=ValueError),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
