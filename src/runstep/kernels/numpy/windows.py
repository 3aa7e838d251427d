"""Windows over spatial axes: sizes, padding, and the strided views that convolution, pooling and patches share.

Arrays here are channels-last, `[batch, *spatial, channels]`; `to_last` and `to_first` convert.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from runstep.errors import InvalidArgumentError
from runstep.graph import dtypes
from runstep.graph.dtypes import DType

Array = Any

_LOW_PRECISION = (dtypes.float16, dtypes.bfloat16)

# Below this many elements one zeroing of the whole buffer is cheaper than one assignment per border.
_ZERO_WHOLE = 1 << 15


class Windows(NamedTuple):
    """Where windows lie along each spatial axis: output sizes and the padding before and after."""

    out: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def is_padded(self) -> bool:
        return any(self.before) or any(self.after)


def compute_type(dtype: DType) -> Any:
    """The numpy type to compute in: float32 for half and bfloat16 (one rounding, at the end), else the type itself."""
    return np.dtype(np.float32) if dtype in _LOW_PRECISION else dtype.np


def place(
    sizes: Sequence[int],
    taps: Sequence[int],
    strides: Sequence[int],
    padding: bytes,
    pads: Sequence[Sequence[int]],
    dilations: Sequence[int],
) -> Windows:
    """The placement of windows of `taps` on an input of `sizes`. InvalidArgumentError where none fits."""
    out, before, after = [], [], []
    for size, tap, stride, pad, dilation in zip(sizes, taps, strides, pads, dilations, strict=True):
        reach = (tap - 1) * dilation + 1
        if padding == b"SAME":
            count = -(-size // stride)
            need = max(0, (count - 1) * stride + reach - size)
            low, high = need // 2, need - need // 2
        else:
            low, high = (int(pad[0]), int(pad[1])) if padding == b"EXPLICIT" else (0, 0)
            count = (size + low + high - reach) // stride + 1
        if count < 0:
            raise InvalidArgumentError(
                None,
                None,
                f"Computed output size would be negative: {count} [input_size: {size}, "
                f"effective_filter_size: {reach}, stride: {stride}]",
            )
        out.append(count)
        before.append(low)
        after.append(high)
    return Windows(tuple(out), tuple(before), tuple(after))


def to_last(x: Array, first: bool) -> Array:
    """`x` with its channels last (a view)."""
    return np.moveaxis(x, 1, -1) if first else x


def to_first(x: Array, first: bool) -> Array:
    """A channels-last result in the node's data format, contiguous."""
    return np.ascontiguousarray(np.moveaxis(x, -1, 1)) if first else x


def pad(x: Array, before: Sequence[int], after: Sequence[int], value: Any = 0) -> Array:
    """A contiguous copy of channels-last `x` with borders of `value` around its spatial axes."""
    sizes = x.shape[1:-1]
    shape = (x.shape[0], *[b + s + a for b, s, a in zip(before, sizes, after, strict=True)], x.shape[-1])
    inner = (slice(None), *[slice(b, b + s) for b, s in zip(before, sizes, strict=True)])
    if math.prod(shape) < _ZERO_WHOLE:
        padded = np.zeros(shape, x.dtype) if not value else np.full(shape, value, x.dtype)
    else:
        padded = np.empty(shape, x.dtype)
        lead: tuple[slice, ...] = (slice(None),)
        for b, s, a in zip(before, sizes, after, strict=True):
            if b:
                padded[(*lead, slice(0, b))] = value
            if a:
                padded[(*lead, slice(b + s, None))] = value
            lead = (*lead, slice(b, b + s))
    padded[inner] = x
    return padded


def view(x: Array, taps: Sequence[int], strides: Sequence[int], dilations: Sequence[int], out: Sequence[int]) -> Array:
    """`[batch, *out, *taps, channels]`, the windows of padded channels-last `x`, without a copy."""
    s = x.strides
    shape = (x.shape[0], *out, *taps, x.shape[-1])
    steps = (
        s[0],
        *[a * b for a, b in zip(s[1:-1], strides, strict=True)],
        *[a * b for a, b in zip(s[1:-1], dilations, strict=True)],
        s[-1],
    )
    return np.lib.stride_tricks.as_strided(x, shape, steps, writeable=False)


def tap_slices(
    tap: Sequence[int], strides: Sequence[int], dilations: Sequence[int], out: Sequence[int]
) -> tuple[slice, ...]:
    """The slices of a padded array that one tap of every window reads: `x[tap_slices(...)]` is `[batch, *out, c]`."""
    return (
        slice(None),
        *[
            slice(t * d, t * d + (o - 1) * s + 1 if o else t * d, s)
            for t, s, d, o in zip(tap, strides, dilations, out, strict=True)
        ],
    )


def crop(x: Array, before: Sequence[int], sizes: Sequence[int]) -> Array:
    """The part of a padded channels-last array that lies within the unpadded one, contiguous."""
    inner = (slice(None), *[slice(b, b + s) for b, s in zip(before, sizes, strict=True)])
    return np.ascontiguousarray(x[inner])
