"""Steps that rest between the calls of a partial run: they take feeds as these come, and run what has become possible.

Where every task is synchronous and on one device, which tasks a feeding starts is known from the plan: `PlainStep` runs
them
one after another in the caller's thread. Otherwise the pure machine decides (`DrivenStep`): in the caller's thread too,
until a kernel waits; from then on the device actors carry the step, and later feeds are posted to them.

Feeds and ends (fetches, then targets) are bits of an int, as in `plan.stages`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from runstep import errors, quiet
from runstep.actors.admission import Admission
from runstep.actors.driver import drive_in_place, foresee, growth_of
from runstep.actors.loop import result_of
from runstep.kernels.resources import RefVariable
from runstep.memory import bytes_held
from runstep.plan.compile import Plan
from runstep.plan.estimate import TINY
from runstep.session.failure import WaitsForItself
from runstep.step import Event, Fed, Step, StepContext, Taken, Wanted

if TYPE_CHECKING:
    from runstep.session.engine import LocalEngine
    from runstep.session.partial_moves import Move
    from runstep.session.partial_request import Request


FOREIGN = frozenset(("PyFunc", "PyFuncStateless", "EagerPyFunc"))
"""Ops that run for as long as somebody else's code likes."""


Script = tuple[tuple[int, ...], list[Any]]
"""Tasks that run one after the other: their numbers, and for each its code, the slots that it reads and makes, and the
ends that it serves."""


@attrs.frozen
class StepState:
    """Where a step is: all that another needs to go on from there, in this process or another.

    Attributes:
      fed: the feeds that have come. finished: the tasks that need not run again.
      slots: the values that are still needed; None in the place of all others.
      error: why it cannot go on.
    """

    fed: int
    finished: frozenset[int]
    slots: list[Any]
    error: BaseException | None = None


def _state(step: PlainStep | DrivenStep, fed: int, taken: int) -> StepState:
    """The state of a step whose ends `taken` nobody will ask for any more."""
    needed = _needed(step, taken)
    slots = [value if n in needed else None for n, value in enumerate(step.slots)]
    return StepState(fed, step.finished, _apart(slots, step.engine), step.error)


def _needed(step: PlainStep | DrivenStep, taken: int) -> set[int]:
    """The slots that are still to be read, where these ends have left."""
    plan, finished = step.plan, step.finished
    stages = plan.stages
    assert stages is not None
    needed = {slot for n, task in enumerate(plan.tasks) if n not in finished for slot in task.args}
    for position, (_, read) in enumerate(stages.collectors):
        if not taken >> position & 1:
            needed.update(read)
    return needed


def _apart(values: list[Any], engine: LocalEngine) -> list[Any]:
    """The same values, but for those that a step changes: stacks, arrays of tensors, temporary variables."""
    memo: dict[int, Any] = {}
    found = []
    for value in values:
        if isinstance(value, RefVariable):
            if not any(kept is value for device in engine.devices for *_, kept in device.resources):
                value = memo.setdefault(id(value), RefVariable(value.name, value.dtype, value.shape, value.value))
        elif hasattr(value, "forked"):
            value = value.forked(memo)
        found.append(value)
    return found


class PlainStep:
    """A step whose tasks never wait for anything but feeds.

    Attributes:
      fed: the feeds that have come. error: why it cannot go on, once a task has failed.
    """

    __slots__ = ("__weakref__", "_context", "_memory", "_request", "engine", "error", "fed", "plan", "slots")

    def __init__(self, engine: LocalEngine, request: Request, context: StepContext | None) -> None:
        self._request = request
        self.engine = engine
        self.plan: Plan = request.plan  # type: ignore[assignment]
        self._context = context
        self.fed = 0
        self.error: BaseException | None = None
        self.slots: list[Any] = [None] * self.plan.slots
        self._memory: Admission | None = None

    @property
    def context(self) -> StepContext:
        """The step as kernels see it; made when first asked for, since most never do."""
        if self._context is None:
            self._context = StepContext()
        return self._context

    def start(self) -> None:
        """Runs what needs no feeds (S141). A failure is kept for those who ask for something."""
        scripts = self._request.scripts
        due = scripts.get(0)
        if due is None:
            due = scripts[0] = self._due(0, 0)
        if due[0]:
            self._run(due, 0)

    def begin(self, positions: Sequence[int], values: Sequence[Any], now: int, wanted: int) -> Future[None] | None:
        """Takes the feeds `now`, and runs what has become possible: first what the ends `wanted` need.

        Returns:
          None when these are there; a future that is done when they are, or when the step has failed.
        """
        if now:
            slots = self.slots
            for position, value in zip(positions, values, strict=True):
                slots[position] = value
            before = self.fed
            self.fed = before | now
            key = (before, now, wanted)
            scripts = self._request.scripts
            due = scripts.get(key)
            if due is None:
                due = scripts[key] = self._due(before, now, wanted)
            if due[0] or not self._request.small:
                self._run(due, wanted)
        return None

    def is_light(self, positions: Sequence[int], values: Sequence[Any]) -> bool:
        """Whether a call that feeds these values may be one move: nobody needs to be able to end it, and it takes no
        memory that somebody must know of."""
        request = self._request
        if not request.elastic:
            return request.light
        if not request.light or self._memory is not None:
            return False
        limits = request.limits
        return all(getattr(v, "nbytes", 0) <= limits[position] for position, v in zip(positions, values))  # noqa: B905

    def move(self, move: Move, values: Sequence[Any], fed: int) -> tuple[Any, ...]:
        """Feeds these values, so that the feeds `fed` have come, runs, and returns what the call fetches."""
        self.fed = fed
        token = quiet.begin()
        try:
            return move(self.slots, *values)
        finally:
            quiet.end(token)

    def settled(self) -> Future[None] | None:
        """A future that is done when the feeds so far have reached the step; None if they have."""
        return None

    def _due(self, before: int, now: int, wanted: int = 0) -> Script:
        stages = self.plan.stages
        assert stages is not None
        found = []
        numbers = tuple(stages.due(before, now, wanted))
        for number in numbers:
            task = self.plan.tasks[number]
            found.append((task.segment.run, task.args, task.results, stages.serves[number]))
        return numbers, found

    def _run(self, script: Script, wanted: int) -> None:
        slots, engine = self.slots, self.engine
        context: Any = self._context
        endless = self._request.endless
        if endless:
            context = self.context
            engine.enter(context)
        numbers, due = script
        try:
            counted = not self._request.small and self._is_counted(numbers)
            if counted:
                self._memory.enter()  # type: ignore[union-attr]
        except BaseException as error:
            self.error = error
            if self._memory is not None:
                self._memory.end()
            if endless:
                engine.leave(context)
            raise
        token = quiet.begin()
        try:
            for run, args, results, serves in due:
                try:
                    found = run(context, *[slots[slot] for slot in args])
                except BaseException as error:
                    self.error = error
                    if serves & wanted or not isinstance(error, Exception):
                        raise
                    return
                for slot, value in zip(results, found):  # noqa: B905 - as many as there are, by construction
                    slots[slot] = value
            if context is not None and context.cancelled:
                self.error = context.cause
                raise self.error
        finally:
            quiet.end(token)
            self._settle(counted)
            if endless:
                engine.leave(context)

    def _is_counted(self, numbers: tuple[int, ...]) -> bool:
        """Whether it takes, or holds, so much memory that somebody must know, when these tasks run next; if so, what
        they take is foreseen."""
        plan, limits = self.plan, self._request.limits
        estimate = plan.estimate
        if self._memory is None and not (estimate.needs or estimate.is_open):
            fed = self.slots[: len(plan.feeds)]
            if all(getattr(value, "nbytes", 0) <= limits[position] for position, value in enumerate(fed)):
                return False
        assert plan.feedings is not None
        foresight = plan.feedings.of(numbers, self.slots, self.fed)
        if self._memory is None:
            self._memory = Admission((), self.context)
        self._memory.expect(foresight, growth_of(plan, self.context), self._held(), plan.feedings.largest(self.slots))
        return True

    def _held(self) -> dict[Any, int]:
        tasks = self.plan.tasks
        return {tasks[0].device if tasks else self.engine.devices[0]: bytes_held(self.slots)}

    def forget(self, left: int, taken: int) -> None:
        """These ends have left, so that all of those have. What nobody needs any more goes."""
        if self._memory is not None:
            needed = _needed(self, taken)
            for slot, value in enumerate(self.slots):
                if value is not None and slot not in needed:
                    self.slots[slot] = None
            self._settle(True)

    def _settle(self, counted: bool) -> None:
        if counted:
            assert self._memory is not None
            self._memory.suspend(self._held())

    def check(self, wanted: int) -> None:
        """Raises what has kept these ends from coming."""

    @property
    def finished(self) -> frozenset[int]:
        """The tasks that have run."""
        stages = self.plan.stages
        assert stages is not None
        return frozenset(n for n, mask in enumerate(stages.waits) if not mask & ~self.fed)

    def capture(self, taken: int) -> Future[StepState]:
        """Its state, when no kernel computes. What is taken need not be kept."""
        found: Future[StepState] = Future()
        found.set_result(_state(self, self.fed, taken))
        return found

    def resume(self, state: StepState) -> None:
        """Goes on from the state of another step of this plan; instead of `start`."""
        self.fed, self.slots, self.error = state.fed, list(state.slots), state.error
        if bytes_held(self.slots) > TINY:
            self._memory = Admission((), self.context)
            self._settle(True)

    def abandon(self) -> Future[None] | None:
        """Ends the step: nobody will ask for anything any more. A future, when it takes a while."""
        if self._context is not None:
            self._context.cancelled = True
        self.error = None  # whose traceback knows the step
        self.release()
        return None

    def release(self) -> None:
        """Nobody needs what it holds, and has claimed, once it runs no kernel."""
        if self._memory is not None:
            self._memory.end()


class DrivenStep:
    """A step with tasks that wait, or that lie on several devices."""

    def __init__(self, engine: LocalEngine, plan: Plan, context: StepContext) -> None:
        self.engine = engine
        self.plan = plan
        self.context = context
        self.fed = 0
        self._step = Step(plan, context)
        self.slots = self._step.slots
        self._mailbox: _Mailbox | None = None
        self._broken: BaseException | None = None
        estimate = plan.estimate
        counts = estimate.needs or estimate.is_elastic or estimate.is_open
        self._memory = Admission((), context) if counts else None

    @property
    def error(self) -> BaseException | None:
        return self._broken or self._step.error

    def start(self) -> None:
        """As of PlainStep."""
        self._feed({})

    def begin(self, positions: Sequence[int], values: Sequence[Any], now: int, wanted: int) -> Future[None] | None:
        """As of PlainStep."""
        self.fed |= now
        if now:
            for position, value in zip(positions, values, strict=True):
                self.slots[position] = value  # a fetch may be a feed under another name, and wait for no task
            self._feed(dict(zip(positions, values, strict=True)))
        stages = self.plan.stages
        assert stages is not None
        needed = stages.serving(wanted)
        if needed <= self._step.finished or self._mailbox is None:
            return None
        future: Future[None] = Future()
        self._mailbox.post(Wanted(partial(future.set_result, None), needed))
        return future

    def settled(self) -> Future[None] | None:
        """As of PlainStep."""
        if self._mailbox is None:
            return None
        future: Future[None] = Future()
        self._mailbox.post(Wanted(partial(future.set_result, None), frozenset()))
        return future

    def _feed(self, values: dict[int, Any]) -> None:
        if self._mailbox is not None:
            self._keep(values)
            self._mailbox.post(Fed(values))
        elif len({task.device for task in self.plan.tasks}) > 1:
            self._keep(values)
            self._hand_over(values, {})
        else:
            self.engine.enter(self.context)
            try:
                if self._memory is not None:
                    foresee(self._step, self._memory, self.fed)
                    self._memory.enter()
                parked = drive_in_place(self._step, values)
            except BaseException as error:
                self._broken = error
                raise
            finally:
                if self._memory is not None:
                    self._memory.suspend(self._step.held())
                self.engine.leave(self.context)
            if parked:
                self._hand_over(None, parked)

    def _keep(self, values: dict[int, Any]) -> None:
        """Claims what it is fed, if that is much: nobody runs yet who would."""
        size = sum(getattr(value, "nbytes", 0) for value in values.values())
        if self._memory is not None and size > TINY:
            assert self.plan.feedings is not None
            fed = [values.get(slot) for slot in range(self.plan.slots)]
            try:
                self._memory.keep(self.plan.tasks[0].device, size, self.plan.feedings.largest(fed))
            except BaseException as error:
                self._broken = error
                raise

    def forget(self, left: int, taken: int) -> None:
        """As of PlainStep."""
        if self._memory is None:
            return
        stages = self.plan.stages
        assert stages is not None
        slots = [slot for n, (_, read) in enumerate(stages.collectors) if left >> n & 1 for slot in read]
        if not slots:
            return
        if self._mailbox is not None:
            self._mailbox.post(Taken(slots))
        else:
            self._step.handle(Taken(slots))
            self._memory.suspend(self._step.held())

    def _hand_over(self, values: dict[int, Any] | None, parked: Any) -> None:
        """Lets the device actors go on with the step."""
        loop = self.engine.loop
        self._mailbox = _Mailbox(self._step, loop.post)
        self.engine.inbox(self.context, self._mailbox.post)
        driven = loop.submit(self.engine.driven, self._step, values, parked, self._mailbox.open, self._memory)
        driven.add_done_callback(self._undriven)

    def _undriven(self, driven: Future[Any]) -> None:
        """The driver has ended; in the loop."""
        failed = driven.exception()
        if failed is not None and not self._step.over:  # the devices were closed before it could begin, say
            closed = self.engine.closed
            self._broken = errors.CancelledError(None, None, "Session has been closed.") if closed else failed
            self._step.over = True
        if self._memory is not None and failed is not None:
            self._memory.end()
        if self.context.growth is not None:
            self.context.growth.close()
        self._mailbox.close()  # type: ignore[union-attr]

    def check(self, wanted: int) -> None:
        """As of PlainStep."""
        stages = self.plan.stages
        assert stages is not None
        if not stages.serving(wanted) <= self._step.finished:
            raise self.error or errors.InternalError(None, None, "The step ended without what it was asked for.")

    @property
    def finished(self) -> frozenset[int]:
        """As of PlainStep."""
        return frozenset(self._step.finished)

    def capture(self, taken: int) -> Future[StepState]:
        """As of PlainStep. Kernels that wait are not waited for: they have not finished."""
        found: Future[StepState] = Future()
        step, tasks, fed = self._step, self.plan.tasks, self.fed

        def look() -> None:
            computing = frozenset(n for n in step.running if not tasks[n].segment.is_async)
            if self._mailbox is not None and not step.over and (computing or fed & ~step.fed):
                self._mailbox.post(Wanted(look, computing))  # behind the feeds that are on their way
            else:
                found.set_result(_state(self, step.fed, taken))

        def look_now() -> None:
            look()
            looked.set_result(None)

        if self._mailbox is None or self.engine.loop.is_current:
            look()
        else:  # the actors' loop is where the step changes
            looked: Future[None] = Future()
            self.engine.loop.post(look_now)
            looked.result()
        return found

    def resume(self, state: StepState) -> None:
        """As of PlainStep. Kernels that waited there begin to wait here, too."""
        self.fed, self._broken = state.fed, state.error
        fed = frozenset(n for n in range(len(self.plan.feeds)) if state.fed >> n & 1)
        self._step = Step.resumed(self.plan, self.context, list(state.slots), fed, state.finished)
        self.slots = self._step.slots
        if state.error is None:
            self._feed({})

    def abandon(self) -> Future[None] | None:
        """As of PlainStep."""
        is_over = self._step.over
        if not is_over:
            self.engine.cancel(self.context, errors.CancelledError(None, None, "Run call was cancelled"))
        self.release()
        if self._mailbox is None:
            self._broken = None  # whose traceback knows the step
        if self._mailbox is None or is_over:
            return None
        ended: Future[None] = Future()
        self._mailbox.post(Wanted(partial(ended.set_result, None), _NO_TASK))
        return ended

    def release(self) -> None:
        """As of PlainStep."""
        if self._memory is not None:
            self._memory.end()


_NO_TASK = frozenset((-1,))
"""Wanting what never comes: answered when the step is over."""


class _Mailbox:
    """Events for a step that the actors carry; from any thread, whether its driver has begun, runs or has ended."""

    def __init__(self, step: Step, post: Callable[..., None]) -> None:
        self._step = step
        self._post = post
        self._early: list[Event] = []
        self._inbox: Callable[[Event], None] | None = None
        self._closed = False
        self._tickets: set[Callable[[], None]] = set()

    def post(self, event: Event) -> None:
        """Sends an event. The ticket of a Wanted is called in any case: at the latest when the driver has ended."""
        if isinstance(event, Wanted):

            def ticket(wanted: Wanted = event) -> None:
                self._tickets.discard(ticket)
                wanted.ticket()

            self._tickets.add(ticket)
            event = Wanted(ticket, event.tasks)
        self._post(self._arrive, event)

    def close(self) -> None:
        """The driver has ended; in the loop."""
        self._closed = True
        for ticket in list(self._tickets):
            ticket()

    def open(self, inbox: Callable[[Event], None]) -> None:
        """The driver has begun; in the loop, as everything below."""
        self._inbox = inbox
        for event in self._early:
            inbox(event)
        self._early.clear()

    def _arrive(self, event: Event) -> None:
        if self._inbox is None and not self._closed:
            self._early.append(event)
        elif not self._step.over and self._inbox is not None:
            self._inbox(event)
        elif isinstance(event, Wanted) and event.ticket in self._tickets:
            event.ticket()


def wait(step: DrivenStep | PlainStep, future: Future[None]) -> None:
    """Blocks until the future is done. Ctrl-C ends the step."""
    try:
        wait_for(step.engine, future)
    except KeyboardInterrupt:
        step.abandon()
        raise


def wait_for(engine: LocalEngine, future: Future[Any]) -> Any:
    """Blocks until the future is done; its result."""
    if not future.done() and engine.loop.is_current:
        raise WaitsForItself(
            "A synchronous partial_run inside the actors' loop would wait for itself; await session.apartial_run(...) "
            "there."
        )
    return result_of(future)
