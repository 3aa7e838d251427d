"""The memory that a step has of its devices: claimed before it runs, given back while it waits and at its end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from attrs import evolve

from runstep.actors.growth import Growth, wait
from runstep.actors.loop import in_a_loop
from runstep.actors.memory import MUCH, trim
from runstep.memory import Claim, readable
from runstep.plan.estimate import Need
from runstep.plan.exhausted import refusal
from runstep.plan.foresight import Foresight
from runstep.plan.memory import Projection
from runstep.step import StepContext


class Admission:
    """What one step has of the memory of its devices.

    Devices are asked in one order by all steps, so that no two wait for each other. A step that takes little claims
    what it may take in any order of its tasks; one that takes much, what it takes when they keep theirs, and `slack`.

    What the step finds out while it runs it claims by itself (`Growth`), until it is suspended. One that is fed in
    pieces is told what each takes beside what it holds by then (`expect`).
    """

    def __init__(self, needs: Sequence[Need], context: StepContext) -> None:
        self._needs: dict[Any, Need] = {}
        self._take(needs)
        self._context = context
        self._beside: Mapping[Any, int] = {}
        self._claims: dict[Any, Claim] = {}
        self._asked: dict[Any, int] = {}
        self._held: dict[Any, Claim] = {}
        self._busy = self._ended = False
        self._lock = threading.RLock()  # whoever ends a step is another thread than the one that drives it

    def _take(self, needs: Iterable[Need]) -> None:
        known = self._needs | {need.device: need for need in needs}
        self._needs = {device: known[device] for device in sorted(known, key=lambda device: device.name)}

    def expect(self, foresight: Foresight, growth: Growth | None, held: Mapping[Any, int], largest: Projection) -> None:
        """More has been fed: from now on the step needs this beside what it `held` then, above all the `largest`."""
        self._needs.clear()
        self._beside = held
        self._take(Need(device, size, size, largest) for device, size in held.items() if size)
        self._take(self._with_held(need) for need in foresight.needs)
        if growth is not None:
            growth.expect(foresight)

    def _with_held(self, need: Need) -> Need:
        held = self._beside.get(need.device, 0)
        return evolve(need, least=need.least + held, most=need.most + held) if held else need

    @property
    def is_short(self) -> bool:
        """Whether it has less than it needs since more was fed: it must give that back and claim anew."""
        return any(self._is_short(need) for need in self._needs.values())

    def _is_short(self, need: Need) -> bool:
        claim = self._claims.get(need.device)
        return claim is not None and claim.is_granted and self._asked[need.device] < need.claim

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
        try:
            for need in self._needs.values():
                with self._lock:
                    self._busy = True
                    claim = self._ask(need, threading.get_ident())
                if not claim.is_granted:
                    wait(claim, self._context)
                if self._context.cancelled:
                    raise self._context.cause
                self._check(need, claim)
        except BaseException:
            with self._lock:
                self._give_back(self._claims)
                self._busy = False
            raise

    def resumed(self, again: Callable[[], None]) -> bool:
        """Whether the step has what it needs to go on. If not, calls `again` once that is worth another look.

        Raises:
          ResourceExhaustedError: it can never fit.
        """
        with self._lock:
            self._busy = True
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
                if self._is_short(need):
                    return False
            return True

    def keep(self, device: Any, size: int, largest: Projection) -> None:
        """The step holds so much more, whatever it is doing; this thread waits for it, if it may. Raises as `enter`."""
        need = Need(device, size, size, largest)
        claim = device.budget.ask(size, _reason(device, size), None, self._context)
        try:
            if claim.state == "waiting" and not in_a_loop():
                wait(claim, self._context)
        except BaseException:
            device.budget.give_back(claim)
            raise
        if claim.is_refused:
            raise refusal(need, size, device.budget.statistics())
        with self._lock:
            there = self._held.get(device)
            held = size + (0 if there is None else there.size)
            if self._ended or not claim.is_granted:
                device.budget.give_back(claim)
            else:
                self._held[device] = device.budget.suspend(claim, there, held)

    def suspend(self, held: Mapping[Any, int]) -> None:
        """The step runs no kernel for now, and holds so many bytes of each device."""
        with self._lock:
            if self._context.growth is not None:
                for need in map(self._with_held, self._context.growth.pause()):
                    if need.device not in self._needs or self._needs[need.device].claim < need.claim:
                        self._take((need,))
            self._busy = False
            if self._ended:
                self.leave()
                return
            for device, size in held.items():
                claim, there = self._claims.get(device), self._held.get(device)
                if claim is not None and claim.is_granted and (size or there is not None):
                    del self._claims[device]
                    self._held[device] = device.budget.suspend(claim, there, size)
                elif there is not None:
                    device.budget.resize(there, size)
                elif size:
                    self._held[device] = device.budget.hold(size)
            self._give_back(self._claims)

    def end(self) -> None:
        """Nobody needs the step any more: `leave`, at once or when it runs no kernel."""
        with self._lock:
            self._ended = True
            if not self._busy:
                self.leave()

    def leave(self) -> None:
        """The step is over."""
        with self._lock:
            if any(claim.size > device.memory_limit >> MUCH for device, claim in self._claims.items()):
                trim()  # before others count on it
            self._give_back(self._claims)
            self._give_back(self._held)

    def _give_back(self, claims: dict[Any, Claim]) -> None:
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
        reason = _reason(need.device, size)
        held = self._held.get(need.device)
        has = (0 if held is None else held.size) + sum(kept.idle for kept in need.kept)
        claim: Claim = budget.ask(max(size - has, 0), reason, owner, self._context)
        if not claim.is_granted and need.device.resources.release(need.kept):  # what others would only find handy
            budget.give_back(claim)
            claim = budget.ask(max(size - has, 0), reason, owner, self._context)
        self._claims[need.device], self._asked[need.device] = claim, size
        return claim

    def _check(self, need: Need, claim: Claim) -> None:
        if claim.is_refused:
            del self._claims[need.device]
            raise refusal(need, need.claim, need.device.budget.statistics())


def _reason(device: Any, size: int) -> str:
    return f"memory of {device.name}: {readable(size)} of {readable(device.budget.limit)}"
