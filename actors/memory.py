"""A device's memory budget: how much its steps may hold at once."""

from __future__ import annotations

import threading

import attrs

from runstep import errors


@attrs.frozen
class MemoryStatistics:
    """Bytes: the limit, what is reserved now, and the most that was ever reserved."""

    limit: int
    reserved: int
    peak: int


class MemoryBudget:
    """Counts the bytes that steps reserve. Safe to use from several threads."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._reserved = 0
        self._peak = 0
        self._lock = threading.Lock()

    def reserve(self, size: int, what: str) -> None:
        """Takes `size` bytes.

        Raises:
          ResourceExhaustedError: they exceed the limit.
        """
        with self._lock:
            if self._reserved + size > self.limit:
                raise errors.ResourceExhaustedError(
                    None, None, f"OOM: {what} needs {size} bytes; {self._reserved} of {self.limit} bytes are in use."
                )
            self._reserved += size
            self._peak = max(self._peak, self._reserved)

    def release(self, size: int) -> None:
        """Gives back `size` bytes."""
        with self._lock:
            self._reserved -= size

    def statistics(self) -> MemoryStatistics:
        with self._lock:
            return MemoryStatistics(self.limit, self._reserved, self._peak)
