"""Threads of a session: what runs at the same time, where, and how each kind of run is ended."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
import trio
import trio.testing

from runstep import errors
from runstep.kernels import blas, cpu_kernels
from runstep.kernels.registry import KernelDef
from runstep.protos import config_pb2

SIDE = 512
EYE = np.eye(SIDE, dtype=np.float32)


@pytest.fixture(autouse=True)
def one_blas_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "of_a_large_product", lambda: 1)


class Watched:
    """In the place of MatMul: calls a function, and notes the threads."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.call: Callable[[], object] = lambda: None

    def __call__(self, x: Any, y: Any) -> Any:
        self.threads.append(threading.get_ident())
        self.call()
        return x + y


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    found = Watched()
    row = KernelDef("MatMul", lambda node: found, types=None, view=False, step=False, is_async=False)
    monkeypatch.setitem(cpu_kernels()._rows, "MatMul", [row])
    yield found


def two_chains(rs: Any, devices: int = 1, length: int = 2) -> tuple[Any, Any]:
    x = rs.placeholder("float32", [SIDE, SIDE])
    ends = []
    for number in range(2):
        with rs.device(f"/cpu:{number % devices}"):
            y = x
            for _ in range(length):
                y = rs.matmul(y, x, transpose_a=bool(number))
            ends.append(y)
    return x, ends


def config(threads: int = 2, **more: Any) -> Any:
    return config_pb2.ConfigProto(inter_op_parallelism_threads=threads, device_count={"CPU": 2}, **more)


# ---------------------------------------------------------------------- at the same time


@pytest.mark.parametrize("devices", [1, 2])
def test_heavy_parts_run_at_the_same_time(rs: Any, watched: Watched, devices: int) -> None:
    """Of one step, on one device and on two: each kernel meets one of the other chain."""
    barrier = threading.Barrier(2)
    watched.call = lambda: barrier.wait(30)
    x, ends = two_chains(rs, devices)
    with rs.Session(config=config()) as session:
        session.run(ends, {x: EYE})
    assert len(watched.threads) == 4 and len(set(watched.threads)) == 2
    assert threading.get_ident() in watched.threads


@pytest.mark.trio
@pytest.mark.parametrize("devices", [1, 2])
async def test_awaited_too_and_not_in_the_loop(rs: Any, watched: Watched, devices: int) -> None:
    barrier = threading.Barrier(2)
    watched.call = lambda: barrier.wait(30)
    x, ends = two_chains(rs, devices)
    with rs.Session(config=config()) as session:
        await session.arun(ends, {x: EYE})
    assert len(set(watched.threads)) == 2 and threading.get_ident() not in watched.threads


def test_cheap_parts_on_two_devices_stay_in_the_callers_thread(rs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runstep.actors.loop.LoopThread.__init__", lambda self: pytest.fail("the loop was started"))
    threads: list[int] = []

    def note(x: Any) -> Any:
        threads.append(threading.get_ident())
        return np.sin(x)

    row = KernelDef("Sin", lambda node: note, types=None, view=False, step=False, is_async=False)
    monkeypatch.setitem(cpu_kernels()._rows, "Sin", [row])
    x = y = rs.placeholder("float32", [])
    for number in range(6):
        with rs.device(f"/cpu:{number % 2}"):
            y = rs.sin(y)
    with rs.Session(config=config()) as session:
        session.run(y, {x: 1.0})
    assert threads == [threading.get_ident()] * 6


@pytest.mark.trio
async def test_after_waiting_heavy_kernels_leave_the_loop(rs: Any, watched: Watched) -> None:
    x, ends = two_chains(rs)
    queue = rs.FIFOQueue(9, [rs.float32], [()])
    y = ends[0] * queue.dequeue()
    with rs.Session(config=config()) as session:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.arun, y, {x: EYE})
            await session.arun(queue.enqueue(2.0))
    assert watched.threads and threading.get_ident() not in watched.threads


# ---------------------------------------------------------------------- pools


@pytest.mark.parametrize("threads", [1, -1])
def test_one_thread_is_the_callers(rs: Any, watched: Watched, threads: int) -> None:
    """S117, section 12: inter_op_parallelism_threads."""
    x, ends = two_chains(rs)
    with rs.Session(config=config(threads)) as session:
        session.run(ends, {x: EYE})
    assert set(watched.threads) == {threading.get_ident()}


def test_options_choose_a_pool(rs: Any, watched: Watched) -> None:
    """S117: -1 is the caller's thread; a pool of one thread, too; one of two helps."""
    x, ends = two_chains(rs)
    pools = config(0)
    pools.session_inter_op_thread_pool.add(num_threads=1)
    pools.session_inter_op_thread_pool.add(num_threads=2)
    with rs.Session(config=pools) as session:
        for pool, count in ((-1, 1), (0, 1), (1, 2)):
            watched.threads.clear()
            barrier = threading.Barrier(count)
            watched.call = partial(barrier.wait, 30)
            session.run(ends, {x: EYE}, options=rs.RunOptions(inter_op_thread_pool=pool))
            assert len(set(watched.threads)) == count


def test_pools_of_sessions(rs: Any) -> None:
    """use_per_session_threads, global_name; sessions that say nothing share the process' pool."""

    def pools(**fields: Any) -> Any:
        return rs.Session(config=config_pb2.ConfigProto(**fields))._engine.pools

    def named(threads: int) -> Any:
        wanted = config_pb2.ConfigProto()
        wanted.session_inter_op_thread_pool.add(num_threads=threads, global_name="test_pools_of_sessions")
        return rs.Session(config=wanted)._engine.pools

    assert pools()[0] is pools()[0]
    assert pools(use_per_session_threads=True)[0] is not pools(use_per_session_threads=True)[0]
    assert pools(inter_op_parallelism_threads=7)[0].size == 7
    assert pools(inter_op_parallelism_threads=-1) == [None]
    assert named(2)[0] is named(3)[0]


def test_a_closed_session_leaves_no_threads(rs: Any, watched: Watched) -> None:
    x, ends = two_chains(rs)
    barrier = threading.Barrier(2)
    watched.call = lambda: barrier.wait(30)
    with rs.Session(config=config(use_per_session_threads=True)) as session:
        session.run(ends, {x: EYE})
        helpers = [
            t for t in threading.enumerate() if t.ident in watched.threads and t is not threading.current_thread()
        ]
        assert len(helpers) == 1
    helpers[0].join(30)
    assert not helpers[0].is_alive()


# ---------------------------------------------------------------------- ended


class Stopped:
    """Lets the second kernel of a chain start something that ends the step, and return when that has been noticed."""

    def __init__(self, watched: Watched) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()
        self.watched = watched
        watched.call = self._call

    def _call(self) -> None:
        if len(self.watched.threads) == 2:
            self.reached.set()
            assert self.go_on.wait(30)


def long_chain(rs: Any) -> tuple[Any, Any]:
    x = y = rs.placeholder("float32", [SIDE, SIDE])
    for _ in range(6):
        y = rs.matmul(y, x)
    return x, y


def noticed(session: Any, then: threading.Event) -> None:
    """Sets the event once a step of the session has been told to end."""
    seen = threading.Event()
    while not any(context.cancelled for context in list(session._engine._active)):
        assert not seen.wait(0.001)
    then.set()


def test_a_time_limit_ends_a_chain_between_two_kernels(rs: Any, watched: Watched) -> None:
    """S115: with a thread's own clock, so the kernel waits until the time is over."""
    x, y = long_chain(rs)
    stopped = Stopped(watched)
    with rs.Session(config=config(1)) as session:
        threading.Thread(target=noticed, args=(session, stopped.go_on)).start()
        with pytest.raises(errors.DeadlineExceededError):
            session.run(y, {x: EYE}, options=rs.RunOptions(timeout_in_ms=20))
        assert len(watched.threads) == 2
        assert session.run(y, {x: EYE}).shape == (SIDE, SIDE)


def test_closing_ends_a_chain_between_two_kernels(rs: Any, watched: Watched) -> None:
    """S43."""
    x, y = long_chain(rs)
    stopped = Stopped(watched)
    session = rs.Session(config=config(1))
    found: list[BaseException] = []

    def run() -> None:
        try:
            session.run(y, {x: EYE})
        except BaseException as error:
            found.append(error)

    runner = threading.Thread(target=run)
    runner.start()
    assert stopped.reached.wait(30)
    closer = threading.Thread(target=session.close)
    closer.start()
    noticed(session, stopped.go_on)
    closer.join(30)
    runner.join(30)
    assert isinstance(found[0], errors.CancelledError) and "Run call was cancelled" in found[0].message
    assert found[0].op is None and len(watched.threads) == 2


@pytest.mark.trio
async def test_a_cancelled_scope_ends_a_chain_between_two_kernels(rs: Any, watched: Watched) -> None:
    x, y = long_chain(rs)
    stopped = Stopped(watched)
    with rs.Session(config=config(1)) as session:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(session.arun, y, {x: EYE})
                await trio.to_thread.run_sync(stopped.reached.wait, 30)
                nursery.start_soon(trio.to_thread.run_sync, noticed, session, stopped.go_on)
                scope.cancel()
        assert scope.cancelled_caught and len(watched.threads) == 2
        assert not session._engine._active
        assert (await session.arun(y, {x: EYE})).shape == (SIDE, SIDE)


def test_a_cancelled_asyncio_task_ends_a_chain_between_two_kernels(rs: Any, watched: Watched) -> None:
    x, y = long_chain(rs)
    stopped = Stopped(watched)
    with rs.Session(config=config(1)) as session:

        async def main() -> None:
            task = asyncio.create_task(session.arun(y, {x: EYE}))
            await asyncio.to_thread(stopped.reached.wait, 30)
            threading.Thread(target=noticed, args=(session, stopped.go_on)).start()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        assert len(watched.threads) == 2 and not session._engine._active


@pytest.mark.trio
async def test_a_cancelled_scope_ends_an_endless_loop(rs: Any) -> None:
    """S116: the loop runs in a thread, so that the caller's goes on; it looks on every turn."""
    turning = threading.Event()

    def turn(i: Any) -> Any:
        return rs.reshape(rs.py_func(lambda j: (turning.set(), j)[1], [i], rs.int32), [])

    endless = rs.while_loop(lambda i: True, turn, [0])
    with rs.Session() as session:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(session.arun, endless)
                await trio.to_thread.run_sync(turning.wait, 30)
                scope.cancel()
        assert scope.cancelled_caught and not session._engine._active
        assert await session.arun(rs.constant(1) + 1) == 2


@pytest.mark.parametrize("kind", ["loop", "chain", "queue"])
def test_ctrl_c_ends_the_step(rs: Any, watched: Watched, kind: str) -> None:
    """S62: promptly, with KeyboardInterrupt, and the session goes on (TensorFlow's waits for the end of the step)."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    x, y = long_chain(rs)
    queue = rs.FIFOQueue(9, [rs.float32], [()])
    try:
        with rs.Session(config=config(1)) as session:
            if kind == "loop":

                def interrupt(i: Any) -> Any:
                    if i == 5:
                        signal.raise_signal(signal.SIGINT)
                    return np.int32(i + 1)

                def turn(i: Any) -> Any:
                    return rs.reshape(rs.py_func(interrupt, [i], rs.int32), [])

                turns = rs.while_loop(lambda i: True, turn, [0])
                with pytest.raises(KeyboardInterrupt):
                    session.run(turns)
            elif kind == "chain":
                watched.call = lambda: signal.raise_signal(signal.SIGINT) if len(watched.threads) == 2 else None
                with pytest.raises(KeyboardInterrupt):
                    session.run(y, {x: EYE})
                assert len(watched.threads) == 2
            else:

                def interrupt_when_waiting() -> None:
                    seen = threading.Event()
                    while not any(context.waiting for context in list(session._engine._active)):
                        assert not seen.wait(0.001)
                    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)  # type: ignore[arg-type]

                threading.Thread(target=interrupt_when_waiting).start()
                with pytest.raises(KeyboardInterrupt):
                    session.run(queue.dequeue())
                session.run(queue.enqueue(1.0))
                assert session.run(queue.size()) == 1, "the interrupted dequeue has not taken it"
            assert not session._engine._active
            assert session.run(rs.constant(1) + 1) == 2
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.trio
async def test_cheap_steps_run_where_they_are_awaited(rs: Any, watched: Watched) -> None:
    """And heavy ones do not: the loop stays free."""
    small, large = rs.placeholder("float32", [2, 2]), rs.placeholder("float32", [SIDE, SIDE])
    with rs.Session(config=config()) as session:
        await session.arun(rs.matmul(small, small), {small: EYE[:2, :2]})
        assert watched.threads == [threading.get_ident()]
        watched.threads.clear()
        await session.arun(rs.matmul(large, large), {large: EYE})
        assert len(watched.threads) == 1 and watched.threads != [threading.get_ident()]
