"""Example and SequenceExample messages to tensors: op definitions. The functions are in `parsing_functions`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runstep.graph import shapes
from runstep.graph.shapes import RawShape
from runstep.ops.common import Shapes
from runstep.ops.registry import op

_TYPES = "{float32, int64, string}"


def _sparse(count: int, lead: int) -> Shapes:
    """Indices, values and shapes of `count` sparse tensors of rank `lead` + 1."""
    return [(None, lead + 1)] * count + [(None,)] * count + [(lead + 1,)] * count


def _dense(lead: tuple[int | None, ...], dense_shapes: Sequence[RawShape]) -> Shapes:
    return [None if shape is None else (*lead, *shape) for shape in dense_shapes]


def _batched(op: Any) -> Shapes:
    serialized = shapes.with_rank(op.inputs[0].raw_shape, 1)
    attrs = op.attrs
    return _sparse(attrs["Nsparse"], 1) + _dense(serialized, attrs["dense_shapes"])


def _flexible(op: Any) -> Shapes:
    serialized = op.inputs[0].raw_shape
    attrs = op.attrs
    ragged = len(attrs["ragged_value_types"])
    if serialized is None:
        sparse: Shapes = [(None, None)] * attrs["num_sparse"] + [(None,)] * attrs["num_sparse"]
        return sparse + [(None,)] * attrs["num_sparse"] + [None] * len(attrs["dense_shapes"]) + [(None,)] * (2 * ragged)
    shapes.with_rank_at_most(serialized, 1)
    splits = (None if serialized[0] is None else serialized[0] + 1,) if serialized else (None,)
    return (
        _sparse(attrs["num_sparse"], len(serialized))
        + _dense(serialized, attrs["dense_shapes"])
        + [(None,)] * ragged
        + [splits] * ragged
    )


def _single(op: Any) -> Shapes:
    shapes.with_rank(op.inputs[0].raw_shape, 0)
    return _sparse(op.attrs["num_sparse"], 0) + _dense((), op.attrs["dense_shapes"])


def _sequences(op: Any) -> Shapes:
    attrs = op.attrs
    serialized = shapes.with_rank(op.inputs[0].raw_shape, 1)
    return (
        _sparse(attrs["Ncontext_sparse"], 1)
        + _dense(serialized, attrs["context_dense_shapes"])
        + _sparse(attrs["Nfeature_list_sparse"], 2)
        + _dense((*serialized, None), attrs["feature_list_dense_shapes"])
        + [serialized] * attrs["Nfeature_list_dense"]
    )


def _single_sequence(op: Any) -> Shapes:
    attrs = op.attrs
    shapes.with_rank(op.inputs[0].raw_shape, 0)
    return (
        _sparse(attrs["Ncontext_sparse"], 0)
        + _dense((), attrs["context_dense_shapes"])
        + _sparse(attrs["Nfeature_list_sparse"], 1)
        + _dense((None,), attrs["feature_list_dense_shapes"])
    )


def _flexible_sequences(op: Any) -> Shapes:
    attrs = op.attrs
    serialized = op.inputs[0].raw_shape
    context_ragged = len(attrs["context_ragged_value_types"])
    list_ragged = len(attrs["feature_list_ragged_value_types"])
    if serialized is None:
        context, lists, dense = attrs["Ncontext_sparse"], attrs["Nfeature_list_sparse"], attrs["Nfeature_list_dense"]
        unknown: RawShape = None
        vector: RawShape = (None,)
        matrix: RawShape = (None, None)
        return (
            [matrix] * context
            + [vector] * (2 * context)
            + [unknown] * len(attrs["context_dense_shapes"])
            + [vector] * (2 * context_ragged)
            + [matrix] * lists
            + [vector] * (2 * lists)
            + [unknown] * (2 * dense)
            + [vector] * (3 * list_ragged)
        )
    shapes.with_rank_at_most(serialized, 1)
    rank = len(serialized)
    splits = (None if serialized[0] is None else serialized[0] + 1,) if serialized else (None,)
    return (
        _sparse(attrs["Ncontext_sparse"], rank)
        + _dense(serialized, attrs["context_dense_shapes"])
        + [(None,)] * context_ragged
        + [splits] * context_ragged
        + _sparse(attrs["Nfeature_list_sparse"], rank + 1)
        + _dense((*serialized, None), attrs["feature_list_dense_shapes"])
        + [serialized] * attrs["Nfeature_list_dense"]
        + [(None,)] * list_ragged
        + [splits] * list_ragged
        + [(None,)] * list_ragged
    )


op(
    "ParseExample",
    "serialized: string, names: string, sparse_keys: Nsparse * string, dense_keys: Ndense * string, "
    "dense_defaults: Tdense -> sparse_indices: Nsparse * int64, sparse_values: sparse_types, "
    "sparse_shapes: Nsparse * int64, dense_values: Tdense",
    "Nsparse: int >= 0",
    "Ndense: int >= 0",
    f"sparse_types: list({_TYPES}) >= 0",
    f"Tdense: list({_TYPES}) >= 0",
    "dense_shapes: list(shape) >= 0",
    shape=_batched,
)
op(
    "ParseExampleV2",
    "serialized: string, names: string, sparse_keys: string, dense_keys: string, ragged_keys: string, "
    "dense_defaults: Tdense -> sparse_indices: num_sparse * int64, sparse_values: sparse_types, "
    "sparse_shapes: num_sparse * int64, dense_values: Tdense, ragged_values: ragged_value_types, "
    "ragged_row_splits: ragged_split_types",
    f"Tdense: list({_TYPES}) >= 0",
    "num_sparse: int >= 0",
    f"sparse_types: list({_TYPES}) >= 0",
    f"ragged_value_types: list({_TYPES}) >= 0",
    "ragged_split_types: list({int32, int64}) >= 0",
    "dense_shapes: list(shape) >= 0",
    shape=_flexible,
)
op(
    "ParseSingleExample",
    "serialized: string, dense_defaults: Tdense -> sparse_indices: num_sparse * int64, sparse_values: sparse_types, "
    "sparse_shapes: num_sparse * int64, dense_values: Tdense",
    "num_sparse: int >= 0",
    "sparse_keys: list(string) >= 0",
    "dense_keys: list(string) >= 0",
    f"sparse_types: list({_TYPES}) >= 0",
    f"Tdense: list({_TYPES}) >= 0",
    "dense_shapes: list(shape) >= 0",
    shape=_single,
)
op(
    "ParseSequenceExample",
    "serialized: string, debug_name: string, context_dense_defaults: Tcontext_dense -> "
    "context_sparse_indices: Ncontext_sparse * int64, context_sparse_values: context_sparse_types, "
    "context_sparse_shapes: Ncontext_sparse * int64, context_dense_values: Tcontext_dense, "
    "feature_list_sparse_indices: Nfeature_list_sparse * int64, "
    "feature_list_sparse_values: feature_list_sparse_types, "
    "feature_list_sparse_shapes: Nfeature_list_sparse * int64, feature_list_dense_values: feature_list_dense_types, "
    "feature_list_dense_lengths: Nfeature_list_dense * int64",
    "feature_list_dense_missing_assumed_empty: list(string) >= 0",
    "context_sparse_keys: list(string) >= 0",
    "context_dense_keys: list(string) >= 0",
    "feature_list_sparse_keys: list(string) >= 0",
    "feature_list_dense_keys: list(string) >= 0",
    "Ncontext_sparse: int >= 0 = 0",
    "Ncontext_dense: int >= 0 = 0",
    "Nfeature_list_sparse: int >= 0 = 0",
    "Nfeature_list_dense: int >= 0 = 0",
    f"context_sparse_types: list({_TYPES}) >= 0 = []",
    f"Tcontext_dense: list({_TYPES}) >= 0 = []",
    f"feature_list_dense_types: list({_TYPES}) >= 0 = []",
    "context_dense_shapes: list(shape) >= 0 = []",
    f"feature_list_sparse_types: list({_TYPES}) >= 0 = []",
    "feature_list_dense_shapes: list(shape) >= 0 = []",
    shape=_sequences,
)
op(
    "ParseSingleSequenceExample",
    "serialized: string, feature_list_dense_missing_assumed_empty: string, "
    "context_sparse_keys: Ncontext_sparse * string, context_dense_keys: Ncontext_dense * string, "
    "feature_list_sparse_keys: Nfeature_list_sparse * string, feature_list_dense_keys: Nfeature_list_dense * string, "
    "context_dense_defaults: Tcontext_dense, debug_name: string -> "
    "context_sparse_indices: Ncontext_sparse * int64, context_sparse_values: context_sparse_types, "
    "context_sparse_shapes: Ncontext_sparse * int64, context_dense_values: Tcontext_dense, "
    "feature_list_sparse_indices: Nfeature_list_sparse * int64, "
    "feature_list_sparse_values: feature_list_sparse_types, "
    "feature_list_sparse_shapes: Nfeature_list_sparse * int64, feature_list_dense_values: feature_list_dense_types",
    "Ncontext_sparse: int >= 0 = 0",
    "Ncontext_dense: int >= 0 = 0",
    "Nfeature_list_sparse: int >= 0 = 0",
    "Nfeature_list_dense: int >= 0 = 0",
    f"context_sparse_types: list({_TYPES}) >= 0 = []",
    f"Tcontext_dense: list({_TYPES}) >= 0 = []",
    f"feature_list_dense_types: list({_TYPES}) >= 0 = []",
    "context_dense_shapes: list(shape) >= 0 = []",
    f"feature_list_sparse_types: list({_TYPES}) >= 0 = []",
    "feature_list_dense_shapes: list(shape) >= 0 = []",
    shape=_single_sequence,
)
op(
    "ParseSequenceExampleV2",
    "serialized: string, debug_name: string, context_sparse_keys: string, context_dense_keys: string, "
    "context_ragged_keys: string, feature_list_sparse_keys: string, feature_list_dense_keys: string, "
    "feature_list_ragged_keys: string, feature_list_dense_missing_assumed_empty: bool, "
    "context_dense_defaults: Tcontext_dense -> "
    "context_sparse_indices: Ncontext_sparse * int64, context_sparse_values: context_sparse_types, "
    "context_sparse_shapes: Ncontext_sparse * int64, context_dense_values: Tcontext_dense, "
    "context_ragged_values: context_ragged_value_types, context_ragged_row_splits: context_ragged_split_types, "
    "feature_list_sparse_indices: Nfeature_list_sparse * int64, "
    "feature_list_sparse_values: feature_list_sparse_types, "
    "feature_list_sparse_shapes: Nfeature_list_sparse * int64, feature_list_dense_values: feature_list_dense_types, "
    "feature_list_dense_lengths: Nfeature_list_dense * int64, "
    "feature_list_ragged_values: feature_list_ragged_value_types, "
    "feature_list_ragged_outer_splits: feature_list_ragged_split_types, "
    "feature_list_ragged_inner_splits: feature_list_ragged_split_types",
    "Ncontext_sparse: int >= 0 = 0",
    f"Tcontext_dense: list({_TYPES}) >= 0 = []",
    f"context_sparse_types: list({_TYPES}) >= 0 = []",
    f"context_ragged_value_types: list({_TYPES}) >= 0 = []",
    "context_ragged_split_types: list({int32, int64}) >= 0 = []",
    "context_dense_shapes: list(shape) >= 0 = []",
    "Nfeature_list_sparse: int >= 0 = 0",
    "Nfeature_list_dense: int >= 0 = 0",
    f"feature_list_dense_types: list({_TYPES}) >= 0 = []",
    f"feature_list_sparse_types: list({_TYPES}) >= 0 = []",
    f"feature_list_ragged_value_types: list({_TYPES}) >= 0 = []",
    "feature_list_ragged_split_types: list({int32, int64}) >= 0 = []",
    "feature_list_dense_shapes: list(shape) >= 0 = []",
    shape=_flexible_sequences,
)
