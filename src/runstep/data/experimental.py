"""`tf.data.experimental`: transformations to be applied with `Dataset.apply`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runstep.data.dataset import AUTOTUNE, INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset
from runstep.data.optional import Optional, get_next_as_optional

__all__ = [
    "AUTOTUNE",
    "INFINITE_CARDINALITY",
    "UNKNOWN_CARDINALITY",
    "Optional",
    "enumerate_dataset",
    "get_next_as_optional",
    "get_single_element",
    "ignore_errors",
    "map_and_batch",
    "scan",
    "shuffle_and_repeat",
    "take_while",
    "unbatch",
    "unique",
]

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
