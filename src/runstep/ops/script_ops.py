"""Python functions in a graph: `tf.py_func` and its kin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runstep.graph import dtypes
from runstep.graph.apply import apply_op
from runstep.graph.graph import get_default_graph
from runstep.kernels import scripts
from runstep.ops.registry import op

__all__ = ["numpy_function", "py_func", "py_function"]

op(
    "PyFunc",
    "input: Tin -> output: Tout",
    "token: string",
    "Tin: list(type) >= 0",
    "Tout: list(type) >= 0",
    stateful=True,
)
op("PyFuncStateless", "input: Tin -> output: Tout", "token: string", "Tin: list(type) >= 0", "Tout: list(type) >= 0")
op(
    "EagerPyFunc",
    "input: Tin -> output: Tout",
    "token: string",
    "is_async: bool = false",
    "Tin: list(type) >= 0",
    "Tout: list(type) >= 0",
    stateful=True,
)


def _node(op_type: str, func: Any, inp: Any, Tout: Any, name: str | None, converts: bool = False) -> Any:
    if not callable(func):
        raise ValueError(f"Expected func to be callable. Received func={func} of type {type(func)}.")
    is_list = isinstance(Tout, list | tuple)
    types = [dtypes.as_dtype(kind) for kind in (Tout if is_list else [Tout])]
    script = scripts.register(func, converts)
    graph: Any = get_default_graph()
    while getattr(graph, "outer_graph", None) is not None:
        graph = graph.outer_graph
    graph.__dict__.setdefault("_py_funcs", []).append(script)  # lives as long as the graph
    inputs = list(inp)
    more = {"_awaits": True} if script.awaits else {}
    made = apply_op(op_type, inputs, token=script.token, Tout=types, name=name, **more)
    if not types and op_type != "PyFuncStateless":
        return made
    return list(made.outputs) if is_list else made.outputs[0]


def py_func(func: Callable[..., Any], inp: Any, Tout: Any, stateful: bool = True, name: str | None = None) -> Any:
    """Calls a Python function with the inputs' values (source: tf.py_func).

    Args:
      func: takes numpy arrays (numpy scalars and bytes for rank 0) and returns an array, or a list of arrays. It may
        be a coroutine function: then it is awaited, in the session's trio loop, and blocks no thread.
      inp: a list of tensors. Tout: the dtype of the result, or a list of dtypes.
      stateful: whether two calls with the same inputs may differ; else the node may be run once for both.

    Returns:
      A tensor, or a list of them when Tout is a list, of unknown shapes; the operation when Tout is empty.

    Raises (in the run):
      InvalidArgumentError: the function returned another number of values, or other dtypes.
      Any other error: by the class of what the function raised, which is its `__cause__`.
    """
    return _node("PyFunc" if stateful else "PyFuncStateless", func, inp, Tout, name)


def numpy_function(
    func: Any = None, inp: Any = None, Tout: Any = None, stateful: bool = True, name: str | None = None
) -> Any:
    """As `py_func` (source: tf.numpy_function)."""
    return py_func(func, inp, Tout, stateful, name)


def py_function(func: Any = None, inp: Any = None, Tout: Any = None, name: str | None = None) -> Any:
    """As `py_func`, but the function gets tensors with values (source: tf.py_function).

    They have `numpy()`, can be used where Python wants a value, and go into TensorFlow's functions; `func` may return
    what these make of them. Results are converted to `Tout`. The gradient calls `func` again, and differentiates
    what it did with its tensors; what it makes of values is constant. A coroutine function gets numpy arrays.
    """
    return _node("EagerPyFunc", func, inp, Tout, name, converts=True)
