"""What a plan's values take at once, worked out before it runs, and an order of its nodes that takes less.

The projection walks the nodes in the order in which they run. A value takes its bytes from the node that makes it to
the last one that reads it, or a view of it; what is fetched stays to the end. Feeds, constants and variables are not
the step's.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence, Set

import attrs
import numpy as np

from runstep.graph import shapes
from runstep.graph.shapes import RawShape
from runstep.plan.frames import NEVER, Frame, Item
from runstep.plan.node import ALIASES, MERGES, PASS, PlanNode, Ref, root
from runstep.plan.sizes import Sizes

Reads = Callable[[Item], Set[Ref]]

_LONGEST = 20_000
"""Nodes up to which another order is looked for."""


@attrs.frozen
class Projection:
    """The most that a sequence of nodes takes at once.

    Attributes:
      peak: bytes. at: the node that makes it so, but for what is next to nothing; None when nothing takes anything.
      live: what is there then: the outputs with their bytes and shapes, largest first.
    """

    peak: int
    at: PlanNode | None
    live: tuple[tuple[Ref, int, RawShape], ...]


class _Flow:
    """Who makes what and who reads it, views seen through to the memory that they show."""

    def __init__(self, items: Sequence[Item], sizes: Sizes, reads: Reads, results: Set[Ref]) -> None:
        self.sizes = sizes
        self.makes: list[list[tuple[Ref, int]]] = []
        self.uses: list[Set[Ref]] = []
        self.scratch: list[int] = []
        self._shows: dict[Ref, frozenset[Ref]] = {}
        for item in items:
            used = reads(item)
            if not self._shows.keys().isdisjoint(used):
                used = frozenset().union(*[self.shown(ref) for ref in used])
            self.uses.append(used)
            self.makes.append(self._made(item))
            self.scratch.append(_scratch(item, sizes, reads))
        self.kept = frozenset().union(*[self.shown(root(ref)) for ref in results]) if results else frozenset()

    def shown(self, ref: Ref) -> frozenset[Ref]:
        """The outputs whose memory a value is, or may be, in."""
        found = self._shows.get(ref)
        return frozenset((ref,)) if found is None else found

    def _made(self, item: Item) -> list[tuple[Ref, int]]:
        if isinstance(item, Frame):
            return [((node, 0), self.sizes.nbytes((node, 0))) for node in item.exits]
        if item.known is not None or item.guard is NEVER or item.op is None:
            return []
        if item.kernel is PASS or item.type in ALIASES:
            return []  # nobody reads it: readers take its root
        if item.type in MERGES or (item.row is not None and item.row.view):
            outputs = [(item, index) for index in range(len(item.op.outputs))]
            shown = frozenset().union(*[self.shown(root(ref)) for ref in item.inputs])
            there = sum(self.sizes.nbytes(root(ref)) for ref in item.inputs)
            made = []
            for ref in outputs:
                size = self.sizes.nbytes(ref)
                new = size > there and item.type not in MERGES  # more than it could show: it is made
                self._shows[ref] = shown | {ref} if new else shown
                if new:
                    made.append((ref, size))
            return made
        kind = self.sizes.kinds.get(item)
        if kind is not None:
            return [((item, index), size) for index, size in enumerate(kind.bytes) if size]
        return [((item, index), self.sizes.nbytes((item, index))) for index in range(len(item.op.outputs))]


def _scratch(item: Item, sizes: Sizes, reads: Reads) -> int:
    """Bytes that an item takes while it runs, beside its inputs and outputs."""
    if isinstance(item, PlanNode):
        if item.parts:  # of a library, which lays out the values between them for itself
            out = sum(sizes.nbytes((item, index)) for index in range(len(item.output_types)))
            return max(0, project(item.parts, sizes, reads, set()).peak - out)
        return sizes.inner_bytes(item)
    inner = item.region.items
    carried = sum(sizes.nbytes((node, 0)) for node in item.merges)
    left = sum(sizes.nbytes((node, 0)) for node in item.exits)  # counted as what it makes
    return max(0, carried + project(inner, sizes, reads, set()).peak - left)


def project(
    items: Sequence[Item],
    sizes: Sizes,
    reads: Reads,
    results: Set[Ref],
    only: Set[Item] | None = None,
    copied: int = 0,
) -> Projection:
    """What `items` take at most, in this order.

    Args:
      reads: tells the roots that an item reads. results: these stay to the end.
      only: the items whose memory counts, all by default. copied: bytes that are added at the end, for results that
        leave as copies.
    """
    flow = _Flow(items, sizes, reads, results)
    if only is not None:
        for position, item in enumerate(items):
            if item not in only:
                flow.makes[position], flow.scratch[position] = [], 0
    return _walk(items, range(len(items)), flow, copied)


def bound(items: Sequence[Item], sizes: Sizes, results: Set[Ref]) -> int | None:
    """Bytes that these items surely never take more than, in this order; None where there is a loop among them.

    A tenth of the work of `project`: every output counts, to the last reader of it or of what may show it.
    """
    ends = {node: len(items) for node, _ in results}
    made, dying = [0] * len(items), [0] * (len(items) + 1)
    inner = 0
    for position in range(len(items) - 1, -1, -1):
        item = items[position]
        if not isinstance(item, PlanNode) or item.type in MERGES or item.type in ALIASES:
            return None
        end = ends.pop(item, position)  # all who read it come later, and have been here
        kind = sizes.kinds.get(item)
        if kind is not None:
            made[position] = kind.total
            dying[end] += kind.total
            if item.inner_bytes or item.parts or item.bodies:
                inner = max(inner, sizes.inner_bytes(item))
        shown = end if item.kernel is PASS or (item.row is not None and item.row.view) else position
        for source, _ in item.inputs:
            if ends.get(source, -1) < shown:
                ends[source] = shown
    held = most = 0
    for size, freed in zip(made, dying, strict=False):
        held += size
        if held > most:
            most = held
        held -= freed
    return most + inner


def _walk(items: Sequence[Item], order: Sequence[int], flow: _Flow, copied: int = 0) -> Projection:
    last: dict[Ref, int] = {}
    for place, position in enumerate(order):
        for ref in flow.uses[position]:
            last[ref] = place
    dying: dict[int, list[Ref]] = {}
    for ref, place in last.items():
        if ref not in flow.kept:
            dying.setdefault(place, []).append(ref)
    live: dict[Ref, int] = {}
    held = peak = at = 0
    for place, position in enumerate(order):
        for ref, size in flow.makes[position]:
            if size:
                if _is_ufunc(ref) and (over := _overwritten(size, dying.get(place, ()), live)):
                    held -= live.pop(over)
                live[ref] = size
                held += size
        now = held + flow.scratch[position]
        if now > peak:
            if now > peak + (peak >> 6):  # who adds next to nothing is not to blame
                at = place
            peak = now
        for ref in dying.get(place, ()):
            held -= live.pop(ref, 0)
        for ref, _ in flow.makes[position]:
            if ref not in last and ref not in flow.kept:
                held -= live.pop(ref, 0)
    if held + copied > peak:
        peak, at = held + copied, max(len(order) - 1, 0)
    if not peak:
        return Projection(0, None, ())
    if not order:
        return Projection(peak, None, ())
    return Projection(peak, _node(items[order[at]]), _live_at(order, at, flow, last))


def _is_ufunc(ref: Ref) -> bool:
    node, index = ref
    if type(node.kernel) is not np.ufunc or node.op is None:
        return False
    return shapes.num_elements(node.op.outputs[index].raw_shape) is not None


def _overwritten(size: int, dying: Sequence[Ref], live: Mapping[Ref, int]) -> Ref | None:
    """The input that a ufunc's result takes the place of; see `Emitter`."""
    return next((ref for ref in dying if live.get(ref) == size and _is_ufunc(ref)), None)


def _node(item: Item) -> PlanNode | None:
    if isinstance(item, PlanNode):
        return item
    return next((node for node in item.region.nodes if node.op is not None), None)


def _live_at(
    order: Sequence[int], at: int, flow: _Flow, last: Mapping[Ref, int]
) -> tuple[tuple[Ref, int, RawShape], ...]:
    found = []
    for place, position in enumerate(order[: at + 1]):
        for ref, size in flow.makes[position]:
            if size and (ref in flow.kept or last.get(ref, place) >= at):
                found.append((ref, size, flow.sizes.shape(ref)))
    return tuple(sorted(found, key=lambda pair: -pair[1]))


def reordered(
    items: Sequence[Item], before: Mapping[Item, Set[Item]], sizes: Sizes, reads: Reads, results: Set[Ref]
) -> list[Item]:
    """The order of these items that takes the least of those looked at; their own, when no other takes less.

    Greedy: of what could run next, that which frees the most, or adds the least. Nodes with effects keep their order.
    """
    if len(items) > _LONGEST:
        return list(items)
    flow = _Flow(items, sizes, reads, results)
    order = _greedy(items, _waits(items, before), flow)
    if _walk(items, order, flow).peak >= _walk(items, range(len(items)), flow).peak:
        return list(items)
    return [items[position] for position in order]


def _waits(items: Sequence[Item], before: Mapping[Item, Set[Item]]) -> list[set[int]]:
    position = {item: place for place, item in enumerate(items)}
    waits = [{position[other] for other in before.get(item, ()) if other in position} for item in items]
    for earlier, later in effects(items):
        waits[position[later]].add(position[earlier])
    return waits


def effects(items: Sequence[Item]) -> list[tuple[Item, Item]]:
    """Pairs of items that must keep their order: both may read or change what outlives the step."""
    found: list[tuple[Item, Item]] = []
    previous: Item | None = None
    for item in items:
        if has_effects(item):
            if previous is not None:
                found.append((previous, item))
            previous = item
    return found


def has_effects(item: Item) -> bool:
    """Whether an item may read or change what outlives the step. Random numbers come from a state of their own."""
    if isinstance(item, Frame):
        return any(has_effects(inner) for inner in item.region.items)
    op = item.op
    if op is None or item.known is not None or item.kernel is None or item.kernel is PASS or item.is_pure:
        return False
    return not (
        op.type.startswith(("Random", "StatelessRandom", "Truncated", "Multinomial"))
        and not any(tensor.dtype.is_ref or tensor.dtype.name == "resource" for tensor in op.inputs)
    )


def _greedy(items: Sequence[Item], waits: Sequence[set[int]], flow: _Flow) -> list[int]:
    users: dict[Ref, set[int]] = {}
    for position, refs in enumerate(flow.uses):
        for ref in refs:
            users.setdefault(ref, set()).add(position)
    size = {ref: nbytes for made in flow.makes for ref, nbytes in made}
    after: list[list[int]] = [[] for _ in items]
    for position, earlier in enumerate(waits):
        for other in earlier:
            after[other].append(position)
    pending = [len(earlier) for earlier in waits]

    def change(position: int) -> int:
        """What runs here adds, or frees when negative."""
        freed = sum(size.get(ref, 0) for ref in flow.uses[position] if len(users[ref]) == 1 and ref not in flow.kept)
        added = sum(nbytes for ref, nbytes in flow.makes[position] if users.get(ref) or ref in flow.kept)
        return added - freed

    ready = [(change(position), position) for position, count in enumerate(pending) if not count]
    heapq.heapify(ready)
    done: set[int] = set()
    order: list[int] = []
    while ready:
        grows, position = heapq.heappop(ready)
        if position in done or grows != change(position):
            continue  # an older entry of what has come in again
        done.add(position)
        order.append(position)
        for ref in flow.uses[position]:
            left = users[ref]
            left.discard(position)
            if len(left) == 1:
                (other,) = left
                if not pending[other]:
                    heapq.heappush(ready, (change(other), other))
        for other in after[position]:
            pending[other] -= 1
            if not pending[other]:
                heapq.heappush(ready, (change(other), other))
    return order
