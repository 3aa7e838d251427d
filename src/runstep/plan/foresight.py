"""What a plan takes, told from what is fed, before it runs: from the shapes of feeds that the graph leaves open, and
from the values that sizes are made of.

`Fill` of a fed size, `Range` to a fed limit: the shapes of the feeds don't tell how large the results are, a look at
one or two integers does. What is found for them is kept, and also serves sizes that are up to a fifth smaller. What is
not larger than something that takes too little to be claimed is not looked at.

Of a step whose feeds come in pieces (a partial run), each feeding starts some of the tasks: what these take is told
from what has come so far, and from what the tasks before them have made (`Feedings`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import numpy as np

from runstep.graph.shapes import RawShape, num_elements
from runstep.graph.tensor import Tensor
from runstep.plan.estimate import TINY, Need
from runstep.plan.memory import Projection
from runstep.plan.node import PlanNode, Ref
from runstep.plan.sizes import FEW, Fed, Seen

Project = Callable[[Seen, Fed, "Sequence[RawShape] | None", "tuple[int, ...] | None"], tuple[tuple[Need, ...], Seen]]
"""What the plan, or some of its tasks, takes if its nodes make results of these shapes and it is fed these values of
these shapes; the shapes of results that follow from the latter."""

SPACING = 1.25
"""What takes up to so many times less than something that was projected is taken for that."""

_REMEMBERED = 32
_KINDS = 256
_SINGLE = 4
"""Elements up to which each counts by itself; of more, the largest does."""


@attrs.frozen(eq=False)
class Foresight:
    """What a plan takes when it is fed these values, and the shapes that it finds when it runs.

    Attributes:
      shapes: of the feeds; None for those that the plan was made for. tasks: those that it is about; None for all.
      measure: the numbers that it depends on.
    """

    fed: Fed
    seen: Seen
    needs: tuple[Need, ...]
    measure: list[Any]
    shapes: Sequence[RawShape] | None = None
    tasks: tuple[int, ...] | None = None

    @property
    def fits(self) -> bool:
        """Whether it takes no more than what variables and queues leave of each device."""
        return all(
            need.least <= max(need.device.memory_limit - need.device.resources.nbytes, need.device.memory_limit >> 2)
            for need in self.needs
        )


class _Known:
    """What was found out, by the numbers that it depends on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._little: list[list[Any]] = []
        self._found: dict[Any, Foresight] = {}

    def of(self, measure: list[Any], key: Any, fed: Fed, find: Callable[[], Foresight]) -> Foresight | None:
        """What is known for these numbers, or for a bit more, or what `find` finds; None for too little to be claimed.
        `key` says exactly what it is for."""
        for most in self._little:
            if is_within(measure, most):
                return None
        found = self._found.get(key)
        if found is not None:
            return found
        with self._lock:
            for known in self._found.values():
                if is_within(measure, known.measure, SPACING) and known.fits:
                    return attrs.evolve(known, fed=fed)
            found = find()
            if not found.needs:
                self._little = [most for most in self._little if not is_within(most, measure)][-_REMEMBERED:]
                self._little.append(measure)
                return None
            if len(self._found) >= _REMEMBERED:
                del self._found[next(iter(self._found))]
            self._found[key] = found
            return found


class Foresights:
    """Those of one plan.

    Args:
      sizing: the feeds that sizes are made of. open_feeds: those whose shape the graph leaves open.
    """

    def __init__(self, sizing: Sequence[int], open_feeds: Sequence[int], project: Project) -> None:
        self._sizing = tuple(sizing)
        self._open = tuple(open_feeds)
        self._project = project
        self._known: dict[Any, _Known] = {}

    def of(self, values: Sequence[Any]) -> Foresight | None:
        """For these feeds; None where that is too little to be claimed, or not to be told."""
        measure: list[Any] = []
        for position in self._open:
            measure += values[position].shape
        shapes = [value.shape for value in values] if self._open else None
        fed = {}
        for position in self._sizing:
            fed[position] = values[position]
            if not _measured(values[position], measure):
                return None
        key = (tuple(shapes or ()), *[value.tobytes() for value in fed.values()])

        def find() -> Foresight:
            needs, seen = self._project({}, fed, shapes, None)
            return Foresight(fed, seen, needs, measure, shapes)

        ranks = tuple([values[position].ndim for position in self._open])
        return _of_kind(self._known, ranks).of(measure, key, fed, find)


class Feedings:
    """What the tasks of a staged plan take, by what has come and been made before them.

    Args:
      feeds: all of them. sizing: those that sizes are made of. refs: the outputs in the slots, first the feeds.
    """

    def __init__(self, feeds: Sequence[Tensor], sizing: Sequence[int], refs: Sequence[Ref], project: Project) -> None:
        self._sizing = tuple(sizing)
        self._dtypes = [tensor.dtype.np for tensor in feeds]
        self._shapes = [tensor.raw_shape for tensor in feeds]
        self._open = [position for position, raw in enumerate(self._shapes) if num_elements(raw) is None]
        self._made: list[tuple[int, PlanNode, int]] = []
        for slot, (node, index) in enumerate(refs):
            if slot >= len(feeds) and node.op is not None and _is_open(node, index):
                self._made.append((slot, node, index))
        self._project = project
        fed = [(PlanNode(tensor.op, tensor.op.type, tensor.op.name), tensor.value_index) for tensor in feeds]
        self._refs = (*fed, *refs[len(fed) :])
        self._known: dict[Any, _Known] = {}

    def of(self, tasks: tuple[int, ...], slots: Sequence[Any], fed: int) -> Foresight:
        """For these tasks, the values in these slots, and feeds that have come (as bits). No needs where that is too
        little to be claimed, or not to be told."""
        measure: list[Any] = []
        shapes = list(self._shapes)
        known: list[Any] = []
        for position in self._open:
            if fed >> position & 1 and slots[position] is not None:
                shapes[position] = np.shape(slots[position])
                known.append((position, len(shapes[position])))  # type: ignore[arg-type]
                measure += shapes[position]  # type: ignore[arg-type]
        values = {}
        for position in self._sizing:
            if fed >> position & 1 and slots[position] is not None:
                value = np.asarray(slots[position], self._dtypes[position])
                if not _measured(value, measure):
                    return Foresight({}, {}, (), measure, shapes, tasks)
                values[position] = value
                known.append(position)
        seen: dict[PlanNode, list[RawShape]] = {}
        for slot, node, index in self._made:
            if isinstance(slots[slot], np.ndarray | np.generic):
                raw = np.shape(slots[slot])
                seen.setdefault(node, [None] * len(node.output_types))[index] = raw
                known.append((slot, len(raw)))
                measure += raw

        def find() -> Foresight:
            needs, found = self._project(seen, values, shapes, tasks)
            return Foresight(values, {**seen, **found}, needs, measure, shapes, tasks)

        key = (tuple(measure), *[value.tobytes() for value in values.values()])
        found = _of_kind(self._known, (tasks, *known)).of(measure, key, values, find)
        return Foresight(values, seen, (), measure, shapes, tasks) if found is None else found

    def largest(self, slots: Sequence[Any]) -> Projection:
        """What a step holds before it goes on: the largest of the values in these slots, and which that are."""
        found: list[tuple[Ref, int, RawShape]] = []
        for ref, value in zip(self._refs, slots, strict=True):
            size = getattr(value, "nbytes", 0)
            if size > TINY and ref[0].op is not None:
                found.append((ref, size, value.shape))
        found.sort(key=lambda row: -row[1])
        return Projection(0, found[0][0][0] if found else None, tuple(found))


def _of_kind(known: dict[Any, _Known], kind: Any) -> _Known:
    if len(known) >= _KINDS and kind not in known:
        known.clear()
    return known.setdefault(kind, _Known())


def _is_open(node: PlanNode, index: int) -> bool:
    return num_elements(node.op.outputs[index].raw_shape) is None  # type: ignore[union-attr]


def _measured(value: Any, measure: list[Any]) -> bool:
    """Adds the numbers of a feed that sizes are made of; whether it has few enough of them."""
    if not value.ndim:
        measure.append(value.item())
    elif value.size > FEW:
        return False
    else:
        numbers = value.ravel().tolist()
        measure += numbers if len(numbers) <= _SINGLE else [max(numbers)]
    return True


def is_within(measure: Sequence[Any], most: Sequence[Any], spacing: float = 0.0) -> bool:
    """Whether none of these numbers is larger than those, nor with `spacing` much smaller."""
    if len(measure) != len(most):
        return False
    for size, there in zip(measure, most):  # noqa: B905 - as many
        if size > there or (spacing and there > size * spacing):
            return False
    return True
