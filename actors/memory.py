"""A device's memory budget: its ledger, shared by the threads and tasks that run steps."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from runstep.memory import Claim, Ledger, MemoryStatistics

_TRIM_THRESHOLD = -1
"""The number of this option of `mallopt`."""

_FREE_TOP = 64 << 20
"""Bytes that the top of a heap grows to before glibc gives it back: twice the largest size that it takes from heaps,
which `kernels.numpy.windows` has taught it."""


@functools.cache
def _glibc() -> ctypes.CDLL | None:
    """The C library, where it is glibc."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        found = ctypes.CDLL(None)
        found.malloc.argtypes, found.malloc.restype = (ctypes.c_size_t,), ctypes.c_void_p
        found.free.argtypes, found.free.restype = (ctypes.c_void_p,), None
        if found.malloc_trim is not None and found.mallopt is not None:
            return found
    return None


_trims = threading.Lock()


def trim() -> None:
    """Gives the pages of freed arrays back to the system, where the C library keeps them (glibc, for each thread).

    `malloc_trim` does that for what lies between arrays that live, in all heaps, and for the end of the main one. The
    end of another thread's heap, where the arrays of a step were that has ended, goes only when a block next to it is
    freed and it is then larger than the threshold: so we free one, in this thread, at a threshold that it exceeds.
    """
    glibc = _glibc()
    if glibc is None:
        return
    with _trims:
        glibc.mallopt(_TRIM_THRESHOLD, 1 << 17)
        glibc.free(glibc.malloc(1 << 17))
        glibc.mallopt(_TRIM_THRESHOLD, _FREE_TOP)
    glibc.malloc_trim(0)


MUCH = 3
"""A step that took more than 2 ** -3 of a device leaves behind what it freed: the next one needs it."""


class MemoryBudget:
    """Who has the memory of a device, and whose turn it is. Safe to use from several threads.

    Args:
      limit: bytes. resident: tells how many bytes variables and queues take now.
    """

    def __init__(self, limit: int, resident: Callable[[], int] = lambda: 0) -> None:
        self._ledger = Ledger(limit)
        self._resident = resident
        self._lock = threading.Lock()
        self._dropped: deque[Claim] = deque()

    @property
    def limit(self) -> int:
        return self._ledger.limit

    def ask(self, size: int, reason: str, owner: int | None = None, step: Any = None) -> Claim:
        """See `Ledger.ask`. A claim that waits is woken, in the thread that gives something back."""
        resident = self._resident()
        with self._locked(resident):
            return self._ledger.ask(size, resident, owner, reason, step)

    def join(self, owner: int | None, step: Any) -> Claim:
        """See `Ledger.join`."""
        with self._locked(self._resident()):
            return self._ledger.join(owner, step)

    def grow(self, claim: Claim, size: int, reason: str, owner: int | None) -> Claim:
        """See `Ledger.grow`."""
        resident = self._resident()
        with self._locked(resident):
            return self._ledger.grow(claim, size, resident, owner, reason)

    def hold(self, size: int) -> Claim:
        """See `Ledger.hold`."""
        resident = self._resident()
        with self._locked(resident):
            return self._ledger.hold(size, resident)

    def suspend(self, claim: Claim, held: Claim | None, size: int) -> Claim:
        """See `Ledger.suspend`."""
        resident = self._resident()
        with self._locked(resident) as settled:
            held, woken = self._ledger.suspend(claim, held, size, resident)
            settled += woken
        return held

    def resize(self, claim: Claim, size: int) -> None:
        """See `Ledger.resize`."""
        resident = self._resident()
        with self._locked(resident) as settled:
            settled += self._ledger.resize(claim, size, resident)

    def give_back(self, claim: Claim) -> None:
        """See `Ledger.give_back`."""
        resident = self._resident()
        with self._locked(resident) as settled:
            settled += self._ledger.give_back(claim, resident)

    def drop(self, claim: Claim) -> None:
        """As `give_back`, and may be called by the garbage collector: at any moment, in a thread that has the lock."""
        self._dropped.append(claim)
        if self._lock.acquire(blocking=False):
            self._lock.release()
            with self._locked(self._resident()):
                pass

    @contextlib.contextmanager
    def _locked(self, resident: int) -> Iterator[list[Claim]]:
        """Has the lock; what was dropped is given back. Claims that are settled are woken at the end."""
        settled: list[Claim] = []
        with self._lock:
            while self._dropped:
                settled += self._ledger.give_back(self._dropped.popleft(), resident)
            yield settled
        for claim in settled:
            claim.waiter.wake()

    def statistics(self) -> MemoryStatistics:
        """What is in use now."""
        resident, ledger = self._resident(), self._ledger
        with self._locked(resident):
            in_use = ledger.in_use(resident)
            return MemoryStatistics(ledger.limit, in_use, ledger.reserved, max(ledger.peak, in_use), ledger.waiting)
