"""Sound: WAV files, spectrograms and what speech recognition makes of them. Op definitions and `tf.audio`."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.graph.apply import apply
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import Shapes, scalar
from runstep.ops.registry import op

__all__ = ["decode_wav", "encode_wav"]


def _decoded(op: Any) -> Shapes:
    shapes.with_rank(op.inputs[0].raw_shape, 0)
    sizes: list[int | None] = []
    for name, what in (("desired_samples", "samples"), ("desired_channels", "channels")):
        size = op.attrs[name]
        if size < -1:
            raise ValueError(f"{what} must be non-negative, got {size}")
        sizes.append(None if size == -1 else size)
    return [tuple(sizes), ()]


def _encoded(op: Any) -> Shapes:
    shapes.with_rank(op.inputs[0].raw_shape, 2)
    shapes.with_rank(op.inputs[1].raw_shape, 0)
    return scalar(op)


def _spectrogram(op: Any) -> Shapes:
    length, channels = shapes.with_rank(op.inputs[0].raw_shape, 2)
    window, stride = op.attrs["window_size"], op.attrs["stride"]
    if window <= 1:
        raise ValueError(f"window size must be > 1, got {window}")
    if stride <= 0:
        raise ValueError(f"stride must be strictly positive, got {stride}")
    frames = None if length is None else max(0, (length - window) // stride + 1)
    return [(channels, frames, (1 << (window - 1).bit_length()) // 2 + 1)]


def _coefficients(op: Any) -> Shapes:
    channels, frames, _ = shapes.with_rank(op.inputs[0].raw_shape, 3)
    shapes.with_rank(op.inputs[1].raw_shape, 0)
    return [(channels, frames, op.attrs["dct_coefficient_count"])]


op(
    "DecodeWav",
    "contents: string -> audio: float32, sample_rate: int32",
    "desired_channels: int = -1",
    "desired_samples: int = -1",
    shape=_decoded,
)
op("EncodeWav", "audio: float32, sample_rate: int32 -> contents: string", shape=_encoded)
op(
    "AudioSpectrogram",
    "input: float32 -> spectrogram: float32",
    "window_size: int",
    "stride: int",
    "magnitude_squared: bool = false",
    shape=_spectrogram,
)
op(
    "Mfcc",
    "spectrogram: float32, sample_rate: int32 -> output: float32",
    "upper_frequency_limit: float = 4000",
    "lower_frequency_limit: float = 20",
    "filterbank_channel_count: int = 40",
    "dct_coefficient_count: int = 13",
    shape=_coefficients,
)


def decode_wav(
    contents: TensorLike, desired_channels: int = -1, desired_samples: int = -1, name: str | None = None
) -> Any:
    """(audio, sample_rate) of a WAV file of 16-bit samples. Source: `tf.audio.decode_wav`.

    Args:
      contents: the file, a scalar string.
      desired_channels: how many to give: the last one of the file is repeated. -1: those of the file.
      desired_samples: how many to give: the rest is silence. -1: those of the file.

    Returns:
      audio: float32 [samples, channels] in [-1, 1). sample_rate: int32, samples a second.
    """
    return apply("DecodeWav", contents, desired_channels=desired_channels, desired_samples=desired_samples, name=name)


def encode_wav(audio: TensorLike, sample_rate: TensorLike, name: str | None = None) -> Tensor:
    """A WAV file of 16-bit samples: a scalar string. Source: `tf.audio.encode_wav`.

    Args:
      audio: float32 [samples, channels]; what is outside of [-1, 1] is cut.
      sample_rate: int32, samples a second.
    """
    return apply("EncodeWav", audio, sample_rate, name=name)
