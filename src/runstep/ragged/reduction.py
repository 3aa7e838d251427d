"""Sums and the like along dimensions of ragged tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.ragged_tensor import RaggedTensor
from runstep.graph.tensor import Tensor
from runstep.ops import reduction as dense
from runstep.ops.arithmetic import truediv
from runstep.ops.basic import stop_gradient
from runstep.ops.cast import cast
from runstep.ops.creation import ones_like, zeros_like
from runstep.ops.elementwise import exp, is_finite, log, sqrt, square
from runstep.ops.segment import (
    unsorted_segment_max,
    unsorted_segment_min,
    unsorted_segment_prod,
    unsorted_segment_sum,
)
from runstep.ops.selecting import where_v2
from runstep.ops.shape_ops import reshape
from runstep.ragged import rows
from runstep.ragged.broadcasting import elementwise

__all__: list[str] = []

Segments = Callable[..., Tensor]


def segments(function: Segments, data: Any, ids: Tensor, number: Any) -> Any:
    """`function` of the rows of each segment; of ragged rows, of what stands at one place in them."""
    if not isinstance(data, RaggedTensor):
        return function(data, ids, number)
    splits, kind = data.row_splits, data.row_splits.dtype
    ids = cast(ids, kind)
    lengths = apply("Maximum", unsorted_segment_max(rows.lengths_of(splits), ids, number), cast(0, kind))
    out = rows.splits_of_lengths(lengths)
    rowids = rows.rowids_of(splits)
    places = apply("GatherV2", out, apply("GatherV2", ids, rowids, 0), 0) + rows.offsets_of(splits, rowids)
    return RaggedTensor(segments(function, data.values, places, out[-1]), out)


def _along(function: Segments, whole: Callable[..., Tensor], rt: Any, axis: int) -> Any:
    if not isinstance(rt, RaggedTensor):
        return whole(rt, axis)
    splits = rt.row_splits
    if axis == 0:
        ids = rows.rowids_of(splits)
        longest = rows.bounding_shape(rt, axis=1)
        return segments(function, rt.values, rows.offsets_of(splits, ids), longest)
    if axis == 1:
        return segments(function, rt.values, rows.rowids_of(splits), _known(rows.count_rows(splits)))
    return rt.with_values(_along(function, whole, rt.values, axis - 1))


def _known(count: Tensor) -> Any:
    found = constant_value(count)
    return count if found is None else convert_to_tensor(found, count.dtype)


def _axes(rt: RaggedTensor, axis: Any) -> list[int] | None:
    """The axes from the last to the first; None for all at once."""
    if axis is None:
        return None
    if isinstance(axis, Tensor):
        axis = constant_value(axis)
        if axis is None:
            raise ValueError("axis must be known at graph construction time.")
        axis = axis.tolist()
    given = list(axis) if isinstance(axis, list | tuple) else [axis]
    rank = rt.shape.rank
    found = []
    for each in given:
        number = each + rank if each < 0 and rank is not None else each
        if number < 0 or (rank is not None and number >= rank):
            raise ValueError(f"axis={each} out of bounds: expected {-(rank or 0)}<=axis<{rank}")
        found.append(int(number))
    return sorted(set(found), reverse=True)


def _reduced(function: Segments, whole: Callable[..., Tensor], rt: Any, axis: Any, keepdims: bool | None) -> Any:
    axes = _axes(rt, axis)
    if axes is None:
        result = whole(rt.flat_values)
        return reshape(result, [1] * (rt.shape.rank or 0)) if keepdims else result
    result = rt
    for each in axes:
        result = _along(function, whole, result, each)
    if keepdims:
        from runstep.ragged.joining import expand_dims

        for each in reversed(axes):
            result = expand_dims(result, each)
    return result


_Reduce = Callable[..., Any]


def _dimension(axis: Any, keepdims: Any, reduction_indices: Any, keep_dims: Any) -> tuple[Any, Any]:
    return (reduction_indices if axis is None else axis), (keep_dims if keepdims is None else keepdims)


def _reduction(function: Segments, whole: Callable[..., Tensor], label: str) -> _Reduce:
    def reduce(
        input_tensor: Any,
        axis: Any = None,
        keepdims: Any = None,
        name: Any = None,
        reduction_indices: Any = None,
        keep_dims: Any = None,
    ) -> Any:
        axis, keepdims = _dimension(axis, keepdims, reduction_indices, keep_dims)
        with name_scope(name, label):
            return _reduced(function, whole, input_tensor, axis, keepdims)

    return reduce


reduce_sum = _reduction(unsorted_segment_sum, dense.reduce_sum, "RaggedReduceSum")
reduce_prod = _reduction(unsorted_segment_prod, dense.reduce_prod, "RaggedReduceProd")
reduce_max = _reduction(unsorted_segment_max, dense.reduce_max, "RaggedReduceMax")
reduce_min = _reduction(unsorted_segment_min, dense.reduce_min, "RaggedReduceMin")


def _of_bools(reduce: _Reduce, whole: Callable[..., Tensor], label: str) -> _Reduce:
    def reduced(
        input_tensor: Any,
        axis: Any = None,
        keepdims: Any = None,
        name: Any = None,
        reduction_indices: Any = None,
        keep_dims: Any = None,
    ) -> Any:
        axis, keepdims = _dimension(axis, keepdims, reduction_indices, keep_dims)
        with name_scope(name, label):
            if axis is None and not keepdims:
                return whole(input_tensor.flat_values)
            numbers = input_tensor.with_flat_values(cast(input_tensor.flat_values, dtypes.int32))
            found = reduce(numbers, axis, keepdims)
            return on_values(lambda x: cast(x, dtypes.bool), found)

    return reduced


def on_values(function: Callable[[Any], Any], value: Any) -> Any:
    """`function` of a tensor, or of a ragged tensor's flat values."""
    if isinstance(value, RaggedTensor):
        return value.with_flat_values(function(value.flat_values))
    return function(value)


reduce_all = _of_bools(reduce_prod, dense.reduce_all, "RaggedReduceAll")
reduce_any = _of_bools(reduce_max, dense.reduce_any, "RaggedReduceAny")


def both(function: Callable[..., Any], x: Any, y: Any) -> Any:
    """`function` of two tensors, either of which may be ragged."""
    if isinstance(x, RaggedTensor) or isinstance(y, RaggedTensor):
        return elementwise(function, x, y)
    return function(x, y)


def reduce_mean(
    input_tensor: Any,
    axis: Any = None,
    keepdims: Any = None,
    name: Any = None,
    reduction_indices: Any = None,
    keep_dims: Any = None,
) -> Any:
    axis, keepdims = _dimension(axis, keepdims, reduction_indices, keep_dims)
    with name_scope(name, "RaggedReduceMean"):
        if axis is None and not keepdims:
            values = input_tensor.flat_values
            return truediv(dense.reduce_sum(values), dense.reduce_sum(ones_like(values)))
        total = reduce_sum(input_tensor, axis, keepdims)
        ones = input_tensor.with_flat_values(ones_like(input_tensor.flat_values))
        count = reduce_sum(ones, axis, keepdims)
        if isinstance(total, RaggedTensor):
            return total.with_flat_values(truediv(total.flat_values, count.flat_values))
        return truediv(total, count)


def reduce_variance(input_tensor: Any, axis: Any = None, keepdims: Any = None, name: Any = None) -> Any:
    with name_scope(name, "RaggedReduceVariance"):
        floats = input_tensor.dtype.is_floating or input_tensor.dtype.is_complex
        if not floats:
            raise TypeError(f"Input must be either real or complex. Received integer type {input_tensor.dtype}.")
        mean_of_squares = reduce_mean(on_values(square, input_tensor), axis, keepdims)
        square_of_mean = on_values(square, reduce_mean(input_tensor, axis, keepdims))
        # of great numbers the difference may come out below zero
        difference = both(lambda x, y: apply("Maximum", x - y, zeros_like(x)), mean_of_squares, square_of_mean)
        return difference


def reduce_std(input_tensor: Any, axis: Any = None, keepdims: Any = None, name: Any = None) -> Any:
    with name_scope(name, "RaggedReduceStd"):
        return on_values(sqrt, reduce_variance(input_tensor, axis, keepdims))


def reduce_logsumexp(
    input_tensor: Any,
    axis: Any = None,
    keepdims: Any = None,
    name: Any = None,
    reduction_indices: Any = None,
    keep_dims: Any = None,
) -> Any:
    axis, keepdims = _dimension(axis, keepdims, reduction_indices, keep_dims)
    with name_scope(name, "ReduceLogSumExp"):
        if axis is None:
            found = dense.reduce_logsumexp(input_tensor.flat_values)
            return found
        raw = reduce_max(input_tensor, axis, keepdims=True)
        most = on_values(lambda x: stop_gradient(where_v2(is_finite(x), x, zeros_like(x))), raw)
        shifted = elementwise(lambda x, y: exp(x - y), input_tensor, most)
        total = on_values(log, reduce_sum(shifted, axis, keepdims))
        if not keepdims:
            most = on_values(
                lambda x: stop_gradient(where_v2(is_finite(x), x, zeros_like(x))), reduce_max(input_tensor, axis)
            )
        return both(lambda x, y: x + y, total, most)
