"""Ops that TensorFlow has retired: new graphs cannot hold them, old ones do."""

from __future__ import annotations

import pytest

from runstep import errors
from runstep.testing import Case, case, check, of, positive, real

LOOSE = {"float16": 2e-2, "bfloat16": 2e-1, "float32": 1e-4, "float64": 1e-10}
EPSILON = 0.001

CASES = [
    case(
        "BatchNormWithGlobalNormalization",
        *(real(2, 3, 3, 4), real(4), positive(4), real(4), real(4)),
        variance_epsilon=EPSILON,
        scale_after_normalization=True,
        rtol=LOOSE,
        atol=LOOSE,
    ),
    case(
        "BatchNormWithGlobalNormalization",
        *(real(2, 3, 3, 4), real(4), positive(4), real(4), real(4)),
        variance_epsilon=EPSILON,
        scale_after_normalization=False,
        rtol=LOOSE,
        atol=LOOSE,
    ),
    case(
        "BatchNormWithGlobalNormalizationGrad",
        *(real(2, 3, 3, 4), real(4), positive(4), real(4), real(2, 3, 3, 4)),
        variance_epsilon=EPSILON,
        scale_after_normalization=True,
        rtol=LOOSE,
        atol=LOOSE,
    ),
    case(
        "BatchNormWithGlobalNormalizationGrad",
        *(real(2, 3, 3, 4), real(4), positive(4), real(4), real(2, 3, 3, 4)),
        variance_epsilon=EPSILON,
        scale_after_normalization=False,
        rtol=LOOSE,
        atol=LOOSE,
    ),
    *[
        case(
            "BatchNormWithGlobalNormalizationGrad",
            *(real(2, 3, 3, 4), real(4), positive(4), real(*gamma), real(*grad)),
            variance_epsilon=EPSILON,
            scale_after_normalization=False,
            types={"T": ["float32"]},
            error=errors.InvalidArgumentError,
        )
        for gamma, grad in (((4, 2), (2, 3, 3, 4)), ((4,), (2, 3, 4)))
    ],
    case(
        "Conv3DBackpropInput",
        *(real(1, 4, 4, 4, 2), real(2, 2, 2, 2, 3), real(1, 4, 4, 4, 3)),
        strides=[1, 1, 1, 1, 1],
        padding="SAME",
        rtol=LOOSE,
        atol=LOOSE,
    ),
    case(
        "Conv3DBackpropFilter",
        *(real(1, 4, 4, 4, 2), real(2, 2, 2, 2, 3), real(1, 2, 2, 2, 3)),
        strides=[1, 2, 2, 2, 1],
        padding="VALID",
        rtol=LOOSE,
        atol=LOOSE,
    ),
    case("QuantizeAndDequantize", real(3, 4), range_given=True, input_min=-2.0, input_max=2.0),
    case("QuantizeAndDequantize", real(3, 4)),
    case("BatchMatrixBandPart", real(2, 3, 4), 1, 0),
    case("BatchMatrixDiag", real(2, 3)),
    case("BatchMatrixDiagPart", real(2, 3, 4)),
    case("BatchMatrixSetDiag", real(2, 3, 4), real(2, 3)),
    case("AdjustContrast", real(2, 4, 5, 3), of(1.7), of(-2.0), of(2.5), rtol=LOOSE, atol=LOOSE),
    case("RandomCrop", real(9, 7, 3), [4, 5], seed=3, seed2=5),
    case("RandomCrop", real(9, 7, 3), [9, 4], seed=3, seed2=6),
    case("RandomPoisson", [3], positive(2), seed=3, seed2=5),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row: Case) -> None:
    check(row)
