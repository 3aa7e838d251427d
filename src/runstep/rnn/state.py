"""Shapes and zeros of states: what cells say as sizes, tensors or shapes."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes, nest
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import constant
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor
from runstep.ops.creation import zeros
from runstep.ops.joining import concat
from runstep.ops.shape_ops import expand_dims


def joined(prefix: Any, suffix: Any, static: bool = False) -> Any:
    """The sizes of `prefix` and then those of `suffix`; each is a number, a shape, or a tensor of rank 0 or 1.

    Returns:
      A tensor; with `static` a list of sizes (None for those unknown), or None where not even their number is known.
    """
    parts = [_sizes(part, name) for part, name in ((prefix, "prefix"), (suffix, "suffix"))]
    if static:
        known = TensorShape(parts[0][1]).concatenate(parts[1][1])
        return known.as_list() if known.ndims is not None else None
    if parts[0][0] is None or parts[1][0] is None:
        raise ValueError(f"Provided a prefix or suffix of None: {prefix} and {suffix}")
    return concat((parts[0][0], parts[1][0]), 0)


def _sizes(part: Any, name: str) -> tuple[Any, Any]:
    """As a vector (None where a size is unknown), and what is known of it."""
    if not isinstance(part, Tensor):
        shape = TensorShape(part)
        known = shape.as_list() if shape.ndims is not None else None
        return constant(known, dtype=dtypes.int32) if shape.is_fully_defined() else None, known
    value = constant_value(part)
    if part.shape.ndims == 0:
        return expand_dims(part, 0), None if value is None else [int(value)]
    if part.shape.ndims != 1:
        raise ValueError(f"{name} tensor must be either a scalar or vector, but saw tensor: {part}")
    return part, None if value is None else [int(size) for size in value]


def zero_state(state_size: Any, batch_size: Any, dtype: Any) -> Any:
    """Zeros in the structure of `state_size`."""

    def zeros_of(size: Any) -> Tensor:
        found = zeros(joined(batch_size, size), dtype=dtype)
        found.set_shape(joined(batch_size, size, static=True))
        return found

    return nest.map_structure(zeros_of, state_size)


def known_shape(size: Any) -> TensorShape:
    """What is known of a shape that may be a tensor."""
    if not isinstance(size, Tensor):
        return TensorShape(size)
    value = constant_value(size)
    return TensorShape(None) if value is None else TensorShape(value.tolist())
