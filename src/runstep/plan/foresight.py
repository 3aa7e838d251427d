"""What a plan takes where sizes are made of values that are fed: told from these values, before the step runs.

`Fill` of a fed size, `Range` to a fed limit: the shapes of the feeds don't tell how large the results are, a look at
one or two integers does. What is found for them is kept, and also serves values that are up to a fifth smaller. What is
not larger than something that takes too little to be claimed is not looked at.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from runstep.plan.estimate import Need
from runstep.plan.sizes import FEW, Fed, Seen

Project = Callable[[Seen, Fed], tuple[tuple[Need, ...], Seen]]
"""What the plan takes if its nodes make results of these shapes and it is fed these values; the shapes of results that
follow from the latter."""

SPACING = 1.25
"""What takes up to so many times less than something that was projected is taken for that."""

_REMEMBERED = 32
_SINGLE = 4
"""Elements up to which each counts by itself; of more, the largest does."""


@attrs.frozen(eq=False)
class Foresight:
    """What a plan takes when it is fed these values, and the shapes that it finds when it runs."""

    fed: Fed
    seen: Seen
    needs: tuple[Need, ...]
    measure: list[Any]

    @property
    def fits(self) -> bool:
        """Whether it takes no more than what variables and queues leave of each device."""
        return all(
            need.least <= max(need.device.memory_limit - need.device.resources.nbytes, need.device.memory_limit >> 2)
            for need in self.needs
        )


class Foresights:
    """Those of one plan.

    Args:
      positions: the feeds that sizes are made of.
    """

    def __init__(self, positions: Sequence[int], project: Project) -> None:
        self._positions = tuple(positions)
        self._project = project
        self._lock = threading.Lock()
        self._little: list[list[Any]] = []
        self._known: dict[tuple[bytes, ...], Foresight] = {}

    def of(self, values: Sequence[Any]) -> Foresight | None:
        """For these feeds; None where that is too little to be claimed, or not to be told."""
        measure: list[Any] = []
        for position in self._positions:
            value = values[position]
            if not value.ndim:
                measure.append(value.item())
            elif value.size > FEW:
                return None
            else:
                numbers = value.ravel().tolist()
                measure += numbers if len(numbers) <= _SINGLE else [max(numbers)]
        for most in self._little:
            if _is_within(measure, most):
                return None
        fed = {position: values[position] for position in self._positions}
        key = tuple([value.tobytes() for value in fed.values()])
        found = self._known.get(key)
        return self._found(key, fed, measure) if found is None else found

    def _found(self, key: tuple[bytes, ...], fed: Fed, measure: list[Any]) -> Foresight | None:
        with self._lock:
            for known in self._known.values():
                if _is_within(measure, known.measure, SPACING) and known.fits:
                    return attrs.evolve(known, fed=fed)
            needs, seen = self._project({}, fed)
            if not needs:
                self._little = [most for most in self._little if not _is_within(most, measure)][-_REMEMBERED:]
                self._little.append(measure)
                return None
            if len(self._known) >= _REMEMBERED:
                del self._known[next(iter(self._known))]
            found = self._known[key] = Foresight(fed, seen, needs, measure)
            return found


def _is_within(measure: list[Any], most: list[Any], spacing: float = 0.0) -> bool:
    if len(measure) != len(most):
        return False
    for size, there in zip(measure, most):  # noqa: B905 - as many
        if size > there or (spacing and there > size * spacing):
            return False
    return True
