"""What a running step claims beyond what was projected, when it finds out how large its values are."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from attrs import evolve

from runstep.actors.loop import LOOK_UP, in_a_loop
from runstep.actors.memory import MUCH, trim
from runstep.graph.shapes import RawShape
from runstep.memory import Claim, readable
from runstep.plan.estimate import Need
from runstep.plan.exhausted import refusal
from runstep.plan.foresight import Foresight
from runstep.plan.inside import Inside
from runstep.plan.memory import Projection
from runstep.plan.node import PlanNode, Ref
from runstep.plan.watch import Projections


class Growth:
    """The claims of one step beyond its first. The threads that work on the step may use it at once.

    What the plan's own nodes find out is projected with all the rest of the plan; what comes inside of functions, and
    what loops pile up, is added to that.

    Args:
      projections: what the plan takes; None where that doesn't change. foresight: what was foreseen, and claimed, for
        what it is fed.
    """

    def __init__(self, projections: Projections | None, foresight: Foresight | None) -> None:
        self._foresight = foresight
        self._before: dict[Any, int] = {}  # what was claimed elsewhere
        self._projected: dict[Any, Need] = {}
        self._seen: dict[PlanNode, Sequence[RawShape]] = {} if foresight is None else dict(foresight.seen)
        self._inside: dict[Inside, dict[PlanNode, Sequence[RawShape]]] = {}
        self._beside: dict[Any, tuple[Any, int]] = {}  # device and bytes by what is not projected with the plan
        self._needs: dict[Any, Need] = {}
        self._claims: dict[Any, Claim] = {}
        self._lock = threading.Lock()
        if projections is not None:
            before = projections.before if foresight is None else foresight.needs
            self._before = {need.device: need.claim for need in before}

    def expect(self, foresight: Foresight) -> None:
        """More has been fed to the step: what was foreseen, and claimed, from now on."""
        with self._lock:
            self._foresight = foresight
            self._seen.update(foresight.seen)
            self._before = {need.device: need.claim for need in foresight.needs}

    def see(self, step: Any, projections: Projections, node: PlanNode, shapes: list[RawShape]) -> None:
        """A node makes results of these shapes. Claims what follows from that; this thread waits for it, if it may.

        Raises:
          ResourceExhaustedError: there will never be so much. OpError: the step was cancelled while it waited.
        """
        known = self._seen.get(node)
        if known is not None and list(known) == shapes:
            return
        self._seen[node] = shapes
        with self._alone() as owner:
            if owner != _TAKEN:
                for need in projections.needs(dict(self._seen), self._foresight):
                    self._claim(step, need, owner, partial(self._exactly, projections, need))

    def _exactly(self, projections: Projections, need: Need) -> Need:
        needs = projections.needs(dict(self._seen), self._foresight, True)
        return next((other for other in needs if other.device is need.device), need)

    def see_inside(self, step: Any, inside: Inside, node: PlanNode, shapes: list[RawShape]) -> None:
        """As `see`, of a node in the body of a function."""
        seen = self._inside.setdefault(inside, {})
        if seen.get(node) == shapes:
            return
        seen[node] = shapes
        more = inside.more(dict(seen))
        self.add(step, inside, node, more, ((node, 0), more, shapes[0] if shapes else None))

    def add(self, step: Any, key: Any, node: PlanNode, size: int, what: tuple[Ref, int, RawShape]) -> None:
        """Beside what is projected, `size` bytes are taken for `key`, now that `node` runs. Raises as `see`."""
        device = node.where
        with self._alone() as owner:
            if owner == _TAKEN or size <= self._beside.get(key, (device, 0))[1]:
                return
            self._beside[key] = device, size
            base = self._projected.get(device)
            planned = self._before.get(device, 0) if base is None else base.claim
            projection = Projection(planned, node, (what,))
            self._claim(step, Need(device, planned, planned, projection), owner)  # type: ignore[arg-type]

    def has(self, key: Any, size: int) -> bool:
        """Whether so many bytes have been added for `key`."""
        there = self._beside.get(key)
        return there is not None and size <= there[1]

    def _more(self, device: Any) -> int:
        """The bytes beside what is projected: of functions, those of one and of what it calls."""
        total = most = 0
        for key, (where, size) in self._beside.items():
            if where is not device:
                continue
            if isinstance(key, Inside):
                most = max(most, self._deep(key, device))
            else:
                total += size
        return total + most

    def _deep(self, body: Inside, device: Any) -> int:
        where, size = self._beside.get(body, (device, 0))
        return (size if where is device else 0) + max([self._deep(other, device) for other in body.calls], default=0)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[int | None]:
        """Has the lock; the thread that may wait, None where it must not, or _TAKEN: another one waits for memory, and
        claims what is missing then."""
        in_loop = in_a_loop()
        if not self._lock.acquire(blocking=not in_loop):
            yield _TAKEN
            return
        try:
            yield None if in_loop else threading.get_ident()
        finally:
            self._lock.release()

    def _claim(self, step: Any, need: Need, owner: int | None, exactly: Callable[[], Need] | None = None) -> None:
        device = need.device
        budget = device.budget
        claim = self._claims.get(device)
        has = self._before.get(device, 0) + (0 if claim is None else claim.size)
        beside = self._more(device)
        for find in (None, exactly):
            if find is not None:
                need = find()
            missing = need.claim + beside - has
            if missing <= 0:
                return
            reason = f"memory of {device.name}: {readable(missing)} more of {readable(budget.limit)}"
            if not has and owner is not None:
                more = budget.ask(missing, reason, owner, step)
            else:
                if claim is None:
                    claim = self._claims[device] = budget.join(threading.get_ident(), step)
                more = budget.grow(claim, missing, reason, owner)
            if more.state == "waiting":
                try:
                    wait(more, step)
                except BaseException:
                    budget.give_back(more)
                    raise
            if more.is_granted:
                self._projected[device] = need
                self._needs[device] = evolve(need, least=need.claim + beside, most=need.claim + beside)
                if claim is None:
                    self._claims[device] = more
                return
            if exactly is None:
                break
        statistics = budget.statistics()
        taken = need.claim + beside
        raise refusal(need, taken, evolve(statistics, in_use=max(statistics.in_use - has, 0)))

    def pause(self) -> list[Need]:
        """Gives all of it back, for a step that runs no kernel for now; what it has to claim when it goes on."""
        with self._lock:
            needs = list(self._needs.values())
            self._before |= {need.device: need.claim for need in needs}
            self._needs.clear()
            self._projected.clear()
            self._beside.clear()
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


_TAKEN = -1


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
        while claim.state == "waiting" and not step.cancelled:
            settled.wait(LOOK_UP)
    finally:
        step.wakers.remove(settled.set)
        del step.waiting[claim.waiter]
    if step.cancelled:
        raise step.cause
