"""Short-time Fourier transforms: `tf.signal.stft` and back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.arithmetic import maximum, pow as pow_
from runstep.ops.cast import cast
from runstep.ops.elementwise import ceil, log, square
from runstep.ops.fft import irfft, rfft
from runstep.ops.joining import pad, tile
from runstep.ops.reduction import reduce_sum
from runstep.ops.shape_ops import reshape, shape as shape_of
from runstep.ops.signal_frames import frame, known_or, overlap_and_add, pad_inner
from runstep.ops.signal_windows import hann_window

__all__ = ["inverse_stft", "inverse_stft_window_fn", "stft"]

Window = Callable[..., Tensor]


def _power_of_two(length: Tensor) -> Tensor:
    """The least power of two that is not less."""
    known = constant_value(length)
    if known is not None:
        return convert_to_tensor(
            np.array(2 ** math.ceil(math.log2(int(known))), known.dtype), name="enclosing_power_of_two"
        )
    return cast(pow_(2.0, ceil(log(cast(length, dtypes.float32)) / math.log(2.0))), length.dtype)


def stft(
    signals: TensorLike,
    frame_length: TensorLike,
    frame_step: TensorLike,
    fft_length: Any = None,
    window_fn: Any = hann_window,
    pad_end: bool = False,
    name: str | None = None,
) -> Tensor:
    """The spectra of overlapping frames: floats [..., samples] -> complex [..., frames, fft_length // 2 + 1].

    Source: `tf.signal.stft`.

    Args:
      frame_length, frame_step: scalars, in samples.
      fft_length: of the transform; by default the least power of two that holds a frame.
      window_fn: makes a window of a length (and `dtype=`) that multiplies each frame; None for none.
      pad_end: also frames that end after the signal, filled up with zeros.
    """
    with name_scope(name, "stft", [signals, frame_length, frame_step]):
        signals = convert_to_tensor(signals, name="signals")
        signals.get_shape().with_rank_at_least(1)
        frame_length = convert_to_tensor(frame_length, name="frame_length")
        frame_length.get_shape().assert_has_rank(0)
        frame_step = convert_to_tensor(frame_step, name="frame_step")
        frame_step.get_shape().assert_has_rank(0)
        if fft_length is None:
            fft_length = _power_of_two(frame_length)
        else:
            fft_length = convert_to_tensor(fft_length, name="fft_length")
        frames = frame(signals, frame_length, frame_step, pad_end=pad_end)
        if window_fn is not None:
            frames = frames * window_fn(frame_length, dtype=frames.dtype)
        return rfft(frames, _vector(fft_length))


def _vector(length: Tensor) -> Any:
    known = constant_value(length)
    return [length] if known is None else np.array([known], np.int32)


def inverse_stft(
    stfts: TensorLike,
    frame_length: TensorLike,
    frame_step: TensorLike,
    fft_length: Any = None,
    window_fn: Any = hann_window,
    name: str | None = None,
) -> Tensor:
    """The signals of `stft`s: complex [..., frames, bins] -> floats [..., samples].

    Source: `tf.signal.inverse_stft`. Exact when `window_fn` is `inverse_stft_window_fn` of the window forward.
    """
    with name_scope(name, "inverse_stft", [stfts]):
        stfts = convert_to_tensor(stfts, name="stfts")
        stfts.get_shape().with_rank_at_least(2)
        length = convert_to_tensor(frame_length, name="frame_length")
        length.get_shape().assert_has_rank(0)
        step = convert_to_tensor(frame_step, name="frame_step")
        step.get_shape().assert_has_rank(0)
        if fft_length is None:
            fft_length = _power_of_two(length)
        else:
            fft_length = convert_to_tensor(fft_length, name="fft_length")
            fft_length.get_shape().assert_has_rank(0)
        frames = irfft(stfts, _vector(fft_length))
        known, transformed = constant_value(length), constant_value(fft_length)
        if known is not None and transformed is not None:
            missing: Any = max(0, int(known) - int(transformed))
            frames = frames[..., : int(known)]
        else:
            frames = frames[..., :length]
            missing = maximum(0, length - shape_of(frames)[-1])
        if not isinstance(missing, int) or missing:
            frames = pad_inner(frames, [[0, missing]])
            if known is not None and frames.raw_shape is not None:
                frames.set_shape([*frames.raw_shape[:-1], int(known)])
        if window_fn is not None:
            frames = frames * window_fn(length, dtype=stfts.dtype.real_dtype)
        return overlap_and_add(frames, step)


def inverse_stft_window_fn(
    frame_step: TensorLike, forward_window_fn: Any = hann_window, name: str | None = None
) -> Window:
    """A window function for `inverse_stft` that undoes `forward_window_fn`: that window, over the sum of the squares
    of what overlaps. Source: `tf.signal.inverse_stft_window_fn`."""

    def inverse(frame_length: TensorLike, dtype: Any) -> Tensor:
        with name_scope(name, "inverse_stft_window_fn", [forward_window_fn]):
            length = convert_to_tensor(frame_length, name="frame_length")
            length.get_shape().assert_has_rank(0)
            step_tensor = convert_to_tensor(frame_step, name="frame_step")
            step_tensor.get_shape().assert_has_rank(0)
            window = forward_window_fn(length, dtype=dtype)
            size, step = known_or(length), known_or(step_tensor)
            overlaps = -(-size // step)
            squares = pad(square(window), [[0, overlaps * step - size]])
            sums = reduce_sum(reshape(squares, [overlaps, step]), 0, keepdims=True)
            sums = reshape(tile(sums, [overlaps, 1]), [overlaps * step])
            return window / sums[:size]

    return inverse
