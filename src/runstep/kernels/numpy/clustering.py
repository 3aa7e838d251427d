"""Nearest points, and the first centers of k-means, drawn with TensorFlow's numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from runstep.kernels.numpy.philox import words
from runstep.kernels.registry import numpy_kernel
from runstep.kernels.shared import invalid, shape_of

Array = np.ndarray[Any, Any]
_ROWS = 1024  # points that are compared with all centers at once


def _need(fits: bool, text: str) -> None:
    if not fits:
        raise invalid(text)


def _scalars(**values: Any) -> None:
    for name, value in values.items():
        _need(not shape_of(value), f"Input {name} should be a scalar.")


def _squares(points: Array, centers: Array) -> Array:
    """Squared distances, (points, centers)."""
    norms = np.square(points).sum(1)[:, None] + np.square(centers).sum(1)
    return np.maximum(norms - 2 * (points @ centers.T), 0)


@numpy_kernel("NearestNeighbors")
def nearest_neighbors(points: Any, centers: Any, k: Any) -> tuple[Array, Array]:
    _need(points.ndim == 2, "Input points should be a matrix.")
    _need(centers.ndim == 2, "Input centers should be a matrix.")
    _scalars(k=k)
    _need(len(points) > 0, "Expected points.rows() > 0.")
    _need(
        points.shape[1] == centers.shape[1],
        f"Expected point_dimensions == center_dimensions: {points.shape[1]} vs {centers.shape[1]}.",
    )
    _need(k >= 0, f"Expected k >= 0, got {k}.")
    count = min(int(k), len(centers))
    indices = np.empty((len(points), count), np.int64)
    distances = np.empty((len(points), count), np.float32)
    for start in range(0, len(points), _ROWS):
        rows = slice(start, start + _ROWS)
        found = _squares(points[rows], centers)
        order = np.argsort(found, axis=1, kind="stable")[:, :count]
        indices[rows] = order
        distances[rows] = np.take_along_axis(found, order, 1)
    return indices, distances


def _floats(numbers: Array) -> Array:
    """As TensorFlow makes numbers in [0, 1) of words: of their lower 23 bits."""
    return (numbers & np.uint32(0x7FFFFF)).astype(np.float32) / np.float32(1 << 23)


@numpy_kernel("KMC2ChainInitialization")
def kmc2_chain_initialization(distances: Any, seed: Any) -> Any:
    _need(distances.ndim == 1, "Input distances should be a vector.")
    _scalars(seed=seed)
    _need(distances.size > 0, "Expected distances_tensor.size() > 0.")
    chances = _floats(words(int(seed) % (1 << 64), 0, distances.size))
    chosen = 0
    for index in range(1, distances.size):
        if distances[index] > chances[index - 1] * distances[chosen]:
            chosen = index
    return np.int64(chosen)


@numpy_kernel("KmeansPlusPlusInitialization")
def kmeans_plus_plus_initialization(points: Any, num_to_sample: Any, seed: Any, num_retries_per_sample: Any) -> Array:
    """Each center is one of several points, drawn by their squared distance to the centers before: the one that leaves
    the least of that."""
    _need(points.ndim == 2, "Input points should be a matrix.")
    _scalars(num_to_sample=num_to_sample, seed=seed, num_retries_per_sample=num_retries_per_sample)
    count, size = int(num_to_sample), len(points)
    _need(count > 0, "Expected num_to_sample > 0.")
    _need(count <= size, f"Expected num_to_sample <= points.rows(). {count} vs {size}.")
    tries = 1 + (int(num_retries_per_sample) if num_retries_per_sample >= 0 else 2 + int(math.log(count)))
    numbers = words(int(seed) % (1 << 64), 0, tries * (count + 1))
    first = numbers[: 2 * tries].astype(np.uint64)
    candidates = ((first[::2] | first[1::2] << np.uint64(32)) % np.uint64(size)).astype(np.int64)
    chances = _floats(numbers[2 * tries :]).reshape(count - 1, tries)
    nearest = np.full(size, np.inf, np.float32)
    chosen = []
    for turn in range(count):
        if turn:
            summed = np.cumsum(nearest)
            candidates = np.searchsorted(summed, chances[turn - 1] * summed[-1], "right").clip(max=size - 1)
        left = np.minimum(nearest, _squares(points[candidates], points))
        best = int(np.argmin(left.sum(1)))
        nearest = left[best]
        chosen.append(candidates[best])
    return points[chosen]
