"""Kernels that save tensors to checkpoints and restore them."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import dtypes, shapes
from runstep.graph.dtypes import DType
from runstep.io import old_checkpoint, slices, tensor_bundle
from runstep.kernels.numpy.lookup import vocabulary_lines
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.shared import invalid, scalar, shape_of, type_text


def _text(value: Any, what: str) -> str:
    if np.size(value) != 1:
        raise invalid(f"Input 0 ({what}) should be a scalar tensor, got {np.size(value)} elements instead")
    return np.asarray(value).reshape(()).item().decode()


def _names(names: Any, specs: Any, count: int, what: str) -> tuple[list[bytes], list[str]]:
    if np.size(names) != np.size(specs):
        raise invalid(
            "tensor_names and shape_and_slices have different number of elements: "
            f"{np.size(names)} vs. {np.size(specs)}"
        )
    if np.size(names) != count:
        raise invalid(f"Got {np.size(names)} tensor names{what.format(count)}")
    return np.ravel(names).tolist(), [spec.decode() for spec in np.ravel(specs).tolist()]


def _checked_part(spec: str, value: Any) -> tuple[tuple[int, ...], slices.Part]:
    shape, part, size = slices.parse_spec(spec)
    if shape_of(value) != size:
        raise invalid(
            f"Slice in shape_and_slice specification does not match the shape of the tensor to  save: {spec}, "
            f"tensor: {shapes.text(shape_of(value))}"
        )
    return shape, part


# --- second generation --------------------------------------------------------------------------------------------


@numpy_kernel("SaveV2")
def save_v2(prefix: Any, names: Any, specs: Any, *tensors: Any) -> None:
    path = _text(prefix, "prefix")
    texts, parts = _names(names, specs, len(tensors), " but {} tensors.")
    with tensor_bundle.BundleWriter(path) as writer:
        for name, spec, value in zip(texts, parts, tensors, strict=True):
            if spec:
                writer.add_slice(name, *_checked_part(spec, value), value)
            else:
                writer.add(name, value)
        writer.finish()


@numpy_kernel.make("RestoreV2")
def restore_v2(node: Node) -> Kernel:
    types: tuple[DType, ...] = node.attrs["dtypes"]

    def run(prefix: Any, names: Any, specs: Any) -> Any:
        path = _text(prefix, "prefix")
        texts, parts = _names(names, specs, len(types), ", but {} expected dtypes.")
        found: list[Any]
        if tensor_bundle.exists(path):
            bundle = tensor_bundle.BundleReader(path)
            found = [
                bundle.read_slice(name, spec, dtype) if spec else bundle.read(name, dtype)
                for name, spec, dtype in zip(texts, parts, types, strict=True)
            ]
        else:  # perhaps one of the first generation
            reader = old_checkpoint.SliceReader(path)
            found = [reader.read(name, dtype, spec) for name, spec, dtype in zip(texts, parts, types, strict=True)]
        return found[0] if len(found) == 1 else tuple(found)

    return run


@numpy_kernel.make("MergeV2Checkpoints")
def merge_v2_checkpoints(node: Node) -> Kernel:
    delete, allow_missing = node.attrs["delete_old_dirs"], node.attrs["allow_missing_files"]

    def run(prefixes: Any, destination: Any) -> None:
        paths = [prefix.decode() for prefix in np.ravel(prefixes).tolist()]
        target = _text(destination, "destination_prefix")
        tensor_bundle.merge(paths, target, allow_missing)
        if delete:
            tensor_bundle.remove_empty_directories(paths, target)

    return run


# --- first generation ---------------------------------------------------------------------------------------------


@numpy_kernel("Save")
def save(filename: Any, names: Any, *data: Any) -> None:
    if np.size(names) != len(data):
        raise invalid(f"Got {np.size(names)} tensor names but {len(data)} tensors.")
    saved = [
        (name, shape_of(value), old_checkpoint.whole(shape_of(value)), np.asarray(value))
        for name, value in zip(np.ravel(names).tolist(), data, strict=True)
    ]
    old_checkpoint.write(_text(filename, "filename"), saved)


@numpy_kernel("SaveSlices")
def save_slices(filename: Any, names: Any, specs: Any, *data: Any) -> None:
    texts, parts = _names(names, specs, len(data), " but {} tensors.")
    saved = []
    for name, spec, value in zip(texts, parts, data, strict=True):
        shape, part = shape_of(value), old_checkpoint.whole(shape_of(value))
        if spec:
            shape, part = _checked_part(spec, value)
        saved.append((name, shape, part, np.asarray(value)))
    old_checkpoint.write(_text(filename, "filename"), saved)


def _one(pattern: Any, name: Any, spec: str, dtype: DType) -> Any:
    path, text = _text(pattern, "file_pattern"), np.asarray(name).reshape(()).item()
    if tensor_bundle.exists(path):
        bundle = tensor_bundle.BundleReader(path)
        return bundle.read_slice(text, spec, dtype) if spec else bundle.read(text, dtype)
    return old_checkpoint.SliceReader(path).read(text, dtype, spec)


@numpy_kernel.make("Restore")
def restore(node: Node) -> Kernel:
    dtype = node.attrs["dt"]
    return lambda pattern, name: _one(pattern, name, "", dtype)


@numpy_kernel.make("RestoreSlice")
def restore_slice(node: Node) -> Kernel:
    dtype = node.attrs["dt"]
    return lambda pattern, name, spec: _one(pattern, name, np.asarray(spec).reshape(()).item().decode(), dtype)


# --- names of files -----------------------------------------------------------------------------------------------


def _basename(value: Any) -> bytes:
    if shape_of(value):
        raise invalid(f"basename must be a scalar, got shape {shapes.text(shape_of(value))}")
    return np.asarray(value).item()


@numpy_kernel("ShardedFilename")
def sharded_filename(basename: Any, shard: Any, shards: Any) -> Any:
    return scalar(b"%b-%05d-of-%05d" % (_basename(basename), int(shard), int(shards)))


@numpy_kernel("ShardedFilespec")
def sharded_filespec(basename: Any, shards: Any) -> Any:
    return scalar(b"%b-?????-of-%05d" % (_basename(basename), int(shards)))


# --- warm start ---------------------------------------------------------------------------------------------------


@numpy_kernel.make("GenerateVocabRemapping")
def generate_vocab_remapping(node: Node) -> Kernel:
    offset, count = node.attrs["new_vocab_offset"], node.attrs["num_new_vocab"]
    old_size = node.attrs["old_vocab_size"]

    def run(new_file: Any, old_file: Any) -> Any:
        paths = []
        for what, value in (("new", new_file), ("old", old_file)):
            path = np.asarray(value).reshape(-1)[0].decode() if np.size(value) else ""
            if not path:
                raise invalid(f"{what} vocab filename cannot be empty.")
            paths.append(path)
        remapping = np.full(count, -1, np.int64)
        if not count:
            return remapping, np.int32(0)
        new = vocabulary_lines(paths[0], -1)
        if len(new) < offset + count:
            raise invalid("lookup table size must be larger than last new vocab entry's line")
        places = {word: place for place, word in enumerate(vocabulary_lines(paths[1], old_size))}
        for index, word in enumerate(new[offset : offset + count]):
            remapping[index] = places.get(word, -1)
        return remapping, np.int32(np.count_nonzero(remapping >= 0))

    return run


def _once(remapping: np.ndarray) -> None:
    """No old row (or column) may be asked for twice."""
    seen: dict[int, int] = {}
    for new, old in enumerate(remapping.tolist()):
        if old < 0:
            continue
        if old in seen:
            raise errors.UnimplementedError(
                None,
                None,
                f"Old ID {old} is mapped to both new ID {seen[old]} and {new}, which is not supported.",
            )
        seen[old] = new


@numpy_kernel.make("LoadAndRemapMatrix")
def load_and_remap_matrix(node: Node) -> Kernel:
    count, width = node.attrs["num_rows"], node.attrs["num_cols"]

    def run(path: Any, name: Any, row_map: Any, column_map: Any, initial: Any) -> Any:
        rows, columns = np.ravel(row_map), np.ravel(column_map)
        if rows.size != count:
            raise invalid(f"Size of row_remapping is {rows.size} instead of being equal to num_rows={count}")
        if columns.size and columns.size != width:
            raise invalid(
                f"Provided col_remapping, but its size is {columns.size} instead of being equal to num_cols={width}"
            )
        _once(rows)
        _once(columns)
        text = np.asarray(name).reshape(()).item()
        reader = tensor_bundle.BundleReader(_text(path, "ckpt_path"))
        dtype, shape = reader.describe(text)
        shown = f"Tensor {text.decode(errors='replace')} has"
        if dtype is not dtypes.float32:
            raise invalid(f"{shown} invalid type {type_text(dtype)} instead of expected type float")
        if len(shape) != 2:
            raise invalid(
                f"{shown} shape {shapes.text(shape)} of invalid rank {len(shape)} instead of expected shape of rank 2."
            )
        if not columns.size and shape[1] != width:
            raise invalid(
                f"{shown} shape {shapes.text(shape)}, where the size of its 2nd dimension is {shape[1]} "
                f"instead of being equal to num_cols={width}"
            )
        if columns.size and columns.max() >= shape[1]:
            raise invalid(f"col_remapping asks for column {columns.max()} of {shape[1]}.")
        out = np.empty((count, width), np.float32)
        known_rows, known = rows >= 0, np.ones(width, bool)
        if columns.size:
            known = columns >= 0
        if known_rows.any():
            low, high = int(rows[known_rows].min()), int(rows.max()) + 1
            held = reader.read_slice(text, f"{shape[0]} {shape[1]} {low},{high - low}:-", dtype)
            taken = held[rows[known_rows] - low]
            out[np.ix_(known_rows, known)] = taken[:, columns[known]] if columns.size else taken
        missing = ~(known_rows[:, None] & known[None, :])
        values = np.ravel(initial)
        needed = int(np.count_nonzero(missing))
        if values.size < needed:
            raise invalid(f"initializing_values contained {values.size} elements, but more missing values remain.")
        if values.size > needed:
            raise invalid(
                f"initializing_values contained {values.size} elements, but only {needed} elements were used to fill "
                "in missing values."
            )
        out[missing] = values
        return out

    return run
