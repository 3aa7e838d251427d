"""Special functions agree with TensorFlow."""

from __future__ import annotations

import pytest

import runstep.kernels.numpy.special
import runstep.ops.special  # noqa: F401
from runstep import errors
from runstep.graph import dtypes
from runstep.testing import case, check, of, positive, real

REAL = {"T": [dtypes.float32, dtypes.float64]}
NAN, INF = float("nan"), float("inf")
# TensorFlow's own float32 results are off by this much; in half precision it rounds intermediate results.
NEAR = {"float32": 3e-5, "float64": 1e-10, "float16": 6e-3, "bfloat16": 4e-2}
SMALL = {"float32": 1e-5, "float64": 1e-11, "float16": 1e-3, "bfloat16": 1e-2}

# A grid over every piece of the approximations.
GRID = [
    -30.3,
    -12.6,
    -7.9,
    -4.4,
    -2.6,
    -1.3,
    -0.7,
    -0.1,
    0.01,
    0.2,
    0.45,
    0.9,
    1.0,
    1.2,
    1.46,
    1.9,
    2.0,
    2.3,
    3.7,
    5.0,
    6.5,
]
GRID += [7.9, 8.1, 9.7, 12.0, 17.3, 30.2, 39.0, 41.0, 70.0]
POSITIVE = [x for x in GRID if x > 0]
ANYWHERE = (
    "Lgamma Digamma Erf Erfc Dawsn FresnelCos FresnelSin BesselI0 BesselI0e BesselI1 BesselI1e BesselJ0 BesselJ1"
).split()
ABOVE_ZERO = "Spence Expint BesselK0 BesselK0e BesselK1 BesselK1e BesselY0 BesselY1".split()
A = [0.01, 0.5, 1.0, 2.0, 3.7, 10.0, 50.0, 120.0, 900.0]
X = [0.02, 0.3, 0.9, 1.0, 1.5, 4.0, 9.0, 30.0, 100.0, 1000.0]

GAPS = {
    "Erf": "erf of a float64 infinity is 1; TensorFlow says NaN",
    "BesselY1": "-inf at a float32 0; TensorFlow says NaN",
}

CASES = [
    *[case(name, of(GRID), rtol=NEAR, atol=SMALL, types=REAL) for name in ANYWHERE],
    *[case(name, of(POSITIVE), rtol=NEAR, atol=SMALL, types=REAL) for name in ABOVE_ZERO],
    *[case(name, real(2, 3), rtol=NEAR, atol=SMALL) for name in ANYWHERE],
    *[case(name, positive(2, 3), rtol=NEAR, atol=SMALL) for name in ABOVE_ZERO],
    *[row for name in (*ANYWHERE, *ABOVE_ZERO) for row in (case(name, positive(), rtol=NEAR), case(name, real(0, 2)))],
    case("Erf", real(3, 12000), types=REAL),
    # TensorFlow's float64 erf of an infinity is NaN; here it is 1.
    case("Erf", of([0.0, -0.0, INF, -INF, NAN]), types={"T": [dtypes.float32]}),
    *[
        case(name, of([0.0, -0.0, 1e30, NAN]), types=REAL)
        for name in ("Erf", "Erfc", "Dawsn", "FresnelCos", "FresnelSin")
    ],
    *[case(name, of([0.0, -0.0, INF, -INF, NAN]), types=REAL) for name in ("Erfc", "Dawsn", "BesselI0e", "BesselI1e")],
    case("Lgamma", of([0.0, -1.0, -7.0, INF, -INF, NAN, 1e5, 1e30]), types=REAL),
    case("Digamma", of([0.0, -1.0, -7.0, INF, -INF, NAN, 1e5, 1e30]), types=REAL),
    # TensorFlow's float32 BesselY1 of 0 is NaN; here it is -inf, as in float64.
    *[case(name, of([0.0, -1.0, INF, NAN]), types=REAL) for name in ABOVE_ZERO[:-1]],
    case("BesselY1", of([0.0, -1.0, INF, NAN]), types={"T": [dtypes.float64]}),
    case("Erfinv", of([-1.1, -1.0, -0.99999, -0.5, -0.01, 0.0, 0.1, 0.7, 0.999, 1.0, 1.1, NAN]), types=REAL, rtol=NEAR),
    case(
        "Ndtri", of([-0.1, 0.0, 1e-30, 1e-10, 0.01, 0.3, 0.5, 0.7, 0.9, 0.9999, 1.0, 1.1, NAN]), types=REAL, rtol=NEAR
    ),
    *[
        row
        for name in ("Igamma", "Igammac", "IgammaGradA")
        for row in (
            case(name, of([[a] for a in A]), of(X), rtol={"float32": 2e-3, "float64": 1e-9}, atol=2e-5, types=REAL),
            case(name, of([1.0, 2.0, -1.0, 0.0, 1.0, NAN, 1.0]), of([0.0, INF, 1.0, 1.0, -1.0, 1.0, NAN]), types=REAL),
            case(name, positive(), positive(), types=REAL, rtol=NEAR, atol=SMALL),
            case(name, positive(0), positive(1), types=REAL),
        )
    ],
    case(
        "RandomGammaGrad",
        of([[a] for a in A if a < 10]),  # for larger ones TensorFlow's is 0
        positive(5),
        rtol={"float32": 2e-4, "float64": 1e-9},
        types=REAL,
    ),
    case("RandomGammaGrad", of([1.0, 5.0, 50.0, 200.0]), of([0.5, 6.0, 45.0, 210.0]), types=REAL, rtol=NEAR),
    case("RandomGammaGrad", positive(2, 1), positive(3), types=REAL, rtol=NEAR),
    case("Zeta", of([[1.0], [2.0], [3.0], [2.5]]), of([0.0, -1.0, -2.0, NAN]), types=REAL, rtol=NEAR),
    case("Polygamma", of([[0.0], [1.0], [2.0], [3.0]]), of([0.0, -1.0, -2.0]), types=REAL, rtol=NEAR),
    case("Zeta", of([1.1, 2.0, 3.5, 10.0, 30.0]), of([0.1, 1.0, 4.0, 20.0, 0.5]), types=REAL, rtol=NEAR),
    case(
        "Zeta",
        of([0.5, 1.0, 2.0, 2.0, 2.0, 2.5, 2.0, NAN]),
        of([1.0, 1.0, 0.0, -1.0, -1.5, -1.5, 1e10, 1.0]),
        types=REAL,
    ),
    case("Polygamma", of([[0.0], [1.0], [2.0], [5.0]]), of([0.3, 1.0, 4.0, 20.0]), types=REAL, rtol=NEAR),
    case("Polygamma", of([1.5, -1.0, 3.0, NAN, 1.0]), of([1.0, 1.0, -0.5, 1.0, 0.0]), types=REAL, rtol=NEAR),
    case(
        "Betainc",
        of([1.0, 2.0, 0.5, 50.0, 3.0, 8.0]),
        of([1.0, 3.0, 0.2, 60.0, 3.0, 0.4]),
        of([0.5, 0.3, 0.9, 0.45, 0.0, 1.0]),
        types=REAL,
        rtol=NEAR,
        atol=SMALL,
    ),
    case(
        "Betainc",
        of([0.0, -1.0, 1.0, 1.0, 1.0, NAN]),
        of([1.0, 1.0, 0.0, 1.0, 1.0, 1.0]),
        of([0.5, 0.5, 0.5, -0.1, 1.1, 0.5]),
        types=REAL,
    ),
    case("Betainc", of(2.0), of(3.0), real(2, 3, low=0.1, high=0.9), types=REAL, rtol=NEAR),
    case("Betainc", positive(2), positive(3), positive(3), types=REAL, error=errors.InvalidArgumentError),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
