"""Ragged tensors put together and taken apart: concat, stack, tile, expand_dims, squeeze, reverse, split."""

from __future__ import annotations

from collections.abc import Sequence
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
from runstep.ops import joining as dense, shape_ops as dense_shapes
from runstep.ops.assertions import assert_equal
from runstep.ops.cast import cast
from runstep.ops.rearranging import reverse as dense_reverse, transpose
from runstep.ops.shape_ops import reshape
from runstep.ragged import making, rows
from runstep.ragged.broadcasting import one_splits_dtype
from runstep.ragged.gathering import gather_rows
from runstep.ragged.indexing import rows_between

__all__: list[str] = []


def axis_of(axis: Any, rank: int | None, name: str = "axis") -> int:
    """A Python number that counts from the front. ValueError: there is no such axis."""
    if isinstance(axis, Tensor):
        axis = constant_value(axis)
    if axis is None:
        raise ValueError(f"{name} must be known at graph construction time.")
    number = int(axis)
    if number < 0:
        if rank is None:
            raise ValueError(f"{name}={number} may only be negative if ndims is statically known.")
        number += rank
    if number < 0 or (rank is not None and number >= rank):
        raise ValueError(f"{name}={axis} out of bounds: expected {-(rank or 0)}<={name}<{rank}")
    return number


def as_ragged(values: Sequence[Any], at_least: int = 1) -> list[Any]:
    """All as ragged tensors of one ragged rank."""
    hint = next((each.dtype for each in values if isinstance(each, RaggedTensor)), None)
    tensors = [each if isinstance(each, RaggedTensor) else convert_to_tensor(each, dtype_hint=hint) for each in values]
    kind = one_splits_dtype(tensors)
    depth = max([at_least, *(each.ragged_rank for each in tensors if isinstance(each, RaggedTensor))])
    return [_deepened(each, depth, kind) for each in tensors]


def _deepened(tensor: Any, depth: int, kind: Any) -> Any:
    if not isinstance(tensor, RaggedTensor):
        return making.from_tensor(tensor, ragged_rank=depth, row_splits_dtype=kind)
    if tensor.ragged_rank >= depth:
        return tensor
    flat = tensor.flat_values
    more = making.from_tensor(flat, ragged_rank=depth - tensor.ragged_rank, row_splits_dtype=kind)
    return tensor.with_flat_values(more)


def concat(values: Any, axis: Any, name: str = "concat") -> Any:
    with name_scope(name, "RaggedConcat"):
        values = list(values) if isinstance(values, list | tuple) else [values]
        ranks = {each.shape.rank for each in values if hasattr(each, "shape")} - {None}
        if len(ranks) > 1:
            raise ValueError(f"all tensors must have the same rank, not {sorted(ranks)}")
        return _concat(values, axis_of(axis, next(iter(ranks), None)))


def _concat(values: list[Any], axis: int) -> Any:
    if len(values) == 1:
        return values[0]
    if not any(isinstance(each, RaggedTensor) for each in values) and axis == 0:
        return dense.concat(values, 0)
    tensors = as_ragged(values)
    if axis == 0:
        splits = [tensors[0].row_splits]
        for each in tensors[1:]:
            splits.append(each.row_splits[1:] + splits[-1][-1])
        return RaggedTensor(_concat_values(tensors), dense.concat(splits, 0))
    if axis == 1:
        return _side_by_side(tensors)
    inner = [each.values for each in tensors]
    joined = _concat(inner, axis - 1) if any(isinstance(each, RaggedTensor) for each in inner) else None
    return tensors[0].with_values(dense.concat(inner, axis - 1) if joined is None else joined)


def _concat_values(tensors: Sequence[RaggedTensor]) -> Any:
    return _concat([each.values for each in tensors], 0)


def _side_by_side(tensors: Sequence[RaggedTensor]) -> RaggedTensor:
    """Row `i` is the rows `i` of all, one after the other."""
    first = tensors[0]
    count = rows.count_rows(first.row_splits)
    checks = [
        assert_equal(count, rows.count_rows(each.row_splits), message="Input tensors have incompatible shapes")
        for each in tensors[1:]
    ]
    with control_dependencies([check for check in checks if check is not None]):
        count = apply("Identity", count)
    stacked = _concat(list(tensors), 0)
    order = reshape(transpose(reshape(rows.numbers(count * len(tensors), count.dtype), [len(tensors), -1])), [-1])
    ordered = gather_rows(stacked, order)
    splits = ordered.row_splits[:: len(tensors)]
    splits.set_shape(first.row_splits.shape)
    return RaggedTensor(ordered.values, splits)


def stack(values: Any, axis: Any = 0, name: str = "stack") -> Any:
    with name_scope(name, "RaggedConcat"):
        values = list(values) if isinstance(values, list | tuple) else [values]
        ranks = {each.shape.rank for each in values if hasattr(each, "shape")} - {None}
        rank = next(iter(ranks), None)
        return _stack(values, axis_of(axis, None if rank is None else rank + 1))


def _stack(values: list[Any], axis: int) -> Any:
    if len(values) == 1:
        return expand_dims(values[0], axis)
    hint = next((each.dtype for each in values if isinstance(each, RaggedTensor)), None)
    tensors = [each if isinstance(each, RaggedTensor) else convert_to_tensor(each, dtype_hint=hint) for each in values]
    if axis == 0:
        if all(isinstance(each, Tensor) and each.shape.rank == 1 for each in tensors):
            lengths = [rows.count(each, dtypes.int32) for each in tensors]
            return making.from_row_lengths(dense.concat(tensors, 0), dense.stack(lengths), validate=False)
        ragged = as_ragged(tensors)
        lengths = [rows.count_rows(each.row_splits) for each in ragged]
        return making.from_row_lengths(_concat(ragged, 0), dense.stack(lengths), validate=False)
    ragged = as_ragged(tensors)
    if axis == 1:
        return _side_by_side([expand_dims(each, 1) for each in ragged])
    inner = [each.values for each in ragged]
    if any(isinstance(each, RaggedTensor) for each in inner):
        return ragged[0].with_values(_stack(inner, axis - 1))
    return ragged[0].with_values(dense.stack(inner, axis - 1))


def expand_dims(input: Any, axis: Any = None, name: str | None = None, dim: Any = None) -> Any:
    if not isinstance(input, RaggedTensor):
        return dense_shapes.expand_dims(input, axis, name, dim)
    with name_scope(name, "RaggedExpandDims", [input]):
        rank = input.shape.rank
        return _expanded(input, axis_of(dim if axis is None else axis, None if rank is None else rank + 1))


def _expanded(rt: RaggedTensor, axis: int) -> RaggedTensor:
    if axis == 0:
        return making.from_uniform_row_length(rt, rt.nrows(), nrows=1, validate=False)
    if axis == 1:
        return making.from_uniform_row_length(rt, 1, nrows=rt.nrows(), validate=False)
    if isinstance(rt.values, RaggedTensor):
        return rt.with_values(_expanded(rt.values, axis - 1))
    return rt.with_values(dense_shapes.expand_dims(rt.values, axis - 1))


def squeeze(input: Any, axis: Any = None, name: str | None = None, squeeze_dims: Any = None) -> Any:
    axis = squeeze_dims if axis is None else axis
    with name_scope(name, "RaggedSqueeze", [input]):
        if axis is None:
            raise ValueError("Ragged.squeeze must have an axis argument.")
        given = axis if isinstance(axis, list | tuple) else [axis]
        result = input
        for each in sorted((axis_of(one, input.shape.rank) for one in given), reverse=True):
            result = _squeezed(result, each)
        return result


def _squeezed(value: Any, axis: int) -> Any:
    if not isinstance(value, RaggedTensor):
        return dense_shapes.squeeze(value, [axis])
    splits, one = value.row_splits, np.ones((), value.row_splits.dtype.as_numpy_dtype)
    if axis == 0:
        check = assert_equal(rows.count_rows(splits), one, message="the specified axis 0 must have size 1")
        return _when(check, value.values)
    if axis == 1:
        check = assert_equal(rows.lengths_of(splits), one, message="the specified axis 1 must have size 1")
        return _when(check, value.values)
    return value.with_values(_squeezed(value.values, axis - 1))


def _when(check: Any, value: Any) -> Any:
    if check is None:
        return value
    with control_dependencies([check]):
        if isinstance(value, RaggedTensor):
            return RaggedTensor(value.values, apply("Identity", value.row_splits), value.uniform_row_length)
        return apply("Identity", value)


def tile(input: RaggedTensor, multiples: Any, name: str | None = None) -> RaggedTensor:
    with name_scope(name, "RaggedTile"):
        kind = input.row_splits.dtype
        times = cast(convert_to_tensor(multiples, dtype_hint=kind, name="multiples"), kind)
        count = rows.count_rows(input.row_splits)
        places = dense.tile(rows.numbers(count, kind), times[:1])
        values: Any = input
        made = []
        depth = 1
        while isinstance(values, RaggedTensor):
            lengths = apply("GatherV2", rows.lengths_of(values.row_splits), places, 0)
            splits = rows.splits_of_lengths(lengths * times[depth])
            ids = rows.rowids_of(splits)
            row_length = apply("GatherV2", lengths, ids, 0)
            within = apply("FloorMod", rows.offsets_of(splits, ids), apply("Maximum", row_length, cast(1, kind)))
            starts = apply("GatherV2", values.row_splits, places, 0)
            places = apply("GatherV2", starts, ids, 0) + within
            made.append(splits)
            values = values.values
            depth += 1
        flat = apply("GatherV2", values, places, 0)
        if values.shape.rank is None or values.shape.rank > 1:
            flat = dense.tile(flat, dense.concat([[1], cast(times[depth:], kind)], 0))
        for splits in reversed(made):
            flat = RaggedTensor(flat, splits)
        return flat


def reverse(tensor: RaggedTensor, axis: Any, name: str | None = None) -> RaggedTensor:
    with name_scope(name, "Reverse"):
        given = constant_value(axis).tolist() if isinstance(axis, Tensor) else axis  # type: ignore[union-attr]
        result: Any = tensor
        for each in given:
            result = _reversed(result, axis_of(each, tensor.shape.rank))
        return result


def _reversed(value: Any, axis: int) -> Any:
    if not isinstance(value, RaggedTensor):
        return dense_reverse(value, [axis])
    splits = value.row_splits
    if axis == 0:
        return rows_between(value, splits[:-1][::-1], splits[1:][::-1])
    if axis == 1:
        return rows_between(value, splits[1:] - 1, splits[:-1] - 1, -1)
    return value.with_values(_reversed(value.values, axis - 1))


def split(value: RaggedTensor, num_or_size_splits: Any, axis: Any = 0, num: Any = None, name: str = "split") -> Any:
    with name_scope(name, "RaggedSplit"):
        place = axis_of(axis, value.shape.rank)
        sizes = num_or_size_splits
        if isinstance(sizes, Tensor):
            sizes = constant_value(sizes)
            if sizes is None:
                raise ValueError("The sizes of a split ragged tensor must be known at graph construction time.")
            sizes = sizes.tolist()
        front = [slice(None)] * place
        if isinstance(sizes, int):
            whole = value.shape.as_list()[place]
            if whole is None:
                raise ValueError("Cannot split a ragged dimension into equal parts.")
            if whole % sizes:
                raise ValueError(f"Cannot exactly split the RaggedTensor along dimension {place} into {sizes} parts")
            sizes = [whole // sizes] * sizes
        ends = np.cumsum(sizes).tolist()
        return [value[(*front, slice(end - size, end))] for size, end in zip(sizes, ends, strict=True)]
