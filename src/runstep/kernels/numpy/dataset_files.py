"""Kernels of datasets that read files: records, lines and pieces of a fixed length."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np

from runstep import errors
from runstep.io.failures import failed
from runstep.io.tfrecord import RecordReader
from runstep.kernels.datasets import Dataset, Element, Iterating
from runstep.kernels.registry import numpy_kernel
from runstep.kernels.shared import invalid, scalar, shape_of


class _Files(Iterating):
    """The records of one file after the other. A file that can't be opened fails each time that it is asked for."""

    def __init__(self, names: list[str], records: Callable[[str], Iterator[bytes]]) -> None:
        self._names, self._records = names, records
        self._at = 0
        self._open: Iterator[bytes] | None = None

    def __next__(self) -> Element:
        while self._at < len(self._names):
            if self._open is None:
                self._open = self._records(self._names[self._at])
            record = next(self._open, None)
            if record is not None:
                return (scalar(record),)
            self._open = None
            self._at += 1
        raise StopIteration


def _over(filenames: Any, records: Callable[[str], Iterator[bytes]]) -> Dataset:
    if len(shape_of(filenames)) > 1:
        raise invalid("`filenames` must be a scalar or a vector.")
    names = [name.decode() for name in np.ravel(filenames).tolist()]
    return Dataset(lambda walk: _Files(names, records))


def _compression(value: Any) -> str:
    found: str = np.asarray(value).item().decode()
    if found not in ("", "ZLIB", "GZIP"):
        raise invalid("Unsupported compression_type.")
    return found


def _opened(name: str, compression: str = "") -> BinaryIO:
    try:
        file = open(name, "rb")
    except OSError as error:
        raise failed(error, name) from error
    if not compression:
        return file
    with file:
        data = file.read()
    try:
        whole = zlib.decompress(data) if compression == "ZLIB" else gzip.decompress(data)
    except (zlib.error, OSError, EOFError) as error:
        raise errors.DataLossError(None, None, f"{name}: {error}") from error
    return io.BytesIO(whole)


class _Records:
    """The records of a TFRecord file. A damaged one fails each time that it is asked for."""

    def __init__(self, name: str, compression: str, offset: int) -> None:
        self._file = _opened(name)
        if offset:
            self._file.seek(offset)
        self._reader = RecordReader(self._file, compression)

    def __iter__(self) -> _Records:
        return self

    def __next__(self) -> bytes:
        record = self._reader.read()
        if record is None:
            self._file.close()
            raise StopIteration
        return record

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()


@numpy_kernel("TFRecordDataset")
def tf_record_dataset(filenames: Any, compression_type: Any, buffer_size: Any) -> Dataset:
    compression = _compression(compression_type)
    return _over(filenames, lambda name: _Records(name, compression, 0))


@numpy_kernel("TFRecordDatasetV2")
def tf_record_dataset_v2(filenames: Any, compression_type: Any, buffer_size: Any, byte_offsets: Any) -> Dataset:
    compression = _compression(compression_type)
    offsets = dict(zip(np.ravel(filenames).tolist(), np.ravel(byte_offsets).tolist(), strict=False))
    return _over(filenames, lambda name: _Records(name, compression, offsets.get(name.encode(), 0)))


def _lines(file: BinaryIO) -> Iterator[bytes]:
    with file:
        for line in file:
            yield line.removesuffix(b"\n").removesuffix(b"\r")


@numpy_kernel("TextLineDataset")
def text_line_dataset(filenames: Any, compression_type: Any, buffer_size: Any) -> Dataset:
    compression = _compression(compression_type)
    return _over(filenames, lambda name: _lines(_opened(name, compression)))


@numpy_kernel("FixedLengthRecordDataset", "FixedLengthRecordDatasetV2")
def fixed_length_record_dataset(
    filenames: Any, header_bytes: Any, record_bytes: Any, footer_bytes: Any, buffer_size: Any, *more: Any
) -> Dataset:
    header, size, footer = int(header_bytes), int(record_bytes), int(footer_bytes)
    if header < 0:
        raise invalid("`header_bytes` must be >= 0")
    if size <= 0:
        raise invalid("`record_bytes` must be > 0")
    if footer < 0:
        raise invalid("`footer_bytes` must be >= 0")
    compression = _compression(more[0]) if more else ""

    def records(name: str) -> Iterator[bytes]:
        with _opened(name, compression) as file:
            data = file.read()
        body = data[header : len(data) - footer]
        if len(data) < header + footer or len(body) % size:
            raise invalid(
                f'Excluding the header ({header} bytes) and footer ({footer} bytes), input file "{name}" has body '
                f"length {max(0, len(data) - header - footer)} bytes, which is not an exact multiple of the record "
                f"length ({size} bytes)."
            )
        return iter([body[place : place + size] for place in range(0, len(body), size)])

    return _over(filenames, records)
