"""Cutting a plan into tasks: what can start together runs as one segment, what may wait or lies elsewhere stands alone.

Two synchronous nodes belong to one task when they are on one device and wait for the very same things: feeds that come
later (partial runs), waiting kernels, results of other devices. So every task starts as soon as it can, no task waits
for
another's affairs, and the tasks cannot form a cycle. In a staged plan they must also serve the very same fetches: what
fails on the way to one is then no concern of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

import attrs

from runstep.plan.cost import HEAVY, may_take_any_time
from runstep.plan.device import PlanDevice
from runstep.plan.emit import Emitter, Segment, produced
from runstep.plan.frames import NEVER, ControlFlow, Frame, Item
from runstep.plan.node import ALWAYS, MERGES, PASS, Guard, PlanNode, Ref, root
from runstep.plan.stages import Stages, late_reads, serves

if TYPE_CHECKING:
    from runstep.plan.weigh import Scales


@attrs.frozen(eq=False)
class Task:
    """One unit of work of one device.

    Attributes:
      segment: the code. device: where it runs.
      args, results: the slots of the step that it reads and writes.
      waits_for: how many tasks and staged feeds must be done first.
      before, after, feeds: these tasks and feeds, and the tasks that wait for this one.
      cost: microseconds that it is thought to take; what is heavy is worth a thread.
      size: bytes that it is thought to take while it runs, its results included. result_sizes: of those alone.
      endless: nobody can say when it ends.
    """

    segment: Segment
    device: PlanDevice
    args: tuple[int, ...]
    results: tuple[int, ...]
    waits_for: int
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    feeds: tuple[int, ...] = ()
    cost: float = 0.0
    size: int = 0
    result_sizes: tuple[int, ...] = ()
    endless: bool = False

    @property
    def is_heavy(self) -> bool:
        """Whether it is worth a thread."""
        return self.endless or self.cost >= HEAVY


def readers(tasks: Sequence[Task], collected: Iterable[int], slots: int) -> tuple[int, ...]:
    """For each slot how many read it: tasks, and those who collect the fetched values."""
    found = [0] * slots
    for task in tasks:
        for slot in task.args:
            found[slot] += 1
    for slot in collected:
        found[slot] += 1
    return tuple(found)


@attrs.frozen(eq=False)
class Parts:
    """A plan that is cut: its tasks, and the items of each; the segment that makes the fetched values, and the slots
    that it takes; the number of slots; how the fetches leave one by one; the output in each slot."""

    tasks: tuple[Task, ...]
    items: tuple[tuple[Item, ...], ...]
    collect: Segment | None
    collect_slots: tuple[int, ...]
    slots: int
    stages: Stages | None
    refs: tuple[Ref, ...] = ()


class _Draft:
    def __init__(self, device: PlanDevice, number: int, bit: int = 0, label: Any = None) -> None:
        self.device = device
        self.label = label
        self.number = number
        self.bit = bit
        self.items: list[Item] = []
        self.before: dict[_Draft, None] = {}
        self.feeds: set[int] = set()
        self.seen = 0
        self.serves = 0


def cut(
    items: Sequence[Item],
    flow: ControlFlow | None,
    feeds: Sequence[PlanNode],
    results: Sequence[tuple[Ref, str, Guard]],
    predecessors: Mapping[Item, set[Item]],
    *,
    staged: bool,
    trace: bool,
    ends: Sequence[PlanNode] = (),
    needs: tuple[int, ...] = (),
    scales: Scales | None = None,
    labels: Mapping[Item, Any] | None = None,
) -> Parts:
    """The tasks, producers first, and what goes with them.

    Args:
      scales: weighs the tasks. labels: items of different labels go into different tasks.
      ends, needs: of a staged plan: the nodes of its fetches, then of its targets, and the feeds that each needs. Such
        a plan has no one segment that collects, but stages.
    """
    reader = Emitter(flow)
    served: dict[Item, int] = {}
    late: dict[Item, set[int]] = {}
    if staged:
        read = [[ref[0] for ref in (root(ref), *reader.guard_reads(guard))] for ref, _, guard in results]
        read += [[] for _ in ends[len(results) :]]
        late = late_reads(items, ends, predecessors, lambda item: {ref[0].feed for ref in reader.reads(item)} - {-1})
        served = serves(items, [[node, *more] for node, more in zip(ends, read, strict=True)], predecessors)
    drafts: list[_Draft] = []
    by_key: dict[Any, _Draft] = {}
    signature: dict[Item, int] = {}
    before: dict[Item, dict[_Draft, None]] = {}  # of items without code: the drafts they stand for
    for item in items:
        seen = 0
        sources: dict[_Draft, None] = {}
        for earlier in predecessors.get(item, ()):
            seen |= signature[earlier]
            sources.update(before[earlier])
        waited = {ref[0].feed for ref in reader.reads(item) if ref[0].feed >= 0} if staged else set()
        waited |= late.get(item, set())
        for feed in waited:
            seen |= 1 << feed
        if not _has_code(item):
            signature[item], before[item] = seen, sources
            continue
        device, label = _device(item), None if labels is None else labels.get(item)
        for draft in sources:
            if draft.device is not device or draft.bit or draft.label != label:
                seen |= draft.bit or 1 << (len(feeds) + draft.number)
        if _is_async(item):
            draft = _Draft(device, len(drafts), 1 << (len(feeds) + len(drafts)), label)
            drafts.append(draft)
        else:
            key = (device.name, seen, served.get(item, 0), label)
            if key not in by_key:
                by_key[key] = _Draft(device, len(drafts), 0, label)
                drafts.append(by_key[key])
            draft = by_key[key]
        draft.items.append(item)
        draft.seen, draft.serves = seen, served.get(item, 0)
        draft.feeds |= waited
        draft.before.update((source, None) for source in sources if source is not draft)
        signature[item], before[item] = seen, {draft: None}
    return _emit(drafts, reader, flow, feeds, results, trace, needs if staged else None, scales)


def _emit(
    drafts: list[_Draft],
    reader: Emitter,
    flow: ControlFlow | None,
    feeds: Sequence[PlanNode],
    results: Sequence[tuple[Ref, str, Guard]],
    trace: bool,
    needs: tuple[int, ...] | None,
    scales: Scales | None,
) -> Parts:
    slots: dict[Ref, int] = {(feed, 0): position for position, feed in enumerate(feeds)}
    made = [{node for item in draft.items for node in produced(item)} for draft in drafts]
    reads = [
        {ref for item in draft.items for ref in reader.reads(item) if ref[0] not in inside}
        for draft, inside in zip(drafts, made, strict=True)
    ]
    wanted: set[Ref] = set().union(*reads) if reads else set()
    collected: dict[Ref, None] = {}
    for ref, _, guard in results:
        if root(ref)[0].known is None and guard is not NEVER:
            collected[root(ref)] = None
        for read in reader.guard_reads(guard):
            if read[0].known is None:
                collected[read] = None
    wanted |= set(collected)
    maker = {node: number for number, nodes in enumerate(made) for node in nodes}
    sent: list[list[Ref]] = [[] for _ in drafts]
    for ref in wanted:
        if ref[0] in maker:
            sent[maker[ref[0]]].append(ref)
    order = _sorted(drafts)
    numbers = {draft: number for number, draft in enumerate(order)}
    after: list[list[int]] = [[] for _ in order]
    for draft in order:
        for source in draft.before:
            after[numbers[source]].append(numbers[draft])
    tasks = []
    for draft in order:
        position = draft.number
        args = sorted(reads[position], key=lambda ref: (ref[0].number, ref[1], ref[0].feed))
        out = sorted(sent[position], key=lambda ref: (ref[0].number, ref[1]))
        for ref in out:
            slots.setdefault(ref, len(slots))
        pauses = frozenset() if scales is None else scales.pauses(draft.items)
        segment = Emitter(flow, trace, pauses).emit(draft.items, args, [(ref, "", ALWAYS) for ref in out])
        tasks.append((draft, segment, args, out))
    finished = tuple(
        Task(
            segment,
            draft.device,
            tuple(slots[ref] for ref in args),
            tuple(slots[ref] for ref in out),
            len(draft.before) + len(draft.feeds),
            tuple(sorted(numbers[source] for source in draft.before)),
            tuple(after[number]),
            tuple(sorted(draft.feeds)),
            *((0.0, 0, ()) if scales is None else _weight(draft, out, scales)),
            may_take_any_time(draft.items),
        )
        for number, (draft, segment, args, out) in enumerate(tasks)
    )
    items = tuple(tuple(draft.items) for draft in order)
    if needs is None:
        collect = Emitter(flow).emit((), list(collected), results, "collect")
        leave = tuple(slots[ref] for ref in collected)
        return Parts(finished, items, collect, leave, len(slots), None, tuple(slots))
    lasting = _lasting(drafts, reader, reads, results)
    collectors = []
    for ref, how, guard in results:
        needed = () if guard is NEVER else (root(ref), *reader.guard_reads(guard))
        taken = [read for read in dict.fromkeys(needed) if read[0].known is None]
        result = (ref, "private" if root(ref) in lasting else how, guard)
        collectors.append((Emitter(flow).emit((), taken, [result], "collect"), tuple(slots[read] for read in taken)))
    every = (1 << len(feeds)) - 1
    waits = tuple(draft.seen & every for draft in order)
    stages = Stages(tuple(collectors), needs, waits, tuple(draft.serves for draft in order))
    return Parts(finished, items, None, (), len(slots), stages, tuple(slots))


def _weight(draft: _Draft, out: Sequence[Ref], scales: Scales) -> tuple[float, int, tuple[int, ...]]:
    sizes = tuple(scales.sizes.nbytes(ref) for ref in out)
    return scales.cost(draft.items), max(scales.size(draft.items, set(out)), sum(sizes)), sizes


def _lasting(
    drafts: list[_Draft], reader: Emitter, reads: list[set[Ref]], results: Sequence[tuple[Ref, str, Guard]]
) -> set[Ref]:
    """What the step itself still needs when a fetch of it has left: read by other tasks or fetched twice, or seen by a
    view."""
    found: set[Ref] = set().union(*reads) if reads else set()
    fetched: set[Ref] = set()
    for ref, _, _ in results:
        (found if root(ref) in fetched else fetched).add(root(ref))
    for draft in drafts:
        for item in draft.items:
            if not isinstance(item, PlanNode) or item.row is None or item.row.view:
                found |= reader.reads(item)
    return found


def _sorted(drafts: list[_Draft]) -> list[_Draft]:
    """Producers first, otherwise in the order in which they were begun."""
    pending = [len(draft.before) for draft in drafts]
    after: list[list[_Draft]] = [[] for _ in drafts]
    for draft in drafts:
        for source in draft.before:
            after[source.number].append(draft)
    ready = [draft.number for draft in drafts if not pending[draft.number]]
    order: list[_Draft] = []
    while ready:
        draft = drafts[heappop(ready)]
        order.append(draft)
        for other in after[draft.number]:
            pending[other.number] -= 1
            if not pending[other.number]:
                heappush(ready, other.number)
    return order


def _has_code(item: Item) -> bool:
    if item.guard is NEVER:
        return False
    if isinstance(item, Frame) or item.type in MERGES:
        return True
    return item.kernel is not None and item.kernel is not PASS


def _nodes(item: Item) -> list[PlanNode]:
    return [item] if isinstance(item, PlanNode) else [node for node in produced(item)]


def _is_async(item: Item) -> bool:
    return any(node.is_async for node in _nodes(item))


def devices_of(items: Sequence[Item]) -> list[PlanDevice]:
    """The devices that items with code run on."""
    return list(dict.fromkeys(_device(item) for item in items if _has_code(item)))


def _device(item: Item) -> PlanDevice:
    if isinstance(item, PlanNode):
        return item.where  # type: ignore[return-value]
    for node in item.region.nodes:
        if node.type == "LoopCond":
            return node.where  # type: ignore[return-value]
    return item.enters[0].where  # type: ignore[return-value]
