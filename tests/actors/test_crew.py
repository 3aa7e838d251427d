"""Several threads on one step: each task once, whoever runs it; ordering by barriers and semaphores, no clock."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from runstep import errors
from runstep.actors.crew import drive_together
from runstep.actors.pool import Pool, shared, unbounded
from runstep.plan.tasks import Task, readers
from runstep.step import Step, StepContext

Run = Callable[..., Any]


def plan_of(runs: list[Run], before: list[set[int]], heavy: list[bool]) -> Any:
    """Task n calls a function with the step and the results of the tasks `before[n]`; its own result is slot n."""
    made = []
    for number, (run, earlier) in enumerate(zip(runs, before, strict=True)):
        after = tuple(n for n, others in enumerate(before) if number in others)
        cost = 1e6 if heavy[number] else 0.0
        segment: Any = SimpleNamespace(run=run, is_async=False)
        device: Any = None
        order = tuple(sorted(earlier))
        made.append(Task(segment, device, order, (number,), len(earlier), order, after, cost=cost))
    count = len(made)
    return SimpleNamespace(tasks=tuple(made), slots=count, readers=readers(made, range(count), count), stages=None)


def step_of(runs: list[Run], before: list[set[int]], heavy: list[bool]) -> Step:
    return Step(plan_of(runs, before, heavy), StepContext())


@pytest.fixture
def pool() -> Iterator[Pool]:
    found = Pool(3, "test crew")
    yield found
    found.close()


POOL = Pool(3, "test crew of many")


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[set[int]], list[bool], set[int], int | None]:
    size = draw(st.integers(0, 10))
    before = [draw(st.sets(st.integers(0, n - 1), max_size=3)) if n else set() for n in range(size)]
    heavy = [draw(st.booleans()) for _ in range(size)]
    numbers = st.integers(0, max(size - 1, 0))
    return (
        before,
        heavy,
        draw(st.sets(numbers, max_size=2)) if draw(st.booleans()) else set(),
        draw(st.none() | numbers),
    )


@settings(max_examples=150, deadline=None)
@given(cases(), st.booleans())
def test_any_graph_any_failure_any_cancellation(case: Any, alone: bool) -> None:
    before, heavy, failing, cancelling = case
    ran: Counter[int] = Counter()
    context = StepContext()
    cause = errors.CancelledError(None, None, "enough")

    def task(number: int) -> Run:
        def run(step: Any, *args: int) -> Any:
            ran[number] += 1
            if number == cancelling:
                context.cancel(cause)
            if number in failing:
                raise ValueError(number)
            return (sum(args) + 1,)

        return run

    step = Step(plan_of([task(n) for n in range(len(before))], before, heavy), context)
    drive_together(step, {}, None if alone else POOL)
    step.validate()
    assert step.over and not step.running
    assert max(ran.values(), default=0) <= 1
    broken = [number for number in range(len(before)) if ran[number] and (number in failing or number == cancelling)]
    if not broken:
        want: list[int] = []
        for sources in before:
            want.append(sum(want[source] for source in sources) + 1)
        assert step.error is None and step.slots == want and len(ran) == len(before)
    else:
        last = len(ran) == len(before) and not failing  # cancelled by the last to run: done all the same, or not
        assert step.error is cause or isinstance(step.error, ValueError) or last


def test_heavy_tasks_run_at_the_same_time(pool: Pool) -> None:
    barrier = threading.Barrier(3)
    threads: set[int] = set()

    def meet(step: Any) -> Any:
        barrier.wait(30)
        threads.add(threading.get_ident())
        return (1,)

    step = step_of([meet, meet, meet], [set()] * 3, [True] * 3)
    drive_together(step, {}, pool)
    assert step.error is None and len(threads) == 3 and threading.get_ident() in threads


def test_cheap_tasks_never_change_threads(pool: Pool) -> None:
    """They run where they became ready: here in two threads, each with what hangs off its heavy task."""
    barrier = threading.Barrier(2)
    where: dict[int, int] = {}

    def task(number: int, meets: bool = False) -> Run:
        def run(step: Any, *args: Any) -> Any:
            if meets:
                barrier.wait(30)
            where[number] = threading.get_ident()
            return (number,)

        return run

    runs = [task(0), task(1, True), task(2, True), task(3), task(4)]
    step = step_of(runs, [set(), set(), set(), {1}, {2}], [False, True, True, False, False])
    drive_together(step, {}, pool)
    assert where[0] == threading.get_ident()
    assert where[1] != where[2] and where[3] == where[1] and where[4] == where[2]


@pytest.mark.parametrize("size", [None, 1])
def test_alone_all_is_done_in_the_callers_thread(size: int | None) -> None:
    threads: set[int] = set()

    def note(step: Any, *args: Any) -> Any:
        threads.add(threading.get_ident())
        return (1,)

    step = step_of([note] * 4, [set(), set(), {0}, {1}], [True] * 4)
    drive_together(step, {}, None if size is None else Pool(size, "test alone"))
    assert threads == {threading.get_ident()}


def test_a_failure_ends_the_step_when_all_that_runs_has_ended(pool: Pool) -> None:
    """S55."""
    failed, ended = threading.Event(), []

    def fail(step: Any) -> Any:
        failed.set()
        raise ValueError("no")

    def slow(step: Any) -> Any:
        assert failed.wait(30)
        ended.append(1)
        return (1,)

    step = step_of([slow, fail, slow], [set(), set(), {0, 1}], [True] * 3)
    drive_together(step, {}, pool)
    assert isinstance(step.error, ValueError) and ended == [1] and step.slots == [None] * 3


def test_an_interrupt_leaves_once_the_helpers_are_out(pool: Pool) -> None:
    """S62: Ctrl-C comes in the caller's thread, while a helper is in a kernel."""
    inside, interrupted = threading.Event(), threading.Event()
    ended: list[int] = []
    caller = threading.get_ident()

    def either(step: Any) -> Any:
        if threading.get_ident() == caller:
            assert inside.wait(30)
            interrupted.set()
            raise KeyboardInterrupt
        inside.set()
        assert interrupted.wait(30)
        ended.append(1)
        return (1,)

    step = step_of([either, either, either], [set(), set(), {0, 1}], [True] * 3)
    with pytest.raises(KeyboardInterrupt):
        drive_together(step, {}, pool)
    assert ended == [1] and step.finished == set()


def test_threads_are_used_again(pool: Pool) -> None:
    names = {pool.submit(lambda: threading.current_thread().name).result(30) for _ in range(5)}
    assert names <= {"test crew 1", "test crew 2", "test crew 3"}


def test_a_pool_of_any_size_keeps_nobody_waiting() -> None:
    """Fifty that wait for each other."""
    barrier = threading.Barrier(50)
    futures = [unbounded().submit(lambda: barrier.wait(30)) for _ in range(50)]
    assert sorted(future.result(30) for future in futures) == list(range(50))


def test_pools_are_shared_by_name() -> None:
    """S117: who asks first says how large it is."""
    first = shared("test_pools_are_shared_by_name", 2)
    assert shared("test_pools_are_shared_by_name", 3) is first and first.size == 2


def test_what_a_pool_runs_raises_where_it_is_waited_for(pool: Pool) -> None:
    def fail() -> None:
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        pool.submit(fail).result(30)
