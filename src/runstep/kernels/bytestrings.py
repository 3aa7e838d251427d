"""String tensors for kernels: object arrays of bytes, made from and mapped over without surprises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def packed(values: Sequence[bytes], shape: tuple[int, ...] | None = None) -> Array:
    """An object array of `values`, a vector unless `shape` says otherwise (an empty shape: a 0-d array)."""
    out = np.empty(len(values), object)
    out[:] = values
    return out if shape is None else out.reshape(shape)


def scalar(value: bytes) -> Array:
    """A string tensor of rank 0."""
    out = np.empty((), object)
    out[()] = value
    return out


def mapped(function: Callable[[bytes], bytes], x: Array) -> Array:
    """`function` of every string of `x`, in the shape of `x`."""
    return packed([function(value) for value in x.ravel().tolist()], x.shape)


def numbers(function: Callable[[bytes], Any], x: Array, dtype: Any) -> Array:
    """`function` of every string of `x`, as an array of numbers in the shape of `x`."""
    found = np.array([function(value) for value in x.ravel().tolist()], dtype)
    return found.reshape(x.shape)


def text_shape(shape: Sequence[int]) -> str:
    """A shape as TensorFlow's messages print it: `[2,3]`."""
    return "[" + ",".join(map(str, shape)) + "]"
