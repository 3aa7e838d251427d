"""Initializing one variable from another: the order in which initializers run must not matter.

An initial value that was computed from other ref variables is computed a second time from their initialized values: the
variable's own where it has one by then, its initial value else.
"""

from __future__ import annotations

from runstep.graph.collections import GraphKeys
from runstep.graph.graph import get_default_graph
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor

_STOPS = frozenset(("IsVariableInitialized", "VarIsInitializedOp", "ReadVariableOp", "If"))
_VARIABLES = frozenset(("Variable", "VariableV2", "VarHandleOp"))


def guarded(scope: str, initial_value: Tensor) -> Tensor:
    """`initial_value`, or a copy of what computes it that is safe to run before the variables it needs are initialized.

    Args:
      scope: the new variable's name with a "/"; copies are named after their originals and it.
    """
    order = _postorder(initial_value.op)
    if order is None or not any(op.type in _VARIABLES for op in order):
        return initial_value
    safe: dict[Operation, Operation] = {}
    for op in order:
        safe[op] = _safe(op, safe, scope)
    return safe[initial_value.op].outputs[initial_value.value_index]


def _postorder(last: Operation) -> list[Operation] | None:
    """What `last` is computed from, inputs first; None where that goes round a loop."""
    order: list[Operation] = []
    done: dict[Operation, bool] = {}  # False while its inputs are still being looked at
    stack = [(last, iter(_needs(last)))]
    done[last] = False
    while stack:
        op, inputs = stack[-1]
        for source in inputs:
            if source not in done:
                done[source] = False
                stack.append((source, iter(_needs(source))))
                break
            if not done[source]:
                return None
        else:
            stack.pop()
            done[op] = True
            order.append(op)
    return order


def _needs(op: Operation) -> list[Operation]:
    return [] if op.type in _STOPS or op.type in _VARIABLES else [tensor.op for tensor in op.inputs]


def _safe(op: Operation, safe: dict[Operation, Operation], scope: str) -> Operation:
    if op.type in _STOPS:
        return op
    if op.type in _VARIABLES:
        value = _initialized_value(op)
        return op if value is None else value.op
    inputs = [safe[tensor.op].outputs[tensor.value_index] for tensor in op.inputs]
    if all(new is old for new, old in zip(inputs, op.inputs, strict=True)):
        return op
    kind = "Switch" if op.type == "RefSwitch" else op.type
    name = f"{op.name}_{scope}".replace(":", "_")
    return op.graph.create_op(kind, inputs, [t.dtype for t in op.outputs], name=name, attrs=dict(op.attrs))


def _initialized_value(variable_op: Operation) -> Tensor | None:
    graph = get_default_graph()
    for collection in (GraphKeys.GLOBAL_VARIABLES, GraphKeys.LOCAL_VARIABLES):
        for variable in graph.get_collection(collection):
            if variable.name in (variable_op.name, variable_op.name + ":0"):
                return variable.initialized_value()
    return None
