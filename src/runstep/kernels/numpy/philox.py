"""Philox 4x32-10, the counter-based generator behind TensorFlow's random ops.

Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). A key of 64 bits and a
counter of 128 bits are scrambled into a *block* of four 32-bit words; the stream of a key is the blocks of consecutive
counters. Nothing is carried from block to block, so any part of a stream is made in one vectorised pass.

Words travel in uint64 arrays: numpy has no 32 x 32 -> 64 bit product. Work is done in pieces that stay in the cache.
"""

from __future__ import annotations

import secrets
import threading
from typing import Any

import numpy as np

_MASK = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = 0x9E3779B9
_WEYL_1 = 0xBB67AE85
_ROUNDS = 10
_PIECE = 4096  # blocks; ten uint64 arrays of this length fit the second-level cache
_FEW = 8  # blocks that Python makes faster than numpy
_COUNTERS = 1 << 128

Words = np.ndarray[Any, np.dtype[np.uint32]]


def _scramble(key: int, low: np.ndarray[Any, Any], high: int, out: Words) -> None:
    """The blocks at counters `high << 64 | low` into `out` (len(low), 4)."""
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    x0: Any = low & _MASK
    x1: Any = low >> _32
    x2: Any = np.uint64(high & 0xFFFFFFFF)
    x3: Any = np.uint64(high >> 32)
    for _ in range(_ROUNDS):
        p0 = x0 * _MULTIPLIER_0
        p1 = x2 * _MULTIPLIER_1
        x1 = x1 ^ np.uint64(k0)
        x3 = x3 ^ np.uint64(k1)
        x0 = p1 >> _32
        x2 = p0 >> _32
        if x0.ndim:
            x0 ^= x1
            x2 ^= x3
            p0 &= _MASK
            p1 &= _MASK
        else:  # in the first round half of the words are the same for all
            x0 = x0 ^ x1
            x2 = x2 ^ x3
            p0 &= _MASK
            p1 = p1 & _MASK
        x1, x3 = p1, p0
        k0 = (k0 + _WEYL_0) & 0xFFFFFFFF
        k1 = (k1 + _WEYL_1) & 0xFFFFFFFF
    out[:, 0] = x0
    out[:, 1] = x1
    out[:, 2] = x2
    out[:, 3] = x3


def _block(key: int, counter: int) -> tuple[int, int, int, int]:
    """One block, without numpy."""
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    x0, x1 = counter & 0xFFFFFFFF, counter >> 32 & 0xFFFFFFFF
    x2, x3 = counter >> 64 & 0xFFFFFFFF, counter >> 96
    for _ in range(_ROUNDS):
        p0, p1 = x0 * 0xD2511F53, x2 * 0xCD9E8D57
        x0, x1, x2, x3 = p1 >> 32 ^ x1 ^ k0, p1 & 0xFFFFFFFF, p0 >> 32 ^ x3 ^ k1, p0 & 0xFFFFFFFF
        k0, k1 = k0 + _WEYL_0 & 0xFFFFFFFF, k1 + _WEYL_1 & 0xFFFFFFFF
    return x0, x1, x2, x3


def blocks(key: int, counter: int, count: int) -> Words:
    """The blocks of `count` consecutive counters: uint32 (count, 4)."""
    if count <= _FEW:
        few = [_block(key, (counter + place) % _COUNTERS) for place in range(count)]
        return np.array(few, np.uint32).reshape(count, 4)
    out = np.empty((count, 4), np.uint32)
    done = 0
    while done < count:
        low = counter & 0xFFFFFFFFFFFFFFFF
        size = min(_PIECE, count - done, (1 << 64) - low)
        lows = np.arange(size, dtype=np.uint64)
        lows += np.uint64(low)
        _scramble(key, lows, counter >> 64, out[done : done + size])
        done += size
        counter = (counter + size) % _COUNTERS
    return out


def blocks_at(key: int, counter: int, offsets: np.ndarray[Any, Any]) -> Words:
    """The blocks at `counter + offsets`: uint32 (len(offsets), 4). Offsets are uint64 and below 2**63."""
    count = len(offsets)
    out = np.empty((count, 4), np.uint32)
    low, high = counter & 0xFFFFFFFFFFFFFFFF, counter >> 64
    for start in range(0, count, _PIECE):
        part = slice(start, start + _PIECE)
        lows = offsets[part] + np.uint64(low)
        _scramble(key, lows, high, out[part])
        if low >> 63:
            carried = np.flatnonzero(lows < np.uint64(low))
            if carried.size:
                again = np.empty((carried.size, 4), np.uint32)
                _scramble(key, lows[carried], (high + 1) % (1 << 64), again)
                out[start + carried] = again
    return out


def words(key: int, counter: int, count: int) -> Words:
    """The first `count` words of the stream from `counter` on: uint32 (count,)."""
    return blocks(key, counter, -(-count // 4)).reshape(-1)[:count]


class Stream:
    """The part of Philox's numbers that one stateful node draws from; each run reserves its share.

    Args:
      seed, seed2: the node's attributes; both 0 take random ones.
    """

    __slots__ = ("_counter", "_lock", "key")

    def __init__(self, seed: int, seed2: int) -> None:
        if seed == 0 and seed2 == 0:
            seed, seed2 = secrets.randbits(64), secrets.randbits(64)
        self.key = seed % (1 << 64)
        self._counter = (seed2 % (1 << 64)) << 64
        self._lock = threading.Lock()

    def reserve(self, blocks: int) -> int:
        """The counter to draw from; the stream moves on by so many blocks."""
        with self._lock:
            counter = self._counter
            self._counter = (counter + blocks) % _COUNTERS
        return counter

    def reserve_words(self, words: int) -> int:
        """As `reserve`, for that many words of 32 bits."""
        return self.reserve(-(-words // 4))


def stream_of(node: Any) -> Stream:
    """The stream of a node: one in a session, whatever the plans that the node is part of."""
    attrs = node.attrs
    found: Stream = node.resources.get_or_create(
        "", "runstep::RandomStream", node.key, lambda: Stream(attrs["seed"], attrs["seed2"])
    )
    return found
