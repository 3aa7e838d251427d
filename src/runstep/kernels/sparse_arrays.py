"""Sparse tensors as numpy arrays: checks of their parts, places as single numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from runstep import errors
from runstep.kernels.bytestrings import Array, text_shape


def invalid(message: str) -> errors.InvalidArgumentError:
    return errors.InvalidArgumentError(None, None, message)


def check_parts(indices: Array, values: Array, shape: Array) -> None:
    """Raises InvalidArgumentError unless the three parts fit together (the indices' values are not looked at)."""
    if np.ndim(indices) != 2:
        raise invalid(f"Sparse indices must be rank 2 but is rank {np.ndim(indices)}")
    if np.ndim(values) != 1:
        raise invalid(f"Sparse values must be rank 1 but is rank {np.ndim(values)}")
    if np.ndim(shape) != 1:
        raise invalid(f"Sparse shape must be rank 1 but is rank {np.ndim(shape)}")
    if indices.shape[0] != values.shape[0]:
        raise invalid(f"Number of elements in indices ({indices.shape[0]}) and values ({values.shape[0]}) do not match")
    if indices.shape[1] != shape.shape[0]:
        raise invalid(f"Index rank ({indices.shape[1]}) and shape rank ({shape.shape[0]}) do not match")


def check_shape(shape: Array) -> None:
    """Raises InvalidArgumentError unless the dense shape's sizes, and what they multiply to, are int64 from 0 on."""
    total = 1
    for size in shape.tolist():
        if size < 0:
            raise invalid(f"Expected shape dimensions to be non-negative, got {size}")
        if total * size >= 2**63:
            result = (total * size + 2**63) % 2**64 - 2**63
            raise invalid(f"Encountered overflow when multiplying {total} with {size}, result: {result}")
        total *= size


def check_tensor(indices: Array, values: Array, shape: Array) -> None:
    """`check_parts` and `check_shape` in the words of the ops that make one sparse tensor of the parts first."""
    if np.ndim(values) != 1:
        raise invalid(f"vals must be a vec, but got: {text_shape(np.shape(values))}")
    if np.ndim(indices) and len(indices) != len(values):
        raise invalid(
            f"indices and values rows (indexing dimension) must match. (indices = {len(indices)}, values = "
            f"{len(values)})"
        )
    if np.ndim(indices) != 2:
        raise invalid(f"indices must be a matrix, but got: {text_shape(np.shape(indices))}")
    if indices.shape[1] != len(shape):
        raise invalid("Order length must be SparseTensor rank.")
    check_shape(shape)


def check_ranks(indices: Array, values: Array, shape: Array) -> None:
    """Raises InvalidArgumentError that names the part which isn't a matrix, a vector and a vector."""
    for name, kind, value, rank in (
        ("indices", "matrix", indices, 2), ("values", "vector", values, 1), ("shape", "vector", shape, 1)
    ):  # fmt: skip
        if np.ndim(value) != rank:
            raise invalid(f"Input {name} should be a {kind} but received shape {text_shape(np.shape(value))}")


def strides(shape: Sequence[int]) -> Array:
    """How many elements one step along each axis is."""
    sizes = np.asarray(shape, np.int64)
    return np.append(np.cumprod(sizes[:0:-1])[::-1], 1)[: len(sizes)].astype(np.int64)


def flat(indices: Array, shape: Sequence[int]) -> Array:
    """int64 [n]: the place of each element in the dense tensor, read row by row."""
    found: Array = indices @ strides(shape) if len(shape) else np.zeros(len(indices), np.int64)
    return found


def unflat(places: Array, shape: Sequence[int]) -> Array:
    """int64 [n, rank]: the inverse of `flat`."""
    out = np.empty((len(places), len(shape)), np.int64)
    rest = places
    for axis, step in enumerate(strides(shape).tolist()):
        step = max(step, 1)
        out[:, axis] = rest // step
        rest = rest % step
    return out


def sorted_order(indices: Array) -> Array:
    """The order that sorts the indices, first axis first; equal ones keep their order."""
    return np.lexsort(indices.T[::-1]) if indices.shape[1] else np.arange(len(indices))


def check_bounds(indices: Array, shape: Sequence[int], what: str = "indices") -> None:
    """Raises InvalidArgumentError that names the first index outside of `shape`."""
    outside = ((indices < 0) | (indices >= np.asarray(shape, np.int64))).any(axis=1)
    if outside.any():
        place = int(np.argmax(outside))
        raise invalid(
            f"{what}[{place}] = {text_shape(indices[place].tolist())} is out of bounds: need 0 <= index < "
            f"{text_shape(list(map(int, shape)))}"
        )


def check_order(indices: Array, shape: Sequence[int]) -> None:
    """Raises InvalidArgumentError unless the indices are within `shape`, sorted and unlike each other."""
    check_bounds(indices, shape)
    steps = np.diff(flat(indices, shape))
    if (steps <= 0).any():
        place = int(np.argmax(steps <= 0)) + 1
        where = f"indices[{place}] = {text_shape(indices[place].tolist())}"
        if steps[place - 1] == 0:
            raise invalid(f"{where} is repeated")
        raise invalid(
            f"{where} is out of order. Many sparse ops require sorted indices.\n"
            "    Use `tf.sparse.reorder` to create a correctly ordered copy.\n\n"
        )
