"""Barriers: elements whose components come from different places. The user's class is in `runstep.ops.data_flow`."""

from __future__ import annotations

from typing import Any

from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.graph.shapes import merge_size, with_rank, with_rank_at_least
from runstep.graph.tensor import Tensor
from runstep.ops.common import Shapes, nothing, scalar, unknown
from runstep.ops.data_flow import shape_list, type_list
from runstep.ops.registry import op

__all__ = ["Barrier"]


def _pair(op: Any) -> Shapes:
    # The handle of the first generation: a vector of container and name.
    return [(2,)]


def _insert(op: Any) -> Shapes:
    (keys,) = with_rank(op.inputs[1].raw_shape, 1)
    values = with_rank_at_least(op.inputs[2].raw_shape, 1)
    if values is not None:
        try:
            merge_size(keys, values[0])
        except ValueError:
            raise ValueError(
                f"Dimension 0 in both shapes must be equal, but are {keys} and {values[0]}. "
                f"Shapes are [{keys}] and [{values[0]}]."
            ) from None
    return []


op(
    "Barrier",
    " -> handle: Ref(string)",
    "component_types: list(type) >= 1",
    "shapes: list(shape) >= 0 = []",
    "capacity: int = -1",
    "container: string = ''",
    "shared_name: string = ''",
    shape=_pair,
    stateful=True,
)
op(
    "BarrierInsertMany",
    "handle: Ref(string), keys: string, values: T -> ",
    "T: type",
    "component_index: int",
    shape=_insert,
)
op(
    "BarrierTakeMany",
    "handle: Ref(string), num_elements: int32 -> indices: int64, keys: string, values: component_types",
    "component_types: list(type) >= 1",
    "allow_small_batch: bool = false",
    "wait_for_incomplete: bool = false",
    "timeout_ms: int = -1",
    shape=unknown,
)
op("BarrierClose", "handle: Ref(string) -> ", "cancel_pending_enqueues: bool = false", shape=nothing)
op("BarrierReadySize", "handle: Ref(string) -> size: int32", shape=scalar)
op("BarrierIncompleteSize", "handle: Ref(string) -> size: int32", shape=scalar)


class Barrier:
    """Elements under string keys whose components come from different places (source: data_flow_ops.Barrier).

    Args:
      types, shapes: of the components, fully known. shared_name: barriers of one name, in one session, are one.
    """

    def __init__(self, types: Any, shapes: Any = None, shared_name: str | None = None, name: str = "barrier") -> None:
        self._types = type_list(types)
        declared = shape_list(shapes, self._types)
        self._shapes = declared
        self._barrier_ref = apply(
            "Barrier", component_types=self._types, shapes=declared or [], shared_name=shared_name or "", name=name
        )
        self._name: str = self._barrier_ref.op.name

    @property
    def barrier_ref(self) -> Tensor:
        """The tensor that holds the barrier's handle."""
        return self._barrier_ref

    @property
    def name(self) -> str:
        """The name of the barrier's node."""
        return self._name

    def _op(self, op_type: str, *inputs: Any, name: str | None, **attrs: Any) -> Any:
        return apply(op_type, self._barrier_ref, *inputs, name=name or f"{self._name}_{op_type}", **attrs)

    def insert_many(self, component_index: int, keys: Any, values: Any, name: str | None = None) -> Operation:
        """The operation that adds one component to the elements of `keys`, a vector of strings."""
        return self._op("BarrierInsertMany", keys, values, component_index=component_index, name=name)

    def take_many(
        self, num_elements: Any, allow_small_batch: bool = False, timeout: int | None = None, name: str | None = None
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """(indices, keys, components) of complete elements, which are taken out. The step waits for them.

        Raises:
          OutOfRangeError (in the run): the barrier is closed and has too few.
        """
        indices, keys, values = self._op(
            "BarrierTakeMany",
            num_elements,
            component_types=self._types,
            allow_small_batch=allow_small_batch,
            timeout_ms=timeout,
            name=name,
        )
        known = indices.op.constant(1)
        batch = None if allow_small_batch or known is None or known < 0 else int(known)
        indices.set_shape([batch])
        keys.set_shape([batch])
        for value, shape in zip(values, self._shapes or [], strict=False):
            value.set_shape([batch, *shape.as_list()])
        return indices, keys, values

    def close(self, cancel_pending_enqueues: bool = False, name: str | None = None) -> Operation:
        """The operation that lets no new keys in, or with `cancel_pending_enqueues` nothing at all."""
        return self._op("BarrierClose", cancel_pending_enqueues=cancel_pending_enqueues, name=name)

    def ready_size(self, name: str | None = None) -> Tensor:
        """How many elements are complete: int32 of rank 0."""
        return self._op("BarrierReadySize", name=name)

    def incomplete_size(self, name: str | None = None) -> Tensor:
        """How many elements lack components: int32 of rank 0."""
        return self._op("BarrierIncompleteSize", name=name)
