"""Sparse tensors out of others: `tf.sparse.from_dense`, `tf.sparse.eye`."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes
from runstep.graph.composite import SparseTensor
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import TensorLike
from runstep.ops.arithmetic import minimum
from runstep.ops.comparison import not_equal
from runstep.ops.creation import ones, range as range_, zeros_like
from runstep.ops.indexing import gather_nd
from runstep.ops.joining import stack
from runstep.ops.selecting import where
from runstep.ops.shape_ops import shape as shape_of

__all__ = ["sparse_eye", "sparse_from_dense"]


def sparse_from_dense(tensor: TensorLike, name: str | None = None) -> SparseTensor:
    """The elements of `tensor` that are not zero (source: tf.sparse.from_dense)."""
    with name_scope(name, "dense_to_sparse"):
        tensor = convert_to_tensor(tensor)
        indices = where(not_equal(tensor, zeros_like(tensor)))
        values = gather_nd(tensor, indices)
        return SparseTensor(indices, values, shape_of(tensor, out_type=dtypes.int64))


def sparse_eye(
    num_rows: TensorLike, num_columns: TensorLike | None = None, dtype: Any = dtypes.float32, name: str | None = None
) -> SparseTensor:
    """The matrix with ones on its main diagonal, square by default (source: tf.sparse.eye)."""
    with name_scope(name, "eye", [num_rows, num_columns]):
        rows = convert_to_tensor(num_rows, dtype=dtypes.int64, name="num_rows")
        columns = (
            rows if num_columns is None else convert_to_tensor(num_columns, dtype=dtypes.int64, name="num_columns")
        )
        count = minimum(rows, columns)
        places = range_(count, dtype=dtypes.int64)
        indices = stack([places, places], axis=1)
        values = ones(count, dtype=dtype)
        return SparseTensor(indices=indices, values=values, dense_shape=[rows, columns])
