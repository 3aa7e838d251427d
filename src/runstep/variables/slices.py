"""Assigning to slices of variables: `v[1:3].assign(x)`, and rows batch by batch."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.operators import getitem
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops import ref_scatter
from runstep.variables.resource import ResourceVariable
from runstep.variables.variable import Variable

__all__ = ["batch_scatter_update"]

_MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
_sliced: weakref.WeakKeyDictionary[Tensor, Variable] = weakref.WeakKeyDictionary()
"""The variable that a tensor is a slice of, for slices that Python's indexing made."""


def _getitem(variable: Variable, key: Any) -> Tensor:
    found = getitem(variable.value(), key)
    if found.op.type == "StridedSlice":
        _sliced[found] = variable
    return found


def _assign(tensor: Tensor) -> Callable[..., Any]:
    """`tensor.assign(value, name=None)`, of a slice of a variable only: sets that slice and returns the variable."""
    variable = _sliced.get(tensor)
    if variable is None:
        raise AttributeError("'Tensor' object has no attribute 'assign'")
    bounds = tensor.op.inputs[1:4]
    masks = {name: tensor.op.attrs[name] for name in _MASKS}
    default_name = f"{tensor.op.name}/_assign"

    def assign(value: TensorLike, name: str | None = None) -> Any:
        name = name or default_name
        if isinstance(variable, ResourceVariable):
            value = convert_to_tensor(value, variable.dtype)
            done = apply("ResourceStridedSliceAssign", variable.handle, *bounds, value, name=name, **masks)
            return variable._lazy_read(done)
        return apply("StridedSliceAssign", variable._handle_tensor(), *bounds, value, name=name, **masks)

    return assign


Variable.__getitem__ = _getitem  # type: ignore[misc]
Tensor.assign = property(_assign)  # type: ignore[attr-defined]


def batch_scatter_update(
    ref: Any, indices: TensorLike, updates: TensorLike, use_locking: bool = True, name: str | None = None
) -> Any:
    """Sets rows of a batch of tables: `ref[b, indices[b, i]] = updates[b, i]` (source: tf.batch_scatter_update).

    Args:
      ref: [B1, ..., Bn, rows, ...]: a variable. indices: [B1, ..., Bn, k]. updates: [B1, ..., Bn, k, ...].
    """
    from runstep.graph.graph import name_scope
    from runstep.ops.creation import ones_like
    from runstep.ops.joining import concat
    from runstep.ops.shape_ops import expand_dims, reshape, shape

    with name_scope(name):
        indices = convert_to_tensor(indices, name="indices")
        sizes = shape(indices)
        rank = len(indices.get_shape())
        last = expand_dims(indices, axis=-1)
        coordinates: list[Any] = []
        for axis in range(rank - 1):
            size = sizes[axis]
            along = reshape(apply("Range", 0, size, 1), [1] * axis + [size] + [1] * (rank - axis))
            coordinates.append(along * ones_like(last))
        coordinates.append(last)
        return ref_scatter.scatter_nd_update(ref, concat(coordinates, axis=-1), updates, use_locking)
