"""The memory that a step has of its devices: claimed before it runs, given back while it waits and at its end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from runstep import errors
from runstep.actors.memory import trim
from runstep.memory import Claim, MemoryStatistics, readable
from runstep.plan.compile import Plan
from runstep.plan.estimate import Need
from runstep.step import StepContext

Refusal = Callable[[Need, int, MemoryStatistics], errors.OpError]
"""Makes the error of a step that does not fit: of the need, the bytes asked for, and the state of the device."""


class Admission:
    """What one step has of the memory of its devices.

    Devices are asked in one order by all steps, so that no two wait for each other. A step that takes little claims
    what it may take in any order of its tasks; one that takes much, what it takes when they keep theirs, and `slack`.

    Args:
      refusal: makes the error of a step that does not fit.
      woken: tells where a cancellation is to be sent to while a thread waits; called with None afterwards.
    """

    def __init__(
        self,
        plan: Plan,
        context: StepContext,
        refusal: Refusal,
        woken: Callable[[StepContext, Callable[[Any], object] | None], None],
    ) -> None:
        self._needs = plan.estimate.needs
        self._context = context
        self._refusal = refusal
        self._woken = woken
        self._sizes = [_size(need) for need in self._needs]
        self._claims: dict[Any, Claim] = {}
        self._held: dict[Any, Claim] = {}

    @property
    def slack(self) -> int | None:
        """Bytes for tasks that run before their turn; None where any order of them fits."""
        if all(size == need.most for size, need in zip(self._sizes, self._needs, strict=True)):
            return None
        return min(size - need.least for size, need in zip(self._sizes, self._needs, strict=True))

    def enter(self) -> None:
        """Claims what the step needs; this thread waits for its turn.

        Raises:
          ResourceExhaustedError: it can never fit. OpError: the step was cancelled meanwhile.
        """
        for need, size in zip(self._needs, self._sizes, strict=True):
            claim = self._ask(need, size, threading.get_ident())
            if not claim.is_granted:
                self._wait(claim)
            if self._context.cancelled:
                raise self._context.cause
            self._check(need, size, claim)

    def _wait(self, claim: Claim) -> None:
        settled = threading.Event()
        waiter, waiting = claim.waiter, self._context.waiting
        waiting[waiter] = None
        try:
            waiter.on_wake(settled.set)
            self._woken(self._context, lambda event: settled.set())
            if claim.state == "waiting" and not self._context.cancelled:
                settled.wait()
        finally:
            self._woken(self._context, None)
            del waiting[waiter]

    def resumed(self, again: Callable[[], None]) -> bool:
        """Whether the step has what it needs to go on. If not, calls `again` once that is worth another look.

        Raises:
          ResourceExhaustedError: it can never fit.
        """
        for need, size in zip(self._needs, self._sizes, strict=True):
            claim = self._claims.get(need.device)
            if claim is None:
                claim = self._ask(need, size, None)
                if claim.state == "waiting":
                    self._context.waiting[claim.waiter] = None
                    claim.waiter.on_wake(again)
            if claim.state == "waiting":
                return False
            self._context.waiting.pop(claim.waiter, None)
            self._check(need, size, claim)
        return True

    def suspend(self, held: Mapping[Any, int]) -> None:
        """The step runs no kernel for now, and holds so many bytes of each device."""
        for device, size in held.items():
            if device in self._held:
                device.budget.resize(self._held[device], size)
            elif size:
                self._held[device] = device.budget.hold(size)
        for device in list(self._claims):
            device.budget.give_back(self._claims.pop(device))

    def leave(self) -> None:
        """The step is over."""
        if any(claim.size > device.memory_limit >> _MUCH for device, claim in self._claims.items()):
            trim()  # before others count on it
        for claims in (self._claims, self._held):
            for device, claim in claims.items():
                self._context.waiting.pop(claim.waiter, None)
                device.budget.give_back(claim)
            claims.clear()

    def __del__(self) -> None:
        """Of a handle that nobody has any more."""
        for claims in (self._claims, self._held):
            for device, claim in claims.items():
                device.budget.drop(claim)

    def _ask(self, need: Need, size: int, owner: int | None) -> Claim:
        budget = need.device.budget
        reason = f"memory of {need.device.name}: {readable(size)} of {readable(budget.limit)}"
        held = self._held.get(need.device)
        claim: Claim = budget.ask(size if held is None else max(size - held.size, 0), reason, owner)
        self._claims[need.device] = claim
        return claim

    def _check(self, need: Need, size: int, claim: Claim) -> None:
        if claim.is_refused:
            del self._claims[need.device]
            raise self._refusal(need, size, need.device.budget.statistics())


_MUCH = 3
"""A step that took more than 2 ** -3 of a device leaves behind what it freed: the next one needs it."""


def _size(need: Need) -> int:
    plenty = need.device.memory_limit >> 2
    return need.most if need.most <= plenty else max(need.least, min(need.most, plenty))
