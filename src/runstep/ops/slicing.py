"""Ops that take parts of a tensor by range: slices, strided slices and their inverses."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes, strided_slice as strided_slice_spec
from runstep.graph.apply import apply
from runstep.graph.shapes import RawShape
from runstep.graph.tensor import Tensor
from runstep.ops import common
from runstep.ops.common import Shapes
from runstep.ops.creation import ones_like
from runstep.ops.registry import op

__all__ = ["slice", "strided_slice"]


# --- static shape rules -------------------------------------------------------------------------------------------


def _slice(op: Any) -> Shapes:
    raw = op.inputs[0].raw_shape
    for tensor in op.inputs[1:]:
        length = shapes.with_rank(tensor.raw_shape, 1)[0]
        if length is not None:
            raw = shapes.with_rank(raw, length)
    if raw is None:
        return [None]
    begins, lengths = op.constant_shape(1), op.constant(2)
    if lengths is None:
        return [op.constant_shape(2) or (None,) * len(raw)]
    sizes: list[int | None] = []
    for axis, length in enumerate(lengths.tolist()):
        if length >= 0:
            sizes.append(length)
            continue
        if length != -1:
            raise ValueError(f"Invalid value in tensor used for shape: {length}")
        size, begin = raw[axis], None if begins is None else begins[axis]
        if size is None or begin is None:
            sizes.append(None)
        elif begin > size:
            raise ValueError(f"Negative dimension size caused by subtracting {begin} from {size}")
        else:
            sizes.append(size - begin)
    return [tuple(sizes)]


def _spec_index(op: Any, first: int) -> tuple[Any, ...] | None:
    """The index that inputs first, first + 1 and first + 2 describe, or None where not even its rank is known."""
    strides = op.constant(first + 2)
    if strides is None:
        return None
    begin, end = op.constant(first), op.constant(first + 1)
    steps = strides.tolist()
    strict = None not in (op.inputs[0].raw_shape or ())
    if begin is None or end is None:
        _check_spec(op, first)
        return strided_slice_spec.unknown_index(steps, op.attrs, strict)
    return strided_slice_spec.index(begin.tolist(), end.tolist(), steps, op.attrs, strict)


def _check_spec(op: Any, first: int) -> None:
    length: RawShape = None
    for tensor in op.inputs[first : first + 3]:
        length = shapes.merge(length, shapes.with_rank(tensor.raw_shape, 1))


def _strided_slice(op: Any) -> Shapes:
    raw = op.inputs[0].raw_shape
    items = None if raw is None else _spec_index(op, 1)
    if items is None:
        _check_spec(op, 1)
        return [None]
    return [strided_slice_spec.result_shape(raw, items)]


def _strided_slice_grad(op: Any) -> Shapes:
    return [op.constant_shape(0)]


_SPEC_ATTRS = tuple(f"{mask}: int = 0" for mask in strided_slice_spec.MASKS)

op("Slice", "input: T, begin: Index, size: Index -> output: T", "T: type", "Index: {int32, int64}", shape=_slice)
op(
    "StridedSlice",
    "input: T, begin: Index, end: Index, strides: Index -> output: T",
    "T: type",
    "Index: {int16, int32, int64}",
    *_SPEC_ATTRS,
    shape=_strided_slice,
)
op(
    "StridedSliceGrad",
    "shape: Index, begin: Index, end: Index, strides: Index, dy: T -> output: T",
    "T: type",
    "Index: {int32, int64}",
    *_SPEC_ATTRS,
    shape=_strided_slice_grad,
)
op(
    "TensorStridedSliceUpdate",
    "input: T, begin: Index, end: Index, strides: Index, value: T -> output: T",
    "T: type",
    "Index: {int32, int64}",
    *_SPEC_ATTRS,
    shape=common.unchanged,
)


# --- user functions -----------------------------------------------------------------------------------------------


def slice(input_: Any, begin: Any, size: Any, name: str | None = None) -> Tensor:
    """`size[i]` elements of axis i from `begin[i]` on; -1 takes the rest. Mirrors `tf.slice`."""
    return apply("Slice", input_, begin, size, name=name)


def strided_slice(
    input_: Any,
    begin: Any,
    end: Any,
    strides: Any = None,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
    var: Any = None,
    name: str | None = None,
) -> Tensor:
    """Elements `begin[i]:end[i]:strides[i]` of each axis i, as the masks say. Mirrors `tf.strided_slice`.

    Bit i of a mask: begin or end is as far as it goes; entry i stands for any number of whole axes (ellipsis); adds
    an axis of size 1 (new_axis); takes the one element `begin[i]` and drops the axis (shrink_axis).
    """
    if strides is None:
        strides = ones_like(begin)
    return apply(
        "StridedSlice",
        input_,
        begin,
        end,
        strides,
        begin_mask=begin_mask,
        end_mask=end_mask,
        ellipsis_mask=ellipsis_mask,
        new_axis_mask=new_axis_mask,
        shrink_axis_mask=shrink_axis_mask,
        name=name,
    )
