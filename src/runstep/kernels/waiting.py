"""How a kernel waits without holding a thread.

A waiting kernel is a coroutine that knows no event loop. Where it cannot go on it parks:

    waiter = Waiter(lambda: f"queue 'q' {len(queue)}/10")
    queue.waiters.append(waiter)      # under the queue's lock; whoever makes progress calls waiter.wake()
    try:
        await park(waiter)            # the driver of the step raises here when the step is cancelled
    finally:
        queue.forget(waiter)

A kernel that need not wait never parks, so that a caller without an event loop can run it to its end in place. When it
does park, the driver hands the suspended step over to the device actors, or resumes it when the waiter wakes.
"""

from __future__ import annotations

import threading
import types
from collections.abc import Callable, Generator

Words = str | Callable[[], str]


class Waiter:
    """What a parked kernel waits for. Woken once, from any thread.

    Args:
      reason: what it waits for, in words, for whoever asks why a step does not end; or a function that says it then. It
        does not name the node: that is known from where the kernel is.
      cure: what could be done about it; "" where that is plain.
    """

    __slots__ = ("_cure", "_lock", "_notify", "_reason", "woken")

    def __init__(self, reason: Words, cure: Words = "") -> None:
        self._reason = reason
        self._cure = cure
        self.woken = False
        self._lock = threading.Lock()
        self._notify: Callable[[], None] | None = None

    @property
    def reason(self) -> str:
        """What it waits for, as of now."""
        return self._reason if isinstance(self._reason, str) else self._reason()

    @property
    def cure(self) -> str:
        """What could be done about it."""
        return self._cure if isinstance(self._cure, str) else self._cure()

    def wake(self) -> None:
        """Lets the kernel go on. Waking twice is harmless."""
        with self._lock:
            if self.woken:
                return
            self.woken = True
            notify = self._notify
        if notify is not None:
            notify()

    def on_wake(self, notify: Callable[[], None]) -> None:
        """Calls `notify` once when woken (at once if that has happened), in the thread that wakes. For drivers."""
        with self._lock:
            if not self.woken:
                self._notify = notify
                return
        notify()


@types.coroutine
def park(waiter: Waiter) -> Generator[Waiter, None, None]:
    """Suspends the calling kernel until `waiter` wakes; returns at once when it has."""
    if not waiter.woken:
        yield waiter


class NeedsLoop(Waiter):
    """Parked on by a kernel that will await trio itself (an async py_func): resumed only inside the actors' trio
    loop."""

    __slots__ = ()
