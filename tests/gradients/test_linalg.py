"""Gradients of linear algebra against TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep
from runstep.graph.apply import apply
from runstep.ops.linalg_functions import adjoint
from runstep.testing import Spec, check_grads, complex_, grad_case, of, real

LOOSE: Any = {
    "rtol": {"float32": 1e-3, "complex64": 2e-3, "float64": 1e-9, "complex128": 1e-9},
    "atol": {"float32": 2e-4, "complex64": 5e-4, "float64": 1e-10, "complex128": 1e-10},
}
REAL = {"T": ["float32", "float64"]}
WIDE = {"T": ["float64"]}
COMPLEX = {"T": ["complex128"]}


def _square(kind, rng, batch, size):
    shape = (*batch, size, size)
    return rng.normal(size=shape) + (1j * rng.normal(size=shape) if kind.is_complex else 0)


def definite(*batch, size):
    """Self-adjoint matrices with eigenvalues of at least 1."""

    def draw(kind, rng):
        root = _square(kind, rng, batch, size)
        return root @ np.swapaxes(root, -1, -2).conj() + np.eye(size)

    return Spec((*batch, size, size), draw, f"definite{(*batch, size)}", None)


def regular(*batch, size):
    """Matrices that are far from singular, with eigenvalues far from each other."""

    def draw(kind, rng):
        return 0.3 * _square(kind, rng, batch, size) + np.diag(np.arange(1, size + 1) * 2.0)

    return Spec((*batch, size, size), draw, f"regular{(*batch, size)}", None)


def linear(what, *inputs, types=None, **more):
    if types is None and "T" not in more:
        types = {"T": ["float32", "float64", "complex128"]}
    return grad_case(what, *inputs, types=types, **LOOSE, **more)


def squares(op, **attrs):
    """Of the outputs of `op` what does not change with their signs and phases."""

    def function(x):
        found = apply(op, x, **attrs)
        return [apply("ComplexAbs", y, Tout=y.dtype.real_dtype) if y.dtype.is_complex else y * y for y in found]

    function.__name__ = f"{op}{''.join(map(str, attrs.values()))}"
    return function


def cholesky_of_symmetric(x):
    return apply("Cholesky", (x + adjoint(x)) / 2)


R = regular(2, size=3)
L2 = of(0.1, dtype="float64")


def pooled(*sizes: int, beyond: bool = False) -> Any:
    """TensorFlow takes matrices of known sizes, and not empty ones."""
    kinds = {"T": ["float64"], "output_dtype": ["float64"]}
    known = {"beyond": True} if beyond else {"known": [True]}
    return grad_case("IsotonicRegression", real(*sizes), types=kinds, outputs=[0], **known)


ROWS = [
    *[linear("MatrixInverse", R, adjoint=adjoint) for adjoint in (False, True)],
    linear("MatrixDeterminant", R, types=REAL),
    linear("MatrixDeterminant", R, types=COMPLEX, beyond=True),
    linear("LogMatrixDeterminant", R, types=REAL, outputs=[1]),
    *[linear("MatrixSolve", R, real(2, 3, 4), adjoint=adjoint) for adjoint in (False, True)],
    *[
        linear("MatrixTriangularSolve", R, real(2, 3, 4), lower=lower, adjoint=adjoint)
        for lower in (False, True)
        for adjoint in (False, True)
    ],
    linear("MatrixTriangularSolve", regular(size=3), real(2, 3, 4), types=REAL),
    linear("MatrixTriangularSolve", regular(2, 1, size=3), real(1, 4, 3, 2), types=REAL),
    *[
        linear("BandedTriangularSolve", real(2, 2, 4, low=1, high=2), real(2, 4, 3), lower=lower, adjoint=adjoint)
        for lower in (False, True)
        for adjoint in (False, True)
    ],
    *[
        linear("MatrixSolveLs", real(*shape), real(2, shape[1], 2), L2, wrt=[0, 1], types=REAL, order=1, **more)
        for shape in ((2, 4, 3), (2, 3, 4))
        # TensorFlow fails where it does not know which is larger.
        for more in ({"known": [True]}, {"known": [False], "beyond": True})
    ],
    linear("MatrixSolveLs", real(4, 3), real(4, 2), L2, wrt=[0, 1], fast=False, error=ValueError),
    linear("TridiagonalSolve", real(2, 3, 4, low=1, high=2), real(2, 4, 2), types=REAL),
    linear("TridiagonalMatMul", real(2, 1, 4), real(2, 1, 4), real(2, 1, 4), real(2, 4, 3)),
    linear("Cholesky", definite(2, size=3), types=REAL, numeric=False),  # of the lower half of a symmetric gradient
    linear("Cholesky", definite(2, size=3), types=COMPLEX, order=1, numeric=False),
    linear(cholesky_of_symmetric, definite(2, size=3), types=WIDE),
    linear("MatrixSquareRoot", definite(2, size=3), types=REAL, order=1),
    linear(
        "MatrixSquareRoot", regular(2, size=3), types=COMPLEX, order=1, beyond=True
    ),  # TensorFlow's lacks conjugates
    linear("MatrixLogarithm", regular(size=3), error=LookupError),
    linear("Lu", regular(size=3), error=LookupError, outputs=[0]),
    *[linear(squares("Qr"), real(2, *shape), known=[True], types=REAL) for shape in ((4, 3), (3, 3), (3, 5))],
    linear(squares("Qr"), complex_(2, 4, 3), known=[True], types=COMPLEX, order=1),
    linear("Qr", real(2, 4, 3), known=[False], types=REAL, error=NotImplementedError),
    linear("Qr", real(2, 4, 3), known=[True], types=REAL, full_matrices=True, error=NotImplementedError),
    *[linear(squares("Svd"), real(2, *shape), known=[True], types=REAL, order=1) for shape in ((4, 3), (3, 3), (3, 4))],
    *[
        linear(squares("Svd", full_matrices=True), real(2, *shape), known=[True], types=REAL, order=1)
        for shape in ((4, 3), (3, 3), (3, 4))
    ],
    *[linear(squares("Svd"), complex_(2, *shape), known=[True], types=COMPLEX, order=1) for shape in ((4, 3), (3, 4))],
    linear("Svd", real(2, 4, 3), compute_uv=False, types=REAL, outputs=[0], known=[True]),
    linear("Svd", real(2, 4, 3), compute_uv=False, types=WIDE, outputs=[0], known=[False], order=1),
    linear("Svd", real(5, 3), known=[True], types=REAL, full_matrices=True, error=NotImplementedError),
    linear(squares("SelfAdjointEigV2"), definite(2, size=3), types=REAL),
    linear(squares("SelfAdjointEigV2"), definite(2, size=3), types=COMPLEX, order=1),
    linear("SelfAdjointEigV2", definite(2, size=3), compute_v=False, types=REAL, outputs=[0]),
    linear(squares("Eig", Tout="complex128"), regular(2, size=3), types=COMPLEX, order=1),
    linear("Eig", regular(2, size=3), compute_v=False, T="complex128", Tout="complex128", outputs=[0], order=1),
    linear("Eig", regular(2, size=3), compute_v=False, T="float64", Tout="complex128", outputs=[0], order=1),
    linear("CholeskyGrad", definite(size=3), definite(size=3), types=WIDE, error=LookupError),
    *[pooled(*sizes) for sizes in ((2, 3), (1, 8), (4, 1))],
    *[pooled(*sizes, beyond=True) for sizes in ((3,), (2, 2, 3), (0, 3), (2, 0))],
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_gradients(row):
    check_grads(row)


def test_singular_vectors_need_a_static_shape() -> None:
    with runstep.Graph().as_default():
        x = runstep.placeholder(runstep.float32)
        with pytest.raises(NotImplementedError, match="unknown inner matrix shape; give the input a static shape"):
            runstep.gradients(runstep.svd(x)[1], x)
