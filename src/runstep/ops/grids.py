"""Functions made of other ops: evenly spaced values, masks of lengths, coordinate grids, repeated elements.

They add the same nodes under the same names as TensorFlow's, which graphs and checkpoints in the wild refer to.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor
from runstep.ops.cast import cast
from runstep.ops.creation import ones, range as range_, zeros_like
from runstep.ops.joining import concat, stack, tile
from runstep.ops.selecting import boolean_mask, where_v2
from runstep.ops.shape_ops import broadcast_dynamic_shape, broadcast_to, expand_dims, reshape, shape, size
from runstep.ops.slicing import slice as slice_

__all__ = ["lin_space", "linspace", "meshgrid", "repeat", "sequence_mask"]


def linspace(start: Any, stop: Any, num: Any, name: str | None = None, axis: int = 0) -> Tensor:
    """`num` evenly spaced values from `start` to `stop`, both included, along a new `axis`. Mirrors `tf.linspace`.

    start and stop are floating point numbers or tensors, broadcast against each other.
    """
    with name_scope(name, "linspace", [start, stop]):
        start = convert_to_tensor(start, name="start")
        stop = convert_to_tensor(stop, name="stop", dtype=start.dtype)
        count = apply("Cast", convert_to_tensor(num, name="num"), DstT=dtypes.int32)
        apply("Cast", count, DstT=start.dtype)
        common = broadcast_dynamic_shape(shape(start), shape(stop))
        start, stop = broadcast_to(start, common), broadcast_to(stop, common)
        first, last = expand_dims(start, axis=axis), expand_dims(stop, axis=axis)
        shape_ = shape(first)
        rank = shape(shape_)[0]
        at = where_v2(axis >= 0, axis, apply("AddV2", rank, axis, name="add"))
        inner = apply("Maximum", apply("Sub", count, 2, name="sub"), 0)
        steps = apply("Maximum", apply("Sub", count, 1, name="sub"), 1)
        delta = apply("RealDiv", apply("Sub", last, first, name="sub"), cast(steps, first.dtype), name="truediv")
        end = where_v2(apply("GreaterEqual", count, 0), steps, -1)
        places = cast(range_(1, end, dtype=dtypes.int64), first.dtype)
        # The sizes are 1 everywhere but on the new axis.
        along = apply("Equal", at, range_(rank), incompatible_shape_error=True)
        places = reshape(places, where_v2(along, inner, 1))
        between = apply("AddV2", first, apply("Mul", delta, places, name="mul"), name="add")
        whole = concat((first, between, last), axis=at)
        begin = zeros_like(shape_)
        sizes = concat([shape_[0:at], reshape(count, [1]), shape_[apply("AddV2", at, 1, name="add") :]], axis=0)
        return slice_(whole, begin, sizes)


lin_space = linspace


def sequence_mask(lengths: Any, maxlen: Any = None, dtype: Any = dtypes.bool, name: str | None = None) -> Tensor:
    """Rows of `maxlen` elements (by default the longest length), the first `lengths[i]` true.

    Mirrors `tf.sequence_mask`.
    """
    with name_scope(name, "SequenceMask", [lengths, maxlen]):
        lengths = convert_to_tensor(lengths)
        if maxlen is None:
            axes = np.arange(len(lengths.raw_shape), dtype=np.int32) if lengths.raw_shape is not None else None
            longest = apply("Max", lengths, convert_to_tensor(axes) if axes is not None else _all_axes(lengths))
            maxlen = apply("Maximum", _like(0, longest), longest)
        else:
            maxlen = convert_to_tensor(maxlen)
        if maxlen.raw_shape is not None and len(maxlen.raw_shape) != 0:
            raise ValueError(
                f"Argument `maxlen` must be scalar for sequence_mask, received `maxlen` = {maxlen} "
                f"with shape '{maxlen.shape}' instead"
            )
        row = apply("Range", _like(0, maxlen), maxlen, _like(1, maxlen))
        matrix = apply("Cast", expand_dims(lengths, -1), DstT=maxlen.dtype)
        result = apply("Less", row, matrix)
        wanted = None if dtype is None else dtypes.as_dtype(dtype)
        return result if wanted is None or wanted is result.dtype else cast(result, wanted)


def _like(value: int, tensor: Tensor) -> Tensor:
    return convert_to_tensor(value, tensor.dtype.base_dtype)


def _all_axes(tensor: Tensor) -> Tensor:
    return apply("Range", 0, apply("Rank", tensor), 1, name="range")


def meshgrid(*args: Any, indexing: str = "xy", name: str = "meshgrid") -> list[Tensor]:
    """Coordinate grids of the given vectors, as `numpy.meshgrid`. Mirrors `tf.meshgrid`.

    ValueError for an `indexing` other than "xy" and "ij".
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"Argument `indexing` parameter must be either 'xy' or 'ij', got '{indexing}'")
    with name_scope(name, "meshgrid", args):
        rank = len(args)
        outputs = []
        for i, value in enumerate(args):
            sizes = [-1 if axis == i else 1 for axis in range(rank)]
            outputs.append(reshape(stack(value), sizes))
        counts = [size(value) for value in args]
        dtype = convert_to_tensor(args[0]).dtype.base_dtype if args else dtypes.float32
        if indexing == "xy" and rank > 1:
            outputs[0] = reshape(outputs[0], [1, -1] + [1] * (rank - 2))
            outputs[1] = reshape(outputs[1], [-1, 1] + [1] * (rank - 2))
            counts[0], counts[1] = counts[1], counts[0]
        if not args:
            return []
        full = ones(counts, dtype)
        return [apply("Mul", output, full, name="mul") for output in outputs]


def repeat(input: Any, repeats: Any, axis: int | None = None, name: str | None = None) -> Tensor:
    """Each element along `axis` (of the flat input by default) repeated, by one number or by one each.

    Mirrors `tf.repeat`.
    """
    if axis is None:
        input = reshape(input, [-1])
        axis = 0
    with name_scope(name, "Repeat", [input, repeats]):
        data = convert_to_tensor(input, name="data")
        repeats = apply("Cast", convert_to_tensor(repeats, name="repeats"), DstT=dtypes.int32)
        sizes = shape(data)
        raw = data.raw_shape
        if raw is None:
            raise ValueError("tf.repeat() requires data of known rank")
        rank = len(raw)
        at = axis + rank if axis < 0 else axis
        if not 0 <= at < rank:
            raise ValueError(f"Argument `axis` = {axis} not in range [{-rank}, {rank})")
        counts = repeats.raw_shape
        if counts is not None and int(np.prod([1 if n is None else n for n in counts])) == 1 and None not in counts:
            single = reshape(repeats, [])
            expanded = expand_dims(data, at + 1)
            tiled = tile(expanded, [1] * (at + 1) + [single] + [1] * (rank - at - 1))
            return reshape(tiled, concat([sizes[:at], [single * sizes[at]], sizes[at + 1 :]], 0))
        if counts is None or len(counts) != 1:
            repeats = reshape(repeats, [-1])
        repeats = broadcast_to(repeats, [sizes[at]])
        largest = apply("Max", repeats, _axis_zero())
        longest = apply("Maximum", convert_to_tensor(0, dtypes.int32, name="zero"), largest)
        mask = sequence_mask(repeats, longest)
        tiled = tile(expand_dims(data, at + 1), [1] * (at + 1) + [longest] + [1] * (rank - at - 1))
        return boolean_mask(tiled, mask, axis=at)


def _axis_zero() -> Tensor:
    return convert_to_tensor(np.zeros(1, np.int32))
