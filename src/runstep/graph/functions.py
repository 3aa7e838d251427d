"""The library of functions of a graph: `FunctionDef`s, and their bodies as graphs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from runstep import errors
from runstep.graph import dtypes
from runstep.graph.attr_value import NameAttrs, Placeholder
from runstep.graph.collections import GraphKeys
from runstep.graph.dtypes import DType
from runstep.graph.graph import Graph
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.registry import OpDef


class FunctionGraph(Graph):
    """The body of a function. Its `inputs` are outputs of Placeholder nodes named after the arguments.

    Attributes:
      inputs, outputs: tensors of this graph. control_outputs: operations that must run though nothing needs them.
      captures: outer tensors used inside, with the input that stands for each, in order. behind: of each such input's
        operation, the tensor of the graph around. awaited: operations of that graph that all calls wait for.
      _functional_flow: whether branches and loops in it are If and While, and arrays of tensors lists, as TensorFlow
        has it in `tf.function`; else they are those of version 1, as in any graph.
      copied_from: the graph that a Python function built, where this one holds copies of its nodes, under their names.
        Gradients that Python functions say of themselves still speak of its tensors.
    """

    def __init__(self, name: str, outer: Graph | None = None, functional_flow: bool = False) -> None:
        super().__init__()
        self.name = name
        self.outer = outer
        self.inputs: list[Tensor] = []
        self.outputs: list[Tensor] = []
        self.control_outputs: list[Operation] = []
        self.captures: dict[Tensor, Tensor] = {}
        self.behind: dict[Operation, Tensor] = {}
        self.awaited: dict[Operation, None] = {}
        self.copied_from: FunctionGraph | None = None
        self._building_function = True
        self._functional_flow = functional_flow
        if outer is not None:
            self._functions = outer._functions
            self.seed = outer.seed

    def add_input(self, name: str, dtype: DType, shape: Any = None) -> Tensor:
        """A further argument of the function."""
        from runstep.ops import registry

        outside: dict[str, Any] = {"controllers": (), "control_flow_context": None, "device": ""}
        with self.as_default(), self._in(name="", device_functions=(), **outside):
            attrs = {"dtype": dtype, "shape": shape}
            op = self._create(registry.get("Placeholder"), "Placeholder", (), attrs, name)
        self.inputs.append(op.outputs[0])
        return op.outputs[0]

    def capture(self, tensor: Tensor) -> Tensor:
        """The input that stands for a tensor of an outer graph; small constants are copied instead."""
        if tensor.graph is self:
            return tensor
        if tensor in self.captures:
            return self.captures[tensor]
        copy = self.copy_of(tensor)
        if copy is not None:
            return copy
        if self.outer is not None and tensor.graph is not self.outer and isinstance(self.outer, FunctionGraph):
            outer_tensor = self.outer.capture(tensor)
        else:
            outer_tensor = tensor
        name = tensor.op.name.rpartition("/")[2] or "capture"
        placeholder = self.add_input(name, tensor.dtype.base_dtype, tensor.raw_shape)
        placeholder._handle_data = tensor._handle_data
        self.captures[tensor] = placeholder
        self.behind[placeholder.op] = outer_tensor
        if outer_tensor is not tensor:
            self.captures[outer_tensor] = placeholder
        return placeholder

    def copy_of(self, tensor: Tensor) -> Tensor | None:
        """What this graph holds as a copy of a tensor of the graph that a Python function built; None for others."""
        if self.copied_from is None:
            return None
        original = standing_for(tensor, self.copied_from)
        return self.get_tensor_by_name(original.name) if original.graph is self.copied_from else None

    def is_inside_of(self, graph: Graph) -> bool:
        """Whether `graph` is one of those around this one."""
        around = self.outer
        while around is not None and around is not graph:
            around = around.outer if isinstance(around, FunctionGraph) else None
        return around is not None

    def _awaited(self, item: Any) -> Operation | None:
        op = item.op if isinstance(item, Tensor) else item
        if not isinstance(op, Operation) or not self.is_inside_of(op.graph):
            return super()._awaited(item)
        assert self.outer is not None
        outside = self.outer._awaited(op)
        if outside is not None:
            self.awaited[outside] = None
        return None

    @contextlib.contextmanager
    def colocate_with(self, op: Any, ignore_existing: bool = False) -> Iterator[None]:
        """As in any graph; what an outer operation is colocated with has no name in a function: its device counts."""
        element = op if isinstance(op, Operation) else getattr(op, "op", None)
        if not isinstance(element, Operation) or not self.is_inside_of(element.graph):
            with super().colocate_with(op, ignore_existing):
                yield
            return
        outer = () if ignore_existing else self._scope.colocation
        with self._in(colocation=outer, device=element.device or self._scope.device, device_functions=()):
            yield

    def _create(
        self, op_def: Any, op_type: str, inputs: Any, attrs: Any, name: Any, output_types: Any = None
    ) -> Operation:
        if any(tensor.op.graph is not self for tensor in inputs):
            for arg, tensor in zip(() if op_def is None else op_def.inputs, inputs, strict=False):
                if arg.is_ref and tensor.op.graph is not self:
                    raise TypeError(
                        f"In op '{op_type}', the reference {tensor.name} of an outer graph can't be changed: functions "
                        "take values. Use a resource variable (use_resource=True)."
                    )
            inputs = tuple(self.capture(tensor) for tensor in inputs)
        return super()._create(op_def, op_type, inputs, attrs, name, output_types)


def standing_for(tensor: Tensor, graph: Graph) -> Tensor:
    """What `graph` knows a tensor as: of an outer graph's, the input by which the function got it; else itself."""
    return graph.captures.get(tensor, tensor) if isinstance(graph, FunctionGraph) else tensor


class Function:
    """One entry of a graph's function library.

    Attributes:
      name: what nodes call it by. definition: its `FunctionDef`. signature: its arguments, as an op def.
      gradient_name: the function of the library that is its gradient. python_gradient: what makes its gradient.
      contexts: the branches and loops in it, as messages. backward: the functions made for its gradients.
      source: the graph that a Python function built for it; None for what was imported.
      own_outputs: how many outputs it has that are not there for its gradient only; None for all.
      count: of the body of a loop that keeps values for its gradient, the variable that counts the turns.
    """

    def __init__(self, definition: Any, library: dict[str, Function]) -> None:
        from runstep.graph.op_def_proto import from_proto as op_def_from_proto

        self.definition = definition
        self.name: str = definition.signature.name
        self.signature: OpDef = op_def_from_proto(definition.signature)
        self.gradient_name: str | None = None
        self.python_gradient: Callable[..., Any] | None = None
        self.contexts: list[Any] = []
        self.backward: dict[Any, Any] = {}
        self.source: FunctionGraph | None = None
        self.own_outputs: int | None = None
        self.count: int | None = None
        self._library = library
        self._bodies: dict[Any, FunctionGraph] = {}

    def body(self, attrs: dict[str, Any]) -> FunctionGraph:
        """The body as a graph, with the function's attributes (its type parameters, mostly) filled in. Cached.

        Raises:
          ValueError: the definition contradicts itself or names an op that has no definition here.
        """
        wanted = {name: attrs[name] for name in self.signature.attrs if name in attrs}
        key = tuple(sorted((name, repr(value)) for name, value in wanted.items()))
        found = self._bodies.get(key)
        if found is None:
            found = self._bodies[key] = _instantiate(self, wanted)
        return found


class _Names:
    """What the names inside a function body stand for: "arg", "arg:1", "node:output_arg:0"."""

    def __init__(self) -> None:
        self.lists: dict[str, list[Tensor]] = {}

    def get(self, ref: str) -> Tensor:
        name, _, index = ref.rpartition(":")
        if ref in self.lists:
            return self.lists[ref][0]
        found = self.lists.get(name)
        if found is None or not index.isdigit() or int(index) >= len(found):
            raise ValueError(f"'{ref}' is not the name of an argument or of a node's output")
        return found[int(index)]


def _instantiate(function: Function, attrs: dict[str, Any]) -> FunctionGraph:
    graph = FunctionGraph(function.name)
    graph._functions = function._library
    add_arguments(graph, function, attrs)
    graph.outputs, graph.control_outputs = inline_body(graph, function, attrs, graph.inputs)
    graph.finalize()
    return graph


def add_arguments(graph: FunctionGraph, function: Function, attrs: dict[str, Any]) -> list[Tensor]:
    """Gives a body the arguments of a function."""
    from runstep.graph import shapes

    definition = function.definition
    found = []
    for position, arg in enumerate(function.signature.inputs):
        arg_attrs = definition.arg_attr[position].attr if position in definition.arg_attr else {}
        raw = None
        if "_output_shapes" in arg_attrs and len(arg_attrs["_output_shapes"].list.shape) == 1:
            raw = shapes.from_proto(arg_attrs["_output_shapes"].list.shape[0])
        found += [graph.add_input(arg.name, dtype, raw) for dtype in _arg_types(arg, attrs)]
    return found


def inline_body(
    graph: Graph, function: Function, attrs: dict[str, Any], inputs: Sequence[Tensor]
) -> tuple[list[Tensor], list[Operation]]:
    """Adds the nodes of a function's body to a graph, under their own names, with `inputs` for its arguments.

    Returns:
      The outputs, and the operations that must run though nothing needs them.
    """
    from runstep.graph.node_importer import NodeImporter

    definition = function.definition
    names = _Names()
    start = 0
    for arg in function.signature.inputs:
        count = len(_arg_types(arg, attrs))
        names.lists[arg.name] = list(inputs[start : start + count])
        start += count
    importer = NodeImporter(graph, attrs=attrs)

    def register(node: Any, op: Operation) -> None:
        outputs = importer.output_args(op)
        start = 0
        for name, count in outputs:
            names.lists[f"{node.name}:{name}"] = list(op.outputs[start : start + count])
            start += count

    ops = importer.add_all(
        definition.node_def,
        lookup=names.get,
        producer_of=lambda ref: ref.split(":")[0] if ref not in names.lists else None,
        added=register,
    )
    found: list[Tensor] = []
    for output in function.signature.outputs:
        ref = definition.ret[output.name]
        types = _arg_types(output, attrs)
        if len(types) == 1 and not output.is_sequence:
            found.append(names.get(ref))
        else:
            found.extend(names.lists[ref])
    controls = [ops[name] for name in set(definition.control_ret.values())]
    known = set(controls)
    controls += [
        op
        for op in ops.values()
        if op.op_def is not None
        and op.op_def.is_stateful
        and op not in known
        and op.type not in ("Placeholder", "VarHandleOp")
    ]
    return found, controls


def _arg_types(arg: Any, attrs: dict[str, Any]) -> list[DType]:
    if arg.type_list_attr is not None:
        return list(attrs[arg.type_list_attr])
    dtype = arg.type if arg.type is not None else attrs[arg.type_attr]
    dtype = dtypes.as_dtype(dtype)
    return [dtype] * (attrs[arg.number_attr] if arg.number_attr is not None else 1)


def add_library(graph: Graph, library: Any) -> None:
    """Adds the functions of a `FunctionDefLibrary` to a graph; one that is there already under its name stays."""
    for definition in library.function:
        if definition.signature.name not in graph._functions:
            own = type(definition)()
            own.CopyFrom(definition)
            graph._functions[own.signature.name] = Function(own, graph._functions)
    for gradient in library.gradient:
        if gradient.function_name in graph._functions:
            graph._functions[gradient.function_name].gradient_name = gradient.gradient_func


def define(graph: Graph, body: FunctionGraph, name: str) -> NameAttrs:
    """Adds a finished body to the library of `graph` under `name` and returns what nodes call it by."""
    inputs = {tensor.op for tensor in body.inputs}
    ops = [op for op in body.get_operations() if op not in inputs]
    function = _defined(graph, name, ops, [(t, t.op.name) for t in body.inputs], body.outputs, body.control_outputs)
    function._bodies[()] = function.source = body
    function.contexts = _contexts(body)
    body.finalize()
    return NameAttrs(name)


def define_part(
    graph: Graph,
    body: FunctionGraph,
    name: str,
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    ops: Collection[Operation],
    control_outputs: Sequence[Operation],
    contexts: bool,
) -> NameAttrs:
    """Adds a function made of some operations of a body to the library of `graph`.

    Args:
      inputs: any tensors of the body: within the function, they are arguments. outputs: of `ops`, or among `inputs`.
      ops: what it is made of; all that they need must be there or among the inputs.
      contexts: whether the branches and loops of the body are in it.
    """
    arguments = {tensor.op for tensor in body.inputs}
    nodes = [op for op in body.get_operations() if op in ops and op not in arguments]
    taken = {op.name for op in nodes}
    named = []
    for position, tensor in enumerate(inputs):
        arg = tensor.op.name if tensor.op in arguments else f"kept_{position}"
        while arg in taken:
            arg += "_"
        taken.add(arg)
        named.append((tensor, arg))
    function = _defined(graph, name, nodes, named, outputs, control_outputs)
    function.source = body.copied_from
    if contexts:
        function.contexts = _contexts(body)
    return NameAttrs(name)


def _contexts(body: FunctionGraph) -> list[Any]:
    keys = (GraphKeys.COND_CONTEXT, GraphKeys.WHILE_CONTEXT)
    return [context.to_proto() for key in keys for context in body.get_collection(key)]


def _defined(
    graph: Graph,
    name: str,
    ops: Sequence[Operation],
    inputs: Sequence[tuple[Tensor, str]],
    outputs: Sequence[Tensor],
    control_outputs: Sequence[Operation],
) -> Function:
    """Adds the function of these operations, with `inputs` under these names as its arguments, to a library."""
    from runstep.graph import shapes
    from runstep.graph.exporter import write_attrs
    from runstep.graph.node_importer import NodeImporter
    from runstep.protos import function_pb2

    definition = function_pb2.FunctionDef()
    definition.signature.name = name
    refs: dict[Tensor, str] = {}
    importer = NodeImporter(graph)
    for op in ops:
        start = 0
        for arg, count in importer.output_args(op):
            for i in range(count):
                refs[op.outputs[start + i]] = f"{op.name}:{arg}:{i}"
            start += count
    for position, (tensor, arg) in enumerate(inputs):
        definition.signature.input_arg.add(name=arg, type=tensor.dtype.enum)
        refs[tensor] = arg
        if tensor.raw_shape is not None:
            sizes = definition.arg_attr[position].attr["_output_shapes"].list
            sizes.shape.add().CopyFrom(shapes.to_proto(tensor.raw_shape))
    for op in ops:
        node = definition.node_def.add(name=op.name, op=op.type, device=op.device)
        node.input.extend(refs[tensor] for tensor in op.inputs)
        node.input.extend(f"^{control.name}" for control in op.control_inputs)
        write_attrs(op, node)
    taken: set[str] = {arg.name for arg in definition.signature.input_arg}
    for position, tensor in enumerate(outputs):
        arg = f"output_{position}"
        while arg in taken:
            arg += "_"
        definition.signature.output_arg.add(name=arg, type=tensor.dtype.enum)
        definition.ret[arg] = refs[tensor]
    for op in control_outputs:
        definition.control_ret[op.name] = op.name
        definition.signature.control_output.append(op.name)
    definition.signature.is_stateful = any(op.op_def is not None and op.op_def.is_stateful for op in ops)
    function = graph._functions[name] = Function(definition, graph._functions)
    return function


def unused_name(graph: Graph, name: str) -> str:
    """`name`, with a number where a function of the library has it already."""
    count = 0
    found = name
    while found in graph._functions:
        count += 1
        found = f"{name}_{count}"
    return found


def function_named(graph: Graph, name: str) -> Function:
    """A function of the graph's library. NotFoundError: there is none of this name."""
    found: Function | None = graph._functions.get(name)
    if found is None:
        raise errors.NotFoundError(None, None, f"Function {name} is not defined in this graph.")
    return found


def call(graph: Graph, name: NameAttrs, inputs: Sequence[Tensor], types: Sequence[DType] | None = None) -> list[Tensor]:
    """Adds a call of a library function, PartitionedCall or StatefulPartitionedCall, and returns its outputs."""
    from runstep.graph.apply import apply

    function = function_named(graph, name.name)
    body = function.body(name.attrs)
    kind = "StatefulPartitionedCall" if function.definition.signature.is_stateful else "PartitionedCall"
    found: list[Tensor] = list(apply(kind, list(inputs), f=name, Tout=types or [t.dtype for t in body.outputs]))
    for tensor, inside in zip(found, body.outputs, strict=True):
        tensor.raw_shape = inside.raw_shape
        tensor._handle_data = inside._handle_data
    return found


def substitute(attr: Any, attrs: dict[str, Any]) -> Any:
    """An attribute value with the function's own attributes put in for placeholders."""
    if isinstance(attr, Placeholder):
        if attr.name not in attrs:
            raise ValueError(f"The function was called without its attribute '{attr.name}'")
        return attrs[attr.name]
    return attr
