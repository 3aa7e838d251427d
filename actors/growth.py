"""What a running step claims beyond what was projected, when it finds out how large its values are."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from typing import Any

import attrs

from runstep.actors.memory import MUCH, trim
from runstep.graph.shapes import RawShape
from runstep.memory import Claim, readable
from runstep.plan.estimate import Need
from runstep.plan.exhausted import refusal
from runstep.plan.foresight import Foresight
from runstep.plan.node import PlanNode
from runstep.plan.watch import Projections


class Growth:
    """The claims of one step beyond its first. The threads that work on the step may use it at once.

    Args:
      foresight: what was foreseen, and claimed, for what it is fed.
    """

    def __init__(self, projections: Projections, foresight: Foresight | None) -> None:
        self._projections = projections
        self._foresight = foresight
        before = projections.before if foresight is None else foresight.needs
        self._before = {need.device: need.claim for need in before}
        self._needs: dict[Any, Need] = {}
        self._claims: dict[Any, Claim] = {}
        self._seen: dict[PlanNode, Sequence[RawShape]] = {} if foresight is None else dict(foresight.seen)
        self._lock = threading.Lock()

    def see(self, step: Any, node: PlanNode, shapes: list[RawShape]) -> None:
        """A node makes results of these shapes. Claims what follows from that; this thread waits for it, if it may.

        Raises:
          ResourceExhaustedError: there will never be so much. OpError: the step was cancelled while it waited.
        """
        known = self._seen.get(node)
        if known is not None and list(known) == shapes:
            return
        self._seen[node] = shapes
        in_loop = _in_a_loop()
        if not self._lock.acquire(blocking=not in_loop):
            return  # another thread waits for memory, and claims what is missing then
        try:
            for need in self._projections.needs(dict(self._seen), self._foresight):
                self._claim(step, need, None if in_loop else threading.get_ident())
        finally:
            self._lock.release()

    def _claim(self, step: Any, need: Need, owner: int | None) -> None:
        device = need.device
        budget = device.budget
        claim = self._claims.get(device)
        has = self._before.get(device, 0) + (0 if claim is None else claim.size)
        if need.claim <= has:
            return
        for exact in (False, True):
            if exact:
                needs = self._projections.needs(dict(self._seen), self._foresight, True)
                found = [other for other in needs if other.device is device]
                need = found[0] if found else need
            if need.claim <= has:
                return
            reason = f"memory of {device.name}: {readable(need.claim - has)} more of {readable(budget.limit)}"
            if not has and owner is not None:
                more = budget.ask(need.claim, reason, owner, step)
            else:
                if claim is None:
                    claim = self._claims[device] = budget.join(threading.get_ident(), step)
                more = budget.grow(claim, need.claim - has, reason, owner)
            if more.state == "waiting":
                try:
                    wait(more, step)
                except BaseException:
                    budget.give_back(more)
                    raise
            if more.is_granted:
                self._needs[device] = need
                if claim is None:
                    self._claims[device] = more
                return
        statistics = budget.statistics()
        raise refusal(need, need.claim, attrs.evolve(statistics, in_use=max(statistics.in_use - has, 0)))

    def pause(self) -> list[Need]:
        """Gives all of it back, for a step that runs no kernel for now; what it has to claim when it goes on."""
        with self._lock:
            needs = list(self._needs.values())
            self._before |= {need.device: need.claim for need in needs}
            self._needs.clear()
            self._give_back()
        return needs

    def close(self) -> None:
        """The step is over."""
        if any(claim.size > device.memory_limit >> MUCH for device, claim in self._claims.items()):
            trim()
        self._give_back()

    def _give_back(self) -> None:
        for device, claim in self._claims.items():
            device.budget.give_back(claim)
        self._claims.clear()

    def __del__(self) -> None:
        """Of a step that nobody has any more."""
        for device, claim in self._claims.items():
            device.budget.drop(claim)


def wait(claim: Claim, step: Any) -> None:
    """Keeps this thread waiting until a claim is settled.

    Raises:
      OpError: the step was cancelled meanwhile.
    """
    settled = threading.Event()
    claim.waiter.on_wake(settled.set)
    step.waiting[claim.waiter] = None
    step.wakers.append(settled.set)
    try:
        if claim.state == "waiting" and not step.cancelled:
            settled.wait()
    finally:
        step.wakers.remove(settled.set)
        del step.waiting[claim.waiter]
    if step.cancelled:
        raise step.cause


def _in_a_loop() -> bool:
    """Whether this thread runs an event loop, which must not be kept waiting."""
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        return True
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None
