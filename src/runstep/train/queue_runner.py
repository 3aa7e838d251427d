"""Threads that fill queues."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

from runstep import errors, logging as _log
from runstep.graph.collections import GraphKeys
from runstep.graph.graph import get_default_graph
from runstep.session.default import get_default_session
from runstep.session.session import BaseSession
from runstep.train.coordinator import Coordinator
from runstep.variables.facts import with_scope, without_scope

if TYPE_CHECKING:
    from runstep.ops.data_flow import QueueBase

__all__ = ["QueueRunner", "add_queue_runner", "start_queue_runners"]


class QueueRunner:
    """Enqueue operations of a queue, each of which a thread of its own runs (source: tf.train.QueueRunner).

    When the last of them ends, the queue is closed; when the Coordinator asks for a stop, pending enqueues are
    cancelled.

    Args:
      queue: what is filled. enqueue_ops: one thread each.
      close_op, cancel_op: how the queue is closed, with pending enqueues to be finished, or to be cancelled.
      queue_closed_exception_types: errors that mean that the input has ended; OutOfRangeError by default.
      queue_runner_def: a `QueueRunnerDef` message in the place of the others. import_scope: a prefix of its names.

    Raises:
      ValueError, TypeError: an argument is missing or of the wrong kind.
    """

    def __init__(
        self,
        queue: QueueBase | None = None,
        enqueue_ops: Any = None,
        close_op: Any = None,
        cancel_op: Any = None,
        queue_closed_exception_types: Any = None,
        queue_runner_def: Any = None,
        import_scope: str | None = None,
    ) -> None:
        self._queue: Any
        if queue_runner_def is not None:
            if queue or enqueue_ops:
                raise ValueError("queue_runner_def and queue are mutually exclusive.")
            self._find(queue_runner_def, import_scope)
        else:
            if not queue or not enqueue_ops:
                raise ValueError("Must provide queue and enqueue_ops.")
            self._queue = queue
            self._enqueue_ops = enqueue_ops
            self._close_op = queue.close() if close_op is None else close_op
            self._cancel_op = queue.close(cancel_pending_enqueues=True) if cancel_op is None else cancel_op
            self._closed_types = _checked(queue_closed_exception_types)
        self._lock = threading.Lock()
        # How many threads still run in each session.
        self._runs: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        self._exceptions_raised: list[Exception] = []

    def _find(self, message: Any, import_scope: str | None) -> None:
        def find(name: str) -> Any:
            return get_default_graph().as_graph_element(with_scope(name, import_scope))

        self._queue = find(message.queue_name)
        self._enqueue_ops = [find(name) for name in message.enqueue_op_name]
        self._close_op, self._cancel_op = find(message.close_op_name), find(message.cancel_op_name)
        kinds = [errors.exception_type_from_error_code(code) for code in message.queue_closed_exception_types]
        self._closed_types = _checked(tuple(kinds) or None)

    @property
    def queue(self) -> Any:
        return self._queue

    @property
    def enqueue_ops(self) -> list[Any]:
        return self._enqueue_ops

    @property
    def close_op(self) -> Any:
        return self._close_op

    @property
    def cancel_op(self) -> Any:
        return self._cancel_op

    @property
    def queue_closed_exception_types(self) -> tuple[type[Exception], ...]:
        return self._closed_types

    @property
    def exceptions_raised(self) -> list[Exception]:
        """What threads without a Coordinator raised."""
        return self._exceptions_raised

    @property
    def name(self) -> str:
        """The queue's name."""
        return self._queue.name

    def create_threads(
        self, sess: Any, coord: Coordinator | None = None, daemon: bool = False, start: bool = False
    ) -> list[threading.Thread]:
        """A thread for each enqueue operation, and with `coord` one that waits for the stop.

        None are made while those of an earlier call still run.
        """
        with self._lock:
            if self._runs.get(sess, 0) > 0:
                return []
            self._runs[sess] = len(self._enqueue_ops)
            self._exceptions_raised = []
        threads = [
            threading.Thread(
                target=self._run, args=(sess, op, coord), name=f"QueueRunnerThread-{self.name}-{op.name}", daemon=daemon
            )
            for op in self._enqueue_ops
        ]
        if coord is not None:
            name = f"QueueRunnerThread-{self.name}-close_on_stop"
            threads.append(threading.Thread(target=self._stop, args=(sess, coord), name=name, daemon=daemon))
            for thread in threads:
                coord.register_thread(thread)
        if start:
            for thread in threads:
                thread.start()
        return threads

    def _run(self, sess: Any, enqueue_op: Any, coord: Coordinator | None) -> None:
        try:
            enqueue = sess.make_callable(enqueue_op)
            while coord is None or not coord.should_stop():
                enqueue()
        except self._closed_types:
            if self._ended(sess) == 0:
                self._quietly(sess, self._close_op)
            return
        except Exception as error:
            self._ended(sess)
            if coord is not None:
                coord.request_stop(error)
                return
            _log.error("Exception in QueueRunner: %s", error)
            with self._lock:
                self._exceptions_raised.append(error)
            raise
        self._ended(sess)

    def _ended(self, sess: Any) -> int:
        with self._lock:
            self._runs[sess] -= 1
            return self._runs[sess]

    def _stop(self, sess: Any, coord: Coordinator) -> None:
        coord.wait_for_stop()
        self._quietly(sess, self._cancel_op)

    def _quietly(self, sess: Any, op: Any) -> None:
        try:
            sess.run(op)
        except Exception as error:
            _log.debug("Ignored exception: %s", error)

    def to_proto(self, export_scope: str | None = None) -> Any:
        """As a `QueueRunnerDef` message; None for one outside of `export_scope`."""
        from runstep.protos.queue_runner_pb2 import QueueRunnerDef

        if export_scope is not None and not self.queue.name.startswith(export_scope):
            return None
        codes: list[Any] = [errors.error_code_from_exception_type(kind) for kind in self._closed_types]
        return QueueRunnerDef(
            queue_name=without_scope(self.queue.name, export_scope),
            enqueue_op_name=[without_scope(op.name, export_scope) for op in self._enqueue_ops],
            close_op_name=without_scope(self._close_op.name, export_scope),
            cancel_op_name=without_scope(self._cancel_op.name, export_scope),
            queue_closed_exception_types=codes,
        )

    @staticmethod
    def from_proto(queue_runner_def: Any, import_scope: str | None = None) -> QueueRunner:
        """The QueueRunner of operations of the default graph that a `QueueRunnerDef` message names."""
        return QueueRunner(queue_runner_def=queue_runner_def, import_scope=import_scope)


def _checked(types: Any) -> tuple[type[Exception], ...]:
    if types is None:
        return (errors.OutOfRangeError,)
    if not (
        isinstance(types, tuple) and types and all(isinstance(t, type) and issubclass(t, errors.OpError) for t in types)
    ):
        raise TypeError(
            f"queue_closed_exception_types, when provided, must be a tuple of tf.error types, but saw: {types}"
        )
    return types


def add_queue_runner(qr: QueueRunner, collection: str = GraphKeys.QUEUE_RUNNERS) -> None:
    """Adds a QueueRunner to the collection of those that are started together (source: tf.train.add_queue_runner)."""
    get_default_graph().add_to_collection(collection, qr)


def start_queue_runners(
    sess: Any = None,
    coord: Coordinator | None = None,
    daemon: bool = True,
    start: bool = True,
    collection: str = GraphKeys.QUEUE_RUNNERS,
) -> list[threading.Thread]:
    """Starts the threads of all QueueRunners of the session's graph (source: tf.train.start_queue_runners).

    Args:
      sess: the default session by default. daemon: the threads don't keep the program alive.
      start: False only makes the threads.

    Raises:
      ValueError: there is no session. TypeError: `sess` is not one.
    """
    if sess is None:
        sess = get_default_session()
        if sess is None:
            raise ValueError(
                "Cannot start queue runners: No default session is registered. Use `with sess.as_default()` or pass an "
                "explicit session to tf.start_queue_runners(sess=sess)"
            )
    if not isinstance(sess, BaseSession):
        from runstep.train.monitored_session import MonitoredSession

        if isinstance(sess, MonitoredSession):
            return []  # it has started them
        raise TypeError(f"sess must be a `tf.Session` object. Given class: {type(sess)}")
    runners = sess.graph.get_collection(collection)
    if not runners:
        _log.warning(
            "`tf.train.start_queue_runners()` was called when no queue runners were defined. You can safely remove the "
            "call to this deprecated function."
        )
    threads = []
    with sess.graph.as_default():
        for runner in runners:
            threads.extend(runner.create_threads(sess, coord=coord, daemon=daemon, start=start))
    return threads
