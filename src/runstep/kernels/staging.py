"""Staging areas: tuples of tensors between steps, in order or by key, with limits of number and bytes."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any

from runstep import errors
from runstep.kernels.lines import NOT_YET, Shared
from runstep.kernels.shared import bytes_of, invalid

Element = tuple[Any, ...]

_PUT, _GET = 0, 1


class _Limited(Shared):
    """What both kinds have: so many elements and so many bytes, 0 for no limit."""

    def __init__(self, capacity: int, memory_limit: int, passing: bool = False) -> None:
        super().__init__(2, passing)
        self.capacity = capacity
        self.memory_limit = memory_limit
        self.nbytes = 0

    def __len__(self) -> int:
        raise NotImplementedError

    def _has_room(self, size: int, adds: bool) -> bool:
        if adds and self.capacity and len(self) >= self.capacity:
            return False
        return not self.memory_limit or self.nbytes + size <= self.memory_limit

    def _check_size(self, size: int, kind: str) -> None:
        if self.memory_limit and size > self.memory_limit:
            raise errors.ResourceExhaustedError(
                None,
                None,
                f"Attempted to insert tensors with combined size of '{size}' bytes into {kind} with a memory limit of "
                f"'{self.memory_limit}'.",
            )

    @property
    def in_words(self) -> str:
        """How full it is, for people."""
        room = f"/{self.capacity}" if self.capacity else ""
        limit = f"/{self.memory_limit}" if self.memory_limit else ""
        return f"staging area {len(self)}{room} elements, {self.nbytes}{limit} bytes"


class StagingArea(_Limited):
    """First in, first out (source: tf.contrib.staging.StagingArea)."""

    def __init__(self, capacity: int, memory_limit: int) -> None:
        super().__init__(capacity, memory_limit)
        self._items: deque[Element] = deque()

    def __len__(self) -> int:
        return len(self._items)

    async def put(self, element: Element) -> None:
        """Puts an element in; waits for room. ResourceExhaustedError when it can never fit."""
        size = sum(map(bytes_of, element))
        self._check_size(size, "Staging Area")

        def attempt() -> Any:
            if not self._has_room(size, True):
                return NOT_YET
            self._items.append(element)
            self.nbytes += size
            return None

        await self.stand(_PUT, attempt, "Stage", lambda: self.in_words)

    async def get(self) -> Element:
        """Takes the oldest element out; waits for one."""

        def attempt() -> Any:
            if not self._items:
                return NOT_YET
            element = self._items.popleft()
            self.nbytes -= sum(map(bytes_of, element))
            return element

        def undo(element: Element) -> None:
            self._items.appendleft(element)
            self.nbytes += sum(map(bytes_of, element))

        return await self.stand(_GET, attempt, "Unstage", lambda: self.in_words, undo)

    async def peek(self, index: int) -> Element:
        """The element at `index`, which stays inside; waits until there is one."""
        if index < 0:
            raise invalid(f"index {index} of a staging area is negative")
        attempt = lambda: self._items[index] if index < len(self._items) else NOT_YET  # noqa: E731
        return await self.stand(_GET, attempt, "StagePeek", lambda: self.in_words)

    def clear(self) -> None:
        """Throws all elements away."""

        def empty() -> None:
            self._items.clear()
            self.nbytes = 0

        self.change(empty)


class StagingMap(_Limited):
    """Elements by key; their components may come and go one by one (source: MapStage and OrderedMapStage).

    Args:
      width: components of an element. ordered: `get_any` takes the smallest key, else the oldest element.
    """

    def __init__(self, capacity: int, memory_limit: int, width: int, ordered: bool) -> None:
        super().__init__(capacity, memory_limit, passing=True)
        self._width = width
        self._ordered = ordered
        self._whole: OrderedDict[int, dict[int, Any]] = OrderedDict()
        self._partial: dict[int, dict[int, Any]] = {}

    def __len__(self) -> int:
        return len(self._whole)

    @property
    def incomplete(self) -> int:
        """How many elements lack components."""
        return len(self._partial)

    def _check_order(self, indices: list[int]) -> None:
        if any(a >= b for a, b in zip(indices, indices[1:], strict=False)):
            raise invalid("Indices are not strictly ordered")

    def _check_bounds(self, key: int, indices: list[int]) -> None:
        for index in indices:
            if not 0 <= index < self._width:
                raise invalid(f"Index '{index}' for key '{key}' was out of bounds '{self._width}'.")

    async def put(self, key: int, indices: list[int], values: Element) -> None:
        """Adds components of the element at `key`; waits for room.

        Raises:
          InvalidArgumentError: a component is there already. ResourceExhaustedError: it can never fit.
        """
        self._check_order(indices)
        self._check_bounds(key, indices)
        if len(indices) != len(values):
            raise invalid(f"{len(values)} tensors were staged with {len(indices)} indices")
        size = sum(map(bytes_of, values))
        self._check_size(size, "Staging Area")
        is_whole = len(indices) == self._width

        def attempt() -> Any:
            held = {} if is_whole else self._partial.get(key, {})
            for index in indices:
                if index in held:
                    raise invalid(
                        f"The tensor for index '{index}' for key '{key}' was already initialized '{self._width}'."
                    )
            completes = len(held) + len(indices) == self._width
            if not self._has_room(size, is_whole):  # what completes an element always may
                return NOT_YET
            merged = {**held, **dict(zip(indices, values, strict=True))}
            if not completes:
                self._partial[key] = merged
            elif key in self._whole:
                return None  # the element that is there stays
            else:
                if not is_whole:
                    self._partial.pop(key, None)
                self._whole[key] = merged
            self.nbytes += size
            return None

        await self.stand(_PUT, attempt, "Stage", lambda: f"key {key}, {self.in_words}")

    def _pick(self, key: int, indices: list[int], take: bool) -> Element:
        held = self._whole[key]
        self._check_bounds(key, indices)
        for index in indices:
            if index not in held:
                raise invalid(f"Tensor at index '{index}' for key '{key}' has already been removed.")
        found = tuple(held[index] for index in indices)
        if take:
            for index in indices:
                del held[index]
            self.nbytes -= sum(map(bytes_of, found))
            if not held:
                del self._whole[key]
        return found

    async def get(self, key: int, indices: list[int], take: bool = True) -> Element:
        """Components of the element at `key`, taken out or only looked at; waits until the element is complete."""
        self._check_order(indices)
        attempt = lambda: self._pick(key, indices, take) if key in self._whole else NOT_YET  # noqa: E731
        undo = (lambda found: self._put_back(key, indices, found)) if take else None
        what = "Unstage" if take else "MapPeek"
        return await self.stand(_GET, attempt, what, lambda: f"key {key}, {self.in_words}", undo)

    async def get_any(self, indices: list[int]) -> tuple[int, Element]:
        """(key, components) of any element, taken out; waits until one is complete."""
        self._check_order(indices)

        def attempt() -> Any:
            if not self._whole:
                return NOT_YET
            key = min(self._whole) if self._ordered else next(iter(self._whole))
            return key, self._pick(key, indices, True)

        return await self.stand(
            _GET,
            attempt,
            "Unstage",
            lambda: self.in_words,
            lambda found: self._put_back(found[0], indices, found[1]),
        )

    def _put_back(self, key: int, indices: list[int], values: Element) -> None:
        self._whole.setdefault(key, {}).update(zip(indices, values, strict=True))
        self.nbytes += sum(map(bytes_of, values))

    def clear(self) -> None:
        """Throws all elements away."""

        def empty() -> None:
            self._whole.clear()
            self._partial.clear()
            self.nbytes = 0

        self.change(empty)
