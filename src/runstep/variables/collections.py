"""The variables of a graph by collection, and the operations that initialize them or tell which are not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runstep.graph import dtypes
from runstep.graph.collections import GraphKeys
from runstep.graph.convert import constant
from runstep.graph.graph import get_default_graph, name_scope
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.basic import group
from runstep.ops.state import is_variable_initialized

__all__ = [
    "all_variables",
    "assert_variables_initialized",
    "global_variables",
    "global_variables_initializer",
    "initialize_all_variables",
    "initialize_local_variables",
    "initialize_variables",
    "local_variables",
    "local_variables_initializer",
    "model_variables",
    "moving_average_variables",
    "report_uninitialized_variables",
    "trainable_variables",
    "variables_initializer",
]


def global_variables(scope: str | None = None) -> list[Any]:
    """Variables that are shared and saved; with `scope` those whose names match it (source: tf.global_variables)."""
    return get_default_graph().get_collection(GraphKeys.GLOBAL_VARIABLES, scope)


def all_variables() -> list[Any]:
    """The old name of `global_variables` (source: tf.all_variables)."""
    return global_variables()


def local_variables(scope: str | None = None) -> list[Any]:
    """Variables that are neither shared nor saved (source: tf.local_variables)."""
    return get_default_graph().get_collection(GraphKeys.LOCAL_VARIABLES, scope)


def model_variables(scope: str | None = None) -> list[Any]:
    """Variables that inference needs (source: tf.model_variables)."""
    return get_default_graph().get_collection(GraphKeys.MODEL_VARIABLES, scope)


def trainable_variables(scope: str | None = None) -> list[Any]:
    """Variables that optimizers train (source: tf.trainable_variables)."""
    return get_default_graph().get_collection(GraphKeys.TRAINABLE_VARIABLES, scope)


def moving_average_variables(scope: str | None = None) -> list[Any]:
    """Variables that have moving averages (source: tf.moving_average_variables)."""
    return get_default_graph().get_collection(GraphKeys.MOVING_AVERAGE_VARIABLES, scope)


def variables_initializer(var_list: Sequence[Any], name: str = "init") -> Operation:
    """An operation that initializes these variables (source: tf.variables_initializer)."""
    return group(*[variable.initializer for variable in var_list or ()], name=name)


def initialize_variables(var_list: Sequence[Any], name: str = "init") -> Operation:
    """The old name of `variables_initializer` (source: tf.initialize_variables)."""
    return variables_initializer(var_list, name)


def global_variables_initializer() -> Operation:
    """An operation that initializes the global variables of now (source: tf.global_variables_initializer)."""
    return variables_initializer(global_variables())


def initialize_all_variables() -> Operation:
    """The old name of `global_variables_initializer` (source: tf.initialize_all_variables)."""
    return global_variables_initializer()


def local_variables_initializer() -> Operation:
    """An operation that initializes the local variables of now (source: tf.local_variables_initializer)."""
    return variables_initializer(local_variables())


def initialize_local_variables() -> Operation:
    """The old name of `local_variables_initializer` (source: tf.initialize_local_variables)."""
    return local_variables_initializer()


def _initialized_by_default() -> list[Any]:
    return global_variables() + local_variables()


def report_uninitialized_variables(
    var_list: Sequence[Any] | None = None, name: str = "report_uninitialized_variables"
) -> Tensor:
    """A vector of the names of variables without a value (source: tf.report_uninitialized_variables).

    Args:
      var_list: the global and local variables by default.
    """
    from runstep.ops.comparison import logical_not
    from runstep.ops.joining import stack
    from runstep.ops.selecting import boolean_mask

    if var_list is None:
        var_list = _initialized_by_default()
        if not var_list:
            var_list = [op.outputs[0] for op in get_default_graph().get_operations() if op.type in _OLD_VARIABLES]
    graph = get_default_graph()
    with name_scope(name):
        known = [is_variable_initialized(variable) for variable in var_list]
        with graph.device("/cpu:0"):
            if not var_list:
                return constant([], dtypes.string)
            missing = logical_not(stack(known))
            return boolean_mask(constant([variable.op.name for variable in var_list]), missing)


_OLD_VARIABLES = ("Variable", "VariableV2", "AutoReloadVariable")


def assert_variables_initialized(var_list: Sequence[Any] | None = None) -> Tensor | None:
    """A tensor whose run fails with FailedPreconditionError unless all variables have values; None for no variables
    (source: tf.assert_variables_initialized)."""
    from runstep.graph.apply import apply
    from runstep.ops.joining import stack

    if var_list is None:
        var_list = _initialized_by_default()
    if not var_list:
        var_list = [op.outputs[0] for op in get_default_graph().get_operations() if op.type in _OLD_VARIABLES]
    if not var_list:
        return None
    ranks = []
    for variable in var_list:
        with get_default_graph().colocate_with(variable.op):
            ranks.append(apply("Rank", variable))
    return ranks[0] if len(ranks) == 1 else stack(ranks)
