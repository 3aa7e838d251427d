"""The step as a pure machine: any plan, any order of events, failures and cancellations at any point."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from runstep import errors
from runstep.plan.tasks import Task, readers
from runstep.step import (
    Cancelled,
    Command,
    Deliver,
    Event,
    Failed,
    Fed,
    Finished,
    Interrupt,
    InvalidTransition,
    Launch,
    Reply,
    Step,
    StepContext,
    Wanted,
)


def plan_of(before: list[set[int]], feeds: list[set[int]], count: int) -> Any:
    """A plan whose task n waits for the tasks `before[n]` and the feeds `feeds[n]`, of which there are `count`.

    Its one result is slot `count + n`.
    """
    tasks = []
    for number, (earlier, fed) in enumerate(zip(before, feeds, strict=True)):
        slots = [*sorted(fed), *(count + task for task in sorted(earlier))]
        after = tuple(n for n, others in enumerate(before) if number in others)
        segment: Any = None
        device: Any = None
        waits = len(earlier) + len(fed)
        results = (count + number,)
        tasks.append(
            Task(segment, device, tuple(slots), results, waits, tuple(sorted(earlier)), after, tuple(sorted(fed)))
        )
    size = count + len(tasks)
    return SimpleNamespace(tasks=tuple(tasks), slots=size, readers=readers(tasks, range(size), size), stages=None)


@st.composite
def plans(draw: st.DrawFn) -> tuple[Any, int]:
    count, size = draw(st.integers(0, 3)), draw(st.integers(0, 8))
    before = [draw(st.sets(st.integers(0, n - 1))) if n else set() for n in range(size)]
    feeds = [draw(st.sets(st.integers(0, count - 1))) if count else set() for _ in range(size)]
    return plan_of(before, feeds, count), count


class Run:
    """Carries out commands and checks each of them; what a driver would do, without devices."""

    def __init__(self, plan: Any) -> None:
        self.step = Step(plan, StepContext())
        self.plan = plan
        self.launched: Counter[int] = Counter()
        self.interrupted: Counter[int] = Counter()
        self.delivered: Counter[int] = Counter()
        self.replies: list[Reply] = []
        self.running: set[int] = set()

    def handle(self, event: Event) -> list[Command]:
        failed = self.step.error is not None
        commands = self.step.handle(event)
        self.step.validate()
        for command in commands:
            assert not self.replies or isinstance(command, Deliver), "a command after the reply"
            if isinstance(command, Launch):
                assert not failed, "a launch after the first failure"
                self.launched[command.task] += 1
                task = self.plan.tasks[command.task]
                assert command.args == tuple(f"value of {slot}" for slot in task.args)
                self.running.add(command.task)
            elif isinstance(command, Interrupt):
                assert command.task in self.running
                self.interrupted[command.task] += 1
            elif isinstance(command, Deliver):
                self.delivered[command.ticket] += 1
            else:
                assert not self.running, "a reply while tasks run"
                self.replies.append(command)
        assert max(self.launched.values(), default=0) <= 1
        assert max(self.interrupted.values(), default=0) <= 1
        assert max(self.delivered.values(), default=0) <= 1
        return commands

    def feed(self, positions: set[int]) -> None:
        self.handle(Fed({position: f"value of {position}" for position in positions}))

    def finish(self, task: int) -> None:
        self.running.discard(task)
        self.handle(Finished(task, [f"value of {slot}" for slot in self.plan.tasks[task].results]))

    def fail(self, task: int, error: BaseException) -> None:
        self.running.discard(task)
        self.handle(Failed(task, error))


@given(plans(), st.data())
def test_every_task_once_in_any_order(case: tuple[Any, int], data: st.DataObject) -> None:
    plan, count = case
    run = Run(plan)
    run.feed(set(range(count)))
    while run.running:
        run.finish(data.draw(st.sampled_from(sorted(run.running))))
    assert run.launched == Counter(range(len(plan.tasks)))
    assert run.replies == [Reply(None)]
    assert run.step.slots == [f"value of {slot}" for slot in range(plan.slots)]


@given(plans(), st.data())
def test_feeds_that_come_one_by_one(case: tuple[Any, int], data: st.DataObject) -> None:
    plan, count = case
    run = Run(plan)
    left = set(range(count))
    run.feed(set())
    while left or run.running:
        feed = left and (not run.running or data.draw(st.booleans()))
        if feed:
            position = data.draw(st.sampled_from(sorted(left)))
            left.discard(position)
            run.feed({position})
        else:
            run.finish(data.draw(st.sampled_from(sorted(run.running))))
    assert run.launched == Counter(range(len(plan.tasks)))
    assert run.replies == [Reply(None)]


@settings(max_examples=300)
@given(plans(), st.data())
def test_anything_may_happen_at_any_time(case: tuple[Any, int], data: st.DataObject) -> None:
    """Feeds late or never, tasks that fail, cancellations before, meanwhile and afterwards, tickets at any time."""
    plan, count = case
    run = Run(plan)
    left, tickets = set(range(count)), 0
    causes: list[BaseException] = []
    while True:
        choices = ["cancel", "want"]
        choices += ["feed"] * (3 if left or not run.step._begun else 0)
        choices += ["finish"] * 4 + ["fail"] if run.running else []
        if run.replies and not run.running:
            break
        choice = data.draw(st.sampled_from(choices))
        if choice == "feed":
            some = data.draw(st.sets(st.sampled_from(sorted(left)))) if left else set()
            left -= some
            run.feed(some)
        elif choice == "finish":
            run.finish(data.draw(st.sampled_from(sorted(run.running))))
        elif choice == "fail":
            causes.append(ValueError(len(causes)))
            run.fail(data.draw(st.sampled_from(sorted(run.running))), causes[-1])
        elif choice == "want":
            tasks = data.draw(st.frozensets(st.integers(0, max(len(plan.tasks) - 1, 0)))) if plan.tasks else frozenset()
            run.handle(Wanted(tickets, tasks))
            tickets += 1
            done = tasks <= run.step.finished or run.step.over
            assert run.delivered[tickets - 1] == done
        else:
            causes.append(errors.CancelledError(None, None, f"{len(causes)}"))
            run.handle(Cancelled(causes[-1]))
    (reply,) = run.replies
    assert reply.error is (causes[0] if causes else None)
    assert run.delivered == Counter(range(tickets)), "a ticket that was not delivered"
    assert run.step.context.cancelled == bool(causes)
    if not causes:
        assert run.launched == Counter(range(len(plan.tasks)))
    run.handle(Cancelled(ValueError("too late")))
    assert run.replies == [reply] and run.step.error is reply.error


@st.composite
def weighed_plans(draw: st.DrawFn) -> Any:
    """Plans without feeds whose tasks take memory: results, and more while they run."""
    plan, _ = draw(plans().filter(lambda case: case[1] == 0))
    tasks = []
    for task in plan.tasks:
        result = draw(st.integers(0, 5))
        size = result + draw(st.integers(0, 5))
        tasks.append(attrs.evolve(task, segment=SimpleNamespace(is_async=False), size=size, result_sizes=(result,)))
    plan.tasks = tuple(tasks)
    return plan


def taken(plan: Any, running: set[int], finished: set[int]) -> int:
    """What such a plan takes: running tasks, and results that another task still reads."""
    held = 0
    for number in finished:
        if any(other not in finished for other in plan.tasks[number].after):
            held += plan.tasks[number].result_sizes[0]
    return held + sum(plan.tasks[number].size for number in running)


@settings(max_examples=300)
@given(weighed_plans(), st.integers(0, 10), st.data())
def test_steps_keep_to_their_memory(plan: Any, slack: int, data: st.DataObject) -> None:
    """Whatever finishes first: never more than the tasks take in their own order, and the slack; nothing is left
    over, whether it succeeds, fails or is cancelled at some point."""
    count = len(plan.tasks)
    in_turn = max((taken(plan, {n}, set(range(n))) for n in range(count)), default=0)
    run = Run(plan)
    run.step = Step(plan, StepContext(), slack)
    end = data.draw(st.sampled_from(["finish", "finish", "fail", "cancel"]))
    when = data.draw(st.integers(0, max(count - 1, 0)))
    run.feed(set())
    while run.running:
        assert taken(plan, run.running, run.step.finished) <= in_turn + slack
        task = data.draw(st.sampled_from(sorted(run.running)))
        if len(run.step.finished) == when and end != "finish" and run.step.error is None:
            if end == "fail":
                run.fail(task, ValueError("no"))
            else:
                run.handle(Cancelled(ValueError("stop")))
        else:
            run.finish(task)
    (reply,) = run.replies
    if reply.error is None:
        assert run.launched == Counter(range(count))
        assert run.step.slots == [f"value of {slot}" for slot in range(count)]
    else:
        assert run.step.slots == [None] * count
    assert sum(run.step.held().values()) == 0


def test_a_task_that_waits_holds_up_nobody() -> None:
    """Though the slack is used up: what it waits for may be what the other does."""
    plan = plan_of([set(), set(), set()], [set()] * 3, 0)
    plan.tasks = tuple(
        attrs.evolve(task, segment=SimpleNamespace(is_async=number == 1), size=9)
        for number, task in enumerate(plan.tasks)
    )
    step = Step(plan, StepContext(), 0)
    assert step.handle(Fed({})) == [Launch(0, ())]
    assert step.handle(Finished(0, [1])) == [Launch(1, ()), Launch(2, ())]


def test_values_leave_with_their_last_reader() -> None:
    plan = plan_of([set(), {0}, {0}], [set()] * 3, 0)
    plan.readers = readers(plan.tasks, [1], 3)
    step = Step(plan, StepContext())
    step.handle(Fed({}))
    step.handle(Finished(0, ["a"]))
    step.handle(Finished(1, ["b"]))
    assert step.slots == ["a", "b", None]
    step.handle(Finished(2, ["c"]))
    assert step.slots == [None, "b", None]


def chain(length: int) -> Any:
    return plan_of([{n - 1} if n else set() for n in range(length)], [set()] * length, 0)


def test_a_plan_without_tasks_is_over_when_it_is_fed() -> None:
    assert Step(chain(0), StepContext()).handle(Fed({})) == [Reply(None)]


def test_a_failure_interrupts_what_runs_and_waits_for_it() -> None:
    plan = plan_of([set(), set(), {0}], [set()] * 3, 0)
    step = Step(plan, StepContext())
    assert step.handle(Fed({})) == [Launch(0, ()), Launch(1, ())]
    error = errors.InvalidArgumentError(None, None, "no")
    assert step.handle(Failed(0, error)) == [Interrupt(1)]
    assert step.context.cancelled and step.context.cause is error
    assert step.handle(Finished(1, ["late"])) == [Reply(error)]


def test_the_first_failure_counts() -> None:
    plan = plan_of([set(), set()], [set()] * 2, 0)
    step = Step(plan, StepContext())
    step.handle(Fed({}))
    first, second = ValueError("first"), ValueError("second")
    assert step.handle(Failed(1, first)) == [Interrupt(0)]
    assert step.handle(Failed(0, second)) == [Reply(first)]


def test_a_cancelled_task_may_say_more() -> None:
    """S43: the error names the operation that waited, when it tells."""
    step = Step(chain(1), StepContext())
    step.handle(Fed({}))
    assert step.handle(Cancelled(errors.CancelledError(None, None, "Run call was cancelled"))) == [Interrupt(0)]
    told = errors.CancelledError(None, None, "Dequeue operation was cancelled")
    assert step.handle(Failed(0, told)) == [Reply(told)]


def test_cancelled_before_it_begins() -> None:
    step = Step(chain(2), StepContext())
    cause = errors.CancelledError(None, None, "early")
    assert step.handle(Cancelled(cause)) == [Reply(cause)]
    assert step.handle(Fed({})) == []


def test_a_loop_hears_of_a_cancellation() -> None:
    context = StepContext()
    context.cancel(errors.DeadlineExceededError(None, None, "time is up"))
    context.cancel(errors.CancelledError(None, None, "later"))
    with pytest.raises(errors.DeadlineExceededError, match="time is up"):
        context.stop()


@pytest.mark.parametrize(
    "events",
    [
        [Finished(0, [1])],
        [Fed({}), Finished(1, [1])],
        [Fed({}), Finished(0, [1]), Finished(0, [1])],
        [Fed({}), Failed(0, ValueError()), Failed(0, ValueError())],
    ],
)
def test_what_cannot_happen_is_refused_with_the_story(events: list[Event]) -> None:
    step = Step(chain(2), StepContext())
    for event in events[:-1]:
        step.handle(event)
    with pytest.raises(InvalidTransition, match="the step so far:") as caught:
        step.handle(events[-1])
    for event in events:
        assert type(event).__name__ in str(caught.value)


def test_feeding_twice_is_refused() -> None:
    step = Step(plan_of([set()], [{0}], 1), StepContext())
    step.handle(Fed({0: 1}))
    with pytest.raises(InvalidTransition, match=r"feeds \[0\] came twice"):
        step.handle(Fed({0: 2}))
