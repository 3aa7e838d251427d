"""Checkpoints of the second generation: a table `prefix.index` and raw data in `prefix.data-00000-of-00001`.

What TensorFlow writes is read here, and what is written here TensorFlow reads; the same tensors give the same bytes.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from runstep import errors
from runstep.graph import dtypes, shapes
from runstep.graph.dtypes import DType
from runstep.io import slices
from runstep.io.crc32c import crc32c, mask
from runstep.io.failures import failed
from runstep.io.slices import FULL, Part, Shape
from runstep.io.table import Table, damaged, get_varint, put_varint, write_table
from runstep.kernels.shared import type_text

_numbers = itertools.count()


def index_name(prefix: str) -> str:
    return f"{prefix}.index"


def data_name(prefix: str, shard: int, shards: int) -> str:
    return f"{prefix}.data-{shard:05d}-of-{shards:05d}"


def exists(prefix: str) -> bool:
    """Whether there is a checkpoint of this generation."""
    return os.path.exists(index_name(prefix))


# --- strings ------------------------------------------------------------------------------------------------------


def _encode_texts(items: list[bytes]) -> tuple[list[bytes], int]:
    """Lengths, their masked CRC, and the strings; and the CRC of all that."""
    lengths = b"".join(struct.pack("<I" if len(item) < 2**32 else "<Q", len(item)) for item in items)
    crc = crc32c(lengths)
    check = struct.pack("<I", mask(crc))
    crc = crc32c(check, crc)
    text = b"".join(items)
    return [b"".join(put_varint(len(item)) for item in items), check, text], crc32c(text, crc)


def _decode_texts(data: bytes, count: int, name: str) -> tuple[np.ndarray, int]:
    place, sizes = 0, []
    try:
        for _ in range(count):
            size, place = get_varint(data, place)
            sizes.append(size)
    except IndexError:
        raise damaged(f"{name}: the lengths of its strings are damaged") from None
    lengths = b"".join(struct.pack("<I" if size < 2**32 else "<Q", size) for size in sizes)
    check = data[place : place + 4]
    crc = crc32c(lengths)
    if check != struct.pack("<I", mask(crc)):
        raise damaged(f"{name}: the length checksum does not match")
    place += 4
    crc = crc32c(data[place:], crc32c(check, crc))
    out = np.empty(count, object)
    for index, size in enumerate(sizes):
        out[index] = data[place : place + size]
        place += size
    if place != len(data):
        raise damaged(f"{name}: its strings do not fill their place")
    return out, crc


# --- writing ------------------------------------------------------------------------------------------------------


class BundleWriter:
    """Writes one checkpoint. Nothing is there under `prefix` until `finish`, then all of it.

    Use it as a context manager: without `finish` its temporary files go.

    Raises:
      OpError: the file system refuses.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._entries: dict[bytes, Any] = {}
        self._size = 0
        self._temporary = f"{data_name(prefix, 0, 1)}.tempstate{os.getpid()}_{next(_numbers)}"
        try:
            Path(prefix).parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = open(self._temporary, "wb")  # noqa: SIM115 - closed by finish and __exit__
        except OSError as error:
            raise failed(error, self._temporary) from error

    def __enter__(self) -> BundleWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        if not self._file.closed:
            self._file.close()
            os.unlink(self._temporary)

    def _entry(self, key: bytes, dtype: DType, shape: Shape) -> Any:
        from runstep.protos import tensor_bundle_pb2

        if key in self._entries:
            raise errors.InvalidArgumentError(None, None, f"Adding duplicate key: {key.decode(errors='replace')}")
        if not key:
            raise errors.InvalidArgumentError(None, None, "A tensor cannot be saved without a name.")
        message: Any = tensor_bundle_pb2.BundleEntryProto  # its stub wants the enum's own type
        entry = message(dtype=dtype.enum)
        entry.shape.CopyFrom(shapes.to_proto(shape))
        self._entries[key] = entry
        return entry

    def add(self, name: bytes, value: Any) -> None:
        """Adds a whole tensor."""
        self._add(name, np.asarray(value))

    def _add(self, key: bytes, value: np.ndarray) -> None:
        dtype = dtypes.as_dtype(value.dtype)
        entry = self._entry(key, dtype, value.shape)
        if dtype is dtypes.string:
            parts, crc = _encode_texts(value.ravel().tolist())
        elif value.dtype.hasobject:
            raise errors.UnimplementedError(None, None, f"{key.decode()}: resources and variants are not saved.")
        else:
            flat = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
            parts, crc = [flat], crc32c(flat)  # type: ignore[list-item]
        entry.offset = self._size
        try:
            for part in parts:
                self._file.write(part)
                self._size += len(part)
        except OSError as error:
            raise failed(error, self._temporary) from error
        entry.size = self._size - entry.offset
        entry.crc32c = mask(crc)

    def add_slice(self, name: bytes, shape: Shape, part: Part, value: Any) -> None:
        """Adds a part of tensor `name`, whose shape is `shape`."""
        value = np.asarray(value)
        full = self._entries.get(name)
        if full is None:
            full = self._entry(name, dtypes.as_dtype(value.dtype), shape)
        slices.to_message(part, full.slices.add())
        self._add(slices.key(name, part), value)

    def finish(self) -> None:
        """Puts the checkpoint in its place, in the place of one of the same name."""
        try:
            self._file.close()
            os.replace(self._temporary, data_name(self._prefix, 0, 1))
            _write_index(self._prefix, self._entries, 1)
        except OSError as error:
            raise failed(error, self._prefix) from error


def _write_index(prefix: str, entries: dict[bytes, Any], shards: int) -> None:
    from runstep.protos import tensor_bundle_pb2

    header = tensor_bundle_pb2.BundleHeaderProto(num_shards=shards)
    header.version.producer = 1
    temporary = f"{index_name(prefix)}.tempstate{os.getpid()}_{next(_numbers)}"
    with open(temporary, "wb") as file:
        write_table(
            file,
            [
                (b"", header.SerializeToString(deterministic=True)),
                *((key, entries[key].SerializeToString(deterministic=True)) for key in sorted(entries)),
            ],
        )
    os.replace(temporary, index_name(prefix))


def merge(prefixes: Sequence[str], destination: str, allow_missing: bool = False) -> None:
    """Makes one checkpoint of several, whose files are renamed (source: MergeV2Checkpoints).

    Raises:
      InvalidArgumentError: one of them is not there (unless that is allowed), or two have the same tensor.
    """
    from runstep.protos import tensor_bundle_pb2

    entries: dict[bytes, Any] = {}
    moves: list[str] = []
    for prefix in prefixes:
        if not exists(prefix):
            if allow_missing:
                continue
            raise errors.InvalidArgumentError(
                None, None, f"allow_missing_files was set to false and {prefix} did not exist."
            )
        table = _table(prefix)
        shards = _header(table, prefix).num_shards
        first = len(moves)
        moves += [data_name(prefix, shard, shards) for shard in range(shards)]
        for key, value in table:
            if not key:
                continue
            entry = tensor_bundle_pb2.BundleEntryProto.FromString(value)
            known = entries.get(key)
            if known is not None and entry.slices and known.slices:
                known.slices.extend(entry.slices)
                continue
            if known is not None:
                raise errors.InvalidArgumentError(
                    None, None, f"Duplicate tensor keyed by {key.decode(errors='replace')} encountered, when merging"
                )
            entry.shard_id += first
            entries[key] = entry
    if not moves:
        raise errors.InvalidArgumentError(
            None, None, "At least one prefix checkpoint file must exist, but none existed."
        )
    try:
        Path(destination).parent.mkdir(parents=True, exist_ok=True)
        for shard, source in enumerate(moves):
            os.replace(source, data_name(destination, shard, len(moves)))
        _write_index(destination, entries, len(moves))
        for prefix in prefixes:
            if prefix != destination and exists(prefix):
                os.unlink(index_name(prefix))
    except OSError as error:
        raise failed(error, destination) from error


def remove_empty_directories(prefixes: Sequence[str], destination: str) -> None:
    """Removes the directories of merged checkpoints, if nothing else is in them."""
    for folder in {Path(prefix).parent for prefix in prefixes} - {Path(destination).parent}:
        with contextlib.suppress(OSError):
            folder.rmdir()


# --- reading ------------------------------------------------------------------------------------------------------


def _table(prefix: str) -> Table:
    path = index_name(prefix)
    try:
        with open(path, "rb") as file:
            return Table(file.read(), path)
    except OSError as error:
        raise failed(error, path) from error


def _header(table: Table, prefix: str) -> Any:
    from runstep.protos import tensor_bundle_pb2

    value = table.get(b"")
    if value is None:
        raise damaged(f"{index_name(prefix)}: there is no header")
    header = tensor_bundle_pb2.BundleHeaderProto.FromString(value)
    if header.endianness != tensor_bundle_pb2.BundleHeaderProto.LITTLE:
        raise errors.UnimplementedError(None, None, f"{prefix} was written on a big-endian machine.")
    return header


class BundleReader:
    """Reads a checkpoint.

    Raises:
      NotFoundError: it is not there. DataLossError: it is damaged.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._table = _table(prefix)
        self._shards = _header(self._table, prefix).num_shards

    def _entry(self, key: bytes) -> Any:
        from runstep.protos import tensor_bundle_pb2

        value = self._table.get(key)
        if value is None:
            raise errors.NotFoundError(None, None, f"Key {key.decode(errors='replace')} not found in checkpoint")
        return tensor_bundle_pb2.BundleEntryProto.FromString(value)

    def __contains__(self, name: bytes) -> bool:
        return self._table.get(name) is not None

    def tensors(self) -> dict[bytes, tuple[DType, Shape]]:
        """Name -> (dtype, shape) of every tensor in it."""
        found = {}
        for key, _ in self._table:
            if key and key[0] != 0:  # parts have keys that start with 0
                found[key] = self.describe(key)
        return found

    def describe(self, name: bytes) -> tuple[DType, Shape]:
        """(dtype, shape) of a tensor. NotFoundError when it is not in it."""
        entry = self._entry(name)
        return dtypes.as_dtype(entry.dtype), tuple(dim.size for dim in entry.shape.dim)

    def _bytes(self, entry: Any, offset: int = 0, size: int | None = None) -> np.ndarray:
        path = data_name(self._prefix, entry.shard_id, self._shards)
        size = entry.size if size is None else size
        data = np.empty(size, np.uint8)
        try:
            with open(path, "rb") as file:
                file.seek(entry.offset + offset)
                count = file.readinto(data)  # type: ignore[arg-type]
        except OSError as error:
            raise failed(error, path) from error
        if count != size:
            raise damaged(f"{path}: {count} of {size} bytes could be read")
        return data

    def _checked(self, name: bytes, crc: int, entry: Any) -> None:
        if mask(crc) != entry.crc32c:
            raise damaged(
                f"{self._prefix}: Checksum does not match: stored {entry.crc32c} vs. calculated on the restored bytes "
                f"{mask(crc)} of {name.decode(errors='replace')}"
            )

    def _whole(self, name: bytes, entry: Any) -> np.ndarray:
        """The tensor of an entry that is stored in one piece."""
        dtype, shape = dtypes.as_dtype(entry.dtype), tuple(dim.size for dim in entry.shape.dim)
        data = self._bytes(entry)
        if dtype is dtypes.string:
            texts, crc = _decode_texts(data.tobytes(), math.prod(shape), name.decode(errors="replace"))
            self._checked(name, crc, entry)
            return texts.reshape(shape)
        self._checked(name, crc32c(data), entry)
        if len(data) != math.prod(shape) * dtype.np.itemsize:
            raise damaged(f"{name.decode(errors='replace')}: {len(data)} bytes do not fill {shapes.text(shape)}")
        return data.view(dtype.np).reshape(shape)

    def read(self, name: bytes, dtype: DType | None = None) -> np.ndarray:
        """A whole tensor, put together of its parts where it was saved in parts.

        Raises:
          NotFoundError: it is not in it. InvalidArgumentError: it has another dtype, or parts are missing.
        """
        entry = self._entry(name)
        self._check_type(name, entry, dtype)
        if not entry.slices:
            return self._whole(name, entry)
        shape = tuple(dim.size for dim in entry.shape.dim)
        return self._assembled(name, entry, shape, tuple((0, FULL) for _ in shape))

    def read_slice(self, name: bytes, spec: str, dtype: DType | None = None) -> np.ndarray:
        """The part of a tensor that `spec` ("4 3 0,2:-") says.

        Raises:
          NotFoundError, InvalidArgumentError: as `read`; the tensor has another shape; `spec` cannot be read.
        """
        shape, part, size = slices.parse_spec(spec)
        entry = self._entry(name)
        self._check_type(name, entry, dtype)
        stored = tuple(dim.size for dim in entry.shape.dim)
        if stored != shape:
            raise errors.InvalidArgumentError(
                None,
                None,
                f"tensor_name = {name.decode(errors='replace')}; shape in shape_and_slice spec {shapes.text(shape)} "
                f"does not match the shape stored in checkpoint: {shapes.text(stored)}",
            )
        if entry.slices:
            return self._assembled(name, entry, shape, part)
        kind = dtypes.as_dtype(entry.dtype)
        if kind is dtypes.string or size == shape:
            return self._whole(name, entry)[slices.region(shape, part)].copy()
        # Only the rows that hold the part are read.
        rows = slices.region(shape, part)[0]
        row = math.prod(shape[1:]) * kind.np.itemsize
        data = self._bytes(entry, rows.start * row, (rows.stop - rows.start) * row)
        found = data.view(kind.np).reshape(rows.stop - rows.start, *shape[1:])
        return found[(slice(None), *slices.region(shape, part)[1:])].copy()

    def _assembled(self, name: bytes, entry: Any, shape: Shape, part: Part) -> np.ndarray:
        wanted = slices.region(shape, part)
        kind = dtypes.as_dtype(entry.dtype)
        size = slices.part_shape(shape, part)
        out = np.empty(size, kind.np)
        filled = 0
        for message in entry.slices:
            stored = slices.from_message(message)
            held = slices.region(shape, stored)
            common = [(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(wanted, held, strict=True)]
            if any(start >= stop for start, stop in common):
                continue
            piece = self._whole(name, self._entry(slices.key(name, stored)))
            target = tuple(slice(lo - a.start, hi - a.start) for (lo, hi), a in zip(common, wanted, strict=True))
            source = tuple(slice(lo - b.start, hi - b.start) for (lo, hi), b in zip(common, held, strict=True))
            out[target] = piece[source]
            filled += math.prod(hi - lo for lo, hi in common)
        if filled < math.prod(size):
            raise errors.InvalidArgumentError(
                None,
                None,
                f"Does not have sufficient slices for partitioned tensor {name.decode(errors='replace')} to restore "
                f"in slice_spec: {slices.as_text(part)}",
            )
        return out

    def _check_type(self, name: bytes, entry: Any, dtype: DType | None) -> None:
        stored = dtypes.as_dtype(entry.dtype)
        if dtype is not None and stored is not dtype:
            raise errors.InvalidArgumentError(
                None,
                None,
                f"tensor_name = {name.decode(errors='replace')}; expected dtype {type_text(dtype)} does not equal "
                f"original dtype {type_text(stored)}",
            )
