"""Gradients of special functions, by their derivatives (numbers: Abramowitz and Stegun)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from runstep.gradients.broadcasting import unbroadcast
from runstep.gradients.registry import gradient
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor

_HALVED = (dtypes.float16, dtypes.bfloat16)
_TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)


def _like(x: Tensor, value: float) -> Any:
    """A constant in the dtype of x, rounded once."""
    return np.asarray(value, x.dtype.base_dtype.as_numpy_dtype)


@gradient("Lgamma")
def _lgamma(op: Operation, grad: Any) -> Any:
    return grad * apply("Digamma", op.inputs[0])


@gradient("Digamma")
def _digamma(op: Operation, grad: Any) -> Any:
    x = op.inputs[0]
    return grad * apply("Polygamma", _like(x, 1), x)


@gradient("Polygamma")
def _polygamma(op: Operation, grad: Any) -> list[Any]:
    n, x = op.inputs
    _, to_x = unbroadcast(n, x)
    return [None, to_x(grad * apply("Polygamma", n + 1, x))]


@gradient("Zeta")
def _zeta(op: Operation, grad: Any) -> list[Any]:
    x, q = op.inputs
    _, to_q = unbroadcast(x, q)
    return [None, to_q(grad * (-x * apply("Zeta", x + 1, q)))]


@gradient("Erf")
def _erf(op: Operation, grad: Any) -> Any:
    x = op.inputs[0]
    return grad * _like(x, _TWO_OVER_ROOT_PI) * apply("Exp", -apply("Square", x))


@gradient("Erfc")
def _erfc(op: Operation, grad: Any) -> Any:
    x = op.inputs[0]
    return grad * _like(x, -_TWO_OVER_ROOT_PI) * apply("Exp", -apply("Square", x))


@gradient("Erfinv")
def _erfinv(op: Operation, grad: Any) -> Any:
    y = op.outputs[0]
    return grad * _like(y, 1 / _TWO_OVER_ROOT_PI) * apply("Exp", apply("Square", y))


@gradient("Ndtri")
def _ndtri(op: Operation, grad: Any) -> Any:
    y = op.outputs[0]
    return grad * _like(y, math.sqrt(2 * math.pi)) * apply("Exp", apply("Square", y) / 2)


def _density(a: Tensor, x: Tensor) -> Tensor:
    """The derivative of `igamma(a, x)` in x: that of the gamma distribution."""
    return apply("Exp", -x + (a - 1) * apply("Log", x) - apply("Lgamma", a))


@gradient("Igamma")
def _igamma(op: Operation, grad: Any) -> list[Any]:
    a, x = op.inputs
    to_a, to_x = unbroadcast(a, x)
    in_a = None if a.dtype.base_dtype in _HALVED else to_a(grad * apply("IgammaGradA", a, x))
    return [in_a, to_x(grad * _density(a, x))]


@gradient("Igammac")
def _igammac(op: Operation, grad: Any) -> list[Any]:
    in_a, in_x = _igamma(op, grad)
    return [None if in_a is None else -in_a, -in_x]


@gradient("Betainc")
def _betainc(op: Operation, grad: Any) -> list[Any]:
    a, b, x = op.inputs
    _, to_x = unbroadcast(a, x)
    log_beta = apply("Lgamma", a) + apply("Lgamma", b) - apply("Lgamma", a + b)
    density = apply("Exp", apply("Xlog1py", b - 1, -x) + apply("Xlogy", a - 1, x) - log_beta)
    return [None, None, to_x(grad * density)]


@gradient("Dawsn")
def _dawsn(op: Operation, grad: Any) -> Any:
    return grad * (1 - 2 * op.inputs[0] * op.outputs[0])


@gradient("Expint")
def _expint(op: Operation, grad: Any) -> Any:
    x = op.inputs[0]
    return grad * apply("Exp", x) / x


@gradient("FresnelCos")
def _fresnel_cos(op: Operation, grad: Any) -> Any:
    x = op.inputs[0]
    return grad * apply("Cos", _like(x, math.pi / 2) * apply("Square", x))


@gradient("FresnelSin")
def _fresnel_sin(op: Operation, grad: Any) -> Any:
    x = op.inputs[0]
    return grad * apply("Sin", _like(x, math.pi / 2) * apply("Square", x))


@gradient("Spence")
def _spence(op: Operation, grad: Any) -> Any:
    x = op.inputs[0]
    slope = apply("Log", x) / (1 - x)
    at_one = apply("Equal", x, _like(x, 1))
    return grad * apply("SelectV2", at_one, apply("Neg", apply("OnesLike", x)), slope)


# --- Bessel functions ---------------------------------------------------------------------------------------------
# f0' = s f1 for each kind, f1' = f0 - f1 / x up to signs; the scaled ones carry exp(-|x|) or exp(x).


@gradient("BesselI0")
def _i0(op: Operation, grad: Any) -> Any:
    return grad * apply("BesselI1", op.inputs[0])


@gradient("BesselI0e")
def _i0e(op: Operation, grad: Any) -> Any:
    x, y = op.inputs[0], op.outputs[0]
    return grad * (apply("BesselI1e", x) - apply("Sign", x) * y)


@gradient("BesselI1")
def _i1(op: Operation, grad: Any) -> Any:
    x, y = op.inputs[0], op.outputs[0]
    return grad * _halved_at_zero(x, apply("BesselI0", x) - apply("Div", y, x))


@gradient("BesselI1e")
def _i1e(op: Operation, grad: Any) -> Any:
    x, y = op.inputs[0], op.outputs[0]
    slope = apply("BesselI0e", x) - y * (apply("Sign", x) + apply("Reciprocal", x))
    return grad * _halved_at_zero(x, slope)


def _halved_at_zero(x: Tensor, slope: Tensor) -> Tensor:
    """A slope that is 1/2 at zero, where its formula divides by zero."""
    at_zero = apply("Equal", x, _like(x, 0))
    return apply("SelectV2", at_zero, _like(x, 0.5), slope)


@gradient("BesselJ0")
def _j0(op: Operation, grad: Any) -> Any:
    return grad * -apply("BesselJ1", op.inputs[0])


@gradient("BesselJ1")
def _j1(op: Operation, grad: Any) -> Any:
    x, y = op.inputs[0], op.outputs[0]
    return grad * _halved_at_zero(x, apply("BesselJ0", x) - apply("Div", y, x))


@gradient("BesselY0")
def _y0(op: Operation, grad: Any) -> Any:
    return grad * -apply("BesselY1", op.inputs[0])


@gradient("BesselY1")
def _y1(op: Operation, grad: Any) -> Any:
    x, y = op.inputs[0], op.outputs[0]
    return grad * (apply("BesselY0", x) - apply("Div", y, x))


@gradient("BesselK0")
def _k0(op: Operation, grad: Any) -> Any:
    return grad * -apply("BesselK1", op.inputs[0])


@gradient("BesselK0e")
def _k0e(op: Operation, grad: Any) -> Any:
    return grad * (op.outputs[0] - apply("BesselK1e", op.inputs[0]))


@gradient("BesselK1")
def _k1(op: Operation, grad: Any) -> Any:
    x, y = op.inputs[0], op.outputs[0]
    return grad * (-apply("BesselK0", x) - apply("Div", y, x))


@gradient("BesselK1e")
def _k1e(op: Operation, grad: Any) -> Any:
    x, y = op.inputs[0], op.outputs[0]
    return grad * (y * (1 - apply("Reciprocal", x)) - apply("BesselK0e", x))
