"""Gradients of slices: zeros with the gradient in the place of the slice."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.gradients.broadcasting import is_full
from runstep.gradients.registry import gradient
from runstep.graph.apply import apply
from runstep.graph.constant_value import known_value
from runstep.graph.operation import Operation

_MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")


def _masks(op: Operation) -> dict[str, Any]:
    return {name: op.attrs[name] for name in _MASKS}


@gradient("Slice")
def _slice(op: Operation, grad: Any) -> Any:
    x, begin, _ = op.inputs
    start, whole, part = known_value(begin), x.raw_shape, op.outputs[0].raw_shape
    if start is not None and is_full(whole) and is_full(part):
        before = start.astype(np.int64)
        around = np.stack([before, np.array(whole) - np.array(part) - before], 1)
        return apply("Pad", grad, around.astype(begin.dtype.base_dtype.np)), None, None
    index = begin.dtype.base_dtype
    sizes, taken = apply("Shape", x, out_type=index), apply("Shape", op.outputs[0], out_type=index)
    return apply("Pad", grad, apply("Pack", [begin, sizes - taken - begin], axis=1)), None, None


@gradient("StridedSlice")
def _strided_slice(op: Operation, grad: Any) -> Any:
    x, begin, end, strides = op.inputs
    sizes = apply("Shape", x, out_type=begin.dtype.base_dtype)
    return apply("StridedSliceGrad", sizes, begin, end, strides, grad, **_masks(op)), None, None, None


@gradient("StridedSliceGrad")
def _strided_slice_grad(op: Operation, grad: Any) -> Any:
    _, begin, end, strides, _ = op.inputs
    return None, None, None, None, apply("StridedSlice", grad, begin, end, strides, **_masks(op))


@gradient("TensorStridedSliceUpdate")
def _strided_slice_update(op: Operation, grad: Any) -> Any:
    _, begin, end, strides, value = op.inputs
    nothing = apply("Reshape", apply("ZerosLike", value), apply("Shape", value))
    kept = apply("TensorStridedSliceUpdate", grad, begin, end, strides, nothing, **_masks(op))
    return kept, None, None, None, apply("StridedSlice", grad, begin, end, strides, **_masks(op))
