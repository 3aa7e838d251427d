"""Gradients of what calls functions of the graph's library: calls, If, Case, While.

The gradient of a call is a call of a function that computes the body again and differentiates it. The others are
differentiated through their twins of dataflow: the gradient of a `While` is that of a `while_loop` that calls the same
functions. What a function computes is computed again for its gradient; random numbers are drawn anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from runstep.gradients.registry import gradient
from runstep.gradients.trainable import is_trainable, zeros_for
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.attr_value import NameAttrs
from runstep.graph.composite import IndexedSlices
from runstep.graph.control_flow_proto import copied_contexts
from runstep.graph.convert import convert_to_tensor
from runstep.graph.functions import Function, FunctionGraph, add_arguments, call, define, function_named, inline
from runstep.graph.graph import Graph, get_default_graph
from runstep.graph.operation import Operation
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor
from runstep.ops.basic import identity
from runstep.ops.branching import cond
from runstep.ops.handles import handle_data
from runstep.ops.looping import while_loop


@attrs.frozen
class _Backward:
    """The function that computes the gradients of another one.

    Attributes:
      name: what nodes call it by; None while it is being built.
      parts: per argument of the other one, how many outputs are its gradient: 0 for none, 1, 3 for IndexedSlices.
    """

    name: NameAttrs | None
    parts: tuple[int, ...]


def _backward(graph: Graph, name: NameAttrs, inputs: Sequence[Tensor], present: tuple[bool, ...]) -> _Backward:
    """The function from the arguments of `name` and the gradients of those outputs that are `present` to gradients."""
    function = function_named(graph, name.name)
    key = (repr(sorted((k, repr(v)) for k, v in name.attrs.items())), present)
    found: _Backward | None = function.backward.get(key)
    if found is None:
        function.backward[key] = _Backward(None, tuple(int(is_trainable(tensor)) for tensor in inputs))
        try:
            found = function.backward[key] = _built(graph, function, name, inputs, present)
        except BaseException:
            del function.backward[key]
            raise
    return found


def _built(
    graph: Graph, function: Function, name: NameAttrs, inputs: Sequence[Tensor], present: tuple[bool, ...]
) -> _Backward:
    from runstep.gradients.backprop import gradients

    body = FunctionGraph(f"{function.name}_backward", graph)
    with body.as_default():
        arguments = add_arguments(body, function, name.attrs)
        for argument, tensor in zip(arguments, inputs, strict=True):
            argument._handle_data = tensor._handle_data
        outputs, _ = inline(body, function, name.attrs, arguments)
        copied_contexts(function.contexts, body)
        ys = [y for y, there in zip(outputs, present, strict=True) if there]
        given = [body.add_input(f"grad_{i}", _gradient_dtype(y), _gradient_shape(y)) for i, y in enumerate(ys)]
        sources = [argument for argument in arguments if is_trainable(argument)]
        found = dict(zip(sources, gradients(ys, sources, grad_ys=given), strict=True)) if ys and sources else {}
        parts = []
        for argument in arguments:
            grad = found.get(argument)
            flat = [] if grad is None else [grad] if isinstance(grad, Tensor) else list(grad._component_tensors())
            body.outputs += flat
            parts.append(len(flat))
    return _Backward(define(graph, body, graph_name(graph, body.name)), tuple(parts))


def graph_name(graph: Graph, name: str) -> str:
    """A name that no function of the graph has."""
    count = 0
    found = name
    while found in graph._functions:
        count += 1
        found = f"{name}_{count}"
    return found


def _gradient_dtype(y: Tensor) -> Any:
    """The dtype of a tensor's gradient: of a variable's handle, that of the variable."""
    data = handle_data(y) if y.dtype is dtypes.resource else None
    return data[0][1] if data else y.dtype.base_dtype


def _gradient_shape(y: Tensor) -> Any:
    data = handle_data(y) if y.dtype is dtypes.resource else None
    return data[0][0] if data else y.raw_shape


def differentiated_call(op: Operation, name: NameAttrs, grads: Sequence[Any]) -> list[Any]:
    """The gradients of the inputs of an operation that calls the function `name` with them."""
    graph = get_default_graph()
    function = function_named(graph, name.name)
    if function.python_gradient is not None:
        found = function.python_gradient(op, *grads)
        return list(found) if isinstance(found, list | tuple) else [found]
    if function.gradient_name is not None:
        given = [_filled(y, grad) for y, grad in zip(op.outputs, grads, strict=True)]
        return call(graph, NameAttrs(function.gradient_name), [*op.inputs, *given], [t.dtype for t in op.inputs])
    grads = [convert_to_tensor(grad) if isinstance(grad, IndexedSlices) else grad for grad in grads]
    present = tuple(grad is not None for grad in grads)
    backward = _backward(graph, name, op.inputs, present)
    given = [grad for grad in grads if grad is not None]
    if backward.name is None:  # a function that calls itself
        given = [_filled(y, grad) for y, grad in zip(op.outputs, grads, strict=True)]
        types = [_gradient_dtype(t) for t in op.inputs]
        results = apply("SymbolicGradient", [*op.inputs, *given], f=name, Tout=types)
        return [grad if is_trainable(t) else None for t, grad in zip(op.inputs, results, strict=True)]
    flat = iter(call(graph, backward.name, [*op.inputs, *given]))
    return [_taken(flat, count) for count in backward.parts]


def _filled(y: Tensor, grad: Any) -> Tensor:
    if grad is None:
        grad = zeros_for(y)
    return convert_to_tensor(grad)


def _taken(flat: Any, count: int) -> Any:
    if count == 3:
        values, indices, shape = next(flat), next(flat), next(flat)
        return IndexedSlices(values, indices, shape)
    return next(flat) if count else None


def symbolic_gradient(graph: Graph, name: NameAttrs) -> NameAttrs:
    """The function that the op SymbolicGradient stands for: from the arguments of `name` and the gradients of all its
    outputs to a gradient for each argument, zeros where there is none."""
    function = function_named(graph, name.name)
    if function.gradient_name is not None:
        return NameAttrs(function.gradient_name)
    wanted = f"SymbolicGradient_{function.name}"
    if wanted not in graph._functions:
        body = FunctionGraph(wanted, graph)
        with body.as_default():
            arguments = add_arguments(body, function, name.attrs)
            outputs = function.body(name.attrs).outputs
            given = [body.add_input(f"grad_{i}", y.dtype, y.raw_shape) for i, y in enumerate(outputs)]
            present = tuple(is_trainable(y) for y in outputs)
            backward = _backward(graph, name, arguments, present)
            assert backward.name is not None
            used = [grad for grad, there in zip(given, present, strict=True) if there]
            flat = iter(call(body, backward.name, [*arguments, *used]))
            for argument, count in zip(arguments, backward.parts, strict=True):
                grad = _taken(flat, count)
                body.outputs.append(convert_to_tensor(zeros_for(argument) if grad is None else grad))
        define(graph, body, wanted)
    return NameAttrs(wanted)


# ---------------------------------------------------------------------- the ops


@gradient("PartitionedCall", "StatefulPartitionedCall")
def _call(op: Operation, *grads: Any) -> Any:
    return differentiated_call(op, op.attrs["f"], grads)


def named_call(op: Operation, *grads: Any) -> Any:
    """The gradient of an operation whose type is a function of the library."""
    return differentiated_call(op, NameAttrs(op.type, op.attrs), grads)


def _through(
    op: Operation, inputs: Sequence[Tensor], twin: Callable[[Sequence[Tensor]], Sequence[Any]], grads: Sequence[Any]
) -> list[Any]:
    """The gradients of `inputs` through the twin of an operation."""
    from runstep.gradients.backprop import gradients

    here = get_default_graph()._scope.control_flow_context
    copies = []
    for tensor in inputs:
        copy = identity(tensor if here is None else here.add_value(tensor))
        copy._handle_data = tensor._handle_data
        copies.append(copy)
    ys = twin(copies)
    known = [(y, grad) for y, grad in zip(ys, grads, strict=True) if grad is not None]
    sources = [copy for copy in copies if is_trainable(copy)]
    if not known or not sources:
        return [None] * len(copies)
    found = gradients([y for y, _ in known], sources, grad_ys=[grad for _, grad in known])
    by_source = dict(zip(sources, found, strict=True))
    return [by_source.get(copy) for copy in copies]


@gradient("If", "StatelessIf")
def _if(op: Operation, *grads: Any) -> Any:
    def twin(inputs: Sequence[Tensor]) -> Sequence[Any]:
        return _branched(op.inputs[0], op.attrs["then_branch"], op.attrs["else_branch"], inputs)

    return [None, *_through(op, op.inputs[1:], twin, grads)]


def _branched(pred: Tensor, then: NameAttrs, otherwise: NameAttrs, inputs: Sequence[Tensor]) -> Any:
    if pred.dtype.name != "bool":
        pred = apply("ToBool", pred)
    graph = get_default_graph()
    return cond(pred, lambda: call(graph, then, inputs), lambda: call(graph, otherwise, inputs), strict=True)


@gradient("Case", "StatelessCase")
def _case(op: Operation, *grads: Any) -> Any:
    branches = op.attrs["branches"]
    index = op.inputs[0]
    graph = get_default_graph()

    def twin(inputs: Sequence[Tensor], position: int = 0) -> Any:
        if position == len(branches) - 1:  # it takes what is out of range as well
            return call(graph, branches[position], inputs)
        return cond(
            apply("Equal", index, position),
            lambda: call(graph, branches[position], inputs),
            lambda: twin(inputs, position + 1),
            strict=True,
        )

    return [None, *_through(op, op.inputs[1:], twin, grads)]


@gradient("While", "StatelessWhile")
def _while(op: Operation, *grads: Any) -> Any:
    graph = get_default_graph()
    condition, turn = op.attrs["cond"], op.attrs["body"]
    body = function_named(graph, turn.name).body(turn.attrs)
    stays = [_source(output) is argument for output, argument in zip(body.outputs, body.inputs, strict=True)]
    moving = [i for i, same in enumerate(stays) if not same]

    def twin(inputs: Sequence[Tensor]) -> Sequence[Any]:
        def whole(values: Sequence[Any]) -> list[Any]:
            found = list(inputs)
            for i, value in zip(moving, values, strict=True):
                found[i] = value
            return found

        def again(*values: Any) -> list[Any]:
            found = call(graph, turn, whole(values))
            return [found[i] for i in moving]

        shapes = [_common(inputs[i].raw_shape, body.outputs[i].raw_shape) for i in moving]
        ends = while_loop(
            lambda *values: call(graph, condition, whole(values))[0],
            again,
            [inputs[i] for i in moving],
            shape_invariants=shapes,
            parallel_iterations=op.attrs["parallel_iterations"],
            return_same_structure=True,
        )
        return whole(ends)

    return _through(op, op.inputs, twin, grads)


def _source(tensor: Tensor) -> Tensor:
    while tensor.op.type == "Identity":
        tensor = tensor.op.inputs[0]
    return tensor


def _common(start: Any, again: Any) -> TensorShape:
    if start is None or again is None or len(start) != len(again):
        return TensorShape(None)
    return TensorShape([a if a == b else None for a, b in zip(start, again, strict=True)])


@gradient("SymbolicGradient")
def _symbolic(op: Operation, *grads: Any) -> Any:
    return differentiated_call(op, symbolic_gradient(get_default_graph(), op.attrs["f"]), grads)
