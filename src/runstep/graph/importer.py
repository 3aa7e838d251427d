"""`import_graph_def`: a GraphDef becomes part of the default graph."""

from __future__ import annotations

from typing import Any

from runstep.garbage import uncollected
from runstep.graph import functions
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import PRODUCER, Graph, _user_frames, get_default_graph
from runstep.graph.node_importer import NodeImporter
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.registry import OpDef


def import_graph_def(
    graph_def: Any,
    input_map: dict[str, Tensor] | None = None,
    return_elements: Any = None,
    name: str | None = None,
    op_dict: Any = None,
    producer_op_list: Any = None,
) -> list[Any] | None:
    """Adds the nodes of a GraphDef to the default graph (source: tf.import_graph_def).

    Args:
      graph_def: a GraphDef message (ours, TensorFlow's, or any with `SerializeToString`), or its bytes.
      input_map: names in the GraphDef ("x", "x:0", "^x") -> tensors of the default graph to use in their place.
      return_elements: names of operations ("x") and tensors ("x:0") to return.
      name: a prefix of the new names, "import" by default, "" for none.
      producer_op_list: an OpList message with the definitions of ops that the writer knew and runstep may not.

    Returns:
      The elements asked for, None when `return_elements` is None.

    Raises:
      TypeError, ValueError: an argument or the GraphDef is malformed; the graph is left as it was.
    """
    message = as_message(graph_def)
    graph = get_default_graph()
    graph._check_not_finalized()
    input_map = _checked_map(input_map)
    elements = _checked_elements(return_elements)
    with graph.name_scope("import" if name is None else name) as scope:
        mapped, controls = _mapped(graph, input_map)
    before = dict(graph._nodes), dict(graph._functions), graph._producer, graph._min_consumer, graph._bad_consumers
    try:
        _join_versions(graph, message.versions)
        functions.add_library(graph, message.library)
        importer = NodeImporter(
            graph, scope, op_defs=_producer_ops(producer_op_list), outside=lambda name: None, rename=True
        )
        importer.creation = _user_frames(1)
        present = {node.name for node in message.node}
        used: set[str] = set()
        if controls:
            missing = [f"^{name}" for name in controls if name not in present]
            message = _with_controls(message, controls, importer)
        else:
            missing = []

        def lookup(ref: str) -> Tensor:
            full = ref if ":" in ref else f"{ref}:0"
            if full in mapped:
                used.add(full)
                return mapped[full]
            op_name, _, index = full.rpartition(":")
            op = importer.ops.get(op_name)
            if op is None:
                raise ValueError(f"Unknown input node '{ref}'")
            return _output(
                op, op_name, index, "Connecting to invalid output {index} of source node {name} which has {n} outputs."
            )

        def producer_of(ref: str) -> str | None:
            full = ref if ":" in ref else f"{ref}:0"
            return None if full in mapped else full.rpartition(":")[0]

        with uncollected():
            importer.add_all(message.node, lookup, producer_of)
        missing += [key for key in mapped if key not in used and not _exists(importer.ops, key)]
        if missing:
            raise ValueError(f"Attempted to map inputs that were not found in graph_def: [{', '.join(missing)}]")
        return None if elements is None else [_returned(importer.ops, mapped, element) for element in elements]
    except BaseException:
        nodes, library, graph._producer, graph._min_consumer, graph._bad_consumers = before
        graph._nodes.clear()
        graph._nodes.update(nodes)
        graph._functions.clear()
        graph._functions.update(library)
        raise


def _checked_map(input_map: Any) -> dict[str, Any]:
    found = dict(input_map or {})
    wrong = [key for key in found if not isinstance(key, str)]
    if wrong:
        raise TypeError(f"All keys for argument `input_map` must be strings. Obtained keys: {list(found)}")
    return found


def _checked_elements(elements: Any) -> tuple[str, ...] | None:
    if elements is None:
        return None
    found = tuple(elements)
    if not all(isinstance(element, str | bytes) for element in found):
        raise TypeError(f"Argument `return_elements` must be a list of strings. Obtained {list(found)}.")
    return tuple(element.decode() if isinstance(element, bytes) else element for element in found)


def _mapped(graph: Graph, input_map: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Operation]]:
    """The tensors to take for data inputs, by "name:0", and the operations to take for control inputs, by name."""
    tensors: dict[str, Tensor] = {}
    controls: dict[str, Operation] = {}
    values = {key: value for key, value in input_map.items() if not isinstance(value, Tensor | Operation)}
    if values:
        with graph.name_scope("_inputs"):
            values = {key: convert_to_tensor(value) for key, value in values.items()}
    for key, value in input_map.items():
        value = values.get(key, value)
        if key.startswith("^"):
            controls[key[1:]] = value.op if isinstance(value, Tensor) else value
            continue
        if key.count(":") > 1:
            raise ValueError(
                f"Cannot convert {key!r} to a tensor name. Tensor names should not contain more than 1 `:`. Obtained "
                f"{key.count(':')}"
            )
        if isinstance(value, Operation):
            raise TypeError(
                f'Cannot map {key!r} to operation {value.name!r}: only a control input, "^{key}", can be one.'
            )
        tensors[key if ":" in key else f"{key}:0"] = value
    return tensors, controls


def _join_versions(graph: Graph, versions: Any) -> None:
    """What the graph's versions become by taking in a GraphDef of these.

    Raises:
      ValueError: we are too old for it, or one of those it must not be read by.
    """
    if versions.min_consumer > PRODUCER:
        raise ValueError(
            f"GraphDef min consumer version {versions.min_consumer} above current version {PRODUCER}. Please upgrade."
        )
    if versions.producer < 0:
        raise ValueError(f"GraphDef producer version {versions.producer} below min producer 0.")
    if PRODUCER in versions.bad_consumers:
        raise ValueError(f"GraphDef disallows consumer version {PRODUCER}.")
    graph._producer = min(graph._producer, versions.producer)
    graph._min_consumer = max(graph._min_consumer, versions.min_consumer)
    graph._bad_consumers = tuple(sorted({*graph._bad_consumers, *versions.bad_consumers}))


def _with_controls(message: Any, controls: dict[str, Operation], importer: NodeImporter) -> Any:
    """The GraphDef without the control inputs that `controls` replaces; the importer finds those under other names."""
    replaced = type(message)()
    replaced.CopyFrom(message)
    for node in replaced.node:
        node.input[:] = [f"^^{ref[1:]}" if ref.startswith("^") and ref[1:] in controls else ref for ref in node.input]
    importer.outside = lambda name: controls.get(name[1:]) if name.startswith("^") else None
    return replaced


def _output(op: Operation, name: str, index: str, error: str) -> Tensor:
    if not index.isdigit() or int(index) >= len(op.outputs):
        raise ValueError(error.format(index=index, name=name, n=len(op.outputs)))
    return op.outputs[int(index)]


def _exists(ops: dict[str, Operation], key: str) -> bool:
    name, _, index = key.rpartition(":")
    return name in ops and index.isdigit() and int(index) < len(ops[name].outputs)


def _returned(ops: dict[str, Operation], mapped: dict[str, Tensor], element: str) -> Any:
    name, colon, index = element.rpartition(":")
    if colon and element in mapped:
        return mapped[element]
    op = ops.get(name if colon else element)
    if op is None:
        raise ValueError(f"Requested return {'tensor' if colon else 'node'} '{element}' not found in graph def")
    if not colon:
        return op
    return _output(op, name, index, "Invalid return output {index} of node '{name}', which has {n} output(s)")


def as_message(graph_def: Any) -> Any:
    """Our GraphDef message of what a user passes as one.

    Raises:
      TypeError: it is not a GraphDef. ValueError: the bytes are not one.
    """
    from google.protobuf.message import DecodeError

    from runstep.protos import graph_pb2

    if isinstance(graph_def, graph_pb2.GraphDef):
        return graph_def
    if isinstance(graph_def, bytes | bytearray | memoryview):
        content = bytes(graph_def)
    elif hasattr(graph_def, "SerializeToString") and graph_def.DESCRIPTOR.name == "GraphDef":
        content = graph_def.SerializeToString()
    else:
        raise TypeError(f"Argument `graph_def` must be a GraphDef proto. Received type: {type(graph_def).__name__}")
    try:
        return graph_pb2.GraphDef.FromString(content)
    except DecodeError as error:
        raise ValueError(f"These {len(content)} bytes are not a GraphDef, or it is cut short: {error}") from None


def _producer_ops(op_list: Any) -> dict[str, OpDef]:
    if op_list is None:
        return {}
    from runstep.graph.op_def_proto import from_proto as op_def_from_proto

    return {definition.name: op_def_from_proto(definition) for definition in op_list.op}
