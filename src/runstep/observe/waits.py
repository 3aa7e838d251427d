"""What steps wait for at this moment, node by node: told from where their kernels are, so that it costs nothing before
somebody asks. From any thread."""

from __future__ import annotations

from typing import Any

from runstep.plan.emit import node_at
from runstep.plan.node import PlanNode
from runstep.step import StepContext

_MOST = 10


def waits(context: StepContext) -> list[str]:
    """What the kernels of a step wait for, each with its node: "q/dequeue (queue 'q' 0/10, no enqueue pending)"."""
    found = []
    for waiter, coroutine in context.waiting.copy().items():
        node = _parked_at(coroutine)
        found.append(waiter.reason if node is None else f"{node.name} ({waiter.reason})")
    return found


def add_waits(error: BaseException, context: StepContext) -> BaseException:
    """The error with what the step waits for as notes, and what could be done about it."""
    lines = [f"waiting: {line}" for line in waits(context)]
    if len(lines) > _MOST:
        lines[_MOST:] = [f"and {len(lines) - _MOST} more"]
    cures = dict.fromkeys(waiter.cure for waiter in context.waiting.copy())
    for line in (*lines, *filter(None, cures)):
        error.add_note(line)
    return error


def _parked_at(coroutine: Any) -> PlanNode | None:
    found: PlanNode | None = None
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        found = node_at(frame, frame.f_lineno) or found
        coroutine = coroutine.cr_await
    return found
