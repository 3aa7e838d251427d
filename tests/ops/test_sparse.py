"""Operations on the structure of sparse tensors agree with TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

import runstep.kernels.numpy.sparse
import runstep.ops.sparse  # noqa: F401
from runstep import errors
from runstep.testing import case, check, of, real

INVALID = errors.InvalidArgumentError
ONE = {"T": ["float32"]}
FEW = {"T": ["float32", "int32", "string", "bool"]}
NOWHERE = of(np.zeros((0, 2)), "int64")
PLACES = of([[0, 1], [1, 0], [1, 4]], "int64")
MIXED = of([[2, 1], [0, 0], [2, 0]], "int64")


def to_dense(indices, shape, values=None, error=None, default=None, kind="int32", types=ONE, **attrs):
    count = real(len(indices)) if values is None else values
    rest = real() if default is None else default
    return case("SparseToDense", of(indices, kind), of(shape, kind), count, rest, types=types, error=error, **attrs)


def of64(value):
    return of(value, "int64")


CASES = [
    case("SparseToDense", [[0, 1], [1, 0]], [2, 3], real(2), real(), types={"Tindices": ["int32"]}),
    case("SparseToDense", of64([[0, 1], [1, 0]]), [2, 3], real(2), real(), types=FEW),
    to_dense([[0, 1], [0, 0], [0, 1]], [2, 3], validate_indices=False),
    to_dense([0, 2], [3], types=FEW),
    to_dense([0, 2], [3], values=real(), types=FEW),
    case("SparseToDense", 1, [3], real(), real(), types=ONE),
    case("SparseToDense", NOWHERE, of64([2, 3]), real(0), real(), types=ONE),
    *[
        to_dense(indices, shape, error=INVALID)
        for indices, shape in [
            ([[0, 1], [0, 0]], [2, 3]),
            ([[0, 1], [0, 1]], [2, 3]),
            ([[0, 1], [0, 5]], [2, 3]),
            ([[-1, 1]], [2, 3]),
            ([[0, 1]], [3]),
            ([[0, 1]], [2, -3]),
            ([[0, 1]], [[2, 3]]),
        ]
    ],
    to_dense([[0, 5]], [2, 3], validate_indices=False, error=INVALID),
    to_dense([[0, 1]], [2, 3], values=real(1, 1), error=INVALID),
    to_dense([[0, 1]], [2, 3], values=real(2), error=INVALID),
    to_dense([[0, 1]], [2, 3], default=real(1), error=INVALID),
    case("SparseReorder", of64([[1, 0], [0, 1], [1, 0], [0, 0]]), real(4), of64([2, 2])),
    case("SparseReorder", of64([[5, 0], [-1, 1]]), real(2), of64([2, 2]), types=ONE),
    case("SparseReorder", NOWHERE, real(0), of64([2, 2]), types=ONE),
    case("SparseReorder", PLACES, real(3), of64([2]), types=ONE, error=INVALID),
    case("SparseReorder", PLACES, real(2), of64([2, 5]), types=ONE, error=INVALID),
    case("SparseReorder", of64([1]), real(1), of64([2, 5]), types=ONE, error=INVALID),
    *[
        case("SparseReshape", PLACES, of64([2, 6]), of64(shape))
        for shape in [[3, -1], [12], [2, 6], [1, 2, 2, 3], [-1, 1], [4, 3]]
    ],
    case("SparseReshape", NOWHERE, of64([0, 3]), of64([-1, 3])),
    case("SparseReshape", NOWHERE, of64([0, 3]), of64([5, -1])),
    *[
        case("SparseReshape", PLACES, of64([2, 6]), of64(shape), error=INVALID)
        for shape in [[-1, -1], [5, -1], [4, 2], [-2, 2], []]
    ],
    case("SparseReshape", NOWHERE, of64([0, 3]), of64([0, -1]), error=INVALID),
    case("SparseReshape", PLACES, of64([2, -3]), of64([6]), error=INVALID),
    case("SparseReshape", PLACES, of64([2]), of64([2]), error=INVALID),
    *[
        case("SparseConcat", [PLACES, MIXED], [real(3), real(3)], [of64(a), of64(b)], concat_dim=axis, types=FEW)
        for a, b, axis in [([2, 5], [2, 3], 1), ([2, 5], [2, 3], -1), ([2, 5], [4, 5], 0)]
    ],
    *[
        case(
            "SparseConcat",
            [PLACES, MIXED],
            [real(3), real(3)],
            [of64(a), of64(b)],
            concat_dim=axis,
            types=ONE,
            error=INVALID,
        )
        for a, b, axis in [([2, 5], [2, 3], 0), ([2, 5], [2, 3], 2), ([2, 5], [2], 1)]
    ],
    case(
        "SparseConcat", [PLACES, MIXED], [real(3), real(2)], [of64([2, 5])] * 2, concat_dim=0, types=ONE, error=INVALID
    ),
    *[
        case("SparseSplit", of64(axis), PLACES, real(3), of64([2, 5]), num_split=number, types=FEW)
        for axis, number in [(1, 2), (1, 3), (0, 2), (-1, 1), (1, 5)]
    ],
    *[
        case("SparseSplit", of64(axis), PLACES, real(3), of64(shape), num_split=number, types=ONE, error=INVALID)
        for axis, shape, number in [(2, [2, 5], 1), (1, [2, 5], 6), (0, [2, 3], 1), ([1], [2, 5], 1)]
    ],
    *[
        case("SparseSlice", PLACES, real(3), of64([2, 5]), of64(start), of64(size), types=FEW)
        for start, size in [([0, 1], [2, 4]), ([1, 3], [5, 9]), ([0, 7], [2, 4]), ([-1, 0], [2, 4]), ([0, 0], [0, 4])]
    ],
    *[
        case("SparseSlice", PLACES, real(3), of64([2, 5]), of64(start), of64(size), types=ONE, error=INVALID)
        for start, size in [([0], [2, 4]), ([0, 0], [2]), ([0, 0], [-1, 4])]
    ],
    case("SparseSliceGrad", real(2), PLACES, of64([0, 1]), of64([[0, 0], [1, 3]])),
    case("SparseSliceGrad", real(1), PLACES, of64([1, 0]), of64([[0, 0]]), types=ONE),
    case("SparseSliceGrad", real(3), PLACES, of64([0, 1]), of64([[0, 0], [1, 3]]), types=ONE, error=INVALID),
    case("SparseFillEmptyRows", of64([[0, 1], [2, 0], [2, 3]]), real(3), of64([4, 5]), real()),
    case("SparseFillEmptyRows", MIXED, real(3), of64([4, 5]), real(), types=FEW),
    case("SparseFillEmptyRows", PLACES, real(3), of64([2, 5]), real(), types=ONE),
    case("SparseFillEmptyRows", NOWHERE, real(0), of64([2, 5]), real(), types=FEW),
    case("SparseFillEmptyRows", NOWHERE, real(0), of64([0, 5]), real(), types=FEW),
    case("SparseFillEmptyRows", of64([[0], [3]]), real(2), of64([4]), real(), types=ONE),
    *[
        case("SparseFillEmptyRows", indices, real(count), of64(shape), real(*default), types=ONE, error=INVALID)
        for indices, count, shape, default in [
            (PLACES, 3, [0, 5], ()),
            (PLACES, 3, [1, 5], ()),
            (of64([[-1, 0]]), 1, [1, 5], ()),
            (PLACES, 2, [2, 5], ()),
            (PLACES, 3, [2, 5], (1,)),
        ]
    ],
    case("SparseFillEmptyRowsGrad", of64([1, 0]), real(4), types={"T": ["float32", "float64", "int32"]}),
    case("SparseFillEmptyRowsGrad", of64([]), real(4), types=ONE),
    case("SparseFillEmptyRowsGrad", of64([5]), real(4), types=ONE, error=INVALID),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
