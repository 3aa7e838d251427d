"""Functions of one tensor, element by element: op definitions, their gradient ops, and the `tf.*` functions.

A SparseTensor is taken where TensorFlow takes one: the function is applied to its values.
"""

from __future__ import annotations

from typing import Any

from runstep.graph.apply import apply
from runstep.graph.composite import SparseTensor
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import unchanged
from runstep.ops.registry import op
from runstep.ops.typesets import FLOAT, FLOAT_COMPLEX, SIGNED, SIGNED_COMPLEX

__all__ = [
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "ceil",
    "cos",
    "cosh",
    "exp",
    "expm1",
    "floor",
    "is_finite",
    "is_inf",
    "is_nan",
    "log",
    "log1p",
    "log_sigmoid",
    "negative",
    "reciprocal",
    "reciprocal_no_nan",
    "rint",
    "round",
    "rsqrt",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "tanh",
]


for (
    _name
) in "Sigmoid Sqrt Log Exp Tanh Rsqrt Log1p Sin Cos Acos Expm1 Sinh Cosh Tan Asin Atan Asinh Acosh Atanh".split():
    op(_name, "x: T -> y: T", FLOAT_COMPLEX, shape=unchanged)
for _name in ("Neg", "Reciprocal", "Inv", "Sign", "Round"):
    op(_name, "x: T -> y: T", SIGNED_COMPLEX, shape=unchanged)
for _name in ("Floor", "Ceil", "Rint"):
    op(_name, "x: T -> y: T", FLOAT, shape=unchanged)
for _name in ("IsNan", "IsInf", "IsFinite"):
    op(_name, "x: T -> y: bool", FLOAT, shape=unchanged)
op("Abs", "x: T -> y: T", SIGNED, shape=unchanged)
op(
    "Square",
    "x: T -> y: T",
    "T: {bfloat16, float16, float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64, "
    "complex64, complex128}",
    shape=unchanged,
)
for _name in ("SigmoidGrad", "TanhGrad", "SqrtGrad", "RsqrtGrad", "ReciprocalGrad", "InvGrad"):
    op(_name, "y: T, dy: T -> z: T", FLOAT_COMPLEX, shape=unchanged)


def _map(op_type: str, x: Any, name: str | None) -> Any:
    if isinstance(x, SparseTensor):
        return SparseTensor(x.indices, apply(op_type, x.values, name=name), x.dense_shape)
    return apply(op_type, x, name=name)


def abs(x: TensorLike, name: str | None = None) -> Any:
    """The absolute value; of complex numbers, the magnitude as a real tensor. Source: `tf.abs`."""
    if isinstance(x, SparseTensor):
        return SparseTensor(x.indices, abs(x.values, name), x.dense_shape)
    with name_scope(name, "Abs") as scope:
        x = convert_to_tensor(x, name="x")
        if x.dtype.is_complex:
            return apply("ComplexAbs", x, Tout=x.dtype.real_dtype, name=scope)
        return apply("Abs", x, name=scope)


def negative(x: TensorLike, name: str | None = None) -> Any:
    """`-x`. Source: `tf.negative`."""
    return _map("Neg", x, name)


def sign(x: TensorLike, name: str | None = None) -> Any:
    """-1, 0 or 1; of complex numbers, `x / abs(x)`. Source: `tf.sign`."""
    return _map("Sign", x, name)


def square(x: TensorLike, name: str | None = None) -> Any:
    """`x * x`. Source: `tf.square`."""
    return _map("Square", x, name)


def sqrt(x: TensorLike, name: str | None = None) -> Any:
    """The square root; NaN below 0. Source: `tf.sqrt`."""
    return _map("Sqrt", x, name)


def rsqrt(x: TensorLike, name: str | None = None) -> Any:
    """`1 / sqrt(x)`. Source: `tf.rsqrt`."""
    return _map("Rsqrt", x, name)


def reciprocal(x: TensorLike, name: str | None = None) -> Any:
    """`1 / x`. Source: `tf.reciprocal`."""
    return _map("Reciprocal", x, name)


def reciprocal_no_nan(x: TensorLike, name: str | None = None) -> Tensor:
    """`1 / x`, and 0 where `x` is 0. Source: `tf.math.reciprocal_no_nan`."""
    with name_scope(name, "reciprocal_no_nan") as scope:
        x = convert_to_tensor(x, name="x")
        one = convert_to_tensor(1, dtype=x.dtype.base_dtype, name="one")
        return apply("DivNoNan", one, x, name=scope)


def exp(x: TensorLike, name: str | None = None) -> Any:
    """`e ** x`. Source: `tf.exp`."""
    return _map("Exp", x, name)


def expm1(x: TensorLike, name: str | None = None) -> Any:
    """`exp(x) - 1`, accurate near 0. Source: `tf.math.expm1`."""
    return _map("Expm1", x, name)


def log(x: TensorLike, name: str | None = None) -> Any:
    """The natural logarithm. Source: `tf.log`."""
    return _map("Log", x, name)


def log1p(x: TensorLike, name: str | None = None) -> Any:
    """`log(1 + x)`, accurate near 0. Source: `tf.log1p`."""
    return _map("Log1p", x, name)


def sigmoid(x: TensorLike, name: str | None = None) -> Any:
    """`1 / (1 + exp(-x))`. Source: `tf.sigmoid`."""
    if isinstance(x, SparseTensor):
        return _map("Sigmoid", x, name)
    with name_scope(name, "Sigmoid") as scope:
        return apply("Sigmoid", convert_to_tensor(x, name="x"), name=scope)


def log_sigmoid(x: TensorLike, name: str | None = None) -> Tensor:
    """`log(sigmoid(x))`, accurate for negative `x`. Source: `tf.math.log_sigmoid`."""
    with name_scope(name, "LogSigmoid") as scope:
        x = convert_to_tensor(x, name="x")
        return apply("Neg", apply("Softplus", apply("Neg", x)), name=scope)


def tanh(x: TensorLike, name: str | None = None) -> Any:
    """The hyperbolic tangent. Source: `tf.tanh`."""
    return _map("Tanh", x, name)


def round(x: TensorLike, name: str | None = None) -> Tensor:
    """The nearest integer, halves to the even one; integers as they are. Source: `tf.round`."""
    x = convert_to_tensor(x, name="x")
    return x if x.dtype.is_integer else apply("Round", x, name=name)


def rint(x: TensorLike, name: str | None = None) -> Tensor:
    """The nearest integer, halves to the even one. Source: `tf.rint`."""
    return apply("Rint", x, name=name)


def ceil(x: TensorLike, name: str | None = None) -> Tensor:
    """The least integer that is not smaller. Source: `tf.ceil`."""
    return apply("Ceil", x, name=name)


def floor(x: TensorLike, name: str | None = None) -> Tensor:
    """The largest integer that is not greater. Source: `tf.floor`."""
    return apply("Floor", x, name=name)


def sin(x: TensorLike, name: str | None = None) -> Tensor:
    """The sine of radians. Source: `tf.sin`."""
    return apply("Sin", x, name=name)


def cos(x: TensorLike, name: str | None = None) -> Tensor:
    """The cosine of radians. Source: `tf.cos`."""
    return apply("Cos", x, name=name)


def tan(x: TensorLike, name: str | None = None) -> Tensor:
    """The tangent of radians. Source: `tf.tan`."""
    return apply("Tan", x, name=name)


def asin(x: TensorLike, name: str | None = None) -> Tensor:
    """The inverse of `sin`, in radians. Source: `tf.asin`."""
    return apply("Asin", x, name=name)


def acos(x: TensorLike, name: str | None = None) -> Tensor:
    """The inverse of `cos`, in radians. Source: `tf.acos`."""
    return apply("Acos", x, name=name)


def atan(x: TensorLike, name: str | None = None) -> Tensor:
    """The inverse of `tan`, in radians. Source: `tf.atan`."""
    return apply("Atan", x, name=name)


def sinh(x: TensorLike, name: str | None = None) -> Tensor:
    """The hyperbolic sine. Source: `tf.sinh`."""
    return apply("Sinh", x, name=name)


def cosh(x: TensorLike, name: str | None = None) -> Tensor:
    """The hyperbolic cosine. Source: `tf.cosh`."""
    return apply("Cosh", x, name=name)


def asinh(x: TensorLike, name: str | None = None) -> Tensor:
    """The inverse of `sinh`. Source: `tf.asinh`."""
    return apply("Asinh", x, name=name)


def acosh(x: TensorLike, name: str | None = None) -> Tensor:
    """The inverse of `cosh`; NaN below 1. Source: `tf.acosh`."""
    return apply("Acosh", x, name=name)


def atanh(x: TensorLike, name: str | None = None) -> Tensor:
    """The inverse of `tanh`; NaN outside [-1, 1]. Source: `tf.atanh`."""
    return apply("Atanh", x, name=name)


def is_nan(x: TensorLike, name: str | None = None) -> Tensor:
    """Whether each element is NaN. Source: `tf.is_nan`."""
    return apply("IsNan", x, name=name)


def is_inf(x: TensorLike, name: str | None = None) -> Tensor:
    """Whether each element is infinite. Source: `tf.is_inf`."""
    return apply("IsInf", x, name=name)


def is_finite(x: TensorLike, name: str | None = None) -> Tensor:
    """Whether each element is finite. Source: `tf.is_finite`."""
    return apply("IsFinite", x, name=name)
