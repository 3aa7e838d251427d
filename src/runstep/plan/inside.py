"""What the body of a function takes, by the shapes of what it is called with and by what it finds out when it runs.

A body is compiled once and called from many places, with shapes that its graph may leave open. Whoever calls it with
known ones has `peak` in his own projection. What only its values tell (`plan.watch`) comes on top of that, by `more`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence, Set
from typing import TYPE_CHECKING, Any

from runstep.graph.shapes import RawShape, num_elements
from runstep.plan.sizes import Seen

if TYPE_CHECKING:
    from runstep.plan.frames import Item
    from runstep.plan.node import Ref

_REMEMBERED = 64


class Inside:
    """The memory of one body.

    Args:
      raw: the shapes of its inputs, as far as its graph knows them.
      work: what weighs it (`scales`). items, results: what it runs, and the outputs that it returns.

    Attributes:
      calls: the bodies that it calls itself.
    """

    def __init__(self, raw: Sequence[RawShape], work: Any, results: Set[Ref], calls: Iterable[Inside]) -> None:
        self.calls = tuple(calls)
        self._raw = tuple(raw)
        self._work = work
        self._items: Sequence[Item] = work.items
        self._results = results
        self._lock = threading.RLock()  # bodies ask the bodies that they call
        self._peaks: dict[tuple[RawShape, ...], int] = {}

    def peak(self, inputs: Sequence[RawShape]) -> int:
        """Bytes that its values take at most, called by a node with inputs of these shapes."""
        given = inputs[len(inputs) - len(self._raw) :]
        if len(given) < len(self._raw):
            return 0
        shapes = tuple(
            [raw if num_elements(raw) is not None else there for raw, there in zip(self._raw, given, strict=True)]
        )
        with self._lock:
            found = self._peaks.get(shapes)
            if found is None:
                if len(self._peaks) >= _REMEMBERED:
                    del self._peaks[next(iter(self._peaks))]
                found = self._peaks[shapes] = self._peak(shapes, {})
        return found

    def more(self, seen: Seen) -> int:
        """Bytes that it takes beyond that when its nodes make results of these shapes."""
        with self._lock:
            return max(0, self._peak(self._raw, seen) - self.peak(self._raw))

    def _peak(self, shapes: Sequence[RawShape], seen: Seen) -> int:
        size: int = self._work.scales(shapes, seen).size(self._items, self._results)
        return size
