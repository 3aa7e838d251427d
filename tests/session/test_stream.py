"""session.stream: results in order, a bounded number of steps in flight, one end for all of it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import trio
import trio.testing

import runstep


class Streaming:
    """`taken` waits for a queue, `plain` for nothing; `broken` fails for x = 0."""

    def __init__(self, tf: Any) -> None:
        self.queue = tf.FIFOQueue(1000, tf.float32, shapes=[[]])
        self.x = tf.placeholder(tf.float32, [])
        self.y = tf.placeholder(tf.float32, [])
        self.plain = self.x + 1
        self.sum = self.x + self.y
        self.taken = self.queue.dequeue() * 0 + self.x
        self.put = self.queue.enqueue(0.0)
        self.size = self.queue.size()
        self.broken = tf.floordiv(1, tf.to_int32(self.x))


@pytest.fixture
def graph() -> Any:
    with runstep.Graph().as_default():
        yield Streaming(runstep)


@pytest.fixture
def session(graph: Streaming) -> Any:
    with runstep.Session() as session:
        yield session


class Source:
    """Numbers from 1 on, and how many were asked for."""

    def __init__(self, end: int = 1_000_000) -> None:
        self.given, self.end = 0, end

    def __iter__(self) -> Iterator[int]:
        while self.given < self.end:
            self.given += 1
            yield self.given


def runs(program: Callable[..., Any]) -> Any:
    """The test runs under trio and under asyncio; it is given a function that lets all others go on."""

    @pytest.mark.parametrize("loop", ["trio", "asyncio"])
    def test(loop: str, graph: Streaming, session: Any) -> None:
        if loop == "trio":
            trio.run(program, graph, session, trio.testing.wait_all_tasks_blocked)
        else:
            asyncio.run(asyncio.wait_for(program(graph, session, _settled), 60))

    test.__doc__ = program.__doc__
    return test


async def _settled() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


@runs
async def test_order(graph: Streaming, session: Any, settled: Any) -> None:
    """Results come in the order of their feeds, whatever the source is."""

    async def later() -> AsyncIterator[dict[Any, int]]:
        for n in range(20):
            await settled()
            yield {graph.x: n}

    for feeds in ([{graph.x: n} for n in range(20)], ({graph.x: n} for n in range(20)), later()):
        assert [out async for out in session.stream(graph.plain, feeds, max_in_flight=3)] == list(range(1, 21))
    assert [out async for out in session.stream(graph.plain, Source(5), key=graph.x)] == [2, 3, 4, 5, 6]
    pairs = session.stream({"sum": graph.sum}, zip([1, 2], [10, 20], strict=True), key=(graph.x, graph.y))
    assert [out async for out in pairs] == [{"sum": 11}, {"sum": 22}]
    assert [out async for out in session.stream(graph.plain, [])] == []


@runs
async def test_back_pressure(graph: Streaming, session: Any, settled: Any) -> None:
    """The source is asked for no more than may be in flight; a result that nobody has taken counts."""
    source = Source()
    outs = session.stream(graph.plain, source, max_in_flight=4, key=graph.x)
    assert source.given == 0
    for n in range(1, 4):
        assert await outs.__anext__() == n + 1
        await settled()
        assert source.given == n + 4
    await outs.aclose()
    with pytest.raises(StopAsyncIteration):
        await outs.__anext__()


@runs
async def test_a_step_that_waits(graph: Streaming, session: Any, settled: Any) -> None:
    """Steps are in flight together: the second may end before the first, which is still the first to come out."""
    order: list[float] = []

    async def feeds() -> AsyncIterator[dict[Any, Any]]:
        for n in range(1, 4):
            yield {graph.x: n}
        for _ in range(3):
            await session.arun(graph.put)

    async for out in session.stream(graph.taken, feeds(), max_in_flight=4):
        order.append(out)
    assert order == [1, 2, 3]


@runs
async def test_errors_come_alone_and_in_place(graph: Streaming, session: Any, settled: Any) -> None:
    """What came before a failure is delivered; then the error; then nothing."""
    seen: list[Any] = []
    outs = session.stream(graph.broken, iter([1, 1, 0, 1, 1]), max_in_flight=2, key=graph.x)
    with pytest.raises(runstep.errors.InvalidArgumentError, match="Integer division by zero"):
        async for out in outs:
            seen.append(out)
    assert seen == [1, 1]
    assert [out async for out in outs] == []

    def source() -> Iterator[int]:
        yield 1
        raise KeyError("the source is broken")

    seen = []
    with pytest.raises(KeyError, match="the source is broken"):
        async for out in session.stream(graph.plain, source(), key=graph.x):
            seen.append(out)
    assert seen == [2]


@runs
async def test_a_failure_ends_steps_that_wait(graph: Streaming, session: Any, settled: Any) -> None:
    async def wait_for(item: Any) -> Any:
        outs = session.stream([graph.broken, graph.taken], [item, 1, 2], max_in_flight=3, key=graph.x)
        return [out async for out in outs]

    with pytest.raises(runstep.errors.InvalidArgumentError):
        await wait_for(0)
    session.run(graph.put)
    assert session.run(graph.size) == 1 and not session._engine._active


@runs
async def test_leaving_early(graph: Streaming, session: Any, settled: Any) -> None:
    """By the context manager, or as garbage: no step is left."""
    async with session.stream(graph.plain, Source(), key=graph.x) as outs:
        async for out in outs:
            if out == 3:
                break
    waiting = session.stream([graph.plain, graph.taken], Source(), max_in_flight=2, key=graph.x)
    for _ in range(2):
        session.run(graph.put)
    first = await waiting.__anext__()
    assert first == [2, 1]
    await settled()
    assert session._engine._active
    del waiting
    gc.collect()
    while session._engine._active:
        await settled()
    session.run(graph.put)
    assert session.run(graph.size) == 1


def test_cancelling_under_trio(graph: Streaming, session: Any, autojump_clock: trio.testing.MockClock) -> None:
    """A scope around the loop ends the steps, which have ended when the loop is left."""

    async def program() -> None:
        with trio.move_on_after(5) as scope:
            async for _ in session.stream(graph.taken, Source(), max_in_flight=3, key=graph.x):
                raise AssertionError("nothing is in the queue")
        assert scope.cancelled_caught and not session._engine._active
        await session.arun(graph.put)
        assert session.run(graph.size) == 1

    trio.run(program, clock=autojump_clock)


def test_cancelling_under_asyncio(graph: Streaming, session: Any) -> None:
    """More than once, as anyio does."""

    async def program() -> None:
        async def consume() -> None:
            async for _ in session.stream(graph.taken, Source(), max_in_flight=3, key=graph.x):
                raise AssertionError("nothing is in the queue")

        task = asyncio.create_task(consume())
        while len(session._engine._inboxes) < 3:  # noqa: ASYNC110 - asyncio has no event for it
            await asyncio.sleep(0)
        while not task.done():
            task.cancel()
            await asyncio.sleep(0)
        assert task.cancelled() and not session._engine._active
        session.run(graph.put)
        assert session.run(graph.size) == 1

    asyncio.run(asyncio.wait_for(program(), 60))


@pytest.mark.trio
async def test_in_the_callers_nursery(graph: Streaming) -> None:
    async with runstep.Session() as session:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(session.arun, graph.put)
            outs = session.stream(graph.taken, Source(3), max_in_flight=2, key=graph.x)
            assert [out async for out in outs] == [1, 2, 3]


@runs
async def test_misuse(graph: Streaming, session: Any, settled: Any) -> None:
    """What is wrong with the call is told by the call."""
    for limit in (0, -1, 1.5, None):
        with pytest.raises(ValueError, match="max_in_flight"):
            session.stream(graph.plain, [], limit)
    with pytest.raises(TypeError, match="got a single one"):
        session.stream(graph.plain, {graph.x: 1})
    with pytest.raises(TypeError, match="not iterable"):
        session.stream(graph.plain, 3)
    with pytest.raises(TypeError, match="Argument `fetch`"):
        session.stream(None, [])
    with pytest.raises(TypeError, match="say with `key` what they are fed to"):
        async for _ in session.stream(graph.plain, [3.0]):
            pass
    session.close()
    with pytest.raises(RuntimeError, match="closed Session"):
        session.stream(graph.plain, [])
