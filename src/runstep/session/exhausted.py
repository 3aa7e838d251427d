"""The error of a step that does not fit into the memory of a device: what it would hold, and what holds the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runstep import errors
from runstep.graph import shapes
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
        made = [ref for ref, _ in projection.live if ref[0] is node]
        tensor = op.outputs[made[0][1] if made else 0]
        text = f"OOM when allocating tensor with {_tensor(tensor, made[0] if made else None, projection.live)}"
    error = errors.ResourceExhaustedError(
        None,
        op,
        f"{text} on {device.name}: the step needs {readable(size)} at once, but the limit is "
        f"{readable(statistics.limit)}, of which {readable(statistics.in_use)} are in use (peak "
        f"{readable(statistics.peak)}). Raise it with Session(memory_limit=...), feed less at once, or fetch less.",
    )
    rows = [f"  {nbytes:>14,} bytes  {_name(ref)} ({_why(ref, node)})" for ref, nbytes in projection.live[:_SHOWN]]
    if rows:
        more = len(projection.live) - _SHOWN
        error.add_note("\n".join(["Largest live tensors of the step:", *rows, *([f"  and {more} more"] * (more > 0))]))
    held = sorted(((int(getattr(r, "nbytes", 0)), f"{t} {n}") for _, t, n, r in device.resources), reverse=True)
    rows = [f"  {nbytes:>14,} bytes  {name}" for nbytes, name in held[:_SHOWN] if nbytes]
    if rows:
        error.add_note("\n".join(["Largest variables and queues there:", *rows]))
    return error


def _tensor(tensor: Any, ref: Ref | None, live: Sequence[tuple[Ref, int]]) -> str:
    raw = tensor.raw_shape
    if shapes.num_elements(raw) is None and ref is not None:
        nbytes = next(size for other, size in live if other == ref)
        return f"shape{shapes.text(raw)} ({readable(nbytes)}) and type {type_text(tensor.dtype)}"
    return f"shape{shapes.text(raw)} and type {type_text(tensor.dtype)}"


def _name(ref: Ref) -> str:
    node, index = ref
    tensor = node.op.outputs[index]  # type: ignore[union-attr]
    return f"{tensor.name} {tensor.dtype.name}{shapes.text(tensor.raw_shape)}"


def _why(ref: Ref, at: Any) -> str:
    """Why a tensor is alive when `at` runs."""
    if ref[0] is at:
        return "made there"
    if at is not None and any(source is ref[0] for source, _ in at.inputs):
        return f"read by {at.name}"
    return "needed later or fetched"
