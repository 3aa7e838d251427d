"""What loops pile up: the stacks that their gradients read.

A turn frees what it made, but not what it has pushed. How many turns there will be nobody knows, so such a loop looks
at its stacks every so many turns, in one line of emitted code, and tells the step how large they get until it looks
again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from runstep.plan.frames import NEVER, Frame
from runstep.plan.node import PlanNode, Ref, root
from runstep.plan.sizes import Sizes
from runstep.plan.watch import least_of

_SMALL = 64
"""Bytes of values that no loop piles up enough of."""

_TURNS = 64
"""Turns between two looks, at most."""


@attrs.frozen(eq=False)
class Piles:
    """The stacks that one loop pushes on.

    Attributes:
      stacks: their handles. turns: between two looks, a power of two.
    """

    node: PlanNode
    stacks: tuple[Ref, ...]
    turns: int
    least: int

    def look(self, step: Any, *stacks: Any) -> None:
        """Tells the step how large these get: lists, or stacks with a list. Raises as `Growth.see`."""
        size = 0
        for stack in stacks:
            values = getattr(stack, "values", stack)
            if values:
                size += int(getattr(values[-1], "nbytes", 0)) * (len(values) + self.turns)
        if size >= self.least:
            growth = step.growth
            if growth is None:
                growth = step.growth = self.node.where.growth(None, None)  # type: ignore[union-attr]
            growth.add(step, self, self.node, size, ((self.node, 0), size, None))


def watch_loops(frames: Iterable[Frame], sizes: Sizes) -> None:
    """Has the loops look at their stacks that push what may be large."""
    for frame in frames:
        pushes = [
            node
            for node in frame.region.nodes
            if node.type == "StackPushV2" and node.guard is not NEVER and root(node.inputs[0])[0].type == "StackV2"
        ]
        known = {push: sizes.nbytes(root(push.inputs[1])) for push in pushes}
        pushes = [push for push in pushes if known[push] > _SMALL or not sizes.count(root(push.inputs[1]))]
        condition = next((node for node in frame.region.nodes if node.type == "LoopCond"), None)
        if frame.structured and pushes and condition is not None and condition.where is not None:
            much = condition.where.memory_limit >> 10
            largest = max(known[push] for push in pushes) or much >> 3
            turns = 1
            while turns < _TURNS and turns * largest < much:
                turns *= 2
            handles = tuple(dict.fromkeys(root(push.inputs[0]) for push in pushes))
            frame.piles = Piles(pushes[0], handles, turns, least_of(condition.where))
