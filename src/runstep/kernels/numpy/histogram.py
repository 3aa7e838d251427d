"""Counting values in bins, with `np.bincount` where the weights are exact in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep import errors
from runstep.graph.dtypes import DType
from runstep.kernels.registry import Kernel, Node, numpy_kernel


def _shape(x: Any) -> str:
    return "[" + ",".join(map(str, x.shape)) + "]"


def _invalid(text: str) -> errors.OpError:
    return errors.InvalidArgumentError(None, None, text)


def _length(size: Any) -> int:
    if size.ndim:
        raise _invalid(f"Shape must be rank 0 but is rank {size.ndim}")
    if size < 0:
        raise _invalid(f"size ({int(size)}) must be non-negative")
    return int(size)


def _count(places: Any, weights: Any, total: int, dtype: DType, binary: bool) -> Any:
    """How often each of 0 to total - 1 is in `places` (int), or the sum of `weights` there (None: ones)."""
    kind = dtype.np
    if binary:
        out = np.zeros(total, kind)
        out[places] = 1
        return out
    if weights is None:
        return np.bincount(places, minlength=total).astype(kind)
    if dtype.is_floating:
        return np.bincount(places, weights.astype(np.float64), total).astype(kind)
    out = np.zeros(total, kind)
    np.add.at(out, places, weights)
    return out


def _placed(rows: Any, values: Any, weights: Any, row_count: int, size: int, dtype: DType, binary: bool) -> Any:
    """A (row_count, size) table of counts; values of `size` and more are dropped."""
    inside = values < size
    places = (rows * size + values)[inside]
    chosen = weights[inside] if weights is not None else None
    return _count(places, chosen, row_count * size, dtype, binary).reshape(row_count, size)


def _weights_like(values: Any, weights: Any) -> Any:
    """The weights, flat, or None for ones."""
    if weights.size == 0 and weights.ndim <= 1:
        return None
    if weights.shape != values.shape:
        raise _invalid(
            "`weights` must be the same shape as `arr` or a length-0 `Tensor`, in which case it acts as all weights "
            f"equal to 1. Received {_shape(weights)}"
        )
    return weights.ravel()


@numpy_kernel.make("Bincount")
def bincount(node: Node) -> Kernel:
    dtype = node.output_types[0]

    def count(arr: Any, size: Any, weights: Any) -> Any:
        length = _length(size)
        if weights.size and weights.size != arr.size:
            raise _invalid("Input indices and weights must have the same size.")
        values = arr.ravel().astype(np.int64)
        if values.size and values.min() < 0:
            raise _invalid("Input arr must be non-negative!")
        chosen = weights.ravel() if weights.size else None
        return _placed(0, values, chosen, 1, length, dtype, False)[0]

    return count


@numpy_kernel.make("DenseBincount")
def dense_bincount(node: Node) -> Kernel:
    dtype = node.output_types[0]
    binary = node.attrs["binary_output"]

    def count(arr: Any, size: Any, weights: Any) -> Any:
        if arr.ndim > 2:
            raise _invalid(f"Shape must be at most rank 2 but is rank {arr.ndim}")
        length = _length(size)
        chosen = _weights_like(arr, weights)
        values = arr.ravel().astype(np.int64)
        if values.size and values.min() < 0:
            raise _invalid(
                "Input arr must be non-negative!"
                if arr.ndim < 2
                else f"Input 'in' must be non-negative! Negative input value found: {values.min()}"
            )
        if arr.ndim < 2:
            return _placed(0, values, chosen, 1, length, dtype, binary)[0]
        rows = np.repeat(np.arange(arr.shape[0]), arr.shape[1])
        return _placed(rows, values, chosen, arr.shape[0], length, dtype, binary)

    return count


@numpy_kernel.make("SparseBincount")
def sparse_bincount(node: Node) -> Kernel:
    dtype = node.output_types[0]
    binary = node.attrs["binary_output"]

    def count(indices: Any, values: Any, dense_shape: Any, size: Any, weights: Any) -> Any:
        length = _length(size)
        if indices.ndim != 2:
            raise _invalid(f"Input indices must be a 2-dimensional tensor. Got: {_shape(indices)}")
        if values.ndim != 1:
            raise _invalid(f"Sparse values must be rank 1 but is rank {values.ndim}")
        if indices.shape[0] != values.shape[0]:
            raise _invalid(
                f"Number of values must match first dimension of indices. Got {values.shape[0]} values, indices shape: "
                f"{_shape(indices)}"
            )
        if dense_shape.ndim != 1 or not dense_shape.size:
            raise _invalid(f"Input dense_shape must be a vector that is not empty. Got: {_shape(dense_shape)}")
        chosen = _weights_like(values, weights)
        if values.size and values.min() < 0:
            raise _invalid("Input must be non-negative")
        flat = values.astype(np.int64)
        if dense_shape.size == 1:
            return _placed(0, flat, chosen, 1, length, dtype, binary)[0]
        rows = int(dense_shape[0])
        if indices.size and (indices[:, 0].max() >= rows or indices.min() < 0):
            raise _invalid(
                f"Index out of bound. `batch` ({indices[:, 0].max()}) must be less than the dimension size ({rows})."
            )
        return _placed(indices[:, 0], flat, chosen, rows, length, dtype, binary)

    return count


@numpy_kernel.make("RaggedBincount")
def ragged_bincount(node: Node) -> Kernel:
    dtype = node.output_types[0]
    binary = node.attrs["binary_output"]

    def count(splits: Any, values: Any, size: Any, weights: Any) -> Any:
        length = _length(size)
        ends, flat = splits.ravel(), values.ravel()
        if not ends.size:
            raise _invalid("Splits must be non-empty")
        if ends[0] != 0:
            raise _invalid(f"Splits must start with 0, not with {ends[0]}")
        if ends[-1] != flat.size:
            raise _invalid(f"Splits must end with the number of values, got {ends[-1]} instead of {flat.size}")
        chosen = _weights_like(flat, weights) if weights.size != flat.size else weights.ravel()
        if flat.size and flat.min() < 0:
            raise _invalid("Input must be non-negative")
        # A value is in the row before the first end beyond it, as if splits that fall were none.
        rows = np.searchsorted(np.maximum.accumulate(ends), np.arange(flat.size), side="right") - 1
        return _placed(rows, flat.astype(np.int64), chosen, ends.size - 1, length, dtype, binary)

    return count


@numpy_kernel.make("HistogramFixedWidth")
def histogram_fixed_width(node: Node) -> Kernel:
    out = node.output_types[0].np

    def histogram(values: Any, value_range: Any, nbins: Any) -> Any:
        if value_range.ndim != 1:
            raise _invalid("value_range should be a vector.")
        if value_range.size != 2:
            raise _invalid("value_range should be a vector of 2 elements.")
        if nbins.ndim:
            raise _invalid("nbins should be a scalar.")
        low, high, count = float(value_range[0]), float(value_range[1]), int(nbins)
        if not low < high:
            raise _invalid(f"value_range should satisfy value_range[0] < value_range[1], but got '[{low:g}, {high:g}]'")
        if count <= 0:
            raise _invalid(f"nbins should be a positive number, but got '{count}'")
        flat = values.ravel()
        if flat.dtype.kind == "f" and np.isnan(flat).any():
            raise _invalid("Histogram values must not contain NaN")
        places = np.floor((flat.astype(np.float64) - low) / ((high - low) / count))
        places = np.minimum(np.maximum(places, 0), count - 1).astype(np.int64)
        return np.bincount(places, minlength=count).astype(out)

    return histogram


@numpy_kernel.make("Bucketize")
def bucketize(node: Node) -> Kernel:
    boundaries = np.array(node.attrs["boundaries"], np.float32)
    if (np.diff(boundaries) < 0).any():
        raise errors.InvalidArgumentError(None, None, "Expected sorted boundaries")
    return lambda x: np.searchsorted(boundaries, x, side="right").astype(np.int32)
