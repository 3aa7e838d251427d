"""What the creation of every variable goes through: lifting out of branches and functions, and creator functions."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from runstep.graph.functions import FunctionGraph
from runstep.graph.graph import Graph, get_default_graph

__all__ = [
    "disable_resource_variables",
    "enable_resource_variables",
    "resource_variables_enabled",
    "variable_creator_scope",
]

Creator = Callable[..., Any]


@contextlib.contextmanager
def lifted() -> Iterator[Graph]:
    """Inside, operations are made outside of every branch, loop, control dependency and function body; name scopes
    stay.

    A variable that is made inside of a branch or of a function's body belongs to the whole graph.
    """
    graph = get_default_graph()
    scope = graph.get_name_scope()
    outer = graph
    while isinstance(outer, FunctionGraph) and outer.outer is not None:
        outer = outer.outer
    with contextlib.ExitStack() as stack:
        if outer is not graph:
            stack.enter_context(outer.as_default())
            stack.enter_context(outer.name_scope(scope + "/" if scope else None))
        stack.enter_context(outer.control_dependencies(None))
        yield outer


def creators(graph: Graph) -> tuple[Creator, ...]:
    """The creator functions in force in this thread, outermost first."""
    return graph._scope.variable_creators


@contextlib.contextmanager
def variable_creator_scope(variable_creator: Creator) -> Iterator[None]:
    """Variables made inside are made by `variable_creator` (source: tf.variable_creator_scope).

    Args:
      variable_creator: `f(next_creator, **kwargs)` returns a variable; the arguments are those of `tf.Variable`. It may
        change them, and calls `next_creator(**kwargs)` for the scope around this one. The innermost is called first.
    """
    graph = get_default_graph()
    with graph._in(variable_creators=(*graph._scope.variable_creators, variable_creator)):
        yield


class _Defaults:
    use_resource = False


def enable_resource_variables() -> None:
    """Variables are resource variables from now on where nothing else is said (source:
    tf.enable_resource_variables)."""
    _Defaults.use_resource = True


def disable_resource_variables() -> None:
    """Variables are ref variables again where nothing else is said (source: tf.disable_resource_variables)."""
    _Defaults.use_resource = False


def resource_variables_enabled() -> bool:
    """Whether variables are resource variables by default (source: tf.resource_variables_enabled)."""
    return _Defaults.use_resource
