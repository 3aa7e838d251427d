"""A report of what sessions are doing when the process gets a signal: `kill -USR1 PID` tells why a program hangs.

The report is made by a thread of its own: the one that the signal interrupts may hold any lock.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runstep.session.session import BaseSession

VARIABLE = "RUNSTEP_DEBUG_SIGNAL"
"""The environment variable that makes every session report: the name of a signal, such as SIGUSR1."""

_watched: dict[int, weakref.WeakKeyDictionary[BaseSession, Any]] = {}
_previous: dict[int, Any] = {}


def watch(session: BaseSession, signum: int, file: Any) -> None:
    """Writes the session's `debug_dump` to `file` (None: stderr) whenever the signal comes, as long as it lives.

    What handled the signal before still does, after it.

    Raises:
      ValueError: the caller is not the main thread, which alone may say what signals do.
    """
    if signum not in _previous:
        _previous[signum] = signal.signal(signum, _on_signal)
    _watched.setdefault(signum, weakref.WeakKeyDictionary())[session] = file


def watch_if_asked(session: BaseSession) -> None:
    """`watch`, if the environment asks for it."""
    name = os.environ[VARIABLE]
    found = getattr(signal, name if name.startswith("SIG") else f"SIG{name}", None)
    if not isinstance(found, signal.Signals):
        raise ValueError(f"{VARIABLE}={name}: there is no such signal; say SIGUSR1, for instance.")
    if found not in _previous and threading.current_thread() is not threading.main_thread():
        text = f"{VARIABLE}={name} has no effect yet: the first session was made outside of the main thread."
        warnings.warn(text, RuntimeWarning, stacklevel=4)
        return
    watch(session, found, None)


def _on_signal(signum: int, frame: Any) -> None:
    sessions = list(_watched[signum].items())
    threading.Thread(target=_report, args=(sessions,), name="runstep report").start()
    previous = _previous[signum]
    if callable(previous):
        previous(signum, frame)


def _report(sessions: list[tuple[BaseSession, Any]]) -> None:
    for session, file in sessions:
        print(session.debug_dump(), file=sys.stderr if file is None else file, flush=True)
