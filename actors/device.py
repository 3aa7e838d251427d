"""The device actor: owns a kernel table, the resources and the memory budget of one device, and runs tasks for
steps."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import attrs

from runstep import kernels, quiet
from runstep.actors.growth import Growth
from runstep.actors.memory import MemoryBudget
from runstep.actors.messages import Execute
from runstep.actors.pool import Pool, unbounded
from runstep.kernels.registry import KernelTable
from runstep.kernels.resources import ResourceManager
from runstep.memory import MemoryStatistics
from runstep.plan.tasks import Task
from runstep.step import Failed, Finished


@attrs.frozen
class DeviceStatistics:
    """What a device is doing: tasks in its mailbox, tasks running, tasks done, and its memory."""

    waiting: int
    running: int
    done: int
    memory: MemoryStatistics


class DeviceActor:
    """One logical device. Inside a session's loop it serves a mailbox; a driver without a loop calls its kernels
    directly.

    Attributes:
      name: the full name, "/job:localhost/replica:0/task:0/device:CPU:0".
      resources: variables, tables and queues that live here. budget: its memory.
      pool: the threads for heavy tasks; None to run them where the loop runs.
      incarnation: a number that tells this device from an earlier one of the same name.
    """

    kind = "CPU"

    def __init__(self, name: str, memory_limit: int) -> None:
        self.name = name
        self.resources = ResourceManager(name)
        self.budget = MemoryBudget(memory_limit, lambda: self.resources.nbytes)
        self.growth = Growth
        self.pool: Pool | None = None
        self.incarnation = int.from_bytes(os.urandom(8), "little") >> 1
        self._send: Any = None
        self._receive: Any = None
        self._running = 0
        self._done = 0

    @cached_property
    def kernels(self) -> KernelTable:
        return kernels.cpu_kernels()

    @property
    def memory_limit(self) -> int:
        """Bytes that its variables and its steps may take together."""
        return self.budget.limit

    def statistics(self) -> DeviceStatistics:
        waiting = 0 if self._send is None else self._send.statistics().current_buffer_used
        return DeviceStatistics(waiting, self._running, self._done, self.budget.statistics())

    # ------------------------------------------------------------------ in the loop

    def open(self) -> None:
        """Opens the mailbox. Called once, in the loop that will serve it."""
        import trio

        self._send, self._receive = trio.open_memory_channel[Execute](float("inf"))

    def post(self, message: Execute) -> None:
        """Puts a message in the mailbox; from inside the loop."""
        self._send.send_nowait(message)

    def close(self) -> None:
        """Ends `serve` once what was posted is done; from inside the loop."""
        self._send.close()

    async def serve(self) -> None:
        """Carries out messages until the mailbox is closed."""
        import trio

        async with self._receive:
            try:
                async with trio.open_nursery() as nursery:
                    async for message in self._receive:
                        nursery.start_soon(self.execute, message)
            finally:  # cancelled from outside: whoever posted what is left waits for a reply
                while self._receive.statistics().current_buffer_used:
                    message = self._receive.receive_nowait()
                    message.reply(Failed(message.number, message.context.cause))

    async def execute(self, message: Execute) -> None:
        """Runs one task and replies with what became of it; in any trio loop."""
        outcome: Finished | Failed | None = None
        self._running += 1
        try:
            with message.scope:
                outcome = await self._outcome(message)
        finally:
            self._running -= 1
            self._done += 1
            if outcome is None:  # interrupted before it began
                outcome = Failed(message.number, message.context.cause)
            message.reply(outcome)

    async def _outcome(self, message: Execute) -> Finished | Failed:
        import trio

        from runstep.actors.hosting import host

        segment = message.task.segment
        try:
            if message.started is not None:
                coroutine, waiter = message.started
                results = await host(coroutine, waiter, message.context)
            elif segment.is_async:
                results = await host(segment.run(message.context, *message.args), None, message.context)
            else:
                call = partial(_quietly, segment.run, message.context, *message.args)
                threads = self._threads(message.task)
                results = call() if threads is None else await _on_thread(threads, call)
            return Finished(message.number, results)
        except trio.Cancelled as error:  # while a kernel awaited: the step's error, where that was
            return Failed(message.number, message.context.cause.with_traceback(error.__traceback__))
        except Exception as error:
            return Failed(message.number, error)

    def _threads(self, task: Task) -> Pool | None:
        if self.pool is None or not task.is_heavy:
            return None
        return unbounded() if task.endless else self.pool


def _quietly(run: Callable[..., Any], *args: Any) -> Any:
    token = quiet.begin()
    try:
        return run(*args)
    finally:
        quiet.end(token)


async def _on_thread(pool: Pool, call: Callable[[], Any]) -> Any:
    """What the call returns, made in a thread of the pool. A running kernel is waited for, cancelled or not."""
    import trio

    ended = trio.Event()
    token = trio.lowlevel.current_trio_token()
    future = pool.submit(call)
    future.add_done_callback(lambda done: token.run_sync_soon(ended.set))
    with trio.CancelScope(shield=True):
        await ended.wait()
    return future.result()
