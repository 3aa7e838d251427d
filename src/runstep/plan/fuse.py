"""Joins nodes that only pass one array on: a convolution, a product or a sum, and the bias, scale and activation after
it.

The joined node keeps the name of the last one, and works in the memory of the first one's result. Only what nothing
else looks at is joined: a value that is fetched, or has two consumers, stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from runstep.plan.idioms import is_plain_float, with_constant
from runstep.plan.node import PlanNode, Ref

_PRODUCERS = frozenset(
    ("Conv2D", "DepthwiseConv2dNative", "MatMul", "Conv2DBackpropInput", "ResizeBilinear", "AvgPool", "MaxPool")
)
_WORTH = 4096
"""Elements from which a sum is worth joining with what follows: below, calls of ufuncs and operators are faster."""

_SUMS = frozenset(("Add", "AddV2", "BiasAdd"))
_STARTS = _PRODUCERS | _SUMS
_PLAIN = frozenset(("Relu", "Relu6", "Elu", "Tanh", "Sigmoid"))


def fuse(live: Sequence[PlanNode], needed: Iterable[Ref]) -> list[PlanNode]:
    """`live` (producers first) without the nodes that others took in. `needed` are the outputs that leave the plan."""
    starts = [node for node in live if node.type in _STARTS and _may_start(node)]
    if not starts:
        return list(live)
    users: dict[PlanNode, list[PlanNode]] = {}
    for node in live:
        for source in {source for source, _ in node.inputs}:
            users.setdefault(source, []).append(node)
    fixed = {source for source, _ in needed}
    for node in live:
        fixed.update(node.controls)
    work = _Fusion(users, fixed)
    for node in starts:
        if node not in work.gone:
            work.chain(node)
    return [node for node in live if node not in work.gone]


class _Fusion:
    def __init__(self, users: dict[PlanNode, list[PlanNode]], fixed: set[PlanNode]) -> None:
        self._users = users
        self._fixed = fixed
        self.gone: set[PlanNode] = set()

    def _inner(self, node: PlanNode) -> bool:
        """Whether a node may disappear into its consumers."""
        return node not in self._fixed and not node.controls and node.known is None and node.kernel is None

    def chain(self, first: PlanNode) -> None:
        """Joins `first` with all that follows it element by element."""
        channels = _channels(first)
        steps: list[tuple[str, Any]] = []
        inner: list[PlanNode] = []
        last = first
        while self._inner(last):
            users = [user for user in self._users.get(last, ()) if user not in self.gone]
            if len(users) != 1 or users[0].controls or not is_plain_float(users[0]):
                break
            step = _step(users[0], last, channels)
            if step is None:
                break
            inner.append(last)
            steps.append(step)
            last = users[0]
        if not steps:
            return
        assert first.row is not None
        made = None if first.type == "Conv2D" else first.row.make(first)
        last.kernel = _kernels().chained(first, made, steps)
        last.inputs, last.row, last.type = first.inputs, first.row, f"_{first.type}Chain"
        self.gone.update(inner)


def _may_start(node: PlanNode) -> bool:
    """Whether a node can be the first of a chain."""
    if node.type in _SUMS and _least_size(node) < _WORTH:
        return False
    if node.row is None or node.row.view or not is_plain_float(node):
        return False
    return node.attrs.get("data_format", b"NHWC") == b"NHWC" and node.known is None and node.kernel is None


def _kernels() -> Any:
    from runstep.kernels.numpy import chain  # kernels are imported when a session first needs them

    return chain


def _least_size(node: PlanNode) -> int:
    """How many elements the first output has at least, as far as the graph tells."""
    count = 1
    for size in node.op.outputs[0].raw_shape or ():  # type: ignore[union-attr]
        count *= size or 1
    return count


def _channels(node: PlanNode) -> int | None:
    shape = node.output_shapes[0]
    return shape[-1] if shape is not None and len(shape) >= 2 else None


def _step(node: PlanNode, before: PlanNode, channels: int | None) -> tuple[str, Any] | None:
    """What `node` does to the output of `before`, if it is a step of a chain."""
    if node.kernel is not None:
        if node.type == "_PRelu":
            return ("PRelu", node.constant(1)) if node.inputs[0][0] is before else None
        if node.type == "_ScaleShift":
            vectors = [node.constant(1), node.constant(2)]
            return (
                ("ScaleShift", vectors)
                if channels and all(v is not None and v.size == channels for v in vectors)
                else None
            )
        return (node.type[1:], None) if node.type in ("_HardSwish", "_Swish") else None
    kind = node.type
    if kind in _PLAIN:
        return kind, None
    if kind == "LeakyRelu":
        alpha = np.float32(node.attrs["alpha"])
        return (kind, alpha) if 0 < alpha <= 1 else None
    if kind not in _SUMS and kind not in ("Mul", "Sub"):
        return None
    if kind == "BiasAdd" and node.attrs["data_format"] != b"NHWC":
        return None
    found = with_constant(node)
    if found is None or found[0][0] is not before or channels is None or len(before.output_shapes[0] or ()) < 2:
        return None
    value = found[1]
    if kind == "Sub" and node.constant(1) is None:
        return None
    rank = len(before.output_shapes[0] or ())
    if value.ndim > rank or value.size not in (1, channels) or (value.size > 1 and value.shape[-1] != channels):
        return None
    return ("Add" if kind in _SUMS else kind), value
