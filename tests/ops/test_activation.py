"""Activations, their gradients and softmax against TensorFlow."""

from __future__ import annotations

import pytest

from runstep.errors import InvalidArgumentError
from runstep.testing import case, check, of, real, special

UNARY = ["Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Softplus", "Softsign"]
GRADIENTS = ["ReluGrad", "Relu6Grad", "LeakyReluGrad", "EluGrad", "SeluGrad", "SoftplusGrad", "SoftsignGrad"]
HALVES = {"float16": 4e-3, "bfloat16": 3e-2}

CASES = [
    *[
        case(op, value, rtol=HALVES, atol=HALVES)
        for op in UNARY
        for value in (real(3, 4), real(0, 2), real(), special(24))
    ],
    *[case("LeakyRelu", special(24), alpha=alpha) for alpha in (0.0, 0.5, 1.5, -0.5)],
    *[case(op, real(3, 4), real(3, 4), rtol=HALVES, atol=HALVES) for op in GRADIENTS],
    *[case(op, real(0), real(0)) for op in GRADIENTS],
    *[case(op, real(24), special(24), rtol=HALVES, atol=HALVES) for op in GRADIENTS],
    *[case(op, real(2, 3), real(3), error=InvalidArgumentError) for op in GRADIENTS],
    *[case(op, real(2, 3), real(2, 4), error=ValueError) for op in GRADIENTS],
    *[
        case(op, value, rtol=HALVES, atol=HALVES)
        for op in ("Softmax", "LogSoftmax")
        for value in (
            real(5),
            real(3, 4),
            real(2, 3, 4),
            real(0, 3),
            real(2, 0),
            real(2, 1),
            of([[1e4, -1e4, 0.0], [60, 61, 62]]),
        )
    ],
    *[case(op, real(), error=InvalidArgumentError) for op in ("Softmax", "LogSoftmax")],
    *[case(op, real(), error=ValueError) for op in ("Softmax", "LogSoftmax")],
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
