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
from runstep.ops.elementwise import cos

__all__ = ["hamming_window", "hann_window"]


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
    kind = dtypes.as_dtype(dtype)
    if not kind.is_floating:
        raise ValueError(f"dtype must be a floating point type. Found {kind}")
    with name_scope(name, default_name, [window_length, periodic]):
        length = convert_to_tensor(window_length, dtype=dtypes.int32, name="window_length")
        TensorShape([]).assert_is_compatible_with(length.shape)
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
