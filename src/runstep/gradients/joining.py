"""Gradients of joining, taking apart and padding: each undoes the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runstep.gradients.broadcasting import is_full, sizes_of
from runstep.gradients.registry import gradient
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.composite import IndexedSlices
from runstep.graph.constant_value import known_value
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor


def _parts(values: Sequence[Tensor], axis: Tensor, grad: Any) -> list[Any]:
    """The parts of the gradient of a concatenation."""
    along, rank = known_value(axis), values[0].raw_shape and len(values[0].raw_shape)
    if isinstance(grad, IndexedSlices) and along is not None and rank and int(along) % rank == 0:
        return _rows(values, grad)
    if along is not None and rank:
        sizes = [None if value.raw_shape is None else value.raw_shape[int(along) % rank] for value in values]
        if None not in sizes:
            found = apply("SplitV", grad, sizes, int(along), num_split=len(sizes))
            return list(found)
    shapes = [apply("Shape", value) for value in values]
    axis = apply("FloorMod", apply("Cast", axis, DstT=dtypes.int32), apply("Rank", values[0]))
    starts = apply("ConcatOffset", axis, shapes)
    return [apply("Slice", grad, start, shape) for start, shape in zip(starts, shapes, strict=True)]


def _rows(values: Sequence[Tensor], grad: IndexedSlices) -> list[IndexedSlices]:
    """The rows that fall into each of the values that were put one under the other."""
    found = []
    kind = grad.indices.dtype.base_dtype
    start: Any = 0
    for value in values:
        known = value.raw_shape is not None and value.raw_shape[0] is not None
        rows: Any = value.raw_shape[0] if known else apply("Cast", apply("Shape", value)[0], DstT=kind)  # type: ignore[index]
        end = start + rows
        inside = apply("LogicalAnd", apply("GreaterEqual", grad.indices, start), apply("Less", grad.indices, end))
        places = apply("Reshape", apply("Where", inside), [-1])
        indices = apply("GatherV2", grad.indices, places, 0) - start
        found.append(IndexedSlices(apply("GatherV2", grad.values, places, 0), indices, apply("Shape", value)))
        start = end
    return found


@gradient("ConcatV2")
def _concat_v2(op: Operation, grad: Any) -> Any:
    return [*_parts(op.inputs[:-1], op.inputs[-1], grad), None]


@gradient("Concat")
def _concat(op: Operation, grad: Any) -> Any:
    return [None, *_parts(op.inputs[1:], op.inputs[0], grad)]


@gradient("Pack")
def _pack(op: Operation, grad: Any) -> Any:
    return apply("Unpack", grad, num=op.attrs["N"], axis=op.attrs["axis"])


@gradient("Unpack")
def _unpack(op: Operation, *grads: Any) -> Any:
    return apply("Pack", list(grads), axis=op.attrs["axis"])


def _concatenated(grads: Sequence[Any], axis: Any) -> Any:
    return grads[0] if len(grads) == 1 else apply("ConcatV2", list(grads), axis)


@gradient("Split")
def _split(op: Operation, *grads: Any) -> Any:
    return None, _concatenated(grads, op.inputs[0])


@gradient("SplitV")
def _split_v(op: Operation, *grads: Any) -> Any:
    return _concatenated(grads, op.inputs[2]), None, None


@gradient("Pad")
def _pad(op: Operation, grad: Any) -> Any:
    return _inside(op, grad), None


@gradient("PadV2")
def _pad_v2(op: Operation, grad: Any) -> Any:
    return _inside(op, grad), None, None


def _inside(op: Operation, grad: Any) -> Any:
    """What is not padding."""
    x, paddings = op.inputs[:2]
    known = known_value(paddings)
    if known is not None:
        return apply("Slice", grad, known[:, 0], _typed_sizes(x, paddings))
    before = paddings[:, 0]
    return apply("Slice", grad, before, _typed_sizes(x, paddings))


def _typed_sizes(x: Tensor, like: Tensor) -> Any:
    """The sizes of `x` as integers of the type of `like`."""
    return sizes_of(x) if is_full(x.raw_shape) else apply("Shape", x, out_type=like.dtype.base_dtype)


@gradient("MirrorPad")
def _mirror_pad(op: Operation, grad: Any) -> Any:
    return apply("MirrorPadGrad", grad, op.inputs[1], mode=op.attrs["mode"]), None


@gradient("MirrorPadGrad")
def _mirror_pad_grad(op: Operation, grad: Any) -> Any:
    return apply("MirrorPad", grad, op.inputs[1], mode=op.attrs["mode"]), None
