"""`partial_run`: one step fed and fetched in several calls (S140-S162).

A handle is a string, as in TensorFlow, that holds a suspended step: when nobody refers to the handle any more, the step
is gone (S160). A request is compiled once per session; each further setup of it costs microseconds.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from runstep import errors
from runstep.graph.tensor import Tensor
from runstep.observe.trace import active
from runstep.observe.waits import waits
from runstep.session import feeds, metadata
from runstep.session.failure import explained
from runstep.session.fetches import Fetches, request_key, structure_key
from runstep.session.partial_moves import not_valid
from runstep.session.partial_request import Call, Request, fed_tensors, misuse
from runstep.session.pipeline import PartialRunHandle, PartialRunStatistics
from runstep.session.suspended import DrivenStep, PlainStep, StepState, wait, wait_for

if TYPE_CHECKING:
    from runstep.session.session import BaseSession

_UNKNOWN = "Must run 'setup' before performing partial runs!"


def _first(call: Call, request: Request, missing: int) -> Tensor:
    """The feed that a refused call lacks: of several, the one that TensorFlow names."""
    lacking = {tensor for tensor, position in request.feeds.items() if missing >> position & 1}
    stack = [end.op if isinstance(end, Tensor) else end for end in call.elements]
    seen = set(stack)
    while stack:
        op = stack.pop()
        for tensor in op.inputs:
            if tensor in lacking:
                return tensor
        for source in [*(tensor.op for tensor in op.inputs), *op.control_inputs]:
            if source not in seen:
                seen.add(source)
                stack.append(source)
    return next(tensor for tensor in request.feeds if tensor in lacking)


class _PartialRun:
    """The state of one handle. Its lock is held while it changes, and while its tasks run in the caller's thread."""

    __slots__ = tuple("captures echoes engine fed lock over pending recording request shared step taken".split())

    def __init__(self, request: Request, step: PlainStep | DrivenStep | None, engine: Any, recording: Any) -> None:
        self.request = request
        self.step = step
        self.engine = engine
        self.recording = recording
        self.lock = threading.RLock()
        self.fed = 0
        self.taken = 0
        self.over = False
        self.shared = False  # others hold the same values: what is fetched leaves as a copy
        self.pending: Future[Any] | None = None  # a fork whose origin is still computing
        self.captures: list[Future[StepState]] = []  # what such forks wait for
        self.echoes: dict[int, Any] = {}

    def check(self, call: Call) -> None:
        """Refuses a call that cannot be made now; the handle stays as it is (S144)."""
        request = self.request
        for tensor in call.tensors:
            if self.fed >> request.feeds[tensor] & 1:
                raise misuse(f"The feed {tensor.name} has already been fed.", self._left())
        for end in call.elements:
            position = request.ends.get(end)
            if position is not None and self.taken >> position & 1:
                raise misuse(f"The fetch {end.name} has already been fetched.", self._left())
        missing = call.needs & ~(self.fed | call.now)
        if missing:
            first = _first(call, request, missing).name
            raise misuse(f"Fetch {first} can't be computed from the feeds that have been fed so far.", self._left())

    def build(self, call: Call, found: Sequence[Any]) -> Any:
        """What a call returns; the handle is spent when nothing is left to feed and to fetch (S147)."""
        request = self.request
        if self.fed == request.all_feeds and self.taken == request.all_ends:
            self.end()
        return call.build(found)

    def end(self) -> None:
        """Forgets the step. Those who wait for something of it still get it."""
        if self.recording is not None and self.recording.tracer is not None and self.request.plan is not None:
            self.recording.finish(self.request.plan)
        self.over = True
        if self.step is not None:
            self.step.release()
        self.step = None
        self.echoes.clear()

    def abandon(self, at_once: bool = False) -> Future[None] | None:
        """Ends the step, whatever it is doing; unless `at_once`, not before forks have gone on from where it is. A
        future, when it takes a while."""
        step = self.step
        self.end()
        if step is None:
            return None
        if at_once or all(state.done() for state in self.captures):
            return step.abandon()
        ended: Future[None] = Future()

        def abandon(_: object) -> None:
            for state in self.captures:
                if not state.done():
                    state.add_done_callback(abandon)
                    return
            left = step.abandon()
            if left is None:
                ended.set_result(None)
            else:
                _chain(left, ended)

        abandon(None)
        return ended

    def gone(self) -> BaseException:
        """The error of a call on a handle that is over."""
        return _gone(self.engine)

    def capture(self) -> Future[StepState]:
        """The state of the step, once no kernel computes. The lock is held."""
        if self.over:
            raise self.gone()
        found: Future[StepState] = Future()
        if self.pending is not None:
            self.pending.add_done_callback(lambda _: _chain(self.capture(), found))
        elif self.step is not None:
            return self.step.capture(self.taken)
        else:
            found.set_result(StepState(self.fed, frozenset(), []))
        return found

    def statistics(self) -> PartialRunStatistics:
        """See `PartialRunHandle.statistics`."""
        request, step = self.request, self.step
        tasks = len(request.plan.tasks) if request.plan else 0
        feeds_left, fetches_left = self._left()
        if step is None:
            done = tasks if self.taken == request.all_ends else 0
            return PartialRunStatistics(feeds_left, fetches_left, done, tasks, (), 0)
        waiting = tuple(waits(step.context))
        held = {id(value): value for value in (*step.slots, *self.echoes.values())}
        nbytes = sum(int(getattr(value, "nbytes", 0)) for value in held.values())
        return PartialRunStatistics(feeds_left, fetches_left, len(step.finished), tasks, waiting, nbytes)

    def _left(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the feeds that have not come, and of the ends that have not been fetched."""
        request = self.request
        return (
            tuple(tensor.name for tensor, position in request.feeds.items() if not self.fed >> position & 1),
            tuple(end.name for end, position in request.ends.items() if not self.taken >> position & 1),
        )

    def fork(self, session: BaseSession) -> _PartialRun:
        """Another run that goes on from here. Values are shared; kernels that wait begin to wait there, too."""
        with self.lock:
            recording = None if self.recording is None else self.recording.fork()
            twin = _PartialRun(self.request, None, self.engine, recording)
            twin.shared = self.shared = True
            twin.taken = self.taken
            twin.echoes = dict(self.echoes)
            state = self.capture()
        if state.done():
            twin.resume(session, state.result())
        else:
            done: Future[None] = Future()
            twin.pending = done
            self.captures = [*(other for other in self.captures if not other.done()), state]
            state.add_done_callback(lambda state: twin._resume_late(session, state.result(), done))
        return twin

    def resume(self, session: BaseSession, state: StepState) -> None:
        """Goes on from a state that another run of the same request was in."""
        self.fed = state.fed
        self.step = self.request.step(session, None if self.recording is None else self.recording.context)
        if self.step is not None:
            self.step.resume(state)
            self.step.forget(self.taken, self.taken)

    def _resume_late(self, session: BaseSession, state: StepState, done: Future[None]) -> None:
        with self.lock:
            self.pending = None
            try:
                if not self.over:
                    self.resume(session, state)
            except BaseException as error:
                done.set_exception(error)
            else:
                done.set_result(None)


def _gone(engine: Any) -> BaseException:
    if engine.closed:
        return errors.CancelledError(None, None, "Session has been closed.")
    return explained(errors.InvalidArgumentError(None, None, _UNKNOWN))


def _chain(source: Future[Any], target: Future[Any]) -> None:
    """Completes `target` as `source` is."""

    def complete(source: Future[Any]) -> None:
        error = source.exception()
        if error is not None:
            target.set_exception(error)
        else:
            target.set_result(source.result())

    source.add_done_callback(complete)


class PartialRuns:
    """The partial runs of one session: its compiled setups and its open handles."""

    def __init__(self) -> None:
        self._requests: dict[Any, Request] = {}
        self._runs: dict[str, _PartialRun] = {}  # until the handle, or the run, is over
        self._numbers = itertools.count(1)

    def setup(self, session: BaseSession, fetches: Any, feed_keys: Any, options: Any) -> PartialRunHandle:
        """See `Session.partial_run_setup`."""
        session._steps += 1
        traced = active() is not None
        request = self._known(session, fetches, feed_keys) if options is None and not traced else None
        recording = None
        if request is None:
            run_options = metadata.checked_options(options)
            if run_options is not None or traced:
                from runstep.protos import config_pb2

                recording = session._metadata.begin(run_options, config_pb2.RunMetadata(), session._engine)
            request = self._new(
                session, fetches, feed_keys, recording is not None and recording.trace, options is None and not traced
            )
        step = request.step(session, None if recording is None else recording.context)
        run = _PartialRun(request, step, session._engine, recording)
        handle = self.handle(session, run)
        if step is not None:
            try:
                step.start()
            except BaseException as error:
                run.end()
                raise explained(error) from error.__cause__
        return handle

    def handle(self, session: BaseSession, run: _PartialRun) -> PartialRunHandle:
        """A new handle of a run."""
        text = f"{run.request.text}{next(self._numbers)}"
        self._runs[text] = run
        handle = PartialRunHandle(text)
        handle._session = session
        handle._runs = self._runs
        handle._awaits = False
        handle._run = run
        return handle

    def _known(self, session: BaseSession, fetches: Any, feed_keys: Any) -> Request | None:
        try:
            request = self._requests.get((structure_key(fetches), structure_key(feed_keys)))
        except TypeError:
            return None
        return request if request is not None and request.edits == session.graph._edits else None

    def _new(self, session: BaseSession, fetches: Any, feed_keys: Any, trace: bool, keep: bool) -> Request:
        wanted = Fetches(session, fetches)
        fed = fed_tensors(session, feed_keys)
        if not wanted.tensors and not wanted.targets:
            raise explained(
                errors.InvalidArgumentError(None, None, "Must specify at least one target to fetch or execute.")
            )
        for position, tensor in enumerate(fed):
            if tensor in fed[:position]:
                raise explained(
                    errors.InvalidArgumentError(None, None, f'Endpoint "{tensor.name}" fed more than once.')
                )
        request = Request(session, wanted, fed, trace)
        if keep:
            with contextlib.suppress(TypeError):  # a fetch that cannot be hashed: compiled each time
                self._requests[structure_key(fetches), structure_key(feed_keys)] = request
        return request

    def run(
        self, session: BaseSession, handle: Any, fetches: Any, feed_dict: Any, options: Any, run_metadata: Any
    ) -> Any:
        """See `Session.partial_run`."""
        if type(handle) is PartialRunHandle and options is None and run_metadata is None and session._timeout is None:
            run = handle._run
            step = run.step
            if type(step) is PlainStep and not run.request.echoes and run.engine is session._engine:
                try:
                    call = run.request.calls.get(request_key(fetches, feed_dict))
                except TypeError:
                    call = None
                if call is not None and call.plain:
                    return _advance_plainly(session, run, step, call, feed_dict.values() if feed_dict else ())
        run, call, values = self._prepared(session, handle, fetches, feed_dict)
        if run is None:
            return call.build(())
        if run.pending is not None:
            wait_for(session._engine, run.pending)  # type: ignore[arg-type]
        if options is None and run_metadata is None and session._timeout is None:
            return _advance(session, run, call, values)
        with _limited(session, run, options, run_metadata):
            return _advance(session, run, call, values)

    async def arun(
        self,
        session: BaseSession,
        handle: Any,
        fetches: Any,
        feed_dict: Any,
        options: Any,
        run_metadata: Any,
        waiting: Callable[..., Any],
    ) -> Any:
        """As `run`; `waiting(future, on_cancel)` awaits a future, and calls `on_cancel` when that is cancelled."""
        run, call, values = self._prepared(session, handle, fetches, feed_dict)
        if run is None:
            return call.build(())
        if run.pending is not None:
            await waiting(run.pending, lambda: None)
        with _limited(session, run, options, run_metadata):
            plan = None if run.step is None else run.step.plan
            threads = None if plan is None else run.engine.threads(plan, run.request.may_wait_for_memory(values), None)
            if threads is None:
                step, future, given = _begin(session, run, call, values)
            else:  # it would keep the loop waiting
                beginning = threads.submit(partial(_begin, session, run, call, values))
                step, future, given = await waiting(beginning, run.abandon)
            if step is not None and future is None:
                future = step.settled()
            try:
                if future is not None:
                    await waiting(future, run.abandon)
                return _end(run, step, call, given)
            except BaseException as error:
                run.abandon()
                raise session._failed(error) from error.__cause__

    def _prepared(
        self, session: BaseSession, handle: Any, fetches: Any, feed_dict: Any
    ) -> tuple[_PartialRun | None, Any, Sequence[Any]]:
        """The run of a handle, the call, and the values fed; no run where nothing is asked of it."""
        run = self._find(session, handle)
        key: Any = None
        if run is not None:
            try:
                key = request_key(fetches, feed_dict)
                call = run.request.calls.get(key)
            except TypeError:
                call = None
            if call is not None:
                return run, call, tuple(feed_dict.values()) if feed_dict else ()
        wanted = Fetches(session, fetches)
        given = feeds.check_mapping(feed_dict)
        tensors, values = feeds.split(feeds.flatten(session.graph, given))
        if not wanted.tensors and not wanted.targets and not tensors:
            return None, wanted, ()
        if run is None:
            raise _gone(session._engine)
        call = Call(run.request, wanted, tensors, run._left())
        if key is not None and len(given) == len(tensors):
            if all(session._is_plain_key(k, t) for k, t in zip(given, tensors, strict=True)):
                run.request.calls[key] = call
        return run, call, values

    def _find(self, session: BaseSession, handle: Any) -> _PartialRun | None:
        if type(handle) is PartialRunHandle:
            run: _PartialRun | None = handle._run
        elif isinstance(handle, str):
            run = self._runs.get(handle)
        elif handle is None:
            run = None
        else:
            raise TypeError(
                f"The handle of a partial run is a string, but got {handle!r} of type {type(handle).__name__}."
            )
        return None if run is None or run.over or run.engine is not session._engine else run

    def fork(self, session: BaseSession, handle: Any) -> PartialRunHandle:
        """See `PartialRunHandle.fork`."""
        return self.handle(session, self._open(session, handle).fork(session))

    def capture(self, session: BaseSession, handle: Any) -> Future[StepState]:
        """The state of an open handle's step, once no kernel computes."""
        run = self._open(session, handle)
        with run.lock:
            return run.capture()

    def restored(self, session: BaseSession, fetches: Any, feed_keys: Any, state: Any) -> PartialRunHandle:
        """A handle of this request; `state(request)` says where it is: its StepState, ends taken and echoes."""
        request = self._known(session, fetches, feed_keys) or self._new(session, fetches, feed_keys, False, True)
        run = _PartialRun(request, None, session._engine, None)
        found, run.taken, run.echoes = state(request)
        run.resume(session, found)
        return self.handle(session, run)

    def _open(self, session: BaseSession, handle: Any) -> _PartialRun:
        if session._closed:
            raise RuntimeError("Attempted to use a closed Session.")
        run = self._find(session, handle)
        if run is None:
            raise _gone(session._engine)
        return run

    def close(self, session: BaseSession, handle: Any) -> Future[None] | None:
        """See `Session.partial_run_close`. A future, when it takes a while."""
        run = self._find(session, handle)
        return None if run is None else run.abandon()

    def open(self) -> list[tuple[str, _PartialRun]]:
        """The open handles, as strings, and their runs."""
        return [(text, run) for text, run in list(self._runs.items()) if not run.over]

    def close_all(self) -> None:
        """Ends every open handle, when the session closes."""
        for run in list(self._runs.values()):
            run.abandon(at_once=True)
        self._requests.clear()


def _advance_plainly(
    session: BaseSession, run: _PartialRun, step: PlainStep, call: Call, values: Collection[Any]
) -> Any:
    """`_advance` for the most common case, in one go: nothing waits, and no feed is fetched."""
    kept = call.kept(session, values) if values else ()
    with run.lock:
        before, now = run.fed, call.now
        if (before & now) or (run.taken & call.taken) or (call.needs & ~(before | now)):
            run.check(call)
        if run.over:
            raise run.gone()
        run.fed = before | now
        run.taken |= call.taken
        try:
            if step.error is not None:
                raise step.error
            move = call.move(before) if call.light and step.is_light(call.fed, kept) and not run.shared else None
            if move is not None:
                return run.build(call, step.move(move, kept, run.fed))
            if now:
                step.begin(call.fed, kept, now, call.wanted)
            return _end(run, step, call, ())
        except BaseException as error:
            run.abandon()
            raise session._failed(error) from error.__cause__


def _advance(session: BaseSession, run: _PartialRun, call: Call, values: Sequence[Any]) -> Any:
    """Feeds a step, runs or waits for what the call asks for, and returns it."""
    step, future, given = _begin(session, run, call, values)
    try:
        if future is not None:
            wait(step, future)  # type: ignore[arg-type]
        return _end(run, step, call, given)
    except BaseException as error:  # after data moved: the handle dies of it (S147)
        run.abandon()
        raise session._failed(error) from error.__cause__


def _begin(
    session: BaseSession, run: _PartialRun, call: Call, values: Collection[Any]
) -> tuple[PlainStep | DrivenStep | None, Any, Sequence[Any]]:
    """Feeds the step of a run: the step, what to wait for, and the values that do not come out of the step."""
    given = call.given(session, values)
    kept = [array.copy() for array in given]
    with run.lock:
        now, taken, request = call.now, call.taken, run.request
        if (run.fed & now) or (run.taken & taken) or (call.needs & ~(run.fed | now)):
            run.check(call)
        if run.over:
            raise run.gone()
        run.fed |= now
        run.taken |= taken
        if request.echoes:
            given += [run.echoes[position].copy() for position in call.echoed]
            run.echoes.update(zip(call.fed, kept, strict=True))
        step = run.step
        if step is None:
            return None, None, given
        try:
            if step.error is not None:
                raise step.error
            return step, step.begin(call.fed, kept, now, call.wanted), given
        except BaseException as error:
            run.abandon()
            raise session._failed(error) from error.__cause__


def _end(run: _PartialRun, step: PlainStep | DrivenStep | None, call: Call, given: Sequence[Any]) -> Any:
    """The fetched values, in their structure."""
    found = []
    if step is not None:
        step.check(call.wanted)
    for collect, slots, position in call.values:
        if collect is None:
            found.append(given[position])
            continue
        assert step is not None
        held = step.slots
        try:
            value = collect(None, *[held[slot] for slot in slots])[0]
            found.append(value.copy() if run.shared and isinstance(value, np.ndarray) else value)
        except errors.InvalidArgumentError:
            raise not_valid(step.plan.fetches[position]) from None
    if step is not None and not run.request.small:
        step.forget(call.wanted, run.taken)
    return run.build(call, found)


@contextlib.contextmanager
def _limited(session: BaseSession, run: _PartialRun, options: Any, run_metadata: Any) -> Iterator[None]:
    """Options and metadata of one call (S161): its time limit, and what the step has done so far."""
    run_options = metadata.checked_options(options)
    metadata.checked_run_metadata(run_metadata)
    recording, step, plan = run.recording, run.step, run.request.plan
    if run_options is not None and run_options.trace_level > 0 and not (recording is not None and recording.trace):
        text = "This handle does not trace: give options with a trace_level to partial_run_setup."
        raise explained(errors.InvalidArgumentError(None, None, text))
    timeout = session._timeout
    if run_options is not None and run_options.timeout_in_ms > 0:
        timeout = run_options.timeout_in_ms / 1000
    alarm = run.engine.alarm(step.context, timeout) if timeout is not None and step is not None else None
    try:
        yield
    finally:
        if alarm is not None:
            alarm.clear()
        if run_metadata is not None:
            run_metadata.Clear()
            if recording is not None and plan is not None and plan.tasks:
                recording.finish(plan, run_metadata)
