"""`partial_run`: one step fed and fetched in several calls (S140-S162).

A handle is a string, as in TensorFlow, that holds a suspended step: when nobody refers to the handle any more, the step
is gone (S160). A request is compiled once per session; each further setup of it costs microseconds.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from runstep import errors
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.plan.compile import Plan
from runstep.session import feeds, metadata
from runstep.session.failure import explained
from runstep.session.fetches import Build, Fetches, structure_key
from runstep.session.suspended import DrivenStep, PlainStep, wait
from runstep.step import StepContext

if TYPE_CHECKING:
    from runstep.session.session import BaseSession

_UNKNOWN = "Must run 'setup' before performing partial runs!"

# What numpy makes a new array of; anything else may share its memory with the caller, who may change it between two
# calls.
_COPIED = frozenset((int, float, bool, complex, str, bytes, list, tuple))


class PartialRunHandle(str):
    """What `partial_run_setup` returns. As long as it lives, or until all of it is fed and fetched, its step does."""

    _run: _PartialRun


class _Request:
    """A compiled setup.

    Attributes:
      feeds, ends: the positions of its feeds and of its ends: first what the plan computes (fetches, then targets),
        then the fetches that are feeds themselves.
      scripts, calls: what has been worked out for feedings and for calls on its handles.
    """

    def __init__(self, session: BaseSession, wanted: Fetches, fed: Sequence[Tensor], trace: bool) -> None:
        self.feeds = {tensor: position for position, tensor in enumerate(fed)}
        fetched = [tensor for tensor in wanted.tensors if tensor not in self.feeds]
        self.plan: Plan | None = None
        if fetched or wanted.targets:
            try:
                self.plan = session._engine.prepare(session.graph, fed, fetched, wanted.targets, trace, True)  # type: ignore[union-attr]
            except errors.OpError as error:
                raise explained(error) from None
        echoed = [tensor for tensor in wanted.tensors if tensor in self.feeds]
        ends: list[Tensor | Operation] = [*fetched, *wanted.targets, *echoed]
        self.ends = {end: position for position, end in enumerate(ends)}
        self.computed = len(fetched) + len(wanted.targets)
        self.echoes = bool(echoed)
        kept = self.plan.kept_feeds if self.plan else frozenset()
        self.convert = [feeds.converter(tensor, i in kept) for i, tensor in enumerate(fed)]
        self.all_feeds = (1 << len(self.feeds)) - 1
        self.all_ends = (1 << len(self.ends)) - 1
        self.edits = session.graph._edits
        self.scripts: dict[Any, Any] = {}
        self.calls: dict[Any, _Call] = {}
        names = ",".join(tensor.name for tensor in fed), ",".join(t.name for t in wanted.tensors)
        self.text = f"{names[0]}->{names[1]}/{','.join(op.name for op in wanted.targets)}/1/;"
        tasks = self.plan.tasks if self.plan else ()
        self.plain = not any(task.segment.is_async for task in tasks) and len({task.device for task in tasks}) <= 1

    def step(self, session: BaseSession, context: StepContext) -> PlainStep | DrivenStep | None:
        engine = session._engine
        assert engine is not None
        if self.plan is None:
            return None
        return (
            PlainStep(engine, self.plan, context, self.scripts)
            if self.plain
            else DrivenStep(engine, self.plan, context)
        )


class _Call:
    """One way of calling `partial_run` on handles of one request: these fetches, these feeds.

    Attributes:
      fed: positions of the feeds. now, wanted, taken, needs: as bits: the feeds of this call, the ends that the plan
        computes for it, all ends that it uses up, the feeds that must have come by then.
      values: for each fetched tensor where it comes from.
      echoed: positions of feeds that came in earlier calls and are fetched now.
    """

    def __init__(self, request: _Request, wanted: Fetches, fed: Sequence[Tensor]) -> None:
        self.build: Build = wanted.build
        self.tensors = tuple(fed)
        self.elements: tuple[Tensor | Operation, ...] = (*wanted.tensors, *wanted.targets)
        for tensor in fed:
            if tensor not in request.feeds:
                raise _misuse(f"The feed {tensor.name} was not specified in partial_run_setup.", request)
        self.fed = [request.feeds[tensor] for tensor in fed]
        self.convert = [request.convert[position] for position in self.fed]
        self.now = sum(1 << position for position in self.fed)
        self.wanted = self.taken = self.needs = 0
        self.echoed: list[int] = []
        self.values = [self._source(request, tensor) for tensor in wanted.tensors]
        for op in wanted.targets:
            self._take(request, op)

    def _source(self, request: _Request, tensor: Tensor) -> tuple[Callable[..., Any] | None, tuple[int, ...], int]:
        """What collects a tensor that the plan computes, from which slots, and which of its fetches it is.

        Of any other: None, and which it is of the values that were fed.
        """
        if tensor in request.feeds and (tensor in self.tensors or tensor in request.ends):
            if tensor in request.ends:
                self._take(request, tensor)
            if tensor in self.tensors:
                return None, (), self.tensors.index(tensor)
            self.echoed.append(request.feeds[tensor])
            return None, (), len(self.tensors) + len(self.echoed) - 1
        position = self._take(request, tensor)
        segment, slots = request.plan.stages.collectors[position]  # type: ignore[union-attr]
        return segment.run, slots, position

    def _take(self, request: _Request, end: Tensor | Operation) -> int:
        position = request.ends.get(end)
        if position is None:
            raise _misuse(f"The fetch {end.name} was not specified in partial_run_setup.", request)
        self.taken |= 1 << position
        if position < request.computed:
            self.wanted |= 1 << position
            self.needs |= request.plan.stages.needs[position]  # type: ignore[union-attr]
        else:
            self.needs |= 1 << request.feeds[end]  # type: ignore[index]
        return position


class _PartialRun:
    """The state of one handle. Its lock is held while it changes, and while its tasks run in the caller's thread."""

    def __init__(self, request: _Request, step: PlainStep | DrivenStep | None, engine: Any, recording: Any) -> None:
        self.request = request
        self.step = step
        self.engine = engine
        self.recording = recording
        self.lock = threading.RLock()
        self.fed = 0
        self.taken = 0
        self.over = False
        self.echoes: dict[int, Any] = {}

    def check(self, call: _Call) -> None:
        """Refuses a call that cannot be made now; the handle stays as it is (S144)."""
        request = self.request
        for tensor in call.tensors:
            if self.fed >> request.feeds[tensor] & 1:
                raise _misuse(f"The feed {tensor.name} has already been fed.", request, self)
        for end in call.elements:
            position = request.ends.get(end)
            if position is not None and self.taken >> position & 1:
                raise _misuse(f"The fetch {end.name} has already been fetched.", request, self)
        missing = call.needs & ~(self.fed | call.now)
        if missing:
            first = next(t for t, position in request.feeds.items() if missing >> position & 1)
            raise _misuse(
                f"Fetch {first.name} can't be computed from the feeds that have been fed so far.", request, self
            )

    def end(self) -> None:
        """Forgets the step. Those who wait for something of it still get it."""
        self.over = True
        self.step = None
        self.echoes.clear()

    def abandon(self) -> None:
        """Ends the step, whatever it is doing."""
        step = self.step
        self.end()
        if step is not None:
            step.abandon()

    def __del__(self) -> None:
        if not self.over:
            with contextlib.suppress(Exception):  # the loop may have ended before
                self.abandon()


def _misuse(text: str, request: _Request, run: _PartialRun | None = None) -> errors.OpError:
    error = errors.InvalidArgumentError(None, None, text)
    if run is not None:
        feeds_left = [t.name for t, position in request.feeds.items() if not run.fed >> position & 1]
        ends_left = [end.name for end, position in request.ends.items() if not run.taken >> position & 1]
        error.add_note(
            f"Still open in this handle: feeds {', '.join(feeds_left) or 'none'}; fetches "
            f"{', '.join(ends_left) or 'none'}"
        )
    found = explained(error)
    assert isinstance(found, errors.OpError)
    return found


class PartialRuns:
    """The partial runs of one session: its compiled setups and its open handles."""

    def __init__(self) -> None:
        self._requests: dict[Any, _Request] = {}
        self._runs: weakref.WeakValueDictionary[str, _PartialRun] = weakref.WeakValueDictionary()
        self._numbers = itertools.count(1)

    def setup(self, session: BaseSession, fetches: Any, feed_keys: Any, options: Any) -> PartialRunHandle:
        """See `Session.partial_run_setup`."""
        request = self._known(session, fetches, feed_keys) if options is None else None
        recording = None
        if request is None:
            run_options = metadata.checked_options(options)
            if run_options is not None:
                from runstep.protos import config_pb2

                recording = session._metadata.begin(run_options, config_pb2.RunMetadata(), session._engine)
            request = self._new(session, fetches, feed_keys, recording is not None and recording.trace, options is None)
        step = request.step(session, StepContext() if recording is None else recording.context)
        run = _PartialRun(request, step, session._engine, recording)
        text = f"{request.text}{next(self._numbers)}"
        self._runs[text] = run
        handle = PartialRunHandle(text)
        handle._run = run
        if step is not None:
            try:
                step.start()
            except BaseException as error:
                run.end()
                raise explained(error) from error.__cause__
        return handle

    def _known(self, session: BaseSession, fetches: Any, feed_keys: Any) -> _Request | None:
        try:
            request = self._requests.get((structure_key(fetches), structure_key(feed_keys)))
        except TypeError:
            return None
        return request if request is not None and request.edits == session.graph._edits else None

    def _new(self, session: BaseSession, fetches: Any, feed_keys: Any, trace: bool, keep: bool) -> _Request:
        wanted = Fetches(session, fetches)
        fed = _feeds(session, feed_keys)
        if not wanted.tensors and not wanted.targets:
            raise explained(
                errors.InvalidArgumentError(None, None, "Must specify at least one target to fetch or execute.")
            )
        for position, tensor in enumerate(fed):
            if tensor in fed[:position]:
                raise explained(
                    errors.InvalidArgumentError(None, None, f'Endpoint "{tensor.name}" fed more than once.')
                )
        request = _Request(session, wanted, fed, trace)
        if keep:
            with contextlib.suppress(TypeError):  # a fetch that cannot be hashed: compiled each time
                self._requests[structure_key(fetches), structure_key(feed_keys)] = request
        return request

    def run(
        self, session: BaseSession, handle: Any, fetches: Any, feed_dict: Any, options: Any, run_metadata: Any
    ) -> Any:
        """See `Session.partial_run`."""
        run, call, values = self._prepared(session, handle, fetches, feed_dict)
        if run is None:
            return call.build(())
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
        with _limited(session, run, options, run_metadata):
            step, future, given = _begin(session, run, call, values)
            try:
                if future is not None:
                    await waiting(future, run.abandon)
                return _end(run, step, call, given)
            except BaseException as error:
                run.abandon()
                raise explained(error) from error.__cause__

    def _prepared(
        self, session: BaseSession, handle: Any, fetches: Any, feed_dict: Any
    ) -> tuple[_PartialRun | None, Any, Sequence[Any]]:
        """The run of a handle, the call, and the values fed; no run where nothing is asked of it."""
        run = self._find(session, handle)
        key: Any = None
        if run is not None:
            try:
                key = (structure_key(fetches), tuple(feed_dict)) if feed_dict else (structure_key(fetches), ())
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
            assert session._engine is not None
            if session._engine.closed:
                raise errors.CancelledError(None, None, "Session has been closed.")
            raise explained(errors.InvalidArgumentError(None, None, _UNKNOWN))
        call = _Call(run.request, wanted, tensors)
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

    def close(self, session: BaseSession, handle: Any) -> None:
        """See `Session.partial_run_close`."""
        run = self._find(session, handle)
        if run is not None:
            run.abandon()

    def close_all(self) -> None:
        """Ends every open handle, when the session closes."""
        for run in list(self._runs.values()):
            run.abandon()
        self._requests.clear()


def _feeds(session: BaseSession, feed_keys: Any) -> list[Tensor]:
    if feed_keys is None:
        return []
    try:
        found = feeds.keys_of(session.graph, feed_keys)
    except TypeError as error:
        text = str(error).replace(
            "Cannot interpret feed_dict key as Tensor", "Cannot interpret argument `feed` key as Tensor"
        )
        raise TypeError(text) from None
    for tensor in found:
        if tensor.dtype.name in ("resource", "variant"):
            raise TypeError(f"Tensor {tensor.name} has dtype {tensor.dtype.name}, whose values cannot be fed.")
    return found


def _advance(session: BaseSession, run: _PartialRun, call: _Call, values: Sequence[Any]) -> Any:
    """Feeds a step, runs or waits for what the call asks for, and returns it."""
    step, future, given = _begin(session, run, call, values)
    try:
        if future is not None:
            wait(step, future)  # type: ignore[arg-type]
        return _end(run, step, call, given)
    except BaseException as error:  # after data moved: the handle dies of it (S147)
        run.abandon()
        raise explained(error) from error.__cause__


def _begin(
    session: BaseSession, run: _PartialRun, call: _Call, values: Sequence[Any]
) -> tuple[PlainStep | DrivenStep | None, Any, Sequence[Any]]:
    """Feeds the step of a run: the step, what to wait for, and the values that do not come out of the step."""
    given: list[Any] = []
    kept: list[Any] = []
    try:
        for tensor, value, convert in zip(call.tensors, values, call.convert, strict=True):
            array = value.fed_for(tensor, session) if hasattr(value, "fed_for") else convert(value)
            given.append(array)
            kept.append(array if type(value) in _COPIED or isinstance(value, np.generic) else array.copy())
    except errors.OpError as error:
        raise explained(error) from None
    with run.lock:
        now, taken, request = call.now, call.taken, run.request
        if (run.fed & now) or (run.taken & taken) or (call.needs & ~(run.fed | now)):
            run.check(call)
        if run.over:
            raise explained(errors.InvalidArgumentError(None, None, _UNKNOWN))
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
            raise explained(error) from error.__cause__


def _end(run: _PartialRun, step: PlainStep | DrivenStep | None, call: _Call, given: Sequence[Any]) -> Any:
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
            found.append(collect(step.context, *[held[slot] for slot in slots])[0])
        except errors.InvalidArgumentError:
            text = f"The tensor returned for {step.plan.fetches[position].name} was not valid."
            raise errors.InvalidArgumentError(None, None, text) from None
    if run.fed == run.request.all_feeds and run.taken == run.request.all_ends:
        run.end()
    return call.build(found)


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
    timer = run.engine.timer(step.context, timeout) if timeout is not None and step is not None else None
    try:
        yield
    finally:
        if timer is not None:
            timer.cancel()
        if run_metadata is not None:
            run_metadata.Clear()
            if recording is not None and plan is not None and plan.tasks:
                recording.finish(plan, run_metadata)
