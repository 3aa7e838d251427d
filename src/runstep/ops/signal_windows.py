"""Windows for spectra: the `tf.signal.*_window` functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.branching import cond
from runstep.ops.cast import cast
from runstep.ops.comparison import equal
from runstep.ops.creation import ones, range
from runstep.ops.cumulative import cumsum
from runstep.ops.elementwise import abs as abs_, cos, exp, sin, sqrt, square
from runstep.ops.joining import concat
from runstep.ops.rearranging import reverse
from runstep.ops.special import bessel_i0e

__all__ = ["hamming_window", "hann_window", "kaiser_bessel_derived_window", "kaiser_window", "vorbis_window"]


def hann_window(
    window_length: TensorLike, periodic: TensorLike = True, dtype: Any = dtypes.float32, name: str | None = None
) -> Tensor:
    """`0.5 - 0.5 cos(2 pi n / length)`. Source: `tf.signal.hann_window`.

    Args:
      window_length: a scalar. periodic: for spectra; else symmetric, for filters.
    """
    return _raised_cosine(name, "hann_window", window_length, periodic, dtype, 0.5, 0.5)


def hamming_window(
    window_length: TensorLike, periodic: TensorLike = True, dtype: Any = dtypes.float32, name: str | None = None
) -> Tensor:
    """`0.54 - 0.46 cos(2 pi n / length)`. Source: `tf.signal.hamming_window`.

    Args:
      window_length: a scalar. periodic: for spectra; else symmetric, for filters.
    """
    return _raised_cosine(name, "hamming_window", window_length, periodic, dtype, 0.54, 0.46)


def _raised_cosine(
    name: str | None, default_name: str, window_length: Any, periodic: Any, dtype: Any, a: float, b: float
) -> Tensor:
    kind = _floating(dtype)
    with name_scope(name, default_name, [window_length, periodic]):
        length = _scalar(window_length)
        known = constant_value(length)
        if known == 1:
            return ones([1], dtype=kind)
        periodic = cast(convert_to_tensor(periodic, dtype=dtypes.bool, name="periodic"), dtypes.int32)
        if known is not None:
            return _computed(length, periodic, kind, a, b)
        return cond(equal(length, 1), lambda: ones([1], dtype=kind), lambda: _computed(length, periodic, kind, a, b))


def _computed(length: Tensor, periodic: Tensor, kind: dtypes.DType, a: float, b: float) -> Tensor:
    even = 1 - length % 2
    n = cast(length + periodic * even - 1, kind)
    count = cast(range(length), kind)
    angle = constant(2 * np.pi, dtype=kind) * count / n
    return cast(a - b * cos(angle), kind)


def _floating(dtype: Any) -> dtypes.DType:
    kind = dtypes.as_dtype(dtype)
    if not kind.is_floating:
        raise ValueError(f"dtype must be a floating point type. Found {kind}")
    return kind


def _scalar(window_length: Any) -> Tensor:
    length = convert_to_tensor(window_length, dtype=dtypes.int32, name="window_length")
    TensorShape([]).assert_is_compatible_with(length.shape)
    return length


def kaiser_window(
    window_length: TensorLike, beta: Any = 12.0, dtype: Any = dtypes.float32, name: str | None = None
) -> Tensor:
    """Kaiser's window: near to that which keeps most of the energy in the main lobe. Source: `tf.signal.kaiser_window`.

    Args:
      window_length: a scalar. beta: the width of the main lobe.
    """
    kind = _floating(dtype)
    with name_scope(name, "kaiser_window", [window_length, beta]):
        length = _scalar(window_length)
        known = constant_value(length)
        if known == 1:
            return ones([1], dtype=kind)
        beta = cast(convert_to_tensor(beta), kind)
        half = cast(length - 1, kind) / 2.0
        steps = cast(range(length), kind) - half
        argument = beta * sqrt(1.0 - square(steps / half))
        scaled = bessel_i0e(argument) / bessel_i0e(beta)  # i0e(x) is exp(-x) i0(x)
        return scaled * exp(abs_(argument) - abs_(beta))


def kaiser_bessel_derived_window(
    window_length: TensorLike, beta: Any = 12.0, dtype: Any = dtypes.float32, name: str | None = None
) -> Tensor:
    """The root of the running sum of Kaiser's window, and its mirror image; the squares of halves add up to 1.

    Source: `tf.signal.kaiser_bessel_derived_window`.
    """
    with name_scope(name, "kaiser_bessel_derived_window", [window_length, beta]):
        half = _scalar(window_length) // 2
        sums = cumsum(kaiser_window(half + 1, beta, dtype=dtype))
        rising = sqrt(sums[:-1] / sums[-1])
        return concat([rising, reverse(rising, axis=[0])], axis=0)


def vorbis_window(window_length: TensorLike, dtype: Any = dtypes.float32, name: str | None = None) -> Tensor:
    """The power complementary window of Vorbis: `sin(pi/2 sin(pi/length (n + 1/2))^2)`.

    Source: `tf.signal.vorbis_window`.
    """
    kind = _floating(dtype)
    with name_scope(name, "vorbis_window", [window_length]):
        length = _scalar(window_length)
        inner = sin(np.pi / cast(length, kind) * (cast(range(length), kind) + 0.5))
        return sin(np.pi / 2.0 * square(inner))
