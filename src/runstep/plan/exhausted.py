"""The error of a step that does not fit into the memory of a device: what it would hold, and what holds the rest."""

from __future__ import annotations

from typing import Any

from runstep import errors
from runstep.graph import shapes
from runstep.graph.shapes import RawShape
from runstep.kernels.shared import type_text
from runstep.memory import MemoryStatistics, readable
from runstep.plan.estimate import Need
from runstep.plan.node import Ref

_SHOWN = 10


def refusal(need: Need, size: int, statistics: MemoryStatistics) -> errors.OpError:
    """The error of a step that would take `size` bytes of a device, and never gets them.

    Its notes list the largest tensors that would live at the worst moment, and the largest variables and queues there.
    """
    device, projection = need.device, need.projection
    node = projection.at
    op = None if node is None else node.op
    text = "OOM when allocating tensors"
    if op is not None and op.outputs:
        made = [(index, raw) for (other, index), _, raw in projection.live if other is node]
        index, raw = made[0] if made else (0, op.outputs[0].raw_shape)
        if (shapes.num_elements(raw) or 0) >= 2**63:  # not too much for this device, but for any tensor
            return errors.InvalidArgumentError(
                None, op, f"Shape {shapes.text(raw)} would have more than 2**63 - 1 elements"
            )
        text = f"OOM when allocating tensor with shape{shapes.text(raw)} and type {type_text(op.outputs[index].dtype)}"
    error = errors.ResourceExhaustedError(
        None,
        op,
        f"{text} on {device.name}: the step needs {readable(size)} at once, but the limit is "
        f"{readable(statistics.limit)}, of which {readable(statistics.in_use)} are in use (peak "
        f"{readable(statistics.peak)}). Raise it with Session(memory_limit=...), feed less at once, or fetch less.",
    )
    rows = [
        f"  {nbytes:>14,} bytes  {_name(ref, raw)} ({_why(ref, node)})" for ref, nbytes, raw in projection.live[:_SHOWN]
    ]
    if rows:
        more = len(projection.live) - _SHOWN
        error.add_note("\n".join(["Largest live tensors of the step:", *rows, *([f"  and {more} more"] * (more > 0))]))
    held = sorted(((int(getattr(r, "nbytes", 0)), f"{t} {n}") for _, t, n, r in device.resources), reverse=True)
    rows = [f"  {nbytes:>14,} bytes  {name}" for nbytes, name in held[:_SHOWN] if nbytes]
    if rows:
        error.add_note("\n".join(["Largest variables and queues there:", *rows]))
    return error


def _name(ref: Ref, raw: RawShape) -> str:
    node, index = ref
    tensor = node.op.outputs[index]  # type: ignore[union-attr]
    return f"{tensor.name} {tensor.dtype.name}{shapes.text(raw)}"


def _why(ref: Ref, at: Any) -> str:
    """Why a tensor is alive when `at` runs."""
    if ref[0] is at:
        return "made there"
    if at is not None and any(source is ref[0] for source, _ in at.inputs):
        return f"read by {at.name}"
    return "needed later or fetched"
