"""What is posted to device actors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from runstep.plan.tasks import Task
from runstep.step import Failed, Finished, StepContext


@attrs.frozen(eq=False)
class Execute:
    """Run a task of a step.

    Attributes:
      number: the task's number in its plan. task, args: what to run, with what.
      started: a coroutine that runs already and is parked on a waiter, taken over from a driver without a loop.
      scope: the trio cancel scope to run it in; cancelling it interrupts the task.
      reply: called in the loop with what became of it.
    """

    number: int
    task: Task
    args: tuple[Any, ...]
    context: StepContext
    scope: Any
    reply: Callable[[Finished | Failed], None]
    started: Any = None
