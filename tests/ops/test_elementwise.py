"""Functions of one tensor agree with TensorFlow."""

from __future__ import annotations

import pytest

import runstep.kernels.numpy.elementwise
import runstep.ops.elementwise  # noqa: F401
from runstep.graph import dtypes
from runstep.testing import case, check, positive, real, special

REAL = [dtypes.float32, dtypes.float64]
FLOATS = [dtypes.bfloat16, dtypes.float16, *REAL]
EVERYWHERE = "Sigmoid Exp Tanh Sin Cos Expm1 Sinh Cosh Tan Atan Asinh Neg Sign Square".split()
FROM_ZERO = "Sqrt Log Rsqrt Log1p Reciprocal Inv".split()
INSIDE_ONE = "Asin Acos Atanh".split()
GRADIENTS = "SigmoidGrad TanhGrad SqrtGrad RsqrtGrad ReciprocalGrad InvGrad".split()

GAPS = {"Round": "integers stay as they are; TensorFlow makes them 0"}

CASES = [
    *[row for name in EVERYWHERE for row in (case(name, real(2, 3)), case(name, real()), case(name, real(0, 2)))],
    *[case(name, special(), types={"T": REAL}) for name in (*EVERYWHERE, *FROM_ZERO, *INSIDE_ONE, "Acosh")],
    *[row for name in FROM_ZERO for row in (case(name, positive(3, 2)), case(name, positive()))],
    *[case(name, real(3, 2, low=-0.9, high=0.9)) for name in INSIDE_ONE],
    case("Acosh", real(3, 2, low=1.1, high=5), types={"T": FLOATS}),
    case("Acosh", positive(3, 2), types={"T": [dtypes.complex64, dtypes.complex128]}),
    *[row for name in ("Floor", "Ceil", "Rint", "Abs") for row in (case(name, real(3, 4)), case(name, special()))],
    # TensorFlow's Round kernel makes every integer 0; here integers stay as they are.
    case("Round", real(3, 4), types={"T": FLOATS}),
    case("Round", special(), types={"T": FLOATS}),
    *[case(name, special()) for name in ("IsNan", "IsInf", "IsFinite")],
    *[case(name, positive(2, 3), real(2, 3)) for name in GRADIENTS],
    *[case(name, positive(), real()) for name in GRADIENTS],
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
