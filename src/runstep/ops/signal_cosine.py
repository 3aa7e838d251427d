"""Cosine transforms: `tf.signal.dct`, `tf.signal.mdct` and back.

They are computed by Fourier transforms of real numbers.
"""

from __future__ import annotations

import math
from typing import Any

from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.dtypes import DType
from runstep.graph.graph import name_scope
from runstep.graph.scopes import control_dependencies
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.arithmetic import maximum
from runstep.ops.cast import cast, complex as complex_, real
from runstep.ops.creation import fill, range as range_, zeros_like
from runstep.ops.elementwise import exp, rsqrt, sqrt
from runstep.ops.fft import irfft, rfft
from runstep.ops.joining import concat, split
from runstep.ops.logging import Assert
from runstep.ops.rearranging import reverse
from runstep.ops.signal_frames import frame, known_or, overlap_and_add, pad_inner, size_of
from runstep.ops.signal_windows import vorbis_window

__all__ = ["dct", "idct", "inverse_mdct", "mdct"]

_INVERSES = {1: 1, 2: 3, 3: 2, 4: 4}


def _check(value: Tensor, type: Any, n: Any, axis: int, norm: str | None) -> None:
    if axis != -1:
        raise NotImplementedError(f"axis must be -1. Got: {axis}")
    if n is not None and n < 1:
        raise ValueError("n should be a positive integer or None")
    if type not in _INVERSES:
        raise ValueError("Types I, II, III and IV (I)DCT are supported.")
    if type == 1:
        if norm == "ortho":
            raise ValueError("Normalization is not supported for the Type-I DCT.")
        raw = value.raw_shape
        if raw and raw[-1] is not None and raw[-1] < 2:
            raise ValueError("Type-I DCT requires the dimension to be greater than one.")
    if norm not in (None, "ortho"):
        raise ValueError(f"Unknown normalization. Expected None or 'ortho', got: {norm}")


def dct(
    input: TensorLike, type: int = 2, n: Any = None, axis: int = -1, norm: str | None = None, name: str | None = None
) -> Tensor:
    """The discrete cosine transform of type 1, 2, 3 or 4 over the last axis. Source: `tf.signal.dct`.

    Args:
      n: the length; the input is cut to it, or filled up with zeros. norm: "ortho" for the orthonormal transform.
    """
    value = convert_to_tensor(input)
    _check(value, type, n, axis, norm)
    with name_scope(name, "dct"):
        if not value.dtype.is_floating:
            raise TypeError(f"dct takes floats, not {value.dtype.name}: cast {value} first.")
        if n is not None:
            value = _of_length(value, n)
        return _TRANSFORMS[type](value, norm)


def idct(
    input: TensorLike, type: int = 2, n: Any = None, axis: int = -1, norm: str | None = None, name: str | None = None
) -> Tensor:
    """The inverse of `dct`, up to a factor without `norm="ortho"`. Source: `tf.signal.idct`."""
    value = convert_to_tensor(input)
    _check(value, type, n, axis, norm)
    return dct(input, type=_INVERSES[type], n=n, axis=axis, norm=norm, name=name)


def _of_length(value: Tensor, n: int) -> Tensor:
    size = size_of(value, -1)
    value = value[..., :n]
    if not isinstance(size, int) or size < n:
        missing = maximum(0, n - size) if not isinstance(size, int) else n - size
        value = pad_inner(value, [[0, missing]])
        if value.raw_shape is not None:
            value.set_shape([*value.raw_shape[:-1], n])
    return value


def _turned(size: Any, kind: DType, sign: float) -> tuple[Tensor, Tensor]:
    """The size as a float, and `2 exp(i sign pi k / 2 size)` for k from 0 to below it."""
    count = cast(convert_to_tensor(size), kind)
    angle = cast(range_(size), kind) * (sign * math.pi * 0.5) / count
    return count, 2.0 * exp(complex_(zeros_like(angle), angle))


def _weights(first: Tensor, others: Tensor, size: Any) -> Tensor:
    """[size]: one weight for the first element, another for the rest."""
    return concat([first[None], fill([size - 1], others)], 0)


def _first(value: Tensor, norm: str | None) -> Tensor:
    mirrored = concat([value, value[..., -2:0:-1]], axis=-1)
    return real(rfft(mirrored))


def _second(value: Tensor, norm: str | None) -> Tensor:
    size = size_of(value, -1)
    count, factors = _turned(size, value.dtype, -1.0)
    found = real(rfft(value, fft_length=[2 * size])[..., :size] * factors)
    if norm == "ortho":
        first = 0.5 * rsqrt(count)
        found = found * _weights(first, first * math.sqrt(2.0), size)
    return found


def _third(value: Tensor, norm: str | None) -> Tensor:
    size = size_of(value, -1)
    count, factors = _turned(size, value.dtype, 1.0)
    if norm == "ortho":
        first = sqrt(count)
        value = value * _weights(first, first * math.sqrt(0.5), size)
    else:
        value = value * count
    return irfft(factors * complex_(value, zeros_like(value)), fft_length=[2 * size])[..., :size]


def _fourth(value: Tensor, norm: str | None) -> Tensor:
    size = size_of(value, -1)
    padding = concat([value, zeros_like(value)], axis=-1)
    found = _second(padding, None)[..., 1::2]
    if norm == "ortho":
        found = found * (math.sqrt(0.5) * rsqrt(cast(convert_to_tensor(size), value.dtype)))
    return found


_TRANSFORMS = {1: _first, 2: _second, 3: _third, 4: _fourth}


def mdct(
    signals: TensorLike,
    frame_length: TensorLike,
    window_fn: Any = vorbis_window,
    pad_end: bool = False,
    norm: str | None = None,
    name: str | None = None,
) -> Tensor:
    """The modified cosine transform of frames that overlap by half: [..., samples] -> [..., frames, frame_length / 2].

    Source: `tf.signal.mdct`.

    Args:
      frame_length: a scalar, a multiple of 4. window_fn: as that of `stft`; None for a constant one.
      pad_end: also frames that end after the signal. norm: "ortho" for the orthonormal transform.
    """
    with name_scope(name, "mdct", [signals, frame_length]):
        signals = convert_to_tensor(signals, name="signals")
        signals.get_shape().with_rank_at_least(1)
        length = convert_to_tensor(frame_length, name="frame_length")
        length.get_shape().assert_has_rank(0)
        size = known_or(length)
        checks: list[Any] = []
        if isinstance(size, int):
            if size % 4:
                raise ValueError("The frame length must be a multiple of 4.")
        else:
            checks = [Assert(apply("Equal", length % 4, 0), ["The frame length must be a multiple of 4."])]
        with control_dependencies(checks):
            frames = frame(signals, size, size // 2, pad_end=pad_end)
        frames = _windowed(frames, window_fn, length)
        a, b, c, d = split(frames, 4, axis=-1)
        folded = concat([-reverse(c, [-1]) - d, a - reverse(b, [-1])], axis=-1)
        return dct(folded, type=4, norm=norm)


def inverse_mdct(
    mdcts: TensorLike, window_fn: Any = vorbis_window, norm: str | None = None, name: str | None = None
) -> Tensor:
    """The signals of `mdct`s: [..., frames, n] -> [..., samples]. Source: `tf.signal.inverse_mdct`."""
    with name_scope(name, "inverse_mdct", [mdcts]):
        mdcts = convert_to_tensor(mdcts, name="mdcts")
        mdcts.get_shape().with_rank_at_least(2)
        half = size_of(mdcts, -1)
        values = idct(mdcts, type=4, norm=norm)
        if norm is None:
            values = values / (2.0 * cast(convert_to_tensor(half), values.dtype))
        first, second = split(values, 2, axis=-1)
        frames = concat([second, -reverse(second, [-1]), -reverse(first, [-1]), -first], axis=-1)
        return overlap_and_add(_windowed(frames, window_fn, convert_to_tensor(2 * half)), half)


def _windowed(frames: Tensor, window_fn: Any, length: Tensor) -> Tensor:
    if window_fn is None:
        return frames * (1.0 / math.sqrt(2.0))
    return frames * window_fn(length, dtype=frames.dtype)
