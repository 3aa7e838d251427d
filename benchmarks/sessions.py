"""What surrounds the kernels: partial runs, awaited runs, many threads, building, first runs. Written once against TF1.

A program takes the module `tf` and returns a function to time; `Measured` programs do their own timing, since what is
timed is more than repeated calls.
"""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

Run = Callable[[], object]
Measured = Callable[[Any, Any], tuple[float | None, float]]
"""Takes TensorFlow and runstep; seconds under each, None where TensorFlow has no such thing."""

ROUNDS = 5


def partial_run(tf: Any) -> Run:
    """A partial run in two stages: set up, fed and fetched twice."""
    a, b, c = (tf.placeholder(tf.float32, []) for _ in range(3))
    first = a + b
    second = first * c
    session, value = tf.Session(), np.float32(2.0)

    def run() -> None:
        handle = session.partial_run_setup([first, second], [a, b, c])
        found = session.partial_run(handle, first, {a: value, b: value})
        session.partial_run(handle, second, {c: found})

    return run


def building(ops: int) -> Callable[[Any], Run]:
    """Building a graph of so many ops, shape inference included."""

    def program(tf: Any) -> Run:
        def run() -> None:
            with tf.Graph().as_default():
                x = tf.placeholder(tf.float32, [None, 4])
                y = x
                for _ in range(ops // 2):
                    y = tf.tanh(y + x)

        return run

    return program


def first_run(tf: Any) -> Run:
    """The first run of a fetch that is new, in a graph of 2,000 ops."""
    x = tf.placeholder(tf.float32, [None, 4])
    made = [x]
    for _ in range(1000):
        made.append(tf.tanh(made[-1] + x))
    session, value = tf.Session(), np.ones((2, 4), np.float32)
    session.run(made[1], {x: value})
    fetches = itertools.cycle([op.outputs[0] for op in x.graph.get_operations()[-400:]])
    fresh = iter(list(itertools.islice(fetches, 400)))
    return lambda: session.run(next(fresh), {x: value})


def planning(ops: int) -> Measured:
    """The first run of a graph of so many ops in a new session; seconds an op, with what the ops themselves take."""

    def program(tensorflow: Any, runstep: Any) -> tuple[float, float]:
        def first(tf: Any) -> Callable[[], float]:
            with tf.Graph().as_default() as graph:
                x = y = tf.placeholder(tf.float32, [None, 4])
                for _ in range(ops // 2):
                    y = tf.tanh(y + x)
            value = np.ones((2, 4), np.float32)

            def measure() -> float:
                with tf.Session(graph=graph) as session:
                    start = time.perf_counter()
                    session.run(y, {x: value})
                    return (time.perf_counter() - start) / ops

            return measure

        return _rounds(first(tensorflow), first(runstep))

    return program


def _rounds(theirs: Callable[[], float], ours: Callable[[], float]) -> tuple[float, float]:
    found = [(theirs(), ours()) for _ in range(ROUNDS)]
    return statistics.median(a for a, _ in found), statistics.median(b for _, b in found)


def _small(tf: Any) -> tuple[Any, Any, Any]:
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [])
        return tf.Session(graph=graph), x * 2.0 + 1.0, x


def awaited(tensorflow: Any, runstep: Any) -> tuple[float, float]:
    """`await arun` under trio, beside TensorFlow's `run`, of two ops on a feed."""
    import trio

    value, calls = np.float32(2.0), 200
    session, y, x = _small(tensorflow)
    ours, z, w = _small(runstep)
    session.run(y, {x: value})

    def theirs() -> float:
        start = time.perf_counter()
        for _ in range(calls):
            session.run(y, {x: value})
        return (time.perf_counter() - start) / calls

    async def main() -> float:
        start = time.perf_counter()
        for _ in range(5 * calls):
            await ours.arun(z, {w: value})
        return (time.perf_counter() - start) / (5 * calls)

    return _rounds(theirs, lambda: trio.run(main))


def threads(tensorflow: Any, runstep: Any) -> tuple[float, float]:
    """Two ops on a feed, run by 8 threads at once; seconds a run, all threads together."""
    value = np.float32(2.0)

    def rate(tf: Any, calls: int) -> Callable[[], float]:
        session, y, x = _small(tf)

        def work() -> None:
            for _ in range(calls):
                session.run(y, {x: value})

        def measure() -> float:
            workers = [threading.Thread(target=work) for _ in range(8)]
            start = time.perf_counter()
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            return (time.perf_counter() - start) / (8 * calls)

        return measure

    return _rounds(rate(tensorflow, 50), rate(runstep, 1000))


def suspended(tensorflow: Any, runstep: Any) -> tuple[None, float]:
    """1,000 awaited runs that wait on a queue, all suspended in one thread, then woken; seconds for all of them."""
    import trio

    count = 1000

    async def main() -> float:
        with runstep.Graph().as_default() as graph:
            queue = runstep.FIFOQueue(count, [runstep.float32], shapes=[[]])
            taken, put = queue.dequeue() + 1.0, queue.enqueue_many([np.zeros(count, np.float32)])
        async with runstep.Session(graph=graph) as session:
            start = time.perf_counter()
            async with trio.open_nursery() as nursery:
                for _ in range(count):
                    nursery.start_soon(session.arun, taken)
                await trio.testing.wait_all_tasks_blocked()
                nursery.start_soon(session.arun, put)
            return time.perf_counter() - start

    import trio.testing

    return None, statistics.median(trio.run(main) for _ in range(ROUNDS))


PROGRAMS: dict[str, Callable[[Any], Run]] = {"partial run in two stages": partial_run}
ONCE: dict[str, Callable[[Any], Run]] = {
    "building 10,000 ops": building(10_000),
    "building 100,000 ops": building(100_000),
    "first run in 2,000 ops": first_run,
}
"""Programs whose calls are long, or cannot be repeated at will."""
MEASURED: dict[str, Measured] = {
    "planning, an op of 1,000": planning(1_000),
    "planning, an op of 10,000": planning(10_000),
    "planning, an op of 100,000": planning(100_000),
    "arun under trio": awaited,
    "8 threads of small runs": threads,
    "1,000 suspended aruns": suspended,
}
