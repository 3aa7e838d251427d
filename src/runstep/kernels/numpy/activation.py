"""Activations, their gradients, and softmax."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from runstep.errors import InvalidArgumentError
from runstep.graph import shapes
from runstep.kernels.numpy.windows import compute_type
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = Any

# The fixed point of self-normalising networks (Klambauer et al. 2017).
SELU_SCALE = 1.0507009873554804934193349852946
SELU_SCALE_ALPHA = 1.7580993408473768599402175208123


def in_float(node: Node, function: Callable[..., Array]) -> Kernel:
    """`function` in float32 for half and bfloat16, rounded once at the end; as it is for other types."""
    dtype = node.output_types[0].np
    compute = compute_type(node.output_types[0])
    if compute == dtype:
        return function

    def kernel(*inputs: Array) -> Array:
        return function(*[x.astype(compute) for x in inputs]).astype(dtype)

    return kernel


def _same_size(node: Node, x: Array, y: Array) -> None:
    if x.shape != y.shape:
        raise InvalidArgumentError(
            None,
            None,
            f"Inputs to operation {node.name} of type {node.type} must have the same size and shape.  "
            f"Input 0: {shapes.text(x.shape)} != input 1: {shapes.text(y.shape)}",
        )


def _gradient(function: Callable[[Array, Array], Array]) -> Callable[[Node], Kernel]:
    def make(node: Node) -> Kernel:
        inner = in_float(node, function)

        def kernel(gradients: Array, features: Array) -> Array:
            if gradients.shape != features.shape:
                _same_size(node, gradients, features)
            return inner(gradients, features)

        return kernel

    return make


@numpy_kernel.make("Relu")
def relu(node: Node) -> Kernel:
    kind = node.output_types[0].np.type
    if kind not in (np.float32, np.float64):
        return functools.partial(np.maximum, kind(0))
    low, high, zero = kind(0), kind(np.inf), np.zeros((), kind)

    def kernel(x: Array) -> Array:
        if x.size <= _FEW and type(x) is np.ndarray:
            return np.maximum(zero, x)
        return x.clip(low, high)  # four times as fast on many

    return kernel


@numpy_kernel.make("Relu6")
def relu6(node: Node) -> Kernel:
    kind = node.output_types[0].np.type
    low, high = kind(0), kind(6)
    if kind not in (np.float32, np.float64):
        return lambda x: np.minimum(np.maximum(x, low), high)
    return lambda x: x.clip(low, high)


@numpy_kernel.make("LeakyRelu")
def leaky_relu(node: Node) -> Kernel:
    alpha = np.float32(node.attrs["alpha"])
    kind = compute_type(node.output_types[0]).type
    factor = kind(alpha)
    if 0 < alpha <= 1:  # then the larger one is right on both sides of zero
        return in_float(node, lambda x: np.maximum(x, x * factor))
    return in_float(node, lambda x: np.where(x > 0, x, x * factor))


@numpy_kernel.make("LeakyReluGrad")
def leaky_relu_gradient(node: Node) -> Kernel:
    factor = compute_type(node.output_types[0]).type(np.float32(node.attrs["alpha"]))
    return _gradient(lambda g, x: np.where(x > 0, g, g * factor))(node)


def _elu(x: Array) -> Array:
    return np.where(x < 0, np.expm1(x), x)


def _selu(x: Array) -> Array:
    kind = x.dtype.type
    return np.where(x < 0, kind(SELU_SCALE_ALPHA) * np.expm1(x), kind(SELU_SCALE) * x)


def _selu_gradient(g: Array, y: Array) -> Array:
    kind = g.dtype.type
    return np.where(y < 0, g * (y + kind(SELU_SCALE_ALPHA)), g * kind(SELU_SCALE))


def _softplus(x: Array) -> Array:
    # exp(x) alone below, x alone above where one more term would be lost in rounding.
    threshold = x.dtype.type(np.log(np.finfo(x.dtype).eps) + 2)
    small = np.exp(x)
    return np.where(x > -threshold, x, np.where(x < threshold, small, np.log1p(small)))


def _gated(opened: Array, x: Array) -> Array:
    """`x` times 1 or 0, as TensorFlow has it: NaN and infinity make NaN where the gate is shut."""
    gate = opened.astype(x.dtype)
    return np.multiply(x, gate, out=gate) if gate.ndim else np.multiply(x, gate)


_FEW = 512

_UNARY: dict[str, Callable[[Array], Array]] = {
    "Elu": _elu,
    "Selu": _selu,
    "Softplus": _softplus,
    "Softsign": lambda x: x / (x.dtype.type(1) + np.abs(x)),  # a bare 1 makes numpy 1 widen a scalar
}
_GRADIENTS: dict[str, Callable[[Array, Array], Array]] = {
    "ReluGrad": lambda g, x: _gated(x > 0, g),
    "Relu6Grad": lambda g, x: _gated((x > 0) & (x < 6), g),
    "EluGrad": lambda g, y: np.where(y < 0, (y + y.dtype.type(1)) * g, g),
    "SeluGrad": _selu_gradient,
    "SoftplusGrad": lambda g, x: g / (np.exp(-x) + x.dtype.type(1)),
    "SoftsignGrad": lambda g, x: g / np.square(x.dtype.type(1) + np.abs(x)),
}


@numpy_kernel.make(*_UNARY)
def unary(node: Node) -> Kernel:
    return in_float(node, _UNARY[node.type])


@numpy_kernel.make(*_GRADIENTS)
def gradient(node: Node) -> Kernel:
    return _gradient(_GRADIENTS[node.type])(node)


def softmax_of(x: Array) -> Array:
    """exp(x) over its sum along the last axis; the maximum is subtracted first, so that nothing overflows."""
    y = np.subtract(x, x.max(axis=-1, keepdims=True))
    np.exp(y, out=y)
    return np.divide(y, y.sum(axis=-1, keepdims=True), out=y)


def log_softmax_of(x: Array) -> Array:
    """The logarithm of `softmax_of(x)`."""
    y = np.subtract(x, x.max(axis=-1, keepdims=True))
    return np.subtract(y, np.log(np.exp(y).sum(axis=-1, keepdims=True)), out=y)


@numpy_kernel.make("Softmax", "LogSoftmax")
def softmax(node: Node) -> Kernel:
    function = in_float(node, softmax_of if node.type == "Softmax" else log_softmax_of)
    dtype = node.output_types[0].np

    def kernel(x: Array) -> Array:
        if not x.size:
            if not x.ndim:
                raise InvalidArgumentError(None, None, "logits must have >= 1 dimension, got []")
            return np.empty(x.shape, dtype)
        if not x.ndim:
            raise InvalidArgumentError(None, None, "logits must have >= 1 dimension, got []")
        return function(x)

    return kernel
