"""Matrix products agree with TensorFlow."""

from __future__ import annotations

import pytest

import runstep.kernels.numpy.matmul
import runstep.ops.matmul  # noqa: F401
from runstep import errors
from runstep.graph import dtypes
from runstep.testing import case, check, complex_, ints, real

LOOSE = {"float16": 1e-2, "bfloat16": 4e-2, "float32": 1e-5}
REAL = {"T": [dtypes.float32, dtypes.float64]}
SHORT = [dtypes.int8, dtypes.uint8]

CASES = [
    case("MatMul", ints(2, 3), ints(3, 4), rtol=LOOSE),
    case("MatMul", real(3, 2), real(3, 4), transpose_a=True, types=REAL),
    case("MatMul", real(2, 3), real(4, 3), transpose_b=True, types=REAL),
    case("MatMul", complex_(3, 2), complex_(4, 3), transpose_a=True, transpose_b=True, atol=1e-5),
    case("MatMul", real(2, 0), real(0, 3)),
    case("MatMul", real(0, 2), real(2, 3)),
    case("MatMul", real(1, 300), real(300, 1), types=REAL, atol=1e-4),
    case("MatMul", real(2, 3), real(2, 3), types=REAL, error=errors.InvalidArgumentError),
    case("MatMul", real(2, 3), real(2, 3), types=REAL, error=ValueError),
    case("MatMul", real(1, 2, 3), real(3, 2), types=REAL, error=errors.InvalidArgumentError),
    case("MatMul", real(3), real(3, 2), types=REAL, error=errors.InvalidArgumentError),
    case("MatMul", real(3), real(3, 2), types=REAL, error=ValueError),
    *[
        row
        for name in ("BatchMatMul", "BatchMatMulV2")
        for row in (
            case(name, ints(2, 3, 4), ints(2, 4, 5), rtol=LOOSE),
            case(name, ints(2, 3), ints(3, 2), rtol=LOOSE),
            case(name, complex_(2, 4, 3), complex_(2, 4, 5), adj_x=True, atol=1e-5),
            case(name, complex_(2, 2, 3, 4), complex_(2, 2, 5, 4), adj_y=True, atol=1e-5),
            case(name, real(0, 3, 4), real(0, 4, 5), types=REAL),
            case(name, real(2, 3), real(2, 3), types=REAL, error=errors.InvalidArgumentError),
            case(name, real(2, 3), real(2, 3), types=REAL, error=ValueError),
            case(name, real(3), real(2, 3, 1), types=REAL, error=errors.InvalidArgumentError),
        )
    ],
    case("BatchMatMul", real(1, 3, 4), real(2, 4, 5), types=REAL, error=errors.InvalidArgumentError),
    case("BatchMatMul", real(1, 3, 4), real(2, 4, 5), types=REAL, error=ValueError),
    case("BatchMatMul", real(3, 4), real(2, 4, 5), types=REAL, error=errors.InvalidArgumentError),
    case("BatchMatMulV2", real(2, 1, 3, 4), real(5, 4, 2), types=REAL),
    case("BatchMatMulV2", real(3, 4), real(5, 4, 2), types=REAL),
    case("BatchMatMulV2", real(2, 3, 4), real(5, 4, 2), types=REAL, error=errors.InvalidArgumentError),
    case("BatchMatMulV2", real(2, 3, 4), real(5, 4, 2), types=REAL, error=ValueError),
    case("BatchMatMulV3", ints(2, 3, 4), ints(4, 5), types={"Ta": SHORT, "Tb": SHORT, "Tout": [dtypes.int32]}),
    case("BatchMatMulV3", ints(2, 3, 4), ints(4, 5), rtol=LOOSE),
    case("SparseMatMul", ints(2, 3), ints(3, 4)),
    case("SparseMatMul", ints(3, 2), ints(4, 3), transpose_a=True, transpose_b=True, a_is_sparse=True),
    case("SparseMatMul", real(2, 3), real(2, 3), error=errors.InvalidArgumentError),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
