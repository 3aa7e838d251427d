"""TFRecord files: records with their lengths and checksums, as they are or compressed as a whole."""

from __future__ import annotations

import contextlib
import gzip
import io
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from runstep import errors
from runstep.io.crc32c import masked_crc32c


def frame(record: bytes) -> bytes:
    """A record as it is in a file: its length, that one's masked CRC, its bytes, their masked CRC."""
    length = struct.pack("<Q", len(record))
    return b"".join(
        (length, struct.pack("<I", masked_crc32c(length)), record, struct.pack("<I", masked_crc32c(record)))
    )


def write_records(file: BinaryIO, records: Iterable[bytes], compression: str = "") -> None:
    """Writes records to a binary file; `compression` is "", "ZLIB" or "GZIP"."""
    data = b"".join(map(frame, records)) if compression else b""
    if compression == "ZLIB":
        file.write(zlib.compress(data))
    elif compression == "GZIP":
        file.write(gzip.compress(data))
    else:
        for record in records:
            file.write(frame(record))


class RecordReader:
    """The records of a file, in order. `offset` is where the next one starts in the (uncompressed) file.

    Raises:
      InvalidArgumentError: an unknown compression. DataLossError: the file is damaged.
    """

    def __init__(self, file: BinaryIO, compression: str = "", offset: int = 0) -> None:
        opened: Any = file
        if compression == "ZLIB":
            try:
                opened = io.BytesIO(zlib.decompress(file.read()))
            except zlib.error as error:
                raise errors.DataLossError(None, None, f"inflate() failed: {error}") from error
        elif compression == "GZIP":
            opened = gzip.GzipFile(fileobj=file)
        elif compression:
            raise errors.InvalidArgumentError(None, None, f"Unsupported compression_type:{compression}.")
        self._file = opened
        self.offset = offset
        if offset:
            opened.seek(offset)

    def read(self) -> bytes | None:
        """The next record; None at the end. A damaged one stays where it is: reading it again fails again."""
        try:
            return self._next()
        except errors.DataLossError:
            with contextlib.suppress(OSError, EOFError, zlib.error):
                self._file.seek(self.offset)
            raise

    def _next(self) -> bytes | None:
        header = self._read(12)
        if not header:
            return None
        if len(header) < 12:
            raise errors.DataLossError(None, None, f"truncated record at {self.offset}")
        if struct.unpack("<I", header[8:])[0] != masked_crc32c(header[:8]):
            hint = "" if self.offset else " (Is this even a TFRecord file?)"
            raise errors.DataLossError(None, None, f"corrupted record at {self.offset}{hint}")
        (size,) = struct.unpack("<Q", header[:8])
        data = self._read(size + 4)
        if len(data) < size + 4:
            raise errors.DataLossError(None, None, f"truncated record at {self.offset}")
        if struct.unpack("<I", data[size:])[0] != masked_crc32c(data[:size]):
            raise errors.DataLossError(None, None, f"corrupted record at {self.offset}")
        self.offset += size + 16
        return data[:size]

    def _read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise errors.DataLossError(None, None, f"{error} at {self.offset}") from error

    def __iter__(self) -> Iterator[bytes]:
        while (record := self.read()) is not None:
            yield record
