"""`Defun`: functions of the graph's library with declared types, called by their own name.

    @Defun(tf.float32, tf.float32)
    def scaled(x, y):
        return x * y, x + y

As TensorFlow has it in `tensorflow.python.framework.function`.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from typing import Any

from runstep.graph import nest
from runstep.graph.convert import convert_to_tensor
from runstep.graph.dtypes import DType, as_dtype
from runstep.graph.functions import Function, FunctionGraph, define
from runstep.graph.graph import Graph, get_default_graph, name_scope
from runstep.graph.tensor import Tensor
from runstep.graph.tracing import captured, traced

__all__ = ["Defun"]


class Defun:
    """Decorates a Python function to make it a function of the graph (source: framework.function.Defun).

    Args:
      input_types: the dtypes of its arguments; without them, those of each call.
      func_name: its name in the library. grad_func: the Defun that is its gradient: it takes the arguments and the
        gradients of the outputs. python_grad_func: makes the nodes of its gradient, as RegisterGradient's functions do.
      out_names, shape_func and others: accepted.

    Raises:
      ValueError: what is decorated is not callable, or takes another number of arguments.
    """

    def __init__(self, *input_types: Any, **kwargs: Any) -> None:
        self._input_types = [as_dtype(kind) for kind in input_types]
        self._name = kwargs.pop("func_name", None)
        self._grad_func = kwargs.pop("grad_func", None)
        self._python_grad_func = kwargs.pop("python_grad_func", None)

    def __call__(self, func: Callable[..., Any]) -> Any:
        if not callable(func):
            raise ValueError(f"Function {func} must be a callable.")
        least, most = _arguments(func)
        count = len(self._input_types)
        if self._input_types and not least <= count <= most:
            raise ValueError(
                f"The number of tf.function input types is not compatible with the allowed arguments of {func}. The "
                f"tf.function have {count} input types, while the python function allows minimum {least} and maximum "
                f"{most:.0f} arguments."
            )
        options = (self._name, self._grad_func, self._python_grad_func)
        if self._input_types or most == 0:
            return DefinedFunction(func, self._input_types, *options)
        return OverloadedFunction(func, *options)


def _arguments(func: Callable[..., Any]) -> tuple[int, float]:
    """How many positional arguments a function takes at least and at most."""
    least, most = 0, 0.0
    for parameter in inspect.signature(func).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            most = float("inf")
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            most += 1
            least += parameter.default is parameter.empty
    return least, most


class OverloadedFunction:
    """A Defun without declared types: one function for each list of types that it is called with."""

    def __init__(self, func: Callable[..., Any], name: Any, grad_func: Any, python_grad_func: Any) -> None:
        self._func = func
        self._options = (name, grad_func, python_grad_func)
        self._by_types: dict[tuple[DType, ...], DefinedFunction] = {}

    def instantiate(self, input_types: Any) -> DefinedFunction:
        """The function for arguments of these dtypes."""
        types = tuple(as_dtype(kind) for kind in input_types)
        if types not in self._by_types:
            self._by_types[types] = DefinedFunction(self._func, list(types), *self._options)
        return self._by_types[types]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        tensors = [convert_to_tensor(arg) for arg in args]
        return self.instantiate([tensor.dtype.base_dtype for tensor in tensors])(*tensors, **kwargs)


class DefinedFunction:
    """A Defun with its types. It is traced when it is first needed; what it uses from outside becomes an argument."""

    def __init__(
        self, func: Callable[..., Any], types: list[DType], name: Any, grad_func: Any, python_grad_func: Any
    ) -> None:
        self._func = func
        self._types = types
        self._name = name
        self._grad_func = grad_func
        self._python_grad_func = python_grad_func
        self._body: FunctionGraph | None = None
        self._captured: list[Tensor] = []

    @property
    def name(self) -> str:
        """Its name in the library."""
        self._trace()
        return str(self._name)

    @property
    def declared_input_types(self) -> tuple[DType, ...]:
        return tuple(self._types)

    @property
    def captured_inputs(self) -> list[Tensor]:
        """The outer tensors that it takes besides its arguments."""
        self._trace()
        return list(self._captured)

    @property
    def grad_func_name(self) -> str | None:
        return None if self._grad_func is None else self._grad_func.name

    @property
    def python_grad_func(self) -> Any:
        return self._python_grad_func

    @property
    def definition(self) -> Any:
        """Its FunctionDef."""
        return self.add_to_graph(get_default_graph()).definition

    def _trace(self) -> FunctionGraph:
        if self._body is None:
            names = [f"arg{i}" for i in range(len(self._types))]
            for i, parameter in enumerate(list(inspect.signature(self._func).parameters)[: len(names)]):
                names[i] = parameter
            arguments = [(name, kind, None) for name, kind in zip(names, self._types, strict=True)]

            def build(inputs: list[Tensor]) -> Any:
                found = self._func(*inputs)
                return found if nest.is_nested(found) else (found,)

            label = getattr(self._func, "__name__", "function").strip("<>")
            self._body, _ = traced(get_default_graph(), label, arguments, build, functional_flow=False)
            self._captured = captured(self._body, len(self._types))
            if self._name is None:
                text = repr([(op.type, op.name, op.inputs, sorted(op.attrs)) for op in self._body.get_operations()])
                self._name = f"{label}_{hashlib.sha1(text.encode()).hexdigest()[:11]}"  # noqa: S324
        return self._body

    def add_to_graph(self, graph: Graph) -> Function:
        """Puts it, and its gradient, into the library of a graph."""
        body = self._trace()
        found: Function | None = graph._functions.get(self._name)
        if found is None:
            body._finalized = False
            define(graph, body, self._name)
            found = graph._functions[self._name]
            found.python_gradient = self._python_grad_func
            if self._grad_func is not None:
                self._grad_func.add_to_graph(graph)
                found.gradient_name = self._grad_func.name
        return found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Adds a node that calls it. Returns its output, a tuple of several, or the Operation of none.

        Raises:
          ValueError: the number or dtypes of the arguments are not those declared.
        """
        if len(args) != len(self._types):
            raise ValueError(f"Expected {len(self._types)} arguments, got {len(args)}.")
        graph = get_default_graph()
        function = self.add_to_graph(graph)
        with name_scope(kwargs.get("name"), self.name, args) as scope:
            tensors = [convert_to_tensor(arg) for arg in args]
        for position, (tensor, kind) in enumerate(zip(tensors, self._types, strict=True)):
            if tensor.dtype.base_dtype is not kind:
                argument = function.signature.inputs[position].name
                raise ValueError(
                    f"Input '{argument}' passed {tensor.dtype.base_dtype.name} expected {kind.name} while building "
                    f"NodeDef '{scope[:-1]}' of function {self.name}"
                )
        inputs = (*tensors, *self._captured)
        body = self._trace()
        with graph.control_dependencies(list(body.awaited)):
            op = graph._create(function.signature, self.name, inputs, {}, scope)
        for tensor, inside in zip(op.outputs, body.outputs, strict=True):
            tensor._handle_data = inside._handle_data
        return op if not op.outputs else op.outputs[0] if len(op.outputs) == 1 else op.outputs
