"""`tf.train.CheckpointManager`: numbered checkpoints of a folder, of which the old ones are removed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from runstep.session.default import get_default_session
from runstep.train.checkpoint import Checkpoint
from runstep.train.checkpoint_management import get_checkpoint_state, remove_checkpoint, update_checkpoint_state

__all__ = ["CheckpointManager"]


class CheckpointManager:
    """Saves a `tf.train.Checkpoint` again and again in one folder (source: tf.train.CheckpointManager).

    What is in the folder already, by its file "checkpoint", counts as its own. Saving and restoring is done in the
    default session.

    Args:
      max_to_keep: older checkpoints are removed; None keeps all.
      keep_checkpoint_every_n_hours: one of them is kept in so many hours.
      checkpoint_name: what their names begin with.
      step_counter, checkpoint_interval: a variable, and how much it must have grown for `save` to save.
      init_fn: called by `restore_or_initialize` where there is no checkpoint.
      last_checkpoint_step: the counter when it was saved last.

    Raises:
      ValueError: `max_to_keep` is not positive, or there is an interval without a counter.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        directory: Any,
        max_to_keep: int | None,
        keep_checkpoint_every_n_hours: float | None = None,
        checkpoint_name: str = "ckpt",
        step_counter: Any = None,
        checkpoint_interval: int | None = None,
        init_fn: Callable[[], Any] | None = None,
        last_checkpoint_step: int | None = None,
    ) -> None:
        if max_to_keep is not None and max_to_keep <= 0:
            raise ValueError(f"Expected a positive integer or `None` for `max_to_keep`, got {max_to_keep}.")
        if checkpoint_interval is not None and step_counter is None:
            raise ValueError("`step_counter` should be passed if `checkpoint_interval` is not None.")
        self._checkpoint = checkpoint
        self._directory = os.fspath(directory)
        self._max_to_keep = max_to_keep
        self._keep_every = keep_checkpoint_every_n_hours
        self._name = checkpoint_name
        self._counter = step_counter
        self._interval = checkpoint_interval
        self._init_fn = init_fn
        self._last_step = last_checkpoint_step
        state = get_checkpoint_state(self._directory)
        self._latest: str | None = None
        self._last_kept = time.time()
        self._kept: dict[str, float] = {}
        """When each checkpoint was made, the oldest first."""
        if state is not None:
            self._latest = state.model_checkpoint_path
            self._last_kept = state.last_preserved_timestamp
            times = state.all_model_checkpoint_timestamps
            paths = list(state.all_model_checkpoint_paths)
            if len(times) != len(paths):  # written by a Saver
                times, self._last_kept = [time.time()] * len(paths), time.time()
            self._kept = dict(zip(paths, times, strict=True))

    @property
    def checkpoint(self) -> Checkpoint:
        return self._checkpoint

    @property
    def directory(self) -> str:
        return self._directory

    @property
    def checkpoint_interval(self) -> int | None:
        return self._interval

    @property
    def latest_checkpoint(self) -> str | None:
        """The path of the latest checkpoint; None where there is none."""
        return self._latest

    @property
    def checkpoints(self) -> list[str]:
        """The paths of the checkpoints that are kept, the oldest first."""
        return list(self._kept)

    def save(self, checkpoint_number: Any = None, check_interval: bool = True, options: Any = None) -> str | None:
        """Writes a checkpoint and removes old ones.

        Args:
          checkpoint_number: what its name ends with, a number or a variable; by default, that of the save.
          check_interval: whether nothing is done before the step counter has grown by the interval.
          options: not used.

        Returns:
          Its path; None where nothing was done.
        """
        if self._interval is not None:
            step = self._step()
            if check_interval and self._last_step is not None and step - self._last_step < self._interval:
                return None
            self._last_step = step
        session = get_default_session()
        if session is None:
            raise ValueError("A CheckpointManager saves in the default session, and there is none.")
        number = self._checkpoint._counted(session)
        if checkpoint_number is not None:
            number = int(session.run(checkpoint_number) if hasattr(checkpoint_number, "op") else checkpoint_number)
        path = self._checkpoint.write(os.path.join(self._directory, f"{self._name}-{number}"), session)
        self._kept.pop(path, None)
        self._kept[path] = time.time()
        self._latest = path
        self._write_state()  # before any file goes: whoever reads it finds what it names
        self._sweep()
        self._write_state()
        return path

    def _step(self) -> int:
        return int(self._counter.eval())

    def _write_state(self) -> None:
        assert self._latest is not None
        update_checkpoint_state(
            self._directory,
            self._latest,
            list(self._kept),
            all_model_checkpoint_timestamps=list(self._kept.values()),
            last_preserved_timestamp=self._last_kept,
        )

    def _sweep(self) -> None:
        while self._max_to_keep is not None and len(self._kept) > self._max_to_keep:
            path, made = next(iter(self._kept.items()))
            del self._kept[path]
            if self._keep_every is not None and made - self._keep_every * 3600 >= self._last_kept:
                self._last_kept = made
                continue
            remove_checkpoint(path)

    def restore_or_initialize(self) -> str | None:
        """Restores the latest checkpoint in the default session, else calls `init_fn`.

        Returns:
          The checkpoint's path; None where there was none.
        """
        if self._latest is not None:
            self._checkpoint.restore(self._latest).run_restore_ops()
            if self._interval is not None:
                self._last_step = self._step()
            return self._latest
        if self._init_fn is not None:
            self._init_fn()
            if self._interval is not None:
                self._last_step = self._step()
        return None

    def sync(self) -> None:
        """Waits until everything is written, which it always is."""
