"""The closer look at a plan: the cost of each node, the memory of each order, and what follows for how it is cut."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

from runstep.graph.shapes import RawShape
from runstep.kernels import blas
from runstep.plan.cost import HEAVY, flops_of, item_cost
from runstep.plan.device import PlanDevice
from runstep.plan.estimate import PAUSE, Need, is_small
from runstep.plan.frames import Item
from runstep.plan.lanes import Label, lanes, makespan, may_be_lanes
from runstep.plan.memory import Reads, bound, effects, project, reordered
from runstep.plan.node import PlanNode, Ref
from runstep.plan.sizes import Fed, Seen, Sizes
from runstep.plan.tasks import Task

Predecessors = Callable[[], Mapping[Item, Set[Item]]]
"""Works out, for each item, those that must run before it."""


class Scales:
    """Weighs the items of one plan.

    Args:
      items: in the order in which they run. feeds: for each feed its shape, as far as it is known.
      reads: the roots that an item reads. seen: the shapes that a step has found out. fed: what it is fed.
    """

    def __init__(
        self,
        items: Sequence[Item],
        nodes: Sequence[PlanNode],
        feeds: Sequence[RawShape],
        reads: Reads,
        seen: Seen | None = None,
        fed: Fed | None = None,
    ) -> None:
        self.sizes = Sizes(nodes, feeds, seen, fed=fed)
        self._reads = reads
        self._costs = {item: item_cost(item, self.sizes) for item in items}
        self._total = 0
        for node in nodes:
            kind = self.sizes.kinds.get(node)
            if kind is not None:
                self._total += kind.total

    def cost(self, items: Sequence[Item]) -> float:
        """Microseconds of these items one after the other."""
        return sum(self._costs[item] for item in items)

    def size(self, items: Sequence[Item], results: Set[Ref]) -> int:
        """Bytes that these items take at most, in this order."""
        return project(items, self.sizes, self._reads, results).peak

    def _bound(self, items: Sequence[Item]) -> int:
        """Bytes that these items never take more than: all outputs, and what loops and functions take inside."""
        inner = 0
        for item in items:
            if isinstance(item, PlanNode) and (item.inner_bytes or item.parts or item.bodies):
                inner += self.sizes.inner_bytes(item)
        return 2 * self._total + inner

    def pauses(self, items: Sequence[Item]) -> set[PlanNode]:
        """The nodes before which a step looks whether it has been cancelled: such as come after heavy work."""
        found: set[PlanNode] = set()
        since = 0.0
        for item in items:
            cost = self._costs[item]
            if since and since + cost >= PAUSE and isinstance(item, PlanNode):
                found.add(item)
                since = 0.0
            since += cost
        return found

    def need(self, device: PlanDevice, items: Sequence[Item], results: Set[Ref], copied: int) -> tuple[Need, ...]:
        """What a plan of one task takes of its device; nothing, when that is small. `copied` bytes leave as copies."""
        if is_small(device, self._bound(items) + copied):
            return ()
        most = bound(items, self.sizes, results)
        if most is not None and is_small(device, most + copied):
            return ()
        found = project(items, self.sizes, self._reads, results, copied=copied)
        return () if is_small(device, found.peak) else (Need(device, found.peak, found.peak, found, _kept(items)),)

    def needs(
        self,
        tasks: Sequence[Task],
        items: Sequence[Sequence[Item]],
        results: Set[Ref],
        threads: int,
        copied: int,
    ) -> tuple[Need, ...]:
        """What a plan of several tasks takes of each device. `items`: those of each task."""
        order = [item for those in items for item in those]
        where = {item: task.device for task, those in zip(tasks, items, strict=True) for item in those}
        found = []
        for number, device in enumerate(dict.fromkeys(task.device for task in tasks)):
            extra = 0 if number else copied
            here = {item for item in order if where[item] is device}
            one = project(order, self.sizes, self._reads, results, here, extra)
            mine = [task for task in tasks if task.device is device]
            kept = sum(sum(task.result_sizes) for task in mine)
            beside = sorted((max(task.size - sum(task.result_sizes), 0) for task in mine), reverse=True)
            most = max(one.peak, kept + extra, kept + sum(beside[:threads]))
            if not is_small(device, most):
                found.append(Need(device, one.peak, most, one, _kept(here)))
        return tuple(found)

    def fitting(self, items: Sequence[Item], before: Predecessors, results: Set[Ref], device: PlanDevice) -> list[Item]:
        """The items in their own order if that fits in what the device has left, else in one that takes less."""
        limit = device.memory_limit
        if self._bound(items) <= limit >> 2:
            return list(items)
        peak = self.size(items, results)
        if peak <= limit >> 2 or peak <= limit - device.resources.nbytes:
            return list(items)
        return reordered(items, before(), self.sizes, self._reads, results)

    def lanes(
        self, items: Sequence[Item], before: Predecessors, threads: int
    ) -> tuple[dict[Item, Label], dict[Item, set[Item]]] | None:
        """Which items should run beside each other, and what each then waits for; None when that gains nothing."""
        costs = [self._costs[item] for item in items]
        if not may_be_lanes(items, costs, threads):
            return None
        waits = {item: set(earlier) for item, earlier in before().items()}
        for earlier, later in effects(items):
            waits[later].add(earlier)
        labels = lanes(items, waits, costs, threads)
        return None if labels is None else (labels, waits)

    def gains(self, tasks: Sequence[Task], threads: int, blas_threads: int) -> bool:
        """Whether tasks beside each other are clearly faster than all in a row, where large products get all cores."""
        alone = 0.0
        for item, cost in self._costs.items():
            is_split = isinstance(item, PlanNode) and flops_of(item, self.sizes) >= 2 * blas.LARGE
            alone += cost / max(1, min(threads, blas_threads)) if is_split else cost
        together = makespan([task.before for task in tasks], [task.cost for task in tasks], threads)
        return together < alone - max(HEAVY, alone / 10)

    def time(self) -> float:
        """Microseconds of it all."""
        return sum(self._costs.values())


def _kept(items: Iterable[Item]) -> tuple[Any, ...]:
    """What the regions among these items keep between steps."""
    return tuple([item.kernel.kept for item in items if isinstance(item, PlanNode) and hasattr(item.kernel, "kept")])  # type: ignore[union-attr]
