"""The operations that make up a variable of a loop: Enter, Merge, Switch, NextIteration, Exit.

`while_loop` makes them in this order for all its variables at once; gradients add further variables to loops that are
finished.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runstep.graph.apply import apply, apply_op
from runstep.graph.control_flow import WhileContext, enter, switched
from runstep.graph.operation import Operation
from runstep.graph.shapes import RawShape
from runstep.graph.tensor import Tensor
from runstep.ops.control_flow import merge


class _Bare:
    """The context of the operations that make up the loop itself: inside it, but their inputs are taken as they are."""

    def __init__(self, context: WhileContext) -> None:
        self._context = context

    def prepare(self, name: str, inputs: Any) -> Any:
        return tuple(inputs)

    def added(self, op: Operation) -> None:
        op.control_inputs = ()
        self._context._adopt(op)
        op.graph._unfeedable.update(op.outputs)
        op.graph._unfetchable.add(op)


class _Leaving(_Bare):
    """The context of Exits: they take values from inside and are outside themselves."""

    def added(self, op: Operation) -> None:
        op.control_inputs = ()


def enter_variables(
    context: WhileContext, starts: Sequence[Tensor], invariants: Sequence[RawShape], name: str = "Enter"
) -> list[Tensor]:
    """An Enter for each start, a tensor of the context around the loop; `invariants` are the shapes of all turns."""
    graph = context.graph
    controllers = graph._scope.controllers
    with graph._in(controllers=(), control_flow_context=context.outer_context):
        entered = [enter(tensor, context.frame_name, False, context.parallel_iterations, name) for tensor in starts]
    for tensor, invariant in zip(entered, invariants, strict=True):
        graph._unfeedable.add(tensor)
        graph._unfetchable.discard(tensor.op)
        tensor.raw_shape = invariant
        context.wait_outside(tensor.op, controllers)
        context._adopt(tensor.op)
    return entered


def first_merge(context: WhileContext, entered: Tensor, name: str = "Merge") -> Tensor:
    """The Merge of an Enter with the value of the next turn, which does not exist yet."""
    with context.graph._in(control_flow_context=_Bare(context)):
        output, _ = merge([entered, entered], name=name)
    output.raw_shape = entered.raw_shape
    output._handle_data = entered._handle_data
    return output


def gated(context: WhileContext, merged: Tensor) -> tuple[Tensor, Tensor]:
    """The value that leaves and the value of a further turn."""
    assert context.gate is not None
    with context.graph._in(control_flow_context=_Bare(context)):
        return switched(merged, context.gate)


def go_round(context: WhileContext, merged: Tensor, value: Tensor) -> Operation:
    """Makes `value` what the variable is in the next turn; returns the NextIteration."""
    kind = "RefNextIteration" if value.dtype.is_ref and merged.dtype.is_ref else "NextIteration"
    with context.graph._in(control_flow_context=_Bare(context)):
        again = apply_op(kind, value, name="NextIteration")
    merged.op.inputs = (merged.op.inputs[0], again.outputs[0])
    context.graph._edited()
    return again


def leave(context: WhileContext, value: Tensor, name: str = "Exit") -> Tensor:
    """The variable after the last turn, as a value of the context around the loop."""
    graph = context.graph
    kind = "RefExit" if value.dtype.is_ref else "Exit"
    with graph._in(control_flow_context=_Leaving(context)):
        found: Tensor = apply(kind, value, name=name)
    outer = context.outer_context
    found.op._control_flow_context = outer
    found._handle_data = value._handle_data
    graph._unfetchable.discard(found.op)
    graph._unfeedable.discard(found)
    if outer is not None:
        outer._adopt(found.op)
        graph._unfeedable.add(found)
        graph._unfetchable.add(found.op)
    return found
