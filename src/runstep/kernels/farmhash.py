"""FarmHash's Fingerprint64 of many byte strings at once, SipHash-2-4 and MurmurHash64A of one.

Fingerprint64 is a fixed function (na::Hash64 of the published FarmHash): its values are stored in models, so it may
never change. Strings of one length class are hashed together as vectors of uint64; sums and products wrap around.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Words = np.ndarray[Any, np.dtype[np.uint64]]

_MASK = (1 << 64) - 1
_K0 = np.uint64(0xC3A5C85C97CB3127)
_K1 = np.uint64(0xB492B66FBE98F273)
_K2 = np.uint64(0x9AE16A3B2F90404F)
_SEED = 81


def _u(value: int) -> np.uint64:
    return np.uint64(value)


def _rotated(x: Words, shift: int) -> Words:
    return (x >> _u(shift)) | (x << _u(64 - shift))


def _mixed(x: Words) -> Words:
    return x ^ (x >> _u(47))


def _hash_16(u: Words, v: Words, mul: Any) -> Words:
    a = _mixed((u ^ v) * mul)
    found: Words = _mixed((v ^ a) * mul) * mul
    return found


class _Text:
    """All strings in one buffer, read as little-endian words at any byte."""

    def __init__(self, values: Sequence[bytes]) -> None:
        buffer = b"".join(values) + bytes(8)
        self.lengths = np.fromiter(map(len, values), np.int64, len(values))
        self.starts = np.cumsum(self.lengths) - self.lengths
        self._bytes = np.frombuffer(buffer, np.uint8)
        self._words = np.ndarray((len(buffer) - 7,), "<u8", buffer, strides=(1,))
        self._halves = np.ndarray((len(buffer) - 3,), "<u4", buffer, strides=(1,))

    def byte(self, place: Any) -> Words:
        found: Words = self._bytes[place].astype(np.uint64)
        return found

    def word(self, place: Any) -> Words:
        found: Words = self._words[place]
        return found

    def half(self, place: Any) -> Words:
        found: Words = self._halves[place].astype(np.uint64)
        return found


def fingerprints(values: Sequence[bytes]) -> Words:
    """uint64 [n]: Fingerprint64 of each string."""
    text = _Text(values)
    out = np.empty(len(values), np.uint64)
    lengths = text.lengths
    with np.errstate(over="ignore"):
        for least, most, function in _CLASSES:
            chosen = np.flatnonzero((lengths >= least) & (lengths <= most))
            if chosen.size:
                out[chosen] = function(text, text.starts[chosen], lengths[chosen])
    return out


def _empty(text: _Text, start: Any, length: Any) -> Any:
    return _K2


def _to_3(text: _Text, start: Any, length: Any) -> Words:
    size = length.astype(np.uint64)
    y = text.byte(start) + (text.byte(start + (length >> 1)) << _u(8))
    z = size + (text.byte(start + length - 1) << _u(2))
    return _mixed(y * _K2 ^ z * _K0) * _K2


def _to_7(text: _Text, start: Any, length: Any) -> Words:
    size = length.astype(np.uint64)
    mul = _K2 + size * _u(2)
    a = text.half(start)
    return _hash_16(size + (a << _u(3)), text.half(start + length - 4), mul)


def _to_16(text: _Text, start: Any, length: Any) -> Words:
    mul = _K2 + length.astype(np.uint64) * _u(2)
    a = text.word(start) + _K2
    b = text.word(start + length - 8)
    c = _rotated(b, 37) * mul + a
    d = (_rotated(a, 25) + b) * mul
    return _hash_16(c, d, mul)


def _to_32(text: _Text, start: Any, length: Any) -> Words:
    end = start + length
    mul = _K2 + length.astype(np.uint64) * _u(2)
    a = text.word(start) * _K1
    b = text.word(start + 8)
    c = text.word(end - 8) * mul
    d = text.word(end - 16) * _K2
    return _hash_16(_rotated(a + b, 43) + _rotated(c, 30) + d, a + _rotated(b + _K2, 18) + c, mul)


def _to_64(text: _Text, start: Any, length: Any) -> Words:
    end = start + length
    mul = _K2 + length.astype(np.uint64) * _u(2)
    a = text.word(start) * _K2
    b = text.word(start + 8)
    c = text.word(end - 8) * mul
    d = text.word(end - 16) * _K2
    y = _rotated(a + b, 43) + _rotated(c, 30) + d
    z = _hash_16(y, a + _rotated(b + _K2, 18) + c, mul)
    e = text.word(start + 16) * mul
    f = text.word(start + 24)
    g = (y + text.word(end - 32)) * mul
    h = (z + text.word(end - 24)) * mul
    return _hash_16(_rotated(e + f, 43) + _rotated(g, 30) + h, e + _rotated(f + a, 18) + g, mul)


def _weak_32(text: _Text, place: Any, a: Words, b: Words) -> tuple[Words, Words]:
    """32 bytes and two seeds to two words."""
    w, x, y, z = (text.word(place + offset) for offset in (0, 8, 16, 24))
    a = a + w
    b = _rotated(b + a + z, 21)
    c = a
    a = a + x + y
    b = b + _rotated(a, 44)
    return a + z, b + c


class _State:
    """The running words of strings of more than 64 bytes."""

    def __init__(self, text: _Text, start: Any) -> None:
        count = len(start)
        seed: Any = _u(_SEED)
        y = seed * _K1 + _u(113)
        z = _mixed(y * _K2 + _u(113)) * _K2
        self.x = seed * _K2 + text.word(start)
        self.y = np.full(count, y)
        self.z = np.full(count, z)
        self.v = (np.zeros(count, np.uint64), np.zeros(count, np.uint64))
        self.w = (np.zeros(count, np.uint64), np.zeros(count, np.uint64))

    def fold(self, text: _Text, place: Any, mul: Any, last: bool) -> None:
        """Takes in the 64 bytes at each of `place`, for as many strings as there are, from the first on."""
        n = len(place)
        x, y, z = self.x[:n], self.y[:n], self.z[:n]
        v0, v1, w0, w1 = self.v[0][:n], self.v[1][:n], self.w[0][:n], self.w[1][:n]
        x = _rotated(x + y + v0 + text.word(place + 8), 37) * mul
        y = _rotated(y + v1 + text.word(place + 48), 42) * mul
        x = x ^ (w1 * _u(9) if last else w1)
        y = y + (v0 * _u(9) if last else v0) + text.word(place + 40)
        z = _rotated(z + w0, 33) * mul
        v = _weak_32(text, place, v1 * mul, x + w0)
        w = _weak_32(text, place + 32, z + w1, y + text.word(place + 16))
        for kept, new in zip((self.x, self.y, self.z, *self.v, *self.w), (z, y, x, *v, *w), strict=True):
            kept[:n] = new


def _longer(text: _Text, start: Any, length: Any) -> Words:
    order = np.argsort(-length, kind="stable")  # the strings that still have blocks are always the first ones
    start, length = start[order], length[order]
    state = _State(text, start)
    blocks = (length - 1) >> 6
    for block in range(int(blocks[0])):
        active = int(np.searchsorted(-blocks, -block, "left"))
        state.fold(text, start[:active] + 64 * block, _K1, last=False)
    mul = _K1 + ((state.z & _u(0xFF)) << _u(1))
    w0 = state.w[0] + ((length - 1) & 63).astype(np.uint64)
    v0 = state.v[0] + w0
    state.v, state.w = (v0, state.v[1]), (w0 + v0, state.w[1])
    state.fold(text, start + length - 64, mul, last=True)
    x, y, z = state.x, state.y, state.z
    z = _hash_16(state.v[0], state.w[0], mul) + _mixed(y) * _K0 + z
    found: Words = np.empty_like(x)
    found[order] = _hash_16(z, _hash_16(state.v[1], state.w[1], mul) + x, mul)
    return found


_CLASSES = (
    (0, 0, _empty),
    (1, 3, _to_3),
    (4, 7, _to_7),
    (8, 16, _to_16),
    (17, 32, _to_32),
    (33, 64, _to_64),
    (65, 1 << 62, _longer),
)


def joined(a: Any, b: Any) -> Words:
    """One fingerprint of two, in order (TensorFlow's FingerprintCat64)."""
    mul = _u(0xC6A4A7935BD1E995)
    with np.errstate(over="ignore"):
        result = a ^ mul
        result = result ^ (_mixed(b * mul) * mul)
        result = _mixed(result * mul) * mul
        found: Words = _mixed(result)
        return found


def murmur(data: bytes, seed: int = 0xDECAFCAFFE) -> int:
    """MurmurHash64A, with the seed that TensorFlow's Hash64 uses."""
    mul, size = 0xC6A4A7935BD1E995, len(data)
    h = seed ^ (size * mul & _MASK)
    end = size & ~7
    for place in range(0, end, 8):
        k = int.from_bytes(data[place : place + 8], "little") * mul & _MASK
        h = (h ^ ((k ^ (k >> 47)) * mul & _MASK)) * mul & _MASK
    if size & 7:
        h = (h ^ int.from_bytes(data[end:], "little")) * mul & _MASK
    h = (h ^ (h >> 47)) * mul & _MASK
    return h ^ (h >> 47)


def siphash(data: bytes, key: tuple[int, int]) -> int:
    """SipHash-2-4 of `data` under two 64 bit words of key."""
    k0, k1 = key
    v0, v1 = k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D
    v2, v3 = k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573
    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) & 0xFF])
    rounds = [(int.from_bytes(padded[i : i + 8], "little"), 2) for i in range(0, len(padded), 8)]
    for word, count in [*rounds, (None, 4)]:
        if word is None:
            v2 ^= 0xFF
        else:
            v3 ^= word
        for _ in range(count):
            v0 = (v0 + v1) & _MASK
            v1 = ((v1 << 13) | (v1 >> 51)) & _MASK ^ v0
            v0 = ((v0 << 32) | (v0 >> 32)) & _MASK
            v2 = (v2 + v3) & _MASK
            v3 = ((v3 << 16) | (v3 >> 48)) & _MASK ^ v2
            v0 = (v0 + v3) & _MASK
            v3 = ((v3 << 21) | (v3 >> 43)) & _MASK ^ v0
            v2 = (v2 + v1) & _MASK
            v1 = ((v1 << 17) | (v1 >> 47)) & _MASK ^ v2
            v2 = ((v2 << 32) | (v2 >> 32)) & _MASK
        if word is not None:
            v0 ^= word
    return v0 ^ v1 ^ v2 ^ v3
