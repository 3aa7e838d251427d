"""Ops that choose elements: select, where, unique, differences of lists, bounds, checks, masks."""

from __future__ import annotations

from typing import Any, NamedTuple

from runstep.graph import dtypes, shapes
from runstep.graph.apply import apply
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.shapes import RawShape, TensorShape
from runstep.graph.tensor import Tensor
from runstep.ops import common
from runstep.ops.common import Shapes
from runstep.ops.joining import concat
from runstep.ops.registry import op
from runstep.ops.shape_ops import reshape, shape, squeeze

__all__ = [
    "boolean_mask",
    "check_numerics",
    "searchsorted",
    "setdiff1d",
    "unique",
    "unique_with_counts",
    "verify_tensor_all_finite",
    "where",
    "where_v2",
]


# --- static shape rules -------------------------------------------------------------------------------------------


def _select(op: Any) -> Shapes:
    condition, x, y = [tensor.raw_shape for tensor in op.inputs]
    raw = shapes.merge(x, y)
    if condition is None or raw is None or not condition:
        return [raw]
    if len(condition) == 1:
        if not raw:
            raise ValueError("Shapes must be equal rank, but are 0 and 1")
        try:
            shapes.merge_size(raw[0], condition[0])
        except ValueError:
            raise ValueError(
                f"Dimension 0 in both shapes must be equal, but are {condition[0]} and {raw[0]}. "
                f"Shapes are {shapes.text(condition)} and {shapes.text(raw[:1])}."
            ) from None
        return [shapes.merge(raw, condition) if len(raw) == 1 else raw]
    return [shapes.merge(raw, condition)]


def _select_v2(op: Any) -> Shapes:
    condition, x, y = [tensor.raw_shape for tensor in op.inputs]
    return [shapes.broadcast(condition, shapes.broadcast(x, y))]


def _where(op: Any) -> Shapes:
    raw = op.inputs[0].raw_shape
    return [(None, None if raw is None else len(raw))]


def _unique(op: Any) -> Shapes:
    raw = op.inputs[0].raw_shape
    if op.type == "Unique":
        shapes.with_rank(raw, 1)
    return [(None,), raw, (None,)][: len(op.output_types)]


def _unique_v2(op: Any) -> Shapes:
    raw, axes = op.inputs[0].raw_shape, op.constant(1)
    count: list[RawShape] = [(None,)] * (len(op.output_types) - 2)
    if raw is None:
        return [None, (None,), *count]
    if axes is None:
        return [(None,) * len(raw), (None,), *count]
    if axes.size > 1:
        raise ValueError("axis does not support input tensors larger than 1 elements.")
    if axes.size == 0:
        if len(raw) != 1:
            raise ValueError("x expects a 1D vector.")
        axis = 0
    else:
        axis = int(axes.reshape(-1)[0])
        if not -len(raw) <= axis < len(raw):
            raise ValueError(f"axis expects to be in the range [{-len(raw)}, {len(raw)})")
        axis %= len(raw)
    return [(None,) * len(raw), (raw[axis],), *count]


def _list_diff(op: Any) -> Shapes:
    for tensor in op.inputs:
        shapes.with_rank(tensor.raw_shape, 1)
    return [(None,), (None,)]


def _bound(op: Any) -> Shapes:
    for tensor in op.inputs:
        if tensor.raw_shape is not None:
            shapes.with_rank(tensor.raw_shape, 2)
    return [op.inputs[1].raw_shape]


op("Select", "condition: bool, t: T, e: T -> output: T", "T: type", shape=_select)
op("SelectV2", "condition: bool, t: T, e: T -> output: T", "T: type", shape=_select_v2)
op(
    "Where",
    "input: T -> index: int64",
    "T: {float32, float64, int32, uint8, int16, int8, complex64, int64, qint8, quint8, qint32, bfloat16, qint16, "
    "quint16, uint16, complex128, float16, uint32, uint64, bool} = bool",
    shape=_where,
)
op("Unique", "x: T -> y: T, idx: out_idx", "T: type", "out_idx: {int32, int64} = int32", shape=_unique)
op(
    "UniqueWithCounts",
    "x: T -> y: T, idx: out_idx, count: out_idx",
    "T: type",
    "out_idx: {int32, int64} = int32",
    shape=_unique,
)
op(
    "UniqueV2",
    "x: T, axis: Taxis -> y: T, idx: out_idx",
    "T: type",
    "Taxis: {int32, int64} = int64",
    "out_idx: {int32, int64} = int32",
    shape=_unique_v2,
)
op(
    "UniqueWithCountsV2",
    "x: T, axis: Taxis -> y: T, idx: out_idx, count: out_idx",
    "T: type",
    "Taxis: {int32, int64} = int64",
    "out_idx: {int32, int64} = int32",
    shape=_unique_v2,
)
op("ListDiff", "x: T, y: T -> out: T, idx: out_idx", "T: type", "out_idx: {int32, int64} = int32", shape=_list_diff)
for _name in ("LowerBound", "UpperBound"):
    op(
        _name,
        "sorted_inputs: T, values: T -> output: out_type",
        "T: type",
        "out_type: {int32, int64} = int32",
        shape=_bound,
    )
for _name in ("CheckNumerics", "CheckNumericsV2"):
    op(
        _name,
        "tensor: T -> output: T",
        "T: {bfloat16, float16, float32, float64}",
        "message: string",
        stateful=True,
        shape=common.unchanged,
    )


# --- user functions -----------------------------------------------------------------------------------------------


class Unique(NamedTuple):
    """What `unique` returns: the distinct values in order of appearance, and each element's place among them."""

    y: Tensor
    idx: Tensor


class UniqueWithCounts(NamedTuple):
    """What `unique_with_counts` returns: as `Unique`, and how often each value occurs."""

    y: Tensor
    idx: Tensor
    count: Tensor  # type: ignore[assignment]  # the name is TensorFlow's


class ListDiff(NamedTuple):
    """What `setdiff1d` returns: the values of x that are not in y, and their places in x."""

    out: Tensor
    idx: Tensor


def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Tensor:
    """Elements of `x` where `condition`, of `y` else; without both, the places of true elements [n, rank].

    Mirrors `tf.compat.v1.where`: x and y have one shape, and condition has it too or is a vector over their first axis.
    """
    if (x is None) != (y is None):
        raise ValueError("x and y must both be non-None or both be None.")
    if x is None:
        with name_scope(name, "Where", [condition]) as scope:
            condition = convert_to_tensor(condition, preferred_dtype=dtypes.bool, name="condition")
            return apply("Where", condition, name=scope)
    return apply("Select", condition, x, y, name=name)


def where_v2(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Tensor:
    """As `where`, but condition, x and y are broadcast against each other. Mirrors `tf.where` of TensorFlow 2."""
    if (x is None) != (y is None):
        raise ValueError("x and y must both be non-None or both be None.")
    if x is None:
        return where(condition, name=name)
    return apply("SelectV2", condition, x, y, name=name)


def unique(x: Any, out_idx: Any = dtypes.int32, name: str | None = None) -> Unique:
    """The distinct values of a vector. Mirrors `tf.unique`."""
    return Unique(*apply("Unique", x, out_idx=out_idx, name=name))


def unique_with_counts(x: Any, out_idx: Any = dtypes.int32, name: str | None = None) -> UniqueWithCounts:
    """The distinct values of a vector and how often each occurs. Mirrors `tf.unique_with_counts`."""
    return UniqueWithCounts(*apply("UniqueWithCounts", x, out_idx=out_idx, name=name))


def setdiff1d(x: Any, y: Any, index_dtype: Any = dtypes.int32, name: str | None = None) -> ListDiff:
    """The values of vector `x` that are not in `y`. Mirrors `tf.compat.v1.setdiff1d`."""
    return ListDiff(*apply("ListDiff", x, y, out_idx=index_dtype, name=name))


def _shape_constant(value: Any) -> Tensor:
    """The sizes of `value`; where they are known, a constant named "shape_as_tensor" in a scope of its own."""
    with name_scope("Shape") as scope:
        value = convert_to_tensor(value)
        if value.raw_shape is not None and None not in value.raw_shape:
            return convert_to_tensor(TensorShape.from_raw(value.raw_shape))
        return apply("Shape", value, name=scope)


def searchsorted(
    sorted_sequence: Any,
    values: Any,
    side: str = "left",
    out_type: Any = dtypes.int32,
    name: str | None = None,
) -> Tensor:
    """Where each of `values` would go in the sorted last axis of `sorted_sequence`. Mirrors `tf.searchsorted`.

    `side` is "left" (before equal elements) or "right" (after them); ValueError for another.
    """
    length = _shape_constant(sorted_sequence)[-1]
    count = _shape_constant(values)[-1]
    lists = reshape(sorted_sequence, [-1, length])
    wanted = reshape(values, [-1, count])
    if side not in ("left", "right"):
        raise ValueError(f"Argument `side` must be either 'right' or 'left'. Received: `side` = {side}.")
    kind = "LowerBound" if side == "left" else "UpperBound"
    found = apply(kind, lists, wanted, out_type=dtypes.as_dtype(out_type), name=name)
    return reshape(found, _shape_constant(values))


def check_numerics(tensor: Any, message: str, name: str | None = None) -> Tensor:
    """`tensor`, if it has neither NaN nor infinity; else the run fails with `message`. Mirrors `tf.check_numerics`."""
    return apply("CheckNumerics", tensor, message=message, name=name)


def verify_tensor_all_finite(
    t: Any = None, msg: Any = None, name: str | None = None, x: Any = None, message: Any = None
) -> Tensor:
    """`t`, if it has neither NaN nor infinity; else the run fails. Mirrors `tf.compat.v1.verify_tensor_all_finite`."""
    from runstep.ops.basic import with_dependencies

    x = x if x is not None else t
    message = message if message is not None else msg
    with name_scope(name, "VerifyFinite", [x]):
        x = convert_to_tensor(x, name="x")
        with x.graph.colocate_with(x.op):
            checked = check_numerics(x, message=message)
            return with_dependencies([checked], x)


def boolean_mask(tensor: Any, mask: Any, name: str = "boolean_mask", axis: Any = None) -> Tensor:
    """The slices of `tensor` where `mask` is true, along `axis` and as many further ones as mask has.

    Mirrors `tf.compat.v1.boolean_mask`. ValueError for a mask that is a scalar, of unknown rank, or of another shape.
    """
    with name_scope(name, values=[tensor, mask]):
        tensor = convert_to_tensor(tensor, name="tensor")
        mask = convert_to_tensor(mask, name="mask")
        rank = None if mask.raw_shape is None else len(mask.raw_shape)
        if rank == 0:
            raise ValueError("mask cannot be scalar.")
        if rank is None:
            raise ValueError(
                "Number of mask dimensions must be specified, even if some dimensions are None.  E.g. shape=[None] is "
                "ok, but shape=None is not."
            )
        at = 0 if axis is None else axis
        fixed = constant_value(at) if isinstance(at, Tensor) else at
        known = tensor.raw_shape
        if fixed is not None:
            at = int(fixed)
            if at < 0 and known is not None:
                at += len(known)
            tensor.get_shape()[at : at + rank].assert_is_compatible_with(mask.get_shape())
        total = apply("Prod", shape(tensor)[at : at + rank], [0], name="Prod")
        flat = reshape(tensor, concat([shape(tensor)[:at], [total], shape(tensor)[at + rank :]], 0))
        if known is not None and fixed is not None:
            size = shapes.num_elements(known[at : at + rank])
            flat.set_shape((*known[:at], size, *known[at + rank :]))
        places = squeeze(where(reshape(mask, [-1])), axis=[1])
        return apply("GatherV2", flat, places, at, name="GatherV2")
