"""`tf.train.Supervisor`: a session with what a training program needs beside it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from threading import Thread
from typing import Any

from runstep import logging as _log
from runstep.graph.collections import GraphKeys
from runstep.graph.graph import Graph, get_default_graph
from runstep.ops.basic import group
from runstep.ops.lookup import tables_initializer
from runstep.ops.summary import merge_all_summaries
from runstep.protos.event_pb2 import SessionLog
from runstep.protos.summary_pb2 import Summary
from runstep.train.coordinator import Coordinator, LooperThread
from runstep.train.graph_io import write_graph
from runstep.train.meta_graph import export_meta_graph
from runstep.train.saver import Saver
from runstep.train.session_manager import SessionManager
from runstep.train.summary_io import FileWriter
from runstep.variables.collections import (
    global_variables,
    global_variables_initializer,
    local_variables_initializer,
    report_uninitialized_variables,
)
from runstep.variables.global_step import global_step as step_of

__all__ = ["Supervisor", "basic_train_loop"]


class Supervisor:
    """Prepares a session, saves checkpoints and summaries beside it, and ends together with what runs in it
    (source: tf.train.Supervisor).

        sv = tf.train.Supervisor(logdir="/tmp/mydir")
        with sv.managed_session() as sess:
            while not sv.should_stop():
                sess.run(train_op)

    Args:
      graph: the default graph by default. Operations are added to it.
      ready_op: gives the names of variables that are not initialized. ready_for_local_init_op: the same, for what
        `local_init_op` needs. None: not asked.
      is_chief: whether this program initializes, restores and saves; the others wait for it.
      init_op, init_feed_dict: run where there is no checkpoint; `init_fn` is called after it with the session.
      local_init_op, local_init_run_options: run in every new session.
      logdir: the folder of checkpoints and event files; made where there is none. None: neither are written.
      summary_op, save_summaries_secs: what is written, and how often; 0 for never.
      saver, save_model_secs: what saves, and how often; 0 for never.
      global_step: counts steps; by default, "global_step:0" where there is one.
      recovery_wait_secs: between two looks at whether the model is ready.
      stop_grace_secs: how long threads may take to end after a stop was requested.
      checkpoint_basename: of the files in `logdir`.
      session_manager, summary_writer: made where they are not given.

    Raises:
      ValueError: a variable of a program that is not the chief has no device.
    """

    USE_DEFAULT = 0
    """What is found in the graph's collections, or made and added to them."""

    def __init__(
        self,
        graph: Graph | None = None,
        ready_op: Any = USE_DEFAULT,
        ready_for_local_init_op: Any = USE_DEFAULT,
        is_chief: bool = True,
        init_op: Any = USE_DEFAULT,
        init_feed_dict: Any = None,
        local_init_op: Any = USE_DEFAULT,
        logdir: str | None = None,
        summary_op: Any = USE_DEFAULT,
        saver: Any = USE_DEFAULT,
        global_step: Any = USE_DEFAULT,
        save_summaries_secs: float = 120,
        save_model_secs: float = 600,
        recovery_wait_secs: float = 30,
        stop_grace_secs: float = 120,
        checkpoint_basename: str = "model.ckpt",
        session_manager: SessionManager | None = None,
        summary_writer: Any = USE_DEFAULT,
        init_fn: Callable[[Any], Any] | None = None,
        local_init_run_options: Any = None,
    ) -> None:
        self._graph = get_default_graph() if graph is None else graph
        self._is_chief = is_chief
        self._coord = Coordinator()
        self._recovery_wait_secs = recovery_wait_secs
        self._stop_grace_secs = stop_grace_secs
        self._init_fn = init_fn
        self._init_feed_dict = init_feed_dict
        self._local_init_run_options = local_init_run_options
        with self._graph.as_default():
            self._ready_op = _default(ready_op, GraphKeys.READY_OP, report_uninitialized_variables)
            self._ready_for_local_init_op = _default(
                ready_for_local_init_op, GraphKeys.READY_FOR_LOCAL_INIT_OP, lambda: None
            )
            self._init_op = _default(init_op, GraphKeys.INIT_OP, global_variables_initializer)
            self._local_init_op = _default(local_init_op, GraphKeys.LOCAL_INIT_OP, _local_init_op)
            self._saver = _default(saver, GraphKeys.SAVERS, lambda: Saver() if global_variables() else None)
            self._summary_op = _default(summary_op, GraphKeys.SUMMARY_OP, merge_all_summaries)
            self._global_step = _default(global_step, GraphKeys.GLOBAL_STEP, self._step_of_graph)
        self._logdir = logdir if is_chief else None
        self._save_model_secs = save_model_secs if is_chief else None
        self._save_summaries_secs = save_summaries_secs if is_chief else None
        self._save_path = os.path.join(logdir, checkpoint_basename) if self._logdir and logdir else None
        self._summary_writer: Any = None
        if is_chief:
            if summary_writer != Supervisor.USE_DEFAULT:
                self._summary_writer = summary_writer
            elif self._logdir:
                self._summary_writer = FileWriter(self._logdir)
        self._graph_added_to_summary = False
        self._meta_graph_def: Any = None
        if is_chief:
            saver_def = None if self._saver is None else self._saver.saver_def
            self._meta_graph_def = export_meta_graph(
                graph_def=self._graph.as_graph_def(add_shapes=True), saver_def=saver_def, graph=self._graph
            )
        self._session_manager = session_manager or SessionManager(
            local_init_op=self._local_init_op,
            ready_op=self._ready_op,
            ready_for_local_init_op=self._ready_for_local_init_op,
            graph=self._graph,
            recovery_wait_secs=recovery_wait_secs,
            local_init_run_options=local_init_run_options,
        )
        self._check_devices()
        self._graph.finalize()

    def _step_of_graph(self) -> Any:
        try:
            step = self._graph.get_tensor_by_name("global_step:0")
        except KeyError:
            return None
        if step.dtype.base_dtype.is_integer:
            return step
        _log.warning("Found 'global_step' is not an int type: %s", step.dtype)
        return None

    def _check_devices(self) -> None:
        if not self._is_chief:
            for op in self._graph.get_operations():
                if op.type in ("Variable", "VariableV2") and not op.device:
                    raise ValueError(f"When using replicas, all Variables must have their device set: {op}")

    @property
    def is_chief(self) -> bool:
        return self._is_chief

    @property
    def session_manager(self) -> SessionManager:
        return self._session_manager

    @property
    def coord(self) -> Coordinator:
        """The Coordinator of all threads."""
        return self._coord

    @property
    def init_op(self) -> Any:
        return self._init_op

    @property
    def init_feed_dict(self) -> Any:
        return self._init_feed_dict

    @property
    def ready_op(self) -> Any:
        return self._ready_op

    @property
    def ready_for_local_init_op(self) -> Any:
        return self._ready_for_local_init_op

    @property
    def summary_writer(self) -> Any:
        """The writer of the chief."""
        return self._summary_writer

    @property
    def summary_op(self) -> Any:
        return self._summary_op

    @property
    def save_summaries_secs(self) -> float | None:
        return self._save_summaries_secs

    @property
    def global_step(self) -> Any:
        return self._global_step

    @property
    def saver(self) -> Any:
        return self._saver

    @property
    def save_model_secs(self) -> float | None:
        return self._save_model_secs

    @property
    def save_path(self) -> str | None:
        """The prefix of checkpoints."""
        return self._save_path

    # --- a session ------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def managed_session(
        self,
        master: str = "",
        config: Any = None,
        start_standard_services: bool = True,
        close_summary_writer: bool = True,
    ) -> Iterator[Any]:
        """A session for a `with` block: prepared at its start; at its end the threads are stopped and it is closed.

        What the block or a thread raises is raised at the end, but for OutOfRangeError, which is an orderly end.
        """
        sess = None
        try:
            sess = self.prepare_or_wait_for_session(
                master=master, config=config, start_standard_services=start_standard_services
            )
            yield sess
        except Exception as error:
            self.request_stop(error)
        finally:
            try:
                self.stop(close_summary_writer=close_summary_writer)
            finally:
                # Its end wakes threads that wait for a queue and do not look at should_stop().
                if sess is not None:
                    with contextlib.suppress(Exception):
                        sess.close()

    def prepare_or_wait_for_session(
        self,
        master: str = "",
        config: Any = None,
        wait_for_checkpoint: bool = False,
        max_wait_secs: float = 7200,
        start_standard_services: bool = True,
    ) -> Any:
        """A session of a model that is ready: the chief makes it so, the others wait. Starts the threads.

        Args:
          wait_for_checkpoint: the chief waits for one, rather than to initialize.
          max_wait_secs: how long is waited.
          start_standard_services: whether the threads, and those of queue runners, are started.
        """
        self._coord.clear_stop()
        if self._summary_writer:
            self._summary_writer.reopen()
        if self._is_chief:
            sess = self._session_manager.prepare_session(
                master,
                init_op=self._init_op,
                saver=self._saver,
                checkpoint_dir=self._logdir,
                wait_for_checkpoint=wait_for_checkpoint,
                max_wait_secs=max_wait_secs,
                config=config,
                init_feed_dict=self._init_feed_dict,
                init_fn=self._init_fn,
            )
            self._write_graph()
            if start_standard_services:
                _log.info("Starting standard services.")
                self.start_standard_services(sess)
        else:
            sess = self._session_manager.wait_for_session(master, config=config, max_wait_secs=max_wait_secs)
        if start_standard_services:
            _log.info("Starting queue runners.")
            self.start_queue_runners(sess)
        return sess

    def _write_graph(self) -> None:
        if self._logdir:
            write_graph(self._graph.as_graph_def(add_shapes=True), self._logdir, "graph.pbtxt")
        if self._summary_writer and not self._graph_added_to_summary:
            self._summary_writer.add_graph(self._graph)
            self._summary_writer.add_meta_graph(self._meta_graph_def)
            self._graph_added_to_summary = True

    # --- threads --------------------------------------------------------------------------------------------------

    def start_standard_services(self, sess: Any) -> list[Thread] | None:
        """Starts the threads that save summaries, the rate of steps, and checkpoints; nothing without a `logdir`.

        Raises:
          RuntimeError: this is not the chief.
        """
        if not self._is_chief:
            raise RuntimeError(
                "Only chief supervisor can start standard services. Because only chief supervisors can write events."
            )
        if not self._logdir:
            _log.warning("Standard services need a 'logdir' passed to the SessionManager")
            return None
        if self._global_step is not None and self._summary_writer:
            # Events of later steps, which a program wrote before it fell back to this checkpoint, are to be dropped.
            step = step_of(sess, self._global_step)
            self._summary_writer.add_session_log(SessionLog(status=SessionLog.START), step)
        threads: list[LooperThread] = []
        if self._save_summaries_secs and self._summary_writer:
            if self._summary_op is not None:
                threads.append(_SummaryThread(self, sess))
            if self._global_step is not None:
                threads.append(_StepCounterThread(self, sess))
        if self._saver and self._save_model_secs:
            threads.append(_CheckpointThread(self, sess))
        for thread in threads:
            thread.start()
        return list(threads)

    def start_queue_runners(self, sess: Any, queue_runners: Sequence[Any] | None = None) -> list[Thread]:
        """Starts the threads of queue runners, by default those of the graph; returns them."""
        runners = self._graph.get_collection(GraphKeys.QUEUE_RUNNERS) if queue_runners is None else queue_runners
        return [
            thread
            for runner in runners
            for thread in runner.create_threads(sess, coord=self._coord, daemon=True, start=True)
        ]

    def loop(
        self,
        timer_interval_secs: float | None,
        target: Callable[..., Any],
        args: Sequence[Any] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> LooperThread:
        """Starts a thread that calls a function every so many seconds (None: without a pause) until the stop."""
        looper = LooperThread(self._coord, timer_interval_secs, target=target, args=args, kwargs=kwargs)
        looper.start()
        return looper

    def stop(
        self,
        threads: Sequence[Thread] | None = None,
        close_summary_writer: bool = True,
        ignore_live_threads: bool = False,
    ) -> None:
        """Stops the threads, waits for them, and raises what one of them raised. The session stays open.

        Args:
          threads: to be waited for besides those that were started here.
          close_summary_writer: whether the event file is closed.
          ignore_live_threads: no error when some have not ended after `stop_grace_secs`.

        Raises:
          RuntimeError: threads have not ended.
        """
        self._coord.request_stop()
        try:
            self._coord.join(
                threads, stop_grace_period_secs=self._stop_grace_secs, ignore_live_threads=ignore_live_threads
            )
        finally:
            if close_summary_writer and self._summary_writer:
                self._summary_writer.add_session_log(SessionLog(status=SessionLog.STOP))
                self._summary_writer.close()
                self._graph_added_to_summary = False

    def request_stop(self, ex: Any = None) -> None:
        """Asks all threads to stop; see `Coordinator.request_stop`."""
        self._coord.request_stop(ex=ex)

    def should_stop(self) -> bool:
        """Whether a stop was requested."""
        return self._coord.should_stop()

    def stop_on_exception(self) -> contextlib.AbstractContextManager[None]:
        """What is raised inside of this `with` block requests a stop."""
        return self._coord.stop_on_exception()

    def wait_for_stop(self) -> None:
        """Waits until a stop is requested."""
        self._coord.wait_for_stop()

    def summary_computed(self, sess: Any, summary: Any, global_step: int | None = None) -> None:
        """Writes a summary, a message or its bytes, under a step: by default, that of the session.

        Raises:
          TypeError: it is neither. RuntimeError: there is no writer.
        """
        if not self._summary_writer:
            raise RuntimeError("Writing a summary requires a summary writer.")
        if global_step is None and self._global_step is not None:
            global_step = step_of(sess, self._global_step)
        self._summary_writer.add_summary(summary, global_step)

    # The names of the first version.
    PrepareSession = prepare_or_wait_for_session
    StartQueueRunners = start_queue_runners
    StartStandardServices = start_standard_services
    Stop = stop
    RequestStop = request_stop
    Loop = loop
    ShouldStop = should_stop
    StopOnException = stop_on_exception
    WaitForStop = wait_for_stop
    SummaryComputed = summary_computed


def _default(given: Any, key: str, make: Callable[[], Any]) -> Any:
    """What was given; else the first item of the collection; else what is made, which is added to it."""
    if given is not Supervisor.USE_DEFAULT:
        return given
    graph = get_default_graph()
    items = graph.get_collection(key)
    if items:
        return items[0]
    made = make()
    if made is not None:
        graph.add_to_collection(key, made)
    return made


def _local_init_op() -> Any:
    ops = [op for op in (local_variables_initializer(), tables_initializer()) if op is not None]
    return group(*ops) if ops else None


class _SummaryThread(LooperThread):
    """Saves summaries."""

    def __init__(self, sv: Supervisor, sess: Any) -> None:
        super().__init__(sv.coord, sv.save_summaries_secs)
        self._sv = sv
        self._sess = sess

    def run_loop(self) -> None:
        sv = self._sv
        step = None
        if sv.global_step is None:
            summary = self._sess.run(sv.summary_op)
        else:
            summary, step = self._sess.run([sv.summary_op, sv.global_step])
        if sv.summary_writer:
            sv.summary_writer.add_summary(summary, step)


class _StepCounterThread(LooperThread):
    """Saves how many steps a second are done, between two summaries."""

    def __init__(self, sv: Supervisor, sess: Any) -> None:
        super().__init__(sv.coord, sv.save_summaries_secs)
        self._sv = sv
        self._sess = sess
        self._last_time = 0.0
        self._last_step = 0
        self._tag = f"{sv.global_step.op.name}/sec"

    def start_loop(self) -> None:
        self._last_time = time.time()
        self._last_step = step_of(self._sess, self._sv.global_step)

    def run_loop(self) -> None:
        step = step_of(self._sess, self._sv.global_step)
        now = time.time()
        elapsed, self._last_time = now - self._last_time, now
        rate = (step - self._last_step) / elapsed if elapsed > 0 else float("inf")
        self._last_step = step
        summary = Summary(value=[Summary.Value(tag=self._tag, simple_value=rate)])
        if self._sv.summary_writer:
            self._sv.summary_writer.add_summary(summary, step)
        _log.info("%s: %g", self._tag, rate)


class _CheckpointThread(LooperThread):
    """Saves checkpoints."""

    def __init__(self, sv: Supervisor, sess: Any) -> None:
        super().__init__(sv.coord, sv.save_model_secs)
        self._sv = sv
        self._sess = sess

    def run_loop(self) -> None:
        sv = self._sv
        _log.info("Saving checkpoint to path %s", sv.save_path)
        sv.saver.save(self._sess, sv.save_path, global_step=sv.global_step)
        if sv.summary_writer and sv.global_step is not None:
            step = step_of(self._sess, sv.global_step)
            log = SessionLog(status=SessionLog.CHECKPOINT, checkpoint_path=sv.save_path)
            sv.summary_writer.add_session_log(log, step)


def basic_train_loop(
    supervisor: Supervisor,
    train_step_fn: Callable[..., Any],
    args: Sequence[Any] | None = None,
    kwargs: dict[str, Any] | None = None,
    master: str = "",
) -> None:
    """Calls `train_step_fn(session, *args, **kwargs)` in a managed session until the supervisor stops
    (source: tf.train.basic_train_loop)."""
    with supervisor.managed_session(master) as sess:
        while not supervisor.should_stop():
            train_step_fn(sess, *(args or ()), **(kwargs or {}))
