"""Gradients of solving, inverting and factoring matrices, single ones and batches.

Names: `dy` is the gradient of `y`, that is, the matrix with `d loss = Re tr(dy^H y')` for a change `y'`.
"""

from __future__ import annotations

from typing import Any

from runstep.gradients.broadcasting import conj
from runstep.gradients.nn_common import or_zeros
from runstep.gradients.registry import gradient
from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.branching import cond
from runstep.ops.cast import cast
from runstep.ops.creation import eye, ones_like, zeros_like
from runstep.ops.indexing import gather
from runstep.ops.joining import concat, stack
from runstep.ops.linalg_functions import adjoint, cholesky_solve
from runstep.ops.matmul import matmul
from runstep.ops.matrix_diag import matrix_band_part, matrix_diag_part
from runstep.ops.rearranging import matrix_transpose
from runstep.ops.reduction import reduce_sum
from runstep.ops.shape_ops import expand_dims, reshape, shape

# --- products with what is there --------------------------------------------------------------------------------


def _of(op: str, *inputs: Any, **attrs: Any) -> Tensor:
    found: Tensor = apply(op, *inputs, **attrs)
    return found


def diagonal(vector: Tensor) -> Tensor:
    """A matrix with `vector` on its diagonal."""
    return _of("MatrixDiag", vector)


def with_diagonal(matrix: Tensor, vector: Tensor) -> Tensor:
    return _of("MatrixSetDiag", matrix, vector)


def transposed_product(a: Tensor, b: Tensor) -> Tensor:
    """a^H b"""
    return matmul(a, b, adjoint_a=True)


def product_transposed(a: Tensor, b: Tensor) -> Tensor:
    """a b^H"""
    return matmul(a, b, adjoint_b=True)


def lower_half(matrix: Tensor) -> Tensor:
    return matrix_band_part(matrix, -1, 0)


# --- inverse and determinants -------------------------------------------------------------------------------------


@gradient("MatrixInverse")
def _inverse(op: Operation, grad: Any) -> Any:
    y = op.outputs[0]
    if op.attrs["adjoint"]:
        return -matmul(y, matmul(grad, y, adjoint_a=True))
    return -transposed_product(y, product_transposed(grad, y))


def _times_inverse(weight: Tensor, matrix: Tensor) -> Tensor:
    """A number for each matrix times the adjoint of its inverse."""
    return expand_dims(expand_dims(weight, -1), -1) * _of("MatrixInverse", matrix, adjoint=True)


@gradient("MatrixDeterminant")
def _determinant(op: Operation, grad: Any) -> Any:
    return _times_inverse(grad * conj(op.outputs[0]), op.inputs[0])


@gradient("LogMatrixDeterminant")
def _log_determinant(op: Operation, _: Any, grad: Any) -> Any:
    return _times_inverse(or_zeros(grad, op.outputs[1]), op.inputs[0])


# --- solving ------------------------------------------------------------------------------------------------------


@gradient("MatrixSolve")
def _solve(op: Operation, grad: Any) -> list[Any]:
    a, y = op.inputs[0], op.outputs[0]
    flipped = op.attrs["adjoint"]
    db = _of("MatrixSolve", a, grad, adjoint=not flipped)
    return [-product_transposed(y, db) if flipped else -product_transposed(db, y), db]


def _summed(op: Operation, da: Tensor, db: Tensor) -> list[Any]:
    """Sums over the batch axes along which matrix or right side were repeated."""
    a, b = op.inputs
    if a.raw_shape is not None and b.raw_shape is not None and a.raw_shape[:-2] == b.raw_shape[:-2]:
        if None not in a.raw_shape[:-2]:
            return [da, db]
    a_shape, b_shape = shape(a), shape(b)
    over_a, over_b = apply("BroadcastGradientArgs", a_shape[:-2], b_shape[:-2])
    return [
        reshape(reduce_sum(da, axis=over_a), a_shape),
        reshape(reduce_sum(db, axis=over_b), b_shape),
    ]


@gradient("MatrixTriangularSolve")
def _triangular_solve(op: Operation, grad: Any) -> list[Any]:
    a, y = op.inputs[0], op.outputs[0]
    flipped, lower = op.attrs["adjoint"], op.attrs["lower"]
    db = _of("MatrixTriangularSolve", a, grad, lower=lower, adjoint=not flipped)
    da = -product_transposed(y, db) if flipped else -product_transposed(db, y)
    return _summed(op, lower_half(da) if lower else matrix_band_part(da, 0, -1), db)


@gradient("BandedTriangularSolve")
def _banded_solve(op: Operation, grad: Any) -> list[Any]:
    a, y = op.inputs[0], op.outputs[0]
    flipped, lower = op.attrs["adjoint"], op.attrs["lower"]
    db = _of("BandedTriangularSolve", a, grad, lower=lower, adjoint=not flipped)
    da = -product_transposed(y, db) if flipped else -product_transposed(db, y)
    bands = shape(a)[-2]
    band = (1 - bands, 0) if lower else (0, bands - 1)
    da = matrix_diag_part(da, k=band, align="LEFT_RIGHT")
    return _summed(op, da, db)


@gradient("MatrixSolveLs")
def _solve_ls(op: Operation, grad: Any) -> list[Any]:
    """Raises ValueError for the slow path (`fast=False`), which is not differentiated."""
    if not op.attrs["fast"]:
        raise ValueError("Gradient not defined for fast=False")
    a = op.inputs[0]
    raw = a.raw_shape
    if raw is not None and raw[-2] is not None and raw[-1] is not None:
        return [*(_tall(op, grad) if raw[-2] >= raw[-1] else _wide(op, grad)), None]
    sizes = shape(a)
    da, db = cond(sizes[-2] >= sizes[-1], lambda: _tall(op, grad), lambda: _wide(op, grad))
    return [da, db, None]


def _factor(a: Tensor, regularizer: Tensor, tall: bool) -> Tensor:
    gram = transposed_product(a, a) if tall else product_transposed(a, a)
    small = shape(a)[-1] if tall else shape(a)[-2]
    batch = shape(a)[:-2]
    return _of("Cholesky", gram + cast(regularizer, a.dtype.base_dtype) * eye(small, batch_shape=batch, dtype=a.dtype))


def _tall(op: Operation, grad: Any) -> list[Tensor]:
    """y = (a^H a + l)^-1 a^H b"""
    (a, b, regularizer), y = op.inputs, op.outputs[0]
    z = cholesky_solve(_factor(a, regularizer, True), grad)
    crossed = product_transposed(y, z)
    return [-matmul(a, crossed + adjoint(crossed)) + product_transposed(b, z), matmul(a, z)]


def _wide(op: Operation, grad: Any) -> list[Tensor]:
    """y = a^H (a a^H + l)^-1 b"""
    a, b, regularizer = op.inputs
    factor = _factor(a, regularizer, False)
    db = cholesky_solve(factor, matmul(a, grad))
    half = cholesky_solve(factor, b)
    rest = grad - transposed_product(a, db)
    return [product_transposed(half, rest) - matmul(db, transposed_product(half, a)), db]


def _moved(x: Tensor, axis: int, by: int) -> Tensor:
    """Shifted along the last axis or the last but one by one place, a zero coming in."""
    after = (slice(None),) * (-1 - axis)

    def cut(start: int | None, end: int | None) -> Tensor:
        return x[(Ellipsis, slice(start, end), *after)]

    if by > 0:
        return concat([zeros_like(cut(None, 1)), cut(None, -1)], axis)
    return concat([cut(1, None), zeros_like(cut(None, 1))], axis)


@gradient("TridiagonalSolve")
def _tridiagonal_solve(op: Operation, grad: Any) -> list[Any]:
    diagonals, y = op.inputs[0], op.outputs[0]
    above, main, below = (conj(diagonals[..., place, :]) for place in (0, 1, 2))
    flipped = stack([_moved(below, -1, -1), main, _moved(above, -1, 1)], axis=-2)
    attrs = {name: op.attrs[name] for name in ("partial_pivoting", "perturb_singular")}
    db = _of("TridiagonalSolve", flipped, grad, **attrs)
    return [-stack(_three_diagonals(db, y), axis=-2), db]


def _three_diagonals(x: Tensor, y: Tensor) -> list[Tensor]:
    """Of x y^H: what is above the diagonal, on it and below, each with as many places as there are rows."""
    y = conj(y)
    return [reduce_sum(x * other, -1) for other in (_moved(y, -2, -1), y, _moved(y, -2, 1))]


@gradient("TridiagonalMatMul")
def _tridiagonal_product(op: Operation, grad: Any) -> list[Any]:
    *diagonals, rhs = op.inputs
    above, main, below = (matrix_transpose(diagonal, conjugate=diagonal.dtype.is_complex) for diagonal in diagonals)
    drhs = _moved(above * grad, -2, 1) + main * grad + _moved(below * grad, -2, -1)
    return [*(expand_dims(one, -2) for one in _three_diagonals(grad, rhs)), drhs]


# --- factors ------------------------------------------------------------------------------------------------------


@gradient("Cholesky")
def _cholesky(op: Operation, grad: Any) -> Any:
    factor = op.outputs[0]
    sizes = shape(factor)
    inverse = _of(
        "MatrixTriangularSolve", factor, eye(sizes[-1], batch_shape=sizes[:-2], dtype=factor.dtype), lower=True
    )
    middle = transposed_product(factor, grad)
    middle = lower_half(with_diagonal(middle, 0.5 * _of("MatrixDiagPart", middle)))
    da = matmul(transposed_product(inverse, middle), inverse)
    return (da + adjoint(da)) * 0.5


@gradient("MatrixSquareRoot")
def _square_root(op: Operation, grad: Any) -> Any:
    """y y = a, so da solves y^H da + da y^H = dy: linear in the numbers of da, a system of n^2 unknowns."""
    y = op.outputs[0]
    sizes = shape(y)
    size, batch = sizes[-1], sizes[:-2]
    one = eye(size, batch_shape=batch, dtype=y.dtype)
    left = _kronecker(adjoint(y), one, batch, size) + _kronecker(one, conj(y), batch, size)
    flat = _of("MatrixSolve", left, reshape(grad, concat([batch, [size * size, 1]], 0)))
    return reshape(flat, sizes)


def _kronecker(a: Tensor, b: Tensor, batch: Tensor, size: Tensor) -> Tensor:
    def spread(matrix: Tensor, sizes: list[Any]) -> Tensor:
        return reshape(matrix, concat([batch, sizes], 0))

    product = spread(a, [size, 1, size, 1]) * spread(b, [1, size, 1, size])
    return spread(product, [size * size, size * size])


# --- monotone regression ------------------------------------------------------------------------------------------


@gradient("IsotonicRegression")
def _isotonic_regression(op: Operation, grad: Any, _: Any) -> Tensor:
    """A pooled segment moves with the mean of its elements. Each row numbers its segments from its own first place."""
    segments = op.outputs[1]
    sizes = shape(segments)
    count = _of("Size", segments)
    row = _of("FloorDiv", _of("Range", 0, count, 1), _of("Maximum", sizes[-1], 1))
    ids = reshape(segments, [-1]) + row * sizes[-1]
    given = reshape(grad, [-1])
    total = _of("UnsortedSegmentSum", given, ids, count)
    lengths = _of("UnsortedSegmentSum", ones_like(given), ids, count)
    return reshape(gather(_of("DivNoNan", total, lengths), ids), sizes)
