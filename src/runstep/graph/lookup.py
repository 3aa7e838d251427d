"""From names and things to the elements of a graph, with the error texts that people search for (S74, S187)."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor

if TYPE_CHECKING:
    from runstep.graph.graph import Graph


def as_graph_element(graph: Graph, obj: Any, allow_tensor: bool, allow_operation: bool) -> Any:
    """See `Graph.as_graph_element`."""
    if not (allow_tensor or allow_operation):
        raise ValueError("allow_tensor and allow_operation can't both be False.")
    if not isinstance(obj, Tensor | Operation | str | bytes) and hasattr(obj, "_as_graph_element"):
        obj = obj._as_graph_element()
    if isinstance(obj, bytes):
        obj = obj.decode()
    if isinstance(obj, str):
        return _by_name(graph, obj, allow_tensor, allow_operation)
    if isinstance(obj, Tensor) and allow_tensor:
        if obj.graph is not graph:
            raise ValueError(f"{_kind(obj)} {obj} is not an element of this graph.{_graphs(obj.graph, graph)}")
        return obj
    if isinstance(obj, Operation) and allow_operation:
        if obj.graph is not graph:
            raise ValueError(f"{_kind(obj)} {obj!r} is not an element of this graph.{_graphs(obj.graph, graph)}")
        return obj
    types = " or ".join(kind for kind, allowed in (("Tensor", allow_tensor), ("Operation", allow_operation)) if allowed)
    raise TypeError(f"Can not convert a {type(obj).__name__} into a {types}.")


def _kind(obj: Any) -> str:
    return type(obj).__name__


def _graphs(theirs: Graph, ours: Graph) -> str:
    return f" It is of a graph with {theirs.version} operations, this one is another with {ours.version} operations."


def _by_name(graph: Graph, name: str, allow_tensor: bool, allow_operation: bool) -> Any:
    if ":" in name and allow_tensor:
        op_name, _, index = name.rpartition(":")
        if not index.isdigit() or ":" in op_name:
            raise ValueError(
                f"The name {name!r} looks a like a Tensor name, but is not a valid one. "
                'Tensor names must be of the form "<op_name>:<output_index>".'
            )
        op = graph._nodes.get(op_name)
        if op is None:
            raise KeyError(
                f"The name {name!r} refers to a Tensor which does not exist. The operation, {op_name!r}, does not "
                f"exist in the graph.{_did_you_mean(graph, op_name, ':0')}"
            )
        if int(index) >= len(op.outputs):
            raise KeyError(
                f"The name {name!r} refers to a Tensor which does not exist. The operation, {op_name!r}, exists but "
                f"only has {len(op.outputs)} outputs."
            )
        return op.outputs[int(index)]
    if ":" in name:
        raise ValueError(f"Name {name!r} appears to refer to a Tensor, not a Operation.")
    if not allow_operation:
        if name in graph._nodes:
            raise ValueError(
                f"The name {name!r} refers to an Operation, not a Tensor. "
                f'Tensor names must be of the form "<op_name>:<output_index>". Did you mean "{name}:0"?'
            )
        raise ValueError(
            f"The name {name!r} looks like an (invalid) Operation name, not a Tensor. "
            f'Tensor names must be of the form "<op_name>:<output_index>".{_did_you_mean(graph, name, ":0")}'
        )
    op = graph._nodes.get(name)
    if op is None:
        raise KeyError(f"The name {name!r} refers to an Operation not in the graph.{_did_you_mean(graph, name, '')}")
    return op


def _did_you_mean(graph: Graph, name: str, suffix: str) -> str:
    near = difflib.get_close_matches(name, list(graph._nodes)[:20_000], n=1)
    return f" Did you mean '{near[0]}{suffix}'?" if near else ""
