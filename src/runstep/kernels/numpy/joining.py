"""Kernels that put tensors together and take them apart: concat, pack, unpack, split, tile, pad."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from runstep.graph import dtypes
from runstep.kernels.numpy.shape_ops import HANDLES, boxed, dims_of, invalid, text
from runstep.kernels.registry import Kernel, Node, numpy_kernel

# --- Concat, ConcatV2, ConcatOffset, ParallelConcat ---------------------------------------------------------------


def _refuse_concat(values: Sequence[Any], axis: int) -> NoReturn:
    first = values[0]
    rank = first.ndim
    if not rank and axis in (0, -1):
        invalid("ConcatOp : Can't concatenate scalars (use tf.stack instead)")
    if not -rank <= axis < rank:
        invalid(f"ConcatOp : Expected concatenating dimensions in the range [{-rank}, {rank}), but got {axis}")
    for i, value in enumerate(values):
        if value.ndim != rank:
            invalid(
                f"ConcatOp : Ranks of all input tensors should match: shape[0] = {text(first.shape)} "
                f"vs. shape[{i}] = {text(value.shape)}"
            )
        for at in range(rank):
            if at != axis % rank and value.shape[at] != first.shape[at]:
                invalid(
                    f"ConcatOp : Dimension {at} in both shapes must be equal: shape[0] = {text(first.shape)} "
                    f"vs. shape[{i}] = {text(value.shape)}"
                )
    raise AssertionError(f"numpy refused to join {[value.shape for value in values]} on axis {axis}")


def joined(values: Sequence[Any], axis: Any) -> Any:
    if axis.size != 1:
        invalid(f"ConcatOp : Expected concatenating dimension to be a scalar, but got shape {text(axis.shape)}")
    at = int(axis.reshape(()))
    if at < -values[0].ndim:  # numpy would take the least number for no axis at all
        _refuse_concat(values, at)
    try:
        return np.concatenate(values, at)
    except ValueError:
        _refuse_concat(values, at)


@numpy_kernel.make("ConcatV2")
def concat_v2(node: Node) -> Kernel:
    axis = node.constant(len(node.input_types) - 1)
    if axis is None or axis.size != 1:
        return lambda *args: joined(args[:-1], args[-1])
    at, concatenate = int(axis.reshape(())), np.concatenate

    def kernel(*args: Any) -> Any:
        try:
            return concatenate(args[:-1], at)
        except ValueError:
            _refuse_concat(args[:-1], at)

    return kernel


@numpy_kernel("Concat")
def concat(axis: Any, *values: Any) -> Any:
    return joined(values, axis)


@numpy_kernel("ConcatOffset")
def concat_offset(axis: Any, *shapes: Any) -> Any:
    at = int(axis)
    rank = shapes[0].size
    for i, shape in enumerate(shapes):
        if shape.ndim != 1:
            invalid(f"input {i} should be a vector, but got shape {text(shape.shape)}")
        if shape.size != rank:
            invalid(f"input {i} should contain {rank} elements, but got {shape.size}")
    if not -rank <= at < rank:
        invalid(f"Concat dim is out of range: {at} vs. {rank}")
    at %= rank
    offsets = []
    offset = 0
    for i, shape in enumerate(shapes):
        out = np.zeros_like(shape)
        out[at] = offset
        offsets.append(out)
        offset += int(shape[at])
        for axis_ in range(rank):
            if axis_ != at and shape[axis_] != shapes[0][axis_]:
                invalid(
                    f"All dimensions except {at} must match. Input {i} has shape [{' '.join(map(str, shape))}] "
                    f"and doesn't match input 0 with shape [{' '.join(map(str, shapes[0]))}]."
                )
    return tuple(offsets)


@numpy_kernel.make("ParallelConcat")
def parallel_concat(node: Node) -> Kernel:
    def kernel(*values: Any) -> Any:
        try:
            return np.concatenate(values, 0)
        except ValueError:
            _refuse_concat(values, 0)

    return kernel


# --- Pack, Unpack -------------------------------------------------------------------------------------------------


def _refuse_pack(values: Sequence[Any], axis: int) -> NoReturn:
    rank = values[0].ndim
    for i, value in enumerate(values):
        if value.shape != values[0].shape:
            invalid(
                f"Shapes of all inputs must match: values[0].shape = {text(values[0].shape)} "
                f"!= values[{i}].shape = {text(value.shape)}"
            )
    invalid(f"axis = {axis} not in [{-rank - 1}, {rank + 1})")


@numpy_kernel.make("Pack")
def pack(node: Node) -> Kernel:
    axis, dtype = node.attrs["axis"], node.output_types[0].np
    concatenate, array = np.concatenate, np.array

    def stack(*values: Any) -> Any:
        try:
            if axis == 0:
                return concatenate([value[None] for value in values])
            rank = values[0].ndim
            if not -rank - 1 <= axis <= rank:
                _refuse_pack(values, axis)
            at = axis % (rank + 1)
            index = (slice(None),) * at + (None,)
            return concatenate([value[index] for value in values], at)
        except (ValueError, IndexError):
            _refuse_pack(values, axis)

    if node.input_types[0] in HANDLES:
        return lambda *values: stack(*map(boxed, values))
    if dtype.kind != "O" and axis in (0, -1) and all(shape == () for shape in node.input_shapes):
        return lambda *values: array(values, dtype)
    return stack


@numpy_kernel.make("Unpack", view=True)
def unpack(node: Node) -> Kernel:
    axis, num = node.attrs["axis"], node.attrs["num"]
    is_string = node.input_types[0] is dtypes.string
    count = range(num)

    def kernel(value: Any) -> Any:
        rank = value.ndim
        if not -rank <= axis < rank:
            invalid(f"axis = {axis} not in [{-rank}, {rank})")
        if value.shape[axis] != num:
            invalid(f"Input shape axis {axis % rank} must equal {num}, got shape {text(value.shape)}")
        first = value if axis % rank == 0 else np.moveaxis(value, axis, 0)
        if is_string:
            return tuple([first[i, ...] for i in count])  # the Ellipsis keeps arrays of rank 0
        return tuple(first)

    source = node.input_shapes[0]
    if source is None or is_string or not -len(source) <= axis < len(source) or source[axis] != num:
        return kernel
    if axis % len(source) == 0:
        return tuple
    perm = [axis % len(source), *[i for i in range(len(source)) if i != axis % len(source)]]
    return lambda value: tuple(value.transpose(perm))


# --- Split, SplitV ------------------------------------------------------------------------------------------------


def _cut(value: Any, axis: int, bounds: Sequence[tuple[int, int]]) -> tuple[Any, ...]:
    lead = (slice(None),) * axis
    return tuple([value[(*lead, slice(first, last))] for first, last in bounds])


def _split_axis(value: Any, dim: Any) -> int:
    if dim.ndim:
        invalid(f"split_dim must be a scalar but has rank {dim.ndim}")
    axis: int = int(dim)
    rank: int = value.ndim
    if not -rank <= axis < rank:
        invalid(f"-input rank(-{rank}) <= split_dim < input rank ({rank}), but got {axis}")
    return axis % rank


@numpy_kernel.make("Split", view=True)
def split(node: Node) -> Kernel:
    num = node.attrs["num_split"]

    def kernel(dim: Any, value: Any) -> Any:
        axis = _split_axis(value, dim)
        size = value.shape[axis]
        if size % num:
            invalid(
                f"Number of ways to split should evenly divide the split dimension, "
                f"but got split_dim {axis} (size = {size}) and num_split {num}"
            )
        step = size // num
        return _cut(value, axis, [(i * step, (i + 1) * step) for i in range(num)])

    dim, source = node.constant(0), node.input_shapes[1]
    if dim is None or dim.size != 1 or source is None or not -len(source) <= int(dim.reshape(())) < len(source):
        return kernel
    axis = int(dim.reshape(())) % len(source)
    size = source[axis]
    if size is None or size % num:
        return kernel
    step = size // num
    lead = (slice(None),) * axis
    indices = [(*lead, slice(i * step, (i + 1) * step)) for i in range(num)]
    return lambda dim, value: tuple([value[index] for index in indices])


_TOO_MUCH = (
    "Determined shape must either match input shape along split_dim exactly if fully specified, or be less than the "
    "size of the input along split_dim if not fully specified.  Got: {}"
)


def split_sizes(sizes: Sequence[int], total: int) -> list[int]:
    """`sizes` with the one -1 filled in so that they add up to `total`. ValueError if they cannot."""
    found = list(sizes)
    if found.count(-1) > 1:
        raise ValueError("There can only be one -1 in the input.")
    known = sum(size for size in found if size != -1)
    for place, size in enumerate(found):
        if size < -1:
            raise ValueError(f"Split size at index {place} must be >= 0. Got: {size}")
    if -1 in found:
        if known > total:
            raise ValueError(_TOO_MUCH.format(known))
        found[found.index(-1)] = total - known
    elif known != total:
        raise ValueError(_TOO_MUCH.format(known))
    return found


@numpy_kernel.make("SplitV", view=True)
def split_v(node: Node) -> Kernel:
    num = node.attrs["num_split"]

    def bounds(value: Any, sizes: Any, axis: int) -> list[tuple[int, int]]:
        if sizes.ndim != 1 or sizes.size != num:
            invalid(
                "size of the split_tensor must be 1-D and have the same elements as outputs got "
                f"{sizes.ndim} -D and {sizes.size} elements"
            )
        try:
            lengths = split_sizes(sizes.tolist(), value.shape[axis])
        except ValueError as error:
            invalid(str(error))
        found, start = [], 0
        for length in lengths:
            found.append((start, start + length))
            start += length
        return found

    def kernel(value: Any, sizes: Any, dim: Any) -> Any:
        axis = _split_axis(value, dim)
        return _cut(value, axis, bounds(value, sizes, axis))

    sizes, dim, source = node.constant(1), node.constant(2), node.input_shapes[0]
    if sizes is None or dim is None or dim.size != 1 or source is None or sizes.shape != (num,):
        return kernel
    if not -len(source) <= int(dim.reshape(())) < len(source):
        return kernel
    axis = int(dim.reshape(())) % len(source)
    if source[axis] is None:
        return kernel
    try:
        lengths = split_sizes(sizes.tolist(), source[axis] or 0)
    except ValueError:
        return kernel
    lead = (slice(None),) * axis
    ends = np.cumsum(lengths).tolist()
    indices = [(*lead, slice(end - length, end)) for end, length in zip(ends, lengths, strict=True)]
    return lambda value, sizes, dim: tuple([value[index] for index in indices])


# --- Tile ---------------------------------------------------------------------------------------------------------


def _tile(value: Any, multiples: Sequence[int]) -> Any:
    rank = value.ndim
    if len(multiples) != rank:
        invalid(f"Expected multiples argument to be a vector of length {rank} but got length {len(multiples)}")
    if any(multiple < 0 for multiple in multiples):
        axis = next(i for i, multiple in enumerate(multiples) if multiple < 0)
        invalid(f"Expected multiples[{axis}] >= 0, but got {multiples[axis]}")
    if not rank:
        return value.copy()
    # Written through a view that has one axis for the copies in front of each axis of the input.
    shape = value.shape
    out = np.empty([size * multiple for size, multiple in zip(shape, multiples, strict=True)], value.dtype)
    pairs: list[int] = []
    singles: list[int] = []
    for size, multiple in zip(shape, multiples, strict=True):
        pairs += (multiple, size)
        singles += (1, size)
    out.reshape(pairs)[...] = value.reshape(singles)
    return out


@numpy_kernel.make("Tile")
def tile(node: Node) -> Kernel:
    known = node.constant(1)
    if known is None or known.ndim != 1:

        def kernel(value: Any, multiples: Any) -> Any:
            return _tile(value, dims_of(multiples, "Expected multiples to be 1-D, but got shape "))

        return kernel
    counts = dims_of(known)
    if all(count == 1 for count in counts):
        return lambda value, multiples: value.copy() if value.ndim == len(counts) else _tile(value, counts)
    return lambda value, multiples: _tile(value, counts)


# --- Pad, PadV2 ---------------------------------------------------------------------------------------------------


def _pad(value: Any, pads: list[list[int]], fill: Any) -> Any:
    if len(pads) != value.ndim:
        invalid(f"The first dimension of paddings must be the rank of inputs[{len(pads)},2] {text(value.shape)}")
    for before, after in pads:
        if before < 0 or after < 0:
            invalid(f"Paddings must be non-negative: {before} {after}")
    shape = [size + before + after for size, (before, after) in zip(value.shape, pads, strict=True)]
    if fill is None:
        out = np.zeros(shape, value.dtype)
        if value.dtype.kind == "O":
            out.fill(b"")
    else:
        out = np.empty(shape, value.dtype)
        out.fill(fill)
    inner: list[Any] = [slice(before, before + size) for size, (before, _) in zip(value.shape, pads, strict=True)]
    out[(*inner, Ellipsis)] = value
    return out


def _pads(paddings: Any) -> list[list[int]]:
    if paddings.ndim != 2 or paddings.shape[1] != 2:
        invalid(f"paddings must be a matrix with 2 columns: {text(paddings.shape)}")
    return paddings.tolist()


@numpy_kernel.make("Pad", "PadV2")
def pad(node: Node) -> Kernel:
    known = node.constant(1)
    pads = None if known is None or known.ndim != 2 or known.shape[1] != 2 else _pads(known)
    if node.type == "PadV2":

        def filled(value: Any, paddings: Any, fill: Any) -> Any:
            if fill.ndim:
                invalid(f"constant_values must be a scalar. Found: {text(fill.shape)}")
            found = _pads(paddings) if pads is None else pads
            return _pad(value, found, fill.item() if value.dtype.kind == "O" else fill)

        return filled
    source = node.input_shapes[0]
    if pads is None or source is None or len(source) != len(pads) or node.input_types[0] is dtypes.string:
        return lambda value, paddings: _pad(value, _pads(paddings) if pads is None else pads, None)
    if any(size is None for size in source) or any(size < 0 for pair in pads for size in pair):
        return lambda value, paddings: _pad(value, pads, None)
    shape = tuple([operator.index(size or 0) + sum(pair) for size, pair in zip(source, pads, strict=True)])
    index = tuple([slice(pair[0], pair[0] + (size or 0)) for size, pair in zip(source, pads, strict=True)])
    dtype, zeros = node.output_types[0].np, np.zeros

    def kernel(value: Any, paddings: Any) -> Any:
        out = zeros(shape, dtype)
        out[index] = value
        return out

    return kernel
