"""What is said of the variables of a graph when a step met one without a value."""

from __future__ import annotations

from collections.abc import Sequence

from runstep.graph.graph import Graph
from runstep.kernels.resources import LEGACY_VARIABLE, VARIABLE, resource_name
from runstep.plan.device import PlanDevice

_KINDS = {"Variable": LEGACY_VARIABLE, "VariableV2": LEGACY_VARIABLE, "VarHandleOp": VARIABLE}
_SHOWN = 5


def uninitialized_note(graph: Graph, devices: Sequence[PlanDevice]) -> str:
    """How many of the graph's variables have no value, the first of them, and the cure; "" if all have one."""
    total = 0
    without: list[str] = []
    for op in graph.get_operations():
        kind = _KINDS.get(op.type)
        if kind is None:
            continue
        total += 1
        container, name = resource_name(op)
        found = (device.resources.lookup(container, kind, name) for device in devices)
        if all(variable is None or variable.value is None for variable in found):
            without.append(op.name)
    if not without:
        return ""
    names = ", ".join(without[:_SHOWN]) + (", ..." if len(without) > _SHOWN else "")
    return (
        f"{len(without)} of {total} variables are uninitialized: {names}. Run tf.global_variables_initializer() (and "
        "tf.local_variables_initializer()) first, or restore them with tf.train.Saver."
    )
