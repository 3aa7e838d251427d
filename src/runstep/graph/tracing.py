"""Functions of the graph's library made from Python functions: `tf.function`, and what it shares with `Defun`."""

from __future__ import annotations

import functools
import itertools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import numpy as np

from runstep.graph import nest
from runstep.graph.attr_value import NameAttrs
from runstep.graph.convert import convert_to_tensor
from runstep.graph.dtypes import DType, as_dtype
from runstep.graph.functions import FunctionGraph, call, define
from runstep.graph.graph import Graph, get_default_graph
from runstep.graph.operation import Operation
from runstep.graph.shapes import RawShape, TensorShape
from runstep.graph.tensor import Tensor

__all__ = ["function"]

_serial = itertools.count()


def traced(
    graph: Graph,
    name: str,
    arguments: Sequence[tuple[str, DType, RawShape]],
    build: Callable[[list[Tensor]], Any],
    functional_flow: bool = True,
) -> tuple[FunctionGraph, Any]:
    """The body that `build` makes of arguments of these names, dtypes and shapes, and the structure that it returned.

    Stateful operations of the body run in the order in which they were made, whether anything needs them or not.
    `functional_flow` says what branches and loops in it are (see `FunctionGraph`).

    Raises:
      TypeError: it returned something that cannot be a tensor.
    """
    body = FunctionGraph(name, graph, functional_flow)
    around = graph._scope
    with body.as_default(), body._in(device=around.device, device_functions=around.device_functions):
        found = build([body.add_input(arg, dtype, raw) for arg, dtype, raw in arguments])
        flat = [_output(body, part) for leaf in nest.flatten(found) for part in _parts(leaf)]
    body.outputs = [tensor for tensor in flat if tensor is not None]
    before: Operation | None = None
    inputs = {tensor.op for tensor in body.inputs}
    for op in body.get_operations():
        if op in inputs or op.op_def is None or not op.op_def.is_stateful or op.type == "VarHandleOp":
            continue
        if op._control_flow_context is None:
            if before is not None:
                op._add_control_input(before)
            before = op
            body.control_outputs.append(op)
    return body, found


def _parts(leaf: Any) -> tuple[Any, ...]:
    if hasattr(leaf, "_with_flow"):  # a TensorArray
        return (leaf.flow,)
    return tuple(leaf._component_tensors()) if hasattr(leaf, "_component_tensors") else (leaf,)


def _output(body: FunctionGraph, leaf: Any) -> Tensor | None:
    from runstep.ops.basic import identity

    if leaf is None or isinstance(leaf, Operation):
        return None
    return identity(body.capture(convert_to_tensor(leaf)))


def packed(structure: Any, tensors: Sequence[Tensor]) -> Any:
    """The structure that a trace returned, with the outputs of a call."""
    rest = iter(tensors)

    def leaf(item: Any) -> Any:
        if item is None or isinstance(item, Operation):
            return None
        parts = [part if part is None else next(rest) for part in _parts(item)]
        if hasattr(item, "_with_flow"):
            return item._given_back(*parts)
        return item._with_components(parts) if hasattr(item, "_component_tensors") else parts[0]

    return nest.pack_sequence_as(structure, [leaf(item) for item in nest.flatten(structure)])


def captured(body: FunctionGraph, explicit: int) -> list[Tensor]:
    """The outer tensors that stand behind the arguments of a body after the explicit ones."""
    behind = {inside: outside for outside, inside in body.captures.items() if outside.graph is body.outer}
    return [behind[tensor] for tensor in body.inputs[explicit:]]


@attrs.frozen(eq=False)
class ConcreteFunction:
    """One trace of a `tf.function`: for arguments of certain dtypes and shapes, in one graph.

    Attributes:
      name: what calls name it by. graph: its body. inputs, outputs: tensors of the body.
      structured_outputs: what the Python function returned. captured_inputs: outer tensors it takes besides.
    """

    name: str
    graph: FunctionGraph
    structured_outputs: Any
    captured_inputs: list[Tensor]

    @property
    def inputs(self) -> list[Tensor]:
        return list(self.graph.inputs)

    @property
    def outputs(self) -> list[Tensor]:
        return list(self.graph.outputs)

    def __call__(self, *args: Any) -> Any:
        """Adds a call with these tensors as the arguments, flat."""
        return self._call([convert_to_tensor(arg) for arg in nest.flatten(args)])

    def _call(self, tensors: list[Tensor]) -> Any:
        graph = get_default_graph()
        with graph.control_dependencies(list(self.graph.awaited)):
            found = call(graph, NameAttrs(self.name), [*tensors, *self.captured_inputs])
        return packed(self.structured_outputs, found)


class PolymorphicFunction:
    """What `tf.function` makes of a Python function: traced once for each kind of arguments, then called as a function
    of the graph."""

    def __init__(self, python_function: Callable[..., Any], input_signature: Any) -> None:
        self.python_function = python_function
        self.input_signature = None if input_signature is None else tuple(input_signature)
        self._traces: weakref.WeakKeyDictionary[Graph, dict[Any, ConcreteFunction]] = weakref.WeakKeyDictionary()
        functools.update_wrapper(self, python_function)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        concrete, tensors = self._traced(args, kwargs)
        return concrete._call(tensors)

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> ConcreteFunction:
        """The trace for these arguments, without a call. They may be TensorSpecs (anything with dtype and shape)."""
        return self._traced(args, kwargs)[0]

    def _traced(self, args: Any, kwargs: Any) -> tuple[ConcreteFunction, list[Tensor]]:
        flat = nest.flatten((args, kwargs))
        specs: list[Any] = []
        tensors: list[Tensor] = []
        for leaf in flat:
            if isinstance(leaf, Tensor | np.ndarray) or hasattr(leaf, "_as_graph_element"):
                tensor = convert_to_tensor(leaf)
                tensors.append(tensor)
                specs.append((tensor.dtype.base_dtype, tensor.raw_shape))
            elif hasattr(leaf, "dtype") and hasattr(leaf, "shape"):
                specs.append((as_dtype(leaf.dtype), TensorShape(leaf.shape).raw))
            else:
                specs.append(None)
        if self.input_signature is not None:
            specs = self._as_signed(specs)
        static = tuple(repr(leaf) for leaf, spec in zip(flat, specs, strict=True) if spec is None)
        graph = get_default_graph()
        traces = self._traces.setdefault(graph, {})
        key = (repr(nest.map_structure(lambda leaf: 0, (args, kwargs))), repr(specs), static)
        found = traces.get(key)
        if found is None:
            found = traces[key] = self._trace(graph, args, kwargs, flat, specs)
        return found, tensors

    def _as_signed(self, specs: list[Any]) -> list[Any]:
        wanted = nest.flatten(self.input_signature)
        if len(wanted) != len(specs):
            raise TypeError(f"The input_signature has {len(wanted)} arguments, {len(specs)} were given.")
        signed = []
        for spec, want in zip(specs, wanted, strict=True):
            dtype, shape = as_dtype(want.dtype), TensorShape(want.shape)
            if spec is None or spec[0] is not dtype or not TensorShape.from_raw(spec[1]).is_compatible_with(shape):
                raise TypeError(f"An argument does not fit the input_signature: it asks for {want}.")
            signed.append((dtype, shape.raw))
        return signed

    def _trace(self, graph: Graph, args: Any, kwargs: Any, flat: list[Any], specs: list[Any]) -> ConcreteFunction:
        def build(inputs: list[Tensor]) -> Any:
            rest = iter(inputs)
            leaves = [leaf if spec is None else next(rest) for leaf, spec in zip(flat, specs, strict=True)]
            inner_args, inner_kwargs = nest.pack_sequence_as((args, kwargs), leaves)
            return self.python_function(*inner_args, **inner_kwargs)

        given = [spec for spec in specs if spec is not None]
        arguments = [(f"arg_{i}", dtype, raw) for i, (dtype, raw) in enumerate(given)]
        label = getattr(self.python_function, "__name__", "function").strip("<>")
        name = f"__inference_{label}_{next(_serial)}"
        body, structure = traced(graph, name, arguments, build)
        define(graph, body, name)
        return ConcreteFunction(name, body, structure, captured(body, len(arguments)))


def function(
    func: Any = None,
    input_signature: Any = None,
    autograph: bool = True,
    jit_compile: Any = None,
    reduce_retracing: bool = False,
    experimental_implements: Any = None,
    experimental_autograph_options: Any = None,
    experimental_attributes: Any = None,
    experimental_relax_shapes: Any = None,
    experimental_compile: Any = None,
    experimental_follow_type_hints: Any = None,
) -> Any:
    """Makes a Python function of tensors a function of the graph: each call is one node (source: tf.function).

    Python's own `if` and `while` are not converted (TensorFlow's autograph): use `tf.cond` and `tf.while_loop`.

    Args:
      func: the function; without it, a decorator is returned.
      input_signature: specs (with dtype and shape) of the arguments; then one trace serves all.
      The other arguments are accepted and change nothing.
    """
    if func is None:
        return lambda inner: PolymorphicFunction(inner, input_signature)
    return PolymorphicFunction(func, input_signature)
