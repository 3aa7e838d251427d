"""Cross-entropy losses and the L2 loss: rows and shape rules."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.ops.common import Shapes, scalar
from runstep.ops.registry import op


def _cross_entropy(op: Any) -> Shapes:
    features, labels = op.inputs[0].raw_shape, op.inputs[1].raw_shape
    try:
        both = shapes.merge(features, labels)  # equal shapes are the rule
    except ValueError:
        both = shapes.broadcast(features, labels)
    if both is None:
        return [(None,), (None, None)]
    if len(both) != 2:
        raise ValueError(f"Shape must be broadcasted with rank 2, but is rank {len(both)}")
    return [(both[0],), both]


def _sparse_cross_entropy(op: Any) -> Shapes:
    features = shapes.with_rank(op.inputs[0].raw_shape, 2)
    labels = shapes.with_rank(op.inputs[1].raw_shape, 1)
    batch = shapes.merge_size(features[0], labels[0])
    return [(batch,), (batch, features[1])]


_FLOATS = "T: {float16, bfloat16, float32, float64}"

op(
    "SoftmaxCrossEntropyWithLogits",
    "features: T, labels: T -> loss: T, backprop: T",
    _FLOATS,
    shape=_cross_entropy,
)
op(
    "SparseSoftmaxCrossEntropyWithLogits",
    "features: T, labels: Tlabels -> loss: T, backprop: T",
    _FLOATS,
    "Tlabels: {int32, int64} = int64",
    shape=_sparse_cross_entropy,
)
op("L2Loss", "t: T -> output: T", _FLOATS, shape=scalar)
