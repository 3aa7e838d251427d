"""Quantization against TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runstep.errors import InvalidArgumentError
from runstep.testing import case, check, of, real

X = of(np.float32([[-10, -1.3, -1, -0.5], [0, 0.3, 0.5, 0.7], [1, 1.27, 2.2, 300]]))  # type: ignore[arg-type]
LOOSE = {"float32": 1e-5, "float16": 4e-3, "bfloat16": 3e-2}
SMALL = {"T": ["qint8", "quint8", "qint16", "quint16"]}
PER = (of([-1.0, 0.0, -2.0, -0.5]), of([1.0, 2.0, 0.5, 3.0]))

CASES = [
    *[case("QuantizeV2", X, of(-1.0), of(2.0), mode=mode) for mode in ("MIN_COMBINED", "SCALED")],
    case("QuantizeV2", X, of(-1.0), of(2.0), mode="MIN_FIRST"),
    case("QuantizeV2", X, of(1.0), of(1.0)),
    case("QuantizeV2", X, of(0.0), of(0.0), mode="MIN_FIRST"),
    case("QuantizeV2", X, of(-1.0), of(2.0), mode="SCALED", narrow_range=True, types=SMALL),
    case("QuantizeV2", X, of(-1.0), of(2.0), mode="SCALED", round_mode="HALF_TO_EVEN"),
    case("QuantizeV2", X, *PER, mode="SCALED", axis=1),
    case("QuantizeV2", X, of(2.0), of(1.0), error=InvalidArgumentError),
    *[
        case("Dequantize", real(3, 4, low=-100, high=100), of(-1.0), of(2.0), mode=mode, types={"dtype": ["float32"]})
        for mode in ("MIN_COMBINED", "MIN_FIRST", "SCALED")
    ],
    *[
        case(op, X, of(-1.0), of(2.0), rtol=LOOSE, atol=LOOSE, types={"T": ["float32", "float64"]}, **more)
        for op in ("QuantizeAndDequantizeV2", "QuantizeAndDequantizeV4")
        for more in (
            {},
            {"signed_input": False},
            {"range_given": True},
            {"range_given": True, "signed_input": False},
            {"num_bits": 4, "narrow_range": True},
            {"round_mode": "HALF_UP", "num_bits": 3},
        )
    ],
    case("QuantizeAndDequantizeV3", X, of(-1.0), of(2.0), 8, types={"T": ["float32", "float64"]}),
    case("QuantizeAndDequantizeV4Grad", real(3, 4), X, of(-1.0), of(2.0)),
    case("QuantizeAndDequantizeV4Grad", real(3, 4), X, *PER, axis=1),
    *[
        case("FakeQuantWithMinMaxArgs", X, **more)
        for more in ({}, {"num_bits": 4}, {"narrow_range": True}, {"min": 0.5, "max": 1.0}, {"min": -0.9, "max": 1.3})
    ],
    case("FakeQuantWithMinMaxArgs", X, min=1.0, max=0.5, error=InvalidArgumentError),
    case("FakeQuantWithMinMaxArgsGradient", real(3, 4), X, min=-0.9, max=1.3),
    case("FakeQuantWithMinMaxVars", X, of(-0.9), of(1.3)),
    case("FakeQuantWithMinMaxVars", X, of(0.0), of(0.0)),
    case("FakeQuantWithMinMaxVarsGradient", real(3, 4), X, of(-0.9), of(1.3)),
    case("FakeQuantWithMinMaxVarsGradient", real(3, 4), X, of(0.0), of(0.0)),
    case("FakeQuantWithMinMaxVarsPerChannel", X, *PER),
    case("FakeQuantWithMinMaxVarsPerChannelGradient", real(3, 4), X, *PER),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row: Any) -> None:
    check(row)
