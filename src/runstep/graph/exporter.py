"""Graphs and nodes as `GraphDef` and `NodeDef` messages, such as TensorFlow loads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstep.graph import shapes
from runstep.graph.attr_value import to_proto

if TYPE_CHECKING:
    from runstep.graph.graph import Graph
    from runstep.graph.operation import Operation


def input_name(tensor: Any) -> str:
    """How a NodeDef names one of its inputs."""
    return tensor.op.name if tensor.value_index == 0 else f"{tensor.op.name}:{tensor.value_index}"


def node_def(op: Operation) -> Any:
    """The `NodeDef` of one operation. A node of an unknown op keeps the attributes that it was imported with."""
    from runstep.protos import node_def_pb2

    message = node_def_pb2.NodeDef(name=op.name, op=op.type, device=op.device)
    write_node(op, message)
    return message


def write_node(op: Operation, message: Any) -> None:
    """Fills in the inputs and attributes of a NodeDef message."""
    message.input.extend(input_name(tensor) for tensor in op.inputs)
    message.input.extend(f"^{control.name}" for control in op.control_inputs)
    write_attrs(op, message)


def write_attrs(op: Operation, message: Any) -> None:
    """Fills in the attributes of a NodeDef message."""
    if op.node_def_source is not None:
        for name, value in op.node_def_source.attr.items():
            message.attr[name].CopyFrom(value)
    kinds = op.op_def.attrs if op.op_def is not None else {}
    for name, value in op.attrs.items():
        attr = kinds.get(name)
        dtype = op.attrs.get("dtype") if name == "value" else None
        to_proto(None if attr is None else attr.kind, value, message.attr[name], dtype)


def graph_def(graph: Graph, from_version: int | None = None, add_shapes: bool = False) -> Any:
    """See `Graph.as_graph_def`."""
    from runstep.protos import graph_pb2

    message = graph_pb2.GraphDef()
    message.versions.CopyFrom(graph.graph_def_versions)
    for op in graph.get_operations()[from_version or 0 :]:
        node = message.node.add(name=op.name, op=op.type, device=op.device)
        write_node(op, node)
        if add_shapes and op.outputs:
            sizes = node.attr["_output_shapes"].list
            sizes.shape.extend(shapes.to_proto(tensor.raw_shape) for tensor in op.outputs)
    for function in graph._functions.values():
        message.library.function.add().CopyFrom(function.definition)
        gradient = getattr(function, "gradient_name", None)
        if gradient is not None:
            message.library.gradient.add(function_name=function.name, gradient_func=gradient)
    return message
