"""Counting whole numbers in rows; the counts leave as a sparse tensor."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.kernels.numpy.shape_ops import invalid, text
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = Any
Counts = tuple[Array, Array, Array]


class _Counter:
    """Counts (row, value) pairs as one node's attributes say."""

    def __init__(self, node: Node) -> None:
        attrs = node.attrs
        self.least, self.most = int(attrs["minlength"]), int(attrs["maxlength"])
        self.binary = attrs["binary_output"]
        self.kind = node.output_types[1].np

    def __call__(self, rows: Array, values: Array, weights: Array, count: int, *, flat: bool) -> Counts:
        if weights.size and weights.shape != values.shape:
            invalid(
                f"Weights and values must have the same shape. Weight shape: {text(weights.shape)}; "
                f"values shape: {text(values.shape)}"
            )
        rows, values, weights = rows.ravel(), values.ravel(), weights.ravel()
        if values.size and values.min() < 0:
            invalid("Input values must all be non-negative")
        if self.most >= 0:
            inside = values < self.most
            rows, values = rows[inside], values[inside]
            weights = weights[inside] if weights.size else weights
        size = self.most if self.most >= 0 else max(min(int(values.max(initial=0)), 2**63 - 2) + 1, self.least)
        pairs, places = np.unique(np.stack([rows, values.astype(np.int64)], 1), axis=0, return_inverse=True)
        if self.binary:
            amounts = np.ones(len(pairs), self.kind)
        else:
            amounts = np.zeros(len(pairs), self.kind)
            np.add.at(amounts, places.ravel(), weights if weights.size else self.kind.type(1))
        if flat:
            return pairs[:, 1:], amounts, np.array([size], np.int64)
        return pairs, amounts, np.array([count, size], np.int64)


@numpy_kernel.make("DenseCountSparseOutput")
def dense_count(node: Node) -> Kernel:
    counter = _Counter(node)

    def kernel(values: Array, weights: Array) -> Counts:
        if values.ndim not in (1, 2):
            invalid(f"Input must be a 1 or 2-dimensional tensor. Got: {text(values.shape)}")
        count = len(values) if values.ndim == 2 else 1
        rows = np.repeat(np.arange(count), values.size // count if count else 0).reshape(values.shape)
        return counter(rows, values, weights, count, flat=values.ndim == 1)

    return kernel


@numpy_kernel.make("SparseCountSparseOutput")
def sparse_count(node: Node) -> Kernel:
    counter = _Counter(node)

    def kernel(indices: Array, values: Array, sizes: Array, weights: Array) -> Counts:
        if sizes.ndim != 1:
            invalid(f"Input shape must be a vector. Got: {text(sizes.shape)}")
        if not sizes.size:
            invalid("The shape argument requires at least one element.")
        fits = values.ndim and indices.ndim == 2 and indices.shape == (values.shape[0], sizes.shape[0])
        if not fits:
            invalid(f"indices of shape {text(indices.shape)} do not fit values of shape {text(values.shape)}")
        flat = len(sizes) == 1
        if indices.size and ((indices < 0).any() or (indices >= sizes).any()):
            invalid("Index value along the first dimension must be lower than the first index of the shape")
        rows = np.zeros(len(values), np.int64) if flat else indices[:, 0]
        return counter(rows, values, weights, int(sizes[0]), flat=flat)

    return kernel


@numpy_kernel.make("RaggedCountSparseOutput")
def ragged_count(node: Node) -> Kernel:
    counter = _Counter(node)

    def kernel(splits: Array, values: Array, weights: Array) -> Counts:
        if splits.ndim != 1 or splits.size < 2:
            invalid("Must provide at least 2 elements for the splits argument")
        if splits[0] != 0 or splits[-1] != len(values) or (np.diff(splits) < 0).any():
            invalid(f"Splits must start with 0, end with the number of values, and not fall, got {splits.tolist()}")
        rows = np.repeat(np.arange(len(splits) - 1), np.diff(splits))
        return counter(rows, values, weights, len(splits) - 1, flat=False)

    return kernel
