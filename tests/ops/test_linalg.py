"""Linear algebra agrees with TensorFlow; where a decomposition leaves signs open, what it puts together again does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep
import runstep.kernels.numpy.table  # noqa: F401
from runstep import errors
from runstep.graph.apply import apply
from runstep.testing import Spec, case, check, complex_, of, positive, real
from runstep.testing.stateful import compare

LOOSE: Any = {
    "rtol": {"float16": 2e-2, "float32": 1e-4, "complex64": 1e-4, "float64": 1e-10, "complex128": 1e-10},
    "atol": {"float16": 5e-3, "float32": 2e-5, "complex64": 2e-5, "float64": 1e-11, "complex128": 1e-11},
}
LOOSER: Any = {"rtol": 1e-2, "atol": 1e-2}
REAL = {"T": ["float32", "float64"]}
ONE = {"T": ["float32"]}


def _normal(kind, rng, shape):
    drawn = rng.normal(size=shape)
    return drawn + 1j * rng.normal(size=shape) if kind.is_complex else drawn


def definite(*batch: int, size: int) -> Spec:
    """Self-adjoint matrices with eigenvalues of at least 1."""

    def draw(kind, rng):
        root = rng.normal(size=(*batch, size, size)) + (
            1j * rng.normal(size=(*batch, size, size)) if kind.is_complex else 0
        )
        return root @ np.swapaxes(root, -1, -2).conj() + np.eye(size)

    return Spec((*batch, size, size), draw, f"definite{(*batch, size)}", None)


def regular(*batch: int, size: int) -> Spec:
    """Matrices that are far from singular, and not symmetric."""

    def draw(kind, rng):
        root = rng.normal(size=(*batch, size, size)) + (
            1j * rng.normal(size=(*batch, size, size)) if kind.is_complex else 0
        )
        return root + 2 * size**0.5 * np.eye(size)

    return Spec((*batch, size, size), draw, f"regular{(*batch, size)}", None)


def sides(lower: bool, adjoint: bool) -> dict:
    return {"lower": lower, "adjoint": adjoint, **LOOSE}


SINGULAR = of([[1.0, 2.0], [2.0, 4.0]])
ZERO = of([[0.0, 0.0], [0.0, 0.0]])
INVALID = errors.InvalidArgumentError

BY_HAND = dict.fromkeys(
    ("BatchSelfAdjointEig", "BatchSelfAdjointEigV2", "BatchSvd"), "signs are open: compared with the newer names"
)

CASES = [
    case("BatchCholesky", definite(2, size=3), **LOOSE),
    case("BatchCholeskyGrad", positive(2, 3, 3), real(2, 3, 3), **LOOSER),
    case("BatchMatrixDeterminant", real(2, 3, 3), **LOOSE),
    case("BatchMatrixInverse", definite(2, size=3), adjoint=True, **LOOSE, types=REAL),
    case("BatchMatrixSolve", definite(2, size=3), real(2, 3, 2), **LOOSE, types=REAL),
    case("BatchMatrixSolveLs", definite(2, size=3), real(2, 3, 2), of(0.1), **LOOSE),
    case("BatchMatrixTriangularSolve", definite(2, size=3), real(2, 3, 2), **LOOSE, types=REAL),
    case("MatrixExponential", real(2, 3, 3), **LOOSE),
    case("Cholesky", definite(size=4), **LOOSE),
    case("Cholesky", definite(2, 3, size=5), **LOOSE),
    case("Cholesky", definite(size=1), **LOOSE),
    case("Cholesky", real(0, 0)),
    case("Cholesky", real(0, 2, 2)),
    case("Cholesky", of([[4.0, 99.0], [2.0, 5.0]]), **LOOSE),
    case("Cholesky", real(2, 3), types=REAL, error=INVALID),
    case("Cholesky", real(2, 3), types=REAL, error=ValueError),
    case("Cholesky", real(3), types=REAL, error=INVALID),
    case("Cholesky", real(3), types=REAL, error=ValueError),
    case("CholeskyGrad", of([[2.0, 0.0], [1.0, 3.0]]), real(2, 2), **LOOSE),
    case("CholeskyGrad", of([[[2.0, 0.0, 0.0], [1.0, 3.0, 0.0], [0.5, 1.0, 2.0]]]), real(1, 3, 3), **LOOSE),
    case("MatrixDeterminant", regular(size=4), **LOOSE),
    case("MatrixDeterminant", regular(2, 3, size=3), **LOOSE),
    case("MatrixDeterminant", real(0, 0)),
    case("MatrixDeterminant", real(2, 0, 0)),
    case("MatrixDeterminant", SINGULAR),
    case("MatrixDeterminant", real(2, 3), types=REAL, error=INVALID),
    case("LogMatrixDeterminant", regular(size=4), **LOOSE),
    case("LogMatrixDeterminant", regular(2, 3, size=3), **LOOSE),
    case("LogMatrixDeterminant", of([[0.0, 1.0], [1.0, 0.0]])),
    case("LogMatrixDeterminant", ZERO),
    case("LogMatrixDeterminant", real(0, 0)),
    *[
        row
        for adjoint in (False, True)
        for row in (
            case("MatrixInverse", regular(size=4), adjoint=adjoint, **LOOSE),
            case("MatrixInverse", regular(2, 3, size=3), adjoint=adjoint, **LOOSE),
            case("MatrixSolve", regular(size=4), complex_(4, 2), adjoint=adjoint, **LOOSE),
            case("MatrixSolve", regular(2, 3, size=3), complex_(2, 3, 3, 1), adjoint=adjoint, **LOOSE),
            *[
                case(
                    "MatrixTriangularSolve",
                    regular(*a, size=4),
                    complex_(*b, 4, 3),
                    lower=lower,
                    adjoint=adjoint,
                    **LOOSE,
                )
                for lower in (False, True)
                for a, b in (((), ()), ((2, 3), (2, 3)), ((2, 1), (3,)), ((), (2,)))
            ],
            *[
                case(
                    "BandedTriangularSolve",
                    positive(*a, 3, 5),
                    complex_(*b, 5, 2),
                    lower=lower,
                    adjoint=adjoint,
                    **LOOSE,
                )
                for lower in (False, True)
                for a, b in (((), ()), ((2,), (2,)), ((2, 1), (3,)))
            ],
        )
    ],
    case("MatrixInverse", real(0, 0)),
    case("MatrixInverse", SINGULAR, error=INVALID),
    case("MatrixInverse", ZERO, error=INVALID),
    case("MatrixInverse", real(2, 3), types=REAL, error=INVALID),
    case("MatrixInverse", real(2, 3), types=REAL, error=ValueError),
    case("MatrixSolve", ZERO, real(2, 1), error=INVALID),
    case("MatrixSolve", real(0, 0), real(0, 3)),
    case("MatrixSolve", real(2, 2), real(2, 0)),
    case("MatrixSolve", real(2, 2), real(3, 1), types=REAL, error=INVALID),
    case("MatrixSolve", real(2, 2), real(3, 1), types=REAL, error=ValueError),
    case("MatrixSolve", real(2, 2, 2), real(3, 2, 1), types=REAL, error=INVALID),
    case("MatrixSolve", real(2, 2, 2), real(2, 1), types=REAL, error=INVALID),
    case("MatrixSolve", real(2, 3), real(2, 1), types=REAL, error=INVALID),
    case("MatrixTriangularSolve", ZERO, real(2, 1), types=REAL),
    case("MatrixTriangularSolve", of([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 2.0, 3.0]]), real(3, 1), types=REAL),
    case("MatrixTriangularSolve", real(0, 0), real(0, 2)),
    case("MatrixTriangularSolve", real(2, 2), real(2, 0)),
    case("MatrixTriangularSolve", regular(size=150), real(150, 2), rtol=1e-3, atol=1e-4, types=REAL),
    case("MatrixTriangularSolve", regular(size=150), real(150, 2), lower=False, rtol=1e-3, atol=1e-4, types=REAL),
    case("MatrixTriangularSolve", real(2, 2), real(3, 1), types=REAL, error=INVALID),
    case("MatrixTriangularSolve", real(2, 2), real(3, 1), types=REAL, error=ValueError),
    case("MatrixTriangularSolve", real(2, 3), real(2, 1), types=REAL, error=INVALID),
    case("MatrixTriangularSolve", real(2, 2, 2), real(3, 2, 1), types=REAL, error=INVALID),
    *[
        row
        for fast in (True, False)
        for row in (
            case("MatrixSolveLs", complex_(5, 3), complex_(5, 2), 0.0, fast=fast, rtol=1e-2, atol=1e-3),
            case("MatrixSolveLs", complex_(2, 3, 5), complex_(2, 3, 1), 0.0, fast=fast, rtol=1e-2, atol=1e-3),
            case("MatrixSolveLs", complex_(5, 3), complex_(5, 2), 0.5, fast=fast, rtol=1e-2, atol=1e-3),
            case("MatrixSolveLs", complex_(3, 5), complex_(3, 2), 0.5, fast=fast, rtol=1e-2, atol=1e-3),
            case("MatrixSolveLs", real(3, 0), real(3, 2), 0.0, fast=fast),
            case("MatrixSolveLs", real(3, 2), real(3, 0), 0.0, fast=fast),
            case("MatrixSolveLs", real(0, 2), real(0, 3), 0.0, fast=fast, stateful=True),
            case("MatrixSolveLs", real(3, 2), real(2, 2), 0.0, fast=fast, types=REAL, error=INVALID),
            case("MatrixSolveLs", real(3, 2), real(2, 2), 0.0, fast=fast, types=REAL, error=ValueError),
        )
    ],
    case("MatrixSolveLs", of([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]), real(3, 2), 0.0, fast=False, types=REAL),
    case("MatrixSolveLs", of([[0.0, 0.0], [0.0, 0.0]]), real(2, 2), 0.0, types=REAL, error=INVALID),
    case("MatrixSolveLs", real(3, 2), real(3, 2), -1.0, types=REAL, error=INVALID),
    case("MatrixSolveLs", real(3, 2), real(3, 2), [1.0], types=REAL, error=INVALID),
    case("Lu", regular(size=4), **LOOSE),
    case("Lu", complex_(2, 3, 5, 5), **LOOSE),
    case("Lu", of([[0.0, 1.0], [1.0, 0.0]])),
    case("Lu", real(0, 0)),
    case("Lu", ZERO, error=INVALID),
    case("Lu", real(2, 3), types=ONE, error=INVALID),
    case("SelfAdjointEigV2", real(0, 0)),
    case("SelfAdjointEigV2", real(2, 0, 0)),
    case("SelfAdjointEigV2", definite(size=4), stateful=True),
    case("SelfAdjointEigV2", real(2, 3), types=REAL, error=INVALID),
    case("Eig", definite(size=4), stateful=True, types={"Tout": ["complex64"], "T": ["float32", "complex64"]}),
    case("Eig", definite(2, size=4), stateful=True, types={"Tout": ["complex128"], "T": ["float64", "complex128"]}),
    case("Qr", complex_(4, 3), **LOOSE),
    case("Qr", complex_(3, 4), **LOOSE),
    case("Qr", complex_(2, 3, 3, 3), **LOOSE),
    case("Qr", complex_(4, 3), full_matrices=True, **LOOSE),
    case("Qr", complex_(3, 4), full_matrices=True, **LOOSE),
    case("Qr", real(0, 3)),
    case("Qr", real(3, 0)),
    case("Qr", real(3), types=REAL, error=INVALID),
    case("Svd", complex_(4, 3), stateful=True),
    case("Svd", complex_(2, 3, 4), full_matrices=True, stateful=True),
    case("Svd", real(3), types=REAL, error=INVALID),
    case("MatrixSquareRoot", definite(size=4), **LOOSE),
    case("MatrixSquareRoot", definite(2, size=3), **LOOSE),
    case("MatrixSquareRoot", of([[[1, np.nan], [0, 2]], [[1, 0], [0, np.inf]], [[1, 0], [0, -1]], [[0, 0], [0, 0]]])),
    case("MatrixLogarithm", of([[[1, np.nan], [0, 2]], [[1, 0], [0, np.inf]], [[1, 0], [0, 1]]])),
    case("MatrixSquareRoot", of([[[1, 1], [0, 1]], [[4, 3], [0, 4]], [[2, 0], [0, 3]]]), **LOOSE),
    case("MatrixSquareRoot", of([[2, 1, 5], [0, 2, 1], [0, 0, 2]]), **LOOSE),
    case("MatrixLogarithm", of([[[1, 1], [0, 1]], [[40, 3], [0, 40]], [[2, 0], [0, 3]]]), **LOOSE),
    case("MatrixLogarithm", definite(size=4), **LOOSE),
    case("MatrixLogarithm", regular(2, size=3), **LOOSE),
    case("BandedTriangularSolve", positive(3, 2), real(2, 1), types=REAL, error=ValueError),
    case("BandedTriangularSolve", of([[0.0, 1.0]]), real(2, 1), types=REAL, error=INVALID),
    *[
        row
        for pivoting in (True, False)
        for row in (
            case("TridiagonalSolve", positive(3, 6), complex_(6, 2), partial_pivoting=pivoting, **LOOSER),
            case(
                "TridiagonalSolve",
                positive(2, 3, 5),
                complex_(2, 5, 1),
                partial_pivoting=pivoting,
                rtol=1e-2,
                atol=1e-2,
            ),
            case("TridiagonalSolve", positive(3, 1), complex_(1, 2), partial_pivoting=pivoting, **LOOSE),
            case("TridiagonalSolve", positive(3, 2), complex_(2, 2), partial_pivoting=pivoting, **LOOSER),
            case("TridiagonalSolve", real(3, 0), real(0, 2), partial_pivoting=pivoting),
        )
    ],
    case("TridiagonalSolve", real(2, 5), real(5, 2), types=REAL, error=ValueError),
    case("TridiagonalSolve", real(3, 5), real(4, 2), types=REAL, error=ValueError),
    case("TridiagonalMatMul", complex_(1, 5), complex_(1, 5), complex_(1, 5), complex_(5, 2), **LOOSE),
    case("TridiagonalMatMul", complex_(2, 1, 4), complex_(2, 1, 4), complex_(2, 1, 4), complex_(2, 4, 3), **LOOSE),
    case("IsotonicRegression", real(7)),
    case("IsotonicRegression", real(3, 20), rtol={"float16": 1e-2, "bfloat16": 8e-2}, atol={"bfloat16": 2e-2}),
    case("IsotonicRegression", real(2, 3, 1)),
    case("IsotonicRegression", real(2, 0)),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)


def _drawn(*shape: int, dtype: str, seed: int = 3):
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=shape)
    return (drawn + 1j * rng.normal(size=shape) if dtype.startswith("c") else drawn).astype(dtype)


TYPES = ["float32", "float64", "complex64", "complex128"]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (2, 3, 3), (1, 1)])
def test_svd_puts_together_what_it_took_apart(shape, full, dtype):
    value = _drawn(*shape, dtype=dtype)
    parts = []

    def program(api):
        parts.append(api.session.run(list(api.op("Svd", api.constant(value), full_matrices=full))))

    compare(program)
    tolerance = 1e-5 if np.finfo(dtype).eps > 1e-10 else 1e-12
    (s, u, v), theirs = parts[1], parts[0]
    assert np.allclose(s, theirs[0], rtol=tolerance, atol=tolerance)
    assert [x.shape for x in parts[1]] == [x.shape for x in theirs] and s.dtype == value.dtype
    inner = s.shape[-1]
    together = (u[..., :inner] * s[..., None, :]) @ np.swapaxes(v[..., :inner], -1, -2).conj()
    assert np.allclose(together, value, rtol=tolerance * 10, atol=tolerance * 10)


@pytest.mark.parametrize("dtype", TYPES)
def test_eigenvectors_are_eigenvectors(dtype):
    root = _drawn(2, 5, 5, dtype=dtype)
    value = root + np.swapaxes(root, -1, -2).conj()
    out = "complex64" if np.finfo(dtype).eps > 1e-10 else "complex128"
    found = []

    def program(api):
        both = [api.op("SelfAdjointEigV2", api.constant(value)), api.op("Eig", api.constant(root), Tout=out)]
        found.append(api.session.run([list(pair) for pair in both]))

    compare(program)
    tolerance = 1e-4 if out == "complex64" else 1e-10
    for (values, vectors), matrix in zip(found[1], (value, root), strict=True):
        assert np.allclose(matrix @ vectors, vectors * values[..., None, :], rtol=tolerance, atol=tolerance)
        assert np.allclose(np.linalg.norm(vectors, axis=-2), 1, atol=tolerance)
    assert np.allclose(found[0][0][0], found[1][0][0], atol=tolerance)
    assert np.allclose(*(np.sort_complex(one[1][0]) for one in found), atol=tolerance)  # type: ignore[misc]


def test_values_alone():
    # The vectors that were not asked for are empty here and left as they are in TensorFlow.
    def program(api):
        for dtype in TYPES:
            for shape in ((4, 3), (2, 3, 4), (3, 3)):
                api.run(api.op("Svd", api.constant(_drawn(*shape, dtype=dtype)), compute_uv=False)[0])
            root = _drawn(2, 4, 4, dtype=dtype)
            value = root + np.swapaxes(root, -1, -2).conj()
            api.run(api.op("SelfAdjointEigV2", api.constant(value), compute_v=False)[0])

    compare(program, rtol=1e-4, atol=1e-5)


def test_the_packed_form_of_old_graphs():
    value = _drawn(2, 3, 3, dtype="float64")
    with runstep.Graph().as_default(), runstep.Session() as session:
        packed = apply("SelfAdjointEig", value)
        separate = apply("SelfAdjointEigV2", value)
        together, (values, vectors) = session.run([packed, list(separate)])
    assert packed.raw_shape == together.shape == (2, 4, 3)
    assert np.array_equal(together, np.concatenate([values[:, None], vectors], axis=1))


@pytest.mark.parametrize("name", ["SelfAdjointEig", "SelfAdjointEigV2", "Svd"])
def test_the_old_names_of_decompositions_mean_the_same(name):
    value = _drawn(2, 3, 3, dtype="float64")
    with runstep.Graph().as_default(), runstep.Session() as session:
        made = [apply(op, value) for op in (name, f"Batch{name}")]
        found = session.run([list(outputs) if isinstance(outputs, tuple) else [outputs] for outputs in made])
    for now, then in zip(*found, strict=True):
        assert np.array_equal(now, then)
