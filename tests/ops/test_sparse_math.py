"""Arithmetic on sparse tensors agrees with TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

import runstep.kernels.numpy.sparse_math
import runstep.ops.sparse_math  # noqa: F401
from runstep import errors
from runstep.testing import case, check, of, positive, real

INVALID = errors.InvalidArgumentError
ONE = {"T": ["float32"]}
FLOAT = {"T": ["float32"], "Treal": ["float32"]}
LOOSE = {"float16": 1e-2, "bfloat16": 4e-2}


def of64(value):
    return of(value, "int64")


NOWHERE = of64(np.zeros((0, 2)))
A = of64([[0, 1], [1, 0], [1, 2]])
B = of64([[0, 1], [1, 1]])
SHAPE = of64([2, 3])


def matmul(indices, count, shape, dense, **more):
    return case("SparseTensorDenseMatMul", of64(indices), real(count), of64(shape), dense, **more)


def add(a=A, na=3, a_shape=SHAPE, b=B, nb=2, b_shape=SHAPE, thresh=0, **more):
    return case("SparseAdd", a, real(na), a_shape, b, real(nb), b_shape, thresh, **more)


REDUCE = ("SparseReduceSum", "SparseReduceMax", "SparseReduceSumSparse", "SparseReduceMaxSparse")
PAIRS = ("SparseSparseMinimum", "SparseSparseMaximum")

CASES = [
    matmul([[0, 1], [1, 0], [1, 2]], 3, [2, 3], real(3, 4), rtol=LOOSE, atol=0.02),
    matmul([[1, 2], [0, 1], [1, 0], [0, 1]], 4, [3, 3], real(3, 4), types=ONE),
    matmul([[0, 1], [1, 0]], 2, [2, 3], real(2, 2), adjoint_a=True, types={"T": ["float32", "complex64"]}),
    matmul([[0, 1], [1, 0]], 2, [2, 3], real(2, 3), adjoint_b=True, types={"T": ["float32", "complex64"]}),
    matmul([[0, 1], [1, 0]], 2, [2, 3], real(4, 2), adjoint_a=True, adjoint_b=True, types=ONE),
    case("SparseTensorDenseMatMul", NOWHERE, real(0), SHAPE, real(3, 2), types=ONE),
    matmul([[0, 1]], 1, [2, 3], real(2, 2), types=ONE, error=INVALID),
    matmul([[0, 1]], 1, [2, 3], real(2, 2), types=ONE, error=ValueError),
    matmul([[0, 5]], 1, [2, 3], real(3, 2), types=ONE, error=INVALID),
    matmul([[5, 0]], 1, [2, 3], real(3, 2), types=ONE, error=INVALID),
    matmul([[0, 1]], 1, [2, 3, 4], real(3, 2), types=ONE, error=INVALID),
    matmul([[0, 1]], 2, [2, 3], real(3, 2), types=ONE, error=INVALID),
    matmul([[0, 1]], 1, [2, 3], real(3), types=ONE, error=INVALID),
    case("SparseTensorDenseAdd", [[0, 1], [1, 0]], real(2), [2, 3], real(2, 3)),
    case("SparseTensorDenseAdd", [[0, 1], [0, 1]], real(2), [2, 2], real(2, 2), types=ONE),
    case("SparseTensorDenseAdd", [[0, 1]], real(1), [2, 3], real(2, 2), types=ONE, error=INVALID),
    case("SparseTensorDenseAdd", [[0, 5]], real(1), [2, 3], real(2, 3), types=ONE, error=INVALID),
    case("SparseTensorDenseAdd", [[0]], real(1), [2], real(2, 3), types=ONE, error=INVALID),
    # TensorFlow reads the threshold as T's real type, whatever Treal says.
    *[add(types={"T": [kind], "Treal": [kind]}) for kind in ["float32", "float64", "int8", "int16", "int32", "int64"]],
    add(types={"T": ["complex64"], "Treal": ["float32"]}),
    add(thresh=1.5, types=FLOAT),
    add(b=NOWHERE, nb=0, types=FLOAT),
    add(b_shape=of64([2, 4]), types=FLOAT, error=INVALID),
    add(b=of64([[0], [1]]), b_shape=of64([2]), types=FLOAT, error=INVALID),
    add(na=2, types=FLOAT, error=INVALID),
    add(thresh=[0.5], types=FLOAT, error=INVALID),
    case("SparseAddGrad", real(4), A, B, of64([[0, 1], [1, 0], [1, 1], [1, 2]])),
    case("SparseAddGrad", real(2), A, B, of64([[1, 0], [1, 1]]), types=ONE),
    case("SparseAddGrad", real(3), A, B, of64([[1, 0], [1, 1]]), types=ONE, error=INVALID),
    *[
        row
        for name in REDUCE
        for row in (
            case(name, A, real(3), SHAPE, 1, rtol=LOOSE),
            case(name, A, real(3), SHAPE, [0], keep_dims=True, types=ONE),
            case(name, A, real(3), SHAPE, [0, 1], types=ONE),
            case(name, A, real(3), SHAPE, [-1, 0], keep_dims=True, types=ONE),
            case(name, A, real(3), SHAPE, of([], "int32"), types=ONE),
            case(name, of64([[1, 2], [0, 1], [1, 0]]), real(3), SHAPE, 1, types=ONE),
            case(name, of64([[0, 1], [0, 1]]), real(2), SHAPE, 0, types=ONE),
            case(name, NOWHERE, real(0), SHAPE, 1, types=ONE),
            case(name, A, real(3), SHAPE, 2, types=ONE, error=INVALID),
            case(name, A, real(3), SHAPE, [[0, 1]], types=ONE, error=INVALID),
        )
    ],
    case("SparseSoftmax", A, real(3), SHAPE),
    case("SparseSoftmax", of64([[0, 0, 1], [0, 0, 2], [1, 1, 0]]), real(3), of64([2, 2, 3])),
    case("SparseSoftmax", of64([[1, 2], [0, 1], [1, 0]]), real(3), SHAPE, types=ONE),
    case("SparseSoftmax", NOWHERE, real(0), SHAPE, types=ONE),
    case("SparseSoftmax", of64([[0]]), real(1), of64([3]), types=ONE, error=INVALID),
    *[
        row
        for name in ("SparseDenseCwiseMul", "SparseDenseCwiseAdd", "SparseDenseCwiseDiv")
        for row in (
            case(name, A, real(3), SHAPE, positive(3)),
            case(name, A, real(3), SHAPE, positive(2, 1), types=ONE),
            case(name, A, real(3), SHAPE, positive(), types=ONE),
            case(name, NOWHERE, real(0), SHAPE, positive(2, 3), types=ONE),
            case(name, A, real(3), SHAPE, positive(2, 4), types=ONE, error=INVALID),
            case(name, A, real(3), SHAPE, positive(1, 2, 3), types=ONE, error=INVALID),
            case(name, of64([[0, 9]]), real(1), SHAPE, positive(3), types=ONE, error=INVALID),
            case(name, A, real(2), SHAPE, positive(3), types=ONE, error=INVALID),
        )
    ],
    case("SparseDenseCwiseDiv", A, real(3), SHAPE, of([1, 0, 2]), types={"T": ["float32", "int32"]}, error=INVALID),
    *[
        row
        for name in PAIRS
        for row in (
            case(name, A, real(3), SHAPE, B, real(2), SHAPE, types={"T": ["float32", "float64", "int32", "uint8"]}),
            case(name, A, real(3), SHAPE, NOWHERE, real(0), SHAPE, types=ONE),
            case(name, A, real(3), SHAPE, B, real(2), of64([2, 4]), types=ONE, error=INVALID),
            case(name, A, real(3), SHAPE, of64([[0], [1]]), real(2), of64([2]), types=ONE, error=INVALID),
            case(name, of64([[0, 9]]), real(1), SHAPE, B, real(2), SHAPE, types=ONE, error=INVALID),
        )
    ],
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
