"""The memory that a step has of its devices: claimed before it runs, given back while it waits and at its end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from runstep.actors.growth import wait
from runstep.actors.memory import MUCH, trim
from runstep.memory import Claim, readable
from runstep.plan.estimate import Need
from runstep.plan.exhausted import refusal
from runstep.step import StepContext


class Admission:
    """What one step has of the memory of its devices.

    Devices are asked in one order by all steps, so that no two wait for each other. A step that takes little claims
    what it may take in any order of its tasks; one that takes much, what it takes when they keep theirs, and `slack`.

    What the step finds out while it runs it claims by itself (`Growth`), until it is suspended.
    """

    def __init__(self, needs: Sequence[Need], context: StepContext) -> None:
        self._needs = {need.device: need for need in needs}
        self._context = context
        self._claims: dict[Any, Claim] = {}
        self._held: dict[Any, Claim] = {}

    @property
    def slack(self) -> int | None:
        """Bytes for tasks that run before their turn; None where any order of them fits."""
        if all(need.claim == need.most for need in self._needs.values()):
            return None
        return min(need.claim - need.least for need in self._needs.values())

    def enter(self) -> None:
        """Claims what the step needs; this thread waits for its turn.

        Raises:
          ResourceExhaustedError: it can never fit. OpError: the step was cancelled meanwhile.
        """
        for need in self._needs.values():
            claim = self._ask(need, threading.get_ident())
            if not claim.is_granted:
                wait(claim, self._context)
            if self._context.cancelled:
                raise self._context.cause
            self._check(need, claim)

    def resumed(self, again: Callable[[], None]) -> bool:
        """Whether the step has what it needs to go on. If not, calls `again` once that is worth another look.

        Raises:
          ResourceExhaustedError: it can never fit.
        """
        for need in self._needs.values():
            claim = self._claims.get(need.device)
            if claim is None:
                claim = self._ask(need, None)
                if claim.state == "waiting":
                    self._context.waiting[claim.waiter] = None
                    claim.waiter.on_wake(again)
            if claim.state == "waiting":
                return False
            self._context.waiting.pop(claim.waiter, None)
            self._check(need, claim)
        return True

    def suspend(self, held: Mapping[Any, int]) -> None:
        """The step runs no kernel for now, and holds so many bytes of each device."""
        if self._context.growth is not None:
            self._needs |= {need.device: need for need in self._context.growth.pause()}
        for device, size in held.items():
            if device in self._held:
                device.budget.resize(self._held[device], size)
            elif size:
                self._held[device] = device.budget.hold(size)
        for device in list(self._claims):
            device.budget.give_back(self._claims.pop(device))

    def leave(self) -> None:
        """The step is over."""
        if any(claim.size > device.memory_limit >> MUCH for device, claim in self._claims.items()):
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

    def _ask(self, need: Need, owner: int | None) -> Claim:
        budget, size = need.device.budget, need.claim
        reason = f"memory of {need.device.name}: {readable(size)} of {readable(budget.limit)}"
        held = self._held.get(need.device)
        has = (0 if held is None else held.size) + sum(kept.idle for kept in need.kept)
        claim: Claim = budget.ask(max(size - has, 0), reason, owner, self._context)
        if not claim.is_granted and need.device.resources.release(need.kept):  # what others would only find handy
            budget.give_back(claim)
            claim = budget.ask(max(size - has, 0), reason, owner, self._context)
        self._claims[need.device] = claim
        return claim

    def _check(self, need: Need, claim: Claim) -> None:
        if claim.is_refused:
            del self._claims[need.device]
            raise refusal(need, need.claim, need.device.budget.statistics())
