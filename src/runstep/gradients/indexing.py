"""Gradients of gathering and scattering. A gather of rows has IndexedSlices: only the rows that were read."""

from __future__ import annotations

import math
from typing import Any

from runstep.gradients.broadcasting import is_full, sizes_of
from runstep.gradients.registry import gradient
from runstep.graph.apply import apply
from runstep.graph.composite import IndexedSlices
from runstep.graph.constant_value import known_value
from runstep.graph.convert import convert_to_tensor
from runstep.graph.operation import Operation
from runstep.graph.shapes import RawShape
from runstep.graph.tensor import Tensor
from runstep.ops.handles import handle_data
from runstep.ops.joining import concat


@gradient("Gather")
def _gather(op: Operation, grad: Any) -> Any:
    params, indices = op.inputs
    return _rows(grad, indices, params.raw_shape, _sizes(params)), None


@gradient("GatherV2")
def _gather_v2(op: Operation, grad: Any) -> Any:
    params, indices, axis = op.inputs
    batch = op.attrs["batch_dims"]
    along = known_value(axis)
    if along is not None and int(along) == 0 and not batch:
        with params.graph.colocate_with(params.op, ignore_existing=True):
            sizes = _sizes(params)
        return _rows(grad, indices, params.raw_shape, sizes), None, None
    return _along_axis(convert_to_tensor(grad), params, indices, axis, batch), None, None


@gradient("ResourceGather")
def _resource_gather(op: Operation, grad: Any) -> Any:
    handle, indices = op.inputs
    data = handle_data(handle)
    raw = data[0][0] if data else None
    sizes = convert_to_tensor(list(raw)) if is_full(raw) else apply("VariableShape", handle)  # type: ignore[arg-type]
    return _rows(grad, indices, raw, sizes), None


def _sizes(params: Tensor) -> Tensor:
    return convert_to_tensor(sizes_of(params), "int32")


def _rows(grad: Any, indices: Tensor, raw: RawShape, sizes: Tensor) -> IndexedSlices:
    """The rows of a tensor of static shape `raw` and sizes `sizes` that a gather at `indices` read."""
    if indices.raw_shape is None or len(indices.raw_shape) != 1:
        count = math.prod(indices.raw_shape) if is_full(indices.raw_shape) else None  # type: ignore[arg-type]
        number = apply("Size", indices) if count is None else count
        if raw is not None and is_full(raw[1:]):
            shape: Any = [number, *raw[1:]]
        else:
            shape = concat([apply("Reshape", number, [1]), sizes[1:]], 0)
        grad, indices = apply("Reshape", grad, shape), apply("Reshape", indices, [-1])
    return IndexedSlices(convert_to_tensor(grad), indices, sizes)


def _along_axis(grad: Tensor, params: Tensor, indices: Tensor, axis: Tensor, batch: int) -> Tensor:
    """The gradient of a gather along any axis: with that axis first, the sum of the rows that went to each place.

    The batches and the places in them become one axis, of which each batch has its own stretch.
    """
    sizes = apply("Shape", params)
    rank = apply("Rank", params)
    axis = apply("FloorMod", apply("Cast", axis, DstT="int32"), rank)
    if batch < 0:
        batch += len(indices.shape)
    outer, places, inner = sizes[:batch], sizes[axis], sizes[axis + 1 :]
    between = sizes[batch:axis]
    batches = apply("Prod", outer, [0])
    count = apply("Prod", apply("Shape", indices)[batch:], [0])
    per_batch = apply("Reshape", indices, [batches, count])
    # [batches, between, count, inner] -> [batches, count, between, inner]
    flat = apply("Reshape", grad, [batches, apply("Prod", between, [0]), count, apply("Prod", inner, [0])])
    flat = apply("Transpose", flat, [0, 2, 1, 3])
    starts = apply("Range", 0, batches, 1) * places  # places may be none
    kind = per_batch.dtype.base_dtype
    ids = apply("AddV2", per_batch, apply("Cast", apply("ExpandDims", starts, 1), DstT=kind))
    summed = apply("UnsortedSegmentSum", flat, ids, batches * places)
    summed = apply("Reshape", summed, [batches, places, apply("Prod", between, [0]), apply("Prod", inner, [0])])
    return apply("Reshape", apply("Transpose", summed, [0, 2, 1, 3]), sizes_of(params))


def _nd(grad: Any, indices: Tensor, sizes: Any) -> Any:
    if indices.raw_shape is not None and len(indices.raw_shape) == 2 and indices.raw_shape[-1] == 1:
        return IndexedSlices(convert_to_tensor(grad), apply("Squeeze", indices, squeeze_dims=[-1]), sizes)
    if indices.raw_shape is not None and len(indices.raw_shape) == 1:
        grad, indices = apply("ExpandDims", grad, 0), apply("ExpandDims", indices, 0)  # one place is a list of one
    return apply("ScatterNd", indices, grad, sizes)


@gradient("GatherNd")
def _gather_nd(op: Operation, grad: Any) -> Any:
    params, indices = op.inputs
    kind = indices.dtype.base_dtype
    known = is_full(params.raw_shape)
    sizes = convert_to_tensor(sizes_of(params), kind) if known else apply("Shape", params, out_type=kind)
    return _nd(grad, indices, sizes), None


@gradient("ResourceGatherNd")
def _resource_gather_nd(op: Operation, grad: Any) -> Any:
    handle, indices = op.inputs
    return _nd(grad, indices, apply("VariableShape", handle, out_type=indices.dtype.base_dtype)), None


@gradient("ScatterNd")
def _scatter_nd(op: Operation, grad: Any) -> Any:
    return None, apply("GatherNd", grad, op.inputs[0]), None


@gradient("ScatterNdNonAliasingAdd", "TensorScatterAdd")
def _scatter_add(op: Operation, grad: Any) -> Any:
    return grad, None, apply("GatherNd", grad, op.inputs[1])


@gradient("TensorScatterSub")
def _scatter_sub(op: Operation, grad: Any) -> Any:
    return grad, None, -apply("GatherNd", grad, op.inputs[1])


@gradient("TensorScatterUpdate")
def _scatter_update(op: Operation, grad: Any) -> Any:
    _, indices, updates = op.inputs
    nothing = apply("ZerosLike", updates)
    return apply("TensorScatterUpdate", grad, indices, nothing), None, apply("GatherNd", grad, indices)


@gradient("TensorScatterMax", "TensorScatterMin")
def _scatter_extreme(op: Operation, grad: Any) -> Any:
    """Where several values are the extreme, they share the gradient."""
    x, indices, y = op.inputs
    result = op.outputs[0]
    kept = apply("Cast", apply("Equal", x, result), DstT=grad.dtype)
    taken = apply("Cast", apply("Equal", y, apply("GatherNd", result, indices)), DstT=grad.dtype)
    number = kept + apply("ScatterNd", indices, taken, apply("Shape", x, out_type=indices.dtype.base_dtype))
    share = apply("RealDiv", grad, number)
    return apply("Mul", share, kept), None, apply("Mul", apply("GatherNd", share, indices), taken)
