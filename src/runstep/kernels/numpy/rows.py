"""Reading and changing rows of an array by index: what scatter, gather and sparse optimizer kernels share.

A row is `array[i]`, of any rank. Rows that are named several times are changed several times, in order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from runstep.kernels.texts import invalid, shape_text

Update: TypeAlias = Callable[[Any, Any], Any]

_MANY_ROUNDS = 32


def check_indices(indices: Any, limit: int, what: str = "indices") -> None:
    """InvalidArgumentError unless every index is in [0, limit)."""
    if indices.size == 0 or (0 <= indices.min() and indices.max() < limit):
        return
    bad = np.argwhere((np.asarray(indices) < 0) | (np.asarray(indices) >= limit))[0]
    where = ",".join(map(str, bad.tolist()))
    value = np.asarray(indices)[tuple(bad)]
    raise invalid(
        f"{what}[{where}] = {value} is not in [0, {limit})" if where else f"{what} = {value} is not in [0, {limit})"
    )


def gather_rows(params: Any, indices: Any) -> np.ndarray:
    """`params[indices]` with checked indices; shape `indices.shape + params.shape[1:]`."""
    check_indices(indices, params.shape[0])
    result: np.ndarray = params.take(indices, 0)
    return result


def truncated_division(x: Any, y: Any) -> Any:
    """x / y; integers round toward zero. InvalidArgumentError for an integer divided by zero."""
    if x.dtype.kind not in "iu":
        return np.true_divide(x, y)
    if not np.all(y):
        raise invalid("Integer division by zero")
    quotient = np.floor_divide(x, y)
    if x.dtype.kind == "i":
        quotient = quotient + ((quotient * y != x) & ((x < 0) != (y < 0))).astype(x.dtype)
    return quotient


def update_rows(function: Update | None, target: np.ndarray, indices: Any, updates: Any) -> None:
    """`target[i] = function(target[i], update)` for each index and its update, in order; None replaces the rows.

    `indices` are a vector of valid indices; `updates` have shape `(len(indices), *target.shape[1:])` or broadcast
    to it.
    """
    if function is None:
        target[indices] = updates
        return
    if len(indices) == 1:
        i = indices[0]
        target[i] = function(target[i], updates[0] if updates.ndim == target.ndim else updates)
        return
    order = np.argsort(indices, kind="stable")
    ordered = indices[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    if len(starts) == len(indices):
        target[indices] = function(target[indices], updates)
        return
    # Round k takes the k-th naming of every row, so that each round names a row at most once.
    counts = np.diff(np.append(starts, len(ordered)))
    rounds = int(counts.max())
    whole = updates.ndim == target.ndim and len(updates) == len(indices)
    if rounds > _MANY_ROUNDS and isinstance(function, np.ufunc):
        function.at(target, indices, updates)
        return
    for k in range(rounds):
        chosen = order[starts[counts > k] + k]
        rows = indices[chosen]
        target[rows] = function(target[rows], updates[chosen] if whole else updates)


def without_nan(function: Any, updates: Any) -> Any:
    """The updates of a maximum or minimum: one that is NaN changes nothing, as in TensorFlow. (NaN that is there
    stays.)"""
    if function not in (np.maximum, np.minimum) or updates.dtype.kind in "biu" or not np.isnan(updates).any():
        return updates
    least = updates.dtype.type(-np.inf if function is np.maximum else np.inf)
    return np.where(np.isnan(updates), least, updates)


def scatter(function: Update | None, target: np.ndarray, indices: Any, updates: Any) -> None:
    """What Scatter* ops do to a variable's array, in place.

    Raises:
      InvalidArgumentError: an index is outside, or updates are neither a scalar nor fit indices and target.
    """
    if target.ndim == 0 or (updates.ndim and updates.shape != indices.shape + target.shape[1:]):
        raise invalid(
            "Must have updates.shape = indices.shape + params.shape[1:] or updates.shape = [], got "
            f"updates.shape {shape_text(updates.shape)}, indices.shape {shape_text(indices.shape)}, "
            f"params.shape {shape_text(target.shape)}"
        )
    if indices.size == 0:
        return
    check_indices(indices, target.shape[0])
    flat = np.asarray(indices).reshape(-1)
    if updates.ndim:
        updates = updates.reshape((flat.shape[0], *target.shape[1:]))
    update_rows(function, target, flat, without_nan(function, updates))


def fitting_indices(target: np.ndarray, indices: Any, updates: Any) -> Any:
    """Indices as a list of index vectors. InvalidArgumentError unless target, indices and updates fit each other."""
    at, to = shape_text(indices.shape), shape_text(updates.shape)
    if not target.ndim:
        raise invalid(f"Output must be at least 1-D, got shape: {shape_text(target.shape)}")
    if (indices.size or updates.size) and not (target.size and indices.size and updates.size):
        raise invalid(f"Indices and updates specified for empty output.  indices shape: {at}")
    if indices.ndim == 1:
        indices = indices[:, None]
    outer = max(1, indices.ndim - 1)
    ends = [f" = {value.shape[0]}" if value.ndim else "" for value in (indices, updates)]
    if not indices.ndim or not updates.ndim or indices.shape[0] != updates.shape[0]:
        raise invalid(
            f"Dimensions [0,{outer}) of indices[shape={at}]{ends[0]} must match dimensions [0,{outer}) of "
            f"updates[shape={to}]{ends[1]}"
        )
    depth = indices.shape[-1]
    if updates.ndim >= outer and (depth > target.ndim or updates.shape[outer:] != target.shape[depth:]):
        raise invalid(
            f"Dimensions [{depth},{target.ndim}) of input[shape={shape_text(target.shape)}] must match dimensions "
            f"[{depth},{updates.ndim}) of updates[shape={to}]"
        )
    if indices.shape[:-1] != updates.shape[:outer]:
        raise invalid(
            f"Dimensions [0,{outer}) of indices[shape={at}] must match dimensions [0,{outer}) of updates[shape={to}]"
        )
    return indices


def scatter_nd(function: Update | None, target: np.ndarray, indices: Any, updates: Any, ignore: bool = False) -> None:
    """What ScatterNd* ops do to a variable's array, in place. `target` is C-contiguous.

    Args:
      ignore: leave out what lies outside instead of refusing.

    Raises:
      InvalidArgumentError: the shapes do not fit, or an index is outside.
    """
    if function is np.subtract and target.dtype == np.bool_:
        function = np.logical_xor
    indices = fitting_indices(target, indices, updates)
    outer, depth = indices.ndim - 1, indices.shape[-1]
    if not updates.size:
        return
    lead = target.shape[:depth]
    index = np.asarray(indices).reshape(-1, depth).astype(np.int64, copy=False)
    rows = np.asarray(updates).reshape((index.shape[0], *target.shape[depth:]))
    outside = ((index < 0) | (index >= np.array(lead, np.int64))).any(axis=1)
    if outside.any():
        if not ignore:
            first = int(np.argmax(outside))
            where = np.unravel_index(first, indices.shape[:-1]) if outer else ()
            label = f"indices[{','.join(str(int(w)) for w in where)}]" if outer else "indices"
            raise invalid(
                f"{label} = [{', '.join(map(str, index[first].tolist()))}] does not index into shape "
                f"{shape_text(target.shape)}"
            )
        index, rows = index[~outside], rows[~outside]
        if len(index) == 0:
            return
    strides = np.cumprod((1, *lead[:0:-1]), dtype=np.int64)[::-1] if depth else np.zeros(0, np.int64)
    table = target.reshape((-1, *target.shape[depth:]))
    update_rows(function, table, index @ strides, without_nan(function, rows))


def ignores_bad_indices(policy: bytes) -> bool:
    """Reads the attribute bad_indices_policy. InvalidArgumentError for a word that it does not know."""
    if policy not in (b"", b"DEFAULT", b"ERROR", b"IGNORE"):
        raise invalid(f"Unknown bad indices handling attribute: {policy.decode()}")
    return policy == b"IGNORE"


def assign_slice(target: np.ndarray, index: Any, value: Any) -> None:
    """`target[index] = value`, where value broadcasts. InvalidArgumentError where the index or the value does not
    fit."""
    try:
        place = target[index]
    except IndexError:
        raise invalid(_why_outside(target, index)) from None
    try:
        target[index] = value
    except ValueError:
        raise invalid(
            f"Cannot broadcast input shape {shape_text(value.shape)} into final shape {shape_text(np.shape(place))}"
        ) from None


def _why_outside(target: np.ndarray, index: Any) -> str:
    taken = [item for item in index if item is not None]
    if len(taken) - 1 > target.ndim:
        return f"Index out of range using input dim {target.ndim}; input has only {target.ndim} dims"
    before = taken.index(Ellipsis)
    for position, item in enumerate(taken):
        axis = position if position < before else target.ndim - (len(taken) - position)
        if isinstance(item, int) and not -target.shape[axis] <= item < target.shape[axis]:
            return f"slice index {item + target.shape[axis] if item < 0 else item} of dimension {axis} out of bounds."
    return "slice index out of bounds."
