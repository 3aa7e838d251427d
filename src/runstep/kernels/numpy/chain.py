"""Kernels of nodes that the plan has joined: a producer, and what follows it element by element in the same memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep.kernels.numpy.conv import convolution
from runstep.kernels.numpy.fused_tail import tail_of
from runstep.kernels.registry import Kernel, Node

Array = Any
Steps = Sequence[tuple[str, Any]]


def chained(node: Node, kernel: Kernel | None, steps: Steps) -> Kernel:
    """The kernel of `node` (made already, or None for Conv2D) followed by `steps` (see `fused_tail.tail_of`)."""
    tail = tail_of(steps)
    if node.type == "Conv2D":
        return convolution(node.attrs, node.input_types[0], 4, node.constant(1), tail)
    assert kernel is not None

    def chain(*inputs: Array) -> Array:
        y = kernel(*inputs)
        if y.ndim < 2 or not y.flags.c_contiguous:
            y = np.array(y, order="C", ndmin=2) if y.ndim >= 2 else y
        if y.size and y.ndim >= 2:
            tail(y.reshape(-1, y.shape[-1]), y.shape[-2] if y.ndim > 2 else 1, ())
        elif y.size:
            y = np.array(y)
            tail(y.reshape(1, -1), 1, ())
        return y

    return chain


def hard_swish(x: Array) -> Array:
    """`x * relu6(x + 3) / 6`, as a new array."""
    return _applied(_HARD_SWISH, x)


def swish(x: Array) -> Array:
    """`x * sigmoid(x)`, as a new array."""
    return _applied(_SWISH, x)


def prelu(x: Array, slope: Array) -> Array:
    """`x` where it is positive, else `slope * x`, as a new array."""
    y = np.minimum(x, np.float32(0))
    y *= slope
    return np.add(y, np.maximum(x, np.float32(0)), out=y if isinstance(y, np.ndarray) else None)


def scale_shift(x: Array, factor: Array, shift: Array) -> Array:
    """`x * factor + shift`, as a new array."""
    y = np.multiply(x, factor)
    return np.add(y, shift, out=y)


def _applied(tail: Any, x: Array) -> Array:
    y = np.array(x, order="C")
    if y.size:
        tail(y.reshape(-1, y.shape[-1]) if y.ndim >= 2 else y.reshape(1, -1), 1, ())
    return y if y.ndim else y[()]


_HARD_SWISH = tail_of([("HardSwish", None)])
_SWISH = tail_of([("Swish", None)])
