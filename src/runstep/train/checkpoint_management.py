"""Which checkpoints there are in a folder: the file "checkpoint", and the files of each of them."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Sequence
from typing import Any

from runstep import errors, gfile, logging as _log
from runstep.protos.saver_pb2 import SaverDef
from runstep.train.graph_io import write_message

__all__ = [
    "checkpoint_exists",
    "generate_checkpoint_state_proto",
    "get_checkpoint_mtimes",
    "get_checkpoint_state",
    "latest_checkpoint",
    "remove_checkpoint",
    "update_checkpoint_state",
]


def generate_checkpoint_state_proto(
    save_dir: str,
    model_checkpoint_path: str,
    all_model_checkpoint_paths: Sequence[str] | None = None,
    all_model_checkpoint_timestamps: Sequence[float] | None = None,
    last_preserved_timestamp: float | None = None,
) -> Any:
    """A `CheckpointState` message (source: tf.train.generate_checkpoint_state_proto).

    Paths become relative to `save_dir` where that is relative. The latest checkpoint is the last of all.

    Raises:
      ValueError: the numbers of paths and timestamps differ.
    """
    from runstep.protos.checkpoint_state_pb2 import CheckpointState

    paths = list(all_model_checkpoint_paths or ())
    times = all_model_checkpoint_timestamps
    if times and len(times) != len(paths):
        raise ValueError(
            "Checkpoint timestamps, if provided, must match checkpoint paths (got paths "
            f"{paths} and timestamps {times})"
        )
    if not paths or paths[-1] != model_checkpoint_path:
        paths.append(model_checkpoint_path)
    if not os.path.isabs(save_dir):
        paths = [path if os.path.isabs(path) else os.path.relpath(path, save_dir) for path in paths]
    return CheckpointState(
        model_checkpoint_path=paths[-1],
        all_model_checkpoint_paths=paths,
        all_model_checkpoint_timestamps=times or (),
        last_preserved_timestamp=last_preserved_timestamp or 0.0,
    )


def update_checkpoint_state(
    save_dir: str,
    model_checkpoint_path: str,
    all_model_checkpoint_paths: Sequence[str] | None = None,
    latest_filename: str | None = None,
    all_model_checkpoint_timestamps: Sequence[float] | None = None,
    last_preserved_timestamp: float | None = None,
) -> None:
    """Writes the state of the checkpoints in `save_dir` (source: tf.train.update_checkpoint_state).

    Args:
      latest_filename: of the state's file; "checkpoint" by default.

    Raises:
      RuntimeError: the checkpoint has the name of that file.
    """
    state = generate_checkpoint_state_proto(
        save_dir,
        model_checkpoint_path,
        all_model_checkpoint_paths,
        all_model_checkpoint_timestamps,
        last_preserved_timestamp,
    )
    _write_state(save_dir, state, latest_filename)


def write_relative_state(save_dir: str, latest: str, paths: Iterable[str], latest_filename: str | None) -> None:
    """As `update_checkpoint_state`, with paths as seen from `save_dir`: the folder can be moved."""

    def relative(path: str) -> str:
        return os.path.relpath(path, save_dir) if os.path.isabs(path) else path

    state = generate_checkpoint_state_proto(save_dir, relative(latest), [relative(path) for path in paths])
    _write_state(save_dir, state, latest_filename)


def _write_state(save_dir: str, state: Any, latest_filename: str | None) -> None:
    path = os.path.join(save_dir, latest_filename or "checkpoint")
    if path == state.model_checkpoint_path:
        raise RuntimeError(
            f"Save path '{state.model_checkpoint_path}' conflicts with path used for checkpoint state.  Please use a "
            "different save path."
        )
    write_message(state, path, as_text=True)


def get_checkpoint_state(checkpoint_dir: str, latest_filename: str | None = None) -> Any:
    """The `CheckpointState` of a folder, with paths that include it; None where there is none.

    Source: tf.train.get_checkpoint_state.

    Raises:
      ValueError: the state names no checkpoint.
    """
    from google.protobuf import text_format

    from runstep.protos.checkpoint_state_pb2 import CheckpointState

    checkpoint_dir = os.fspath(checkpoint_dir)
    path = os.path.join(checkpoint_dir, latest_filename or "checkpoint")
    if not os.path.exists(path):
        return None
    state = CheckpointState()
    try:
        with gfile.GFile(path) as file:
            text_format.Merge(file.read(), state)
    except (errors.OpError, text_format.ParseError) as error:
        _log.warning("%s: %s", path, error)
        return None
    if not state.model_checkpoint_path:
        raise ValueError(f"Invalid checkpoint state loaded from {checkpoint_dir}")
    state.model_checkpoint_path = os.path.join(checkpoint_dir, state.model_checkpoint_path)
    for index, one in enumerate(state.all_model_checkpoint_paths):
        state.all_model_checkpoint_paths[index] = os.path.join(checkpoint_dir, one)
    return state


def latest_checkpoint(checkpoint_dir: str, latest_filename: str | None = None) -> str | None:
    """The path of the latest checkpoint of a folder; None where there is none (source: tf.train.latest_checkpoint)."""
    state = get_checkpoint_state(checkpoint_dir, latest_filename)
    if state is None:
        return None
    if checkpoint_exists(state.model_checkpoint_path):
        return state.model_checkpoint_path
    _log.error("Couldn't match files for checkpoint %s", state.model_checkpoint_path)
    return None


def checkpoint_exists(checkpoint_prefix: str) -> bool:
    """Whether there is a checkpoint of either format (source: tf.train.checkpoint_exists)."""
    prefix = os.fspath(checkpoint_prefix)
    return bool(_matching(prefix + ".index") or _matching(prefix))


def _matching(pattern: str) -> list[str]:
    return sorted(glob.glob(pattern)) or ([pattern] if os.path.isfile(pattern) else [])


def get_checkpoint_mtimes(checkpoint_prefixes: Iterable[str]) -> list[float]:
    """When the checkpoints were written, in seconds since 1970; those that are gone are left out.

    Source: tf.train.get_checkpoint_mtimes.
    """
    found = []
    for prefix in checkpoint_prefixes:
        files = _matching(f"{prefix}.index") or _matching(prefix)
        if files:
            found.append(os.stat(files[0]).st_mtime)
    return found


def remove_checkpoint(
    checkpoint_prefix: str, checkpoint_format_version: int = SaverDef.V2, meta_graph_suffix: str = "meta"
) -> None:
    """Removes the files of a checkpoint and of its graph (source: tf.train.remove_checkpoint)."""
    patterns = [meta_graph_filename(checkpoint_prefix, meta_graph_suffix)]
    if checkpoint_format_version == SaverDef.V2:
        patterns += [f"{checkpoint_prefix}.index", f"{checkpoint_prefix}.data-?????-of-?????"]
    else:
        patterns.append(checkpoint_prefix)
    for pattern in patterns:
        for path in _matching(pattern):
            gfile.Remove(path)


def meta_graph_filename(checkpoint_filename: str, meta_graph_suffix: str = "meta") -> str:
    """Where the graph of a checkpoint is; one for all of its shards."""
    return re.sub(r"-[\d?]+-of-\d+$", "", checkpoint_filename) + f".{meta_graph_suffix}"
