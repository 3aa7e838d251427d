"""Nested Python lists as ragged tensors (source: tf.ragged.constant, tf.ragged.constant_value)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.convert import constant as dense_constant
from runstep.graph.graph import name_scope
from runstep.graph.ragged_tensor import RaggedTensor, RaggedTensorValue

__all__ = ["constant", "constant_value"]


def constant(
    pylist: Any,
    dtype: Any = None,
    ragged_rank: int | None = None,
    inner_shape: Any = None,
    name: str | None = None,
    row_splits_dtype: Any = dtypes.int64,
) -> Any:
    """A constant ragged tensor (source: tf.ragged.constant).

    Args:
      pylist: nested lists, tuples or arrays, whose scalars are all at one depth.
      ragged_rank: the number of ragged dimensions; by default all but the first, and those of `inner_shape`.
      inner_shape: the shape of the innermost values.

    Returns:
      A RaggedTensor; a Tensor where there is no ragged dimension.

    Raises:
      ValueError: the depths differ, or do not fit the arguments.
    """
    kind = dtypes.as_dtype(row_splits_dtype).as_numpy_dtype
    with name_scope(name, "RaggedConstant"):

        def splits(found: list[int]) -> Any:
            return dense_constant(np.array(found, kind), name="Const")

        def values(found: Any, shape: Any) -> Any:
            return dense_constant(found, None if dtype is None else dtypes.as_dtype(dtype), shape, "values")

        return _constant(pylist, ragged_rank, inner_shape, values, splits, RaggedTensor)


def constant_value(
    pylist: Any,
    dtype: Any = None,
    ragged_rank: int | None = None,
    inner_shape: Any = None,
    row_splits_dtype: Any = "int64",
) -> Any:
    """The value of a ragged tensor, or an array (source: tf.ragged.constant_value). Arguments as of `constant`."""
    kind = dtypes.as_dtype(row_splits_dtype).as_numpy_dtype
    numpy_type = dtype.as_numpy_dtype if isinstance(dtype, dtypes.DType) else dtype

    def values(found: Any, shape: Any) -> Any:
        array = np.array(found, dtype=numpy_type)
        return array if shape is None else np.reshape(array, shape)

    return _constant(pylist, ragged_rank, inner_shape, values, lambda found: np.array(found, kind), RaggedTensorValue)


def _constant(
    pylist: Any, ragged_rank: int | None, inner_shape: Any, values: Callable[..., Any], splits: Any, made: Any
) -> Any:
    if isinstance(pylist, np.ndarray):
        pylist = pylist.tolist()
    if ragged_rank is not None and not isinstance(ragged_rank, int):
        raise TypeError(f"Argument `ragged_rank` must be an int. Received {ragged_rank}.")
    if inner_shape is not None and isinstance(inner_shape, int):
        inner_shape = (inner_shape,)
    if not _is_list(pylist):
        if ragged_rank:
            raise ValueError(f"Invalid pylist={pylist}: incompatible with ragged_rank={ragged_rank}")
        if inner_shape:
            raise ValueError(f"Invalid pylist={pylist}: incompatible with dim(inner_shape)={len(inner_shape)}")
        return values(pylist, ())
    if ragged_rank is not None and ragged_rank < 0:
        raise ValueError(f"Invalid ragged_rank={ragged_rank}: must be nonnegative")
    scalars, deepest = _depths(pylist)
    if scalars is not None:
        if deepest > scalars:
            raise ValueError(f"Invalid pylist={pylist}: empty list nesting is greater than scalar nesting")
        if ragged_rank is not None and deepest < ragged_rank:
            raise ValueError(f"Invalid pylist={pylist}: ragged_rank={ragged_rank} is too high")
    if inner_shape is not None and ragged_rank is not None:
        wanted = ragged_rank + len(inner_shape) + 1
        if scalars is not None and wanted != scalars or scalars is None and wanted < deepest:
            raise ValueError(
                f"Invalid pylist={pylist}: incompatible with ragged_rank={ragged_rank} and dim(inner_shape)="
                f"{len(inner_shape)}"
            )
    if ragged_rank is None:
        if inner_shape is not None:
            ragged_rank = (scalars or deepest) - 1 - len(inner_shape)
        else:
            ragged_rank = max(1, deepest - 1) if deepest > 1 else 0
    if inner_shape is None:
        inner_shape = _inner_shape(pylist, ragged_rank)
    if ragged_rank == 0:
        return values(pylist, (len(pylist), *inner_shape))
    nested = []
    for _ in range(ragged_rank):
        ends = [0]
        for row in pylist:
            ends.append(ends[-1] + len(row))
        nested.append(ends)
        pylist = [item for row in pylist for item in row]
    result = values(pylist, (len(pylist), *inner_shape))
    for ends in reversed(nested):
        result = made(result, splits(ends))
    return result


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple) or isinstance(value, np.ndarray) and value.ndim > 0


def _depths(item: Any) -> tuple[int | None, int]:
    """How deep the scalars are (None: there are none), and how deep the lists.

    Raises:
      ValueError: scalars are at different depths.
    """
    if not _is_list(item):
        return 0, 0
    scalar, deepest = None, 1
    for child in item:
        inner, depth = _depths(child)
        if inner is not None:
            if scalar is not None and scalar != inner + 1:
                raise ValueError("all scalar values must have the same nesting depth")
            scalar = inner + 1
        deepest = max(deepest, depth + 1)
    return scalar, deepest


def _inner_shape(item: Any, ragged_rank: int) -> tuple[int, ...]:
    """The shape of what is below the ragged dimensions. ValueError: it isn't one shape."""
    for _ in range(ragged_rank):
        item = [child for row in item for child in row]
    found: set[tuple[int, ...]] = {np.shape(child) for child in item}
    if len(found) > 1:
        raise ValueError("inner values have inconsistent shape")
    return next(iter(found), ())
