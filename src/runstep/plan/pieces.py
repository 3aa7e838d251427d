"""Whether a plan is one piece of code or several tasks: because something waits, because there are several devices,
because feeds come late, or because parts of it are worth a thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from runstep.kernels import blas
from runstep.plan.cost import may_take_any_time
from runstep.plan.device import PlanDevice
from runstep.plan.emit import Emitter
from runstep.plan.estimate import Need
from runstep.plan.node import Guard, PlanNode, Ref, root
from runstep.plan.prune import Pruned
from runstep.plan.tasks import Parts, Task, cut, devices_of
from runstep.plan.weigh import Scales

if TYPE_CHECKING:
    from runstep.plan.compile import _Work


def parts_of(
    work: _Work,
    pruned: Pruned,
    results: Sequence[tuple[Ref, str, Guard]],
    scales: Scales | None,
    ends: Sequence[PlanNode],
    needed: tuple[int, ...],
    trace: bool,
    staged: bool,
    devices: Sequence[PlanDevice],
    threads: int,
) -> tuple[Parts, tuple[Need, ...]]:
    """The tasks of a plan, and the memory that they take."""
    kept, copied = _leaving(results, scales)

    def cut_up(before: Any, labels: Any = None) -> Parts:
        return cut(
            work.items,
            work.flow,
            pruned.feeds,
            results,
            before,
            staged=staged,
            trace=trace,
            ends=ends,
            needs=needed,
            scales=scales,
            labels=labels,
        )

    def weighed(parts: Parts) -> tuple[Need, ...]:
        return () if scales is None else scales.needs(parts.tasks, parts.items, kept, threads, copied)

    used = set(devices_of(work.items))
    if staged or len(used) > 1 or any(node.is_async for node in work.nodes):
        if scales is not None:
            work.items = scales.fitting(work.items, work.predecessors, kept, devices[0])
        parts = cut_up(work.predecessors())
        return parts, weighed(parts)
    device = next(iter(used), devices[0])
    if scales is not None:
        found = scales.lanes(work.items, work.predecessors, threads)
        if found is not None:
            labels, before = found
            parts = cut_up(before, labels)
            needs = weighed(parts)
            if len(parts.tasks) > 1 and scales.gains(parts.tasks, threads, blas.of_a_large_product()):
                if not needs or needs[0].most <= device.memory_limit >> 1:
                    return parts, needs
        work.items = scales.fitting(work.items, work.predecessors, kept, device)
    pauses = frozenset() if scales is None else scales.pauses(work.items)
    args = [(feed, 0) for feed in pruned.feeds]
    segment = Emitter(work.flow, trace, pauses).emit(work.items, args, results)
    cost = 0.0 if scales is None else scales.cost(work.items)
    task = Task(segment, device, (), (), 0, cost=cost, endless=may_take_any_time(work.items))
    parts = Parts((task,), (tuple(work.items),), None, (), len(args), None)
    return parts, () if scales is None else scales.need(device, work.items, kept, copied)


def _leaving(results: Sequence[tuple[Ref, str, Guard]], scales: Scales | None) -> tuple[set[Ref], int]:
    """The outputs that leave, and the bytes of those that leave as copies."""
    copied = 0
    if scales is not None:
        copied = sum(scales.sizes.nbytes(root(ref)) for ref, how, _ in results if how == "private")
    return {root(ref) for ref, _, _ in results}, copied


def needs_of(parts: Parts, results: Sequence[tuple[Ref, str, Guard]], scales: Scales, threads: int) -> tuple[Need, ...]:
    """The memory that a plan takes which is cut already, for other sizes."""
    kept, copied = _leaving(results, scales)
    if len(parts.tasks) > 1 or parts.collect is not None:
        return scales.needs(parts.tasks, parts.items, kept, threads, copied)
    return scales.need(parts.tasks[0].device, parts.items[0], kept, copied)


def needs_of_some(parts: Parts, numbers: Sequence[int], scales: Scales, threads: int) -> tuple[Need, ...]:
    """The memory that some tasks of a staged plan take beside what is there before them; all that they make stays."""
    tasks = []
    kept: set[Ref] = set()
    for number in numbers:
        task = parts.tasks[number]
        made = {parts.refs[slot] for slot in task.results}
        sizes = tuple([scales.sizes.nbytes(ref) for ref in made])
        tasks.append(attrs.evolve(task, size=scales.size(parts.items[number], made), result_sizes=sizes))
        kept |= made
    return scales.needs(tasks, [parts.items[number] for number in numbers], kept, threads, 0)


def collected(parts: Parts) -> list[int]:
    """The slots that fetched values are made of."""
    if parts.stages is None:
        return list(parts.collect_slots)
    return [slot for _, slots in parts.stages.collectors for slot in slots]
