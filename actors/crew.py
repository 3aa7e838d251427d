"""Several threads on one step: the caller's own, and helpers from a pool while there is more than one heavy task.

Whoever ends a task tells the step, under a lock, and goes on with what has become ready: the critical path changes
threads only where two branches meet. Cheap tasks are done on the way, by the thread that made them ready.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from typing import Any

from runstep import quiet
from runstep.actors.pool import Pool
from runstep.step import Cancelled, Command, Event, Failed, Fed, Finished, Launch, Step


def drive_together(step: Step, values: Mapping[int, Any], pool: Pool | None) -> None:
    """Runs a step whose tasks never wait, until it is over. The caller works too; without a pool, alone.

    A KeyboardInterrupt in the caller's thread leaves once the kernels that run elsewhere have returned.
    """
    crew = _Crew(step, pool)
    with crew.lock:
        crew.take(step.handle(Fed(values)))
    try:
        crew.work(True)
    finally:
        crew.disband()


class _Crew:
    def __init__(self, step: Step, pool: Pool | None) -> None:
        self._step = step
        self._pool = pool
        self._most = 0 if pool is None else (pool.size or 1) - 1
        self.lock = threading.Condition()
        self._cheap: deque[Launch] = deque()
        self._heavy: deque[Launch] = deque()
        self._asked = 0
        self._inside = 0
        self._is_over = False

    def take(self, commands: list[Command]) -> None:
        """Keeps what is to be launched; the lock is held."""
        for command in commands:
            if isinstance(command, Launch):
                heavy = self._step.plan.tasks[command.task].is_heavy
                (self._heavy if heavy else self._cheap).append(command)
        # One of the heavy ones is for the thread that is here.
        for _ in range(min(len(self._heavy) - 1, self._most - self._asked)):
            self._asked += 1
            self._pool.start(self._help)  # type: ignore[union-attr]
        self.lock.notify_all()

    def _help(self) -> None:
        with self.lock:
            if self._is_over:
                return
            self._inside += 1
        try:
            self.work(False)
        finally:
            with self.lock:
                self._asked -= 1
                self._inside -= 1
                self.lock.notify_all()

    def work(self, to_the_end: bool) -> None:
        """Does tasks as long as there are any; until the step is over, if asked to."""
        step = self._step
        token = quiet.begin()
        try:
            with self.lock:
                launch = self._awaited(to_the_end)
            while launch is not None:
                event: Event
                try:
                    event = Finished(launch.task, step.plan.tasks[launch.task].segment.run(step.context, *launch.args))
                except Exception as error:
                    event = Failed(launch.task, error)
                launch = None
                with self.lock:
                    if self._is_over:
                        return
                    self.take(step.handle(event))
                    launch = self._awaited(to_the_end)  # before somebody else takes it
        finally:
            quiet.end(token)

    def _awaited(self, to_the_end: bool) -> Launch | None:
        """The next task, waited for if asked to; None when there is none. The lock is held."""
        step = self._step
        if step.context.cancelled and step.error is None:
            self.take(step.handle(Cancelled(step.context.cause)))
        while (launch := self._next()) is None:
            if step.over or self._is_over or not to_the_end:
                return None
            self.lock.wait()
        return launch

    def _next(self) -> Launch | None:
        if self._is_over:
            return None
        return self._cheap.popleft() if self._cheap else self._heavy.popleft() if self._heavy else None

    def disband(self) -> None:
        """Lets nobody in any more, and returns when no helper is in it: the step is over, or its caller interrupted.

        Helpers that were asked but have not come yet find nothing to do, and keep nothing of the step alive.
        """
        with self.lock:
            self._is_over = True
            self._cheap.clear()
            self._heavy.clear()
            while self._inside:
                self.lock.wait()
        del self._step
