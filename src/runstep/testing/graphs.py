"""runstep under test as a user meets it: a Graph with its static shapes, run by a Session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import dtypes
from runstep.graph.convert import constant_node
from runstep.graph.dtypes import DType
from runstep.graph.graph import Graph
from runstep.graph.operation import Operation
from runstep.graph.shapes import RawShape
from runstep.graph.tensor import Tensor
from runstep.session.session import Session
from runstep.testing.rows import Instance

Outcome = list[Any] | Exception
_HANDLES = (dtypes.resource, dtypes.variant)


def _add(graph: Graph, op: str, *inputs: Tensor, **attrs: Any) -> Tensor:
    return graph.create_op(op, inputs, attrs=attrs).outputs[0]


def _input(graph: Graph, instance: Instance, index: int, shape: RawShape) -> tuple[Tensor, Tensor]:
    """The tensor to pass as input `index`, of that static shape, and the placeholder that its value is fed to.

    For a variable the placeholder is what its initializer assigns.
    """
    held = instance.held[index]
    kind = instance.input_types[index]
    if held is None:
        placeholder = _add(graph, "Placeholder", dtype=kind, shape=shape)
        return placeholder, placeholder
    name = graph.unique_name("variable")
    made = _add(graph, "VariableV2" if kind.is_ref else "VarHandleOp", dtype=held, shape=shape, shared_name=name)
    return made, _add(graph, "Placeholder", dtype=held, shape=None)


def _node(graph: Graph, instance: Instance, tensors: Sequence[Tensor]) -> Operation:
    return graph.create_op(instance.row.op, tensors, attrs=instance.attrs)


def static_shapes(instance: Instance, values: Sequence[Any], known: Sequence[Any]) -> list[RawShape] | Exception:
    """What the graph infers for the outputs; the exception that building raised is returned, not raised.

    `known` says per input what is known: a raw shape, or True where the value is a constant.
    """
    graph = Graph()
    with graph.as_default():
        tensors = [
            constant_node(value.copy(), instance.input_types[index])
            if what is True
            else _input(graph, instance, index, what)[0]
            for index, (value, what) in enumerate(zip(values, known, strict=True))
        ]
        try:
            return [tensor.raw_shape for tensor in _node(graph, instance, tensors).outputs]
        except (ValueError, TypeError) as error:
            return error


class _Run:
    """One instance in the shared graph: what to feed, what to run before, what to fetch, what to read afterwards."""

    def __init__(self, index: int, graph: Graph, instance: Instance, values: Sequence[Any], constants: bool) -> None:
        self.index = index
        self.instance = instance
        self.feeds: dict[Tensor, Any] = {}
        self.before: list[Operation] = []
        self.after: list[Tensor] = []
        tensors = []
        for place, (value, kind) in enumerate(zip(values, instance.input_types, strict=True)):
            if constants and instance.is_literal(place):
                tensors.append(constant_node(value.copy(), kind))
                continue
            tensor, placeholder = _input(graph, instance, place, value.shape if constants or kind.is_ref else None)
            self.feeds[placeholder] = value
            tensors.append(tensor)
            if kind.is_ref:
                self.before.append(_add(graph, "Assign", tensor, placeholder).op)
                self.after.append(_add(graph, "Identity", tensor))
            elif (held := instance.held[place]) is not None:
                self.before.append(graph.create_op("AssignVariableOp", [tensor, placeholder]))
                self.after.append(_add(graph, "ReadVariableOp", tensor, dtype=held))
        op = _node(graph, instance, tensors)
        self.fetches: list[Any] = [t for t in op.outputs if t.dtype.base_dtype not in _HANDLES] or [op]

    def outcome(self, fetched: Sequence[Any], after: Sequence[Any]) -> list[Any]:
        values = iter(fetched)
        found = [
            None if kind.base_dtype in _HANDLES else _stored(next(values), kind.base_dtype)
            for kind in self.instance.output_types
        ]
        held = [kind for kind in self.instance.held if kind is not None]
        return found + [_stored(value, kind) for value, kind in zip(after, held, strict=True)]


def run(instances: Sequence[Instance], values: Sequence[Sequence[Any]], *, constants: bool) -> list[Outcome]:
    """The outputs of each instance on its inputs, and what its variables hold then; or what building or running raised.

    Args:
      constants: literals are constants and shapes are known, so that the plan may fold; else everything is fed and
        static shapes are unknown.

    All instances share one graph and one session, and one step where none fails.
    """
    graph = Graph()
    outcomes: list[Any] = [None] * len(instances)
    runs: list[_Run] = []
    with graph.as_default():
        for index, (instance, inputs) in enumerate(zip(instances, values, strict=True)):
            try:
                runs.append(_Run(index, graph, instance, inputs, constants))
            except (ValueError, TypeError) as error:
                outcomes[index] = error
    with Session(graph=graph) as session:

        def fetch(wanted: list[_Run]) -> None:
            feeds = {tensor: value for one in wanted for tensor, value in one.feeds.items()}
            before = [op for one in wanted for op in one.before]
            if before:
                session.run(before, feeds)
            results = session.run([one.fetches for one in wanted], feeds)
            after = session.run([one.after for one in wanted]) if before else [()] * len(wanted)
            for one, fetched, left in zip(wanted, results, after, strict=True):
                outcomes[one.index] = one.outcome(fetched, left)

        try:
            if all(instance.row.error is None for instance in instances):
                fetch(runs)
                return outcomes
        except errors.OpError:
            pass  # some of them fail: find out which
        for one in runs:
            try:
                fetch([one])
            except errors.OpError as error:
                outcomes[one.index] = error
    return outcomes


def _stored(value: Any, kind: DType) -> Any:
    """What a fetch gave, in the storage type: bytes in an object array, quantized types as integers."""
    if kind is dtypes.string:
        shaped = np.empty(np.shape(value), object)
        shaped[...] = value
        return shaped
    value = np.asarray(value)
    return value.view(kind.np) if value.dtype.kind == "V" and kind.is_quantized else value
