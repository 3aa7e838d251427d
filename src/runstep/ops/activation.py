"""Activations and their gradient ops: rows and shape rules."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.ops.common import Shapes, merged, unchanged
from runstep.ops.registry import op


def _softmax(op: Any) -> Shapes:
    return [shapes.with_rank_at_least(op.inputs[0].raw_shape, 1)]


_FLOATS = "T: {float16, bfloat16, float32, float64}"
_REAL = "T: realnumbertype"
_UNARY = "features: T -> activations: T"
_GRADIENT = "gradients: T, features: T -> backprops: T"
_GRADIENT_OF_OUTPUT = "gradients: T, outputs: T -> backprops: T"

op(
    "Relu",
    _UNARY,
    "T: {float32, float64, int32, uint8, int16, int8, int64, bfloat16, uint16, float16, uint32, uint64, qint8}",
    shape=unchanged,
)
op("ReluGrad", _GRADIENT, _REAL, shape=merged)
op("Relu6", _UNARY, _REAL, shape=unchanged)
op("Relu6Grad", _GRADIENT, _REAL, shape=merged)
op("LeakyRelu", _UNARY, "alpha: float = 0.2", f"{_FLOATS} = float32", shape=unchanged)
op("LeakyReluGrad", _GRADIENT, "alpha: float = 0.2", f"{_FLOATS} = float32", shape=merged)
op("Elu", _UNARY, _FLOATS, shape=unchanged)
op("EluGrad", _GRADIENT_OF_OUTPUT, _FLOATS, shape=merged)
op("Selu", _UNARY, _FLOATS, shape=unchanged)
op("SeluGrad", _GRADIENT_OF_OUTPUT, _FLOATS, shape=merged)
op("Softplus", _UNARY, _FLOATS, shape=unchanged)
op("SoftplusGrad", _GRADIENT, _FLOATS, shape=merged)
op("Softsign", _UNARY, _FLOATS, shape=unchanged)
op("SoftsignGrad", _GRADIENT, _FLOATS, shape=merged)
op("Softmax", "logits: T -> softmax: T", _FLOATS, shape=_softmax)
op("LogSoftmax", "logits: T -> logsoftmax: T", _FLOATS, shape=_softmax)
