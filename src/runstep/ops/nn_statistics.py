"""Bias, dropout, moments and normalization: the `tf.nn.*` functions."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.random_seed import get_seed
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops import (
    arithmetic,
    basic,
    cast,
    creation,
    elementwise,
    indexing,
    random,
    reduction,
    selecting,
    shape_ops,
)
from runstep.ops.matmul import matmul
from runstep.ops.reduction import one_of

__all__ = [
    "batch_norm_with_global_normalization",
    "batch_normalization",
    "bias_add",
    "dropout",
    "fused_batch_norm",
    "l2_loss",
    "l2_normalize",
    "local_response_normalization",
    "lrn",
    "moments",
    "normalize_moments",
    "relu_layer",
    "sufficient_statistics",
    "weighted_moments",
    "xw_plus_b",
]


def bias_add(value: TensorLike, bias: TensorLike, data_format: str | None = None, name: str | None = None) -> Tensor:
    """`value` plus the vector `bias` along the channels. Source: `tf.nn.bias_add`."""
    with name_scope(name, "BiasAdd") as scope:
        if data_format is not None:
            if data_format.startswith("NC"):
                data_format = "NCHW"
            elif data_format.startswith("N") and data_format.endswith("C"):
                data_format = "NHWC"
            else:
                raise ValueError(f"`data_format` must be of the form `N...C` or `NC...`. Received: {data_format}")
        value = convert_to_tensor(value, name="input")
        bias = convert_to_tensor(bias, dtype=value.dtype, name="bias")
        return apply("BiasAdd", value, bias, data_format=data_format, name=scope)


def xw_plus_b(x: TensorLike, weights: TensorLike, biases: TensorLike, name: str | None = None) -> Tensor:
    """`matmul(x, weights) + biases`. Source: `tf.nn.xw_plus_b`."""
    with name_scope(name, "xw_plus_b") as scope:
        x = convert_to_tensor(x, name="x")
        weights = convert_to_tensor(weights, name="weights")
        biases = convert_to_tensor(biases, name="biases")
        return bias_add(matmul(x, weights), biases, name=scope)


def relu_layer(x: TensorLike, weights: TensorLike, biases: TensorLike, name: str | None = None) -> Tensor:
    """`relu(matmul(x, weights) + biases)`. Source: `tf.nn.relu_layer`."""
    with name_scope(name, "relu_layer") as scope:
        x = convert_to_tensor(x, name="x")
        weights = convert_to_tensor(weights, name="weights")
        biases = convert_to_tensor(biases, name="biases")
        return apply("Relu", bias_add(matmul(x, weights), biases), name=scope)


# --- dropout ------------------------------------------------------------------------------------------------------


def _noise_shape(x: Tensor, noise_shape: Any) -> Any:
    if noise_shape is None:
        return shape_ops.shape(x)
    if isinstance(noise_shape, Tensor):
        return noise_shape
    sizes = list(noise_shape)
    raw = x.raw_shape
    if raw is not None and len(raw) == len(sizes):
        return [known if size is None else size for size, known in zip(sizes, raw, strict=True)]
    return sizes


def dropout(
    x: TensorLike,
    keep_prob: Any = None,
    noise_shape: Any = None,
    seed: int | None = None,
    name: str | None = None,
    rate: Any = None,
) -> Tensor:
    """Zeroes elements with probability `rate` (or 1 - `keep_prob`), and scales the others up by as much.

    `noise_shape` says along which axes (size 1) elements share their fate. Source: `tf.nn.dropout`.
    """
    if keep_prob is not None:
        kept = arithmetic.subtract(1.0, keep_prob, name="sub") if isinstance(keep_prob, Tensor) else 1 - keep_prob
        if rate is not None:
            raise ValueError(
                f"Only one of `rate` or `keep_prob` can be specified. Received: rate={rate}, keep_prob={keep_prob}"
            )
        rate = kept
    if rate is None:
        raise ValueError(f"`rate` must be provided. Received: rate={rate}")
    with name_scope(name, "dropout"):
        is_number = isinstance(rate, numbers.Real)
        if is_number and not 0 <= rate < 1:
            raise ValueError(f"`rate` must be a scalar tensor or a float in the range [0, 1). Received: rate={rate}")
        x = convert_to_tensor(x, name="x")
        if not x.dtype.is_floating:
            raise ValueError(
                f"`x.dtype` must be a floating point tensor as `x` will be scaled. Received: x={x} with dtype={x.dtype}"
            )
        if is_number and rate == 0:
            get_seed(seed)  # the graph's count of random ops goes on as if there were one
            return x
        if is_number:
            scaled = apply("Mul", x, convert_to_tensor(1.0 / (1 - rate), dtype=x.dtype), name="Mul")
        else:
            rate = convert_to_tensor(rate, dtype=x.dtype, name="rate")
            scaled = apply("RealDiv", x, arithmetic.subtract(_one(x.dtype), rate))
        fate = random.random_uniform(_noise_shape(x, noise_shape), seed=seed, dtype=x.dtype)
        keep = apply("GreaterEqual", fate, rate)
        result = selecting.where_v2(keep, scaled, convert_to_tensor(np.array(0, x.dtype.np), dtype=x.dtype))
        result.set_shape(x.shape)
        return result


def _one(dtype: dtypes.DType) -> Tensor:
    """The constant 1 of type `dtype`."""
    return convert_to_tensor(np.array(1, dtype.np), dtype=dtype)


# --- moments ------------------------------------------------------------------------------------------------------


def sufficient_statistics(
    x: TensorLike,
    axes: Any,
    shift: Any = None,
    keep_dims: bool | None = None,
    name: str | None = None,
    keepdims: bool | None = None,
) -> tuple[Tensor, Tensor, Tensor, Any]:
    """Count, sum and sum of squares (of `x - shift`) over `axes`, and the shift.
    Source: `tf.nn.sufficient_statistics`."""
    keep = bool(one_of("keepdims", keepdims, "keep_dims", keep_dims))
    axes = list(dict.fromkeys(axes))
    with name_scope(name, "sufficient_statistics"):
        x = convert_to_tensor(x, name="x")
        raw = x.raw_shape
        if raw is not None and all(raw[axis] is not None for axis in axes):
            count = convert_to_tensor(np.array(np.prod([raw[axis] for axis in axes], dtype=np.int64), x.dtype.np))
        else:
            shape_ops.rank(x)
            positive = [axis if axis >= 0 else axis + len(raw or ()) for axis in axes]
            sizes = indexing.gather(cast.cast(shape_ops.shape(x), x.dtype), positive)
            count = reduction.reduce_prod(sizes, name="count")
        if shift is not None:
            shift = convert_to_tensor(shift, name="shift")
            sums = arithmetic.subtract(x, shift)
            squares = arithmetic.squared_difference(x, shift)
        else:
            sums, squares = x, elementwise.square(x)
        mean = reduction.reduce_sum(sums, axes, keepdims=keep, name="mean_ss")
        variance = reduction.reduce_sum(squares, axes, keepdims=keep, name="var_ss")
    return count, mean, variance, shift


def normalize_moments(
    counts: TensorLike, mean_ss: TensorLike, variance_ss: TensorLike, shift: Any, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """Mean and variance from `sufficient_statistics`. Source: `tf.nn.normalize_moments`."""
    with name_scope(name, "normalize"):
        divisor = elementwise.reciprocal(counts, name="divisor")
        if shift is not None:
            shifted = arithmetic.multiply(mean_ss, divisor, name="shifted_mean")
            mean = arithmetic.add(shifted, shift, name="mean")
        else:
            shifted = mean = arithmetic.multiply(mean_ss, divisor, name="mean")
        squares = arithmetic.multiply(variance_ss, divisor)
        variance = arithmetic.subtract(squares, elementwise.square(shifted), name="variance")
    return mean, variance


def moments(
    x: TensorLike,
    axes: Any,
    shift: Any = None,
    name: str | None = None,
    keep_dims: bool | None = None,
    keepdims: bool | None = None,
) -> tuple[Tensor, Tensor]:
    """Mean and variance over `axes`; of halves in float32, then rounded. Source: `tf.nn.moments`."""
    keep = bool(one_of("keepdims", keepdims, "keep_dims", keep_dims))
    with name_scope(name, "moments"):
        x = convert_to_tensor(x, name="x")
        y = cast.cast(x, dtypes.float32) if x.dtype is dtypes.float16 else x
        mean = reduction.reduce_mean(y, axes, keepdims=True, name="mean")
        variance = reduction.reduce_mean(
            arithmetic.squared_difference(y, basic.stop_gradient(mean)), axes, keepdims=True, name="variance"
        )
        if not keep:
            mean = shape_ops.squeeze(mean, axes)
            variance = shape_ops.squeeze(variance, axes)
        if x.dtype is dtypes.float16:
            return cast.cast(mean, dtypes.float16), cast.cast(variance, dtypes.float16)
        return mean, variance


def weighted_moments(
    x: TensorLike,
    axes: Any,
    frequency_weights: TensorLike,
    name: str | None = None,
    keep_dims: bool | None = None,
    keepdims: bool | None = None,
) -> tuple[Tensor, Tensor]:
    """Mean and variance over `axes` where elements count `frequency_weights` times. Source:
    `tf.nn.weighted_moments`."""
    keep = bool(one_of("keepdims", keepdims, "keep_dims", keep_dims))
    with name_scope(name, "weighted_moments"):
        x = convert_to_tensor(x, name="x")
        weights = convert_to_tensor(frequency_weights, name="frequency_weights")
        is_half = x.dtype is dtypes.float16
        if is_half:
            x = cast.cast(x, dtypes.float32)
        if weights.dtype is not x.dtype:
            weights = cast.cast(weights, x.dtype)
        weighted = reduction.reduce_sum(
            arithmetic.multiply(weights, x, name="mul"), axes, name="weighted_input_sum", keepdims=True
        )
        broadcast = arithmetic.add(weights, creation.zeros_like(x), name="add")
        total = reduction.reduce_sum(broadcast, axes, name="sum_of_weights", keepdims=True)
        mean = arithmetic.div_no_nan(weighted, total)
        distance = arithmetic.multiply(weights, arithmetic.squared_difference(x, mean), name="mul")
        distance = reduction.reduce_sum(distance, axes, name="weighted_distsq", keepdims=True)
        variance = arithmetic.div_no_nan(distance, total)
        if not keep:
            mean = shape_ops.squeeze(mean, axis=axes)
            variance = shape_ops.squeeze(variance, axis=axes)
        if is_half:
            mean, variance = cast.cast(mean, dtypes.float16), cast.cast(variance, dtypes.float16)
        return mean, variance


# --- normalization ------------------------------------------------------------------------------------------------


def batch_normalization(
    x: TensorLike,
    mean: TensorLike,
    variance: TensorLike,
    offset: TensorLike | None,
    scale: TensorLike | None,
    variance_epsilon: TensorLike,
    name: str | None = None,
) -> Tensor:
    """`(x - mean) / sqrt(variance + epsilon) * scale + offset`. Source: `tf.nn.batch_normalization`."""
    with name_scope(name, "batchnorm"):
        factor = elementwise.rsqrt(arithmetic.add(variance, variance_epsilon, name="add"))
        if scale is not None:
            factor = arithmetic.multiply(factor, scale, name="mul")
        x = convert_to_tensor(x)
        scaled = arithmetic.multiply(x, cast.cast(factor, x.dtype), name="mul")
        if offset is not None:
            rest = arithmetic.subtract(offset, arithmetic.multiply(mean, factor, name="mul"), name="sub")
        else:
            rest = arithmetic.multiply(elementwise.negative(mean), factor, name="mul")
        return arithmetic.add(scaled, cast.cast(rest, x.dtype), name="add")


def batch_norm_with_global_normalization(
    t: TensorLike = None,
    m: TensorLike = None,
    v: TensorLike = None,
    beta: TensorLike = None,
    gamma: TensorLike = None,
    variance_epsilon: Any = None,
    scale_after_normalization: bool | None = None,
    name: str | None = None,
    input: TensorLike = None,
    mean: TensorLike = None,
    variance: TensorLike = None,
) -> Tensor:
    """`batch_normalization` with the arguments it once had. Source: `tf.nn.batch_norm_with_global_normalization`."""
    t = one_of("input", input, "t", t)
    m = one_of("mean", mean, "m", m)
    v = one_of("variance", variance, "v", v)
    return batch_normalization(t, m, v, beta, gamma if scale_after_normalization else None, variance_epsilon, name)


def fused_batch_norm(
    x: TensorLike,
    scale: TensorLike,
    offset: TensorLike,
    mean: TensorLike | None = None,
    variance: TensorLike | None = None,
    epsilon: float = 0.001,
    data_format: str = "NHWC",
    is_training: bool = True,
    name: str | None = None,
    exponential_avg_factor: float = 1.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Batch normalization in one node: y, and the running mean and variance. Source: `tf.nn.fused_batch_norm`."""
    if (not is_training or exponential_avg_factor != 1.0) and (mean is None or variance is None):
        raise ValueError(
            "Both `mean` and `variance` must be a 1D tensor when `is_training` is False or `exponential_avg_factor` "
            f"!= 1.0. Received: `mean` {mean!r} and `variance` {variance!r}"
        )
    x = convert_to_tensor(x, name="input")
    scale = convert_to_tensor(scale, name="scale")
    offset = convert_to_tensor(offset, name="offset")
    mean = convert_to_tensor(np.zeros(0, np.float32)) if mean is None else mean
    variance = convert_to_tensor(np.zeros(0, np.float32)) if variance is None else variance
    y, new_mean, new_variance, *_ = apply(
        "FusedBatchNormV3",
        x,
        scale,
        offset,
        mean,
        variance,
        epsilon=epsilon,
        exponential_avg_factor=exponential_avg_factor,
        data_format=data_format,
        is_training=is_training,
        name=name,
    )
    return y, new_mean, new_variance


def l2_normalize(
    x: TensorLike, axis: Any = None, epsilon: float = 1e-12, name: str | None = None, dim: Any = None
) -> Tensor:
    """`x` over its Euclidean length along `axis`, which counts as at least sqrt(epsilon).
    Source: `tf.nn.l2_normalize`."""
    axis = one_of("axis", axis, "dim", dim)
    with name_scope(name, "l2_normalize") as scope:
        x = convert_to_tensor(x, name="x")
        if x.dtype.is_complex:
            magnitude = reduction.reduce_sum(
                apply("Real", apply("Mul", x, apply("Conj", x), name="mul"), Tout=x.dtype.real_dtype),
                axis,
                keepdims=True,
            )
            inverse = elementwise.rsqrt(arithmetic.maximum(magnitude, epsilon))
            return arithmetic.multiply(x, cast.cast(inverse, x.dtype), name=scope)
        total = reduction.reduce_sum(elementwise.square(x), axis, keepdims=True)
        inverse = elementwise.rsqrt(arithmetic.maximum(total, epsilon))
        return arithmetic.multiply(x, inverse, name=scope)


def l2_loss(t: TensorLike, name: str | None = None) -> Tensor:
    """Half the sum of the squares of `t`. Source: `tf.nn.l2_loss`."""
    return apply("L2Loss", t, name=name)


def local_response_normalization(
    input: TensorLike,
    depth_radius: int = 5,
    bias: float = 1.0,
    alpha: float = 1.0,
    beta: float = 0.5,
    name: str | None = None,
) -> Tensor:
    """`input` over a power of the squares of the channels near each. Source: `tf.nn.local_response_normalization`."""
    return apply("LRN", input, depth_radius=depth_radius, bias=bias, alpha=alpha, beta=beta, name=name)


lrn = local_response_normalization
