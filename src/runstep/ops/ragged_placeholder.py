"""Placeholders for ragged tensors: one for the values, one for the splits of each ragged dimension (S107)."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes
from runstep.graph.graph import name_scope
from runstep.graph.ragged_tensor import RaggedTensor
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor
from runstep.ops.basic import placeholder as dense_placeholder

__all__ = ["ragged_placeholder"]


def ragged_placeholder(
    dtype: Any, ragged_rank: int, value_shape: Any = None, name: str | None = None
) -> RaggedTensor | Tensor:
    """A RaggedTensor to be fed, with a RaggedTensorValue or component by component (source: tf.ragged.placeholder).

    Args:
      dtype: of the values. ragged_rank: the number of ragged dimensions; 0 gives an ordinary placeholder.
      value_shape: the shape of one innermost value; None for an unknown one.
    """
    if ragged_rank == 0:
        return dense_placeholder(dtype, value_shape, name)
    shape = None if value_shape is None else TensorShape([None]).concatenate(TensorShape(value_shape))
    with name_scope(name, "RaggedPlaceholder", []):
        found: Any = dense_placeholder(dtype, shape, "flat_values")
        for axis in reversed(range(ragged_rank)):
            splits = dense_placeholder(dtypes.int64, [None], f"row_splits_{axis}")
            found = RaggedTensor(found, splits)
    return found
