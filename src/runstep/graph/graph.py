"""`tf.Graph`: operations by name, with the scopes that new ones are made in, and the stack of default graphs."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from runstep.graph import device as devices, dtypes
from runstep.graph.alike import Alike
from runstep.graph.dtypes import DType
from runstep.graph.node_text import node_text, shapes_text
from runstep.graph.operation import Operation
from runstep.graph.scope import Controller, Here, Scope
from runstep.graph.tensor import Tensor
from runstep.ops import registry
from runstep.ops.registry import OpDef

PRODUCER = 2474
"""`versions.producer` of the graphs we write: TensorFlow 2.21's, whose ops we follow (S11)."""

_LIBRARY = (os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep, "<frozen ", "<attrs ")
_CREATION_FRAMES = 12  # nearest user frames kept per operation
_PLACES = 1024
_DIGITS = 12  # of numbers that `unique_name` may come to
_SCOPE_START = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
_SCOPE_INSIDE = re.compile(r"[A-Za-z0-9_.\\/>-]*")


class Graph:
    """A dataflow graph (source: tf.Graph). Operations are only added; a finalized graph takes none.

    Safe to build from several threads and to run meanwhile (S56).
    """

    _tensor_class = Tensor

    def __init__(self) -> None:
        self._nodes: dict[str, Operation] = {}
        self._names_in_use: dict[str, int] = {}  # in lower case; "x": 3 says that "x_1" and "x_2" are in use too
        self._alike = Alike()
        self._lock = threading.RLock()
        self._here = Here()
        self._collections: dict[Any, list[Any]] = {}
        self._unfeedable: set[Tensor] = set()
        self._unfetchable: set[Operation] = set()
        self._functions: dict[str, Any] = {}
        self._finalized = False
        self._edits = 0
        self._consumers: dict[Tensor, list[Operation]] = {}
        self._consumers_seen = 0
        self._consumers_edits = 0
        self._constants: dict[Tensor, Any] = {}
        self.seed: int | None = None
        self._building_function = False
        self._functional_flow = False
        self._producer = PRODUCER
        self._min_consumer = 0
        self._bad_consumers: tuple[int, ...] = ()

    @property
    def _scope(self) -> Scope:
        return self._here.scope

    # ------------------------------------------------------------------ creation

    def create_op(
        self,
        op_type: str,
        inputs: Sequence[Tensor],
        dtypes: Sequence[Any] | None = None,
        input_types: Sequence[Any] | None = None,
        name: str | None = None,
        attrs: dict[str, Any] | None = None,
        op_def: Any = None,
        compute_shapes: bool = True,
        compute_device: bool = True,
    ) -> Operation:
        """Adds an operation (source: tf.Graph.create_op). Attributes are `AttrValue` messages or Python values.

        `dtypes`, the output types, are needed only for an op type that has no definition here.

        Raises:
          RuntimeError: the graph is finalized.
          ValueError: the inputs contradict the op's shape rule, or are of another graph.
        """
        from runstep.graph.apply import complete_attrs

        for tensor in inputs:
            if not isinstance(tensor, Tensor):
                raise TypeError(f"Input #{list(inputs).index(tensor)} is not a tensor: {tensor}")
            if tensor.graph is not self:
                raise ValueError(f"{tensor!r} is not from this graph.")
        found = registry.get(op_type)
        given = dict(attrs or {})
        if found is not None:
            given = complete_attrs(found, list(inputs), given)
        types = [as_dtype(t) for t in dtypes] if found is None and dtypes is not None else None
        return self._create(found, op_type, tuple(inputs), given, name, types)

    def _create(
        self,
        op_def: OpDef | None,
        op_type: str,
        inputs: tuple[Tensor, ...],
        attrs: dict[str, Any],
        name: str | None,
        output_types: Sequence[DType] | None = None,
    ) -> Operation:
        """The one place where operations come from. `attrs` is complete and is kept, not copied, nor changed."""
        if self._finalized:
            raise RuntimeError("Graph is finalized and cannot be modified.")
        scope = self._here.scope
        if name and name[-1] == "/":
            name = name[:-1]
        else:
            name = self.unique_name(name or op_type)
        context = None
        if not scope.plain:
            context = scope.control_flow_context
            if context is not None and inputs:
                inputs = context.prepare(name, inputs)
        op = Operation(self, name, op_type, op_def, inputs, attrs, _user_frames())
        if output_types is None:
            output_types = output_types_of(op_def, attrs)
        if len(output_types) == 1:
            op._outputs = self._tensor_class(op, 0, output_types[0])
        else:
            op._outputs = tuple([self._tensor_class(op, i, dtype) for i, dtype in enumerate(output_types)])
        if not scope.plain:
            self._add_scope(op, scope)
        if op_def is not None and op_def.shape is not None:
            self.infer_shapes(op)
        self._nodes[name] = op
        if context is not None:
            context.added(op)
        return op

    @staticmethod
    def infer_shapes(op: Operation) -> None:
        """Applies the shape rule of `op` to its outputs; a contradiction is a ValueError that shows the node (S188)."""
        try:
            found = op.op_def.shape(op)  # type: ignore[union-attr, misc]
        except ValueError as error:
            if "{{node" in str(error):
                raise
            raise ValueError(f"{error} for '{node_text(op)}' with {shapes_text(op)}") from None
        outputs = op._outputs
        if type(outputs) is not tuple:
            (outputs.raw_shape,) = found  # type: ignore[union-attr]
            return
        for tensor, raw in zip(outputs, found, strict=True):
            tensor.raw_shape = raw

    def unique_name(self, name: str, mark_as_used: bool = True) -> str:
        """`name` within the current name scope, with a suffix `_1`, `_2`... when it is taken."""
        inside = self._here.scope.name
        if inside:
            name = f"{inside}/{name}"
        key = name.lower()
        names = self._names_in_use
        with self._lock:
            count = names.get(key) or int(self._is_numbered(key))
            if not count:
                if mark_as_used:
                    names[key] = 1
                return name
            if mark_as_used:
                names[key] = count + 1
            if f"{key}_{count}" in names:
                while f"{key}_{count}" in names:
                    count += 1
                if mark_as_used:
                    names[f"{key}_{count}"] = 1
        return f"{name}_{count}"

    def _is_numbered(self, key: str) -> bool:
        """Whether `unique_name` has made this name of another and a number: the other's count tells, nothing else is
        kept of it."""
        base, _, number = key.rpartition("_")
        if not (number.isdecimal() and number.isascii()) or number[0] == "0" or len(number) > _DIGITS:
            return False
        return int(number) < self._names_in_use.get(base, 0)

    def _add_controls(self, op: Operation, controllers: tuple[Controller, ...]) -> None:
        # A block adds nothing to an op whose input was made inside it: that input waits already.
        found: dict[Operation, None] = {}
        for controller in controllers:
            if not any(tensor.op in controller.seen for tensor in op.inputs):
                found.update(dict.fromkeys(controller.ops))
            controller.seen.add(op)
        input_ops = {tensor.op for tensor in op.inputs}
        op.control_inputs = tuple(c for c in found if c not in input_ops)

    def _add_scope(self, op: Operation, scope: Scope) -> None:
        """What the blocks around a new operation say of it."""
        if scope.controllers:
            self._add_controls(op, scope.controllers)
        op.device = scope.device
        if scope.device_functions:
            self._apply_device_functions(op)
        op._original_op = scope.original_op
        if scope.attrs is None and scope.gradient_overrides is None and not scope.colocation and not scope.container:
            return
        op_def = op.op_def
        attrs = {**(scope.attrs or {}), **op.attrs}
        if scope.gradient_overrides is not None and op.type in scope.gradient_overrides:
            attrs["_gradient_op_type"] = scope.gradient_overrides[op.type].encode()
        if scope.colocation:
            attrs["_class"] = tuple(sorted(set(scope.colocation)))
            self._follow_colocation(op, attrs["_class"])
        if scope.container and op_def is not None and "container" in op_def.attrs and not attrs.get("container"):
            attrs["container"] = scope.container.encode()
        op.attrs = self._alike.shared(op.type, attrs)

    def _apply_device_functions(self, op: Operation) -> None:
        # Innermost first; each sees the op with what the blocks inside of it said, and its word replaces that.
        for function, outside in reversed(self._scope.device_functions):
            said = function(op)
            text = op.device if said is None else said if isinstance(said, str) else devices.canonical(said)
            devices.parse(text)
            op.device = devices.merge(outside, text) if outside else text

    def _follow_colocation(self, op: Operation, groups: tuple[bytes, ...]) -> None:
        for group in groups:
            leader = self._nodes.get(group.decode().removeprefix("loc:@"))
            if leader is not None and leader.device:
                op.device = leader.device

    def _shape_was_set(self, tensor: Tensor) -> None:
        self._edits += 1

    def _edited(self) -> None:
        self._edits += 1

    def _check_not_finalized(self) -> None:
        if self._finalized:
            raise RuntimeError("Graph is finalized and cannot be modified.")

    # ------------------------------------------------------------------ facts

    @property
    def version(self) -> int:
        """Grows with every operation that is added."""
        return len(self._nodes)

    @property
    def building_function(self) -> bool:
        return self._building_function

    @property
    def finalized(self) -> bool:
        return self._finalized

    def finalize(self) -> None:
        """Makes the graph read-only: adding to it raises RuntimeError (S57)."""
        self._finalized = True

    def _unsafe_unfinalize(self) -> None:
        self._finalized = False

    @property
    def graph_def_versions(self) -> Any:
        from runstep.protos import versions_pb2

        return versions_pb2.VersionDef(
            producer=self._producer, min_consumer=self._min_consumer, bad_consumers=self._bad_consumers
        )

    def get_operations(self) -> list[Operation]:
        """All operations, in order of creation."""
        return list(self._nodes.values())

    def as_graph_def(self, from_version: int | None = None, add_shapes: bool = False) -> Any:
        """This graph as a `GraphDef` message (source: tf.Graph.as_graph_def).

        Args:
          from_version: only operations added since the graph had this `version`.
          add_shapes: every node carries its static shapes as the attribute `_output_shapes`.
        """
        from runstep.graph.exporter import graph_def

        return graph_def(self, from_version, add_shapes)

    def _consumers_of(self, tensor: Tensor) -> list[Operation]:
        with self._lock:
            if self._consumers_edits != self._edits:
                self._consumers, self._consumers_seen, self._consumers_edits = {}, 0, self._edits
            nodes = list(self._nodes.values())
            for op in nodes[self._consumers_seen :]:
                for source in op.inputs:
                    self._consumers.setdefault(source, []).append(op)
            self._consumers_seen = len(nodes)
        return list(self._consumers.get(tensor, ()))

    # ------------------------------------------------------------------ look-up

    def as_graph_element(self, obj: Any, allow_tensor: bool = True, allow_operation: bool = True) -> Any:
        """The Tensor or Operation that `obj` is, names or converts to (S74, S187).

        Raises:
          TypeError: `obj` cannot be one. ValueError: it is badly named or of another graph. KeyError: no such name.
        """
        from runstep.graph.lookup import as_graph_element

        return as_graph_element(self, obj, allow_tensor, allow_operation)

    def get_tensor_by_name(self, name: str) -> Tensor:
        if not isinstance(name, str):
            raise TypeError(f"Tensor names are strings (or similar), not {type(name).__name__}.")
        return self.as_graph_element(name, allow_tensor=True, allow_operation=False)

    def get_operation_by_name(self, name: str) -> Operation:
        if not isinstance(name, str):
            raise TypeError(f"Operation names are strings (or similar), not {type(name).__name__}.")
        return self.as_graph_element(name, allow_tensor=False, allow_operation=True)

    def is_feedable(self, tensor: Tensor) -> bool:
        return tensor not in self._unfeedable

    def is_fetchable(self, tensor_or_op: Tensor | Operation) -> bool:
        op = tensor_or_op.op if isinstance(tensor_or_op, Tensor) else tensor_or_op
        return op not in self._unfetchable

    def prevent_feeding(self, tensor: Tensor) -> None:
        self._unfeedable.add(tensor)
        self._edits += 1

    def prevent_fetching(self, op: Operation) -> None:
        self._unfetchable.add(op)
        self._edits += 1

    # ------------------------------------------------------------------ collections

    def add_to_collection(self, name: Any, value: Any) -> None:
        self._check_not_finalized()
        with self._lock:
            self._collections.setdefault(name, []).append(value)

    def add_to_collections(self, names: Any, value: Any) -> None:
        for name in (names,) if isinstance(names, str) else dict.fromkeys(names):
            self.add_to_collection(name, value)

    def get_collection_ref(self, name: Any) -> list[Any]:
        """The live list of a collection; changing it changes the collection."""
        with self._lock:
            return self._collections.setdefault(name, [])

    def get_collection(self, name: Any, scope: str | None = None) -> list[Any]:
        """A copy of a collection; with `scope`, only the values whose `name` matches it (`re.match`)."""
        found = list(self._collections.get(name, ()))
        if scope is None:
            return found
        matcher = re.compile(scope)
        return [value for value in found if hasattr(value, "name") and matcher.match(value.name)]

    def get_all_collection_keys(self) -> list[Any]:
        return [key for key in self._collections if isinstance(key, str)]

    @property
    def collections(self) -> list[Any]:
        return list(self._collections)

    def clear_collection(self, name: Any) -> None:
        self._check_not_finalized()
        self._collections.pop(name, None)

    # ------------------------------------------------------------------ scopes

    def as_default(self) -> contextlib.AbstractContextManager[Graph]:
        """Makes this the default graph of this thread inside the `with` block."""
        return _default_graphs.pushed(self)

    @contextlib.contextmanager
    def name_scope(self, name: str | None) -> Iterator[str]:
        """Names made inside start with this scope's name. A name that ends in "/" re-enters that very scope.

        Yields the scope's name with a "/" at the end ("" for the outermost).
        """
        if name:
            matcher, kind = (_SCOPE_INSIDE, "scope") if self._scope.name else (_SCOPE_START, "root scope")
            if not matcher.fullmatch(name):
                raise ValueError(
                    f"'{name}' is not a valid {kind} name. A {kind} name has to match the following pattern: "
                    f"^{matcher.pattern}$"
                )
        if not name:
            inside = ""
        elif name[-1] == "/":
            inside = name.rstrip("/")
        else:
            inside = self.unique_name(name)
        here = self._here
        outside = here.scope
        here.scope = outside.renamed(inside)
        try:
            yield inside + "/" if inside else ""
        finally:
            here.scope = outside

    def get_name_scope(self) -> str:
        """The current name scope, without a "/" at the end."""
        return self._scope.name

    @contextlib.contextmanager
    def _in(self, **state: Any) -> Iterator[None]:
        here = self._here
        outside = here.scope
        here.scope = outside.changed(**state)
        try:
            yield
        finally:
            here.scope = outside

    @contextlib.contextmanager
    def device(self, device_name_or_function: Any) -> Iterator[None]:
        """Operations made inside run on this device; inner blocks add to outer ones. None forgets the outer ones.

        A function takes the operation and returns a device name.
        """
        scope = self._scope
        if device_name_or_function is None:
            state: dict[str, Any] = {"device": "", "device_functions": ()}
        elif callable(device_name_or_function):
            functions = (*scope.device_functions, (device_name_or_function, scope.device))
            state = {"device": "", "device_functions": functions}
        else:
            state = {"device": devices.merge(scope.device, devices.canonical(device_name_or_function))}
        with self._in(**state):
            yield

    @contextlib.contextmanager
    def control_dependencies(self, control_inputs: Sequence[Any] | None) -> Iterator[None]:
        """Operations made inside run after `control_inputs`. None forgets the outer blocks.

        Raises:
          TypeError: one of them is neither an operation nor a tensor.
        """
        if control_inputs is None:
            with self._in(controllers=(), control_flow_context=None):
                yield
            return
        ops: dict[Operation, None] = {}
        for item in control_inputs:
            if hasattr(item, "_control_op"):
                item = item._control_op()
            if hasattr(item, "indices") and hasattr(item, "values"):
                item = item.op
            op = self._awaited(item)
            if op is not None:
                ops[op] = None
        with self._in(controllers=(*self._scope.controllers, Controller(tuple(ops)))):
            yield

    def _awaited(self, item: Any) -> Operation | None:
        """What operations wait for that are to run after `item`; None if they need not."""
        element = self.as_graph_element(item)
        op: Operation = element.op if isinstance(element, Tensor) else element
        return op

    def _current_control_dependencies(self) -> set[Operation]:
        return {op for controller in self._scope.controllers for op in controller.ops}

    @contextlib.contextmanager
    def colocate_with(self, op: Any, ignore_existing: bool = False) -> Iterator[None]:
        """Operations made inside run on the device of `op` (an Operation, a Tensor or something that converts to
        one)."""
        if op is None:
            if not ignore_existing:
                raise ValueError("Trying to reset colocation (op is None) but ignore_existing is not True")
            with self._in(colocation=(), device="", device_functions=()):
                yield
            return
        element = op if isinstance(op, Operation) else getattr(op, "op", None) or self.as_graph_element(op).op
        outer = () if ignore_existing else self._scope.colocation
        device = element.device or (self._scope.device if outer else "")
        with self._in(colocation=(*outer, *element.colocation_groups()), device=device, device_functions=()):
            yield

    @contextlib.contextmanager
    def container(self, container_name: str) -> Iterator[str]:
        """Stateful operations made inside keep their state in this resource container."""
        with self._in(container=container_name):
            yield container_name

    @contextlib.contextmanager
    def gradient_override_map(self, op_type_map: dict[str, str]) -> Iterator[None]:
        """Operations of these types made inside take the gradient function registered under the other name."""
        if not isinstance(op_type_map, dict):
            raise TypeError("op_type_map must be a dictionary mapping strings to strings")
        if not all(isinstance(s, str) for pair in op_type_map.items() for s in pair):
            raise TypeError("op_type_map must be a dictionary mapping strings to strings")
        with self._in(gradient_overrides={**(self._scope.gradient_overrides or {}), **op_type_map}):
            yield

    @contextlib.contextmanager
    def _attr_scope(self, attr_map: dict[str, Any]) -> Iterator[None]:
        merged = {**(self._scope.attrs or {}), **attr_map}
        with self._in(attrs={name: value for name, value in merged.items() if value is not None}):
            yield

    @contextlib.contextmanager
    def _original_op(self, op: Operation) -> Iterator[None]:
        with self._in(original_op=op):
            yield

    def __repr__(self) -> str:
        return f"<runstep.Graph of {len(self._nodes)} operations at {id(self):#x}>"


def output_types_of(op_def: OpDef | None, attrs: dict[str, Any]) -> list[DType]:
    """The dtypes of the outputs that the op def and the attributes imply."""
    types: list[DType] = []
    for arg in op_def.outputs if op_def is not None else ():
        if arg.type_list_attr is not None:
            found = list(attrs[arg.type_list_attr])
        else:
            found = [arg.type if arg.type is not None else attrs[arg.type_attr]]  # type: ignore[index]
            if arg.number_attr is not None:
                found *= attrs[arg.number_attr]
        types.extend([t._as_ref for t in found] if arg.is_ref else found)
    return types


_our_files: dict[str, bool] = {}
_places: dict[int, tuple[Any, ...]] = {}
"""What `_user_frames` found last, by the nearest user frame's instruction: operations made in one place share it."""


def _user_frames(depth: int = 3) -> tuple[Any, ...]:
    """The nearest frames outside this library, innermost first: code, instruction, code, instruction... The lines are
    looked up only for an error."""
    frame = sys._getframe(depth)
    ours = _our_files
    while frame is not None and ours.get(frame.f_code.co_filename):
        frame = frame.f_back  # type: ignore[assignment]
    if frame is None:
        return ()
    here = id(frame.f_code) + frame.f_lasti
    known = _places.get(here)
    if known is not None and _is_at(frame, known):
        return known
    found: list[Any] = []
    while frame is not None and len(found) < 2 * _CREATION_FRAMES:
        code = frame.f_code
        file = code.co_filename
        inside = ours.get(file)
        if inside is None:
            inside = ours[file] = file.startswith(_LIBRARY)
        if not inside:
            if not found:
                here = id(code) + frame.f_lasti
            found.append(code)
            found.append(frame.f_lasti)
        frame = frame.f_back  # type: ignore[assignment]
    place = tuple(found)
    if not place:
        return place
    known = _places.get(here)
    if known == place:
        return known
    if len(_places) >= _PLACES:
        _places.clear()
    _places[here] = place
    return place


def _is_at(frame: Any, place: tuple[Any, ...]) -> bool:
    """Whether a frame and those around it are at such a place; no, where a file is not known yet."""
    ours = _our_files
    position, count = 0, len(place)
    while frame is not None and position < 2 * _CREATION_FRAMES:
        code = frame.f_code
        inside = ours.get(code.co_filename)
        if not inside:
            if inside is None or position >= count:
                return False
            if place[position] is not code or place[position + 1] != frame.f_lasti:
                return False
            position += 2
        frame = frame.f_back
    return position == count


def as_dtype(value: Any) -> DType:
    return dtypes.as_dtype(value)


# ---------------------------------------------------------------------- default graphs


class _DefaultGraphs(threading.local):
    """This thread's stack of default graphs; at the bottom, one graph that all threads share."""

    def __init__(self) -> None:
        self.stack: list[Graph] = []

    @contextlib.contextmanager
    def pushed(self, graph: Graph) -> Iterator[Graph]:
        self.stack.append(graph)
        try:
            yield graph
        finally:
            if self.stack[-1] is not graph:
                raise AssertionError(f"Nesting violated for default stack of {type(graph)} objects")
            self.stack.pop()


_default_graphs = _DefaultGraphs()
_global_graph: Graph | None = None
_global_lock = threading.Lock()


def get_default_graph() -> Graph:
    """The default graph of this thread (source: tf.get_default_graph)."""
    stack = _default_graphs.stack
    if stack:
        return stack[-1]
    global _global_graph
    if _global_graph is None:
        with _global_lock:
            if _global_graph is None:
                _global_graph = Graph()
    return _global_graph


def reset_default_graph() -> None:
    """Puts a new, empty graph at the bottom of the stack (S33).

    Raises:
      AssertionError: inside a `with graph.as_default()` or `with Session()` block.
    """
    if _default_graphs.stack:
        raise AssertionError(
            "Do not use tf.reset_default_graph() to clear nested graphs. If you need a cleared graph, "
            "exit the nesting and create a new graph."
        )
    global _global_graph
    _global_graph = Graph()


class name_scope:  # noqa: N801 - TensorFlow's name
    """A name scope for an op function (source: tf.name_scope): `with name_scope(name, "default", [inputs]) as scope`.

    Args:
      name: the scope's name; None takes `default_name`. values: checked to be of one graph, which becomes the default.
    """

    def __init__(self, name: str | None = None, default_name: str | None = None, values: Any = None) -> None:
        if not (default_name is None or isinstance(default_name, str)):
            raise TypeError(
                f"`default_name` type ({type(default_name)}) is not a string type. You likely meant to pass this into "
                "the `values` kwarg."
            )
        if name is None and values is not None and default_name is None:
            raise ValueError("At least one of name (None) and default_name (None) must be provided.")
        self._name = default_name if name is None else name
        self._values = values

    @property
    def name(self) -> str | None:
        return self._name

    def __enter__(self) -> str:
        graph = graph_of(self._values) if self._values else get_default_graph()
        self._stack = contextlib.ExitStack()
        if graph is not get_default_graph():
            self._stack.enter_context(graph.as_default())
        return self._stack.enter_context(graph.name_scope(self._name))

    def __exit__(self, *exc: Any) -> None:
        self._stack.__exit__(*exc)


def graph_of(values: Any) -> Graph:
    """The graph that the tensors among `values` belong to, else the default graph.

    Raises:
      ValueError: they are of different graphs.
    """
    default = get_default_graph()
    if default.building_function:
        return default  # which captures what is from outside
    found: Graph | None = None
    first: Any = None
    for value in values:
        for item in value if isinstance(value, list | tuple) else (value,):
            graph = getattr(item, "graph", None)
            if isinstance(graph, Graph):
                if found is None:
                    found, first = graph, item
                elif graph is not found:
                    raise ValueError(f"{item} must be from the same graph as {first} (graphs are {graph} and {found}).")
    return found if found is not None else default
