"""Barriers: elements whose components come from different places, under string keys (source: Barrier)."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph.dtypes import DType
from runstep.kernels.lines import NOT_YET, Shared
from runstep.kernels.shared import bytes_of, invalid

_FIRST_INDEX = -(2**63)

Ready = tuple[int, int, bytes, tuple[Any, ...]]
"""Insertion index, order of completion, key, components."""


class Barrier(Shared):
    """Complete elements are taken out in the order in which their keys were first inserted.

    Args:
      name: for messages. types, shapes: of the components.
    """

    def __init__(self, name: str, types: tuple[DType, ...], shapes: tuple[tuple[int, ...], ...]) -> None:
        super().__init__(1, passing=True)
        self.name = name
        self.types = types
        self.shapes = shapes
        self.closed = False
        self.cancelled = False
        self.nbytes = 0
        self._insertions = 0
        self._completions = 0
        self._ready: list[Ready] = []
        self._partial: dict[bytes, tuple[int, dict[int, Any]]] = {}

    @property
    def ready_size(self) -> int:
        return len(self._ready)

    @property
    def incomplete_size(self) -> int:
        return len(self._partial)

    def insert(self, component: int, keys: list[bytes], values: list[Any]) -> None:
        """Adds one component to the elements of `keys`.

        Raises:
          CancelledError: the barrier is closed, and a key is new. InvalidArgumentError: a component is there already.
        """
        self.change(lambda: self._insert(component, keys, values))

    def _insert(self, component: int, keys: list[bytes], values: list[Any]) -> None:
        # Keys that come together share an index. After a refusal the next to come get it too.
        fresh = sum(key not in self._partial for key in keys)
        if self.cancelled or (self.closed and fresh and not self._partial):
            raise errors.CancelledError(
                None,
                None,
                f"Barrier {self.name} is closed.  Pending enqueues cancelled: {int(self.cancelled)}.  "
                f"Number of new insertions: {fresh}.  Number of incomplete keys: {len(self._partial)}.",
            )
        index = self._insertions
        for place, (key, value) in enumerate(zip(keys, values, strict=True)):
            held = self._partial.get(key)
            if held is None:
                if self.closed:
                    raise errors.CancelledError(
                        None,
                        None,
                        f"Barrier {self.name} is closed, but attempted to insert a brand new key: "
                        f"{key.decode(errors='replace')}.  Pending enqueues cancelled: {int(self.cancelled)}.  "
                        f"Insertion index: {place}.  Number of incomplete keys: {len(self._partial)}.",
                    )
                held = self._partial[key] = (_FIRST_INDEX + index, {})
            elif component in held[1]:
                raise invalid(
                    f"Key {key.decode(errors='replace')} already has a value for component {component} "
                    f"in barrier {self.name}"
                )
            held[1][component] = value
            self.nbytes += bytes_of(value)
            if len(held[1]) == len(self.types):
                del self._partial[key]
                self._completions += 1
                components = tuple(held[1][i] for i in range(len(self.types)))
                heapq.heappush(self._ready, (held[0], self._completions, key, components))
        self._insertions += fresh > 0

    async def take(self, count: int, allow_small: bool) -> list[Ready]:
        """Takes `count` complete elements out; waits for them.

        Args:
          allow_small: a closed barrier may give fewer, at least one. Who asks when it is closed takes what is complete;
            who waited before gives the elements that lack components their chance.

        Raises:
          OutOfRangeError: the barrier is closed and cannot give as many.
        """
        late = self.closed

        def attempt() -> Any:
            wanted = count
            if self.closed:
                total = len(self._ready) + (0 if allow_small and late else len(self._partial))
                if allow_small:
                    wanted = min(count, total)
                if total < wanted or not total:
                    raise errors.OutOfRangeError(
                        None,
                        None,
                        f"Barrier '{self.name}' is closed and has insufficient elements "
                        f"(requested {wanted}, total size {total})",
                    )
            # Who cannot be served any more hears so at once; the others are served in order.
            if len(self._ready) < wanted or self._lines[0][0].attempt is not attempt:
                return NOT_YET
            taken = [heapq.heappop(self._ready) for _ in range(wanted)]
            self.nbytes -= _bytes(taken)
            return taken

        def undo(taken: list[Ready]) -> None:
            for element in taken:
                heapq.heappush(self._ready, element)
            self.nbytes += _bytes(taken)

        return await self.stand(0, attempt, "Dequeue", lambda: f"{self.in_words}, {count} to take", undo)

    @property
    def in_words(self) -> str:
        """What it is and how full, for people."""
        return f"barrier '{self.name}' {len(self._ready)} complete, {len(self._partial)} incomplete"

    def close(self, cancel_pending: bool) -> None:
        """Lets no new keys in; with `cancel_pending`, nothing at all, and drops what is incomplete.

        Raises:
          CancelledError: it is closed already (unless pending insertions are to be cancelled now).
        """

        def shut() -> None:
            if self.cancelled or (self.closed and not cancel_pending):
                raise errors.CancelledError(None, None, f"Barrier '{self.name}' is already closed.")
            self.closed = True
            if cancel_pending:
                self.cancelled = True
                self.nbytes -= sum(bytes_of(value) for _, held in self._partial.values() for value in held.values())
                self._partial.clear()

        self.change(shut)


def _bytes(elements: list[Ready]) -> int:
    return sum(bytes_of(value) for element in elements for value in element[3])


def indices(elements: list[Ready]) -> np.ndarray:
    """The insertion indices of elements, int64."""
    return np.array([element[0] for element in elements], np.int64)
