"""Whatever ends a step that waits, at whatever kernel: the right error, nothing lost, the next in line is served."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
import numpy as np
import pytest
import trio
import trio.lowlevel
import trio.testing

import runstep as tf

PATIENT = tf.RunOptions(timeout_in_ms=120_000)
"""For what does not wait, in sessions whose operations time out at once."""


@attrs.frozen
class Waiting:
    """A kernel that waits.

    Attributes:
      node: what waits. serve: lets one of those who wait go on. state: a number that tells what is inside.
      before, after: the state when nobody was served yet, and when one was. gets: what that one has.
      setup: run first.
    """

    node: Any
    serve: Any
    state: Any
    before: int
    after: int
    gets: Any
    setup: tuple[Any, ...] = ()


def _dequeue(queue: Any, take: Callable[[Any], Any], held: list[int], gets: Any, after: int = 0) -> Waiting:
    setup = (queue.enqueue_many([held]),) if held else ()
    return Waiting(take(queue), queue.enqueue(7), queue.size(), len(held), after, gets, setup)


def _fifo(capacity: int = 9) -> Any:
    return tf.FIFOQueue(capacity, [tf.int64], [[]])


def _enqueue(many: bool) -> Waiting:
    queue = _fifo(1)
    wait = queue.enqueue_many([[8, 9]]) if many else queue.enqueue(8)
    serve = queue.dequeue_many(2) if many else queue.dequeue()
    return Waiting(wait, serve, queue.size(), 1, 1, None, (queue.enqueue(7),))


def _priority() -> Waiting:
    queue = tf.PriorityQueue(9, [tf.int64], [[]])
    one, two = (queue.enqueue((np.int64(rank), np.int64(rank))) for rank in (1, 2))
    return Waiting(queue.dequeue_many(2)[1], one, queue.size(), 1, 0, [1, 2], (two,))


def _barrier() -> Waiting:
    barrier = tf.raw_ops.Barrier(component_types=[tf.int64], shapes=[[]])
    put = tf.raw_ops.BarrierInsertMany(handle=barrier, component_index=0, keys=["k"], values=np.array([7]))
    take = tf.raw_ops.BarrierTakeMany(handle=barrier, num_elements=1, component_types=[tf.int64])
    return Waiting(take[2][0], put, tf.raw_ops.BarrierReadySize(handle=barrier), 0, 0, [7])


def _unstage(peek: bool = False) -> Waiting:
    kind: Any = {"dtypes": [tf.int64], "shared_name": "area"}
    wait = tf.raw_ops.StagePeek(index=0, **kind) if peek else tf.raw_ops.Unstage(**kind)
    put = tf.raw_ops.Stage(values=[np.int64(7)], shared_name="area")
    return Waiting(wait[0], put, tf.raw_ops.StageSize(**kind), 0, int(peek), 7)


def _stage() -> Waiting:
    kind: Any = {"shared_name": "area", "capacity": 1}
    put, first = (tf.raw_ops.Stage(values=[np.int64(value)], **kind) for value in (8, 7))
    take = tf.raw_ops.Unstage(dtypes=[tf.int64], **kind)
    return Waiting(put, take, tf.raw_ops.StageSize(dtypes=[tf.int64], **kind), 1, 1, None, (first,))


def _map(kind: str, what: str) -> Waiting:
    ops, attrs_ = tf.raw_ops, {"dtypes": [tf.int64], "shared_name": "map", "capacity": 1}

    def op(name: str, **inputs: Any) -> Any:
        return getattr(ops, kind + name)(**inputs, **attrs_)

    def put(key: int) -> Any:
        return op("MapStage", key=np.int64(key), indices=[0], values=[np.int64(7)])

    size = op("MapSize")
    if what == "put":
        return Waiting(put(2), op("MapUnstage", key=np.int64(1), indices=[0]), size, 1, 1, None, (put(1),))
    if what == "any":
        return Waiting(op("MapUnstageNoKey", indices=[0])[1][0], put(1), size, 0, 0, 7)
    peek = what == "peek"
    wait = op("MapPeek" if peek else "MapUnstage", key=np.int64(1), indices=[0])
    return Waiting(wait[0], put(1), size, 0, int(peek), 7)


def _reader(up_to: bool) -> Waiting:
    queue, reader = tf.FIFOQueue(9, [tf.string], [[]]), tf.IdentityReader()
    wait = reader.read_up_to(queue, 3)[1] if up_to else reader.read(queue)[1]
    return Waiting(wait, queue.enqueue("a"), queue.size(), 0, 0, [b"a"] if up_to else b"a")


def _accumulator(sparse: bool) -> Waiting:
    if sparse:
        kept: Any = tf.SparseConditionalAccumulator(tf.float32, shape=[3])
        return Waiting(kept.take_grad(1)[1], kept.apply_grad([1], [7.0], [3]), kept.num_accumulated(), 0, 0, [7.0])
    kept = tf.ConditionalAccumulator(tf.float32, shape=[])
    return Waiting(kept.take_grad(1), kept.apply_grad(7.0), kept.num_accumulated(), 0, 0, 7.0)


def _coroutine() -> Waiting:
    inside: list[Any] = []

    async def function() -> Any:
        entry = trio.Event(), trio.lowlevel.current_trio_token()
        inside.append(entry)
        try:
            await entry[0].wait()
        finally:
            inside.remove(entry)
        return np.int64(7)

    def serve() -> None:
        for event, token in list(inside):
            token.run_sync_soon(event.set)

    wait = tf.py_func(function, [], tf.int64)
    return Waiting(wait, tf.py_func(serve, [], []), tf.py_func(lambda: np.int64(len(inside)), [], tf.int64), 0, 0, 7)


def _batch() -> Waiting:
    attrs_: Any = {"num_batch_threads": 1, "max_batch_size": 3, "batch_timeout_micros": 10**9, "shared_name": "b"}
    wait, serve = (
        tf.raw_ops.Batch(in_tensors=[np.array(rows)], grad_timeout_micros=0, **attrs_)[0][0] for rows in ([7], [8, 9])
    )
    return Waiting(wait, serve, tf.constant(0), 0, 0, [])


KERNELS: dict[str, Callable[[], Waiting]] = {
    "dequeue": lambda: _dequeue(_fifo(), lambda queue: queue.dequeue(), [], 7),
    "dequeue_many": lambda: _dequeue(_fifo(), lambda queue: queue.dequeue_many(2), [5], [5, 7]),
    "dequeue_up_to": lambda: _dequeue(_fifo(), lambda queue: queue.dequeue_up_to(2), [5], [5, 7]),
    "padding": lambda: _dequeue(
        tf.PaddingFIFOQueue(9, [tf.int64], [[]]), lambda queue: queue.dequeue_many(2), [5], [5, 7]
    ),
    "shuffled": lambda: _dequeue(tf.RandomShuffleQueue(9, 0, [tf.int64], [[]]), lambda queue: queue.dequeue(), [], 7),
    "priority": _priority,
    "enqueue": lambda: _enqueue(False),
    "enqueue_many": lambda: _enqueue(True),
    "barrier": _barrier,
    "unstage": _unstage,
    "peek": lambda: _unstage(True),
    "stage": _stage,
    **{
        f"{kind}map {what}": partial(_map, kind, what)
        for kind in ("", "Ordered")
        for what in ("put", "any", "get", "peek")
    },
    "read": lambda: _reader(False),
    "read_up_to": lambda: _reader(True),
    "accumulator": lambda: _accumulator(False),
    "sparse accumulator": lambda: _accumulator(True),
    "py_func": _coroutine,
    "batch": _batch,
}


class Program:
    """A session with a kernel that waits, beside one that fails when it is told to."""

    def __init__(self, kernel: str, config: Any = None) -> None:
        with tf.Graph().as_default():
            self.kernel = KERNELS[kernel]()
            fuse = tf.FIFOQueue(9, [tf.int64], [[]])
            self.failing = tf.floordiv(np.int64(1), fuse.dequeue())
            self.fail = fuse.enqueue(np.int64(0))
            self.session = tf.Session(config=config)
        for node in self.kernel.setup:
            self.session.run(node, options=PATIENT)
        self.held = self._held()
        assert self.state == self.kernel.before

    @property
    def state(self) -> int:
        return int(self.session.run(self.kernel.state, options=PATIENT))

    @property
    def waiting(self) -> int:
        return self.session.statistics().waiting

    def _held(self) -> int:
        (device,) = self.session.statistics().devices.values()
        assert device.running == 0 and device.waiting == 0
        return int(device.memory.reserved)

    def got(self, value: Any) -> bool:
        return (value.tolist() if hasattr(value, "tolist") else value) == self.kernel.gets

    def is_as_before(self) -> bool:
        """Nobody waits, nothing runs, nothing is held, and inside is what was there."""
        numbers = self.session.statistics()
        return (numbers.waiting, numbers.in_flight, self._held(), self.state) == (0, 0, self.held, self.kernel.before)

    def is_served(self) -> bool:
        return self.waiting == 0 and self._held() == self.held and self.state == self.kernel.after


@pytest.fixture(params=KERNELS)
def kernel(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what happens in other threads has no event
        await trio.lowlevel.checkpoint()


@pytest.mark.trio
@pytest.mark.parametrize("way", ["scope", "limit", "sibling"])
async def test_the_next_in_line_gets_what_the_first_would_have(
    kernel: str, way: str, autojump_clock: trio.testing.MockClock
) -> None:
    program = Program(kernel)
    session, node = program.session, program.kernel.node
    first_ended, outcomes = trio.Event(), []

    async def first(scope: trio.CancelScope) -> None:
        fetches = [node, program.failing] if way == "sibling" else node
        with scope:
            try:
                options = tf.RunOptions(timeout_in_ms=30_000) if way == "limit" else None
                await session.arun(fetches, options=options)
            except tf.errors.OpError as error:
                outcomes.append(error)
        first_ended.set()

    async def second() -> None:
        outcomes.append(await session.arun(node))

    async with trio.open_nursery() as nursery:
        scope = trio.CancelScope()
        nursery.start_soon(first, scope)
        await until(lambda: program.waiting == 1)
        nursery.start_soon(second)
        await until(lambda: program.waiting == 2)
        if way == "scope":
            scope.cancel()
        elif way == "sibling":
            await session.arun(program.fail)
        await first_ended.wait()
        assert program.waiting == 1
        await session.arun(program.kernel.serve)
    if way == "scope":
        assert scope.cancelled_caught
    else:
        kind = {"limit": tf.errors.DeadlineExceededError, "sibling": tf.errors.InvalidArgumentError}[way]
        assert type(outcomes.pop(0)) is kind
    assert len(outcomes) == 1 and program.got(outcomes[0])
    assert program.is_served()
    session.close()


def test_a_time_limit_ends_a_run(kernel: str) -> None:
    """S115."""
    for of_session in (False, True):
        config = tf.ConfigProto(operation_timeout_in_ms=2) if of_session else None
        with (program := Program(kernel, config)).session as session:
            with pytest.raises(tf.errors.DeadlineExceededError):
                session.run(program.kernel.node, options=None if of_session else tf.RunOptions(timeout_in_ms=2))
            assert program.is_as_before()


def _in_thread(call: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(call())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, found


def _spin(condition: Callable[[], bool]) -> None:
    while not condition():
        threading.Event().wait(0)


def test_closing_the_session_ends_a_run(kernel: str) -> None:
    """S43: with the operation that waited."""
    program = Program(kernel)
    thread, found = _in_thread(lambda: program.session.run(program.kernel.node))
    _spin(lambda: program.waiting == 1)
    program.session.close()
    thread.join(30)
    node = program.kernel.node
    assert type(found[0]) is tf.errors.CancelledError and found[0].op is getattr(node, "op", node)
    numbers = program.session.statistics()
    assert (numbers.waiting, numbers.in_flight) == (0, 0)


def test_an_interrupt_ends_a_run(kernel: str) -> None:
    """S62."""
    with (program := Program(kernel)).session as session:

        def interrupt() -> None:
            _spin(lambda: program.waiting == 1)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)  # type: ignore[arg-type]

        thread, _ = _in_thread(interrupt)
        with pytest.raises(KeyboardInterrupt):
            session.run(program.kernel.node)
        thread.join(30)
        _spin(lambda: not program.session.statistics().in_flight)
        assert program.is_as_before()


def test_cancelling_an_asyncio_task_ends_a_run(kernel: str) -> None:
    program = Program(kernel)

    async def main() -> None:
        task = asyncio.create_task(program.session.arun(program.kernel.node))
        while program.waiting != 1:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert program.is_as_before()

    asyncio.run(main())
    program.session.close()
