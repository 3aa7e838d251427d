"""Drivers of steps: they carry the pure machine's commands to the devices, and what happens back to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from runstep import errors
from runstep.actors.admission import Admission
from runstep.actors.growth import Growth
from runstep.actors.messages import Execute
from runstep.kernels.waiting import Waiter
from runstep.plan.compile import Plan
from runstep.step import Cancelled, Command, Deliver, Event, Failed, Fed, Finished, Interrupt, Launch, Step, StepContext

Parked = Mapping[int, tuple[Any, Waiter]]


def drive_in_place(step: Step, values: Mapping[int, Any]) -> dict[int, tuple[Any, Waiter]]:
    """Runs a step in the caller's thread, without a loop, as far as it goes.

    Returns:
      The tasks that wait for something, as coroutine and waiter; none when the step is over.
    """
    parked: dict[int, tuple[Any, Waiter]] = {}
    commands: deque[Command] = deque(step.handle(Fed(values)))
    while commands:
        if step.context.cancelled and step.error is None:
            commands.extend(step.handle(Cancelled(step.context.cause)))
        command = commands.popleft()
        if isinstance(command, Launch):
            segment = step.plan.tasks[command.task].segment
            event: Event | None
            try:
                with np.errstate(all="ignore"):
                    if not segment.is_async:
                        event = Finished(command.task, segment.run(step.context, *command.args))
                    else:
                        event = _begun(step, command, parked)
            except (KeyboardInterrupt, SystemExit, GeneratorExit):
                for coroutine, _ in parked.values():
                    coroutine.close()
                raise
            except Exception as error:
                event = Failed(command.task, error)
            if event is not None:
                commands.extend(step.handle(event))
        elif isinstance(command, Interrupt):
            if command.task in parked:
                coroutine, waiter = parked.pop(command.task)
                step.context.waiting.pop(waiter, None)
                commands.extend(step.handle(Failed(command.task, interrupted(coroutine, step.context.cause))))
    return parked


def _begun(step: Step, command: Launch, parked: dict[int, tuple[Any, Waiter]]) -> Event | None:
    coroutine = step.plan.tasks[command.task].segment.run(step.context, *command.args)
    try:
        waiter = coroutine.send(None)
    except StopIteration as stop:
        return Finished(command.task, stop.value)
    parked[command.task] = (coroutine, waiter)
    step.context.waiting[waiter] = coroutine
    return None


def interrupted(coroutine: Any, cause: BaseException) -> BaseException:
    """Raises the cause where a parked coroutine waits; what it makes of it."""
    try:
        coroutine.throw(cause)
    except BaseException as error:
        return error
    coroutine.close()
    return cause


def to_mailbox(device: Any, message: Execute) -> None:
    device.post(message)


async def drive(
    step: Step,
    values: Mapping[int, Any] | None,
    parked: Parked,
    opened: Callable[[Callable[[Event], None]], None],
    execute: Callable[[Any, Execute], None] = to_mailbox,
    memory: Admission | None = None,
) -> None:
    """Runs a step by its device actors until it is over; inside the loop that serves them.

    Args:
      values: the feeds of a step that has not begun; None to go on with one that `drive_in_place` began.
      parked: what that one left waiting.
      opened: is given the driver's inbox, for events from elsewhere (a cancellation), before anything runs.
      execute: gives a device a task; puts it in its mailbox, if nothing else is said.
      memory: what the step has of its devices, if it takes so much that somebody must know: kernels start when they
        have what they need, and while all that runs waits, the step has no more than it holds.

    The tickets of Wanted events are called when they are delivered.
    """
    import trio

    send, receive = trio.open_memory_channel[Event | None](float("inf"))
    driver = _Driver(step, send, execute, memory)
    opened(send.send_nowait)
    for number, started in parked.items():
        driver.post(number, (), started)
    if values is not None:
        driver.take(Fed(values))
    if step.context.cancelled:
        driver.take(Cancelled(step.context.cause))
    while not step.over:
        driver.suspend_if_idle()
        event: Event | None
        try:
            event = await receive.receive()
        except trio.Cancelled:
            if step.context.cancelled:
                with trio.CancelScope(shield=True):
                    event = await receive.receive()
            else:
                event = Cancelled(errors.CancelledError(None, None, "Run call was cancelled"))
        if event is None:
            driver.look_again()
        else:
            driver.take(event)
    if memory is not None:
        memory.suspend(step.held())
    while receive.statistics().current_buffer_used:  # tickets that came too late to be looked at
        late = receive.receive_nowait()
        if late is not None:
            driver.take(late)


class _Driver:
    """Carries out the commands of one step in a loop. `send` is the channel of its events: None to look again."""

    def __init__(
        self, step: Step, send: Any, execute: Callable[[Any, Execute], None], memory: Admission | None
    ) -> None:
        import trio

        self._step = step
        self._send = send
        self._execute = execute
        self._memory = memory
        self._scope = trio.CancelScope
        self._scopes: dict[int, Any] = {}
        self._held_back: dict[int, Launch] = {}
        self._revoked: set[int] = set()
        self._again = partial(trio.lowlevel.current_trio_token().run_sync_soon, _send, send)

    def take(self, event: Event) -> None:
        """Something has happened."""
        commands = self._step.handle(event)
        if self._memory is not None and isinstance(event, Fed):
            foresee(self._step, self._memory, self._step.fed)
        self.carry_out(commands)

    def carry_out(self, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, Launch):
                self._launch(command)
            elif isinstance(command, Interrupt):
                self._interrupt(command.task)
            elif isinstance(command, Deliver):
                command.ticket()

    def post(self, number: int, args: tuple[Any, ...], started: Any = None) -> None:
        """Gives a task to its device."""
        step, task = self._step, self._step.plan.tasks[number]
        self._scopes[number] = self._scope()
        reply = self._send.send_nowait
        self._execute(task.device, Execute(number, task, args, step.context, self._scopes[number], reply, started))

    def _launch(self, command: Launch) -> None:
        step, memory = self._step, self._memory
        if command.task in self._revoked:
            self._failed(command.task, step.context.cause)
            return
        try:
            is_async = step.plan.tasks[command.task].segment.is_async
            ready = memory is None or is_async or memory.resumed(self._again)
        except errors.OpError as error:
            self._failed(command.task, error)
        else:
            if ready:
                self.post(command.task, command.args)
            else:
                self._held_back[command.task] = command

    def _interrupt(self, number: int) -> None:
        if self._held_back.pop(number, None) is not None:
            self._failed(number, self._step.context.cause)
        elif number in self._scopes:
            self._scopes[number].cancel()
        else:
            self._revoked.add(number)  # launched by a command that is still to come

    def _failed(self, number: int, error: BaseException) -> None:
        self.carry_out(self._step.handle(Failed(number, error)))

    def look_again(self) -> None:
        """Memory may have come back."""
        waiting = list(self._held_back.values())
        self._held_back.clear()
        for command in waiting:
            self._launch(command)

    def suspend_if_idle(self) -> None:
        """While all that runs waits, the step has no more memory than it holds."""
        step, tasks, memory = self._step, self._step.plan.tasks, self._memory
        if memory is None or not all(n in self._held_back or tasks[n].segment.is_async for n in step.running):
            return
        if not self._held_back:
            memory.suspend(step.held())
        elif memory.is_short:
            memory.suspend(step.held())
            self.look_again()


def foresee(step: Step, memory: Admission, fed: int) -> None:
    """Has a step that is fed in pieces claim what its tasks take for which all feeds have come (as bits)."""
    feedings = step.plan.feedings
    if feedings is not None and not step.over:
        found = feedings.of(step.due(fed), step.slots, fed)
        memory.expect(found, growth_of(step.plan, step.context), step.held(), feedings.largest(step.slots))


def growth_of(plan: Plan, context: StepContext) -> Growth | None:
    """What a step claims for what it finds out; None where there is nothing to find out."""
    if plan.projections is not None and context.growth is None:
        context.growth = Growth(plan.projections, None)
    growth: Growth | None = context.growth
    return growth


def _send(channel: Any) -> None:
    channel.send_nowait(None)
