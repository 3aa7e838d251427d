"""Snappy, as far as old checkpoints need it: decompression of one block."""

from __future__ import annotations

from runstep import errors


def uncompress(data: bytes) -> bytes:
    """The bytes that a raw Snappy block holds.

    Raises:
      DataLossError: it is damaged.
    """
    try:
        return _uncompress(data)
    except IndexError:
        raise errors.DataLossError(None, None, "corrupted compressed block contents") from None


def _uncompress(data: bytes) -> bytes:
    size = shift = place = 0
    while True:
        byte = data[place]
        place += 1
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    out = bytearray()
    while place < len(data):
        tag = data[place]
        place += 1
        kind = tag & 3
        if kind == 0:  # literal
            length = (tag >> 2) + 1
            if length > 60:
                extra = length - 60
                length = int.from_bytes(data[place : place + extra], "little") + 1
                place += extra
            if place + length > len(data):
                raise IndexError
            out += data[place : place + length]
            place += length
            continue
        if kind == 1:
            length = (tag >> 2 & 7) + 4
            offset = (tag >> 5) << 8 | data[place]
            place += 1
        else:
            length = (tag >> 2) + 1
            width = 2 if kind == 2 else 4
            offset = int.from_bytes(data[place : place + width], "little")
            place += width
        start = len(out) - offset
        if offset == 0 or start < 0:
            raise IndexError
        if offset >= length:
            out += out[start : start + length]
        else:  # the copy overlaps itself: a pattern repeated
            pattern = bytes(out[start:])
            out += (pattern * (length // offset + 1))[:length]
    if len(out) != size:
        raise IndexError
    return bytes(out)
