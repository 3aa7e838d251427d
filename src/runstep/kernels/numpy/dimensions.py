"""Kernels that take a tensor for its shape (see `runstep.plan.dimensions`)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from runstep.kernels.registry import Kernel

Array = Any


def sizes(axes: np.ndarray, dtype: Any) -> Kernel:
    """`x -> its sizes along these axes`: a vector, or one number."""
    if not axes.ndim:
        kind, axis = dtype.type, int(axes)
        return lambda x: kind(x.shape[axis])
    array, each = np.array, axes.tolist()

    def kernel(x: Array) -> Array:
        shape = x.shape
        return array([shape[axis] for axis in each], dtype)

    return kernel


def count(axes: list[int], dtype: Any, of: Any) -> Kernel:
    """`x -> the product of its sizes along these axes`, which wraps around as `of` does, as a number of `dtype`."""
    kind = dtype.type
    if len(axes) == 1:
        (only,) = axes
        return lambda x: kind(x.shape[only])

    def kernel(x: Array) -> Any:
        shape = x.shape
        return kind(np.int64(math.prod([shape[axis] for axis in axes])).astype(of))

    return kernel


def filled_like(dtype: Any) -> Kernel:
    """`(value, x) -> an array of the shape of x that holds the one value`."""

    def kernel(value: Array, x: Array) -> Array:
        found = np.empty(x.shape, dtype)
        found[...] = value
        return found

    return kernel


def scaled(rank: int, axis: int | None) -> Kernel:
    """`(value, x, z) -> (the value in the shape of x, which has this rank, with a new axis) * z`."""
    at = None if axis is None else axis + (rank + 1 if axis < 0 else 0)
    fill, array = np.broadcast_to, np.asarray  # beside an array, one of rank 0 takes less time than a scalar

    def kernel(value: Array, x: Array, z: Array) -> Array:
        shape = x.shape
        if at is not None:
            shape = (*shape[:at], 1, *shape[at:])
        of_z = z.shape
        if shape != of_z:
            if at is None or len(of_z) != rank + 1 or of_z[:at] != shape[:at] or of_z[at + 1 :] != shape[at + 1 :]:
                return np.multiply(fill(value, shape), z)
        return np.multiply(z, value.reshape(()) if type(value) is np.ndarray else array(value))

    return kernel
