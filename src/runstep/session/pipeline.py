"""Partial runs as objects: what their handles can do beyond being strings, and what sessions offer for them."""

from __future__ import annotations

import contextlib
import functools
import os
from typing import TYPE_CHECKING, Any

import attrs

from runstep.session.awaitable import wait

if TYPE_CHECKING:
    from runstep.session.session import BaseSession


@attrs.frozen
class PartialRunStatistics:
    """What a partial run is doing.

    Attributes:
      feeds_left, fetches_left: names of what has not been fed, and not been fetched.
      tasks_done, tasks: how many tasks have run, of how many.
      waiting: what its kernels wait for, in words.
      nbytes: bytes of the values that it holds.
    """

    feeds_left: tuple[str, ...]
    fetches_left: tuple[str, ...]
    tasks_done: int
    tasks: int
    waiting: tuple[str, ...]
    nbytes: int


class PartialRunHandle(str):
    """A partial run: what `partial_run_setup` and `pipeline` return, a string for those who want one.

        with session.pipeline([r1, r2], [a, b, c]) as p:
            product = p(r2, {c: p(r1, {a: 1, b: 2})})

    Under `async with`, calls are awaited: `await p(r1, {a: 1, b: 2})`. At the end of the block the step ends; without a
    block it lives until all of it is fed and fetched, or nobody refers to it.
    """

    __slots__ = ("__weakref__", "_awaits", "_run", "_runs", "_session")

    _run: Any
    _session: BaseSession
    _runs: dict[str, Any]
    _awaits: bool

    def __call__(self, fetches: Any, feed_dict: Any = None, *, options: Any = None, run_metadata: Any = None) -> Any:
        """As `session.partial_run` with this handle; to be awaited under `async with`."""
        run = self._session.apartial_run if self._awaits else self._session.partial_run
        return run(self, fetches, feed_dict, options=options, run_metadata=run_metadata)

    def fork(self) -> PartialRunHandle:
        """A second handle whose step goes on from where this one's is.

        What has been fed, fetched and computed holds for both, and is neither computed again nor copied. What has not
        finished begins afresh for the fork: where a kernel waits for a queue, each of the two takes an element of its
        own. A kernel that computes is let finish first; calls on the fork wait for it.

        Raises:
          InvalidArgumentError: the handle is spent.
        """
        twin = self._session._partial_runs.fork(self._session, self)
        twin._awaits = self._awaits
        found: PartialRunHandle = twin
        return found

    def save(self, path: str | os.PathLike[str]) -> Any:
        """Writes the suspended step to a file, which `session.restore_partial_run` goes on from, in any process.

        The file has the values that are still needed, what was fed and fetched, and fingerprints of the graph and the
        plan. It appears complete or not at all. Variables, queues and tables are the session's: handles of them are
        saved, their contents are not. The handle stays usable. Under `async with`, to be awaited.

        Raises:
          InvalidArgumentError: the handle is spent. UnimplementedError: the step holds what cannot leave the process: a
            TensorArray, a TensorList, an anonymous resource. OSError: of the file. Or the error that ended the step.
        """
        from runstep.session.durable import save

        state = self._session._partial_runs.capture(self._session, self)
        if self._awaits:
            return _saved(self, state, path)
        from runstep.session.suspended import wait_for

        save(self, wait_for(self._session._engine, state), path)  # type: ignore[arg-type]
        return None

    def close(self) -> None:
        """Ends the step and frees what it holds; returns when it has ended, or under `async with` at once.

        Twice is fine.
        """
        ended = self._session._partial_runs.close(self._session, self)
        if ended is not None and not (self._awaits or self._session._engine.loop.is_current):  # type: ignore[union-attr]
            ended.result()

    def statistics(self) -> PartialRunStatistics:
        """What the step is doing; of a handle that is spent, what it has done."""
        found: PartialRunStatistics = self._run.statistics()
        return found

    def __enter__(self) -> PartialRunHandle:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()

    async def __aenter__(self) -> PartialRunHandle:
        self._awaits = True
        return self

    async def __aexit__(self, *exc: Any) -> None:
        """Ends the step, and waits until its kernels have ended."""
        run = self._run
        ended = None if run.over else run.abandon()
        if ended is not None:
            await wait(ended, lambda: None)

    def __del__(self) -> None:
        """Nobody refers to the handle any more: its step ends."""
        run = getattr(self, "_run", None)
        if run is not None:
            self._runs.pop(self, None)
            if not run.over:
                with contextlib.suppress(Exception):  # the loop may have ended before
                    run.abandon()

    def __reduce__(self) -> Any:
        return str, (str(self),)  # the step stays where it is


async def _saved(handle: PartialRunHandle, state: Any, path: Any) -> None:
    from runstep.session.durable import save

    save(handle, await wait(state, lambda: None), path)


class PartialRunning:
    """What sessions can do for partial runs."""

    def partial_run_setup(self: Any, fetches: Any, feeds: Any = None, *, options: Any = None) -> PartialRunHandle:
        """Begins a step that `partial_run` feeds and fetches in several calls (source: tf.Session.partial_run_setup).

        Whatever needs no feeds runs at once. The step lives as long as the handle, or until all of it is fed and
        fetched.

        Args:
          fetches: what those calls will fetch, as for `run`; operations (train ops) too.
          feeds: the feed keys whose values those calls will bring: one, or a list of them.
          options: a RunOptions message; with a trace_level, the calls fill the RunMetadata that they are given.

        Returns:
          A handle: a string of its own for each setup.

        Raises:
          RuntimeError: the session is closed, or its graph is empty. TypeError, ValueError: fetches or feeds are no
            such thing. InvalidArgumentError: nothing to fetch, or a tensor is fed twice.
        """
        self._check_open()
        handle: PartialRunHandle = self._partial_runs.setup(self, fetches, feeds, options)
        return handle

    def pipeline(self: Any, fetches: Any, feeds: Any = None, *, options: Any = None) -> PartialRunHandle:
        """`partial_run_setup` for use in a `with` or `async with` block: the handle is called (`PartialRunHandle`)."""
        handle: PartialRunHandle = self.partial_run_setup(fetches, feeds, options=options)
        return handle

    def partial_run(
        self: Any, handle: str, fetches: Any, feed_dict: Any = None, *, options: Any = None, run_metadata: Any = None
    ) -> Any:
        """Continues a step with more feeds and fetches (source: tf.Session.partial_run).

        Args:
          handle: from `partial_run_setup`.
          fetches: some of what was announced there; each once. feed_dict: some of the feeds announced there, each once.
          options: a RunOptions message: its time limit holds for this call. run_metadata: a RunMetadata message that is
            filled with what the step has done so far.

        Returns:
          The values, in the structure of `fetches`; None for an operation, once it has finished.

        Raises:
          InvalidArgumentError: the handle is unknown or spent, a feed or fetch was not announced, has been used, or
            needs feeds that have not come. OpError: a kernel failed; the handle is then spent. Otherwise as `run`.
        """
        if self._closed:
            raise RuntimeError("Attempted to use a closed Session.")
        return self._partial_runs.run(self, handle, fetches, feed_dict, options, run_metadata)

    def partial_run_close(self: Any, handle: str) -> None:
        """Ends a partial run and frees what it holds; as happens when its handle is garbage. Twice is fine."""
        self._partial_runs.close(self, handle)

    def restore_partial_run(self: Any, path: str | os.PathLike[str]) -> PartialRunHandle:
        """A handle that goes on from where a saved one was (`PartialRunHandle.save`).

        The graph needs the operations of the partial run, under the same names; it may have others.

        Raises:
          DataLossError: the file is damaged, or is no saved partial run. InvalidArgumentError: it belongs to another
            graph. FailedPreconditionError: the plan differs, since the version, the devices or the options do.
          RuntimeError: the session is closed. OSError: the file cannot be read.
        """
        from runstep.session.durable import restore

        self._check_open()
        return restore(self, path)

    @functools.cached_property
    def _partial_runs(self: Any) -> Any:
        from runstep.session.partial import PartialRuns

        runs = PartialRuns()
        self._engine.on_close.append(runs.close_all)
        return runs
