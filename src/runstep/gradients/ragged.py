"""Gradients of ragged tensors, in their values: those of the rows go back to where the rows are."""

from __future__ import annotations

from typing import Any

from runstep.gradients.broadcasting import sizes_of, sum_to
from runstep.gradients.nn_common import dense, same_attrs
from runstep.gradients.registry import gradient
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.composite import IndexedSlices
from runstep.graph.convert import convert_to_tensor
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.creation import range as range_of
from runstep.ops.indexing import gather
from runstep.ops.selecting import boolean_mask
from runstep.ops.shape_ops import reshape, shape


@gradient("RaggedTensorToSparse")
def _to_sparse(op: Operation, _: Any, grad: Any, __: Any) -> list[Any]:
    *splits, values = op.inputs
    return [*(None for _ in splits), reshape(dense(grad), shape(values))]


@gradient("RaggedTensorToTensor")
def _to_tensor(op: Operation, grad: Any) -> list[Any]:
    """A table of the same form that holds the number of each value, -1 where the default stands, says what went where.

    Values that were cut off are in no row of it: hence IndexedSlices.
    """
    _, values, default, *partitions = op.inputs
    grad = dense(grad)
    kinds = op.attrs["row_partition_types"]
    ragged_rank = len(kinds) - (kinds[0] == b"FIRST_DIM_SIZE")
    sizes = shape(values)
    numbers = range_of(sizes[0])
    outer = shape(grad)[: ragged_rank + 1]
    places = apply("RaggedTensorToTensor", outer, numbers, -1, partitions, row_partition_types=kinds)
    is_value = apply("NotEqual", places, -1)
    in_values = IndexedSlices(boolean_mask(grad, is_value), boolean_mask(places, is_value), sizes)
    in_default = sum_to(boolean_mask(grad, apply("LogicalNot", is_value)), sizes_of(default))
    return [None, in_values, in_default, *(None for _ in partitions)]


@gradient("RaggedGather")
def _gather(op: Operation, *grads: Any) -> list[Any]:
    *nested, values, indices = op.inputs
    # Where the values of each row of the outermost dimension end.
    ends = nested[0]
    for splits in nested[1:]:
        ends = gather(splits, ends)
    rows = reshape(indices, [-1])
    starts, limits = gather(ends, rows), gather(ends[1:], rows)
    _, read = apply("RaggedRange", starts, limits, apply("Cast", 1, DstT=ends.dtype), Tsplits=ends.dtype)
    return [*(None for _ in nested), IndexedSlices(dense(grads[-1]), read, shape(values)), None]


@gradient("RaggedTensorToVariant")
def _to_variant(op: Operation, grad: Any) -> list[Any]:
    *nested, values = op.inputs
    # Rows that no gradient comes in for are zeros, and the outermost splits say how many of them.
    splits: Any = nested[0] if nested else convert_to_tensor([0], dtypes.int32, name="row_splits")
    given = apply("RaggedTensorToVariantGradient", grad, splits, shape(values), Tvalues=values.dtype.base_dtype)
    return [*(None for _ in nested), given]


@gradient("RaggedTensorFromVariant")
def _from_variant(op: Operation, *grads: Any) -> Tensor:
    """The same rows of the gradient, encoded as the values were.

    Raises ValueError for encoded rows that are known to have two axes or more.
    """
    nested, encoded = list(op.outputs[:-1]), op.inputs[0].raw_shape
    if encoded is not None and len(encoded) > 1:
        raise ValueError(
            "Unable to compute gradient: RaggedTensorToVariant can currently only generate 0D or 1D output."
        )
    batched = encoded != ()
    found: Tensor = apply(
        "RaggedTensorToVariant", nested, dense(grads[-1]), batched_input=batched, **same_attrs(op, "Tsplits")
    )
    return found
