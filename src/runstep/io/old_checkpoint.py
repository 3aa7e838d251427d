"""Checkpoints of the first generation: one table of messages, often in several files that a pattern matches."""

from __future__ import annotations

import glob
import itertools
import math
import os
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import dtypes, shapes, tensor_proto
from runstep.graph.dtypes import DType
from runstep.io import slices
from runstep.io.failures import failed
from runstep.io.slices import FULL, Part, Shape
from runstep.io.table import Table, damaged, write_table
from runstep.kernels.shared import type_text

_numbers = itertools.count()

Saved = tuple[bytes, Shape, Part, np.ndarray]
"""Name, the whole tensor's shape, which part, and its values."""


def _invalid(text: str) -> errors.InvalidArgumentError:
    return errors.InvalidArgumentError(None, None, text)


def whole(shape: Shape) -> Part:
    """The part that is all of a tensor."""
    return tuple((0, FULL) for _ in shape)


def write(path: str, tensors: list[Saved]) -> None:
    """Writes one file.

    Raises:
      InvalidArgumentError: a name twice with different shapes. OpError: the file system refuses.
    """
    from runstep.protos import saved_tensor_slice_pb2

    head = saved_tensor_slice_pb2.SavedTensorSlices()
    head.meta.versions.producer = 1
    metas: dict[bytes, Any] = {}
    entries: list[tuple[bytes, bytes]] = []
    for name, shape, part, value in sorted(tensors, key=lambda saved: saved[0]):
        dtype = dtypes.as_dtype(value.dtype)
        meta = metas.get(name)
        if meta is None:
            meta = metas[name] = head.meta.tensor.add(name=name.decode(), type=dtype.enum)
            meta.shape.CopyFrom(shapes.to_proto(shape))
        elif tuple(dim.size for dim in meta.shape.dim) != shape:
            raise _invalid(f"{name.decode()} is saved in parts of tensors of different shapes")
        slices.to_message(part, meta.slice.add())
        one = saved_tensor_slice_pb2.SavedTensorSlices()
        one.data.name = name.decode()
        one.data.slice.SetInParent()
        slices.to_message(part, one.data.slice)
        _fill(one.data.data, value, dtype)
        entries.append((slices.key(name, part), one.SerializeToString(deterministic=True)))
    entries.sort()
    temporary = f"{path}.tempstate{os.getpid()}_{next(_numbers)}"
    try:
        with open(temporary, "wb") as file:
            write_table(file, [(b"", head.SerializeToString(deterministic=True)), *entries])
        os.replace(temporary, path)
    except OSError as error:
        raise failed(error, temporary) from error


def _fill(message: Any, value: np.ndarray, dtype: DType) -> None:
    field = tensor_proto._LIST_FIELDS.get(dtype)
    if field is None:
        raise errors.UnimplementedError(None, None, f"Tensors of type {type_text(dtype)} are not saved.")
    flat = np.ascontiguousarray(value).reshape(-1)
    getattr(message, field).extend(tensor_proto._as_numbers(flat, field))


class SliceReader:
    """Reads the tensors of all files that a pattern matches.

    Raises:
      NotFoundError: no file matches. DataLossError: a file is damaged.
    """

    def __init__(self, pattern: str) -> None:
        from runstep.protos import saved_tensor_slice_pb2

        self._pattern = pattern
        paths = [path for path in sorted(glob.glob(pattern)) if os.path.isfile(path)]
        if not paths:
            raise errors.NotFoundError(
                None,
                None,
                "Unsuccessful TensorSliceReader constructor: Failed to find any matching files for " + pattern,
            )
        self._tensors: dict[str, tuple[DType, Shape, list[tuple[Part, Table]]]] = {}
        for path in paths:
            try:
                with open(path, "rb") as file:
                    table = Table(file.read(), path)
            except OSError as error:
                raise failed(error, path) from error
            except errors.DataLossError as error:
                raise errors.DataLossError(
                    None,
                    None,
                    f"Unable to open table file {path}: {error.message}: perhaps your file is in a different file "
                    "format and you need to use a different restore operator?",
                ) from error
            head = table.get(b"")
            if head is None:
                raise damaged(f"{path}: there is no header")
            for meta in saved_tensor_slice_pb2.SavedTensorSlices.FromString(head).meta.tensor:
                shape = tuple(dim.size for dim in meta.shape.dim)
                _, _, parts = self._tensors.setdefault(meta.name, (dtypes.as_dtype(meta.type), shape, []))
                parts += [(slices.from_message(part), table) for part in meta.slice]

    def tensors(self) -> dict[bytes, tuple[DType, Shape]]:
        """Name -> (dtype, shape) of every tensor in it."""
        return {name.encode(): (dtype, shape) for name, (dtype, shape, _) in self._tensors.items()}

    def describe(self, name: bytes) -> tuple[DType, Shape]:
        """(dtype, shape) of a tensor. NotFoundError when it is not in it."""
        dtype, shape, _ = self._found(name)
        return dtype, shape

    def __contains__(self, name: bytes) -> bool:
        return name.decode() in self._tensors

    def _found(self, name: bytes) -> tuple[DType, Shape, list[tuple[Part, Table]]]:
        found = self._tensors.get(name.decode())
        if found is None:
            raise errors.NotFoundError(
                None, None, f'Tensor name "{name.decode()}" not found in checkpoint files {self._pattern}'
            )
        return found

    def read(self, name: bytes, dtype: DType | None = None, spec: str = "") -> np.ndarray:
        """A tensor, or the part of it that `spec` says.

        Raises:
          NotFoundError: it is not in it. InvalidArgumentError: it has another dtype or shape, or parts are missing.
        """
        kind, shape, parts = self._found(name)
        if dtype is not None and kind is not dtype:
            raise _invalid(
                f"Expected to restore a tensor of type {type_text(dtype)}, got a tensor of type {type_text(kind)} "
                f"instead: tensor_name = {name.decode()}"
            )
        part = whole(shape)
        if spec:
            asked, part, _ = slices.parse_spec(spec)
            if asked != shape:
                raise _invalid(
                    f"Shape in shape_and_slice spec does not match the shape in the save file: {shapes.text(asked)}, "
                    f"save file shape: {shapes.text(shape)}"
                )
        size = slices.part_shape(shape, part)
        wanted = slices.region(shape, part)
        out = np.empty(size, kind.np)
        filled = 0
        for stored, table in parts:
            held = slices.region(shape, stored)
            common = [(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(wanted, held, strict=True)]
            if any(start >= stop for start, stop in common):
                continue
            piece = self._piece(name, kind, shape, stored, table)
            target = tuple(slice(lo - a.start, hi - a.start) for (lo, hi), a in zip(common, wanted, strict=True))
            source = tuple(slice(lo - b.start, hi - b.start) for (lo, hi), b in zip(common, held, strict=True))
            out[target] = piece[source]
            filled += math.prod(hi - lo for lo, hi in common)
        if filled < math.prod(size):
            raise _invalid("Error copying slice data")
        return out

    @staticmethod
    def _piece(name: bytes, kind: DType, shape: Shape, part: Part, table: Table) -> np.ndarray:
        from runstep.protos import saved_tensor_slice_pb2

        value = table.get(slices.key(name, part))
        if value is None:
            raise damaged(f"{name.decode()}: a part is missing")
        message: Any = saved_tensor_slice_pb2.SavedTensorSlices.FromString(value).data.data
        message.dtype = kind.enum
        message.tensor_shape.CopyFrom(shapes.to_proto(slices.part_shape(shape, part)))
        return tensor_proto.decode(message)
