"""Gradients of functions of one number, elementwise. Complex ones are differentiated by their conjugates."""

from __future__ import annotations

from typing import Any

from runstep.gradients.broadcasting import conj
from runstep.gradients.registry import gradient, no_gradient
from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.creation import zeros_like

no_gradient("Floor", "Ceil", "Round", "Rint")


def _times(grad: Any, factor: Any) -> Tensor:
    return apply("Mul", grad, factor)


@gradient("Neg")
def _neg(op: Operation, grad: Any) -> Any:
    return -grad


@gradient("Abs")
def _abs(op: Operation, grad: Any) -> Any:
    return _times(grad, apply("Sign", op.inputs[0]))


@gradient("Sign")
def _sign(op: Operation, grad: Any) -> Any:
    return zeros_like(op.inputs[0])


@gradient("Square")
def _square(op: Operation, grad: Any) -> Any:
    return _times(grad, apply("Mul", conj(op.inputs[0]), 2))


# Some have an op of their own that takes the result and its gradient, and that op has a gradient in turn.


@gradient("Reciprocal", "Inv")
def _reciprocal(op: Operation, grad: Any) -> Any:
    return apply("ReciprocalGrad", op.outputs[0], grad)


@gradient("ReciprocalGrad", "InvGrad")
def _reciprocal_grad(op: Operation, grad: Any) -> Any:
    y, dy = op.inputs
    y = conj(y)
    return _times(_times(_times(conj(grad), -2), dy), y), apply("ReciprocalGrad", y, grad)


@gradient("Sqrt")
def _sqrt(op: Operation, grad: Any) -> Any:
    return apply("SqrtGrad", op.outputs[0], grad)


@gradient("SqrtGrad")
def _sqrt_grad(op: Operation, grad: Any) -> Any:
    ratio = apply("RealDiv", grad, op.inputs[0])
    return _times(-conj(ratio), op.outputs[0]), _times(ratio, 0.5)


@gradient("Rsqrt")
def _rsqrt(op: Operation, grad: Any) -> Any:
    return apply("RsqrtGrad", op.outputs[0], grad)


@gradient("RsqrtGrad")
def _rsqrt_grad(op: Operation, grad: Any) -> Any:
    y, dy = op.inputs
    y = conj(y)
    return (
        _times(_times(_times(conj(grad), -1.5), dy), apply("Square", y)),
        apply("RsqrtGrad", y, grad),
    )


@gradient("Tanh")
def _tanh(op: Operation, grad: Any) -> Any:
    return apply("TanhGrad", conj(op.outputs[0]), grad)


@gradient("TanhGrad")
def _tanh_grad(op: Operation, grad: Any) -> Any:
    y, dy = conj(op.inputs[0]), conj(op.inputs[1])
    return _times(_times(_times(grad, -2), dy), y), apply("TanhGrad", y, grad)


@gradient("Sigmoid")
def _sigmoid(op: Operation, grad: Any) -> Any:
    return apply("SigmoidGrad", conj(op.outputs[0]), grad)


@gradient("SigmoidGrad")
def _sigmoid_grad(op: Operation, grad: Any) -> Any:
    y, dy = conj(op.inputs[0]), conj(op.inputs[1])
    by_dy = _times(grad, dy)
    return apply("Sub", by_dy, _times(_times(by_dy, 2), y)), apply("SigmoidGrad", y, grad)


# Exponentials and logarithms.


@gradient("Exp")
def _exp(op: Operation, grad: Any) -> Any:
    return _times(grad, conj(op.outputs[0]))


@gradient("Expm1")
def _expm1(op: Operation, grad: Any) -> Any:
    return _times(grad, apply("Exp", conj(op.inputs[0])))


@gradient("Log")
def _log(op: Operation, grad: Any) -> Any:
    return _times(grad, apply("Reciprocal", conj(op.inputs[0])))


@gradient("Log1p")
def _log1p(op: Operation, grad: Any) -> Any:
    return _times(grad, apply("Reciprocal", apply("AddV2", conj(op.inputs[0]), 1)))


# Circular and hyperbolic functions.


@gradient("Sin")
def _sin(op: Operation, grad: Any) -> Any:
    return _times(grad, apply("Cos", conj(op.inputs[0])))


@gradient("Cos")
def _cos(op: Operation, grad: Any) -> Any:
    return _times(-grad, apply("Sin", conj(op.inputs[0])))


@gradient("Tan")
def _tan(op: Operation, grad: Any) -> Any:
    return _times(apply("Square", apply("Reciprocal", apply("Cos", conj(op.inputs[0])))), grad)


@gradient("Sinh")
def _sinh(op: Operation, grad: Any) -> Any:
    return _times(grad, apply("Cosh", conj(op.inputs[0])))


@gradient("Cosh")
def _cosh(op: Operation, grad: Any) -> Any:
    return _times(grad, apply("Sinh", conj(op.inputs[0])))


def _over_root(x: Tensor) -> Tensor:
    """1 / sqrt(1 - x^2)."""
    return apply("Reciprocal", apply("Sqrt", 1 - apply("Square", conj(x))))


@gradient("Asin")
def _asin(op: Operation, grad: Any) -> Any:
    return _times(grad, _over_root(op.inputs[0]))


@gradient("Acos")
def _acos(op: Operation, grad: Any) -> Any:
    return _times(-grad, _over_root(op.inputs[0]))


@gradient("Atan")
def _atan(op: Operation, grad: Any) -> Any:
    return _times(grad, apply("Reciprocal", apply("AddV2", apply("Square", conj(op.inputs[0])), 1)))


@gradient("Asinh")
def _asinh(op: Operation, grad: Any) -> Any:
    return apply("RealDiv", grad, apply("Cosh", conj(op.outputs[0])))


@gradient("Acosh")
def _acosh(op: Operation, grad: Any) -> Any:
    return apply("RealDiv", grad, apply("Sinh", conj(op.outputs[0])))


@gradient("Atanh")
def _atanh(op: Operation, grad: Any) -> Any:
    return _times(grad, apply("Reciprocal", 1 - apply("Square", conj(op.inputs[0]))))
