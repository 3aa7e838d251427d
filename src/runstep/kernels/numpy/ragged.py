"""Ragged tensors: to and from other forms, ranges, gathers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep.kernels.bytestrings import Array, text_shape
from runstep.kernels.numpy.sparse import fill_rows
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.sparse_arrays import invalid


def _within(lengths: Array) -> Array:
    """0, 1, ... within each row."""
    starts: Array = np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.arange(int(lengths.sum())) - starts


def _ends(lengths: Any, dtype: Any) -> Array:
    out = np.zeros(len(lengths) + 1, dtype)
    np.cumsum(lengths, out=out[1:])
    return out


# --- to other forms -----------------------------------------------------------------------------------------------


@numpy_kernel("RaggedTensorToSparse")
def ragged_tensor_to_sparse(*parts: Array) -> tuple[Array, Array, Array]:
    *nested, values = parts
    nested = [np.ravel(splits) for splits in nested]
    for level, splits in enumerate(nested):
        if not len(splits):
            raise invalid("ragged splits may not be empty.")
        if splits[0] != 0:
            raise invalid("First value of ragged splits must be 0.")
        falling = np.flatnonzero(splits[1:] < splits[:-1])
        if len(falling):
            place = int(falling[0])
            raise invalid(
                f"Ragged splits should be non decreasing, but we got {splits[place]} followed by {splits[place + 1]}"
            )
        below = len(nested[level + 1]) - 1 if level + 1 < len(nested) else len(values) if np.ndim(values) else -1
        if splits[-1] != below:
            raise invalid("Final value of ragged splits must match the length the corresponding ragged values.")
    columns = [np.arange(len(nested[0]) - 1)]
    sizes = [len(nested[0]) - 1]
    for splits in nested:
        lengths = np.diff(splits)
        columns = [np.repeat(column, lengths) for column in columns]
        columns.append(_within(lengths))
        sizes.append(int(lengths.max(initial=0)))
    inner = values.shape[1:]
    count = int(np.prod(inner))
    columns = [np.repeat(column, count) for column in columns]
    if inner:
        places = np.indices(inner).reshape(len(inner), -1)
        columns += [np.tile(place, len(values)) for place in places]
    indices = np.stack(columns, axis=1).astype(np.int64, copy=False)
    return indices, values.reshape(-1).copy(), np.array([*sizes, *inner], np.int64)


class _Level:
    """One ragged dimension: how many rows there are, the row of each value, its place in the row."""

    def __init__(self, rows: int, rowids: Array, lengths: Array) -> None:
        self.rows, self.rowids, self.lengths = rows, rowids, lengths
        self.places = _within(lengths)


def _levels(kinds: Sequence[bytes], tensors: Sequence[Array]) -> list[_Level]:
    found: list[_Level] = []
    rows: int | None = None
    for kind, tensor in zip(kinds, tensors, strict=True):
        if kind == b"FIRST_DIM_SIZE" and rows is None:
            rows = int(tensor)
        elif kind == b"ROW_SPLITS":
            lengths = np.diff(tensor)
            if len(tensor) == 0 or (lengths < 0).any() or tensor[0] != 0:
                raise invalid("Invalid row split: splits must start with 0 and not fall")
            found.append(_Level(len(lengths), np.repeat(np.arange(len(lengths)), lengths), lengths))
            rows = int(tensor[-1])
        elif kind == b"VALUE_ROWIDS":
            count = rows if rows is not None else (int(tensor[-1]) + 1 if len(tensor) else 0)
            if len(tensor) and tensor.max() >= count:
                raise invalid(f"Got next_value_rowid={tensor.max()} which is not less than {count}")
            if (tensor[1:] < tensor[:-1]).any() or (tensor < 0).any():
                raise invalid("Invalid value_rowids: they must not fall")
            found.append(_Level(count, tensor, np.bincount(tensor, minlength=count)))
            rows = len(tensor)
        else:
            raise invalid(f"Unknown string for partition info type: {kind.decode('latin1')}")
    return found


def _sizes(shape: Array, levels: Sequence[_Level], values: Array) -> list[int]:
    """The result's sizes: those that are asked for, or those that hold every row."""
    natural = [levels[0].rows, *(int(level.lengths.max(initial=0)) for level in levels), *values.shape[1:]]
    if not np.ndim(shape):
        if shape != -1:
            raise invalid(f"shape must be a vector, or the scalar -1, not {shape}")
        return natural
    wanted = shape.tolist()
    text = "[" + ",".join("?" if size < 0 else str(size) for size in wanted) + "]"
    if len(wanted) != len(natural):
        raise invalid(
            f"rt_input.shape and shape={text} are incompatible: rt_input.rank = {len(natural)} but shape.rank = "
            f"{len(wanted)}"
        )
    for axis in range(len(levels) + 1, len(natural)):
        if wanted[axis] not in (-1, natural[axis]):
            raise invalid(
                f"rt_input.shape and shape={text} are incompatible: rt_input.shape[{axis}] = {natural[axis]} but "
                f"shape[{axis}] = {wanted[axis]}"
            )
    return [own if size < 0 else size for size, own in zip(wanted, natural, strict=True)]


@numpy_kernel.make("RaggedTensorToTensor")
def ragged_tensor_to_tensor(node: Node) -> Kernel:
    kinds = node.attrs["row_partition_types"]

    def kernel(shape: Array, values: Array, default: Array, *tensors: Array) -> Array:
        if np.ndim(shape) > 1:
            raise invalid(f"Shape must be at most rank 1 but is rank {np.ndim(shape)}")
        if np.ndim(default) >= values.ndim:
            raise invalid(
                f"default_value.shape={text_shape(np.shape(default))} and rt_input.flat_values.shape="
                f"{text_shape(values.shape)} are incompatible: default_value.rank = {np.ndim(default)}  must be less "
                f"than rt_input.flat_values.rank = {values.ndim}"
            )
        levels = _levels(kinds, tensors)
        if not levels:
            raise invalid("row_partition_types says of no ragged dimension")
        sizes = _sizes(shape, levels, values)
        out = np.empty(sizes, values.dtype)
        out[...] = default
        places = np.arange(levels[0].rows)
        kept = places < sizes[0]
        flat = places
        for level, size in zip(levels, sizes[1:], strict=False):
            rowids = level.rowids
            inside = rowids < len(flat)
            rowids, within = rowids[inside], level.places[inside]
            kept = kept[rowids] & (within < size)
            flat = flat[rowids] * size + within
        count = min(len(flat), len(values))
        kept = kept[:count]
        rows = out.reshape(int(np.prod(sizes[: len(levels) + 1])), *values.shape[1:])
        rows[flat[:count][kept]] = values[:count][kept]
        return out

    return kernel


# --- ranges and gathers -------------------------------------------------------------------------------------------


@numpy_kernel.make("RaggedRange")
def ragged_range(node: Node) -> Kernel:
    splits_type = node.attrs["Tsplits"].np
    is_integer = node.attrs["T"].is_integer

    def kernel(starts: Array, limits: Array, deltas: Array) -> tuple[Array, Array]:
        for name, tensor in (("starts", starts), ("limits", limits), ("deltas", deltas)):
            if np.ndim(tensor) > 1:
                raise invalid(f"{name} must be a scalar or vector")
        dtype = np.asarray(starts).dtype
        if len({np.shape(tensor) for tensor in (starts, limits, deltas) if np.ndim(tensor)}) > 1:
            raise invalid("starts, limits, and deltas must have the same shape")
        start, limit, delta = np.broadcast_arrays(*map(np.atleast_1d, (starts, limits, deltas)))
        if (delta == 0).any():
            raise invalid("Requires delta != 0")
        if is_integer:
            span, step = limit.astype(np.int64) - start, delta.astype(np.int64)
            lengths = np.maximum(-(-span // step), 0)
        else:
            wide = np.float64
            steps = np.ceil(np.abs((limit.astype(wide) - start.astype(wide)) / delta.astype(wide)))
            lengths = np.where(((delta > 0) & (limit < start)) | ((delta < 0) & (limit > start)), 0, steps)
            if not np.isfinite(lengths).all():
                raise invalid("Requires ((limit - start) / delta) <= 9223372036854775807")
            lengths = lengths.astype(np.int64)
        if int(lengths.sum()) > np.iinfo(splits_type).max:
            raise invalid(f"The total range length exceeded {np.iinfo(splits_type).max}")
        values = _counted(np.repeat(start, lengths), np.repeat(delta, lengths), lengths, dtype)
        return _ends(lengths, splits_type), values

    return kernel


def _counted(starts: Array, deltas: Array, lengths: Array, dtype: Any) -> Array:
    """start, start + delta, start + 2 delta ... by adding, as TensorFlow does: the rounding is part of the value."""
    if dtype.kind == "i" or not len(starts):
        counted: Array = starts + deltas * _within(lengths).astype(dtype)
        return counted.astype(dtype)
    parts, place = [], 0
    for length in lengths[lengths > 0].tolist():
        steps = np.empty(length, dtype)
        steps[0] = starts[place]
        steps[1:] = deltas[place]
        parts.append(np.add.accumulate(steps, dtype=dtype))
        place += length
    return np.concatenate(parts)


@numpy_kernel("RaggedGather")
def ragged_gather(*parts: Array) -> tuple[Array, ...]:
    *nested, values, indices = parts
    if not np.ndim(values):
        raise invalid("params.rank must be nonzero")
    for level, splits in enumerate(nested):
        if np.ndim(splits) != 1 or not len(splits):
            raise invalid("Split tensors must be vectors that are not empty")
        if splits[0] < 0 or (splits[1:] < splits[:-1]).any():
            raise invalid("Ragged splits must be sorted")
        below = len(nested[level + 1]) - 1 if level + 1 < len(nested) else len(values)
        if splits[-1] > below:
            raise invalid("Ragged splits must not point past values")
    rows = len(nested[0]) - 1
    flat = np.ravel(indices).astype(np.int64)
    outside = (flat < 0) | (flat >= rows)
    if outside.any():
        place = int(np.argmax(outside))
        where = np.unravel_index(place, np.shape(indices)) if np.ndim(indices) else ()
        raise invalid(f"indices{list(map(int, where))} = {flat[place]} is not in [0, {rows})")
    dtype = nested[0].dtype
    out: list[Array] = []
    count = 1
    for size, inner in zip(np.shape(indices), np.shape(indices)[1:], strict=False):
        count *= size
        out.append((np.arange(count + 1) * inner).astype(dtype))
    for level, splits in enumerate(nested):
        lengths = splits[flat + 1].astype(np.int64) - splits[flat]
        if level or np.ndim(indices):
            out.append(_ends(lengths, dtype))
        flat = np.repeat(splits[flat].astype(np.int64), lengths) + _within(lengths)
    return (*out, values[flat])


# --- variants -----------------------------------------------------------------------------------------------------


class RaggedVariant:
    """A ragged tensor as the element of a variant tensor: its splits, outermost first, and its values."""

    __slots__ = ("splits", "values")

    def __init__(self, splits: Sequence[Array], values: Array) -> None:
        self.splits = list(splits)
        self.values = values

    def zeros_like(self) -> RaggedVariant:
        """The same rows of zeros (ZerosLike)."""
        return RaggedVariant(self.splits, np.zeros_like(self.values))

    def plus(self, other: RaggedVariant) -> RaggedVariant:
        """The sums of the values (AddN). InvalidArgumentError for rows of other lengths."""
        alike = len(self.splits) == len(other.splits) and all(map(np.array_equal, self.splits, other.splits))
        if not alike or self.values.shape != other.values.shape:
            raise invalid("Can't add RaggedTensorVariants of different row_splits or shapes of values.")
        return RaggedVariant(self.splits, self.values + other.values)


@numpy_kernel.make("RaggedTensorToVariant", view=True)
def ragged_tensor_to_variant(node: Node) -> Kernel:
    batched = node.attrs["batched_input"]

    def kernel(*parts: Array) -> Any:
        *nested, values = parts
        if not batched:
            return RaggedVariant(nested, values)
        if not nested:
            rows = [RaggedVariant([], row) for row in values]
        else:
            outer = nested[0].tolist()
            rows = [_piece(nested[1:], values, start, end) for start, end in zip(outer, outer[1:], strict=False)]
        out = np.empty(len(rows), object)
        out[:] = rows
        return out

    return kernel


def _piece(nested: Sequence[Array], values: Array, start: int, end: int) -> RaggedVariant:
    splits = []
    for level in nested:
        part = level[start : end + 1]
        start, end = int(part[0]), int(part[-1])
        splits.append(part - part[0])
    return RaggedVariant(splits, values[start:end])


@numpy_kernel.make("RaggedTensorToVariantGradient")
def ragged_tensor_to_variant_gradient(node: Node) -> Kernel:
    kind = node.output_types[0]

    def kernel(encoded: Any, splits: Array, shape: Array) -> Array:
        if np.ndim(splits) != 1:
            raise invalid(f"Invalid ragged splits: ragged splits must be rank 1 but is rank {np.ndim(splits)}")
        items = encoded.ravel().tolist() if isinstance(encoded, np.ndarray) else [encoded]
        sizes = tuple(np.asarray(shape).tolist())
        row = sizes[1:]
        lengths = np.diff(splits).tolist()
        parts = []
        for place, item in enumerate(items):
            if isinstance(item, RaggedVariant):
                if item.values.dtype != kind.np:
                    raise invalid(f"Expected values Tensor dtype: {kind.name}, found: {item.values.dtype}")
                parts.append(item.values.ravel())
            elif place < len(lengths):  # no gradient came in for this row
                parts.append(np.zeros(lengths[place] * math.prod(row), kind.np))
        flat = np.concatenate(parts) if parts else np.zeros(0, kind.np)
        if flat.size != math.prod(sizes):
            raise invalid(f"The gradients of the rows have {flat.size} values, which are none of shape {list(sizes)}")
        return flat.reshape(sizes)

    return kernel


@numpy_kernel.make("RaggedTensorFromVariant", view=True)
def ragged_tensor_from_variant(node: Node) -> Kernel:
    attrs = node.attrs
    rank, kind, dtype = attrs["output_ragged_rank"], attrs["Tvalues"], attrs["Tsplits"].np

    def kernel(encoded: Any) -> tuple[Array, ...]:
        shape = encoded.shape if isinstance(encoded, np.ndarray) else ()
        items = encoded.ravel().tolist() if isinstance(encoded, np.ndarray) else [encoded]
        inner_rank = attrs["input_ragged_rank"]
        if inner_rank == -1:
            inner_rank = rank - len(shape)
            if inner_rank < 0:
                raise invalid(
                    f"Inferred input_ragged_rank (output_ragged_rank - encoded_variant.dims()) must be >= 0, found "
                    f"output_ragged_rank: {rank}, encoded_variant.dims(): {len(shape)}"
                )
        if rank != inner_rank + len(shape):
            raise invalid(
                f"output_ragged_rank must be equal to input_ragged_rank + encoded_ragged.dims(): {rank} != "
                f"{inner_rank} + {len(shape)}"
            )
        for item in items:
            if not isinstance(item, RaggedVariant):
                raise invalid(f"Input Variant element doesn't hold a RaggedTensorVariant: {item!r}")
            if item.values.dtype != kind.np:
                raise invalid(f"Expected values Tensor dtype: {kind.name}, found: {item.values.dtype}")
            if len(item.splits) != inner_rank:
                raise invalid(f"Encoded input RaggedTensorVariant has ragged_rank={len(item.splits)}.  Expected "
                              f"ragged_rank={inner_rank}")  # fmt: skip
        if not shape:
            return (*items[0].splits, items[0].values)
        return _stacked(items, shape, inner_rank, kind.np, dtype)

    return kernel


def _stacked(
    items: Sequence[RaggedVariant], shape: tuple[int, ...], inner_rank: int, kind: Any, dtype: Any
) -> tuple[Array, ...]:
    out, count = [], 1
    for size, inner in zip(shape, shape[1:], strict=False):
        count *= size
        out.append((np.arange(count + 1) * inner).astype(dtype))
    first = [len(item.splits[0]) - 1 if inner_rank else len(item.values) for item in items]
    out.append(_ends(first, dtype))
    for level in range(inner_rank):
        lengths = [np.diff(item.splits[level]) for item in items]
        out.append(_ends(np.concatenate(lengths) if lengths else [], dtype))
    values = np.concatenate([item.values for item in items]) if items else np.zeros(0, kind)
    return (*out, values)


@numpy_kernel("RaggedFillEmptyRows")
def ragged_fill_empty_rows(
    rowids: Array, values: Array, rows: Array, default: Array
) -> tuple[Array, Array, Array, Array]:
    if np.ndim(rowids) != 1:
        raise invalid(f"value_rowids must be a vector, saw: {text_shape(np.shape(rowids))}")
    if np.ndim(values) != 1:
        raise invalid(f"values must be a vector, saw: {text_shape(np.shape(values))}")
    if np.ndim(rows):
        raise invalid(f"nrows must be a scalar, saw: {text_shape(np.shape(rows))}")
    if len(values) != len(rowids):
        raise invalid(
            f"The length of `values` ({len(values)}) must match the first dimension of `value_rowids` ({len(rowids)})."
        )
    if np.ndim(default):
        raise invalid(f"default_value must be a scalar, saw: {text_shape(np.shape(default))}")
    if rows < 0:
        raise invalid(f"Expected shape dimensions to be non-negative, got {rows}")
    if not int(rows):
        if len(rowids):
            raise invalid(f"Received SparseTensor with dense_shape[0] = 0 but indices.shape[0] = {len(rowids)}")
        # A matrix, as TensorFlow has it: this is how its sparse twin ends here.
        return np.zeros((0, 1), np.int64), values.copy(), np.zeros(0, bool), np.zeros(0, np.int64)
    taken, _, empty, reverse = fill_rows(rowids, int(rows), "indices({place}, 0) is invalid: {row} >= {rows}")
    out = np.empty(len(taken), values.dtype)
    out[...] = default
    out[reverse] = values
    return taken, out, empty, reverse
