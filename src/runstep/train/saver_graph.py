"""The operations that a Saver runs: what is saved, and the nodes that write it to a file and read it back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from runstep.graph import device as devices
from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import get_default_graph, name_scope
from runstep.graph.tensor import Tensor
from runstep.nest import flatten
from runstep.ops.basic import constant, group, identity, placeholder_with_default, with_dependencies
from runstep.ops.selecting import where
from runstep.ops.shape_ops import shape
from runstep.ops.strings import string_join
from runstep.variables.partition import PartitionedVariable
from runstep.variables.resource import ResourceVariable
from runstep.variables.saveable import RefSaveable, ResourceSaveable, SaveableObject
from runstep.variables.variable import Variable

__all__: list[str] = []

_REFS = ("Variable", "VariableV2", "AutoReloadVariable")

# --- what is saved ------------------------------------------------------------------------------------------------


def saveables_of(var_list: Any) -> list[SaveableObject]:
    """What to save for a list of variables, or a dict from names in the checkpoint to variables; sorted by name.

    Raises:
      TypeError: it is neither, or one of them is not a variable. ValueError: two have the same name.
    """
    named = var_list if isinstance(var_list, dict) else _by_name(var_list)
    found: list[SaveableObject] = []
    seen = set()
    for name in sorted(named):
        for saveable in _saveables(named[name], name):
            if saveable.op in seen:
                raise ValueError(f"The same saveable will be restored with two names: {saveable.name}")
            seen.add(saveable.op)
            found.append(saveable)
    return found


def _by_name(var_list: Any) -> dict[str, Any]:
    if not isinstance(var_list, list | tuple | set):
        raise TypeError(f"Variables to save should be passed in a dict or a list: {var_list}")
    named: dict[str, Any] = {}
    for var in sorted(flatten(list(var_list)), key=lambda var: var.name):
        if isinstance(var, SaveableObject):
            named[var.name] = var
            continue
        if isinstance(var, Variable) and var._get_save_slice_info() is not None:
            name = var._get_save_slice_info().full_name  # type: ignore[union-attr]
            parts = named.setdefault(name, [])  # type: ignore[arg-type]
            if not isinstance(parts, list):
                raise ValueError(f"Mixing slices and non-slices with the same name: {name}")
            parts.append(var)
            continue
        if isinstance(var, PartitionedVariable):
            name = var.name
        else:
            if not isinstance(var, ResourceVariable):
                var = convert_to_tensor(var, as_ref=True)
                if not _is_variable(var):
                    raise TypeError(f"Variable to save is not a Variable: {var}")
            name = var.op.inputs[0].op.name if var.op.type == "ReadVariableOp" else var.op.name
        if name in named:
            raise ValueError(f"At least two variables have the same name: {name}")
        named[name] = var
    return named


def _saveables(what: Any, name: Any) -> Iterator[SaveableObject]:
    if not isinstance(name, str):
        raise TypeError(
            "names_to_saveables must be a dict mapping string names to trackable operations. "
            f"Name is not a string: {name}"
        )
    if isinstance(what, SaveableObject):
        yield what
    elif isinstance(what, list | tuple | PartitionedVariable):
        yield from _slices(list(what), name)
    elif isinstance(what, ResourceVariable):
        yield ResourceSaveable(what.handle, what._as_graph_element(), "", name)
    else:
        tensor = convert_to_tensor(what, as_ref=True)
        if not _is_variable(tensor):
            raise TypeError(
                f"names_to_saveables must be a dict mapping string names to Tensors/Variables. Not a variable: {tensor}"
            )
        if tensor.op.type in _REFS:
            yield RefSaveable(tensor, tensor, "", name)
        else:
            yield ResourceSaveable(tensor.op.inputs[0], tensor, "", name)


def _slices(parts: Sequence[Any], name: str) -> Iterator[SaveableObject]:
    whole = None
    for part in parts:
        if not isinstance(part, Variable):
            raise ValueError(f"Slices must all be Variables: {part}")
        info = part._get_save_slice_info()
        if info is None:
            raise ValueError(f"Slices must all be slices: {part}")
        if whole is not None and whole != info.full_name:
            raise ValueError(f"Slices must all be from the same tensor: {whole} != {info.full_name}")
        whole = info.full_name
        if isinstance(part, ResourceVariable):
            yield ResourceSaveable(part.handle, part._as_graph_element(), info.spec, name)
        else:
            yield RefSaveable(part._handle_tensor(), part.value(), info.spec, name)


def _is_variable(tensor: Any) -> bool:
    return isinstance(tensor, Tensor) and tensor.op.type in (*_REFS, "ReadVariableOp")


# --- the nodes ----------------------------------------------------------------------------------------------------


class SaverGraph:
    """Adds the operations of one Saver to the default graph.

    Args:
      reshape: values take the variables' shapes. sharded: a file for each device. old: the files of the first format.
      filename: where nothing else is fed.
    """

    def __init__(
        self,
        saveables: Sequence[SaveableObject],
        reshape: bool,
        sharded: bool,
        old: bool,
        name: str | None,
        filename: str | None,
    ) -> None:
        self._reshape = reshape
        self._old = old
        with name_scope(name, "save", [saveable.op for saveable in saveables]):
            file = placeholder_with_default(filename or "model", shape=(), name="filename")
            file = placeholder_with_default(file, shape=(), name="Const")
            self.filename = file
            if sharded:
                shards = _by_device(saveables)
                self.saved = (self._save_shards_old if old else self._save_shards)(file, shards)
                self.restored = self._restore_shards(file, shards)
            else:
                self.saved = self._save(file, saveables)
                self.restored = self._restore(file, saveables, "restore_all")

    def _save(self, file: Tensor, saveables: Sequence[SaveableObject]) -> Tensor:
        specs = [spec for saveable in saveables for spec in saveable.specs]
        names, slices = [spec.name for spec in specs], [spec.slice_spec for spec in specs]
        tensors = [spec.tensor for spec in specs]
        if self._old:
            done = apply("SaveSlices", file, names, slices, tensors, name="save")
        else:
            done = apply("SaveV2", file, names, slices, tensors)
        return with_dependencies([done], file)

    def _restore(self, file: Tensor, saveables: Sequence[SaveableObject], name: str) -> Any:
        specs = [spec for saveable in saveables for spec in saveable.specs]
        names, slices = [spec.name for spec in specs], [spec.slice_spec for spec in specs]
        types = [spec.dtype.base_dtype for spec in specs]
        with get_default_graph().device("CPU:0"):
            tensors = iter(apply("RestoreV2", file, names, slices, dtypes=types))
        assigned = []
        for saveable in saveables:
            shapes = [_shape(spec.tensor) for spec in saveable.specs] if self._reshape else None
            assigned.append(saveable.restore([next(tensors) for _ in saveable.specs], shapes))
        return group(*assigned, name=name)

    def _save_shards(self, file: Tensor, shards: Shards) -> Tensor:
        graph = get_default_graph()
        with graph.device("CPU"):
            remote = apply("StaticRegexFullMatch", file, pattern="^s3://.*")
            suffix = where(remote, constant(".part"), constant(os.path.normpath("_temp/part")))
            beside = string_join([file, suffix])
        count = constant(len(shards), name="num_shards")
        names, saved = [], []
        for shard, (device, saveables) in enumerate(shards):
            with graph.device(_cpu(device)):
                names.append(apply("ShardedFilename", beside, shard, count))
                saved.append(self._save(names[-1], saveables))
        with graph.control_dependencies(saved), graph.device(_cpu(shards[-1][0])):
            merged = apply("MergeV2Checkpoints", names, file, delete_old_dirs=True)
            with graph.control_dependencies([merged]):
                return identity(file)

    def _save_shards_old(self, file: Tensor, shards: Shards) -> Tensor:
        graph = get_default_graph()
        count = constant(len(shards), name="num_shards")
        saved = []
        for shard, (device, saveables) in enumerate(shards):
            with graph.device(device):
                saved.append(self._save(apply("ShardedFilename", file, shard, count), saveables))
        with graph.control_dependencies(saved):
            return apply("ShardedFilespec", file, count)

    def _restore_shards(self, file: Tensor, shards: Shards) -> Any:
        graph = get_default_graph()
        restored: list[Any] = []
        for device, saveables in shards:
            with graph.device(device):
                restored.append(self._restore(file, saveables, "restore_shard"))
        return group(*restored, name="restore_all")


Shards = list[tuple[str, list[SaveableObject]]]


def _by_device(saveables: Sequence[SaveableObject]) -> Shards:
    found: dict[str, list[SaveableObject]] = {}
    for saveable in saveables:
        names = {devices.canonical(spec.device) if spec.device else "" for spec in saveable.specs}
        if len(names) != 1:
            raise ValueError(f"All tensors of a saveable object must be on the same device: {saveable.name}")
        found.setdefault(names.pop(), []).append(saveable)
    return sorted(found.items(), key=lambda item: item[0])


def _cpu(device: str) -> str:
    return devices.merge(device, "/device:CPU:0") if device else "/device:CPU:0"


def _shape(tensor: Any) -> Any:
    known = tensor.get_shape()
    return known if known.is_fully_defined() else shape(tensor)
