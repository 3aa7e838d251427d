"""Waiting in line for a shared resource: what staging areas, barriers and accumulators have in common.

An *attempt* is a function that does the work if it can, under the resource's lock, and returns NOT_YET if it cannot.
Whoever changes the resource lets those who wait try again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from runstep import errors
from runstep.kernels.waiting import Waiter, Words, park

NOT_YET: Any = object()

Attempt = Callable[[], Any]


class _Place:
    __slots__ = ("attempt", "done", "error", "result", "waiter")

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.done = False
        self.result: Any = None
        self.error: errors.OpError | None = None
        self.waiter: Waiter | None = None

    def try_it(self) -> bool:
        try:
            self.result = self.attempt()
        except errors.OpError as error:
            self.error = error
        self.done = self.error is not None or self.result is not NOT_YET
        return self.done


class Shared:
    """A resource with lines of those who wait.

    Args:
      lines: how many lines there are. In a line the first is served first, unless `passing`: then whoever can be
        served.

    Attributes:
      lock: guards the resource; attempts and changes run under it.
    """

    def __init__(self, lines: int, passing: bool = False) -> None:
        self.lock = threading.Lock()
        self._lines: list[list[_Place]] = [[] for _ in range(lines)]
        self._passing = passing

    def _served(self) -> list[Waiter]:
        woken: list[Waiter] = []
        progress = True
        while progress:
            progress = False
            for line in self._lines:
                place = 0
                while place < len(line):
                    if line[place].try_it():
                        waiter = line.pop(place).waiter
                        if waiter is not None:
                            woken.append(waiter)
                        progress = True
                    elif self._passing:
                        place += 1
                    else:
                        break
        return woken

    def change(self, function: Callable[[], Any]) -> Any:
        """`function()` under the lock; then those in line try again."""
        with self.lock:
            result = function()
            woken = self._served()
        for waiter in woken:
            waiter.wake()
        return result

    async def stand(
        self, line: int, attempt: Attempt, what: str, reason: Words, undo: Callable[[Any], None] | None = None
    ) -> Any:
        """What `attempt()` returns, once it can.

        Args:
          what: the operation, for the error when it is cancelled. reason: as of a Waiter.
          undo: takes the result back when the step is cancelled after the attempt was made, under the lock.
        """
        place = _Place(attempt)
        with self.lock:
            self._lines[line].append(place)
            woken = self._served()
            if not place.done:
                place.waiter = Waiter(reason)
        for waiter in woken:
            waiter.wake()
        if place.waiter is not None:
            try:
                await park(place.waiter)
            except BaseException as error:
                self.change(lambda: self._leave(line, place, undo))
                if isinstance(error, errors.CancelledError):
                    raise errors.CancelledError(None, None, f"{what} operation was cancelled") from None
                raise
        if place.error is not None:
            raise place.error
        return place.result

    def _leave(self, line: int, place: _Place, undo: Callable[[Any], None] | None) -> None:
        if not place.done:
            self._lines[line].remove(place)
        elif place.error is None and undo is not None:
            undo(place.result)


class Turn:
    """One at a time, first come, first served: a lock that is waited for by parking.

    async with turn: ...
    """

    def __init__(self, reason: str) -> None:
        self._lock = threading.Lock()
        self._reason = reason
        self._busy = False
        self._waiting: deque[Waiter] = deque()

    async def __aenter__(self) -> None:
        with self._lock:
            if not self._busy:
                self._busy = True
                return
            waiter = Waiter(self._reason)
            self._waiting.append(waiter)
        try:
            await park(waiter)
        except BaseException:
            with self._lock:
                waits = waiter in self._waiting
                if waits:
                    self._waiting.remove(waiter)
            if not waits:  # it had its turn already
                self._pass_on()
            raise

    async def __aexit__(self, *exc: object) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        with self._lock:
            following = self._waiting.popleft() if self._waiting else None
            self._busy = following is not None
        if following is not None:
            following.wake()
