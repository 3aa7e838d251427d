"""Cross-entropy losses with their gradients, and the L2 loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.errors import InvalidArgumentError
from runstep.kernels.numpy.windows import compute_type
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = Any

_largest: Any = np.maximum.reduce  # without the layers of Python above it, which cost as much on small arrays
_sum: Any = np.add.reduce
_any: Any = np.logical_or.reduce


def _shifted(features: Array) -> tuple[Array, Array, Array]:
    """Logits less their row's largest, their exponentials, and the sums of these, `[rows, 1]`."""
    logits = features - _largest(features, 1, None, None, True)
    powers = np.exp(logits)
    return logits, powers, _sum(powers, 1, None, None, True)


@numpy_kernel.make("SoftmaxCrossEntropyWithLogits")
def cross_entropy(node: Node) -> Kernel:
    dtype = node.output_types[0].np
    compute = compute_type(node.output_types[0])

    def kernel(features: Array, labels: Array) -> tuple[Array, Array]:
        if features.shape != labels.shape:
            try:
                shape = np.broadcast_shapes(features.shape, labels.shape)
            except ValueError:
                raise InvalidArgumentError(
                    None,
                    None,
                    f"logits and labels must be broadcastable: logits_size={list(features.shape)} "
                    f"labels_size={list(labels.shape)}",
                ) from None
            features, labels = np.broadcast_to(features, shape), np.broadcast_to(labels, shape)
        if features.ndim != 2:
            raise InvalidArgumentError(
                None, None, "logits and labels must be either 2-dimensional, or broadcasted to be 2-dimensional"
            )
        if not features.size:
            return np.zeros(features.shape[:1], dtype), np.zeros(features.shape, dtype)
        features, labels = features.astype(compute, copy=False), labels.astype(compute, copy=False)
        logits, powers, sums = _shifted(features)
        loss = (labels * (np.log(sums) - logits)).sum(axis=1)
        return loss.astype(dtype, copy=False), (powers / sums - labels).astype(dtype, copy=False)

    return kernel


@numpy_kernel.make("SparseSoftmaxCrossEntropyWithLogits")
def sparse_cross_entropy(node: Node) -> Kernel:
    dtype = node.output_types[0].np
    compute = compute_type(node.output_types[0])

    def kernel(features: Array, labels: Array) -> tuple[Array, Array]:
        if features.ndim != 2:
            raise InvalidArgumentError(None, None, f"logits must be 2-D, but got shape {list(features.shape)}")
        if labels.ndim != 1:
            raise InvalidArgumentError(None, None, f"labels must be 1-D, but got shape {list(labels.shape)}")
        rows, classes = features.shape
        if rows != labels.size:
            raise InvalidArgumentError(
                None,
                None,
                "logits and labels must have the same first dimension, got logits shape "
                f"{list(features.shape)} and labels shape {list(labels.shape)}",
            )
        if classes == 0:
            raise InvalidArgumentError(
                None, None, f"Must have at least one class, but got logits shape {list(features.shape)}"
            )
        if not rows:
            return np.zeros(0, dtype), np.zeros(features.shape, dtype)
        wrong = (labels < 0) | (labels >= classes)
        if _any(wrong):
            raise InvalidArgumentError(
                None,
                None,
                f"Received a label value of {labels[wrong][0]} which is outside the valid range of [0, {classes}).  "
                f"Label values: {' '.join(map(str, labels.tolist()))}",
            )
        logits, powers, sums = _shifted(features.astype(compute, copy=False))
        at = np.arange(0, rows * classes, classes) + labels  # in the flat arrays
        loss = np.log(sums[:, 0]) - logits.take(at)
        backprop = powers / sums
        backprop.put(at, backprop.take(at) - 1)
        return loss.astype(dtype, copy=False), backprop.astype(dtype, copy=False)

    return kernel


@numpy_kernel.make("L2Loss")
def l2_loss(node: Node) -> Kernel:
    """Half the sum of the squares."""
    kind = node.output_types[0].np.type
    compute = compute_type(node.output_types[0])

    def kernel(t: Array) -> Array:
        flat = np.ravel(t).astype(compute, copy=False)
        return kind(np.dot(flat, flat) / 2)

    return kernel
