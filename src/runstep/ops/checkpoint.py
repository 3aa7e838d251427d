"""Checkpoints as operations; savers are built on these. The formats are in `runstep.io`."""

from __future__ import annotations

from typing import Any

from runstep import errors
from runstep.graph.shapes import RawShape, merge, with_rank
from runstep.io import slices
from runstep.ops.common import Shapes
from runstep.ops.registry import op


def _scalars(op: Any, *places: int) -> None:
    for place in places:
        with_rank(op.inputs[place].raw_shape, 0)


def _names(op: Any, places: tuple[int, ...], count: int) -> None:
    """The inputs at `places` are vectors, one element for each of `count` tensors."""
    for place in places:
        (size,) = with_rank(op.inputs[place].raw_shape, 1)
        if size is not None and size != count:
            raise ValueError(f"Dimension must be {count} but is {size}")


def _part(spec: bytes) -> RawShape:
    try:
        return slices.parse_spec(spec.decode())[2]
    except errors.OpError as error:
        raise ValueError(error.message) from error


def _save(op: Any) -> Shapes:
    _scalars(op, 0)
    _names(op, (1,), len(op.inputs) - 2)
    return []


def _save_slices(op: Any) -> Shapes:
    _scalars(op, 0)
    _names(op, (1, 2), len(op.inputs) - 3)
    return []


def _restore_v2(op: Any) -> Shapes:
    _scalars(op, 0)
    merge(with_rank(op.inputs[1].raw_shape, 1), with_rank(op.inputs[2].raw_shape, 1))
    specs, count = op.constant(2), len(op.output_types)
    if specs is None:
        return [None] * count
    if len(specs) != count:
        raise ValueError("The number of shape_and_slice doesn't match tensor outputs.")
    return [_part(spec) if spec else None for spec in specs.tolist()]


def _restore(op: Any) -> Shapes:
    _scalars(op, 0, 1)
    return [None]


def _restore_slice(op: Any) -> Shapes:
    _scalars(op, 0, 1, 2)
    spec = op.constant(2)
    return [_part(spec.item()) if spec is not None and spec.item() else None]


def _merge(op: Any) -> Shapes:
    with_rank(op.inputs[0].raw_shape, 1)
    _scalars(op, 1)
    return []


def _all_scalars(op: Any) -> Shapes:
    _scalars(op, *range(len(op.inputs)))
    return [()] * len(op.output_types)


def _remapped_matrix(op: Any) -> Shapes:
    _scalars(op, 0, 1)
    with_rank(op.inputs[3].raw_shape, 1)
    return [(op.attrs["num_rows"], op.attrs["num_cols"])]


def _remapping(op: Any) -> Shapes:
    _scalars(op, 0, 1)
    return [(op.attrs["num_new_vocab"],), ()]


op(
    "SaveV2",
    "prefix: string, tensor_names: string, shape_and_slices: string, tensors: dtypes -> ",
    "dtypes: list(type) >= 1",
    shape=_save_slices,
    stateful=True,
)
op(
    "RestoreV2",
    "prefix: string, tensor_names: string, shape_and_slices: string -> tensors: dtypes",
    "dtypes: list(type) >= 1",
    shape=_restore_v2,
    stateful=True,
)
op("Save", "filename: string, tensor_names: string, data: T -> ", "T: list(type) >= 1", shape=_save, stateful=True)
op(
    "SaveSlices",
    "filename: string, tensor_names: string, shapes_and_slices: string, data: T -> ",
    "T: list(type) >= 1",
    shape=_save_slices,
    stateful=True,
)
op(
    "Restore",
    "file_pattern: string, tensor_name: string -> tensor: dt",
    "dt: type",
    "preferred_shard: int = -1",
    shape=_restore,
    stateful=True,
)
op(
    "RestoreSlice",
    "file_pattern: string, tensor_name: string, shape_and_slice: string -> tensor: dt",
    "dt: type",
    "preferred_shard: int = -1",
    shape=_restore_slice,
    stateful=True,
)
op(
    "MergeV2Checkpoints",
    "checkpoint_prefixes: string, destination_prefix: string -> ",
    "delete_old_dirs: bool = true",
    "allow_missing_files: bool = false",
    shape=_merge,
    stateful=True,
)
op("ShardedFilename", "basename: string, shard: int32, num_shards: int32 -> filename: string", shape=_all_scalars)
op("ShardedFilespec", "basename: string, num_shards: int32 -> filename: string", shape=_all_scalars)
op(
    "LoadAndRemapMatrix",
    "ckpt_path: string, old_tensor_name: string, row_remapping: int64, col_remapping: int64, "
    "initializing_values: float32 -> output_matrix: float32",
    "num_rows: int >= 0",
    "num_cols: int >= 1",
    "max_rows_in_memory: int = -1",
    shape=_remapped_matrix,
    stateful=True,
)
op(
    "GenerateVocabRemapping",
    "new_vocab_file: string, old_vocab_file: string -> remapping: int64, num_present: int32",
    "new_vocab_offset: int >= 0",
    "num_new_vocab: int >= 0",
    "old_vocab_size: int >= -1 = -1",
    shape=_remapping,
)
