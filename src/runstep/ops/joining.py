"""Ops that put tensors together and take them apart: concat, pack, unpack, split, tile, pad."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runstep.graph import shapes
from runstep.graph.apply import apply
from runstep.graph.constant_value import known_shape
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.shapes import RawShape
from runstep.graph.tensor import Tensor
from runstep.ops.common import Shapes
from runstep.ops.registry import op

__all__ = ["concat", "pad", "parallel_stack", "split", "stack", "tile", "unstack"]


# --- static shape rules -------------------------------------------------------------------------------------------


def joined(op: Any, tensors: Sequence[Tensor], axis_index: int) -> Shapes:
    shapes.with_rank(op.inputs[axis_index].raw_shape, 0)
    value = op.constant(axis_index)
    first = tensors[0].raw_shape
    if value is None:
        # All ranks are the same; nothing is known of any size, as any axis may be the one.
        rank = next((len(t.raw_shape) for t in tensors if t.raw_shape is not None), None)
        if rank is None:
            return [None]
        if rank == 0:
            raise ValueError("Can't concatenate scalars (use tf.stack instead)")
        for tensor in tensors:
            shapes.with_rank(tensor.raw_shape, rank)
        return [(None,) * rank]
    axis = int(value)
    least = axis + 1 if axis >= 0 else -axis
    if first is None or len(first) < least or any(t.raw_shape is None for t in tensors):
        for tensor in tensors:
            if tensor.raw_shape is not None and len(tensor.raw_shape) < max(least, 1):
                if len(tensor.raw_shape) == 0:
                    raise ValueError("Can't concatenate scalars (use tf.stack instead)")
                raise ValueError(f"Shape must be at least rank {least} but is rank {len(tensor.raw_shape)}")
        first = next((t.raw_shape for t in tensors if t.raw_shape is not None), None)
        if first is None:
            return [None]
    rank = len(first)
    axis %= rank
    before: RawShape = None
    after: RawShape = None
    total: int | None = 0
    for i, tensor in enumerate(tensors):
        raw = tensor.raw_shape
        if raw is None:
            total = None
            continue
        if len(raw) != rank:
            raise ValueError(
                f"Shapes must be equal rank, but are {rank} and {len(raw)}: {shapes.text(first)} and "
                f"{shapes.text(raw)}. From merging shape {i - 1} with other shapes."
            )
        try:
            before, after = shapes.merge(before, raw[:axis]), shapes.merge(after, raw[axis + 1 :])
        except ValueError as error:
            raise ValueError(f"{error} From merging shape {i - 1} with other shapes.") from None
        size = raw[axis]
        total = None if total is None or size is None else total + size
    return [(*(before or ()), total, *(after or ()))]


def _concat_v2(op: Any) -> Shapes:
    return joined(op, op.inputs[:-1], len(op.inputs) - 1)


def _concat(op: Any) -> Shapes:
    return joined(op, op.inputs[1:], 0)


def _concat_offset(op: Any) -> Shapes:
    return [tensor.raw_shape for tensor in op.inputs[1:]]


def _pack(op: Any) -> Shapes:
    raw = op.inputs[0].raw_shape
    for i, tensor in enumerate(op.inputs[1:]):
        other = tensor.raw_shape
        if other != raw:
            try:
                raw = shapes.merge(raw, other)
            except ValueError as error:
                raise ValueError(f"{error} From merging shape {i} with other shapes.") from None
    if raw is None:
        return [None]
    rank, axis = len(raw) + 1, op.attrs["axis"]
    if not -rank <= axis < rank:
        raise ValueError(f"axis must be in [{-rank}, {rank}), but got {axis}: Invalid axis")
    if axis < 0:
        axis += rank
    return [(*raw[:axis], len(op.inputs), *raw[axis:])]


def _unpack(op: Any) -> Shapes:
    raw, num = op.inputs[0].raw_shape, op.attrs["num"]
    if raw is None:
        return [None] * num
    rank, axis = len(raw), op.attrs["axis"]
    if not -rank <= axis < rank:
        raise ValueError(f"axis must be in [{-rank}, {rank}), but got {axis}: Invalid axis")
    axis %= rank
    if raw[axis] is not None and raw[axis] != num:
        raise ValueError(f"Dimension must be {num} but is {raw[axis]}")
    return [raw[:axis] + raw[axis + 1 :]] * num


def _axis_of(op: Any, index: int, raw: RawShape) -> int | None:
    """The split axis, counted from the front; None while it or the rank is unknown."""
    shapes.with_rank(op.inputs[index].raw_shape, 0)
    value = op.constant(index)
    if value is None:
        return None
    axis = int(value)
    if raw is None:
        return None
    rank = len(raw)
    if not -rank <= axis < rank:
        least = axis + 1 if axis >= 0 else -axis
        raise ValueError(f"Shape must be at least rank {least} but is rank {rank}")
    return axis % rank


def _split(op: Any) -> Shapes:
    raw, num = op.inputs[1].raw_shape, op.attrs["num_split"]
    axis = _axis_of(op, 0, raw)
    if raw is None:
        return [None] * num
    if axis is None:
        return [(None,) * len(raw)] * num
    size = raw[axis]
    if size is not None and size % num:
        raise ValueError(f"Dimension size must be evenly divisible by {num} but is {size}")
    part = None if size is None else size // num
    return [(*raw[:axis], part, *raw[axis + 1 :])] * num


def _split_v(op: Any) -> Shapes:
    raw, num = op.inputs[0].raw_shape, op.attrs["num_split"]
    axis = _axis_of(op, 2, raw)
    if raw is None:
        return [None] * num
    sizes = op.constant(1)
    if axis is None:
        return [(None,) * len(raw)] * num
    if sizes is None:
        return [(*raw[:axis], None, *raw[axis + 1 :])] * num
    if sizes.size != num:
        raise ValueError(f"Length of size_splits should be equal to num_outputs: {sizes.size} vs. {num}")
    lengths: list[int | None] = sizes.tolist()
    total = raw[axis]
    known = sum(length for length in lengths if length != -1)  # type: ignore[misc]
    if lengths.count(-1) > 1:
        raise ValueError("size_splits can only have one -1")
    if total is not None and (known > total or (known < total and -1 not in lengths)):
        raise ValueError(
            "Sum of output sizes must match the size of the original Tensor along the split dimension or the sum of "
            f"the positive sizes must be less if it contains a -1: {known} vs. {total}"
        )
    if -1 in lengths:
        lengths[lengths.index(-1)] = None if total is None else total - known
    return [(*raw[:axis], length, *raw[axis + 1 :]) for length in lengths]


def _tile(op: Any) -> Shapes:
    raw, multiples = op.inputs[0].raw_shape, op.constant_shape(1)
    length = shapes.with_rank(op.inputs[1].raw_shape, 1)[0]
    if length is not None:
        raw = shapes.with_rank(raw, length)
    if raw is None:
        return [None if multiples is None else (None,) * len(multiples)]
    if multiples is None:
        multiples = (None,) * len(raw)
    if len(multiples) != len(raw):
        raise ValueError(f"Shape must be rank {len(multiples)} but is rank {len(raw)}")
    return [
        tuple(
            [
                0 if size == 0 or times == 0 else None if size is None or times is None else size * times
                for size, times in zip(raw, multiples, strict=True)
            ]
        )
    ]


def padded(op: Any) -> Shapes:
    """The input's sizes and the paddings of input 1, [rank, 2], before and after each."""
    raw, paddings = op.inputs[0].raw_shape, op.inputs[1].raw_shape
    rows, columns = shapes.with_rank(paddings, 2)
    shapes.merge_size(columns, 2)
    if rows is not None:
        raw = shapes.with_rank(raw, rows)
    elif raw is not None:
        rows = len(raw)
    if raw is None:
        return [None if rows is None else (None,) * rows]
    pads = op.constant(1)
    if pads is None:
        return [(None,) * len(raw)]
    if len(pads) != len(raw):
        raise ValueError(f"Shape must be rank {len(pads)} but is rank {len(raw)}")
    sizes: list[int | None] = []
    for size, (before, after) in zip(raw, pads.tolist(), strict=True):
        if before < 0 or after < 0:
            raise ValueError(f"Paddings must be non-negative: {before} {after}")
        sizes.append(None if size is None else size + before + after)
    return [tuple(sizes)]


def _parallel_concat(op: Any) -> Shapes:
    wanted = op.attrs["shape"]
    if wanted is None or None in wanted:
        raise ValueError("All input shapes must be fully defined.")
    for tensor in op.inputs:
        raw = tensor.raw_shape
        if raw is None or None in raw:
            raise ValueError("All input shapes must be fully defined.")
        if not raw or raw[0] != 1:
            raise ValueError("Size of first dimension must be 1.")
        if raw[1:] != wanted[1:]:
            raise ValueError(
                f"Dimensions after the first must be equal, but are {shapes.text(raw)} and {shapes.text(wanted)}"
            )
    return [wanted]


op(
    "ConcatV2",
    "values: N * T, axis: Tidx -> output: T",
    "N: int >= 2",
    "T: type",
    "Tidx: {int32, int64} = int32",
    shape=_concat_v2,
)
op("Concat", "concat_dim: int32, values: N * T -> output: T", "N: int >= 2", "T: type", shape=_concat)
op(
    "ConcatOffset",
    "concat_dim: int32, shape: N * shape_type -> offset: N * shape_type",
    "N: int >= 2",
    "shape_type: {int32, int64} = int32",
    shape=_concat_offset,
)
op(
    "ParallelConcat",
    "values: N * T -> output: T",
    "N: int >= 1",
    "T: type",
    "shape: shape",
    shape=_parallel_concat,
)
op("Pack", "values: N * T -> output: T", "N: int >= 1", "T: type", "axis: int = 0", shape=_pack)
op("Unpack", "value: T -> output: num * T", "num: int >= 0", "T: type", "axis: int = 0", shape=_unpack)
op("Split", "split_dim: int32, value: T -> output: num_split * T", "num_split: int >= 1", "T: type", shape=_split)
op(
    "SplitV",
    "value: T, size_splits: Tlen, split_dim: int32 -> output: num_split * T",
    "num_split: int >= 1",
    "T: type",
    "Tlen: {int8, int32, int64} = int64",
    shape=_split_v,
)
op("Tile", "input: T, multiples: Tmultiples -> output: T", "T: type", "Tmultiples: {int32, int64} = int32", shape=_tile)
op("Pad", "input: T, paddings: Tpaddings -> output: T", "T: type", "Tpaddings: {int32, int64} = int32", shape=padded)
op(
    "PadV2",
    "input: T, paddings: Tpaddings, constant_values: T -> output: T",
    "T: type",
    "Tpaddings: {int32, int64} = int32",
    shape=padded,
)


# --- user functions -----------------------------------------------------------------------------------------------


def concat(values: Any, axis: Any, name: str = "concat") -> Tensor:
    """`values` joined along `axis`. Mirrors `tf.concat`."""
    if not isinstance(values, list | tuple):
        values = [values]
    if len(values) == 1:
        with name_scope(name):
            axis = convert_to_tensor(axis, "int32", name="concat_dim")
            shapes.with_rank(axis.raw_shape, 0)
            return apply("Identity", values[0], name="concat")
    return apply("ConcatV2", values, axis, name=name)


def stack(values: Any, axis: int = 0, name: str = "stack") -> Tensor:
    """Tensors of one shape as the slices of a tensor of one rank more, along `axis`. Mirrors `tf.stack`.

    ValueError if `axis` is out of range.
    """
    if axis == 0:
        try:  # a list of plain numbers is a constant, one with tensors in it is packed
            return convert_to_tensor(values, name=name)
        except (TypeError, ValueError):
            pass
    parts = values if isinstance(values, list | tuple) else unstack(values)
    first = convert_to_tensor(parts[0], name="values_0") if isinstance(parts[0], Tensor) else None
    raw = first.raw_shape if first is not None else _raw_of(parts[0])
    if raw is not None:
        rank = len(raw) + 1
        if not -rank <= axis < rank:
            raise ValueError(f"Argument `axis` = {axis} not in range [{-rank}, {rank})")
    return apply("Pack", parts, axis=axis, name=name)


def _raw_of(value: Any) -> RawShape:
    if hasattr(value, "get_shape"):
        return shapes.as_raw(value.get_shape())
    try:
        import numpy as np

        return np.shape(value)
    except (TypeError, ValueError, NotImplementedError):
        return None


def parallel_stack(values: Sequence[Any], name: str = "parallel_stack") -> Tensor:
    """As `stack` along axis 0, for tensors whose shapes are known. Mirrors `tf.parallel_stack`."""
    with name_scope(name) as scope:
        first = convert_to_tensor(values[0])
        size = len(values)
        wanted = (size, *(first.raw_shape or ()))
        parts = [apply("ExpandDims", value, 0) for value in values]
        del scope
        return apply("ParallelConcat", parts, shape=wanted)


def unstack(value: Any, num: int | None = None, axis: int = 0, name: str = "unstack") -> list[Tensor]:
    """The slices of `value` along `axis`, one rank lower. Mirrors `tf.unstack`.

    ValueError if `num` is not given and the size is not known.
    """
    if num is None:
        value = convert_to_tensor(value)
        raw = value.raw_shape
        if raw is not None:
            if not -len(raw) <= axis < len(raw):
                raise ValueError(f"Argument `axis` = {axis} not in range [{-len(raw)}, {len(raw)})")
            num = raw[axis]
        if num is None:
            raise ValueError(f"Cannot infer argument `num` from shape {value.shape}")
    return apply("Unpack", value, num=num, axis=axis, name=name)


def split(
    value: Any, num_or_size_splits: Any, axis: Any = 0, num: int | None = None, name: str = "split"
) -> list[Tensor]:
    """`value` cut along `axis` into a number of equal parts, or parts of the given sizes. Mirrors `tf.split`.

    ValueError for sizes of rank 0, or of unknown number when `num` is not given.
    """
    if isinstance(num_or_size_splits, int) or hasattr(num_or_size_splits, "value"):
        count = int(num_or_size_splits)
        return apply("Split", axis, value, num_split=count, name=name)
    import numpy as np

    if isinstance(num_or_size_splits, np.integer):
        return apply("Split", axis, value, num_split=int(num_or_size_splits), name=name)
    sizes = convert_to_tensor(num_or_size_splits)
    if sizes.raw_shape == ():
        raise ValueError(
            "Rank-0 tensors are not supported as the num_or_size_splits argument to split. "
            f"Argument provided: {num_or_size_splits}"
        )
    if num is None:
        num = None if sizes.raw_shape is None else sizes.raw_shape[0]
        if num is None:
            raise ValueError(
                f"Cannot infer argument `num` from shape {sizes.shape}. Argument `num` should be provided."
            )
    return apply("SplitV", value, sizes, axis, num_split=num, name=name)


def tile(input: Any, multiples: Any, name: str | None = None) -> Tensor:
    """`input` repeated `multiples[i]` times along axis i. Mirrors `tf.tile`."""
    return apply("Tile", input, multiples, name=name)


def pad(
    tensor: Any, paddings: Any, mode: str = "CONSTANT", name: str | None = None, constant_values: Any = 0
) -> Tensor:
    """`tensor` with `paddings[i]` (before, after) elements added along axis i. Mirrors `tf.compat.v1.pad`.

    `mode` is CONSTANT, REFLECT or SYMMETRIC in any case; ValueError for another.
    """
    kind = mode.upper()
    if kind in ("REFLECT", "SYMMETRIC"):
        result = apply("MirrorPad", tensor, paddings, mode=kind, name=name)
    elif kind != "CONSTANT":
        raise ValueError(
            'Value of argument `mode` expected to be one of "CONSTANT", "REFLECT", or "SYMMETRIC". '
            f"Received `mode` = {mode}"
        )
    elif not isinstance(constant_values, Tensor) and constant_values == 0:
        result = apply("Pad", tensor, paddings, name=name)
    else:
        result = apply("PadV2", tensor, paddings, constant_values, name=name)
    _set_known_sizes(result)
    return result


def _set_known_sizes(padded_: Tensor) -> None:
    """Axes whose paddings are known keep a known size, though those of others be computed when it runs."""
    source, paddings = padded_.op.inputs[0].raw_shape, padded_.op.inputs[1]
    rows = paddings.op.inputs
    if source is None or paddings.op.type != "Pack" or len(rows) != len(source):
        return
    sizes: list[int | None] = []
    for size, row in zip(source, rows, strict=True):
        pair = known_shape(row)
        known = size is not None and pair is not None and len(pair) == 2 and None not in pair
        sizes.append(size + sum(pair) if known else None)  # type: ignore[operator, arg-type]
    padded_.set_shape(sizes)
