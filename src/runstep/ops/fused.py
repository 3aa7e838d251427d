"""Ops that do several things in one: padding and resizing before a convolution, bias and activation after a product."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.ops.common import Shapes
from runstep.ops.registry import op
from runstep.ops.windows import out_size


def _padded_conv(op: Any, resized: bool) -> Shapes:
    image = shapes.with_rank(op.inputs[0].raw_shape, 4)
    sizes = list(image[1:3])
    if resized:
        size = shapes.with_rank(op.inputs[1].raw_shape, 1)
        if size[0] not in (None, 2):
            raise ValueError(f"Dimension must be 2 but is {size[0]}")
        value = op.constant(1)
        sizes = [None, None] if value is None else value.tolist()
    index = 2 if resized else 1
    paddings = shapes.with_rank(op.inputs[index].raw_shape, 2)
    if paddings[0] not in (None, 4) or paddings[1] not in (None, 2):
        raise ValueError(f"Shape must be [4,2] but is {shapes.text(paddings)}")
    window = shapes.with_rank(op.inputs[index + 1].raw_shape, 4)
    pads = op.constant(index)
    padded: list[int | None] = [None, None]
    batch, depth = None, None
    if pads is not None:
        if pads.min() < 0:
            raise ValueError("Paddings must be non-negative")
        totals = pads.sum(axis=1).tolist()
        padded = [None if size is None else size + total for size, total in zip(sizes, totals[1:3], strict=True)]
        batch = None if image[0] is None else image[0] + totals[0]
        depth = None if image[3] is None else image[3] + totals[3]
    strides = op.attrs["strides"]
    if len(strides) != 4:
        raise ValueError(f"Operation requires the stride attribute to contain 4 values, but got: {len(strides)}")
    shapes.merge_size(depth, window[2])
    spatial = [
        out_size(size, tap, stride, op.attrs["padding"])
        for size, tap, stride in zip(padded, window[:2], strides[1:3], strict=True)
    ]
    return [(batch, *spatial, window[3])]


def _fused_pad(op: Any) -> Shapes:
    return _padded_conv(op, False)


def _fused_resize(op: Any) -> Shapes:
    return _padded_conv(op, True)


def _fused_matmul(op: Any) -> Shapes:
    a, b = (shapes.with_rank(tensor.raw_shape, 2) for tensor in op.inputs[:2])
    rows, inner = (a[1], a[0]) if op.attrs["transpose_a"] else a
    other, columns = (b[1], b[0]) if op.attrs["transpose_b"] else b
    shapes.merge_size(inner, other)
    return [(rows, columns)]


_MODE = "mode: {'REFLECT', 'SYMMETRIC'}"
_PADDING = "padding: {'SAME', 'VALID'}"

op(
    "FusedPadConv2D",
    "input: T, paddings: int32, filter: T -> output: T",
    "T: {float16, bfloat16, float32, float64}",
    _MODE,
    "strides: list(int)",
    _PADDING,
    shape=_fused_pad,
)
op(
    "FusedResizeAndPadConv2D",
    "input: T, size: int32, paddings: int32, filter: T -> output: T",
    "T: {float16, float32, float64}",
    "resize_align_corners: bool = false",
    _MODE,
    "strides: list(int)",
    _PADDING,
    shape=_fused_resize,
)
op(
    "_FusedMatMul",
    "a: T, b: T, args: num_args * T -> product: T",
    "transpose_a: bool = false",
    "transpose_b: bool = false",
    "T: {bfloat16, float16, float32}",
    "num_args: int >= 0",
    "fused_ops: list(string) = []",
    "epsilon: float = 0.0001",
    "leakyrelu_alpha: float = 0.2",
    shape=_fused_matmul,
)
