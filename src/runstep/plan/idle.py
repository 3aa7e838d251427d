"""Drops pure nodes that others only wait for: nobody looks at what they compute.

The gradient of a product is two products, and the one for the data is made even if nobody asks for it: an update waits
for both. Whoever waits for such a node waits for what that node waits for instead, so that reads and writes of
variables keep their order. (TensorFlow's own optimizer makes them NoOps.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runstep.plan.node import ALIASES, EXITS, MERGES, SWITCHES, PlanNode, Ref

_GATES = frozenset(("LoopCond", "ControlTrigger")) | ALIASES | EXITS | MERGES
_STAY = _GATES | {"NoOp", "Placeholder", "PlaceholderV2"}
_MOST = 64
"""For how much a node may have to wait in place of one that is dropped."""


def drop_idle(live: Sequence[PlanNode], needed: Iterable[Ref], control_flow: bool) -> list[PlanNode]:
    """`live` (producers first) without idle nodes. `needed` are the outputs that leave the plan."""
    if not any(node.controls for node in live):
        return list(live)
    return _Idle(live, control_flow).dropped([source for source, _ in needed])


class _Idle:
    def __init__(self, live: Sequence[PlanNode], control_flow: bool) -> None:
        self._nodes = live
        self._conditional = conditional(live) if control_flow else frozenset()
        self._needed: set[PlanNode] = set()
        self._behind: dict[PlanNode, list[PlanNode]] = {}

    def dropped(self, ends: Iterable[PlanNode]) -> list[PlanNode]:
        idle: list[PlanNode] = []
        stack = list(ends)
        while stack or idle:
            while stack:
                node = stack.pop()
                if node in self._needed:
                    continue
                self._needed.add(node)
                stack.extend(source for source, _ in node.inputs)
                for control in node.controls:
                    (idle if self._may_idle(control) else stack).append(control)
            if idle and (node := idle.pop()) not in self._needed:  # what it waits for is needed, itself perhaps not
                behind = self._waits_for(node)
                if behind is None:
                    stack.append(node)
                else:
                    stack.extend(behind)
        for node in self._needed:
            if any(control not in self._needed for control in node.controls):
                found: dict[PlanNode, None] = {}
                for control in node.controls:
                    found.update(dict.fromkeys([control] if control in self._needed else self._behind[control]))
                node.controls = list(found)
        return [node for node in self._nodes if node in self._needed]

    def _may_idle(self, node: PlanNode) -> bool:
        if not node.is_pure or node.type in _STAY:
            return False
        # Who waits for a Switch does not wait for the branch: where a node reads one, only the node tells the branch.
        return node not in self._conditional or all(source.type not in SWITCHES for source, _ in node.inputs)

    def _waits_for(self, node: PlanNode) -> list[PlanNode] | None:
        """The nearest nodes before an idle one that are not idle; None when they are too many."""
        found = self._behind.get(node)
        if found is not None:
            return found
        reached: dict[PlanNode, None] = {}
        seen = {node}
        stack = [node]
        while stack:
            one = stack.pop()
            for source in (*(source for source, _ in one.inputs), *one.controls):
                if source.feed >= 0 or source in seen:
                    continue
                seen.add(source)
                if self._may_idle(source):
                    stack.append(source)
                else:
                    reached[source] = None
            if len(reached) > _MOST or len(seen) > 4 * _MOST:
                return None
        self._behind[node] = list(reached)
        return self._behind[node]


def conditional(live: Sequence[PlanNode]) -> frozenset[PlanNode]:
    """The nodes that may be dead, or run again: what they do not pass on is lost with them."""
    users: dict[PlanNode, list[PlanNode]] = {}
    for node in live:
        for source in (*(source for source, _ in node.inputs), *node.controls):
            users.setdefault(source, []).append(node)
    stack = [node for node in live if node.type in _GATES]
    found = set(stack)
    while stack:  # not in the order of `live`: inside of a loop it may have a Switch after those who read it
        for user in users.get(stack.pop(), ()):
            if user not in found:
                found.add(user)
                stack.append(user)
    return frozenset(found)
