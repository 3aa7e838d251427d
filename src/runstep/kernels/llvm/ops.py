"""What compiled loops can compute: for each op, an element of its output from the elements of its inputs.

Every function here gives, bit for bit, what the op's numpy kernel gives. Ops whose values hang on a library of
mathematical functions (exp, tanh ...) are not here: two libraries round them in two ways.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from runstep.kernels.llvm.values import BOOL, Value
from runstep.kernels.numpy.activation import SELU_SCALE, SELU_SCALE_ALPHA

STRICT = frozenset("ReluGrad Relu6Grad LeakyReluGrad EluGrad SeluGrad SoftsignGrad".split())
"""Ops that take arrays of one shape."""


class Node(Protocol):
    """What is asked of a plan's node."""

    @property
    def type(self) -> str: ...
    @property
    def attrs(self) -> dict[str, Any]: ...
    @property
    def input_types(self) -> Any: ...
    @property
    def output_types(self) -> Any: ...


def _larger(x: Value, y: Value) -> Value:
    found = (x > y).choose(x, y)
    return x.is_nan().choose(x, found) if x.is_float else found


def _smaller(x: Value, y: Value) -> Value:
    found = (x < y).choose(x, y)
    return x.is_nan().choose(x, found) if x.is_float else found


def _relu(x: Value) -> Value:
    """NaN stays, and so does -0."""
    return (x < x.like(0)).choose(x.like(0), x)


def _square(x: Value) -> Value:
    return x * x


def _sign(x: Value) -> Value:
    zero = x.like(0)
    return (x > zero).choose(x.like(1), (x < zero).choose(x.like(-1), x + zero))


def _or_zero(function: Callable[[Value, Value], Value]) -> Callable[[Value, Value], Value]:
    return lambda x, y: y.equals(y.like(0)).choose(x.like(0), function(x, y))


NUMBERS: dict[str, Callable[..., Value]] = {
    "Add": lambda x, y: x + y,
    "AddV2": lambda x, y: x + y,
    "Sub": lambda x, y: x - y,
    "Mul": lambda x, y: x * y,
    "Maximum": _larger,
    "Minimum": _smaller,
    "SquaredDifference": lambda x, y: _square(x - y),
    "Neg": lambda x: -x,
    "Abs": abs,
    "Square": _square,
    "Less": lambda x, y: x < y,
    "LessEqual": lambda x, y: x <= y,
    "Greater": lambda x, y: x > y,
    "GreaterEqual": lambda x, y: x >= y,
    "Equal": lambda x, y: x.equals(y),
    "NotEqual": lambda x, y: x.differs(y),
    "SelectV2": lambda condition, x, y: condition.choose(x, y),
}
FLOATS: dict[str, Callable[..., Value]] = {
    "RealDiv": lambda x, y: x / y,
    "Div": lambda x, y: x / y,
    "DivNoNan": _or_zero(lambda x, y: x / y),
    "MulNoNan": _or_zero(lambda x, y: x * y),
    "Sqrt": lambda x: x.call("sqrt"),
    "Rsqrt": lambda x: x.like(1) / x.call("sqrt"),
    "Reciprocal": lambda x: x.like(1) / x,
    "Inv": lambda x: x.like(1) / x,
    "Sign": _sign,
    "Floor": lambda x: x.call("floor"),
    "Ceil": lambda x: x.call("ceil"),
    "Rint": lambda x: x.call("rint"),
    "Round": lambda x: x.call("rint"),
    "IsNan": lambda x: x.is_nan(),
    "IsInf": lambda x: abs(x).equals(x.like(np.inf)),
    "IsFinite": lambda x: abs(x) < x.like(np.inf),
    "Relu": _relu,
    "Relu6": lambda x: (x > x.like(6)).choose(x.like(6), _relu(x)),
    "Softsign": lambda x: x / (x.like(1) + abs(x)),
    "SigmoidGrad": lambda y, dy: dy * y * (y.like(1) - y),
    "TanhGrad": lambda y, dy: dy * (y.like(1) - y * y),
    "SqrtGrad": _or_zero(lambda y, dy: dy * y.like(0.5) / y),
    "RsqrtGrad": _or_zero(lambda y, dy: dy * y.like(-0.5) * y * (y * y)),
    "ReciprocalGrad": _or_zero(lambda y, dy: -dy * (y * y)),
    "InvGrad": _or_zero(lambda y, dy: -dy * (y * y)),
    "ReluGrad": lambda g, x: (x > x.like(0)).choose(g, g * g.like(0)),
    "Relu6Grad": lambda g, x: ((x > x.like(0)) & (x < x.like(6))).choose(g, g * g.like(0)),
    "EluGrad": lambda g, y: (y < y.like(0)).choose((y + y.like(1)) * g, g),
    "SeluGrad": lambda g, y: (y < y.like(0)).choose(g * (y + y.like(SELU_SCALE_ALPHA)), g * y.like(SELU_SCALE)),
    "SoftsignGrad": lambda g, x: g / _square(x.like(1) + abs(x)),
}
_INTEGERS: dict[str, Callable[..., Value]] = {
    "BitwiseAnd": lambda x, y: x & y,
    "BitwiseOr": lambda x, y: x | y,
    "BitwiseXor": lambda x, y: x ^ y,
    "Invert": lambda x: x ^ x.like(-1 if x.dtype.kind == "i" else np.iinfo(x.dtype).max),
    "Relu": _relu,
}
_BOOLS: dict[str, Callable[..., Value]] = {
    "LogicalAnd": lambda x, y: x & y,
    "LogicalOr": lambda x, y: x | y,
    "LogicalNot": lambda x: x.differs(x.like(True)),
    "Equal": lambda x, y: x.differs(y).differs(x.like(True)),
    "NotEqual": lambda x, y: x.differs(y),
    "SelectV2": lambda condition, x, y: condition.choose(x, y),
}


@functools.cache
def _leaky(alpha: np.float32) -> Callable[[Value], Value]:
    return lambda x: (x > x.like(0)).choose(x, x * x.like(alpha))


@functools.cache
def _leaky_gradient(alpha: np.float32) -> Callable[[Value, Value], Value]:
    return lambda g, x: (x > x.like(0)).choose(g, g * g.like(alpha))


@functools.cache
def _cast(target: np.dtype[Any]) -> Callable[[Value], Value]:
    return lambda x: x.to(target)


def rule(node: Node) -> Callable[..., Value] | None:
    """How an element of the node's output is computed from those of its inputs; None where loops can't.

    Nodes that are alike get the same function: it tells which chains are.
    """
    source, target = node.input_types[-1].np, node.output_types[0].np
    if not all(_is_known(dtype.np) for dtype in (*node.input_types, *node.output_types)):
        return None
    if node.type == "Cast":
        if node.attrs["Truncate"] or (source.kind == "f" and target.kind not in "fb"):
            return None
        return _cast(target)
    if node.type in ("LeakyRelu", "LeakyReluGrad"):
        return (_leaky if node.type == "LeakyRelu" else _leaky_gradient)(np.float32(node.attrs["alpha"]))
    if source == BOOL:
        return _BOOLS.get(node.type)
    return NUMBERS.get(node.type) or (FLOATS if source.kind == "f" else _INTEGERS).get(node.type)


def _is_known(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "biu" or (dtype.kind == "f" and dtype.itemsize in (4, 8))
