"""Python functions of elements become functions of the graph's library; subgraphs become functions too."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from runstep.data import structure
from runstep.graph.attr_value import NameAttrs
from runstep.graph.functions import FunctionGraph, define
from runstep.graph.graph import Graph, get_default_graph
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor


@attrs.frozen
class Traced:
    """A function of the library.

    Attributes:
      name: what nodes call it by. captured: outer tensors that it takes after its arguments.
      structure: of what it returns; None when that was nothing.
    """

    name: NameAttrs
    captured: tuple[Tensor, ...]
    structure: Any


def unpacked(element: Any) -> tuple[Any, ...]:
    """An element as the arguments of a function: the items of a tuple one by one."""
    return element if type(element) is tuple else (element,)


def trace(function: Callable[..., Any], arguments: Sequence[Any], transformation: str) -> Traced:
    """Calls `function` once, with symbolic arguments of these structures, and keeps what it built.

    Raises:
      TypeError: it returns what cannot be an element.
    """
    graph: Any = get_default_graph()
    label = re.sub(r"\W+", "", getattr(function, "__name__", type(function).__name__))
    name = f"__inference_Dataset_{transformation}_{label}_{len(graph._functions)}"
    body = FunctionGraph(name, graph)
    with body.as_default():
        given = []
        count = 0
        for argument in arguments:
            tensors = []
            for dtype, shape in structure.stored(argument):
                tensors.append(body.add_input(f"args_{count}", dtype, shape.raw))
                count += 1
            given.append(structure.denormalized(argument, tensors))
        returned = function(*given)
        if isinstance(returned, list):
            returned = tuple(returned)  # as in TensorFlow: one tensor each, rather than all stacked
        if returned is None or isinstance(returned, Operation):
            raise TypeError(f"A function of a dataset must return tensors or datasets, not {returned!r}.")
        found, outputs = structure.normalized(returned)
        inputs = {tensor.op for tensor in body.inputs}
        body.outputs = [_separate(tensor) if tensor.op in inputs else body.capture(tensor) for tensor in outputs]
    return _finished(graph, body, name, count, found)


def _separate(tensor: Tensor) -> Tensor:
    from runstep.graph.apply import apply

    return apply("Identity", tensor)


def _finished(graph: Graph, body: FunctionGraph, name: str, count: int, found: Any) -> Traced:
    body.control_outputs = [
        op
        for op in body.get_operations()
        if op.op_def is not None
        and op.op_def.is_stateful
        and op.type not in ("Placeholder", "VarHandleOp")
        and not any(tensor.dtype.name in ("variant", "resource") for tensor in op.outputs)
    ]
    outer = {inside: tensor for tensor, inside in body.captures.items() if tensor.graph is graph}
    captured = tuple(outer[tensor] for tensor in body.inputs[count:])
    return Traced(define(graph, body, name), captured, found)


def of_subgraph(tensor: Tensor, prefix: str) -> NameAttrs:
    """A function without arguments that computes `tensor`: all that it needs is copied.

    Raises:
      ValueError: it needs a placeholder, or something with state.
    """
    graph: Any = tensor.graph
    name = f"{prefix}_{len(graph._functions)}"
    body = FunctionGraph(name, None)
    body._functions = graph._functions
    body.seed = graph.seed
    copies: dict[Operation, Operation] = {}
    with body.as_default():
        for op in _needed(tensor.op):
            _check(op)
            inputs = tuple(copies[each.op].outputs[each.value_index] for each in op.inputs)
            copies[op] = body._create(op.op_def, op.type, inputs, dict(op.attrs), op.name, list(op.output_types))
    body.outputs = [copies[tensor.op].outputs[tensor.value_index]]
    return define(graph, body, name)


def _needed(last: Operation) -> list[Operation]:
    """What an operation needs, producers first, itself at the end."""
    found: dict[Operation, None] = {}
    stack = [(last, False)]
    while stack:
        op, ready = stack.pop()
        if op in found:
            continue
        if ready:
            found[op] = None
            continue
        stack.append((op, True))
        stack.extend((tensor.op, False) for tensor in op.inputs)
        stack.extend((control, False) for control in op.control_inputs)
    return list(found)


def _check(op: Operation) -> None:
    if op.type in ("Placeholder", "PlaceholderV2"):
        raise ValueError(f"Cannot capture a placeholder (name:{op.name}, type:{op.type}) by value.")
    stateful = op.op_def is not None and op.op_def.is_stateful
    if (stateful and not any(tensor.dtype.name == "variant" for tensor in op.outputs)) or any(
        dtype.is_ref for dtype in op.output_types
    ):
        raise ValueError(
            f"Cannot capture a stateful node (name:{op.name}, type:{op.type}) by value.: A likely cause of this error "
            "is that the dataset for which you are calling `make_one_shot_iterator()` captures a stateful object, "
            "such as a `tf.Variable` or `tf.lookup.StaticHashTable`, which is not supported. Use "
            "`make_initializable_iterator()` instead."
        )
