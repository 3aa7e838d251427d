"""Ragged tensors made of values and of what says where rows end (source: tf.RaggedTensor.from_*)."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.composite import SparseTensor
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.ragged_tensor import RaggedTensor
from runstep.graph.scopes import control_dependencies
from runstep.graph.tensor import Tensor
from runstep.ops.cast import cast
from runstep.ops.comparison import equal, not_equal
from runstep.ops.grids import sequence_mask
from runstep.ops.joining import concat
from runstep.ops.logging import Assert
from runstep.ops.reduction import reduce_all, reduce_max
from runstep.ops.selecting import boolean_mask
from runstep.ops.shape_ops import shape
from runstep.ragged import rows

__all__: list[str] = []


def _values(values: Any) -> Any:
    return values if isinstance(values, RaggedTensor) else convert_to_tensor(values, name="values")


def _hint(values: Any) -> Any:
    return values.row_splits.dtype if isinstance(values, RaggedTensor) else dtypes.int64


def _made(values: Any, splits: Tensor, validate: bool, uniform: Tensor | None = None) -> RaggedTensor:
    if isinstance(values, RaggedTensor):
        if values.row_splits.dtype != splits.dtype:
            raise ValueError("values and row_splits must have the same row_splits dtype")
    else:
        values.shape.with_rank_at_least(1)
    if validate:
        splits = rows.checked_splits(splits, values)
    return RaggedTensor(values, splits, uniform)


def from_row_splits(values: Any, row_splits: Any, name: str | None = None, validate: bool = True) -> RaggedTensor:
    with name_scope(name, "RaggedFromRowSplits", [values, row_splits]):
        values = _values(values)
        with name_scope(None, "RowPartitionFromRowSplits", [row_splits]):  # a class of its own in TensorFlow
            splits = rows.index_tensor(row_splits, _hint(values), "row_splits")
        if splits.shape.with_rank(1).num_elements() == 0:
            raise ValueError("row_splits tensor may not be empty.")
        return _made(values, splits, validate)


def from_row_lengths(values: Any, row_lengths: Any, name: str | None = None, validate: bool = True) -> RaggedTensor:
    with name_scope(name, "RaggedFromRowLengths", [values, row_lengths]):
        values = _values(values)
        lengths = rows.index_tensor(row_lengths, _hint(values), "row_lengths")
        lengths.shape.assert_has_rank(1)
        return _made(values, rows.splits_of_lengths(lengths), validate)


def from_row_starts(values: Any, row_starts: Any, name: str | None = None, validate: bool = True) -> RaggedTensor:
    with name_scope(name, "RaggedFromRowStarts", [values, row_starts]):
        values = _values(values)
        starts = rows.index_tensor(row_starts, _hint(values), "row_starts")
        starts.shape.assert_has_rank(1)
        return _made(values, concat([starts, [rows.count(values, starts.dtype)]], 0), validate)


def from_row_limits(values: Any, row_limits: Any, name: str | None = None, validate: bool = True) -> RaggedTensor:
    with name_scope(name, "RaggedFromRowLimits", [values, row_limits]):
        values = _values(values)
        limits = rows.index_tensor(row_limits, _hint(values), "row_limits")
        limits.shape.assert_has_rank(1)
        return _made(values, concat([np.zeros(1, limits.dtype.as_numpy_dtype), limits], 0), validate)


def from_value_rowids(
    values: Any, value_rowids: Any, nrows: Any = None, name: str | None = None, validate: bool = True
) -> RaggedTensor:
    with name_scope(name, "RaggedFromValueRowIds", [values, value_rowids, nrows]):
        values = _values(values)
        ids = rows.index_tensor(value_rowids, _hint(values), "value_rowids")
        ids.shape.assert_has_rank(1)
        values.shape[:1].assert_is_compatible_with(ids.shape)
        known: Any = None
        if nrows is None:
            count = rows.rows_of_ids(ids)
            known = _known_rows(ids)
        else:
            count = convert_to_tensor(nrows, ids.dtype, name="nrows")
            count.shape.assert_has_rank(0)
            known = constant_value(count)
            if known is not None and known < 0:
                raise ValueError(f"Expected nrows >= 0; got {known}")
            last = _known_rows(ids)
            if known is not None and last is not None and known < last:
                raise ValueError(
                    f"Expected nrows >= value_rowids[-1] + 1; got nrows={known}, value_rowids[-1]={last - 1}"
                )
        if validate:
            ids = rows.checked_rowids(ids, count)
        splits = rows.splits_of_rowids(ids, count)
        if known is not None:
            splits.set_shape([int(known) + 1])
        return _made(values, splits, False)


def _known_rows(ids: Tensor) -> int | None:
    found = constant_value(ids)
    return None if found is None else int(found[-1]) + 1 if len(found) else 0


def from_uniform_row_length(
    values: Any, uniform_row_length: Any, nrows: Any = None, validate: bool = True, name: str | None = None
) -> RaggedTensor:
    with name_scope(name, "RaggedFromUniformRowLength", [values, uniform_row_length, nrows]):
        values = _values(values)
        kind = _hint(values)
        length = cast(convert_to_tensor(uniform_row_length, dtype_hint=kind, name="UniformRowLength"), kind)
        length.shape.assert_has_rank(0)
        static = constant_value(length)
        if static is not None and static < 0:
            raise ValueError(f"uniform_row_length must be greater than or equal to 0; got {static}")
        total = rows.count(values, kind)
        known_total = constant_value(total)
        if nrows is not None:
            count = cast(convert_to_tensor(nrows, dtype_hint=kind), kind)
        elif static == 0:
            raise ValueError("nrows must be specified if uniform_row_length is zero")
        elif static is not None and known_total is not None:
            count = convert_to_tensor(known_total // static, kind)
        else:
            count = total // length
        if validate:
            count = rows.checked_uniform(length, count, values)
        known = constant_value(count)
        splits = rows.numbers(count + 1, kind) * length
        if known is not None:
            splits.set_shape([int(known) + 1])
        return _made(values, splits, False, length)


# --- several levels at once


def _several(parts: Any, what: str) -> list[Any]:
    if isinstance(parts, Tensor):
        raise TypeError(f"Argument `{what}` must be a list of Tensors. Received {parts}.")
    return list(parts)


def from_nested_row_splits(
    flat_values: Any, nested_row_splits: Any, name: str | None = None, validate: bool = True
) -> Any:
    nested = _several(nested_row_splits, "nested_row_splits")
    with name_scope(name, "RaggedFromNestedRowSplits", [flat_values, *nested]):
        for splits in reversed(nested):
            flat_values = from_row_splits(flat_values, splits, validate=validate)
        return flat_values


def from_nested_row_lengths(
    flat_values: Any, nested_row_lengths: Any, name: str | None = None, validate: bool = True
) -> Any:
    nested = _several(nested_row_lengths, "nested_row_lengths")
    with name_scope(name, "RaggedFromNestedRowlengths", [flat_values, *nested]):
        for lengths in reversed(nested):
            flat_values = from_row_lengths(flat_values, lengths, validate=validate)
        return flat_values


def from_nested_value_rowids(
    flat_values: Any,
    nested_value_rowids: Any,
    nested_nrows: Any = None,
    name: str | None = None,
    validate: bool = True,
) -> Any:
    nested = _several(nested_value_rowids, "nested_value_rowids")
    counts = [None] * len(nested) if nested_nrows is None else _several(nested_nrows, "nested_nrows")
    if len(counts) != len(nested):
        raise ValueError(
            f"Argument `nested_nrows` must have the same length as argument `nested_value_rowids`. len(nested_nrows) = "
            f"{len(counts)} vs. len(nested_values_rowids) = {len(nested)}."
        )
    with name_scope(name, "RaggedFromNestedValueRowIds", [flat_values, *nested]):
        for ids, count in reversed(list(zip(nested, counts, strict=True))):
            flat_values = from_value_rowids(flat_values, ids, count, validate=validate)
        return flat_values


# --- other forms


def from_tensor(
    tensor: Any,
    lengths: Any = None,
    padding: Any = None,
    ragged_rank: int = 1,
    name: str | None = None,
    row_splits_dtype: Any = dtypes.int64,
) -> RaggedTensor:
    kind = dtypes.as_dtype(row_splits_dtype)
    if lengths is not None and padding is not None:
        raise ValueError("Specify argument `lengths` or `padding`, but not both.")
    if not isinstance(ragged_rank, int):
        raise TypeError(f"Argument `ragged_rank` must be an int. Received {ragged_rank}.")
    if ragged_rank <= 0:
        raise ValueError(f"Argument `ragged_rank` must be greater than 0. Received {ragged_rank}.")
    with name_scope(name, "RaggedFromTensor", [tensor, lengths, padding]):
        tensor = convert_to_tensor(tensor, name="tensor")
        if tensor.shape.rank is not None and tensor.shape.rank < ragged_rank + 1:
            raise ValueError(
                f"tensor.shape.rank must be greater than ragged_rank: {tensor.shape.rank} and {ragged_rank}"
            )
        nested = isinstance(lengths, list | tuple) and lengths and not isinstance(lengths[0], int | float | np.integer)
        if nested and not isinstance(lengths, np.ndarray):
            made = from_tensor(tensor, ragged_rank=len(lengths), row_splits_dtype=kind)
            return _cut(made, [rows.index_tensor(each, kind) for each in lengths])
        if ragged_rank > 1:
            sizes = shape(tensor, out_type=kind)
            merged = rows._merged(tensor, 0, ragged_rank - 1)
            inner = from_tensor(merged, lengths, padding, row_splits_dtype=kind)
            for axis in reversed(range(1, ragged_rank)):
                known = tensor.shape.as_list()[axis]
                length = sizes[axis] if known is None else known
                count = rows._merged(tensor, 0, axis - 1).shape[0].value if axis > 1 else tensor.shape[0].value
                number = reduce_prod_of(sizes[:axis]) if count is None else count
                inner = from_uniform_row_length(inner, length, number, validate=False)
            return inner
        sizes = shape(tensor, out_type=kind)
        if padding is not None:
            lengths = _lengths_without(tensor, padding, kind)
        if lengths is not None:
            lengths = rows.index_tensor(lengths, kind, "lengths")
            lengths.shape.assert_has_rank(1)
            lengths = cast(
                apply("Minimum", apply("Maximum", lengths, cast(0, lengths.dtype)), cast(sizes[1], lengths.dtype)), kind
            )
            kept = boolean_mask(tensor, sequence_mask(lengths, sizes[1]))
            return from_row_lengths(kept, lengths, validate=False)
        known = tensor.shape.as_list()
        flat = rows._merged(tensor, 0, 1)
        made = from_uniform_row_length(
            flat,
            sizes[1] if known[1] is None else known[1],
            sizes[0] if known[0] is None else known[0],
            validate=False,
        )
        return made


def reduce_prod_of(sizes: Tensor) -> Tensor:
    from runstep.ops.reduction import reduce_prod

    return reduce_prod(sizes)


def _lengths_without(tensor: Tensor, padding: Any, kind: Any) -> Tensor:
    """How long each row is up to the last value that isn't padding."""
    padding = convert_to_tensor(padding, tensor.dtype, name="padding")
    padding.shape.assert_is_compatible_with(tensor.shape[2:])
    differs = not_equal(tensor, padding)
    rank = tensor.shape.rank
    if rank is not None and rank > 2:
        from runstep.ops.reduction import reduce_any

        differs = reduce_any(differs, axis=list(range(2, rank)))
    places = rows.numbers(shape(tensor, out_type=kind)[1], kind) + 1
    return reduce_max(cast(differs, kind) * places, axis=1)


def _cut(rt: RaggedTensor, nested: list[Tensor]) -> Any:
    """The tensor with rows cut to these lengths, level by level."""
    from runstep.ragged.indexing import first_of_rows

    result = first_of_rows(rt, nested[0])
    return result if len(nested) == 1 else result.with_values(_cut(result.values, nested[1:]))


def from_sparse(st_input: SparseTensor, name: str | None = None, row_splits_dtype: Any = dtypes.int64) -> RaggedTensor:
    kind = dtypes.as_dtype(row_splits_dtype)
    if not isinstance(st_input, SparseTensor):
        raise TypeError(f"Argument `st_input` must be of type SparseTensor, but is of type {type(st_input).__name__}.")
    with name_scope(name, "RaggedFromSparse"):
        rank = st_input.dense_shape.shape[0].value or st_input.indices.shape[1].value
        if rank is None:
            raise ValueError("Argument `st_input` must have a statically-known rank.")
        if rank != 2:
            raise ValueError("Only 2-dimensional sparse tensors can become ragged.")
        ids, columns = st_input.indices[:, 0], st_input.indices[:, 1]
        splits = rows.splits_of_rowids(ids, st_input.dense_shape[0])
        whole = reduce_all(equal(columns, rows.offsets_of(splits, ids)))
        check = Assert(whole, ["SparseTensor is not right-ragged", "SparseTensor.indices =", st_input.indices])
        with control_dependencies([check]):
            splits = cast(apply("Identity", splits), kind)
        known = st_input.shape.as_list()[0] if st_input.shape.rank else None
        splits.set_shape([None if known is None else known + 1])
        return RaggedTensor(st_input.values, splits)
