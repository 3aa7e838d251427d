"""Ops that read and write by lists of indices: gather, scatter, and their relatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runstep.graph import shapes
from runstep.graph.apply import apply
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.shapes import RawShape
from runstep.graph.tensor import Tensor
from runstep.ops import common
from runstep.ops.common import Shapes
from runstep.ops.registry import op

__all__ = [
    "batch_gather",
    "dynamic_partition",
    "dynamic_stitch",
    "gather",
    "gather_nd",
    "scatter_nd",
    "tensor_scatter_add",
    "tensor_scatter_nd_add",
    "tensor_scatter_nd_max",
    "tensor_scatter_nd_min",
    "tensor_scatter_nd_sub",
    "tensor_scatter_nd_update",
    "tensor_scatter_sub",
    "tensor_scatter_update",
    "unravel_index",
]


# --- static shape rules -------------------------------------------------------------------------------------------


def _gather(op: Any) -> Shapes:
    params, indices = shapes.with_rank_at_least(op.inputs[0].raw_shape, 1), op.inputs[1].raw_shape
    if params is None or indices is None:
        return [None]
    return [indices + params[1:]]


def _gather_v2(op: Any) -> Shapes:
    params, indices, batch = op.inputs[0].raw_shape, op.inputs[1].raw_shape, op.attrs["batch_dims"]
    shapes.with_rank(op.inputs[2].raw_shape, 0)
    shapes.with_rank_at_least(params, 1)
    axis = op.constant(2)
    if axis is None:
        if params is None or indices is None:
            return [None]
        return [(None,) * (len(params) + len(indices) - 1 - batch)]
    at = int(axis)
    least = at + 1 if at >= 0 else -at
    shapes.with_rank_at_least(params, least)
    if indices is not None:
        if not -len(indices) <= batch <= len(indices):
            raise ValueError(f"Expected batch_dims in the range [{-len(indices)}, {len(indices)}], but got {batch}")
        if batch < 0:
            batch += len(indices)
    if params is None or indices is None:
        return [None]
    at %= len(params)
    return [(*params[:at], *indices[batch:], *params[at + 1 :])]


def _gather_nd(op: Any) -> Shapes:
    params, indices = op.inputs[0].raw_shape, shapes.with_rank_at_least(op.inputs[1].raw_shape, 1)
    if params is None or indices is None or indices[-1] is None:
        return [None]
    depth = indices[-1]
    if depth > len(params):
        raise ValueError(
            f"indices.shape[-1] must be <= params.rank, but saw indices shape: {shapes.text(indices)} "
            f"and params shape: {shapes.text(params)}"
        )
    return [indices[:-1] + params[depth:]]


def _check_scatter(out: RawShape, indices: RawShape, updates: RawShape) -> RawShape:
    """What is known of the result, `out`, of scattering. ValueError where the shapes cannot go together."""
    if out is not None and shapes.num_elements(out) == 0:
        for what, raw in (("indices", indices), ("updates", updates)):
            if raw is not None and (shapes.num_elements(raw) or 0) > 0:
                raise ValueError(f"Indices and updates specified for empty output: {what} shape {shapes.text(raw)}")
    if indices is None or updates is None or not indices:
        if indices == ():
            raise ValueError("Shape must be at least rank 1 but is rank 0")
        return out
    lead = len(indices) - 1
    try:
        shapes.merge(indices[:-1], updates[:lead])
    except ValueError:
        raise ValueError(
            f"Dimensions [0,{lead}) of indices[shape={shapes.text(indices)}] = {shapes.text(indices[:-1])} must match "
            f"dimensions [0,{lead}) of updates[shape={shapes.text(updates)}] = {shapes.text(updates[:lead])}: "
            "Shapes must be equal"
        ) from None
    depth = indices[-1]
    if depth is not None and out is not None:
        try:
            shapes.merge(out[depth:], updates[lead:])
        except ValueError:
            raise ValueError(
                f"Dimensions [{depth},{len(out)}) of input[shape={shapes.text(out)}] = {shapes.text(out[depth:])} must "
                f"match dimensions [{lead},{len(updates)}) of updates[shape={shapes.text(updates)}] = "
                f"{shapes.text(updates[lead:])}: Shapes must be equal"
            ) from None
    return out


def _scatter_nd(op: Any) -> Shapes:
    indices = shapes.with_rank_at_least(op.inputs[0].raw_shape, 1)
    shapes.with_rank_at_least(op.inputs[1].raw_shape, 1 if indices is not None and len(indices) > 1 else 0)
    return [_check_scatter(op.constant_shape(2), indices, op.inputs[1].raw_shape)]


def _tensor_scatter(op: Any) -> Shapes:
    tensor, indices, updates = [t.raw_shape for t in op.inputs]
    shapes.with_rank_at_least(tensor, 1)
    return [_check_scatter(tensor, indices, updates)]


def _dynamic_partition(op: Any) -> Shapes:
    data, partitions = op.inputs[0].raw_shape, op.inputs[1].raw_shape
    count = op.attrs["num_partitions"]
    if data is None or partitions is None:
        return [None] * count
    shapes.with_rank_at_least(data, len(partitions))
    shapes.merge(data[: len(partitions)], partitions)
    return [(None, *data[len(partitions) :])] * count


def _dynamic_stitch(op: Any) -> Shapes:
    count = op.attrs["N"]
    rest: RawShape = None
    size: int | None = 0
    for i in range(count):
        where, data = op.inputs[i].raw_shape, op.inputs[count + i].raw_shape
        values = op.constant(i)
        if values is None:
            size = None
        elif size is not None and values.size:
            size = max(size, int(values.max()) + 1)
        if where is None or data is None:
            continue
        shapes.with_rank_at_least(data, len(where))
        shapes.merge(data[: len(where)], where)
        rest = shapes.merge(rest, data[len(where) :])
    return [None if rest is None else (size, *rest)]


def _unravel_index(op: Any) -> Shapes:
    indices, dims = op.inputs[0].raw_shape, op.inputs[1].raw_shape
    if indices is not None and not indices:
        return [dims]
    count = None if dims is None or len(dims) != 1 else dims[0]
    return [(count, None if indices is None else indices[0])] if indices is not None else [None]


_ANY_INDEX = "Tindices: {int16, int32, int64}"
_INDEX = "Tindices: {int32, int64}"
_POLICY = "bad_indices_policy: string = ''"

op(
    "Gather",
    "params: Tparams, indices: Tindices -> output: Tparams",
    "validate_indices: bool = true",
    "Tparams: type",
    _INDEX,
    shape=_gather,
)
op(
    "GatherV2",
    "params: Tparams, indices: Tindices, axis: Taxis -> output: Tparams",
    "batch_dims: int = 0",
    "Tparams: type",
    _ANY_INDEX,
    "Taxis: {int32, int64}",
    shape=_gather_v2,
)
op(
    "GatherNd",
    "params: Tparams, indices: Tindices -> output: Tparams",
    "Tparams: type",
    _ANY_INDEX,
    _POLICY,
    shape=_gather_nd,
)
op(
    "ScatterNd",
    "indices: Tindices, updates: T, shape: Tindices -> output: T",
    "T: type",
    _ANY_INDEX,
    _POLICY,
    shape=_scatter_nd,
)
op(
    "ScatterNdNonAliasingAdd",
    "input: T, indices: Tindices, updates: T -> output: T",
    "T: {float32, float64, int32, uint8, int16, int8, complex64, int64, qint8, quint8, qint32, bfloat16, qint16, "
    "quint16, uint16, complex128, float16, uint32, uint64, bool}",
    _INDEX,
    _POLICY,
    shape=common.unchanged,
)
op(
    "TensorScatterUpdate",
    "tensor: T, indices: Tindices, updates: T -> output: T",
    "T: type",
    "Tindices: {int16, int32, int64, uint16}",
    _POLICY,
    shape=_tensor_scatter,
)
for _name in ("TensorScatterAdd", "TensorScatterSub", "TensorScatterMax", "TensorScatterMin"):
    op(
        _name,
        "tensor: T, indices: Tindices, updates: T -> output: T",
        "T: type",
        _INDEX,
        _POLICY,
        shape=_tensor_scatter,
    )
op(
    "DynamicPartition",
    "data: T, partitions: int32 -> outputs: num_partitions * T",
    "num_partitions: int >= 1",
    "T: type",
    shape=_dynamic_partition,
)
for _name in ("DynamicStitch", "ParallelDynamicStitch"):
    op(_name, "indices: N * int32, data: N * T -> merged: T", "N: int >= 1", "T: type", shape=_dynamic_stitch)
op(
    "UnravelIndex",
    "indices: Tidx, dims: Tidx -> output: Tidx",
    "Tidx: {int32, int64} = int32",
    shape=_unravel_index,
)


# --- user functions -----------------------------------------------------------------------------------------------


def gather(
    params: Any,
    indices: Any,
    validate_indices: Any = None,
    name: str | None = None,
    axis: Any = None,
    batch_dims: int = 0,
) -> Tensor:
    """Slices of `params` along `axis` (by default `batch_dims`) at `indices`. Mirrors `tf.compat.v1.gather`.

    With batch_dims the leading axes of both belong together. A variable is gathered from without being read whole.
    """
    if axis is None:
        axis = batch_dims
    fixed = constant_value(axis) if isinstance(axis, Tensor) else axis
    if fixed is None or fixed != 0:
        return apply("GatherV2", params, indices, axis, batch_dims=batch_dims, name=name)
    if hasattr(params, "sparse_read"):
        return params.sparse_read(indices, name=name)
    return apply("GatherV2", params, indices, axis, batch_dims=batch_dims, name=name)


def batch_gather(params: Any, indices: Any, name: str | None = None) -> Tensor:
    """Gathers along the last axis of `indices`, all axes before being batches. Mirrors `tf.compat.v1.batch_gather`.

    ValueError if the rank of `indices` is not known.
    """
    with name_scope(name, "BatchGather", [params, indices]):
        indices = convert_to_tensor(indices, name="indices")
        params = convert_to_tensor(params, name="params")
        if indices.raw_shape is None:
            raise ValueError("batch_gather does not allow indices with unknown shape.")
        batch = len(indices.raw_shape) - 1
        return apply("GatherV2", params, indices, batch, batch_dims=batch)


def gather_nd(
    params: Any,
    indices: Any,
    name: str | None = None,
    batch_dims: int = 0,
    bad_indices_policy: str = "",
) -> Tensor:
    """Slices of `params` at the index vectors in the last axis of `indices`. Mirrors `tf.compat.v1.gather_nd`."""
    fixed = constant_value(batch_dims) if isinstance(batch_dims, Tensor) else batch_dims
    if fixed is None:
        raise ValueError("tf.gather_nd() requires batch_dims to be a known number")
    if int(fixed) == 0:
        if hasattr(params, "gather_nd"):
            return params.gather_nd(indices, name=name)
        return apply("GatherNd", params, indices, bad_indices_policy=bad_indices_policy, name=name)
    return _batch_gather_nd(params, indices, int(fixed), name, bad_indices_policy)


def _batch_gather_nd(params: Any, indices: Any, batch: int, name: str | None, policy: str) -> Tensor:
    """Gathers with the place in the batch written in front of each index vector."""
    from runstep.ops.cast import cast
    from runstep.ops.creation import range as range_
    from runstep.ops.joining import concat
    from runstep.ops.shape_ops import broadcast_to, reshape, shape

    with name_scope(name, "BatchGatherND", [params, indices]):
        params = convert_to_tensor(params, name="params")
        indices = convert_to_tensor(indices, name="indices")
        if params.raw_shape is None or indices.raw_shape is None:
            raise ValueError("tf.gather_nd() with batch_dims requires params and indices of known rank")
        rank = len(indices.raw_shape)
        if not 0 <= batch < rank:
            raise ValueError(f"batch_dims = {batch} must be less than rank(indices) = {rank}")
        sizes = shape(indices)
        columns = []
        for axis in range(batch):
            counts = reshape(range_(sizes[axis]), [-1 if i == axis else 1 for i in range(rank)])
            columns.append(broadcast_to(counts, concat([sizes[:-1], [1]], 0)))
        places = cast(concat(columns, -1), indices.dtype)
        return apply("GatherNd", params, concat([places, indices], -1), bad_indices_policy=policy)


def scatter_nd(indices: Any, updates: Any, shape: Any, bad_indices_policy: str = "", name: str | None = None) -> Tensor:
    """Zeros of `shape` with `updates` added at the index vectors in `indices`. Mirrors `tf.scatter_nd`."""
    return apply("ScatterNd", indices, updates, shape, bad_indices_policy=bad_indices_policy, name=name)


def tensor_scatter_nd_update(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """`tensor` with `updates` written at the index vectors. Mirrors `tf.tensor_scatter_nd_update`."""
    return apply("TensorScatterUpdate", tensor, indices, updates, name=name)


def tensor_scatter_nd_add(
    tensor: Any, indices: Any, updates: Any, bad_indices_policy: str = "", name: str | None = None
) -> Tensor:
    """`tensor` with `updates` added at the index vectors. Mirrors `tf.tensor_scatter_nd_add`."""
    return apply("TensorScatterAdd", tensor, indices, updates, bad_indices_policy=bad_indices_policy, name=name)


def tensor_scatter_nd_sub(
    tensor: Any, indices: Any, updates: Any, bad_indices_policy: str = "", name: str | None = None
) -> Tensor:
    """`tensor` with `updates` subtracted at the index vectors. Mirrors `tf.tensor_scatter_nd_sub`."""
    return apply("TensorScatterSub", tensor, indices, updates, bad_indices_policy=bad_indices_policy, name=name)


def tensor_scatter_nd_max(
    tensor: Any, indices: Any, updates: Any, bad_indices_policy: str = "", name: str | None = None
) -> Tensor:
    """`tensor`, or `updates` where larger, at the index vectors. Mirrors `tf.tensor_scatter_nd_max`."""
    return apply("TensorScatterMax", tensor, indices, updates, bad_indices_policy=bad_indices_policy, name=name)


def tensor_scatter_nd_min(
    tensor: Any, indices: Any, updates: Any, bad_indices_policy: str = "", name: str | None = None
) -> Tensor:
    """`tensor`, or `updates` where smaller, at the index vectors. Mirrors `tf.tensor_scatter_nd_min`."""
    return apply("TensorScatterMin", tensor, indices, updates, bad_indices_policy=bad_indices_policy, name=name)


tensor_scatter_update = tensor_scatter_nd_update
tensor_scatter_add = tensor_scatter_nd_add
tensor_scatter_sub = tensor_scatter_nd_sub


def dynamic_partition(data: Any, partitions: Any, num_partitions: int, name: str | None = None) -> list[Tensor]:
    """The slices of `data` by the partition that each belongs to. Mirrors `tf.dynamic_partition`."""
    return apply("DynamicPartition", data, partitions, num_partitions=num_partitions, name=name)


def dynamic_stitch(indices: Sequence[Any], data: Sequence[Any], name: str | None = None) -> Tensor:
    """Slices of each of `data` put at the places that `indices` says; later ones win. Mirrors `tf.dynamic_stitch`."""
    return apply("DynamicStitch", indices, data, name=name)


def unravel_index(indices: Any, dims: Any, name: str | None = None) -> Tensor:
    """Flat indices as index vectors, in columns, for an array of sizes `dims`. Mirrors `tf.unravel_index`."""
    return apply("UnravelIndex", indices, dims, name=name)
