"""Functions of linear algebra that are computed by many nodes: `tf.linalg.expm`, `tf.linalg.pinv` ...

The nodes are not TensorFlow's one by one; the values are.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from runstep.gradients.custom import custom_gradient
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.scopes import control_dependencies
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.assertions import assert_less, assert_less_equal
from runstep.ops.cast import cast, conj, real
from runstep.ops.creation import eye
from runstep.ops.joining import concat
from runstep.ops.linalg_functions import adjoint, matrix_solve, self_adjoint_eig, svd
from runstep.ops.looping import while_loop
from runstep.ops.matmul import matmul
from runstep.ops.matrix_diag import matrix_diag
from runstep.ops.reduction import reduce_max, reduce_sum
from runstep.ops.selecting import boolean_mask, where_v2
from runstep.ops.shape_ops import shape as shape_of

__all__ = ["eigh_tridiagonal", "expm", "matrix_rank", "pinv"]

# Degree of the approximant, and the norm up to which it is exact in the type. Source: Higham, "The scaling and squaring
# method for the matrix exponential revisited" (2005).
_APPROXIMANTS = {4: (7, 3.925724783138660), 8: (13, 5.371920351148152)}


def expm(input: TensorLike, name: str | None = None) -> Tensor:
    """The exponentials of square matrices. Source: `tf.linalg.expm`."""
    with name_scope(name, "matrix_exponential"):
        return _exponential(convert_to_tensor(input, name="input"))


@custom_gradient
def _exponential(matrix: Tensor) -> tuple[Tensor, Any]:
    result = _squared_back(matrix)

    def backward(upstream: Tensor) -> Tensor:
        # The derivative in a direction is a corner of the exponential of a block matrix: exp([[A, D], [0, A]]). So
        # derivatives are exponentials again, of any order; those of the loop in `_squared_back` end at the first.
        size = shape_of(matrix)[-1]
        turned = adjoint(matrix)
        upper = concat([turned, upstream], -1)
        lower = concat([apply("ZerosLike", turned), turned], -1)
        corner = _exponential(concat([upper, lower], -2))[..., :size, size:]
        corner.set_shape(matrix.shape)
        return corner

    return result, backward


def _squared_back(matrix: Tensor) -> Tensor:
    """By a rational function of `matrix / 2**k`, which is then squared k times."""
    degree, limit = _APPROXIMANTS[matrix.dtype.real_dtype.size]
    norm = reduce_max(reduce_sum(abs(matrix), axis=-2), axis=-1)
    halvings = apply("Maximum", apply("Ceil", apply("Log", norm / limit) / math.log(2.0)), 0.0)
    halvings = where_v2(apply("IsFinite", halvings), halvings, apply("ZerosLike", halvings))
    each = halvings[..., None, None]
    scaled = matrix * cast(apply("Pow", apply("ZerosLike", each) + 0.5, each), matrix.dtype)
    result = _approximant(scaled, degree)
    most = reduce_max(halvings)

    def squared(step: Tensor, value: Tensor) -> list[Tensor]:
        return [step + 1.0, where_v2(each > step, matmul(value, value), value)]

    first = convert_to_tensor(np.zeros((), matrix.dtype.real_dtype.np))
    _, result = while_loop(
        lambda step, value: step < most, squared, [first, result], shape_invariants=[first.shape, result.shape]
    )
    result.set_shape(matrix.shape)
    return result


def _approximant(matrix: Tensor, degree: int) -> Tensor:
    """The quotient of polynomials, of this degree above and below, that is closest to exp at 0 (Padé)."""
    weights = [
        math.factorial(2 * degree - k) / (math.factorial(k) * math.factorial(degree - k)) for k in range(degree + 1)
    ]
    dims = shape_of(matrix)
    size = dims[-1]
    power = eye(size, batch_shape=dims[:-2], dtype=matrix.dtype)
    square = matmul(matrix, matrix)
    even = odd = None
    for k in range(0, degree + 1, 2):
        even = power * weights[k] if even is None else even + power * weights[k]
        odd = power * weights[k + 1] if odd is None else odd + power * weights[k + 1]
        if k + 2 <= degree:
            power = matmul(power, square)
    odd = matmul(matrix, odd)
    return matrix_solve(even - odd, even + odd)


def _cutoff(largest: Tensor, matrix: Tensor) -> Tensor:
    """Below this a singular value may be nothing but rounding."""
    raw: Any = matrix.raw_shape
    if raw is None or None in raw[-2:]:
        size: Any = cast(reduce_max(shape_of(matrix)[-2:]), largest.dtype)
    else:
        size = float(max(raw[-2:]))
    return largest * (size * float(np.finfo(largest.dtype.np).eps))


def matrix_rank(a: TensorLike, tol: Any = None, validate_args: bool = False, name: str | None = None) -> Tensor:
    """How many singular values exceed `tol`: int32, one number a matrix. Source: `tf.linalg.matrix_rank`."""
    with name_scope(name or "matrix_rank"):
        matrix = convert_to_tensor(a, dtype_hint=dtypes.float32, name="a")
        s = svd(matrix, compute_uv=False)
        if tol is None:
            tol = _cutoff(reduce_max(s, axis=-1, keepdims=True), matrix)
        return reduce_sum(cast(s > tol, dtypes.int32), axis=-1)


def pinv(a: TensorLike, rcond: Any = None, validate_args: bool = False, name: str | None = None) -> Tensor:
    """The Moore-Penrose inverses of real matrices. Source: `tf.linalg.pinv`.

    Args:
      rcond: singular values up to so many times the largest count as 0; one number, or one a matrix.
    """
    with name_scope(name or "pinv"):
        matrix = convert_to_tensor(a, name="a")
        s, u, v = svd(matrix, full_matrices=False, compute_uv=True)
        largest = reduce_max(s, axis=-1, keepdims=True)
        if rcond is None:
            cutoff = 10.0 * _cutoff(largest, matrix)
        else:
            cutoff = largest * convert_to_tensor(rcond, s.dtype, name="rcond")[..., None]
        counted = where_v2(s > cutoff, s, apply("ZerosLike", s) + np.inf)
        return matmul(v / counted[..., None, :], adjoint(u))


def eigh_tridiagonal(
    alpha: TensorLike,
    beta: TensorLike,
    eigvals_only: bool = True,
    select: str = "a",
    select_range: Any = None,
    tol: Any = None,
    name: str | None = None,
) -> Any:
    """The eigenvalues of a self-adjoint tridiagonal matrix, in rising order. Source: `tf.linalg.eigh_tridiagonal`.

    Args:
      alpha: [n], real or complex (whose imaginary part doesn't count): the diagonal. beta: [n - 1], of the same type:
        the diagonal above it; the one below is its conjugate.
      eigvals_only: False to return a pair, with the eigenvectors [n, k] as columns.
      select: "a" for all; "i" for those of the places `select_range`, both ends included; "v" for those that are
        greater than its first value and up to its second.
      tol: not used: eigenvalues are as exact as the type.

    Raises:
      ValueError: types that differ or aren't floats, another `select`. InvalidArgumentError: an empty range.
    """
    with name_scope(name or "eigh_tridiagonal"):
        diagonal, above = convert_to_tensor(alpha, name="alpha"), convert_to_tensor(beta, name="beta")
        kind = diagonal.dtype.base_dtype
        if above.dtype.base_dtype is not kind:
            raise ValueError("'alpha' and 'beta' must have the same type.")
        if not (kind.is_floating or kind.is_complex):
            raise ValueError(f"'alpha' and 'beta' must be floats or complex numbers, not {kind.name}.")
        if select not in ("a", "i", "v"):
            raise ValueError("'select must have a value in {'a', 'i', 'v'}.")
        below = conj(above)
        if kind.is_complex:
            diagonal = cast(real(diagonal), kind)
        matrix = matrix_diag(diagonal) + matrix_diag(above, k=1) + matrix_diag(below, k=-1)
        values, vectors = self_adjoint_eig(matrix)
        values = real(values)
        if select == "i":
            first, last = select_range
            checked = assert_less_equal(first, last, message="Got empty index range in select_range.")
            with control_dependencies([checked]):
                values, vectors = values[first : last + 1], vectors[:, first : last + 1]
        elif select == "v":
            low, high = (convert_to_tensor(end, values.dtype) for end in select_range)
            checked = assert_less(low, high, message="Got empty interval in select_range.")
            with control_dependencies([checked]):
                inside = apply("LogicalAnd", values > low, values <= high)
            values, vectors = boolean_mask(values, inside), boolean_mask(vectors, inside, axis=1)
        return values if eigvals_only else (values, vectors)
