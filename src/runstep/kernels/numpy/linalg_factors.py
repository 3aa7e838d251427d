"""Linear algebra that numpy has no routine for: LU factors, functions of matrices, bands, and monotone regression."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.kernels.numpy.linalg import batch_of, check_matrix, check_square, solve_triangular
from runstep.kernels.numpy.shape_ops import invalid, text
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = np.ndarray[Any, Any]


@numpy_kernel.make("Lu")
def lu(node: Node) -> Kernel:
    index_type = node.output_types[1].np

    def kernel(value: Any) -> tuple[Array, Array]:
        check_square(value)
        size = value.shape[-1]
        factors = np.array(value, order="C").reshape(int(np.prod(value.shape[:-2])), size, size)
        order = np.tile(np.arange(size, dtype=index_type), (len(factors), 1))
        every = np.arange(len(factors))
        for step in range(size if factors.size else 0):
            pivot = np.abs(factors[:, step:, step]).argmax(axis=1) + step
            for rows in (factors, order):
                kept = rows[every, pivot].copy()
                rows[every, pivot] = rows[:, step]
                rows[:, step] = kept
            if (factors[:, step, step] == 0).any():
                invalid("Input is not invertible.")
            factors[:, step + 1 :, step] /= factors[:, step, step, None]
            factors[:, step + 1 :, step + 1 :] -= (
                factors[:, step + 1 :, step, None] * factors[:, step, None, step + 1 :]
            )
        return factors.reshape(value.shape), order.reshape(value.shape[:-1])

    return kernel


# --- functions of matrices ----------------------------------------------------------------------------------------


_PARALLEL = 1e5
"""The condition number of its eigenvectors from which a matrix is taken to lack some."""


def _root(a: Array) -> Array:
    """The principal square root of a matrix without eigenvalues that are 0 or negative.

    Source: Denman and Beavers, "The matrix sign function and computations in systems" (1976).
    """
    inverse = np.eye(len(a), dtype=a.dtype)
    for _ in range(100):
        a, inverse, before = (a + np.linalg.inv(inverse)) / 2, (inverse + np.linalg.inv(a)) / 2, a
        if np.abs(a - before).max() <= 4e-16 * np.abs(a).max():
            break
    return a


def _log(a: Array) -> Array:
    """The principal logarithm: of a root near 1, as an integral, and doubled as often as a root was taken."""
    one = np.eye(len(a), dtype=a.dtype)
    doublings = 0
    while np.abs(a - one).sum(axis=0).max() > 0.25 and doublings < 64:
        a = _root(a)
        doublings += 1
    rest = a - one
    places, weights = np.polynomial.legendre.leggauss(10)
    parts = [w / 2 * np.linalg.solve(one + (x + 1) / 2 * rest, rest) for x, w in zip(places, weights, strict=True)]
    total: Array = np.sum(parts, axis=0) * 2.0**doublings
    return total


def _of_eigenvalues(value: Array, function: Any, alone: Any) -> Array:
    """`function` applied to the eigenvalues; `alone` to a matrix that lacks eigenvectors.

    NaN for a matrix that holds NaN or infinity, and where `function` gives NaN.
    """
    finite = np.isfinite(value).all(axis=(-2, -1), keepdims=True)
    wide = np.where(finite, value, np.eye(value.shape[-1], dtype=value.dtype))
    values, vectors = np.linalg.eig(wide.astype(np.complex128 if value.dtype.kind == "c" else np.float64))
    values, vectors = values.astype(np.complex128), vectors.astype(np.complex128)
    scaled = function(values)
    # A pair of equal vectors is no basis: whoever lacks one gets 1 in its place, and is computed by itself.
    condition = np.linalg.cond(vectors) if vectors.size else np.ones(vectors.shape[:-2])
    lacking = ~(condition < _PARALLEL) & np.isfinite(scaled).all(axis=-1)
    vectors = np.where(lacking[..., None, None], np.eye(vectors.shape[-1]), vectors)
    result = np.swapaxes(
        np.linalg.solve(np.swapaxes(vectors, -1, -2), np.swapaxes(vectors * scaled[..., None, :], -1, -2)), -1, -2
    )
    for place in np.argwhere(lacking):
        result[tuple(place)] = alone(wide[tuple(place)].astype(np.complex128))
    result = np.where(finite, result, np.nan * (1 + 1j))
    return np.ascontiguousarray((result if value.dtype.kind == "c" else result.real).astype(value.dtype))


@numpy_kernel("MatrixSquareRoot")
def square_root(value: Any) -> Array:
    """NaN where two eigenvalues are 0, and for a real matrix that has a real negative one."""
    check_square(value)

    def roots(values: Array) -> Array:
        none = (values == 0).sum(axis=-1) > 1
        if value.dtype.kind != "c":
            rounding = 1e-15 * np.abs(values).max(axis=-1, keepdims=True, initial=0)
            none |= ((values.imag == 0) & (values.real < -rounding)).any(axis=-1)
        return np.where(none[..., None], np.nan, np.sqrt(values))

    return _of_eigenvalues(value, roots, _root)


@numpy_kernel("MatrixLogarithm")
def logarithm(value: Any) -> Array:
    check_square(value)
    return _of_eigenvalues(value, np.log, _log)


_PADE = (
    64764752532480000.0,
    32382376266240000.0,
    7771770303897600.0,
    1187353796428800.0,
    129060195264000.0,
    10559470521600.0,
    670442572800.0,
    33522128640.0,
    1323241920.0,
    40840800.0,
    960960.0,
    16380.0,
    182.0,
    1.0,
)
_PADE_REACH = 5.371920351148152
"""The norm up to which the approximation of degree 13 is exact in double precision."""


@numpy_kernel("MatrixExponential")
def exponential(value: Any) -> Array:
    """Source: Higham, "The scaling and squaring method for the matrix exponential revisited" (2005)."""
    check_square(value)
    a = value.astype(np.complex128 if value.dtype.kind == "c" else np.float64)
    norm = np.abs(a).sum(axis=-2).max(initial=0)
    squarings = max(0, int(np.ceil(np.log2(norm / _PADE_REACH)))) if norm and np.isfinite(norm) else 0
    a = a / 2.0**squarings
    one = np.eye(a.shape[-1])
    powers = [one, a @ a]
    powers += [powers[1] @ powers[1], powers[1] @ powers[1] @ powers[1]]
    high, low = ([_PADE[start + 2 * i] for i in range(7)] for start in (1, 0))
    odd = a @ (powers[3] @ sum(high[3 + i] * powers[i] for i in range(1, 4)) + _sum(high, powers))
    even = powers[3] @ sum(low[3 + i] * powers[i] for i in range(1, 4)) + _sum(low, powers)
    found = np.linalg.solve(even - odd, even + odd)
    for _ in range(squarings):
        found = found @ found
    return found.astype(value.dtype)


def _sum(factors: list[float], powers: list[Array]) -> Array:
    return np.asarray(sum(factor * power for factor, power in zip(factors, powers, strict=False)))


# --- bands --------------------------------------------------------------------------------------------------------


def _dense(bands: Array, lower: bool) -> Array:
    """Triangular matrices from their bands, the main diagonal first if lower, last if upper."""
    count, size = bands.shape[-2:]
    out = np.zeros((*bands.shape[:-2], size, size), bands.dtype)
    for band in range(count):
        offset = band if lower else count - 1 - band
        places = np.arange(offset, size) if lower else np.arange(size - offset)
        out[..., places, places - offset if lower else places + offset] = bands[..., band, places]
    return out


@numpy_kernel.make("BandedTriangularSolve")
def banded_triangular_solve(node: Node) -> Kernel:
    lower, adjoint = node.attrs["lower"], node.attrs["adjoint"]

    def kernel(bands: Any, rhs: Any) -> Array:
        batch = batch_of(bands, rhs)
        count, size = bands.shape[-2:]
        if count <= 0:
            invalid("bands size must be positive")
        if size != rhs.shape[-2]:
            invalid(f"In[0] mismatch In[1] shape: {size} vs. {rhs.shape[-2]}: {text(bands.shape)} {text(rhs.shape)}")
        if not rhs.size:
            return np.zeros((*batch, *rhs.shape[-2:]), rhs.dtype)
        if (bands[..., 0 if lower else -1, :] == 0).any():
            invalid("Input matrix is not invertible.")
        return np.ascontiguousarray(solve_triangular(_dense(bands, lower), rhs, lower=lower, adjoint=adjoint))

    return kernel


@numpy_kernel("TridiagonalMatMul")
def tridiagonal_product(above: Any, main: Any, below: Any, rhs: Any) -> Array:
    check_matrix(above)
    for value in (main, below, rhs):
        if value.ndim != above.ndim:
            invalid("All input tensors must have the same rank.")
        if value.shape[:-2] != above.shape[:-2]:
            invalid("All input tensors must have the same outer dimensions.")
    for diagonal, what in ((above, "superdiagonal"), (main, "main diagonal"), (below, "subdiagonal")):
        if diagonal.shape[-2:] != (1, rhs.shape[-2]):
            invalid(f"Invalid {what} shape.")
    out = main[..., 0, :, None] * rhs
    out[..., :-1, :] += above[..., 0, :-1, None] * rhs[..., 1:, :]
    out[..., 1:, :] += below[..., 0, 1:, None] * rhs[..., :-1, :]
    return out


@numpy_kernel.make("TridiagonalSolve")
def tridiagonal_solve(node: Node) -> Kernel:
    pivoting = node.attrs["partial_pivoting"]

    def kernel(diagonals: Any, rhs: Any) -> Array:
        check_matrix(diagonals)
        if diagonals.ndim != rhs.ndim or diagonals.shape[:-2] != rhs.shape[:-2]:
            invalid("All input tensors must have the same outer dimensions.")
        if diagonals.shape[-2] != 3:
            rows = diagonals.shape[-2]
            invalid(f"Expected diagonals to be provided as a matrix with 3 rows, got {rows} rows.")
        size = diagonals.shape[-1]
        if rhs.shape[-2] != size:
            invalid(
                f"Expected the same number of left-hand sides and right-hand sides, got {size} and {rhs.shape[-2]}."
            )
        if not rhs.size:
            return rhs.copy()
        return _eliminated(diagonals, rhs, pivoting)

    return kernel


def _eliminated(diagonals: Array, rhs: Array, pivoting: bool) -> Array:
    """Gaussian elimination, with one row held back to swap with."""
    size = diagonals.shape[-1]
    above, main, below = (diagonals[..., row, :] for row in range(3))
    # Row i of the eliminated system: u0[i] x[i] + u1[i] x[i+1] + u2[i] x[i+2] = right[i].
    u = np.zeros((3, *main.shape), main.dtype)
    right = np.array(rhs)
    held = [main[..., 0], above[..., 0] if size > 1 else np.zeros_like(main[..., 0])]
    for row in range(size - 1):
        nothing = np.zeros_like(held[0])
        first = [held[0], held[1], nothing]
        second = [below[..., row + 1], main[..., row + 1], above[..., row + 1] if row + 2 < size else nothing]
        b_first, b_second = right[..., row, :].copy(), right[..., row + 1, :].copy()
        if pivoting:
            swap = np.abs(second[0]) > np.abs(first[0])
            first, second = (
                [np.where(swap, y, x) for x, y in zip(first, second, strict=True)],
                [np.where(swap, x, y) for x, y in zip(first, second, strict=True)],
            )
            b_first, b_second = (
                np.where(swap[..., None], b_second, b_first),
                np.where(swap[..., None], b_first, b_second),
            )
        _check_pivot(first[0])
        factor = second[0] / first[0]
        held = [second[1] - factor * first[1], second[2] - factor * first[2]]
        right[..., row, :] = b_first
        right[..., row + 1, :] = b_second - factor[..., None] * b_first
        u[:, ..., row] = first
    u[0, ..., size - 1] = held[0]
    _check_pivot(held[0])
    for row in range(size - 1, -1, -1):
        if row + 1 < size:
            right[..., row, :] -= u[1, ..., row, None] * right[..., row + 1, :]
        if row + 2 < size:
            right[..., row, :] -= u[2, ..., row, None] * right[..., row + 2, :]
        right[..., row, :] /= u[0, ..., row, None]
    return right


def _check_pivot(pivot: Array) -> None:
    if (pivot == 0).any():
        invalid("The matrix is singular; it cannot be solved for.")


# --- monotone regression ------------------------------------------------------------------------------------------


@numpy_kernel.make("IsotonicRegression")
def isotonic_regression(node: Node) -> Kernel:
    """The closest decreasing sequence to each row: neighbours out of order are pooled to their mean."""
    dtype = node.output_types[0].np

    def kernel(value: Any) -> tuple[Array, Array]:
        if not np.ndim(value):
            invalid("input must be at least rank 1")
        size = value.shape[-1]
        out = np.empty(value.shape, dtype)
        segments = np.empty(value.shape, np.int32)
        if not value.size:
            return out, segments
        rows = value.reshape(-1, size).astype(np.float64)
        for row, values, places in zip(rows.tolist(), out.reshape(-1, size), segments.reshape(-1, size), strict=True):
            sums: list[float] = []
            counts: list[int] = []
            for number in row:
                total, count = number, 1
                while sums and sums[-1] * count < total * counts[-1]:
                    total += sums.pop()
                    count += counts.pop()
                sums.append(total)
                counts.append(count)
            values[:] = np.repeat(np.array(sums) / np.array(counts), counts)
            places[:] = np.repeat(np.arange(len(counts)), counts)
        return out, segments

    return kernel
