"""Errors of a run as users see them: the node, where it was made, its device and inputs, and the kernel's own words
(S182)."""

from __future__ import annotations

import re
from types import TracebackType
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph.operation import Operation
from runstep.plan.emit import inputs_at_work, node_at_work
from runstep.plan.node import OpView, PlanNode

# A kernel that is a bare ufunc says so when its operands don't fit.
_UFUNC_SHAPES = re.compile(
    r"(?:operands could not be broadcast together with shapes|shape mismatch: objects cannot be broadcast) (.*)"
)
# numpy refuses a size that no machine has memory for before it asks for the memory.
_TOO_BIG = re.compile(r"array is too big|Maximum allowed (?:dimension|size) exceeded")
_NO_MEMORY = "OOM when computing it: the machine has no memory left."


def failed_node(traceback: TracebackType | None) -> PlanNode | None:
    """The node whose kernel was running: told from the line of emitted code that the traceback goes through."""
    return _at_work(traceback)[0]


def _at_work(traceback: TracebackType | None) -> tuple[PlanNode | None, TracebackType | None]:
    """That node, and where in the traceback it was told from."""
    found: tuple[PlanNode | None, TracebackType | None] = (None, None)
    while traceback is not None:
        node = node_at_work(traceback)
        if node is not None:
            found = node, traceback
        traceback = traceback.tb_next
    return found


def explained(error: BaseException) -> BaseException:
    """The error that `run` raises for what happened inside a step.

    An OpError keeps its class, gets its operation, and TensorFlow's text around its own; what is no OpError (a bug, or
    no memory) becomes one, with the original as its cause. KeyboardInterrupt and the like stay what they are.
    """
    if not isinstance(error, Exception) or isinstance(error, WaitsForItself):
        return error
    node, place = _at_work(error.__traceback__)
    if isinstance(error, errors.OpError):
        if isinstance(error, StepTimeout):
            return _timed_out(error, node)
        op = error.op if error.op is not None else _operation(node)
        cls: Any = type(error)
        found = cls(None if op is None else op.node_def, op, message(op, error.message, node))
        for note in getattr(error, "__notes__", ()):
            found.add_note(note)
        found.__cause__ = error.__cause__
    else:
        op = _operation(node)
        if isinstance(error, MemoryError) or (type(error) is ValueError and _TOO_BIG.match(str(error))):
            found = errors.ResourceExhaustedError(None, op, message(op, f"{_NO_MEMORY} {error}".strip(), node))
        elif type(error) is ValueError and (match := _UFUNC_SHAPES.match(str(error))):
            found = errors.InvalidArgumentError(None, op, message(op, _incompatible(match[1]), node))
        else:
            text = f"{type(error).__name__}: {error}"
            found = errors.InternalError(None, op, message(op, text, node))
        found._node_def = None if op is None else op.node_def
        found.__cause__ = error
    if node is not None and node.op is not None:
        found.add_note(f"{node.type} on {node.device} with inputs {_inputs(node, place)}")
    return found


def _operation(node: PlanNode | None) -> Operation | None:
    """The operation of the graph that a node comes from."""
    op = None if node is None else node.op
    return op.origin if isinstance(op, OpView) else op


def _timed_out(error: errors.OpError, node: PlanNode | None) -> errors.OpError:
    found = errors.DeadlineExceededError(None, None, message(None, error.message))
    notes = getattr(error, "__notes__", ())
    for note in notes:
        found.add_note(note)
    if node is not None and not any(note.startswith("waiting: ") for note in notes):
        found.add_note(f"It was at {node.name} ({node.type}).")
    return found


class WaitsForItself(RuntimeError):
    """A synchronous call would block the very loop that has to run it."""


class StepTimeout(errors.DeadlineExceededError):
    """A step was not done in time. It is of the step as a whole, and names no operation (S115)."""


def _incompatible(numpy_shapes: str) -> str:
    """numpy's "(2,3) (4,)" in TensorFlow's words."""
    shapes = [shape.replace(" ", "").rstrip(",") for shape in re.findall(r"\(([\d, ]*)\)", numpy_shapes)]
    return f"Incompatible shapes: {' vs. '.join(f'[{shape}]' for shape in shapes)}"


def message(op: Operation | None, text: str, node: PlanNode | None = None) -> str:
    """TensorFlow's frame around a kernel's text."""
    if text.startswith("Graph execution error:"):
        return text
    if op is None:
        return f"Graph execution error:\n\n{text}"
    frames = "".join(f'    File "{frame.filename}", line {frame.lineno}, in {frame.name}\n' for frame in op.traceback)
    tail = "" if "{{node " in text else f"\n\t [[{{{{node {op.name}}}}}]]"
    return (
        f"Graph execution error:\n\nDetected at node '{op.name}' defined at (most recent call last):\n{frames}"
        f"Node: '{op.name}'\n{text}{tail}"
    )


def _inputs(node: PlanNode, place: TracebackType | None) -> str:
    """The inputs of a node that failed, with the shapes that they had; where those are lost, with the graph's."""
    values = [] if place is None else inputs_at_work(place)
    if len(values) < len(node.inputs):
        values = [None if source.known is None else source.known[output] for source, output in node.inputs]
    parts = []
    for tensor, value in zip(node.op.inputs, values, strict=False):  # type: ignore[union-attr]
        shape = value.shape if isinstance(value, np.ndarray | np.generic) else tensor.raw_shape
        text = "<unknown>" if shape is None else "[" + ",".join("?" if s is None else str(s) for s in shape) + "]"
        parts.append(f"{tensor.name}: {tensor.dtype.name}{text}")
    return ", ".join(parts) or "none"
