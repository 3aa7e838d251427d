"""Batching across steps: several steps meet, one of them works for all."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np

from runstep import errors
from runstep.actors.clock import Alarm, clock
from runstep.graph import shapes
from runstep.kernels.lines import NOT_YET, Shared
from runstep.kernels.shared import bytes_of, invalid
from runstep.kernels.waiting import Waiter, park

Array = np.ndarray[Any, Any]


class Task:
    """What one step brings: `size` rows in each of `rows`. `key` is its name among all tasks."""

    def __init__(self, rows: Sequence[Array], size: int) -> None:
        self.rows = rows
        self.size = size
        self.key = secrets.randbits(63)
        self.gone = False
        self.outcome: Any = None
        self.waiter = Waiter("others to fill its batch, or the batch's time to be over")


class _Batch:
    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.size = 0
        self.alarm: Alarm | None = None
        self.worker: Task | None = None  # who works for all; nobody as long as others may come
        self.done = False
        self.error: Exception | None = None


Work = Callable[[list[Task]], Awaitable[Sequence[Any]]]
"""From the tasks of a batch to the outcome of each."""


class Batcher:
    """Where steps meet. A batch is worked on when it is full, when the next task does not fit, or after some time.

    Args:
      most: rows in a batch. seconds: how long the first task of a batch waits for others.
      sizes: what batches are filled up to, ascending; empty: they stay as they are.
    """

    def __init__(self, most: int, seconds: float, sizes: Sequence[int]) -> None:
        self._most = most
        self._seconds = seconds
        self._sizes = sizes
        self._lock = threading.Lock()
        self._open: dict[bytes, _Batch] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of the rows that wait for others."""
        with self._lock:
            tasks = [task for batch in self._open.values() for task in batch.tasks]
        return sum(bytes_of(rows) for task in tasks for rows in task.rows)

    async def share(self, queue: bytes, task: Task, work: Work) -> Any:
        """The outcome of a task, once its batch has been worked on: by the step that came last, if it still lives.

        Raises:
          InvalidArgumentError: it has more rows than a batch. Whatever `work` raises, in each step of the batch.
        """
        if task.size > self._most:
            raise invalid(f"Task size {task.size} is larger than maximum input batch size {self._most}")
        batch = self._join(queue, task)
        try:
            if batch.worker is not task:
                await park(task.waiter)
            if not batch.done:  # then it is this one's turn to work
                await self._work(batch, work)
        except BaseException:
            self._leave(queue, batch, task)
            raise
        error = batch.error
        if isinstance(error, errors.OpError):  # one of its own for each step: they are written on
            kind: Any = type(error)
            raise kind(error.node_def, error.op, error.message)
        if error is not None:
            raise error
        return task.outcome

    def _join(self, queue: bytes, task: Task) -> _Batch:
        with self._lock:
            batch, full = self._open.get(queue), None
            if batch is not None and batch.size + task.size > self._most:
                full, batch = self._shut(queue, batch), None
            if batch is None:
                batch = self._open[queue] = _Batch()
                if self._seconds > 0:
                    batch.alarm = clock().after(self._seconds, self._ring, queue, batch)
            batch.tasks.append(task)
            batch.size += task.size
            if batch.size == self._most or self._seconds <= 0:
                self._shut(queue, batch)
        if full is not None:
            full.waiter.wake()
        return batch

    def _shut(self, queue: bytes, batch: _Batch) -> Task:
        del self._open[queue]
        if batch.alarm is not None:
            batch.alarm.clear()
        batch.worker = batch.tasks[-1]
        return batch.worker

    def _ring(self, queue: bytes, batch: _Batch) -> None:
        with self._lock:
            if self._open.get(queue) is not batch:
                return
            worker = self._shut(queue, batch)
        worker.waiter.wake()

    async def _work(self, batch: _Batch, work: Work) -> None:
        try:
            outcomes = await work(batch.tasks)
        except errors.CancelledError:  # this step's own affair: the next one works
            raise
        except Exception as error:
            batch.error = error
        else:
            for task, outcome in zip(batch.tasks, outcomes, strict=True):
                task.outcome = outcome
        with self._lock:
            batch.done = True
        for task in batch.tasks:
            task.waiter.wake()

    def _leave(self, queue: bytes, batch: _Batch, task: Task) -> None:
        with self._lock:
            task.gone = True
            if batch.done:
                return
            if batch.worker is None:
                batch.tasks.remove(task)
                batch.size -= task.size
                if not batch.tasks:
                    del self._open[queue]
                    if batch.alarm is not None:
                        batch.alarm.clear()
                return
            if batch.worker is not task:
                return
            left = [other for other in batch.tasks if not other.gone]
            if not left:
                return
            batch.worker = left[-1]
        left[-1].waiter.wake()

    def joined(self, tasks: list[Task]) -> tuple[list[Array], int]:
        """The rows of all tasks, one after the other, and how many rows of filling (the first one's) end them.

        Raises:
          InvalidArgumentError: they do not fit together.
        """
        size = sum(task.size for task in tasks)
        padding = next((allowed for allowed in self._sizes if allowed >= size), size) - size
        return [_concatenated([task.rows[i] for task in tasks], padding) for i in range(len(tasks[0].rows))], padding


def _concatenated(parts: list[Array], padding: int) -> Array:
    first = parts[0]
    for place, part in enumerate(parts):
        if part.ndim != first.ndim or part.shape[1:] != first.shape[1:]:
            what = "Ranks" if part.ndim != first.ndim else "Dimensions"
            raise invalid(
                f"{what} of all input tensors should match: shape[0] = {shapes.text(first.shape)} vs. "
                f"shape[{place}] = {shapes.text(part.shape)}"
            )
    filling = [np.repeat(first[:1], padding, axis=0)] if padding else []
    return np.concatenate([*parts, *filling])


def task_of(inputs: Sequence[Any]) -> Task:
    """A task of tensors that have as many rows each. InvalidArgumentError if they don't."""
    if not all(np.ndim(value) for value in inputs):
        raise invalid("Batching input tensors must have at least one dimension.")
    size = len(inputs[0])
    if any(len(value) != size for value in inputs):
        raise invalid("Batching input tensors supplied in a given op invocation must have equal 0th-dimension size.")
    return Task(inputs, size)


class Returns:
    """Rows on their way back to the steps that brought them, by their keys."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ready: dict[int, tuple[Array, Alarm]] = {}
        self._waiting: dict[int, Waiter] = {}
        self._given: dict[int, Array] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of the rows that nobody has taken yet."""
        with self._lock:
            return sum(bytes_of(rows) for rows, _ in self._ready.values())

    def give(self, key: int, rows: Array, seconds: float) -> None:
        """Leaves rows for who takes them, for so long. AlreadyExistsError: there are some."""
        with self._lock:
            waiter = self._waiting.pop(key, None)
            if waiter is not None:
                self._given[key] = rows
            elif key in self._ready:
                raise _twice()
            else:
                self._ready[key] = rows, clock().after(seconds, self._forget, key)
        if waiter is not None:
            waiter.wake()

    def _forget(self, key: int) -> None:
        with self._lock:
            self._ready.pop(key, None)

    async def take(self, key: int, seconds: float) -> Array:
        """The rows left under a key, when they are there.

        Raises:
          DeadlineExceededError: they don't come in time. AlreadyExistsError: another step waits for them.
        """
        with self._lock:
            found = self._ready.pop(key, None)
            if found is not None:
                found[1].clear()
                return found[0]
            if key in self._waiting:
                raise _twice()
            waiter = self._waiting[key] = Waiter("its rows of a batch, which another step gives back")
        alarm = clock().after(seconds, waiter.wake)
        try:
            await park(waiter)
        finally:
            alarm.clear()
            with self._lock:
                if self._waiting.get(key) is waiter:
                    del self._waiting[key]
                rows = self._given.pop(key, None)
        if rows is None:
            raise errors.DeadlineExceededError(None, None, "Batched data did not arrive within timeout window.")
        return rows


def _twice() -> errors.AlreadyExistsError:
    return errors.AlreadyExistsError(None, None, "Multiple session runs with the same batch key.")


class Gathering(Shared):
    """Gradients of the rows of several steps, which the step that had the batch waits for."""

    def __init__(self) -> None:
        super().__init__(1, passing=True)
        self._gradients: dict[int, Array] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of the gradients that nobody has taken yet."""
        return sum(bytes_of(gradient) for gradient in list(self._gradients.values()))

    def give(self, key: int, gradient: Array) -> None:
        """Adds one step's. InvalidArgumentError: it has been added."""

        def add() -> None:
            if key in self._gradients:
                raise invalid("Two runs with the same batch key.")
            self._gradients[key] = gradient

        self.change(add)

    async def take(self, keys: Sequence[int]) -> list[Array]:
        """Those of `keys`, in order, when all are there."""

        def attempt() -> Any:
            if not all(key in self._gradients for key in keys):
                return NOT_YET
            return [self._gradients.pop(key) for key in keys]

        def undo(taken: list[Array]) -> None:
            self._gradients.update(zip(keys, taken, strict=True))

        found: list[Array] = await self.stand(0, attempt, "UnbatchGrad", "the gradients of other steps' rows", undo)
        return found
