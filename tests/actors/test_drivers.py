"""Drivers and device actors: segments of fakes, no clock but trio's own, ordering by blocked tasks."""

from __future__ import annotations

import sys
import threading
import types
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from runstep import errors
from runstep.actors.device import DeviceActor
from runstep.actors.driver import drive, drive_in_place
from runstep.actors.hosting import host
from runstep.actors.loop import in_a_loop, loop_of, loop_thread
from runstep.actors.pool import Pool
from runstep.kernels.waiting import NeedsLoop, Waiter, park
from runstep.plan.tasks import Task
from runstep.session.awaitable import in_trio
from runstep.step import Cancelled, Event, Step, StepContext, Wanted


def segment(run: Callable[..., Any], is_async: bool = False) -> Any:
    return SimpleNamespace(run=run, is_async=is_async)


def waiting(waiter: Waiter, log: list[Any] | None = None) -> Any:
    """A segment that parks, then returns its arguments."""

    async def run(step: Any, *args: Any) -> Any:
        try:
            await park(waiter)
        except BaseException as error:
            if log is not None:
                log.append(error)
            raise
        return (args,)

    return segment(run, True)


def plan(*tasks: tuple[Any, set[int]], devices: list[Any]) -> Any:
    """Task n runs a segment once the tasks of its set are done, and takes their results; its own is slot n."""
    made = []
    for number, (code, before) in enumerate(tasks):
        after = tuple(n for n, (_, others) in enumerate(tasks) if number in others)
        device = devices[number % len(devices)]
        made.append(Task(code, device, tuple(sorted(before)), (number,), len(before), tuple(before), after))
    return SimpleNamespace(tasks=tuple(made), slots=len(made), readers=(9,) * len(made), stages=None)


def device(number: int = 0) -> DeviceActor:
    actor = DeviceActor(f"/job:localhost/replica:0/task:0/device:CPU:{number}", 1 << 20)
    actor.pool = Pool(2)
    return actor


class Shell:
    """Devices served in a nursery, and steps driven there."""

    def __init__(self, nursery: trio.Nursery, count: int = 2) -> None:
        self.devices = [device(number) for number in range(count)]
        self._nursery = nursery
        for actor in self.devices:
            actor.open()
            nursery.start_soon(actor.serve)

    def close(self) -> None:
        for actor in self.devices:
            actor.close()

    def start(self, step: Step, parked: Any = None) -> Callable[[Event], None]:
        inbox: list[Callable[[Event], None]] = []
        values: Any = None if parked is not None else {}
        self._nursery.start_soon(lambda: drive(step, values, parked or {}, inbox.append))
        return lambda event: inbox[0](event)


ADD = segment(lambda step, *args: (sum(args) + 1,))


# ---------------------------------------------------------------------- in the caller's thread


def test_in_place_runs_to_the_end() -> None:
    step = Step(plan((ADD, set()), (ADD, {0}), (ADD, {0, 1}), devices=[device()]), StepContext())
    assert drive_in_place(step, {}) == {}
    assert step.over and step.error is None
    assert step.slots == [1, 2, 4]
    step.validate()


def test_in_place_a_waiting_kernel_that_need_not_wait() -> None:
    waiter = Waiter("test")
    waiter.wake()
    step = Step(plan((ADD, set()), (waiting(waiter), {0}), devices=[device()]), StepContext())
    assert drive_in_place(step, {}) == {}
    assert step.slots[1] == (1,)


def test_in_place_parks_and_runs_the_rest() -> None:
    waiter = Waiter("test")
    step = Step(plan((waiting(waiter), set()), (ADD, set()), (ADD, {1}), devices=[device()]), StepContext())
    parked = drive_in_place(step, {})
    assert list(parked) == [0] and parked[0][1] is waiter
    assert step.finished == {1, 2} and not step.over
    parked[0][0].close()


def test_in_place_a_failure_reaches_what_is_parked() -> None:
    def fail(step: Any) -> Any:
        raise errors.InvalidArgumentError(None, None, "no")

    log: list[Any] = []
    step = Step(plan((waiting(Waiter("test"), log), set()), (segment(fail), set()), devices=[device()]), StepContext())
    assert drive_in_place(step, {}) == {}
    assert step.over and isinstance(step.error, errors.InvalidArgumentError)
    assert log == [step.error]


def test_in_place_an_interrupt_closes_what_is_parked() -> None:
    closed: list[Any] = []

    def stop(step: Any) -> Any:
        raise KeyboardInterrupt

    step = Step(
        plan((waiting(Waiter("test"), closed), set()), (segment(stop), set()), devices=[device()]), StepContext()
    )
    with pytest.raises(KeyboardInterrupt):
        drive_in_place(step, {})
    assert [type(error) for error in closed] == [GeneratorExit]


def test_in_place_cancelled_between_tasks() -> None:
    context = StepContext()
    cause = errors.CancelledError(None, None, "stop")
    cancel = segment(lambda step: (context.cancel(cause),))
    step = Step(plan((cancel, set()), (ADD, {0}), devices=[device()]), context)
    drive_in_place(step, {})
    assert step.error is cause and step.finished == {0}


# ---------------------------------------------------------------------- by device actors


@pytest.mark.trio
async def test_actors_run_a_step() -> None:
    async with trio.open_nursery() as nursery:
        shell = Shell(nursery)
        step = Step(plan((ADD, set()), (ADD, {0}), (ADD, {0, 1}), devices=shell.devices), StepContext())
        await drive(step, {}, {}, lambda inbox: None)
        shell.close()
    assert step.slots == [1, 2, 4]
    assert [actor.statistics().done for actor in shell.devices] == [2, 1]
    assert [actor.statistics().running for actor in shell.devices] == [0, 0]


@pytest.mark.trio
@pytest.mark.parametrize(("cost", "endless", "elsewhere"), [(0.0, False, False), (1e6, False, True), (0.0, True, True)])
async def test_heavy_segments_run_on_threads(cost: float, endless: bool, elsewhere: bool) -> None:
    """And cheap ones in the loop."""
    threads: list[int] = []
    note = segment(lambda step: (threads.append(threading.get_ident()),))
    async with trio.open_nursery() as nursery:
        shell = Shell(nursery)
        made = plan((note, set()), devices=shell.devices)
        made.tasks = (attrs.evolve(made.tasks[0], cost=cost, endless=endless),)
        await drive(Step(made, StepContext()), {}, {}, lambda inbox: None)
        shell.close()
    assert (threads != [threading.get_ident()]) == elsewhere


@pytest.mark.trio
async def test_a_waiting_task_holds_up_nobody() -> None:
    waiter = Waiter("test")
    async with trio.open_nursery() as nursery:
        shell = Shell(nursery, 1)
        slow = Step(plan((waiting(waiter), set()), devices=shell.devices), StepContext())
        shell.start(slow)
        await wait_all_tasks_blocked()
        assert slow.running == {0} and list(slow.context.waiting) == [waiter]
        quick = Step(plan((ADD, set()), (ADD, {0}), devices=shell.devices), StepContext())
        await drive(quick, {}, {}, lambda inbox: None)
        assert quick.slots == [1, 2] and not slow.over
        waiter.wake()
        await wait_all_tasks_blocked()
        assert slow.over and slow.error is None and not slow.context.waiting
        shell.close()


@pytest.mark.trio
async def test_a_kernel_is_woken_from_another_thread() -> None:
    waiter = Waiter("test")
    async with trio.open_nursery() as nursery:
        shell = Shell(nursery, 1)
        step = Step(plan((waiting(waiter), set()), devices=shell.devices), StepContext())
        shell.start(step)
        await wait_all_tasks_blocked()
        await trio.to_thread.run_sync(waiter.wake)
        await wait_all_tasks_blocked()
        assert step.over and step.error is None
        shell.close()


@pytest.mark.trio
async def test_cancelling_wakes_what_waits() -> None:
    log: list[Any] = []
    async with trio.open_nursery() as nursery:
        shell = Shell(nursery)
        tasks: Any = ((waiting(Waiter("a"), log), set()), (waiting(Waiter("b"), log), set()), (ADD, {0}))
        step = Step(plan(*tasks, devices=shell.devices), StepContext())
        post = shell.start(step)
        await wait_all_tasks_blocked()
        cause = errors.DeadlineExceededError(None, None, "time is up")
        post(Cancelled(cause))
        await wait_all_tasks_blocked()
        assert step.over and step.error is cause
        assert log == [cause, cause]
        assert step.finished == set()
        shell.close()


@pytest.mark.trio
async def test_a_failure_on_one_device_ends_the_other_s_wait() -> None:
    def fail(step: Any) -> Any:
        raise ValueError("no")

    log: list[Any] = []
    async with trio.open_nursery() as nursery:
        shell = Shell(nursery)
        step = Step(
            plan((waiting(Waiter("a"), log), set()), (segment(fail), set()), devices=shell.devices), StepContext()
        )
        await drive(step, {}, {}, lambda inbox: None)
        shell.close()
    assert isinstance(step.error, ValueError) and log == [step.error]


@pytest.mark.trio
async def test_what_was_begun_in_place_goes_on_in_the_loop() -> None:
    waiter = Waiter("test")
    async with trio.open_nursery() as nursery:
        shell = Shell(nursery, 1)
        step = Step(plan((ADD, set()), (waiting(waiter), {0}), (ADD, set()), devices=shell.devices), StepContext())
        parked = drive_in_place(step, {})
        assert list(parked) == [1]
        shell.start(step, parked)
        await wait_all_tasks_blocked()
        assert not step.over
        waiter.wake()
        await wait_all_tasks_blocked()
        assert step.over and step.slots == [1, (1,), 1]
        shell.close()


@pytest.mark.trio
async def test_the_driver_s_own_cancellation_ends_the_step() -> None:
    step: Step | None = None
    async with trio.open_nursery() as nursery:
        shell = Shell(nursery, 1)
        step = Step(plan((waiting(Waiter("a")), set()), devices=shell.devices), StepContext())
        with trio.move_on_after(0) as scope:
            await drive(step, {}, {}, lambda inbox: None)
        assert scope.cancel_called
        assert step.over and isinstance(step.error, errors.CancelledError)
        shell.close()


@pytest.mark.trio
async def test_tickets_are_called_when_their_tasks_are_done() -> None:
    first, second = Waiter("a"), Waiter("b")
    called: list[str] = []
    async with trio.open_nursery() as nursery:
        shell = Shell(nursery, 1)
        step = Step(plan((waiting(first), set()), (waiting(second), set()), devices=shell.devices), StepContext())
        post = shell.start(step)
        await wait_all_tasks_blocked()
        post(Wanted(lambda: called.append("both"), frozenset((0, 1))))
        post(Wanted(lambda: called.append("first"), frozenset((0,))))
        await wait_all_tasks_blocked()
        assert called == []
        first.wake()
        await wait_all_tasks_blocked()
        assert called == ["first"]
        second.wake()
        await wait_all_tasks_blocked()
        assert called == ["first", "both"]
        shell.close()


@pytest.mark.trio
async def test_what_is_left_in_a_cancelled_mailbox_is_answered() -> None:
    actor = device()
    step = Step(plan((ADD, set()), devices=[actor]), StepContext())
    actor.open()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(drive, step, {}, {}, lambda inbox: None)
        await wait_all_tasks_blocked()
        assert actor.statistics().waiting == 1
        with trio.CancelScope() as scope:
            scope.cancel()
            await actor.serve()
    assert step.over and step.error is not None


@pytest.mark.trio
async def test_an_execution_that_never_began_is_answered() -> None:
    """Interrupted while its message lies in the mailbox."""
    actor = device()
    actor.open()
    step = Step(plan((waiting(Waiter("a")), set()), devices=[actor]), StepContext())
    async with trio.open_nursery() as nursery:
        inbox: list[Any] = []
        nursery.start_soon(drive, step, {}, {}, inbox.append)
        await wait_all_tasks_blocked()
        inbox[0](Cancelled(errors.CancelledError(None, None, "stop")))
        await wait_all_tasks_blocked()
        nursery.start_soon(actor.serve)
        await wait_all_tasks_blocked()
        assert step.over and isinstance(step.error, errors.CancelledError)
        actor.close()


# ---------------------------------------------------------------------- hosting


@pytest.mark.trio
async def test_a_kernel_may_await_trio_itself(autojump_clock: Any) -> None:
    async def kernel() -> Any:
        await park(NeedsLoop("needs the loop"))
        await trio.sleep(3600)
        return "slept"

    assert await host(kernel(), None, StepContext()) == "slept"
    assert trio.current_time() >= 3600


@pytest.mark.trio
async def test_a_kernel_that_awaits_trio_is_cancelled_with_it() -> None:
    ended: list[type[BaseException]] = []

    async def kernel() -> None:
        await park(NeedsLoop("needs the loop"))
        try:
            await trio.sleep_forever()
        except BaseException as error:
            ended.append(type(error))
            raise

    async with trio.open_nursery() as nursery:
        nursery.start_soon(host, kernel(), None, StepContext())
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert ended == [trio.Cancelled]


@pytest.mark.trio
async def test_a_parked_kernel_hears_the_step_s_cause() -> None:
    context = StepContext()
    heard: list[BaseException] = []

    async def kernel() -> None:
        try:
            await park(Waiter("for ever"))
        except BaseException as error:
            heard.append(error)
            raise

    cause = errors.AbortedError(None, None, "enough")
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:

            async def run() -> None:
                with pytest.raises(errors.AbortedError):
                    await host(kernel(), None, context)

            nursery.start_soon(run)
            await wait_all_tasks_blocked()
            context.cancel(cause)
            scope.cancel()
    assert heard == [cause]
    assert not context.waiting


@pytest.mark.trio
async def test_a_kernel_parks_many_times() -> None:
    waiters = [Waiter(str(n)) for n in range(5)]

    async def kernel() -> int:
        for waiter in waiters:
            await park(waiter)
        return len(waiters)

    results: list[int] = []
    async with trio.open_nursery() as nursery:

        async def run() -> None:
            results.append(await host(kernel(), None, StepContext()))

        nursery.start_soon(run)
        for waiter in waiters:
            await wait_all_tasks_blocked()
            assert not results
            waiter.wake()
    assert results == [5]


# ---------------------------------------------------------------------- loops, budgets


def test_a_library_that_is_being_imported_runs_no_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """By another thread: its module is there, and has nothing yet."""
    for name in ("trio", "asyncio"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    assert not in_a_loop() and not in_trio()


def test_the_loop_thread_runs_what_it_is_given() -> None:
    loop = loop_thread()
    assert loop is loop_thread() and not loop.is_current

    async def work(value: int) -> tuple[int, bool]:
        await trio.lowlevel.checkpoint()
        return value + 1, loop.is_current

    async def fail() -> None:
        raise LookupError("no")

    assert loop.submit(work, 1).result(10) == (2, True)
    with pytest.raises(LookupError):
        loop.submit(fail).result(10)
    assert loop.submit(work, 2).result(10) == (3, True)


@pytest.mark.trio
async def test_the_caller_s_own_loop() -> None:
    done = trio.Event()

    async def work() -> None:
        done.set()

    async with trio.open_nursery() as nursery:
        loop = loop_of(nursery)
        assert loop.is_current
        loop.spawn(work)
        await done.wait()
        posted = trio.Event()
        await trio.to_thread.run_sync(lambda: loop.post(posted.set))
        await posted.wait()
