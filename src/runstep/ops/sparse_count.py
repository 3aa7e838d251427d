"""Counting whole numbers, the result sparse: op definitions and `tf.sparse.bincount`."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes, shapes
from runstep.graph.apply import apply
from runstep.graph.composite import SparseTensor
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.ragged_tensor import RaggedTensor
from runstep.ops.common import Shapes
from runstep.ops.registry import op
from runstep.ops.shape_ops import reshape

__all__ = ["sparse_bincount"]

_ATTRS = (
    "T: {int32, int64}",
    "minlength: int >= -1 = -1",
    "maxlength: int >= -1 = -1",
    "binary_output: bool",
    "output_type: {int32, int64, float32, float64}",
)
_OUTPUTS = "output_indices: int64, output_values: output_type, output_dense_shape: int64"


def _counts(rank: int | None) -> Shapes:
    return [(None, rank), (None,), (rank,)]


def _dense(op: Any) -> Shapes:
    """The rank is that of the values; weights, where the graph knows that there are some, have their shape."""
    values, weights = (tensor.raw_shape for tensor in op.inputs)
    if weights != (0,) and weights is not None:
        values = shapes.merge(values, weights)
    return _counts(None if values is None else len(values))


def _ragged(op: Any) -> Shapes:
    known = op.inputs[0].raw_shape is not None or op.inputs[1].raw_shape is not None
    return _counts(2 if known else None)


def _sparse(op: Any) -> Shapes:
    sizes = op.inputs[2].raw_shape
    return _counts(None if sizes is None else sizes[0])


op("DenseCountSparseOutput", f"values: T, weights: output_type -> {_OUTPUTS}", *_ATTRS, shape=_dense)
op(
    "SparseCountSparseOutput",
    f"indices: int64, values: T, dense_shape: int64, weights: output_type -> {_OUTPUTS}",
    *_ATTRS,
    shape=_sparse,
)
op(
    "RaggedCountSparseOutput",
    f"splits: int64, values: T, weights: output_type -> {_OUTPUTS}",
    *_ATTRS,
    shape=_ragged,
)


def sparse_bincount(
    values: Any,
    weights: Any = None,
    axis: int | None = 0,
    minlength: int | None = None,
    maxlength: int | None = None,
    binary_output: bool = False,
    name: str | None = None,
) -> SparseTensor:
    """How often each whole number occurs, or the sum of its weights. Source: `tf.sparse.bincount`.

    Args:
      values: int32 or int64, a Tensor, SparseTensor or RaggedTensor of rank 1 or 2.
      weights: of the same form and places.
      axis: 0 counts all together: a result of rank 1; -1 each row: of rank 2.
      minlength: the least size of the last axis. maxlength: numbers from there on are not counted.
      binary_output: 1 for what occurs at all. ValueError together with weights.
    """
    with name_scope(name, "count", [values, weights]):
        if axis is not None and axis not in (0, -1):
            raise ValueError(f"Unsupported value for argument axis={axis}. Only 0 and -1 are currently supported.")
        if binary_output and weights is not None:
            raise ValueError("Arguments `binary_output` and `weights` are mutually exclusive. Please specify only one.")
        attrs: dict[str, Any] = {
            "minlength": -1 if minlength is None else minlength,
            "maxlength": -1 if maxlength is None else maxlength,
            "binary_output": binary_output,
        }
        op_type, inputs, amounts = _inputs(values, weights, flat=not axis)
        if amounts is None:
            amounts = constant([], dtypes.int32)
        return SparseTensor(*apply(op_type, *inputs, amounts, **attrs))


def _inputs(values: Any, weights: Any, flat: bool) -> tuple[str, list[Any], Any]:
    """The op, its inputs but for the weights, and the weights as a tensor."""
    if isinstance(values, SparseTensor):
        amounts = None if weights is None else weights.values
        if flat:
            return "DenseCountSparseOutput", [values.values], amounts
        return "SparseCountSparseOutput", [values.indices, values.values, values.dense_shape], amounts
    if isinstance(values, RaggedTensor):
        amounts = None if weights is None else weights.values
        if flat:
            return "DenseCountSparseOutput", [values.values], amounts
        return "RaggedCountSparseOutput", [values.row_splits, values.values], amounts
    tensor = convert_to_tensor(values, name="values")
    amounts = None if weights is None else convert_to_tensor(weights, name="weights")
    if flat:
        tensor = reshape(tensor, [-1])
        amounts = None if amounts is None else reshape(amounts, [-1])
    return "DenseCountSparseOutput", [tensor], amounts
