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
from runstep.ops.creation import range as range_of
from runstep.ops.data_flow import FIFOQueue, PaddingFIFOQueue, RandomShuffleQueue
from runstep.ops.indexing import gather
from runstep.ops.io import matching_files
from runstep.ops.logging import Assert
from runstep.ops.random import random_shuffle
from runstep.ops.shape_ops import shape, size
from runstep.ops.summary import scalar_summary
from runstep.train.queue_runner import QueueRunner, add_queue_runner
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


def _as_list(tensors: Any) -> list[Any]:
    found = [tensors[key] for key in sorted(tensors)] if isinstance(tensors, dict) else list(tensors)
    if not found:
        raise ValueError("Expected at least one tensor in batch().")
    for item in found:
        if isinstance(item, SparseTensor):
            raise NotImplementedError(
                "Batches of SparseTensors are not supported here: serialize them (tf.serialize_sparse), batch the "
                "strings, and put them together with tf.deserialize_many_sparse."
            )
    return [convert_to_tensor(item) for item in found]


def _as_given(tensors: Any, found: Any) -> Any:
    found = [found] if isinstance(found, Tensor) else list(found)
    if isinstance(tensors, dict):
        return dict(zip(sorted(tensors), found, strict=True))
    if len(found) == 1 and not isinstance(tensors, list | tuple):
        return found[0]
    return found if len(found) > 1 else found[0]


def _shapes(lists: Sequence[Sequence[Tensor]], shapes: Any, enqueue_many: bool) -> Any:
    if shapes is not None:
        return shapes
    merged = []
    for tensors in zip(*lists, strict=True):
        known = tensors[0].get_shape()
        for other in tensors[1:]:
            known = known.merge_with(other.get_shape()) if known.is_compatible_with(other.get_shape()) else known
        merged.append(known.with_rank_at_least(1)[1:] if enqueue_many else known)
    return merged


def _filled(queue: Any, lists: Sequence[Sequence[Tensor]], num_threads: int, enqueue_many: bool, keep: Tensor) -> None:
    """Adds the QueueRunner that fills the queue with what is to be kept."""
    ops = []
    for tensors in lists:
        enqueue = queue.enqueue_many if enqueue_many else queue.enqueue
        if keep.get_shape().ndims:
            from runstep.ops.selecting import boolean_mask

            chosen: Sequence[Any] = [boolean_mask(tensor, keep) for tensor in tensors]
            ops.append(enqueue(chosen))
        else:
            ops.append(smart_cond(keep, functools.partial(enqueue, tensors), no_op))
    add_queue_runner(QueueRunner(queue, ops * num_threads))


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
    lists = [_as_list(tensors) for tensors in given]
    with name_scope(name, default_name) as scope:
        keep = convert_to_tensor(keep_input)
        types = [tensor.dtype.base_dtype for tensor in lists[0]]
        queue = make_queue(types, _shapes(lists, shapes, enqueue_many))
        _filled(queue, lists, num_threads, enqueue_many, keep)
        scalar_summary(*full(queue))
        dequeue = queue.dequeue_up_to if smaller else queue.dequeue_many
        return _as_given(given[0], dequeue(batch_size, name=scope))


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
    def full(queue: Any) -> tuple[str, Any]:
        rest = cast(maximum(0, queue.size() - min_after_dequeue), dtypes.float32)
        above = rest * (1.0 / (capacity - min_after_dequeue))
        return f"fraction_over_{min_after_dequeue}_of_{capacity - min_after_dequeue}_full", above

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
      tensors: a list or dict; the result is one too. enqueue_many: they are batches already.
      dynamic_pad: what has unknown sizes is padded with zeros. allow_smaller_final_batch: at the end of the input.

    Raises:
      ValueError: there are none. NotImplementedError: for SparseTensors.
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
