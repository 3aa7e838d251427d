"""Ops that move elements: transpose, reverse, roll, space, batch and depth, bitcast."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import dtypes, shapes
from runstep.graph.apply import apply
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.shapes import RawShape
from runstep.graph.tensor import Tensor
from runstep.ops.common import Shapes
from runstep.ops.registry import op

__all__ = [
    "batch_to_space",
    "batch_to_space_nd",
    "bitcast",
    "depth_to_space",
    "invert_permutation",
    "matrix_transpose",
    "required_space_to_batch_paddings",
    "reverse",
    "reverse_sequence",
    "reverse_v2",
    "roll",
    "space_to_batch",
    "space_to_batch_nd",
    "space_to_depth",
    "transpose",
]


# --- static shape rules -------------------------------------------------------------------------------------------


def _transpose(op: Any) -> Shapes:
    raw, perm = op.inputs[0].raw_shape, op.constant(1)
    if perm is not None:
        axes = perm.reshape(-1).tolist()
        count: int | None = len(axes)
    else:
        count = shapes.num_elements(op.inputs[1].raw_shape)
    if perm is not None:
        for axis in axes:
            if not -len(axes) <= axis < len(axes):
                raise ValueError(f"perm dim {axis} is out of range of input rank {len(axes)}")
    if raw is None:
        # One axis may also mean a scalar, which comes back unchanged.
        return [None if count is None or count < 2 else (None,) * count]
    rank = len(raw)
    if count is not None and count != rank:
        raise ValueError(f"Dimension must be {rank} but is {count}")
    if perm is None:
        return [(None,) * rank]
    return [tuple([raw[axis] for axis in axes])]


def _invert_permutation(op: Any) -> Shapes:
    return [shapes.with_rank(op.inputs[0].raw_shape, 1)]


def _reverse(op: Any) -> Shapes:
    raw, flags = op.inputs[0].raw_shape, shapes.with_rank(op.inputs[1].raw_shape, 1)
    if raw is not None and len(raw) > 8:
        raise ValueError("reverse does not work on tensors with more than 8 dimensions")
    if flags[0] is not None:
        raw = shapes.with_rank(raw, flags[0])
    return [raw]


def _reverse_v2(op: Any) -> Shapes:
    raw = op.inputs[0].raw_shape
    shapes.with_rank(op.inputs[1].raw_shape, 1)
    axes = op.constant(1)
    if axes is None:
        return [raw]
    rank = None if raw is None else len(raw)
    if rank is not None:
        if rank > 8:
            raise ValueError("reverse does not work on tensors with more than 8 dimensions")
        seen: set[int] = set()
        for axis in axes.tolist():
            if not -rank <= axis < rank:
                raise ValueError(f"'axis'[{len(seen)}] = {axis} is out of valid range [-{rank}, {rank - 1}]")
            if axis % rank in seen:
                raise ValueError(f"axis {axis % rank} specified more than once.")
            seen.add(axis % rank)
    return [raw]


def _reverse_sequence(op: Any) -> Shapes:
    raw, lengths = op.inputs[0].raw_shape, shapes.with_rank(op.inputs[1].raw_shape, 1)
    seq, batch = op.attrs["seq_dim"], op.attrs["batch_dim"]
    if raw is None:
        return [None]
    if batch >= len(raw):
        raise ValueError(f"batch_dim must be < input rank: {batch} vs. {len(raw)}")
    if seq >= len(raw):
        raise ValueError(f"seq_dim must be < input rank: {seq} vs. {len(raw)}")
    size = shapes.merge_size(lengths[0], raw[batch])
    return [(*raw[:batch], size, *raw[batch + 1 :])]


def _roll(op: Any) -> Shapes:
    raw = shapes.with_rank_at_least(op.inputs[0].raw_shape, 1)
    shapes.merge(*[shapes.with_rank_at_most(tensor.raw_shape, 1) for tensor in op.inputs[1:]])
    return [raw]


def _checked_blocks(op: Any, block_index: int | None, pads_index: int) -> tuple[RawShape, list[int] | None, Any, int]:
    raw, pads = op.inputs[0].raw_shape, shapes.with_rank(op.inputs[pads_index].raw_shape, 2)
    if block_index is None:
        blocks: list[int] | None = [op.attrs["block_size"]] * 2
        raw, count = shapes.with_rank(raw, 4), 2
    else:
        block = op.inputs[block_index].raw_shape
        if block is None or len(block) != 1:
            raise ValueError("block_shape must have rank 1.")
        length = block[0]
        if length is None:
            raise ValueError("block_shape must have known size.")
        count = length
        known = op.constant(block_index)
        blocks = None if known is None else known.tolist()
        raw = shapes.with_rank_at_least(raw, count + 1)
    shapes.merge(pads, (count, 2))
    for block in blocks or ():
        if block < 1:
            raise ValueError(f"block_shape must be positive, got {block}")
    values = op.constant(pads_index)
    if values is not None:
        for before, after in values.tolist():
            if before < 0 or after < 0:
                raise ValueError(
                    "paddings cannot be negative" if "SpaceToBatch" in op.type else "crops cannot be negative"
                )
    return raw, blocks, None if values is None else values.tolist(), count


def _space_to_batch(op: Any, block_index: int | None = 1, pads_index: int = 2) -> Shapes:
    raw, blocks, pads, count = _checked_blocks(op, block_index, pads_index)
    if raw is None:
        return [None]
    factor: int | None = None if blocks is None else int(np.prod(blocks, dtype=np.int64))
    batch = None if raw[0] is None or factor is None else raw[0] * factor
    sizes: list[int | None] = []
    for axis in range(count):
        size = raw[1 + axis]
        if size is None or blocks is None or pads is None:
            sizes.append(None)
            continue
        size += sum(pads[axis])
        if size % blocks[axis]:
            raise ValueError(f"Dimension size must be evenly divisible by {blocks[axis]} but is {size}")
        sizes.append(size // blocks[axis])
    return [(batch, *sizes, *raw[1 + count :])]


def _batch_to_space(op: Any, block_index: int | None = 1, pads_index: int = 2) -> Shapes:
    raw, blocks, crops, count = _checked_blocks(op, block_index, pads_index)
    if raw is None:
        return [None]
    batch = raw[0]
    if blocks is None:
        batch = None
    elif batch is not None:
        factor = int(np.prod(blocks, dtype=np.int64))
        if batch % factor:
            raise ValueError(f"Dimension size must be evenly divisible by {factor} but is {batch}")
        batch //= factor
    sizes: list[int | None] = []
    for axis in range(count):
        size = raw[1 + axis]
        if size is None or blocks is None or crops is None:
            sizes.append(None)
            continue
        before, after = crops[axis]
        size = size * blocks[axis] - before - after
        if size < 0:
            raise ValueError(
                f"Negative dimension size caused by subtracting {before + after} from {size + before + after}"
            )
        sizes.append(size)
    return [(batch, *sizes, *raw[1 + count :])]


def _space_to_batch_square(op: Any) -> Shapes:
    return _space_to_batch(op, None, 1)


def _batch_to_space_square(op: Any) -> Shapes:
    return _batch_to_space(op, None, 1)


def _axes(op: Any) -> tuple[tuple[int | None, ...], int, int, int, int]:
    """The input's sizes, the axes of height, width and channels, and the block size."""
    layout = op.attrs["data_format"]
    raw = shapes.with_rank(op.inputs[0].raw_shape, 5 if layout == b"NCHW_VECT_C" else 4)
    return (raw, 1, 2, 3, op.attrs["block_size"]) if layout == b"NHWC" else (raw, 2, 3, 1, op.attrs["block_size"])


def _divided(size: int | None, by: int) -> int | None:
    if size is not None and size % by:
        raise ValueError(f"Dimension size must be evenly divisible by {by} but is {size}")
    return None if size is None else size // by


def _times(size: int | None, by: int) -> int | None:
    return None if size is None else size * by


def _space_to_depth(op: Any) -> Shapes:
    raw, height, width, channels, block = _axes(op)
    sizes = list(raw)
    sizes[height], sizes[width] = _divided(raw[height], block), _divided(raw[width], block)
    sizes[channels] = _times(raw[channels], block * block)
    return [tuple(sizes)]


def _depth_to_space(op: Any) -> Shapes:
    raw, height, width, channels, block = _axes(op)
    sizes = list(raw)
    sizes[height], sizes[width] = _times(raw[height], block), _times(raw[width], block)
    sizes[channels] = _divided(raw[channels], block * block)
    return [tuple(sizes)]


def _bitcast(op: Any) -> Shapes:
    raw = op.inputs[0].raw_shape
    source, target = op.inputs[0].dtype.base_dtype.size, op.attrs["type"].size
    if raw is None or source == target:
        return [raw]
    if source > target:
        return [(*raw, source // target)]
    ratio = target // source
    shapes.with_rank_at_least(raw, 1)
    if raw[-1] is not None and raw[-1] != ratio:
        raise ValueError(f"Dimension must be {ratio} but is {raw[-1]}")
    return [raw[:-1]]


_REVERSIBLE = (
    "T: {uint8, int8, uint16, int16, %s, bool, bfloat16, float16, float32, float64, complex64, complex128, string}"
)
_LAYOUT = "data_format: {'NHWC', 'NCHW', 'NCHW_VECT_C'} = 'NHWC'"

for _name in ("Transpose", "ConjugateTranspose"):
    op(_name, "x: T, perm: Tperm -> y: T", "T: type", "Tperm: {int32, int64} = int32", shape=_transpose)
op("InvertPermutation", "x: T -> y: T", "T: {int32, int64} = int32", shape=_invert_permutation)
op(
    "Reverse",
    "tensor: T, dims: bool -> output: T",
    _REVERSIBLE % "uint32, int32, uint64, int64",
    shape=_reverse,
)
op(
    "ReverseV2",
    "tensor: T, axis: Tidx -> output: T",
    "Tidx: {int32, int64} = int32",
    _REVERSIBLE % "int32, uint32, int64, uint64",
    shape=_reverse_v2,
)
op(
    "ReverseSequence",
    "input: T, seq_lengths: Tlen -> output: T",
    "seq_dim: int",
    "batch_dim: int = 0",
    "T: type",
    "Tlen: {int32, int64} = int64",
    shape=_reverse_sequence,
)
op(
    "Roll",
    "input: T, shift: Tshift, axis: Taxis -> output: T",
    "T: type",
    "Tshift: {int32, int64}",
    "Taxis: {int32, int64}",
    shape=_roll,
)
op(
    "SpaceToBatchND",
    "input: T, block_shape: Tblock_shape, paddings: Tpaddings -> output: T",
    "T: type",
    "Tblock_shape: {int32, int64} = int32",
    "Tpaddings: {int32, int64} = int32",
    shape=_space_to_batch,
)
op(
    "BatchToSpaceND",
    "input: T, block_shape: Tblock_shape, crops: Tcrops -> output: T",
    "T: type",
    "Tblock_shape: {int32, int64} = int32",
    "Tcrops: {int32, int64} = int32",
    shape=_batch_to_space,
)
op(
    "SpaceToBatch",
    "input: T, paddings: Tpaddings -> output: T",
    "T: type",
    "Tpaddings: {int32, int64} = int32",
    "block_size: int >= 2",
    shape=_space_to_batch_square,
)
op(
    "BatchToSpace",
    "input: T, crops: Tidx -> output: T",
    "T: type",
    "block_size: int >= 2",
    "Tidx: {int32, int64} = int32",
    shape=_batch_to_space_square,
)
op("SpaceToDepth", "input: T -> output: T", "T: type", "block_size: int >= 2", _LAYOUT, shape=_space_to_depth)
op("DepthToSpace", "input: T -> output: T", "T: type", "block_size: int >= 2", _LAYOUT, shape=_depth_to_space)
op("Bitcast", "input: T -> output: type", "T: numbertype", "type: numbertype", shape=_bitcast)


# --- user functions -----------------------------------------------------------------------------------------------


def transpose(a: Any, perm: Any = None, name: str = "transpose", conjugate: bool = False) -> Tensor:
    """`a` with its axes in the order `perm`, by default reversed. Mirrors `tf.compat.v1.transpose`."""
    with name_scope(name, "transpose", [a]) as scope:
        a = convert_to_tensor(a, name="a")
        kind = "ConjugateTranspose" if conjugate and a.dtype.is_complex else "Transpose"
        if perm is None:
            raw = a.raw_shape
            if raw is not None:
                perm = np.arange(len(raw) - 1, -1, -1, dtype=np.int32)
            else:
                rank = apply("Rank", a)
                perm = apply("Range", apply("Sub", rank, 1, name="sub"), -1, -1)
        return apply(kind, a, perm, name=scope)


def matrix_transpose(a: Any, name: str = "matrix_transpose", conjugate: bool = False) -> Tensor:
    """`a` with its last two axes swapped. Mirrors `tf.linalg.matrix_transpose`; ValueError for a vector."""
    from runstep.ops.joining import concat
    from runstep.ops.shape_ops import rank

    with name_scope(name):
        a = convert_to_tensor(a, name="a")
        raw = a.raw_shape
        if raw is not None:
            if len(raw) < 2:
                raise ValueError(
                    f"Argument `a` should be a (batch) matrix with rank >= 2.  Received `a` = {a} with shape: {a.shape}"
                )
            count = len(raw)
            perm: Any = [*range(count - 2), count - 1, count - 2]
        else:
            count_ = rank(a)
            lead = apply("Range", 0, apply("Sub", count_, 2, name="sub"), 1)
            last = apply("Sub", count_, 1, name="sub")
            perm = concat((lead, [last, apply("Sub", count_, 2, name="sub")]), 0)
        return transpose(a, perm=perm, conjugate=conjugate)


def invert_permutation(x: Any, name: str | None = None) -> Tensor:
    """The permutation that undoes the permutation `x`. Mirrors `tf.math.invert_permutation`."""
    return apply("InvertPermutation", x, name=name)


def reverse(tensor: Any, axis: Any, name: str | None = None) -> Tensor:
    """`tensor` turned around along each of `axis`. Mirrors `tf.reverse`."""
    return apply("ReverseV2", tensor, axis, name=name)


reverse_v2 = reverse


def reverse_sequence(
    input: Any,
    seq_lengths: Any,
    seq_axis: int | None = None,
    batch_axis: int | None = None,
    name: str | None = None,
    seq_dim: int | None = None,
    batch_dim: int | None = None,
) -> Tensor:
    """The first `seq_lengths[i]` elements along `seq_axis` of each slice turned around.

    Mirrors `tf.compat.v1.reverse_sequence`.
    """
    seq = seq_axis if seq_axis is not None else seq_dim
    batch = batch_axis if batch_axis is not None else batch_dim
    return apply("ReverseSequence", input, seq_lengths, seq_dim=seq, batch_dim=0 if batch is None else batch, name=name)


def roll(input: Any, shift: Any, axis: Any, name: str | None = None) -> Tensor:
    """`input` shifted along `axis`; what falls off comes in at the other end. Mirrors `tf.roll`."""
    return apply("Roll", input, shift, axis, name=name)


def space_to_batch_nd(input: Any, block_shape: Any, paddings: Any, name: str | None = None) -> Tensor:
    """Blocks of space moved into the batch. Mirrors `tf.compat.v1.space_to_batch_nd`."""
    return apply("SpaceToBatchND", input, block_shape, paddings, name=name)


def batch_to_space_nd(input: Any, block_shape: Any, crops: Any, name: str | None = None) -> Tensor:
    """The inverse of `space_to_batch_nd`. Mirrors `tf.compat.v1.batch_to_space_nd`."""
    return apply("BatchToSpaceND", input, block_shape, crops, name=name)


def space_to_batch(
    input: Any, paddings: Any, block_size: int | None = None, name: str | None = None, block_shape: Any = None
) -> Tensor:
    """`space_to_batch_nd` with square blocks. Mirrors `tf.compat.v1.space_to_batch`."""
    size = block_size if block_size is not None else block_shape
    result = space_to_batch_nd(input, np.array([size, size], np.int64), paddings, name=name)
    result.set_shape((None,) * 4)
    return result


def batch_to_space(
    input: Any, crops: Any, block_size: int | None = None, name: str | None = None, block_shape: Any = None
) -> Tensor:
    """`batch_to_space_nd` with square blocks. Mirrors `tf.compat.v1.batch_to_space`."""
    size = block_size if block_size is not None else block_shape
    result = batch_to_space_nd(input, np.array([size, size], np.int64), crops, name=name)
    result.set_shape((None,) * 4)
    return result


def required_space_to_batch_paddings(
    input_shape: Any, block_shape: Any, base_paddings: Any = None, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """The paddings, at least `base_paddings`, that blocks divide, and the crops that undo them; both [N, 2].

    Mirrors `tf.required_space_to_batch_paddings`; ValueError for wrong shapes.
    """
    from runstep.ops.creation import zeros
    from runstep.ops.joining import stack

    with name_scope(name, "required_space_to_batch_paddings", [input_shape, block_shape]):
        input_shape = convert_to_tensor(input_shape, dtypes.int32, name="input_shape")
        block_shape = convert_to_tensor(block_shape, dtypes.int32, name="block_shape")
        if block_shape.raw_shape is None or len(block_shape.raw_shape) != 1 or block_shape.raw_shape[0] is None:
            raise ValueError(f"Argument `block_shape` must be a vector of known size, got shape {block_shape.shape}")
        count = block_shape.raw_shape[0]
        if count == 0:
            return zeros([0, 2], dtypes.int32), zeros([0, 2], dtypes.int32)
        input_shape.get_shape().assert_is_compatible_with([count])
        if base_paddings is not None:
            base_paddings = convert_to_tensor(base_paddings, dtypes.int32, name="base_paddings")
            base_paddings.get_shape().assert_is_compatible_with([count, 2])
        else:
            base_paddings = zeros([count, 2], dtypes.int32)
        known = [constant_value(tensor) for tensor in (input_shape, block_shape, base_paddings)]
        if all(value is not None for value in known):
            size, block, base = (np.asarray(value) for value in known)
            start, end = base[:, 0], base[:, 1]
            extra = (block - (size + start + end) % block) % block
            paddings: Any = np.stack([start, end + extra], 1).astype(np.int32)
            crops: Any = np.stack([np.zeros_like(extra), extra], 1).astype(np.int32)
            return convert_to_tensor(paddings, name="paddings"), convert_to_tensor(crops, name="crops")
        first, last = base_paddings[:, 0], base_paddings[:, 1]
        extra_ = (block_shape - (input_shape + first + last) % block_shape) % block_shape
        end_ = last + extra_
        paddings = stack([[first[i], end_[i]] for i in range(count)], name="paddings")
        crops = stack([[0, extra_[i]] for i in range(count)], name="crops")
        return paddings, crops


def space_to_depth(input: Any, block_size: int, name: str | None = None, data_format: str = "NHWC") -> Tensor:
    """Blocks of space moved into the channels. Mirrors `tf.compat.v1.space_to_depth`."""
    return apply("SpaceToDepth", input, block_size=block_size, data_format=data_format, name=name)


def depth_to_space(input: Any, block_size: int, name: str | None = None, data_format: str = "NHWC") -> Tensor:
    """Channels moved into blocks of space. Mirrors `tf.compat.v1.depth_to_space`."""
    return apply("DepthToSpace", input, block_size=block_size, data_format=data_format, name=name)


def bitcast(input: Any, type: Any, name: str | None = None) -> Tensor:
    """The same bytes read as another type; the last axis grows or goes with the size. Mirrors `tf.bitcast`."""
    return apply("Bitcast", input, type=dtypes.as_dtype(type), name=name)
