"""Padding and resizing before a convolution, bias and activation after a matrix product."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.errors import InvalidArgumentError
from runstep.graph import shapes
from runstep.kernels.numpy import image_resize
from runstep.kernels.numpy.conv import convolution
from runstep.kernels.numpy.fused_tail import make_tail
from runstep.kernels.numpy.mirror import mirrored
from runstep.kernels.numpy.windows import compute_type
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = Any


def _padded(x: Array, paddings: Array, reflect: bool) -> Array:
    if paddings.shape != (4, 2):
        raise InvalidArgumentError(
            None, None, f"paddings must be a matrix with 4 rows and 2 columns: {shapes.text(paddings.shape)}"
        )
    pairs = [(before, after) for before, after in paddings.tolist()]
    for size, (before, after) in zip(x.shape, pairs, strict=True):
        if before < 0 or after < 0:
            raise InvalidArgumentError(None, None, f"paddings must be non-negative: {before} {after}")
        most = size - 1 if reflect else size
        if before > most or after > most:
            raise InvalidArgumentError(
                None, None, f"paddings must be less than the dimension size: {before}, {after} not less than {size}"
            )
    return mirrored(x, pairs, reflect)


@numpy_kernel.make("FusedPadConv2D")
def pad_and_convolve(node: Node) -> Kernel:
    reflect = node.attrs["mode"] == b"REFLECT"
    convolve = convolution(node.attrs, node.output_types[0], 4, node.constant(2), None)

    def kernel(x: Array, paddings: Array, w: Array) -> Array:
        if x.ndim != 4:
            raise InvalidArgumentError(None, None, f"input must be 4-dimensional{shapes.text(x.shape)}")
        return convolve(_padded(x, paddings, reflect), w)

    return kernel


@numpy_kernel.make("FusedResizeAndPadConv2D")
def resize_pad_and_convolve(node: Node) -> Kernel:
    reflect = node.attrs["mode"] == b"REFLECT"
    align = node.attrs["resize_align_corners"]
    dtype = node.output_types[0].np
    compute = compute_type(node.output_types[0])
    convolve = convolution(node.attrs, node.output_types[0], 4, node.constant(3), None)

    def kernel(x: Array, size: Array, paddings: Array, w: Array) -> Array:
        y = image_resize.resize_bilinear(x.astype(compute, copy=False), size, align, False)
        return convolve(_padded(y, paddings, reflect).astype(dtype, copy=False), w)

    return kernel


@numpy_kernel.make("_FusedMatMul")
def fused_matmul(node: Node) -> Kernel:
    """A matrix product, and in the same memory what follows it."""
    first, second = node.attrs["transpose_a"], node.attrs["transpose_b"]
    dtype = node.output_types[0].np
    compute = compute_type(node.output_types[0])
    tail = make_tail(node, 2)

    def kernel(a: Array, b: Array, *args: Array) -> Array:
        a, b = (a.T if first else a), (b.T if second else b)
        if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
            raise InvalidArgumentError(
                None, None, f"Matrix size-incompatible: In[0]: {shapes.text(a.shape)}, In[1]: {shapes.text(b.shape)}"
            )
        product = np.matmul(a.astype(compute, copy=False), b.astype(compute, copy=False))
        if tail is not None:
            tail(product, 1, [arg.astype(compute, copy=False) for arg in args])
        return product.astype(dtype, copy=False)

    return kernel
