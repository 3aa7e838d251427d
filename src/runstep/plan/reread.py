"""Reads of reference variables for those that run after a change of the variable.

TensorFlow's read (`Identity` of a reference) hands on the variable's own memory: who uses it after an assignment of the
same step sees what was assigned, although the read came first. Our reads are values. So whoever surely runs after a
change, while the read that he uses does not, gets a read of his own, after all that he waits for.

Where the order of a change and of a use is open, both old and new are right; a read stays where it is then.
"""

from __future__ import annotations

from collections.abc import Sequence

from runstep.plan.node import MERGES, PlanNode, Ref
from runstep.plan.values import takes_ref

_KEEPS = frozenset(("Identity", "RefIdentity", "Switch", "RefSwitch", "Merge", "RefMerge", "Enter", "RefEnter"))
"""Ops that take a reference and change nothing."""


def reread(live: Sequence[PlanNode]) -> list[PlanNode]:
    """`live` (producers first) with such reads added."""
    changes: dict[PlanNode, list[PlanNode]] = {}
    reads: dict[PlanNode, list[PlanNode]] = {}
    for node in live:
        inputs = node.op.inputs if node.op is not None else ()
        if not inputs or not inputs[0].dtype.is_ref:
            continue
        variable = _variable(node)
        if node.type == "Identity":
            reads.setdefault(variable, []).append(node)
        elif node.type not in _KEEPS and takes_ref(node.op, 0):
            changes.setdefault(variable, []).append(node)
    found = {variable: nodes for variable, nodes in reads.items() if variable in changes}
    if not found:
        return list(live)
    work = _Reread(live)
    for variable, nodes in found.items():
        for change in changes[variable]:
            behind = work.behind(change)
            for read in nodes:
                if read not in behind:
                    work.anew(read, behind)
    return work.result()


def _variable(node: PlanNode) -> PlanNode:
    """The node whose reference a node takes, behind those that pass it on."""
    source = node.inputs[0][0] if node.inputs else node
    while source.inputs and source.op is not None and source.op.inputs and source.op.inputs[0].dtype.is_ref:
        source = source.inputs[0][0]
    return source


def _is_constant_enter(node: PlanNode) -> bool:
    return node.type == "Enter" and bool(node.attrs["is_constant"])


class _Reread:
    def __init__(self, live: Sequence[PlanNode]) -> None:
        self._live = live
        self._users: dict[PlanNode, list[PlanNode]] = {}
        for node in live:
            for source in dict.fromkeys([*(source for source, _ in node.inputs), *node.controls]):
                self._users.setdefault(source, []).append(node)
        self._number = max((node.number for node in live), default=0)
        self._made: dict[PlanNode, list[PlanNode]] = {}

    def behind(self, change: PlanNode) -> set[PlanNode]:
        """What runs after a change."""
        found: set[PlanNode] = set()
        stack = [change]
        while stack:
            for user in self._users.get(stack.pop(), ()):
                if user not in found:
                    found.add(user)
                    stack.append(user)
        return found

    def anew(self, read: PlanNode, behind: set[PlanNode]) -> None:
        """Gives the users of a read that are among `behind` a read of their own."""
        handed_on: list[tuple[Ref, tuple[Ref, ...]]] = [((read, 0), ())]
        for ref, gates in handed_on:  # grows while it is walked
            for user in self._users.get(ref[0], ()):
                if ref not in user.inputs or user.type in MERGES:  # a Merge waits for one of its inputs only
                    continue
                if user in behind:
                    self._give(user, ref, read, gates)
                elif user.type == "Identity":
                    handed_on.append(((user, 0), gates))
                elif user.inputs[0] == ref and (user.type == "Switch" or _is_constant_enter(user)):
                    sides = (0, 1) if user.type == "Switch" else (0,)
                    handed_on += [((user, side), (*gates, (user, side))) for side in sides]

    def _give(self, user: PlanNode, ref: Ref, read: PlanNode, gates: Sequence[Ref]) -> None:
        """A read for `user` in place of `ref`, where that comes from `read` through `gates` into a branch or loop."""
        new = self._made.setdefault(user, [])
        value, waits = read.inputs[0], list(read.controls)
        for gate, side in gates:
            passing = self._again(gate, [value, *gate.inputs[1:]], [*waits, *gate.controls])
            new.append(passing)
            value, waits = (passing, side), []
        waits += [one[0] for one in user.inputs if one != ref and one[0].feed < 0]
        made = self._again(read, [value], [*waits, *user.controls])
        new.append(made)
        user.inputs = [(made, 0) if one == ref else one for one in user.inputs]

    def _again(self, node: PlanNode, inputs: list[Ref], controls: list[PlanNode]) -> PlanNode:
        assert node.op is not None
        self._number += 1
        made = PlanNode(node.op, node.type, node.name)
        made.number, made.where, made.device, made.row = self._number, node.where, node.device, node.row
        made.inputs, made.controls = inputs, list(dict.fromkeys(controls))
        return made

    def result(self) -> list[PlanNode]:
        return [new for node in self._live for new in (*self._made.get(node, ()), node)]
