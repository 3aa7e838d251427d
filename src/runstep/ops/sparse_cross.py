"""Crosses: every combination of one feature of each column, joined as text or hashed. Op definitions and functions."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.composite import SparseTensor, SparseTensorValue
from runstep.graph.convert import convert_to_tensor
from runstep.ops.cast import cast
from runstep.ops.common import Shapes
from runstep.ops.registry import op
from runstep.ops.sparse_functions import convert_to_sparse

__all__ = ["sparse_cross", "sparse_cross_hashed"]

_COLUMNS = "indices: N * int64, values: sparse_types, shapes: N * int64, dense_inputs: dense_types"
_TYPES = ("sparse_types: list({int64, string}) >= 0", "dense_types: list({int64, string}) >= 0")
_HASH_KEY = 0xDECAFCAFFE


def _crossed(op: Any) -> Shapes:
    return [(None, 2), (None,), (2,)]


op(
    "SparseCross",
    f"{_COLUMNS} -> output_indices: int64, output_values: out_type, output_shape: int64",
    "N: int >= 0",
    "hashed_output: bool",
    "num_buckets: int >= 0",
    "hash_key: int",
    *_TYPES,
    "out_type: {int64, string}",
    "internal_type: {int64, string}",
    shape=_crossed,
)
op(
    "SparseCrossV2",
    f"{_COLUMNS}, sep: string -> output_indices: int64, output_values: string, output_shape: int64",
    "N: int >= 0",
    *_TYPES,
    shape=_crossed,
)
op(
    "SparseCrossHashed",
    f"{_COLUMNS}, num_buckets: int64, strong_hash: bool, salt: int64 -> output_indices: int64, output_values: int64, "
    "output_shape: int64",
    "N: int >= 0",
    *_TYPES,
    shape=_crossed,
)


def _columns(inputs: Any) -> tuple[list[SparseTensor], list[Any], bool]:
    """The sparse columns, the dense ones, and whether any holds numbers; numbers as int64."""
    if not isinstance(inputs, tuple | list):
        raise TypeError("Inputs must be a list")
    if not all(_is_column(value) for value in inputs):
        raise TypeError("All inputs must be Tensor or SparseTensor.")
    sparse, dense = [], []
    for value in inputs:
        if isinstance(value, SparseTensor | SparseTensorValue):
            sparse.append(convert_to_sparse(value))
        else:
            dense.append(value if hasattr(value, "op") else convert_to_tensor(value))
    numbers = any(value.dtype is not dtypes.string for value in (*sparse, *dense))
    sparse = [value if value.dtype is dtypes.string else _wide(value) for value in sparse]
    dense = [value if value.dtype is dtypes.string else cast(value, dtypes.int64) for value in dense]
    return sparse, dense, numbers


def _is_column(value: Any) -> bool:
    return isinstance(value, SparseTensor | SparseTensorValue) or hasattr(value, "raw_shape")


def _wide(value: SparseTensor) -> SparseTensor:
    return SparseTensor(value.indices, cast(value.values, dtypes.int64), value.dense_shape)


def _parts(sparse: list[SparseTensor]) -> tuple[list[Any], list[Any], list[Any]]:
    return (
        [value.indices for value in sparse],
        [value.values for value in sparse],
        [value.dense_shape for value in sparse],
    )


def sparse_cross(inputs: Any, name: str | None = None, separator: str | None = None) -> SparseTensor:
    """Text [batch, combinations]: the features of each combination, joined. Source: `tf.sparse.cross`.

    Args:
      inputs: a list of columns: Tensors and SparseTensors of rank 2, of text or whole numbers.
      separator: what to join with, "_X_" when None.
    """
    sep = convert_to_tensor("_X_" if separator is None else separator, dtypes.string)
    sparse, dense, _ = _columns(inputs)
    return SparseTensor(*apply("SparseCrossV2", *_parts(sparse), dense, sep, name=name))


def sparse_cross_hashed(
    inputs: Any, num_buckets: int = 0, hash_key: int | None = None, name: str | None = None
) -> SparseTensor:
    """int64 [batch, combinations]: a hash of each combination, below `num_buckets` if that is not 0.

    Source: `tf.sparse.cross_hashed`.
    """
    sparse, dense, numbers = _columns(inputs)
    return SparseTensor(
        *apply(
            "SparseCross",
            *_parts(sparse),
            dense,
            hashed_output=True,
            num_buckets=num_buckets,
            hash_key=_HASH_KEY if hash_key is None else hash_key,
            out_type=dtypes.int64,
            internal_type=dtypes.int64 if numbers else dtypes.string,
            name=name,
        )
    )
