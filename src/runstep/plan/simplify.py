"""Rewrites of single nodes that spare work and leave results as they are, up to the sign of a zero:

| what | becomes |
|---|---|
| `x * 1`, `x / 1`, `x + 0`, `x - 0`, a sum of one | x |
| a reshape of a reshape | the last one |
| a reshape, squeeze or expansion to the shape that x has, a cast to the type that x has | x |
| a transpose that moves nothing; a transpose of a transpose | x; one transpose, or x |
| `transpose(f(g(transpose(x))))` that cancel, with f, g elementwise functions of one tensor | `f(g(x))` |
| zero padding before an unpadded convolution | a convolution with that padding |

Two that change roundings, as TensorFlow's own optimizer does: batch normalization with constant statistics becomes one
multiplication and one addition, which a convolution before it takes in.

Control edges that wait for nothing are dropped: from constants, from what is waited for anyhow as an input, and through
NoOps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.plan.idioms import through
from runstep.plan.node import PASS, PlanNode, Ref

_UNARY = frozenset("Relu Relu6 Elu Selu LeakyRelu Sigmoid Tanh Abs Neg Square Sqrt Rsqrt Exp Log Softplus".split())
_CONVOLUTIONS = frozenset(("Conv2D", "DepthwiseConv2dNative"))
_NORMS = frozenset(("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"))
_VIEWS = frozenset(("Reshape", "Squeeze", "ExpandDims"))


def simplify(live: Sequence[PlanNode], needed: Iterable[Ref]) -> list[PlanNode]:
    """`live` (producers first) after these rewrites. `needed` are the outputs that leave the plan."""
    needed = list(needed)
    changed = False
    for node in live:
        if node.controls:
            controls = _useful_controls(node)
            changed = changed or controls != node.controls
            node.controls = controls
    work = _Simplifier(live, needed)
    for node in live:
        rule = _RULES.get(node.type)
        if rule is None or (rule is _neutral and not _takes_known(node)):
            continue
        if work.may_change(node) and rule(work, node):
            changed = True
    if not changed:
        return list(live)
    return reachable([new for node in live for new in (*work.made.get(node, ()), node)], needed)


_FEW = 64
"""What a group may wait for to be left out: were each of many nodes to wait for all others, edges would be squared."""


def _useful_controls(node: PlanNode) -> list[PlanNode]:
    inputs = {source for source, _ in node.inputs}
    found: dict[PlanNode, None] = {}
    stack = [*reversed(node.controls)]
    while stack:
        control = stack.pop()
        if control in inputs or (control.known is not None and not control.controls):
            continue
        if control.type == "NoOp" and control.feed < 0 and len(control.controls) <= _FEW:
            stack.extend(reversed(control.controls))
        else:
            found[control] = None
    return list(found)


def reachable(live: Sequence[PlanNode], needed: Iterable[Ref]) -> list[PlanNode]:
    """The nodes that something still asks for."""
    stack = [source for source, _ in needed]
    seen: set[PlanNode] = set()
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(source for source, _ in node.inputs)
            stack.extend(node.controls)
    return [node for node in live if node in seen]


class _Simplifier:
    def __init__(self, live: Sequence[PlanNode], needed: Iterable[Ref]) -> None:
        self._live = live
        self._needed = needed
        self._uses: dict[PlanNode, int] = {}  # counted when a rule first asks
        self._more: set[PlanNode] = set()  # nodes of which something uses another output than the first
        self.made: dict[PlanNode, list[PlanNode]] = {}

    def _count(self) -> None:
        if self._uses:
            return
        for node in self._live:
            for source, output in node.inputs:
                self._uses[source] = self._uses.get(source, 0) + 1
                if output:
                    self._more.add(source)
            for control in node.controls:
                self._uses[control] = self._uses.get(control, 0) + 2
        for source, output in self._needed:
            self._uses[source] = self._uses.get(source, 0) + 2
            if output:
                self._more.add(source)

    def may_change(self, node: PlanNode) -> bool:
        return (
            node.op is not None
            and node.feed < 0
            and node.known is None
            and node.kernel is None
            and not any(tensor.dtype.is_ref for tensor in node.op.inputs)
        )

    def is_only_used_once(self, node: PlanNode) -> bool:
        self._count()
        return self._uses.get(node, 0) == 1 and not node.controls

    def has_one_output(self, node: PlanNode) -> bool:
        """Whether nothing uses any output but the first."""
        self._count()
        return node not in self._more

    def alias(self, node: PlanNode, ref: Ref) -> bool:
        """Makes the node an alias of `ref`."""
        if node.controls:
            return False
        self._count()
        self._uses[ref[0]] = self._uses.get(ref[0], 0) + self._uses.get(node, 0)
        node.kernel, node.inputs = PASS, [ref]
        return True

    def constant(self, node: PlanNode, what: str, value: np.ndarray) -> Ref:
        """A new constant, for `node` to read."""
        made = PlanNode(None, "Const", f"{node.name}/{what}")
        made.known = [value]
        self.made.setdefault(node, []).append(made)
        return made, 0


Rule = Callable[[_Simplifier, PlanNode], bool]


def _value(ref: Ref) -> np.ndarray | None:
    source, output = through(ref)
    return None if source.known is None else source.known[output]


def _shape(node: PlanNode, place: int) -> Any:
    """The static shape of an input."""
    source, output = through(node.inputs[place])
    if source.known is not None:
        return source.known[output].shape
    op = node.op
    assert op is not None
    tensor = op.inputs[place] if source.op is None else source.op.outputs[output]
    return tensor.raw_shape


def _is_full(shape: Any) -> bool:
    return shape is not None and None not in shape


def _takes_known(node: PlanNode) -> bool:
    """Whether the plan may know the value of an input."""
    for source, _ in node.inputs:
        if source.known is not None or source.kernel is not None:
            return True
    return False


# --- arithmetic -------------------------------------------------------------------------------------------------------


def _neutral(work: _Simplifier, node: PlanNode) -> bool:
    """`x * 1`, `x / 1`, `x + 0`, `x - 0`."""
    number = 1 if node.type in ("Mul", "RealDiv", "Div") else 0
    places = (1,) if node.type in ("Sub", "RealDiv", "Div") else (1, 0)
    for place in places:
        value = _value(node.inputs[place])
        if value is None or value.size != 1 or value.dtype.kind not in "fiu" or value.reshape(()) != number:
            continue
        other = node.inputs[1 - place]
        shape, given = node.output_shapes[0], _shape(node, 1 - place)
        if value.ndim == 0 or (shape is not None and given is not None and len(shape) == len(given)):
            return work.alias(node, other)
    return False


def _sum_of_one(work: _Simplifier, node: PlanNode) -> bool:
    return len(node.inputs) == 1 and work.alias(node, node.inputs[0])


def _cast(work: _Simplifier, node: PlanNode) -> bool:
    return node.attrs["SrcT"] is node.attrs["DstT"] and work.alias(node, node.inputs[0])


# --- shapes -----------------------------------------------------------------------------------------------------------


def _view(work: _Simplifier, node: PlanNode) -> bool:
    shape = node.output_shapes[0]
    if _is_full(shape) and _shape(node, 0) == shape:
        return work.alias(node, node.inputs[0])
    source = through(node.inputs[0])[0]
    if node.type != "Reshape" or source.type not in _VIEWS or source.controls or not work.may_change(source):
        return False
    if not _is_full(source.output_shapes[0]) or not _is_full(_shape(source, 0)):
        return False  # it may be one that fails
    node.inputs = [source.inputs[0], *node.inputs[1:]]
    return True


def _order(node: PlanNode) -> list[int] | None:
    found = _value(node.inputs[1])
    if found is None or found.ndim != 1:
        return None
    order = [int(axis) + found.size * (int(axis) < 0) for axis in found.tolist()]
    return order if sorted(order) == list(range(found.size)) else None


def _transpose(work: _Simplifier, node: PlanNode) -> bool:
    order = _order(node)
    if order is None:
        return False
    if order == list(range(len(order))):
        return work.alias(node, node.inputs[0])
    chain: list[PlanNode] = []
    source = through(node.inputs[0])[0]
    while source.type in _UNARY and work.may_change(source) and work.is_only_used_once(source):
        chain.append(source)
        source = through(source.inputs[0])[0]
    if source.type != "Transpose" or not work.may_change(source) or source.controls:
        return False
    before = _order(source)
    if before is None or len(before) != len(order):
        return False
    total = [before[axis] for axis in order]
    if not chain:
        if total == list(range(len(total))):
            return work.alias(node, source.inputs[0])
        dtype = _value(node.inputs[1]).dtype  # type: ignore[union-attr]
        node.inputs = [source.inputs[0], work.constant(node, "order", np.array(total, dtype))]
        return True
    if total != list(range(len(total))) or not work.is_only_used_once(source):
        return False
    chain[-1].inputs = [source.inputs[0]]
    for inner in chain:  # they have the axes in the order of the result now
        inner.become(inner.type, node.op.outputs)  # type: ignore[union-attr]
    return work.alias(node, node.inputs[0])


# --- convolutions -----------------------------------------------------------------------------------------------------


def _padded(work: _Simplifier, node: PlanNode) -> bool:
    """Takes zero padding of height and width into a convolution that has none."""
    attrs = node.attrs
    if attrs["padding"] != b"VALID" or attrs.get("data_format", b"NHWC") != b"NHWC":
        return False
    pad = through(node.inputs[0])[0]
    if pad.type not in ("Pad", "PadV2") or not work.may_change(pad) or not work.is_only_used_once(pad):
        return False
    if node.output_types[0] not in (dtypes.float32, dtypes.float64):
        return False
    paddings = _value(pad.inputs[1])
    if pad.type == "PadV2":
        filler = _value(pad.inputs[2])
        if filler is None or filler.any():
            return False
    if paddings is None or paddings.shape != (4, 2) or paddings[[0, 3]].any() or (paddings < 0).any():
        return False
    node.changed = {**attrs, "padding": b"EXPLICIT", "explicit_paddings": paddings.reshape(-1).tolist()}
    node.inputs = [pad.inputs[0], *node.inputs[1:]]
    return True


def _norm(work: _Simplifier, node: PlanNode) -> bool:
    """Batch normalization with constant statistics, whose first output alone is used."""
    attrs, op = node.attrs, node.op
    assert op is not None
    if attrs["is_training"] or attrs["data_format"] != b"NHWC" or op.outputs[0].dtype is not dtypes.float32:
        return False
    scale, offset, mean, variance = [_value(ref) for ref in node.inputs[1:5]]
    if scale is None or offset is None or mean is None or variance is None or node.controls:
        return False
    if not work.has_one_output(node):
        return False
    factor = scale / np.sqrt(variance + np.float32(attrs["epsilon"]))
    shift = offset - mean * factor
    if not (np.isfinite(factor).all() and np.isfinite(shift).all()):
        return False
    node.inputs = [
        node.inputs[0],
        work.constant(node, "factor", factor.astype(np.float32)),
        work.constant(node, "shift", shift.astype(np.float32)),
    ]
    node.become("_ScaleShift", op.outputs[:1])
    from runstep.kernels.numpy import chain  # kernels are imported when a session first needs them

    node.kernel = chain.scale_shift
    return True


_RULES: dict[str, Rule] = {
    **dict.fromkeys(("Mul", "Add", "AddV2", "Sub", "RealDiv", "Div"), _neutral),
    **dict.fromkeys(_VIEWS, _view),
    **dict.fromkeys(_CONVOLUTIONS, _padded),
    **dict.fromkeys(_NORMS, _norm),
    "AddN": _sum_of_one,
    "Cast": _cast,
    "Transpose": _transpose,
}
