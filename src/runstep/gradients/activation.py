"""Gradients of the activations of neural networks."""

from __future__ import annotations

from typing import Any

from runstep.gradients.registry import gradient
from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.creation import zeros_like


def _of_result(kind: str) -> None:
    """`{kind}Grad` takes the gradient and the result."""

    @gradient(kind)
    def _first(op: Operation, grad: Any) -> Any:
        return apply(f"{kind}Grad", grad, op.outputs[0])


def _kinked(kind: str) -> None:
    """The gradient of `{kind}Grad` where the slope changes in jumps: it is linear, and flat in the second input."""

    @gradient(f"{kind}Grad")
    def _second(op: Operation, grad: Any) -> Any:
        y = op.inputs[1]
        return apply(f"{kind}Grad", grad, y), zeros_like(y)


def _bent(kind: str) -> None:
    """The gradient of `{kind}Grad` where the slope is the result itself below 0."""

    @gradient(f"{kind}Grad")
    def _second(op: Operation, grad: Any) -> Any:
        dy, y = op.inputs
        below = apply("SelectV2", apply("Less", y, 0), apply("Mul", grad, dy), zeros_like(y))
        return apply(f"{kind}Grad", grad, y), below


for _kind in ("Relu", "Relu6"):
    _of_result(_kind)
    _kinked(_kind)
for _kind in ("Elu", "Selu"):
    _of_result(_kind)
    _bent(_kind)


@gradient("LeakyRelu")
def _leaky_relu(op: Operation, grad: Any) -> Any:
    return apply("LeakyReluGrad", grad, op.inputs[0], alpha=op.attrs["alpha"])


@gradient("LeakyReluGrad")
def _leaky_relu_grad(op: Operation, grad: Any) -> Any:
    x = op.inputs[1]
    return apply("LeakyReluGrad", grad, x, alpha=op.attrs["alpha"]), zeros_like(x)


@gradient("Softplus")
def _softplus(op: Operation, grad: Any) -> Any:
    return apply("Mul", grad, apply("Sigmoid", op.inputs[0]))


@gradient("SoftplusGrad")
def _softplus_grad(op: Operation, grad: Any) -> Any:
    dy, x = op.inputs
    steepness = apply("Exp", -x) + 2.0 + apply("Exp", x)
    return apply("SoftplusGrad", grad, x), apply("RealDiv", apply("Mul", grad, dy), steepness)


@gradient("Softsign")
def _softsign(op: Operation, grad: Any) -> Any:
    return apply("SoftsignGrad", grad, op.inputs[0])


def _row_sums(x: Tensor) -> Tensor:
    return apply("Sum", x, [-1], keep_dims=True)


@gradient("Softmax")
def _softmax(op: Operation, grad: Any) -> Any:
    y = op.outputs[0]
    return apply("Mul", apply("Sub", grad, _row_sums(apply("Mul", grad, y))), y)


@gradient("LogSoftmax")
def _log_softmax(op: Operation, grad: Any) -> Any:
    y = apply("Exp", op.outputs[0])
    return apply("Sub", grad, apply("Mul", _row_sums(grad), y))
