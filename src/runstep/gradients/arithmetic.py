"""Gradients of arithmetic on two and more tensors."""

from __future__ import annotations

from typing import Any

from runstep.gradients.broadcasting import conj, unbroadcast
from runstep.gradients.registry import gradient, no_gradient
from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.creation import ones_like, zeros_like

no_gradient("FloorDiv", "TruncateDiv")


@gradient("Add", "AddV2")
def _add(op: Operation, grad: Any) -> Any:
    to_x, to_y = unbroadcast(*op.inputs)
    return to_x(grad), to_y(grad)


@gradient("Sub")
def _sub(op: Operation, grad: Any) -> Any:
    to_x, to_y = unbroadcast(*op.inputs)
    return to_x(grad), -to_y(grad)


@gradient("Mul")
def _mul(op: Operation, grad: Any) -> Any:
    x, y = op.inputs
    to_x, to_y = unbroadcast(x, y)
    return to_x(apply("Mul", grad, conj(y))), to_y(apply("Mul", conj(x), grad))


@gradient("MulNoNan")
def _mul_no_nan(op: Operation, grad: Any) -> Any:
    x, y = op.inputs
    to_x, to_y = unbroadcast(x, y)
    return to_x(apply("MulNoNan", grad, y)), to_y(apply("MulNoNan", x, grad))


def _divided(op: Operation, grad: Any, division: str) -> Any:
    x, y = op.inputs
    to_x, to_y = unbroadcast(x, y)
    x, y = conj(x), conj(y)
    dy = apply("Mul", grad, apply(division, apply(division, -x, y), y))
    return to_x(apply(division, grad, y)), to_y(dy)


@gradient("RealDiv", "Div")
def _real_div(op: Operation, grad: Any) -> Any:
    return _divided(op, grad, "RealDiv")


@gradient("DivNoNan")
def _div_no_nan(op: Operation, grad: Any) -> Any:
    return _divided(op, grad, "DivNoNan")


@gradient("FloorMod")
def _floor_mod(op: Operation, grad: Any) -> Any:
    x, y = op.inputs
    to_x, to_y = unbroadcast(x, y)
    return to_x(grad), to_y(apply("Mul", grad, -apply("FloorDiv", conj(x), conj(y))))


@gradient("Pow")
def _pow(op: Operation, grad: Any) -> Any:
    x, y = op.inputs
    to_x, to_y = unbroadcast(x, y)
    x, y, z = conj(x), conj(y), conj(op.outputs[0])
    dx = apply("Mul", apply("Mul", grad, y), apply("Pow", x, y - 1))
    defined = apply("NotEqual", x, 0) if x.dtype.is_complex else apply("Greater", x, 0)
    log = apply("Log", apply("SelectV2", defined, x, ones_like(x)))  # so that no NaN comes of 0 * log(0)
    log = apply("SelectV2", defined, log, zeros_like(x))
    return to_x(dx), to_y(apply("Mul", apply("Mul", grad, z), log))


@gradient("SquaredDifference")
def _squared_difference(op: Operation, grad: Any) -> Any:
    x, y = op.inputs
    to_x, to_y = unbroadcast(x, y)
    dx = apply("Mul", apply("Mul", grad, 2), apply("Sub", x, y))
    return to_x(dx), -to_y(dx)


def _chosen(op: Operation, grad: Any, comparison: str) -> Any:
    x, y = op.inputs
    to_x, to_y = unbroadcast(x, y)
    first = apply(comparison, x, y)
    zero = zeros_like(grad)
    return to_x(apply("SelectV2", first, grad, zero)), to_y(apply("SelectV2", first, zero, grad))


@gradient("Maximum")
def _maximum(op: Operation, grad: Any) -> Any:
    return _chosen(op, grad, "GreaterEqual")


@gradient("Minimum")
def _minimum(op: Operation, grad: Any) -> Any:
    return _chosen(op, grad, "LessEqual")


@gradient("Atan2")
def _atan2(op: Operation, grad: Any) -> Any:
    y, x = op.inputs
    to_y, to_x = unbroadcast(y, x)
    scaled = apply("RealDiv", grad, apply("Square", x) + apply("Square", y))
    return to_y(apply("Mul", x, scaled)), to_x(apply("Mul", -y, scaled))


def _is_nonzero(x: Tensor) -> Tensor:
    """1 where `x` is not 0, else 0."""
    return apply("Cast", apply("NotEqual", x, 0), DstT=x.dtype.base_dtype)


@gradient("Xlogy")
def _xlogy(op: Operation, grad: Any) -> Any:
    x, y = op.inputs
    to_x, to_y = unbroadcast(x, y)
    dx = apply("Xlogy", _is_nonzero(x), y)
    return to_x(apply("Mul", dx, grad)), to_y(apply("Mul", apply("Xdivy", x, y), grad))


@gradient("Xlog1py")
def _xlog1py(op: Operation, grad: Any) -> Any:
    x, y = op.inputs
    to_x, to_y = unbroadcast(x, y)
    dx = apply("Xlog1py", _is_nonzero(x), y)
    return to_x(apply("Mul", dx, grad)), to_y(apply("Mul", apply("Xdivy", x, y + 1), grad))


@gradient("Xdivy")
def _xdivy(op: Operation, grad: Any) -> Any:
    x, y = op.inputs
    to_x, to_y = unbroadcast(x, y)
    dx = apply("Xdivy", _is_nonzero(x), y)
    dy = apply("Xdivy", -x, apply("Square", y))
    return to_x(apply("Mul", dx, grad)), to_y(apply("Mul", dy, grad))


@gradient("NextAfter")
def _next_after(op: Operation, grad: Any) -> Any:
    x, y = op.inputs
    to_x, _ = unbroadcast(x, y)
    return to_x(grad), zeros_like(y)


@gradient("Cross")
def _cross(op: Operation, grad: Any) -> Any:
    a, b = op.inputs
    return apply("Cross", b, grad), apply("Cross", grad, a)


@gradient("AddN", "AccumulateNV2")
def _add_n(op: Operation, grad: Any) -> Any:
    return [grad] * len(op.inputs)
