"""The largest elements along the last axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.errors import InvalidArgumentError
from runstep.graph import shapes
from runstep.kernels.numpy.windows import compute_type
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = Any

# From this length on it pays to find the k-th largest first and to sort only what is not below it.
_LONG = 512


def _order(rows: Array, k: int) -> Array:
    """Indices `[rows, k]` of the k largest of each row, the larger first, of equals the first first."""
    count = rows.shape[1]
    if k == 1:
        return rows.argmax(axis=1)[:, None]
    if count >= _LONG and k * 8 < count:
        floor = np.partition(rows, count - k, axis=1)[:, count - k]
        found = np.empty((rows.shape[0], k), np.int64)
        for index, (row, least) in enumerate(zip(rows, floor, strict=True)):
            places = np.flatnonzero(~(row < least))  # NaN too, which is sorted as the largest
            found[index] = places[_sorted(row[places][None], k)[0]]
        return found
    return _sorted(rows, k)


def _sorted(rows: Array, k: int) -> Array:
    # A stable ascending sort of the mirrored row, read backwards, is descending with the first of equals first.
    backwards = np.argsort(rows[:, ::-1], axis=1, kind="stable")
    return rows.shape[1] - 1 - backwards[:, ::-1][:, :k]


def _top(node: Node, k: int, x: Array, ordered: bool) -> tuple[Array, Array]:
    if k < 0:
        raise InvalidArgumentError(None, None, f"Need k >= 0, got {k}")
    if x.ndim < 1:
        raise InvalidArgumentError(None, None, "input must be >= 1-D, got shape []")
    if x.shape[-1] < k:
        raise InvalidArgumentError(None, None, f"input must have at least k columns. Had {x.shape[-1]}, needed {k}")
    index_type = node.output_types[1].np
    shape = (*x.shape[:-1], k)
    if 0 in shape:
        return np.empty(shape, x.dtype), np.empty(shape, index_type)
    rows = x.reshape(-1, x.shape[-1])
    indices = _order(rows.astype(compute_type(node.output_types[0]), copy=False), k)
    if not ordered and k < x.shape[-1]:
        indices = np.sort(indices, axis=1)
    values = np.take_along_axis(rows, indices, axis=1)
    return values.reshape(shape), indices.astype(index_type).reshape(shape)


@numpy_kernel.make("TopKV2")
def top_k_v2(node: Node) -> Kernel:
    ordered = node.attrs["sorted"]

    def kernel(x: Array, k: Array) -> tuple[Array, Array]:
        if np.ndim(k):
            raise InvalidArgumentError(None, None, f"k must be scalar, got shape {shapes.text(k.shape)}")
        return _top(node, int(k), x, ordered)

    return kernel


@numpy_kernel.make("TopK")
def top_k(node: Node) -> Kernel:
    return lambda x: _top(node, node.attrs["k"], x, node.attrs["sorted"])


@numpy_kernel.make("ApproxTopK")
def approximate_top_k(node: Node) -> Kernel:
    """Exact on a CPU: of any axis, the largest or the smallest."""
    attrs = node.attrs
    k, axis, largest = attrs["k"], attrs["reduction_dimension"], attrs["is_max_k"]

    def kernel(x: Array) -> tuple[Array, Array]:
        if axis not in (-1, x.ndim - 1):
            found = last(np.moveaxis(x, axis, -1))
            return np.ascontiguousarray(np.moveaxis(found[0], -1, axis)), np.moveaxis(found[1], -1, axis).copy()
        return last(x)

    def last(x: Array) -> tuple[Array, Array]:
        if largest:
            return _top(node, k, x, True)
        values, indices = _top(node, k, -x, True)
        return -values, indices

    return kernel


@numpy_kernel.make("NthElement")
def nth_element(node: Node) -> Kernel:
    """The n-th smallest (or largest) of each row."""
    backwards = node.attrs["reverse"]
    dtype = node.output_types[0]
    compute = compute_type(dtype)

    def kernel(x: Array, n: Array) -> Array:
        if np.ndim(n):
            raise InvalidArgumentError(None, None, f"N must be scalar but has rank {np.ndim(n)}")
        at = int(n)
        if at < 0:
            raise InvalidArgumentError(None, None, f"n must be non-negative but is {at}")
        if x.ndim < 1:
            raise InvalidArgumentError(None, None, f"Input must be at least rank 1 but is rank {x.ndim}")
        if x.shape[-1] <= at:
            raise InvalidArgumentError(None, None, f"Input must have last dimension > n = {at}")
        if backwards:
            at = x.shape[-1] - 1 - at
        values = np.partition(x.astype(compute, copy=False), at, axis=-1)[..., at]
        return values.astype(dtype.np, copy=False)

    return kernel


def _in_top(predictions: Array, targets: Array, k: int) -> Array:
    if predictions.ndim != 2:
        raise InvalidArgumentError(None, None, "predictions must be 2-dimensional")
    if targets.ndim != 1:
        raise InvalidArgumentError(None, None, "targets must be 1-dimensional")
    if predictions.shape[0] != targets.size:
        raise InvalidArgumentError(
            None,
            None,
            f"First dimension of predictions {predictions.shape[0]} must match length of targets {targets.size}",
        )
    classes = predictions.shape[1]
    valid = (targets >= 0) & (targets < classes)
    if not classes:
        return valid
    chosen = np.take_along_axis(predictions, np.where(valid, targets, 0)[:, None].astype(np.int64), axis=1)
    # A row with a number that is not finite has no order to speak of.
    return valid & ((predictions > chosen).sum(axis=1) < k) & np.isfinite(predictions).all(axis=1)


@numpy_kernel.make("InTopKV2")
def in_top_k_v2(node: Node) -> Kernel:
    def kernel(predictions: Array, targets: Array, k: Array) -> Array:
        if np.ndim(k):
            raise InvalidArgumentError(None, None, f"k must be 0-D, got shape {shapes.text(k.shape)}")
        return _in_top(predictions, targets, int(k))

    return kernel


@numpy_kernel.make("InTopK")
def in_top_k(node: Node) -> Kernel:
    return lambda predictions, targets: _in_top(predictions, targets, node.attrs["k"])
