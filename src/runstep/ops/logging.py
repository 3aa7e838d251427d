"""Printing and asserting: `tf.Print`, `tf.print`, `tf.Assert`."""

from __future__ import annotations

import logging
import pprint
import sys
from typing import Any

from runstep.graph.apply import apply
from runstep.graph.composite import SparseTensor
from runstep.graph.convert import convert_to_tensor
from runstep.graph.dtypes import int32, string
from runstep.graph.graph import name_scope
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.basic import no_op
from runstep.ops.common import Shapes, nothing, unchanged
from runstep.ops.registry import op
from runstep.ops.strings import string_format

__all__ = ["Assert", "Print", "print"]


def _message(op: Any) -> Shapes:
    rank = None if op.inputs[0].raw_shape is None else len(op.inputs[0].raw_shape)
    if rank:
        raise ValueError(f"input must be a scalar, but has rank: {rank}")
    return []


op(
    "Print",
    "input: T, data: U -> output: T",
    "T: type",
    "U: list(type) >= 0",
    "message: string = ''",
    "first_n: int = -1",
    "summarize: int = 3",
    shape=unchanged,
    stateful=True,
)
op(
    "PrintV2",
    "input: string -> ",
    "output_stream: string = 'stderr'",
    "end: string = '\\n'",
    shape=_message,
    stateful=True,
)
op("Assert", "condition: bool, data: T -> ", "T: list(type) >= 1", "summarize: int = 3", shape=nothing, stateful=True)
op("Abort", " -> ", "error_msg: string = ''", "exit_without_error: bool = false", shape=nothing)


def Print(  # noqa: N802 - TensorFlow's name
    input_: Any,
    data: Any,
    message: str | None = None,
    first_n: int | None = None,
    summarize: int | None = None,
    name: str | None = None,
) -> Tensor:
    """`input_`, and each time it is computed `data` is printed to stderr (source: tf.Print).

    Args:
      data: a list of tensors. message: printed in front. first_n: only so many times.
      summarize: so many elements of each tensor, 3 by default, -1 for all.
    """
    return apply("Print", input_, data, message=message, first_n=first_n, summarize=summarize, name=name)


class _Place:
    """Stands for a tensor in a structure that is about to be printed."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _is_named(value: Any) -> bool:
    return isinstance(value, tuple) and hasattr(value, "_fields")


def _with_places(value: Any, mark: str, tensors: list[Tensor]) -> Any:
    """`value` with `_Place`s for its tensors, which are appended to `tensors` in the order of printing."""
    if isinstance(value, SparseTensor):
        tensors += [value.indices, value.values, value.dense_shape]
        return _Place(f"'SparseTensor(indices={mark}, values={mark}, shape={mark})'")
    if isinstance(value, Tensor) or hasattr(value, "_as_graph_element"):
        tensors.append(convert_to_tensor(value))
        return _Place(mark)
    if isinstance(value, list | tuple):
        items = [_with_places(item, mark, tensors) for item in value]
        return type(value)(*items) if _is_named(value) else type(value)(items)
    if isinstance(value, dict):
        keys = list(value) if hasattr(value, "move_to_end") else sorted(value, key=str)
        return type(value)((key, _with_places(value[key], mark, tensors)) for key in keys)
    return value


def print(*inputs: Any, **kwargs: Any) -> Operation:
    """The operation that prints its inputs in one line (source: tf.print).

    Args:
      inputs: tensors, Python objects, or structures with tensors in them.
      output_stream: sys.stderr (the default), sys.stdout, a function of `tf.logging` or `logging` (info, warning,
        error), or "file://path". summarize: so many elements at either end of each dimension, 3 by default, -1 for
        all. sep: between inputs, " " by default. end: after them. name: of the operation.

    Raises:
      ValueError: an unknown keyword or output stream.
    """
    stream = kwargs.pop("output_stream", sys.stderr)
    name = kwargs.pop("name", None)
    summarize = kwargs.pop("summarize", 3)
    sep = kwargs.pop("sep", " ")
    end = kwargs.pop("end", "\n")
    if kwargs:
        raise ValueError(f"Unrecognized keyword arguments for tf.print: {kwargs}")
    target = _target(stream)
    if len(inputs) == 1 and isinstance(inputs[0], Tensor) and inputs[0].dtype is string and inputs[0].raw_shape == ():
        text = inputs[0]
    else:
        mark = "{}"
        while mark in repr(inputs):
            mark = f"{{{mark}}}"
        tensors: list[Tensor] = []
        parts = []
        for value in inputs:
            value = _with_places(value, mark, tensors)
            parts.append(value if isinstance(value, str) else pprint.pformat(value))
        text = string_format(
            sep.join(parts),
            tensors,
            placeholder=mark,
            summarize=summarize,
            name=None if name is None else f"{name}_format",
        )
    return apply("PrintV2", text, output_stream=target, end=end, name=name)


def _target(stream: Any) -> str:
    if stream is sys.stderr:
        return "stderr"
    if stream is sys.stdout:
        return "stdout"
    if isinstance(stream, str) and stream.startswith("file://"):
        return stream
    level = getattr(stream, "__name__", None) if callable(stream) else None
    if level in ("info", "warning", "warn", "error") and _is_logging(stream):
        return "log(warning)" if level == "warn" else f"log({level})"
    raise ValueError(
        f"Unsupported output stream, logging level, or file.{stream}. Supported streams are sys.stdout, sys.stderr, "
        "tf.logging.info, tf.logging.warning, tf.logging.error. File needs to be in the form of 'file://<filepath>'."
    )


def _is_logging(function: Any) -> bool:
    module = getattr(function, "__module__", "") or ""
    return isinstance(getattr(function, "__self__", None), logging.Logger) or module.rpartition(".")[2] in (
        "logging",
        "tf_logging",
    )


def Assert(condition: Any, data: Any, summarize: int | None = None, name: str | None = None) -> Any:  # noqa: N802
    """The operation that fails, showing `data`, unless `condition` is true (source: tf.Assert).

    Args:
      condition: a bool of rank 0. data: a list of tensors.
      summarize: so many elements of each are shown, 3 by default, -1 for all.
    """
    import runstep

    with name_scope(name, "Assert", [condition, data]):
        values = data if not isinstance(data, list | tuple) else [convert_to_tensor(value) for value in data]
        plain = not isinstance(values, list) or all(value.dtype in (string, int32) for value in values)
        # Data are computed only when they are to be shown, where that may cost something.
        if plain or not hasattr(runstep, "cond"):
            return apply("Assert", condition, data, summarize=summarize)
        condition = convert_to_tensor(condition, name="Condition")

        def fail() -> Operation:
            return apply("Assert", condition, data, summarize=summarize)

        return runstep.cond(condition, no_op, fail, name="AssertGuard").op
