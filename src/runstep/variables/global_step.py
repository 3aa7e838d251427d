"""The global step: the variable that counts training steps, found by its collection or its name."""

from __future__ import annotations

import logging
from typing import Any

from runstep.graph import dtypes
from runstep.graph.collections import GraphKeys
from runstep.graph.graph import Graph, get_default_graph, name_scope
from runstep.graph.tensor import Tensor
from runstep.variables.facts import VariableAggregation
from runstep.variables.initializers import zeros_initializer
from runstep.variables.scope import get_variable
from runstep.variables.variable import Variable

__all__ = [
    "assert_global_step",
    "create_global_step",
    "get_global_step",
    "get_or_create_global_step",
    "global_step",
]

READ_KEY = "global_step_read_op_cache"
_log = logging.getLogger("runstep")


def global_step(sess: Any, global_step_tensor: Any) -> int:
    """The value of the global step in a session (source: tf.train.global_step)."""
    return int(sess.run(global_step_tensor))


def get_global_step(graph: Graph | None = None) -> Any:
    """The global step of a graph, or None (source: tf.train.get_global_step).

    It is what the collection GLOBAL_STEP holds, else the tensor "global_step:0".

    Raises:
      TypeError: it is not an integer scalar.
    """
    graph = graph or get_default_graph()
    found = graph.get_collection(GraphKeys.GLOBAL_STEP)
    if len(found) > 1:
        _log.error("Multiple tensors in global_step collection.")
        return None
    if found:
        step = found[0]
    else:
        try:
            step = graph.get_tensor_by_name("global_step:0")
        except KeyError:
            return None
    assert_global_step(step)
    return step


def create_global_step(graph: Graph | None = None) -> Any:
    """Makes the global step, an int64 variable that starts at 0 (source: tf.train.create_global_step).

    Raises:
      ValueError: there is one.
    """
    graph = graph or get_default_graph()
    if get_global_step(graph) is not None:
        raise ValueError('"global_step" already exists.')
    with graph.as_default(), graph.name_scope(None):
        return get_variable(
            GraphKeys.GLOBAL_STEP,
            shape=[],
            dtype=dtypes.int64,
            initializer=zeros_initializer(),
            trainable=False,
            aggregation=VariableAggregation.ONLY_FIRST_REPLICA,
            collections=[GraphKeys.GLOBAL_VARIABLES, GraphKeys.GLOBAL_STEP],
        )


def get_or_create_global_step(graph: Graph | None = None) -> Any:
    """The global step, made where there is none (source: tf.train.get_or_create_global_step)."""
    graph = graph or get_default_graph()
    found = get_global_step(graph)
    return create_global_step(graph) if found is None else found


def assert_global_step(global_step_tensor: Any) -> None:
    """TypeError unless it is a variable or tensor that is an integer scalar (source: tf.train.assert_global_step)."""
    if not isinstance(global_step_tensor, Variable | Tensor):
        raise TypeError(f'Existing "global_step" must be a Variable or Tensor: {global_step_tensor}.')
    if not global_step_tensor.dtype.base_dtype.is_integer:
        raise TypeError(f'Existing "global_step" does not have integer type: {global_step_tensor.dtype!r}')
    shape = global_step_tensor.get_shape()
    if shape.ndims != 0 and shape.is_fully_defined():
        raise TypeError(f'Existing "global_step" is not scalar: {shape}')


def get_or_create_global_step_read(graph: Graph | None = None) -> Tensor | None:
    """A read of the global step that comes before this step's increment; None where there is no global step."""
    graph = graph or get_default_graph()
    cached = graph.get_collection(READ_KEY)
    if cached:
        return cached[0]
    step = get_global_step(graph)
    if step is None:
        return None
    with graph.as_default(), name_scope(None), name_scope(step.op.name + "/"):
        value = step.initialized_value() if isinstance(step, Variable) else step
        read = value + 0
    graph.add_to_collection(READ_KEY, read)
    return read


def increment_global_step(increment: Any, graph: Graph | None = None) -> Any:
    """Adds to the global step, after what reads it for this step.

    Raises:
      ValueError: there is no global step.
    """
    graph = graph or get_default_graph()
    step = get_global_step(graph)
    if step is None:
        raise ValueError(
            "Global step tensor should be created by tf.train.get_or_create_global_step before calling increment."
        )
    read = get_or_create_global_step_read(graph)
    with (
        graph.as_default(),
        name_scope(None),
        name_scope(step.op.name + "/"),
        graph.control_dependencies([read]),
    ):
        return step.assign_add(increment)
