"""`tf.sort` and `tf.argsort`: by the op for the largest elements, TopKV2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from runstep.graph.apply import apply
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor
from runstep.ops import topk  # noqa: F401 - registers them
from runstep.ops.arithmetic import subtract
from runstep.ops.creation import range as range_
from runstep.ops.elementwise import negative
from runstep.ops.rearranging import transpose
from runstep.ops.shape_ops import rank as rank_of, shape as shape_of

__all__ = ["argsort", "sort"]

Top = Callable[[Tensor, Tensor], Tensor]


def sort(values: Any, axis: Any = -1, direction: str = "ASCENDING", name: str | None = None) -> Tensor:
    """`values` in order along `axis` (source: tf.sort).

    Args:
      axis: a constant scalar. direction: "ASCENDING" or "DESCENDING".

    Raises:
      ValueError: another direction, or an axis that is not constant, or not one of `values`.
    """
    with name_scope(name, "sort"):
        return _sorted_or_places(values, axis, direction, places=False)


def argsort(
    values: Any, axis: Any = -1, direction: str = "ASCENDING", stable: bool = False, name: str | None = None
) -> Tensor:
    """The places of the elements of `values` in order along `axis`, int32; see `sort` (source: tf.argsort).

    Args:
      stable: equal elements stay in their order; they always do.
    """
    del stable
    with name_scope(name, "argsort"):
        return _sorted_or_places(values, axis, direction, places=True)


def _sorted_or_places(values: Any, axis: Any, direction: str, places: bool) -> Tensor:
    if direction not in ("ASCENDING", "DESCENDING"):
        raise ValueError(
            f"Argument `direction` should be one of ASCENDING, DESCENDING. Received: direction={direction}"
        )
    known = constant_value(convert_to_tensor(axis, name="axis"))
    if known is None or known.ndim:
        raise ValueError(f"Argument `axis` must be a constant scalar. Received: axis={axis}.")
    at = int(known)
    values = convert_to_tensor(values, name="values")
    if direction == "DESCENDING":
        return _along(values, at, places)
    if places:
        return _along(_reversed(values), at, True)
    return _reversed(_along(_reversed(values), at, False))


def _reversed(values: Tensor) -> Tensor:
    """Values whose order is the opposite. Twice gives the values again."""
    kind = values.dtype.base_dtype
    if kind.is_unsigned:
        return subtract(np.array(np.iinfo(kind.as_numpy_dtype).max, kind.as_numpy_dtype), values, name="sub")
    values = negative(values)
    # The smallest integer has no opposite: -x - 1 has one for each.
    return subtract(values, 1, name="sub") if kind.is_integer else values


def _along(values: Tensor, axis: int, places: bool) -> Tensor:
    """The elements along `axis` from the largest on, or their places."""
    count = shape_of(values)[axis]
    rank = rank_of(values)
    static = values.shape.ndims

    def top(rows: Tensor) -> Tensor:
        found: Tensor = apply("TopKV2", rows, count, sorted=True, name="TopKV2")[1 if places else 0]
        return found

    if axis in (-1, -1 if static is None else static - 1):
        return top(values)
    order: Any
    if static is not None:
        at = axis + static if axis < 0 else axis
        swapped = np.arange(static, dtype=np.int64)
        swapped[[at, -1]] = swapped[[-1, at]]
        order = convert_to_tensor(swapped, name="transposition")
    else:
        place = axis + rank if axis < 0 else axis
        order = apply(
            "TensorScatterUpdate",
            range_(rank),
            [[place], [rank - 1]],
            [rank - 1, place],
            name="TensorScatterUpdate",
        )
    return transpose(top(transpose(values, order)), order)
