"""Input by queues: producers of file names and numbers, and batches that threads fill."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from runstep.graph import dtypes
from runstep.graph.collections import GraphKeys
from runstep.graph.composite import SparseTensor
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import get_default_graph, name_scope
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor
from runstep.ops.arithmetic import maximum
from runstep.ops.basic import constant, identity, no_op
from runstep.ops.branching import smart_cond
from runstep.ops.cast import cast
from runstep.ops.comparison import greater
from runstep.ops.conversion import convert_to_tensor_or_sparse_tensor
from runstep.ops.creation import range as range_of
from runstep.ops.data_flow import FIFOQueue, PaddingFIFOQueue, RandomShuffleQueue
from runstep.ops.indexing import dynamic_partition, gather
from runstep.ops.io import matching_files
from runstep.ops.logging import Assert
from runstep.ops.random import random_shuffle
from runstep.ops.shape_ops import shape, size
from runstep.ops.summary import scalar_summary
from runstep.train.queue_runner import QueueRunner, add_queue_runner
from runstep.train.sparse_input import restored, stored
from runstep.variables.variable import Variable

__all__ = [
    "batch",
    "batch_join",
    "input_producer",
    "limit_epochs",
    "match_filenames_once",
    "maybe_batch",
    "maybe_batch_join",
    "maybe_shuffle_batch",
    "maybe_shuffle_batch_join",
    "range_input_producer",
    "shuffle_batch",
    "shuffle_batch_join",
    "slice_input_producer",
    "string_input_producer",
]

# --- producers ----------------------------------------------------------------------------------------------------


def match_filenames_once(pattern: Any, name: str | None = None) -> Any:
    """A local variable with the names of files that match (source: tf.train.match_filenames_once)."""
    with name_scope(name, "matching_filenames", [pattern]) as scope:
        return Variable(
            matching_files(pattern),
            name=scope,
            trainable=False,
            validate_shape=False,
            collections=[GraphKeys.LOCAL_VARIABLES],
        )


def limit_epochs(tensor: Any, num_epochs: int | None = None, name: str | None = None) -> Any:
    """The tensor, `num_epochs` times; then an OutOfRangeError (source: tf.train.limit_epochs).

    A local variable counts. ValueError unless the number is positive.
    """
    if num_epochs is None:
        return tensor
    if num_epochs <= 0:
        raise ValueError(f"num_epochs must be > 0 not {num_epochs}.")
    with name_scope(name, "limit_epochs", [tensor]) as scope:
        zero = constant(0, dtype=dtypes.int64)
        epochs = Variable(zero, name="epochs", trainable=False, collections=[GraphKeys.LOCAL_VARIABLES])
        with get_default_graph().control_dependencies([epochs.count_up_to(num_epochs)]):
            return identity(tensor, name=scope)


def input_producer(
    input_tensor: Any,
    element_shape: Any = None,
    num_epochs: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    capacity: int = 32,
    shared_name: str | None = None,
    summary_name: str | None = None,
    name: str | None = None,
    cancel_op: Any = None,
) -> Any:
    """A queue of the rows of a tensor, again and again (source: tf.train.input_producer).

    Args:
      num_epochs: how often; for ever by default. shuffle: anew each time.

    Raises:
      ValueError: the shape of rows is not known.
    """
    with name_scope(name, "input_producer", [input_tensor]):
        tensor = convert_to_tensor(input_tensor, name="input_tensor")
        rows = tensor.get_shape()[1:].merge_with(TensorShape(element_shape))
        if not rows.is_fully_defined():
            raise ValueError(
                "Either `input_tensor` must have a fully defined shape or `element_shape` must be specified"
            )
        if shuffle:
            tensor = random_shuffle(tensor, seed=seed)
        tensor = limit_epochs(tensor, num_epochs)
        queue = FIFOQueue(capacity, dtypes=[tensor.dtype.base_dtype], shapes=[rows], shared_name=shared_name, name=name)  # type: ignore[arg-type]
        add_queue_runner(QueueRunner(queue, [queue.enqueue_many([tensor])], cancel_op=cancel_op))
        if summary_name is not None:
            scalar_summary(summary_name, cast(queue.size(), dtypes.float32) * (1.0 / capacity))
        return queue


def string_input_producer(
    string_tensor: Any,
    num_epochs: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    capacity: int = 32,
    shared_name: str | None = None,
    name: str | None = None,
    cancel_op: Any = None,
) -> Any:
    """A queue of strings, such as file names, for a reader (source: tf.train.string_input_producer).

    Raises:
      ValueError: there are none.
    """
    message = "string_input_producer requires a non-null input tensor"
    if not isinstance(string_tensor, Tensor | Variable) and not string_tensor:
        raise ValueError(message)
    with name_scope(name, "input_producer", [string_tensor]) as scope:
        tensor = convert_to_tensor(string_tensor, dtype=dtypes.string)
        with get_default_graph().control_dependencies([Assert(greater(size(tensor), 0), [message])]):
            tensor = identity(tensor)
        summary_name = f"fraction_of_{capacity}_full"
        return input_producer(
            tensor, [], num_epochs, shuffle, seed, capacity, shared_name, summary_name, scope, cancel_op
        )


def range_input_producer(
    limit: Any,
    num_epochs: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    capacity: int = 32,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """A queue of the numbers below `limit` (source: tf.train.range_input_producer)."""
    with name_scope(name, "input_producer", [limit]) as scope:
        summary_name = f"fraction_of_{capacity}_full"
        return input_producer(
            range_of(limit), [], num_epochs, shuffle, seed, capacity, shared_name, summary_name, scope
        )


def slice_input_producer(
    tensor_list: Sequence[Any],
    num_epochs: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    capacity: int = 32,
    shared_name: str | None = None,
    name: str | None = None,
) -> list[Any]:
    """One row of each tensor at a time (source: tf.train.slice_input_producer). ValueError without tensors."""
    with name_scope(name, "input_producer", tensor_list):
        tensors = [convert_to_tensor(tensor) for tensor in tensor_list]
        if not tensors:
            raise ValueError("Expected at least one tensor in slice_input_producer().")
        queue = range_input_producer(shape(tensors[0])[0], num_epochs, shuffle, seed, capacity, shared_name)
        index = queue.dequeue()
        return [gather(tensor, index) for tensor in tensors]


# --- batches ------------------------------------------------------------------------------------------------------


def _as_lists(given: Sequence[Any]) -> list[list[Any]]:
    """The components of each source, in one order.

    Raises:
      ValueError: there are no sources, one has none, or other keys. TypeError: their types differ.
    """
    if not given:
        raise ValueError("Expected at least one set of tensors")
    if isinstance(given[0], dict) and any(set(tensors) != set(given[0]) for tensors in given):
        raise ValueError("All dictionaries in tensors_list must have the same keys")
    lists = [[tensors[key] for key in sorted(given[0])] if isinstance(given[0], dict) else tensors for tensors in given]
    found = [[convert_to_tensor_or_sparse_tensor(item) for item in tensors] for tensors in lists]
    if not all(found):
        raise ValueError("Expected at least one tensor in batch().")
    for first, *others in zip(*found, strict=True):
        for other in others:
            if other.dtype.base_dtype != first.dtype.base_dtype and not isinstance(first, SparseTensor):
                names = first.dtype.base_dtype.name, other.dtype.base_dtype.name
                raise TypeError(f"Expected types to be consistent: {names[0]} vs. {names[1]}.")
    return found


def _as_given(tensors: Any, found: list[Any]) -> Any:
    if isinstance(tensors, dict):
        return dict(zip(sorted(tensors), found, strict=True))
    return found if len(found) > 1 else found[0]


def _shapes(lists: Sequence[Sequence[Tensor]], shapes: Any, enqueue_many: bool) -> Any:
    if shapes is not None:
        return shapes
    merged = []
    for tensors in zip(*lists, strict=True):
        sizes = [tensor.get_shape() for tensor in tensors]
        for tensor, known in zip(tensors, sizes, strict=True):
            if known.ndims is None:
                raise ValueError(f"Cannot infer Tensor's rank: {tensor}")
        if enqueue_many:
            sizes = [known.with_rank_at_least(1)[1:] for known in sizes]
        merged.append(functools.reduce(TensorShape.merge_with, sizes))
    return merged


def _filled(queue: Any, lists: Sequence[Sequence[Tensor]], num_threads: int, enqueue_many: bool, keep: Tensor) -> None:
    """Adds the QueueRunner that fills the queue with what is to be kept."""
    parts = cast(keep, dtypes.int32) if keep.get_shape().ndims else None
    ops = []
    for tensors in lists:
        enqueue = queue.enqueue_many if enqueue_many else queue.enqueue
        if parts is None:
            ops.append(smart_cond(keep, functools.partial(enqueue, tensors), no_op))
        else:
            ops.append(enqueue([dynamic_partition(tensor, parts, 2)[1] for tensor in tensors]))
    add_queue_runner(QueueRunner(queue, ops * num_threads))


def _checked_keep(keep_input: Any, enqueue_many: bool) -> Tensor:
    keep = convert_to_tensor(keep_input)
    rank = keep.get_shape().ndims
    if rank is None:
        raise ValueError("`keep_input` dimensions must be known at graph construction.")
    if rank == 1 and not enqueue_many:
        raise ValueError("`keep_input` cannot be a vector when `enqueue_many=False`.")
    if rank > 1:
        raise ValueError("`keep_input` must be 0 or 1 dimensions.")
    return keep


def _batched(
    given: Sequence[Any],
    make_queue: Callable[[Any, Any], Any],
    full: Callable[[Any], tuple[str, Any]],
    batch_size: Any,
    keep_input: Any,
    num_threads: int,
    enqueue_many: bool,
    shapes: Any,
    smaller: bool,
    name: str | None,
    default_name: str,
) -> Any:
    components = _as_lists(given)
    with name_scope(name, default_name) as scope:
        keep = _checked_keep(keep_input, enqueue_many)
        lists, kept = stored(components, enqueue_many, keep)
        types = [tensor.dtype.base_dtype for tensor in lists[0]]
        queue = make_queue(types, _shapes(lists, shapes, enqueue_many))
        _filled(queue, lists, num_threads, enqueue_many, keep)
        scalar_summary(*full(queue))
        dequeue = queue.dequeue_up_to if smaller else queue.dequeue_many
        taken = dequeue(batch_size, name=scope)
        return _as_given(given[0], restored([taken] if isinstance(taken, Tensor) else taken, kept))


def _in_order(
    given: Sequence[Any],
    batch_size: Any,
    keep_input: Any,
    num_threads: int,
    capacity: int,
    enqueue_many: bool,
    shapes: Any,
    dynamic_pad: bool,
    smaller: bool,
    shared_name: str | None,
    name: str | None,
    default_name: str,
) -> Any:
    kind = PaddingFIFOQueue if dynamic_pad else FIFOQueue

    def full(queue: Any) -> tuple[str, Any]:
        return f"fraction_of_{capacity}_full", cast(queue.size(), dtypes.float32) * (1.0 / capacity)

    return _batched(
        given,
        lambda types, sizes: kind(capacity, dtypes=types, shapes=sizes, shared_name=shared_name),
        full,
        batch_size,
        keep_input,
        num_threads,
        enqueue_many,
        shapes,
        smaller,
        name,
        default_name,
    )


def _shuffled(
    given: Sequence[Any],
    batch_size: Any,
    capacity: int,
    min_after_dequeue: int,
    keep_input: Any,
    num_threads: int,
    seed: int | None,
    enqueue_many: bool,
    shapes: Any,
    smaller: bool,
    shared_name: str | None,
    name: str | None,
    default_name: str,
) -> Any:
    if capacity <= min_after_dequeue:
        raise ValueError(f"capacity {capacity} must be bigger than min_after_dequeue {min_after_dequeue}.")

    def full(queue: Any) -> tuple[str, Any]:
        rest = cast(maximum(0, queue.size() - min_after_dequeue), dtypes.float32)
        above = rest * (1.0 / (capacity - min_after_dequeue))
        return "fraction_over_%d_of_%d_full" % (min_after_dequeue, capacity - min_after_dequeue), above  # noqa: UP031

    def make(types: Any, sizes: Any) -> Any:
        return RandomShuffleQueue(
            capacity, min_after_dequeue, dtypes=types, shapes=sizes, seed=seed, shared_name=shared_name
        )

    return _batched(
        given, make, full, batch_size, keep_input, num_threads, enqueue_many, shapes, smaller, name, default_name
    )


def batch(
    tensors: Any,
    batch_size: Any,
    num_threads: int = 1,
    capacity: int = 32,
    enqueue_many: bool = False,
    shapes: Any = None,
    dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """Batches of tensors, in order, filled by threads (source: tf.train.batch).

    Args:
      tensors: a list or dict, of SparseTensors too; the result is one too. enqueue_many: they are batches already.
      dynamic_pad: what has unknown sizes is padded with zeros. allow_smaller_final_batch: at the end of the input.

    Raises:
      ValueError: there are none.
    """
    return maybe_batch(
        tensors,
        True,
        batch_size,
        num_threads,
        capacity,
        enqueue_many,
        shapes,
        dynamic_pad,
        allow_smaller_final_batch,
        shared_name,
        name,
    )


def maybe_batch(
    tensors: Any,
    keep_input: Any,
    batch_size: Any,
    num_threads: int = 1,
    capacity: int = 32,
    enqueue_many: bool = False,
    shapes: Any = None,
    dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """As `batch`, of what `keep_input` is true for (source: tf.train.maybe_batch)."""
    return _in_order(
        [tensors],
        batch_size,
        keep_input,
        num_threads,
        capacity,
        enqueue_many,
        shapes,
        dynamic_pad,
        allow_smaller_final_batch,
        shared_name,
        name,
        "batch",
    )


def batch_join(
    tensors_list: Sequence[Any],
    batch_size: Any,
    capacity: int = 32,
    enqueue_many: bool = False,
    shapes: Any = None,
    dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """Batches of the tensors of several sources, a thread each (source: tf.train.batch_join)."""
    return maybe_batch_join(
        tensors_list,
        True,
        batch_size,
        capacity,
        enqueue_many,
        shapes,
        dynamic_pad,
        allow_smaller_final_batch,
        shared_name,
        name,
    )


def maybe_batch_join(
    tensors_list: Sequence[Any],
    keep_input: Any,
    batch_size: Any,
    capacity: int = 32,
    enqueue_many: bool = False,
    shapes: Any = None,
    dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """As `batch_join`, of what `keep_input` is true for (source: tf.train.maybe_batch_join)."""
    return _in_order(
        list(tensors_list),
        batch_size,
        keep_input,
        1,
        capacity,
        enqueue_many,
        shapes,
        dynamic_pad,
        allow_smaller_final_batch,
        shared_name,
        name,
        "batch_join",
    )


def shuffle_batch(
    tensors: Any,
    batch_size: Any,
    capacity: int,
    min_after_dequeue: int,
    num_threads: int = 1,
    seed: int | None = None,
    enqueue_many: bool = False,
    shapes: Any = None,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """Batches of tensors, shuffled (source: tf.train.shuffle_batch).

    Args:
      min_after_dequeue: so many are always there to choose from.
    """
    return maybe_shuffle_batch(
        tensors,
        batch_size,
        capacity,
        min_after_dequeue,
        True,
        num_threads,
        seed,
        enqueue_many,
        shapes,
        allow_smaller_final_batch,
        shared_name,
        name,
    )


def maybe_shuffle_batch(
    tensors: Any,
    batch_size: Any,
    capacity: int,
    min_after_dequeue: int,
    keep_input: Any,
    num_threads: int = 1,
    seed: int | None = None,
    enqueue_many: bool = False,
    shapes: Any = None,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """As `shuffle_batch`, of what `keep_input` is true for (source: tf.train.maybe_shuffle_batch)."""
    return _shuffled(
        [tensors],
        batch_size,
        capacity,
        min_after_dequeue,
        keep_input,
        num_threads,
        seed,
        enqueue_many,
        shapes,
        allow_smaller_final_batch,
        shared_name,
        name,
        "shuffle_batch",
    )


def shuffle_batch_join(
    tensors_list: Sequence[Any],
    batch_size: Any,
    capacity: int,
    min_after_dequeue: int,
    seed: int | None = None,
    enqueue_many: bool = False,
    shapes: Any = None,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """Shuffled batches of the tensors of several sources, a thread each (source: tf.train.shuffle_batch_join)."""
    return maybe_shuffle_batch_join(
        tensors_list,
        batch_size,
        capacity,
        min_after_dequeue,
        True,
        seed,
        enqueue_many,
        shapes,
        allow_smaller_final_batch,
        shared_name,
        name,
    )


def maybe_shuffle_batch_join(
    tensors_list: Sequence[Any],
    batch_size: Any,
    capacity: int,
    min_after_dequeue: int,
    keep_input: Any,
    seed: int | None = None,
    enqueue_many: bool = False,
    shapes: Any = None,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """As `shuffle_batch_join`, of what `keep_input` is true for (source: tf.train.maybe_shuffle_batch_join)."""
    return _shuffled(
        list(tensors_list),
        batch_size,
        capacity,
        min_after_dequeue,
        keep_input,
        1,
        seed,
        enqueue_many,
        shapes,
        allow_smaller_final_batch,
        shared_name,
        name,
        "shuffle_batch_join",
    )
