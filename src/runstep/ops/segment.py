"""Reductions over rows that share a segment id: op definitions and the `tf.*` functions.

The sorted forms take ids that never decrease, one per row of `data`; the unsorted ones take any ids, of the shape of
`data`'s first axes, and the number of segments. Rows with a negative id are dropped by the unsorted forms.
"""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import Shapes
from runstep.ops.creation import ones
from runstep.ops.elements import with_new_axis
from runstep.ops.registry import op
from runstep.ops.shape_ops import rank, shape_internal

__all__ = [
    "segment_max",
    "segment_mean",
    "segment_min",
    "segment_prod",
    "segment_sum",
    "unsorted_segment_max",
    "unsorted_segment_mean",
    "unsorted_segment_min",
    "unsorted_segment_prod",
    "unsorted_segment_sqrt_n",
    "unsorted_segment_sum",
]


def _sorted_segments(op: Any) -> Shapes:
    data = shapes.with_rank_at_least(op.inputs[0].raw_shape, 1)
    shapes.with_rank(op.inputs[1].raw_shape, 1)
    if data is None:
        return [None]
    return [(None, *data[1:])]


def _counted_segments(op: Any) -> Shapes:
    data, ids = op.inputs[0].raw_shape, op.inputs[1].raw_shape
    shapes.with_rank(op.inputs[2].raw_shape, 0)
    number = op.constant(2)
    count = None if number is None else int(number)
    if count is not None and count < 0:
        raise ValueError(f"Dimension size, given by scalar input 2, must be non-negative but is {count}")
    if data is None or ids is None:
        return [None]
    if len(data) < len(ids):
        raise ValueError(f"Shape must be at least rank {len(ids)} but is rank {len(data)}")
    shapes.merge(data[: len(ids)], ids)
    return [(count, *data[len(ids) :])]


for _name, _types in (
    ("Sum", "T: numbertype"),
    ("Mean", "T: numbertype"),
    ("Prod", "T: numbertype"),
    ("Max", "T: realnumbertype"),
    ("Min", "T: realnumbertype"),
):
    op(
        f"Segment{_name}",
        "data: T, segment_ids: Tindices -> output: T",
        _types,
        "Tindices: {int32, int64}",
        shape=_sorted_segments,
    )
for _name, _types, _ids in (
    ("Sum", "T: numbertype", "Tindices: {int16, int32, int64}"),
    ("Prod", "T: numbertype", "Tindices: {int32, int64}"),
    ("Max", "T: realnumbertype", "Tindices: {int32, int64}"),
    ("Min", "T: realnumbertype", "Tindices: {int32, int64}"),
):
    op(
        f"UnsortedSegment{_name}",
        "data: T, segment_ids: Tindices, num_segments: Tnumsegments -> output: T",
        _types,
        _ids,
        "Tnumsegments: {int32, int64} = int32",
        shape=_counted_segments,
    )


def segment_sum(data: TensorLike, segment_ids: TensorLike, name: str | None = None) -> Tensor:
    """The sum of each segment's rows; 0 for a missing id. Source: `tf.segment_sum`."""
    return apply("SegmentSum", data, segment_ids, name=name)


def segment_mean(data: TensorLike, segment_ids: TensorLike, name: str | None = None) -> Tensor:
    """The mean of each segment's rows; 0 for a missing id. Source: `tf.segment_mean`."""
    return apply("SegmentMean", data, segment_ids, name=name)


def segment_prod(data: TensorLike, segment_ids: TensorLike, name: str | None = None) -> Tensor:
    """The product of each segment's rows; 1 for a missing id. Source: `tf.segment_prod`."""
    return apply("SegmentProd", data, segment_ids, name=name)


def segment_max(data: TensorLike, segment_ids: TensorLike, name: str | None = None) -> Tensor:
    """The maximum of each segment's rows; 0 for a missing id. Source: `tf.segment_max`."""
    return apply("SegmentMax", data, segment_ids, name=name)


def segment_min(data: TensorLike, segment_ids: TensorLike, name: str | None = None) -> Tensor:
    """The minimum of each segment's rows; 0 for a missing id. Source: `tf.segment_min`."""
    return apply("SegmentMin", data, segment_ids, name=name)


def unsorted_segment_sum(
    data: TensorLike, segment_ids: TensorLike, num_segments: TensorLike, name: str | None = None
) -> Tensor:
    """The sum of each segment's rows; 0 for an empty one. Source: `tf.unsorted_segment_sum`."""
    return apply("UnsortedSegmentSum", data, segment_ids, num_segments, name=name)


def unsorted_segment_prod(
    data: TensorLike, segment_ids: TensorLike, num_segments: TensorLike, name: str | None = None
) -> Tensor:
    """The product of each segment's rows; 1 for an empty one. Source: `tf.unsorted_segment_prod`."""
    return apply("UnsortedSegmentProd", data, segment_ids, num_segments, name=name)


def unsorted_segment_max(
    data: TensorLike, segment_ids: TensorLike, num_segments: TensorLike, name: str | None = None
) -> Tensor:
    """The maximum of each segment's rows; the type's lowest number for an empty one.

    Source: `tf.unsorted_segment_max`.
    """
    return apply("UnsortedSegmentMax", data, segment_ids, num_segments, name=name)


def unsorted_segment_min(
    data: TensorLike, segment_ids: TensorLike, num_segments: TensorLike, name: str | None = None
) -> Tensor:
    """The minimum of each segment's rows; the type's highest number for an empty one.

    Source: `tf.unsorted_segment_min`.
    """
    return apply("UnsortedSegmentMin", data, segment_ids, num_segments, name=name)


def _rows_per_segment(data: Tensor, ids: Tensor, number: Tensor) -> Tensor:
    """How many rows each segment has, at least 1, with as many axes as the sums have."""
    if ids.raw_shape is not None and None not in ids.raw_shape:
        with name_scope(None, "Shape"):
            sizes = convert_to_tensor(ids.get_shape())
    else:
        sizes = shape_internal(ids)
    each = ones(sizes, data.dtype.base_dtype)
    counts = unsorted_segment_sum(each, ids, number)
    whole = with_new_axis(number)
    more = apply("Sub", rank(data), rank(ids), name="sub")
    tail = ones([more], number.dtype)
    counts = apply("Reshape", counts, apply("ConcatV2", [whole, tail], 0, name="concat"))
    return apply("Maximum", counts, 1)


def unsorted_segment_mean(
    data: TensorLike, segment_ids: TensorLike, num_segments: TensorLike, name: str | None = None
) -> Tensor:
    """The mean of each segment's rows; 0 for an empty one. Source: `tf.unsorted_segment_mean`."""
    with name_scope(name, "UnsortedSegmentMean"):
        data, ids = convert_to_tensor(data), convert_to_tensor(segment_ids)
        number = convert_to_tensor(num_segments)
        counts = _rows_per_segment(data, ids, number)
        return apply("RealDiv", unsorted_segment_sum(data, ids, num_segments), counts, name="truediv")


def unsorted_segment_sqrt_n(
    data: TensorLike, segment_ids: TensorLike, num_segments: TensorLike, name: str | None = None
) -> Tensor:
    """The sum of each segment's rows, divided by the square root of their number.

    Source: `tf.unsorted_segment_sqrt_n`.
    """
    with name_scope(name, "UnsortedSegmentSqrtN"):
        data, ids = convert_to_tensor(data), convert_to_tensor(segment_ids)
        number = convert_to_tensor(num_segments)
        counts = _rows_per_segment(data, ids, number)
        return apply("RealDiv", unsorted_segment_sum(data, ids, num_segments), apply("Sqrt", counts), name="truediv")
