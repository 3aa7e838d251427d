"""Nodes in error messages, as TensorFlow writes them."""

from __future__ import annotations

import contextlib
from typing import Any

from runstep.graph import shapes
from runstep.graph.dtypes import DType
from runstep.graph.operation import Operation


def node_text(op: Operation) -> str:
    attrs = ", ".join(f"{key}={_attr_text(op.attrs[key])}" for key in sorted(op.attrs) if not key.startswith("_"))
    inputs = ", ".join(t.op.name if t.value_index == 0 else t.name for t in op.inputs)
    return f"{{{{node {op.name}}}}} = {op.type}[{attrs}]({inputs})"


def shapes_text(op: Operation) -> str:
    text = f"input shapes: {', '.join(shapes.text(t.raw_shape) for t in op.inputs)}"
    known = [(i, op.constant(i)) for i in _asked(op)]
    small = [f"input[{i}] = {_array_text(value)}" for i, value in known if value is not None and value.size <= 16]
    return f"{text} and with computed input tensors: {', '.join(small)}." if small else text + "."


class _Watched:
    """An operation that notes which input values its shape rule asks for."""

    def __init__(self, op: Operation) -> None:
        self._op = op
        self.asked: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._op, name)

    def constant(self, index: int) -> Any:
        self.asked.add(index)
        return self._op.constant(index)

    def constant_shape(self, index: int) -> Any:
        self.asked.add(index)
        return self._op.constant_shape(index)


def _asked(op: Operation) -> list[int]:
    """The inputs whose values the failing shape rule looked at."""
    watched = _Watched(op)
    with contextlib.suppress(ValueError):
        op.op_def.shape(watched)  # type: ignore[union-attr, misc]
    return sorted(watched.asked)


def _array_text(value: Any) -> str:
    return f"<{' '.join(map(str, value.ravel()))}>" if value.ndim else f"<{value[()]}>"


def _attr_text(value: Any) -> str:
    if isinstance(value, DType):
        name = value.name.upper()
        return "DT_" + {"FLOAT32": "FLOAT", "FLOAT64": "DOUBLE", "FLOAT16": "HALF"}.get(name, name)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return '"' + value.decode("utf-8", "replace") + '"'
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_attr_text, value)) + "]"
    return str(value)
