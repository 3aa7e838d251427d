"""`tf.data.experimental`: transformations to be applied with `Dataset.apply`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runstep.data.dataset import AUTOTUNE, INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset
from runstep.data.optional import Optional, get_next_as_optional
from runstep.data.options import (
    AutoShardPolicy,
    AutotuneOptions,
    DistributeOptions,
    ExternalStatePolicy,
    OptimizationOptions,
    ThreadingOptions,
)
from runstep.graph import dtypes
from runstep.graph.convert import convert_to_tensor

__all__ = [
    "AUTOTUNE",
    "INFINITE_CARDINALITY",
    "UNKNOWN_CARDINALITY",
    "AutoShardPolicy",
    "AutotuneOptions",
    "Counter",
    "DistributeOptions",
    "ExternalStatePolicy",
    "OptimizationOptions",
    "Optional",
    "RandomDataset",
    "ThreadingOptions",
    "assert_cardinality",
    "bucket_by_sequence_length",
    "choose_from_datasets",
    "copy_to_device",
    "dense_to_ragged_batch",
    "enumerate_dataset",
    "get_next_as_optional",
    "get_single_element",
    "get_structure",
    "group_by_window",
    "ignore_errors",
    "map_and_batch",
    "parallel_interleave",
    "prefetch_to_device",
    "sample_from_datasets",
    "scan",
    "shuffle_and_repeat",
    "take_while",
    "unbatch",
    "unique",
]

RandomDataset = Dataset.random
"""As `Dataset.random` (source: tf.data.experimental.RandomDataset)."""

Transformation = Callable[[Dataset], Dataset]


def map_and_batch(
    map_func: Callable[..., Any],
    batch_size: Any,
    num_parallel_batches: Any = None,
    drop_remainder: Any = False,
    num_parallel_calls: Any = None,
) -> Transformation:
    """`map` and then `batch` (source: tf.data.experimental.map_and_batch)."""
    return lambda dataset: dataset.map(map_func, num_parallel_calls or AUTOTUNE).batch(batch_size, drop_remainder)


def shuffle_and_repeat(buffer_size: Any, count: Any = None, seed: int | None = None) -> Transformation:
    """`shuffle` and then `repeat` (source: tf.data.experimental.shuffle_and_repeat)."""
    return lambda dataset: dataset._shuffle_and_repeat(buffer_size, count, seed)


def enumerate_dataset(start: Any = 0) -> Transformation:
    """`Dataset.enumerate` (source: tf.data.experimental.enumerate_dataset)."""
    return lambda dataset: dataset.enumerate(start)


def get_single_element(dataset: Dataset) -> Any:
    """`Dataset.get_single_element` (source: tf.data.experimental.get_single_element)."""
    return dataset.get_single_element()


def ignore_errors(log_warning: bool = False) -> Transformation:
    """`Dataset.ignore_errors` (source: tf.data.experimental.ignore_errors)."""
    return lambda dataset: dataset.ignore_errors(log_warning)


def scan(initial_state: Any, scan_func: Callable[..., Any]) -> Transformation:
    """`Dataset.scan` (source: tf.data.experimental.scan)."""
    return lambda dataset: dataset.scan(initial_state, scan_func)


def take_while(predicate: Callable[..., Any]) -> Transformation:
    """`Dataset.take_while` (source: tf.data.experimental.take_while)."""
    return lambda dataset: dataset.take_while(predicate)


def unbatch() -> Transformation:
    """`Dataset.unbatch` (source: tf.data.experimental.unbatch)."""
    return lambda dataset: dataset.unbatch()


def unique() -> Transformation:
    """`Dataset.unique` (source: tf.data.experimental.unique)."""
    return lambda dataset: dataset.unique()


def Counter(start: Any = 0, step: Any = 1, dtype: Any = dtypes.int64) -> Dataset:  # noqa: N802
    """`Dataset.counter` (source: tf.data.experimental.Counter)."""
    return Dataset.counter(start, step, dtype)


def group_by_window(
    key_func: Callable[..., Any],
    reduce_func: Callable[..., Any],
    window_size: Any = None,
    window_size_func: Callable[..., Any] | None = None,
) -> Transformation:
    """`Dataset.group_by_window` (source: tf.data.experimental.group_by_window)."""
    return lambda dataset: dataset.group_by_window(key_func, reduce_func, window_size, window_size_func)


def bucket_by_sequence_length(
    element_length_func: Callable[..., Any],
    bucket_boundaries: Any,
    bucket_batch_sizes: Any,
    padded_shapes: Any = None,
    padding_values: Any = None,
    pad_to_bucket_boundary: bool = False,
    no_padding: bool = False,
    drop_remainder: bool = False,
) -> Transformation:
    """`Dataset.bucket_by_sequence_length` (source: tf.data.experimental.bucket_by_sequence_length)."""
    return lambda dataset: dataset.bucket_by_sequence_length(
        element_length_func,
        bucket_boundaries,
        bucket_batch_sizes,
        padded_shapes,
        padding_values,
        pad_to_bucket_boundary,
        no_padding,
        drop_remainder,
    )


def sample_from_datasets(
    datasets: Any, weights: Any = None, seed: int | None = None, stop_on_empty_dataset: bool = False
) -> Dataset:
    """`Dataset.sample_from_datasets` (source: tf.data.experimental.sample_from_datasets)."""
    return Dataset.sample_from_datasets(datasets, weights, seed, stop_on_empty_dataset)


def choose_from_datasets(datasets: Any, choice_dataset: Dataset, stop_on_empty_dataset: bool = False) -> Dataset:
    """`Dataset.choose_from_datasets` (source: tf.data.experimental.choose_from_datasets)."""
    return Dataset.choose_from_datasets(datasets, choice_dataset, stop_on_empty_dataset)


def dense_to_ragged_batch(
    batch_size: Any, drop_remainder: Any = False, row_splits_dtype: Any = dtypes.int64
) -> Transformation:
    """`Dataset.ragged_batch` (source: tf.data.experimental.dense_to_ragged_batch)."""
    return lambda dataset: dataset.ragged_batch(batch_size, drop_remainder, row_splits_dtype)


def assert_cardinality(expected_cardinality: Any) -> Transformation:
    """FailedPreconditionError in the run unless there are so many elements (source: tf.data.experimental)."""

    def checked(dataset: Dataset) -> Dataset:
        number = convert_to_tensor(expected_cardinality, dtypes.int64, name="expected_cardinality")
        return dataset._like("AssertCardinalityDataset", number)

    return checked


def parallel_interleave(
    map_func: Callable[..., Any],
    cycle_length: Any,
    block_length: Any = 1,
    sloppy: Any = False,
    buffer_output_elements: Any = None,
    prefetch_input_elements: Any = None,
) -> Transformation:
    """`Dataset.interleave`, in its order (source: tf.data.experimental.parallel_interleave)."""
    return lambda dataset: dataset.interleave(map_func, cycle_length, block_length)


def copy_to_device(target_device: Any, source_device: Any = "/cpu:0") -> Transformation:
    """The dataset: all devices share one memory (source: tf.data.experimental.copy_to_device)."""
    return lambda dataset: dataset


def prefetch_to_device(device: Any, buffer_size: Any = None) -> Transformation:
    """`Dataset.prefetch` (source: tf.data.experimental.prefetch_to_device)."""
    return lambda dataset: dataset.prefetch(AUTOTUNE if buffer_size is None else buffer_size)


def get_structure(dataset_or_iterator: Any) -> Any:
    """The structure of elements, of type specs (source: tf.data.experimental.get_structure)."""
    return dataset_or_iterator.element_spec
