"""How large the values of a plan are: from the static shapes, and from those of the values that are fed.

A shape that the graph leaves open is worked out by the op's own shape rule, once the shapes of the feeds are known.
What even that leaves open (the output of Where, of a queue) counts as nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from runstep.graph import shapes
from runstep.graph.shapes import RawShape
from runstep.plan.node import OpView, PlanNode, Ref, root

_TEXT = 64
"""Bytes that a string is taken for."""

_NOTHING = frozenset(("resource", "variant"))


class Kind:
    """What is alike of nodes of one type with the same attributes and input shapes.

    Attributes:
      shapes, bytes: of the outputs; 0 bytes where the shape is not known.
      cost: microseconds of one call, once somebody has worked them out; -1 before.
    """

    __slots__ = ("bytes", "cost", "shapes")

    def __init__(self, outputs: Sequence[Any], found: Sequence[RawShape]) -> None:
        self.shapes = found
        self.bytes = [
            (shapes.num_elements(raw) or 0) * item_size(tensor.dtype)
            for tensor, raw in zip(outputs, found, strict=True)
        ]
        self.cost = -1.0


class Sizes:
    """The shapes and bytes of the values of one plan.

    Args:
      nodes: producers first.
      feeds: for each feed its shape, as far as it is known.
    """

    def __init__(self, nodes: Iterable[PlanNode], feeds: Sequence[RawShape]) -> None:
        self._feeds = feeds
        self.kinds: dict[PlanNode, Kind] = {}
        self._bytes: dict[Ref, int] = {}  # of what has no kind: structure, constants
        self._alike: dict[Any, Kind] = {}
        self.complete = True
        """Whether every size is known."""
        for node in nodes:
            if node.op is not None and node.known is None:
                self._add(node)

    def shape(self, ref: Ref) -> RawShape:
        """The shape of an output, as far as it is known."""
        node, index = ref
        kind = self.kinds.get(node)
        if kind is not None:
            return kind.shapes[index]
        if node.known is not None:
            return tuple(node.known[index].shape)
        if node.feed >= 0:
            return self._feeds[node.feed] if node.feed < len(self._feeds) else None
        return None if node.op is None else node.op.outputs[index].raw_shape

    def count(self, ref: Ref) -> int:
        """How many elements an output has; 0 when that is not known."""
        return shapes.num_elements(self.shape(ref)) or 0

    def nbytes(self, ref: Ref) -> int:
        """How many bytes an output takes; 0 when that is not known."""
        node, index = ref
        kind = self.kinds.get(node)
        if kind is not None:
            return kind.bytes[index]
        found = self._bytes.get(ref)
        if found is None:
            if node.op is None or node.feed >= 0:
                return 0
            found = self._bytes[ref] = self.count(ref) * item_size(node.op.outputs[index].dtype)
        return found

    def _add(self, node: PlanNode) -> None:
        op: Any = node.op
        for part in node.parts:
            self._add(part)
        inputs = [self.shape(root(ref)) for ref in node.inputs]
        known = [tensor.raw_shape for tensor in op.outputs]
        # Nodes made alike share their attributes, and so their types.
        key = (node.type, op.type, id(node.attrs), *inputs, *known)
        kind = self._alike.get(key)
        if kind is None:
            found, is_shared = self._worked_out(node, inputs, known)
            kind = Kind(op.outputs, found)
            if is_shared and not node.parts and not isinstance(op, OpView):
                self._alike[key] = kind
        self.kinds[node] = kind

    def _worked_out(
        self, node: PlanNode, inputs: Sequence[RawShape], known: Sequence[RawShape]
    ) -> tuple[Sequence[RawShape], bool]:
        """The shapes of the outputs, of which the graph says `known`; whether they are those of all nodes like it."""
        op: Any = node.op
        if not any(raw is None or None in raw for raw in known):
            return known, True
        found, is_shared = known, True
        if len(node.inputs) == len(op.inputs) and op.op_def is not None and op.op_def.shape is not None:
            found, is_shared = self._by_rule(node, inputs, known)
        elif node.parts:
            inside = {part.op.outputs[0]: (part, 0) for part in node.parts if part.op is not None}
            found = [self.shape(inside[tensor]) for tensor in op.outputs]
        elif node.inputs and node.type.startswith("_"):  # joined by a rewrite: as long as what goes in
            found = [_like(raw, inputs) for raw in found]
        if node.type == "Reshape":
            found, is_shared = [self._reshaped(node, raw) for raw in found], False
        for raw, tensor in zip(found, op.outputs, strict=True):
            if shapes.num_elements(raw) is None and tensor.dtype.name not in _NOTHING:
                self.complete = False
        return found, is_shared

    @staticmethod
    def _by_rule(
        node: PlanNode, inputs: Sequence[RawShape], known: Sequence[RawShape]
    ) -> tuple[Sequence[RawShape], bool]:
        """As `_worked_out`, by the op's own rule."""
        op: Any = node.op
        seen = _Seen(node, inputs)
        try:
            found = [_merged(a, b) for a, b in zip(known, op.op_def.shape(seen), strict=True)]
        except Exception:  # the rule looks at what only the graph has, or the run will tell
            return known, False
        return found, not seen.looked

    def _reshaped(self, node: PlanNode, raw: RawShape) -> RawShape:
        """The one open size of a reshaped value, from how many elements there are."""
        total = shapes.num_elements(self.shape(root(node.inputs[0])))
        if total is None:
            return raw
        if raw is None:
            return (total,)
        known = 1
        for size in raw:
            known *= 1 if size is None else size
        if raw.count(None) != 1 or not known:
            return raw
        return tuple(total // known if size is None else size for size in raw)


def _like(raw: RawShape, inputs: Sequence[RawShape]) -> RawShape:
    """A shape with its open sizes taken from inputs of the same rank, or the whole of it from the largest."""
    if raw is None:
        known = [shape for shape in inputs if shapes.num_elements(shape) is not None]
        return max(known, key=lambda shape: shapes.num_elements(shape) or 0, default=None)
    found = list(raw)
    for shape in inputs:
        if shape is not None and len(shape) == len(found):
            found = [other if size is None else size for size, other in zip(found, shape, strict=True)]
    return tuple(found)


def _merged(a: RawShape, b: RawShape) -> RawShape:
    try:
        return shapes.merge(a, b)
    except ValueError:
        return a


def item_size(dtype: Any) -> int:
    """Bytes of one element. Resources, variants and variables count where they live."""
    if dtype.is_ref or dtype.name in _NOTHING:
        return 0
    size: int = dtype.np.itemsize
    return _TEXT if dtype.name == "string" else size


class _SeenTensor:
    """An input as a shape rule sees it."""

    def __init__(self, seen: _Seen, tensor: Any, raw: RawShape) -> None:
        self._seen = seen
        self._tensor = tensor
        self.dtype = tensor.dtype
        self.raw_shape = raw

    def __getattr__(self, name: str) -> Any:
        self._seen.looked = True
        return getattr(self._tensor, name)


class _Seen:
    """An operation as a shape rule sees it, with shapes that the graph does not know.

    `looked`: whether the rule has asked for more than shapes, types and attributes.
    """

    def __init__(self, node: PlanNode, inputs: Sequence[RawShape]) -> None:
        op: Any = node.op
        self._op = op
        self._node = node
        self.looked = False
        self.type, self.attrs, self.op_def, self.outputs = op.type, node.attrs, op.op_def, op.outputs
        # Where a rewrite joined what went before to the node, its input is another than the operation's.
        self.inputs = tuple(
            _SeenTensor(self, t, raw if shapes.num_elements(raw) is not None else _merged(t.raw_shape, raw))
            for t, raw in zip(op.inputs, inputs, strict=True)
        )

    def __getattr__(self, name: str) -> Any:
        self.looked = True
        return getattr(self._op, name)

    def constant(self, index: int) -> Any:
        self.looked = True
        found = self._node.constant(index)
        return self._op.constant(index) if found is None else found

    def constant_shape(self, index: int) -> RawShape:
        self.looked = True
        found: RawShape = self._op.constant_shape(index)
        return found
