"""The order of the nodes of a graph that may have loops."""

from __future__ import annotations

from collections.abc import Sequence

from runstep.plan.node import MERGES, NEXTS, PlanNode
from runstep.plan.prune import cycle_error


def topological(nodes: Sequence[PlanNode]) -> list[PlanNode]:
    """Producers before consumers, the back edges of loops left out of account."""
    inside = set(nodes)
    pending: dict[PlanNode, int] = {}
    consumers: dict[PlanNode, list[PlanNode]] = {}
    for node in nodes:
        sources = {source for source, _ in node.inputs} | set(node.controls)
        if node.type in MERGES:
            sources = {source for source in sources if source.type not in NEXTS}
        sources &= inside
        pending[node] = len(sources)
        for source in sources:
            consumers.setdefault(source, []).append(node)
    order = [node for node in nodes if not pending[node]]
    for node in order:
        for consumer in consumers.get(node, ()):
            pending[consumer] -= 1
            if not pending[consumer]:
                order.append(consumer)
    if len(order) != len(nodes):
        stuck = [node for node in nodes if pending[node]]
        raise cycle_error([node.name for node in stuck], stuck[0].op)
    return order
