"""Mel scales: `tf.signal.linear_to_mel_weight_matrix` and cepstral coefficients."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.dtypes import DType
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.arithmetic import maximum, minimum
from runstep.ops.cast import cast
from runstep.ops.elementwise import log, rsqrt
from runstep.ops.grids import linspace
from runstep.ops.joining import pad, split
from runstep.ops.shape_ops import reshape
from runstep.ops.signal_cosine import dct
from runstep.ops.signal_frames import frame, size_of

__all__ = ["linear_to_mel_weight_matrix", "mfccs_from_log_mel_spectrograms"]

# Source: O'Shaughnessy's formula of the mel scale, as TensorFlow writes it.
_BREAK_HERTZ = 700.0
_HIGH_Q = 1127.0


def linear_to_mel_weight_matrix(
    num_mel_bins: TensorLike = 20,
    num_spectrogram_bins: TensorLike = 129,
    sample_rate: Any = 8000,
    lower_edge_hertz: TensorLike = 125.0,
    upper_edge_hertz: TensorLike = 3800.0,
    dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Tensor:
    """[num_spectrogram_bins, num_mel_bins]: how much each frequency of a spectrum counts in each band of the mel scale.

    Source: `tf.signal.linear_to_mel_weight_matrix`.

    Args:
      sample_rate: in Hz. lower_edge_hertz, upper_edge_hertz: where the lowest band begins and the highest ends.
    """
    kind = dtypes.as_dtype(dtype)
    with name_scope(name, "linear_to_mel_weight_matrix"):
        rate = constant_value(sample_rate) if isinstance(sample_rate, Tensor) else sample_rate
        _check(num_mel_bins, rate, lower_edge_hertz, upper_edge_hertz, kind)
        low = convert_to_tensor(lower_edge_hertz, kind, name="lower_edge_hertz")
        high = convert_to_tensor(upper_edge_hertz, kind, name="upper_edge_hertz")
        given = sample_rate if rate is None else float(rate)
        nyquist = (cast(given, kind) if isinstance(given, Tensor) else constant(given, kind)) / 2.0
        bins = _mel(linspace(constant(0.0, kind), nyquist, num_spectrogram_bins)[1:])[:, None]
        edges = frame(linspace(_mel(low), _mel(high), num_mel_bins + 2), frame_length=3, frame_step=1)
        left, middle, right = (reshape(part, [1, num_mel_bins]) for part in split(edges, 3, axis=1))
        rising = (bins - left) / (middle - left)
        falling = (right - bins) / (right - middle)
        return pad(maximum(constant(0.0, kind), minimum(rising, falling)), [[1, 0], [0, 0]])


def _mel(hertz: Tensor) -> Tensor:
    return _HIGH_Q * log(1.0 + hertz / _BREAK_HERTZ)


def _check(bands: Any, rate: Any, low: Any, high: Any, kind: DType) -> None:
    if not isinstance(bands, Tensor) and bands <= 0:
        raise ValueError(f"num_mel_bins must be positive. Got: {bands}")
    if not isinstance(low, Tensor) and low < 0.0:
        raise ValueError(f"lower_edge_hertz must be non-negative. Got: {low}")
    if not isinstance(low, Tensor) and not isinstance(high, Tensor) and low >= high:
        raise ValueError(f"lower_edge_hertz {low} >= upper_edge_hertz {high}")
    if rate is not None:
        if rate <= 0.0:
            raise ValueError(f"sample_rate must be positive. Got: {rate}")
        if not isinstance(high, Tensor) and high > rate / 2:
            raise ValueError(
                "upper_edge_hertz must not be larger than the Nyquist frequency (sample_rate / 2). "
                f"Got {high} for sample_rate: {rate}"
            )
    if not kind.is_floating:
        raise ValueError(f"dtype must be a floating point type. Got: {kind}")


def mfccs_from_log_mel_spectrograms(log_mel_spectrograms: TensorLike, name: str | None = None) -> Tensor:
    """The cepstral coefficients of logarithmic mel spectra: an orthonormal `dct` of [..., frames, num_mel_bins].

    Source: `tf.signal.mfccs_from_log_mel_spectrograms`. ValueError for no bands at all.
    """
    with name_scope(name, "mfccs_from_log_mel_spectrograms", [log_mel_spectrograms]):
        spectra = convert_to_tensor(log_mel_spectrograms)
        bands = size_of(spectra, -1)
        if bands == 0:
            raise ValueError(f"num_mel_bins must be positive. Got: {spectra}")
        return dct(spectra, type=2) * rsqrt(cast(convert_to_tensor(bands), spectra.dtype) * 2.0)
