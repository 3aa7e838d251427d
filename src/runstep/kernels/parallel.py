"""One kernel on all cores: a range is split, the caller's thread takes the first part and a few threads the rest.

For work that leaves the interpreter to numpy for long stretches. Where the threads are taken (another step is at it),
the caller does everything itself: nothing ever waits for a thread to come free.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue

import numpy as np

from runstep.kernels import blas

Work = Callable[[int, int], None]
"""Does items start to stop of something; writes to places that nobody else writes to."""


class _Part:
    __slots__ = ("done", "error", "start", "stop", "work")

    def __init__(self, work: Work, start: int, stop: int) -> None:
        self.work, self.start, self.stop = work, start, stop
        self.error: BaseException | None = None
        self.done = threading.Lock()
        self.done.acquire()


class _Threads:
    """The helping threads of this process; started when first used."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._queue: SimpleQueue[_Part] = SimpleQueue()
        self._taken = threading.Lock()
        self._started = 0

    def split(self, count: int, work: Work) -> None:
        if not self._taken.acquire(blocking=False):
            work(0, count)
            return
        try:
            while self._started < self.count - 1:
                threading.Thread(target=self._serve, name="runstep kernel", daemon=True).start()
                self._started += 1
            share = -(-count // self.count)
            parts = [_Part(work, start, min(start + share, count)) for start in range(share, count, share)]
            for part in parts:
                self._queue.put(part)
            try:
                work(0, share)
            finally:
                for part in parts:
                    part.done.acquire()
            for part in parts:
                if part.error is not None:
                    raise part.error
        finally:
            self._taken.release()

    def _serve(self) -> None:
        np.seterr(all="ignore")  # of this thread: what `quiet` does for those that run steps
        while True:
            part = self._queue.get()
            try:
                part.work(part.start, part.stop)
            except BaseException as error:
                part.error = error
            finally:
                part.done.release()
                del part


_threads = _Threads(1)


def split(count: int, work: Work) -> None:
    """Calls `work` on parts of range(count), on as many threads as a kernel may use, and returns when all are done.

    Raises:
      BaseException: what one of the parts raised.
    """
    _threads.count = blas.threads()
    if _threads.count < 2 or count < 2:
        work(0, count)
    else:
        _threads.split(count, work)


def _renew_after_fork() -> None:
    global _threads
    _threads = _Threads(1)


os.register_at_fork(after_in_child=_renew_after_fork)
