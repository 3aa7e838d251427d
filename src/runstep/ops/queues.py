"""Queues: what waits between two steps. The user's classes are in `runstep.ops.data_flow`."""

from __future__ import annotations

from typing import Any

from runstep.ops.common import Shapes, nothing, scalar, unchanged, unknown
from runstep.ops.registry import op


def _pair(op: Any) -> Shapes:
    # The handle of the first generation: a vector of container and name.
    return [(2,)] * len(op.output_types)


def _many(op: Any) -> Shapes:
    count = op.constant(1)
    if count is not None and count < 0:
        raise ValueError(f"Input 'n' must be >= 0, but is {count}")
    return unknown(op)


op(
    "FIFOQueue",
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
    "FIFOQueueV2",
    " -> handle: resource",
    "component_types: list(type) >= 1",
    "shapes: list(shape) >= 0 = []",
    "capacity: int = -1",
    "container: string = ''",
    "shared_name: string = ''",
    shape=scalar,
    stateful=True,
)
op(
    "RandomShuffleQueue",
    " -> handle: Ref(string)",
    "component_types: list(type) >= 1",
    "shapes: list(shape) >= 0 = []",
    "capacity: int = -1",
    "min_after_dequeue: int = 0",
    "seed: int = 0",
    "seed2: int = 0",
    "container: string = ''",
    "shared_name: string = ''",
    shape=_pair,
    stateful=True,
)
op(
    "RandomShuffleQueueV2",
    " -> handle: resource",
    "component_types: list(type) >= 1",
    "shapes: list(shape) >= 0 = []",
    "capacity: int = -1",
    "min_after_dequeue: int = 0",
    "seed: int = 0",
    "seed2: int = 0",
    "container: string = ''",
    "shared_name: string = ''",
    shape=scalar,
    stateful=True,
)
op(
    "PaddingFIFOQueue",
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
    "PaddingFIFOQueueV2",
    " -> handle: resource",
    "component_types: list(type) >= 1",
    "shapes: list(shape) >= 0 = []",
    "capacity: int = -1",
    "container: string = ''",
    "shared_name: string = ''",
    shape=scalar,
    stateful=True,
)
op(
    "PriorityQueue",
    " -> handle: Ref(string)",
    "component_types: list(type) >= 0 = []",
    "shapes: list(shape) >= 0",
    "capacity: int = -1",
    "container: string = ''",
    "shared_name: string = ''",
    shape=_pair,
    stateful=True,
)
op(
    "PriorityQueueV2",
    " -> handle: resource",
    "component_types: list(type) >= 0 = []",
    "shapes: list(shape) >= 0",
    "capacity: int = -1",
    "container: string = ''",
    "shared_name: string = ''",
    shape=scalar,
    stateful=True,
)
op("FakeQueue", "resource: resource -> handle: Ref(string)", shape=_pair, stateful=True)
op(
    "QueueEnqueue",
    "handle: Ref(string), components: Tcomponents -> ",
    "Tcomponents: list(type) >= 1",
    "timeout_ms: int = -1",
    shape=nothing,
)
op(
    "QueueEnqueueV2",
    "handle: resource, components: Tcomponents -> ",
    "Tcomponents: list(type) >= 1",
    "timeout_ms: int = -1",
    shape=nothing,
    stateful=True,
)
op(
    "QueueEnqueueMany",
    "handle: Ref(string), components: Tcomponents -> ",
    "Tcomponents: list(type) >= 1",
    "timeout_ms: int = -1",
    shape=nothing,
)
op(
    "QueueEnqueueManyV2",
    "handle: resource, components: Tcomponents -> ",
    "Tcomponents: list(type) >= 1",
    "timeout_ms: int = -1",
    shape=nothing,
    stateful=True,
)
op(
    "QueueDequeue",
    "handle: Ref(string) -> components: component_types",
    "component_types: list(type) >= 1",
    "timeout_ms: int = -1",
    shape=unknown,
)
op(
    "QueueDequeueV2",
    "handle: resource -> components: component_types",
    "component_types: list(type) >= 1",
    "timeout_ms: int = -1",
    shape=unknown,
    stateful=True,
)
op(
    "QueueDequeueMany",
    "handle: Ref(string), n: int32 -> components: component_types",
    "component_types: list(type) >= 1",
    "timeout_ms: int = -1",
    shape=unknown,
)
op(
    "QueueDequeueManyV2",
    "handle: resource, n: int32 -> components: component_types",
    "component_types: list(type) >= 1",
    "timeout_ms: int = -1",
    shape=_many,
    stateful=True,
)
op(
    "QueueDequeueUpTo",
    "handle: Ref(string), n: int32 -> components: component_types",
    "component_types: list(type) >= 1",
    "timeout_ms: int = -1",
    shape=unknown,
)
op(
    "QueueDequeueUpToV2",
    "handle: resource, n: int32 -> components: component_types",
    "component_types: list(type) >= 1",
    "timeout_ms: int = -1",
    shape=unknown,
    stateful=True,
)
op("QueueClose", "handle: Ref(string) -> ", "cancel_pending_enqueues: bool = false", shape=nothing)
op("QueueCloseV2", "handle: resource -> ", "cancel_pending_enqueues: bool = false", shape=nothing, stateful=True)
op("QueueSize", "handle: Ref(string) -> size: int32", shape=scalar)
op("QueueSizeV2", "handle: resource -> size: int32", shape=unchanged, stateful=True)
op("QueueIsClosed", "handle: Ref(string) -> is_closed: bool", shape=scalar)
op("QueueIsClosedV2", "handle: resource -> is_closed: bool", shape=scalar, stateful=True)
