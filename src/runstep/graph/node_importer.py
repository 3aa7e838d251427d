"""NodeDefs become operations of a graph, in an order in which inputs come before their consumers.

A node whose op has no definition here is kept: it exports unchanged, and only a run that needs it fails.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from runstep.graph import device as devices, dtypes, functions
from runstep.graph.attr_value import from_proto
from runstep.graph.dtypes import DType
from runstep.graph.graph import Graph, output_types_of
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops import registry
from runstep.ops.registry import REQUIRED, OpDef

_BACK_EDGE_TARGETS = frozenset(("Merge", "RefMerge"))
_BACK_EDGE_SOURCES = frozenset(("NextIteration", "RefNextIteration"))
_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*\Z")
_NUMPY_NAMES = {"float32": "float", "float64": "double", "float16": "half"}
_SCALARS_MEAN_UNKNOWN = 22
"""Before this version of GraphDef, a placeholder of shape () was one whose shape nobody had said."""


class NodeImporter:
    """Turns NodeDefs into operations of one graph.

    Args:
      prefix: of the new names. attrs: of the function whose body the nodes are.
      op_defs: definitions of ops that have no row here; the producer's, for rows it had more attributes for.
      outside: the operation that a control input names which is none of the nodes.
      rename: a node whose name the graph has already gets another one, "x_1"; otherwise it is an error.
    """

    def __init__(
        self,
        graph: Graph,
        prefix: str = "",
        attrs: dict[str, Any] | None = None,
        op_defs: dict[str, OpDef] | None = None,
        outside: Callable[[str], Operation | None] | None = None,
        rename: bool = False,
    ) -> None:
        self._graph = graph
        self._prefix = prefix
        self._attrs = attrs or {}
        self._op_defs = op_defs or {}
        self.outside = outside or (lambda name: graph._nodes.get(prefix + name))
        self._rename = rename
        self._names: dict[str, str] = {}
        self.creation: tuple[Any, ...] = ()
        self.ops: dict[str, Operation] = {}

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
        self._names = self._new_names(by_name)
        ops = self.ops
        widest = _widest_outputs(by_name.values()) if any(self.op_def(n.op) is None for n in by_name.values()) else {}
        late: list[tuple[Operation, int, str]] = []
        for node in _ordered(by_name, producer_of):
            data = [ref for ref in node.input if not ref.startswith("^")]
            if len(data) != len(node.input) and any(ref.startswith("^") for ref in node.input[: len(data)]):
                raise ValueError(f"Node '{node.name}': Control dependencies must come after regular dependencies")
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
                    raise ValueError(f"Node '{node.name}': {error.args[0] if error.args else error}") from None
            op = self._add(node, tensors, bool(waiting), widest.get(node.name, 0))
            if len(data) != len(node.input):
                op.control_inputs += tuple([self._control(node, ref[1:]) for ref in node.input[len(data) :]])
            ops[node.name] = op
            added(node, op)
            late.extend((op, position, ref) for position, ref in waiting)
        for op, position, ref in late:
            inputs = list(op.inputs)
            inputs.insert(position, lookup(ref))
            op.inputs = tuple(inputs)
        for op in {id(op): op for op, _, _ in late}.values():
            self._check_inputs(op)
        for op in ops.values():
            if "_class" in op.attrs and op.attrs["_class"]:
                self._join_leader(op)
        self._join_context()
        return ops

    def _new_names(self, nodes: Mapping[str, Any]) -> dict[str, str]:
        """The new names of nodes whose own are taken."""
        found: dict[str, str] = {}
        if not self._rename:
            return found
        taken = self._graph._nodes
        for name in nodes:
            if self._prefix + name in taken:
                count = 1
                while f"{self._prefix}{name}_{count}" in taken or f"{name}_{count}" in nodes:
                    count += 1
                found[name] = f"{name}_{count}"
        return found

    def _control(self, node: Any, name: str) -> Operation:
        control = self.outside(name) if name not in self.ops else self.ops[name]
        if control is None:
            raise ValueError(f"Node '{node.name}': Unknown input node '^{name}'")
        return control

    def _join_leader(self, op: Operation) -> None:
        """Puts a node on the device of the one that it is to stand beside."""
        for group in op.attrs["_class"]:
            name = group.decode("utf-8", "replace").removeprefix("loc:@")
            leader = self._graph._nodes.get(name)
            if leader is not None:
                op.device = leader.device or op.device
            elif self._rename:
                own, other = op.name.removeprefix(self._prefix), name.removeprefix(self._prefix)
                raise ValueError(f"Node '{own}' expects to be colocated with unknown node '{other}'")

    def _join_context(self) -> None:
        """Makes what was imported inside of a branch or loop under construction part of it."""
        context = self._graph._scope.control_flow_context
        if context is not None:
            for op in self.ops.values():
                context.added(op)
            for op in self.ops.values():
                if any(tensor not in context._inside for tensor in op.inputs):
                    op.inputs = context.prepare(op.name, op.inputs)

    def _add(self, node: Any, tensors: list[Tensor], partial: bool, width: int) -> Operation:
        graph = self._graph
        name = self._prefix + self._names.get(node.name, node.name)
        if name in graph._nodes:
            raise ValueError(f"Node name '{name}' already exists in the Graph")
        if not _NAME.match(node.name) and (self._rename or not node.name):
            raise ValueError(f"Node '{node.name}': Node name contains invalid characters")
        if not node.op:
            raise ValueError(f"Node '{node.name}' of the GraphDef has no op")
        op_def = self.op_def(node.op)
        attrs = self._node_attrs(node, op_def)
        op = Operation(graph, name, node.op, op_def, tuple(tensors), attrs, self.creation)
        if op_def is None:
            op.node_def_source = node
            types = _guessed_types(node, width)
        else:
            types = output_types_of(op_def, attrs)
            if not partial:
                self._check_inputs(op)
        op.outputs = tuple([Tensor(op, i, dtype) for i, dtype in enumerate(types)])
        self._place(node, op)
        if op_def is not None and op_def.shape is not None and not partial:
            graph.infer_shapes(op)
            if node.op == "Placeholder" and attrs["shape"] == () and graph._producer < _SCALARS_MEAN_UNKNOWN:
                op.outputs[0].raw_shape = None
        with graph._lock:
            key = name.lower()
            graph._names_in_use[key] = max(1, graph._names_in_use.get(key, 0))
            graph._nodes[name] = op
        return op

    def _place(self, node: Any, op: Operation) -> None:
        """The device of a new node, and what the blocks around the import say of it."""
        graph = self._graph
        scope = graph._scope
        said = _device(node) if node.device else ""
        if not scope.plain:
            graph._add_scope(op, scope)
            if scope.controllers:  # every node waits by itself, whether or not its inputs wait already
                waited = dict.fromkeys(control for controller in scope.controllers for control in controller.ops)
                op.control_inputs = tuple(waited)
            if scope.device_functions or scope.colocation:
                return
        op.device = devices.merge(scope.device, said) if said else scope.device

    def _node_attrs(self, node: Any, op_def: OpDef | None) -> dict[str, Any]:
        attrs: dict[str, Any] = {}
        kinds = op_def.attrs if op_def is not None else {}
        for name, value in node.attr.items():
            attr = kinds.get(name)
            if attr is None:
                if op_def is None and not name.startswith("_"):
                    continue  # kept in node_def_source
                if node.op in self._op_defs and self._is_producer_s_default(node.op, name, value):
                    continue
            try:
                found = from_proto(None if attr is None else attr.kind, value)
                attrs[name] = functions.substitute(found, self._attrs)
            except (ValueError, TypeError, KeyError) as error:
                raise ValueError(f"Node '{node.name}' ({node.op}): attr '{name}' is damaged: {error}") from error
            if attr is not None and attr.allowed is not None:
                self._check_allowed(node, attr, attrs[name])
        if node.op == "Const" and op_def is not None:
            self._check_constant(node)
        if isinstance(attrs.get("_class"), tuple) and (self._prefix or self._names):
            attrs["_class"] = tuple(map(self._new_group, attrs["_class"]))
        for name, attr in kinds.items():
            if name not in attrs:
                if attr.default is REQUIRED:
                    raise ValueError(
                        f"NodeDef missing attr '{name}' from Op<name={node.op}>; NodeDef: {{{{node "
                        f"{self._prefix}{node.name}}}}}"
                    )
                attrs[name] = attr.default
        return self._graph._alike.shared(node.op, attrs)

    def _new_group(self, group: bytes) -> bytes:
        if not group.startswith(b"loc:@"):
            return group
        name = group[5:].decode("utf-8", "replace")
        return f"loc:@{self._prefix}{self._names.get(name, name)}".encode()

    def _is_producer_s_default(self, op_type: str, name: str, value: Any) -> bool:
        """Whether an attribute that our definition lacks says no more than the definition of who wrote the graph."""
        attr = self._op_defs[op_type].attrs.get(name)
        return attr is not None and attr.default is not REQUIRED and bool(from_proto(attr.kind, value) == attr.default)

    @staticmethod
    def _check_constant(node: Any) -> None:
        held, said = node.attr["value"].tensor.dtype, node.attr["dtype"].type
        if held != said:
            raise ValueError(
                f"Node '{node.name}' (Const): attr 'value' holds {_type(held)}, attr 'dtype' says {_type(said)}"
            )

    def _check_allowed(self, node: Any, attr: Any, value: Any) -> None:
        for item in value if attr.kind.startswith("list(") else (value,):
            if item not in attr.allowed:
                raise ValueError(
                    f"Value for attr '{attr.name}' of {_text(item)} is not in the list of allowed values: "
                    f"{', '.join(map(_text, attr.allowed))}\n\t; NodeDef: {{{{node {self._prefix}{node.name}}}}} "
                    f"({node.op})"
                )

    def _check_inputs(self, op: Operation) -> None:
        expected = _input_types(op.op_def, op.attrs)  # type: ignore[arg-type]
        if len(expected) != len(op.inputs):
            raise ValueError(
                f"NodeDef expected inputs '{', '.join(_text(t) for t, _ in expected)}' do not match {len(op.inputs)} "
                f"inputs specified; Op<name={op.type}>; NodeDef: {{{{node {op.name}}}}}"
            )
        for position, (tensor, (dtype, is_ref)) in enumerate(zip(op.inputs, expected, strict=True)):
            if tensor.dtype.base_dtype is not dtype.base_dtype or (is_ref and not tensor.dtype.is_ref):
                if tensor.op.op_def is None:
                    continue
                raise ValueError(
                    f"Input {position} of node {op.name} was passed {_text(tensor.dtype)} from {tensor.name} "
                    f"incompatible with expected {_text(dtype)}{'_ref' if is_ref else ''}."
                )


def _type(enum: int) -> str:
    try:
        return _text(dtypes.as_dtype(enum))
    except TypeError:
        return f"type {enum}"


def _text(value: Any) -> str:
    """A dtype as TensorFlow's C++ names it, or the text of another attribute value."""
    if not isinstance(value, DType):
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    base = value.base_dtype.name
    return _NUMPY_NAMES.get(base, base) + ("_ref" if value.is_ref else "")


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
    """The nodes, every producer before its consumers, except for the back edges of loops; else as they stand."""
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
    position = {name: i for i, name in enumerate(nodes)}
    names = list(nodes)
    ready = [i for i, name in enumerate(names) if not pending[name]]  # sorted, so that it is a heap
    order: list[Any] = []
    done: set[str] = set()
    while ready:
        name = names[heapq.heappop(ready)]
        done.add(name)
        order.append(nodes[name])
        for consumer in consumers.get(name, ()):
            pending[consumer] -= 1
            if not pending[consumer]:
                heapq.heappush(ready, position[consumer])
    if len(order) != len(nodes):
        stuck = [name for name in nodes if name not in done]
        raise ValueError(f"{len(stuck)} nodes in a cycle: {', '.join(stuck[:8])}{' ...' if len(stuck) > 8 else ''}")
    return order
