"""What a staged plan (a partial run) knows besides its tasks: what each fetch waits for, and how it leaves.

Feeds and ends are numbered, and sets of them are written as bits of an int. The ends are the fetches, then the targets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.plan.emit import Segment
from runstep.plan.frames import Frame, Item
from runstep.plan.node import PlanNode
from runstep.plan.prune import Pruned


@attrs.frozen(eq=False)
class Stages:
    """The stages of one plan.

    Attributes:
      collectors: for each fetch, the code that makes its value and the slots that it takes.
      needs: for each end, the feeds that it cannot be computed without, by the graph as the user wrote it: also those
        that only a branch not taken uses (S145).
      waits: for each task, the feeds that must be there before it starts.
      serves: for each task, the ends that it works for.
    """

    collectors: tuple[tuple[Segment, tuple[int, ...]], ...]
    needs: tuple[int, ...]
    waits: tuple[int, ...]
    serves: tuple[int, ...]

    def due(self, before: int, now: int, wanted: int) -> list[int]:
        """The tasks that can run once the feeds `now` come to `before`, none of them waiting for anything but feeds.

        Producers come first, and those that serve the ends `wanted` before all others: what fails among the others is
        no concern of who asks for these.
        """
        after = before | now
        found = [n for n, mask in enumerate(self.waits) if not mask & ~after and (mask & ~before or not (before | now))]
        return sorted(found, key=lambda n: not self.serves[n] & wanted)

    def serving(self, wanted: int) -> frozenset[int]:
        """The tasks that work for any of these ends."""
        return frozenset(n for n, mask in enumerate(self.serves) if mask & wanted)


def needs(pruned: Pruned, fetches: Sequence[Tensor], targets: Sequence[Operation]) -> tuple[int, ...]:
    """For each fetch, then each target: the feeds that it depends on. To be asked before anything is rewritten."""
    masks: dict[PlanNode, int] = {}

    def mask_of(node: PlanNode) -> int:
        return 1 << node.feed if node.feed >= 0 else masks.get(node, 0)

    changed = True
    while changed:  # loops in the graph take another turn
        changed = False
        for node in pruned.nodes:
            mask = masks.get(node, 0)
            found = mask
            for source, _ in node.inputs:
                found |= mask_of(source)
            for control in node.controls:
                found |= masks.get(control, 0)
            if found != mask:
                masks[node] = found
                changed = pruned.has_control_flow
    ends = [pruned.ref(tensor)[0] for tensor in fetches] + [pruned.by_op[op] for op in targets]
    return tuple(mask_of(node) for node in ends)


def serves(items: Sequence[Item], ends: Sequence[Sequence[PlanNode]], predecessors: Any) -> dict[Item, int]:
    """For each item, the ends that it works for. `ends` are the nodes that each of them reads."""
    found: dict[Item, int] = {}
    for position, nodes in enumerate(ends):
        for node in nodes:
            if node.feed < 0:
                item = top_item(node)
                found[item] = found.get(item, 0) | 1 << position
    for item in reversed(items):
        mask = found.get(item, 0)
        for earlier in predecessors.get(item, ()):
            found[earlier] = found.get(earlier, 0) | mask
    return found


def late_reads(
    items: Sequence[Item], ends: Sequence[PlanNode], predecessors: Any, feeds_of: Callable[[Item], set[int]]
) -> dict[Item, set[int]]:
    """Reads of reference variables that wait for feeds, and which: those that all their consumers wait for.

    TensorFlow's read hands on the variable's own memory, so that a consumer sees what is in it when the consumer runs
    (S153).
    """
    consumers: dict[Item, list[Item]] = {item: [] for item in items if _reads_reference(item) and item not in ends}
    if not consumers:
        return {}
    waited: dict[Item, set[int]] = {}
    for item in items:
        waited[item] = set(feeds_of(item))
        for earlier in predecessors.get(item, ()):
            waited[item] |= waited[earlier]
            if earlier in consumers:
                consumers[earlier].append(item)
    return {read: set.intersection(*[waited[item] for item in found]) for read, found in consumers.items() if found}


def _reads_reference(item: Item) -> bool:
    if not isinstance(item, PlanNode) or item.type != "Identity" or item.op is None:
        return False
    return item.op.inputs[0].dtype.is_ref


def top_item(node: PlanNode) -> Item:
    """The node itself, or the outermost loop that it is part of."""
    frame: Frame | None = node.frame
    if frame is None:
        return node
    while frame.parent is not None:
        frame = frame.parent
    return frame
