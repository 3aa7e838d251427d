"""`tf.add_check_numerics_ops`: a check of every float in the graph."""

from __future__ import annotations

from runstep.graph.apply import apply
from runstep.graph.graph import get_default_graph
from runstep.graph.operation import Operation
from runstep.graph.scopes import colocate_with, control_dependencies
from runstep.ops.basic import group

__all__ = ["add_check_numerics_ops"]


def add_check_numerics_ops() -> Operation:
    """An operation that fails where a float of the graph is infinite or not a number.

    Source: tf.add_check_numerics_ops.

    Raises:
      ValueError: the graph has branches or loops, which cannot be checked from outside.
    """
    checks: list[Operation] = []
    for op in get_default_graph().get_operations():
        for output in op.outputs:
            if output.dtype.name not in ("float16", "float32", "float64"):
                continue
            if op._control_flow_context is not None:
                raise ValueError(
                    "`tf.add_check_numerics_ops() is not compatible with TensorFlow control flow operations such as "
                    "`tf.cond()` or `tf.while_loop()`."
                )
            with control_dependencies(checks[-1:]), colocate_with(output.op):
                checks.append(apply("CheckNumerics", output, message=output.name).op)
    return group(*checks[-1:])
