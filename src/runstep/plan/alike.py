"""Terms that are alike, as one: `add_n([x * 0.5, x * 1.5, ...])` is one product with the column of the factors, and
one sum over its rows.

Many small arrays cost a call each, one array of as many rows costs one call. So where AddN or Pack takes many nodes of
one kind, whose inputs are the same value, constants, or in their turn nodes that are alike, each kind becomes one node
on a stack. The elements are computed as before, and added in the order of AddN: results keep their bits.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from runstep.graph.dtypes import DType
from runstep.graph.shapes import RawShape, num_elements
from runstep.plan.idioms import is_untouched, through
from runstep.plan.node import PASS, PlanNode, Ref
from runstep.plan.simplify import reachable

_LEAST = 8
"""Terms from which a stack is made."""

_MOST_ELEMENTS = 512
"""Elements of a term up to which calls cost more than what they compute."""

_MOST_TOGETHER = 1 << 16
_DEEP = 16

_ENDS = frozenset(("AddN", "AccumulateNV2", "Pack"))
_OPS = frozenset("Add AddV2 Sub Mul RealDiv Maximum Minimum Neg Abs Square Sqrt".split())
"""Where their kernel is numpy's ufunc it gives the same bits wherever an element stands."""


def stack_alike(live: Sequence[PlanNode], needed: Iterable[Ref]) -> list[PlanNode]:
    """`live` (producers first) with such terms as stacks. `needed` are the outputs that leave the plan."""
    ends = [node for node in live if node.type in _ENDS and len(node.inputs) >= _LEAST and _is_plain(node)]
    if not ends:
        return list(live)
    needed = list(needed)
    work = _Stacks(live, needed)
    made = {node: work.before(node) for node in ends}
    return reachable([new for node in live for new in (*made.get(node, ()), node)], needed)


def _is_plain(node: PlanNode) -> bool:
    """Whether a node's kernel is still to be made, and it makes one tensor of numbers out of such tensors."""
    if not is_untouched(node) or len(node.output_types) != 1 or node.output_types[0].is_ref:
        return False
    return all(dtype.np.kind != "O" for dtype in (*node.input_types, *node.output_types))


class _Stack:
    """Stands for the output of a stack."""

    def __init__(self, dtype: DType, raw_shape: RawShape) -> None:
        self.dtype = dtype
        self.raw_shape = raw_shape


class _Stacks:
    def __init__(self, live: Sequence[PlanNode], needed: Iterable[Ref]) -> None:
        self._fixed = {through(ref)[0] for ref in needed}
        self._users: dict[PlanNode, int] = {}
        for node in live:
            self._fixed.update(through((control, 0))[0] for control in node.controls)
            if node.kernel is not PASS:
                for ref in node.inputs:
                    source = through(ref)[0]
                    self._users[source] = self._users.get(source, 0) + 1
        self._kinds: dict[Hashable, int] = {}
        self._made: list[PlanNode] = []

    def before(self, end: PlanNode) -> list[PlanNode]:
        """Makes `end` take stacks of its terms where that pays; the new nodes, producers first."""
        shape, count = end.input_shapes[0], len(end.inputs)
        if not _is_small(shape) or any(other != shape for other in end.input_shapes):
            return []
        if end.type == "Pack" and end.attrs["axis"] != 0:
            return []
        terms = [through(ref) for ref in end.inputs]
        groups: dict[Hashable, list[int]] = {}
        for position, ref in enumerate(terms):
            kind = self._kind(ref, end)
            if type(kind) is int:
                groups.setdefault(kind, []).append(position)
        self._made = []
        parts, places = [], []
        left = set(range(count))
        for positions in groups.values():
            if len(positions) >= _LEAST:
                stack = self._rows([terms[position][0] for position in positions], end)
                if stack is not None:
                    parts.append(stack)
                    places.append(positions)
                    left.difference_update(positions)
        if 2 * len(left) > count:
            return []
        from runstep.kernels.numpy import alike  # kernels are imported when a session first needs them

        singles = sorted(left)
        end.kernel = alike.gathered(count, singles, places, end.type != "Pack")
        end.inputs = [terms[position] for position in singles] + parts
        end.become(f"_{end.type}OfAlike", end.op.outputs)  # type: ignore[union-attr]
        return self._made

    def _kind(self, ref: Ref, end: PlanNode, deep: int = _DEEP) -> Hashable:
        """A number that terms share which are alike; of what is no term, what tells it from others."""
        node, output = through(ref)
        if node.known is not None:
            value = node.known[output]
            return value.shape, value.dtype.char, value.dtype.itemsize
        if not deep or not self._is_term(node, end):
            return node, output
        inner = [self._kind(ref, end, deep - 1) for ref in node.inputs]
        key = (node.type, node.output_types[0], node.output_shapes[0], *inner)
        return self._kinds.setdefault(key, len(self._kinds))

    def _is_term(self, node: PlanNode, end: PlanNode) -> bool:
        """Whether a node works element by element, and serves nothing but one other."""
        if node.type not in _OPS or node in self._fixed or node.controls or self._users.get(node) != 1:
            return False
        return _is_plain(node) and node.where is end.where and _is_small(node.output_shapes[0])

    def _rows(self, nodes: Sequence[PlanNode], end: PlanNode) -> Ref | None:
        """The stack of the values of nodes that are alike; None where numpy has no one call for them."""
        first = nodes[0]
        shape = first.output_shapes[0] or ()
        kernel = first.row.make(first)  # type: ignore[union-attr]
        if type(kernel) is not np.ufunc or len(nodes) * (num_elements(shape) or 0) > _MOST_TOGETHER:
            return None
        inputs = []
        for place in range(len(first.inputs)):
            column = self._column([through(node.inputs[place]) for node in nodes], len(shape), first, place, end)
            if column is None:
                return None
            inputs.append(column)
        made = PlanNode(first.op, first.type, first.name)
        made.number, made.device, made.where, made.row = first.number, first.device, first.where, first.row
        made.inputs, made.kernel = inputs, kernel
        made.become("_Alike", [_Stack(first.output_types[0], (len(nodes), *shape))])
        self._made.append(made)
        return made, 0

    def _column(self, refs: Sequence[Ref], rank: int, first: PlanNode, place: int, end: PlanNode) -> Ref | None:
        """What a stack takes as its input `place`: the one value that all take, or a stack of theirs."""
        node, output = refs[0]
        if all(ref == refs[0] for ref in refs):
            raw = node.known[output].shape if node.known is not None else first.input_shapes[place]
            return None if raw is None or len(raw) > rank else refs[0]
        if node.known is None:
            return self._rows([node for node, _ in refs], end) if len(node.output_shapes[0] or ()) == rank else None
        value = np.stack([node.known[output] for node, output in refs])  # type: ignore[index]
        if value.ndim > rank + 1:
            return None
        made = PlanNode(None, "Const", f"{first.name}/stack/{place}")
        made.controls = list(dict.fromkeys(control for node, _ in refs for control in node.controls))
        made.known = [value.reshape(len(refs), *(1,) * (rank + 1 - value.ndim), *value.shape[1:])]
        self._made.append(made)
        return made, 0


def _is_small(shape: RawShape) -> bool:
    """Whether a term may have this shape; not that of one element: numpy would add such rows up in another order."""
    size = num_elements(shape)
    return bool(shape) and size is not None and 1 < size <= _MOST_ELEMENTS
