"""`import_graph_def`: the nodes of a GraphDef become operations of a graph.

A node whose op has no definition here is kept: it exports unchanged, and only a run that needs it fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from runstep.graph import device as devices, dtypes, functions
from runstep.graph.attr_value import from_proto
from runstep.graph.dtypes import DType
from runstep.graph.graph import Graph, get_default_graph, output_types_of
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops import registry
from runstep.ops.registry import REQUIRED, OpDef

_BACK_EDGE_TARGETS = frozenset(("Merge", "RefMerge"))
_BACK_EDGE_SOURCES = frozenset(("NextIteration", "RefNextIteration"))


class NodeImporter:
    """Turns NodeDefs into operations of one graph."""

    def __init__(
        self,
        graph: Graph,
        prefix: str = "",
        attrs: dict[str, Any] | None = None,
        op_defs: dict[str, OpDef] | None = None,
    ) -> None:
        self._graph = graph
        self._prefix = prefix
        self._attrs = attrs or {}
        self._op_defs = op_defs or {}

    def op_def(self, op_type: str) -> OpDef | None:
        """The definition of an op type: a row, a function of the library, or what the producer's list says."""
        found = registry.get(op_type)
        if found is None and op_type in self._graph._functions:
            found = self._graph._functions[op_type].signature
        return found if found is not None else self._op_defs.get(op_type)

    def output_args(self, op: Operation) -> list[tuple[str, int]]:
        """The output arguments of an operation with the number of tensors of each."""
        if op.op_def is None:
            return [("output", len(op.outputs))]
        found = []
        for arg in op.op_def.outputs:
            count = 1
            if arg.number_attr is not None:
                count = op.attrs[arg.number_attr]
            elif arg.type_list_attr is not None:
                count = len(op.attrs[arg.type_list_attr])
            found.append((arg.name, count))
        return found

    def add_all(
        self,
        nodes: Iterable[Any],
        lookup: Callable[[str], Tensor],
        producer_of: Callable[[str], str | None],
        added: Callable[[Any, Operation], None] = lambda node, op: None,
    ) -> dict[str, Operation]:
        """Adds nodes in an order in which every input is there before its consumer; loops close through Merge.

        Args:
          lookup: the tensor that a data input names, once its producer was added.
          producer_of: the node that a data input comes from, None when it is from outside.
          added: called after each node.

        Returns:
          The operations by node name.

        Raises:
          ValueError: a node is named twice, an input does not exist, types differ, or the nodes form a cycle.
        """
        by_name: dict[str, Any] = {}
        for node in nodes:
            if node.name in by_name:
                raise ValueError(f"Node '{node.name}' is not unique")
            by_name[node.name] = node
        ops: dict[str, Operation] = {}
        widest = _widest_outputs(by_name.values()) if any(self.op_def(n.op) is None for n in by_name.values()) else {}
        late: list[tuple[Operation, int, str]] = []
        for node in _ordered(by_name, producer_of):
            data = [ref for ref in node.input if not ref.startswith("^")]
            if any(ref.startswith("^") for ref in node.input[: len(data)]):
                raise ValueError(f"Node '{node.name}' has a control input before a data input")
            tensors: list[Tensor] = []
            waiting: list[tuple[int, str]] = []
            for position, ref in enumerate(data):
                source = producer_of(ref)
                if source is not None and source in by_name and source not in ops:
                    waiting.append((position, ref))
                    continue
                try:
                    tensors.append(lookup(ref))
                except (KeyError, ValueError) as error:
                    text = error.args[0] if error.args else error
                    raise ValueError(f"Node '{node.name}': Unknown input node '{ref}' ({text})") from None
            op = self._add(node, tensors, bool(waiting), widest.get(node.name, 0))
            controls = []
            for ref in node.input[len(data) :]:
                control = ops.get(ref[1:]) or self._graph._nodes.get(self._prefix + ref[1:])
                if control is None:
                    raise ValueError(f"Node '{node.name}': Unknown input node '{ref}'")
                controls.append(control)
            op.control_inputs = tuple(controls)
            ops[node.name] = op
            added(node, op)
            late.extend((op, position, ref) for position, ref in waiting)
        for op, position, ref in late:
            inputs = list(op.inputs)
            inputs.insert(position, lookup(ref))
            op.inputs = tuple(inputs)
        for op in {id(op): op for op, _, _ in late}.values():
            self._check_inputs(op)
        return ops

    def _add(self, node: Any, tensors: list[Tensor], partial: bool, width: int) -> Operation:
        graph = self._graph
        name = self._prefix + node.name
        if name in graph._nodes:
            raise ValueError(f"Node name '{name}' already exists in the Graph")
        if not node.name or not node.op:
            raise ValueError(f"A node of the GraphDef has no {'name' if not node.name else 'op'}")
        op_def = self.op_def(node.op)
        attrs = self._node_attrs(node, op_def)
        op = Operation(graph, name, node.op, op_def, tuple(tensors), attrs)
        if op_def is None:
            op.node_def_source = node
            types = _guessed_types(node, width)
        else:
            types = output_types_of(op_def, attrs)
            if not partial:
                self._check_inputs(op)
        op.outputs = tuple([Tensor(op, i, dtype) for i, dtype in enumerate(types)])
        op.device = devices.merge(graph._scope.device, _device(node))
        if graph._scope.device_functions:
            graph._apply_device_functions(op)
        if op_def is not None and op_def.shape is not None and not partial:
            graph.infer_shapes(op)
        with graph._lock:
            key = name.lower()
            graph._names_in_use[key] = max(1, graph._names_in_use.get(key, 0))
            graph._nodes[name] = op
        return op

    def _node_attrs(self, node: Any, op_def: OpDef | None) -> dict[str, Any]:
        attrs: dict[str, Any] = {}
        kinds = op_def.attrs if op_def is not None else {}
        for name, value in node.attr.items():
            if op_def is None and not name.startswith("_"):
                continue  # kept in node_def_source
            attr = kinds.get(name)
            try:
                found = from_proto(None if attr is None else attr.kind, value)
                attrs[name] = functions.substitute(found, self._attrs)
            except (ValueError, TypeError, KeyError) as error:
                raise ValueError(f"Node '{node.name}' ({node.op}): attr '{name}' is damaged: {error}") from error
            if attr is not None and attr.allowed is not None:
                self._check_allowed(node, attr, attrs[name])
        if self._prefix and "_class" in attrs and isinstance(attrs["_class"], tuple):
            start = b"loc:@" + self._prefix.encode()
            attrs["_class"] = tuple(
                start + group[5:] if group.startswith(b"loc:@") else group for group in attrs["_class"]
            )
        for name, attr in kinds.items():
            if name not in attrs:
                if attr.default is REQUIRED:
                    raise ValueError(
                        f"NodeDef missing attr '{name}' from Op<name={node.op}>; NodeDef: {{{{node {node.name}}}}}"
                    )
                attrs[name] = attr.default
        return attrs

    @staticmethod
    def _check_allowed(node: Any, attr: Any, value: Any) -> None:
        for item in value if attr.kind.startswith("list(") else (value,):
            if item not in attr.allowed:
                raise ValueError(
                    f"Value for attr '{attr.name}' of {getattr(item, 'name', item)} is not in the list of allowed "
                    f"values: {', '.join(str(getattr(a, 'name', a)) for a in attr.allowed)}; NodeDef: {{{{node "
                    f"{node.name}}}}} ({node.op})"
                )

    def _check_inputs(self, op: Operation) -> None:
        expected = _input_types(op.op_def, op.attrs)  # type: ignore[arg-type]
        if len(expected) != len(op.inputs):
            raise ValueError(
                f"NodeDef expected inputs '{', '.join(t.name for t, _ in expected)}' do not match {len(op.inputs)} "
                f"inputs specified; Op<name={op.type}>; NodeDef: {{{{node {op.name}}}}}"
            )
        for position, (tensor, (dtype, is_ref)) in enumerate(zip(op.inputs, expected, strict=True)):
            if tensor.dtype.base_dtype is not dtype.base_dtype or (is_ref and not tensor.dtype.is_ref):
                if tensor.op.op_def is None:
                    continue
                raise ValueError(
                    f"Input {position} of node {op.name} was passed {tensor.dtype.name} from {tensor.name} "
                    f"incompatible with expected {dtype.name}{'_ref' if is_ref else ''}."
                )


def _device(node: Any) -> str:
    try:
        return devices.canonical(node.device)
    except ValueError as error:
        raise ValueError(f"Node '{node.name}': {error}") from None


def _input_types(op_def: OpDef, attrs: dict[str, Any]) -> list[tuple[DType, bool]]:
    found: list[tuple[DType, bool]] = []
    for arg in op_def.inputs:
        if arg.type_list_attr is not None:
            found.extend((dtype, arg.is_ref) for dtype in attrs[arg.type_list_attr])
        else:
            dtype = arg.type if arg.type is not None else attrs[arg.type_attr]  # type: ignore[index]
            count = attrs[arg.number_attr] if arg.number_attr is not None else 1
            found.extend([(dtype, arg.is_ref)] * count)
    return found


def _guessed_types(node: Any, width: int) -> list[DType]:
    """Output dtypes of a node of an unknown op: as many as the graph uses, of the type its attributes suggest."""
    dtype = dtypes.variant
    for name in ("dtype", "T", "out_type", "output_type"):
        if name in node.attr and node.attr[name].WhichOneof("value") == "type":
            dtype = dtypes.as_dtype(node.attr[name].type)
            break
    return [dtype] * max(width, 1)


def _widest_outputs(nodes: Iterable[Any]) -> dict[str, int]:
    widest: dict[str, int] = {}
    for node in nodes:
        for ref in node.input:
            name, _, index = ref.partition(":")
            if index.isdigit():
                widest[name] = max(widest.get(name, 0), int(index) + 1)
    return widest


def _ordered(nodes: dict[str, Any], producer_of: Callable[[str], str | None]) -> list[Any]:
    """The nodes, every producer before its consumers, except for the back edges of loops. Stable."""
    pending: dict[str, int] = {}
    consumers: dict[str, list[str]] = {}
    for name, node in nodes.items():
        sources = set()
        for ref in node.input:
            source = ref[1:] if ref.startswith("^") else producer_of(ref)
            if source is None or source not in nodes:
                continue
            if node.op in _BACK_EDGE_TARGETS and nodes[source].op in _BACK_EDGE_SOURCES:
                continue
            sources.add(source)
        pending[name] = len(sources)
        for source in sources:
            consumers.setdefault(source, []).append(name)
    ready = [name for name, count in pending.items() if not count]
    order: list[Any] = []
    for name in ready:  # grows while it is walked
        order.append(nodes[name])
        for consumer in consumers.get(name, ()):
            pending[consumer] -= 1
            if not pending[consumer]:
                ready.append(consumer)
    if len(order) != len(nodes):
        done = set(ready)
        stuck = [name for name in nodes if name not in done]
        raise ValueError(f"{len(stuck)} nodes in a cycle: {', '.join(stuck[:8])}{' ...' if len(stuck) > 8 else ''}")
    return order


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
    input_map = dict(input_map or {})
    graph = get_default_graph()
    graph._check_not_finalized()
    for key in input_map:
        if not isinstance(key, str):
            raise TypeError(
                f"Argument `input_map` must be a dictionary mapping strings to Tensor objects. Got {key!r}."
            )
    if return_elements is not None:
        return_elements = tuple(return_elements)
        if not all(isinstance(x, str | bytes) for x in return_elements):
            raise TypeError(f"Argument `return_elements` must be a list of strings. Obtained: {return_elements}")
        return_elements = tuple(x.decode() if isinstance(x, bytes) else x for x in return_elements)
    from runstep.graph.convert import convert_to_tensor

    mapped = {}
    for key, value in input_map.items():
        if not isinstance(value, Tensor) and key.startswith("^"):
            continue
        mapped[key if ":" in key else f"{key}:0"] = convert_to_tensor(value)
    with graph.name_scope("import" if name is None else name) as scope:
        pass
    nodes_before, functions_before = dict(graph._nodes), dict(graph._functions)
    try:
        functions.add_library(graph, message.library)
        importer = NodeImporter(graph, scope, op_defs=_producer_ops(producer_op_list))
        used: set[str] = set()

        def lookup(ref: str) -> Tensor:
            full = ref if ":" in ref else f"{ref}:0"
            if full in mapped:
                used.add(full)
                return mapped[full]
            op_name, _, index = full.rpartition(":")
            op = graph._nodes.get(scope + op_name)
            if op is None:
                raise ValueError(f"there is no node '{op_name}'")
            if not index.isdigit() or int(index) >= len(op.outputs):
                raise ValueError(
                    f"Connecting to invalid output {index} of source node {op_name} which has {len(op.outputs)} "
                    "outputs."
                )
            return op.outputs[int(index)]

        def producer_of(ref: str) -> str | None:
            full = ref if ":" in ref else f"{ref}:0"
            return None if full in mapped else full.rpartition(":")[0]

        importer.add_all(message.node, lookup, producer_of)
        unused = [key for key in mapped if key not in used and not _is_control(message, key)]
        present = {node.name for node in message.node}
        missing = [key for key in unused if key.rpartition(":")[0] not in present]
        if missing:
            raise ValueError(
                "Attempted to map inputs that were not found in graph_def: "
                f"[{', '.join(key.removesuffix(':0') if key not in input_map else key for key in missing)}]"
            )
        if return_elements is None:
            return None
        return [_returned(graph, scope, mapped, element) for element in return_elements]
    except BaseException:
        graph._nodes.clear()
        graph._nodes.update(nodes_before)
        graph._functions.clear()
        graph._functions.update(functions_before)
        raise


def _is_control(message: Any, key: str) -> bool:
    return key.startswith("^")


def _returned(graph: Graph, scope: str, mapped: dict[str, Tensor], element: str) -> Any:
    op_name, colon, index = element.rpartition(":")
    if not colon:
        op = graph._nodes.get(scope + element)
        if op is None:
            raise ValueError(f"Requested return_element '{element}' not found in graph_def.")
        return op
    if element in mapped:
        return mapped[element]
    op = graph._nodes.get(scope + op_name)
    if op is None or not index.isdigit() or int(index) >= len(op.outputs):
        raise ValueError(f"Requested return_element '{element}' not found in graph_def.")
    return op.outputs[int(index)]


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
