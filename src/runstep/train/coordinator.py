"""Threads that stop together: when one of them fails, or is done."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any

from runstep import errors, logging as _log

__all__ = ["Coordinator", "LooperThread"]


Info = tuple[type[BaseException], BaseException, TracebackType | None]


class Coordinator:
    """Lets threads stop together, and reports the first failure among them (source: tf.train.Coordinator).

        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess, coord)
        try:
            while not coord.should_stop():
                ...
        except Exception as error:
            coord.request_stop(error)
        finally:
            coord.request_stop()
            coord.join(threads)

    Args:
      clean_stop_exception_types: errors that mean an orderly end, and are not reported; OutOfRangeError by default.
    """

    def __init__(self, clean_stop_exception_types: Any = None) -> None:
        clean = (errors.OutOfRangeError,) if clean_stop_exception_types is None else clean_stop_exception_types
        self._clean: tuple[type[BaseException], ...] = tuple(clean)
        self._lock = threading.Lock()
        self._stop_event = threading.Event()
        self._error: Info | None = None
        self._joined = False
        self._registered_threads: set[threading.Thread] = set()

    def request_stop(self, ex: Any = None) -> None:
        """Asks all threads to stop.

        Args:
          ex: why: an exception, or the tuple of `sys.exc_info()`; anything else stands for the exception that is being
            handled. The first one is raised by `join`; or here, after `join` has returned.
        """
        with self._lock:
            info = self._info(ex)
            if self._joined and info is not None:
                raise info[1].with_traceback(info[2])
            if not self._stop_event.is_set():
                if info is not None and self._error is None:
                    _log.info("Error reported to Coordinator: %s, %s", info[0], info[1])
                    self._error = info
                self._stop_event.set()

    def _info(self, ex: Any) -> Info | None:
        if not ex:
            return None
        info: Any = sys.exc_info()
        if isinstance(ex, BaseException):
            info = type(ex), ex, ex.__traceback__
        elif isinstance(ex, tuple):
            info = ex
        if len(info) != 3 or not isinstance(info[1], BaseException):
            wrong = ValueError(f"ex must be a tuple or sys.exc_info must return the current exception: {ex}")
            return ValueError, wrong, None
        return None if isinstance(info[1], self._clean) else info

    def clear_stop(self) -> None:
        """Forgets that a stop was requested: a new start."""
        with self._lock:
            self._joined = False
            self._error = None
            self._stop_event.clear()

    def should_stop(self) -> bool:
        """Whether a stop was requested."""
        return self._stop_event.is_set()

    @contextlib.contextmanager
    def stop_on_exception(self) -> Iterator[None]:
        """What is raised inside requests a stop, and goes no further."""
        try:
            yield
        except BaseException:
            self.request_stop(sys.exc_info())

    def wait_for_stop(self, timeout: float | None = None) -> bool:
        """Waits until a stop is requested, at most `timeout` seconds; whether it was."""
        return self._stop_event.wait(timeout)

    def register_thread(self, thread: threading.Thread) -> None:
        """Adds a thread to those that `join` waits for."""
        with self._lock:
            self._registered_threads.add(thread)

    def join(
        self,
        threads: Iterable[threading.Thread] | None = None,
        stop_grace_period_secs: float = 120,
        ignore_live_threads: bool = False,
    ) -> None:
        """Waits until a stop is requested, and then until the threads have ended; raises what was reported.

        Args:
          threads: besides those that were registered.
          stop_grace_period_secs: how long they may take to end after a stop was requested.
          ignore_live_threads: no error when some have not ended by then.

        Raises:
          RuntimeError: threads have not ended.
        """
        with self._lock:
            waited = list(self._registered_threads.union(threads or ()))
        # Threads that end without asking for a stop end the wait too.
        while (alive := _alive(waited)) and not self._stop_event.is_set():
            alive[0].join(0.05)
        deadline = time.monotonic() + stop_grace_period_secs
        for thread in waited:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
        stragglers = " ".join(thread.name for thread in _alive(waited))
        with self._lock:
            self._joined = True
            self._registered_threads = set()
            if self._error is not None:
                raise self._error[1].with_traceback(self._error[2])
            if stragglers:
                if not ignore_live_threads:
                    raise RuntimeError(f"Coordinator stopped with threads still running: {stragglers}")
                _log.info("Coordinator stopped with threads still running: %s", stragglers)

    @property
    def joined(self) -> bool:
        """Whether `join` has returned."""
        return self._joined

    def raise_requested_exception(self) -> None:
        """Raises the error that was reported, if any."""
        with self._lock:
            if self._error is not None:
                raise self._error[1].with_traceback(self._error[2])


def _alive(threads: Sequence[threading.Thread]) -> list[threading.Thread]:
    return [thread for thread in threads if thread.is_alive()]


class LooperThread(threading.Thread):
    """A thread that calls a function again and again until a stop is requested (source: tf.train.LooperThread).

    Args:
      timer_interval_secs: between two calls; None calls without a pause.
      target: the function; or override `run_loop`.

    Raises:
      ValueError: `coord` is not a Coordinator, or there are arguments and no function.
    """

    def __init__(
        self,
        coord: Coordinator,
        timer_interval_secs: float | None,
        target: Callable[..., Any] | None = None,
        args: Sequence[Any] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        if not isinstance(coord, Coordinator):
            raise ValueError(f"'coord' argument must be a Coordinator: {coord}")
        super().__init__(daemon=True)
        self._coord = coord
        self._interval = timer_interval_secs
        if target is None and (args or kwargs):
            raise ValueError("'args' and 'kwargs' argument require that you also pass 'target'")
        self._loop_target, self._loop_args, self._loop_kwargs = target, args or (), kwargs or {}
        coord.register_thread(self)

    @staticmethod
    def loop(
        coord: Coordinator,
        timer_interval_secs: float | None,
        target: Callable[..., Any],
        args: Sequence[Any] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> LooperThread:
        """A thread that has been started."""
        looper = LooperThread(coord, timer_interval_secs, target, args, kwargs)
        looper.start()
        return looper

    def run(self) -> None:
        with self._coord.stop_on_exception():
            self.start_loop()
            if self._interval is None:
                while not self._coord.should_stop():
                    self.run_loop()
            else:
                due = time.time()
                while not self._coord.wait_for_stop(due - time.time()):
                    due += self._interval
                    self.run_loop()
            self.stop_loop()

    def start_loop(self) -> None:
        """Called when the thread starts."""

    def stop_loop(self) -> None:
        """Called when the thread stops."""

    def run_loop(self) -> None:
        """Called again and again."""
        if self._loop_target is not None:
            self._loop_target(*self._loop_args, **self._loop_kwargs)
