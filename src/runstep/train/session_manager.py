"""Getting a session whose variables are there: restored, initialized, or waited for."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from runstep import errors, logging as _log
from runstep.graph.graph import Graph, get_default_graph
from runstep.session.session import Session
from runstep.train.checkpoint_management import get_checkpoint_state

__all__ = ["SessionManager"]


class SessionManager:
    """Makes sessions that are ready to use (source: tf.train.SessionManager).

    Args:
      local_init_op: run in each new session.
      ready_op: gives the names of variables that are not initialized. ready_for_local_init_op: the same, for what
        `local_init_op` needs.
      graph: the default graph by default.
      recovery_wait_secs: between two looks at whether the model is ready.
      local_init_run_options, local_init_feed_dict: for running `local_init_op`.

    Raises:
      ValueError: there is a `ready_for_local_init_op` and no `local_init_op`.
    """

    def __init__(
        self,
        local_init_op: Any = None,
        ready_op: Any = None,
        ready_for_local_init_op: Any = None,
        graph: Graph | None = None,
        recovery_wait_secs: float = 30,
        local_init_run_options: Any = None,
        local_init_feed_dict: Any = None,
    ) -> None:
        self._local_init_op = local_init_op
        self._ready_op = ready_op
        self._ready_for_local_init_op = ready_for_local_init_op
        self._graph = graph or get_default_graph()
        self._recovery_wait_secs = recovery_wait_secs
        self._local_init_run_options = local_init_run_options
        self._local_init_feed_dict = local_init_feed_dict
        if ready_for_local_init_op is not None and local_init_op is None:
            raise ValueError(
                "If you pass a ready_for_local_init_op you must also pass a local_init_op , "
                f"ready_for_local_init_op [{ready_for_local_init_op}]"
            )

    def prepare_session(
        self,
        master: str,
        init_op: Any = None,
        saver: Any = None,
        checkpoint_dir: str | None = None,
        checkpoint_filename_with_path: str | None = None,
        wait_for_checkpoint: bool = False,
        max_wait_secs: float = 7200,
        config: Any = None,
        init_feed_dict: Any = None,
        init_fn: Any = None,
    ) -> Session:
        """A session with the variables of the latest checkpoint, or initialized where there is none.

        Raises:
          RuntimeError: the model is not ready after that.
        """
        sess, restored = self._restore_checkpoint(
            master, saver, checkpoint_dir, checkpoint_filename_with_path, wait_for_checkpoint, max_wait_secs, config
        )
        if not restored:
            if init_op is None and not init_fn and self._local_init_op is None:
                raise RuntimeError("Model is not initialized and no init_op or init_fn or local_init_op was given")
            if init_op is not None:
                sess.run(init_op, feed_dict=init_feed_dict)
            if init_fn:
                init_fn(sess)
        used = f"Init op: {_name(init_op)}, init fn: {init_fn}, local_init_op: {self._local_init_op}, error: "
        done, message = self._try_run_local_init_op(sess)
        if not done:
            raise RuntimeError(f"Init operations did not make model ready for local_init.  {used}{message}")
        ready, message = self._ready(self._ready_op, sess)
        if not ready:
            raise RuntimeError(f"Init operations did not make model ready.  {used}{message}")
        return sess

    def recover_session(
        self,
        master: str,
        saver: Any = None,
        checkpoint_dir: str | None = None,
        checkpoint_filename_with_path: str | None = None,
        wait_for_checkpoint: bool = False,
        max_wait_secs: float = 7200,
        config: Any = None,
    ) -> tuple[Session, bool]:
        """A session, and whether a checkpoint made it ready."""
        sess, restored = self._restore_checkpoint(
            master, saver, checkpoint_dir, checkpoint_filename_with_path, wait_for_checkpoint, max_wait_secs, config
        )
        done, message = self._try_run_local_init_op(sess)
        if not restored:
            return sess, False
        source = checkpoint_dir or checkpoint_filename_with_path
        if not done:
            _log.info("Restoring model from %s did not make model ready for local init: %s", source, message)
            return sess, False
        ready, message = self._ready(self._ready_op, sess)
        if not ready:
            _log.info("Restoring model from %s did not make model ready: %s", source, message)
            return sess, False
        _log.info("Restored model from %s", source)
        return sess, True

    def wait_for_session(self, master: str, config: Any = None, max_wait_secs: float | None = None) -> Session:
        """A session of a model that somebody else initializes; a DeadlineExceededError when that takes too long."""
        stop = None if max_wait_secs is None else time.time() + max_wait_secs
        while True:
            sess = Session(master, graph=self._graph, config=config)
            done, message = self._try_run_local_init_op(sess)
            if done:
                ready, message = self._ready(self._ready_op, sess)
                if ready:
                    return sess
            sess.close()
            if stop is not None and stop - time.time() < self._recovery_wait_secs:
                raise errors.DeadlineExceededError(
                    None, None, f"Session was not ready after waiting {max_wait_secs} secs."
                )
            _log.info("Waiting for model to be ready: %s", message)
            time.sleep(self._recovery_wait_secs)

    def _restore_checkpoint(
        self,
        master: str,
        saver: Any,
        folder: str | None,
        path: str | None,
        wait: bool,
        max_wait_secs: float,
        config: Any,
    ) -> tuple[Session, bool]:
        if folder and path:
            raise ValueError("Can not provide both checkpoint_dir and checkpoint_filename_with_path.")
        sess = Session(master, graph=self._graph, config=config)
        if saver is None or not (folder or path):
            return sess, False
        if path:
            saver.restore(sess, path)
            return sess, True
        stop = time.time() + max_wait_secs
        while (state := get_checkpoint_state(folder)) is None:  # type: ignore[arg-type]
            if not wait or time.time() >= stop:
                return sess, False
            _log.info("Waiting for checkpoint to be available.")
            time.sleep(self._recovery_wait_secs)
        saver.restore(sess, state.model_checkpoint_path)
        saver.recover_last_checkpoints(state.all_model_checkpoint_paths)
        return sess, True

    def _try_run_local_init_op(self, sess: Session) -> tuple[bool, str | None]:
        if self._local_init_op is None:
            return True, None
        ready, message = self._ready(self._ready_for_local_init_op, sess)
        if not ready:
            return False, message
        _log.info("Running local_init_op.")
        sess.run(self._local_init_op, feed_dict=self._local_init_feed_dict, options=self._local_init_run_options)
        _log.info("Done running local_init_op.")
        return True, None

    @staticmethod
    def _ready(op: Any, sess: Session) -> tuple[bool, str | None]:
        if op is None:
            return True, None
        try:
            missing = sess.run(op)
        except errors.FailedPreconditionError as error:
            if "uninitialized" not in str(error):
                _log.warning("Model not ready : error [%s]", error)
                raise
            return False, str(error)
        if missing is None or missing.dtype == np.int32 or missing.size == 0:
            return True, None
        return False, f"Variables not initialized: {', '.join(name.decode() for name in missing)}"


def _name(op: Any) -> str | None:
    return op.name if hasattr(op, "name") else None if op is None else str(op)
