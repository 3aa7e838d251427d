"""Elementwise ops: alone, or as what follows another primitive in its own loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep.kernels.onednn import api as c
from runstep.kernels.onednn.api import Unsupported
from runstep.kernels.onednn.lowering import Lowering, Post, lowers
from runstep.kernels.onednn.program import Value, constant, reshaped

_UNARY: dict[str, tuple[int, float, float]] = {
    "Relu": (c.RELU, 0.0, 0.0),
    "Relu6": (c.CLIP, 0.0, 6.0),
    "Elu": (c.ELU, 1.0, 0.0),
    "Tanh": (c.TANH, 0.0, 0.0),
    "Sigmoid": (c.LOGISTIC, 0.0, 0.0),
    "Abs": (c.ABS, 0.0, 0.0),
    "Square": (c.SQUARE, 0.0, 0.0),
    "Sqrt": (c.SQRT, 0.0, 0.0),
    "Neg": (c.LINEAR, -1.0, 0.0),
    "_HardSwish": (c.HARDSWISH, 1 / 6, 0.5),
    "_Swish": (c.SWISH, 1.0, 0.0),
}
_BINARY = {
    "Add": c.ADD,
    "AddV2": c.ADD,
    "BiasAdd": c.ADD,
    "Mul": c.MUL,
    "Maximum": c.MAX,
    "Minimum": c.MIN,
    "Sub": c.SUB,
    "RealDiv": c.DIV,
}
_ORDERED = frozenset(("Sub", "RealDiv"))


def _unary(node: Any) -> tuple[int, float, float]:
    if node.type == "LeakyRelu":
        return c.RELU, float(node.attrs["alpha"]), 0.0
    return _UNARY[node.type]


def _fits(operand: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether an operand broadcasts to `shape` without enlarging it."""
    return len(operand) <= len(shape) and all(
        a in (1, b) for a, b in zip(reversed(operand), reversed(shape), strict=False)
    )


def posts_of(lowering: Lowering, node: Any, before: Any, shape: Sequence[int]) -> list[Post]:
    """`node` as operations on the result of `before`, the last of which names it; none if it is no such thing."""
    if node.type == "_ScaleShift":
        factor, shift = lowering.value(*node.inputs[1]), lowering.value(*node.inputs[2])
        return [Post(None, "binary", c.MUL, operand=factor), Post(node, "binary", c.ADD, operand=shift)]
    found = _post_of(lowering, node, before, shape)
    return [] if found is None else [found]


def _post_of(lowering: Lowering, node: Any, before: Any, shape: Sequence[int]) -> Post | None:
    if node.type in _UNARY or node.type == "LeakyRelu":
        return Post(node, "eltwise", *_unary(node))
    if node.type == "_PRelu":
        alpha = lowering.other_input(node, before)
        if alpha is None or node.inputs[0][0] is not before or alpha.size not in (1, shape[-1]) or len(shape) < 2:
            return None
        return Post(node, "prelu", operand=alpha)
    if node.type not in _BINARY or len(node.inputs) != 2:
        return None
    if node.inputs[0][0] is node.inputs[1][0] or (node.type in _ORDERED and node.inputs[0][0] is not before):
        return None
    operand = lowering.other_input(node, before)
    if operand is None or not _fits(operand.shape, shape):
        return None
    if operand.array is not None and operand.size == 1:
        number = float(operand.array.reshape(()))
        if _BINARY[node.type] == c.MUL:
            return Post(node, "eltwise", c.LINEAR, number, 0.0)
        if _BINARY[node.type] == c.ADD:
            return Post(node, "eltwise", c.LINEAR, 1.0, number)
        if _BINARY[node.type] == c.SUB:
            return Post(node, "eltwise", c.LINEAR, 1.0, -number)
    return Post(node, "binary", _BINARY[node.type], operand=operand)


@lowers(*_UNARY, "LeakyRelu")
def unary(lowering: Lowering, node: Any, inputs: list[Value]) -> Value:
    (x,) = inputs
    return _start(lowering, node, x, Post(node, "eltwise", *_unary(node)))


@lowers("_PRelu")
def prelu(lowering: Lowering, node: Any, inputs: list[Value]) -> Value:
    x, alpha = inputs
    if alpha.size not in (1, x.shape[-1]) or len(x.shape) < 2:
        raise Unsupported("PRelu")
    return _start(lowering, node, x, Post(node, "prelu", operand=alpha))


@lowers("Add", "AddV2", "BiasAdd", "Mul", "Maximum", "Minimum", "Sub", "RealDiv")
def binary(lowering: Lowering, node: Any, inputs: list[Value]) -> Value:
    x, y = inputs
    if not _fits(y.shape, x.shape):
        if node.type in _ORDERED or not _fits(x.shape, y.shape):
            raise Unsupported("binary")
        x, y = y, x
    if x.array is not None and y.shape == x.shape:
        x, y = (y, x) if node.type not in _ORDERED else (x, y)
    if x.array is not None:
        raise Unsupported("binary")
    return _binary(lowering, node, x, y, _BINARY[node.type], [])


@lowers("_ScaleShift")
def scale_shift(lowering: Lowering, node: Any, inputs: list[Value]) -> Value:
    x, factor, shift = inputs
    return _binary(lowering, node, x, factor, c.MUL, [Post(node, "binary", c.ADD, operand=shift)])


@lowers("AddN")
def add_n(lowering: Lowering, node: Any, inputs: list[Value]) -> Value:
    if len(inputs) < 2 or any(value.shape != inputs[0].shape for value in inputs):
        raise Unsupported("AddN")
    more = [Post(None, "binary", c.ADD, operand=value) for value in inputs[2:]]
    if more:
        more[-1] = more[-1]._replace(node=node)
    return _binary(lowering, node, inputs[0], inputs[1], c.ADD, more)


def _binary(lowering: Lowering, node: Any, x: Value, y: Value, kind: int, more: list[Post]) -> Value:
    b = lowering.b
    b.sized(32 * x.size)
    posts = more + lowering.tail(node, x.shape)
    y = _along_row(lowering, x, y)
    rows = _rows(x.shape, [y, *(post.operand for post in posts if post.operand is not None)])
    if rows is not None:
        source, y = reshaped(x, rows), _on_rows(y, rows)
        posts = [post if post.operand is None else _post_on_rows(post, rows) for post in posts]
    else:
        source = x
    rank = max(1, len(source.shape))
    left, right = b.desc(source), b.desc(y, rank)

    def make(attributes: Any) -> Any:
        return b.primitive("binary", kind, left, right, left, attributes)

    primitive, arguments, last = lowering.fused(None if more else node, posts, rank, make)
    if last is None:  # not all of what it consists of
        raise Unsupported("AddN")
    result = b.new(x.shape)
    b.run(
        primitive,
        [(c.ARG_SRC, x.home, left), (c.ARG_SRC_1, y.home, right), (c.ARG_DST, result.home, left), *arguments],
    )
    finish(lowering, node, last, result)
    return result


_MANY = 1 << 14
_NARROW = 32
"""Channels below which a constant for each channel is repeated along a row of the image: a loop over three channels is
ten times slower than one over a row of them."""


def _rows(shape: Sequence[int], operands: Sequence[Value]) -> tuple[int, int, int] | None:
    """The shape `[images, rows, columns * channels]` to work in, if that is better and every operand can follow."""
    if len(shape) != 4 or shape[3] >= _NARROW or shape[2] == 1:
        return None
    images, height, width, channels = shape
    is_worth = False
    for operand in operands:
        if operand.shape == (images, 1, width, channels) and height > 1:
            is_worth = True
        elif operand.array is not None and operand.size == channels > 1 and operand.shape[-1] == channels:
            is_worth = True
        elif operand.shape != tuple(shape) and operand.size != 1:
            return None
    return (images, height, width * channels) if is_worth else None


def _along_row(lowering: Lowering, x: Value, y: Value) -> Value:
    """A gate for the few channels of each image, `[batch, 1, 1, channels]`, repeated to `[batch, 1, width,
    channels]`."""
    if y.array is not None or len(x.shape) != 4 or x.shape[3] >= _NARROW or x.size < _MANY:
        return y
    if y.shape != (x.shape[0], 1, 1, x.shape[3]):
        return y
    shape = (x.shape[0], 1, *x.shape[2:])
    return lowering.b.call(lambda gate: gate, [y], shape)  # repeated as it is copied


def _on_rows(value: Value, rows: tuple[int, int, int]) -> Value:
    images, height, width = rows
    if value.size == 1:
        return reshaped(value, (1, 1, 1))
    if value.size == images * width and len(value.shape) == 4 and value.shape[2] > 1:
        return reshaped(value, (images, 1, width))
    if value.size == images * height * width:
        return reshaped(value, rows)
    assert value.array is not None
    return constant(np.tile(value.array.reshape(-1), width // value.size).reshape(1, 1, width))


def _post_on_rows(post: Post, rows: tuple[int, int, int]) -> Post:
    assert post.operand is not None
    return post._replace(operand=_on_rows(post.operand, rows))


def _start(lowering: Lowering, node: Any, x: Value, first: Post) -> Value:
    """An elementwise primitive for `first` and what follows."""
    b = lowering.b
    b.sized(32 * x.size)
    desc = b.desc(x)
    posts = lowering.tail(node, x.shape)
    result = b.new(x.shape)
    if first.kind == "prelu":
        # A pass that changes nothing, for what follows it; there is a primitive for PReLU too, but no faster.
        posts = [first, *posts]
        kind: tuple[int, float, float] = (c.LINEAR, 1.0, 0.0)
    else:
        kind = (first.kernel, first.alpha, first.beta)

    def make(attributes: Any) -> Any:
        return b.primitive("eltwise_forward", c.FORWARD_INFERENCE, kind[0], desc, desc, kind[1], kind[2], attributes)

    primitive, arguments, last = lowering.fused(None if first.kind == "prelu" else node, posts, len(x.shape), make)
    if last is None:
        raise Unsupported("PRelu")
    b.run(primitive, [(c.ARG_SRC, x.home, desc), (c.ARG_DST, result.home, desc), *arguments])
    finish(lowering, node, last, result)
    return result


def finish(lowering: Lowering, node: Any, last: Any, result: Value) -> None:
    """Binds a primitive's result to the last node that it took in; the ones on the way have no reader any more."""
    while node is not last:
        following = lowering.only_user(node)
        lowering.values[node] = result
        node = following
    lowering.values[last] = result


def per_channel(value: Value, channels: int, rank: int) -> np.ndarray[Any, Any] | None:
    """A constant as a vector of one number a channel, if it is one or the same for all channels."""
    array = value.array
    if array is None or array.ndim > rank or array.size not in (1, channels):
        return None
    if array.size > 1 and array.shape[-1] != channels:
        return None
    flat = array.reshape(-1).astype(np.float32, copy=False)
    return flat if flat.size == channels else np.broadcast_to(flat, channels)
