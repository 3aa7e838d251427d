"""arun and its kin: under trio and asyncio, suspended without threads, cancelled without harm."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import trio
import trio.testing

import runstep
from runstep.actors import loop as loops


class Waiting:
    """A graph in which `product` waits for a queue, and `plain` for nothing."""

    def __init__(self, tf: Any) -> None:
        self.queue = tf.FIFOQueue(10_000, tf.float32, shapes=[[]])
        self.x = tf.placeholder(tf.float32, [], name="x")
        self.plain = tf.add(self.x, 1, name="plain")
        self.product = tf.multiply(self.queue.dequeue(name="take"), self.x, name="product")
        self.put = self.queue.enqueue(self.x)
        self.put_many = self.queue.enqueue_many(tf.placeholder(tf.float32, [None], name="many"))
        self.size = self.queue.size()
        self.broken = tf.floordiv(1, tf.to_int32(self.product))


@pytest.fixture
def graph() -> Any:
    with runstep.Graph().as_default():
        yield Waiting(runstep)


@pytest.fixture
def session(graph: Waiting) -> Any:
    with runstep.Session() as session:
        yield session


@pytest.fixture
def no_loop_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails whatever wants the background loop."""

    def refuse(self: Any) -> None:
        raise AssertionError("the loop thread was started")

    monkeypatch.setattr(loops, "_loop", None)
    monkeypatch.setattr(loops.LoopThread, "__init__", refuse)


async def blocked() -> None:
    await trio.testing.wait_all_tasks_blocked()


# ---------------------------------------------------------------------- trio


@pytest.mark.trio
async def test_straight_code_runs_in_place(graph: Waiting, session: Any, no_loop_thread: None) -> None:
    """With a checkpoint, and without the background loop."""
    with trio.testing.assert_checkpoints():
        assert await session.arun(graph.plain, {graph.x: 1}) == 2
    with trio.testing.assert_checkpoints():
        assert await session.arun([graph.plain, {"fed": graph.x}], {"x:0": 2}) == [3, {"fed": 2}]
    with trio.testing.assert_checkpoints():
        assert await session.arun([]) == []
    assert await session.arun(graph.put, {graph.x: 1}) is None


@pytest.mark.trio
async def test_a_cancelled_caller_runs_nothing(graph: Waiting, session: Any) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await session.arun(graph.put, {graph.x: 1})
    assert scope.cancelled_caught
    assert session.run(graph.size) == 0


@pytest.mark.trio
async def test_a_thousand_wait_in_one_thread(graph: Waiting, session: Any, no_loop_thread: None) -> None:
    """All of them are suspended at once; none holds a thread."""
    found: list[Any] = []

    async def one(number: int) -> None:
        found.append((number, await session.arun(graph.product, {graph.x: number})))

    threads = set(threading.enumerate())
    async with trio.open_nursery() as nursery:
        for number in range(1000):
            nursery.start_soon(one, number)
        await blocked()
        assert len(nursery.child_tasks) == 1000 and not found
        assert set(threading.enumerate()) <= threads  # those of other sessions may end meanwhile
        await session.arun(graph.put_many, {"many:0": np.full(1000, 2, np.float32)})
    assert sorted(found) == [(number, 2 * number) for number in range(1000)]


@pytest.mark.trio
async def test_cancelling_a_scope_ends_the_step(
    graph: Waiting, session: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """The kernel leaves its place in the queue; the session stays usable."""
    with trio.move_on_after(30) as scope:
        await session.arun(graph.product, {graph.x: 1})
    assert scope.cancelled_caught and trio.current_time() == pytest.approx(30)
    await session.arun(graph.put, {graph.x: 5})
    assert session.run(graph.size) == 1
    assert await session.arun(graph.product, {graph.x: 2}) == 10


@pytest.mark.trio
async def test_errors_come_alone(graph: Waiting, session: Any) -> None:
    """A failure after waiting is no exception group, and tells its operation."""

    async def feed() -> None:
        await blocked()
        await session.arun(graph.put, {graph.x: 0})

    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed)
        with pytest.raises(runstep.errors.InvalidArgumentError, match="Integer division by zero") as caught:
            await session.arun(graph.broken, {graph.x: 1})
    assert caught.value.op is graph.broken.op


@pytest.mark.trio
async def test_a_cancellation_beside_others_comes_alone(graph: Waiting, session: Any) -> None:
    """What leaves a cancelled arun is trio.Cancelled itself, as code that cleans up expects."""
    seen: list[BaseException] = []
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:

            async def one() -> None:
                try:
                    await session.arun([graph.product, graph.queue.dequeue()], {graph.x: 1})
                except BaseException as error:
                    seen.append(error)
                    raise

            nursery.start_soon(one)
            await blocked()
            scope.cancel()
    assert [type(error) for error in seen] == [trio.Cancelled]


@pytest.mark.trio
async def test_misuse_is_told_as_by_run(graph: Waiting, session: Any) -> None:
    with pytest.raises(TypeError, match="Cannot be None"):
        await session.arun(None)
    with pytest.raises(ValueError, match="Cannot feed value of shape"):
        await session.arun(graph.plain, {graph.x: [1, 2]})
    with pytest.raises(runstep.errors.InvalidArgumentError, match="You must feed a value for placeholder tensor 'x'"):
        await session.arun(graph.plain)
    session.close()
    with pytest.raises(RuntimeError, match="Attempted to use a closed Session."):
        await session.arun(graph.plain, {graph.x: 1})


@pytest.mark.trio
async def test_time_limits(graph: Waiting, session: Any, autojump_clock: trio.testing.MockClock) -> None:
    """In the loop's own time, and of this step only."""
    options = runstep.RunOptions(timeout_in_ms=2_000_000)
    with pytest.raises(runstep.errors.DeadlineExceededError):
        await session.arun(graph.product, {graph.x: 1}, options)
    assert trio.current_time() == pytest.approx(2000)
    assert await session.arun(graph.plain, {graph.x: 1}, options) == 2


@pytest.mark.trio
async def test_metadata(graph: Waiting, session: Any) -> None:
    seen = runstep.RunMetadata()
    await session.arun(graph.put, {graph.x: 1})
    options = runstep.RunOptions(trace_level=runstep.RunOptions.FULL_TRACE)
    await session.arun(graph.product, {graph.x: 1}, options=options, run_metadata=seen)
    names = [node.node_name for device in seen.step_stats.dev_stats for node in device.node_stats]
    assert "take" in names and "product" in names


@pytest.mark.trio
async def test_closing_ends_those_that_wait(graph: Waiting) -> None:
    session = runstep.Session()
    caught: list[type] = []

    async def one() -> None:
        with pytest.raises(runstep.errors.CancelledError) as error:
            await session.arun(graph.product, {graph.x: 1})
        caught.append(error.type)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one)
        nursery.start_soon(one)
        await blocked()
        session.close()
    assert len(caught) == 2


@pytest.mark.trio
async def test_several_devices(no_loop_thread: None) -> None:
    with runstep.Graph().as_default():
        x = runstep.placeholder(runstep.float32, [])
        with runstep.device("/cpu:0"):
            first = x + 1
        with runstep.device("/cpu:1"):
            second = first * 2
        with runstep.Session(config=runstep.ConfigProto(device_count={"CPU": 2})) as session:
            assert await session.arun([first, second], {x: 1}) == [2, 4]


@pytest.mark.trio
async def test_partial_runs(graph: Waiting, session: Any) -> None:
    """A handle that waits for nothing needs no loop; one that waits is carried by the actors while others go on."""
    handle = await session.apartial_run_setup([graph.plain, graph.product], [graph.x])
    assert isinstance(handle, str)
    assert await session.apartial_run(handle, graph.plain, {graph.x: 3}) == 4
    await session.arun(graph.put, {graph.x: 5})
    assert await session.apartial_run(handle, graph.product) == 15
    with pytest.raises(runstep.errors.InvalidArgumentError, match="Must run 'setup'"):
        await session.apartial_run(handle, graph.product)
    with trio.testing.assert_checkpoints():
        handle = await session.apartial_run_setup(graph.plain, graph.x)
    with trio.testing.assert_checkpoints():
        assert await session.apartial_run(handle, graph.plain, {graph.x: 3}) == 4


@pytest.mark.trio
async def test_cancelling_a_partial_run_ends_its_handle(graph: Waiting, session: Any) -> None:
    handle = await session.apartial_run_setup([graph.product], [graph.x])
    async with trio.open_nursery() as nursery:

        async def one() -> None:
            await session.apartial_run(handle, graph.product, {graph.x: 1})

        nursery.start_soon(one)
        await blocked()
        nursery.cancel_scope.cancel()
    with pytest.raises(runstep.errors.InvalidArgumentError, match="Must run 'setup'"):
        await session.apartial_run(handle, graph.product)
    await session.arun(graph.put, {graph.x: 5})
    assert session.run(graph.size) == 1


@pytest.mark.trio
async def test_callables(graph: Waiting, session: Any) -> None:
    plain = session.make_async_callable([graph.plain], [graph.x])
    assert await plain(1) == [2]
    with pytest.raises(TypeError, match="takes 1 values"):
        await plain()
    with pytest.raises(TypeError, match="takes no argument options"):
        await plain(1, options=None)
    with pytest.raises(TypeError, match="Cannot be None"):
        session.make_async_callable(None)
    with pytest.raises(TypeError, match="Argument `feed_list` must be a list or tuple"):
        session.make_async_callable(graph.plain, 3)
    with pytest.raises(runstep.errors.InvalidArgumentError, match="You must feed a value"):
        session.make_async_callable(graph.plain)
    seen = runstep.RunMetadata()
    traced = session.make_async_callable(graph.plain, [graph.x], accept_options=True)
    options = runstep.RunOptions(trace_level=runstep.RunOptions.FULL_TRACE)
    assert await traced(1, options=options, run_metadata=seen) == 2 and seen.step_stats.dev_stats
    session.close()
    with pytest.raises(runstep.errors.CancelledError, match="Session has been closed."):
        await plain(1)


# ---------------------------------------------------------------------- async with


@pytest.mark.parametrize("kind", ["Session", "InteractiveSession"])
@pytest.mark.trio
async def test_the_actors_live_in_the_callers_nursery(
    graph: Waiting, kind: str, no_loop_thread: None, autojump_clock: trio.testing.MockClock
) -> None:
    """Steps that wait, handles that wait, and limits: all in this loop, in its time."""
    async with getattr(runstep, kind)() as session:
        assert runstep.get_default_session() is session
        async with trio.open_nursery() as nursery:

            async def one() -> None:
                assert await session.arun(graph.product, {graph.x: 3}) == 12

            nursery.start_soon(one)
            await blocked()
            session.run(graph.put, {graph.x: 4})
        handle = await session.apartial_run_setup([graph.product], [graph.x])
        with trio.move_on_after(7):
            await session.apartial_run(handle, graph.product, {graph.x: 1})
        assert trio.current_time() == pytest.approx(7)
        with pytest.raises(RuntimeError, match=r"await session.arun\(...\) there"):
            session.run(graph.product, {graph.x: 1})
        device = session._engine.devices[0]
        assert device.statistics().done >= 2 and device.statistics().running == 0
    with pytest.raises(RuntimeError, match="closed Session"):
        await session.arun(graph.plain, {graph.x: 1})


@pytest.mark.trio
async def test_leaving_the_block_ends_what_waits(graph: Waiting) -> None:
    caught: list[BaseException] = []
    async with trio.open_nursery() as nursery:
        async with runstep.Session() as session:

            async def one() -> None:
                try:
                    await session.arun(graph.product, {graph.x: 1})
                except runstep.errors.CancelledError as error:
                    caught.append(error)

            nursery.start_soon(one)
            await blocked()
    assert len(caught) == 1


@pytest.mark.trio
async def test_errors_leave_the_block_alone(graph: Waiting) -> None:
    with pytest.raises(ValueError, match="mine"):
        async with runstep.Session():
            raise ValueError("mine")
    with trio.CancelScope() as scope:
        async with runstep.Session() as session:
            scope.cancel()
            await session.arun(graph.product, {graph.x: 1})
    assert scope.cancelled_caught


# ---------------------------------------------------------------------- asyncio


def in_asyncio(program: Callable[[], Any]) -> None:
    asyncio.run(asyncio.wait_for(program(), 60))


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - asyncio has no event for it
        await asyncio.sleep(0)


def suspended(session: Any) -> int:
    return len(session._engine._inboxes)


def test_asyncio(graph: Waiting, session: Any) -> None:
    async def program() -> None:
        assert await session.arun(graph.plain, {graph.x: 1}) == 2
        loops.loop_thread()
        threads = threading.active_count()
        waiting = [asyncio.create_task(session.arun(graph.product, {graph.x: n})) for n in range(100)]
        await until(lambda: suspended(session) == 100)
        assert threading.active_count() <= threads
        await session.arun(graph.put_many, {"many:0": np.full(100, 3, np.float32)})
        assert await asyncio.gather(*waiting) == [3 * n for n in range(100)]
        handle = await session.apartial_run_setup([graph.plain, graph.product], [graph.x])
        assert await session.apartial_run(handle, graph.plain, {graph.x: 3}) == 4
        last = asyncio.create_task(session.apartial_run(handle, graph.product))
        await asyncio.sleep(0)
        await session.arun(graph.put, {graph.x: 5})
        assert await last == 15
        assert await session.make_async_callable(graph.plain, [graph.x])(4) == 5

    in_asyncio(program)


def test_straight_code_needs_no_loop_thread_under_asyncio(graph: Waiting, session: Any, no_loop_thread: None) -> None:
    async def program() -> None:
        assert await session.arun(graph.plain, {graph.x: 1}) == 2
        handle = await session.apartial_run_setup([graph.plain], [graph.x])
        assert await session.apartial_run(handle, graph.plain, {graph.x: 3}) == 4

    in_asyncio(program)


def test_cancelling_an_asyncio_task_ends_the_step(graph: Waiting, session: Any) -> None:
    async def program() -> None:
        task = asyncio.create_task(session.arun(graph.product, {graph.x: 1}))
        await until(lambda: suspended(session) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert suspended(session) == 0
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(session.arun(graph.product, {graph.x: 1}), 0.01)
        await session.arun(graph.put, {graph.x: 5})
        assert session.run(graph.size) == 1
        assert await session.arun(graph.product, {graph.x: 2}) == 10

    in_asyncio(program)


def test_errors_and_limits_under_asyncio(graph: Waiting, session: Any) -> None:
    async def program() -> None:
        task = asyncio.create_task(session.arun(graph.broken, {graph.x: 0}))
        await until(lambda: suspended(session) == 1)
        await session.arun(graph.put, {graph.x: 5})
        with pytest.raises(runstep.errors.InvalidArgumentError, match="Integer division by zero"):
            await task
        with pytest.raises(runstep.errors.DeadlineExceededError):
            await session.arun(graph.product, {graph.x: 1}, runstep.RunOptions(timeout_in_ms=10))
        assert await session.arun(graph.plain, {graph.x: 1}) == 2

    in_asyncio(program)


def test_async_with_under_asyncio(graph: Waiting) -> None:
    """A plain `with`: asyncio has no nursery to live in."""

    async def program() -> None:
        async with runstep.Session() as session:
            assert runstep.get_default_session() is session
            assert await session.arun(graph.plain, {graph.x: 1}) == 2
        with pytest.raises(RuntimeError, match="closed Session"):
            await session.arun(graph.plain, {graph.x: 1})

    in_asyncio(program)


def test_one_session_for_all(graph: Waiting, session: Any) -> None:
    """trio, asyncio and plain threads at once."""
    found: list[Any] = []

    async def here() -> None:
        found.append(await session.arun(graph.product, {graph.x: 1}))

    threads = [
        threading.Thread(target=lambda: trio.run(here)),
        threading.Thread(target=lambda: asyncio.run(here())),
        threading.Thread(target=lambda: found.append(session.run(graph.product, {graph.x: 1}))),
    ]
    for thread in threads:
        thread.start()
    session.run(graph.put_many, {"many:0": [1, 2, 3]})
    for thread in threads:
        thread.join(60)
    assert sorted(found) == [1, 2, 3]


@pytest.mark.parametrize("loop", ["trio", "asyncio"])
def test_runs_inside_of_runs(graph: Waiting, session: Any, loop: str) -> None:
    """A function of the graph awaits a step of the same session; cancelling the outer one ends both."""

    async def plain(value: Any) -> Any:
        return await session.arun(graph.plain, {graph.x: value})

    async def waits(value: Any) -> Any:
        return await session.arun(graph.product, {graph.x: value})

    outer = runstep.py_func(plain, [graph.x], runstep.float32) * 10
    stuck = runstep.py_func(waits, [graph.x], runstep.float32)

    async def program() -> None:
        assert await session.arun(outer, {graph.x: 1}) == 20
        assert [out async for out in session.stream(outer, range(3), 2, key=graph.x)] == [10, 20, 30]
        if loop == "trio":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(session.arun, stuck, {graph.x: 1})
                await blocked()
                nursery.cancel_scope.cancel()
        else:
            task = asyncio.create_task(session.arun(stuck, {graph.x: 1}))
            await until(lambda: session.statistics().waiting > 0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert session.statistics().in_flight == 0

    if loop == "trio":
        trio.run(program)
    else:
        in_asyncio(program)
    session.run(graph.put, {graph.x: 1})
    assert session.run(graph.size) == 1
