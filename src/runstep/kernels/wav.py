"""WAV files of 16-bit samples, written and read as TensorFlow does."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from runstep.kernels.shared import invalid

Array = np.ndarray[Any, Any]

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_FORMAT = struct.Struct("<IHHIIHH")
_PCM = 1
_BYTES = 2
_FULL_SCALE = 32768.0
_UNUSED = (b"JUNK", b"bext", b"iXML", b"qlty", b"mext", b"levl", b"link", b"axml")
_LARGEST = 2**31 - 1


def encode(audio: Array, rate: int) -> bytes:
    """The file of float samples (frames, channels) in [-1, 1]; halves are rounded away from zero.

    Raises:
      InvalidArgumentError: `rate` is not in (0, 2^32), or there are no channels.
    """
    frames, channels = audio.shape
    if not 0 < rate < 1 << 32:
        raise invalid(f"sample_rate must be in (0, 2^32), got: {rate % (1 << 64)}")
    if not 0 < channels < 1 << 16:
        raise invalid(f"num_channels must be in (0, 2^16), got: {channels}")
    scaled = np.clip(audio.astype(np.float64) * _FULL_SCALE, -_FULL_SCALE, _FULL_SCALE - 1)
    samples = np.trunc(np.where(np.isnan(scaled), 0, scaled + np.copysign(0.5, scaled))).astype("<i2")
    frame = channels * _BYTES
    header = _HEADER.pack(
        b"RIFF",
        samples.nbytes + _HEADER.size - 8,
        b"WAVE",
        b"fmt ",
        16,
        _PCM,
        channels,
        rate,
        rate * frame % (1 << 32),
        frame % (1 << 16),
        8 * _BYTES,
        b"data",
        samples.nbytes,
    )
    return header + samples.tobytes()


class _Source:
    """The bytes of a file, read one after the other. InvalidArgumentError where it ends too early."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise invalid("Data too short when trying to read string")
        self.at += size
        return self.data[self.at - size : self.at]

    def expect(self, word: bytes) -> None:
        found = self.take(len(word))
        if found != word:
            raise invalid(f"Header mismatch: Expected {_text(word)} but found {_text(found)}")

    def number(self) -> int:
        return int.from_bytes(self.take(4), "little")


def _text(word: bytes) -> str:
    return word.decode("latin1")


def decode(data: bytes) -> tuple[Array, int]:
    """(samples, rate): float32 (frames, channels) in [-1, 1), and frames a second.

    Raises:
      InvalidArgumentError: it is no such file.
    """
    source = _Source(data)
    source.expect(b"RIFF")
    source.take(4)  # the size of the file, which nobody minds
    source.expect(b"WAVE")
    channels, rate = _format(source)
    found: Array | None = None
    while source.at < len(data):
        name, size = source.take(4), source.number()
        if size > _LARGEST:
            raise invalid(f"WAV data chunk '{_text(name)}' is too large: {size} bytes, but the limit is {_LARGEST}")
        if name != b"data":
            source.at += size
            continue
        if found is not None:
            raise invalid("More than one data chunk found in WAV")
        frames = size // (channels * _BYTES)
        samples = np.frombuffer(source.take(frames * channels * _BYTES), "<i2")
        found = (samples / np.float32(_FULL_SCALE)).astype(np.float32).reshape(frames, channels)
    if found is None:
        raise invalid("No data chunk found in WAV")
    return found, rate


def _format(source: _Source) -> tuple[int, int]:
    """Channels and rate, from the part that says how samples are written."""
    while (name := source.take(4)) != b"fmt ":
        if name not in _UNUSED:
            raise invalid(f"Unexpected field {_text(name)}")
        source.take(source.number())
    size, kind, channels, rate, per_second, frame, bits = _FORMAT.unpack(source.take(_FORMAT.size))
    if size not in (16, 18):
        raise invalid(f"Bad format chunk size for WAV: Expected 16 or 18, but got{size}")
    if kind != _PCM:
        raise invalid(f"Bad audio format for WAV: Expected 1 (PCM), but got{kind}")
    if not channels:
        raise invalid("Bad number of channels for WAV: Expected at least 1, but got 0")
    if bits != 8 * _BYTES:
        raise invalid(f"Can only read 16-bit WAV files, but received {bits}")
    if frame != channels * _BYTES:
        raise invalid(f"Bad bytes per sample in WAV header: Expected {channels * _BYTES} but got {frame}")
    if per_second != frame * rate % (1 << 32):
        raise invalid(
            f"Bad bytes per second in WAV header: Expected {frame * rate} but got {per_second} "
            f"(sample_rate={rate}, bytes_per_sample={frame})"
        )
    source.take(size - 16)
    return channels, rate
