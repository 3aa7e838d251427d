"""Sorted tables of keys and values in a file: what the index of a checkpoint is (source: LevelDB's table format).

block     entries with shared key prefixes, restart points, then one byte of compression and a masked CRC
index     a block of (a key not before the last of a block, where that block is)
footer    where the index is, and a magic number
"""

from __future__ import annotations

import bisect
import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from runstep import errors
from runstep.io.crc32c import crc32c, mask, masked_crc32c
from runstep.io.snappy import uncompress

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
_BLOCK_SIZE = 256 * 1024
_RESTART_INTERVAL = 16
_NOT_COMPRESSED, _SNAPPY = 0, 1


def put_varint(value: int) -> bytes:
    """Seven bits a byte, the low ones first."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def get_varint(data: bytes, place: int) -> tuple[int, int]:
    """(value, place behind it). IndexError at the end of the data."""
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7


def damaged(what: str) -> errors.DataLossError:
    return errors.DataLossError(None, None, what)


# --- writing ------------------------------------------------------------------------------------------------------


class _Block:
    """A block under construction."""

    def __init__(self, interval: int) -> None:
        self._interval = interval
        self._data = bytearray()
        self._restarts = [0]
        self._since = 0
        self._last = b""

    def add(self, key: bytes, value: bytes) -> None:
        shared = 0
        if self._since < self._interval:
            limit = min(len(key), len(self._last))
            while shared < limit and key[shared] == self._last[shared]:
                shared += 1
        else:
            self._restarts.append(len(self._data))
            self._since = 0
        self._data += put_varint(shared) + put_varint(len(key) - shared) + put_varint(len(value))
        self._data += key[shared:] + value
        self._last = key
        self._since += 1

    def __len__(self) -> int:
        return len(self._data)

    def finished(self) -> bytes:
        return bytes(self._data) + struct.pack(f"<{len(self._restarts) + 1}I", *self._restarts, len(self._restarts))


class TableWriter:
    """Writes a table to a binary file. Keys come in ascending order, each once; `finish` ends the table."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._offset = 0
        self._block = _Block(_RESTART_INTERVAL)
        self._index = _Block(1)
        self._last: bytes | None = None
        self._pending: bytes | None = None  # the handle of a finished block that is not in the index yet

    def add(self, key: bytes, value: bytes) -> None:
        """Adds an entry.

        Raises:
          ValueError: the key is not behind the last one.
        """
        if self._last is not None and key <= self._last:
            raise ValueError(f"{key!r} does not come after {self._last!r}")
        if len(self._block) + len(key) + len(value) > _BLOCK_SIZE:
            self._flush()  # a large value has a block of its own
        if self._pending is not None:
            assert self._last is not None
            self._index.add(_separator(self._last, key), self._pending)
            self._pending = None
        self._block.add(key, value)
        self._last = key
        if len(self._block) >= _BLOCK_SIZE:
            self._flush()

    def _flush(self) -> None:
        if len(self._block):
            self._pending = self._write(self._block)
            self._block = _Block(_RESTART_INTERVAL)

    def _write(self, block: _Block) -> bytes:
        data = block.finished()
        kind = bytes([_NOT_COMPRESSED])
        self._file.write(data)
        self._file.write(kind + struct.pack("<I", mask(crc32c(kind, crc32c(data)))))
        handle = put_varint(self._offset) + put_varint(len(data))
        self._offset += len(data) + 5
        return handle

    def finish(self) -> None:
        """Writes what is left, the index and the footer."""
        self._flush()
        meta = self._write(_Block(_RESTART_INTERVAL))
        if self._pending is not None:
            assert self._last is not None
            self._index.add(_successor(self._last), self._pending)
        footer = meta + self._write(self._index)
        self._file.write(footer.ljust(_FOOTER - 8, b"\0") + struct.pack("<Q", _MAGIC))


def _separator(low: bytes, high: bytes) -> bytes:
    """A short key k with low <= k < high."""
    shared = 0
    while shared < min(len(low), len(high)) and low[shared] == high[shared]:
        shared += 1
    if shared < min(len(low), len(high)) and low[shared] < 0xFF and low[shared] + 1 < high[shared]:
        return low[:shared] + bytes([low[shared] + 1])
    return low


def _successor(key: bytes) -> bytes:
    """A short key that is not before `key`."""
    for place, byte in enumerate(key):
        if byte != 0xFF:
            return key[:place] + bytes([byte + 1])
    return key


# --- reading ------------------------------------------------------------------------------------------------------


class Table:
    """A table in memory, as it was written (`name` is for messages).

    Raises:
      DataLossError: not a table, or damaged.
    """

    def __init__(self, data: bytes, name: str = "table") -> None:
        self._data = data
        self._name = name
        if len(data) < _FOOTER or struct.unpack("<Q", data[-8:])[0] != _MAGIC:
            raise damaged(f"{name}: not an sstable (bad magic number)")
        try:
            place = len(data) - _FOOTER
            for _ in range(2):  # the meta index, of no interest
                _, place = get_varint(data, place)
            offset, place = get_varint(data, place)
            size, place = get_varint(data, place)
            self._index = list(self._entries(self._contents(offset, size)))
        except (IndexError, struct.error) as error:
            raise damaged(f"{name}: the index is damaged") from error
        self._last_keys = [key for key, _ in self._index]
        self._blocks: dict[int, list[tuple[bytes, bytes]]] = {}

    def _contents(self, offset: int, size: int) -> bytes:
        data, trailer = self._data[offset : offset + size], self._data[offset + size : offset + size + 5]
        if len(data) < size or len(trailer) < 5:
            raise damaged(f"{self._name}: truncated block read")
        if masked_crc32c(data + trailer[:1]) != struct.unpack("<I", trailer[1:])[0]:
            raise damaged(f"{self._name}: block checksum mismatch")
        if trailer[0] == _SNAPPY:
            return uncompress(data)
        if trailer[0] != _NOT_COMPRESSED:
            raise damaged(f"{self._name}: bad block type {trailer[0]}")
        return data

    @staticmethod
    def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
        (restarts,) = struct.unpack("<I", block[-4:])
        end = len(block) - 4 * (restarts + 1)
        place, key = 0, b""
        while place < end:
            shared, place = get_varint(block, place)
            fresh, place = get_varint(block, place)
            size, place = get_varint(block, place)
            key = key[:shared] + block[place : place + fresh]
            place += fresh
            yield key, block[place : place + size]
            place += size

    def _block(self, number: int) -> list[tuple[bytes, bytes]]:
        found = self._blocks.get(number)
        if found is None:
            try:
                offset, place = get_varint(self._index[number][1], 0)
                size, _ = get_varint(self._index[number][1], place)
                found = list(self._entries(self._contents(offset, size)))
            except (IndexError, struct.error) as error:
                raise damaged(f"{self._name}: a block is damaged") from error
            self._blocks[number] = found
        return found

    def get(self, key: bytes) -> bytes | None:
        """The value of `key`, or None."""
        number = bisect.bisect_left(self._last_keys, key)
        if number == len(self._index):
            return None
        entries = self._block(number)
        place = bisect.bisect_left(entries, (key,))
        return entries[place][1] if place < len(entries) and entries[place][0] == key else None

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """(key, value) of all entries, in order."""
        for number in range(len(self._index)):
            yield from self._block(number)


def write_table(file: BinaryIO, entries: Sequence[tuple[bytes, bytes]]) -> None:
    """Writes a table of these entries, which are in order."""
    writer = TableWriter(file)
    for key, value in entries:
        writer.add(key, value)
    writer.finish()
