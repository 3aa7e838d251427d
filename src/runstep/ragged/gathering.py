"""Rows and elements of ragged tensors by number, by mask, by partition."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.ragged_tensor import RaggedTensor
from runstep.graph.tensor import Tensor
from runstep.ops import indexing as dense, selecting
from runstep.ops.cast import cast
from runstep.ops.joining import concat
from runstep.ops.segment import unsorted_segment_sum
from runstep.ops.shape_ops import expand_dims, reshape, shape
from runstep.ops.sorting import argsort
from runstep.ragged import making, rows
from runstep.ragged.broadcasting import elementwise, nested

__all__: list[str] = []


def gather_rows(values: Any, places: Tensor) -> Any:
    """The rows at these places (of any shape) of a tensor or ragged tensor."""
    if not isinstance(values, RaggedTensor):
        return apply("GatherV2", values, places, 0)
    splits = list(values.nested_row_splits)
    rank = places.shape.rank
    if rank is None:
        raise ValueError("indices.shape.ndims must be known statically")
    depth = len(splits) + rank - 1
    if rank == 0:
        found = apply("RaggedGather", splits, values.flat_values, reshape(places, [1]), OUTPUT_RAGGED_RANK=len(splits))
        return nested(found[1], found[0]).values
    found, flat = apply("RaggedGather", splits, values.flat_values, places, OUTPUT_RAGGED_RANK=depth)
    known = places.shape[0].value
    if known is not None and found:
        found[0].set_shape([known + 1])
    return nested(flat, found)


def gather(
    params: Any,
    indices: Any,
    validate_indices: Any = None,
    name: str | None = None,
    axis: Any = None,
    batch_dims: int = 0,
) -> Any:
    with name_scope(name, "RaggedGather"):
        params = params if isinstance(params, RaggedTensor) else convert_to_tensor(params, name="params")
        if not isinstance(indices, RaggedTensor):
            indices = convert_to_tensor(indices, dtype_hint=dtypes.int32, name="indices")
        rank = params.shape.rank
        if batch_dims < 0:
            index_rank = indices.shape.rank
            if index_rank is None:
                raise ValueError("batch_dims may only be negative if rank(indices) is statically known.")
            batch_dims += index_rank
        place = batch_dims if axis is None else constant_value(axis) if isinstance(axis, Tensor) else axis
        if place is None:
            raise ValueError("axis must be known at graph construction time.")
        place = int(place) + (rank or 0 if place < 0 else 0)
        if place < batch_dims:
            raise ValueError(f"axis ({place}) must be greater than or equal to batch_dims ({batch_dims})")
        return _gathered(params, indices, place, batch_dims)


def _gathered(params: Any, indices: Any, axis: int, batch: int) -> Any:
    if batch:
        return _batch_gathered(params, indices, axis, batch)
    if isinstance(indices, RaggedTensor):
        return (
            indices.with_values(_gathered(params, indices.values, axis, 0))
            if axis == 0
            else _inner(params, indices, axis)
        )
    return gather_rows(params, indices) if axis == 0 else _inner(params, indices, axis)


def _inner(params: Any, indices: Any, axis: int) -> Any:
    """The same places of each row, along an inner axis."""
    if not isinstance(params, RaggedTensor):
        if isinstance(indices, RaggedTensor):
            raise ValueError("Ragged indices can gather along the first axis and along batch dimensions only.")
        return dense.gather(params, indices, axis=axis)
    if axis > 1:
        return params.with_values(_gathered(params.values, indices, axis - 1, 0))
    if isinstance(indices, RaggedTensor):
        raise ValueError("Ragged indices can gather along the first axis and along batch dimensions only.")
    kind = params.row_splits.dtype
    rank = indices.shape.rank
    starts = params.row_splits[:-1]
    for _ in range(rank or 0):
        starts = expand_dims(starts, -1)
    return gather_rows(params.values, starts + cast(indices, kind))


def _batch_gathered(params: Any, indices: Any, axis: int, batch: int) -> Any:
    if not isinstance(params, RaggedTensor) and not isinstance(indices, RaggedTensor):
        return dense.gather(params, indices, axis=axis, batch_dims=batch)
    kind = params.row_splits.dtype if isinstance(params, RaggedTensor) else indices.row_splits.dtype
    uniform = not isinstance(indices, RaggedTensor) and indices.shape.rank == 2 and batch == 1 and axis == 1
    if not isinstance(params, RaggedTensor):
        params = making.from_tensor(params, row_splits_dtype=kind)
    if uniform:
        starts = expand_dims(params.row_splits[:-1], -1)
        return gather_rows(params.values, starts + cast(indices, kind))
    if not isinstance(indices, RaggedTensor):
        indices = making.from_tensor(indices, row_splits_dtype=kind)
    if batch > 1:
        return indices.with_values(_batch_gathered(params.values, indices.values, axis - 1, batch - 1))
    if axis > 1:
        raise ValueError("A ragged gather with batch_dims takes elements of the axis that follows them.")
    starts = apply("GatherV2", params.row_splits, rows.rowids_of(indices.row_splits), 0)
    return indices.with_values(_from(starts, indices.values, params.values, kind))


def _from(starts: Tensor, indices: Any, values: Any, kind: Any) -> Any:
    if isinstance(indices, RaggedTensor):
        inner = apply("GatherV2", starts, rows.rowids_of(indices.row_splits), 0)
        return indices.with_values(_from(inner, indices.values, values, kind))
    for _ in range((indices.shape.rank or 1) - 1):
        starts = expand_dims(starts, -1)
    return gather_rows(values, starts + cast(indices, kind))


def batch_gather(params: Any, indices: Any, name: str | None = None) -> Any:
    rank = indices.shape.rank if hasattr(indices, "shape") else convert_to_tensor(indices).shape.rank
    return gather(params, indices, name=name, batch_dims=(rank or 2) - 1)


def gather_nd(
    params: Any, indices: Any, name: str | None = None, batch_dims: int = 0, bad_indices_policy: str = ""
) -> Any:
    if batch_dims != 0:
        raise ValueError("batch_dims != 0 is not supported for ragged gather yet.")
    with name_scope(name, "RaggedGatherNd"):
        if isinstance(indices, RaggedTensor):
            inner = gather_nd(params, indices.values)
            return indices.with_values(inner)
        indices = convert_to_tensor(indices, dtype_hint=dtypes.int32, name="indices")
        if not isinstance(params, RaggedTensor):
            return dense.gather_nd(params, indices)
        depth = indices.shape.as_list()[-1] if indices.shape.rank else None
        if depth is None:
            raise ValueError("indices.shape[-1] must be known statically")
        if depth == 0:
            raise ValueError("indices.shape[-1] must be at least 1 for a ragged tensor")
        kind = params.row_splits.dtype
        values: Any = params
        places = cast(indices[..., 0], kind)
        for level in range(1, depth):
            if not isinstance(values, RaggedTensor):
                rest = concat([expand_dims(places, -1), cast(indices[..., level:], kind)], -1)
                return dense.gather_nd(values, rest)
            places = apply("GatherV2", values.row_splits, places, 0) + cast(indices[..., level], kind)
            values = values.values
        return gather_rows(values, places)


def boolean_mask(data: Any, mask: Any, name: str | None = None) -> Any:
    """The values where `mask` is true (source: tf.ragged.boolean_mask).

    Args:
      data, mask: tensors or ragged tensors; mask is bool, and has the shape of the first dimensions of `data`.

    Returns:
      A ragged tensor with the rank of `data`; a tensor for a mask of rank 1 of a tensor.

    Raises:
      ValueError: the rank of mask is unknown or 0.
    """
    with name_scope(name, "RaggedMask", [data, mask]):
        data = data if isinstance(data, RaggedTensor) else convert_to_tensor(data, name="data")
        if not isinstance(mask, RaggedTensor):
            mask = convert_to_tensor(mask, dtypes.bool, name="mask")
        rank = mask.shape.rank
        if rank is None:
            raise ValueError("mask.shape.ndims must be known statically.")
        if rank == 0:
            raise ValueError("mask cannot be scalar.")
        return _masked(data, mask, rank)


def _masked(data: Any, mask: Any, rank: int) -> Any:
    if rank == 1:
        if not isinstance(data, RaggedTensor):
            return selecting.boolean_mask(data, mask)
        return gather_rows(data, selecting.where(mask)[:, 0])
    kind = next((each.row_splits.dtype for each in (data, mask) if isinstance(each, RaggedTensor)), dtypes.int64)
    if not isinstance(data, RaggedTensor):
        data = making.from_tensor(data, row_splits_dtype=kind)
    if not isinstance(mask, RaggedTensor):
        mask = making.from_tensor(mask, row_splits_dtype=kind)
    kept = _masked(data.values, mask.values, rank - 1)
    if rank > 2:
        return RaggedTensor(kept, data.row_splits)
    ids = rows.rowids_of(mask.row_splits)
    lengths = unsorted_segment_sum(cast(mask.values, kind), ids, rows.count_rows(mask.row_splits))
    return making.from_row_lengths(kept, lengths, validate=False)


def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Any:
    if (x is None) != (y is None):
        raise ValueError("x and y must both be non-None or both be None.")
    with name_scope(name, "RaggedWhere"):
        if x is None:
            return _coordinates(condition)
        if not isinstance(condition, RaggedTensor):
            condition = convert_to_tensor(condition, dtypes.bool)
            if condition.shape.rank == 1:
                return _rows_where(condition, x, y)
        return elementwise(lambda c, a, b: apply("SelectV2", c, a, b), condition, x, y)


def where_v2(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Any:
    if x is None and y is None:
        return where(condition, name=name)
    with name_scope(name, "RaggedWhere"):
        return elementwise(lambda c, a, b: apply("SelectV2", c, a, b), condition, x, y)


def _coordinates(condition: RaggedTensor) -> Tensor:
    sparse = condition.with_flat_values(cast(condition.flat_values, dtypes.int8)).to_sparse()
    found: Tensor = selecting.boolean_mask(sparse.indices, cast(sparse.values, dtypes.bool))
    return found


def _rows_where(condition: Tensor, x: Any, y: Any) -> Any:
    """Rows of `x` where a vector is true, of `y` where it isn't."""
    from runstep.ragged.joining import as_ragged, concat as ragged_concat

    first, second = as_ragged([x, y])
    kind = first.row_splits.dtype
    both = ragged_concat([first, second], 0)
    count = rows.count_rows(first.row_splits)
    places = rows.numbers(shape(condition, out_type=kind)[0], kind)
    return gather_rows(both, apply("SelectV2", condition, places, places + count))


def stack_dynamic_partitions(data: Any, partitions: Any, num_partitions: Any, name: str | None = None) -> RaggedTensor:
    """Row `p` holds the items of `data` whose partition is `p` (source: tf.ragged.stack_dynamic_partitions).

    Args:
      data: a tensor or ragged tensor. partitions: int32 or int64, of the shape of the first dimensions of `data`.
      num_partitions: how many rows there are to be.
    """
    with name_scope(name, "SegmentStack", [data, partitions, num_partitions]):
        data = data if isinstance(data, RaggedTensor) else convert_to_tensor(data, name="data")
        if not isinstance(partitions, RaggedTensor):
            partitions = convert_to_tensor(partitions, name="partitions")
        number = convert_to_tensor(num_partitions, dtype_hint=dtypes.int64, name="num_partitions")
        rank, ids_dtype = partitions.shape.rank, partitions.dtype
        if rank is None:
            raise ValueError("partitions must have known rank.")
        if rank == 0:
            data, partitions = expand_dims(data, 0), expand_dims(partitions, 0)
        while isinstance(partitions, RaggedTensor):
            ids_dtype = partitions.row_splits.dtype
            if not isinstance(data, RaggedTensor):
                data = making.from_tensor(data, row_splits_dtype=ids_dtype)
            data, partitions = data.values, partitions.values
        rank = partitions.shape.rank or 1
        for _ in range(rank - 1):
            data = data.values if isinstance(data, RaggedTensor) else rows._merged(data, 0, 1)
        flat = reshape(partitions, [-1])
        order = argsort(flat, stable=True)
        ids = apply("GatherV2", flat, order, 0)
        kind = data.row_splits.dtype if isinstance(data, RaggedTensor) else ids_dtype
        made = making.from_value_rowids(gather_rows(data, order), cast(ids, kind), cast(number, kind))
        return made


def dynamic_partition(data: Any, partitions: Any, num_partitions: int, name: str | None = None) -> list[Any]:
    stacked = stack_dynamic_partitions(data, partitions, num_partitions, name)
    return [stacked[index] for index in range(num_partitions)]
