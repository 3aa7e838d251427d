"""From Philox's words to numbers: the distributions of TensorFlow's random ops, vectorised.

Bits become numbers as TensorFlow makes them: uniforms are mantissas of [1, 2) less 1, normals come in pairs by Box and
Muller. Where an output may need several tries, TensorFlow gives each output (or group of outputs) a stretch of its own,
so that results don't depend on threads; here every stretch is a row, and the rows that still have no result go through
the next try together.

Integers and uniforms equal TensorFlow's bit for bit. The logarithms and sines of float32 are computed in float64 and
rounded, which is what a good C library gives, so the rest agrees but for the last place of about one number in 70.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from runstep.kernels.numpy import philox

Array = np.ndarray[Any, Any]
STRIDE = 256
"""What is set aside for each output: words of a truncated normal; blocks elsewhere, and in moving on after a run."""

_LEAST_UNIFORM = 1e-7  # of the uniform whose logarithm is taken
_BOUND = 2.0  # standard deviations, of truncated normals
_PIECE = 1 << 15  # pairs of normals at a time, to stay in the cache


def words_each(dtype: np.dtype[Any]) -> int:
    """Words of 32 bits that one uniform, normal or integer of this type is made of."""
    return 2 if dtype.itemsize == 8 else 1


def as_uint64(words: Array) -> Array:
    """Pairs of words, the low one first: uint64 of half the length."""
    pairs = words.reshape(-1, 2)
    joined = pairs[:, 1].astype(np.uint64)
    joined <<= np.uint64(32)
    joined |= pairs[:, 0]
    return joined


def _float32(words: Array) -> Array:
    bits = words & np.uint32(0x7FFFFF)
    bits |= np.uint32(0x3F800000)
    values = bits.view(np.float32)
    values -= np.float32(1)
    return values


def _float64(words: Array) -> Array:
    pairs = words.reshape(-1, 2)
    bits = (pairs[:, 0] & np.uint32(0xFFFFF)).astype(np.uint64)
    bits |= np.uint64(0x3FF00000)
    bits <<= np.uint64(32)
    bits |= pairs[:, 1]
    values = bits.view(np.float64)
    values -= 1.0
    return values


def _short(mantissa: int, one: int, dtype: Any) -> Callable[[Array], Array]:
    def uniform(words: Array) -> Array:
        bits = words.astype(np.uint16)
        bits &= np.uint16(mantissa)
        bits |= np.uint16(one)
        values: Array = bits.view(dtype) - dtype(1)
        return values

    return uniform


_UNIFORM: dict[np.dtype[Any], Callable[[Array], Array]] = {
    np.dtype(np.float32): _float32,
    np.dtype(np.float64): _float64,
    np.dtype(np.float16): _short(0x3FF, 0x3C00, np.float16),
    np.dtype(ml_dtypes.bfloat16): _short(0x7F, 0x3F80, ml_dtypes.bfloat16),
}


def uniform(words: Array, dtype: np.dtype[Any]) -> Array:
    """Numbers in [0, 1)."""
    return _UNIFORM[dtype](words)


def _normal32(words: Array) -> Array:
    out = np.empty(words.size, np.float32)
    for start in range(0, words.size, 2 * _PIECE):
        part = slice(start, start + 2 * _PIECE)
        u = _float32(words[part])
        radius = np.maximum(u[0::2], np.float32(_LEAST_UNIFORM)).astype(np.float64)
        np.log(radius, out=radius)
        length = np.sqrt(np.float32(-2) * radius.astype(np.float32))
        angle = (2 * np.pi * u[1::2].astype(np.float64)).astype(np.float32).astype(np.float64)
        pair = out[part]
        np.multiply(np.sin(angle).astype(np.float32), length, out=pair[0::2])
        np.multiply(np.cos(angle, out=angle).astype(np.float32), length, out=pair[1::2])
    return out


def _normal64(words: Array) -> Array:
    u = _float64(words)
    out = np.empty(u.size, np.float64)
    length = np.sqrt(-2 * np.log(np.maximum(u[0::2], _LEAST_UNIFORM)))
    angle = 2 * np.pi * u[1::2]
    np.multiply(np.sin(angle), length, out=out[0::2])
    np.multiply(np.cos(angle), length, out=out[1::2])
    return out


def normal(words: Array, dtype: np.dtype[Any]) -> Array:
    """Numbers of the standard normal distribution. Takes a multiple of 4 words: they come in pairs."""
    if dtype.itemsize == 8:
        return _normal64(words)
    found = _normal32(words)
    return found if dtype == np.float32 else found.astype(dtype)


def fill(make: Callable[[Array, np.dtype[Any]], Array], key: int, counter: int, shape: Any, dtype: Any) -> Array:
    """An array of `uniform` or `normal` numbers: consecutive words of the stream from `counter` on."""
    size = int(np.prod(shape, dtype=np.int64))
    needed = -(-size * words_each(dtype) // 4)
    return make(philox.blocks(key, counter, needed).reshape(-1), dtype)[:size].reshape(shape)


def full_integers(key: int, counter: int, shape: Any, dtype: np.dtype[Any]) -> Array:
    """Integers over the whole range of `dtype`, of 4 or 8 bytes."""
    size = int(np.prod(shape, dtype=np.int64))
    drawn = philox.words(key, counter, size * words_each(dtype))
    return (as_uint64(drawn) if dtype.itemsize == 8 else drawn).view(dtype).reshape(shape)


def integers(key: int, counter: int, shape: Any, low: Any, high: Any) -> Array:
    """Integers in [low, high), of the type of `low`: what is left of dividing by the range, as TensorFlow does."""
    signed = low.dtype
    unsigned = np.dtype(f"u{signed.itemsize}")
    drawn = full_integers(key, counter, shape, unsigned)
    size = np.array(int(high) - int(low), unsigned)
    drawn = drawn % size
    drawn += np.array(low).view(unsigned)
    return drawn.view(signed)


def truncated_normal(key: int, counter: int, shape: Any, dtype: np.dtype[Any]) -> Array:
    """Normals within two standard deviations. Every group of 4 (of 2 for float64) draws from a stretch of its own."""
    size = int(np.prod(shape, dtype=np.int64))
    group = 2 if dtype.itemsize == 8 else 4
    computed = np.dtype(np.float64 if dtype.itemsize == 8 else np.float32)
    groups = -(-size // group)
    out = np.empty((groups, group), computed)
    filled = np.zeros(groups, np.intp)
    pending = np.arange(groups)
    tries = 0
    while pending.size:
        # Two blocks do for most: a normal passes 95 times in 100.
        at = pending.astype(np.uint64) * np.uint64(STRIDE * group // 4) + np.uint64(tries)
        many = np.concatenate((at[:, None], at[:, None] + np.uint64(1)), axis=1).reshape(-1)
        drawn = normal(philox.blocks_at(key, counter, many).reshape(-1), computed).reshape(pending.size, -1)
        passed = np.abs(drawn) < _BOUND
        place: Array = np.cumsum(passed, axis=1)
        place += filled[pending, None]
        total = place[:, -1].copy()
        passed &= place <= group
        rows, columns = np.nonzero(passed)
        out[pending[rows], place[rows, columns] - 1] = drawn[rows, columns]
        filled[pending] = total
        pending = pending[total < group]
        tries += 2
    return out.reshape(-1)[:size].astype(dtype, copy=False).reshape(shape)


class Rows:
    """Outputs that need several numbers each: every one has its own stretch of the stream, and reads it block by block.

    A block gives `per_block` numbers, which are taken from its end. `kinds` buffers (uniforms, normals) share the
    stretch: a buffer that runs empty takes the next block of its row.
    """

    def __init__(self, key: int, counter: int, outputs: Array, stride: Any = STRIDE) -> None:
        self._key = key
        self._counter = counter
        self._start = outputs.astype(np.uint64) * np.asarray(stride, np.uint64)
        self._next = np.zeros(len(outputs), np.uint64)

    def buffer(self, make: Callable[[Array, np.dtype[Any]], Array], dtype: Any) -> Callable[[Array], Array]:
        """A function that takes the indices of rows and gives the next number of each."""
        dtype = np.dtype(dtype)
        per_block = 4 // words_each(dtype)
        count = len(self._start)
        held = np.empty((count, per_block), dtype)
        left = np.zeros(count, np.intp)

        def take(rows: Array) -> Array:
            empty = rows[left[rows] == 0]
            if empty.size:
                drawn = philox.blocks_at(self._key, self._counter, self._start[empty] + self._next[empty])
                held[empty] = make(drawn.reshape(-1), dtype).reshape(-1, per_block)
                left[empty] = per_block
                self._next[empty] += np.uint64(1)
            left[rows] -= 1
            return held[rows, left[rows]]

        return take
