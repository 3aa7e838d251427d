"""Sizes that several nodes work out of one shape, as one node; and arrays of one value, which need not be made.

| nodes | become |
|---|---|
| sizes picked out of `Shape(x)` (by GatherV2, StridedSlice, Slice) | `_Sizes` of x |
| the product of such sizes, or of all of them; its cast | `_Count` of x |
| one value, spread by BroadcastTo or Fill to `Shape(x)` | `_FilledLike` of the value and x |
| a product with that, maybe with one more axis of size 1 | `_Scaled`: times the value, where shapes are as expected |

The gradient of a mean is such a chain, and models that leave the batch open are full of them. Results stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from runstep.graph.shapes import num_elements
from runstep.plan.idioms import is_untouched, through
from runstep.plan.node import PlanNode, Ref
from runstep.plan.simplify import reachable

_PICKING = frozenset(("GatherV2", "StridedSlice", "Slice"))
_VIEWS = frozenset(("Reshape", "ExpandDims", "Squeeze"))
_NUMBERS = frozenset("int32 int64 float32 float64".split())


def shorten(live: Sequence[PlanNode], needed: Iterable[Ref]) -> list[PlanNode]:
    """`live` (producers first) after these rewrites. `needed` are the outputs that leave the plan."""
    if not any(node.type in ("Shape", "Size") for node in live):
        return list(live)
    work = _Dimensions()
    changed = False
    for node in live:
        rule = _RULES.get(node.type)
        if rule is not None and is_untouched(node) and rule(work, node):
            changed = True
    return reachable(live, needed) if changed else list(live)


def _kernels() -> Any:
    from runstep.kernels.numpy import dimensions  # kernels are imported when a session first needs them

    return dimensions


class _Dimensions:
    def __init__(self) -> None:
        self._picked: dict[PlanNode, tuple[Ref, np.ndarray, int]] = {}
        self._counts: dict[PlanNode, list[int]] = {}  # the axes of each
        self._filled: dict[PlanNode, int] = {}  # the rank of each

    # --- sizes --------------------------------------------------------------------------------------------------------

    def picked(self, ref: Ref) -> tuple[Ref, np.ndarray, int] | None:
        """For sizes of one tensor: the tensor, which of its axes they are (a vector, or a single one), and its rank."""
        node = through(ref)[0]
        if node not in self._picked and node.type == "Shape" and is_untouched(node) and not node.controls:
            tensor = node.op.inputs[0]  # type: ignore[union-attr]
            if tensor.raw_shape is not None and tensor.dtype.name not in ("resource", "variant"):
                rank = len(tensor.raw_shape)
                self._picked[node] = node.inputs[0], np.arange(rank), rank
        return self._picked.get(node)

    def pick(self, node: PlanNode) -> bool:
        found = self.picked(node.inputs[0])
        if found is None or any(node.constant(place) is None for place in range(1, len(node.inputs))):
            return False
        x, axes, rank = found
        try:  # what it does to the numbers of the axes tells which it picks
            kernel = node.row.make(node)  # type: ignore[union-attr]
            axes = np.asarray(kernel(axes, *[node.constant(place) for place in range(1, len(node.inputs))]))
        except Exception:  # it will say so when it runs
            return False
        if axes.ndim > 1:
            return False
        node.kernel = _kernels().sizes(axes, node.output_types[0].np)
        self._become(node, "_Sizes", [x])
        if not node.controls:
            self._picked[node] = x, axes, rank
        return True

    def product(self, node: PlanNode) -> bool:
        found, over = self.picked(node.inputs[0]), node.constant(1)
        if found is None or over is None or node.attrs["keep_dims"] or over.size != 1 or found[1].ndim != 1:
            return False
        if int(over.reshape(())) not in (0, -1):
            return False
        return self._count(node, found[0], found[1].tolist(), node.output_types[0].np)

    def size(self, node: PlanNode) -> bool:
        tensor = node.op.inputs[0]  # type: ignore[union-attr]
        if tensor.raw_shape is None or tensor.dtype.name in ("resource", "variant"):
            return False
        return self._count(node, node.inputs[0], list(range(len(tensor.raw_shape))), node.output_types[0].np)

    def _count(self, node: PlanNode, x: Ref, axes: list[int], dtype: Any) -> bool:
        node.kernel = _kernels().count(axes, dtype, dtype)
        self._become(node, "_Count", [x])
        if not node.controls:
            self._counts[node] = axes
        return True

    def cast(self, node: PlanNode) -> bool:
        source = through(node.inputs[0])[0]
        axes, dtype = self._counts.get(source), node.output_types[0]
        if axes is None or dtype.name not in _NUMBERS:
            return False
        node.kernel = _kernels().count(axes, dtype.np, source.output_types[0].np)
        self._become(node, "_Count", source.inputs)
        return True

    # --- arrays of one value ------------------------------------------------------------------------------------------

    def spread(self, node: PlanNode) -> bool:
        value, shape = node.inputs if node.type == "BroadcastTo" else node.inputs[::-1]
        found = self.picked(shape)
        dtype = node.output_types[0]
        if found is None or dtype.np.kind not in "biufc" or dtype.np.isbuiltin != 1:
            return False
        x, axes, rank = found
        raw = node.op.inputs[node.inputs.index(value)].raw_shape  # type: ignore[union-attr]
        if axes.tolist() != list(range(rank)) or num_elements(raw) != 1 or len(raw or ()) > rank:
            return False
        value = _one_value(value)
        node.kernel = _kernels().filled_like(dtype.np)
        self._become(node, "_FilledLike", [value, x])
        if not node.controls:
            self._filled[node] = rank
        return True

    def scale(self, node: PlanNode) -> bool:
        for place in (0, 1):
            source = through(node.inputs[place])[0]
            axis = None
            if source.type == "ExpandDims" and is_untouched(source) and not source.controls:
                found = source.constant(1)
                axis = None if found is None or found.size != 1 else int(found.reshape(()))
                source = through(source.inputs[0])[0] if axis is not None else source
            rank = self._filled.get(source)
            if rank is None or (axis is not None and not -rank - 1 <= axis <= rank):
                continue
            value, x = source.inputs
            node.kernel = _kernels().scaled(rank, axis)
            self._become(node, "_Scaled", [value, x, node.inputs[1 - place]])
            return True
        return False

    @staticmethod
    def _become(node: PlanNode, type_: str, inputs: Sequence[Ref]) -> None:
        node.inputs = list(inputs)
        node.become(type_, node.op.outputs)  # type: ignore[union-attr]


def _one_value(ref: Ref) -> Ref:
    """The same value before it was given another shape."""
    while True:
        node = through(ref)[0]
        if node.type not in _VIEWS or not is_untouched(node) or node.controls:
            return ref
        if num_elements(node.op.inputs[0].raw_shape) != 1:  # type: ignore[union-attr]
            return ref
        if num_elements(node.op.outputs[0].raw_shape) != 1:  # type: ignore[union-attr]
            return ref
        ref = node.inputs[0]


_RULES = {
    **dict.fromkeys(_PICKING, _Dimensions.pick),
    "Prod": _Dimensions.product,
    "Size": _Dimensions.size,
    "Cast": _Dimensions.cast,
    "BroadcastTo": _Dimensions.spread,
    "Fill": _Dimensions.spread,
    "Mul": _Dimensions.scale,
}
