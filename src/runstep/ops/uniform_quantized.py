"""Uniformly quantized integers, of a scale and a zero point, or of some along an axis: rows and shapes."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.ops.common import Shapes, unchanged
from runstep.ops.registry import op

__all__: list[str] = []


def _limits(*names: str) -> list[str]:
    return [
        attr
        for name in names
        for attr in (
            f"{name}quantization_axis: int = -1",
            f"{name}quantization_min_val: int",
            f"{name}quantization_max_val: int",
        )
    ]


def _stretched(op: Any) -> Shapes:
    return [shapes.broadcast(op.inputs[0].raw_shape, op.inputs[1].raw_shape)]


def _product(op: Any) -> Shapes:
    left = shapes.with_rank(op.inputs[0].raw_shape, 2)
    right = shapes.with_rank(op.inputs[1].raw_shape, 2)
    shapes.merge_size(left[1], right[0])
    return [(left[0], right[1])]


op(
    "UniformQuantize",
    "input: Tin, scales: float32, zero_points: int32 -> output: Tout",
    "Tin: {float32}",
    "Tout: {qint8, quint8, qint32}",
    *_limits(""),
    shape=unchanged,
)
op(
    "UniformDequantize",
    "input: Tin, scales: float32, zero_points: int32 -> output: Tout",
    "Tin: {qint8, quint8, qint32}",
    "Tout: {float32}",
    *_limits(""),
    shape=unchanged,
)
op(
    "UniformRequantize",
    "input: Tin, input_scales: float32, input_zero_points: int32, output_scales: float32, output_zero_points: int32 -> "
    "output: Tout",
    "Tin: {qint8, qint32}",
    "Tout: {qint8, qint32}",
    *_limits("input_", "output_"),
    shape=unchanged,
)
op(
    "UniformQuantizedClipByValue",
    "operand: T, min: T, max: T, scales: float32, zero_points: int32 -> output: T",
    "T: {qint32}",
    *_limits(""),
    shape=unchanged,
)
op(
    "UniformQuantizedAdd",
    "lhs: T, rhs: T, lhs_scales: float32, lhs_zero_points: int32, rhs_scales: float32, rhs_zero_points: int32, "
    "output_scales: float32, output_zero_points: int32 -> output: T",
    *_limits("lhs_", "rhs_", "output_"),
    "T: {qint32}",
    shape=_stretched,
)
op(
    "UniformQuantizedDot",
    "lhs: Tin, rhs: Tin, lhs_scales: float32, lhs_zero_points: int32, rhs_scales: float32, rhs_zero_points: int32, "
    "output_scales: float32, output_zero_points: int32 -> output: Tout",
    "Tin: {qint8}",
    "Tout: {qint32}",
    *_limits("lhs_", "rhs_", "output_"),
    shape=_product,
)
op(
    "UniformQuantizedDotHybrid",
    "lhs: Tlhs, rhs: Trhs, rhs_scales: float32, rhs_zero_points: int32 -> output: Tout",
    "Tlhs: {float32}",
    "Trhs: {qint8}",
    "Tout: {float32}",
    *_limits("rhs_"),
    shape=_product,
)
