"""Branches and loops as a MetaGraphDef keeps them in its collections: CondContextDef, WhileContextDef.

A GraphDef alone does not say which operations a branch or a loop was built from, and gradients need to know.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runstep.graph.collections import GraphKeys
from runstep.graph.control_flow import CondContext, ControlFlowContext, WhileContext
from runstep.graph.graph import Graph, get_default_graph
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.protos import control_flow_pb2


class _Names:
    """Names with a scope taken off (export) or put before (import)."""

    def __init__(self, graph: Graph, scope: str | None) -> None:
        self._graph = graph
        self._scope = f"{scope.rstrip('/')}/" if scope else ""

    def covers(self, name: str) -> bool:
        return name.startswith(self._scope)

    def write(self, name: str) -> str:
        return name.removeprefix(self._scope)

    def tensor(self, name: str) -> Tensor:
        return self._graph.get_tensor_by_name(self._scope + name)

    def read(self, name: str) -> str:
        return self._scope + name


def to_proto(context: ControlFlowContext, export_scope: str | None = None) -> Any:
    """The message for a context and those inside of it; None outside of `export_scope`."""
    names = _Names(context.graph, export_scope)
    if not names.covers(context.name):
        return None
    message: Any
    if isinstance(context, CondContext):
        message = control_flow_pb2.CondContextDef(
            pred_name=names.write(context.pred.name),
            pivot_name=names.write(context.pivot.outputs[0].name),
            branch=context.branch,
        )
    else:
        assert isinstance(context, WhileContext)
        message = control_flow_pb2.WhileContextDef(
            parallel_iterations=context.parallel_iterations,
            back_prop=context.back_prop,
            swap_memory=context.swap_memory,
            pivot_for_pred_name=_pivot(names, context.pivot_for_pred),
            pivot_for_body_name=_pivot(names, context.pivot_for_body),
            pivot_name="" if context.gate is None else names.write(context.gate.name),
            loop_exit_names=[names.write(tensor.name) for tensor in context.loop_exits],
            loop_enter_names=[names.write(tensor.name) for tensor in context.loop_enters],
        )
        if context.maximum_iterations is not None:
            message.maximum_iterations_name = names.write(context.maximum_iterations.name)
    message.context_name = names.write(context.name)
    external = {outer.name: inner.name for outer, inner in context._captured.items()}
    if isinstance(context, CondContext):
        external[context.pred.name] = context.pred.name
    inside = {tensor.name for tensor in context._inside} | external.keys()
    if isinstance(context, WhileContext):
        inside |= {tensor.name for tensor in context.loop_exits}
    message.values_def.values.extend(names.write(name) for name in sorted(inside))
    for outer, inner in external.items():
        message.values_def.external_values[names.write(outer)] = names.write(inner)
    for nested in context.nested:
        wrapped = message.nested_contexts.add()
        written = nested.to_proto(export_scope)
        (wrapped.cond_ctxt if isinstance(nested, CondContext) else wrapped.while_ctxt).CopyFrom(written)
    return message


def _pivot(names: _Names, op: Operation | None) -> str:
    return "" if op is None else names.write(op.outputs[0].name)


def cond_from_proto(message: Any, import_scope: str | None = None) -> CondContext:
    """The context of a CondContextDef and those inside of it. KeyError: its operations are not in the graph."""
    graph = get_default_graph()
    names = _Names(graph, import_scope)
    pred, pivot = names.tensor(message.pred_name), names.tensor(message.pivot_name)
    context = CondContext(graph, pred, pivot, message.branch, names.read(message.context_name))
    graph._unfetchable.update((pred.op, pivot.op))
    for other in _siblings(graph, context):
        if other is not context and other.pred is pred and other.branch != context.branch:
            other.other, context.other = context, other
    _fill(context, message, names, import_scope)
    return context


def _siblings(graph: Graph, context: CondContext) -> list[CondContext]:
    outer = context.outer_context
    found = graph.get_collection(GraphKeys.COND_CONTEXT) if outer is None else outer.nested
    return [other for other in found if isinstance(other, CondContext)]


def while_from_proto(message: Any, import_scope: str | None = None) -> WhileContext:
    """The context of a WhileContextDef and those inside of it. KeyError: its operations are not in the graph."""
    graph = get_default_graph()
    names = _Names(graph, import_scope)
    limit = names.tensor(message.maximum_iterations_name) if message.maximum_iterations_name else None
    context = WhileContext(
        graph,
        names.read(message.context_name),
        message.parallel_iterations,
        message.back_prop,
        message.swap_memory,
        limit,
    )
    context.pivot_for_pred = names.tensor(message.pivot_for_pred_name).op
    context.pivot_for_body = names.tensor(message.pivot_for_body_name).op
    context.gate = names.tensor(message.pivot_name)
    context.loop_exits = [names.tensor(name) for name in message.loop_exit_names]
    context.loop_enters = [names.tensor(name) for name in message.loop_enter_names]
    if context.loop_enters:
        context.frame_name = context.loop_enters[0].op.attrs["frame_name"].decode()
    _fill(context, message, names, import_scope)
    for exit_ in context.loop_exits:
        exit_.op._control_flow_context = context.outer_context
        context._inside.discard(exit_)
    return context


def copied_contexts(messages: Iterable[Any], graph: Graph) -> None:
    """Adds the contexts that were written of another graph to one that has the same operations."""
    with graph.as_default():
        for message in messages:
            if isinstance(message, control_flow_pb2.CondContextDef):
                graph.add_to_collection(GraphKeys.COND_CONTEXT, cond_from_proto(message))
            else:
                graph.add_to_collection(GraphKeys.WHILE_CONTEXT, while_from_proto(message))


def _fill(context: ControlFlowContext, message: Any, names: _Names, import_scope: str | None) -> None:
    """Says of the operations of a context that they are inside of it."""
    external = dict(message.values_def.external_values)
    context._captured = {names.tensor(outer): names.tensor(inner) for outer, inner in external.items()}
    context._inside.update(context._captured.values())
    for name in message.values_def.values:
        if name not in external:
            tensor = names.tensor(name)
            context._inside.update(tensor.op.outputs)
            tensor.op._control_flow_context = context
    if isinstance(context, CondContext):
        context._captured.pop(context.pred, None)
    with context.entered():
        for nested in message.nested_contexts:
            if nested.WhichOneof("ctxt") == "cond_ctxt":
                CondContext.from_proto(nested.cond_ctxt, import_scope)
            else:
                WhileContext.from_proto(nested.while_ctxt, import_scope)
