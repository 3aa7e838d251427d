"""The functions of linear algebra: `tf.cholesky`, `tf.matrix_solve`, `tf.linalg.*` ..."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.apply import apply, apply_named
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops import linalg  # noqa: F401  (the rows)
from runstep.ops.cast import conj, real
from runstep.ops.creation import eye, ones
from runstep.ops.elementwise import log
from runstep.ops.indexing import gather
from runstep.ops.joining import stack
from runstep.ops.matmul import matmul
from runstep.ops.matrix_diag import matrix_band_part, matrix_diag_part, matrix_set_diag
from runstep.ops.rearranging import matrix_transpose
from runstep.ops.reduction import reduce_sum
from runstep.ops.shape_ops import expand_dims, shape as shape_of, squeeze

__all__ = [
    "adjoint",
    "cholesky",
    "cholesky_solve",
    "eig",
    "eigvals",
    "logdet",
    "logm",
    "lu",
    "lu_matrix_inverse",
    "lu_reconstruct",
    "lu_solve",
    "matrix_determinant",
    "matrix_inverse",
    "matrix_solve",
    "matrix_solve_ls",
    "matrix_square_root",
    "matrix_triangular_solve",
    "qr",
    "self_adjoint_eig",
    "self_adjoint_eigvals",
    "slogdet",
    "svd",
    "tridiagonal_matmul",
    "tridiagonal_solve",
]


def cholesky(input: TensorLike, name: str | None = None) -> Tensor:
    """The lower triangular factor of positive definite matrices; NaN for others. Source: `tf.cholesky`."""
    return apply("Cholesky", input, name=name)


def cholesky_solve(chol: TensorLike, rhs: TensorLike, name: str | None = None) -> Tensor:
    """The solution of A x = rhs for the A whose Cholesky factor is `chol`. Source: `tf.cholesky_solve`."""
    with name_scope(name, "cholesky_solve"):
        found = apply("MatrixTriangularSolve", chol, rhs, adjoint=False, lower=True)
        return apply("MatrixTriangularSolve", chol, found, adjoint=True, lower=True)


def qr(input: TensorLike, full_matrices: bool = False, name: str | None = None) -> Any:
    """Orthogonal q and upper triangular r with q @ r = input. Source: `tf.qr`."""
    return apply_named("Qr", input, full_matrices=full_matrices, name=name)


def svd(tensor: TensorLike, full_matrices: bool = False, compute_uv: bool = True, name: str | None = None) -> Any:
    """Singular values s, and with `compute_uv` u and v: (s, u, v) with u @ diag(s) @ adjoint(v) = tensor.

    Source: `tf.svd`.
    """
    s, u, v = apply("Svd", tensor, compute_uv=compute_uv, full_matrices=full_matrices, name=name)
    return (s, u, v) if compute_uv else s


def matrix_determinant(input: TensorLike, name: str | None = None) -> Tensor:
    """Determinants of the matrices in the last two axes. Source: `tf.matrix_determinant`."""
    return apply("MatrixDeterminant", input, name=name)


def slogdet(input: TensorLike, name: str | None = None) -> Any:
    """Signs and logarithms of the absolute values of determinants. Source: `tf.linalg.slogdet`."""
    return apply_named("LogMatrixDeterminant", input, name=name)


def logdet(matrix: TensorLike, name: str | None = None) -> Tensor:
    """Logarithms of the determinants of positive definite matrices. Source: `tf.linalg.logdet`."""
    with name_scope(name, "logdet"):
        factor = cholesky(matrix)
        return 2.0 * reduce_sum(log(real(matrix_diag_part(factor))), axis=[-1])


def matrix_inverse(input: TensorLike, adjoint: bool = False, name: str | None = None) -> Tensor:
    """Inverses, of the adjoints if asked for. Source: `tf.matrix_inverse`."""
    return apply("MatrixInverse", input, adjoint=adjoint, name=name)


def matrix_solve(matrix: TensorLike, rhs: TensorLike, adjoint: bool = False, name: str | None = None) -> Tensor:
    """The solution of matrix @ x = rhs. Source: `tf.matrix_solve`."""
    return apply("MatrixSolve", matrix, rhs, adjoint=adjoint, name=name)


def matrix_triangular_solve(
    matrix: TensorLike, rhs: TensorLike, lower: bool = True, adjoint: bool = False, name: str | None = None
) -> Tensor:
    """The solution of matrix @ x = rhs for triangular matrices. Source: `tf.matrix_triangular_solve`."""
    with name_scope(name, "triangular_solve"):
        return apply("MatrixTriangularSolve", matrix, rhs, lower=lower, adjoint=adjoint)


def matrix_solve_ls(
    matrix: TensorLike, rhs: TensorLike, l2_regularizer: float = 0.0, fast: bool = True, name: str | None = None
) -> Tensor:
    """The x that makes |matrix @ x - rhs|² + l2_regularizer |x|² least. Source: `tf.matrix_solve_ls`.

    Args:
      fast: by the normal equations, at the cost of digits; else by an orthogonal decomposition, without regularization.
    """
    raw: Any = matrix.raw_shape if isinstance(matrix, Tensor) else np.shape(matrix)
    if not fast or raw is None or None in raw[-2:]:
        return apply("MatrixSolveLs", matrix, rhs, l2_regularizer, fast=fast, name=name)
    with name_scope(name, "matrix_solve_ls"):
        a, b = convert_to_tensor(matrix, name="matrix"), convert_to_tensor(rhs, name="rhs")
        if raw[-2] >= raw[-1]:
            factor = _factor_of_gram(a, l2_regularizer, first=True)
            return cholesky_solve(factor, matmul(a, b, adjoint_a=True))
        factor = _factor_of_gram(a, l2_regularizer, first=False)
        return matmul(a, cholesky_solve(factor, b), adjoint_a=True)


def _factor_of_gram(matrix: Tensor, regularizer: float, *, first: bool) -> Tensor:
    gram = matmul(matrix, matrix, adjoint_a=first, adjoint_b=not first)
    if regularizer != 0:
        dims = shape_of(matrix)
        batch, size = dims[:-2], dims[-1] if first else dims[-2]
        gram += regularizer * eye(size, batch_shape=batch, dtype=matrix.dtype)
    return cholesky(gram)


def self_adjoint_eig(tensor: TensorLike, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Eigenvalues, ascending, and eigenvectors (columns) of self-adjoint matrices. Source: `tf.self_adjoint_eig`."""
    return apply("SelfAdjointEigV2", tensor, compute_v=True, name=name)


def self_adjoint_eigvals(tensor: TensorLike, name: str | None = None) -> Tensor:
    """Eigenvalues, ascending, of self-adjoint matrices. Source: `tf.self_adjoint_eigvals`."""
    return apply("SelfAdjointEigV2", tensor, compute_v=False, name=name)[0]


def _complex_of(tensor: Tensor) -> Any:
    return dtypes.complex64 if tensor.dtype in (dtypes.float32, dtypes.complex64) else dtypes.complex128


def eig(tensor: TensorLike, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Eigenvalues and eigenvectors (columns), complex, in no order. Source: `tf.linalg.eig`."""
    value = convert_to_tensor(tensor)
    return apply("Eig", value, Tout=_complex_of(value), compute_v=True, name=name)


def eigvals(tensor: TensorLike, name: str | None = None) -> Tensor:
    """Eigenvalues, complex, in no order. Source: `tf.linalg.eigvals`."""
    value = convert_to_tensor(tensor)
    return apply("Eig", value, Tout=_complex_of(value), compute_v=False, name=name)[0]


def matrix_square_root(input: TensorLike, name: str | None = None) -> Tensor:
    """The principal square roots of matrices. Source: `tf.matrix_square_root`."""
    return apply("MatrixSquareRoot", input, name=name)


def logm(input: TensorLike, name: str | None = None) -> Tensor:
    """The principal logarithms of complex matrices. Source: `tf.linalg.logm`."""
    return apply("MatrixLogarithm", input, name=name)


def adjoint(matrix: TensorLike, name: str | None = None) -> Tensor:
    """Matrices transposed and conjugated. Source: `tf.linalg.adjoint`."""
    with name_scope(name, "adjoint"):
        return matrix_transpose(convert_to_tensor(matrix, name="matrix"), conjugate=True)


# --- LU factors ---------------------------------------------------------------------------------------------------


def lu(input: TensorLike, output_idx_type: Any = dtypes.int32, name: str | None = None) -> Any:
    """Both triangular factors in one matrix, and the order of rows that they are of. Source: `tf.linalg.lu`."""
    return apply_named("Lu", input, output_idx_type=output_idx_type, name=name)


def _unit_lower(lower_upper: Tensor, dims: Tensor | None = None) -> Tensor:
    lower = matrix_band_part(lower_upper, num_lower=-1, num_upper=0)
    if dims is None:
        dims = shape_of(lower_upper)
    return matrix_set_diag(lower, ones(dims[:-1], dtype=lower_upper.dtype))


def _batch_rank(lower_upper: Tensor, function: str) -> int:
    raw = lower_upper.raw_shape
    if raw is None or len(raw) < 2:
        raise ValueError(f"{function} takes factors of known rank, 2 at least, not of shape {lower_upper.shape}.")
    return len(raw) - 2


def lu_solve(
    lower_upper: TensorLike, perm: TensorLike, rhs: TensorLike, validate_args: bool = False, name: str | None = None
) -> Tensor:
    """The solution of A x = rhs from the `lu` of A. Source: `tf.linalg.lu_solve`."""
    with name_scope(name or "lu_solve"):
        factors = convert_to_tensor(lower_upper, dtype_hint=dtypes.float32, name="lower_upper")
        order = convert_to_tensor(perm, dtype_hint=dtypes.int32, name="perm")
        wanted = convert_to_tensor(rhs, dtype_hint=factors.dtype, name="rhs")
        batch = _batch_rank(factors, "lu_solve")
        permuted = gather(wanted, order, axis=-2, batch_dims=batch)
        found = matrix_triangular_solve(_unit_lower(factors), permuted)
        return matrix_triangular_solve(factors, found, lower=False)


def lu_matrix_inverse(
    lower_upper: TensorLike, perm: TensorLike, validate_args: bool = False, name: str | None = None
) -> Tensor:
    """The inverse of a matrix from its `lu`. Source: `tf.linalg.lu_matrix_inverse`."""
    with name_scope(name or "lu_matrix_inverse"):
        factors = convert_to_tensor(lower_upper, dtype_hint=dtypes.float32, name="lower_upper")
        order = convert_to_tensor(perm, dtype_hint=dtypes.int32, name="perm")
        dims = shape_of(factors)
        size = dims[-1]
        return lu_solve(factors, order, rhs=eye(size, batch_shape=dims[:-2], dtype=factors.dtype))


def lu_reconstruct(
    lower_upper: TensorLike, perm: TensorLike, validate_args: bool = False, name: str | None = None
) -> Tensor:
    """The matrix whose `lu` this is. Source: `tf.linalg.lu_reconstruct`."""
    with name_scope(name or "lu_reconstruct"):
        factors = convert_to_tensor(lower_upper, dtype_hint=dtypes.float32, name="lower_upper")
        order = convert_to_tensor(perm, dtype_hint=dtypes.int32, name="perm")
        batch = _batch_rank(factors, "lu_reconstruct")
        lower = _unit_lower(factors, shape_of(factors))
        product = matmul(lower, matrix_band_part(factors, num_lower=0, num_upper=-1))
        if not batch:
            return gather(product, apply("InvertPermutation", order))
        # Sorting a permutation inverts it.
        back = apply("TopKV2", apply("Neg", order), shape_of(order)[-1])[1]
        return gather(product, back, axis=-2, batch_dims=batch)


# --- bands --------------------------------------------------------------------------------------------------------


def _compact(diagonals: Any, diagonals_format: str) -> Any:
    """The diagonals above, on and below the main one, as rows of one tensor, or as they were given."""
    if diagonals_format not in ("compact", "sequence", "matrix"):
        raise ValueError(
            f"Expected `diagonals_format` to be one of compact, sequence, matrix, got {diagonals_format!r}."
        )
    if diagonals_format == "matrix":
        return matrix_diag_part(diagonals, k=(-1, 1), align="LEFT_RIGHT")
    return diagonals


def tridiagonal_solve(
    diagonals: Any,
    rhs: TensorLike,
    diagonals_format: str = "compact",
    transpose_rhs: bool = False,
    conjugate_rhs: bool = False,
    name: str | None = None,
    partial_pivoting: bool = True,
    perturb_singular: bool = False,
) -> Tensor:
    """The solution of A x = rhs for matrices with three diagonals. Source: `tf.linalg.tridiagonal_solve`.

    Args:
      diagonals: (..., 3, n) as "compact", three tensors (..., n) as a "sequence", or the "matrix" itself.
    """
    rows = stack(diagonals, axis=-2) if diagonals_format == "sequence" else _compact(diagonals, diagonals_format)
    rows = convert_to_tensor(rows)
    wanted = convert_to_tensor(rhs)
    if conjugate_rhs:
        wanted = conj(wanted)
    is_vector = (
        rows.raw_shape is not None and wanted.raw_shape is not None and len(wanted.raw_shape) == len(rows.raw_shape) - 1
    )
    if is_vector:
        wanted = expand_dims(wanted, -1)
    elif transpose_rhs:
        wanted = matrix_transpose(wanted)
    found: Tensor = apply(
        "TridiagonalSolve",
        rows,
        wanted,
        partial_pivoting=partial_pivoting,
        perturb_singular=perturb_singular,
        name=name,
    )
    return squeeze(found, -1) if is_vector else found


def tridiagonal_matmul(
    diagonals: Any, rhs: TensorLike, diagonals_format: str = "compact", name: str | None = None
) -> Tensor:
    """A @ rhs for matrices with three diagonals. Source: `tf.linalg.tridiagonal_matmul`."""
    if diagonals_format == "sequence":
        parts = [convert_to_tensor(diagonal) for diagonal in diagonals]
    else:
        rows = convert_to_tensor(_compact(diagonals, diagonals_format))
        parts = [rows[..., row, :] for row in range(3)]
    parts = [expand_dims(part, -2) for part in parts]
    return apply("TridiagonalMatMul", *parts, rhs, name=name)
