"""`tf.Session` and `tf.InteractiveSession`: the synchronous face over an engine."""

from __future__ import annotations

import contextlib
import logging
import os
import weakref
from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import Any

from runstep import errors
from runstep.graph.graph import Graph, get_default_graph
from runstep.graph.shapes import RawShape
from runstep.graph.tensor import Tensor
from runstep.observe.live import SAMPLED, Meter, Observed
from runstep.observe.trace import active
from runstep.quiet import begin, end
from runstep.session import default, feeds, metadata
from runstep.session.awaitable import AwaitableRuns
from runstep.session.engine import LocalEngine, live_engines, open_engine
from runstep.session.failure import explained
from runstep.session.fetches import Build, Fetches, request_key
from runstep.session.pipeline import PartialRunning
from runstep.session.suspended import FOREIGN
from runstep.session.uninitialized import uninitialized_note

_CLOSED = "Attempted to use a closed Session."
_EMPTY = "The Session graph is empty. Add operations to the graph before calling run()."


class _Request:
    """A request that has been analysed and compiled: what a repeated `run` needs."""

    __slots__ = ("build", "convert", "direct", "edits", "plan", "quick", "straight")

    def __init__(
        self,
        plan: Any,
        build: Build,
        convert: Sequence[feeds.Convert],
        direct: Sequence[tuple[int, int]],
        edits: int,
    ) -> None:
        self.plan = plan
        self.straight = plan.straight if plan else None
        self.build = build
        self.convert = convert
        self.quick = convert  # those of `straight`, which raise for what is too large for it
        self.direct = direct  # fetches that are fed: (position of the fetch, position of the feed)
        self.edits = edits

    def result(self, found: Any, fed: Sequence[Any]) -> Any:
        """What the user gets: of the values that the plan made, and of those that are fetched as they were fed."""
        return self.build(_with_fed(found, self, fed))


class _Nothing(dict[Any, Any]):
    """Remembers nothing."""

    def __setitem__(self, key: Any, value: Any) -> None:
        pass


_NOTHING = _Nothing()
_live_sessions: weakref.WeakSet[BaseSession] = weakref.WeakSet()


def watch_sessions(on: bool) -> None:
    """Says to all sessions that a trace is on, or is over."""
    for session in list(_live_sessions):
        session._watch(on)


class BaseSession(AwaitableRuns, PartialRunning, Observed):
    """What Session and InteractiveSession share (source: tf.Session).

    May be used from any number of threads at once.

    Args:
      target: the engine; "" is the one in this process.
      graph: the graph to run, the default graph when None.
      config: a ConfigProto.
      memory_limit: what variables, queues and running steps may take of each device: a size, or a dict of sizes by
        device name; a size is a number of bytes, or a text such as "2GiB". By default the devices share the machine's
        memory. (Not in TensorFlow.)
      strict_feeds: feeds that lose something as the tensor's dtype (1.5 as int32) raise TypeError; by default they are
        cut, as TensorFlow does, with one warning. (Not in TensorFlow.)
    """

    def __init__(
        self,
        target: Any = "",
        graph: Any = None,
        config: Any = None,
        *,
        memory_limit: Any = None,
        strict_feeds: bool = False,
    ) -> None:
        self._closed = True  # until the engine is open: a constructor that fails leaves nothing to close (S7)
        self._engine: LocalEngine | None = None
        self._requests: dict[Any, _Request] = {}
        self._cache = self._requests
        self._traced: dict[Any, _Request] = {}
        self._strict_feeds = strict_feeds
        self._meter = Meter()
        self._steps = 0
        _check_graph(graph)
        self._target = _checked_target(target)
        self._config = _checked_config(config)
        self._graph: Graph = get_default_graph() if graph is None else graph
        self._metadata_name = metadata.claim_session_metadata(self._config)
        try:
            self._engine = open_engine((self._target or b"").decode(), self._config, memory_limit)
        except BaseException:
            metadata.release_session_metadata(self._metadata_name)
            raise
        self._engine.on_close.append(self._requests.clear)  # what is cached runs without asking the engine
        self._closed = False
        _live_sessions.add(self)
        if "RUNSTEP_DEBUG_SIGNAL" in os.environ:
            from runstep.observe.signals import watch_if_asked

            watch_if_asked(self)
        self._watch(active() is not None)
        self._metadata = metadata.Collector(self._config)
        timeout = 0 if self._config is None else self._config.operation_timeout_in_ms
        self._timeout = timeout / 1000 if timeout > 0 else None

    # ------------------------------------------------------------------ facts

    @property
    def graph(self) -> Graph:
        """The graph that was launched in this session."""
        return self._graph

    @property
    def graph_def(self) -> Any:
        """The graph as a GraphDef; with shapes when `config.graph_options.infer_shapes` (S10)."""
        return self._graph.as_graph_def(add_shapes=self._config is not None and self._config.graph_options.infer_shapes)

    @property
    def sess_str(self) -> bytes | None:
        """The target, as bytes (S9)."""
        return self._target

    def list_devices(self) -> list[Any]:
        """The devices of this session, each with `name`, `device_type`, `memory_limit` (bytes).

        Raises:
          CancelledError: the session is closed.
        """
        if self._engine is None:
            raise errors.CancelledError(None, None, "Session has been closed.")
        return self._engine.list_devices()

    # ------------------------------------------------------------------ run

    def run(self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None) -> Any:
        """Runs one step and returns what was fetched, in the structure of `fetches` (source: tf.Session.run).

        Args:
          fetches: a Tensor, Operation, SparseTensor, variable, name, or any nesting of lists, tuples, namedtuples,
            dicts, attrs classes and dataclasses of these.
          feed_dict: tensors (or names, SparseTensors, nested tuples) -> the values that replace theirs.
          options: a RunOptions message. run_metadata: a RunMetadata message to fill.

        Returns:
          numpy scalars for rank 0, arrays otherwise: the caller's own, writable; None for operations.

        Raises:
          RuntimeError: the session is closed, or its graph is empty.
          TypeError, ValueError: fetches or feeds are no such thing, or of another graph.
          OpError: a kernel failed, a placeholder was not fed, the step timed out.
        """
        if self._closed:
            raise RuntimeError(_CLOSED)
        if options is None and run_metadata is None:
            try:
                key = request_key(fetches, feed_dict)
                request = self._cache.get(key)
            except TypeError:
                key, request = None, None
            if request is not None and request.edits == self._graph._edits:
                self._steps = steps = self._steps + 1
                if steps % SAMPLED:
                    return self._run_request(request, feed_dict.values() if feed_dict else ())
                began = perf_counter_ns()
                found = self._run_request(request, feed_dict.values() if feed_dict else ())
                self._meter.took(perf_counter_ns() - began, SAMPLED)
                return found
        else:
            key = None
        return self._run_slowly(key, fetches, feed_dict, options, run_metadata)

    def _run_request(self, request: _Request, values: Any) -> Any:
        convert = request.quick
        straight = request.straight
        try:
            if len(convert) == 1:
                (value,) = values
                fed: Sequence[Any] = (convert[0](value),)
            else:
                fed = [convert(value) for convert, value in zip(convert, values, strict=True)]
        except feeds.Large:
            straight, fed = None, [convert(value) for convert, value in zip(request.convert, values, strict=True)]
        try:
            if straight is not None:
                token = begin()
                try:
                    found = straight(None, *fed)
                finally:
                    end(token)
            elif request.plan:
                found = self._engine.run_step(request.plan, fed, None, self._timeout)  # type: ignore[union-attr]
            else:
                found = ()
        except BaseException as error:
            raise self._failed(error) from error.__cause__
        if request.direct:
            found = _with_fed(found, request, fed)
        return request.build(found)

    def _run_slowly(self, key: Any, fetches: Any, feed_dict: Any, options: Any, run_metadata: Any) -> Any:
        began = perf_counter_ns()
        request, fed, step, timeout = self._analysed(key, fetches, feed_dict, options, run_metadata)
        self._steps += 1
        if not request.plan:
            step.finish(None)
            return request.build(_with_fed((), request, fed))
        try:
            try:
                found = self._engine.run_step(request.plan, fed, step.context, timeout)  # type: ignore[union-attr]
            finally:
                step.finish(request.plan)
        except BaseException as error:
            raise self._failed(error) from error.__cause__
        self._meter.took(perf_counter_ns() - began)
        return request.build(_with_fed(found, request, fed))

    def _failed(self, error: BaseException) -> BaseException:
        """The error of a step as its caller sees it; counted."""
        found = explained(error)
        if isinstance(found, errors.FailedPreconditionError) and self._engine is not None:
            note = uninitialized_note(self._graph, self._engine.devices)
            if note:
                found.add_note(note)
        self._meter.failed(found)
        return found

    def _analysed(
        self, key: Any, fetches: Any, feed_dict: Any, options: Any, run_metadata: Any
    ) -> tuple[_Request, list[Any], metadata.Recording, float | None]:
        """A compiled request, kept under `key`; its feeds as arrays; what to record; the time limit in seconds."""
        if not self._graph.version:
            raise RuntimeError(_EMPTY)
        run_options = metadata.checked_options(options)
        metadata.checked_run_metadata(run_metadata)
        wanted = Fetches(self, fetches)
        given = feeds.check_mapping(feed_dict)
        tensors, values = feeds.split(feeds.flatten(self._graph, given))
        step = self._metadata.begin(run_options, run_metadata, self._engine)
        traced = step.tracer is not None and key is not None
        request = self._traced.get(key) if traced else None
        if request is None or request.edits != self._graph._edits:
            try:
                request = self._request(wanted, tensors, step.trace, feeds.shapes_of(tensors, values))
            except errors.OpError:
                feeds.check_all(
                    tensors, values, self._strict_feeds
                )  # what is wrong with a feed is told before what is not fed
                raise
            if traced:
                self._traced[key] = request
        # A later run with the same keys may skip all this when each key is one plain tensor.
        if key is not None and len(given) == len(tensors) and all(not _is_handle(v) for v in values):
            if all(self._is_plain_key(k, t) for k, t in zip(given, tensors, strict=True)):
                self._cache[key] = request
        fed = self._fed(request, tensors, values)
        timeout = (
            run_options.timeout_in_ms / 1000
            if run_options is not None and run_options.timeout_in_ms > 0
            else self._timeout
        )
        return request, fed, step, timeout

    def _is_plain_key(self, key: Any, tensor: Tensor) -> bool:
        if key is tensor:
            return True
        if isinstance(key, str | bytes):
            return True
        try:
            return self._graph.as_graph_element(key, True, False) is tensor
        except Exception:
            return False

    def _request(
        self, wanted: Fetches, fed: Sequence[Tensor], trace: bool, given: Sequence[RawShape] | None = None
    ) -> _Request:
        position = {tensor: i for i, tensor in enumerate(fed)}
        direct = [(i, position[t]) for i, t in enumerate(wanted.tensors) if t in position]
        fetched = [t for t in wanted.tensors if t not in position]
        plan: Any = None
        if fetched or wanted.targets:
            try:
                plan = self._engine.prepare(self._graph, fed, fetched, wanted.targets, trace, given=given)  # type: ignore[union-attr]
            except errors.OpError as error:
                raise explained(error) from None
        kept = plan.kept_feeds if plan else frozenset()
        convert = [feeds.converter(tensor, i in kept, self._strict_feeds) for i, tensor in enumerate(fed)]
        request = _Request(plan, wanted.build, convert, direct, self._graph._edits)
        if plan and (self._timeout is not None or any(node.type in FOREIGN for node in plan.nodes)):
            request.straight = None  # it must be possible to end it
        if request.straight is not None and plan.estimate.is_elastic:
            limits = plan.estimate.limits
            request.quick = [
                feeds.converter(t, i in kept, self._strict_feeds, limit)
                for i, (t, limit) in enumerate(zip(fed, limits, strict=True))
            ]
        return request

    def _fed(self, request: _Request, tensors: Sequence[Tensor], values: Sequence[Any]) -> list[Any]:
        try:
            return [
                value.fed_for(tensor, self) if _is_handle(value) else convert(value)
                for tensor, value, convert in zip(tensors, values, request.convert, strict=True)
            ]
        except errors.OpError as error:
            raise explained(error) from None

    def profile(self, fetches: Any, feed_dict: Any = None, steps: int = 20) -> Any:
        """Runs a request some times and tells where its time goes.

        Args:
          fetches, feed_dict: as for `run`. steps: how often it is run, after one run to warm up.

        Returns:
          A `runstep.observe.profile.Profile`: `print` it for a table of kernels (fused regions as one), with the time,
          the bytes and the share of the machine's measured peak of each.
        """
        from runstep.observe.profile import profile

        self._check_open()
        return profile(self, fetches, feed_dict, steps)

    # ------------------------------------------------------------------ callables

    def make_callable(self, fetches: Any, feed_list: Any = None, accept_options: bool = False) -> Callable[..., Any]:
        """A function that runs this request, everything about it decided now (source: tf.Session.make_callable).

        Args:
          fetches: as for `run`.
          feed_list: feed keys; the function takes one value for each, in order.
          accept_options: the function also takes the keywords `options` and `run_metadata`.

        Raises:
          TypeError, ValueError: fetches or feed_list are no such thing. The function itself raises as `run`, and
            TypeError
          for a wrong number of arguments.
        """
        if self._closed:
            raise errors.CancelledError(None, None, "Session has been closed.")
        from runstep.session.callables import make_callable

        return make_callable(self, fetches, feed_list, accept_options)

    def _make_callable_from_options(self, callable_options: Any) -> Callable[..., list[Any]]:
        from runstep.session.optioned import from_options

        return from_options(self, callable_options)

    def _watch(self, on: bool) -> None:
        """While steps are traced, no request is found ready: each goes the long way, past the recorder."""
        self._cache = _NOTHING if on else self._requests
        self._traced.clear()
        if self._engine is not None:
            self._engine.direct = not on and not self._engine.closed

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError(_CLOSED)
        if not self._graph.version:
            raise RuntimeError(_EMPTY)

    # ------------------------------------------------------------------ lifetime

    def as_default(self) -> contextlib.AbstractContextManager[Any]:
        """Makes this the default session of this thread inside a `with` block; does not close it."""
        return default.pushed(self)

    def close(self) -> None:
        """Ends running steps with CancelledError and releases variables and queues. Closing twice is fine (S40)."""
        if self._closed:
            return
        self._closed = True
        self._requests.clear()
        metadata.release_session_metadata(self._metadata_name)
        if self._engine is not None:
            self._engine.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"on {len(self._engine.devices)} device(s)"  # type: ignore[union-attr]
        target = (self._target or b"").decode()
        return f"<runstep.{type(self).__name__} target={target!r} {state}, graph of {self._graph.version} operations>"


def _with_fed(found: Any, request: _Request, fed: Sequence[Any]) -> Sequence[Any]:
    """The fetched values with the fed ones put in where a fetch is itself fed (S103)."""
    if not request.direct:
        return found
    values = list(found)
    for position, feed in request.direct:
        values.insert(position, fed[feed])
    return values


def _is_handle(value: Any) -> bool:
    return hasattr(value, "fed_for")


def _check_graph(graph: Any) -> None:
    if graph is not None and not isinstance(graph, Graph):
        raise TypeError(f'Argument `graph` must be a tf.Graph, but got "{type(graph).__name__}"')


def _checked_target(target: Any) -> bytes | None:
    if target is None:
        return None
    if isinstance(target, str):
        return target.encode()
    if isinstance(target, bytes):
        return target
    text = f'Argument `target` must be a string, but got "{type(target).__name__}"'
    if _is_config(target):
        text += '. Did you do "Session(config)" instead of "Session(config=config)"?'
    raise TypeError(text)


def _is_config(value: Any) -> bool:
    return hasattr(value, "DESCRIPTOR") and value.DESCRIPTOR.name == "ConfigProto"


def _checked_config(config: Any) -> Any:
    """A copy of the ConfigProto as our message, None when there is none (S5, S12)."""
    if config is None:
        return None
    if not _is_config(config):
        raise TypeError(f'Argument `config` must be a tf.ConfigProto, but got "{type(config).__name__}"')
    from runstep.protos import config_pb2

    return config_pb2.ConfigProto.FromString(config.SerializeToString())


class Session(BaseSession):
    """Runs a graph (source: tf.Session).

    `with Session() as sess:` makes it the default session and its graph the default graph, and closes it at the end.
    """

    def __init__(
        self,
        target: Any = "",
        graph: Any = None,
        config: Any = None,
        *,
        memory_limit: Any = None,
        strict_feeds: bool = False,
    ) -> None:
        super().__init__(target, graph, config, memory_limit=memory_limit, strict_feeds=strict_feeds)
        self._entered: contextlib.ExitStack | None = None

    def __enter__(self) -> Session:
        if self._entered is not None:
            raise RuntimeError(
                "Session context managers are not re-entrant. Use `Session.as_default()` if you want to enter a "
                "session multiple times."
            )
        self._entered = contextlib.ExitStack()
        self._entered.enter_context(self._graph.as_default())
        self._entered.enter_context(default.pushed(self))
        return self

    def __exit__(self, exc_type: Any, exc: Any, traceback: Any) -> None:
        if exc_type is not None and issubclass(exc_type, errors.OpError):
            logging.getLogger("runstep").error("Session closing due to OpError: %s", exc)
        entered, self._entered = self._entered, None
        try:
            if entered is not None:
                entered.__exit__(exc_type, exc, traceback)
        finally:
            self.close()

    @staticmethod
    def reset(target: Any, containers: Any = None, config: Any = None) -> None:
        """Closes every live session of the process and clears resource containers, all by default (S46)."""
        if target is not None and not isinstance(target, str | bytes):
            raise TypeError(f"Expected binary or unicode string, got {target}")
        _checked_config(config)
        names = None if not containers else [c.decode() if isinstance(c, bytes) else c for c in containers]
        for engine in list(live_engines):
            engine.reset(names)


class InteractiveSession(BaseSession):
    """A session that installs itself as the default session when constructed (source: tf.InteractiveSession).

    `with InteractiveSession() as sess:` is allowed too: it closes the session at the end (S27; TensorFlow refuses it).
    """

    _active_session_count = 0

    def __init__(
        self,
        target: Any = "",
        graph: Any = None,
        config: Any = None,
        *,
        memory_limit: Any = None,
        strict_feeds: bool = False,
    ) -> None:
        from runstep.protos import config_pb2

        own = _checked_config(config if config else None)  # the caller's is not changed (S12)
        if own is None:
            own = config_pb2.ConfigProto(gpu_options=config_pb2.GPUOptions(allow_growth=True))
        own.graph_options.place_pruned_graph = True
        super().__init__(target, graph, own, memory_limit=memory_limit, strict_feeds=strict_feeds)
        if InteractiveSession._active_session_count:
            logging.getLogger("runstep").error(
                "An interactive session is already active. This can cause out-of-memory errors or some other "
                "unexpected errors (due to the unpredictable timing of garbage collection) in some cases. You must "
                "explicitly call `InteractiveSession.close()` to release resources held by the other session(s). "
                "Please use `tf.Session()` if you intend to productionize."
            )
        InteractiveSession._active_session_count += 1
        self._installed = True
        self._explicit_graph = graph
        self._default_graph: contextlib.ExitStack | None = None
        if graph is not None:
            self._default_graph = contextlib.ExitStack()
            self._default_graph.enter_context(graph.as_default())
        default.push(self)

    def __enter__(self) -> InteractiveSession:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()

    def close(self) -> None:
        """Closes the session and takes it off the stack of default sessions, and its graph off that of graphs."""
        super().close()
        if getattr(self, "_installed", False):
            self._installed = False
            InteractiveSession._active_session_count -= 1
            default.drop(self)
            if self._default_graph is not None:
                self._default_graph.close()
                self._default_graph = None
