"""Queues as users make them: each object is a handle to one queue and adds the nodes that work on it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from runstep.graph import dtypes as dtypes_lib, random_seed
from runstep.graph.apply import apply
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import get_default_graph, name_scope
from runstep.graph.operation import Operation
from runstep.graph.shapes import Dimension, TensorShape, common
from runstep.graph.tensor import Tensor
from runstep.ops.indexing import gather
from runstep.ops.joining import stack

__all__ = ["FIFOQueue", "PaddingFIFOQueue", "PriorityQueue", "QueueBase", "RandomShuffleQueue"]


# --- what is declared ---------------------------------------------------------------------------------------------


def type_list(dtypes: Any) -> list[Any]:
    return list(dtypes) if isinstance(dtypes, list | tuple) else [dtypes]


def shape_list(
    shapes: Any, dtypes: Sequence[Any], unknown_dim_allowed: bool = False, unknown_rank_allowed: bool = False
) -> list[TensorShape] | None:
    """Declared shapes, one a component. A list of sizes is one shape.

    Raises:
      TypeError: no list of shapes. ValueError: not as many as dtypes, or not known well enough.
    """
    if shapes is None:
        return None
    if isinstance(shapes, TensorShape):
        shapes = [shapes]
    if not isinstance(shapes, list | tuple):
        raise TypeError(f"Shapes must be a TensorShape or a list or tuple of TensorShapes, got {type(shapes)} instead.")
    if all(shape is None or isinstance(shape, int | Dimension) for shape in shapes):
        shapes = [shapes]
    found = [TensorShape(shape) for shape in shapes]
    if not unknown_dim_allowed and not all(shape.is_fully_defined() for shape in found):
        raise ValueError(f"All shapes must be fully defined: {found}")
    if not unknown_rank_allowed and any(shape.rank is None for shape in found):
        raise ValueError(f"All shapes must have a defined rank: {found}")
    return found


def name_list(names: Any, dtypes: Sequence[Any]) -> list[str] | None:
    """Declared component names.

    Raises:
      TypeError, ValueError: no list, or not as many as dtypes.
    """
    if names is None:
        return None
    if not isinstance(names, list | tuple):
        names = [names]
    if len(names) != len(dtypes):
        raise ValueError(
            "List of names must have the same length as the list of dtypes, "
            f"received len(names)={len(names)},len(dtypes)={len(dtypes)}"
        )
    return list(names)


@contextmanager
def _outermost() -> Iterator[None]:
    """A queue is made once, whatever branch, loop or control dependencies the caller is in."""
    with get_default_graph().control_dependencies(None), on_host():
        yield


@contextmanager
def on_host() -> Iterator[None]:
    """On any CPU, unless the caller said a device."""
    graph = get_default_graph()
    if graph._scope.device or graph._scope.device_functions:
        yield
    else:
        with graph.device("/device:CPU:*"):
            yield


# --- the classes --------------------------------------------------------------------------------------------------


class QueueBase:
    """A queue of tuples of tensors that lives in the session, between steps (source: tf.queue.QueueBase).

    Args:
      dtypes: of the components. shapes: theirs, or None when they may vary (then there are no batches).
      names: of the components; with names, elements are dicts.
      queue_ref: the tensor that holds the queue's handle.

    Raises:
      ValueError: as many shapes and names as dtypes are needed.
    """

    def __init__(self, dtypes: Any, shapes: Any, names: Any, queue_ref: Tensor) -> None:
        self._dtypes = list(dtypes)
        if shapes is not None:
            if len(shapes) != len(self._dtypes):
                raise ValueError(
                    "Queue shapes must have the same length as dtypes, "
                    f"received len(shapes)={len(shapes)}, len(dtypes)={len(self._dtypes)}"
                )
            self._shapes = [TensorShape(shape) for shape in shapes]
        else:
            self._shapes = [TensorShape(None) for _ in self._dtypes]
        if names is not None and len(names) != len(self._dtypes):
            raise ValueError(
                "Queue names must have the same length as dtypes,"
                f"received len(names)={len(names)},len {len(self._dtypes)}"
            )
        self._names = None if names is None else list(names)
        self._queue_ref = queue_ref
        self._name = queue_ref.op.name.rpartition("/")[2]  # of its operations, in the scope where they are made

    @staticmethod
    def from_list(index: Any, queues: Any) -> QueueBase:
        """The queue at `index` (an int32 tensor or number) of a list of queues with the same types.

        Raises:
          TypeError: no list of queues, or their types or names differ.
        """
        if not queues or not isinstance(queues, list) or not all(isinstance(queue, QueueBase) for queue in queues):
            raise TypeError("A list of queues expected")
        first = queues[0]
        if not all(queue.dtypes == first.dtypes for queue in queues[1:]):
            raise TypeError("Queues do not have matching component dtypes.")
        if not all(queue.names == first.names for queue in queues[1:]):
            raise TypeError("Queues do not have matching component names.")
        shapes = [
            TensorShape.from_raw(common([shape.raw for shape in component]))
            for component in zip(*[queue.shapes for queue in queues], strict=True)
        ]
        chosen = gather(stack([queue.queue_ref for queue in queues]), index)
        return QueueBase(first.dtypes, shapes, first.names, chosen)

    @property
    def queue_ref(self) -> Tensor:
        """The tensor that holds the queue's handle."""
        return self._queue_ref

    @property
    def name(self) -> str:
        """The name of the queue's node."""
        return self._queue_ref.op.name

    @property
    def dtypes(self) -> list[Any]:
        return self._dtypes

    @property
    def shapes(self) -> list[TensorShape]:
        return self._shapes

    @property
    def names(self) -> list[str] | None:
        return self._names

    def _first_generation(self) -> bool:
        return self._queue_ref.dtype.is_ref

    def _op(self, op_type: str, *inputs: Any, name: str | None, suffix: str, **attrs: Any) -> Any:
        if not self._first_generation():
            op_type += "V2"
        return apply(op_type, self._queue_ref, *inputs, name=name or self._name + suffix, **attrs)

    def _component_list(self, vals: Any) -> list[Any]:
        if isinstance(vals, dict):
            if not self._names:
                raise ValueError("Queue must have names to enqueue a dictionary")
            if sorted(self._names, key=str) != sorted(vals, key=str):
                raise ValueError(
                    "Keys in dictionary to enqueue do not match names of Queue.  "
                    f"Dictionary: {sorted(vals)},Queue: {sorted(self._names)}"
                )
            return [vals[name] for name in self._names]
        if self._names:
            raise ValueError("You must enqueue a dictionary in a Queue with names")
        return list(vals) if isinstance(vals, list | tuple) else [vals]

    def _tensors(self, vals: Any) -> list[Tensor]:
        return [
            convert_to_tensor(value, dtype=dtype, name=f"component_{index}")
            for index, (value, dtype) in enumerate(zip(self._component_list(vals), self._dtypes, strict=False))
        ]

    def _structured(self, tensors: Sequence[Tensor]) -> Any:
        if self._names:
            return dict(zip(self._names, tensors, strict=True))
        return tensors[0] if len(tensors) == 1 else list(tensors)

    def enqueue(self, vals: Any, name: str | None = None) -> Operation:
        """The operation that puts one element in; it waits while the queue is full.

        Args:
          vals: a tensor, a list of as many as there are components, or a dict for a queue with names.

        Raises:
          ValueError: types or shapes are not those of the queue.
          CancelledError (in the run): the queue is closed.
        """
        with name_scope(name, f"{self._name}_enqueue", self._scope_values(vals)) as scope:
            tensors = self._tensors(vals)
            for tensor, shape in zip(tensors, self._shapes, strict=False):
                _check(tensor.shape, shape)
            return self._op("QueueEnqueue", tensors, name=scope, suffix="")

    def enqueue_many(self, vals: Any, name: str | None = None) -> Operation:
        """The operation that puts many elements in: the slices of each component along its first dimension.

        Raises:
          ValueError: types or shapes are not those of the queue, or the components differ in length.
        """
        with name_scope(name, f"{self._name}_EnqueueMany", self._scope_values(vals)) as scope:
            tensors = self._tensors(vals)
            length: Any = TensorShape(tensors[0].shape).with_rank_at_least(1)[0]
            for tensor, shape in zip(tensors, self._shapes, strict=False):
                length = length.merge_with(tensor.shape.with_rank_at_least(1)[0])
                _check(tensor.shape[1:], shape)
            return self._op("QueueEnqueueMany", tensors, name=scope, suffix="")

    def _scope_values(self, vals: Any) -> list[Any]:
        if isinstance(vals, dict):
            return list(vals.values())
        return list(vals) if isinstance(vals, list | tuple) else [vals]

    def dequeue(self, name: str | None = None) -> Any:
        """One element: a tensor, a list of tensors, or a dict. The step waits for it.

        Raises:
          OutOfRangeError (in the run): the queue is closed and empty.
        """
        tensors = self._op("QueueDequeue", name=name, suffix="_Dequeue", component_types=self._dtypes)
        for tensor, shape in zip(tensors, self._shapes, strict=True):
            tensor.set_shape(shape)
        return self._structured(tensors)

    def dequeue_many(self, n: Any, name: str | None = None) -> Any:
        """`n` elements, stacked along a new first dimension. The queue must know its components' shapes.

        Raises:
          OutOfRangeError (in the run): the queue is closed and holds fewer.
        """
        tensors = self._op("QueueDequeueMany", n, name=name, suffix="_DequeueMany", component_types=self._dtypes)
        known = constant_value(tensors[0].op.inputs[1])
        batch = TensorShape([None if known is None else int(known)])
        for tensor, shape in zip(tensors, self._shapes, strict=True):
            tensor.set_shape(batch.concatenate(shape))
        return self._structured(tensors)

    def dequeue_up_to(self, n: Any, name: str | None = None) -> Any:
        """As `dequeue_many`; a closed queue that holds fewer gives what it holds, at least one."""
        tensors = self._op("QueueDequeueUpTo", n, name=name, suffix="_DequeueUpTo", component_types=self._dtypes)
        for tensor, shape in zip(tensors, self._shapes, strict=True):
            tensor.set_shape(TensorShape([None]).concatenate(shape))
        return self._structured(tensors)

    def close(self, cancel_pending_enqueues: bool = False, name: str | None = None) -> Operation:
        """The operation that closes the queue: no more elements go in, those inside may be taken out.

        Args:
          cancel_pending_enqueues: those who wait to put something in fail with CancelledError; else they go first.
        """
        return self._op("QueueClose", name=name, suffix="_Close", cancel_pending_enqueues=cancel_pending_enqueues)

    def is_closed(self, name: str | None = None) -> Tensor:
        """Whether the queue is closed: a bool of rank 0."""
        return self._op("QueueIsClosed", name=name, suffix="_Is_Closed")

    def size(self, name: str | None = None) -> Tensor:
        """How many elements are inside: an int32 of rank 0."""
        return self._op("QueueSize", name=name, suffix="_Size")


def _check(shape: TensorShape, declared: TensorShape) -> None:
    if not shape.is_compatible_with(declared):
        raise ValueError(f"Shapes {shape} and {declared} are incompatible")


class FIFOQueue(QueueBase):
    """First in, first out (source: tf.queue.FIFOQueue).

    Args:
      capacity: how many elements fit. dtypes, shapes, names: of the components, see `QueueBase`.
      shared_name: queues of one name, in one session, are one queue.
    """

    def __init__(
        self,
        capacity: Any,
        dtypes: Any,
        shapes: Any = None,
        names: Any = None,
        shared_name: str | None = None,
        name: str = "fifo_queue",
    ) -> None:
        dtypes = type_list(dtypes)
        shapes = shape_list(shapes, dtypes)
        names = name_list(names, dtypes)
        with _outermost():
            ref = _queue("FIFOQueueV2", dtypes, shapes, capacity, shared_name, name)
        super().__init__(dtypes, shapes, names, ref)


class RandomShuffleQueue(QueueBase):
    """Elements come out in random order (source: tf.queue.RandomShuffleQueue).

    Args:
      min_after_dequeue: so many elements stay inside until the queue is closed, to keep the order random.
      seed: makes the order repeat. The rest as for `FIFOQueue`.
    """

    def __init__(
        self,
        capacity: Any,
        min_after_dequeue: Any,
        dtypes: Any,
        shapes: Any = None,
        names: Any = None,
        seed: int | None = None,
        shared_name: str | None = None,
        name: str = "random_shuffle_queue",
    ) -> None:
        dtypes = type_list(dtypes)
        shapes = shape_list(shapes, dtypes)
        names = name_list(names, dtypes)
        seed1, seed2 = random_seed.get_seed(seed)
        if seed1 is None and seed2 is None:
            seed1, seed2 = 0, 0
        elif seed is None and shared_name is not None:
            # All who share the queue must say the same seed, whichever place they have in their graphs.
            digest = hashlib.md5((str(seed1) + shared_name).encode(), usedforsecurity=False).hexdigest()
            seed2 = int(digest[:8], 16) & 0x7FFFFFFF
        ref = _queue(
            "RandomShuffleQueueV2",
            dtypes,
            shapes,
            capacity,
            shared_name,
            name,
            min_after_dequeue=min_after_dequeue,
            seed=seed1,
            seed2=seed2,
        )
        super().__init__(dtypes, shapes, names, ref)


class PaddingFIFOQueue(QueueBase):
    """First in, first out, of components with partly known shapes (source: tf.queue.PaddingFIFOQueue).

    A batch is filled up with zeros (empty strings) to the largest of its elements.

    Raises:
      ValueError: no shapes, or one of unknown rank.
    """

    def __init__(
        self,
        capacity: Any,
        dtypes: Any,
        shapes: Any,
        names: Any = None,
        shared_name: str | None = None,
        name: str = "padding_fifo_queue",
    ) -> None:
        dtypes = type_list(dtypes)
        listed = isinstance(shapes, list | tuple | str) and shapes
        if not listed or any(shape is None or isinstance(shape, int) for shape in shapes):
            raise ValueError("When providing partial shapes, a list of shapes must be provided.")
        shapes = shape_list(shapes, dtypes, unknown_dim_allowed=True)
        names = name_list(names, dtypes)
        if len(dtypes) != len(shapes or ()):
            raise ValueError(
                "Shapes must be provided for all components, "
                f"but received {len(dtypes)} dtypes and {len(shapes or ())} shapes."
            )
        super().__init__(
            dtypes, shapes, names, _queue("PaddingFIFOQueueV2", dtypes, shapes, capacity, shared_name, name)
        )


class PriorityQueue(QueueBase):
    """Elements come out in the order of an int64 put in as their first component (source: tf.queue.PriorityQueue).

    Args:
      types, shapes: of the components behind the priority; names: of all, the priority first.
    """

    def __init__(
        self,
        capacity: Any,
        types: Any,
        shapes: Any = None,
        names: Any = None,
        shared_name: str | None = None,
        name: str = "priority_queue",
    ) -> None:
        types = type_list(types)
        shapes = shape_list(shapes, types)
        if shapes is None:
            raise TypeError("Expected list for 'shapes' argument to 'priority_queue_v2' Op, not None.")
        ref = _queue("PriorityQueueV2", types, shapes, capacity, shared_name, name)
        super().__init__([dtypes_lib.int64, *types], [TensorShape([]), *shapes], names, ref)


def _queue(
    op_type: str, types: list[Any], shapes: Any, capacity: Any, shared_name: str | None, name: str, **more: Any
) -> Tensor:
    return apply(
        op_type,
        component_types=types,
        shapes=shapes or [],
        capacity=capacity,
        shared_name=shared_name or "",
        name=name,
        **more,
    )
