"""Is it a tensor, or can it be made into one? And the first names of `tf.argmax` and `tf.argmin`."""

from __future__ import annotations

import logging
from typing import Any

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.composite import IndexedSlices, SparseTensor, SparseTensorValue
from runstep.graph.convert import convert_to_tensor
from runstep.graph.ragged_tensor import RaggedTensor
from runstep.graph.tensor import Tensor, TensorLike
from runstep.variables.variable import Variable

__all__ = [
    "arg_max",
    "arg_min",
    "convert_to_tensor_or_indexed_slices",
    "convert_to_tensor_or_sparse_tensor",
    "get_logger",
    "is_symbolic_tensor",
    "is_tensor",
]


def is_tensor(x: Any) -> bool:
    """Whether it is a tensor of some kind, or a variable (source: tf.is_tensor)."""
    return isinstance(x, Tensor | SparseTensor | IndexedSlices | RaggedTensor | Variable)


def is_symbolic_tensor(tensor: Any) -> bool:
    """Whether it is a `tf.Tensor` (source: tf.is_symbolic_tensor)."""
    return isinstance(tensor, Tensor)


def convert_to_tensor_or_sparse_tensor(value: Any, dtype: Any = None, name: str | None = None) -> Any:
    """A SparseTensor as it is, one of a SparseTensorValue, and anything else as `tf.convert_to_tensor` has it.

    Raises:
      RuntimeError: a SparseTensor has another dtype than `dtype`.
    """
    if isinstance(value, SparseTensorValue):
        value = SparseTensor.from_value(value)
    if not isinstance(value, SparseTensor):
        return convert_to_tensor(value, dtype=dtype, name=name)
    if dtype is not None and dtypes.as_dtype(dtype) != value.dtype:
        raise RuntimeError(
            f"Sparse dtype mismatch. Requested: {dtypes.as_dtype(dtype).name},  Actual: {value.dtype.name}"
        )
    return value


def convert_to_tensor_or_indexed_slices(value: Any, dtype: Any = None, name: str | None = None) -> Any:
    """IndexedSlices and SparseTensors as they are, and anything else as `tf.convert_to_tensor` has it."""
    if not isinstance(value, IndexedSlices | SparseTensor):
        return convert_to_tensor(value, dtype=dtype, name=name)
    if dtype is not None and not dtypes.as_dtype(dtype).is_compatible_with(value.dtype):
        raise ValueError(
            f"Tensor conversion requested dtype {dtypes.as_dtype(dtype).name} for Tensor with dtype "
            f"{value.dtype.name}: {value}"
        )
    return value


def arg_max(
    input: TensorLike, dimension: TensorLike, output_type: Any = dtypes.int64, name: str | None = None
) -> Tensor:
    """The place of the largest element along `dimension` (source: tf.arg_max)."""
    found: Tensor = apply("ArgMax", input, dimension, output_type=dtypes.as_dtype(output_type), name=name)
    return found


def arg_min(
    input: TensorLike, dimension: TensorLike, output_type: Any = dtypes.int64, name: str | None = None
) -> Tensor:
    """The place of the smallest element along `dimension` (source: tf.arg_min)."""
    found: Tensor = apply("ArgMin", input, dimension, output_type=dtypes.as_dtype(output_type), name=name)
    return found


def get_logger() -> logging.Logger:
    """The logger that `tf.logging` writes to (source: tf.get_logger)."""
    from runstep.logging import _get

    return _get()
