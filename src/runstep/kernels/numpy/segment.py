"""Reductions over rows that share a segment id: sort if need be, then one `reduceat` over the runs of equal ids."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from runstep import errors
from runstep.graph.dtypes import DType
from runstep.kernels.registry import Kernel, Node, numpy_kernel


def _shape(x: Any) -> str:
    return "[" + ",".join(map(str, x.shape)) + "]"


def runs(ids: Any) -> Any:
    """Where each run of equal ids starts."""
    if not ids.size:
        return np.zeros(0, np.intp)
    return np.concatenate(([0], np.flatnonzero(ids[1:] != ids[:-1]) + 1))


def check_order(ids: Any, rows: int) -> None:
    """That ids, at least one, rise, within [0, rows)."""
    ends = np.flatnonzero(ids[1:] != ids[:-1])
    falls = ids[ends + 1] < ids[ends]
    last = ids[-1:]
    outside = (np.append(ids[ends], last) < 0) | (np.append(ids[ends], last) >= rows)
    wrong = np.append(falls, False) | outside
    if not wrong.any():
        return
    first = int(np.argmax(wrong))
    if first < len(falls) and falls[first]:
        raise errors.InvalidArgumentError(None, None, "segment ids are not increasing")
    value = ids[ends[first]] if first < len(ends) else ids[-1]
    text = f"Segment id {value} out of range [0, {rows}), possibly because 'segment_ids' input is not sorted."
    raise errors.InvalidArgumentError(None, None, text)


def _check_sorted(data: Any, ids: Any) -> None:
    if data.ndim == 0:
        raise errors.InvalidArgumentError(None, None, "input must be at least rank 1")
    if ids.ndim != 1:
        raise errors.InvalidArgumentError(None, None, "segment_ids should be a vector.")
    if ids.shape[0] != data.shape[0]:
        text = "segment_ids should be the same size as dimension 0 of input."
        raise errors.InvalidArgumentError(None, None, text)
    if not ids.size:
        return
    if ids[-1] < 0:
        raise errors.InvalidArgumentError(None, None, "segment ids must be >= 0")
    if ids[0] < 0 or (ids[1:] < ids[:-1]).any():
        check_order(ids, int(ids[-1]) + 1)


def _folded(ufunc: np.ufunc, data: Any, starts: Any) -> Any:
    return ufunc.reduceat(data, starts, axis=0, dtype=data.dtype)


def _register_sorted(op: str, ufunc: np.ufunc, missing: int) -> None:
    @numpy_kernel.make(op)
    def make(node: Node) -> Kernel:
        kind = node.output_types[0].np

        def reduce(data: Any, ids: Any) -> Any:
            _check_sorted(data, ids)
            count = int(ids[-1]) + 1 if ids.size else 0
            out = np.full((count, *data.shape[1:]), missing, kind)
            if data.size:
                starts = runs(ids)
                out[ids[starts]] = _folded(ufunc, data, starts)
            return out

        return reduce


_register_sorted("SegmentSum", np.add, 0)
_register_sorted("SegmentProd", np.multiply, 1)
_register_sorted("SegmentMax", np.maximum, 0)
_register_sorted("SegmentMin", np.minimum, 0)


@numpy_kernel.make("SegmentMean")
def segment_mean(node: Node) -> Kernel:
    dtype = node.output_types[0]
    kind = dtype.np

    def mean(data: Any, ids: Any) -> Any:
        _check_sorted(data, ids)
        count = int(ids[-1]) + 1 if ids.size else 0
        out = np.zeros((count, *data.shape[1:]), kind)
        if not data.size:
            return out
        starts = runs(ids)
        sums = _folded(np.add, data, starts)
        lengths = np.diff(starts, append=ids.size).astype(kind).reshape(-1, *[1] * (data.ndim - 1))
        if dtype.is_integer:
            sums = np.floor_divide(np.subtract(sums, np.fmod(sums, lengths)), lengths)
        else:
            sums = np.true_divide(sums, lengths)
        out[ids[starts]] = sums
        return out

    return mean


def _check_unsorted(data: Any, ids: Any, number: Any) -> int:
    if number.ndim:
        text = f"num_segments should be a scalar, not shape {_shape(number)}"
        raise errors.InvalidArgumentError(None, None, text)
    if data.shape[: ids.ndim] != ids.shape:
        text = f"data.shape = {_shape(data)} does not start with segment_ids.shape = {_shape(ids)}"
        raise errors.InvalidArgumentError(None, None, text)
    count = int(number)
    if count < 0:
        text = f"Input num_segments == {count} must not be negative."
        raise errors.InvalidArgumentError(None, None, text)
    return count


def unsorted(ufunc: np.ufunc, data: Any, ids: Any, count: int, empty: Any) -> Any:
    """`ufunc` over the rows of each segment; `empty` where there are none. `data` and `ids` are checked arrays."""
    flat = ids.ravel()
    rows = data.reshape(flat.size, *data.shape[ids.ndim :])
    if flat.size == count and count and flat[0] == 0 and flat[-1] == count - 1 and (flat[1:] > flat[:-1]).all():
        return ufunc(rows, np.asarray(empty, data.dtype))  # one row each, in order
    if flat.size and int(flat.max()) >= count:
        worst = int(np.flatnonzero(flat >= count)[0])
        place = ",".join(map(str, np.unravel_index(worst, ids.shape)))
        text = f"segment_ids{f'[{place}]' if place else ''} = {flat[worst]} is out of range [0, {count})"
        raise errors.InvalidArgumentError(None, None, text)
    out = np.full((count, *rows.shape[1:]), empty, data.dtype)
    if not rows.size:
        return out
    if (flat[1:] < flat[:-1]).any():
        # Short keys are sorted by radix; one more makes room for the negative ids, which come first.
        keys = (flat + 1).clip(0).astype(np.uint16) if count < 65535 else flat
        order = np.argsort(keys, kind="stable")
        flat, rows = flat.take(order), rows.take(order, 0)
    first = int(np.count_nonzero(flat < 0))
    if first:
        flat, rows = flat[first:], rows[first:]
        if not flat.size:
            return out
    starts = runs(flat)
    out[flat[starts]] = ufunc(_folded(ufunc, rows, starts), np.asarray(empty, data.dtype))
    return out


def _limit(dtype: DType, lowest: bool) -> Any:
    limits: Any = ml_dtypes.finfo if dtype.is_floating else ml_dtypes.iinfo
    info = limits(dtype.np)
    return info.min if lowest else info.max


def _register_unsorted(op: str, ufunc: np.ufunc, empty: Any) -> None:
    @numpy_kernel.make(op)
    def make(node: Node) -> Kernel:
        start = empty(node.output_types[0]) if callable(empty) else empty

        def reduce(data: Any, ids: Any, number: Any) -> Any:
            count = _check_unsorted(data, ids, number)
            return unsorted(ufunc, np.asarray(data), np.asarray(ids), count, start)

        return reduce


_register_unsorted("UnsortedSegmentSum", np.add, 0)
_register_unsorted("UnsortedSegmentProd", np.multiply, 1)
_register_unsorted("UnsortedSegmentMax", np.maximum, lambda dtype: _limit(dtype, lowest=True))
_register_unsorted("UnsortedSegmentMin", np.minimum, lambda dtype: _limit(dtype, lowest=False))
