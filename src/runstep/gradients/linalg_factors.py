"""Gradients of QR, singular values and eigenvalues. Signs and phases that are left open are taken as fixed."""

from __future__ import annotations

from typing import Any

from runstep.gradients.linalg import (
    diagonal,
    lower_half,
    product_transposed,
    transposed_product,
    with_diagonal,
)
from runstep.gradients.nn_common import or_zeros
from runstep.gradients.registry import gradient
from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.cast import cast
from runstep.ops.creation import zeros_like
from runstep.ops.joining import concat
from runstep.ops.linalg_functions import adjoint
from runstep.ops.matmul import matmul
from runstep.ops.shape_ops import expand_dims

_TINY = 1e-20


def _safe_reciprocal(x: Tensor) -> Tensor:
    """1 / x, and 0 at 0: close eigenvalues give large gradients, equal ones none."""
    return x / (apply("Square", x) + _TINY)


def _between(values: Tensor) -> Tensor:
    """1 / (v_j - v_i), zero on the diagonal."""
    gaps = expand_dims(values, -2) - expand_dims(values, -1)
    return with_diagonal(_safe_reciprocal(gaps), zeros_like(values))


def _diagonal_of(matrix: Tensor) -> Tensor:
    found: Tensor = apply("MatrixDiagPart", matrix)
    return found


# --- QR -----------------------------------------------------------------------------------------------------------


def _over(x: Tensor, r: Tensor) -> Tensor:
    """x r^-H"""
    return adjoint(apply("MatrixTriangularSolve", r, adjoint(x), lower=False, adjoint=False))


def _tall(q: Tensor, r: Tensor, dq: Tensor, dr: Tensor) -> Tensor:
    """The gradient where there are at least as many rows as columns: r is square."""
    in_q, in_r = transposed_product(q, dq), product_transposed(r, dr)
    lower = lower_half((in_q - adjoint(in_q)) + (in_r - adjoint(in_r)))
    # The strict lower half: for real numbers the diagonal is zero as it is.
    da = matmul(q, dr + _over(lower, r)) + _over(dq - matmul(q, in_q), r)
    if q.dtype.is_complex:
        turned = _diagonal_of(in_r - adjoint(in_q))
        imaginary = turned - cast(apply("Real", turned, Tout=turned.dtype.real_dtype), turned.dtype)
        da = da + matmul(q, _over(adjoint(diagonal(imaginary)), r))
    return da


@gradient("Qr")
def _qr(op: Operation, dq: Any, dr: Any) -> Any:
    """Raises NotImplementedError for unknown shapes, and for a tall matrix with `full_matrices`."""
    q, r = op.outputs
    dq, dr = or_zeros(dq, q), or_zeros(dr, r)
    raw = r.raw_shape
    if raw is None or raw[-2] is None or raw[-1] is None:
        raise NotImplementedError(
            "QrGrad not implemented with dynamic shapes. Got shape of r: "
            f"{r.shape}; give the input a static shape (set_shape)."
        )
    rows, columns = raw[-2], raw[-1]
    if q.raw_shape is not None and rows > columns and q.raw_shape[-2] == q.raw_shape[-1]:
        raise NotImplementedError(
            "QrGrad not implemented when nrows > ncols and full_matrices is true. Received "
            f"r.shape={r.shape} with nrows={rows} and ncols={columns}."
        )
    if rows >= columns:
        return _tall(q, r, dq, dr)
    # The first columns say what q is; the rest is q^H of the others.
    others = op.inputs[0][..., rows:]
    d_others = matmul(q, dr[..., rows:])
    d_first = _tall(q, r[..., :rows], dq + product_transposed(others, dr[..., rows:]), dr[..., :rows])
    return concat([d_first, d_others], -1)


# --- singular values ----------------------------------------------------------------------------------------------


def _inner_shape(op: Operation) -> tuple[int, int]:
    raw = op.inputs[0].raw_shape
    if raw is None or raw[-2] is None or raw[-1] is None:
        raise NotImplementedError(
            "SVD gradient has not been implemented for input with unknown inner matrix shape; give the input a "
            "static shape (set_shape)."
        )
    return raw[-2], raw[-1]


@gradient("Svd")
def _svd(op: Operation, ds: Any, du: Any, dv: Any) -> Any:
    """Raises NotImplementedError for unknown inner shapes, and with `full_matrices` for those that differ by more than
    one: the rest of the vectors is not determined then.
    """
    a = op.inputs[0]
    kind = a.dtype.base_dtype
    if not op.attrs["compute_uv"]:
        _, u, v = apply("Svd", a, compute_uv=True, full_matrices=False)
        return product_transposed(matmul(u, diagonal(cast(ds, kind))), v)
    s, u, v = op.outputs
    rows, columns = _inner_shape(op)
    full = op.attrs["full_matrices"]
    if full and abs(rows - columns) > 1:
        raise NotImplementedError(
            "svd gradient is not implemented for abs(m - n) > 1 when full_matrices is True. Received: "
            f"m={rows} and n={columns} from op input={a} with shape={a.shape}."
        )
    values = cast(s, kind)
    ds, du, dv = or_zeros(ds, s), or_zeros(du, u), or_zeros(dv, v)
    least = min(rows, columns)
    u, u_rest, du, du_rest = _parted(u, du, least)
    v, v_rest, dv, dv_rest = _parted(v, dv, least)
    inverse = cast(_safe_reciprocal(s), kind)
    gaps = cast(_between(apply("Square", s)), kind)
    turned_u, turned_v = transposed_product(u, du), transposed_product(v, dv)
    scale, unscale = expand_dims(values, -2), expand_dims(inverse, -2)
    middle = (
        diagonal(cast(ds, kind))
        + gaps * (turned_u - adjoint(turned_u)) * scale
        + expand_dims(values, -1) * (gaps * (turned_v - adjoint(turned_v)))
    )
    if kind.is_complex:
        phase = _diagonal_of(turned_v)
        middle = middle + diagonal(inverse * (apply("Conj", phase) - phase) * 0.5)
    da = product_transposed(matmul(u, middle), v)
    if rows > columns:
        outside = _outside(u, du, u_rest, du_rest) * unscale
        da = da + product_transposed(outside, v)
    elif columns > rows:
        outside = _outside(v, dv, v_rest, dv_rest) * unscale
        da = da + product_transposed(u, outside)
    return da


def _parted(vectors: Tensor, grad: Tensor, count: int) -> tuple[Any, Any, Any, Any]:
    """The vectors that belong to singular values, and the one beside them of full matrices (None without)."""
    assert vectors.raw_shape is not None
    if vectors.raw_shape[-1] == count:
        return vectors, None, grad, None
    return vectors[..., :count], vectors[..., count:], grad[..., :count], grad[..., count:]


def _outside(vectors: Tensor, grad: Tensor, rest: Any, d_rest: Any) -> Tensor:
    """The part of the gradient outside of the space of the vectors; what the one beside them gets is turned back."""
    if rest is None:
        return grad - matmul(vectors, transposed_product(vectors, grad))
    return matmul(rest, transposed_product(rest, grad) - transposed_product(d_rest, vectors))


# --- eigenvalues --------------------------------------------------------------------------------------------------


@gradient("SelfAdjointEigV2")
def _self_adjoint_eig(op: Operation, de: Any, dv: Any) -> Any:
    a, e = op.inputs[0], op.outputs[0]
    kind = a.dtype.base_dtype
    middle = diagonal(cast(or_zeros(de, e), kind))
    if op.attrs["compute_v"]:
        v = op.outputs[1]
        if dv is not None:
            middle = middle + cast(_between(e), kind) * transposed_product(v, or_zeros(dv, v))
    else:
        _, v = apply("SelfAdjointEigV2", a, compute_v=True)
    da = product_transposed(matmul(v, middle), v)
    # Only the lower half of a is read.
    both = lower_half(da + adjoint(da))
    return with_diagonal(both, 0.5 * _diagonal_of(both))


@gradient("Eig")
def _eig(op: Operation, de: Any, dv: Any) -> Any:
    a, e = op.inputs[0], op.outputs[0]
    middle = diagonal(or_zeros(de, e))
    if op.attrs["compute_v"]:
        v = op.outputs[1]
        if dv is not None:
            # Vectors have length one and a phase that is fixed: their gradient along themselves counts for nothing.
            turned = transposed_product(v, or_zeros(dv, v))
            along = _diagonal_of(turned)
            along = cast(apply("Real", along, Tout=along.dtype.real_dtype), along.dtype)
            gram = transposed_product(v, v)
            middle = middle + apply("Conj", _between(e)) * (turned - gram * expand_dims(along, -2))
    else:
        _, v = apply("Eig", a, compute_v=True, Tout=op.attrs["Tout"])
    v_h = adjoint(v)
    da = apply("MatrixSolve", v_h, matmul(middle, v_h))
    return cast(da, a.dtype.base_dtype)
