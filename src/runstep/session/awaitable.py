"""Runs that are awaited: under trio in the caller's own loop, under asyncio through the loop thread of the actors.

What is cheap is done in place, after a checkpoint. What would keep the loop waiting (heavy kernels, loops, somebody
else's code) runs in a thread. Where a kernel waits, the task that awaits is suspended and holds no thread. Cancelling
it ends the step and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from runstep import errors
from runstep.actors.admission import Admission
from runstep.actors.driver import drive, drive_in_place
from runstep.actors.loop import lowlevel
from runstep.session import feeds
from runstep.session.fetches import Fetches, request_key
from runstep.step import Step, StepContext

if TYPE_CHECKING:
    from runstep.plan.compile import Plan
    from runstep.plan.estimate import Need
    from runstep.session.engine import LocalEngine
    from runstep.session.streaming import Stream


class AwaitableRuns:
    """What sessions can do for those who await."""

    _home: Any = None

    async def arun(
        self: Any, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None
    ) -> Any:
        """As `run`, to be awaited under trio or asyncio. Cancelling the caller ends the step, and nothing else."""
        await checkpoint()
        self._check_open()
        began = perf_counter_ns()
        request, recording, timeout = None, None, self._timeout
        key: Any = None
        if options is None and run_metadata is None:
            try:
                key = request_key(fetches, feed_dict)
                request = self._cache.get(key)
            except TypeError:
                key = None
        if request is not None and request.edits == self._graph._edits:
            values = feed_dict.values() if feed_dict else ()
            fed = [convert(value) for convert, value in zip(request.convert, values, strict=True)]
        else:
            request, fed, recording, timeout = self._analysed(key, fetches, feed_dict, options, run_metadata)
        plan, context = request.plan, None if recording is None else recording.context
        self._steps += 1
        try:
            try:
                found = await run_step(self._engine, plan, fed, context, timeout) if plan else ()
            finally:
                if recording is not None:
                    recording.finish(plan)
        except BaseException as error:
            raise self._failed(error) from error.__cause__
        self._meter.took(perf_counter_ns() - began)
        return request.result(found, fed)

    async def apartial_run_setup(self: Any, fetches: Any, feeds: Any = None, *, options: Any = None) -> str:
        """As `partial_run_setup`, to be awaited."""
        await checkpoint()
        handle: str = self.partial_run_setup(fetches, feeds, options=options)
        return handle

    async def apartial_run(
        self: Any, handle: str, fetches: Any, feed_dict: Any = None, *, options: Any = None, run_metadata: Any = None
    ) -> Any:
        """As `partial_run`, to be awaited. Cancelling the caller while it waits ends the handle."""
        await checkpoint()
        self._check_open()
        return await self._partial_runs.arun(self, handle, fetches, feed_dict, options, run_metadata, wait)

    def make_async_callable(
        self: Any, fetches: Any, feed_list: Any = None, accept_options: bool = False
    ) -> Callable[..., Any]:
        """As `make_callable`; the function that it returns is to be awaited."""
        if self._closed:
            raise errors.CancelledError(None, None, "Session has been closed.")
        if feed_list is not None and not isinstance(feed_list, list | tuple):
            raise TypeError(f"Argument `feed_list` must be a list or tuple. Received: feed_list={feed_list}")
        keys = list(feed_list or ())
        tensors = [tensor for key in keys for tensor in feeds.keys_of(self.graph, [key])]
        self._request(Fetches(self, fetches), list(dict.fromkeys(tensors)), False)  # what is wrong with it is told now

        async def run(*values: Any, **kwargs: Any) -> Any:
            if kwargs and not (accept_options and kwargs.keys() <= {"options", "run_metadata"}):
                raise TypeError(f"This callable takes no argument {', '.join(kwargs)}.")
            if len(values) != len(keys):
                raise TypeError(
                    f"This callable takes {len(keys)} values, one for each of its feed_list, but got {len(values)}."
                )
            if self._closed:
                raise errors.CancelledError(None, None, "Session has been closed.")
            return await self.arun(fetches, dict(zip(keys, values, strict=True)), **kwargs)

        return run

    def stream(self: Any, fetches: Any, feeds: Any, max_in_flight: int = 8, *, key: Any = None) -> Stream:
        """Runs a step for each item of a source: `async for out in session.stream(fetches, feeds): ...`

        Results come in the order of their feeds. The source is asked for an item only when fewer than `max_in_flight`
        steps run or wait to be delivered. All of it ends as one: when a step or the source fails, what came before is
        delivered, then the error is raised and the other steps end; so they do when the consumer is cancelled.

        Args:
          fetches: as for `run`.
          feeds: an iterable or async iterable of feed_dicts; with `key`, of values.
          max_in_flight: how many steps may be under way at once.
          key: the feed key that every value of `feeds` is for; a tuple of keys, if the values are tuples.

        Returns:
          An async iterator; also an async context manager that ends it (see `Stream`).

        Raises:
          RuntimeError, TypeError, ValueError: as `run`, for what is wrong with fetches and feeds as such.
        """
        from runstep.session.streaming import Stream, check_source

        self._check_open()
        if not isinstance(max_in_flight, int) or max_in_flight < 1:
            raise ValueError(f"`max_in_flight` must be a positive int, but got {max_in_flight!r}")
        Fetches(self, fetches)
        check_source(feeds)
        return Stream(self, fetches, feeds, max_in_flight, key)

    async def __aenter__(self: Any) -> Any:
        """As `with`; under trio the device actors live in a nursery of the caller's, until the block ends."""
        if in_trio():
            import trio

            manager = trio.open_nursery()
            nursery = await manager.__aenter__()
            self._engine.move_in(nursery)
            self._home = manager, nursery
        try:
            self.__enter__()
        except BaseException:
            await self._leave_home()
            raise
        return self

    async def __aexit__(self: Any, exc_type: Any, exc: Any, traceback: Any) -> None:
        try:
            self.__exit__(exc_type, exc, traceback)
        finally:
            await self._leave_home()

    async def _leave_home(self) -> None:
        home, self._home = self._home, None
        if home is None:
            return
        manager, nursery = home
        nursery.cancel_scope.cancel()
        with _bare():
            await manager.__aexit__(None, None, None)


async def run_step(
    engine: LocalEngine, plan: Plan, values: Sequence[Any], context: StepContext | None, limit: float | None
) -> Any:
    """As `LocalEngine.run_step`, to be awaited."""
    context = context or StepContext()
    needs = plan.estimate.needs
    if plan.estimate.is_elastic:
        plan, needs = engine.fitted(plan, values, context)
    if plan.may_wait:
        return await _suspended(engine, plan, needs, values, context, limit)
    threads = engine.threads(plan, needs, context)
    if threads is None:
        return engine.run_step(plan, values, context, limit)
    future = threads.submit(partial(engine.run_step, plan, values, context, limit))
    return await wait(future, lambda: engine.cancel(context, _cancelled()))


async def _suspended(
    engine: LocalEngine,
    plan: Plan,
    needs: tuple[Need, ...],
    values: Sequence[Any],
    context: StepContext,
    limit: float | None,
) -> Any:
    """Runs a plan that may wait: in place as far as it goes, if that is not far; then by the device actors."""
    memory = Admission(needs, context) if needs or plan.estimate.is_open else None
    step = Step(plan, context, None if memory is None else memory.slack)
    fed: dict[int, Any] | None = dict(enumerate(values))
    parked: Any = {}
    engine.enter(context)
    alarm = None if limit is None else engine.alarm(context, limit)
    try:
        if engine.threads(plan, needs, context) is None:
            parked, fed = drive_in_place(step, fed or {}), None
        if step.over:
            pass
        elif in_trio():
            if alarm is not None:
                alarm.clear()  # from here on the time is the loop's
            await _drive_here(engine, step, fed, parked, limit, memory)
        else:
            future = engine.loop.submit(engine.driven, step, fed, parked, None, memory)
            await wait(future, lambda: engine.cancel(context, _cancelled()))
        return engine.results(step)
    finally:
        if memory is not None:
            memory.leave()
        engine.leave(context)
        if alarm is not None:
            alarm.clear()


async def _drive_here(
    engine: LocalEngine, step: Step, fed: Any, parked: Any, limit: float | None, memory: Admission | None
) -> None:
    """Drives a step in the caller's task: by the device actors if they live here, else in a nursery of its own."""
    import trio

    context = step.context
    token = trio.lowlevel.current_trio_token()

    def opened(inbox: Callable[[Any], None]) -> None:
        engine.inbox(context, lambda event: token.run_sync_soon(inbox, event))

    async def expire(after: float) -> None:
        await trio.sleep(after)
        engine.expire(context, after)

    with _bare():
        try:
            async with trio.open_nursery() as nursery:
                if limit is not None:
                    nursery.start_soon(expire, limit)
                if engine.is_at_home:
                    await engine.driven(step, fed, parked, None, memory)
                else:

                    def execute(device: Any, task: Any) -> None:
                        nursery.start_soon(device.execute, task)

                    await drive(step, fed, parked, opened, execute, memory)
                nursery.cancel_scope.cancel()
        finally:
            engine.inbox(context, None)
    await trio.lowlevel.checkpoint_if_cancelled()


class _bare:
    """Lets no exception group of a nursery out: a single error leaves as itself, mere cancellation not at all.

    Whoever uses it looks for a cancellation afterwards.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(self, exc_type: Any, exc: Any, traceback: Any) -> bool:
        if not isinstance(exc, BaseExceptionGroup):
            return False
        import trio

        rest = exc.split(trio.Cancelled)[1]
        if rest is None:
            return True
        while isinstance(rest, BaseExceptionGroup) and len(rest.exceptions) == 1:
            rest = rest.exceptions[0]
        raise rest


def _cancelled() -> errors.CancelledError:
    return errors.CancelledError(None, None, "Run call was cancelled")


def in_trio() -> bool:
    """Whether the caller is a trio task; otherwise it should be an asyncio task."""
    trio = lowlevel()
    return trio is not None and trio.in_trio_task()


async def checkpoint() -> None:
    """Lets others run, and notices that the caller is cancelled."""
    if in_trio():
        import trio

        await trio.lowlevel.checkpoint()
    else:
        import asyncio

        await asyncio.sleep(0)


async def wait(future: Future[Any], on_cancel: Callable[[], object]) -> Any:
    """The result of a future that another thread or task completes.

    When the caller is cancelled, calls `on_cancel` and still waits: what was begun has ended when the caller goes on.
    """
    if in_trio():
        import trio

        event = trio.Event()
        token = trio.lowlevel.current_trio_token()
        future.add_done_callback(lambda done: token.run_sync_soon(event.set))
        try:
            await event.wait()
        except trio.Cancelled:
            on_cancel()
            with trio.CancelScope(shield=True):
                await event.wait()
            raise
        return future.result()
    import asyncio

    waiting = asyncio.wrap_future(future)
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        on_cancel()
        while not waiting.done():
            try:
                await asyncio.wait([waiting])
            except asyncio.CancelledError:
                continue
        if not waiting.cancelled():
            waiting.exception()  # seen: asyncio reports what nobody looked at
        raise
