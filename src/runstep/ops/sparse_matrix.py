"""Sparse matrices by compressed rows, or batches of them, in variant tensors: rows and shape rules."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.graph.dtypes import DType
from runstep.graph.shapes import RawShape
from runstep.graph.tensor import Tensor
from runstep.ops.common import Shapes
from runstep.ops.handles import handle_data
from runstep.ops.registry import op

__all__: list[str] = []


def _of(op: Any, shape: RawShape, dtype: DType) -> Shapes:
    """A matrix of this shape, whose rank the graph must tell."""
    if shape is None or len(shape) not in (2, 3):
        rank = -1 if shape is None else len(shape)
        raise ValueError(f"Invalid rank: {rank}.  Expected a known rank of either 2 or 3.")
    op.outputs[0]._handle_data = ((shape, dtype),)
    return [()]


def _held(tensor: Tensor) -> RawShape:
    """The shape of the matrix in a variant, where the graph tells it."""
    data = handle_data(tensor)
    return None if data is None else data[0][0]


def _sparse(op: Any) -> Shapes:
    shapes.with_rank(op.inputs[0].raw_shape, 2)
    return _of(op, op.constant_shape(2), op.attrs["T"])


def _dense(op: Any) -> Shapes:
    shapes.with_rank(op.inputs[1].raw_shape, 2)
    return _of(op, op.inputs[0].raw_shape, op.attrs["T"])


def _parts(op: Any) -> Shapes:
    held = _held(op.inputs[0])
    rank = None if held is None else len(held)
    return [(None, rank), (None,), (rank,)]


def _one_matrix(op: Any) -> Shapes:
    shapes.with_rank(op.inputs[1].raw_shape, 0)
    held = _held(op.inputs[0])
    height = None if held is None else held[-2]
    return [(None if height is None else height + 1,), (None,), (None,)]


def _whole(op: Any) -> Shapes:
    return [_held(op.inputs[0])]


def _counts(op: Any) -> Shapes:
    held = _held(op.inputs[0])
    return [None if held is None else held[:-2]]


def _transposed(op: Any) -> Shapes:
    held = _held(op.inputs[0])
    return [()] if held is None else _of(op, (*held[:-2], held[-1], held[-2]), op.attrs["type"])


def _product(op: Any, a: RawShape, b: RawShape) -> RawShape:
    for side in "ab":
        if op.attrs[f"adjoint_{side}"] and op.attrs[f"transpose_{side}"]:
            raise ValueError(f"Only one of adjoint_{side} and transpose_{side} may be true.")
    if a is None or b is None:
        return None
    height, inner = reversed(a[-2:]) if op.attrs["transpose_a"] or op.attrs["adjoint_a"] else a[-2:]
    also_inner, width = reversed(b[-2:]) if op.attrs["transpose_b"] or op.attrs["adjoint_b"] else b[-2:]
    shapes.merge_size(inner, also_inner)
    batch = shapes.merge(a[:-2], b[:-2])
    return None if batch is None else (*batch, height, width)


def _dense_product(op: Any) -> Shapes:
    found = _product(op, _held(op.inputs[0]), op.inputs[1].raw_shape)
    if found is not None and op.attrs["transpose_output"]:
        found = (*found[:-2], found[-1], found[-2])
    return [found]


def _sparse_product(op: Any) -> Shapes:
    found = _product(op, _held(op.inputs[0]), _held(op.inputs[1]))
    return [()] if found is None else _of(op, found, op.attrs["type"])


_TYPES = "{float32, float64, complex64, complex128}"
_FLAGS = [f"{kind}_{side}: bool = false" for kind in ("transpose", "adjoint") for side in "ab"]

op(
    "SparseTensorToCSRSparseMatrix",
    "indices: int64, values: T, dense_shape: int64 -> sparse_matrix: variant",
    f"T: {_TYPES}",
    shape=_sparse,
)
op(
    "DenseToCSRSparseMatrix",
    "dense_input: T, indices: int64 -> sparse_output: variant",
    f"T: {_TYPES}",
    shape=_dense,
)
op(
    "CSRSparseMatrixToSparseTensor",
    "sparse_matrix: variant -> indices: int64, values: type, dense_shape: int64",
    f"type: {_TYPES}",
    shape=_parts,
)
op(
    "CSRSparseMatrixComponents",
    "csr_sparse_matrix: variant, index: int32 -> row_ptrs: int32, col_inds: int32, values: type",
    f"type: {_TYPES}",
    shape=_one_matrix,
)
op("CSRSparseMatrixToDense", "sparse_input: variant -> dense_output: type", f"type: {_TYPES}", shape=_whole)
op("SparseMatrixNNZ", "sparse_matrix: variant -> nnz: int32", shape=_counts)
op(
    "SparseMatrixTranspose",
    "input: variant -> output: variant",
    "conjugate: bool = false",
    f"type: {_TYPES}",
    shape=_transposed,
)
op(
    "SparseMatrixMatMul",
    "a: variant, b: T -> output: T",
    "T: type",
    *_FLAGS,
    "transpose_output: bool = false",
    "conjugate_output: bool = false",
    shape=_dense_product,
)
op(
    "SparseMatrixSparseMatMul",
    "a: variant, b: variant -> c: variant",
    f"type: {_TYPES}",
    *_FLAGS,
    shape=_sparse_product,
)
