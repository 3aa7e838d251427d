"""Kernels of readers, and of whole files."""

from __future__ import annotations

import glob
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import dtypes, shapes
from runstep.io.failures import failed, opened
from runstep.kernels import shared
from runstep.kernels.numpy.queues import queue_of
from runstep.kernels.queues import Queue
from runstep.kernels.readers import (
    FixedLengthReader,
    IdentityReader,
    Reader,
    TextLineReader,
    TFRecordFileReader,
    WholeFileReader,
)
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.shared import invalid, scalar, shape_of

_READER = "tensorflow::ReaderInterface"

# --- owners -------------------------------------------------------------------------------------------------------


@numpy_kernel.make("WholeFileReader", "WholeFileReaderV2")
def whole_file_reader(node: Node) -> Kernel:
    return shared.owner(node, _READER, lambda _: WholeFileReader(node.name))


@numpy_kernel.make("IdentityReader", "IdentityReaderV2")
def identity_reader(node: Node) -> Kernel:
    return shared.owner(node, _READER, lambda _: IdentityReader(node.name))


@numpy_kernel.make("TextLineReader", "TextLineReaderV2")
def text_line_reader(node: Node) -> Kernel:
    skip = node.attrs["skip_header_lines"]
    if skip < 0:
        raise invalid(f"skip_header_lines must be >= 0 not {skip}")
    return shared.owner(node, _READER, lambda _: TextLineReader(node.name, skip))


@numpy_kernel.make("FixedLengthRecordReader", "FixedLengthRecordReaderV2")
def fixed_length_record_reader(node: Node) -> Kernel:
    attrs = node.attrs
    sizes = [attrs[f"{part}_bytes"] for part in ("header", "record", "footer", "hop")]
    for part, size in zip(("header", "record", "footer", "hop"), sizes, strict=True):
        if size < 0:
            raise invalid(f"{part}_bytes must be >= 0 not {size}")
    if not sizes[1]:
        raise invalid("record_bytes must be > 0")  # TensorFlow gives empty records without end
    header, record, footer, hop = sizes
    encoding = attrs.get("encoding", b"").decode()
    if encoding not in ("", "ZLIB", "GZIP"):
        raise invalid(f"encoding must be '', 'ZLIB' or 'GZIP', not '{encoding}'")
    return shared.owner(node, _READER, lambda _: FixedLengthReader(node.name, header, record, footer, hop, encoding))


@numpy_kernel.make("TFRecordReader", "TFRecordReaderV2")
def tf_record_reader(node: Node) -> Kernel:
    compression = node.attrs["compression_type"].decode()
    return shared.owner(node, _READER, lambda _: TFRecordFileReader(node.name, compression))


@numpy_kernel("LMDBReader")
def lmdb_reader() -> Any:
    raise errors.UnimplementedError(
        None, None, "LMDB support is removed from TensorFlow. Write the records to TFRecord files instead."
    )


# --- use ----------------------------------------------------------------------------------------------------------


def reader_of(handle: Any) -> Reader:
    """The reader that a handle names."""
    return shared.found(handle, _READER)


def _names(handle: Any) -> Queue:
    queue = queue_of(handle)
    if len(queue.types) != 1:
        raise invalid("Expected single component queue")
    if queue.types[0] is not dtypes.string:
        raise invalid("Expected queue with single string component")
    return queue


@numpy_kernel("ReaderRead", "ReaderReadV2", is_async=True)
async def read(reader: Any, queue: Any) -> Any:
    key, value = await reader_of(reader).read(_names(queue))
    return scalar(key), scalar(value)


@numpy_kernel("ReaderReadUpTo", "ReaderReadUpToV2", is_async=True)
async def read_up_to(reader: Any, queue: Any, count: Any) -> Any:
    if shape_of(count):
        raise invalid(f"num_records must be scalar, but had shape: {shapes.text(shape_of(count))}")
    records = await reader_of(reader).read_up_to(_names(queue), int(count))
    keys, values = np.empty(len(records), object), np.empty(len(records), object)
    keys[:] = [key for key, _ in records]
    values[:] = [value for _, value in records]
    return keys, values


@numpy_kernel("ReaderNumRecordsProduced", "ReaderNumRecordsProducedV2")
def num_records_produced(reader: Any) -> Any:
    return np.int64(reader_of(reader).produced)


@numpy_kernel("ReaderNumWorkUnitsCompleted", "ReaderNumWorkUnitsCompletedV2")
def num_work_units_completed(reader: Any) -> Any:
    return np.int64(reader_of(reader).finished)


@numpy_kernel("ReaderSerializeState", "ReaderSerializeStateV2")
def serialize_state(reader: Any) -> Any:
    return scalar(reader_of(reader).serialize())


@numpy_kernel("ReaderRestoreState", "ReaderRestoreStateV2")
def restore_state(reader: Any, state: Any) -> None:
    if shape_of(state):
        raise invalid(f"Reader state must be scalar, but had shape: {shapes.text(shape_of(state))}")
    reader_of(reader).restore(np.asarray(state).item())


@numpy_kernel("ReaderReset", "ReaderResetV2")
def reset(reader: Any) -> None:
    reader_of(reader).reset()


# --- whole files --------------------------------------------------------------------------------------------------


def _text(value: Any, what: str) -> bytes:
    if shape_of(value):
        raise invalid(f"{what} tensor must be scalar, but had shape: {shapes.text(shape_of(value))}")
    return np.asarray(value).item()


@numpy_kernel("ReadFile")
def read_file(filename: Any) -> Any:
    with opened(_text(filename, "Input filename")) as file:
        return scalar(file.read())


@numpy_kernel("WriteFile")
def write_file(filename: Any, contents: Any) -> None:
    path, data = os.fsdecode(_text(filename, "Input filename")), _text(contents, "Contents")
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(data)
    except OSError as error:
        raise failed(error, path) from error


@numpy_kernel.make("ImmutableConst")
def immutable_const(node: Node) -> Kernel:
    """The bytes of a file as a tensor."""
    path, dtype = os.fsdecode(node.attrs["memory_region_name"]), node.attrs["dtype"]
    dims = node.attrs["shape"] or ()

    def run() -> Any:
        with opened(os.fsencode(path)) as file:
            if dtype.np.hasobject:
                name = f"DT_{dtype.name.upper()}"
                text = f"Sorry, {name} is not currently supported for ImmutableConstOp."
                raise errors.UnimplementedError(None, None, text)
            size = math.prod(dims) * dtype.np.itemsize
            data = file.read(size)
        if len(data) < size:
            text = f"Readonly memory region has wrong length ({len(data)}) when allocating {size}"
            raise errors.InternalError(None, None, text)
        return np.frombuffer(data, dtype.np).reshape(dims)

    return run


@numpy_kernel("MatchingFiles")
def matching_files(patterns: Any) -> Any:
    if len(shape_of(patterns)) > 1:
        raise invalid(
            f"Input patterns tensor must be scalar or vector, but had shape: {shapes.text(shape_of(patterns))}"
        )
    found = [path for pattern in np.ravel(patterns).tolist() for path in glob.glob(os.fsdecode(pattern))]
    out = np.empty(len(found), object)
    out[:] = sorted(map(os.fsencode, found))
    return out
