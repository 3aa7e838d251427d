"""Sparse matrices by compressed rows: their values are `SparseMatrix` objects in variant tensors.

A batch of them is one matrix of all their rows, one after the other, so that no kernel loops over it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import shapes
from runstep.graph.dtypes import as_dtype
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.shared import invalid, shape_of, type_text

Array = np.ndarray[Any, Any]


class SparseMatrix:
    """A matrix, or a batch of matrices of one shape, that never changes.

    Attributes:
      shape: of two axes, or of three.
      rows, columns: int64 (n,), where the values are; rows count on through the batch, and are sorted. values: (n,).
    """

    __slots__ = ("columns", "rows", "shape", "values")

    def __init__(self, shape: tuple[int, ...], rows: Array, columns: Array, values: Array) -> None:
        self.shape = shape
        self.rows = rows
        self.columns = columns
        self.values = values

    @property
    def nbytes(self) -> int:
        """Bytes of positions and values."""
        return self.rows.nbytes + self.columns.nbytes + self.values.nbytes

    @property
    def batch(self) -> int:
        """How many matrices there are."""
        return self.shape[0] if len(self.shape) == 3 else 1

    def moved(self, transpose: bool, conjugate: bool) -> SparseMatrix:
        """The transposed matrix, the one of conjugates, or both."""
        values = self.values.conj() if conjugate else self.values
        if not transpose:
            return SparseMatrix(self.shape, self.rows, self.columns, values)
        *batch, height, width = self.shape
        matrix, row = np.divmod(self.rows, max(height, 1))
        rows = matrix * width + self.columns
        order = np.argsort(rows, kind="stable")
        return SparseMatrix((*batch, width, height), rows[order], row[order], values[order])


def _matrix(value: Any, wrong: str = "", dtype: Any = None) -> SparseMatrix:
    """The matrix in a variant. Raises `wrong`, with its dtype and the expected one, where these differ."""
    if type(value) is not SparseMatrix:
        raise invalid(f"Input is not a CSRSparseMatrix: {value!r}")
    if dtype is not None and value.values.dtype != dtype.np:
        raise invalid(wrong.format(saw=type_text(as_dtype(value.values.dtype)), asked=type_text(dtype)))
    return value


def _of_indices(shape: tuple[int, ...], indices: Array, values: Array) -> SparseMatrix:
    *matrix, row, columns = indices.T if indices.size else np.zeros((len(shape), 0), np.int64)
    rows = matrix[0] * shape[1] + row if matrix else row
    order = np.argsort(rows, kind="stable")
    return SparseMatrix(shape, rows[order], columns[order], values[order])


def _check_rank(rank: int) -> None:
    if rank not in (2, 3):
        raise invalid(f"Invalid rank: {rank}.  Expected a known rank of either 2 or 3.")


@numpy_kernel("SparseTensorToCSRSparseMatrix")
def of_sparse_tensor(indices: Any, values: Any, dense_shape: Any) -> SparseMatrix:
    shape = tuple(dense_shape.tolist())
    _check_rank(len(shape))
    if indices.ndim != 2 or indices.shape[1] != len(shape):
        raise invalid(f"indices must be a matrix of {len(shape)} columns, got shape {shapes.text(indices.shape)}")
    if len(indices) != len(values):
        raise invalid(f"Number of elements in indices ({len(indices)}) and values ({len(values)}) do not match")
    outside = np.flatnonzero(((indices < 0) | (indices >= dense_shape)).any(1))
    if outside.size:
        first = ", ".join(map(str, indices[outside[0]].tolist()))
        raise invalid(f"Sparse index tuple indices[{outside[0]}, :] = [{first}] is out of bounds")
    return _of_indices(shape, indices, values)


@numpy_kernel.make("DenseToCSRSparseMatrix")
def of_dense(node: Node) -> Kernel:
    def run(dense: Any, indices: Any) -> SparseMatrix:
        _check_rank(dense.ndim)
        if indices.ndim != 2 or indices.shape[1] != dense.ndim:
            raise invalid(f"indices.shape[1] must match rank of dense; saw: {shapes.text(indices.shape)}")
        outside = np.flatnonzero(((indices < 0) | (indices >= dense.shape)).any(1))
        if outside.size:
            first = ", ".join(map(str, indices[outside[0]].tolist()))
            raise invalid(
                f"indices[{outside[0]}] = [{first}] does not index into param shape {shapes.text(dense.shape)}, "
                f"node name: {node.name}"
            )
        return _of_indices(dense.shape, indices, dense[tuple(indices.T)])

    return run


@numpy_kernel.make("CSRSparseMatrixToSparseTensor")
def to_sparse_tensor(node: Node) -> Kernel:
    dtype = node.attrs["type"]

    def run(value: Any) -> tuple[Array, Array, Array]:
        found = _matrix(value, "Expected a CSRSparseMatrix of type {asked} but saw type: {saw}", dtype)
        places = [found.rows, found.columns]
        if len(found.shape) == 3:
            places[:1] = np.divmod(found.rows, max(found.shape[1], 1))
        return np.stack(places, 1), found.values, np.array(found.shape, np.int64)

    return run


@numpy_kernel.make("CSRSparseMatrixComponents")
def components(node: Node) -> Kernel:
    dtype = node.attrs["type"]

    def run(value: Any, index: Any) -> tuple[Array, Array, Array]:
        found = _matrix(value, "dtype of input is not equal to 'type': {saw} vs. {asked}", dtype)
        if shape_of(index):
            raise invalid(f"index should be a scalar, but saw: {shapes.text(shape_of(index))}")
        if not 0 <= index < found.batch:
            raise invalid(f"index ({index}) not in [0, {found.batch})")
        height = found.shape[-2]
        pointers = np.searchsorted(found.rows, int(index) * height + np.arange(height + 1))
        inside = slice(pointers[0], pointers[-1])
        starts = (pointers - pointers[0]).astype(np.int32)
        return starts, found.columns[inside].astype(np.int32), found.values[inside]

    return run


@numpy_kernel.make("CSRSparseMatrixToDense")
def to_dense(node: Node) -> Kernel:
    dtype = node.attrs["type"]

    def run(value: Any) -> Array:
        found = _matrix(value, "Asked for a CSRSparseMatrix of type {asked} but saw dtype: {saw}", dtype)
        out = np.zeros((found.batch * found.shape[-2], found.shape[-1]), dtype.np)
        out[found.rows, found.columns] = found.values
        return out.reshape(found.shape)

    return run


@numpy_kernel("SparseMatrixNNZ")
def count(value: Any) -> Any:
    found = _matrix(value)
    if len(found.shape) == 2:
        return np.int32(len(found.values))
    ends = np.searchsorted(found.rows, np.arange(found.batch + 1) * found.shape[1])
    return np.diff(ends).astype(np.int32)


@numpy_kernel.make("SparseMatrixTranspose")
def transpose(node: Node) -> Kernel:
    dtype, conjugate = node.attrs["type"], node.attrs["conjugate"]

    def run(value: Any) -> SparseMatrix:
        return _matrix(value, "dtype of input is not equal to 'type': {saw} vs. {asked}", dtype).moved(True, conjugate)

    return run


def _starts(*keys: Array) -> Array:
    """Where a run of equal keys begins."""
    changes = np.zeros(len(keys[0]), bool)
    changes[:1] = True
    for key in keys:
        changes[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(changes)


def _flag(node: Node, side: str) -> tuple[bool, bool]:
    """Whether an operand is transposed, and conjugated."""
    adjoint = node.attrs[f"adjoint_{side}"]
    return node.attrs[f"transpose_{side}"] or adjoint, adjoint


def _inner(a: tuple[int, ...], b: tuple[int, ...], space: str) -> None:
    if len(a) != len(b) or a[-1] != b[-2]:
        raise invalid(
            f"Inner product dimensions of A and B do not agree.{space}Shapes are: {shapes.text(a)} vs. {shapes.text(b)}"
        )


@numpy_kernel.make("SparseMatrixMatMul")
def dense_product(node: Node) -> Kernel:
    of_a, (swap, conjugate) = _flag(node, "a"), _flag(node, "b")
    turn, conjugate_output = node.attrs["transpose_output"], node.attrs["conjugate_output"]

    def run(value: Any, b: Any) -> Array:
        a = _matrix(value)
        if a.values.dtype != b.dtype:
            kinds = [type_text(as_dtype(x.dtype)) for x in (a.values, b)]
            raise invalid(f"Input types don't match.  a.dtype == {kinds[0]} vs. b.dtype == {kinds[1]}")
        if len(a.shape) != b.ndim:
            raise invalid(f"Ranks of a and b must match, saw: {len(a.shape)} vs. {b.ndim}.")
        if b.ndim == 3 and len(b) != a.batch:
            raise invalid(f"Batch sizes of a and b must match, saw: {a.batch} vs. {len(b)}.")
        a = a.moved(*of_a)
        b = b.swapaxes(-1, -2) if swap else b
        b = b.conj() if conjugate else b
        _inner(a.shape, b.shape, " ")
        *batch, height, inner = a.shape
        out = np.zeros((a.batch * height, b.shape[-1]), b.dtype)
        if len(a.values) and out.size:
            matrix = a.rows // height
            terms = a.values[:, None] * b.reshape(-1, b.shape[-1])[matrix * inner + a.columns]
            starts = _starts(a.rows)
            out[a.rows[starts]] = np.add.reduceat(terms, starts, axis=0)
        found: Array = out.reshape(*batch, height, b.shape[-1])
        found = np.ascontiguousarray(found.swapaxes(-1, -2)) if turn else found
        return found.conj() if conjugate_output else found

    return run


@numpy_kernel.make("SparseMatrixSparseMatMul")
def sparse_product(node: Node) -> Kernel:
    dtype, of_a, of_b = node.attrs["type"], _flag(node, "a"), _flag(node, "b")

    def run(left: Any, right: Any) -> SparseMatrix:
        a, b = (
            _matrix(value, f"dtype of {side} is not equal to 'type': {{saw}} vs. {{asked}}", dtype).moved(*moves)
            for value, side, moves in ((left, "a", of_a), (right, "b", of_b))
        )
        _inner(a.shape, b.shape, "  ")
        if a.batch != b.batch:
            raise invalid(f"Batch sizes of a and b must match, saw: {a.batch} vs. {b.batch}.")
        *_, height, inner = a.shape
        row = a.rows // max(height, 1) * inner + a.columns  # the row of b that a value of a meets
        first, last = np.searchsorted(b.rows, row), np.searchsorted(b.rows, row, "right")
        meets = last - first
        one = np.repeat(np.arange(len(row)), meets)
        other = np.arange(len(one)) + np.repeat(first - np.cumsum(meets) + meets, meets)
        rows, columns, terms = a.rows[one], b.columns[other], a.values[one] * b.values[other]
        order = np.lexsort((columns, rows))
        rows, columns, terms = rows[order], columns[order], terms[order]
        starts = _starts(rows, columns)
        sums = np.add.reduceat(terms, starts) if len(starts) else terms
        return SparseMatrix((*a.shape[:-1], b.shape[-1]), rows[starts], columns[starts], sums)

    return run
