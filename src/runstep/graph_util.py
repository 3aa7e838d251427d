"""`tf.graph_util`: freezing graphs, and taking parts of them (source: tf.compat.v1.graph_util)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from runstep import logging as _log
from runstep.graph.dtypes import as_dtype
from runstep.graph.importer import as_message, import_graph_def
from runstep.protos.graph_pb2 import GraphDef
from runstep.protos.types_pb2 import DT_INT32, DT_RESOURCE

__all__ = [
    "convert_variables_to_constants",
    "extract_sub_graph",
    "import_graph_def",
    "must_run_on_cpu",
    "remove_training_nodes",
    "tensor_shape_from_node_def_name",
]

_REFS = ("Variable", "VariableV2")


def _source(name: str) -> str:
    """The node that an input comes from."""
    return name.lstrip("^").partition(":")[0]


def extract_sub_graph(graph_def: Any, dest_nodes: Iterable[str]) -> Any:
    """The nodes that these nodes need, in the order that they had.

    Raises:
      TypeError: `dest_nodes` is a string. AssertionError: one of them is not in the graph.
    """
    if not hasattr(graph_def, "node"):
        raise TypeError(f"graph_def must be a graph_pb2.GraphDef proto, but got type {type(graph_def)}.")
    if isinstance(dest_nodes, str):
        raise TypeError(f"dest_nodes must be an iterable of strings, but got type {type(dest_nodes)}.")
    message = as_message(graph_def)
    nodes = {node.name: node for node in message.node}
    todo = list(dest_nodes)
    for name in todo:
        assert name in nodes, f"{name} is not in graph"
    needed = set()
    while todo:
        name = todo.pop()
        if name not in needed:
            needed.add(name)
            todo.extend(_source(one) for one in nodes[name].input)
    part = GraphDef()
    part.node.extend(node for node in message.node if node.name in needed)
    part.library.CopyFrom(message.library)
    part.versions.CopyFrom(message.versions)
    return part


def convert_variables_to_constants(
    sess: Any,
    input_graph_def: Any,
    output_node_names: Sequence[str],
    variable_names_whitelist: Iterable[str] | None = None,
    variable_names_blacklist: Iterable[str] | None = None,
) -> Any:
    """A GraphDef of what the outputs need, with constants in the place of variables: a frozen graph.

    Args:
      sess: has the variables. variable_names_whitelist: only these. variable_names_blacklist: not these.

    Raises:
      AssertionError: an output is not in the graph.
    """
    part = extract_sub_graph(input_graph_def, output_node_names)
    allowed = None if variable_names_whitelist is None else set(variable_names_whitelist)
    refused = set(variable_names_blacklist or ())
    chosen = [
        node
        for node in part.node
        if node.op in (*_REFS, "VarHandleOp") and (allowed is None or node.name in allowed) and node.name not in refused
    ]
    fetches = {node.name: _read(sess, node) for node in chosen}
    values = sess.run(fetches) if fetches else {}
    frozen = _Frozen(part, values)
    _log.info("Converted %d variables to const ops.", len(values))
    return frozen.result


def _read(sess: Any, node: Any) -> str:
    """The tensor that is a variable's value."""
    if node.op in _REFS:
        return f"{node.name}:0"
    handle = sess.graph.get_tensor_by_name(f"{node.name}:0")
    for consumer in handle.consumers():
        if consumer.type == "ReadVariableOp" and consumer._control_flow_context is None:
            return consumer.outputs[0].name
    raise ValueError(f"The graph has no ReadVariableOp of variable '{node.name}' that could be run.")


class _Frozen:
    """The graph with constants. A constant in the place of a handle passes through what handles pass through."""

    def __init__(self, part: Any, values: dict[str, Any]) -> None:
        self._values = values
        self._types: dict[str, Any] = {}  # of tensors that were handles
        self._nodes = {node.name: node for node in part.node}
        self.result = GraphDef()
        self.result.library.CopyFrom(part.library)
        self.result.versions.CopyFrom(part.versions)
        for node in part.node:
            self._add(node)

    def _type(self, name: str) -> Any:
        """The dtype of the constant that a resource tensor has become; None when it has not."""
        node = self._nodes[_source(name)]
        while node.op in ("Identity", "Enter", "Switch", "RefEnter", "RefSwitch") and node.name not in self._values:
            if node.attr["T"].type != DT_RESOURCE:
                return None
            node = self._nodes[_source(node.input[0])]
        return node.attr["dtype"].type if node.op == "VarHandleOp" and node.name in self._values else None

    def _add(self, node: Any) -> None:
        from runstep.graph.tensor_proto import make_tensor_proto

        new = self.result.node.add()
        if node.name in self._values:
            new.name, new.op, new.device = node.name, "Const", node.device
            new.attr["dtype"].CopyFrom(node.attr["dtype"])
            value, dtype = self._values[node.name], as_dtype(node.attr["dtype"].type)
            new.attr["value"].tensor.CopyFrom(make_tensor_proto(value, dtype, value.shape))
            return
        new.CopyFrom(node)
        kind = self._type(node.input[0]) if node.input and not node.input[0].startswith("^") else None
        if kind is None:
            return
        if node.op == "ReadVariableOp":
            new.op = "Identity"
            new.attr.clear()
            new.attr["T"].type = kind
            if "_class" in node.attr:
                new.attr["_class"].CopyFrom(node.attr["_class"])
        elif node.op == "ResourceGather":
            axis = self.result.node.add(name=f"{node.name}/axis", op="Const", device=node.device)
            axis.attr["dtype"].type = DT_INT32
            axis.attr["value"].tensor.CopyFrom(make_tensor_proto(node.attr["batch_dims"].i, as_dtype(DT_INT32)))
            new.op = "GatherV2"
            new.input.insert(2, axis.name)
            new.attr.clear()
            new.attr["Tparams"].type = kind
            new.attr["Tindices"].CopyFrom(node.attr["Tindices"])
            new.attr["Taxis"].type = DT_INT32
        elif "T" in new.attr and new.attr["T"].type == DT_RESOURCE:
            new.attr["T"].type = kind
        else:
            raise ValueError(
                f"Cannot convert the variable that node '{node.name}' (op {node.op}) takes to a constant: only reads, "
                "gathers and what passes a handle on can take one."
            )


def remove_training_nodes(input_graph: Any, protected_nodes: Iterable[str] | None = None) -> Any:
    """The graph without CheckNumerics, Identity and StopGradient nodes that inference does not need.

    Args:
      protected_nodes: names of nodes that stay.
    """
    message = as_message(input_graph)
    kept = set(protected_nodes or ())
    controls = {_source(name) for node in message.node for name in node.input if name.startswith("^")}
    for node in message.node:
        if "_class" in node.attr:  # what others are colocated with has to stay as well
            controls.update(group.decode().removeprefix("loc:@") for group in node.attr["_class"].list.s)
    through: dict[str, str] = {}
    for node in message.node:
        if node.name in kept:
            continue
        if node.op == "CheckNumerics":
            through[node.name] = node.input[0]
        elif node.op in ("Identity", "StopGradient") and node.name not in controls:
            if not any(name.startswith("^") for name in node.input):
                through[node.name] = node.input[0]
    result = GraphDef()
    result.library.CopyFrom(message.library)
    result.versions.CopyFrom(message.versions)
    for node in message.node:
        if node.name in through:
            continue
        new = result.node.add()
        new.CopyFrom(node)
        del new.input[:]
        for name in node.input:
            mark = "^" if name.startswith("^") else ""
            while _source(name) in through:
                name = mark + through[_source(name)].lstrip("^")
                if mark:
                    name = f"^{_source(name)}"
            new.input.append(name)
    return result


def must_run_on_cpu(node: Any, pin_variables_on_cpu: bool = False) -> bool:
    """Whether a node (an Operation or a NodeDef) has to be on the CPU: strings, ints, and variables on request."""
    node_def = getattr(node, "node_def", node)
    if pin_variables_on_cpu and node_def.op in _REFS:
        return True
    if node_def.op == "Const":
        return as_dtype(node_def.attr["dtype"].type).name in ("string", "int32")
    if node_def.op in ("DynamicStitch", "ParallelDynamicStitch"):
        return node_def.attr["T"].type == DT_INT32
    if node_def.op == "Cast":
        return node_def.attr["SrcT"].type == DT_INT32
    return False


def tensor_shape_from_node_def_name(graph: Any, input_name: str) -> Any:
    """The static shape of the tensor that a node's input names."""
    name = input_name if ":" in input_name else f"{input_name}:0"
    return graph.get_tensor_by_name(name).get_shape()
