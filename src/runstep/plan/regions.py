"""Regions: connected parts of a plan that another library computes as one kernel.

The library says which nodes it takes (`Provider`). A region must not be left and entered again on the way from one of
its nodes to another, or it would wait for itself. So every node gets a level, which grows wherever a path enters or
leaves what the library takes; nodes of one level that are connected make a region.

The plan node of a region gives out several values. The nodes whose values leave stay in the plan as aliases of its
outputs; the others go.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Protocol

from runstep.kernels.registry import Kernel, KernelDef
from runstep.plan.idioms import through
from runstep.plan.node import ALIASES, ENTERS, EXITS, MERGES, NEXTS, PASS, OpView, PlanNode, Ref

_STRUCTURE = ALIASES | ENTERS | EXITS | MERGES | NEXTS | {"LoopCond"}


class Provider(Protocol):
    """A library that computes regions."""

    def accepts(self, node: PlanNode) -> bool:
        """Whether a region may hold this node."""

    def of_sizes(self, node: PlanNode) -> bool:
        """Whether it may hold this node where all inputs are constant or come from shapes."""

    def is_source_of_sizes(self, node: PlanNode) -> bool:
        """Whether the node's value is known from the shape of its input."""

    def is_worth(self, nodes: Sequence[PlanNode]) -> bool:
        """Whether a region of these nodes is faster than its nodes one by one."""

    def is_wanted(self, nodes: Sequence[PlanNode]) -> bool:
        """Whether there can be such a region among these nodes (asked before anything is loaded)."""

    def make(
        self,
        nodes: Sequence[PlanNode],
        inputs: Sequence[Ref],
        outputs: Sequence[PlanNode],
        node_by_node: Callable[[], Callable[..., tuple[Any, ...]]],
    ) -> Kernel:
        """The kernel of a region: `inputs` in, one value or a tuple out."""


NodeByNode = Callable[[Sequence[PlanNode], Sequence[Ref], Sequence[PlanNode]], Callable[..., tuple[Any, ...]]]


def join(
    live: Sequence[PlanNode], needed: Iterable[Ref], provider: Provider, node_by_node: NodeByNode
) -> list[PlanNode]:
    """`live` (producers first) with its regions as single nodes. `needed` are the outputs that leave the plan."""
    taken = _taken(live, provider)
    if not taken:
        return list(live)
    groups = _components(live, taken, _levels(live, taken))
    users: dict[PlanNode, list[PlanNode]] = {}
    for node in live:
        for source in {through(ref)[0] for ref in node.inputs}:
            users.setdefault(source, []).append(node)
    pinned = {through(ref)[0] for ref in needed}
    for node in live:
        pinned.update(node.controls)
    gone: set[PlanNode] = set()
    after: dict[PlanNode, PlanNode] = {}
    for nodes in groups:
        if not provider.is_worth(nodes):
            continue
        inside = set(nodes)
        outputs = [n for n in nodes if n in pinned or any(user not in inside for user in users.get(n, ()))]
        if outputs:
            region = _region(nodes, outputs, provider, node_by_node)
            gone.update(node for node in nodes if node not in outputs)
            after[nodes[-1]] = region
    return _ordered(live, gone, after)


def _taken(live: Sequence[PlanNode], provider: Provider) -> set[PlanNode]:
    taken: set[PlanNode] = set()
    sizes: set[PlanNode] = set()
    for node in live:
        if node.op is None or node.feed >= 0 or node.known is not None or node.controls or len(node.op.outputs) != 1:
            continue
        if node.kernel is PASS:
            continue
        sources = [through(ref)[0] for ref in node.inputs]
        if provider.is_source_of_sizes(node):
            if sources[0] in taken:  # of what comes from outside, the shape is cheap to ask for outside
                taken.add(node)
                sizes.add(node)
        elif provider.of_sizes(node):
            if all(source.known is not None or source in sizes for source in sources) and sources:
                taken.add(node)
                sizes.add(node)
        elif provider.accepts(node):
            taken.add(node)
    return taken


def _levels(live: Sequence[PlanNode], taken: set[PlanNode]) -> dict[PlanNode, Any]:
    """For each node how often a path to it changes sides, and under which structural nodes it runs."""
    levels: dict[PlanNode, int] = {}
    scopes: dict[PlanNode, frozenset[Ref]] = {}
    for node in live:
        level, scope = 0, frozenset[Ref]()
        refs = [through(ref) for ref in node.inputs]
        for source in [source for source, _ in refs] + _waits(node):
            if source in levels:  # not what comes round a loop
                level = max(level, levels[source] + ((source in taken) != (node in taken)))
        for ref in refs:
            scope |= {ref} if ref[0].type in _STRUCTURE else scopes.get(ref[0], frozenset())
        levels[node], scopes[node] = level, scope
    return {node: (levels[node], scopes[node]) for node in taken}


def _waits(node: PlanNode) -> list[PlanNode]:
    """What a node waits for beside its inputs: its own controls, and those of the nodes that pass its inputs on."""
    found = list(node.controls)
    for source, _ in node.inputs:
        while source.kernel is PASS and source.known is None:
            found += source.controls
            source = source.inputs[0][0]
    return found


def _components(live: Sequence[PlanNode], taken: set[PlanNode], levels: dict[PlanNode, Any]) -> list[list[PlanNode]]:
    """Connected nodes of one level, on one device."""
    parent = {node: node for node in taken}

    def find(node: PlanNode) -> PlanNode:
        while parent[node] is not node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for node in live:
        if node in taken:
            for ref in node.inputs:
                source = through(ref)[0]
                if source in taken and levels[source] == levels[node] and source.where is node.where:
                    parent[find(source)] = find(node)
    groups: dict[PlanNode, list[PlanNode]] = {}
    for node in live:
        if node in taken:
            groups.setdefault(find(node), []).append(node)
    return list(groups.values())


def _region(
    nodes: Sequence[PlanNode], outputs: Sequence[PlanNode], provider: Provider, node_by_node: NodeByNode
) -> PlanNode:
    last = nodes[-1]
    copies = {node: copy.copy(node) for node in nodes}
    inputs: dict[Ref, None] = {}
    for node, twin in copies.items():
        refs: list[Ref] = []
        for ref in node.inputs:
            source, output = through(ref)
            if source in copies:
                refs.append((copies[source], output))
            else:
                refs.append((source, output))
                if source.known is None:
                    inputs[source, output] = None
        twin.inputs = refs
    view = OpView(last.op, [node.op.outputs[0] for node in outputs], "_OneDnnRegion")  # type: ignore[union-attr]
    region = PlanNode(view, "_OneDnnRegion", last.name)  # type: ignore[arg-type]
    region.inputs = list(inputs)
    region.controls = [node for node in dict.fromkeys(chain.from_iterable(map(_waits, nodes))) if node not in copies]
    region.number, region.where, region.device = last.number, last.where, last.device
    twins, leaving = list(copies.values()), [copies[node] for node in outputs]
    kernel = provider.make(twins, list(inputs), leaving, lambda: node_by_node(twins, list(inputs), leaving))
    region.kernel = kernel
    region.parts = twins
    region.row = KernelDef("_OneDnnRegion", lambda node: kernel, types=None, view=False, step=False, is_async=False)
    for index, node in enumerate(outputs):
        node.kernel, node.inputs = PASS, [(region, index)]
    return region


def _ordered(live: Sequence[PlanNode], gone: set[PlanNode], after: dict[PlanNode, PlanNode]) -> list[PlanNode]:
    """What is left, producers first again."""
    place = {node: position for position, node in enumerate(live)}
    for last, region in after.items():
        place[region] = place[last]
    regions = set(after.values())
    order: list[PlanNode] = []
    done = set(gone)
    for start in live:
        stack = [(start, False)]
        while stack:
            node, is_ready = stack.pop()
            if is_ready:
                order.append(node)
            elif node not in done:
                done.add(node)
                stack.append((node, True))
                for source in [*(source for source, _ in node.inputs), *node.controls]:
                    # What came later before comes round a loop.
                    if source in regions or place.get(source, -1) < place[node]:
                        stack.append((source, False))
    return [node for node in order if node in place]
