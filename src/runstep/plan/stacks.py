"""Stacks that loops keep their values on for their gradients: dropped where nobody looks at what is popped, plain lists
otherwise.

Only stacks without a limit that are pushed on and popped from in loops: those that gradients write. A gradient pops
everything that its function might need, also where in the end only one of two gradients is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from runstep.plan.node import ENTERS, PlanNode, Ref

PUSH, POP = list.append, list.pop
"""The kernels of a stack that is a list. The emitter writes them as methods."""


def new_list(most: Any) -> list[Any]:
    return []


def find_stacks(live: Sequence[PlanNode], needed: Iterable[Ref]) -> bool:
    """Makes lists of stacks, and cuts off those whose values nobody uses. Returns whether there were any of these."""
    stacks = [node for node in live if node.type == "StackV2" and node.known is None]
    if not stacks:
        return False
    users: dict[PlanNode, list[PlanNode]] = {}
    for node in live:
        for source in {source for source, _ in node.inputs}:
            users.setdefault(source, []).append(node)
    kept = {node for node, _ in needed}
    useless: set[PlanNode] = set()
    for stack in stacks:
        found = _uses(stack, users)
        if found is None or stack in kept:
            continue
        pushes, pops, between = found
        if any(push in kept or push in users for push in pushes):
            continue
        if not any(pop in users or pop in kept for pop in pops):
            useless.update((stack, *between, *pushes, *pops))
            continue
        stack.kernel = new_list
        for push in pushes:
            push.kernel = PUSH
        for pop in pops:
            pop.kernel = POP
    if useless:
        _add_idle_triggers(live, kept, useless)
        for node in live:
            if any(control in useless for control in node.controls):
                node.controls = [control for control in node.controls if control not in useless]
    return bool(useless)


def _add_idle_triggers(live: Sequence[PlanNode], kept: set[PlanNode], useless: set[PlanNode]) -> None:
    """Adds the triggers that wait for useless nodes alone: without them they would go off outside of their loop."""
    triggers = [node for node in live if node.type == "ControlTrigger" and node.controls and node not in kept]
    while found := [node for node in triggers if node not in useless and useless.issuperset(node.controls)]:
        useless.update(found)


def _uses(
    stack: PlanNode, users: dict[PlanNode, list[PlanNode]]
) -> tuple[list[PlanNode], list[PlanNode], list[PlanNode]] | None:
    """Where a stack is pushed on and popped from, and the Enters and Switches on the way; None if it is used in another
    way."""
    limit = stack.inputs[0][0].known
    if limit is None or limit[0].ndim or limit[0] >= 0:
        return None
    dtype = stack.attrs["elem_type"]
    pushes: list[PlanNode] = []
    pops: list[PlanNode] = []
    between: list[PlanNode] = []
    waiting = [(stack, False)]
    while waiting:
        node, in_loop = waiting.pop()
        for user in users.get(node, ()):
            positions = [i for i, (source, _) in enumerate(user.inputs) if source is node]
            if positions != [0]:
                return None
            if user.type in ENTERS or user.type == "Switch":
                between.append(user)
                waiting.append((user, in_loop or user.type in ENTERS))
            elif user.type == "StackPushV2" and in_loop and user.attrs["T"] is dtype:
                pushes.append(user)
            elif user.type == "StackPopV2" and in_loop and user.attrs["elem_type"] is dtype:
                pops.append(user)
            else:
                return None
    return pushes, pops, between
