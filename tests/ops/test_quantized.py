"""Arithmetic on quantized integers against TensorFlow."""

from __future__ import annotations

from typing import Any

import pytest

from runstep.errors import InvalidArgumentError
from runstep.testing import case, check, ints, of, real

B = ints(3, 4, high=256)
WIDE = real(3, 4, low=-(2**28), high=2**28)
WIDER = real(2, 3, 2, 4, low=-(2**28), high=2**28)
R = (of(-1.5), of(2.0))
S = (of(-10.0), of(3.7))
PER = (of([-1.0, 0.0, -2.0, -0.5]), of([1.0, 2.0, 0.5, 3.0]))
BYTES = {"T": ["quint8"]}
CONV = {"Tfilter": ["quint8"]}

CASES = [
    case("QuantizeDownAndShrinkRange", WIDE, *R),
    case("RequantizationRange", real(5, low=2**20, high=2**28), of(0.0), of(200.0)),
    case("Requantize", WIDE, *R, of(-0.1), of(0.2)),
    case("Requantize", WIDE, *R, of(-0.1), of(-0.2), error=InvalidArgumentError),
    case("QuantizedAdd", B, B, *R, *S),
    case("QuantizedAdd", B, ints(4, high=256), *R, *S),
    case("QuantizedAdd", B, of(200), *R, *S),
    case("QuantizedAdd", B, B, of(3.0), of(1.0), *S, error=InvalidArgumentError),
    case("QuantizedMul", B, B, *R, *S),
    case("QuantizedMatMul", B, ints(4, 2, high=256), *R, *S),
    case("QuantizedMatMul", B, ints(2, 3, high=256), *R, *S, transpose_a=True, transpose_b=True),
    case(
        "QuantizedConv2D",
        ints(2, 5, 6, 3, high=256),
        ints(3, 2, 3, 4, high=256),
        *R,
        *S,
        strides=[1, 1, 1, 1],
        padding="SAME",
        types=CONV,
    ),
    case(
        "QuantizedConv2D",
        ints(2, 5, 6, 3, high=256),
        ints(3, 2, 3, 4, high=256),
        *R,
        *S,
        strides=[1, 2, 2, 1],
        padding="VALID",
        types=CONV,
    ),
    case("QuantizedBiasAdd", B, ints(4, high=256), *R, *S),
    case("QuantizedRelu", ints(3, 4, low=-(2**28), high=2**28), *R),
    case("QuantizedRelu6", ints(3, 4, low=-(2**28), high=2**28), of(-5.0), of(8.0)),
    case(
        "QuantizedMaxPool",
        ints(2, 5, 6, 3, high=256),
        *R,
        ksize=[1, 3, 2, 1],
        strides=[1, 2, 2, 1],
        padding="SAME",
        types=BYTES,
    ),
    case(
        "QuantizedAvgPool",
        ints(2, 5, 6, 3, high=256),
        *R,
        ksize=[1, 3, 2, 1],
        strides=[1, 2, 2, 1],
        padding="SAME",
        types=BYTES,
    ),
    case("QuantizedConcat", 1, [B, B], [of(-1.0), of(0.5)], [of(2.0), of(1.0)]),
    case("QuantizedReshape", B, [2, -1], *R),
    *[
        case("QuantizedResizeBilinear", real(2, 3, 4, 2, low=-(2**28), high=2**28), [5, 7], *R, half_pixel_centers=half)
        for half in (False, True)
    ],
    case("QuantizedResizeBilinear", ints(2, 6, 8, 2, high=256), [4, 3], *R),
    case("QuantizedInstanceNorm", ints(2, 5, 4, 3, high=256), *R),
    case(
        "QuantizedInstanceNorm",
        ints(2, 5, 4, 3, high=256),
        *R,
        output_range_given=True,
        given_y_min=-1.0,
        given_y_max=1.5,
    ),
    *[
        case(
            "QuantizedBatchNormWithGlobalNormalization",
            *(ints(2, 3, 4, 2, high=256), *R, ints(2, high=256), *R, ints(2, high=256), of(0.0), of(2.0)),
            *(ints(2, high=256), *R, ints(2, high=256), *S),
            variance_epsilon=0.001,
            scale_after_normalization=scaled,
        )
        for scaled in (True, False)
    ],
    case("RequantizationRangePerChannel", WIDER, *PER, clip_value_max=1e30),
    case("RequantizationRangePerChannel", ints(2, 3, 2, 4, high=2**28), *PER, clip_value_max=1e30),
    case("RequantizePerChannel", WIDER, *PER, of(-0.1), of(0.2)),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row: Any) -> None:
    check(row)
