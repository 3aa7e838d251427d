"""Kernels of sound: WAV files, spectrograms, mel frequency cepstral coefficients, summaries."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from runstep.kernels import wav
from runstep.kernels.bytestrings import Array, scalar, text_shape
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.shared import invalid

_FLOOR = 1e-12  # below this a band is silent


def _rate(value: Any) -> int:
    if value.ndim:
        raise invalid(f"Input sample_rate should be a scalar tensor, got {text_shape(value.shape)} instead.")
    return int(value)


@numpy_kernel.make("DecodeWav")
def decode_wav(node: Node) -> Kernel:
    channels, samples = node.attrs["desired_channels"], node.attrs["desired_samples"]

    def kernel(contents: Array) -> Any:
        if contents.ndim:
            raise invalid(f"contents must be scalar, got shape {text_shape(contents.shape)}")
        found, rate = wav.decode(contents.item())
        count, width = found.shape
        if channels not in (-1, width):
            found = found[:, np.minimum(np.arange(channels), width - 1)]
        if samples not in (-1, count):
            found = np.concatenate([found[:samples], np.zeros((max(0, samples - count), found.shape[1]), np.float32)])
        return found, np.int32(rate)

    return kernel


@numpy_kernel("EncodeWav")
def encode_wav(audio: Array, sample_rate: Any) -> Array:
    if audio.ndim != 2:
        raise invalid(f"audio must be 2-dimensional{text_shape(audio.shape)}")
    return scalar(wav.encode(audio, _rate(sample_rate)))


@numpy_kernel.make("AudioSpectrogram")
def audio_spectrogram(node: Node) -> Kernel:
    size, stride, squared = (node.attrs[name] for name in ("window_size", "stride", "magnitude_squared"))
    points = 1 << (size - 1).bit_length()
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)

    def kernel(sound: Array) -> Array:
        if sound.ndim != 2:
            raise invalid(f"input must be 2-dimensional{text_shape(sound.shape)}")
        frames = max(0, (sound.shape[0] - size) // stride + 1)
        if not frames:
            return np.zeros((sound.shape[1], 0, points // 2 + 1), np.float32)
        cut = np.lib.stride_tricks.sliding_window_view(sound.T.astype(np.float64), size, axis=1)[:, ::stride]
        spectrum = np.fft.rfft(cut * window, points)
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
        return power if squared else np.sqrt(power)

    return kernel


def _mel(frequency: Any) -> Any:
    return 1127.0 * np.log1p(frequency / 700.0)


@functools.lru_cache(maxsize=16)
def _bands(points: int, rate: float, low: float, high: float, count: int) -> Array | None:
    """How much each frequency of a spectrum (rows) belongs to each mel band; None if they reach beyond the spectrum.

    Bands are triangles, evenly spaced in mel, each from its left neighbour's peak to its right neighbour's.
    """
    width = 0.5 * rate / (points - 1)
    first, last = int(1.5 + low / width), int(high / width)
    if last >= points:
        return None
    bottom, top = _mel(low), _mel(high)
    peaks = bottom + (top - bottom) / (count + 1) * np.arange(count + 2)  # the first is the foot of band 0
    places = np.arange(first, last + 1)
    mels = _mel(places * width)
    # The first `count` peaks are looked through, so what lies on the last one's right belongs to the last band.
    left = np.searchsorted(peaks[1 : count + 1], mels, "left")
    share = (peaks[left + 1] - mels) / (peaks[left + 1] - peaks[left])
    weights = np.zeros((points, count + 2))
    weights[places, left] = share
    weights[places, left + 1] += 1 - share
    return weights[:, 1 : count + 1]


@functools.lru_cache(maxsize=16)
def _cosines(bands: int, count: int) -> Array:
    places = np.arange(bands) + 0.5
    return math.sqrt(2 / bands) * np.cos(np.pi / bands * places[:, None] * np.arange(count))


@numpy_kernel.make("Mfcc")
def mfcc(node: Node) -> Kernel:
    attrs = node.attrs
    high, low = attrs["upper_frequency_limit"], attrs["lower_frequency_limit"]
    bands, count = attrs["filterbank_channel_count"], attrs["dct_coefficient_count"]

    def kernel(spectrogram: Array, sample_rate: Any) -> Array:
        if spectrogram.ndim != 3:
            raise invalid(f"spectrogram must be 3-dimensional{text_shape(spectrogram.shape)}")
        rate = _rate(sample_rate)
        points = spectrogram.shape[2]
        if not (0 <= low < high and 1 <= count <= bands and rate > 0 and points >= 2):
            raise invalid(
                f"Mfcc initialization failed for channel count {points}, sample rate {rate} and "
                f"filterbank_channel_count {bands}"
            )
        weights = _bands(points, rate, low, high, bands)
        if weights is None:
            return np.zeros((*spectrogram.shape[:2], count), np.float32)
        energies = np.sqrt(spectrogram.astype(np.float64)) @ weights
        return (np.log(np.maximum(energies, _FLOOR)) @ _cosines(bands, count)).astype(np.float32)

    return kernel


def audio_proto(summary: Any, tag: str, sound: Array, rate: float, most: int) -> None:
    """Adds the first `most` sounds of a batch, [batch, frames] or [batch, frames, channels], to a Summary."""
    if sound.ndim not in (2, 3):
        raise invalid(f"Tensor must be 3-D or 2-D, got: {text_shape(sound.shape)}")
    if not rate > 0:
        raise invalid("sample_rate must be > 0")
    frame_rate = max(1, math.floor(rate + 0.5)) if rate < 2**63 else 2**63
    if sound.ndim == 3 and len(sound) and not sound.shape[2]:
        raise invalid("audio is null")
    for index, one in enumerate(sound[:most]):
        frames = one if one.ndim == 2 else one[:, None]
        value = summary.value.add(tag=f"{tag}/audio/{index}" if most > 1 else f"{tag}/audio")
        value.audio.sample_rate = rate
        value.audio.length_frames, value.audio.num_channels = frames.shape
        value.audio.encoded_audio_string = wav.encode(frames, frame_rate)
        value.audio.content_type = "audio/wav"


@numpy_kernel.make("AudioSummary", "AudioSummaryV2")
def audio_summary(node: Node) -> Kernel:
    most, fixed = node.attrs["max_outputs"], node.attrs.get("sample_rate")

    def kernel(tag: Array, sound: Array, sample_rate: Any = fixed) -> Array:
        from runstep.protos import summary_pb2  # on first use: protobuf costs tens of milliseconds

        if tag.ndim:
            raise invalid("Tag must be a scalar")
        if np.size(sample_rate) != 1:
            raise invalid("sample_rate must be rank-0 or contain a single value")
        summary = summary_pb2.Summary()
        rate = float(np.reshape(sample_rate, -1)[0])
        audio_proto(summary, tag.item().decode("utf-8", "replace"), sound, rate, most)
        return scalar(summary.SerializeToString())

    return kernel
