"""Bias, batch normalization and local response normalization: rows and shape rules."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.graph.shapes import RawShape
from runstep.ops.common import Shapes
from runstep.ops.registry import op
from runstep.ops.windows import channels_first


def biased(op: Any) -> Shapes:
    value = op.inputs[0].raw_shape
    bias = shapes.with_rank(op.inputs[1].raw_shape, 1)
    first = op.attrs.get("data_format") == b"NCHW"
    if value is None:
        return [None]
    shapes.with_rank_at_least(value, 3 if first else 2)
    axis = 1 if first else len(value) - 1
    size = shapes.merge_size(value[axis], bias[0])
    return [(*value[:axis], size, *value[axis + 1 :])]


def _bias_gradient(op: Any) -> Shapes:
    value = op.inputs[0].raw_shape
    if value is None:
        return [(None,)]
    first = op.attrs["data_format"] == b"NCHW"
    shapes.with_rank_at_least(value, 3 if first else 2)
    return [(value[1 if first else -1],)]


def _rank(op: Any) -> int:
    return 5 if op.attrs["data_format"] in (b"NDHWC", b"NCDHW") else 4


def _normalized(op: Any) -> Shapes:
    rank = _rank(op)
    x = shapes.with_rank(op.inputs[0].raw_shape, rank)
    axis = 1 if channels_first(op.attrs["data_format"]) else rank - 1
    channels = x[axis]
    # Mean and variance come in only for inference.
    for tensor in op.inputs[1 : 3 if op.attrs["is_training"] else 5]:
        channels = shapes.merge_size(channels, shapes.with_rank(tensor.raw_shape, 1)[0])
    vector: RawShape = (channels,)
    found: Shapes = [(*x[:axis], channels, *x[axis + 1 :]), vector, vector, vector, vector]
    return [*found, None] if op.type == "FusedBatchNormV3" else found


def _normalized_gradient(op: Any) -> Shapes:
    rank = _rank(op)
    g = shapes.with_rank(op.inputs[0].raw_shape, rank)
    x = shapes.with_rank(op.inputs[1].raw_shape, rank)
    axis = 1 if channels_first(op.attrs["data_format"]) else rank - 1
    channels = shapes.merge_size(g[axis], x[axis])
    for tensor in op.inputs[2:5]:
        channels = shapes.merge_size(channels, shapes.with_rank(tensor.raw_shape, 1)[0])
    return [(*g[:axis], channels, *g[axis + 1 :]), (channels,), (channels,), (0,), (0,)]


def _global(op: Any) -> Shapes:
    x = shapes.with_rank(op.inputs[0].raw_shape, 4)
    size = x[3]
    for tensor in op.inputs[1:5]:
        size = shapes.merge_size(size, shapes.with_rank(tensor.raw_shape, 1)[0])
    return [(*x[:3], size)]


def _global_gradient(op: Any) -> Shapes:
    t, mean, variance, gamma, backprop = (tensor.raw_shape for tensor in op.inputs)
    x = shapes.merge(shapes.with_rank(t, 4), shapes.with_rank(backprop, 4))
    assert x is not None
    size = x[3]
    for vector in (mean, variance, gamma):
        size = shapes.merge_size(size, shapes.with_rank(vector, 1)[0])
    return [(*x[:3], size), *[(size,)] * 4]


def _of_rank_4(op: Any) -> Shapes:
    return [shapes.with_rank(op.inputs[0].raw_shape, 4)]


def _lrn_gradient(op: Any) -> Shapes:
    shape: RawShape = None
    for tensor in op.inputs:
        shape = shapes.merge(shape, shapes.with_rank(tensor.raw_shape, 4))
    return [shape]


_NUMBERS = "T: numbertype"
_FORMAT = "data_format: {'NHWC', 'NCHW'} = 'NHWC'"
_ANY_FORMAT = "data_format: {'NHWC', 'NCHW', 'NDHWC', 'NCDHW'} = 'NHWC'"
_EPSILON = "epsilon: float = 0.0001"
_AVERAGE = "exponential_avg_factor: float = 1.0"
_TRAINING = "is_training: bool = true"
_THREE = "T: {float16, bfloat16, float32}"
_U = "U: {float32}"

op("BiasAdd", "value: T, bias: T -> output: T", _NUMBERS, _FORMAT, shape=biased)
op("BiasAddV1", "value: T, bias: T -> output: T", _NUMBERS, shape=biased)
op("BiasAddGrad", "out_backprop: T -> output: T", _NUMBERS, _FORMAT, shape=_bias_gradient)
op(
    "FusedBatchNorm",
    "x: T, scale: T, offset: T, mean: T, variance: T -> y: T, batch_mean: T, batch_variance: T, reserve_space_1: T, "
    "reserve_space_2: T",
    "T: {float32}",
    _EPSILON,
    _AVERAGE,
    _FORMAT,
    _TRAINING,
    shape=_normalized,
)
op(
    "FusedBatchNormV2",
    "x: T, scale: U, offset: U, mean: U, variance: U -> y: T, batch_mean: U, batch_variance: U, reserve_space_1: U, "
    "reserve_space_2: U",
    _THREE,
    _U,
    _EPSILON,
    _AVERAGE,
    _FORMAT,
    _TRAINING,
    shape=_normalized,
)
op(
    "FusedBatchNormV3",
    "x: T, scale: U, offset: U, mean: U, variance: U -> y: T, batch_mean: U, batch_variance: U, reserve_space_1: U, "
    "reserve_space_2: U, reserve_space_3: U",
    _THREE,
    "U: {bfloat16, float32}",
    _EPSILON,
    _AVERAGE,
    _ANY_FORMAT,
    _TRAINING,
    shape=_normalized,
)
op(
    "FusedBatchNormGrad",
    "y_backprop: T, x: T, scale: T, reserve_space_1: T, reserve_space_2: T -> x_backprop: T, scale_backprop: T, "
    "offset_backprop: T, reserve_space_3: T, reserve_space_4: T",
    "T: {float32}",
    _EPSILON,
    _FORMAT,
    _TRAINING,
    shape=_normalized_gradient,
)
op(
    "FusedBatchNormGradV2",
    "y_backprop: T, x: T, scale: float32, reserve_space_1: U, reserve_space_2: U -> x_backprop: T, scale_backprop: U, "
    "offset_backprop: U, reserve_space_3: U, reserve_space_4: U",
    _THREE,
    _U,
    _EPSILON,
    _FORMAT,
    _TRAINING,
    shape=_normalized_gradient,
)
op(
    "FusedBatchNormGradV3",
    "y_backprop: T, x: T, scale: float32, reserve_space_1: U, reserve_space_2: U, reserve_space_3: U -> x_backprop: T, "
    "scale_backprop: U, offset_backprop: U, reserve_space_4: U, reserve_space_5: U",
    _THREE,
    _U,
    _EPSILON,
    _ANY_FORMAT,
    _TRAINING,
    shape=_normalized_gradient,
)
op(
    "BatchNormWithGlobalNormalization",
    "t: T, m: T, v: T, beta: T, gamma: T -> result: T",
    _NUMBERS,
    "variance_epsilon: float",
    "scale_after_normalization: bool",
    shape=_global,
)
op(
    "BatchNormWithGlobalNormalizationGrad",
    "t: T, m: T, v: T, gamma: T, backprop: T -> dx: T, dm: T, dv: T, db: T, dg: T",
    _NUMBERS,
    "variance_epsilon: float",
    "scale_after_normalization: bool",
    shape=_global_gradient,
)
op(
    "LRN",
    "input: T -> output: T",
    "depth_radius: int = 5",
    "bias: float = 1.0",
    "alpha: float = 1.0",
    "beta: float = 0.5",
    f"{_THREE} = float32",
    shape=_of_rank_4,
)
op(
    "LRNGrad",
    "input_grads: T, input_image: T, output_image: T -> output: T",
    "depth_radius: int = 5",
    "bias: float = 1.0",
    "alpha: float = 1.0",
    "beta: float = 0.5",
    f"{_THREE} = float32",
    shape=_lrn_gradient,
)
