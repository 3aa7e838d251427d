"""Ops with state are compared with TensorFlow by programs: the same graph, built and run on both.

    def program(api):
        v = api.variable([1.0, 2.0])
        api.run(api.op("AssignAdd", v, [1.0, 1.0]))
        api.run(v)

    compare(program)

Every value that `api.run` fetched, the static shape of what it fetched, and the class of every error must agree.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from runstep.testing import oracle


class Failed:
    """The outcome of a run or a construction that raised."""

    def __init__(self, error: Exception) -> None:
        self.kind = type(error).__name__
        self.text = str(getattr(error, "message", error))

    def __repr__(self) -> str:
        return f"{self.kind}: {_phrase(self.text)}"


class Api:
    """What a program sees of one of the two libraries. `log` collects the outcomes in order."""

    name = ""
    graph: Any
    session: Any

    def __init__(self) -> None:
        self.log: list[Any] = []

    # What the two libraries do.

    def op(self, op_type: str, *inputs: Any, **attrs: Any) -> Any:
        """One node, by positional inputs and attributes (dtypes by name, shapes as lists)."""
        raise NotImplementedError

    def constant(self, value: Any, dtype: str | None = None) -> Any:
        raise NotImplementedError

    def placeholder(self, dtype: str, shape: Any = None) -> Any:
        raise NotImplementedError

    def hidden(self, value: Any, dtype: str | None = None) -> Any:
        """A tensor of this value whose shape and value are not known statically."""
        raise NotImplementedError

    def after(self, first: Any, make: Callable[[], Any]) -> Any:
        """`make()` under a control dependency on `first`."""
        raise NotImplementedError

    def _run(self, fetches: Any, feeds: dict[Any, Any] | None) -> Any:
        raise NotImplementedError

    # What programs are written with.

    def variable(self, value: Any, dtype: str = "float32", name: str = "v", shape: Any = None) -> Any:
        """An initialized ref variable."""
        initial = self.constant(value, dtype)
        ref = self.op("VariableV2", shape=_shape(value) if shape is None else shape, dtype=dtype, name=name)
        self._run(self.op("Assign", ref, initial), None)
        return ref

    def resource(self, value: Any, dtype: str = "float32", name: str = "r", shape: Any = None) -> Any:
        """The handle of an initialized resource variable."""
        initial = self.constant(value, dtype)
        shape = _shape(value) if shape is None else shape
        handle = self.op("VarHandleOp", shape=shape, dtype=dtype, shared_name=name)
        self._run(self.op("AssignVariableOp", handle, initial), None)
        return handle

    def read(self, handle: Any, dtype: str = "float32") -> Any:
        """Runs ReadVariableOp."""
        return self.run(self.op("ReadVariableOp", handle, dtype=dtype))

    def run(self, fetches: Any, feeds: dict[Any, Any] | None = None) -> Any:
        """Runs and logs one fetch, an operation, or a list of these. Returns the value, or None where it failed."""
        try:
            value = self._run(fetches, feeds)
        except Exception as error:  # noqa: BLE001 - every error is an outcome to compare
            self.log.append(Failed(error))
            return None
        self.log.append(value)
        for fetch in fetches if isinstance(fetches, list) else [fetches]:
            if hasattr(fetch, "get_shape"):
                shape = fetch.get_shape()
                self.log.append(f"static shape {None if shape.ndims is None else shape.as_list()}")
        return value

    def build(self, op_type: str, *inputs: Any, **attrs: Any) -> Any:
        """As `op`, for a construction that may be refused: logs whether it was."""
        try:
            made = self.op(op_type, *inputs, **attrs)
        except Exception as error:  # noqa: BLE001 - every error is an outcome to compare
            self.log.append(Failed(error))
            return None
        self.log.append("built")
        return made


def _shape(value: Any) -> list[int]:
    return list(np.shape(value))


class TensorFlowApi(Api):
    name = "TensorFlow"

    def __init__(self) -> None:
        super().__init__()
        self.tf = oracle.tensorflow().compat.v1
        self.graph = self.tf.Graph()
        self.session = self.tf.Session(graph=self.graph)

    def op(self, op_type: str, *inputs: Any, **attrs: Any) -> Any:
        function = getattr(self.tf.raw_ops, op_type)
        names = [arg.name for arg in oracle.op_def(op_type).input_arg]
        return function(**dict(zip(names, inputs, strict=True)), **attrs)

    def constant(self, value: Any, dtype: str | None = None) -> Any:
        return self.tf.constant(value, dtype)

    def placeholder(self, dtype: str, shape: Any = None) -> Any:
        return self.tf.placeholder(dtype, shape)

    def hidden(self, value: Any, dtype: str | None = None) -> Any:
        return self.tf.placeholder_with_default(self.constant(value, dtype), None)

    def after(self, first: Any, make: Callable[[], Any]) -> Any:
        with self.graph.control_dependencies([first]):
            return make()

    def _run(self, fetches: Any, feeds: dict[Any, Any] | None) -> Any:
        return self.session.run(fetches, feeds)


class RunstepApi(Api):
    name = "runstep"

    def __init__(self) -> None:
        from runstep.graph.graph import Graph
        from runstep.session.session import Session

        super().__init__()
        self.graph = Graph()
        self.session = Session(graph=self.graph)

    def op(self, op_type: str, *inputs: Any, **attrs: Any) -> Any:
        from runstep.graph.apply import apply

        return apply(op_type, *inputs, **attrs)

    def constant(self, value: Any, dtype: str | None = None) -> Any:
        from runstep.ops.basic import constant

        return constant(value, dtype)

    def placeholder(self, dtype: str, shape: Any = None) -> Any:
        from runstep.ops.basic import placeholder

        return placeholder(dtype, shape)

    def hidden(self, value: Any, dtype: str | None = None) -> Any:
        from runstep.ops.basic import placeholder_with_default

        return placeholder_with_default(self.constant(value, dtype), None)

    def after(self, first: Any, make: Callable[[], Any]) -> Any:
        with self.graph.control_dependencies([first]):
            return make()

    def _run(self, fetches: Any, feeds: dict[Any, Any] | None) -> Any:
        return self.session.run(fetches, feeds)


def compare(
    program: Callable[[Any], None],
    rtol: float = 1e-6,
    atol: float = 0.0,
    texts: bool = False,
) -> None:
    """Fails unless `program` has the same outcomes on TensorFlow and on runstep.

    Args:
      rtol, atol: how far floats may differ.
      texts: also the first lines of the messages of errors must be contained in ours.
    """
    agree(outcomes(TensorFlowApi(), program), outcomes(RunstepApi(), program), rtol, atol, texts)


def outcomes(api: Api, program: Callable[[Any], None]) -> list[Any]:
    """What a program's runs gave on one of the libraries."""
    with api.graph.as_default(), api.session:
        program(api)
    return api.log


def agree(theirs: list[Any], ours: list[Any], rtol: float = 1e-6, atol: float = 0.0, texts: bool = False) -> None:
    """Fails unless the outcomes are the same. See `compare`."""
    for i, (want, got) in enumerate(itertools.zip_longest(theirs, ours, fillvalue="nothing")):
        note = f"outcome {i}: TensorFlow {want!r}, runstep {got!r}"
        if isinstance(want, Failed) or isinstance(got, Failed):
            assert isinstance(want, Failed) and isinstance(got, Failed) and want.kind == got.kind, note
            if texts:
                assert _phrase(want.text) in got.text, note
            continue
        _same(want, got, rtol, atol, note)


def _phrase(text: str) -> str:
    if "Node: '" in text:
        text = text.split("Node: '", 1)[1].split("\n", 1)[1]
    return text.strip().split("\n")[0].split(" for '{{node")[0]


def _same(want: Any, got: Any, rtol: float, atol: float, note: str) -> None:
    if want is None or isinstance(want, str):
        assert want == got, note
        return
    if isinstance(want, (list, tuple)):
        assert isinstance(got, (list, tuple)) and len(got) == len(want), note
        for x, y in zip(want, got, strict=True):
            _same(x, y, rtol, atol, note)
        return
    x, y = np.asarray(want), np.asarray(got)
    assert x.dtype == y.dtype and x.shape == y.shape, f"{note} ({x.dtype} {x.shape}, {y.dtype} {y.shape})"
    if x.dtype.kind in "fcV":
        if x.dtype.kind == "V":
            x, y = x.astype(np.float32), y.astype(np.float32)
        assert x == pytest.approx(y, rel=rtol, abs=atol, nan_ok=True), note
    else:
        assert np.array_equal(x, y), note
