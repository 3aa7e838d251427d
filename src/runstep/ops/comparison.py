"""Comparisons and logic: op definitions and the `tf.*` functions. Inputs broadcast; results are bool."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.graph.apply import apply
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import Shapes, broadcast, unchanged
from runstep.ops.registry import op

__all__ = [
    "equal",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "not_equal",
]


def _equality(op: Any) -> Shapes:
    x, y = op.inputs[0].raw_shape, op.inputs[1].raw_shape
    if op.attrs["incompatible_shape_error"]:
        return [shapes.broadcast(x, y)]
    # Shapes that do not broadcast give one scalar; a size that may or may not fit leaves even the rank open.
    if x is None or y is None:
        return [None]
    try:
        shape = shapes.broadcast(x, y)
    except ValueError:
        return [()]
    for a, b in zip(reversed(x), reversed(y), strict=False):
        if (a is None) != (b is None) and (a or b) != 1:
            return [None]
    return [shape]


def _approximately(op: Any) -> Shapes:
    x, y = op.inputs[0].raw_shape, op.inputs[1].raw_shape
    shapes.merge(x, y)
    return [x]


for _name in ("Less", "LessEqual", "Greater", "GreaterEqual"):
    op(_name, "x: T, y: T -> z: bool", "T: realnumbertype", shape=broadcast)
for _name in ("Equal", "NotEqual"):
    op(
        _name,
        "x: T, y: T -> z: bool",
        "T: type",
        "incompatible_shape_error: bool = true",
        commutative=True,
        shape=_equality,
    )
for _name in ("LogicalAnd", "LogicalOr"):
    op(_name, "x: bool, y: bool -> z: bool", commutative=True, shape=broadcast)
op("LogicalNot", "x: bool -> y: bool", shape=unchanged)
op(
    "ApproximateEqual",
    "x: T, y: T -> z: bool",
    "T: numbertype",
    "tolerance: float = 1e-05",
    commutative=True,
    shape=_approximately,
)


def equal(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x == y`, elementwise. Source: `tf.equal`."""
    return apply("Equal", x, y, name=name)


def not_equal(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x != y`, elementwise. Source: `tf.not_equal`."""
    return apply("NotEqual", x, y, name=name)


def less(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x < y`, elementwise. Source: `tf.less`."""
    return apply("Less", x, y, name=name)


def less_equal(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x <= y`, elementwise. Source: `tf.less_equal`."""
    return apply("LessEqual", x, y, name=name)


def greater(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x > y`, elementwise. Source: `tf.greater`."""
    return apply("Greater", x, y, name=name)


def greater_equal(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x >= y`, elementwise. Source: `tf.greater_equal`."""
    return apply("GreaterEqual", x, y, name=name)


def logical_and(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x and y`, elementwise. Source: `tf.logical_and`."""
    return apply("LogicalAnd", x, y, name=name)


def logical_or(x: TensorLike, y: TensorLike, name: str | None = None) -> Tensor:
    """`x or y`, elementwise. Source: `tf.logical_or`."""
    return apply("LogicalOr", x, y, name=name)


def logical_not(x: TensorLike, name: str | None = None) -> Tensor:
    """`not x`, elementwise. Source: `tf.logical_not`."""
    return apply("LogicalNot", x, name=name)


def logical_xor(x: TensorLike, y: TensorLike, name: str = "LogicalXor") -> Tensor:
    """Whether exactly one of `x`, `y` is true. Source: `tf.logical_xor`."""
    return logical_and(logical_or(x, y), logical_not(logical_and(x, y)), name=name)
