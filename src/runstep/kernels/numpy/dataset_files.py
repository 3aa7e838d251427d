"""Kernels of datasets that read files: records, lines and pieces of a fixed length."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from runstep import errors
from runstep.io.failures import opened
from runstep.io.inflating import KINDS, Inflating
from runstep.io.tfrecord import RecordReader
from runstep.kernels.datasets import Dataset, Element, Iterating
from runstep.kernels.registry import numpy_kernel
from runstep.kernels.shared import invalid, scalar, shape_of

Records = Callable[[Any, bytes], Iterator[bytes]]


class _Files(Iterating):
    """The records of one file after the other. A file that can't be opened fails each time that it is asked for.

    Args:
      records: of an open file, by its name; an iterator that may go on after an error.
      leaves: what is damaged fails once, and the next file follows; else it fails again and again.
    """

    _file: Any = None
    """Closed at its end, or with the iterator."""

    def __init__(self, names: list[bytes], records: Records, leaves: bool) -> None:
        self._names, self._records, self._leaves = names, records, leaves
        self._at = 0
        self._open: Iterator[bytes] = iter(())

    def __next__(self) -> Element:
        while self._at < len(self._names):
            name = self._names[self._at]
            if self._file is None:
                self._begin(name)
            try:
                record = next(self._open, None)
            except errors.DataLossError:
                if self._leaves:
                    self._leave()
                raise
            if record is not None:
                return (scalar(record),)
            self._leave()
        raise StopIteration

    def _begin(self, name: bytes) -> None:
        file = opened(name)
        try:
            self._open = self._records(file, name)
        except errors.OpError:
            file.close()
            raise
        self._file = file

    def _leave(self) -> None:
        self._file.close()
        self._file = None
        self._at += 1

    def __del__(self) -> None:
        if self._file is not None:
            self._file.close()


def _over(filenames: Any, records: Records, leaves: bool = True) -> Dataset:
    if len(shape_of(filenames)) > 1:
        raise invalid("`filenames` must be a scalar or a vector.")
    names = np.ravel(filenames).tolist()
    return Dataset(lambda walk: _Files(names, records, leaves))


def _compression(value: Any) -> str:
    found: str = np.asarray(value).item().decode()
    if found and found not in KINDS:
        raise invalid("Unsupported compression_type.")
    return found


def _content(file: Any, compression: str) -> Any:
    return Inflating(file, compression) if compression else file


@numpy_kernel("TFRecordDataset")
def tf_record_dataset(filenames: Any, compression_type: Any, buffer_size: Any) -> Dataset:
    compression = _compression(compression_type)
    return _over(filenames, lambda file, name: iter(RecordReader(file, compression)))


@numpy_kernel("TFRecordDatasetV2")
def tf_record_dataset_v2(filenames: Any, compression_type: Any, buffer_size: Any, byte_offsets: Any) -> Dataset:
    compression = _compression(compression_type)
    offsets = dict(zip(np.ravel(filenames).tolist(), np.ravel(byte_offsets).tolist(), strict=False))
    return _over(filenames, lambda file, name: iter(RecordReader(file, compression, offsets.get(name, 0))))


def _line(line: bytes) -> bytes:
    return line.removesuffix(b"\n").removesuffix(b"\r")


@numpy_kernel("TextLineDataset")
def text_line_dataset(filenames: Any, compression_type: Any, buffer_size: Any) -> Dataset:
    compression = _compression(compression_type)
    return _over(filenames, lambda file, name: map(_line, _content(file, compression)), leaves=False)


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

    def refused(kind: Any, name: bytes, length: int) -> errors.OpError:
        said = (
            f"Excluding the header ({header} bytes) and footer ({footer} bytes), input file "
            f'"{name.decode(errors="replace")}" has body length {length} bytes, which is not an exact multiple of the '
            f"record length ({size} bytes)."
        )
        refusal: errors.OpError = kind(None, None, said)
        return refusal

    def records(file: Any, name: bytes) -> Iterator[bytes]:
        """Of a compressed file the length is only known at its end."""
        data = _content(file, compression)
        if not compression:
            length = os.fstat(file.fileno()).st_size - header - footer
            if length < 0 or length % size:
                raise refused(errors.InvalidArgumentError, name, max(0, length))
        return pieces(data, name)

    def pieces(data: Any, name: bytes) -> Iterator[bytes]:
        data.read(header)
        length, ahead = 0, data.read(footer)
        while len(ahead := ahead + data.read(size)) == size + footer:
            yield ahead[:size]
            length, ahead = length + size, ahead[size:]
        if len(ahead) != footer:
            raise refused(errors.DataLossError, name, length + max(0, len(ahead) - footer))

    return _over(filenames, records)
