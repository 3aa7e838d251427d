"""Rewrites of a pruned graph that change no result: constants folded, duplicates dropped, pass-through nodes
skipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from runstep.graph.shapes import num_elements
from runstep.plan.node import ENTERS, MERGES, PASS, SWITCHES, PlanNode, Ref
from runstep.plan.prune import PASS as PASS_TYPES

_PIVOTS = SWITCHES | MERGES | ENTERS | {"LoopCond"}
_SMALL = 64  # bytes: constants up to this size are compared by value


@attrs.frozen
class Rewrites:
    """Which rewrites a plan may make (from OptimizerOptions).

    Attributes:
      fold: computes what constants decide, up to `largest_constant` bytes a value. deduplicate: equal nodes run once.
      simplify: see `simplify`. remap: see `remap`. fuse: joins nodes (`idioms`, `fuse`, `elementwise`).
      regions: gives parts to oneDNN.
    """

    fold: bool = True
    deduplicate: bool = True
    simplify: bool = True
    remap: bool = True
    fuse: bool = True
    regions: bool = True
    largest_constant: int = 10 << 20


NO_REWRITES = Rewrites(fold=False, deduplicate=False, simplify=False, remap=False, fuse=False, regions=False)


class Rewriter:
    """Takes nodes in order, producers first, and says what each becomes."""

    def __init__(self, rules: Rewrites) -> None:
        self._rules = rules
        self._seen: dict[Any, dict[Any, PlanNode]] = {}  # by kind, then by what they take
        self._more: dict[Any, list[PlanNode]] = {}  # with the same key as another, and different
        self.replaced: dict[PlanNode, PlanNode] = {}
        self.changed = False  # whether any node is no longer what it was

    def is_duplicate(self, node: PlanNode) -> bool:
        """Whether an equal node came before; the node is then `replaced` by it."""
        if not self._rules.deduplicate or not node.is_pure:
            return False
        op = node.op
        assert op is not None
        kind: Any
        key: Any
        if node.known is not None:
            value = node.known[0]
            if op.type != "Const" or value.nbytes > _SMALL or value.dtype == object:
                return False
            kind, key = op.attrs["dtype"].enum, (value.shape, value.tobytes(), frozenset(node.controls))
        else:
            kind, key = (node.type, op.device), tuple(node.inputs)  # most are one already
            if node.controls:
                key = (key, frozenset(node.controls))
        seen = self._seen.get(kind)
        if seen is None:
            seen = self._seen[kind] = {}
        first = seen.setdefault(key, node)
        if first is node:
            return False
        key = (kind, key)
        others = self._more.get(key, ())  # rarely any
        for other in (first, *others):
            if _same_attrs(op.attrs, other.attrs):
                self.replaced[node] = other
                self.changed = True
                return True
        self._more[key] = [*others, node]
        return False

    def done(self) -> None:
        """Forgets the nodes that came: there will be no more."""
        self._seen.clear()
        self._more.clear()

    def replace(self, others: Mapping[PlanNode, PlanNode]) -> None:
        """Says of nodes what stands for them from now on."""
        if others:
            for node, other in self.replaced.items():
                self.replaced[node] = others.get(other, other)
            self.replaced.update(others)

    def passes(self, node: PlanNode) -> bool:
        """Whether a node only passes its input on; consumers then take the input itself."""
        if node.type in PASS_TYPES and not node.op.inputs[0].dtype.is_ref:  # type: ignore[union-attr]
            node.kernel = PASS
            self.changed = True
            value = constant(node.inputs[0])
            if value is not None:
                node.known = [value]
                _inherit_controls(node)
            return True
        return False

    def fold(self, node: PlanNode) -> bool:
        """Computes a pure node whose inputs are all known. Its error, if it has one, is left to the run."""
        op = node.op
        assert op is not None
        given = []
        for ref in node.inputs:
            value = constant(ref)
            if value is None or (value.dtype == object and ref[0].known is None):  # no texts of loops, as in TensorFlow
                return False
            given.append(value)
        if not self._rules.fold or not op.outputs or not given or not node.is_pure:
            return False
        if node.row is None or node.row.is_async or node.row.uses_step:
            return False
        size = 0
        for tensor in op.outputs:
            count = num_elements(tensor.raw_shape)
            size += (count or 0) * tensor.dtype.np.itemsize
        if size > self._rules.largest_constant:
            return False
        try:
            with np.errstate(all="ignore"):
                kernel = node.row.make(node)
                found = kernel(*given)
        except Exception:
            return False
        values = [np.asarray(value) for value in (found if type(found) in (tuple, list) else (found,))]
        if sum(value.nbytes for value in values) > self._rules.largest_constant:
            return False
        for value in values:
            if value.flags.owndata:
                value.flags.writeable = False
        node.known = values
        self.changed = True
        _inherit_controls(node)
        return True


def _inherit_controls(node: PlanNode) -> None:
    """A known node lets go of its inputs, but is there no earlier than they, and only in their frame and branch."""
    found = dict.fromkeys(node.controls)
    for source, _ in node.inputs:
        found.update(dict.fromkeys((source,) if source.known is None else source.controls))
    node.controls = list(found)


def constant(ref: Ref) -> np.ndarray | None:
    """The value of an output, where constants decide it: that of a constant, and of one that enters a loop as such or
    passes a Switch whose predicate is known."""
    node, output = ref
    while node.known is None:
        if node.type in ENTERS:
            if not node.attrs["is_constant"]:
                return None
        elif node.type not in SWITCHES or _taken(node) != output:
            return None
        node, output = node.inputs[0]
    return node.known[output]


def _taken(switch: PlanNode) -> int | None:
    """The output that a Switch takes, where a constant decides it."""
    chosen = constant(switch.inputs[1])
    if chosen is None or chosen.size != 1:
        return None
    way, last = int(chosen.item()), len(switch.op.outputs) - 1  # type: ignore[union-attr]
    return way if 0 <= way <= last else last


def inherit_waits(live: Sequence[PlanNode]) -> None:
    """Who reads a known node waits himself for what that one waits for: rewrites may take the value and leave the node.

    What only tells in which branch or loop a constant is stays with it.
    """
    for node in live:
        for source, _ in node.inputs:
            if source.controls and source.known is not None:
                found = [control for control in source.controls if not _is_pivot(control)]
                if found:
                    node.controls = list(dict.fromkeys([*node.controls, *found]))


def _is_pivot(node: PlanNode) -> bool:
    while node.kernel is PASS or node.type == "Identity":
        if not node.inputs:
            return False
        node = node.inputs[0][0]
    return node.type in _PIVOTS


def _same_attrs(a: dict[str, Any], b: dict[str, Any]) -> bool:
    if a is b:
        return True
    if a.keys() != b.keys():
        return False
    for name, value in a.items():
        other = b[name]
        if value is other:
            continue
        if isinstance(value, np.ndarray):
            if value.dtype != other.dtype or value.shape != other.shape or value.tobytes() != other.tobytes():
                return False
        elif type(value) is not type(other) or value != other:
            return False
    return True


def resolve(node: PlanNode, replaced: dict[PlanNode, PlanNode]) -> None:
    """Points the inputs of a node at what replaced their producers."""
    if replaced:
        for source, _ in node.inputs:
            if source in replaced:
                node.inputs = [(replaced.get(source, source), output) for source, output in node.inputs]
                break
        for control in node.controls:
            if control in replaced:
                node.controls = [replaced.get(control, control) for control in node.controls]
                break
