"""How large the values of a plan are: from the static shapes, and from those of the values that are fed.

A shape that the graph leaves open is worked out by the op's own shape rule, once the shapes of the feeds are known.
Where the rule asks for the value of an input (the sizes of a Fill), that is computed, if a few small steps make it of
shapes, constants and what is fed. A loop variable has the shape that it starts with, if a turn leaves it at that. What
even that leaves open (the output of Where, of a queue) counts as nothing, until a step knows it; see `plan.watch`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from runstep.graph import shapes
from runstep.graph.shapes import RawShape
from runstep.plan.node import EXITS, MERGES, NEXTS, PASS, OpView, PlanNode, Ref, root

_TEXT = 64
"""Bytes that a string is taken for."""

_NOTHING = frozenset(("resource", "variant"))

Seen = Mapping[PlanNode, Sequence[RawShape]]
"""The shapes of the outputs of nodes that have run."""

Fed = Mapping[int, np.ndarray[Any, Any]]
"""Values of feeds, by position: those that sizes are made of."""

FEW = 64
"""Elements up to which a value is worth computing beforehand."""

_OF_SHAPES = frozenset("Shape ShapeN Size Rank _Sizes _Count".split())
"""What these make depends on no values."""

_COMPUTED = _OF_SHAPES | frozenset(
    "Add AddV2 Sub Mul FloorDiv Div TruncateDiv FloorMod Mod TruncateMod Maximum Minimum Neg Abs Square Prod Sum Max "
    "Min All Any Cast RealDiv Ceil Floor Reshape ExpandDims Squeeze Slice StridedSlice Pack Concat ConcatV2 Gather "
    "GatherV2 Split SplitV Unpack ReverseV2 Equal NotEqual Less LessEqual Greater GreaterEqual LogicalAnd LogicalOr "
    "LogicalNot Select SelectV2 BroadcastArgs".split()
)
"""Ops that sizes are made by, and that make no more than a few elements of a few."""

BOUNDED = frozenset(
    "Unique UniqueV2 UniqueWithCounts UniqueWithCountsV2 Where ListDiff Slice StridedSlice DynamicPartition".split()
)
"""What these make has no size that the number of elements of the first input doesn't bound."""

_DEEP = 40
"""Nodes that a value is computed by one after the other, at most."""

_ROUNDS = 3
"""How often the shapes of loop variables are looked at again."""


class Kind:
    """What is alike of nodes of one type with the same attributes and input shapes.

    Attributes:
      shapes, bytes: of the outputs; 0 bytes where the shape is not known. total: bytes of them all.
      cost: microseconds of one call, once somebody has worked them out; -1 before.
    """

    __slots__ = ("bytes", "cost", "shapes", "total")

    def __init__(self, outputs: Sequence[Any], found: Sequence[RawShape]) -> None:
        self.shapes = found
        self.bytes = [
            (shapes.num_elements(raw) or 0) * item_size(tensor.dtype)
            for tensor, raw in zip(outputs, found, strict=True)
        ]
        self.total = sum(self.bytes)
        self.cost = -1.0


class Sizes:
    """The shapes and bytes of the values of one plan.

    Args:
      nodes: producers first.
      feeds: for each feed its shape, as far as it is known.
      seen: what a step has found out about the rest. fed: what it is fed, of that which sizes are made of.
      beyond: looks beyond what is open: takes each such size for what bounds it, or for 1.

    Attributes:
      sources: the nodes that make something of open size, or with `beyond`, those that would if all before were known.
        bounded: those of them whose results were taken for what bounds them.
      elements: the bytes of an element of those arrays of tensors that may have any number of them.
      asked: the feeds whose values sizes are made of. changing: the loop variables that don't keep their shape.
    """

    def __init__(
        self,
        nodes: Iterable[PlanNode],
        feeds: Sequence[RawShape],
        seen: Seen | None = None,
        beyond: bool = False,
        fed: Fed | None = None,
    ) -> None:
        self._feeds = feeds
        self._seen = seen or {}
        self._fed = fed or {}
        self.asked: set[int] = set()
        self._beyond = beyond
        self.changing: set[PlanNode] = set()
        nodes = [node for node in nodes if node.op is not None and node.known is None]
        for last in range(_ROUNDS + 1):
            self.kinds: dict[PlanNode, Kind] = {}
            self.sources: list[PlanNode] = []
            self.bounded: set[PlanNode] = set()
            self.elements: dict[PlanNode, int] = {}
            self._bytes: dict[Ref, int] = {}  # of what has no kind: structure, constants
            self._alike: dict[Any, Kind] = {}
            self._merges: dict[PlanNode, RawShape] = {}
            self._assumed: dict[PlanNode, RawShape] = {}
            self._values: dict[Ref, Any] = {}
            for node in nodes:
                self._add(node)
            self._add_arrays(nodes)
            wrong = [merge for merge, raw in self._assumed.items() if not self._stays(merge, raw)]
            if not wrong:
                break
            self.changing.update(wrong if last < _ROUNDS - 1 else self._assumed)

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
        raw = None if node.op is None else node.op.outputs[index].raw_shape
        if index == 0 and (raw is None or None in raw):
            if node.type in MERGES:
                if node not in self._merges:
                    self._merges[node] = self._merged_shape(node, raw)
                return self._merges[node]
            if node.type in EXITS:
                return self.shape(root(node.inputs[0]))
        return raw

    def _merged_shape(self, node: PlanNode, raw: RawShape) -> RawShape:
        """Of a loop variable the shape that it starts with; else what all branches have in common."""
        if node in self.changing:
            made = [self._seen[source] for source in self.turned(node) if source in self._seen]
            return made[0][0] if made else raw
        found = [self.shape(root(ref)) for ref in node.inputs if ref[0].type not in NEXTS]
        if len(found) < len(node.inputs):
            if len(found) == 1 and shapes.num_elements(found[0]) is not None:
                self._assumed[node] = found[0]
                return found[0]
            return raw
        common = shapes.common(found)
        return raw if common is None else common

    @staticmethod
    def turned(merge: PlanNode) -> list[PlanNode]:
        """The nodes that make the value that a loop variable has after a turn."""
        return [root(ref)[0] for ref in merge.inputs if ref[0].type in NEXTS]

    def _stays(self, merge: PlanNode, raw: RawShape) -> bool:
        """Whether a loop variable has this shape after a turn, too."""
        return all(self.shape(root(ref)) == raw for ref in merge.inputs if ref[0].type in NEXTS)

    def value(self, ref: Ref, deep: int = _DEEP) -> Any:
        """The value of an output of a few elements that shapes, constants and feeds make; None of others."""
        node, index = ref
        if node.known is not None:
            return node.known[index]
        if node.feed >= 0:
            self.asked.add(node.feed)
            return self._fed.get(node.feed)
        if node.type not in _COMPUTED or not deep:
            return None
        if ref not in self._values:
            made = self._computed(node, deep - 1)
            for place, value in enumerate(made):
                self._values[node, place] = value
            self._values.setdefault(ref, None)
        return self._values[ref]

    def _computed(self, node: PlanNode, deep: int) -> Sequence[Any]:
        if node.kernel is None or node.kernel is PASS or node.uses_step or node.is_async:
            return ()
        inputs = []
        for ref in (root(ref) for ref in node.inputs):
            if node.type in _OF_SHAPES:
                raw: Any = self.shape(ref)
                if shapes.num_elements(raw) is None:
                    return ()
                inputs.append(np.broadcast_to(np.zeros((), np.bool_), raw))
            else:
                value = self.value(ref, deep)
                if value is None:
                    return ()
                inputs.append(value if np.ndim(value) else value[()])
        try:
            with np.errstate(all="ignore"):
                made = node.kernel(*inputs)
        except Exception:  # the run will report it, with the node
            return ()
        made = made if type(made) in (tuple, list) else (made,)
        return [np.asarray(value) if np.size(value) <= FEW else None for value in made]

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

    def _add_arrays(self, nodes: Sequence[PlanNode]) -> None:
        """Of arrays of tensors, the bytes of their elements: as many as they are made for, of the size of what is
        written."""
        for node in nodes:
            if node.type != "TensorArrayWriteV3" or not (size := self.nbytes(root(node.inputs[2]))):
                continue
            array = source = root(node.inputs[0])[0]
            while source.type == "TensorArrayGradV3":
                source = root(source.inputs[0])[0]
            if source.type == "TensorArrayV3" and (kind := self.kinds.get(array)) is not None:
                count = self.value(root(source.inputs[0]))
                if count is None:
                    seen = self._seen.get(source)
                    if seen is None:
                        self.sources += [source] * (source not in self.elements)
                        self.elements[source] = max(size, self.elements.get(source, 0))
                        continue
                    count = seen[0][0]  # type: ignore[index]
                kind = self.kinds[array] = copy.copy(kind)
                kind.bytes = [max(kind.bytes[0], int(count) * size), *kind.bytes[1:]]
                kind.total = sum(kind.bytes)

    def inner_bytes(self, node: PlanNode) -> int:
        """How many bytes a node surely never takes more than while it runs: what the functions take that it calls, or
        all that a region computes."""
        most = node.inner_bytes
        for part in node.parts:
            most += self.kinds[part].total
        if node.bodies:
            inputs = [self.shape(root(ref)) for ref in node.inputs]
            most = max(most, *[body.peak(inputs) for body in node.bodies])
        return most

    def _add(self, node: PlanNode) -> None:
        op: Any = node.op
        for part in node.parts:
            self._add(part)
        kinds, inputs = self.kinds, []
        for ref in node.inputs:
            source, index = ref
            kind = kinds.get(source)
            # Of most inputs this is known at once; the others are found by what they stand for.
            inputs.append(self.shape(root(ref)) if kind is None or source.kernel is PASS else kind.shapes[index])
        known = [tensor.raw_shape for tensor in op.outputs]
        # Nodes made alike share their attributes, and so their types.
        key = (node.type, op.type, id(op.attrs if node.changed is None else node.changed), *inputs, *known)
        kind = self._alike.get(key)
        if kind is None:
            found, is_shared = self._worked_out(node, inputs, known)
            kind = Kind(op.outputs, found)
            if is_shared and not node.parts and not isinstance(op, OpView):
                self._alike[key] = kind
        kinds[node] = kind

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
        found = list(found)
        for index, (raw, tensor) in enumerate(zip(found, op.outputs, strict=True)):
            if shapes.num_elements(raw) is None and tensor.dtype.name not in _NOTHING:
                found[index], is_shared = self._open(node, index, raw), False
        return found, is_shared

    def _open(self, node: PlanNode, index: int, raw: RawShape) -> RawShape:
        """The shape of an output whose size nobody knows yet."""
        seen = self._seen.get(node)
        if seen is not None and index < len(seen):
            return seen[index]
        if self.sources[-1:] != [node]:
            self.sources.append(node)
        if not self._beyond or raw is None:
            return raw
        most = shapes.num_elements(self.shape(root(node.inputs[0]))) if node.type in BOUNDED else None
        if most is not None:
            self.bounded.add(node)
        return tuple((1 if most is None else most) if size is None else size for size in raw)

    def _by_rule(
        self, node: PlanNode, inputs: Sequence[RawShape], known: Sequence[RawShape]
    ) -> tuple[Sequence[RawShape], bool]:
        """As `_worked_out`, by the op's own rule."""
        op: Any = node.op
        seen = _Seen(node, inputs, lambda place: self.value(root(node.inputs[place])))
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

    def __init__(self, node: PlanNode, inputs: Sequence[RawShape], ask: Callable[[int], Any]) -> None:
        op: Any = node.op
        self._op = op
        self._ask = ask
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
        found = self._ask(index)
        return self._op.constant(index) if found is None else found

    def constant_shape(self, index: int) -> RawShape:
        self.looked = True
        found: RawShape = self._op.constant_shape(index)
        if shapes.num_elements(found) is not None:
            return found
        value = self._ask(index)
        if value is None or np.ndim(value) != 1:
            return found
        return tuple(None if size < 0 else int(size) for size in value)


def shapes_of_call(node: PlanNode, inputs: Sequence[Any]) -> list[RawShape] | None:
    """The shapes of what a kernel will return for these inputs, by the op's shape rule; None where it doesn't say."""
    op: Any = node.op
    if op.op_def is None or op.op_def.shape is None or len(node.inputs) != len(op.inputs):
        return None

    def ask(place: int) -> Any:
        return inputs[place] if np.size(inputs[place]) <= FEW else None

    seen = _Seen(node, [np.shape(x) for x in inputs], ask)
    try:
        return [_merged(t.raw_shape, raw) for t, raw in zip(op.outputs, op.op_def.shape(seen), strict=True)]
    except Exception:  # the kernel will say what is wrong
        return None
