"""Control flow as dataflow: Switch, Merge and the loop frames of Enter, Exit and NextIteration.

They have no kernels: the plan compiles them into branches and loops (`runstep.plan`).
"""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.graph.apply import apply
from runstep.graph.shapes import RawShape
from runstep.graph.tensor import Tensor
from runstep.ops.common import Shapes, unchanged
from runstep.ops.registry import op

__all__ = ["merge", "ref_switch", "switch"]


def _merge(op: Any) -> Shapes:
    shape: RawShape = op.inputs[0].raw_shape
    for tensor in op.inputs[1:]:
        other = tensor.raw_shape
        if shape is None or other is None or len(shape) != len(other):
            shape = None
            break
        shape = tuple(a if a == b else None for a, b in zip(shape, other, strict=True))
    return [shape, ()]


def _enter(op: Any) -> Shapes:
    # A loop variable may change its shape while it goes round; a loop constant can't.
    return [op.inputs[0].raw_shape if op.attrs["is_constant"] else None]


def _both(op: Any) -> Shapes:
    return [op.inputs[0].raw_shape] * len(op.outputs)


def _ref_select(op: Any) -> Shapes:
    shapes.with_rank(op.inputs[0].raw_shape, 0)
    first, *others = (tensor.raw_shape for tensor in op.inputs[1:])
    if not shapes.is_fully_defined(first) or any(other != first for other in others):
        return [None]
    return [first]


def _loop_cond(op: Any) -> Shapes:
    return [()]


op("Switch", "data: T, pred: bool -> output_false: T, output_true: T", "T: type", shape=_both)
op(
    "RefSwitch",
    "data: Ref(T), pred: bool -> output_false: Ref(T), output_true: Ref(T)",
    "T: type",
    shape=_both,
    uninitialized=True,
)
op("_SwitchN", "data: T, output_index: int32 -> outputs: num_outs * T", "num_outs: int >= 1", "T: type", shape=_both)
op("Merge", "inputs: N * T -> output: T, value_index: int32", "T: type", "N: int >= 1", shape=_merge)
op("RefMerge", "inputs: Ref(N * T) -> output: Ref(T), value_index: int32", "T: type", "N: int >= 1", shape=_merge)
_FRAME = ("T: type", "frame_name: string", "is_constant: bool = false", "parallel_iterations: int = 10")
op("Enter", "data: T -> output: T", *_FRAME, shape=_enter)
op("RefEnter", "data: Ref(T) -> output: Ref(T)", *_FRAME, shape=unchanged)
op("Exit", "data: T -> output: T", "T: type", shape=unchanged)
op("RefExit", "data: Ref(T) -> output: Ref(T)", "T: type", shape=unchanged)
op("NextIteration", "data: T -> output: T", "T: type", shape=unchanged)
op("RefNextIteration", "data: Ref(T) -> output: Ref(T)", "T: type", shape=unchanged)
op("LoopCond", "input: bool -> output: bool", shape=_loop_cond)
op("RefIdentity", "input: Ref(T) -> output: Ref(T)", "T: type", shape=unchanged, uninitialized=True)
op("RefSelect", "index: int32, inputs: Ref(N * T) -> output: Ref(T)", "T: type", "N: int >= 1", shape=_ref_select)


def switch(data: Any, pred: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """`data` on the output that `pred` chooses, (false, true); the other one is dead."""
    return apply("Switch", data, pred, name=name)


def ref_switch(data: Any, pred: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    return apply("RefSwitch", data, pred, name=name)


def merge(inputs: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """The one of `inputs` that is not dead, and its index."""
    return apply("RefMerge" if all(t.dtype.is_ref for t in inputs) else "Merge", inputs, name=name)
