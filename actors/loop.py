"""The background thread with a trio loop that serves the device actors of plain sessions. Started when first needed."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any

LOOK_UP = 1.0
"""Seconds. A signal that comes just before a thread begins to wait does not wake it: Python sees it when it looks."""


def result_of(future: Future[Any]) -> Any:
    """Waits for a future; its result. Ctrl-C ends the waiting, within `LOOK_UP` at worst."""
    while True:
        try:
            return future.result(LOOK_UP)
        except TimeoutError:
            if future.done():  # it is what the future failed with
                return future.result()


def lowlevel() -> Any:
    """`trio.lowlevel` where trio is imported; None where it isn't, or another thread is about to."""
    return getattr(sys.modules.get("trio"), "lowlevel", None)


def in_a_loop() -> bool:
    """Whether this thread runs an event loop, which must not be kept waiting."""
    trio = lowlevel()
    if trio is not None and trio.in_trio_run():
        return True
    running = getattr(sys.modules.get("asyncio"), "_get_running_loop", None)
    return running is not None and running() is not None


class Loop:
    """A trio loop that device actors live in: a nursery of it, reachable from any thread."""

    def __init__(self, token: Any, nursery: Any, thread: threading.Thread) -> None:
        self._token = token
        self._nursery = nursery
        self._thread = thread

    def post(self, function: Callable[..., object], *args: Any) -> None:
        """Calls a function soon, in the loop."""
        self._token.run_sync_soon(function, *args)

    def spawn(self, function: Callable[..., Awaitable[object]], *args: Any) -> None:
        """Starts a task that lives as long as the loop; from inside the loop."""
        self._nursery.start_soon(function, *args)

    def submit(self, function: Callable[..., Awaitable[Any]], *args: Any) -> Future[Any]:
        """Starts an async function in the loop, from any thread; a future of its result."""
        future: Future[Any] = Future()

        async def run() -> None:
            try:
                result = await function(*args)
            except BaseException as error:
                future.set_exception(error)
                if not isinstance(error, Exception):
                    raise
            else:
                future.set_result(result)

        def start() -> None:
            try:
                self._nursery.start_soon(run)
            except RuntimeError as error:  # the nursery that took the actors in has been left
                future.set_exception(error)

        self.post(start)
        return future

    @property
    def is_current(self) -> bool:
        """Whether the caller runs in the loop's own thread."""
        return threading.current_thread() is self._thread


class LoopThread(Loop):
    """A daemon thread that runs trio until the process ends."""

    def __init__(self) -> None:
        super().__init__(None, None, threading.Thread(target=self._run, name="runstep actors", daemon=True))
        self._ready = threading.Event()
        self._thread.start()
        self._ready.wait()

    def _run(self) -> None:
        import trio

        trio.run(self._main, restrict_keyboard_interrupt_to_checkpoints=True)

    async def _main(self) -> None:
        import trio

        async with trio.open_nursery() as nursery:
            self._token = trio.lowlevel.current_trio_token()
            self._nursery = nursery
            self._ready.set()
            await trio.sleep_forever()


def loop_of(nursery: Any) -> Loop:
    """The caller's own loop, with a nursery of it for the device actors; from inside the loop."""
    import trio

    return Loop(trio.lowlevel.current_trio_token(), nursery, threading.current_thread())


_loop: LoopThread | None = None
_lock = threading.Lock()


def loop_thread() -> LoopThread:
    """The loop thread of this process; started on the first call."""
    global _loop
    with _lock:
        if _loop is None:
            _loop = LoopThread()
        return _loop


def _forget_after_fork() -> None:
    global _loop, _lock
    _loop, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_after_fork)
