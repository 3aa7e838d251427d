"""Kernels of queues: a node owns the queue, others put in, take out, close and look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from runstep.graph import dtypes, shapes
from runstep.graph.dtypes import DType
from runstep.graph.shapes import RawShape
from runstep.kernels import shared
from runstep.kernels.queues import UNBOUNDED, Element, PaddingQueue, PriorityQueue, Queue, ShuffleQueue
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.shared import invalid

QUEUE = "tensorflow::QueueInterface"


def queue_of(handle: Any) -> Queue:
    """The queue that a handle names."""
    return shared.found(handle, QUEUE)


# --- owners -------------------------------------------------------------------------------------------------------


def _declared(node: Node) -> tuple[tuple[DType, ...], tuple[RawShape, ...], int]:
    types, component_shapes = node.attrs["component_types"], node.attrs["shapes"]
    capacity = node.attrs["capacity"]
    return types, component_shapes, capacity if capacity >= 0 else UNBOUNDED


def _shapes_text(component_shapes: tuple[RawShape, ...] | None) -> str:
    return f"[{', '.join(map(shapes.text, component_shapes or ()))}]"


def _check_shapes(types: tuple[DType, ...], component_shapes: tuple[RawShape, ...]) -> None:
    if component_shapes and len(component_shapes) != len(types):
        raise invalid(
            f"Different number of component types.  Types: {shared.types_text(types)}, "
            f"Shapes: {_shapes_text(component_shapes)}"
        )


def _check_static(component_shapes: tuple[RawShape, ...]) -> None:
    for shape in component_shapes:
        if not shapes.is_fully_defined(shape):
            raise invalid(f"Shape {shapes.text(shape)} is not fully defined")


def _queue_owner(
    node: Node,
    make: Callable[[str], Queue],
    cls: type[Queue],
    types: tuple[DType, ...],
    component_shapes: tuple[RawShape, ...],
    capacity: int,
    more: Callable[[Any], None] | None = None,
) -> Kernel:
    def check(queue: Queue) -> None:
        if type(queue) is not cls:
            found = {ShuffleQueue: "RandomShuffleQueue", PaddingQueue: "PaddingFIFOQueue"}.get(type(queue), queue.kind)
            raise invalid(f"Expected {found}, found {node.type}")
        said = f"Shared queue '{queue.name}' has"
        if queue.capacity != capacity:
            raise invalid(f"{said} capacity {queue.capacity} but requested capacity was {capacity}")
        if queue.types != types:
            raise invalid(
                f"{said} component types {shared.types_text(queue.types)} "
                f"but requested component types were {shared.types_text(types)}"
            )
        if not queue.like(component_shapes):
            raise invalid(
                f"{said} component shapes {_shapes_text(queue.shapes)} "
                f"but requested component shapes were {_shapes_text(component_shapes)}"
            )
        if more is not None:
            more(queue)

    return shared.owner(node, QUEUE, make, check)


@numpy_kernel.make("FIFOQueue", "FIFOQueueV2")
def fifo_queue(node: Node) -> Kernel:
    types, component_shapes, capacity = _declared(node)

    def make(name: str) -> Queue:
        _check_shapes(types, component_shapes)
        _check_static(component_shapes)
        return Queue(name, types, component_shapes, capacity)

    return _queue_owner(node, make, Queue, types, component_shapes, capacity)


@numpy_kernel.make("PaddingFIFOQueue", "PaddingFIFOQueueV2")
def padding_fifo_queue(node: Node) -> Kernel:
    types, component_shapes, capacity = _declared(node)

    def make(name: str) -> Queue:
        if len(component_shapes) != len(types):
            raise invalid(
                f"Shapes must be provided for all components, but received {len(types)} dtypes and "
                f"{len(component_shapes)} shapes."
            )
        for shape in component_shapes:
            if shape is None:
                raise invalid("shape <unknown> must have known rank.")
        return PaddingQueue(name, types, component_shapes, capacity)

    return _queue_owner(node, make, PaddingQueue, types, component_shapes, capacity)


@numpy_kernel.make("PriorityQueue", "PriorityQueueV2")
def priority_queue(node: Node) -> Kernel:
    types, component_shapes, capacity = _declared(node)
    all_types, all_shapes = (dtypes.int64, *types), ((), *component_shapes)

    def make(name: str) -> Queue:
        _check_shapes(all_types, all_shapes)
        _check_static(component_shapes)
        return PriorityQueue(name, all_types, all_shapes, capacity)

    return _queue_owner(node, make, PriorityQueue, all_types, all_shapes, capacity)


@numpy_kernel.make("RandomShuffleQueue", "RandomShuffleQueueV2")
def random_shuffle_queue(node: Node) -> Kernel:
    types, component_shapes, capacity = _declared(node)
    least, seeds = node.attrs["min_after_dequeue"], (node.attrs["seed"], node.attrs["seed2"])
    if least < 0:
        raise invalid(f"min_after_dequeue {least} must be >= 0")
    if least >= capacity:
        raise invalid(f"min_after_dequeue {least} must be < capacity {capacity}")

    def make(name: str) -> Queue:
        _check_shapes(types, component_shapes)
        _check_static(component_shapes)
        return ShuffleQueue(name, types, component_shapes, capacity, least, *seeds)

    def more(queue: ShuffleQueue) -> None:
        said = f"Shared queue '{queue.name}' has"
        if queue.min_after_dequeue != least:
            raise invalid(
                f"{said} min_after_dequeue {queue.min_after_dequeue} but requested min_after_dequeue was {least}."
            )
        if seeds != (0, 0) and queue.seeds != seeds:
            raise invalid(f"{said} random seeds {queue.seeds} but requested seeds are {seeds}.")

    return _queue_owner(node, make, ShuffleQueue, types, component_shapes, capacity, more)


@numpy_kernel("FakeQueue")
def fake_queue(handle: Any) -> Any:
    return shared.RefHandle(handle, handle.name)


# --- putting in ---------------------------------------------------------------------------------------------------


def _check_signature(node: Node, queue: Queue, puts: bool, *more: DType) -> None:
    handle = dtypes.string._as_ref if node.input_types[0].is_ref else dtypes.resource
    components = node.attrs["Tcomponents"] if puts else node.attrs["component_types"]
    if puts:
        raise shared.signature_mismatch(((handle, *components), ()), ((handle, *queue.types), ()))
    raise shared.signature_mismatch(((handle, *more), components), ((handle, *more), queue.types))


@numpy_kernel.make("QueueEnqueue", "QueueEnqueueV2", is_async=True)
def enqueue(node: Node) -> Kernel:
    types = node.attrs["Tcomponents"]
    shared.refuse_timeout(node)

    async def run(handle: Any, *components: Any) -> None:
        queue = queue_of(handle)
        if queue.types != types:
            _check_signature(node, queue, True)
        queue.check([shared.shape_of(value) for value in components], ())
        await queue.put([tuple(map(shared.kept, components))])

    return run


@numpy_kernel.make("QueueEnqueueMany", "QueueEnqueueManyV2", is_async=True)
def enqueue_many(node: Node) -> Kernel:
    types = node.attrs["Tcomponents"]
    shared.refuse_timeout(node)

    async def run(handle: Any, *components: Any) -> None:
        queue = queue_of(handle)
        if queue.types != types:
            _check_signature(node, queue, True)
        sizes = [shared.shape_of(value) for value in components]
        count = sizes[0][0] if sizes[0] else None
        queue.check(sizes, (count,))
        for index, shape in enumerate(sizes):
            if not shape:
                raise invalid(f"Component {index} of an element batch is a scalar; it needs a dimension in front.")
            if shape[0] != count:
                raise invalid(
                    "All input tensors must have the same size in the 0th dimension. "
                    f"Component {index} has {shape[0]}, and should have {count}"
                )
        columns = [shared.rows(value, dtype) for value, dtype in zip(components, types, strict=True)]
        await queue.put(list(zip(*columns, strict=True)))

    return run


# --- taking out ---------------------------------------------------------------------------------------------------


def _one(values: Element) -> Any:
    return values[0] if len(values) == 1 else tuple(values)


@numpy_kernel.make("QueueDequeue", "QueueDequeueV2", is_async=True)
def dequeue(node: Node) -> Kernel:
    types = node.attrs["component_types"]
    shared.refuse_timeout(node)

    async def run(handle: Any) -> Any:
        queue = queue_of(handle)
        if queue.types != types:
            _check_signature(node, queue, False)
        return _one((await queue.take(1, batch=False))[0])

    return run


def _padded(items: list[Any], dtype: DType, declared: tuple[int | None, ...]) -> np.ndarray:
    """Items of different sizes along a new first dimension, filled up at their ends."""
    if None not in declared:
        return shared.stacked(items, dtype, declared)  # type: ignore[arg-type]
    sizes = [shared.shape_of(item) for item in items]
    largest = [max((size[axis] for size in sizes), default=0) for axis in range(len(declared))]
    shape = tuple(most if size is None else size for size, most in zip(declared, largest, strict=True))
    out = np.full((len(items), *shape), b"" if dtype is dtypes.string else 0, dtype.np)
    for index, (item, size) in enumerate(zip(items, sizes, strict=True)):
        part: Any = (index, *map(slice, size))
        out[part] = item
    return out


def _batched(queue: Queue, elements: list[Element]) -> Any:
    columns: Any = zip(*elements, strict=True) if elements else [()] * len(queue.types)
    assert queue.shapes is not None
    return _one(
        tuple(
            _padded(list(column), dtype, shape or ())
            for column, dtype, shape in zip(columns, queue.types, queue.shapes, strict=True)
        )
    )


def _dequeue_batch(what: str, up_to: bool) -> Callable[[Node], Kernel]:
    def make(node: Node) -> Kernel:
        types = node.attrs["component_types"]
        shared.refuse_timeout(node)

        async def run(handle: Any, n: Any) -> Any:
            queue = queue_of(handle)
            if queue.types != types:
                _check_signature(node, queue, False, dtypes.int32)
            count = shared.one(n, "n")
            if count < 0:
                raise invalid(f"{what} requested {count} < 0 elements")
            if queue.shapes is None:
                raise invalid(
                    f"{queue.batch_kind}'s DequeueMany and DequeueUpTo require the components to have specified shapes."
                )
            return _batched(queue, await queue.take(count, up_to=up_to))

        return run

    return make


numpy_kernel.make("QueueDequeueMany", "QueueDequeueManyV2", is_async=True)(_dequeue_batch("DequeueManyOp", False))
numpy_kernel.make("QueueDequeueUpTo", "QueueDequeueUpToV2", is_async=True)(_dequeue_batch("DequeueUpToOp", True))


# --- closing and looking ------------------------------------------------------------------------------------------


@numpy_kernel.make("QueueClose", "QueueCloseV2", is_async=True)
def close(node: Node) -> Kernel:
    cancel = node.attrs["cancel_pending_enqueues"]

    async def run(handle: Any) -> None:
        await queue_of(handle).close(cancel)

    return run


@numpy_kernel("QueueSize", "QueueSizeV2")
def size(handle: Any) -> Any:
    return np.int32(len(queue_of(handle)))


@numpy_kernel("QueueIsClosed", "QueueIsClosedV2")
def is_closed(handle: Any) -> Any:
    return np.bool_(queue_of(handle).closed)
