"""What a hook is: it sees every run of a monitored session, and may add to it."""

from __future__ import annotations

import collections
from typing import Any

__all__ = ["SessionRunArgs", "SessionRunContext", "SessionRunHook", "SessionRunValues"]


class SessionRunHook:
    """Takes part in the runs of a monitored session (source: tf.train.SessionRunHook). Override what is of interest."""

    def begin(self) -> None:
        """Called once, before the session is made. The graph may still be added to."""

    def after_create_session(self, session: Any, coord: Any) -> None:
        """Called when a session was made; again after each recovery. The graph is final."""

    def before_run(self, run_context: Any) -> Any:
        """Called before each run. May return `SessionRunArgs`: what to fetch and feed besides."""
        return None

    def after_run(self, run_context: Any, run_values: Any) -> None:
        """Called after each run with its `SessionRunValues`; not when it raised."""

    def end(self, session: Any) -> None:
        """Called at the end, with the session still open; not when a run raised anything but OutOfRangeError."""


class SessionRunArgs(
    collections.namedtuple("SessionRunArgs", ["fetches", "feed_dict", "options"])  # noqa: PYI024
):
    """What a hook adds to a run (source: tf.train.SessionRunArgs).

    Attributes:
      fetches: as `Session.run` takes. feed_dict: feeds that nobody else gives. options: a `RunOptions` message.
    """

    def __new__(cls, fetches: Any, feed_dict: Any = None, options: Any = None) -> SessionRunArgs:
        return super().__new__(cls, fetches, feed_dict, options)


class SessionRunContext:
    """The run that a hook sees (source: tf.train.SessionRunContext)."""

    def __init__(self, original_args: Any, session: Any) -> None:
        self._original_args = original_args
        self._session = session
        self._stop_requested = False

    @property
    def original_args(self) -> Any:
        """The `SessionRunArgs` of the caller."""
        return self._original_args

    @property
    def session(self) -> Any:
        """The session, for runs of the hook's own."""
        return self._session

    @property
    def stop_requested(self) -> bool:
        return self._stop_requested

    def request_stop(self) -> None:
        """Makes the monitored session's `should_stop` true after this run."""
        self._stop_requested = True


SessionRunValues = collections.namedtuple("SessionRunValues", ["results", "options", "run_metadata"])
SessionRunValues.__doc__ = """What a hook gets after a run (source: tf.train.SessionRunValues).

Attributes:
  results: of its fetches. options, run_metadata: those of the run.
"""
