"""Bias: a vector added along the channels, and its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.errors import InvalidArgumentError
from runstep.graph import shapes
from runstep.kernels.numpy.fused_tail import repeated
from runstep.kernels.numpy.reduction import FEW, ONES
from runstep.kernels.numpy.windows import compute_type
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = Any

# Adding a vector this long, or to this few numbers, is not worth repeating the vector for.
_LONG = 256
_FEW = 4096


def _check(value: Array, bias: Array, axis: int) -> None:
    if value.ndim < 2:
        raise InvalidArgumentError(None, None, f"Input tensor must be at least 2D: {shapes.text(value.shape)}")
    if bias.ndim != 1:
        raise InvalidArgumentError(None, None, f"Biases must be 1D: {shapes.text(bias.shape)}")
    if bias.size != value.shape[axis]:
        raise InvalidArgumentError(
            None,
            None,
            "Must provide as many biases as the last dimension of the input tensor: "
            f"{shapes.text(bias.shape)} vs. {shapes.text(value.shape)}",
        )


def _channels_first(value: Array, bias: Array) -> Array:
    if value.ndim < 2:
        raise InvalidArgumentError(None, None, f"Input tensor must be at least 2D: {shapes.text(value.shape)}")
    _check(value, bias, 1)
    return np.add(value, bias.reshape((-1, *(1,) * (value.ndim - 2))))


@numpy_kernel.make("BiasAdd", "BiasAddV1")
def bias_add(node: Node) -> Kernel:
    """A short bias is repeated along the rows first: numpy's inner loop is then as long as a row of pixels."""
    if node.attrs.get("data_format") == b"NCHW":
        return _channels_first
    constant = node.constant(1)
    memo: dict[int, Array] = {}

    def kernel(value: Array, bias: Array) -> Array:
        if value.ndim < 2 or bias.shape != value.shape[-1:]:
            _check(value, bias, -1)
        count = bias.size
        if count >= _LONG or value.size < _FEW or not value.flags.c_contiguous:
            return np.add(value, bias)
        times = value.shape[-2] if value.ndim > 2 else 1
        if times * count > 4 * _FEW or times == 1:
            times = 1
            while times * count < _LONG and not (value.size // count) % (2 * times):
                times *= 2
            if times == 1:
                return np.add(value, bias)
        long = memo.get(times)
        if long is None:
            long = repeated(bias, times)
            if constant is not None:
                memo[times] = long
        return np.add(value.reshape(-1, long.size), long).reshape(value.shape)

    return kernel


@numpy_kernel.make("BiasAddGrad")
def bias_gradient(node: Node) -> Kernel:
    first = node.attrs["data_format"] == b"NCHW"
    dtype = node.output_types[0].np
    compute = compute_type(node.output_types[0])
    ones = None if first else ONES.get(dtype)

    def kernel(gradient: Array) -> Array:
        if ones is not None and gradient.ndim == 2 and gradient.size < FEW:
            return ones[len(gradient)].dot(gradient)
        if gradient.ndim < 2:
            raise InvalidArgumentError(None, None, f"Input tensor must be at least 2D: {shapes.text(gradient.shape)}")
        if first:
            axis = 1 if gradient.ndim < 5 else gradient.ndim - 4
            others = tuple(index for index in range(gradient.ndim) if index != axis)
            return gradient.sum(axis=others, dtype=compute).astype(dtype, copy=False)
        flat = gradient.reshape(-1, gradient.shape[-1]) if gradient.size else np.zeros((0, gradient.shape[-1]), dtype)
        return flat.sum(axis=0, dtype=compute).astype(dtype, copy=False)

    return kernel
