"""Datasets as Python objects: what to go through, and the iterators that do.

A `Dataset` is a description; `iterate(walk)` begins to go through it. An element is a tuple of arrays. Iterators are
classes with `__next__`, not generators: one that has raised an error goes on behind the element that raised it.
Everything happens when an element is asked for, in the thread that asks: nothing is computed in advance.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from runstep import errors
from runstep.graph import shapes
from runstep.graph.dtypes import DType
from runstep.graph.shapes import RawShape
from runstep.kernels.shared import invalid, shape_of, types_text

Element = tuple[Any, ...]
Function = Callable[..., Element]
"""A compiled body: takes the step and an element's components, returns an element."""


class Walk:
    """One way through a dataset, with all datasets inside. `step` is the one that asks for an element."""

    __slots__ = ("step",)

    def __init__(self, step: Any) -> None:
        self.step = step


class Dataset:
    """What can be gone through, any number of times."""

    def __init__(self, begin: Callable[[Walk], Iterator[Element]]) -> None:
        self._begin = begin

    def iterate(self, walk: Walk) -> Iterator[Element]:
        """The elements from the first on. Errors come when an element is asked for."""
        return self._begin(walk)


class IteratorResource:
    """What an iterator handle names: a dataset half gone through.

    Attributes:
      types, shapes: of the components of an element. name: for messages.
    """

    def __init__(self, name: str, types: Sequence[DType], component_shapes: Sequence[RawShape]) -> None:
        self.name = name
        self.types = tuple(types)
        self.shapes = tuple(component_shapes)
        self._lock = threading.Lock()
        self._starting = threading.Lock()
        self._walk: Walk | None = None
        self._elements: Iterator[Element] | None = None

    def start(self, dataset: Dataset, step: Any) -> None:
        """Goes to the beginning of a dataset."""
        walk = Walk(step)
        elements = dataset.iterate(walk)
        with self._lock:
            self._walk, self._elements = walk, elements
            walk.step = None

    def start_once(self, make: Callable[[], Dataset], step: Any) -> None:
        """Goes to the beginning of the dataset that `make` gives, unless it was started already: by any plan, once."""
        if self._elements is None:
            with self._starting:
                if self._elements is None:
                    self.start(make(), step)

    def next(self, step: Any) -> Element:
        """The next element.

        Raises:
          FailedPreconditionError: it was never started. OutOfRangeError: there is no further element.
        """
        with self._lock:
            if self._elements is None or self._walk is None:
                raise errors.FailedPreconditionError(
                    None,
                    None,
                    "GetNext() failed because the iterator has not been initialized. Ensure that you have run the "
                    "initializer operation for this iterator before getting the next element.",
                )
            self._walk.step = step
            try:
                element = next(self._elements, None)
            finally:
                self._walk.step = None
            if element is None:
                self._elements = iter(())  # what a function ended doesn't go on when one asks again
        if element is None:
            raise errors.OutOfRangeError(None, None, "End of sequence")
        self._check(element)
        return element

    def _check(self, element: Element) -> None:
        if len(element) != len(self.types):
            raise invalid(
                f"Number of components does not match: expected {len(self.types)} types but got {len(element)}."
            )
        for index, (value, shape) in enumerate(zip(element, self.shapes, strict=True)):
            if shape is not None and not shapes.is_compatible(shape_of(value), shape):
                raise invalid(
                    f"Incompatible shapes at component {index}: expected {shapes.text(shape)} but got "
                    f"{shapes.text(shape_of(value))}."
                )

    def check_like(self, types: Sequence[DType], component_shapes: Sequence[RawShape]) -> None:
        """Raises InvalidArgumentError unless elements may be taken for such ones. Nothing given: any."""
        if types and len(types) != len(self.types):
            raise invalid(
                f"Number of components does not match: expected {len(types)} types but got {len(self.types)}."
            )
        for index, (dtype, kind) in enumerate(zip(types, self.types, strict=False)):
            if dtype is not kind:
                raise invalid(
                    f"Data type mismatch at component {index}: expected {types_text([dtype])} but got "
                    f"{types_text([kind])}."
                )
        for index, (wanted, own) in enumerate(zip(component_shapes, self.shapes, strict=False)):
            if not shapes.is_compatible(own, wanted):
                raise invalid(
                    f"Incompatible shapes at component {index}: expected {shapes.text(wanted)} but got "
                    f"{shapes.text(own)}."
                )


# --- iterators ----------------------------------------------------------------------------------------------------


class Iterating:
    """The base of iterators."""

    def __iter__(self) -> Iterator[Element]:
        return self

    def __next__(self) -> Element:
        raise NotImplementedError


class Mapped(Iterating):
    """`function` of each element. OutOfRangeError out of it ends the sequence, as in TensorFlow."""

    def __init__(self, source: Iterator[Element], walk: Walk, function: Function, captured: Element) -> None:
        self._source, self._walk, self._function, self._captured = source, walk, function, captured

    def __next__(self) -> Element:
        element = next(self._source)
        try:
            return tuple(self._function(self._walk.step, *element, *self._captured))
        except errors.OutOfRangeError:
            raise StopIteration from None


class Filtered(Iterating):
    """The elements for which `predicate` holds; with `ends`, those before the first for which it doesn't."""

    def __init__(
        self, source: Iterator[Element], walk: Walk, predicate: Function, captured: Element, ends: bool
    ) -> None:
        self._source, self._walk, self._predicate, self._captured = source, walk, predicate, captured
        self._ends, self._ended = ends, False

    def __next__(self) -> Element:
        if self._ended:
            raise StopIteration
        for element in self._source:
            found = self._predicate(self._walk.step, *element, *self._captured)
            if len(found) != 1 or shape_of(found[0]):
                raise invalid("Filter predicate `f` must return a scalar bool.")
            if found[0]:
                return element
            if self._ends:
                self._ended = True
                break
        raise StopIteration


class Scanned(Iterating):
    """Goes on with a state: `function` of state and element is the next state and what comes out."""

    def __init__(
        self, source: Iterator[Element], walk: Walk, function: Function, state: Element, captured: Element
    ) -> None:
        self._source, self._walk, self._function, self._state, self._captured = source, walk, function, state, captured

    def __next__(self) -> Element:
        element = next(self._source)
        try:
            found = self._function(self._walk.step, *self._state, *element, *self._captured)
        except errors.OutOfRangeError:
            raise StopIteration from None
        self._state = tuple(found[: len(self._state)])
        return tuple(found[len(self._state) :])


class Flattened(Iterating):
    """The elements of the datasets that `datasets` makes, one after the other."""

    def __init__(self, datasets: Callable[[], Dataset], walk: Walk) -> None:
        self._datasets, self._walk = datasets, walk
        self._current: Iterator[Element] | None = None
        self._ended = False

    def __next__(self) -> Element:
        while not self._ended:
            if self._current is None:
                try:
                    self._current = self._datasets().iterate(self._walk)
                except StopIteration:
                    self._ended = True
                    break
            element = next(self._current, None)
            if element is not None:
                return element
            self._current = None
        raise StopIteration


class Interleaved(Iterating):
    """`block` elements at a time of each of `cycle` datasets that `datasets` makes."""

    def __init__(self, datasets: Callable[[], Dataset], walk: Walk, cycle: int, block: int) -> None:
        self._datasets, self._walk, self._block = datasets, walk, block
        self._open: list[Iterator[Element] | None] = [None] * cycle
        self._at = self._taken = 0
        self._ended = False

    def _advance(self) -> None:
        self._at = (self._at + 1) % len(self._open)
        self._taken = 0

    def __next__(self) -> Element:
        while not self._ended or any(source is not None for source in self._open):
            source = self._open[self._at]
            if source is not None:
                element = next(source, None)
                if element is None:
                    self._open[self._at] = None
                    self._advance()
                    continue
                self._taken += 1
                if self._taken == self._block:
                    self._advance()
                return element
            if not self._ended:
                try:
                    self._open[self._at] = self._datasets().iterate(self._walk)
                    continue
                except StopIteration:
                    self._ended = True
            self._advance()
        raise StopIteration


class Repeated(Iterating):
    """All elements of a dataset, `count` times; without end if that is negative."""

    def __init__(self, dataset: Dataset, walk: Walk, count: int) -> None:
        self._dataset, self._walk, self._left = dataset, walk, count
        self._current: Iterator[Element] | None = None
        self._ended = False

    def __next__(self) -> Element:
        while self._left and not self._ended:
            fresh = self._current is None
            if self._current is None:
                self._current = self._dataset.iterate(self._walk)
            element = next(self._current, None)
            if element is not None:
                return element
            self._current = None
            self._left -= 1
            if fresh and self._left < 0:
                self._ended = True  # nothing at all: going on would never end
        raise StopIteration


class Taken(Iterating):
    """The first `count` elements. The source isn't asked for more."""

    def __init__(self, source: Iterator[Element], count: int) -> None:
        self._source, self._left = source, count

    def __next__(self) -> Element:
        if self._left <= 0:
            raise StopIteration
        element = next(self._source)
        self._left -= 1
        return element


class Strided(Iterating):
    """After `first` elements that are passed over, each `stride`-th (skip and shard)."""

    def __init__(self, source: Iterator[Element], first: int, stride: int = 1) -> None:
        self._source, self._pass, self._stride = source, first, stride

    def __next__(self) -> Element:
        while self._pass:
            next(self._source)
            self._pass -= 1
        element = next(self._source)
        self._pass = self._stride - 1
        return element


class Chained(Iterating):
    """One dataset after the other."""

    def __init__(self, datasets: Sequence[Dataset], walk: Walk) -> None:
        self._left, self._walk = deque(datasets), walk
        self._current: Iterator[Element] | None = None

    def __next__(self) -> Element:
        while self._current is not None or self._left:
            if self._current is None:
                self._current = self._left.popleft().iterate(self._walk)
            element = next(self._current, None)
            if element is not None:
                return element
            self._current = None
        raise StopIteration


class Zipped(Iterating):
    """An element of each, side by side, until the first ends."""

    def __init__(self, sources: Sequence[Iterator[Element]]) -> None:
        self._sources = sources

    def __next__(self) -> Element:
        found: list[Any] = []
        failed: errors.OpError | None = None
        for source in self._sources:
            try:
                found += next(source)
            except errors.OpError as error:  # the others move on too, so that they stay in step
                failed = failed or error
        if failed is not None:
            raise failed
        return tuple(found)


class Grouped(Iterating):
    """Lists of `size` elements, made one by `joined`."""

    def __init__(
        self, source: Iterator[Element], size: int, drop: bool, joined: Callable[[list[Element]], Element]
    ) -> None:
        self._source, self._size, self._drop, self._joined = source, size, drop, joined

    def __next__(self) -> Element:
        found: list[Element] = []
        for element in self._source:
            found.append(element)
            if len(found) == self._size:
                break
        if not found or (self._drop and len(found) < self._size):
            raise StopIteration
        return self._joined(found)


class Shuffled(Iterating):
    """Elements in random order, drawn from a buffer that is filled up before each.

    `number` gives 32-bit random numbers; with TensorFlow's, the order is TensorFlow's.
    """

    def __init__(self, source: Iterator[Element], size: int, number: Callable[[], int]) -> None:
        self._source, self._size, self._number = source, size, number
        self._buffer: list[Element | None] = []  # a ring: the elements from `first` up to `end`
        self._first = self._end = 0

    def __next__(self) -> Element:
        buffer, size = self._buffer, self._size
        while self._end - self._first < size:
            element = next(self._source, None)
            if element is None:
                break
            if len(buffer) < size and self._end == len(buffer):
                buffer.append(element)
            else:
                buffer[self._end % size] = element
            self._end += 1
        held = self._end - self._first
        if not held:
            raise StopIteration
        first, chosen = self._first % size, (self._first + self._number() % held) % size
        element, buffer[chosen], buffer[first] = buffer[chosen], buffer[first], None
        self._first += 1
        assert element is not None
        return element


class Cached:
    """What a dataset gave the first time that somebody went through to its end, for all later times."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._elements: list[Element] | None = None

    def iterate(self, walk: Walk) -> Iterator[Element]:
        if self._elements is not None:
            return iter(self._elements)
        return _Caching(self, self._dataset.iterate(walk))

    def fill(self, elements: list[Element]) -> None:
        self._elements = elements


class _Caching(Iterating):
    def __init__(self, cache: Cached, source: Iterator[Element]) -> None:
        self._cache, self._source = cache, source
        self._seen: list[Element] = []

    def __next__(self) -> Element:
        element = next(self._source, None)
        if element is None:
            self._cache.fill(self._seen)
            raise StopIteration
        self._seen.append(element)
        return element


class Distinct(Iterating):
    """Elements that did not come before, told apart by `key`."""

    def __init__(self, source: Iterator[Element], key: Callable[[Element], Any]) -> None:
        self._source, self._key = source, key
        self._seen: set[Any] = set()

    def __next__(self) -> Element:
        for element in self._source:
            key = self._key(element)
            if key not in self._seen:
                self._seen.add(key)
                return element
        raise StopIteration


class Tolerant(Iterating):
    """Elements without those that raise."""

    def __init__(self, source: Iterator[Element]) -> None:
        self._source = source

    def __next__(self) -> Element:
        while True:
            try:
                return next(self._source)
            except (errors.CancelledError, errors.DeadlineExceededError):
                raise
            except errors.OpError:
                continue


class Windowed(Iterating):
    """Lists of `size` elements, `stride` apart, beginning `shift` elements apart; made one by `joined`."""

    def __init__(
        self,
        source: Iterator[Element],
        size: int,
        shift: int,
        stride: int,
        drop: bool,
        joined: Callable[[list[Element]], Element],
    ) -> None:
        self._source, self._size, self._shift, self._stride, self._drop = source, size, shift, stride, drop
        self._joined = joined
        self._held: deque[Element] = deque()
        self._ended = False
        self._pass = 0

    def __next__(self) -> Element:
        span = (self._size - 1) * self._stride + 1
        while len(self._held) < span and not self._ended:
            element = next(self._source, None)
            if element is None:
                self._ended = True
            elif self._pass:
                self._pass -= 1
            else:
                self._held.append(element)
        if not self._held or (self._drop and len(self._held) < span):
            raise StopIteration
        found = [self._held[place] for place in range(0, min(span, len(self._held)), self._stride)]
        for _ in range(min(self._shift, len(self._held))):
            self._held.popleft()
        if self._shift > span:
            self._pass = self._shift - span
        return self._joined(found)


class Generated(Iterating):
    """What three functions make: one begins, one gives elements until OutOfRangeError, one ends it."""

    def __init__(self, walk: Walk, begin: Callable[[Any], Element], go_on: Function, end: Callable[..., Any]) -> None:
        self._walk, self._begin, self._go_on, self._end = walk, begin, go_on, end
        self._state: Element | None = None
        self._ended = False

    def __next__(self) -> Element:
        if self._ended:
            raise StopIteration
        if self._state is None:
            self._state = tuple(self._begin(self._walk.step))
        try:
            return tuple(self._go_on(self._walk.step, *self._state))
        except errors.OutOfRangeError:
            self._ended = True
            self._end(self._walk.step, *self._state)
            raise StopIteration from None
