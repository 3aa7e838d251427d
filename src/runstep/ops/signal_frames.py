"""Signals cut into frames that overlap, and put together again: `tf.signal.frame`, `tf.signal.overlap_and_add`."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.arithmetic import maximum
from runstep.ops.creation import range as range_, zeros
from runstep.ops.indexing import gather
from runstep.ops.joining import concat, pad, stack
from runstep.ops.rearranging import transpose
from runstep.ops.reduction import reduce_prod, reduce_sum
from runstep.ops.shape_ops import expand_dims, rank as rank_of, reshape, shape as shape_of

__all__ = ["frame", "overlap_and_add", "size_of"]


def size_of(tensor: Tensor, axis: int) -> Any:
    """The size of an axis: a number where the graph knows it, else a scalar tensor."""
    raw = tensor.raw_shape
    known = None if raw is None else raw[axis]
    return shape_of(tensor)[axis] if known is None else known


def known_or(tensor: Tensor) -> Any:
    """The number that a scalar tensor is known to be, else the tensor."""
    value = constant_value(tensor)
    return tensor if value is None else int(value)


def pad_inner(value: Tensor, paddings: list[list[Any]]) -> Tensor:
    """Zeros before and behind the last axes."""
    inner = len(paddings)
    if value.raw_shape is not None:
        return pad(value, [[0, 0]] * (len(value.raw_shape) - inner) + paddings)
    outer = zeros(stack([rank_of(value) - inner, 2]), dtypes.int32)
    return pad(value, concat([outer, paddings], 0))


def at_least_zero(size: Any) -> Any:
    """`size`, 0 where it is negative."""
    return max(0, size) if isinstance(size, int) else maximum(0, size)


def frame(
    signal: TensorLike,
    frame_length: TensorLike,
    frame_step: TensorLike,
    pad_end: bool = False,
    pad_value: Any = 0,
    axis: Any = -1,
    name: str | None = None,
) -> Tensor:
    """Cuts `axis` of a signal into frames: [..., samples, ...] -> [..., frames, frame_length, ...].

    Source: `tf.signal.frame`.

    Args:
      frame_length, frame_step: scalars, in samples: how long a frame is, and how far from the one before.
      pad_end: also frames that begin in the signal and end after it, filled up with `pad_value`.
    """
    with name_scope(name, "frame", [signal, frame_length, frame_step, pad_value]):
        signal = convert_to_tensor(signal, name="signal")
        length = convert_to_tensor(frame_length, name="frame_length")
        step = convert_to_tensor(frame_step, name="frame_step")
        signal.get_shape().with_rank_at_least(1)
        for scalar in (length, step):
            scalar.get_shape().assert_has_rank(0)
        axis = known_or(convert_to_tensor(axis, name="axis"))
        if signal.raw_shape is None:
            return _framed_axis_of_any(signal, length, step, pad_end, pad_value, axis)
        if not isinstance(axis, int):
            raise ValueError("frame needs to know `axis` when the graph is built.")
        axis = range(len(signal.raw_shape))[axis]
        return _framed(signal, known_or(length), known_or(step), pad_end, pad_value, axis)


def _framed(signal: Tensor, length: Any, step: Any, pad_end: bool, pad_value: Any, axis: int) -> Tensor:
    samples = size_of(signal, axis)
    if pad_end:
        pad_value = convert_to_tensor(pad_value, signal.dtype, name="pad_value")
        count = at_least_zero(-(-samples // step))
        behind = at_least_zero(length + step * (count - 1) - samples)
        rank = len(signal.raw_shape or ())
        paddings = [[0, 0]] * axis + [[0, behind]] + [[0, 0]] * (rank - axis - 1)
        signal = pad(signal, paddings, constant_values=pad_value)
    else:
        count = at_least_zero(1 + (samples - length) // step)
    starts = expand_dims(range_(count), 1) * step
    return gather(signal, starts + expand_dims(range_(length), 0), axis=axis)


def _framed_axis_of_any(signal: Tensor, length: Any, step: Any, pad_end: bool, pad_value: Any, axis: Any) -> Tensor:
    """As `_framed`, of a signal of unknown rank: as one of three axes, those before and behind joined."""
    dims = shape_of(signal)
    axis = axis % rank_of(signal) if not isinstance(axis, int) or axis < 0 else axis
    outer, inner = dims[:axis], dims[axis + 1 :]
    joined = reshape(signal, concat([reduce_prod(outer)[None], dims[axis][None], reduce_prod(inner)[None]], 0))
    found = _framed(joined, known_or(length), known_or(step), pad_end, pad_value, 1)
    return reshape(found, concat([outer, shape_of(found)[1:3], inner], 0))


def overlap_and_add(signal: TensorLike, frame_step: TensorLike, name: str | None = None) -> Tensor:
    """Adds up frames where they overlap: [..., frames, length] -> [..., (frames - 1) * frame_step + length].

    Source: `tf.signal.overlap_and_add`.

    Args:
      frame_step: an integer scalar: how far each frame begins from the one before.
    """
    with name_scope(name, "overlap_and_add", [signal, frame_step]):
        signal = convert_to_tensor(signal, name="signal")
        signal.get_shape().with_rank_at_least(2)
        step_tensor = convert_to_tensor(frame_step, name="frame_step")
        step_tensor.get_shape().assert_has_rank(0)
        if not step_tensor.dtype.is_integer:
            raise ValueError(f"frame_step must be an integer. Got {step_tensor.dtype}")
        step = known_or(step_tensor)
        frames, length = size_of(signal, -2), size_of(signal, -1)
        parts = -(-length // step)
        outer = _outer_sizes(signal)
        # Frame i's part j belongs to block i + j: rows one block too long shift by one block each when they are joined.
        value = pad_inner(signal, [[0, parts], [0, parts * step - length]])
        value = reshape(value, _shape(outer, [frames + parts, parts, step]))
        rank = rank_of(value) if value.raw_shape is None else len(value.raw_shape)
        order = _swapped(rank)
        value = transpose(value, order)
        value = reshape(value, _shape(outer, [(frames + parts) * parts, step]))
        value = value[..., : (frames + parts - 1) * parts, :]
        value = reduce_sum(reshape(value, _shape(outer, [parts, frames + parts - 1, step])), -3)
        value = reshape(value, _shape(outer, [(frames + parts - 1) * step]))
        return value[..., : (frames - 1) * step + length]


def _outer_sizes(signal: Tensor) -> Any:
    raw = signal.raw_shape
    if raw is None:
        return shape_of(signal)[:-2]
    unknown = [place for place, size in enumerate(raw[:-2]) if size is None]
    if not unknown:
        return list(raw[:-2])
    sizes = shape_of(signal)
    return [sizes[place] if size is None else size for place, size in enumerate(raw[:-2])]


def _shape(outer: Any, inner: list[Any]) -> Any:
    if isinstance(outer, list):
        return outer + inner
    return concat([outer, stack(inner)], 0)


def _swapped(rank: Any) -> Any:
    """The axes in order, the second and third from the end swapped."""
    if isinstance(rank, int):
        return [*range(rank - 3), rank - 2, rank - 3, rank - 1]
    return concat([range_(rank - 3), stack([rank - 2, rank - 3, rank - 1])], 0)
