"""Threads that work on steps: those of a session, of several sessions that name the same pool, or of the process."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any


def cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return os.cpu_count() or 1


class Pool:
    """Up to `size` daemon threads, started when there is work for them; as many as there is work for when None.

    Attributes:
      name: of its threads, for debuggers. is_shared: it is not one session's own.
    """

    def __init__(self, size: int | None, name: str = "runstep", is_shared: bool = False) -> None:
        self.size = size
        self.name = name
        self.is_shared = is_shared
        self._renew()
        _pools.add(self)

    def _renew(self) -> None:
        """Starts with no threads: when made, and in the child of a fork."""
        self._work: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0

    def start(self, call: Callable[[], object]) -> None:
        """Calls a function in a thread of the pool, as soon as one is free. It must not raise."""
        with self._lock:
            if self._idle > 0:
                self._idle -= 1
            elif self.size is None or self._threads < self.size:
                self._threads += 1
                number = self._threads
                threading.Thread(target=self._serve, name=f"{self.name} {number}", daemon=True).start()
        self._work.put(call)

    def submit(self, call: Callable[[], Any]) -> Future[Any]:
        """As `start`; a future of what the function returns or raises."""
        future: Future[Any] = Future()

        def run() -> None:
            try:
                result = call()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        self.start(run)
        return future

    def close(self) -> None:
        """Ends the threads once they have done what was asked of them."""
        with self._lock:
            for _ in range(self._threads):
                self._work.put(None)
            self._threads = self._idle = 0

    def _serve(self) -> None:
        work = self._work
        while True:
            call = work.get()
            if call is None:
                return
            call()
            del call
            with self._lock:
                self._idle += 1


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()
_shared: dict[str, Pool] = {}
_lock = threading.Lock()


def shared(name: str, size: int) -> Pool:
    """The pool of this name in the process. Who asks first says how large it is."""
    with _lock:
        if name not in _shared:
            _shared[name] = Pool(size, f"runstep {name}".rstrip(), True)
        return _shared[name]


def unbounded() -> Pool:
    """The threads for work of which nobody can say when it ends: each gets one of its own."""
    return _unbounded


_unbounded = Pool(None, "runstep endless", True)


def _renew_after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    for pool in list(_pools):
        pool._renew()


os.register_at_fork(after_in_child=_renew_after_fork)
