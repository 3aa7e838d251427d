"""Gradients of sparse tensors against TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

import runstep
from runstep.testing import check_grads, complex_, grad_case, of, positive, real

WIDE = {"T": ["float64"]}
BOTH = {"T": ["float32", "float64"]}


def int64(value):
    return of(value, dtype="int64")


INDICES, SIZES = int64([[0, 0], [0, 2], [2, 1]]), int64([3, 4])
SHUFFLED = int64([[2, 1], [0, 2], [0, 0]])
OTHERS = int64([[0, 2], [1, 1]])
DEEP = int64([[0, 0, 1], [0, 2, 0], [1, 1, 1]])


def product(flip_a, flip_b, b, kind, make):
    return grad_case(
        "SparseTensorDenseMatMul",
        INDICES,
        make(3),
        SIZES,
        make(*(reversed(b) if flip_b else b)),
        adjoint_a=flip_a,
        adjoint_b=flip_b,
        T=kind,
        order=1,
        beyond=kind == "complex128" and flip_a,
    )


ROWS = [
    grad_case("SparseReorder", SHUFFLED, real(3), SIZES, outputs=[1], types=BOTH),
    grad_case(
        "SparseAdd",
        INDICES,
        real(3),
        SIZES,
        OTHERS,
        real(2),
        SIZES,
        of(np.zeros(())),
        wrt=[1, 4],
        outputs=[1],
        types=WIDE,
        order=1,
    ),
    grad_case("SparseTensorDenseAdd", INDICES, real(3), SIZES, real(3, 4), types=WIDE),
    grad_case("SparseToDense", INDICES, SIZES, real(3), real(), types=BOTH),
    grad_case("SparseToDense", INDICES, SIZES, real(), real(), types=BOTH, order=1, beyond=True),
    *[grad_case("SparseReduceSum", INDICES, real(3), SIZES, axes, types=BOTH, order=1) for axes in ([0], [-1], [0, 1])],
    grad_case("SparseReduceSum", DEEP, real(3), int64([2, 3, 2]), [1], keep_dims=True, types=WIDE, order=1),
    grad_case("SparseSlice", INDICES, real(3), SIZES, int64([0, 1]), int64([2, 3]), outputs=[1], types=WIDE, order=1),
    *[
        product(flip_a, flip_b, (3 if flip_a else 4, 2), kind, make)
        for flip_a in (False, True)
        for flip_b in (False, True)
        for kind, make in (("float64", real), ("complex128", complex_))
    ],
    grad_case("SparseSoftmax", INDICES, real(3), SIZES, types=BOTH, order=1),
    grad_case("SparseFillEmptyRows", INDICES, real(3), SIZES, real(), outputs=[1], types=WIDE, order=1),
    *[
        grad_case(f"SparseDenseCwise{op}", INDICES, positive(3), SIZES, positive(*shape), types=WIDE, order=1)
        for op in ("Mul", "Div")
        for shape in ((3, 4), (4,), (3, 1), (1, 4))
    ],
    grad_case("SparseDenseCwiseAdd", INDICES, real(3), SIZES, real(3, 4), types=WIDE, error=NotImplementedError),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_gradients(row):
    check_grads(row)


def test_extremes_of_two_sparse_tensors_have_none() -> None:
    """TensorFlow means to say so, and fails on its own argument list (TypeError)."""
    with runstep.Graph().as_default():
        values = runstep.placeholder(runstep.float32, [1])
        one = runstep.SparseTensor([[0]], values, [2])
        with pytest.raises(NotImplementedError, match="SparseSparseMaximum"):
            runstep.gradients(runstep.sparse_maximum(one, one).values, values)
