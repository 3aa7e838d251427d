"""Where the rows of a ragged tensor begin and end, in all the forms that this can be told in.

Each function takes or gives an int32 or int64 vector: splits [rows + 1], lengths, starts or limits [rows], or the row
of each value [values].
"""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.ragged_tensor import RaggedTensor
from runstep.graph.scopes import control_dependencies
from runstep.graph.tensor import Tensor
from runstep.ops.assertions import assert_equal, assert_greater_equal, assert_less, assert_non_negative
from runstep.ops.cast import cast
from runstep.ops.creation import range as number_range
from runstep.ops.cumulative import cumsum
from runstep.ops.grids import repeat
from runstep.ops.joining import concat, stack
from runstep.ops.reduction import reduce_max
from runstep.ops.segment import unsorted_segment_sum
from runstep.ops.shape_ops import reshape, shape

__all__: list[str] = []


def index_tensor(value: Any, hint: Any = dtypes.int64, name: str | None = None) -> Tensor:
    """A vector or number of int32 or int64. ValueError: of another type."""
    tensor = convert_to_tensor(value, dtype_hint=hint, name=name)
    if tensor.dtype not in (dtypes.int32, dtypes.int64):
        raise ValueError(f"{name or 'row partition'} must have dtype int32 or int64")
    return tensor


def count(values: Any, kind: Any) -> Tensor:
    """How many rows there are, a number of this dtype."""
    if isinstance(values, RaggedTensor):
        return cast(values.nrows(), kind)
    size = values.shape[0].value if values.shape.rank else None
    return convert_to_tensor(size, kind) if size is not None else shape(values, out_type=kind)[0]


def numbers(limit: Any, kind: Any) -> Tensor:
    """0, 1, ... below `limit`."""
    return number_range(convert_to_tensor(limit, kind))


def lengths_of(splits: Tensor) -> Tensor:
    return splits[1:] - splits[:-1]


def splits_of_lengths(lengths: Tensor) -> Tensor:
    return concat([np.zeros(1, lengths.dtype.as_numpy_dtype), cumsum(lengths)], 0)


def rowids_of(splits: Tensor, name: str | None = None) -> Tensor:
    """The row of each value."""
    with name_scope(name, "SplitsToSegmentIds"):
        rows = numbers(shape(splits, out_type=splits.dtype)[0] - 1, splits.dtype)
        return repeat(rows, lengths_of(splits))


def splits_of_rowids(ids: Tensor, rows: Any) -> Tensor:
    """What `rowids_of` is made of. Rows without a value, at the end, are told by `rows`."""
    return splits_of_lengths(unsorted_segment_sum(apply("OnesLike", ids), ids, cast(rows, ids.dtype)))


def offsets_of(splits: Tensor, ids: Tensor | None = None) -> Tensor:
    """The place of each value in its row."""
    ids = rowids_of(splits) if ids is None else ids
    return numbers(splits[-1], splits.dtype) - apply("GatherV2", splits, ids, 0)


def checked_splits(splits: Tensor, values: Any) -> Tensor:
    """The splits, with assertions that they are splits of these values."""
    text = "Arguments to from_row_splits do not form a valid RaggedTensor"
    zero = np.zeros((), splits.dtype.as_numpy_dtype)
    checks = [
        assert_equal(splits[0], zero, message=f"{text}:zero"),
        assert_non_negative(lengths_of(splits), message=f"{text}:monotonic"),
        assert_equal(splits[-1], count(values, splits.dtype), message=f"{text}:values"),
    ]
    return _after(checks, splits)


def _after(checks: list[Any], tensor: Tensor) -> Tensor:
    found = [check for check in checks if check is not None]
    if not found:
        return tensor
    with control_dependencies(found):
        result: Tensor = apply("Identity", tensor, name="control_dependency")
    return result


def checked_rowids(ids: Tensor, rows: Tensor) -> Tensor:
    text = "Arguments to from_value_rowids do not form a valid RaggedTensor"
    checks = [
        assert_non_negative(ids[:1], message=f"{text}:negative"),
        assert_greater_equal(ids[1:], ids[:-1], message=f"{text}:monotonic"),
        assert_less(ids[-1:], rows, message=f"{text}:rowids<nrows"),
    ]
    return _after(checks, ids)


def checked_uniform(length: Tensor, rows: Tensor, values: Any) -> Tensor:
    text = "uniform_row_length does not divide the number of values"
    return _after([assert_equal(length * rows, count(values, length.dtype), message=text)], rows)


# --- what users ask a ragged tensor for


def row_lengths(rt: RaggedTensor, axis: int = 1, name: str | None = None) -> Any:
    """The length of each row along `axis`: a vector, or a ragged tensor for an inner axis. ValueError: axis is 0."""
    rank = rt.shape.rank
    if rank is not None and axis < 0:
        axis += rank
    if axis < 1 or (rank is not None and axis >= rank):
        raise ValueError(f"axis={axis} out of bounds: expected 0<axis<{rank}")
    with name_scope(name, "RaggedRowLengths"):
        if axis == 1:
            return lengths_of(rt.row_splits)
        if isinstance(rt.values, RaggedTensor):
            return rt.with_values(row_lengths(rt.values, axis - 1))
        sizes = shape(rt.values, out_type=rt.row_splits.dtype)
        return rt.with_values(apply("Fill", sizes[: axis - 1], sizes[axis - 1]))


def bounding_shape(rt: RaggedTensor, axis: Any = None, name: str | None = None, out_type: Any = None) -> Tensor:
    """The smallest shape that holds the tensor; with `axis`, one size or several of it."""
    kind = rt.row_splits.dtype if out_type is None else dtypes.as_dtype(out_type)
    with name_scope(name, "RaggedBoundingBox"):
        splits = rt.nested_row_splits
        if axis == 0 and not isinstance(axis, list | tuple):
            return cast(count_rows(splits[0]), kind)
        if axis == 1:
            return cast(_longest(splits[0]), kind)
        sizes = [count_rows(splits[0]), *[_longest(each) for each in splits]]
        inner = shape(rt.flat_values, out_type=splits[0].dtype)[1:]
        box = cast(concat([stack(sizes), inner], 0), kind)
        return box if axis is None else apply("GatherV2", box, axis, 0)


def count_rows(splits: Tensor, out_type: Any = None) -> Tensor:
    kind = splits.dtype if out_type is None else dtypes.as_dtype(out_type)
    size = splits.shape[0].value if splits.shape.rank else None
    return convert_to_tensor(size - 1, kind) if size is not None else shape(splits, out_type=kind)[0] - 1


def _longest(splits: Tensor) -> Tensor:
    """The length of the longest row, 0 where there is none."""
    return reduce_max(concat([np.zeros(1, splits.dtype.as_numpy_dtype), lengths_of(splits)], 0))


def nested_row_lengths(rt: RaggedTensor, name: str | None = None) -> tuple[Tensor, ...]:
    """The row lengths of all ragged dimensions, outermost first."""
    with name_scope(name, "RaggedNestedRowLengths"):
        return tuple(lengths_of(splits) for splits in rt.nested_row_splits)


def nested_value_rowids(rt: RaggedTensor, name: str | None = None) -> tuple[Tensor, ...]:
    """The row of each value, for all ragged dimensions, outermost first."""
    with name_scope(name, "RaggedNestedValueRowIds"):
        return tuple(rowids_of(splits) for splits in rt.nested_row_splits)


def merge_dims(rt: RaggedTensor, outer_axis: int, inner_axis: int) -> Any:
    """Makes one dimension of those from `outer_axis` to `inner_axis`. ValueError: they are in the other order."""
    rank = rt.shape.rank
    outer, inner = (axis + rank if axis < 0 and rank is not None else axis for axis in (outer_axis, inner_axis))
    if not 0 <= outer or (rank is not None and inner >= rank):
        raise ValueError(f"outer_axis={outer_axis}, inner_axis={inner_axis} out of bounds: rank is {rank}")
    if outer > inner:
        raise ValueError(f"Expected outer_axis ({outer_axis}) to be less than or equal to inner_axis ({inner_axis})")
    if outer == inner:
        return rt
    with name_scope(None, "RaggedMergeDims"):
        return _merged(rt, outer, inner)


def _merged(value: Any, outer: int, inner: int) -> Any:
    if isinstance(value, Tensor):
        sizes = shape(value, out_type=dtypes.int64)
        merged = reshape(value, concat([sizes[:outer], [-1], sizes[inner + 1 :]], 0))
        known = value.shape.as_list() if value.shape.rank is not None else None
        if known is not None:
            middle = known[outer : inner + 1]
            size = None if None in middle else int(np.prod(middle))  # type: ignore[arg-type]
            merged.set_shape([*known[:outer], size, *known[inner + 1 :]])
        return merged
    if outer > 1:
        return value.with_values(_merged(value.values, outer - 1, inner - 1))
    if outer == 0:
        return value.values if inner == 1 else _merged(value.values, 0, inner - 1)
    if isinstance(value.values, RaggedTensor):
        splits = apply("GatherV2", value.values.row_splits, value.row_splits, 0)
        once = RaggedTensor(value.values.values, splits)
    else:
        sizes = shape(value.values, out_type=value.row_splits.dtype)
        once = RaggedTensor(_merged(value.values, 0, 1), value.row_splits * sizes[1])
    return once if inner == 2 else _merged(once, 1, inner - 1)


# --- tf.ragged


def row_splits_to_segment_ids(splits: Any, name: str | None = None, out_type: Any = None) -> Tensor:
    """The segment of each value, from where segments end (source: tf.ragged.row_splits_to_segment_ids).

    Raises:
      ValueError: `splits` has another type than int32 and int64, or no element.
    """
    with name_scope(name, "RaggedSplitsToSegmentIds", [splits]):
        tensor = index_tensor(splits, name="splits")
        tensor.shape.assert_has_rank(1)
        if tensor.shape[0].value == 0:
            raise ValueError("Invalid row_splits: []")
        ids = rowids_of(tensor)
        return ids if out_type is None else cast(ids, out_type)


def segment_ids_to_row_splits(
    segment_ids: Any, num_segments: Any = None, out_type: Any = None, name: str | None = None
) -> Tensor:
    """Where segments end, from the segment of each value (source: tf.ragged.segment_ids_to_row_splits).

    Args:
      segment_ids: int32 or int64 [values], not falling. num_segments: as far as the last id when None.
    """
    with name_scope(name, "SegmentIdsToRowSplits", [segment_ids]):
        ids = index_tensor(segment_ids, name="segment_ids")
        if out_type is not None:
            ids = cast(ids, out_type)
        ids.shape.assert_has_rank(1)
        splits = splits_of_rowids(ids, rows_of_ids(ids) if num_segments is None else num_segments)
        known = None if num_segments is None else constant_value(convert_to_tensor(num_segments))
        if known is not None:
            splits.set_shape([int(known) + 1])
        return splits


def rows_of_ids(ids: Tensor) -> Tensor:
    """One more than the last id; 0 where there is none."""
    return reduce_max(concat([np.zeros(1, ids.dtype.as_numpy_dtype), ids[-1:] + 1], 0))
