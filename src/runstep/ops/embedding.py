"""Embeddings: rows of one or several parameter tensors, looked up by id, one by one or combined by sparse tensors."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.composite import SparseTensor
from runstep.graph.constant_value import constant_value_as_shape
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import get_default_graph, name_scope
from runstep.graph.shapes import Dimension
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.cast import cast
from runstep.ops.creation import ones, ones_like
from runstep.ops.indexing import gather
from runstep.ops.joining import stack
from runstep.ops.norms import clip_by_norm
from runstep.ops.ragged_parts import part
from runstep.ops.reduction import reduce_prod
from runstep.ops.shape_ops import expand_dims, rank, shape, size
from runstep.ops.sparse_functions import convert_to_sparse, sparse_fill_empty_rows, sparse_reshape, sparse_retain

__all__ = ["embedding_lookup", "embedding_lookup_sparse", "safe_embedding_lookup_sparse"]


def _as_list(params: Any) -> list[Any]:
    if params is None:
        raise ValueError("params must be specified")
    # A partitioned variable is its parts.
    parts = isinstance(params, list | tuple) or hasattr(params, "_get_variable_list")
    found = list(params) if parts else [params]
    if not found:
        raise ValueError("Length of params is currently 0. Need at least one param.")
    return found


def embedding_lookup(
    params: Any,
    ids: TensorLike,
    partition_strategy: str = "mod",
    name: str | None = None,
    validate_indices: bool = True,
    max_norm: float | None = None,
) -> Tensor:
    """The rows of `params` at `ids`: [*ids.shape, *row shape]. Source: `tf.compat.v1.nn.embedding_lookup`.

    Args:
      params: a tensor or variable, or a list of them between which the rows are divided.
      partition_strategy: "mod" (row `i` is in partition `i % n`) or "div" (partitions hold contiguous rows).
      max_norm: rows with a larger Euclidean norm are scaled down to it.
    """
    found = _as_list(params)
    with name_scope(name, "embedding_lookup", [*found, ids]) as scope:
        found = [item if hasattr(item, "op") else convert_to_tensor(item, name="params") for item in found]
        if len(found) == 1:
            ids = convert_to_tensor(ids, name="ids")
            rows = _gather(found[0], ids, scope)
            if max_norm is not None:
                with get_default_graph().colocate_with(found[0]):
                    rows = _clipped(rows, ids, max_norm)
            looked_up: Tensor = apply("Identity", rows)
            return looked_up
        return _lookup_in_parts(found, ids, partition_strategy, max_norm, scope)


def _gather(param: Any, ids: Tensor, name: str | None = None) -> Tensor:
    with get_default_graph().colocate_with(param):
        rows: Tensor = gather(param, ids, name=name)
        return rows


def _clipped(rows: Tensor, ids: Tensor, max_norm: float) -> Tensor:
    """Rows scaled down to a Euclidean norm of at most `max_norm`."""
    if ids.raw_shape is None or rows.raw_shape is None:
        axes: Any = apply("Range", rank(ids), rank(rows), 1, name="range")
    else:
        axes = list(range(len(ids.raw_shape), len(rows.raw_shape)))
    clipped: Tensor = clip_by_norm(rows, max_norm, axes=axes)
    return clipped


def _lookup_in_parts(params: list[Any], ids: Any, strategy: str, max_norm: float | None, scope: str) -> Tensor:
    number = len(params)
    ids = convert_to_tensor(ids, name="ids")
    flat = apply("Reshape", ids, [-1])
    places = apply("Range", 0, size(flat), 1, name="range")
    if strategy == "mod":
        owner = apply("FloorMod", flat, number, name="mod")
        row = apply("FloorDiv", flat, number, name="floordiv")
    elif strategy == "div":
        owner, row = _divided(params, flat, number)
    else:
        raise ValueError(f"Unrecognized partition strategy: {strategy}.Must be one of either `mod` or `div`.")
    owner = cast(owner, dtypes.int32)
    rows_of = apply("DynamicPartition", row, owner, num_partitions=number)
    places_of = apply("DynamicPartition", places, owner, num_partitions=number)
    found = [_gather(param, wanted) for param, wanted in zip(params, rows_of, strict=True)]
    stitched = apply("ParallelDynamicStitch", places_of, found, name=scope)
    inner = params[0].get_shape()[1:]
    for param in params[1:]:
        inner = inner.merge_with(param.get_shape()[1:])
    tail = inner if inner.is_fully_defined() else part(shape(found[0]), [1], [0], [1], end_mask=1)
    sizes = apply("ConcatV2", [shape(ids), tail], 0, name="concat")
    result: Tensor = apply("Reshape", stitched, sizes)
    result.set_shape(ids.get_shape().concatenate(inner))
    return result if max_norm is None else _clipped(result, ids, max_norm)


def _divided(params: list[Any], flat: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """Partition and row where each partition holds contiguous ids, the first ones one more where it doesn't divide."""
    total = params[0].get_shape()[0]
    for param in params[1:]:
        total = total + param.get_shape()[0]
    if isinstance(total, Dimension):
        total = total.value
    if total is None:
        sizes = [apply("GatherV2", apply("Shape", param), 0, 0) for param in params]
        count = cast(apply("Sum", apply("Pack", sizes), 0), flat.dtype)
    else:
        count = convert_to_tensor(total, flat.dtype)
    small = apply("FloorDiv", count, number, name="floordiv")
    longer = apply("FloorMod", count, number, name="mod")
    among_long = apply("FloorDiv", flat, apply("AddV2", small, 1, name="add"), name="floordiv")
    among_short = apply("FloorDiv", apply("Sub", flat, longer, name="sub"), small, name="floordiv")
    owner = apply("Maximum", among_long, among_short)
    row = apply(
        "Select",
        apply("Less", owner, longer),
        apply("FloorMod", flat, apply("AddV2", small, 1, name="add"), name="mod"),
        apply("FloorMod", apply("Sub", flat, longer, name="sub"), small, name="mod"),
    )
    return owner, row


def embedding_lookup_sparse(
    params: Any,
    sp_ids: SparseTensor,
    sp_weights: SparseTensor | None,
    partition_strategy: str = "mod",
    name: str | None = None,
    combiner: str | None = None,
    max_norm: float | None = None,
    allow_fast_lookup: bool = False,
) -> Tensor:
    """[rows, *row shape]: the embeddings of the ids in each row of `sp_ids`, combined.

    Source: `tf.compat.v1.nn.embedding_lookup_sparse`.

    Args:
      sp_ids: a SparseTensor of ids; every row has one at least.
      sp_weights: a SparseTensor of weights at the same places, or None for 1.
      combiner: "sum", "mean" (divided by the weights' sum, the default) or "sqrtn" (by the root of their squares' sum).
      max_norm: rows with a larger Euclidean norm are scaled down to it.
    """
    combiner = "mean" if combiner is None else combiner
    if combiner not in ("mean", "sqrtn", "sum"):
        raise ValueError(f"combiner must be one of 'mean', 'sqrtn' or 'sum', got {combiner}")
    found = _as_list(params)
    if not isinstance(sp_ids, SparseTensor):
        raise TypeError(f"sp_ids must be SparseTensor, got {type(sp_ids)}")
    if sp_weights is not None:
        if not isinstance(sp_weights, SparseTensor):
            raise TypeError(f"sp_weights must be either None or SparseTensor, got {type(sp_weights)}")
        sp_ids.values.get_shape().assert_is_compatible_with(sp_weights.values.get_shape())
        sp_ids.indices.get_shape().assert_is_compatible_with(sp_weights.indices.get_shape())
        sp_ids.dense_shape.get_shape().assert_is_compatible_with(sp_weights.dense_shape.get_shape())
    with name_scope(name, "embedding_lookup_sparse", [*found, sp_ids.values]) as scope:
        segments = part(sp_ids.indices, [0, 0], [0, 1], [1, 1], begin_mask=1, end_mask=1, shrink_axis_mask=2)
        whole = len(found) == 1 and not hasattr(found[0], "sparse_read")  # of a resource variable only rows are read
        if whole and sp_weights is None and max_norm is None:
            table = convert_to_tensor(found[0])
            return _combined(combiner, table, sp_ids.values, segments, True, scope)
        ids, places = apply("Unique", sp_ids.values)
        rows = embedding_lookup(found, ids, partition_strategy, max_norm=max_norm)
        if rows.dtype in (dtypes.float16, dtypes.bfloat16):
            rows = cast(rows, dtypes.float32)
        if sp_weights is None:
            return _combined(combiner, rows, places, segments, False, scope)
        if segments.dtype is not dtypes.int32:
            segments = cast(segments, dtypes.int32)
        return _weighted(rows, places, segments, sp_weights.values, combiner, scope)


_KINDS = {"sum": "Sum", "mean": "Mean", "sqrtn": "SqrtN"}


def _combined(combiner: str, rows: Tensor, places: Tensor, segments: Tensor, sparse: bool, scope: str) -> Tensor:
    op_type = f"SparseSegment{_KINDS[combiner]}"
    result: Tensor = apply(op_type, rows, places, segments, sparse_gradient=sparse, name=scope)
    return result


def _weighted(rows: Tensor, places: Tensor, segments: Tensor, weights: Tensor, combiner: str, scope: str) -> Tensor:
    rows = gather(rows, places)
    if weights.dtype is not rows.dtype:
        weights = cast(weights, rows.dtype)
    inner = expand_dims(apply("Sub", rank(rows), 1, name="sub"), 0)
    sizes = apply("ConcatV2", [shape(weights), ones(inner, dtypes.int32)], 0, name="concat")
    known = weights.get_shape()
    weights = apply("Reshape", weights, sizes)
    if rows.raw_shape is not None:
        weights.set_shape(known.concatenate([1] * (len(rows.raw_shape) - 1)))
    rows = apply("Mul", rows, weights, name="mul")
    if combiner == "sum":
        return _segment_sum(rows, segments, scope)
    total = _segment_sum(rows, segments, None)
    if combiner == "mean":
        below = _segment_sum(weights, segments, None)
    else:
        below = apply("Sqrt", _segment_sum(apply("Pow", weights, 2), segments, None))
    result: Tensor = apply("DivNoNan", total, below, name=scope)
    return result


def _segment_sum(rows: Tensor, segments: Tensor, name: str | None) -> Tensor:
    result: Tensor = apply("SegmentSum", rows, segments, name=name)
    return result


def safe_embedding_lookup_sparse(
    embedding_weights: Any,
    sparse_ids: SparseTensor,
    sparse_weights: SparseTensor | None = None,
    combiner: str | None = "mean",
    default_id: int | None = None,
    name: str | None = None,
    partition_strategy: str = "div",
    max_norm: float | None = None,
    allow_fast_lookup: bool = False,
) -> Tensor:
    """As `embedding_lookup_sparse`, for any rank, without ids below 0 and weights of 0 or less; empty rows give
    the embedding of `default_id`, or zeros.

    Source: `tf.compat.v1.nn.safe_embedding_lookup_sparse`.
    """
    if embedding_weights is None:
        raise ValueError(f"Missing embedding_weights {embedding_weights}.")
    weights = _as_list(embedding_weights)
    if len(weights) > 1 or not hasattr(weights[0], "dtype"):
        weights = [convert_to_tensor(weight) for weight in weights]
    with name_scope(name, "embedding_lookup", [*weights, sparse_ids, sparse_weights]) as scope:
        sparse_ids = convert_to_sparse(sparse_ids)
        original_shape = sparse_ids.dense_shape
        sparse_ids = _as_matrix(sparse_ids)
        if sparse_weights is not None:
            sparse_weights = SparseTensor(sparse_ids.indices, sparse_weights.values, sparse_ids.dense_shape)
        sparse_ids, sparse_weights = _without_invalid(sparse_ids, sparse_weights)
        if combiner != "sum" and sparse_weights is not None:
            keep = apply("Greater", sparse_weights.values, 0)
            sparse_ids, sparse_weights = sparse_retain(sparse_ids, keep), sparse_retain(sparse_weights, keep)
        sparse_ids, is_empty = sparse_fill_empty_rows(sparse_ids, default_id or 0)
        if sparse_weights is not None:
            sparse_weights, _ = sparse_fill_empty_rows(sparse_weights, 1.0)
        result = embedding_lookup_sparse(
            weights,
            sparse_ids,
            sparse_weights,
            combiner=combiner,
            partition_strategy=partition_strategy,
            name=None if default_id is None else scope,
            max_norm=max_norm,
        )
        if default_id is None:
            result = _zeroed(result, is_empty, scope)
        lead = apply("Slice", cast(original_shape, dtypes.int32), [0], _rank_below(original_shape))
        tail = apply("Slice", shape(result), [1], [-1])
        final: Tensor = apply("Reshape", result, apply("ConcatV2", [lead, tail], 0, name="concat"))
        final.set_shape(_final_shape(original_shape, result))
        return final


def _as_matrix(ids: SparseTensor) -> SparseTensor:
    known = ids.dense_shape.raw_shape
    if known is None or known[0] is None:
        below: Any = apply("ExpandDims", apply("Sub", apply("Size", ids.dense_shape), 1, name="sub"), 0)
        last: Any = apply("Sub", apply("Size", ids.dense_shape), 1, name="sub")
    else:
        below, last = [known[0] - 1], known[0] - 1
    rows = reduce_prod(apply("Slice", ids.dense_shape, [0], below))
    columns = apply("GatherV2", ids.dense_shape, last, 0)
    return sparse_reshape(ids, [rows, columns])


def _rank_below(shape: Tensor) -> Any:
    known = shape.raw_shape
    if known is None or known[0] is None:
        return apply("ExpandDims", apply("Sub", apply("Size", shape), 1, name="sub"), 0)
    return [known[0] - 1]


def _final_shape(original: Tensor, result: Tensor) -> Any:
    lead = constant_value_as_shape(original)
    known = original.raw_shape
    if lead.rank is None and (known is None or known[0] is None):
        return None
    return lead[: (lead.rank or 1) - 1].concatenate(result.get_shape()[1:])


def _without_invalid(ids: SparseTensor, weights: SparseTensor | None) -> tuple[SparseTensor, SparseTensor | None]:
    valid = apply("GreaterEqual", ids.values, 0)
    if weights is not None:
        valid = apply("LogicalAnd", valid, ones_like(weights.values, dtypes.bool))
    kept = sparse_retain(ids, valid)
    return kept, None if weights is None else sparse_retain(weights, valid)


def _zeroed(result: Tensor, is_empty: Tensor, scope: str) -> Tensor:
    column = apply("Reshape", is_empty, [-1, 1])
    width = part(shape(result), [1], [2], [1], shrink_axis_mask=1)
    mask = apply("Tile", column, stack([1, width]))
    zeros = apply("ZerosLike", result, name="zeros_like")
    found: Tensor = apply("Select", mask, zeros, result, name=scope)
    return found
