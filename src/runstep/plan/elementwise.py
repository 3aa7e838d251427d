"""Joins nodes that work element by element on large arrays, so that they go through tile by tile (`kernels/tiles.py`).

A group is the last node of a chain (or a reduction of it) with all that only it needs, directly or through others of
the group. Both forms of a group, for one tile and for arrays too small to tile, are emitted as segments of their own:
an error is told by its line there, as everywhere.
"""

from __future__ import annotations

import functools
import heapq
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph.shapes import RawShape, num_elements
from runstep.kernels import tiles
from runstep.kernels.llvm import library as llvm, ops as compiled
from runstep.kernels.llvm.loop import Loop, Step
from runstep.plan.emit import Emitter
from runstep.plan.idioms import is_untouched
from runstep.plan.node import ALWAYS, PlanNode, Ref

_OPS = frozenset(
    "Add AddV2 Sub Mul RealDiv Div DivNoNan MulNoNan Maximum Minimum Pow SquaredDifference Xlogy Xdivy Xlog1py "
    "FloorDiv FloorMod Mod TruncateDiv TruncateMod Atan2 Neg Abs Square Sqrt Rsqrt Log Log1p Exp Expm1 Sin Cos Tan "
    "Asin Acos Atan Sinh Cosh Tanh Asinh Acosh Atanh Floor Ceil Rint Round Sign IsNan IsInf IsFinite Reciprocal Inv "
    "Sigmoid Erf Erfc Relu Relu6 LeakyRelu Elu Selu Softplus Softsign SigmoidGrad TanhGrad SqrtGrad RsqrtGrad "
    "ReciprocalGrad InvGrad ReluGrad Relu6Grad LeakyReluGrad EluGrad SeluGrad SoftplusGrad SoftsignGrad Less "
    "LessEqual Greater GreaterEqual Equal NotEqual LogicalAnd LogicalOr LogicalNot SelectV2 Cast BitwiseAnd BitwiseOr "
    "BitwiseXor Invert LeftShift RightShift".split()
)
"""Ops whose kernels compute an element from the elements at its place, and broadcast."""

_FOLDS = {"Sum": np.add, "Mean": np.add, "Max": np.maximum, "Min": np.minimum, "Prod": np.multiply}
_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_WIDE = 64
"""Elements of a row from which a batch of unknown size is taken to be large at times."""

_MOST = 64
"""Nodes of one group."""


def join(live: Sequence[PlanNode], needed: Iterable[Ref]) -> list[PlanNode]:
    """`live` (producers first) without the nodes that were joined to others. `needed` are the outputs that leave."""
    may_be_large = functools.cache(_may_be_large)  # graphs have few different shapes
    ends = set()
    for node in live:
        if node.type in _OPS:
            if may_be_large(_shape_of(node)) and _is_member(node):
                ends.add(node)
        elif node.type in _FOLDS and _fold_of(node) and may_be_large(node.input_shapes[0]):
            ends.add(node)
    if not ends:
        return list(live)
    users: dict[PlanNode, list[PlanNode]] = {}
    fixed = {source for source, _ in needed}
    for node in live:
        fixed.update(node.controls)
        for source in {source for source, _ in node.inputs}:
            users.setdefault(source, []).append(node)
    place = {node: position for position, node in enumerate(live)}
    gone: set[PlanNode] = set()
    for node in reversed(live):
        if node in ends and node not in gone:
            gone |= _Group(node, users, fixed, place).join()
    return [node for node in live if node not in gone]


def _shape_of(node: PlanNode) -> RawShape:
    """The shape of the first output; none for what has no outputs."""
    outputs = node.op.outputs if node.op is not None else ()
    return outputs[0].raw_shape if outputs else ()


def _is_member(node: PlanNode) -> bool:
    if node.op is None or node.type not in _OPS or not _is_plain(node):
        return False
    return not (node.type in ("Equal", "NotEqual") and not node.attrs["incompatible_shape_error"])


def _is_plain(node: PlanNode) -> bool:
    """Whether a node's kernel is still to be made, takes tensors of numbers, and makes one that may be large."""
    row = node.row
    if not is_untouched(node) or row is None or row.is_async or row.uses_step:
        return False
    if len(node.output_types) != 1 or node.output_types[0].is_ref:
        return False
    return all(dtype.np.kind in "biuf" for dtype in (*node.input_types, *node.output_types))


def _may_be_large(shape: RawShape) -> bool:
    if not shape:  # a scalar, or of unknown rank
        return False
    size = num_elements(shape)
    if size is not None:
        return size >= tiles.LARGE
    known = math.prod(length for length in shape if length is not None)
    return len(shape) == 1 or shape.count(None) > 1 or known >= _WIDE


def _fold_of(node: PlanNode) -> tuple[np.ufunc, bool] | None:
    """For a reduction that tiles can do: its ufunc, and whether it is over the last axis (else over all)."""
    fold = _FOLDS.get(node.type)
    if fold is None or not _is_plain(node) or node.op.outputs[0].dtype.np not in _FLOATS:  # type: ignore[union-attr]
        return None
    axes, shape = node.constant(1), node.input_shapes[0]
    if axes is None or not shape:
        return None
    found = {int(axis) % len(shape) for axis in np.ravel(axes)}
    if len(found) == len(shape):
        return fold, False
    return (fold, True) if found == {len(shape) - 1} else None


class _Group:
    def __init__(
        self,
        last: PlanNode,
        users: dict[PlanNode, list[PlanNode]],
        fixed: set[PlanNode],
        place: dict[PlanNode, int],
    ) -> None:
        self._last = last
        self._users = users
        self._fixed = fixed
        self._place = place
        self._fold = _fold_of(last) if last.type in _FOLDS else None
        self._members: list[PlanNode] = []

    def join(self) -> set[PlanNode]:
        """Gives the last node the kernel of the whole group; the nodes that it replaces."""
        last = self._last
        shape = last.input_shapes[0] if self._fold else last.output_shapes[0]
        self._collect(shape)
        if len(self._members) < 2:
            return set()
        try:
            kernel, inputs = self._made()
        except errors.OpError:  # one of the kernels refuses its node: it will say so when it runs
            return set()
        last.kernel, last.inputs, last.type = kernel, inputs, f"_{last.type}Tiled"
        return set(self._members) - {last}

    def _collect(self, shape: RawShape) -> None:
        """The members, consumers first."""
        heap: list[tuple[int, int, PlanNode]] = []
        seen: set[PlanNode] = set()
        inside: set[PlanNode] = set()

        def push(node: PlanNode) -> None:
            for source, _ in node.inputs[:1] if node is self._last and self._fold else node.inputs:
                if source not in seen and source in self._place:
                    seen.add(source)
                    heapq.heappush(heap, (-self._place[source], id(source), source))

        self._members.append(self._last)
        inside.add(self._last)
        push(self._last)
        while heap and len(self._members) < _MOST:
            node = heapq.heappop(heap)[2]
            if self._may_go(node, shape) and inside.issuperset(self._users[node]):
                self._members.append(node)
                inside.add(node)
                push(node)

    def _may_go(self, node: PlanNode, shape: RawShape) -> bool:
        if node in self._fixed or node.controls or node.where is not self._last.where or not _is_member(node):
            return False
        own = node.output_shapes[0]
        return bool(own) and own == shape

    def _made(self) -> tuple[Any, list[Ref]]:
        """The kernel of the group, and the inputs that it takes."""
        last, fold = self._last, self._fold
        outside: dict[Ref, PlanNode] = {}
        copies: dict[PlanNode, PlanNode] = {}
        spread: set[int] = set()
        for number, node in enumerate(reversed(self._members)):
            assert node.op is not None and node.row is not None
            copy = copies[node] = PlanNode(node.op, node.type, node.name)
            copy.number, copy.device, copy.where, copy.row = number, node.device, node.where, node.row
            slow = node.type in tiles.SLOW_BESIDE_SCALARS
            refs = []
            for position, ref in enumerate(node.inputs):
                is_axes = node is last and fold is not None and position == 1
                refs.append(self._inner(ref, copies, outside, is_axes, slow))
            copy.inputs = refs
            if slow:
                spread.update(source.feed for source, _ in copy.inputs if source.feed >= 0)
            copy.kernel = node.row.make(node)
        end = copies.pop(last)
        before = list(copies.values())
        args = [(argument, 0) for argument in outside.values()]
        whole = [*before, end]
        plain = _Late(whole, args, [(end, 0)], "chain")
        steps, wide = len(self._members), frozenset(spread)
        dtype = last.output_types[0].np
        loop = _loop(before if fold else whole, list(outside.values())) if llvm.is_there() else None
        if fold is not None:
            inner = _Late(before, args, end.inputs[:1], "tile", last.input_types[0].np)
            mean, kept = last.type == "Mean", bool(last.attrs["keep_dims"])
            made = tiles.reduced(plain.value, inner.values, fold[0], dtype, mean, kept, fold[1], steps, wide, loop)
            return made, list(outside)
        if type(end.kernel) is np.ufunc:
            inner = _Late(before, args, end.inputs, "tile", dtype)
            return tiles.tiled(plain.value, inner.values, end.kernel, dtype, steps, wide, loop), list(outside)
        inner = _Late(whole, args, [(end, 0)], "tile", dtype)
        return tiles.tiled(plain.value, inner.values, None, dtype, steps, wide, loop), list(outside)

    def _inner(
        self,
        ref: Ref,
        copies: dict[PlanNode, PlanNode],
        outside: dict[Ref, PlanNode],
        is_axes: bool,
        slow: bool,
    ) -> Ref:
        """What a copy reads in place of `ref`: another copy, a scalar constant, or an argument of the group."""
        node, output = ref
        if node in copies:
            return copies[node], output
        if node.known is not None and (is_axes or (node.known[output].ndim == 0 and not slow)):
            return ref
        if ref not in outside:
            argument = outside[ref] = PlanNode(None, "_Arg", node.name)
            argument.feed = len(outside) - 1
        return outside[ref], 0


def _loop(chain: Sequence[PlanNode], arguments: Sequence[PlanNode]) -> Loop | None:
    """The nodes of a group as a loop for LLVM: from `arguments` to the result before them. None if one of the nodes
    can't be computed there."""
    numbers: dict[Ref, int] = {(argument, 0): number for number, argument in enumerate(arguments, 1)}
    dtypes = {0: chain[-1].output_types[0].np}
    strict: set[int] = set()
    steps: list[Step] = []
    for node in chain:
        rule = compiled.rule(node)
        if rule is None:
            return None
        inputs = []
        for (source, output), dtype in zip(node.inputs, node.input_types, strict=True):
            if source.known is not None:
                numbers[source, output] = 1 + len(arguments) + len(steps)
                steps.append(Step(None, number=source.known[output][()]))
            number = numbers[source, output]
            if number <= len(arguments):
                dtypes[number] = dtype.np
                if node.type in compiled.STRICT:
                    strict.add(number)
            inputs.append(number)
        numbers[node, 0] = 1 + len(arguments) + len(steps)
        steps.append(Step(rule, tuple(inputs)))
    return Loop([dtypes[n] for n in range(len(dtypes))], steps, [len(dtypes) + len(steps) - 1], frozenset(strict))


class _Late:
    """A segment that is emitted when it is first called: of the two forms of a group most plans need one."""

    def __init__(
        self,
        nodes: Sequence[PlanNode],
        args: Sequence[Ref],
        results: Sequence[Ref],
        name: str,
        place: np.dtype[Any] | None = None,
    ) -> None:
        self._parts: tuple[Any, ...] | None = (nodes, args, [(ref, "", ALWAYS) for ref in results], name)
        self._place = place
        self._segment: Any = None

    def values(self, *inputs: Any) -> tuple[Any, ...]:
        """All results. With a `place`, the first input is the array `out`; see `Emitter`."""
        if self._segment is None:
            self._segment = Emitter(None, place=self._place).emit(*self._parts)  # type: ignore[misc]
            self._parts = None
        found: tuple[Any, ...] = self._segment.run(None, *inputs)
        return found

    def value(self, *inputs: Any) -> Any:
        """The one result."""
        return self.values(*inputs)[0]
