"""TFRecord files: records with their lengths and checksums, as they are or compressed as a whole."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from runstep import errors
from runstep.io import inflating
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

    A header that is cut off is the end of the file. A damaged record fails each time that it is read.

    Raises:
      InvalidArgumentError: an unknown compression. DataLossError: the file is damaged.
    """

    def __init__(self, file: BinaryIO, compression: str = "", offset: int = 0) -> None:
        if compression and compression not in inflating.KINDS:
            raise errors.InvalidArgumentError(None, None, f"Unsupported compression_type:{compression}.")
        self._is_whole = not compression
        self._file: Any = inflating.Inflating(file, compression) if compression else file
        self._damage = ""
        self.offset = offset
        if offset and self._is_whole:
            file.seek(offset)
        elif offset:
            self._file.read(offset)

    def read(self) -> bytes | None:
        """The next record; None at the end."""
        if self._damage:
            raise errors.DataLossError(None, None, self._damage)
        try:
            return self._next()
        except errors.DataLossError as error:
            self._damage = error.message
            raise

    def _next(self) -> bytes | None:
        header = self._file.read(12)
        if len(header) < 12:
            return None
        if struct.unpack("<I", header[8:])[0] != masked_crc32c(header[:8]):
            hint = "" if self.offset else " (Is this even a TFRecord file?)"
            raise errors.DataLossError(None, None, f"corrupted record at {self.offset}{hint}")
        (size,) = struct.unpack("<Q", header[:8])
        data = self._file.read(size + 4)
        if len(data) < size + 4:
            why = "Read less bytes than requested" if self._is_whole else "EOF reached"
            said = f"truncated record at {self.offset}' failed with {why}"
            raise errors.DataLossError(None, None, said)
        if struct.unpack("<I", data[size:])[0] != masked_crc32c(data[:size]):
            raise errors.DataLossError(None, None, f"corrupted record at {self.offset + 12}")
        self.offset += size + 16
        return data[:size]

    def __iter__(self) -> Iterator[bytes]:
        while (record := self.read()) is not None:
            yield record
