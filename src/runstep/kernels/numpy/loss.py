"""Cross-entropy losses with their gradients, and the L2 loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.errors import InvalidArgumentError
from runstep.graph import shapes
from runstep.kernels.numpy.reduction import FEW, ONES
from runstep.kernels.numpy.windows import compute_type
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = Any

_sum: Any = np.add.reduce  # without the layers of Python above it, which cost as much on small arrays


_WIDEST = 16
"""Classes up to which a small matrix is multiplied with a square of ones, and rows are taken from a unit matrix."""

_SQUARES = {dtype: [np.ones((size, size), dtype) for size in range(_WIDEST + 1)] for dtype in ONES}
_HOT = {dtype: [np.eye(size, dtype=dtype) for size in range(_WIDEST + 1)] for dtype in ONES}


def _starts(memo: dict[tuple[int, int], Array], shape: tuple[int, int]) -> Array:
    """Where the rows of a matrix start in its flat array."""
    found = memo.get(shape)
    if found is None:
        memo.clear()
        found = memo[shape] = np.arange(0, shape[0] * shape[1], shape[1])
    return found


def _shifted(features: Array, starts: Array) -> tuple[Array, Array, Array]:
    """Logits less their row's largest, their exponentials, and the sums of these: `[rows, 1]`, or of the shape of the
    logits, which spares what divides by them the time to broadcast."""
    top = features.argmax(1)  # half the time of the maximum itself
    top += starts
    logits = features - features.take(top)[:, None]
    powers = np.exp(logits)
    if powers.size >= FEW:
        return logits, powers, _sum(powers, 1, None, None, True)
    classes = powers.shape[1]
    if classes > _WIDEST:
        return logits, powers, powers.dot(ONES[powers.dtype][classes])[:, None]
    return logits, powers, powers.dot(_SQUARES[powers.dtype][classes])


@numpy_kernel.make("SoftmaxCrossEntropyWithLogits")
def cross_entropy(node: Node) -> Kernel:
    dtype = node.output_types[0].np
    compute = compute_type(node.output_types[0])
    memo: dict[tuple[int, int], Array] = {}

    def kernel(features: Array, labels: Array) -> tuple[Array, Array]:
        if features.shape != labels.shape:
            try:
                shape = np.broadcast_shapes(features.shape, labels.shape)
            except ValueError:
                raise InvalidArgumentError(
                    None,
                    None,
                    f"logits and labels must be broadcastable: logits_size={shapes.text(features.shape)} "
                    f"labels_size={shapes.text(labels.shape)}",
                ) from None
            features, labels = np.broadcast_to(features, shape), np.broadcast_to(labels, shape)
        if features.ndim != 2:
            raise InvalidArgumentError(
                None, None, "logits and labels must be either 2-dimensional, or broadcasted to be 2-dimensional"
            )
        if not features.size:
            return np.zeros(features.shape[:1], dtype), np.zeros(features.shape, dtype)
        features, labels = features.astype(compute, copy=False), labels.astype(compute, copy=False)
        logits, powers, sums = _shifted(features, _starts(memo, features.shape))
        loss = (labels * (np.log(sums) - logits)).sum(axis=1)
        return loss.astype(dtype, copy=False), (powers / sums - labels).astype(dtype, copy=False)

    return kernel


def _check_sparse(features: Array, labels: Array) -> None:
    if features.ndim != 2:
        raise InvalidArgumentError(None, None, f"logits must be 2-D, but got shape {shapes.text(features.shape)}")
    if labels.ndim != 1:
        raise InvalidArgumentError(None, None, f"labels must be 1-D, but got shape {shapes.text(labels.shape)}")
    if len(features) != labels.size:
        raise InvalidArgumentError(
            None,
            None,
            "logits and labels must have the same first dimension, got logits shape "
            f"{shapes.text(features.shape)} and labels shape {shapes.text(labels.shape)}",
        )
    classes = features.shape[1]
    if classes == 0:
        raise InvalidArgumentError(
            None, None, f"Must have at least one class, but got logits shape {shapes.text(features.shape)}"
        )
    wrong = (labels < 0) | (labels >= classes)
    if wrong.any():
        raise InvalidArgumentError(
            None,
            None,
            f"Received a label value of {labels[wrong][-1]} which is outside the valid range of [0, {classes}).  "
            f"Label values: {' '.join(map(str, labels.tolist()))}",
        )


@numpy_kernel.make("SparseSoftmaxCrossEntropyWithLogits")
def sparse_cross_entropy(node: Node) -> Kernel:
    dtype = node.output_types[0].np
    compute = compute_type(node.output_types[0])
    unsigned = np.dtype(f"u{node.input_types[1].np.itemsize}")
    one, hot, is_narrow = np.ones((), compute), _HOT[compute], compute != dtype
    memo: dict[tuple[int, int], Array] = {}

    def kernel(features: Array, labels: Array) -> tuple[Array, Array]:
        shape = features.shape
        if len(shape) != 2 or labels.shape != shape[:1] or not features.size:
            _check_sparse(features, labels)
            return np.zeros(0, dtype), np.zeros(shape, dtype)  # no rows
        positive = labels.view(unsigned)
        if positive.item(positive.argmax()) >= shape[1]:  # negative ones are large here
            _check_sparse(features, labels)
        starts = _starts(memo, shape)
        if is_narrow:
            features = features.astype(compute)
        logits, powers, sums = _shifted(features, starts)
        at = starts + labels  # in the flat arrays
        loss = np.log(sums[:, 0])
        np.subtract(loss, logits.take(at), loss)
        backprop = np.divide(powers, sums, powers)
        if shape[1] <= _WIDEST and powers.size < FEW:
            np.subtract(backprop, hot[shape[1]].take(labels, 0), backprop)
        else:
            chosen = backprop.take(at)
            np.subtract(chosen, one, chosen)
            backprop.put(at, chosen)
        return (loss.astype(dtype), backprop.astype(dtype)) if is_narrow else (loss, backprop)

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
