"""Kernels that move elements: transpose, reverse, roll, space, batch and depth, bitcast."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep.kernels.numpy.shape_ops import also_of_handles, dims_of, invalid, text
from runstep.kernels.registry import Kernel, Node, numpy_kernel

# --- Transpose, InvertPermutation ---------------------------------------------------------------------------------


def _check_perm(rank: int, perm: Sequence[int]) -> list[int]:
    if len(perm) != rank:
        invalid(f"transpose expects a vector of size {rank}. But input(1) is a vector of size {len(perm)}")
    found: list[int] = []
    for axis in perm:
        place = axis + rank if axis < 0 else axis
        if not 0 <= place < rank:
            invalid(f"{place} is out of range [0 .. {rank})")
        found.append(place)
    for axis in range(rank):
        if axis not in found:
            invalid(f"{axis} is missing from {{{','.join(map(str, found))}}}.")
    return found


def _transpose(value: Any, perm: Any) -> Any:
    return value.transpose(_check_perm(value.ndim, dims_of(perm, "perm must be rank 1, got shape ")))


@numpy_kernel.make("Transpose", view=True)
@also_of_handles
def transpose(node: Node) -> Kernel:
    known = node.constant(1)
    if known is None or known.ndim != 1:
        return _transpose
    perm = dims_of(known)
    rank = len(perm)
    source = node.input_shapes[0]
    if (
        source is not None
        and len(source) == rank
        and sorted(axis % rank for axis in perm if -rank <= axis) == list(range(rank))
    ):
        return lambda value, _perm: value.transpose(perm)
    return lambda value, _perm: value.transpose(_check_perm(value.ndim, perm))


@numpy_kernel.make("ConjugateTranspose", view=True)
def conjugate_transpose(node: Node) -> Kernel:
    moved = transpose(node)
    if node.input_types[0].is_complex:
        return lambda value, perm: np.conjugate(moved(value, perm))
    return moved


@numpy_kernel("InvertPermutation")
def invert_permutation(perm: Any) -> Any:
    if perm.ndim != 1:
        invalid("invert_permutation expects a 1D vector.")
    size = perm.size
    out = np.full(size, -1, perm.dtype)
    if size:
        if perm.min() < 0 or perm.max() >= size:
            bad = int(perm[(perm < 0) | (perm >= size)][0])
            invalid(f"{bad} is not between 0 and {size}")
        out[perm] = np.arange(size, dtype=perm.dtype)
        if out.min() < 0:
            counts = np.bincount(perm, minlength=size)
            invalid(f"{int(np.argmax(counts > 1))} is duplicated in the input.")
    return out


# --- Reverse, ReverseV2, ReverseSequence, Roll --------------------------------------------------------------------


@numpy_kernel("Reverse", view=True)
def reverse(value: Any, flip: Any) -> Any:
    if flip.ndim != 1:
        invalid(f"'dims' must be 1-dimension, not {flip.ndim}")
    if flip.size != value.ndim:
        invalid(
            "'dims' must have the same number of values as 'input' has dimensions. "
            f"'input' has {value.ndim}'dims' has {flip.size} values"
        )
    if value.ndim and not value.shape[0]:
        invalid("Invalid input first dimension. Found 0.")
    return value[(*[slice(None, None, -1) if turned else slice(None) for turned in flip.tolist()], Ellipsis)]


def _reversal(rank: int, axes: Sequence[int]) -> tuple[Any, ...]:
    index: list[Any] = [slice(None)] * rank
    for place, axis in enumerate(axes):
        if not -rank <= axis < rank:
            invalid(f"'axis'[{place}] = {axis} is out of valid range [0, {rank - 1}")
        if index[axis].step == -1:
            invalid(f"axis {axis % rank} specified more than once.")
        index[axis] = slice(None, None, -1)
    return (*index, Ellipsis)


@numpy_kernel.make("ReverseV2", view=True)
def reverse_v2(node: Node) -> Kernel:
    known, source = node.constant(1), node.input_shapes[0]
    if known is not None and known.ndim == 1 and source is not None:
        rank = len(source)
        axes = dims_of(known)
        if all(-rank <= axis < rank for axis in axes) and len({axis % rank for axis in axes}) == len(axes):
            index = _reversal(rank, axes)
            return lambda value, axis: value[index]

    def kernel(value: Any, axis: Any) -> Any:
        if axis.ndim != 1:
            invalid(f"'dims' must be 1-dimension, not {axis.ndim}")
        return value[_reversal(value.ndim, dims_of(axis))] if value.size and value.ndim else value

    return kernel


@numpy_kernel.make("ReverseSequence")
def reverse_sequence(node: Node) -> Kernel:
    seq, batch = node.attrs["seq_dim"], node.attrs["batch_dim"]

    def kernel(value: Any, lengths: Any) -> Any:
        rank = value.ndim
        if lengths.ndim != 1:
            invalid(f"seq_lengths must be 1-dim, not {lengths.ndim}")
        if batch < 0:
            invalid(f"Invalid batch_dim {batch}")
        if seq < 0:
            invalid(f"Invalid seq_dim {seq}")
        if batch == seq:
            invalid(f"batch_dim == seq_dim == {seq}")
        if not seq < rank:
            invalid(f"seq_dim must be < input rank ( {seq} vs. {rank})")
        if not batch < rank:
            invalid(f"batch_dim must be < input rank ( {batch} vs. {rank})")
        count, size = value.shape[batch], value.shape[seq]
        if lengths.size != count:
            invalid(f"Length of seq_lengths != input.dims({batch}), ({lengths.size} vs. {count})")
        if lengths.size and (lengths.min() < 0 or lengths.max() > size):
            bad = int(np.argmax((lengths < 0) | (lengths > size)))
            if lengths[bad] < 0:
                invalid(f"seq_lens({bad}) < 0")
            invalid(f"seq_lens({bad}) > input.dims({seq})")
        places = np.arange(size)
        rows = lengths[:, None].astype(np.int64)
        source = np.where(places < rows, rows - 1 - places, places)  # [batch, seq]
        moved = value.transpose([batch, seq, *[axis for axis in range(rank) if axis not in (batch, seq)]])
        out = np.empty_like(value)
        out.transpose([batch, seq, *[axis for axis in range(rank) if axis not in (batch, seq)]])[...] = moved[
            np.arange(count)[:, None], source
        ]
        return out

    return kernel


@numpy_kernel("Roll")
def roll(value: Any, shift: Any, axis: Any) -> Any:
    if value.ndim < 1:
        invalid("input must be 1-D or higher")
    if shift.ndim > 1:
        invalid(f"shift must be a scalar or a 1-D vector. Found: {text(shift.shape)}")
    if axis.ndim > 1:
        invalid(f"axis must be a scalar or a 1-D vector. Found: {text(axis.shape)}")
    if shift.shape != axis.shape:
        invalid("shift and axis must have the same size")
    rank = value.ndim
    axes = axis.reshape(-1).tolist()
    for at in axes:
        if not -rank <= at < rank:
            invalid(f"axis {at + rank if at < 0 else at} is out of range")
    return np.roll(value, shift.reshape(-1).tolist(), axes) if axes else value.copy()


# --- space, batch, depth ------------------------------------------------------------------------------------------


def _blocks(value: Any, block: Any, pads: Any, what: str) -> tuple[list[int], list[list[int]]]:
    if block.ndim != 1:
        invalid(f"block_shape must be 1-D: {text(block.shape)}")
    blocks, pairs = block.tolist(), pads.tolist()
    count = len(blocks)
    if value.ndim < 1 + count:
        invalid(f"input rank should be >= {1 + count} instead of {value.ndim}")
    if pads.shape != (count, 2):
        invalid(f"{what} should have shape [{count}, 2] instead of {text(pads.shape)}")
    for i, size in enumerate(blocks):
        if size < 1:
            invalid(f"block_shape values must be positive, got block_shape[{i}] = {size}")
    for before, after in pairs:
        if before < 0 or after < 0:
            invalid(f"{what.capitalize()} must be non-negative")
    return blocks, pairs


def space_to_batch(value: Any, blocks: list[int], pads: list[list[int]]) -> Any:
    """Cuts padded space [batch, *space, ...] into blocks, whose places become the outer part of the batch."""
    count = len(blocks)
    space = value.shape[1 : 1 + count]
    padded = [size + before + after for size, (before, after) in zip(space, pads, strict=True)]
    for axis, (size, block) in enumerate(zip(padded, blocks, strict=True)):
        if size % block:
            invalid(f"padded_shape[{axis}]={size} is not divisible by block_shape[{axis}]={block}")
    if padded != list(space):
        wide = np.zeros((value.shape[0], *padded, *value.shape[1 + count :]), value.dtype)
        wide[(slice(None), *[slice(b, b + size) for size, (b, _) in zip(space, pads, strict=True)])] = value
        value = wide
    batch, rest = value.shape[0], value.shape[1 + count :]
    split: list[int] = [batch]
    for size, block in zip(padded, blocks, strict=True):
        split += (size // block, block)
    cut = value.reshape((*split, *rest))
    inner = [2 * i + 2 for i in range(count)]
    outer = [2 * i + 1 for i in range(count)]
    moved = cut.transpose([*inner, 0, *outer, *range(1 + 2 * count, cut.ndim)])
    shape = (batch * math.prod(blocks), *[size // block for size, block in zip(padded, blocks, strict=True)], *rest)
    return np.array(moved.reshape(shape))


def batch_to_space(value: Any, blocks: list[int], crops: list[list[int]]) -> Any:
    """The inverse of `space_to_batch`, and crops what was padded."""
    count = len(blocks)
    factor = math.prod(blocks)
    if value.shape[0] % factor:
        invalid(f"Input batch dimension ({value.shape[0]}) is not divisible by product of block sizes ({factor})")
    batch, space, rest = value.shape[0] // factor, value.shape[1 : 1 + count], value.shape[1 + count :]
    cut = value.reshape((*blocks, batch, *space, *rest))
    order = [count]
    for i in range(count):
        order += (count + 1 + i, i)
    moved = cut.transpose([*order, *range(1 + 2 * count, cut.ndim)])
    sizes = [size * block for size, block in zip(space, blocks, strict=True)]
    for axis, (size, (before, after)) in enumerate(zip(sizes, crops, strict=True)):
        if before + after > size:
            invalid(f"cropped_shape[{axis}]={size - before - after} must be non-negative")
    whole = moved.reshape((batch, *sizes, *rest))
    if any(before or after for before, after in crops):
        return whole[(slice(None), *[slice(b, s - a) for s, (b, a) in zip(sizes, crops, strict=True)])].copy()
    return np.array(whole) if whole.base is value or whole is value else whole


@numpy_kernel("SpaceToBatchND")
def space_to_batch_nd(value: Any, block: Any, pads: Any) -> Any:
    return space_to_batch(value, *_blocks(value, block, pads, "paddings"))


@numpy_kernel("BatchToSpaceND")
def batch_to_space_nd(value: Any, block: Any, crops: Any) -> Any:
    return batch_to_space(value, *_blocks(value, block, crops, "crops"))


def _square(node: Node, value: Any, pads: Any, what: str) -> tuple[list[int], list[list[int]]]:
    if value.ndim != 4:
        invalid(f"Input rank should be: 4instead of: {value.ndim}")
    return _blocks(value, np.array([node.attrs["block_size"]] * 2), pads, what)


@numpy_kernel.make("SpaceToBatch")
def space_to_batch_square(node: Node) -> Kernel:
    return lambda value, pads: space_to_batch(value, *_square(node, value, pads, "paddings"))


@numpy_kernel.make("BatchToSpace")
def batch_to_space_square(node: Node) -> Kernel:
    return lambda value, crops: batch_to_space(value, *_square(node, value, crops, "crops"))


@numpy_kernel.make("SpaceToDepth")
def space_to_depth(node: Node) -> Kernel:
    block, layout = node.attrs["block_size"], node.attrs["data_format"]

    def kernel(value: Any) -> Any:
        if value.ndim != (5 if layout == b"NCHW_VECT_C" else 4):
            invalid(f"Input rank should be {5 if layout == b'NCHW_VECT_C' else 4} instead of {value.ndim}")
        height, width = value.shape[1:3] if layout == b"NHWC" else value.shape[2:4]
        if height % block or width % block:
            invalid(f"Image width {width} and height {height} should be divisible by block_size: {block}")
        h, w = height // block, width // block
        if layout == b"NHWC":
            n, _, _, c = value.shape
            cut = value.reshape(n, h, block, w, block, c).transpose(0, 1, 3, 2, 4, 5)
            return np.array(cut.reshape(n, h, w, block * block * c))
        if layout == b"NCHW":
            n, c = value.shape[:2]
            cut = value.reshape(n, c, h, block, w, block).transpose(0, 3, 5, 1, 2, 4)
            return np.array(cut.reshape(n, block * block * c, h, w))
        n, c, _, _, lanes = value.shape
        cut = value.reshape(n, c, h, block, w, block, lanes).transpose(0, 3, 5, 1, 2, 4, 6)
        return np.array(cut.reshape(n, block * block * c, h, w, lanes))

    return kernel


@numpy_kernel.make("DepthToSpace")
def depth_to_space(node: Node) -> Kernel:
    block, layout = node.attrs["block_size"], node.attrs["data_format"]
    lanes = layout == b"NCHW_VECT_C"

    def kernel(value: Any) -> Any:
        if value.ndim != (5 if lanes else 4):
            invalid(f"Input rank should be: {5 if lanes else 4} instead of: {value.ndim}")
        depth = value.shape[3] if layout == b"NHWC" else value.shape[1] * (4 if lanes else 1)
        if depth % (block * block):
            invalid(f"Input depth dimension {depth} should be divisible by: {block * block}")
        if layout == b"NHWC":
            n, h, w, d = value.shape
            c = d // (block * block)
            cut = value.reshape(n, h, w, block, block, c).transpose(0, 1, 3, 2, 4, 5)
            return np.array(cut.reshape(n, h * block, w * block, c))
        n, d, h, w = value.shape[:4]
        c = d // (block * block)
        cut = value.reshape(n, block, block, c, h, w, *value.shape[4:])
        order = [0, 3, 4, 1, 5, 2, *range(6, cut.ndim)]
        return np.array(cut.transpose(order).reshape(n, c, h * block, w * block, *value.shape[4:]))

    return kernel


# --- Bitcast ------------------------------------------------------------------------------------------------------


@numpy_kernel.make("Bitcast", view=True)
def bitcast(node: Node) -> Kernel:
    source, target = node.input_types[0].np, node.output_types[0].np
    if source.itemsize == target.itemsize:
        return lambda value: value.view(target)
    if source.itemsize > target.itemsize:
        ratio = source.itemsize // target.itemsize
        return lambda value: np.ascontiguousarray(value).reshape(-1).view(target).reshape((*value.shape, ratio))
    ratio = target.itemsize // source.itemsize

    def kernel(value: Any) -> Any:
        if not value.ndim or value.shape[-1] != ratio:
            invalid(f"Cannot bitcast from {node.input_types[0].enum} to {node.output_types[0].enum}")
        return np.ascontiguousarray(value).reshape(-1).view(target).reshape(value.shape[:-1])

    return kernel
