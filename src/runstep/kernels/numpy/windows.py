"""Windows over spatial axes: sizes, padding, and the strided views that convolution, pooling and patches share.

Arrays here are channels-last, `[batch, *spatial, channels]`; `to_last` and `to_first` convert.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from runstep.errors import InvalidArgumentError
from runstep.graph import dtypes
from runstep.graph.dtypes import DType

Array = Any

_LOW_PRECISION = (dtypes.float16, dtypes.bfloat16)

# Below this many elements, filling the whole buffer is cheaper than one assignment per border.
_FILL_WHOLE = 1 << 15

# Scratch up to this many bytes is kept by each thread: memory fresh from the system costs a page fault per 4 KiB.
_KEEP = 1 << 22


def _teach_allocator() -> None:
    """Makes glibc keep the memory of freed arrays: how much it keeps, it learns from the largest block freed so far (32
    MiB at most). Memory given back to the system costs a page fault per 4 KiB when it is needed again in the next step.
    The block is never touched, so it costs nothing."""
    np.empty((32 << 20) - (1 << 16), np.uint8)


_teach_allocator()


class _Scratch(threading.local):
    def __init__(self) -> None:
        self.slots: dict[str, Array] = {}


_scratch = _Scratch()


def scratch(slot: str, shape: Sequence[int], dtype: Any) -> Array:
    """An array for the time of one kernel call, of unset values; its memory is this thread's next `slot` again."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size > _KEEP:
        return np.empty(shape, dtype)
    buffer = _scratch.slots.get(slot)
    if buffer is None or buffer.size < size:
        buffer = _scratch.slots[slot] = np.empty(max(size, 1 << 16), np.uint8)
    return np.ndarray(shape, dtype, buffer)


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
            room = size + low + high - reach + stride
            count = room // stride if room >= 0 else -(-room // stride)  # C++ rounds toward zero
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


def pad(x: Array, before: Sequence[int], after: Sequence[int], value: Any = 0, slot: str | None = None) -> Array:
    """A contiguous copy of channels-last `x` with borders of `value` around its spatial axes, in scratch `slot` if
    one is given."""
    sizes = x.shape[1:-1]
    shape = (x.shape[0], *[b + s + a for b, s, a in zip(before, sizes, after, strict=True)], x.shape[-1])
    inner = (slice(None), *[slice(b, b + s) for b, s in zip(before, sizes, strict=True)])
    padded = np.empty(shape, x.dtype) if slot is None else scratch(slot, shape, x.dtype)
    if padded.size < _FILL_WHOLE:
        padded.fill(value)
    else:
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
