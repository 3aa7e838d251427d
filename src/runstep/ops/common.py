"""Shape rules that many ops share. A rule takes the operation under construction and returns one raw shape per output.

A raw shape is a tuple of sizes, None for an unknown size, or None for an unknown rank.
"""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.graph.shapes import RawShape

Shapes = list[RawShape]


def unchanged(op: Any) -> Shapes:
    """Every output has the shape of the first input."""
    return [op.inputs[0].raw_shape] * len(op.outputs)


def scalar(op: Any) -> Shapes:
    """Every output is a scalar."""
    return [()] * len(op.outputs)


def vector(op: Any) -> Shapes:
    """Every output is a vector of unknown length."""
    return [(None,)] * len(op.outputs)


def unknown(op: Any) -> Shapes:
    """Nothing is known of any output."""
    return [None] * len(op.outputs)


def nothing(op: Any) -> Shapes:
    """The op has no outputs."""
    return []


def broadcast(op: Any) -> Shapes:
    """Two inputs, broadcast against each other as numpy does."""
    x, y = op.inputs
    a, b = x.raw_shape, y.raw_shape
    if a == b:
        return [a]
    return [shapes.broadcast(a, b)]


def merged(op: Any) -> Shapes:
    """All inputs have one shape, known as well as all of them together say; every output has it too."""
    shape: RawShape = None
    for tensor in op.inputs:
        shape = shapes.merge(shape, tensor.raw_shape)
    return [shape] * len(op.outputs)
