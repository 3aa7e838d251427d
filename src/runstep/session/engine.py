"""Engines: what a session's `target` names. The in-process one runs plans on the device actors of this process.

An engine has the verbs of TensorFlow's master service, as plain Python calls on live objects: `prepare` (extend and
compile), `run_step`, `list_devices`, `reset`, `close`. Others can be installed under the entry point group
`runstep.engines`; the scheme of a target ("grpc" in "grpc://host:1") is looked up there.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import attrs

from runstep import errors, quiet
from runstep.actors.admission import Admission
from runstep.actors.clock import Alarm, clock
from runstep.actors.crew import drive_together
from runstep.actors.device import DeviceActor
from runstep.actors.driver import drive, drive_in_place
from runstep.actors.growth import Growth
from runstep.actors.loop import Loop, loop_of, loop_thread, result_of
from runstep.actors.pool import Pool, unbounded
from runstep.graph.device import canonical
from runstep.graph.graph import Graph
from runstep.graph.operation import Operation
from runstep.graph.shapes import RawShape
from runstep.graph.tensor import Tensor
from runstep.kernels.blas import set_threads
from runstep.observe.waits import add_waits
from runstep.plan.compile import Compiler, Plan
from runstep.plan.estimate import Need
from runstep.plan.fold import NO_REWRITES, Rewrites
from runstep.session.failure import StepTimeout, WaitsForItself
from runstep.session.machine import close_own, limits, pools
from runstep.session.metadata import placed_nodes
from runstep.step import Cancelled, Event, Step, StepContext

_JOB = "/job:localhost/replica:0/task:0"
_CLOSED = "Session has been closed."

live_engines: weakref.WeakSet[LocalEngine] = weakref.WeakSet()
"""The engines of this process that are not closed (for `Session.reset`)."""


def open_engine(target: str, config: Any, memory_limit: Any = None) -> LocalEngine:
    """The engine that `target` names; "" is the one in this process.

    Raises:
      NotFoundError: no engine of that name is installed (S8).
    """
    if not target:
        return LocalEngine(config, memory_limit)
    import importlib.metadata  # a tenth of the library's import time, and seldom needed

    scheme = target.partition("://")[0]
    installed = {entry.name: entry for entry in importlib.metadata.entry_points(group="runstep.engines")}
    if "://" in target and scheme in installed:
        return installed[scheme].load()(target, config)
    known = ", ".join(["DIRECT_SESSION (target '')", *(f"{name}://" for name in installed)])
    raise errors.NotFoundError(
        None,
        None,
        f'No session factory registered for the given session options: {{target: "{target}" config: {config}}} '
        f"Registered factories are {{{known}}}."
        + (
            f" No engine for '{scheme}://' is installed (entry point group runstep.engines)." if "://" in target else ""
        ),
    )


@attrs.frozen
class DeviceAttributes:
    """One device as `list_devices` shows it (S45). `memory_limit` and `memory_limit_bytes` are the same, in bytes."""

    name: str = attrs.field(converter=canonical)
    device_type: str
    memory_limit_bytes: int
    incarnation: int

    @property
    def memory_limit(self) -> int:
        return self.memory_limit_bytes

    def __repr__(self) -> str:
        return f"_DeviceAttributes({self.name}, {self.device_type}, {self.memory_limit_bytes}, {self.incarnation})"


class LocalEngine:
    """The engine in this process: its devices, its compiler, and the steps that run."""

    def __init__(self, config: Any, memory_limit: Any = None) -> None:
        count = config.device_count["CPU"] if config is not None and "CPU" in config.device_count else 1
        if count == 0:
            raise errors.NotFoundError(None, None, "No CPU devices are available in this process")
        if config is not None and config.intra_op_parallelism_threads > 0:
            set_threads(config.intra_op_parallelism_threads)
        names = [f"{_JOB}/device:CPU:{i}" for i in range(count)]
        self.devices = tuple(
            DeviceActor(name, limit) for name, limit in zip(names, limits(memory_limit, names), strict=True)
        )
        self.pools = pools(config)
        for device in self.devices:
            device.pool = self.pools[0]
        self.compiler = Compiler(
            self.devices,
            threads=max((pool.size or 1 for pool in self.pools if pool is not None), default=1),
            soft_placement=bool(config is not None and config.allow_soft_placement),
            rewrites=_rewrites(config),
        )
        self.closed = False
        self.direct = True  # what is compiled may run without asking: not closed, and no trace is on
        self.on_close: list[Callable[[], object]] = []
        self._refusal = _refusal(config)
        self._placements = PlacementLog() if config is not None and config.log_device_placement else None
        self._forget_threads()
        live_engines.add(self)

    def _forget_threads(self) -> None:
        """Starts with no step running and no actor served: when made, and in the child of a fork (S63)."""
        self._idle = threading.Condition()
        self._active: dict[StepContext, int] = {}
        self._inboxes: dict[StepContext, Callable[[Event], object]] = {}
        self._home: Loop | None = None
        self._serving = False

    # ------------------------------------------------------------------ verbs

    def prepare(
        self,
        graph: Graph,
        feeds: Sequence[Tensor],
        fetches: Sequence[Tensor],
        targets: Sequence[Operation],
        trace: bool = False,
        staged: bool = False,
        links: Mapping[Tensor, Tensor] | None = None,
        given: Sequence[RawShape] | None = None,
        rewritten: bool = False,
    ) -> Plan:
        """The plan of a request on this engine's devices. Raises OpError where it can be told before running.

        For the arguments see `Compiler.compile`.
        """
        if self.closed:
            raise errors.CancelledError(None, None, _CLOSED)
        if self._refusal is not None:
            raise self._refusal
        plan = self.compiler.compile(
            graph,
            feeds,
            fetches,
            targets,
            trace=trace,
            staged=staged,
            links=links,
            given=given,
            rewritten=rewritten,
        )
        if self._placements is not None:
            self._placements.add(plan)
        return plan

    def run_step(
        self,
        plan: Plan,
        values: Sequence[Any],
        context: StepContext | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Runs a plan and returns the fetched values as a tuple.

        Args:
          values: the feeds, in the plan's order.
          timeout: seconds after which the step ends with DeadlineExceededError.

        Raises:
          OpError: a kernel failed, the step was cancelled, or will never get the memory that it needs.
        """
        context = context or StepContext()
        needs = plan.estimate.needs
        if plan.estimate.is_elastic:
            plan, needs = self.fitted(plan, values, context)
        alarm = memory = None
        self.enter(context)
        try:
            if timeout is not None:
                alarm = self.alarm(context, timeout)
            if needs or (plan.estimate.is_open and plan.may_wait):
                memory = Admission(needs, context)
                memory.enter()
            if context.cancelled:
                raise context.cause
            segment = plan.inline
            if segment is not None:
                token = quiet.begin()
                try:
                    results = segment.run(context, *values)
                finally:
                    quiet.end(token)
            else:
                results = self._run_tasks(plan, values, context, memory)
            if context.cancelled:
                raise context.cause
            return results
        finally:
            if memory is not None:
                memory.leave()
            self.leave(context)
            if alarm is not None:
                alarm.clear()

    def enter(self, context: StepContext) -> None:
        """Says that this thread goes into a step: closing ends it and waits for it. To be followed by `leave`.

        Raises:
          CancelledError: the engine is closed.
        """
        self._active[context] = threading.get_ident()
        if self.closed:
            self.leave(context)
            raise errors.CancelledError(None, None, _CLOSED)

    def leave(self, context: StepContext) -> None:
        """Says that this thread is out of the step."""
        self._active.pop(context, None)
        if context.growth is not None:
            context.growth.close()
        if self.closed:
            with self._idle:
                self._idle.notify_all()

    def alarm(self, context: StepContext, timeout: float) -> Alarm:
        """Ends the step in `timeout` seconds, unless the alarm is cleared before."""
        return clock().after(timeout, self.expire, context, timeout)

    def pool(self, context: StepContext) -> Pool | None:
        """The threads that may work on a step; None: the caller's alone."""
        return None if context.pool < 0 else self.pools[context.pool]

    def fitted(self, plan: Plan, values: Sequence[Any], context: StepContext) -> tuple[Plan, tuple[Need, ...]]:
        """The plan for feeds of the size of these, and what a step with them claims before it runs."""
        plan, foresight = plan.fitted(values)
        if foresight is None:
            return plan, plan.estimate.needs
        if plan.projections is not None and context.growth is None:
            context.growth = Growth(plan.projections, foresight)
        return plan, foresight.needs

    def threads(self, plan: Plan, needs: object, context: StepContext | None) -> Pool | None:
        """The threads for a plan that must not run in an event loop's: it is heavy, nobody can say when it ends, or it
        needs memory that it may have to wait for. None: it may run there."""
        estimate = plan.estimate
        if not (estimate.is_heavy or needs):
            return None
        pool = self.pools[0] if context is None else self.pool(context)
        return unbounded() if estimate.endless and pool is not None else pool

    def _run_tasks(self, plan: Plan, values: Sequence[Any], context: StepContext, memory: Admission | None) -> Any:
        step = Step(plan, context, None if memory is None else memory.slack)
        fed = dict(enumerate(values))
        if not plan.may_wait:
            drive_together(step, fed, self.pool(context))
        else:
            try:
                parked = drive_in_place(step, fed)
                if parked:
                    if memory is not None:
                        memory.suspend(step.held())
                    self._drive(step, None, parked, memory)
            except KeyboardInterrupt:  # perhaps before anybody took over what waits: it leaves its queues
                for coroutine in list(context.waiting.values()):
                    with contextlib.suppress(ValueError):  # it is at work in the loop, which ends it
                        coroutine.close()
                raise
        return self.results(step)

    def results(self, step: Step) -> Any:
        """The fetched values of a step that is over. Raises its error, if it failed."""
        if step.error is not None:
            raise step.error
        if step.context.cancelled:
            raise step.context.cause
        collect = step.plan.collect
        if collect is None:
            return step.slots
        return collect.run(step.context, *[step.slots[slot] for slot in step.plan.collect_slots])

    def _drive(self, step: Step, fed: Any, parked: Any, memory: Admission | None) -> None:
        """Lets the device actors run a step, in the background loop, while this thread waits."""
        loop = self.loop
        if loop.is_current:
            raise WaitsForItself(
                "A synchronous run inside the actors' loop would wait for itself; await session.arun(...) there."
            )
        future = None
        try:
            future = loop.submit(self.driven, step, fed, parked, None, memory)
            result_of(future)
        except KeyboardInterrupt:  # Ctrl-C ends the step, not only the waiting for it (S62)
            self.cancel(step.context, errors.CancelledError(None, None, "Run call was cancelled"))
            if future is not None:
                result_of(future)
            raise

    async def driven(
        self,
        step: Step,
        fed: Any,
        parked: Any,
        opened: Callable[[Callable[[Event], None]], object] | None = None,
        memory: Admission | None = None,
    ) -> None:
        """Runs a step by the device actors, inside their loop. `opened` and `memory` are as for `drive`."""
        self._serve()
        post = self.loop.post

        def open_inbox(inbox: Callable[[Event], None]) -> None:
            self.inbox(step.context, partial(post, inbox))
            if opened is not None:
                opened(inbox)

        try:
            await drive(step, fed, parked, open_inbox, memory=memory)
        finally:
            self.inbox(step.context, None)

    def inbox(self, context: StepContext, inbox: Callable[[Event], object] | None) -> None:
        """Where a cancellation of this step is sent to, from any thread; None: nowhere any more."""
        if inbox is None:
            self._inboxes.pop(context, None)
        else:
            self._inboxes[context] = inbox

    @property
    def is_at_home(self) -> bool:
        """Whether the device actors live in the loop that the caller runs in."""
        return self._home is not None and self._home.is_current

    @property
    def loop(self) -> Loop:
        """The loop of the device actors: that of the nursery that took them in, or else a thread's."""
        return self._home if self._home is not None else loop_thread()

    def move_in(self, nursery: Any) -> bool:
        """Takes a trio nursery of the caller's as the home of the device actors; False when they live elsewhere
        already."""
        if self._serving:
            return False
        self._home = loop_of(nursery)
        return True

    def _serve(self) -> None:
        """Starts the device actors in the loop, once."""
        if not self._serving:
            self._serving = True
            for device in self.devices:
                device.open()
                self.loop.spawn(device.serve)

    def cancel(self, context: StepContext, cause: BaseException) -> None:
        """Ends a running step with this error; from any thread. Loops see it on their next turn, waiting tasks at
        once."""
        context.cancel(cause)
        inbox = self._inboxes.get(context)
        if inbox is not None:
            inbox(Cancelled(cause))

    def expire(self, context: StepContext, timeout: float) -> None:
        """Ends a step whose time is over; the error tells what it waits for."""
        self.cancel(context, add_waits(timed_out(timeout), context))

    def list_devices(self) -> list[DeviceAttributes]:
        if self.closed:
            raise errors.CancelledError(None, None, _CLOSED)
        return [
            DeviceAttributes(device.name, device.kind, device.budget.limit, device.incarnation)
            for device in self.devices
        ]

    def reset(self, containers: Sequence[str] | None) -> None:
        """Forgets the resources of these containers (all, when None) and closes the engine (S46)."""
        for device in self.devices:
            device.resources.clear(containers or None)
        self.close()

    def close(self) -> None:
        """Ends every running step with CancelledError and releases the resources (S43, S44).

        Returns when they have ended: at once where they wait or loop, after the running kernels where these go on. A
          step
        that closes its own session isn't waited for.
        """
        with self._idle:
            if self.closed:
                return
            self.closed, self.direct = True, False
        live_engines.discard(self)
        for forget in self.on_close:
            forget()
        for context in list(self._active):
            cause = errors.CancelledError(None, None, "Run call was cancelled")
            self.cancel(context, add_waits(cause, context))
        if not (self._serving and self.loop.is_current):
            with self._idle:
                self._idle.wait_for(self._is_idle)
        for device in self.devices:
            device.resources.clear(None)
        close_own(self.pools)
        if self._serving:
            for device in self.devices:
                self.loop.post(device.close)

    def _is_idle(self) -> bool:
        here = threading.get_ident()
        return all(thread == here for thread in list(self._active.values()))


def _renew_after_fork() -> None:
    for engine in list(live_engines):
        engine._forget_threads()


os.register_at_fork(after_in_child=_renew_after_fork)


class PlacementLog:
    """Prints "name: (Op): device" to stderr for each node that a plan runs, once (config.log_device_placement)."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def add(self, plan: Plan) -> None:
        for node in placed_nodes(plan):
            if node.name not in self._seen:
                self._seen.add(node.name)
                device = node.device or plan.tasks[0].device.name
                print(f"{node.name}: ({node.op.type}): {device}", file=sys.stderr)  # type: ignore[union-attr]


def timed_out(timeout: float) -> errors.DeadlineExceededError:
    return StepTimeout(None, None, f"Timed out waiting for notification: the limit was {timeout * 1000:.0f} ms.")


_EXECUTORS = ("", "DEFAULT", "SINGLE_THREADED_EXECUTOR")


def _refusal(config: Any) -> errors.OpError | None:
    """Why no step can run under this config; TensorFlow tells it at the first run, too."""
    executor = "" if config is None else config.experimental.executor_type
    if executor in _EXECUTORS:
        return None
    return errors.NotFoundError(
        None,
        None,
        f"No executor factory registered for the given executor type: {executor} "
        f"Registered factories are {{{', '.join(_EXECUTORS)}}}.",
    )


def _rewrites(config: Any) -> Rewrites:
    if config is None or not config.HasField("graph_options"):
        return Rewrites()
    options = config.graph_options.optimizer_options
    largest = options.max_folded_constant_in_bytes or Rewrites().largest_constant
    if options.opt_level == -1:  # L0: only what is asked for by name
        return attrs.evolve(
            NO_REWRITES,
            fold=options.do_constant_folding,
            deduplicate=options.do_common_subexpression_elimination,
            largest_constant=largest,
        )
    return Rewrites(largest_constant=largest)
