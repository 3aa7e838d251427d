"""Which loops of one frame name are one loop.

TensorFlow knows a frame by its name alone, so that loops that share a name (a graph that was imported twice, frames
named by hand) share a frame. Tokens meet only where edges lead, so loops between which none leads are as good as
frames of their own. That is what they are made here: one may then start with what another ends with, and each can be
a plain loop. What enters as a constant is the same in all of them, so it joins none: each gets an Enter of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from runstep.plan.node import ENTERS, EXITS, PlanNode

Path = tuple[bytes, ...]
"""The names of the frames around a node, the outermost first."""


class _Parts:
    """Sets of nodes that grow together."""

    def __init__(self) -> None:
        self._leader: dict[PlanNode, PlanNode] = {}

    def of(self, node: PlanNode) -> PlanNode:
        """The node that stands for all of the set of `node`."""
        leader = self._leader
        found = leader.get(node)
        if found is None:
            leader[node] = node
            return node
        while found is not node:
            above = leader[node] = leader[found]
            node, found = above, leader[above]
        return node

    def join(self, one: PlanNode, other: PlanNode) -> None:
        one, other = self.of(one), self.of(other)
        if one is not other:
            self._leader[one] = other


def apart(order: Sequence[PlanNode]) -> tuple[list[PlanNode], dict[PlanNode, PlanNode]]:
    """The nodes with one constant Enter for each loop that uses it; for each Enter a node that stands for its loop.

    `order` has producers before consumers, back edges left out of account.
    """
    inside, outside = paths(order)
    if not inside:
        return list(order), {}
    levels: list[_Parts] = [_Parts() for _ in range(max(map(len, inside.values())))]
    shared: dict[PlanNode, list[PlanNode]] = {}  # what enters as a constant, and who takes it
    for node in order:
        for source in (*(source for source, _ in node.inputs), *node.controls):
            if source not in outside:
                continue
            depth = len(outside[source])
            if source.type in ENTERS and source.attrs["is_constant"]:
                shared.setdefault(source, []).append(node)
                depth -= 1
            for level in range(depth):
                levels[level].join(source, node)
    copies: dict[PlanNode, list[PlanNode]] = {}
    # Outer ones first: a copy of an inner one then takes what its original takes.
    for enter, takers in sorted(shared.items(), key=lambda item: len(inside[item[0]])):
        parts = levels[len(inside[enter]) - 1]
        loops: dict[PlanNode, list[PlanNode]] = {}
        for taker in takers:
            loops.setdefault(parts.of(taker), []).append(taker)
        for number, (loop, users) in enumerate(loops.items()):
            own = enter
            if number:
                own = _copy(enter)
                inside[own] = inside[enter]
                copies.setdefault(enter, []).append(own)
                for user in users:
                    user.inputs = [(own if source is enter else source, index) for source, index in user.inputs]
                    user.controls = [own if control is enter else control for control in user.controls]
            parts.join(own, loop)
    nodes = [node for original in order for node in (original, *copies.get(original, ()))]
    return nodes, {node: levels[len(inside[node]) - 1].of(node) for node in nodes if node.type in ENTERS}


def paths(order: Sequence[PlanNode]) -> tuple[dict[PlanNode, Path], dict[PlanNode, Path]]:
    """Of the nodes in frames, the path of each, and that of its outputs."""
    inside: dict[PlanNode, Path] = {}
    outside: dict[PlanNode, Path] = {}
    for node in order:  # of a Merge, the NextIteration comes later
        path: Path = ()
        for source in (*(source for source, _ in node.inputs), *node.controls):
            if source in outside:
                path = outside[source]
                break
        if node.type in ENTERS:
            path = (*path, node.attrs["frame_name"])
        if path:
            inside[node] = path
        if node.type in EXITS:
            path = path[:-1]
        if path:
            outside[node] = path
    return inside, outside


def _copy(enter: PlanNode) -> PlanNode:
    found = PlanNode(enter.op, enter.type, enter.name)
    found.inputs, found.controls = list(enter.inputs), list(enter.controls)
    found.number, found.device, found.where = enter.number, enter.device, enter.where
    return found
