"""Rows of tables by number: `tf.nn.embedding_lookup`."""

from __future__ import annotations

from typing import Any

from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import get_default_graph, name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops import arithmetic, basic, creation, indexing, joining, selecting, shape_ops

__all__ = ["embedding_lookup"]


def _clipped(rows: Tensor, ids: Tensor, max_norm: Any) -> Tensor:
    """Rows no longer than `max_norm`."""
    if max_norm is None:
        return rows
    from runstep.ops.norms import clip_by_norm

    first = ids.shape.ndims
    last = rows.shape.ndims
    if first is None or last is None:
        raise ValueError("`max_norm` needs `ids` and `params` of known ranks.")
    return clip_by_norm(rows, max_norm, axes=list(range(first, last)))  # type: ignore[no-any-return]


def embedding_lookup(
    params: Any,
    ids: TensorLike,
    partition_strategy: str = "mod",
    name: str | None = None,
    validate_indices: bool = True,
    max_norm: Any = None,
) -> Tensor:
    """The rows `ids` of `params`: one table, or a list of its parts.

    Row i of a table in n parts is row i // n of part i % n ("mod"), or the parts are the table cut in n as evenly as
    can be ("div"). Source: `tf.nn.embedding_lookup`.

    Raises:
      ValueError: no table, or another strategy.
    """
    parts = list(params) if isinstance(params, (list, tuple)) else [params]
    if not parts or params is None:
        raise ValueError("Length of params is currently 0. Need at least one param.")
    with name_scope(name, "embedding_lookup") as scope:
        ids = convert_to_tensor(ids, name="ids")
        if len(parts) == 1:
            with get_default_graph().colocate_with(parts[0]):
                rows = _clipped(indexing.gather(parts[0], ids, name=scope), ids, max_norm)
            return basic.identity(rows)  # type: ignore[no-any-return]
        flat = apply("Reshape", ids, [-1])
        places = creation.range(shape_ops.size(flat))
        count = len(parts)
        if partition_strategy == "mod":
            owners = arithmetic.floormod(flat, count, name="mod")
            inner = arithmetic.floordiv(flat, count, name="floordiv")
        elif partition_strategy == "div":
            owners, inner = _divided(parts, flat, count)
        else:
            raise ValueError(
                f"Unrecognized partition strategy: {partition_strategy}. Must be one of either `mod` or `div`."
            )
        owned = apply("DynamicPartition", inner, owners, num_partitions=count)
        positions = apply("DynamicPartition", places, owners, num_partitions=count)
        found = []
        for part, own in zip(parts, owned, strict=True):
            with get_default_graph().colocate_with(part):
                found.append(_clipped(indexing.gather(part, own), own, max_norm))
        rows = apply("ParallelDynamicStitch", positions, found, name=scope)
        tail = convert_to_tensor(parts[0]).shape[1:]
        shape = joining.concat([shape_ops.shape(ids), tail.as_list()], 0)
        rows = apply("Reshape", rows, shape)
        rows.set_shape(ids.shape.concatenate(tail))
        return rows  # type: ignore[no-any-return]


def _divided(parts: list[Any], flat: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The part, and the row in it, of each number, for a table cut into `count` parts of which the first are larger."""
    sizes = [convert_to_tensor(part).shape[0].value for part in parts]
    if None in sizes:
        raise ValueError("The numbers of rows of all parts must be known for the strategy 'div'.")
    total = convert_to_tensor(sum(sizes), dtype=flat.dtype)
    each = arithmetic.floordiv(total, count, name="floordiv")
    extras = arithmetic.floormod(total, count, name="mod")
    owners = arithmetic.maximum(
        arithmetic.floordiv(flat, apply("AddV2", each, 1, name="add"), name="floordiv"),
        arithmetic.floordiv(apply("Sub", flat, extras, name="sub"), each, name="floordiv"),
    )
    inner = selecting.where(
        apply("Less", owners, extras),
        arithmetic.floormod(flat, apply("AddV2", each, 1, name="add"), name="mod"),
        arithmetic.floormod(apply("Sub", flat, extras, name="sub"), each, name="mod"),
    )
    return owners, inner
