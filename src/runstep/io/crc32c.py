"""CRC-32C (Castagnoli), the checksum in all of TensorFlow's files, at memory speed without a compiled extension.

A CRC is linear: the data is cut into lanes that numpy advances side by side, four bytes a turn, and the lanes' results
are folded together pairwise, each shifted over the bytes that come behind it.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

_POLYNOMIAL = 0x82F63B78  # bits reversed
_FULL = 0xFFFFFFFF
_LANES = ((1 << 11, 16), (1 << 16, 64), (1 << 63, 256))  # bytes in a lane, by the size of the data
_BLOCK = 1 << 22  # bytes advanced together: 16384 lanes
_FEW = 96  # bytes: below that a loop in Python is faster
_MASK_DELTA = 0xA282EAD8

Buffer = Any
Words = np.ndarray[Any, np.dtype[np.uint32]]


def crc32c(data: Buffer, crc: int = 0) -> int:
    """The CRC-32C of bytes (or any buffer), continued from `crc`, that of the bytes before."""
    state = crc ^ _FULL
    view = memoryview(data).cast("B") if not isinstance(data, bytes) else data
    size = len(view)
    if size < _FEW:
        return _bytewise(view, state) ^ _FULL
    lane = next(lane for limit, lane in _LANES if size < limit)
    array = np.frombuffer(view, np.uint8)
    for start in range(0, size - lane + 1, _BLOCK):
        block = array[start : start + _BLOCK]
        state = _lanes(block[: len(block) // lane * lane], lane, state)
    tail = size % lane
    if tail:
        state = _bytewise(view[size - tail :], state)
    return state ^ _FULL


def mask(crc: int) -> int:
    """A CRC as it is stored: the CRC of data that holds CRCs would be weak otherwise."""
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & _FULL


def unmask(masked: int) -> int:
    """The CRC that is stored as `masked`."""
    rotated = (masked - _MASK_DELTA) & _FULL
    return ((rotated >> 17) | (rotated << 15)) & _FULL


def masked_crc32c(data: Buffer) -> int:
    """`mask(crc32c(data))`."""
    return mask(crc32c(data))


@functools.cache
def _table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


def _bytewise(data: Any, state: int) -> int:
    table = _table()
    for byte in data:
        state = table[(state ^ byte) & 255] ^ (state >> 8)
    return state


def _applied(operator: tuple[int, ...], vector: int) -> int:
    found = 0
    for column in operator:
        if vector & 1:
            found ^= column
        vector >>= 1
    return found


@functools.cache
def _shift(size: int) -> tuple[int, ...]:
    """What `size` zero bytes do to a state: the image of each of its 32 bits. `size` is a power of two."""
    if size == 1:
        table = _table()
        return tuple(table[(1 << bit) & 255] ^ ((1 << bit) >> 8) for bit in range(32))
    half = _shift(size // 2)
    return tuple(_applied(half, column) for column in half)


@functools.cache
def _halves(size: int) -> tuple[Words, Words]:
    """`_shift(size)` as two look-ups, by the low and by the high 16 bits of a state."""
    operator = np.array(_shift(size), np.uint32)
    values = np.arange(1 << 16, dtype=np.uint32)
    tables = []
    for columns in (operator[:16], operator[16:]):
        table = np.zeros(1 << 16, np.uint32)
        for bit, column in enumerate(columns):
            table ^= np.where(values >> np.uint32(bit) & np.uint32(1), column, np.uint32(0))
        tables.append(table)
    return tables[0], tables[1]


def _shifted(states: Words, size: int) -> Words:
    low, high = _halves(size)
    return low[states & np.uint32(0xFFFF)] ^ high[states >> np.uint32(16)]


def _lanes(block: Any, lane: int, state: int) -> int:
    """The state after `block`, some whole lanes, from `state` before it."""
    count = len(block) // lane
    words = np.array(block.view("<u4").reshape(count, lane // 4).T, np.uint32, order="C")
    words[0, 0] ^= np.uint32(state)
    states = words[0].copy()
    low, high = _halves(4)
    places = np.empty(count, np.uint32)
    other = np.empty(count, np.uint32)
    for turn in range(lane // 4):
        if turn:
            np.bitwise_xor(states, words[turn], out=states)
        np.bitwise_and(states, np.uint32(0xFFFF), out=places)
        np.take(low, places, out=other)
        np.right_shift(states, np.uint32(16), out=places)
        np.take(high, places, out=states)
        np.bitwise_xor(states, other, out=states)
    missing = (1 << (count - 1).bit_length()) - count
    if missing:  # zeros in front change nothing
        states = np.concatenate([np.zeros(missing, np.uint32), states])
    size = lane
    while len(states) > 1:
        states = _shifted(states[0::2], size) ^ states[1::2]
        size *= 2
    return int(states[0])
