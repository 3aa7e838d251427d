"""Stacks that live for one step: what loops of old graphs save for their gradients."""

from __future__ import annotations

from runstep.ops.common import Shapes, nothing
from runstep.ops.registry import op

__all__: list[str] = []

_HANDLE = (2,)  # what TensorFlow infers for these handles; the value is a scalar


def _create(op: object) -> Shapes:
    return [_HANDLE]


def _push(op: object) -> Shapes:
    return [op.inputs[1].raw_shape]  # type: ignore[attr-defined]


op(
    "StackV2",
    "max_size: int32 -> handle: resource",
    "elem_type: type",
    "stack_name: string = ''",
    shape=_create,
    stateful=True,
)
op(
    "StackPushV2",
    "handle: resource, elem: T -> output: T",
    "T: type",
    "swap_memory: bool = false",
    shape=_push,
    stateful=True,
)
op("StackPopV2", "handle: resource -> elem: elem_type", "elem_type: type", stateful=True)
op("StackCloseV2", "handle: resource -> ", shape=nothing, stateful=True)
op("Stack", " -> handle: Ref(string)", "elem_type: type", "stack_name: string = ''", shape=_create, stateful=True)
op("StackPush", "handle: Ref(string), elem: T -> output: T", "T: type", "swap_memory: bool = false", shape=_push)
op("StackPop", "handle: Ref(string) -> elem: elem_type", "elem_type: type")
op("StackClose", "handle: Ref(string) -> ", shape=nothing)
