"""The account of one device's memory: who has it, who waits for it. Pure: nothing here locks or waits.

Steps claim what their plan is projected to take before they run, first come, first served, and give it back when they
have ended. What a suspended step (a partial run, a step that waits for a queue) really holds is held in its name, and
does not come back by itself: a claim that could only be met if it did is refused, not kept waiting.

A running step may need more than it has claimed, when only its values tell how much. Such a claim grows at once, or
before anybody new is let in; when all that run wait to grow, the last that came is refused, so that the others may.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from typing import Any

import attrs
import numpy as np

from runstep.kernels.waiting import Waiter


@attrs.frozen
class MemoryStatistics:
    """Bytes of one device: its limit; what is in use (variables, queues, steps that wait or run); what running steps
    have reserved of that; the most that was ever in use; and how many steps wait for memory."""

    limit: int
    in_use: int
    reserved: int
    peak: int
    waiting: int


class Claim:
    """What one step wants, or has, of one device.

    Attributes:
      size: bytes. held: what it has is not reserved but held: its step is suspended.
      waiter: woken when the claim is granted or refused. owner: the thread that waits, if any.
      step: whose claim it is; None if nobody knows. part_of: the claim that it makes larger, when it is granted.
    """

    __slots__ = ("held", "owner", "part_of", "size", "state", "step", "waiter")

    def __init__(
        self, size: int, owner: int | None, waiter: Waiter, step: Any = None, part_of: Claim | None = None
    ) -> None:
        self.size = size
        self.step = step
        self.part_of = part_of
        self.owner = owner
        self.waiter = waiter
        self.state = "waiting"
        self.held = False

    @property
    def is_granted(self) -> bool:
        return self.state == "granted"

    @property
    def is_refused(self) -> bool:
        return self.state == "refused"


class Ledger:
    """The claims on one device.

    Attributes:
      limit: bytes. reserved: by running steps. held: by suspended ones. peak: the most that was ever in use.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.reserved = 0
        self.held = 0
        self.peak = 0
        self._queue: deque[Claim] = deque()
        self._growing: list[Claim] = []
        self._granted: set[Claim] = set()

    @property
    def waiting(self) -> int:
        return len(self._queue) + len(self._growing)

    def ask(self, size: int, resident: int, owner: int | None, reason: str, step: Any = None) -> Claim:
        """A claim of `size` bytes: granted, refused, or waiting for its turn.

        Args:
          resident: bytes that variables and queues take now. owner: the thread that would wait: if it has a claim
            already (it runs a step inside of a step), nothing is gained by waiting.
        """
        claim = Claim(size, owner, Waiter(reason), step)
        if not self._queue and not self._growing and self._fits(size, resident):
            self._grant(claim, resident)
        elif self._never(size, resident) or (owner is not None and any(c.owner == owner for c in self._granted)):
            claim.state = "refused"
        else:
            self._queue.append(claim)
        return claim

    def hold(self, size: int, resident: int) -> Claim:
        """A claim for what a suspended step holds already; granted whatever the limit says."""
        claim = self._held_claim()
        self.resize(claim, size, resident)
        return claim

    def _held_claim(self) -> Claim:
        claim = Claim(0, None, Waiter(""))
        claim.held = True
        claim.state = "granted"
        self._granted.add(claim)
        return claim

    def suspend(self, claim: Claim, held: Claim | None, size: int, resident: int) -> tuple[Claim, list[Claim]]:
        """Of what a step has claimed, it keeps so much in all, `held` for it: that claim, and those settled by that."""
        self._granted.discard(claim)
        self._count(claim, -claim.size)
        claim.state = "over"
        held = held or self._held_claim()
        return held, self.resize(held, size, resident)

    def join(self, owner: int | None, step: Any) -> Claim:
        """A claim of nothing, granted, that may grow."""
        claim = Claim(0, owner, Waiter(""), step)
        self._grant(claim, 0)
        return claim

    def grow(self, claim: Claim, size: int, resident: int, owner: int | None, reason: str) -> Claim:
        """A claim of `size` bytes more for a step that runs and has some: granted, refused, or waiting.

        Args:
          owner: the thread that would wait. None: it must not, and has the bytes at once, unless they are never there.
        """
        more = Claim(size, owner, Waiter(reason), claim.step, claim)
        own = sum(other.size for other in self._granted if other.step is claim.step and not other.held)
        if self._never(own + size, resident):
            more.state = "refused"
        elif owner is None or self._fits(size, resident):
            self._add(more, resident)
        else:
            self._growing.append(more)
            if not self._some_end():
                self._growing.remove(more)
                more.state = "refused"
        return more

    def resize(self, claim: Claim, size: int, resident: int) -> list[Claim]:
        """Changes what is held in a claim's name; the claims that are settled by that."""
        self._count(claim, -claim.size)
        claim.size = size
        self._count(claim, size)
        self.peak = max(self.peak, self.in_use(resident))
        return self._settle(resident)

    def give_back(self, claim: Claim, resident: int) -> list[Claim]:
        """The step has ended, or no longer wants it; the claims that are settled by that.

        What was added to a claim goes with that, not by itself.
        """
        if claim.part_of is not None and claim.state == "granted":
            return []
        if claim.state == "granted":
            self._granted.discard(claim)
            self._count(claim, -claim.size)
        elif claim.state == "waiting":
            (self._queue if claim.part_of is None else self._growing).remove(claim)
        claim.state = "over"
        return self._settle(resident)

    def in_use(self, resident: int) -> int:
        return self.reserved + self.held + resident

    def _count(self, claim: Claim, size: int) -> None:
        if claim.held:
            self.held += size
        else:
            self.reserved += size

    def _fits(self, size: int, resident: int) -> bool:
        return self.in_use(resident) + size <= self.limit

    def _never(self, size: int, resident: int) -> bool:
        """Whether no running step gives back what is missing."""
        return self.held + resident + size > self.limit

    def _grant(self, claim: Claim, resident: int) -> None:
        claim.state = "granted"
        self._granted.add(claim)
        self._count(claim, claim.size)
        self.peak = max(self.peak, self.in_use(resident))

    def _add(self, more: Claim, resident: int) -> None:
        """Makes a claim larger. What has been added to it is given back with it."""
        assert more.part_of is not None
        more.state = "granted"
        more.part_of.size += more.size
        self._count(more.part_of, more.size)
        self.peak = max(self.peak, self.in_use(resident))

    def _some_end(self) -> bool:
        """Whether a running step goes on while others wait to grow: in the end it gives back what it has."""
        waiting = {id(more.step) for more in self._growing}
        blocked = {more.owner for more in self._growing}  # what runs further out in their threads does not go on
        return any(
            claim.size and not claim.held and id(claim.step) not in waiting and claim.owner not in blocked
            for claim in self._granted
        )

    def _settle(self, resident: int) -> list[Claim]:
        settled = []
        for more in self._growing.copy():
            if self._fits(more.size, resident):
                self._growing.remove(more)
                self._add(more, resident)
                settled.append(more)
        while self._growing and not self._some_end():
            last = self._growing.pop()
            last.state = "refused"
            settled.append(last)
        while self._queue and not self._growing:
            first = self._queue[0]
            if self._fits(first.size, resident):
                self._grant(first, resident)
            elif self._never(first.size, resident) and not self.reserved:
                first.state = "refused"
            else:
                break
            settled.append(self._queue.popleft())
        return settled

    def validate(self) -> None:
        """Checks the invariants. For tests."""
        assert self.reserved == sum(claim.size for claim in self._granted if not claim.held)
        assert self.held == sum(claim.size for claim in self._granted if claim.held)
        assert all(claim.state == "waiting" for claim in (*self._queue, *self._growing))
        assert not self._growing or self._some_end(), "all that run wait to grow"
        assert not self._queue or self.reserved, "somebody waits though nobody gives anything back"


def bytes_held(values: Iterable[Any]) -> int:
    """The bytes of these values, memory that several of them show counted once; of strings also their lengths."""
    total = 0
    seen: set[int] = set()
    for value in values:
        if isinstance(value, np.ndarray):
            while isinstance(value.base, np.ndarray):
                value = value.base
            if id(value) not in seen:
                seen.add(id(value))
                total += int(value.nbytes)
                if value.dtype.hasobject:
                    total += sum(len(item) for item in value.ravel().tolist() if isinstance(item, bytes))
        elif isinstance(value, np.generic):
            total += int(value.nbytes)
        elif isinstance(value, bytes):
            total += len(value)
        elif isinstance(value, list | tuple):
            total += bytes_held(value)
    return total


_UNITS = {"": 1, "b": 1, **{f"{p}b": 1000**n for n, p in enumerate("kmgt", 1)}}
_UNITS |= {f"{p}ib": 1024**n for n, p in enumerate("kmgt", 1)}


def parse_size(size: Any) -> int:
    """Bytes of a size: a number, or a text such as "2GiB", "500 MB".

    Raises:
      TypeError, ValueError: it is no such thing, or not positive.
    """
    if isinstance(size, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", size.lower())
        if match is None or match[2] not in _UNITS:
            raise ValueError(f"Not a size of memory: {size!r}. Write bytes as a number, or as '500MB' or '2GiB'.")
        found = int(float(match[1]) * _UNITS[match[2]])
    elif isinstance(size, int) and not isinstance(size, bool):
        found = size
    else:
        raise TypeError(f"A size of memory is a number of bytes or a text such as '2GiB', not {size!r}.")
    if found <= 0:
        raise ValueError(f"A memory limit must be positive, got {size!r}.")
    return found


def readable(size: int) -> str:
    """A number of bytes for people: "1.5 MiB (1572864 bytes)"."""
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if size >= 1024**power:
            return f"{size / 1024**power:.4g} {unit} ({size} bytes)"
    return f"{size} bytes"
