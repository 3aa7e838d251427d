"""`tf.saved_model.main_op`: what runs when a SavedModel is loaded (source: tf.compat.v1.saved_model.main_op)."""

from __future__ import annotations

from typing import Any

from runstep.graph.graph import get_default_graph
from runstep.graph.operation import Operation
from runstep.ops.basic import group
from runstep.ops.lookup import tables_initializer
from runstep.variables.collections import global_variables_initializer, local_variables_initializer

__all__ = ["main_op", "main_op_with_restore"]


def main_op() -> Operation:
    """The operation that initializes variables, local variables and tables."""
    return group(global_variables_initializer(), local_variables_initializer(), tables_initializer())


def main_op_with_restore(restore_op_name: Any) -> Operation:
    """As `main_op`, and restores after that."""
    with get_default_graph().control_dependencies([main_op()]):
        return group(restore_op_name)
