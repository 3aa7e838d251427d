"""Sparse tensors as strings, and kept between steps in a table: how queues and batches pass them on."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes, shapes
from runstep.graph.apply import apply
from runstep.graph.composite import SparseTensor
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import Shapes, scalar, vector
from runstep.ops.registry import op
from runstep.ops.sparse_functions import convert_to_sparse

__all__ = ["deserialize_many_sparse", "serialize_many_sparse", "serialize_sparse"]

_PARTS = "sparse_indices: int64, sparse_values: T, sparse_shape: int64"
_RESULT = "sparse_indices: int64, sparse_values: dtype, sparse_shape: int64"


def _check_parts(op: Any) -> None:
    shapes.with_rank(op.inputs[0].raw_shape, 2)
    shapes.with_rank(op.inputs[1].raw_shape, 1)
    shapes.with_rank(op.inputs[2].raw_shape, 1)


def _three(op: Any) -> Shapes:
    _check_parts(op)
    return [(3,)]


def _rows_of_three(op: Any) -> Shapes:
    _check_parts(op)
    return [(None, 3)]


def _any_sparse(op: Any) -> Shapes:
    return [(None, None), (None,), (None,)]


def _of_rows(op: Any) -> Shapes:
    shape = shapes.with_rank(op.inputs[0].raw_shape, 2)
    if shape[1] not in (None, 3):
        raise ValueError(f"Dimension must be 3 but is {shape[1]}")
    return _any_sparse(op)


def _of_any(op: Any) -> Shapes:
    shape = op.inputs[0].raw_shape
    shapes.with_rank_at_least(shape, 1)
    if shape and shape[-1] not in (None, 3):
        raise ValueError(f"Dimension must be 3 but is {shape[-1]}")
    return _any_sparse(op)


def _one_handle(op: Any) -> Shapes:
    _check_parts(op)
    return scalar(op)


def _handles(op: Any) -> Shapes:
    _check_parts(op)
    return vector(op)


def _taken(op: Any) -> Shapes:
    shapes.with_rank(op.inputs[0].raw_shape, 1)
    return _any_sparse(op)


for _name, _rule in (("SerializeSparse", _three), ("SerializeManySparse", _rows_of_three)):
    op(
        _name,
        f"{_PARTS} -> serialized_sparse: out_type",
        "T: type",
        "out_type: {string, variant} = string",
        shape=_rule,
    )
op(
    "DeserializeSparse",
    f"serialized_sparse: Tserialized -> {_RESULT}",
    "dtype: type",
    "Tserialized: {string, variant} = string",
    shape=_of_any,
)
op("DeserializeManySparse", f"serialized_sparse: string -> {_RESULT}", "dtype: type", shape=_of_rows)
for _name, _output, _rule in (
    ("AddSparseToTensorsMap", "sparse_handle", _one_handle),
    ("AddManySparseToTensorsMap", "sparse_handles", _handles),
):
    op(
        _name,
        f"{_PARTS} -> {_output}: int64",
        "T: type",
        "container: string = ''",
        "shared_name: string = ''",
        stateful=True,
        shape=_rule,
    )
op(
    "TakeManySparseFromTensorsMap",
    f"sparse_handles: int64 -> {_RESULT}",
    "dtype: type",
    "container: string = ''",
    "shared_name: string = ''",
    stateful=True,
    shape=_taken,
)


def serialize_sparse(sp_input: Any, name: str | None = None, out_type: Any = dtypes.string) -> Tensor:
    """[3]: a SparseTensor's parts, serialized (or, as `tf.variant`, as they are). Source: `tf.io.serialize_sparse`."""
    sp_input = convert_to_sparse(sp_input)
    result: Tensor = apply(
        "SerializeSparse", sp_input.indices, sp_input.values, sp_input.dense_shape, out_type=out_type, name=name
    )
    return result


def serialize_many_sparse(sp_input: Any, name: str | None = None, out_type: Any = dtypes.string) -> Tensor:
    """[rows, 3]: each row of a SparseTensor of rank 2 or more, serialized. Source: `tf.io.serialize_many_sparse`."""
    sp_input = convert_to_sparse(sp_input)
    result: Tensor = apply(
        "SerializeManySparse", sp_input.indices, sp_input.values, sp_input.dense_shape, out_type=out_type, name=name
    )
    return result


def deserialize_many_sparse(
    serialized_sparse: TensorLike, dtype: Any, rank: int | None = None, name: str | None = None
) -> SparseTensor:
    """A SparseTensor of rank + 1 of the rows of [rows, 3]. Source: `tf.io.deserialize_many_sparse`.

    Args:
      rank: the rank of each row, where known.
    """
    indices, values, shape = apply("DeserializeManySparse", serialized_sparse, dtype=dtype, name=name)
    indices.set_shape([None, rank])  # as TensorFlow has it, also where the rows make it one more
    shape.set_shape([rank])
    return SparseTensor(indices, values, shape)
