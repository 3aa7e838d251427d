"""Looking into checkpoints, and starting variables from them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph.apply import apply
from runstep.graph.dtypes import DType
from runstep.graph.graph import get_default_graph
from runstep.io.old_checkpoint import SliceReader
from runstep.io.tensor_bundle import BundleReader, exists
from runstep.train.checkpoint_management import latest_checkpoint
from runstep.train.saver_graph import saveables_of
from runstep.variables.partition import PartitionedVariable
from runstep.variables.store import variable_store
from runstep.variables.variable import Variable

__all__ = [
    "NewCheckpointReader",
    "checkpoints_iterator",
    "init_from_checkpoint",
    "list_variables",
    "load_checkpoint",
    "load_variable",
]


class CheckpointReader:
    """Reads tensors out of a checkpoint of either format (source: tf.train.NewCheckpointReader).

    Raises:
      NotFoundError: there is none.
    """

    def __init__(self, filename: str) -> None:
        self._reader: Any = BundleReader(filename) if exists(filename) else SliceReader(filename)

    def has_tensor(self, tensor_str: str) -> bool:
        return tensor_str.encode() in self._reader

    def get_tensor(self, tensor_str: str | bytes) -> np.ndarray:
        """The value of a tensor; a NotFoundError when it is not there."""
        name = tensor_str if isinstance(tensor_str, bytes) else tensor_str.encode()
        if name not in self._reader:
            raise errors.NotFoundError(None, None, f"Key {name.decode()} not found in checkpoint")
        return self._reader.read(name)[()]

    def get_variable_to_shape_map(self) -> dict[str, list[int]]:
        return {name.decode(): list(shape) for name, (_, shape) in self._reader.tensors().items()}

    def get_variable_to_dtype_map(self) -> dict[str, DType]:
        return {name.decode(): dtype for name, (dtype, _) in self._reader.tensors().items()}

    def debug_string(self) -> bytes:
        """A line for each tensor: name, type, shape."""
        lines = []
        for name, (dtype, shape) in sorted(self._reader.tensors().items()):
            sizes = ",".join(map(str, shape))
            lines.append(f"{name.decode()} (DT_{dtype.name.upper()}) [{sizes}]\n")
        return "".join(lines).encode()


def NewCheckpointReader(filepattern: str) -> CheckpointReader:  # noqa: N802 - TensorFlow's name
    """A reader of the checkpoint with this prefix (source: tf.train.NewCheckpointReader).

    Raises:
      NotFoundError: there is none.
    """
    return CheckpointReader(os.fspath(filepattern))


def load_checkpoint(ckpt_dir_or_file: str) -> CheckpointReader:
    """A reader of a checkpoint, or of the latest one in a folder (source: tf.train.load_checkpoint).

    Raises:
      ValueError: the folder has none. NotFoundError: there is no such file.
    """
    return NewCheckpointReader(latest_file(ckpt_dir_or_file))


def latest_file(ckpt_dir_or_file: str) -> str:
    path = os.fspath(ckpt_dir_or_file)
    if not os.path.isdir(path):
        return path
    latest = latest_checkpoint(path)
    if latest is None:
        raise ValueError(f"Couldn't find 'checkpoint' file or checkpoints in given directory {path}")
    return latest


def load_variable(ckpt_dir_or_file: str, name: str) -> np.ndarray:
    """The value of one variable (source: tf.train.load_variable). NotFoundError when it is not there."""
    return load_checkpoint(ckpt_dir_or_file).get_tensor(name.removesuffix(":0"))


def list_variables(ckpt_dir_or_file: str) -> list[tuple[str, list[int]]]:
    """Name and shape of each variable, by name (source: tf.train.list_variables)."""
    return sorted(load_checkpoint(ckpt_dir_or_file).get_variable_to_shape_map().items())


def checkpoints_iterator(
    checkpoint_dir: str,
    min_interval_secs: float = 0,
    timeout: float | None = None,
    timeout_fn: Callable[[], bool] | None = None,
) -> Iterator[str]:
    """The latest checkpoint of a folder, again whenever there is a new one (source: tf.train.checkpoints_iterator).

    Args:
      min_interval_secs: at least so long between two.
      timeout: seconds to wait for a new one; for ever by default. timeout_fn: asked then; True ends.
    """
    path = None
    while True:
        new = _new_checkpoint(checkpoint_dir, path, timeout)
        if new is None:
            if timeout_fn is None or timeout_fn():
                return
            continue
        start = time.time()
        path = new
        yield path
        time.sleep(max(0.0, start + min_interval_secs - time.time()))


def _new_checkpoint(folder: str, last: str | None, timeout: float | None, pause: float = 1.0) -> str | None:
    stop = None if timeout is None else time.time() + timeout
    while True:
        found = latest_checkpoint(folder)
        if found is not None and found != last:
            return found
        if stop is not None and time.time() + pause > stop:
            return None
        time.sleep(pause)


# --- starting variables from a checkpoint -------------------------------------------------------------------------


def init_from_checkpoint(ckpt_dir_or_file: str, assignment_map: Any) -> None:
    """Makes the initializers of variables load them from a checkpoint (source: tf.train.init_from_checkpoint).

    Call it after the variables are made, and before their initializers are put together.

    Args:
      assignment_map: a dict, or a list of pairs, of
        - a name in the checkpoint, to a variable or its name (or a list of the parts of one);
        - "scope/" in the checkpoint ("/" for all), to "scope/" of the variables.

    Raises:
      ValueError: the checkpoint lacks one, or has it in another shape.
    """
    file = latest_file(ckpt_dir_or_file)
    shapes = NewCheckpointReader(file).get_variable_to_shape_map()
    pairs = assignment_map.items() if hasattr(assignment_map, "items") else assignment_map
    for saved, current in sorted(pairs, key=lambda pair: pair[0]):
        found = _variable(current)
        if found is not None:
            _start(found, file, saved, shapes, ckpt_dir_or_file)
            continue
        for name, full in _scope_to_scope(saved, current):
            if full not in shapes:
                scope = current.rpartition("/")[0]
                raise ValueError(
                    f"Tensor {full} ({name[len(scope) + 1 :]} in {saved}) is not found in {ckpt_dir_or_file} checkpoint"
                )
            _start(_variable(name), file, full, shapes, ckpt_dir_or_file)


def _variable(current: Any) -> Any:
    """The variable that is meant, or the list of its parts; None for a scope."""
    if isinstance(current, PartitionedVariable):
        return list(current)
    if isinstance(current, Variable) or (isinstance(current, list) and all(isinstance(v, Variable) for v in current)):
        return current
    named = variable_store()._vars
    if current in named:
        return named[current]
    parts: list[Any] = []
    while f"{current}/part_{len(parts)}" in named:
        parts.append(named[f"{current}/part_{len(parts)}"])
    return parts or None


def _scope_to_scope(saved: str, current: str) -> Iterator[tuple[str, str]]:
    """The names of variables in a scope, with those of their tensors in the checkpoint."""
    scope = current.rpartition("/")[0] if "/" in current else ""
    if not saved.endswith("/"):
        raise ValueError(
            f"Assignment map with scope only name {scope} should map to scope only {saved}. "
            "Should be 'scope/': 'other_scope/'."
        )
    names = {
        name.partition("/part_")[0] for name in variable_store()._vars if not scope or name.startswith(f"{scope}/")
    }
    for name in sorted(names):
        full = name[len(scope) :]
        if current != "/":
            full = full[1:]
        if saved != "/":
            full = saved + full
        yield name, full.removesuffix("/")


def _start(found: Any, file: str, name: str, shapes: dict[str, list[int]], source: str) -> None:
    if name not in shapes:
        raise ValueError(f"Tensor {name} is not found in {source} checkpoint {shapes}")
    if isinstance(found, Variable):
        if not found.get_shape().is_compatible_with(shapes[name]):
            raise ValueError(
                f"Shape of variable {found.name} ({found.get_shape()}) doesn't match with shape of tensor {name} "
                f"({shapes[name]}) from checkpoint reader."
            )
        info = found._get_save_slice_info()
        _start_one(found, file, name, "" if info is None else info.spec)
    else:
        _start_parts(found, file, name)


def _start_parts(parts: Sequence[Variable], file: str, name: str) -> None:
    infos: list[Any] = [part._get_save_slice_info() for part in parts]
    for part, info in zip(parts, infos, strict=True):
        if info.full_name != infos[0].full_name:
            raise ValueError(f"Slices must all be from the same tensor: {infos[0].full_name} != {info.full_name}")
        _start_one(part, file, name, info.spec)


def _start_one(variable: Variable, file: str, name: str, slice_spec: str) -> None:
    graph = get_default_graph()
    with graph.device(variable.device), graph.device("/cpu:0"):
        kind = variable.dtype.base_dtype
        (value,) = apply("RestoreV2", file, [name], [slice_spec], dtypes=[kind], name="checkpoint_initializer")
        (saveable,) = saveables_of([variable])
    variable._initializer_op = getattr((done := saveable.restore([value], None)), "op", done)
    value.set_shape(variable.shape)
    variable._initial_value = value
