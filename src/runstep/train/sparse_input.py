"""SparseTensors on their way through a queue: they wait in a map, and what is queued is where they are in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from runstep.graph.apply import apply
from runstep.graph.composite import SparseTensor
from runstep.graph.dtypes import DType
from runstep.graph.operation import Operation
from runstep.graph.scopes import colocate_with
from runstep.graph.tensor import Tensor
from runstep.ops.basic import constant, identity, with_dependencies
from runstep.ops.branching import smart_cond
from runstep.ops.cast import cast
from runstep.ops.creation import ones
from runstep.ops.indexing import gather
from runstep.ops.selecting import where
from runstep.ops.shape_ops import expand_dims, reshape, squeeze

__all__ = ["Kept", "restored", "stored"]


@attrs.frozen
class Kept:
    """The map of a component, and what the graph knows of the SparseTensors in it."""

    op: Operation
    dtype: DType
    rank: int | None


def stored(
    lists: Sequence[Sequence[Any]], enqueue_many: bool, keep: Tensor
) -> tuple[list[list[Tensor]], list[Kept | None]]:
    """The lists with handles in place of SparseTensors, and for each component its map, or None.

    Raises:
      ValueError: a component is sparse in one list only, or its ranks differ.
    """
    kept: list[Kept | None] = [None] * len(lists[0])
    found = []
    for tensors in lists:
        if not all(map(_alike, lists[0], tensors)):
            raise ValueError(f"Inconsistent SparseTensors list: {list(lists[0])} vs. {list(tensors)}")
        row = []
        for at, tensor in enumerate(tensors):
            if isinstance(tensor, SparseTensor):
                tensor, kept[at] = _stored(tensor, kept[at], enqueue_many, keep)
            row.append(tensor)
        found.append(row)
    return [[_column(tensor, known) for tensor, known in zip(row, kept, strict=True)] for row in found], kept


def _column(tensor: Tensor, known: Kept | None) -> Tensor:
    return tensor if known is None else expand_dims(tensor, -1)


def _alike(first: Any, other: Any) -> bool:
    if isinstance(first, SparseTensor) and isinstance(other, SparseTensor):
        return first.dense_shape.get_shape().is_compatible_with(other.dense_shape.get_shape())
    return not isinstance(first, SparseTensor) and not isinstance(other, SparseTensor)


def _rank(tensor: SparseTensor) -> int | None:
    rank: int | None = tensor.dense_shape.get_shape()[0].value
    return rank


def _stored(tensor: SparseTensor, earlier: Kept | None, many: bool, keep: Tensor) -> tuple[Tensor, Kept]:
    made: list[Tensor] = []

    def add() -> Tensor:
        made.append(
            apply(
                "AddManySparseToTensorsMap" if many else "AddSparseToTensorsMap",
                tensor.indices,
                tensor.values,
                tensor.dense_shape,
                shared_name="" if earlier is None else earlier.op.name,
            )
        )
        return made[0]

    def nothing() -> Tensor:
        return -1 * ones(cast(tensor.dense_shape, "int32")[:1], "int64") if many else constant(-1, "int64")

    if keep.get_shape().ndims:
        tensor = _rows(tensor, keep)
        handle = add()
    else:
        handle = smart_cond(keep, add, nothing)
    if not made:
        raise TypeError("keep_input is never true: there is no map of SparseTensors to take batches from")
    rank = _rank(tensor)
    known = Kept(made[0].op, tensor.dtype, rank if rank is None or many else rank + 1)
    return handle, known if earlier is None else attrs.evolve(earlier, rank=earlier.rank or known.rank)


def _rows(tensor: SparseTensor, keep: Tensor) -> SparseTensor:
    """Only what stands in rows that are kept; the number of rows stays."""
    chosen = reshape(where(gather(keep, tensor.indices[:, 0])), [-1])
    return SparseTensor(gather(tensor.indices, chosen), gather(tensor.values, chosen), identity(tensor.dense_shape))


def restored(dequeued: Sequence[Tensor], kept: Sequence[Kept | None]) -> list[Any]:
    """What was dequeued, with SparseTensors in place of their handles.

    Handles that nobody takes would stay in their maps for ever: whoever fetches one component takes all.
    """
    found = [_taken(tensor, known) for tensor, known in zip(dequeued, kept, strict=True)]
    if len(found) == 1 or not any(kept):
        return found
    ops = [item.op for item in found]
    return [_after([op for op in ops if op is not item.op], item) for item in found]


def _taken(handles: Tensor, known: Kept | None) -> Any:
    if known is None:
        return handles
    handles = squeeze(handles, [1])
    with colocate_with(known.op):
        indices, values, sizes = apply(
            "TakeManySparseFromTensorsMap", handles, dtype=known.dtype, shared_name=known.op.name
        )
    indices.set_shape([None, known.rank])
    sizes.set_shape([known.rank])
    return SparseTensor(indices, values, sizes)


def _after(ops: Sequence[Operation], item: Any) -> Any:
    if isinstance(item, SparseTensor):
        return SparseTensor(*(with_dependencies(ops, part) for part in (item.indices, item.values, item.dense_shape)))
    return with_dependencies(ops, item)
