"""Pooling over regions of uneven sizes (source: Graham, "Fractional max-pooling", 2014), with TensorFlow's numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep import errors
from runstep.kernels.numpy import distributions, philox
from runstep.kernels.numpy.philox import Stream, stream_of
from runstep.kernels.numpy.random import permutation
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.shared import invalid

Array = np.ndarray[Any, Any]


def _ends(stream: Stream, size: int, count: int, evenly: bool) -> Array:
    """Where each of `count` regions begins, and the end: int64 of length count + 1."""
    if evenly:
        ratio = size / count
        least = size // count
        # No region may be larger than the others by more than one.
        most = min((least + 2) / ratio - 1, (size + 1 - least) / ratio - (count - 1))
        words = philox.words(stream.key, stream.reserve(1), 2)
        u = float(distributions.uniform(words, np.dtype(np.float64))[0]) * most
        ends = (ratio * (np.arange(count + 1) + u)).astype(np.int64)
        ends[0], ends[-1] = 0, size
        return ends
    larger = size % count
    sizes = np.full(count, size // count, np.int64)
    sizes[:larger] += 1
    order = permutation(stream.key, stream.reserve_words(count), count)
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes[order])])


def _regions(ends: Array, size: int, overlapping: bool) -> list[slice]:
    first, last = ends[:-1].tolist(), ends[1:].tolist()
    return [slice(a, min(b + overlapping, size)) for a, b in zip(first, last, strict=True)]


def _checked(value: Any, ratio: Any) -> list[int]:
    """The sizes of the output."""
    if value.ndim != 4:
        raise invalid("tensor_in must be 4-dimensional")
    sizes = []
    for size, part in zip(value.shape, ratio, strict=False):
        if size <= 0:
            raise invalid("tensor_in dimensions must be positive")
        sizes.append(int(size / part))
        if sizes[-1] <= 0:
            raise invalid(f"pooling ratio {part:g} leaves nothing of {size}")
    return sizes


@numpy_kernel.make("FractionalMaxPool", "FractionalAvgPool")
def fractional_pool(node: Node) -> Kernel:
    attrs = node.attrs
    ratio, evenly, overlapping = attrs["pooling_ratio"], attrs["pseudo_random"], attrs["overlapping"]
    seeds = attrs["seed"], attrs["seed2"]
    if ratio[0] != 1 or ratio[3] != 1:
        text = f"{node.type} is not yet supported on the batch nor channel dimension."
        raise errors.UnimplementedError(None, None, text)
    if not attrs["deterministic"] and any(seeds):
        raise invalid("Both seed and seed2 should be 0 if deterministic is false.")
    stream = stream_of(node)
    start = stream.reserve(0)
    pool = _largest if node.type == "FractionalMaxPool" else _mean

    def kernel(value: Array) -> Any:
        _, rows, columns, _ = _checked(value, ratio)
        source = stream
        if attrs["deterministic"]:  # the same numbers in each run
            source = Stream(stream.key, start >> 64)
        ends = [
            _ends(source, size, count, evenly) for size, count in zip(value.shape[1:3], (rows, columns), strict=True)
        ]
        regions = [_regions(at, size, overlapping) for at, size in zip(ends, value.shape[1:3], strict=True)]
        return (pool(value, *regions), *ends)

    return kernel


def _stacked(function: Any, value: Array, regions: list[slice], axis: int) -> Array:
    parts = [function(value[(slice(None),) * axis + (region,)], axis=axis) for region in regions]
    return np.stack(parts, axis)


def _largest(value: Array, rows: list[slice], columns: list[slice]) -> Array:
    return _stacked(np.max, _stacked(np.max, value, rows, 1), columns, 2)


def _counts(rows: list[slice], columns: list[slice]) -> Array:
    height, width = ([region.stop - region.start for region in regions] for regions in (rows, columns))
    return np.outer(height, width)[None, :, :, None]


def _mean(value: Array, rows: list[slice], columns: list[slice]) -> Array:
    sums = _stacked(np.sum, _stacked(np.sum, value, rows, 1), columns, 2).astype(value.dtype)
    return _divided(sums, _counts(rows, columns))


def _divided(sums: Array, counts: Array) -> Array:
    """Quotients; of integers without their fractions."""
    counts = counts.astype(sums.dtype)
    return np.sign(sums) * (np.abs(sums) // counts) if sums.dtype.kind == "i" else sums / counts


def _check_sequence(ends: Array, count: int, size: int) -> None:
    if ends.ndim != 1 or len(ends) != count + 1:
        raise invalid(f"A pooling sequence of {count} regions must have {count + 1} elements, not {ends.size}")
    if ends[0] < 0 or ends[-1] > size or (np.diff(ends) <= 0).any():
        raise invalid(f"A pooling sequence must rise within 0 .. {size}, got {ends.tolist()}")


def _checked_regions(shape: Any, grad: Array, ends: tuple[Array, Array], overlapping: bool) -> list[list[slice]]:
    if len(shape) != 4 or grad.ndim != 4:
        raise invalid("out_backprop and the pooled tensor must be 4-dimensional")
    if grad.shape[0] != shape[0] or grad.shape[3] != shape[3]:
        raise invalid(f"out_backprop of shape {list(grad.shape)} does not fit a tensor of shape {list(shape)}")
    for at, count, size in zip(ends, grad.shape[1:3], shape[1:3], strict=True):
        _check_sequence(at, count, size)
    return [_regions(at, size, overlapping) for at, size in zip(ends, shape[1:3], strict=True)]


@numpy_kernel.make("FractionalMaxPoolGrad")
def fractional_max_pool_grad(node: Node) -> Kernel:
    overlapping = node.attrs["overlapping"]

    def kernel(value: Array, pooled: Array, grad: Array, rows: Array, columns: Array) -> Array:
        down, across = _checked_regions(value.shape, grad, (rows, columns), overlapping)
        if pooled.shape != grad.shape:
            raise invalid(f"orig_output of shape {list(pooled.shape)}, out_backprop of shape {list(grad.shape)}")
        if not np.array_equal(_largest(value, down, across), pooled):
            raise invalid("tensor_out_dup is not the same as tensor_out")
        out = np.zeros_like(value)
        batch, channels = value.shape[0], value.shape[3]
        who = np.arange(batch)[:, None], np.arange(channels)[None, :]
        for i, row in enumerate(down):
            for j, column in enumerate(across):
                region = value[:, row, column]
                place = region.reshape(batch, -1, channels).argmax(axis=1)  # the first of equals
                at = row.start + place // region.shape[2], column.start + place % region.shape[2]
                out[who[0], at[0], at[1], who[1]] += grad[:, i, j]
        return out

    return kernel


@numpy_kernel.make("FractionalAvgPoolGrad")
def fractional_avg_pool_grad(node: Node) -> Kernel:
    overlapping = node.attrs["overlapping"]

    def kernel(shape: Array, grad: Array, rows: Array, columns: Array) -> Array:
        if shape.shape != (4,):
            raise invalid("original input tensor shape must be1-dimensional and 4 elements")
        dims = tuple(shape.tolist())
        down, across = _checked_regions(dims, grad, (rows, columns), overlapping)
        shares = grad / _counts(down, across)  # integers too lose their fractions at the end only
        out = np.zeros(dims)
        for i, row in enumerate(down):
            for j, column in enumerate(across):
                out[:, row, column] += shares[:, i : i + 1, j : j + 1]
        return out.astype(grad.dtype)

    return kernel
