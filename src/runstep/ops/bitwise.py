"""Bitwise functions of integers: op definitions and the `tf.bitwise.*` functions. Inputs broadcast."""

from __future__ import annotations

from runstep.graph.apply import apply
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import broadcast, unchanged
from runstep.ops.registry import op
from runstep.ops.typesets import INTEGER

__all__ = ["bitwise_and", "bitwise_or", "bitwise_xor", "invert", "left_shift", "right_shift"]

for _name in ("BitwiseAnd", "BitwiseOr", "BitwiseXor"):
    op(_name, "x: T, y: T -> z: T", INTEGER, commutative=True, shape=broadcast)
for _name in ("LeftShift", "RightShift"):
    op(_name, "x: T, y: T -> z: T", INTEGER, shape=broadcast)
op("Invert", "x: T -> y: T", INTEGER, shape=unchanged)
op("PopulationCount", "x: T -> y: uint8", INTEGER, shape=unchanged)


def bitwise_and(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x & y`. Source: `tf.bitwise.bitwise_and`."""
    return apply("BitwiseAnd", x, y, name=name)


def bitwise_or(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x | y`. Source: `tf.bitwise.bitwise_or`."""
    return apply("BitwiseOr", x, y, name=name)


def bitwise_xor(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x ^ y`. Source: `tf.bitwise.bitwise_xor`."""
    return apply("BitwiseXor", x, y, name=name)


def invert(x: TensorLike, name: str | None = None) -> Tensor:
    """`~x`. Source: `tf.bitwise.invert`."""
    return apply("Invert", x, name=name)


def left_shift(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x << y`, with `y` held within the bits of the type. Source: `tf.bitwise.left_shift`."""
    return apply("LeftShift", x, y, name=name)


def right_shift(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x >> y`, with `y` held within the bits of the type. Source: `tf.bitwise.right_shift`."""
    return apply("RightShift", x, y, name=name)
