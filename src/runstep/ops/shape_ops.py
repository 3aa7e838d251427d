"""Ops that ask for or change a tensor's shape and leave its values alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep.graph import (
    dtypes,
    operators,  # noqa: F401  array functions index and add tensors
    shapes,
)
from runstep.graph.apply import apply
from runstep.graph.composite import SparseTensor, SparseTensorValue
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.shapes import RawShape, TensorShape
from runstep.graph.tensor import Tensor
from runstep.ops import common
from runstep.ops.common import Shapes
from runstep.ops.registry import op

__all__ = [
    "broadcast_dynamic_shape",
    "broadcast_static_shape",
    "broadcast_to",
    "ensure_shape",
    "expand_dims",
    "rank",
    "reshape",
    "shape",
    "shape_n",
    "size",
    "squeeze",
]


# --- static shape rules -------------------------------------------------------------------------------------------


def reshaped(op: Any) -> Shapes:
    source = op.inputs[0].raw_shape
    target = op.constant_shape(1)
    if target is None:
        shapes.with_rank_at_most(op.inputs[1].raw_shape, 1)
        return [None]
    if source is None:
        return [target]
    count = 1
    unknown_sources = 0
    for dim in source:
        if dim is None:
            unknown_sources += 1
        else:
            count *= dim
    known, unknowns = 1, 0
    for dim in target:
        if dim is None:
            unknowns += 1
        else:
            known *= dim
    if unknown_sources and count:
        # The rest of the count is not known. It is whole, at least.
        if unknown_sources == 1 and not unknowns and known % count:
            raise ValueError(f"Dimension size must be evenly divisible by {count} but is {known}")
        return [target]
    if unknowns == 1 and known:
        if count % known:
            raise ValueError(f"Dimension size must be evenly divisible by {known} but is {count}")
        return [tuple([count // known if dim is None else dim for dim in target])]
    if known != count and (not unknowns or not known):
        raise ValueError(
            f"Cannot reshape a tensor with {count} elements to shape {shapes.text(target)} ({known} elements)"
        )
    return [target]


def _shape(op: Any) -> Shapes:
    return [(None if raw is None else len(raw),) for raw in (tensor.raw_shape for tensor in op.inputs)]


def expanded(raw: tuple[int | None, ...], dim: int) -> tuple[int | None, ...]:
    """`raw` with a size 1 inserted at `dim`. ValueError if it is not in [-rank - 1, rank]."""
    rank = len(raw)
    if not -rank - 1 <= dim <= rank:
        raise ValueError(f"dim {dim} not in the interval [{-rank - 1}, {rank}].")
    if dim < 0:
        dim += rank + 1
    return (*raw[:dim], 1, *raw[dim:])


def _expand_dims(op: Any) -> Shapes:
    raw, dim = op.inputs[0].raw_shape, op.constant(1)
    if dim is not None and dim.size != 1:
        raise ValueError("'dim' input must be a tensor with a single value")
    if raw is None:
        return [None]
    if dim is None:
        return [None]
    return [expanded(raw, int(dim.reshape(-1)[0]))]


def squeezed(raw: RawShape, dims: Sequence[int]) -> RawShape:
    """`raw` without its sizes 1, or without `dims` where given. ValueError where one of them cannot be 1."""
    if raw is None:
        return None
    rank = len(raw)
    if not dims:
        # An unknown size may or may not vanish: then not even the rank is known.
        return None if None in raw else tuple([dim for dim in raw if dim != 1])
    drop: set[int] = set()
    for dim in dims:
        if not -rank <= dim < rank:
            raise ValueError(f"squeeze_dims[{len(drop)}] not in [{-rank},{rank}).")
        dim %= rank
        if raw[dim] is not None and raw[dim] != 1:
            raise ValueError(f"Can not squeeze dim[{dim}], expected a dimension of 1, got {raw[dim]}")
        drop.add(dim)
    return tuple([dim for axis, dim in enumerate(raw) if axis not in drop])


def _squeeze(op: Any) -> Shapes:
    return [squeezed(op.inputs[0].raw_shape, op.attrs["squeeze_dims"])]


def _broadcast_to(op: Any) -> Shapes:
    target, source = op.constant_shape(1), op.inputs[0].raw_shape
    if target is None:
        return [None]
    if source is None:
        return [target]
    if len(source) > len(target):
        raise ValueError(f"Shape must be at most rank {len(target)} but is rank {len(source)}")
    lead = len(target) - len(source)
    sizes = list(target[:lead])
    for have, want in zip(source, target[lead:], strict=True):
        if have is None or have == 1:
            sizes.append(want)
        elif want is None or have == 0:
            sizes.append(have if want is None else want)
        elif have != want:
            raise ValueError(f"Dimensions must be equal, but are {have} and {want}")
        else:
            sizes.append(want)
    return [tuple(sizes)]


def _broadcast_args(op: Any) -> Shapes:
    lengths = [shapes.with_rank(tensor.raw_shape, 1)[0] for tensor in op.inputs]
    known = [length for length in lengths if length is not None]
    return [(None if len(known) < 2 else max(known),)]


def _broadcast_gradient_args(op: Any) -> Shapes:
    for tensor in op.inputs:
        shapes.with_rank(tensor.raw_shape, 1)
    return [(None,), (None,)]


def _ensure_shape(op: Any) -> Shapes:
    return [shapes.merge(op.inputs[0].raw_shape, op.attrs["shape"])]


op("Reshape", "tensor: T, shape: Tshape -> output: T", "T: type", "Tshape: {int32, int64} = int32", shape=reshaped)
op("Shape", "input: T -> output: out_type", "T: type", "out_type: {int32, int64} = int32", shape=_shape)
op(
    "ShapeN",
    "input: N * T -> output: N * out_type",
    "N: int >= 1",
    "T: type",
    "out_type: {int32, int64} = int32",
    shape=_shape,
)
op("Size", "input: T -> output: out_type", "T: type", "out_type: {int32, int64} = int32", shape=common.scalar)
op("Rank", "input: T -> output: int32", "T: type", shape=common.scalar)
op("ExpandDims", "input: T, dim: Tdim -> output: T", "T: type", "Tdim: {int32, int64} = int32", shape=_expand_dims)
op("Squeeze", "input: T -> output: T", "T: type", "squeeze_dims: list(int) >= 0 = []", shape=_squeeze)
op("BroadcastTo", "input: T, shape: Tidx -> output: T", "T: type", "Tidx: {int32, int64} = int32", shape=_broadcast_to)
op("BroadcastArgs", "s0: T, s1: T -> r0: T", "T: {int32, int64} = int32", shape=_broadcast_args)
op("BroadcastGradientArgs", "s0: T, s1: T -> r0: T, r1: T", "T: {int32, int64} = int32", shape=_broadcast_gradient_args)
op("EnsureShape", "input: T -> output: T", "shape: shape", "T: type", shape=_ensure_shape)


# --- user functions -----------------------------------------------------------------------------------------------


def reshape(tensor: Any, shape: Any, name: str | None = None) -> Tensor:
    """`tensor` with the sizes `shape`, at most one of them -1. Mirrors `tf.reshape`."""
    return apply("Reshape", tensor, shape, name=name)


def shape(input: Any, name: str | None = None, out_type: Any = None) -> Tensor:
    """The sizes of `input`, a vector of int32 (or `out_type`); a constant where they are known. Mirrors `tf.shape`."""
    return shape_internal(input, name, out_type=out_type)


def shape_internal(input: Any, name: str | None = None, optimize: bool = True, out_type: Any = None) -> Tensor:
    """`shape`, with `optimize=False` always an op of the graph."""
    out_type = dtypes.int32 if out_type is None else dtypes.as_dtype(out_type)
    with name_scope(name, "Shape", [input]) as scope:
        if isinstance(input, SparseTensor | SparseTensorValue):
            from runstep.ops.cast import cast

            return cast(input.dense_shape, out_type)
        input = convert_to_tensor(input)
        raw = input.raw_shape
        if optimize and raw is not None and None not in raw:
            return convert_to_tensor(np.array(raw, out_type.np), name=scope)
        return apply("Shape", input, out_type=out_type, name=scope)


def shape_n(input: Sequence[Any], out_type: Any = dtypes.int32, name: str | None = None) -> list[Tensor]:
    """The sizes of each tensor in `input`. Mirrors `tf.shape_n`."""
    return apply("ShapeN", input, out_type=out_type, name=name)


def size(input: Any, name: str | None = None, out_type: Any = None) -> Tensor:
    """The number of elements of `input`, a scalar; a constant where it is known. Mirrors `tf.size`."""
    out_type = dtypes.int32 if out_type is None else dtypes.as_dtype(out_type)
    with name_scope(name, "Size", [input]) as scope:
        if isinstance(input, SparseTensor | SparseTensorValue):
            from runstep.ops.cast import cast
            from runstep.ops.reduction import reduce_prod

            return reduce_prod(cast(input.dense_shape, out_type), 0, name=scope)
        input = convert_to_tensor(input)
        count = shapes.num_elements(input.raw_shape)
        if count is not None:
            return convert_to_tensor(np.array(count, out_type.np), name=scope)
        return apply("Size", input, out_type=out_type, name=scope)


def rank(input: Any, name: str | None = None) -> Tensor:
    """The number of axes of `input`, a scalar int32; a constant where it is known. Mirrors `tf.rank`."""
    with name_scope(name, "Rank", [input]) as scope:
        if isinstance(input, SparseTensor | SparseTensorValue):
            return size(input.dense_shape, name=scope)
        input = convert_to_tensor(input)
        if input.raw_shape is not None:
            return convert_to_tensor(np.array(len(input.raw_shape), np.int32), name=scope)
        return apply("Rank", input, name=scope)


def expand_dims(input: Any, axis: Any = None, name: str | None = None, dim: Any = None) -> Tensor:
    """`input` with an axis of size 1 inserted at `axis` (alias `dim`). Mirrors `tf.compat.v1.expand_dims`."""
    if dim is not None:
        if axis is not None:
            raise ValueError("Cannot specify both 'dim' and 'axis'.")
        axis = dim
    if axis is None:
        raise ValueError("Must specify an axis argument to tf.expand_dims()")
    return apply("ExpandDims", input, axis, name=name)


def squeeze(input: Any, axis: Any = None, name: str | None = None, squeeze_dims: Any = None) -> Tensor:
    """`input` without its axes of size 1, or without those in `axis` (alias `squeeze_dims`).

    Mirrors `tf.compat.v1.squeeze`.
    """
    if squeeze_dims is not None:
        if axis is not None:
            raise ValueError("Cannot specify both 'squeeze_dims' and 'axis'.")
        axis = squeeze_dims
    if axis is None:
        axis = ()
    elif np.isscalar(axis):
        axis = (axis,)
    return apply("Squeeze", input, squeeze_dims=axis, name=name)


def broadcast_to(input: Any, shape: Any, name: str | None = None) -> Tensor:
    """`input` repeated along its axes of size 1, and new leading ones, to fill `shape`. Mirrors `tf.broadcast_to`."""
    return apply("BroadcastTo", input, shape, name=name)


def broadcast_dynamic_shape(shape_x: Any, shape_y: Any) -> Tensor:
    """The shape vector of an elementwise result of two shape vectors. Mirrors `tf.broadcast_dynamic_shape`."""
    return apply("BroadcastArgs", shape_x, shape_y)


def broadcast_static_shape(shape_x: TensorShape, shape_y: TensorShape) -> TensorShape:
    """The static shape of an elementwise result; ValueError if there is none. Mirrors `tf.broadcast_static_shape`."""
    a, b = shape_x.raw, shape_y.raw
    if a is None or b is None:
        return TensorShape(None)
    try:
        return TensorShape.from_raw(shapes.broadcast(a, b))
    except ValueError:
        raise ValueError(
            f"Incompatible shapes for broadcasting. Two shapes are compatible if for each dimension pair they are "
            f"either equal or one of them is 1. Received: {shape_x} and {shape_y}."
        ) from None


def ensure_shape(x: Any, shape: Any, name: str | None = None) -> Tensor:
    """`x`, checked when it runs to have a shape compatible with `shape`. Mirrors `tf.ensure_shape`."""
    return apply("EnsureShape", x, shape=shapes.as_raw(shape), name=name)


def static_dims(tensor: Any) -> np.ndarray | None:
    """The sizes that a shape argument gives, as an int array, or None where they are only known at run time."""
    value = constant_value(tensor) if isinstance(tensor, Tensor) else np.asarray(tensor)
    return None if value is None else value.astype(np.int64)
