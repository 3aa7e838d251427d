"""One execution of a plan, as a pure state machine: events in, commands out. Nothing here awaits or locks.

    fed, started      ->  launch the tasks that wait for nothing more
    finished          ->  launch what waited for it; reply when all is done
    wanted            ->  deliver once these tasks are done, or the step has failed and all that ran has ended
    failed, cancelled ->  no further launches; reply with the first error once everything that runs has ended (S55)

`run` and `partial_run` are the same machine: a run is a partial run fed all at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from runstep import errors
from runstep.kernels.waiting import Waiter
from runstep.memory import bytes_held
from runstep.plan.compile import Plan
from runstep.plan.tasks import Task

_BATCHES = frozenset(("Batch", "BatchFunction"))
"""Ops that leave their inputs with a resource while they wait."""


class StepContext:
    """What kernels and emitted code see of the step that they run in.

    Attributes:
      cancelled: set from outside to end the step; loops look at it on every turn.
      temporaries: values that live as long as the step (temporary variables, stacks), by name.
      waiting: what its kernels are parked on, and the coroutines that are; None for what is no kernel.
      records: of a traced step, the kernel calls that have ended. begun: nodes whose calls have not, and since when.
      pool: which of the session's thread pools works on it; -1: the caller's thread alone.
      growth: what it has claimed of the memory of devices for what it has found out; None for nothing.
      wakers: called when it is cancelled, in the thread that does it.
    """

    __slots__ = ("_cause", "begun", "cancelled", "growth", "pool", "records", "temporaries", "waiting", "wakers")

    def __init__(self) -> None:
        self.cancelled = False
        self._cause: BaseException | None = None
        self.temporaries: dict[Any, Any] = {}
        self.records: list[Record] | None = None
        self.begun: dict[int, int] = {}
        self.waiting: dict[Waiter, Any] = {}
        self.pool = 0
        self.growth: Any = None
        self.wakers: list[Callable[[], object]] = []

    def cancel(self, cause: BaseException) -> None:
        """Ends the step with this error at the next opportunity."""
        if not self.cancelled:
            self._cause = cause
            self.cancelled = True
            for wake in self.wakers.copy():
                wake()

    def growing(self, device: Any, projections: Any = None) -> Any:
        """`growth`, from now on. Of a plan whose needs change with what is found out: its `projections`."""
        if self.growth is None:
            self.growth = device.growth(projections, None)
        return self.growth

    def stop(self) -> None:
        """Called by emitted loops once `cancelled` is set.

        Raises:
          OpError: the cause of the cancellation.
        """
        if isinstance(self._cause, errors.CancelledError):
            raise errors.CancelledError(None, None, "Loop execution was cancelled.")
        raise self.cause

    @property
    def cause(self) -> BaseException:
        return self._cause or errors.CancelledError(None, None, "Run call was cancelled")

    # Tracing: called by emitted code of traced plans only.

    def started(self, number: int) -> int:
        now = time.perf_counter_ns()
        if self.records is not None:
            self.begun[number] = now
        return now

    def ended(self, number: int, started: int, outputs: tuple[Any, ...]) -> None:
        if self.records is not None:
            self.begun.pop(number, None)
            thread = threading.get_native_id()
            self.records.append(Record(number, started, time.perf_counter_ns(), outputs, thread))


@attrs.frozen
class Record:
    """One kernel call of a traced step. Times in nanoseconds of `time.perf_counter_ns`."""

    node: int
    started: int
    ended: int
    outputs: tuple[Any, ...]
    thread: int = 0


# Events: what happened.


@attrs.frozen
class Fed:
    """Values of feeds, by position."""

    values: Mapping[int, Any]


@attrs.frozen
class Finished:
    """A task returned."""

    task: int
    results: Sequence[Any]


@attrs.frozen
class Failed:
    """A task raised."""

    task: int
    error: BaseException


@attrs.frozen
class Cancelled:
    """Somebody wants the step to end."""

    cause: BaseException


@attrs.frozen
class Wanted:
    """Somebody waits for these tasks: a partial run for its fetches."""

    ticket: Any
    tasks: frozenset[int]


@attrs.frozen
class Taken:
    """Values of these slots have left for good, each by one of those who collect them."""

    slots: Sequence[int]


Event = Fed | Finished | Failed | Cancelled | Wanted | Taken

# Commands: what to do.


@attrs.frozen
class Launch:
    """Run a task on its device."""

    task: int
    args: tuple[Any, ...]


@attrs.frozen
class Interrupt:
    """Wake a waiting task with the step's error."""

    task: int


@attrs.frozen
class Reply:
    """The step is over; `error` is None when it succeeded."""

    error: BaseException | None


@attrs.frozen
class Deliver:
    """What this ticket stands for is done, or never will be: the step is over."""

    ticket: Any


Command = Launch | Interrupt | Deliver | Reply


class InvalidTransition(RuntimeError):
    """An event that cannot happen in the state that the step is in. Its message tells the step's story."""


class _Turns:
    """Which ready tasks may be launched when memory is scarce.

    The first task that has not finished is in its turn: it was projected to fit. Any other runs before its turn, and
    takes what it takes from the slack, until its turn comes: so all that runs never takes more than the projection and
    the slack. Tasks that wait (for a queue, say) hold up nobody.
    """

    def __init__(self, tasks: Sequence[Task], slack: int) -> None:
        self._tasks = tasks
        self._all = slack
        self.slack = slack
        self._ready: list[int] = []
        self._ahead: dict[int, int] = {}
        self._head = 0

    def admit(self, ready: Mapping[int, None], running: set[int], finished: set[int]) -> dict[int, None]:
        """Those tasks to be launched now, of the ones that are ready or have been before."""
        self._ready = sorted({*self._ready, *ready})
        launched: dict[int, None] = {}
        while True:
            busy = running | launched.keys()
            self._advance(busy, finished)
            found = self._next(busy)
            if found is None:
                return launched
            self._ready.remove(found)
            launched[found] = None

    def _next(self, busy: set[int]) -> int | None:
        for number in self._ready:
            size = self._tasks[number].size
            if number == self._head:
                return number
            if size <= self.slack:
                self._ahead[number] = size
                self.slack -= size
                return number
        if self._ready and all(self._tasks[number].segment.is_async for number in busy):
            number = self._ready[0]  # all that runs waits, perhaps for what this one does
            self._ahead[number] = self._tasks[number].size
            self.slack -= self._tasks[number].size
            return number
        return None

    def _advance(self, busy: set[int], finished: set[int]) -> None:
        """Finds the first task whose turn it is; those before it no longer count as ahead."""
        while self._head < len(self._tasks) and (
            self._head in finished or (self._head in busy and self._tasks[self._head].segment.is_async)
        ):
            self.slack += self._ahead.pop(self._head, 0)
            self._head += 1
        if self._head in busy:
            self.slack += self._ahead.pop(self._head, 0)

    def validate(self) -> None:
        assert self.slack + sum(self._ahead.values()) == self._all, "slack was lost"


class Step:
    """The state of one execution: value slots, and how many things each task still waits for.

    A value leaves its slot when the last task that reads it has finished, unless it is collected in the end.

    Args:
      slack: bytes that tasks may take which run before their turn. In the order of their numbers tasks take what the
        plan is projected to take; None: whatever is ready is launched.
    """

    def __init__(self, plan: Plan, context: StepContext, slack: int | None = None) -> None:
        self.plan = plan
        self.context = context
        self._readers = list(plan.readers)
        self._turns = None if slack is None else _Turns(plan.tasks, slack)
        self.slots: list[Any] = [None] * plan.slots
        self.pending = [task.waits_for for task in plan.tasks]
        self.running: set[int] = set()
        self.finished: set[int] = set()
        self.error: BaseException | None = None
        self.over = False
        self._fed: set[int] = set()
        self._begun = False
        self._cancelled = False
        self._wanted: list[Wanted] = []
        self._story: list[str] = []

    @classmethod
    def resumed(
        cls, plan: Plan, context: StepContext, slots: list[Any], fed: frozenset[int], finished: frozenset[int]
    ) -> Step:
        """A step that goes on from where another was: these feeds have come, these tasks have finished.

        The first `Fed` launches what is ready; what had begun and not finished begins afresh.
        """
        step = cls(plan, context)
        step.slots = slots
        step.finished = set(finished)
        step._fed = set(fed)
        for number in finished:
            step._drop(plan.tasks[number].args)
        for number, task in enumerate(plan.tasks):
            step.pending[number] -= len(finished.intersection(task.before)) + len(fed.intersection(task.feeds))
        step.over = len(finished) == len(plan.tasks)
        return step

    @property
    def fed(self) -> int:
        """The feeds that have come, as bits."""
        return sum(1 << position for position in self._fed)

    def due(self, fed: int) -> tuple[int, ...]:
        """The tasks of a staged plan that have not finished, and for which these feeds (as bits) are enough."""
        stages = self.plan.stages
        assert stages is not None
        return tuple([n for n, mask in enumerate(stages.waits) if not mask & ~fed and n not in self.finished])

    def handle(self, event: Event) -> list[Command]:
        """What to do about an event.

        Raises:
          InvalidTransition: it cannot happen now.
        """
        self._story.append(type(event).__name__ + (f"({event.task})" if isinstance(event, Finished | Failed) else ""))
        if isinstance(event, Finished):
            commands = self._on_finished(event)
        elif isinstance(event, Fed):
            commands = self._on_fed(event)
        elif isinstance(event, Failed):
            commands = self._on_failed(event)
        elif isinstance(event, Wanted):
            self._wanted.append(event)
            commands = []
        elif isinstance(event, Taken):
            self._drop(event.slots)
            commands = []
        else:
            commands = self._on_cancelled(event)
        return commands + self._deliver() if self._wanted else commands

    def _on_fed(self, event: Fed) -> list[Command]:
        if self.over:
            return []
        again = self._fed & event.values.keys()
        if again:
            raise self._invalid(f"feeds {sorted(again)} came twice")
        for position, value in event.values.items():
            self.slots[position] = value
        self._fed |= event.values.keys()
        ready = []
        if not self._begun:
            self._begun = True
            ready = [n for n, count in enumerate(self.pending) if count == 0 and n not in self.finished]
        for number, task in enumerate(self.plan.tasks):
            came = sum(feed in event.values for feed in task.feeds)
            if came:
                self.pending[number] -= came
                if not self.pending[number]:
                    ready.append(number)
        return self._launch(dict.fromkeys(ready)) + self._reply_if_done()

    def _launch(self, tasks: Mapping[int, None]) -> list[Command]:
        if self.error is not None:
            return []
        if self._turns is not None:
            tasks = self._turns.admit(tasks, self.running, self.finished)
        commands: list[Command] = []
        for number in tasks:
            task = self.plan.tasks[number]
            self.running.add(number)
            commands.append(Launch(number, tuple([self.slots[slot] for slot in task.args])))
        return commands

    def _on_finished(self, event: Finished) -> list[Command]:
        self._ended(event.task)
        task = self.plan.tasks[event.task]
        readers = self._readers
        if self.error is None or self.plan.stages is not None:
            for slot, value in zip(task.results, event.results, strict=True):
                if readers[slot]:
                    self.slots[slot] = value
        self._drop(task.args)
        self.finished.add(event.task)
        ready: dict[int, None] = {}
        for number in task.after:
            self.pending[number] -= 1
            if not self.pending[number]:
                ready[number] = None
        return self._launch(ready) + self._reply_if_done()

    def _drop(self, slots: Sequence[int]) -> None:
        """One reader of each of these has read it."""
        for slot in slots:
            self._readers[slot] -= 1
            if not self._readers[slot]:
                self.slots[slot] = None

    def _on_failed(self, event: Failed) -> list[Command]:
        self._ended(event.task)
        if self._cancelled and isinstance(event.error, errors.CancelledError):
            self.error, self._cancelled = event.error, False  # says more: at which operation (S43)
            if event.error is not self.context.cause:
                for note in getattr(self.context.cause, "__notes__", ()):
                    event.error.add_note(note)
        return self._fail(event.error) + self._reply_if_done()

    def _on_cancelled(self, event: Cancelled) -> list[Command]:
        if self.over:
            return []
        self.context.cancel(event.cause)
        self._cancelled = self.error is None and isinstance(event.cause, errors.CancelledError)
        return self._fail(event.cause) + self._reply_if_done()

    def _fail(self, error: BaseException) -> list[Command]:
        if self.error is not None:
            return []
        self.error = error
        if self.plan.stages is None:  # else those who wait for another fetch still get it
            self.slots[:] = [None] * len(self.slots)
        self.context.cancel(error)
        return [Interrupt(number) for number in sorted(self.running)]

    def held(self) -> dict[Any, int]:
        """The bytes that its slots hold, by the device that made them. Fed values are the caller's, but for those of a
        partial run, which are copies: they count as the first task's. What a batch has that it waits for, counts there.
        """
        values: dict[Any, list[Any]] = {}
        tasks = [self.plan.tasks[number] for number in self.running]
        batched = {
            slot
            for task in tasks
            if any(node.type in _BATCHES for node in task.segment.nodes)
            for slot in task.args
            if self._readers[slot] == 1
        }
        if self.plan.stages is not None and self.plan.tasks:
            values[self.plan.tasks[0].device] = self.slots[: len(self.plan.feeds)]
        for task in self.plan.tasks:
            kept = [self.slots[slot] for slot in task.results if slot not in batched]
            values.setdefault(task.device, []).extend(kept)
        return {device: bytes_held(found) for device, found in values.items()}

    def _deliver(self) -> list[Command]:
        done = [wanted for wanted in self._wanted if self.over or wanted.tasks <= self.finished]
        self._wanted = [wanted for wanted in self._wanted if wanted not in done]
        return [Deliver(wanted.ticket) for wanted in done]

    def _ended(self, task: int) -> None:
        if task not in self.running:
            raise self._invalid(f"task {task} ended but is not running")
        self.running.discard(task)

    def _reply_if_done(self) -> list[Command]:
        if self.over or self.running:
            return []
        if self.error is None and len(self.finished) < len(self.plan.tasks):
            return []
        self.over = True
        return [Reply(self.error)]

    def _invalid(self, what: str) -> InvalidTransition:
        return InvalidTransition(f"{what}; the step so far: {' '.join(self._story)}")

    def validate(self) -> None:
        """Checks the invariants that hold between any two events. For tests."""
        assert not (self.running & self.finished), "a task both runs and is finished"
        assert all(count >= 0 for count in self.pending), "a task waits for fewer things than nothing"
        for number in self.running | self.finished:
            assert not self.pending[number], f"task {number} runs though it waits for {self.pending[number]} more"
        if self.over and self.error is None:
            assert len(self.finished) == len(self.plan.tasks), "over before all tasks finished"
        made = {slot for task in self.plan.tasks for slot in task.results}
        kept = [slot for slot in made if self.slots[slot] is not None and not self._readers[slot]]
        assert not kept, f"slots {kept} hold values that nobody reads"
        if self._turns is not None:
            self._turns.validate()
