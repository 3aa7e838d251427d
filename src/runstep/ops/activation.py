"""Activations and their gradient ops: rows, shape rules, and the `tf.nn.*` functions."""

from __future__ import annotations

from typing import Any

from runstep.errors import InvalidArgumentError
from runstep.graph import dtypes, shapes
from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops import arithmetic, cast, creation, elementwise, joining, rearranging, shape_ops
from runstep.ops.common import Shapes, merged, unchanged
from runstep.ops.reduction import one_of
from runstep.ops.registry import op

__all__ = [
    "crelu",
    "elu",
    "leaky_relu",
    "log_softmax",
    "relu",
    "relu6",
    "selu",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "swish",
]


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


# --- functions ----------------------------------------------------------------------------------------------------


def relu(features: TensorLike, name: str | None = None) -> Tensor:
    """`max(features, 0)`. Source: `tf.nn.relu`."""
    return apply("Relu", features, name=name)


def relu6(features: TensorLike, name: str | None = None) -> Tensor:
    """`min(max(features, 0), 6)`. Source: `tf.nn.relu6`."""
    with name_scope(name, "Relu6") as scope:
        return apply("Relu6", convert_to_tensor(features, name="features"), name=scope)


def crelu(features: TensorLike, name: str | None = None, axis: int = -1) -> Tensor:
    """relu of `features` and of `-features`, joined along `axis`: twice as many channels. Source: `tf.nn.crelu`."""
    with name_scope(name, "CRelu") as scope:
        features = convert_to_tensor(features, name="features")
        return relu(joining.concat([features, elementwise.negative(features)], axis, name=scope))


def elu(features: TensorLike, name: str | None = None) -> Tensor:
    """`features` above 0, `exp(features) - 1` below. Source: `tf.nn.elu`."""
    return apply("Elu", features, name=name)


def selu(features: TensorLike, name: str | None = None) -> Tensor:
    """Scaled elu, whose fixed point is mean 0 and variance 1. Source: `tf.nn.selu`."""
    return apply("Selu", features, name=name)


def leaky_relu(features: TensorLike, alpha: float = 0.2, name: str | None = None) -> Tensor:
    """`features` above 0, `alpha * features` below; integers become float32. Source: `tf.nn.leaky_relu`."""
    with name_scope(name, "LeakyRelu") as scope:
        features = convert_to_tensor(features, name="features")
        if features.dtype.is_integer:
            features = cast.cast(features, dtypes.float32)
        return apply("LeakyRelu", features, alpha=alpha, name=scope)


def softplus(features: TensorLike, name: str | None = None) -> Tensor:
    """`log(exp(features) + 1)`. Source: `tf.nn.softplus`."""
    return apply("Softplus", features, name=name)


def softsign(features: TensorLike, name: str | None = None) -> Tensor:
    """`features / (abs(features) + 1)`. Source: `tf.nn.softsign`."""
    return apply("Softsign", features, name=name)


def silu(features: TensorLike, beta: TensorLike = 1.0) -> Tensor:
    """`features * sigmoid(beta * features)`. Source: `tf.nn.silu`, `tf.nn.swish`."""
    features = convert_to_tensor(features, name="features")
    beta = cast.cast(convert_to_tensor(beta, name="beta"), features.dtype)
    weight = elementwise.sigmoid(arithmetic.multiply(beta, features, name="mul"))
    result = arithmetic.multiply(features, weight, name="mul")
    apply("Identity", result)
    # One node with the inputs beside the result: where TensorFlow hangs the function's own gradient.
    return apply("IdentityN", [result, features, beta])[0]


swish = silu


def _last_axis_first(logits: Tensor, axis: int | Tensor, last: Tensor, name: str | None = None) -> Tensor:
    order = joining.concat([creation.range(axis), [last], creation.range(axis + 1, last), [axis]], 0)
    return rearranging.transpose(logits, order, name=name or "transpose")


def _softmax_along(op_type: str, logits: TensorLike, axis: Any, name: str | None) -> Tensor:
    logits = convert_to_tensor(logits)
    rank = logits.shape.ndims
    axis = -1 if axis is None else axis
    if axis == -1 or axis + 1 == rank:
        return apply(op_type, logits, name=name)
    if rank is not None and not -rank <= axis < rank:
        raise InvalidArgumentError(
            None,
            None,
            f"`dim` must be in the range [{-rank}, {rank}) where {rank} is the number of dimensions in the input. "
            f"Received: dim={axis}",
        )
    shape_ops.rank(logits)
    dynamic_rank = shape_ops.rank(logits)
    if rank is not None:
        axis %= rank
    elif axis < 0:
        axis = arithmetic.add(dynamic_rank, axis)
    swapped = _last_axis_first(logits, axis, arithmetic.subtract(dynamic_rank, 1))
    result = apply(op_type, swapped)
    result = _last_axis_first(result, axis, arithmetic.subtract(dynamic_rank, 1), name)
    result.set_shape(logits.shape)
    return result


def softmax(logits: TensorLike, axis: Any = None, name: str | None = None, dim: Any = None) -> Tensor:
    """`exp(logits)` over its sum along `axis` (the last one by default). Source: `tf.nn.softmax`."""
    return _softmax_along("Softmax", logits, one_of("axis", axis, "dim", dim), name)


def log_softmax(logits: TensorLike, axis: Any = None, name: str | None = None, dim: Any = None) -> Tensor:
    """The logarithm of `softmax`. Source: `tf.nn.log_softmax`."""
    return _softmax_along("LogSoftmax", logits, one_of("axis", axis, "dim", dim), name)
