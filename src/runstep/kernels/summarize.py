"""A tensor in one line of text, as TensorFlow's Print and Assert show it: `[1 2][3...]...`."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.dtypes import DType
from runstep.kernels.numpy.string_format import c_escaped, element_writer


def summarized(value: Any, dtype: DType, limit: int) -> bytes:
    """The first `limit` elements (all of them when it is negative) in brackets by rows, "..." for what is left out."""
    array = np.asarray(value)
    limit = array.size if limit < 0 else min(limit, array.size)
    write = c_escaped if dtype is dtypes.string else element_writer(dtype)
    shown = [write(item) for item in array.ravel()[:limit].tolist()]
    parts: list[str] = []
    if array.ndim == 0:
        parts += shown
    else:
        _rows(array.shape, 0, shown, 0, limit, parts)
    if array.size > limit:
        parts.append("...")
    return "".join(parts).encode("latin1")


def _rows(shape: tuple[int, ...], axis: int, shown: list[str], done: int, limit: int, parts: list[str]) -> int:
    """Writes one row of axis `axis`, the elements from `done` on; returns where the next row starts."""
    if done >= limit:
        return done
    if axis == len(shape) - 1:
        count = min(shape[axis], limit - done)
        parts.append(" ".join(shown[done : done + count]))
        if count < shape[axis] and axis:
            parts.append("...")
        return done + count
    for _ in range(shape[axis]):
        opened = done < limit
        if opened:
            parts.append("[")
        done = _rows(shape, axis + 1, shown, done, limit, parts)
        if opened:
            parts.append("]")
    return done
