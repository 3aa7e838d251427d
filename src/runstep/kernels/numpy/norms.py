"""Clipping by value."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep import errors
from runstep.kernels.registry import numpy_kernel


def _shape(x: Any) -> str:
    return "[" + ",".join(map(str, x.shape)) + "]"


@numpy_kernel("ClipByValue")
def clip_by_value(t: Any, low: Any, high: Any) -> Any:
    if (low.ndim and low.shape != t.shape) or (high.ndim and high.shape != t.shape):
        text = (
            "clip_value_min and clip_value_max must be either of the same shape as input, or a scalar. input shape: "
            f"{_shape(t)}clip_value_min shape: {_shape(low)}clip_value_max shape: {_shape(high)}"
        )
        raise errors.InvalidArgumentError(None, None, text)
    # A limit that is NaN does not limit, and where the limits cross the lower one wins.
    below = np.where(t > high, high, t)
    return np.where(below < low, low, below)
