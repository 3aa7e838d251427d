"""The clock of this process: one thread that calls functions when their time has come.

A step with a time limit sets an alarm when it begins and clears it when it ends, nearly always before it rings. Both
take a microsecond, since the thread need not know: it sleeps until what was the next alarm when it last looked, and is
woken only for an earlier one.
"""

from __future__ import annotations

import heapq
import itertools
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

_FEW = 32


class Alarm:
    """A call that will be made at a time of `time.monotonic`, unless it is cleared before."""

    __slots__ = ("_agenda", "call", "when")

    def __init__(self, agenda: Agenda, when: float, call: Callable[[], object]) -> None:
        self._agenda = agenda
        self.when = when
        self.call: Callable[[], object] | None = call

    def clear(self) -> None:
        """Takes it back. One that has rung, or is ringing, has: clearing it does nothing."""
        self._agenda.drop(self)


class Agenda:
    """The alarms that are set, in order; it knows no clock. From any thread.

    Those that were cleared stay until they are at the front, or one is added and they are more than the others.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()  # a destructor that runs while it is held may clear an alarm
        self._alarms: list[tuple[float, int, Alarm]] = []
        self._numbers = itertools.count()
        self._cleared = 0

    def __len__(self) -> int:
        return len(self._alarms)

    def add(self, when: float, call: Callable[[], object]) -> Alarm:
        """An alarm that rings at `when`."""
        alarm = Alarm(self, when, call)
        with self.lock:
            if self._cleared > _FEW and 2 * self._cleared > len(self._alarms):
                self._alarms = [entry for entry in self._alarms if entry[2].call is not None]
                heapq.heapify(self._alarms)
                self._cleared = 0
            heapq.heappush(self._alarms, (when, next(self._numbers), alarm))
        return alarm

    def drop(self, alarm: Alarm) -> None:
        """See `Alarm.clear`."""
        with self.lock:
            if alarm.call is None:
                return
            alarm.call = None  # and with it all that it refers to
            self._cleared += 1

    def due(self, now: float) -> tuple[list[Callable[[], object]], float]:
        """What rings by `now`, in order, and when the next one will: infinity if there is none. The lock is held."""
        found: list[Callable[[], object]] = []
        alarms = self._alarms
        while alarms and (alarms[0][2].call is None or alarms[0][0] <= now):
            alarm = heapq.heappop(alarms)[2]
            if alarm.call is None:
                self._cleared -= 1
            else:
                found.append(alarm.call)
                alarm.call = None
        return found, alarms[0][0] if alarms else math.inf


class Clock:
    """The thread that rings. Started when it is made, a daemon."""

    def __init__(self) -> None:
        self._agenda = Agenda()
        self._changed = threading.Condition(self._agenda.lock)
        self._wakes = math.inf
        threading.Thread(target=self._run, name="runstep clock", daemon=True).start()

    def after(self, seconds: float, function: Callable[..., object], *args: Any) -> Alarm:
        """Calls a function in so many seconds, in the clock's thread: it must be short. From any thread."""
        when = time.monotonic() + min(seconds, threading.TIMEOUT_MAX / 2)
        alarm = self._agenda.add(when, partial(function, *args))
        if when < self._wakes:
            with self._changed:
                self._changed.notify()
        return alarm

    def _run(self) -> None:
        while True:
            with self._changed:
                calls, self._wakes = self._agenda.due(time.monotonic())
                if not calls:
                    self._changed.wait(None if self._wakes == math.inf else self._wakes - time.monotonic())
            for call in calls:
                try:
                    call()
                except Exception:  # of one step; the others want their time, too
                    threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))


_clock: Clock | None = None
_lock = threading.Lock()


def clock() -> Clock:
    """The clock of this process; made on the first call."""
    global _clock
    if _clock is None:
        with _lock:
            if _clock is None:
                _clock = Clock()
    return _clock


def _forget_after_fork() -> None:
    global _clock, _lock
    _clock, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_after_fork)
