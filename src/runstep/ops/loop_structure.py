"""The variables of a loop as the user gives them, a structure of tensors, arrays and such, and as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runstep.graph import nest, shapes
from runstep.graph.composite import SparseTensor
from runstep.graph.convert import convert_to_tensor
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor
from runstep.ops.tensor_array import TensorArray


class Leaf:
    """A loop variable: how to take it apart into tensors and put it together again."""

    def __init__(self, value: Any) -> None:
        self.array = value if isinstance(value, TensorArray) else None
        self.composite = value if hasattr(value, "_component_tensors") else None
        if self.array is not None:
            self.tensors = [self.array.flow]
        elif self.composite is not None:
            self.tensors = list(self.composite._component_tensors())
        else:
            self.tensors = [convert_to_tensor(value)]

    def rebuilt(self, tensors: Sequence[Tensor]) -> Any:
        if self.array is not None:
            return self.array._with_flow(tensors[0])
        if self.composite is not None:
            return self.composite._with_components(tensors)
        return tensors[0]


def invariants_of(loop_vars: Any, leaves: list[Leaf], given: Any) -> list[Any]:
    """The shapes that the tensors of the variables have in all turns. ValueError: one doesn't start with it."""
    found: list[Any] = []
    if given is None:
        return [tensor.raw_shape for leaf in leaves for tensor in leaf.tensors]
    flat = [x for x in _flat_shapes(loop_vars, given)]
    for leaf, shape in zip(leaves, flat, strict=True):
        raw = shapes.as_raw(shape) if not isinstance(shape, TensorShape) else shape.raw
        if leaf.array is not None:
            found.append(())
        elif leaf.composite is not None:
            rank = None if raw is None else len(raw)
            found.extend(
                [(None, rank), (None,), (rank,)]
                if isinstance(leaf.composite, SparseTensor)
                else [None] * len(leaf.tensors)
            )
        else:
            start = leaf.tensors[0].raw_shape
            if raw is not None and (start is None or not _less_specific(raw, start)):
                raise ValueError(
                    f"The shape invariant specified for {leaf.tensors[0].name} is not compatible with the initial "
                    "shape of the "
                    f"loop variable. It enters the loop with shape {TensorShape.from_raw(start)}, but the specified "
                    f"shape invariant is {TensorShape.from_raw(raw)}."
                )
            found.append(raw)
    return found


def _flat_shapes(structure: Any, given: Any) -> list[Any]:
    """The shapes of `given` in the order of the leaves of `structure`; a TensorShape or a list of sizes is one
    shape."""
    if not nest.is_nested(structure):
        return [given]
    items = list(structure.values()) if isinstance(structure, dict) else list(structure)
    parts = list(given.values()) if isinstance(given, dict) else list(given)
    if len(items) != len(parts):
        raise ValueError("'shape_invariants' and 'loop_vars' must have the same structure.")
    return [shape for item, part in zip(items, parts, strict=True) for shape in _flat_shapes(item, part)]


def _less_specific(general: Any, special: Any) -> bool:
    if general is None:
        return True
    if special is None or len(general) != len(special):
        return False
    return all(a is None or a == b for a, b in zip(general, special, strict=True))


def packed(structure: Any, leaves: list[Leaf], tensors: Sequence[Tensor]) -> Any:
    """The variables of which these are the tensors."""
    values, start = [], 0
    for leaf in leaves:
        count = len(leaf.tensors)
        values.append(leaf.rebuilt(tensors[start : start + count]))
        start += count
    return nest.pack_sequence_as(structure, values)


def called(function: Any, values: Any) -> Any:
    """A condition or body, called with the variables."""
    if isinstance(values, list | tuple):
        return function(*values)
    return function(**values) if isinstance(values, dict) else function(values)


def next_values(loop_vars: Any, leaves: list[Leaf], found: Any) -> list[Tensor]:
    """The tensors of what a body returned.

    Raises:
      ValueError, TypeError: it has another structure than the variables.
    """
    if not nest.is_nested(found) or (
        len(leaves) == 1 and not isinstance(loop_vars, dict) and len(nest.flatten(found)) == 1
    ):
        values = nest.flatten(found)
    else:
        if isinstance(loop_vars, list | tuple) and isinstance(found, list | tuple) and len(found) == len(loop_vars):
            for before, after in zip(loop_vars, found, strict=True):
                nest.assert_same_structure(before, after)
        else:
            nest.assert_same_structure(loop_vars, found)
        values = nest.flatten(found)
    if len(values) != len(leaves):
        raise ValueError(
            f"The number of inputs and outputs of body must be the same: it took {len(leaves)} loop variables and "
            f"returned {len(values)}."
        )
    tensors: list[Tensor] = []
    for leaf, value in zip(leaves, values, strict=True):
        wanted = leaf.tensors[0].dtype.base_dtype
        if leaf.array is None and leaf.composite is None and not isinstance(value, Tensor):
            try:
                value = convert_to_tensor(value, wanted, as_ref=False)
            except (TypeError, ValueError):
                value = convert_to_tensor(value)
        tensors.extend(Leaf(value).tensors)
    return tensors


def check_next(start: Tensor, merged: Tensor, value: Tensor) -> None:
    """That a variable that started as `start` and is `merged` in a turn may be `value` in the next one.

    Raises:
      TypeError: its dtype changes. ValueError: its shape does.
    """
    if value.dtype.base_dtype is not merged.dtype.base_dtype:
        raise TypeError(
            f"Input tensor '{start.name}' enters the loop with type {merged.dtype.base_dtype.name}, but has "
            f"type {value.dtype.base_dtype.name} after one iteration."
        )
    if not _less_specific(merged.raw_shape, value.raw_shape):
        raise ValueError(
            f"Input tensor '{start.name}' enters the loop with shape {merged.get_shape()}, but has shape "
            f"{value.get_shape()} after one iteration. To allow the shape to vary across iterations, use the "
            "`shape_invariants` argument of tf.while_loop to specify a less-specific shape."
        )
