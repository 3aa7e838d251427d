"""Einsum agrees with TensorFlow."""

from __future__ import annotations

import pytest

import runstep.kernels.numpy.contraction
import runstep.ops.contraction  # noqa: F401
from runstep import errors
from runstep.graph import dtypes
from runstep.testing import case, check, ints, real

LOOSE = {"float16": 1e-2, "bfloat16": 4e-2, "float32": 1e-5}
REAL = {"T": [dtypes.float32, dtypes.float64]}
ONE = [
    ("ij->ji", (2, 3)),
    ("ii->i", (3, 3)),
    ("i->ii", (3,)),
    ("ij->", (2, 3)),
    ("ij->jii", (2, 3)),
    ("...j->j...", (2, 3, 4)),
    ("i...j->j...", (2, 3, 4, 5)),
    ("iij->j", (2, 2, 3)),
    ("...->...", (2, 3)),
    ("ij->ij", (0, 3)),
    ("->", ()),
]
TWO = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk->ki", (2, 3), (3, 4)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("bhid,bhjd->bhij", (2, 2, 3, 4), (2, 2, 5, 4)),
    ("bhij,bhjd->bihd", (2, 2, 3, 4), (2, 2, 4, 5)),
    ("...ij,...jk->...ik", (5, 2, 3), (1, 3, 4)),
    ("...ij,...jk->...ik", (5, 2, 3), (3, 4)),
    ("ab...,b...->a...", (2, 3, 4), (3, 4)),
    ("ij,ij->i", (2, 3), (2, 3)),
    ("ij,ij->ij", (2, 3), (2, 3)),
    ("i,j->ij", (2,), (3,)),
    ("i,i->", (3,), (3,)),
    ("ijk,l->il", (2, 3, 4), (5,)),
    ("iij,jkk->ik", (2, 2, 3), (3, 2, 2)),
    (",->", (), ()),
    ("bfi,ihd->bfhd", (2, 3, 4), (4, 2, 2)),
    ("ij,jk->ik", (2, 0), (0, 3)),
]

CASES = [
    *[case("Einsum", [ints(*shape)], equation=equation, rtol=LOOSE) for equation, shape in ONE],
    *[case("Einsum", [ints(*x), ints(*y)], equation=equation, rtol=LOOSE) for equation, x, y in TWO],
    *[
        case("Einsum", [real(*shape) for shape in bad], equation=equation, error=ValueError, types=REAL)
        for equation, *bad in (
            ("ij->ij", (2, 3, 4)),
            ("ij->ik", (2, 3)),
            ("ii->i", (2, 3)),
            ("...j->j", (2, 3)),
            ("ij,jk->ik", (2, 3), (4, 4)),
            ("ij,jk", (2, 3), (3, 2)),
            ("ij,jk->ik", (2, 3)),
            ("......->...", (2, 3)),
            ("...ij,...jk->...ik", (5, 2, 3), (4, 3, 4)),
        )
    ],
    case("Einsum", [real(2, 3), real(4, 4)], equation="ij,jk->ik", error=errors.InvalidArgumentError, types=REAL),
    case("Einsum", [real(2, 3)], equation="ii->i", error=errors.InvalidArgumentError, types=REAL),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
