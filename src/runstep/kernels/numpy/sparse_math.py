"""Arithmetic on sparse tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from runstep import errors
from runstep.kernels.bytestrings import Array, text_shape
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.sparse_arrays import check_parts, check_shape, check_tensor, flat, invalid, sorted_order, unflat

_SHORT = (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))


def _wide(values: Array) -> Array:
    """Short floats as float32, to be rounded once at the end."""
    return values.astype(np.float32) if values.dtype in _SHORT else values


def _starts(keys: Array) -> Array:
    """Where runs of equal keys begin."""
    return np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1]))) if len(keys) else np.zeros(0, np.int64)


# --- products and sums with dense tensors -------------------------------------------------------------------------


@numpy_kernel.make("SparseTensorDenseMatMul")
def sparse_tensor_dense_mat_mul(node: Node) -> Kernel:
    adjoint_a, adjoint_b = node.attrs["adjoint_a"], node.attrs["adjoint_b"]

    def kernel(indices: Array, values: Array, shape: Array, b: Array) -> Array:
        if np.ndim(b) != 2:
            raise invalid("Tensor 'b' is not a matrix")
        if np.ndim(shape) != 1:
            raise invalid("Tensor 'a_shape' is not a vector")
        if len(shape) != 2:
            raise invalid("Tensor 'a_shape' must have 2 elements")
        if np.ndim(values) != 1:
            raise invalid("Tensor 'a_values' is not a vector")
        if np.ndim(indices) != 2:
            raise invalid("Tensor 'a_indices' is not a matrix")
        if len(indices) != len(values):
            raise invalid("Number of rows of a_indices does not match number of entries in a_values")
        if indices.shape[1] != 2:
            raise invalid("Number of columns of a_indices does not match number of entries in a_shape")
        if adjoint_b:
            b = b.T.conj()
        rows, inner = (int(size) for size in (shape[::-1] if adjoint_a else shape))
        if inner != b.shape[0]:
            raise invalid(
                f"Cannot multiply A and B because inner dimension does not match: {inner} vs. {b.shape[0]}.  "
                f"Did you forget a transpose?  Dimensions of A: [{shape[0]}, {shape[1]}).  "
                f"Dimensions of B: {text_shape(b.shape)}"
            )
        m, k = (indices[:, 1], indices[:, 0]) if adjoint_a else (indices[:, 0], indices[:, 1])
        if not rows * b.shape[1]:
            return np.zeros((rows, b.shape[1]), values.dtype)
        for name, places, size, column in (("k", k, inner, int(not adjoint_a)), ("m", m, rows, int(adjoint_a))):
            outside = (places < 0) | (places >= size)
            if outside.any():
                place = int(np.argmax(outside))
                raise invalid(f"{name} ({places[place]}) from index[{place},{column}] out of bounds (>={size})")
        if adjoint_a:
            values = values.conj()
        return _product(values, m, k, rows, b)

    return kernel


def _product(values: Array, m: Array, k: Array, rows: int, b: Array) -> Array:
    terms = _wide(b)[k] * _wide(values)[:, None]
    if (m[1:] < m[:-1]).any():
        order = np.argsort(m, kind="stable")
        m, terms = m[order], terms[order]
    out = np.zeros((rows, b.shape[1]), terms.dtype)
    if len(m):
        starts = _starts(m)
        out[m[starts]] = np.add.reduceat(terms, starts, axis=0)
    return out.astype(values.dtype, copy=False)


@numpy_kernel("SparseTensorDenseAdd")
def sparse_tensor_dense_add(indices: Array, values: Array, shape: Array, b: Array) -> Array:
    check_parts(indices, values, shape)
    if len(shape) != b.ndim:
        raise invalid(f"Two operands have different ranks; received: {len(shape)} and {b.ndim}")
    for axis, (mine, size) in enumerate(zip(shape.tolist(), b.shape, strict=True)):
        if mine != size:
            raise invalid(
                f"Dimension {axis} does not equal (no broadcasting is supported): sparse side {mine} vs dense side "
                f"{size}"
            )
    outside = (indices < 0) | (indices >= shape)
    if outside.any():
        place, axis = (int(where) for where in np.argwhere(outside)[0])
        sizes = " ".join(map(str, b.shape))
        raise invalid(
            f"Sparse tensor has an invalid index on dimension {axis}: a_indices({place},{axis}) = "
            f"{indices[place, axis]}, dense tensor shape: {sizes}"
        )
    out = b.copy()
    np.add.at(out.reshape(-1), flat(indices, b.shape), values)
    return out


# --- sparse with sparse -------------------------------------------------------------------------------------------


def _same_shape(a_shape: Array, b_shape: Array) -> None:
    for axis, (a, b) in enumerate(zip(a_shape.tolist(), b_shape.tolist(), strict=True)):
        if a != b:
            raise invalid(f"Operands' shapes do not match: got {a} and {b} for dimension {axis}")


def _ascends(rows: Array) -> bool:
    """Whether each row comes after the one before it."""
    if not (sorted_order(rows) == np.arange(len(rows))).all():
        return False
    return bool((rows[1:] != rows[:-1]).any(axis=1).all())


def _merged(a: Array, b: Array) -> tuple[Array, Array, Array]:
    left, right = (list(map(tuple, rows.tolist())) for rows in (a, b))
    rows: list[Any] = []
    found: tuple[list[int], list[int]] = ([], [])
    i = j = 0
    while i < len(left) or j < len(right):
        first = i < len(left) and (j == len(right) or left[i] <= right[j])
        second = j < len(right) and (i == len(left) or right[j] <= left[i])
        row = left[i] if first else right[j]
        if first:
            found[0].append(len(rows))
        if second:
            found[1].append(len(rows))
        i, j = i + first, j + second
        rows.append(row)
    in_a, in_b = (np.array(places, np.int64) for places in found)
    return np.array(rows, np.int64).reshape(len(rows), a.shape[1]), in_a, in_b


def _union(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Rows that are in a or b, sorted; where each row of a, and of b, is among them. What is out of order or twice in
    one of them comes out as merging of sorted lists leaves it."""
    if not (_ascends(a) and _ascends(b)):
        return _merged(a, b)
    rows = np.concatenate((a, b))
    order = sorted_order(rows)
    ordered = rows[order]
    new = np.ones(len(rows), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    place = np.empty(len(rows), np.int64)
    place[order] = np.cumsum(new) - 1
    return ordered[new], place[: len(a)], place[len(a) :]


@numpy_kernel("SparseAdd")
def sparse_add(
    a_indices: Array, a_values: Array, a_shape: Array, b_indices: Array, b_values: Array, b_shape: Array, thresh: Array
) -> tuple[Array, Array, Array]:
    for indices in (a_indices, b_indices):
        if np.ndim(indices) != 2:
            raise invalid(
                f"Input indices should be matrices but received shapes: {text_shape(a_indices.shape)} and "
                f"{text_shape(b_indices.shape)}"
            )
    if np.ndim(a_values) != 1 or np.ndim(b_values) != 1:
        raise invalid("Input values should be vectors")
    if len(a_values) != len(a_indices) or len(b_values) != len(b_indices):
        raise invalid(
            f"Expected {len(a_indices)} and {len(b_indices)} non-empty input values, got {len(a_values)} and "
            f"{len(b_values)}"
        )
    if np.ndim(a_shape) != 1 or np.ndim(b_shape) != 1:
        raise invalid("Input shapes should be vectors")
    if a_indices.shape[1] != b_indices.shape[1] or len(a_shape) != len(b_shape):
        raise invalid(f"Input indices must have the same dimension, got {a_indices.shape[1]} and {b_indices.shape[1]}")
    _same_shape(a_shape, b_shape)
    if np.ndim(thresh):
        raise invalid(f"The magnitude threshold must be a scalar: got shape {text_shape(np.shape(thresh))}")
    if a_indices.shape[1] != len(a_shape):
        raise invalid(f"Indices have {a_indices.shape[1]} columns, the shape has {len(a_shape)} elements")
    rows, in_a, in_b = _union(a_indices, b_indices)
    values = np.zeros(len(rows), a_values.dtype)
    values[in_a] = a_values
    values[in_b] += b_values
    # The threshold is for sums: what only one of the two has stays, however small.
    summed = np.zeros(len(rows), bool)
    summed[in_a] = True
    in_both = in_b[summed[in_b]]
    kept = np.ones(len(rows), bool)
    kept[in_both] = np.abs(values[in_both]) >= thresh
    return rows[kept], values[kept], a_shape.copy()


@numpy_kernel("SparseAddGrad")
def sparse_add_grad(grad: Array, a: Array, b: Array, total: Array) -> tuple[Array, Array]:
    if np.ndim(a) != 2 or np.ndim(b) != 2 or np.ndim(total) != 2:
        raise invalid("Input indices should be matrices")
    if np.ndim(grad) != 1:
        raise invalid(f"Input backprop_val_grad should be a vector but received shape: {text_shape(np.shape(grad))}")
    if not a.shape[1] == b.shape[1] == total.shape[1]:
        raise invalid("The densified operands should have the same ndims")
    if len(grad) != len(total):
        raise invalid("# elements in backprop_val_grad and rows in sum_indices should match")
    found = []
    for indices in (a, b):
        rows, mine, theirs = _union(indices, total)
        spread = np.zeros(len(rows), grad.dtype)
        spread[theirs] = grad
        found.append(spread[mine])
    return found[0], found[1]


def _extreme(function: Callable[..., Array]) -> Kernel:
    def kernel(
        a_indices: Array, a_values: Array, a_shape: Array, b_indices: Array, b_values: Array, b_shape: Array
    ) -> tuple[Array, Array]:
        check_parts(a_indices, a_values, a_shape)
        check_parts(b_indices, b_values, b_shape)
        if len(a_shape) != len(b_shape):
            sizes = " and ".join(" ".join(map(str, shape.tolist())) for shape in (a_shape, b_shape))
            raise invalid(f"Operands do not have the same ranks; got shapes: {sizes}")
        _same_shape(a_shape, b_shape)
        for indices in (a_indices, b_indices):
            outside = ((indices < 0) | (indices >= a_shape)).any(axis=1)
            if outside.any():
                place = int(np.argmax(outside))
                row = ", ".join(map(str, indices[place].tolist()))
                raise invalid(f"Sparse index tuple indices[{place}, :] = [{row}] is out of bounds")
        rows, in_a, in_b = _union(a_indices, b_indices)
        both = np.zeros((2, len(rows)), a_values.dtype)
        both[0, in_a] = a_values
        both[1, in_b] = b_values
        return rows, function(both[0], both[1])

    return kernel


numpy_kernel("SparseSparseMinimum")(_extreme(np.minimum))
numpy_kernel("SparseSparseMaximum")(_extreme(np.maximum))


# --- reductions ---------------------------------------------------------------------------------------------------


def _reduction(node: Node, sparse: bool) -> Kernel:
    keep = node.attrs["keep_dims"]
    combine: Any = np.add if "Sum" in node.type else np.maximum

    def kernel(indices: Array, values: Array, shape: Array, axes: Array) -> Any:
        if np.ndim(shape) != 1:
            raise invalid(f"Expected input_shape to be a vector; got shape: {text_shape(np.shape(shape))}")
        check_tensor(indices, values, shape)
        if np.ndim(axes) > 1:
            got = text_shape(np.shape(axes))
            raise invalid(f"Expected reduction_axes to be a scalar or a vector; got shape: {got}")
        rank = len(shape)
        gone = set()
        for axis in np.ravel(axes).tolist():
            if not -rank <= axis < rank:
                raise invalid(f"Invalid reduction dimension {axis}, for input with {rank} dimensions.")
            gone.add(axis % rank)
        rest = [axis for axis in range(rank) if axis not in gone]
        kept_shape = [int(shape[axis]) for axis in rest]
        out_shape = [1 if axis in gone else int(shape[axis]) for axis in range(rank)] if keep else kept_shape
        places = flat(indices[:, rest], kept_shape)
        order = np.argsort(places, kind="stable")
        places = places[order]
        starts = _starts(places)
        terms = _wide(values)[order]
        reduced = combine.reduceat(terms, starts) if len(starts) else terms
        reduced = reduced.astype(values.dtype, copy=False)
        where = places[starts]
        if sparse:
            return unflat(where, out_shape), reduced, np.array(out_shape, np.int64)
        size = int(np.prod(out_shape))
        if len(where) and not 0 <= where[0] <= where[-1] < size:
            place = where[np.argmax((where < 0) | (where >= size))]
            why = f"Obtained a write index of {place} which is outside of bounds of [0, {size})"
            raise errors.InternalError(None, None, why)
        out = np.zeros(size, values.dtype)
        out[where] = reduced
        return out.reshape(out_shape) if out_shape else out[0]

    return kernel


@numpy_kernel.make("SparseReduceSum", "SparseReduceMax")
def sparse_reduce(node: Node) -> Kernel:
    return _reduction(node, sparse=False)


@numpy_kernel.make("SparseReduceSumSparse", "SparseReduceMaxSparse")
def sparse_reduce_sparse(node: Node) -> Kernel:
    return _reduction(node, sparse=True)


@numpy_kernel("SparseSoftmax")
def sparse_softmax(indices: Array, values: Array, shape: Array) -> Array:
    if np.ndim(shape) == 1 and len(shape) < 2:
        raise invalid(f"Input should have rank >= 2, but received shape: {' '.join(map(str, shape.tolist()))}")
    _check_sp(indices, values, shape)
    check_tensor(indices, values, shape)
    if not len(values):
        return values.copy()
    # In the order of the sorted indices, as TensorFlow does: a sparse tensor ought to be sorted.
    order = sorted_order(indices)
    rows = indices[order, :-1]
    starts = np.flatnonzero(np.concatenate(([True], (rows[1:] != rows[:-1]).any(axis=1))))
    lengths = np.diff(starts, append=len(values))
    ordered = _wide(values)[order]
    exponents = np.exp(ordered - np.repeat(np.maximum.reduceat(ordered, starts), lengths))
    shares: Array = exponents / np.repeat(np.add.reduceat(exponents, starts), lengths)
    return shares.astype(values.dtype, copy=False)


# --- sparse with dense, at the places of the sparse one -----------------------------------------------------------


def _check_sp(indices: Array, values: Array, shape: Array) -> None:
    if np.ndim(indices) != 2:
        raise invalid(f"Input sp_indices should be a matrix but received shape: {text_shape(indices.shape)}")
    if np.ndim(values) != 1 or np.ndim(shape) != 1:
        raise invalid(
            f"Inputs sp_values and sp_shape should be vectors but received shapes: {text_shape(values.shape)} and "
            f"{text_shape(shape.shape)}"
        )


def _cwise(function: Callable[..., Any], is_division: bool) -> Callable[[Node], Kernel]:
    def make(node: Node) -> Kernel:
        is_integer = node.input_types[1].is_integer

        def kernel(indices: Array, values: Array, shape: Array, dense: Array) -> Array:
            _check_sp(indices, values, shape)
            if len(values) != len(indices):
                raise invalid(
                    f"The first dimension of values and indices should match. ({len(values)} vs. {len(indices)})"
                )
            sizes = tuple(shape.tolist())
            if not sizes:
                raise invalid("The shape argument requires at least one element.")
            if indices.shape[1] != len(sizes):
                raise invalid(
                    f"Number of dimensions must match second dimension of indices. Got {len(sizes)} dimensions, "
                    f"indices shape: {text_shape(indices.shape)}"
                )
            check_shape(shape)
            mine = np.shape(dense)
            padded = (1,) * (len(sizes) - len(mine)) + mine
            if len(mine) > len(sizes) or any(b not in (1, a) for a, b in zip(sizes, padded, strict=False)):
                raise invalid(
                    "SparseDenseBinaryOpShared broadcasts dense to sparse only; got incompatible shapes: "
                    f"{text_shape(sizes)} vs. {text_shape(mine)}"
                )
            if not len(values):
                return values.copy()
            if ((indices < 0) | (indices >= shape)).any():
                raise invalid("Provided indices are out-of-bounds w.r.t. dense side with broadcasted shape")
            picked = np.broadcast_to(dense, sizes)[tuple(indices.T)]
            if is_division and not np.all(dense):
                raise invalid("SparseDenseCwiseDiv cannot divide by zero,but input dense tensor contains zero ")
            if is_division and is_integer:
                quotient = np.abs(values) // np.abs(picked)
                signed: Array = np.where((values < 0) != (picked < 0), -quotient, quotient)
                return signed.astype(values.dtype)
            result: Array = function(values, picked)
            return result

        return kernel

    return make


numpy_kernel.make("SparseDenseCwiseMul")(_cwise(np.multiply, False))
numpy_kernel.make("SparseDenseCwiseAdd")(_cwise(np.add, False))
numpy_kernel.make("SparseDenseCwiseDiv")(_cwise(np.divide, True))
