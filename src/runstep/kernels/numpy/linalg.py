"""Linear algebra by LAPACK, through numpy: decompositions and what is solved with them. All take batches of matrices.

Half precision is computed in float32. Signs and phases that a decomposition leaves open are LAPACK's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from runstep.kernels.numpy.shape_ops import invalid, text
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = np.ndarray[Any, Any]


def check_matrix(value: Any, what: int = 0) -> None:
    """InvalidArgumentError unless `value` has a rank of at least 2."""
    if value.ndim < 2:
        invalid(f"Input tensor {what} must have rank >= 2, got {value.ndim}")


def check_square(value: Any) -> None:
    """InvalidArgumentError unless `value` is a batch of square matrices."""
    check_matrix(value)
    if value.shape[-1] != value.shape[-2]:
        invalid("Input matrix must be square.")


def adjoint_of(value: Array) -> Array:
    """Transposed and conjugated matrices: a view where that is possible."""
    swapped = np.swapaxes(value, -1, -2)
    return swapped.conj() if value.dtype.kind == "c" else swapped


def widened(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` in float32 where the arguments are half precision."""

    def computed(*values: Array) -> Any:
        dtype = values[0].dtype
        if dtype != np.float16:
            return function(*values)
        results = function(*(value.astype(np.float32) for value in values))
        if isinstance(results, tuple):
            return tuple(result.astype(dtype) for result in results)
        return results.astype(dtype)

    return computed


@numpy_kernel("Cholesky", "BatchCholesky")
def cholesky(value: Any) -> Array:
    check_square(value)
    try:
        return widened(np.linalg.cholesky)(value)
    except np.linalg.LinAlgError:
        return np.stack([_cholesky_or_nan(one) for one in value.reshape(-1, *value.shape[-2:])]).reshape(value.shape)


def _cholesky_or_nan(matrix: Array) -> Array:
    # As TensorFlow: no error, but NaN, for a matrix that is not positive definite.
    try:
        return widened(np.linalg.cholesky)(matrix)
    except np.linalg.LinAlgError:
        return np.tril(np.full_like(matrix, np.nan))


@numpy_kernel("CholeskyGrad", "BatchCholeskyGrad")
def cholesky_grad(factor: Any, grad: Any) -> Array:
    # Source: Murray, "Differentiation of the Cholesky decomposition" (2016).
    check_square(factor)
    if factor.shape != grad.shape:
        invalid(f"Inputs must have equal shapes, got {text(factor.shape)} and {text(grad.shape)}")

    def backward(lower: Array, bar: Array) -> Array:
        lower, bar = np.tril(lower), np.tril(bar)
        middle = np.tril(np.swapaxes(lower, -1, -2) @ bar)
        diagonal = np.arange(lower.shape[-1])
        middle[..., diagonal, diagonal] *= 0.5
        half = solve_triangular(lower, middle, lower=True, adjoint=True)
        whole = np.swapaxes(solve_triangular(lower, np.swapaxes(half, -1, -2), lower=True, adjoint=True), -1, -2)
        result = (whole + np.swapaxes(whole, -1, -2)) * whole.dtype.type(0.5)
        return result

    return widened(backward)(factor, grad)


@numpy_kernel.make("Qr")
def qr(node: Node) -> Kernel:
    mode: Any = "complete" if node.attrs["full_matrices"] else "reduced"

    def kernel(value: Any) -> tuple[Array, Array]:
        check_matrix(value)
        return widened(lambda matrix: tuple(np.linalg.qr(matrix, mode)))(value)

    return kernel


@numpy_kernel.make("Svd", "BatchSvd")
def svd(node: Node) -> Kernel:
    full, wanted = node.attrs["full_matrices"], node.attrs["compute_uv"]

    def decomposed(value: Array) -> tuple[Array, ...]:
        if not wanted:
            empty = np.empty(0, value.dtype)
            return np.linalg.svd(value, compute_uv=False).astype(value.dtype), empty, empty.copy()
        u, s, vh = np.linalg.svd(value, full_matrices=full)
        return s.astype(value.dtype), u, np.ascontiguousarray(adjoint_of(vh))

    def kernel(value: Any) -> tuple[Array, ...]:
        check_matrix(value)
        try:
            return widened(decomposed)(value)
        except np.linalg.LinAlgError:  # NaN or infinity inside: so is everything outside
            shape, inner = value.shape[:-2], min(value.shape[-2:])
            nan = np.full((*shape, inner), np.nan, value.dtype)
            if not wanted:
                return nan, np.empty(0, value.dtype), np.empty(0, value.dtype)
            columns = [size if full else inner for size in value.shape[-2:]]
            sides = [
                np.full((*shape, size, width), np.nan, value.dtype)
                for size, width in zip(value.shape[-2:], columns, strict=True)
            ]
            return nan, *sides

    return kernel


@numpy_kernel("MatrixDeterminant", "BatchMatrixDeterminant")
def determinant(value: Any) -> Any:
    check_square(value)
    return np.asarray(np.linalg.det(value), value.dtype)[()]


@numpy_kernel("LogMatrixDeterminant")
def log_determinant(value: Any) -> tuple[Any, Any]:
    check_square(value)
    sign, log = np.linalg.slogdet(value)
    sign = np.where(np.isnan(log), log, sign)
    return np.asarray(sign, value.dtype)[()], np.asarray(log, value.dtype)[()]


@numpy_kernel.make("MatrixInverse", "BatchMatrixInverse")
def inverse(node: Node) -> Kernel:
    adjoint = node.attrs["adjoint"]

    def kernel(value: Any) -> Array:
        check_square(value)
        if np.isnan(value).any():
            invalid("Input is not invertible.")
        try:
            result = widened(np.linalg.inv)(adjoint_of(value) if adjoint else value)
        except np.linalg.LinAlgError:
            invalid("Input is not invertible.")
        return result

    return kernel


def check_pair(matrix: Any, rhs: Any) -> None:
    """InvalidArgumentError unless both are batches of matrices of one batch shape, with as many rows."""
    check_matrix(matrix)
    if matrix.ndim != rhs.ndim:
        invalid("All input tensors must have the same rank.")
    if matrix.shape[:-2] != rhs.shape[:-2]:
        invalid("All input tensors must have the same outer dimensions.")
    if matrix.shape[-2] != rhs.shape[-2]:
        invalid("Input matrix and rhs are incompatible.")


@numpy_kernel.make("MatrixSolve", "BatchMatrixSolve")
def solve(node: Node) -> Kernel:
    adjoint = node.attrs["adjoint"]

    def kernel(matrix: Any, rhs: Any) -> Array:
        check_matrix(matrix)
        if matrix.ndim != rhs.ndim:
            invalid("All input tensors must have the same rank.")
        if matrix.shape[-1] != matrix.shape[-2]:
            invalid("First input (lhs) must be a square matrix.")
        check_pair(matrix, rhs)
        try:
            return np.linalg.solve(adjoint_of(matrix) if adjoint else matrix, rhs)
        except np.linalg.LinAlgError:
            invalid("Input matrix is not invertible.")

    return kernel


@numpy_kernel.make("MatrixSolveLs", "BatchMatrixSolveLs")
def solve_ls(node: Node) -> Kernel:
    fast = node.attrs["fast"]

    def kernel(matrix: Any, rhs: Any, regularizer: Any) -> Array:
        check_pair(matrix, rhs)
        if np.ndim(regularizer):
            invalid(f"l2_regularizer must be scalar, got shape {text(regularizer.shape)}")
        if not regularizer >= 0:
            invalid("l2_regularizer must be >= 0.")
        rows, columns = matrix.shape[-2:]
        if not rhs.size or not matrix.size:
            return np.zeros((*matrix.shape[:-2], columns, rhs.shape[-1]), matrix.dtype)
        if not fast:
            return _least_squares(matrix, rhs)
        return _by_normal_equations(matrix, rhs, matrix.real.dtype.type(regularizer))

    return kernel


def _least_squares(matrix: Array, rhs: Array) -> Array:
    flat, right = (value.reshape(-1, *value.shape[-2:]) for value in (matrix, rhs))
    found = [_least_square(one, wanted) for one, wanted in zip(flat, right, strict=True)]
    result: Array = np.stack(found).astype(matrix.dtype)
    return result.reshape(*matrix.shape[:-2], matrix.shape[-1], rhs.shape[-1])


def _least_square(matrix: Array, rhs: Array) -> Array:
    try:
        result: Array = np.linalg.lstsq(matrix, rhs, rcond=None)[0]
    except np.linalg.LinAlgError:  # NaN or infinity inside: so is everything outside
        return np.full((matrix.shape[-1], rhs.shape[-1]), np.nan, matrix.dtype)
    return result


def _by_normal_equations(matrix: Array, rhs: Array, regularizer: Any) -> Array:
    rows, columns = matrix.shape[-2:]
    other = adjoint_of(matrix)
    gram = other @ matrix if rows >= columns else matrix @ other
    if regularizer:
        diagonal = np.arange(gram.shape[-1])
        gram[..., diagonal, diagonal] += regularizer
    try:
        factor = np.linalg.cholesky(gram)
    except np.linalg.LinAlgError:
        invalid(
            "Input matrix was rank deficient or ill-conditioned. Try setting fast=False or provide a larger "
            "l2_regularizer > 0."
        )
    wanted = other @ rhs if rows >= columns else rhs
    found = solve_triangular(factor, solve_triangular(factor, wanted, lower=True), lower=True, adjoint=True)
    return found if rows >= columns else other @ found


# --- triangular matrices ------------------------------------------------------------------------------------------

_BLOCK = 64


def solve_triangular(matrix: Array, rhs: Array, *, lower: bool, adjoint: bool = False) -> Array:
    """The solution x of matrix @ x = rhs; only one triangle of `matrix` is read. Batches are stretched."""
    if adjoint:
        matrix, lower = adjoint_of(matrix), not lower
    if rhs.ndim < matrix.ndim:  # else numpy 1 takes it for vectors
        rhs = rhs.reshape((1,) * (matrix.ndim - rhs.ndim) + rhs.shape)
    if lower:  # rows and columns in reverse make an upper triangle, which needs no pivots
        return _upper(matrix[..., ::-1, ::-1], rhs[..., ::-1, :])[..., ::-1, :]
    return _upper(matrix, rhs)


def _upper(matrix: Array, rhs: Array) -> Array:
    size = matrix.shape[-1]
    if size <= _BLOCK:
        try:
            return np.linalg.solve(np.triu(matrix), rhs)
        except np.linalg.LinAlgError:  # a zero on the diagonal: infinities, as TensorFlow
            return _substituted(matrix, rhs)
    half = size // 2
    below = _upper(matrix[..., half:, half:], rhs[..., half:, :])
    above = _upper(matrix[..., :half, :half], rhs[..., :half, :] - matrix[..., :half, half:] @ below)
    return np.concatenate((above, below), axis=-2)


def _substituted(matrix: Array, rhs: Array) -> Array:
    batch = np.broadcast_shapes(matrix.shape[:-2], rhs.shape[:-2])
    out = np.broadcast_to(rhs, (*batch, *rhs.shape[-2:])).copy()
    for row in range(matrix.shape[-1] - 1, -1, -1):
        out[..., row, :] -= (matrix[..., row, None, row + 1 :] @ out[..., row + 1 :, :])[..., 0, :]
        out[..., row, :] /= matrix[..., row, row, None]
    return out


def batch_of(matrix: Any, rhs: Any) -> tuple[int, ...]:
    """The batch shape of two batches of matrices that broadcast."""
    for index, value in enumerate((matrix, rhs)):
        if value.ndim < 2:
            invalid(f"In[{index}] ndims must be >= 2: {value.ndim}")
    try:
        return np.broadcast_shapes(matrix.shape[:-2], rhs.shape[:-2])
    except ValueError:
        invalid(f"In[0] and In[1] must have compatible batch dimensions: {text(matrix.shape)} vs. {text(rhs.shape)}")


@numpy_kernel.make("MatrixTriangularSolve", "BatchMatrixTriangularSolve")
def triangular_solve(node: Node) -> Kernel:
    lower, adjoint = node.attrs["lower"], node.attrs["adjoint"]

    def kernel(matrix: Any, rhs: Any) -> Array:
        batch = batch_of(matrix, rhs)
        rows, columns = matrix.shape[-2:]
        if rows != columns:
            invalid(f"In[0] matrices in the last dimensions must be square ({columns} =/= {rows})")
        if columns != rhs.shape[-2]:
            invalid(
                f"In[0] mismatch In[1] shape: {columns} vs. {rhs.shape[-2]}: {text(matrix.shape)} {text(rhs.shape)} "
                f"{int(lower)} {int(adjoint)}"
            )
        if not rhs.size or not matrix.size:
            return np.zeros((*batch, *rhs.shape[-2:]), rhs.dtype)
        return np.ascontiguousarray(solve_triangular(matrix, rhs, lower=lower, adjoint=adjoint))

    return kernel


# --- eigenvalues --------------------------------------------------------------------------------------------------


def _check_decomposes(value: Any) -> None:
    """Of a matrix that its own adjoint is taken for only the lower triangle counts."""
    if not np.isfinite(np.tril(value)).all():
        invalid("Self-adjoint eigen decomposition was not successful. The input might not be valid.")


@numpy_kernel.make("SelfAdjointEigV2", "BatchSelfAdjointEigV2")
def self_adjoint_eig(node: Node) -> Kernel:
    vectors = node.attrs["compute_v"]

    def kernel(value: Any) -> tuple[Array, Array]:
        check_square(value)
        _check_decomposes(value)
        if not vectors:
            return np.linalg.eigvalsh(value).astype(value.dtype), np.empty(0, value.dtype)
        values, columns = np.linalg.eigh(value)
        return values.astype(value.dtype), columns

    return kernel


@numpy_kernel("SelfAdjointEig", "BatchSelfAdjointEig")
def self_adjoint_eig_packed(value: Any) -> Array:
    check_square(value)
    _check_decomposes(value)
    values, vectors = np.linalg.eigh(value)
    return np.concatenate((values[..., None, :], vectors), axis=-2)


@numpy_kernel.make("Eig")
def eig(node: Node) -> Kernel:
    vectors, dtype = node.attrs["compute_v"], node.output_types[0].np

    def kernel(value: Any) -> tuple[Array, Array]:
        check_square(value)
        if not np.isfinite(value).all():
            invalid("Eigen decomposition was not successful. The input might not be valid.")
        if not vectors:
            return np.linalg.eigvals(value).astype(dtype), np.empty(0, dtype)
        values, columns = np.linalg.eig(value)
        return values.astype(dtype), columns.astype(dtype)

    return kernel
