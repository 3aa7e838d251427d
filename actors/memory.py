"""A device's memory budget: its ledger, shared by the threads and tasks that run steps."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import threading
from collections import deque
from collections.abc import Callable, Iterator

from runstep.memory import Claim, Ledger, MemoryStatistics


@functools.cache
def _malloc_trim() -> Callable[[int], int] | None:
    with contextlib.suppress(OSError, AttributeError, TypeError):
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
        return found
    return None


def trim() -> None:
    """Gives the pages of freed arrays back to the system, where the C library keeps them (glibc, for each thread)."""
    call = _malloc_trim()
    if call is not None:
        call(0)


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

    def ask(self, size: int, reason: str, owner: int | None = None) -> Claim:
        """See `Ledger.ask`. A claim that waits is woken, in the thread that gives something back."""
        resident = self._resident()
        with self._locked(resident):
            return self._ledger.ask(size, resident, owner, reason)

    def hold(self, size: int) -> Claim:
        """See `Ledger.hold`."""
        resident = self._resident()
        with self._locked(resident):
            return self._ledger.hold(size, resident)

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
