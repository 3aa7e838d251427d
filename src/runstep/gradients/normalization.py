"""Gradients of biases, batch normalization and local response normalization."""

from __future__ import annotations

from typing import Any

from runstep.gradients.nn_common import or_zeros, same_attrs
from runstep.gradients.registry import gradient
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.cast import cast
from runstep.ops.creation import ones_like
from runstep.ops.joining import concat, tile
from runstep.ops.rearranging import transpose
from runstep.ops.reduction import reduce_mean, reduce_sum
from runstep.ops.shape_ops import reshape, shape


@gradient("BiasAdd")
def _bias_add(op: Operation, grad: Any) -> list[Any]:
    return [grad, apply("BiasAddGrad", grad, **same_attrs(op, "data_format"))]


@gradient("BiasAddGrad")
def _bias_add_grad(op: Operation, grad: Any) -> Any:
    whole, bias = shape(op.inputs[0]), shape(grad)
    if op.attrs["data_format"] == b"NCHW":
        stretched = concat([ones_like(whole[:1]), bias, ones_like(whole[2:])], 0)
        times = concat([whole[:1], [1], whole[2:]], 0)
    else:
        stretched = concat([ones_like(whole[:-1]), bias], 0)
        times = concat([whole[:-1], [1]], 0)
    return tile(reshape(grad, stretched), times)


@gradient("BiasAddV1")
def _bias_add_v1(op: Operation, grad: Any) -> list[Any]:
    from runstep.ops.creation import range as range_of
    from runstep.ops.shape_ops import rank

    return [grad, reduce_sum(grad, range_of(rank(grad) - 1))]


@gradient("BatchNormWithGlobalNormalization")
def _batch_norm_with_global_normalization(op: Operation, grad: Any) -> list[Any]:
    t, mean, variance, _, gamma = op.inputs
    attrs = same_attrs(op, "variance_epsilon", "scale_after_normalization")
    return list(apply("BatchNormWithGlobalNormalizationGrad", t, mean, variance, gamma, grad, **attrs))


@gradient("LRN")
def _lrn(op: Operation, grad: Any) -> Any:
    attrs = same_attrs(op, "depth_radius", "bias", "alpha", "beta")
    return apply("LRNGrad", grad, op.inputs[0], op.outputs[0], **attrs)


# --- fused batch normalization ------------------------------------------------------------------------------------

_TO_LAST = {b"NCHW": [0, 2, 3, 1], b"NCDHW": [0, 2, 3, 4, 1]}
_TO_FIRST = {b"NCHW": [0, 3, 1, 2], b"NCDHW": [0, 4, 1, 2, 3]}
_LAST = {b"NCHW": b"NHWC", b"NCDHW": b"NDHWC"}


@gradient("FusedBatchNorm")
def _fused_batch_norm(op: Operation, *grads: Any) -> list[Any]:
    return _fused(op, "FusedBatchNormGrad", grads[0], 2)


@gradient("FusedBatchNormV2")
def _fused_batch_norm_v2(op: Operation, *grads: Any) -> list[Any]:
    return _fused(op, "FusedBatchNormGradV2", grads[0], 2)


@gradient("FusedBatchNormV3")
def _fused_batch_norm_v3(op: Operation, *grads: Any) -> list[Any]:
    return _fused(op, "FusedBatchNormGradV3", grads[0], 3)


def _fused(op: Operation, backward: str, grad: Any, reserved: int) -> list[Any]:
    x, scale = op.inputs[0], op.inputs[1]
    grad = or_zeros(grad, op.outputs[0])
    attrs = same_attrs(op, "epsilon", "data_format", "is_training")
    if attrs["is_training"]:
        dx, dscale, doffset, *_ = apply(backward, grad, x, scale, *op.outputs[3 : 3 + reserved], **attrs)
        return [dx, dscale, doffset, None, None]
    layout = attrs["data_format"]
    if layout in _LAST:  # TensorFlow's CPU kernel of fixed statistics wants channels last
        x, grad = transpose(x, _TO_LAST[layout]), transpose(grad, _TO_LAST[layout])
        attrs["data_format"] = _LAST[layout]
    kept = [op.inputs[3], op.inputs[4], *op.outputs[5 : 3 + reserved]]
    dx, dscale, doffset, *_ = apply(backward, grad, x, scale, *kept, **attrs)
    if layout in _TO_FIRST:
        dx = transpose(dx, _TO_FIRST[layout])
    return [dx, dscale, doffset, None, None]


def _in_small_ops(
    grad: Tensor, x: Tensor, scale: Tensor, mean: Tensor | None, variance: Tensor | None, op: Operation
) -> list[Tensor]:
    """What FusedBatchNormGrad computes, from ops that have gradients; with statistics, those are taken as fixed."""
    layout, epsilon = op.attrs["data_format"], op.attrs["epsilon"]
    first, kind = layout in _LAST, x.dtype.base_dtype
    if kind in (dtypes.float16, dtypes.bfloat16):
        x, grad = cast(x, dtypes.float32), cast(grad, dtypes.float32)
    axes = {(4, False): [0, 1, 2], (4, True): [0, 2, 3], (5, False): [0, 1, 2, 3], (5, True): [0, 2, 3, 4]}[
        5 if layout in (b"NDHWC", b"NCDHW") else 4, first
    ]

    def along(vector: Tensor) -> Tensor:
        """A number for each channel, in a shape that stretches over x."""
        return reshape(vector, [1, -1, *(1 for _ in axes[1:])]) if first else vector

    if mean is not None:
        assert variance is not None
        over = apply("Rsqrt", variance + epsilon)
        doffset = reduce_sum(grad, axes)
        dscale = reduce_sum(grad * (x - along(mean)) * along(over), axes)
        return [cast(grad * along(scale * over), kind), dscale, doffset]
    mean_x = reduce_mean(x, axes, keepdims=True)
    over = apply(
        "Rsqrt",
        reduce_mean(apply("SquaredDifference", x, apply("StopGradient", mean_x)), axes, keepdims=True) + epsilon,
    )
    centred = x - mean_x
    dscale = reduce_sum(grad * centred * over, axes, keepdims=True)
    mean_share = reduce_mean(grad * centred, axes, keepdims=True)
    dx = along(scale) * over * ((grad - reduce_mean(grad, axes, keepdims=True)) - centred * over * over * mean_share)
    width = shape(scale)
    return [cast(dx, kind), reshape(dscale, width), reduce_sum(grad, axes)]


@gradient("FusedBatchNormGrad", "FusedBatchNormGradV2", "FusedBatchNormGradV3")
def _fused_batch_norm_grad(op: Operation, *grads: Any) -> list[Any]:
    from runstep.gradients.backprop import gradients

    grad, x, scale, mean, variance, *more = op.inputs
    fixed = not op.attrs["is_training"]
    ys = _in_small_ops(grad, x, scale, mean if fixed else None, variance if fixed else None, op)
    weights = [or_zeros(one, y) for one, y in zip(grads[:3], ys, strict=True)]
    found = gradients(ys, [grad, x, scale], weights)
    return [*found, None, None, *(None for _ in more)]
