"""One kernel on all cores: a range is cut into parts, which the caller's thread and a few others take one by one.

For work that leaves the interpreter to numpy for long stretches. Nothing ever waits for a thread to come free: the
caller does all that no other thread has begun. Where the threads are taken (another step is at it), it does everything
itself.

On a busy machine a thread may begin a part and then wait for a core, or take the caller's. Where a call has taken
longer than the caller alone would have computed, the next ones are done alone: one, then three, seven ... until help
helps again.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

import numpy as np

from runstep.kernels import blas

Work = Callable[[int, int], None]
"""Does items start to stop of something; writes to places that nobody else writes to."""

_PARTS = 2
"""Parts for each thread: who comes late, or is slow, takes fewer."""

_MOST_ALONE = 64
"""Calls that are done alone at most before help is asked for again."""


class _Job:
    """The parts of one call. Who works on them enters first; once it is closed, nobody does."""

    __slots__ = ("_ended", "_inside", "_lock", "_next", "_share", "_stop", "error", "is_closed", "work")

    def __init__(self, work: Work, count: int, share: int) -> None:
        self.work: Work | None = work
        self.error: BaseException | None = None
        self.is_closed = False
        self._next, self._stop, self._share = 0, count, share
        self._lock = threading.Lock()
        self._inside = 0
        self._ended = threading.Lock()
        self._ended.acquire()

    def help(self) -> None:
        """Does parts until none is left, unless the job is closed already."""
        with self._lock:
            if self.is_closed:
                return
            self._inside += 1
        try:
            self.do()
        finally:
            with self._lock:
                self._inside -= 1
                if self.is_closed and not self._inside:
                    self._ended.release()

    def do(self) -> int:
        """Does parts until none is left, or one has failed; returns how many items."""
        work = self.work
        assert work is not None
        done = 0
        while True:
            with self._lock:
                start = self._next
                stop = self._next = min(start + self._share, self._stop)
            if start == stop:
                return done
            try:
                work(start, stop)
            except BaseException as error:
                with self._lock:
                    self.error, self._next = error, self._stop
                return done
            done += stop - start

    def close(self) -> None:
        """Waits for those inside, and lets go of the work: who comes later finds none."""
        with self._lock:
            self.is_closed = True
            inside = self._inside
        if inside:
            self._ended.acquire()
        self.work = None


class _Threads:
    """The helping threads of this process; started when first used."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._queue: SimpleQueue[_Job] = SimpleQueue()
        self._taken = threading.Lock()
        self._started = 0
        self._alone = 0  # calls to do alone before the next that asks for help
        self._pause = 0  # how many such there were last

    def split(self, count: int, work: Work) -> None:
        if self._alone:
            self._alone -= 1
            work(0, count)
            return
        if not self._taken.acquire(blocking=False):
            work(0, count)
            return
        try:
            while self._started < self.count - 1:
                threading.Thread(target=self._serve, name="runstep kernel", daemon=True).start()
                self._started += 1
            job = _Job(work, count, -(-count // min(count, _PARTS * self.count)))
            for _ in range(self.count - 1):
                self._queue.put(job)
            start, computed = time.perf_counter(), time.thread_time()
            done = 0
            try:
                done = job.do()
                computed = time.thread_time() - computed
            finally:
                job.close()
            self._judge(time.perf_counter() - start, computed * count / max(done, 1))
            if job.error is not None:
                raise job.error
        finally:
            self._taken.release()

    def _judge(self, taken: float, alone: float) -> None:
        """Learns from the seconds that a call has taken, and those that the caller would have computed alone."""
        if taken <= alone:
            self._pause = 0
        else:
            self._alone = self._pause = min(2 * self._pause + 1, _MOST_ALONE)

    def _serve(self) -> None:
        np.seterr(all="ignore")  # of this thread: what `quiet` does for those that run steps
        while True:
            self._queue.get().help()


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
