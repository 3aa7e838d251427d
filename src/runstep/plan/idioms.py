"""Functions that graphs spell with several nodes, as one node each, with a kernel of its own.

| spelling | becomes |
|---|---|
| `(x * 1/6) * relu6(x + 3)` | `_HardSwish` (where the constant is a rounded 1/6, that changes results: see `remap`) |
| `x * sigmoid(x)` | `_Swish` |
| `relu(x) + a * (x - abs(x)) * 0.5`, `relu(x) - a * relu(-x)`, `relu(x) + a * minimum(x, 0)` | `_PRelu` |
| `x + a * (x - abs(x))` | `_PRelu`; just x where x can't be negative |
| `maximum(x, a * x)` with one constant a, 0 < a < 1 | `_PRelu` |

Only where nothing else looks at what is in between. Finite results change by a rounding at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.plan.node import PASS, PlanNode, Ref

_SUMS = frozenset(("Add", "AddV2"))
_NEAR = 1e-7
_NOT_NEGATIVE = frozenset(("Relu", "Relu6", "Sigmoid", "Abs", "Square", "Softmax", "Exp", "Softplus"))


def through(ref: Ref) -> Ref:
    """The output that an input comes from, nodes left out that only pass it on."""
    node, output = ref
    while node.kernel is PASS and node.known is None:
        node, output = node.inputs[0]
    return node, output


def idioms(live: Sequence[PlanNode], needed: Iterable[Ref]) -> list[PlanNode]:
    """`live` (producers first) with these spellings replaced. `needed` are the outputs that leave the plan."""
    types = {node.type for node in live}
    finders = {kind: find for kind, (find, parts) in _FINDERS.items() if kind in types and not parts.isdisjoint(types)}
    if not finders:
        return list(live)
    work = _Idioms(live, needed)
    for node in live:
        if node.type in finders and work.may_end_one(node):
            finders[node.type](work, node)
    return [new for node in live if node not in work.gone for new in (*work.made.get(node, ()), node)]


def is_untouched(node: PlanNode) -> bool:
    """Whether a node is as the graph has it, takes no references, and its kernel is still to be made."""
    op = node.op
    if op is None or node.feed >= 0 or node.known is not None or node.kernel is not None or node.row is None:
        return False
    return node.type == op.type and not any(tensor.dtype.is_ref for tensor in op.inputs)


def is_plain_float(node: PlanNode) -> bool:
    """Whether a node takes no references and makes one float32 tensor."""
    op = node.op
    if op is None or node.feed >= 0 or len(op.outputs) != 1 or op.outputs[0].dtype is not dtypes.float32:
        return False
    return not any(tensor.dtype.is_ref for tensor in op.inputs)


class _Idioms:
    def __init__(self, live: Sequence[PlanNode], needed: Iterable[Ref]) -> None:
        self._users: dict[PlanNode, set[PlanNode]] = {}
        for node in live:
            for ref in node.inputs:
                source = ref[0]
                self._users.setdefault(source, set()).add(node)
        self._fixed = {source for source, _ in needed}
        for node in live:
            self._fixed.update(node.controls)
        self.gone: set[PlanNode] = set()
        self.made: dict[PlanNode, list[PlanNode]] = {}

    def may_end_one(self, node: PlanNode) -> bool:
        """Whether a node can be the last of a spelling."""
        is_untouched = node not in self.gone and node.known is None and node.kernel is None and not node.controls
        return is_untouched and is_plain_float(node)

    def _is_free(self, last: PlanNode, inner: set[PlanNode]) -> bool:
        """Whether `inner` serves nothing but `last`."""
        allowed = inner | {last}
        for node in inner:
            if node in self._fixed or node.controls or node.kernel is not None or not is_plain_float(node):
                return False
            if not self._users[node] <= allowed:
                return False
        return True

    def drop(self, last: PlanNode, inner: set[PlanNode], x: Ref) -> bool:
        """Makes `last` an alias of x, if `inner` serves nothing else."""
        if not self._is_free(last, inner):
            return False
        users = self._users.get(last, set())
        self._users[x[0]] = {user for user in self._users[x[0]] if user not in inner} | users | {last}
        for user in users:
            user.inputs = [x if ref == (last, 0) else ref for ref in user.inputs]
        self.gone |= inner
        last.inputs, last.kernel = [x], PASS
        return True

    def replace(self, last: PlanNode, inner: set[PlanNode], x: Ref, kind: str, *constants: np.ndarray) -> bool:
        """Makes `last` the node `kind` of x and constants, if `inner` serves nothing else."""
        if not self._is_free(last, inner):
            return False
        self.gone |= inner
        self._users[x[0]] = {user for user in self._users[x[0]] if user not in inner} | {last}
        nodes = []
        for number, value in enumerate(constants):
            made = PlanNode(None, "Const", f"{last.name}/{kind}/{number}")
            made.known = [value]
            nodes.append(made)
        self.made[last] = nodes
        last.inputs = [x, *((node, 0) for node in nodes)]
        last.type = kind
        last.kernel = getattr(_kernels(), _KERNELS[kind])
        return True


_KERNELS = {"_HardSwish": "hard_swish", "_Swish": "swish", "_PRelu": "prelu"}


def _kernels() -> Any:
    from runstep.kernels.numpy import chain  # kernels are imported when a session first needs them

    return chain


def constant_of(ref: Ref) -> np.ndarray | None:
    """The float32 value of an input, if it is known."""
    node, output = ref
    if node.known is None:
        return None
    value = node.known[output]
    return value if value.dtype == np.float32 else None


def with_constant(node: PlanNode) -> tuple[Ref, np.ndarray] | None:
    """The other input and the value, of a node of two inputs of which one is a known float32."""
    if len(node.inputs) != 2:
        return None
    for place in (0, 1):
        value = constant_of(node.inputs[place])
        if value is not None and node.inputs[1 - place][0].known is None:
            return node.inputs[1 - place], value
    return None


def _kind(node: PlanNode) -> str:
    """The type of a node; none for one whose value is known, which has let go of its inputs."""
    return node.type if node.known is None else ""


def _is(value: np.ndarray, number: float) -> bool:
    return value.size == 1 and abs(float(value.reshape(())) - number) <= _NEAR


def _product(work: _Idioms, last: PlanNode) -> None:
    """`(x * 1/6) * relu6(x + 3)` and `x * sigmoid(x)` that end in `last`."""
    for one, other in (last.inputs, last.inputs[::-1]):
        first, second = one[0], other[0]
        if _kind(second) == "Sigmoid" and second.kernel is None and second.inputs[0] == one:
            if work.replace(last, {second}, one, "_Swish"):
                return
        if _kind(first) != "Mul" or _kind(second) != "Relu6" or second.kernel is not None or first.kernel is not None:
            continue
        add = second.inputs[0][0]
        if _kind(add) not in _SUMS:
            continue
        sixth, three = with_constant(first), with_constant(add)
        if sixth is None or three is None or sixth[0] != three[0]:
            continue
        if (
            _is(sixth[1], 1 / 6)
            and _is(three[1], 3)
            and work.replace(last, {first, second, add}, sixth[0], "_HardSwish")
        ):
            return


def _sum(work: _Idioms, last: PlanNode) -> None:
    """PReLU as the sum (or difference) of its positive and its negative part."""
    pairs = [last.inputs] if last.type == "Sub" else [last.inputs, last.inputs[::-1]]
    for one, other in pairs:
        x = _positive_part(one)
        inner = set() if x is None else {one[0]}
        found = None if x is None else _negative_part(other, x, inner)
        added = 0
        if found is None:
            x, inner, added = one, set(), 1
            found = _negative_part(other, x, inner, doubled=True)
        if found is None or x is None:
            continue
        slope = np.float32(added) - found if last.type == "Sub" else np.float32(added) + found
        if added and through(x)[0].type in _NOT_NEGATIVE and work.drop(last, inner, x):
            return
        if _is_per_channel(slope, last) and work.replace(last, inner, x, "_PRelu", np.ascontiguousarray(slope)):
            return


def _positive_part(ref: Ref) -> Ref | None:
    """The x of `relu(x)` or `maximum(x, 0)`."""
    node = ref[0]
    if _kind(node) == "Relu" and node.kernel is None:
        return node.inputs[0]
    return _against_zero(node, "Maximum")


def _against_zero(node: PlanNode, kind: str) -> Ref | None:
    if _kind(node) != kind or node.kernel is not None:
        return None
    found = with_constant(node)
    return found[0] if found is not None and _is(found[1], 0) else None


def _negative_part(ref: Ref, x: Ref, inner: set[PlanNode], *, doubled: bool = False) -> np.ndarray | None:
    """The slope a of an expression that equals a * min(x, 0); its nodes are added to `inner`.

    Args:
      doubled: take `x - abs(x)` only.
    """
    slope = np.ones((), np.float32)
    while True:
        node = ref[0]
        inner.add(node)
        if _kind(node) == "Mul" and node.kernel is None and (found := with_constant(node)) is not None:
            ref, value = found
            slope = slope * value
        elif _kind(node) == "Neg":
            ref, slope = node.inputs[0], -slope
        else:
            break
    if _kind(node) == "Sub" and node.inputs[0] == x and _kind(node.inputs[1][0]) == "Abs":
        absolute = node.inputs[1][0]
        inner.add(absolute)
        return np.asarray(slope * np.float32(2)) if absolute.inputs[0] == x else None
    if doubled:
        return None
    if _kind(node) == "Relu":
        negated = node.inputs[0][0]
        inner.add(negated)
        if _kind(negated) == "Neg" and negated.inputs[0] == x:
            return np.asarray(-slope)
        if _kind(negated) == "Mul" and (found := with_constant(negated)) is not None:
            return np.asarray(-slope) if found[0] == x and _is(found[1], -1) else None
        return None
    return np.asarray(slope) if _against_zero(node, "Minimum") == x else None


def _is_per_channel(slope: np.ndarray, node: PlanNode) -> bool:
    shape = node.output_shapes[0]
    if slope.size == 1:
        return shape is not None and slope.ndim <= len(shape)
    return shape is not None and len(shape) >= max(2, slope.ndim) and slope.size == slope.shape[-1] == shape[-1]


def _maximum(work: _Idioms, last: PlanNode) -> None:
    """`maximum(x, a * x)` that ends in `last`."""
    for one, other in (last.inputs, last.inputs[::-1]):
        scaled = other[0]
        if _kind(scaled) != "Mul" or scaled.kernel is not None or (found := with_constant(scaled)) is None:
            continue
        slope = found[1]
        if found[0] == one and slope.size == 1 and 0 < float(slope.reshape(())) < 1:
            if _is_per_channel(slope, last) and work.replace(last, {scaled}, one, "_PRelu", slope):
                return


_PARTS = frozenset(("Abs", "Minimum", "Relu"))
_FINDERS = {
    "Mul": (_product, frozenset(("Relu6", "Sigmoid"))),
    **dict.fromkeys(("Add", "AddV2", "Sub"), (_sum, _PARTS)),
    "Maximum": (_maximum, frozenset(("Mul",))),
}
"""By the type of the last node: what finds a spelling, and the types of which one must be in the graph for it."""
