"""A device's memory budget: its ledger, shared by the threads and tasks that run steps."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import threading
from collections.abc import Callable

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

    @property
    def limit(self) -> int:
        return self._ledger.limit

    def ask(self, size: int, reason: str, owner: int | None = None) -> Claim:
        """See `Ledger.ask`. A claim that waits is woken, in the thread that gives something back."""
        resident = self._resident()
        with self._lock:
            return self._ledger.ask(size, resident, owner, reason)

    def hold(self, size: int) -> Claim:
        """See `Ledger.hold`."""
        resident = self._resident()
        with self._lock:
            return self._ledger.hold(size, resident)

    def resize(self, claim: Claim, size: int) -> None:
        """See `Ledger.resize`."""
        self._settled(self._ledger.resize, claim, size)

    def give_back(self, claim: Claim) -> None:
        """See `Ledger.give_back`."""
        self._settled(self._ledger.give_back, claim)

    def _settled(self, change: Callable[..., list[Claim]], *args: object) -> None:
        resident = self._resident()
        with self._lock:
            settled = change(*args, resident)
        for claim in settled:
            claim.waiter.wake()

    def statistics(self) -> MemoryStatistics:
        """What is in use now."""
        resident, ledger = self._resident(), self._ledger
        with self._lock:
            in_use = ledger.in_use(resident)
            return MemoryStatistics(ledger.limit, in_use, ledger.reserved, max(ledger.peak, in_use), ledger.waiting)
