"""Programs run on both libraries: their graphs, what they say and what they raise must agree."""

from __future__ import annotations

import contextlib
import importlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import runstep
from runstep.testing.building import _plain, nodes
from runstep.testing.oracle import tensorflow


@contextlib.contextmanager
def _version_one() -> Iterator[Any]:
    """TensorFlow 1's behaviour, put back to what it was at the end: other tests share the process."""
    real = tensorflow().compat.v1
    real.logging.set_verbosity(real.logging.FATAL)  # it reports every unused initializer
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # it deprecates much of its first version
        for enabled, disable, enable in (
            (real.control_flow_v2_enabled, real.disable_control_flow_v2, real.enable_control_flow_v2),
            (real.resource_variables_enabled, real.disable_resource_variables, real.enable_resource_variables),
        ):
            if enabled():
                disable()
                stack.callback(enable)
        version = importlib.import_module("tensorflow.python.tf2")
        if version.enabled():  # the initializers of layers ask
            version.disable()
            stack.callback(version.enable)
        real.disable_tensor_equality()
        stack.callback(real.enable_tensor_equality)
        yield real


class _Near(list[float]):
    """Floats that equal others up to rounding."""

    def __eq__(self, other: Any) -> bool:
        return np.shape(other) == np.shape(self) and np.allclose(other, self, rtol=1e-4, atol=1e-6, equal_nan=True)


def _shown(value: Any) -> Any:
    """A result in a form that compares equal between the libraries."""
    if hasattr(value, "dtype") and hasattr(value, "get_shape"):
        shape = value.get_shape()
        name = getattr(value, "name", "")
        return name, value.dtype.name, None if shape.ndims is None else shape.as_list()
    if hasattr(value, "node_def"):
        return value.name, value.type
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.kind == "f":
            return value.dtype.name, value.shape, _Near(value.ravel().tolist())
        if value.dtype.kind == "c":
            return value.dtype.name, value.shape, _Near([*value.real.ravel().tolist(), *value.imag.ravel().tolist()])
        return value.dtype.name, value.shape, value.ravel().tolist()
    if isinstance(value, dict):
        return {key: _shown(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(item) for item in value]
    if hasattr(value, "as_list"):
        return value.as_list() if value.ndims is not None else None
    if type(value).__module__.startswith(("tensorflow", "runstep")):
        return getattr(value, "name", None) or type(value).__name__
    return value


class Raised:
    """An error that a step of a program raised."""

    def __init__(self, error: Exception) -> None:
        self.kind, self.text = type(error).__name__, _plain(str(error).split("\n")[0])

    def __repr__(self) -> str:
        return f"{self.kind}: {self.text}"


class Log:
    """What a program says: `log(value)`; `log.tried(function)` for what may raise."""

    def __init__(self) -> None:
        self.entries: list[Any] = []

    def __call__(self, *values: Any) -> None:
        self.entries.extend(_shown(value) for value in values)

    def tried(self, function: Callable[[], Any]) -> Any:
        try:
            value = function()
        except Exception as error:
            self.entries.append(Raised(error))
            return None
        self(value)
        return value


Program = Callable[[Any, Log], None]


def _run(library: Any, program: Program) -> tuple[list[Any], list[Any]]:
    log = Log()
    found = nodes(library, lambda tf: program(tf, log))
    if found and isinstance(found[0], str):
        raise AssertionError(f"{found[0]}: {found[1]}")
    return log.entries, found


def same(program: Program, ordered: bool = True, graph: bool = True, texts: bool = True) -> None:
    """Runs `program(tf, log)` on both libraries, in an empty graph.

    The nodes must be the same (in the same order unless not `ordered`), and what is logged; of errors the class must
    agree, and TensorFlow's first line must be in ours. `graph=False` does not compare the nodes.
    """
    with _version_one() as real:
        want, want_nodes = _run(real, program)
    got, got_nodes = _run(runstep, program)
    for position, (theirs, ours) in enumerate(zip(want, got, strict=True)):
        note = f"entry {position}\nTensorFlow: {theirs}\nrunstep:    {ours}"
        if isinstance(theirs, Raised):
            assert isinstance(ours, Raised) and ours.kind == theirs.kind, note
            assert not texts or theirs.text in ours.text, note
        else:
            assert ours == theirs, note
    if not graph:
        return
    if not ordered:
        want_nodes, got_nodes = sorted(want_nodes), sorted(got_nodes)
    for theirs, ours in zip(want_nodes, got_nodes, strict=False):
        assert ours == theirs, f"TensorFlow: {theirs}\nrunstep:    {ours}"
    assert len(want_nodes) == len(got_nodes), [want_nodes[len(got_nodes) :], got_nodes[len(want_nodes) :]]
