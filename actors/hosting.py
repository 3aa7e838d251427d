"""Running waiting kernels under trio: a parked kernel's waiter becomes a trio event."""

from __future__ import annotations

import types
from collections.abc import Coroutine, Generator
from typing import Any

import numpy as np
import trio

from runstep.kernels.waiting import NeedsLoop, Waiter
from runstep.step import StepContext


async def _woken(waiter: Waiter) -> None:
    if isinstance(waiter, NeedsLoop):
        await trio.lowlevel.checkpoint_if_cancelled()
        return
    event = trio.Event()
    token = trio.lowlevel.current_trio_token()
    waiter.on_wake(lambda: token.run_sync_soon(event.set))
    await event.wait()


@types.coroutine
def _hosted(
    coroutine: Coroutine[Any, Any, Any], waiter: Waiter | None, context: StepContext
) -> Generator[Any, Any, Any]:
    throw: BaseException | None = None
    answer: Any = None
    inside: Waiter | None = None  # what it awaits of trio's own
    waiting: Any = context.waiting
    try:
        while True:
            if waiter is not None:
                waiting[waiter] = coroutine
                try:
                    yield from _woken(waiter).__await__()
                except trio.Cancelled:
                    throw = context.cause  # the kernel leaves its place in the queue, and says what it was cancelled at
                if isinstance(waiter, NeedsLoop):
                    inside = waiter
                else:
                    del waiting[waiter]
                waiter = None
            try:
                with np.errstate(all="ignore"):
                    asked = coroutine.send(answer) if throw is None else coroutine.throw(throw)
            except StopIteration as stop:
                return stop.value
            throw, answer = None, None
            if isinstance(asked, Waiter):
                waiting.pop(inside, None)
                waiter, inside = asked, None
                continue
            try:  # the kernel awaits trio itself
                answer = yield asked
            except BaseException as error:
                throw = error
    finally:
        waiting.pop(waiter, None)
        waiting.pop(inside, None)


async def host(coroutine: Coroutine[Any, Any, Any], waiter: Waiter | None, context: StepContext) -> Any:
    """Runs a segment's coroutine to its end, waiting wherever it parks.

    Args:
      waiter: what it is parked on already, when another driver began it.
      context: its step; when trio cancels the task, the step's cause is raised at the place where it waits.
    """
    return await _hosted(coroutine, waiter, context)
