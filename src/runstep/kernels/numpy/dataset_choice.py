"""Datasets by keys and by choice: groups of elements, and elements of several datasets in a given or random order."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from runstep import errors
from runstep.kernels.datasets import Dataset, Element, Function, Iterating, Walk
from runstep.kernels.numpy.datasets import dataset_of, function_of
from runstep.kernels.queues import Philox
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.shared import invalid


class _Windows(Iterating):
    """The elements of what `reduced` makes of windows: of elements of one key, as many as a window takes."""

    def __init__(
        self,
        source: Iterator[Element],
        walk: Walk,
        key_of: Callable[[Element], int],
        size_of: Callable[[int], int],
        reduced: Callable[[int, Dataset], Dataset],
    ) -> None:
        self._source, self._walk = source, walk
        self._key_of, self._size_of, self._reduced = key_of, size_of, reduced
        self._groups: dict[int, list[Element]] = {}
        self._sizes: dict[int, int] = {}
        self._current: Iterator[Element] | None = None

    def __next__(self) -> Element:
        while True:
            if self._current is not None:
                element = next(self._current, None)
                if element is not None:
                    return element
                self._current = None
            self._current = self._next_window()

    def _next_window(self) -> Iterator[Element]:
        for element in self._source:
            key = self._key_of(element)
            if key not in self._sizes:
                self._sizes[key] = self._size(key)
            group = self._groups.setdefault(key, [])
            group.append(element)
            if len(group) == self._sizes[key]:
                return self._window(key)
        if not self._groups:
            raise StopIteration
        return self._window(min(self._groups))

    def _size(self, key: int) -> int:
        size = self._size_of(key)
        if size <= 0:
            raise invalid(f"Window size must be greater than zero, but got {size}.")
        return size

    def _window(self, key: int) -> Iterator[Element]:
        elements = self._groups.pop(key)
        del self._sizes[key]
        return self._reduced(key, Dataset(lambda walk: iter(elements))).iterate(self._walk)


@numpy_kernel.make("GroupByWindowDataset", "ExperimentalGroupByWindowDataset")
def group_by_window(node: Node) -> Kernel:
    key_func, reduce_func, size_func = (function_of(node, f"{part}_func") for part in ("key", "reduce", "window_size"))
    counts = [len(node.attrs[f"T{part}_func_other_arguments"]) for part in ("key", "reduce")]

    def run(step: Any, value: Any, *rest: Any) -> Dataset:
        source = dataset_of(value)
        for_key, for_reduce, for_size = rest[: counts[0]], rest[counts[0] : sum(counts)], rest[sum(counts) :]

        def begin(walk: Walk) -> Iterator[Element]:
            return _Windows(
                source.iterate(walk),
                walk,
                lambda element: int(key_func(walk.step, *element, *for_key)[0]),
                lambda key: int(size_func(walk.step, np.int64(key), *for_size)[0]),
                lambda key, window: _made(reduce_func, walk, key, window, for_reduce),
            )

        return Dataset(begin)

    return run


def _made(function: Function, walk: Walk, key: int, window: Dataset, captured: Element) -> Dataset:
    return dataset_of(function(walk.step, np.int64(key), window, *captured)[0])


class _Chosen(Iterating):
    def __init__(self, choice: Iterator[Element], sources: list[Iterator[Element] | None], stop: bool) -> None:
        self._choice, self._sources, self._stop = choice, sources, stop

    def __next__(self) -> Element:
        while any(source is not None for source in self._sources):
            index = int(next(self._choice)[0])
            if not 0 <= index < len(self._sources):
                raise invalid(f"Selector index out of range: {index} >= {len(self._sources)}")
            source = self._sources[index]
            if source is None:
                continue
            element = next(source, None)
            if element is not None:
                return element
            self._sources[index] = None
            if self._stop:
                self._sources = []
        raise StopIteration


@numpy_kernel.make("DirectedInterleaveDataset", "ExperimentalDirectedInterleaveDataset")
def directed_interleave(node: Node) -> Kernel:
    stop = bool(node.attrs.get("stop_on_empty_dataset"))

    def run(selector: Any, *values: Any) -> Dataset:
        choice, sources = dataset_of(selector), [dataset_of(value) for value in values]
        return Dataset(lambda walk: _Chosen(choice.iterate(walk), [each.iterate(walk) for each in sources], stop))

    return run


@numpy_kernel("RandomDataset", "ExperimentalRandomDataset")
def random_dataset(seed: Any, seed2: Any) -> Dataset:
    first, second = int(seed), int(seed2)
    if not (first or second):
        first, second = random.getrandbits(63), random.getrandbits(63)

    def numbers(walk: Walk) -> Iterator[Element]:
        generator = Philox(first, second)
        while True:
            yield (np.int64(generator.next()),)

    return Dataset(numbers)


class _Counted(Iterating):
    def __init__(self, source: Iterator[Element], wanted: int) -> None:
        self._source, self._wanted, self._seen = source, wanted, 0

    def __next__(self) -> Element:
        element = next(self._source, None)
        if element is None:
            if self._wanted >= 0 and self._seen < self._wanted or self._wanted == -1:
                raise _precondition(
                    f"Input dataset was expected to contain {_many(self._wanted)} but contained only "
                    f"{_many(self._seen)}."
                )
            raise StopIteration
        self._seen += 1
        if 0 <= self._wanted < self._seen:
            raise _precondition(f"Input dataset was expected to contain {_many(self._wanted)} but contained more.")
        return element


def _many(count: int) -> str:
    return "an infinite number of elements" if count == -1 else f"{count} element{'' if count == 1 else 's'}"


def _precondition(text: str) -> errors.FailedPreconditionError:
    return errors.FailedPreconditionError(None, None, text)


@numpy_kernel("AssertCardinalityDataset")
def assert_cardinality(value: Any, cardinality: Any) -> Dataset:
    source, wanted = dataset_of(value), int(cardinality)
    return Dataset(lambda walk: _Counted(source.iterate(walk), wanted))
