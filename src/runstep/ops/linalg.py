"""Linear algebra: op definitions, for single matrices and batches of them. The functions are in `linalg_functions`."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.graph.shapes import RawShape
from runstep.ops.common import Shapes, unchanged, unknown
from runstep.ops.registry import op

# --- shape rules --------------------------------------------------------------------------------------------------


def _matrix(raw: RawShape) -> RawShape:
    return shapes.with_rank_at_least(raw, 2)


def _square(raw: RawShape) -> tuple[RawShape, int | None]:
    """The batch shape and the size of square matrices; the batch is None where the rank is unknown."""
    raw = _matrix(raw)
    if raw is None:
        return None, None
    return raw[:-2], shapes.merge_size(raw[-2], raw[-1])


def _joined(batch: RawShape, *sizes: int | None) -> RawShape:
    return None if batch is None else (*batch, *sizes)


def _least(a: int | None, b: int | None) -> int | None:
    if a == 0 or b == 0:
        return 0
    return None if a is None or b is None else min(a, b)


def _square_unchanged(op: Any) -> Shapes:
    batch, size = _square(op.inputs[0].raw_shape)
    return [_joined(batch, size, size)]


def _qr(op: Any) -> Shapes:
    raw = _matrix(op.inputs[0].raw_shape)
    if raw is None:
        return [None, None]
    batch, (rows, columns) = raw[:-2], raw[-2:]
    inner = rows if op.attrs["full_matrices"] else _least(rows, columns)
    return [(*batch, rows, inner), (*batch, inner, columns)]


def _svd(op: Any) -> Shapes:
    raw = _matrix(op.inputs[0].raw_shape)
    if not op.attrs["compute_uv"]:
        return [None if raw is None else (*raw[:-2], _least(raw[-2], raw[-1])), (0,), (0,)]
    if raw is None:
        return [None, None, None]
    batch, (rows, columns) = raw[:-2], raw[-2:]
    least = _least(rows, columns)
    if op.attrs["full_matrices"]:
        return [(*batch, least), (*batch, rows, rows), (*batch, columns, columns)]
    return [(*batch, least), (*batch, rows, least), (*batch, columns, least)]


def _batch_only(op: Any) -> Shapes:
    batch, _ = _square(op.inputs[0].raw_shape)
    return [batch] * len(op.output_types)


def _eigen(op: Any) -> Shapes:
    batch, size = _square(op.inputs[0].raw_shape)
    return [_joined(batch, size), _joined(batch, size, size) if op.attrs["compute_v"] else (0,)]


def _eigen_packed(op: Any) -> Shapes:
    batch, size = _square(op.inputs[0].raw_shape)
    return [_joined(batch, None if size is None else size + 1, size)]


def _lu(op: Any) -> Shapes:
    batch, size = _square(op.inputs[0].raw_shape)
    return [_joined(batch, size, size), _joined(batch, size)]


def _solved(op: Any, *, square: bool) -> Shapes:
    left, right = _matrix(op.inputs[0].raw_shape), _matrix(op.inputs[1].raw_shape)
    if square and left is not None:
        batch, size = _square(left)
        left = _joined(batch, size, size)
    if left is None and right is None:
        return [None]
    if left is None:
        left = (*right[:-1], right[-2] if square else None)  # type: ignore[index]
    if right is None:
        right = (*left[:-1], None)
    batch = shapes.merge(left[:-2], right[:-2])
    rows = shapes.merge_size(left[-2], right[-2])
    return [_joined(batch, rows if square else left[-1], right[-1])]


def _solve(op: Any) -> Shapes:
    return _solved(op, square=True)


def _solve_ls(op: Any) -> Shapes:
    shapes.with_rank(op.inputs[2].raw_shape, 0)
    return _solved(op, square=False)


def _solve_stretched(op: Any) -> Shapes:
    batch, size = _square(op.inputs[0].raw_shape)
    right = _matrix(op.inputs[1].raw_shape)
    if batch is None or right is None:
        return [None]
    rows = shapes.merge_size(size, right[-2])
    return [_joined(shapes.broadcast(batch, right[:-2]), rows, right[-1])]


def _solve_banded(op: Any) -> Shapes:
    left, right = _matrix(op.inputs[0].raw_shape), _matrix(op.inputs[1].raw_shape)
    if left is not None:
        bands, size = left[-2:]
        if bands is not None and size is not None and bands > size:
            raise ValueError(f"Number of bands {bands} cannot exceed the size of the matrix {size}")
    if left is None or right is None:
        return [None]
    rows = shapes.merge_size(left[-1], right[-2])
    return [_joined(shapes.broadcast(left[:-2], right[:-2]), rows, right[-1])]


def _tridiagonal_solve(op: Any) -> Shapes:
    left, right = _matrix(op.inputs[0].raw_shape), _matrix(op.inputs[1].raw_shape)
    if left is not None and right is not None:
        shapes.merge(left[:-2], right[:-2])
        shapes.merge_size(left[-1], right[-2])
    if left is not None and left[-2] not in (3, None):
        raise ValueError(f"Dimension must be 3 but is {left[-2]}")
    return [right]


def _tridiagonal_product(op: Any) -> Shapes:
    for source in op.inputs:
        _matrix(source.raw_shape)
    return [op.inputs[3].raw_shape]


# --- rows ---------------------------------------------------------------------------------------------------------

_TYPES = "T: {float64, float32, float16, complex64, complex128}"
_NARROW = "T: {float64, float32, complex64, complex128}"

op("Cholesky", "input: T -> output: T", _TYPES, shape=_square_unchanged)
op("CholeskyGrad", "l: T, grad: T -> output: T", "T: {float16, float32, float64}", shape=_square_unchanged)
op("Qr", "input: T -> q: T, r: T", "full_matrices: bool = false", _TYPES, shape=_qr)
op(
    "Svd",
    "input: T -> s: T, u: T, v: T",
    "compute_uv: bool = true",
    "full_matrices: bool = false",
    _TYPES,
    shape=_svd,
)
op(
    "MatrixDeterminant",
    "input: T -> output: T",
    "T: {float16, float32, float64, complex64, complex128}",
    shape=_batch_only,
)
op(
    "LogMatrixDeterminant",
    "input: T -> sign: T, log_abs_determinant: T",
    "T: {float16, float32, float64, complex64, complex128}",
    shape=_batch_only,
)
op("MatrixInverse", "input: T -> output: T", "adjoint: bool = false", _TYPES, shape=_square_unchanged)
op("MatrixSolve", "matrix: T, rhs: T -> output: T", "adjoint: bool = false", _TYPES, shape=_solve)
op(
    "MatrixSolveLs",
    "matrix: T, rhs: T, l2_regularizer: float64 -> output: T",
    _TYPES,
    "fast: bool = true",
    shape=_solve_ls,
)
op(
    "MatrixTriangularSolve",
    "matrix: T, rhs: T -> output: T",
    "lower: bool = true",
    "adjoint: bool = false",
    "T: {bfloat16, float64, float32, float16, complex64, complex128}",
    shape=_solve_stretched,
)
op("SelfAdjointEig", "input: T -> output: T", "T: {float64, float32, float16}", shape=_eigen_packed)
op("SelfAdjointEigV2", "input: T -> e: T, v: T", "compute_v: bool = true", _TYPES, shape=_eigen)
op(
    "Eig",
    "input: T -> e: Tout, v: Tout",
    "compute_v: bool = true",
    "T: {float32, float64, complex64, complex128}",
    "Tout: {complex64, complex128}",
    shape=_eigen,
)
op("MatrixLogarithm", "input: T -> output: T", "T: {complex64, complex128}", shape=_square_unchanged)
op("MatrixSquareRoot", "input: T -> output: T", _TYPES, shape=_square_unchanged)
op(
    "Lu",
    "input: T -> lu: T, p: output_idx_type",
    _TYPES,
    "output_idx_type: {int32, int64} = int32",
    shape=_lu,
)
op(
    "BandedTriangularSolve",
    "matrix: T, rhs: T -> output: T",
    "lower: bool = true",
    "adjoint: bool = false",
    _TYPES,
    shape=_solve_banded,
)
op(
    "TridiagonalSolve",
    "diagonals: T, rhs: T -> output: T",
    "partial_pivoting: bool = true",
    "perturb_singular: bool = false",
    _NARROW,
    shape=_tridiagonal_solve,
)
op(
    "TridiagonalMatMul",
    "superdiag: T, maindiag: T, subdiag: T, rhs: T -> output: T",
    _NARROW,
    shape=_tridiagonal_product,
)
op(
    "IsotonicRegression",
    "input: T -> output: output_dtype, segments: int32",
    "T: realnumbertype",
    "output_dtype: {float16, bfloat16, float32, float64} = float32",
    shape=unchanged,
)

# --- the names that ops for batches had, when there were others for single matrices: nothing is known of their shapes

_OLD = "T: {float64, float32}"

op("BatchCholesky", "input: T -> output: T", _OLD, shape=unknown)
op("BatchCholeskyGrad", "l: T, grad: T -> output: T", "T: {float32, float64}", shape=unknown)
op("BatchMatrixDeterminant", "input: T -> output: T", "T: {float32, float64, complex64, complex128}", shape=unknown)
op("BatchMatrixInverse", "input: T -> output: T", "adjoint: bool = false", _OLD, shape=unknown)
op("BatchMatrixSolve", "matrix: T, rhs: T -> output: T", "adjoint: bool = false", _OLD, shape=unknown)
op(
    "BatchMatrixSolveLs",
    "matrix: T, rhs: T, l2_regularizer: float64 -> output: T",
    _OLD,
    "fast: bool = true",
    shape=unknown,
)
op(
    "BatchMatrixTriangularSolve",
    "matrix: T, rhs: T -> output: T",
    "lower: bool = true",
    "adjoint: bool = false",
    _OLD,
    shape=unknown,
)
op("BatchSelfAdjointEig", "input: T -> output: T", _OLD, shape=unknown)
op("BatchSelfAdjointEigV2", "input: T -> e: T, v: T", "compute_v: bool = true", _OLD, shape=unknown)
op(
    "BatchSvd",
    "input: T -> s: T, u: T, v: T",
    "compute_uv: bool = true",
    "full_matrices: bool = false",
    _NARROW,
    shape=unknown,
)
op(
    "MatrixExponential",
    "input: T -> output: T",
    "T: {float64, float32, float16, complex64, complex128}",
    shape=_square_unchanged,
)
