"""Sessions that initialize themselves, call hooks, stop their threads, and recover."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from runstep import errors, logging as _log
from runstep.graph.collections import GraphKeys
from runstep.graph.graph import Graph, get_default_graph
from runstep.train.basic_session_run_hooks import CheckpointSaverHook, StepCounterHook, SummarySaverHook
from runstep.train.coordinator import Coordinator
from runstep.train.queue_runner import start_queue_runners
from runstep.train.scaffold import Scaffold
from runstep.train.session_manager import SessionManager
from runstep.train.session_run_hook import SessionRunArgs, SessionRunContext, SessionRunValues

__all__ = [
    "ChiefSessionCreator",
    "MonitoredSession",
    "MonitoredTrainingSession",
    "SessionCreator",
    "SingularMonitoredSession",
    "WorkerSessionCreator",
]

_PREEMPTION = (errors.AbortedError, errors.UnavailableError)
_DEFAULT = object()  # stands for "not said"


class SessionCreator:
    """Makes sessions for `MonitoredSession` (source: tf.train.SessionCreator)."""

    def create_session(self) -> Any:
        raise NotImplementedError(f"create_session is not implemented for {type(self)}.")


class ChiefSessionCreator(SessionCreator):
    """Makes sessions with the latest checkpoint, or initialized (source: tf.train.ChiefSessionCreator).

    Args:
      scaffold: what the model needs. master: the session's target. config: a `ConfigProto`.
      checkpoint_dir: of which the latest is restored. checkpoint_filename_with_path: or this one.
    """

    def __init__(
        self,
        scaffold: Scaffold | None = None,
        master: str = "",
        config: Any = None,
        checkpoint_dir: str | None = None,
        checkpoint_filename_with_path: str | None = None,
    ) -> None:
        self._scaffold = scaffold or Scaffold()
        self._master = master
        self._config = config
        self._checkpoint_dir = checkpoint_dir
        self._checkpoint_path = checkpoint_filename_with_path

    def create_session(self) -> Any:
        scaffold = self._scaffold.finalize()
        return _manager(scaffold).prepare_session(
            self._master,
            saver=scaffold.saver,
            checkpoint_dir=self._checkpoint_dir,
            checkpoint_filename_with_path=self._checkpoint_path,
            config=self._config,
            init_op=scaffold.init_op,
            init_feed_dict=scaffold.init_feed_dict,
            init_fn=scaffold.init_fn,
        )


class WorkerSessionCreator(SessionCreator):
    """Makes sessions of a model that the chief initializes (source: tf.train.WorkerSessionCreator)."""

    def __init__(
        self, scaffold: Scaffold | None = None, master: str = "", config: Any = None, max_wait_secs: float = 30 * 60
    ) -> None:
        self._scaffold = scaffold or Scaffold()
        self._master = master
        self._config = config
        self._max_wait_secs = max_wait_secs

    def create_session(self) -> Any:
        scaffold = self._scaffold.finalize()
        return _manager(scaffold).wait_for_session(self._master, config=self._config, max_wait_secs=self._max_wait_secs)


def _manager(scaffold: Scaffold) -> SessionManager:
    return SessionManager(
        local_init_op=scaffold.local_init_op,
        local_init_feed_dict=scaffold.local_init_feed_dict,
        ready_op=scaffold.ready_op,
        ready_for_local_init_op=scaffold.ready_for_local_init_op,
        graph=get_default_graph(),
    )


def MonitoredTrainingSession(  # noqa: N802 - TensorFlow's name
    master: str = "",
    is_chief: bool = True,
    checkpoint_dir: str | None = None,
    scaffold: Scaffold | None = None,
    hooks: Sequence[Any] | None = None,
    chief_only_hooks: Sequence[Any] | None = None,
    save_checkpoint_secs: Any = _DEFAULT,
    save_summaries_steps: Any = _DEFAULT,
    save_summaries_secs: Any = _DEFAULT,
    config: Any = None,
    stop_grace_period_secs: float = 120,
    log_step_count_steps: int | None = 100,
    max_wait_secs: float = 7200,
    save_checkpoint_steps: Any = _DEFAULT,
    summary_dir: str | None = None,
    save_graph_def: bool = True,
) -> MonitoredSession:
    """A MonitoredSession that saves checkpoints and summaries (source: tf.train.MonitoredTrainingSession).

    Args:
      is_chief: False waits for another program to initialize the model, and saves nothing.
      checkpoint_dir: restores the latest checkpoint from there, and saves to it: every 600 seconds, or
        `save_checkpoint_secs` or `save_checkpoint_steps`.
      summary_dir: `checkpoint_dir` by default; summaries every 100 steps, or `save_summaries_steps` or
        `save_summaries_secs`; steps per second every `log_step_count_steps`.
      hooks, chief_only_hooks: besides those.
    """
    summaries = _every(save_summaries_steps, save_summaries_secs, steps=100)
    checkpoints = _every(save_checkpoint_steps, save_checkpoint_secs, secs=600)
    scaffold = scaffold or Scaffold()
    if not is_chief:
        worker = WorkerSessionCreator(scaffold, master, config, max_wait_secs)
        return MonitoredSession(worker, hooks or [], stop_grace_period_secs)
    found = list(chief_only_hooks or ())
    creator = ChiefSessionCreator(scaffold, master, config, checkpoint_dir)
    summary_dir = summary_dir or checkpoint_dir
    if summary_dir:
        if log_step_count_steps and log_step_count_steps > 0:
            found.append(StepCounterHook(output_dir=summary_dir, every_n_steps=log_step_count_steps))
        if any(summaries.values()):
            found.append(SummarySaverHook(scaffold=scaffold, output_dir=summary_dir, **summaries))
    if checkpoint_dir and any(checkpoints.values()):
        found.append(
            CheckpointSaverHook(checkpoint_dir, scaffold=scaffold, save_graph_def=save_graph_def, **checkpoints)
        )
    found.extend(hooks or ())
    return MonitoredSession(creator, found, stop_grace_period_secs)


def _every(steps_given: Any, secs_given: Any, steps: int | None = None, secs: int | None = None) -> dict[str, Any]:
    if steps_given is _DEFAULT and secs_given is _DEFAULT:
        return {"save_steps": steps, "save_secs": secs}
    return {
        "save_steps": None if steps_given is _DEFAULT or not steps_given else steps_given,
        "save_secs": None if secs_given is _DEFAULT or not secs_given else secs_given,
    }


class MonitoredSession:
    """A session that initializes itself, calls hooks around runs, and recovers (source: tf.train.MonitoredSession).

        with tf.train.MonitoredSession(hooks=[...]) as sess:
            while not sess.should_stop():
                sess.run(train_op)

    The graph is final while it is open. When a run or the making of the session fails with AbortedError or
    UnavailableError, a new session is made and the run tried again.

    Args:
      session_creator: `ChiefSessionCreator()` by default. hooks: see `SessionRunHook`.
      stop_grace_period_secs: how long threads may take to end.
    """

    _recovers = True

    def __init__(
        self, session_creator: Any = None, hooks: Sequence[Any] | None = None, stop_grace_period_secs: float = 120
    ) -> None:
        self._graph_was_finalized = get_default_graph().finalized
        self._graph = get_default_graph()
        self._hooks = list(hooks or ())
        for hook in self._hooks:
            hook.begin()
        self._creator = session_creator or ChiefSessionCreator()
        self._grace = stop_grace_period_secs
        self._open: _HookedSession | None = None
        self._closed = False
        self._create()

    def _create(self) -> None:
        while True:
            try:
                self._open = _HookedSession(self._creator, self._hooks, self._grace)
                return
            except _PREEMPTION as error:
                if not self._recovers:
                    raise
                _log.info(
                    "An error was raised while a session was being created. This may be due to a preemption of a "
                    "connected worker or parameter server. A new session will be created. Error: %s",
                    error,
                )

    @property
    def graph(self) -> Graph | None:
        """The graph; None when closed."""
        session = self._tf_sess()
        return None if session is None else session.graph

    def _tf_sess(self) -> Any:
        """The session underneath."""
        return None if self._open is None else self._open.session

    def run(self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None) -> Any:
        """As `Session.run`, with the hooks.

        Raises:
          RuntimeError: it is closed, or a hook has asked for a stop.
        """
        return self._recovering(lambda session: session.run(fetches, feed_dict, options, run_metadata))

    def run_step_fn(self, step_fn: Callable[..., Any]) -> Any:
        """Calls `step_fn(step_context)`, which may run parts without the hooks, and once with them.

        Raises:
          ValueError: it takes other arguments.
        """
        names = tuple(inspect.signature(step_fn).parameters)
        if names not in (("step_context",), ("self", "step_context")):
            raise ValueError(
                "`step_fn` may either have one `step_context` argument, or `self` and `step_context` arguments if it's "
                f"an instance method. Got {names} instead."
            )

        def step(session: _HookedSession) -> Any:
            def run_with_hooks(*args: Any, **kwargs: Any) -> Any:
                return session.run(*args, **kwargs)

            return step_fn(MonitoredSession.StepContext(session.session, run_with_hooks))

        return self._recovering(step)

    def _recovering(self, use: Callable[[_HookedSession], Any]) -> Any:
        while True:
            if self._closed:
                raise RuntimeError("Run called on a MonitoredSession that is closed.")
            if self._open is None:
                self._create()
            session = self._open
            assert session is not None
            try:
                return session.guarded(use)
            except _PREEMPTION as error:
                if not self._recovers:
                    raise
                _log.info(
                    "An error was raised. This may be due to a preemption in a connected worker or parameter server. "
                    "The current session will be closed and a new session will be created. Error: %s",
                    error,
                )
                session.close()
                self._open = None

    def should_stop(self) -> bool:
        """Whether a hook or a thread has asked for a stop, or it is closed."""
        return self._closed or (self._open is not None and self._open.should_stop())

    def close(self) -> None:
        """Calls the hooks' `end`, stops the threads and closes the session."""
        self._close(None)

    def __enter__(self) -> MonitoredSession:
        return self

    def __exit__(self, exception_type: Any, exception_value: Any, traceback: Any) -> bool:
        if exception_type in (errors.OutOfRangeError, StopIteration):
            exception_type = None
        self._close(exception_type)
        return exception_type is None

    def _close(self, exception_type: Any) -> None:
        try:
            if exception_type is None:
                for hook in self._hooks:
                    hook.end(self._tf_sess())
        finally:
            try:
                if self._closed:
                    raise RuntimeError("Session is already closed.")
                if self._open is not None:
                    self._open.close()
            finally:
                self._open = None
                self._closed = True
                if not self._graph_was_finalized:
                    self._graph._unsafe_unfinalize()

    class StepContext:
        """What `step_fn` works with (source: tf.train.MonitoredSession.StepContext)."""

        def __init__(self, session: Any, run_with_hooks_fn: Callable[..., Any]) -> None:
            self._session = session
            self._run_with_hooks_fn = run_with_hooks_fn

        @property
        def session(self) -> Any:
            """The session underneath: runs without hooks."""
            return self._session

        def run_with_hooks(self, *args: Any, **kwargs: Any) -> Any:
            """A run with the hooks."""
            return self._run_with_hooks_fn(*args, **kwargs)

        def request_stop(self) -> None:
            """Ends `step_fn` and the `with` block of the session, in good order."""
            raise StopIteration("step_fn has requested the iterations to stop.")


class SingularMonitoredSession(MonitoredSession):
    """As `MonitoredSession`, without recovery; gives access to the session (source: tf.train.SingularMonitoredSession).

    Args:
      scaffold, master, config, checkpoint_dir, checkpoint_filename_with_path: as `ChiefSessionCreator`.
    """

    _recovers = False

    def __init__(
        self,
        hooks: Sequence[Any] | None = None,
        scaffold: Scaffold | None = None,
        master: str = "",
        config: Any = None,
        checkpoint_dir: str | None = None,
        stop_grace_period_secs: float = 120,
        checkpoint_filename_with_path: str | None = None,
    ) -> None:
        creator = ChiefSessionCreator(scaffold, master, config, checkpoint_dir, checkpoint_filename_with_path)
        super().__init__(creator, hooks, stop_grace_period_secs)

    def raw_session(self) -> Any:
        """The session underneath."""
        return self._tf_sess()


class _HookedSession:
    """One session with its threads, and hooks around its runs."""

    def __init__(self, creator: Any, hooks: Sequence[Any], grace: float) -> None:
        self.session = creator.create_session()
        self._hooks = hooks
        self._grace = grace
        self.stop_requested = False
        self._coord = Coordinator(clean_stop_exception_types=())
        if self.session.graph.get_collection(GraphKeys.QUEUE_RUNNERS):
            start_queue_runners(self.session, self._coord)
        for hook in hooks:
            hook.after_create_session(self.session, self._coord)

    def should_stop(self) -> bool:
        return self.stop_requested or self._coord.should_stop()

    def guarded(self, use: Callable[[_HookedSession], Any]) -> Any:
        """`use(self)`; where a thread's failure is behind an error, that one is raised if it can be recovered from."""
        try:
            return use(self)
        except _PREEMPTION:
            raise
        except Exception:
            try:
                self._coord.raise_requested_exception()
            except _PREEMPTION:
                raise
            except Exception as reported:
                _log.debug("Reported by a thread meanwhile: %s", reported)
            raise

    def run(self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None) -> Any:
        if self.should_stop():
            raise RuntimeError("Run called even after should_stop requested.")
        context = SessionRunContext(SessionRunArgs(fetches, feed_dict), self.session)
        wanted: dict[Any, Any] = {}
        feeds, options = self._before(context, wanted, feed_dict, options)
        wanted["caller"] = fetches  # last: what hooks read is the state before what the caller changes
        if options is not None or run_metadata is not None:  # a run without them costs less
            options, run_metadata = _messages(options, run_metadata)
        results = self.session.run(wanted, feeds, options, run_metadata)
        if self._hooks:
            options, run_metadata = _messages(options, run_metadata)
        for hook in self._hooks:
            hook.after_run(context, SessionRunValues(results.get(hook), options, run_metadata))
        self.stop_requested = self.stop_requested or context.stop_requested
        return results["caller"]

    def _before(self, context: Any, wanted: dict[Any, Any], user_feeds: Any, options: Any) -> tuple[Any, Any]:
        """Calls `before_run` of all hooks; returns the feeds and options of the run."""
        feeds: dict[Any, Any] = {}
        for hook in self._hooks:
            request = hook.before_run(context)
            if request is None:
                continue
            if request.fetches is not None:
                wanted[hook] = request.fetches
            if request.feed_dict:
                _check_disjoint(feeds, request.feed_dict, "Same tensor is fed by two hooks.")
                feeds.update(request.feed_dict)
            if request.options is not None:
                options = _merged(options, request.options)
        if feeds and user_feeds:
            _check_disjoint(user_feeds, feeds, "Same tensor is fed by a SessionRunHook and user.")
        return {**feeds, **(user_feeds or {})} or None, options

    def close(self) -> None:
        self._coord.request_stop()
        try:
            self._coord.join(stop_grace_period_secs=self._grace, ignore_live_threads=True)
        finally:
            self.session.close()


def _check_disjoint(one: dict[Any, Any], other: dict[Any, Any], message: str) -> None:
    both = set(one) & set(other)
    if both:
        raise RuntimeError(f"{message} Conflict(s): {list(both)}")


def _messages(options: Any, run_metadata: Any) -> tuple[Any, Any]:
    from runstep.protos.config_pb2 import RunMetadata, RunOptions

    return options or RunOptions(), RunMetadata() if run_metadata is None else run_metadata


def _merged(options: Any, more: Any) -> Any:
    """The options of a run that two ask for: the most that either wants."""
    from runstep.protos.config_pb2 import RunOptions

    found = RunOptions()
    if options is not None:
        found.CopyFrom(options)
    found.trace_level = max(found.trace_level, more.trace_level)
    found.timeout_in_ms = max(found.timeout_in_ms, more.timeout_in_ms)
    found.inter_op_thread_pool = max(found.inter_op_thread_pool, more.inter_op_thread_pool)
    found.output_partition_graphs = max(found.output_partition_graphs, more.output_partition_graphs)
    found.debug_options.debug_tensor_watch_opts.extend(more.debug_options.debug_tensor_watch_opts)
    found.report_tensor_allocations_upon_oom = (
        found.report_tensor_allocations_upon_oom or more.report_tensor_allocations_upon_oom
    )
    return found
