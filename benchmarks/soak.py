"""Many steps of every kind at once, then: is anything left over?

    python benchmarks/soak.py                                    # 200,000 steps, three seeds
    python benchmarks/soak.py --steps 20000 --seeds 7 --seconds 10

Threads, a trio loop and an asyncio loop share sessions that are closed and opened under way. They run, await, stream,
feed partial runs in pieces, fork, save and restore them, abandon them, cancel steps that wait, and make steps fail.
Every value that comes back is checked. Between rounds nothing may be left: no step in flight, no handle, no thread
more than before, no element in a queue, no more memory than after the first rounds. A step that never ends is told by
the watchdog, with the sessions' reports and the stacks of all threads.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import gc
import random
import resource
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import trio

import runstep as tf

WORKERS = 3
ROUND = 2000


class World:
    """A graph and a session on it; `taken` waits for the queue, `broken` fails for x = 0."""

    def __init__(self) -> None:
        self.graph = tf.Graph()
        with self.graph.as_default():
            self.x = tf.placeholder(tf.float32, [], name="x")
            self.y = tf.placeholder(tf.float32, [], name="y")
            self.double = self.x * 2
            self.sum = self.double + self.y
            self.loop = tf.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, s + self.x), (0, self.x))[1]
            self.broken = tf.floordiv(1, tf.to_int32(self.x))
            self.queue = tf.FIFOQueue(10_000, tf.float32, shapes=[[]], name="queue")
            self.never = tf.FIFOQueue(1, tf.float32, shapes=[[]], name="never").dequeue() + self.x
            self.put = self.queue.enqueue(self.x)
            self.taken = self.queue.dequeue() * 0 + self.x
            self.size = self.queue.size()
        self.open()

    def open(self) -> None:
        self.session = tf.Session(graph=self.graph)
        self.call = self.session.make_callable(self.sum, [self.x, self.y])


class Soak:
    """One seed's worth of steps."""

    def __init__(self, seed: int, steps: int, folder: Path) -> None:
        self.world = World()
        self.dice = random.Random(seed)
        self.left = steps
        self.done: Counter[str] = Counter()
        self.folder = folder
        self.lock = threading.Lock()

    # ------------------------------------------------------------------ what is done

    def sync_step(self, dice: random.Random) -> str:
        """One step from a thread."""
        world = self.world
        session, x, y, n = world.session, world.x, world.y, dice.randrange(1, 100)
        kind = dice.choice(("run", "call", "loop", "fail", "wait", "timeout", "partial", "abandon", "fork", "save"))
        if kind == "run":
            check(session.run([world.sum, {"d": world.double}], {x: n, y: 1}) == [2 * n + 1, {"d": 2 * n}])
        elif kind == "call":
            check(world.call(n, 2) == 2 * n + 2)
        elif kind == "loop":
            check(session.run(world.loop, {x: n}) == 4 * n)
        elif kind == "fail":
            expect(tf.errors.InvalidArgumentError, session.run, world.broken, {x: 0})
        elif kind == "wait":
            session.run(world.put, {x: n})
            check(session.run(world.taken, {x: n}) == n)
        elif kind == "timeout":
            if dice.random() < 0.1:
                options = tf.RunOptions(timeout_in_ms=1)
                expect(tf.errors.DeadlineExceededError, session.run, world.never, {x: n}, options)
        elif kind == "partial":
            handle = session.partial_run_setup([world.double, world.sum], [x, y])
            check(session.partial_run(handle, world.double, {x: n}) == 2 * n)
            check(session.partial_run(handle, world.sum, {y: 3}) == 2 * n + 3)
        elif kind == "abandon":
            session.pipeline([world.never, world.double], [x])([world.double], {x: n})
        else:
            with session.pipeline([world.double, world.sum], [x, y]) as handle:
                handle(world.double, {x: n})
                if kind == "fork":
                    twin = handle.fork()
                else:
                    file = self.folder / str(threading.get_ident())
                    handle.save(file)
                    twin = session.restore_partial_run(file)
                check(twin(world.sum, {y: 1}) == 2 * n + 1 and handle(world.sum, {y: 2}) == 2 * n + 2)
        return kind

    async def async_step(self, dice: random.Random, cancel: Any) -> str:
        """One step from a loop; `cancel(function, *args)` runs an async function and cancels it under way."""
        world = self.world
        session, x, y, n = world.session, world.x, world.y, dice.randrange(1, 100)
        kind = dice.choice(("arun", "await", "cancel", "stream", "apartial", "afail"))
        if kind == "arun":
            check(await session.arun(world.sum, {x: n, y: 1}) == 2 * n + 1)
        elif kind == "await":
            await session.arun(world.put, {x: n})
            check(await session.arun(world.taken, {x: n}) == n)
        elif kind == "cancel":
            await cancel(session.arun, world.never, {x: n})
        elif kind == "stream":
            outs = [out async for out in session.stream(world.double, range(5), max_in_flight=2, key=x)]
            check(outs == [0, 2, 4, 6, 8])
        elif kind == "apartial":
            async with session.pipeline([world.double, world.sum, world.never], [x, y]) as handle:
                check(await handle(world.double, {x: n}) == 2 * n)
                twin = handle.fork()
                check(await twin(world.sum, {y: 1}) == 2 * n + 1)
                twin.close()
        else:
            try:
                await session.arun(world.broken, {x: 0})
            except tf.errors.InvalidArgumentError:
                pass
            else:
                raise AssertionError("it should have failed")
        return f"{kind}"

    # ------------------------------------------------------------------ who does it

    def take(self) -> bool:
        with self.lock:
            self.left -= 1
            self.round_left -= 1
            return self.left >= 0 and self.round_left >= 0

    def count(self, kind: str) -> None:
        with self.lock:
            self.done[kind] += 1

    def closed(self, error: BaseException) -> bool:
        """Whether that is what a session that somebody closed says."""
        return isinstance(error, tf.errors.CancelledError) or (
            isinstance(error, RuntimeError) and "closed" in str(error)
        )

    def in_thread(self, seed: int) -> None:
        dice = random.Random(seed)
        while self.take():
            try:
                self.count(self.sync_step(dice))
            except Exception as error:
                if not self.closed(error):
                    raise
                self.count("closed")

    async def in_loop(self, seed: int, cancel: Any) -> None:
        dice = random.Random(seed)
        while self.take():
            try:
                self.count(await self.async_step(dice, cancel))
            except Exception as error:
                if not self.closed(error):
                    raise
                self.count("closed")

    async def in_trio(self, seed: int) -> None:
        async def cancel(function: Any, *args: Any) -> None:
            failures: list[Exception] = []

            async def run() -> None:
                try:
                    await function(*args)
                except Exception as error:
                    failures.append(error)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(run)
                for _ in range(3):
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
            if failures:
                raise failures[0]

        async with trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(self.in_loop, seed + number, cancel)

    async def in_asyncio(self, seed: int) -> None:
        async def cancel(function: Any, *args: Any) -> None:
            task = asyncio.create_task(function(*args))
            for _ in range(3):
                await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                pass

        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(self.in_loop(seed + number, cancel))

    def run_round(self, close: bool) -> None:
        """ROUND steps by everybody at once; with `close`, the session is closed and opened in their midst."""
        self.round_left = ROUND
        seeds = [self.dice.randrange(1 << 30) for _ in range(WORKERS + 2)]
        failures: list[BaseException] = []

        def guarded(function: Any, *args: Any) -> None:
            try:
                function(*args)
            except BaseException as error:
                failures.append(error)
                self.left = 0

        calls: list[tuple[Any, ...]] = [(self.in_thread, seed) for seed in seeds[2:]]
        calls += [(trio.run, self.in_trio, seeds[0]), (lambda seed: asyncio.run(self.in_asyncio(seed)), seeds[1])]
        threads = [threading.Thread(target=guarded, args=call, name="soak") for call in calls]
        for thread in threads:
            thread.start()
        if close:
            while self.round_left > ROUND // 2 and self.left > 0:
                time.sleep(0.001)
            old = self.world.session
            self.world.open()
            old.close()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def check_quiet(self) -> None:
        """Nothing is left of the round."""
        gc.collect()
        session, deadline = self.world.session, time.monotonic() + 30
        while True:
            found = session.statistics()
            if not (found.in_flight or found.partial_runs):
                break
            if time.monotonic() > deadline:
                raise AssertionError(f"left over:\n{session.debug_dump()}")
            time.sleep(0.01)
        left = [thread for thread in threading.enumerate() if thread.name == "soak"]
        check(not left)
        check(session.run(self.world.size) == 0)


def check(true: Any) -> None:
    if not true:
        raise AssertionError("a wrong value came back")


def expect(kind: type[BaseException], function: Any, *args: Any) -> None:
    try:
        function(*args)
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


def resident() -> int:
    """Resident memory in KiB."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() // 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def soak(seed: int, steps: int, seconds: float) -> None:
    """Runs the steps of one seed, and says what it saw.

    Raises:
      AssertionError: a wrong value, or something is left over.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = Soak(seed, steps, Path(folder))
        began = time.monotonic()
        memory: list[int] = []
        objects: list[int] = []
        threads = 0
        while work.left > 0 and time.monotonic() - began < seconds:
            faulthandler.dump_traceback_later(300, exit=True)
            work.run_round(close=len(memory) % 5 == 4)
            work.check_quiet()
            memory.append(resident())
            objects.append(len(gc.get_objects()))
            threads = threads or threading.active_count()
            if len(memory) > 3 and threading.active_count() > threads + 2:
                raise AssertionError(f"{threading.active_count()} threads, where there were {threads}")
        faulthandler.cancel_dump_traceback_later()
        spent = time.monotonic() - began
        work.world.session.close()
        total = sum(work.done.values())
        first, last = memory[min(3, len(memory) - 1)], memory[-1]
        print(f"seed {seed}: {total} steps in {spent:.0f} s ({total / spent:.0f}/s)")
        print("  " + ", ".join(f"{kind} {count}" for kind, count in sorted(work.done.items())))
        print(
            f"  memory {first / 1024:.1f} -> {last / 1024:.1f} MiB, objects {objects[min(3, len(objects) - 1)]} -> "
            f"{objects[-1]}, threads {threading.active_count()}"
        )
        if len(memory) > 10 and last > first * 1.1 + 10_240:
            raise AssertionError("memory grows")


def main() -> None:
    parser = argparse.ArgumentParser(description="Runs many steps of every kind at once and looks for what is left.")
    parser.add_argument("--steps", type=int, default=200_000, help="in all, over the seeds")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--seconds", type=float, default=float("inf"), help="at most so long for each seed")
    options = parser.parse_args()
    for seed in options.seeds:
        soak(seed, -(-options.steps // len(options.seeds)), options.seconds)
    print("nothing is left")


if __name__ == "__main__":
    main()
