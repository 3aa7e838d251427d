"""Diagonals and bands of matrices, against TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

from runstep.errors import InvalidArgumentError
from runstep.graph.apply import apply
from runstep.graph.graph import Graph
from runstep.ops import matrix_diag
from runstep.testing import case, check, of, real

FEW = {"T": ["float32", "int32", "bfloat16"]}
BOTH = (InvalidArgumentError, ValueError)
ALIGNMENTS = ["LEFT_RIGHT", "RIGHT_LEFT", "LEFT_LEFT", "RIGHT_RIGHT"]


def varying(value):
    """A literal that shape inference sees as unknown.

    With k known, TensorFlow takes an unknown number of rows or columns for -1, and an unknown length of the diagonals
    too, and infers wrong shapes. Several diagonals set in a matrix of partly known shape it refuses.
    """
    spec = of(value)
    spec.is_literal = False
    return spec


def _literal(*shape):
    return of(np.arange(1, 1 + int(np.prod(shape))).reshape(shape))


def _drawn(shape, k):
    return _literal(*shape) if isinstance(k, list) else real(*shape)


# Shape of the diagonals, k, number of rows, of columns.
DIAGONALS = [
    (_literal(3), 1, -1, -1),
    (_literal(2, 3), -1, -1, -1),
    (_literal(2, 3), [0, 1], -1, -1),
    (_literal(3, 4), [-1, 1], -1, -1),
    (_literal(2, 3, 4), [-1, 1], 5, -1),
    (_literal(2, 3, 4), [-1, 1], -1, 6),
    (_literal(2, 3), [1, 2], 4, 4),
    (_literal(3), 0, 4, -1),
    (_literal(3), 0, 3, 5),
    (_literal(2), 2, 2, 4),
]
BAD_DIAGONALS = [
    (_literal(3), 0, 2, -1),
    (_literal(3), 1, -1, 2),
    (_literal(3), 0, 4, 4),
    (_literal(2, 3), [0, 2], -1, -1),
    (_literal(2, 3), [1, 0], -1, -1),
]
PARTS = [
    ((3, 4), 0),
    ((3, 4), 1),
    ((3, 4), -2),
    ((2, 3, 4), [-1, 2]),
    ((4, 3), [-3, 2]),
    ((3, 3), [0, 1]),
    ((1, 1), 0),
    ((2, 0, 0), 0),
]
SETS = [
    ((3, 4), (3,), 0),
    ((3, 4), (3,), 1),
    ((4, 3), (2,), -2),
    ((2, 3, 4), (2, 4, 3), [-1, 2]),
    ((3, 3), (2, 3), [0, 1]),
    ((3, 3), (2, 2), [1, 2]),
]

CASES = [
    *[case("MatrixDiag", real(*shape), types={} if shape == (3,) else FEW) for shape in ((3,), (2, 3), (0,), (2, 0))],
    *[case("MatrixDiag", real(), types=FEW, error=error) for error in BOTH],
    *[
        case("MatrixDiagPart", real(*shape), types={} if shape == (3, 4) else FEW)
        for shape in ((3, 4), (2, 4, 3), (0, 2), (2, 3, 3))
    ],
    *[case("MatrixDiagPart", real(3), types=FEW, error=error) for error in BOTH],
    *[
        case("MatrixSetDiag", real(*shape), real(*diagonal), types={} if shape == (3, 4) else FEW)
        for shape, diagonal in (((3, 4), (3,)), ((2, 4, 3), (2, 3)), ((0, 2), (0,)))
    ],
    *[case("MatrixSetDiag", real(3, 4), real(4), types=FEW, error=error) for error in BOTH],
    case("MatrixDiagV3", real(2, 3), varying(0), of(-1), of(-1), real()),
    *[
        case("MatrixDiagV2", d, varying(k), of(rows), of(columns), real(), types=FEW)
        for d, k, rows, columns in DIAGONALS
    ],
    *[
        case("MatrixDiagV3", d, varying(k), of(rows), of(columns), real(), align=align, types=FEW)
        for d, k, rows, columns in DIAGONALS
        for align in ALIGNMENTS
    ],
    *[
        case("MatrixDiagV3", d, varying(k), of(rows), of(columns), of(0), types=FEW, error=InvalidArgumentError)
        for d, k, rows, columns in BAD_DIAGONALS
    ],
    *[case("MatrixDiagPartV2", real(*shape), of(k), real(), types=FEW) for shape, k in PARTS],
    *[
        case("MatrixDiagPartV3", real(*shape), of(k), real(), align=align, types={} if i == 3 else FEW)
        for i, (shape, k) in enumerate(PARTS)
        for align in ALIGNMENTS
    ],
    *[
        case("MatrixDiagPartV3", real(3, 4), of(k), real(), types=FEW, error=error)
        for k in (4, -3, [1, 0], [0, 4])
        for error in BOTH
    ],
    *[
        case("MatrixSetDiagV2", _drawn(shape, k), _drawn(diagonal, k), varying(k), types=FEW)
        for shape, diagonal, k in SETS
    ],
    *[
        case(
            "MatrixSetDiagV3",
            _drawn(shape, k),
            _drawn(diagonal, k),
            varying(k),
            align=align,
            types={} if i == 3 else FEW,
        )
        for i, (shape, diagonal, k) in enumerate(SETS)
        for align in ALIGNMENTS
    ],
    *[
        case(
            "MatrixSetDiagV3", _drawn((3, 4), k), _drawn(diagonal, k), varying(k), types=FEW, error=InvalidArgumentError
        )
        for diagonal, k in (((3,), 4), ((4,), 0), ((2, 3), [1, 0]))
    ],
    *[
        case("MatrixBandPart", real(*shape), of(lower), of(upper), types={} if i == 0 else FEW)
        for i, (shape, lower, upper) in enumerate(
            (
                ((3, 4), 1, 1),
                ((3, 4), -1, 0),
                ((3, 4), 0, -1),
                ((2, 4, 3), 2, 0),
                ((3, 3), 0, 0),
                ((0, 3), 0, 0),
                ((3, 4), -1, -1),
            )
        )
    ],
    *[
        case("MatrixBandPart", real(3, 4), of(lower), of(upper), types=FEW, error=InvalidArgumentError)
        for lower, upper in ((4, 0), (0, 5))
    ],
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)


def _static(shape, k, rows=-1, columns=-1):
    with Graph().as_default():
        diagonal = apply("Placeholder", dtype="float32", shape=shape)
        return matrix_diag.matrix_diag(diagonal, k=k, num_rows=rows, num_cols=columns).raw_shape


@pytest.mark.parametrize(
    ("args", "want"),
    [
        (((3,), 1), (4, 4)),
        (((2, 3), -1), (2, 4, 4)),
        (((2, 3), (0, 1)), (3, 3)),
        (((5, 2, 3), (0, 1), 4), (5, 4, 3)),
        (((2, 3), (0, 1), -1, 4), (3, 4)),
        (((2, None), (0, 1)), (None, None)),
        (((2, None), 1), (2, None, None)),
        (((2, None), (0, 1), 4), (4, None)),
    ],
)
def test_diag_infers_from_constants(args, want):
    assert _static(*args) == want


@pytest.mark.parametrize("args", [((3,), 0, 2), ((3,), 1, -1, 2), ((3,), 0, 4, 4), ((2, 3), (0, 2)), ((2, 3), (1, 0))])
def test_diag_refuses_wrong_constants(args):
    with pytest.raises(ValueError):
        _static(*args)
