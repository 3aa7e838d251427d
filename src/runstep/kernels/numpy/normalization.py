"""Batch normalization, in training and in inference, and local response normalization."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.errors import InvalidArgumentError
from runstep.graph import shapes
from runstep.kernels.numpy.fused_tail import PerChannel
from runstep.kernels.numpy.windows import compute_type, to_first, to_last
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.ops.windows import channels_first

Array = Any


def _check(x: Array, vectors: dict[str, Array], first: bool, ranks: tuple[int, ...]) -> None:
    if x.ndim not in ranks:
        raise InvalidArgumentError(None, None, f"input must be 4 or 5-dimensional{shapes.text(x.shape)}")
    channels = x.shape[1 if first else -1]
    for name, vector in vectors.items():
        if vector.ndim != 1:
            raise InvalidArgumentError(None, None, f"{name} must be 1-dimensional{shapes.text(vector.shape)}")
        if vector.size != channels:
            raise InvalidArgumentError(
                None,
                None,
                f"{name} must have the same number of elements as the channels of x, got {vector.size} and {channels}",
            )


def _of_nothing(x: Array, first: bool, dtype: Any, vector_dtype: Any, extra: tuple[Array, ...]) -> tuple[Array, ...]:
    """The moments of an empty batch are NaN."""
    channels = x.shape[-1]
    moments = [np.full(channels, np.nan, vector_dtype) for _ in range(2)]
    saved = [np.zeros(channels, vector_dtype) for _ in range(2)]
    return (to_first(np.zeros(x.shape, dtype), first), *moments, *saved, *extra)


def _inference(node: Node, first: bool, epsilon: Any) -> Kernel:
    dtype, vector_dtype = node.output_types[0].np, node.output_types[1].np
    constants = [node.constant(index) for index in range(1, 5)]
    extra = (vector_dtype.type(0),) if len(node.output_types) == 6 else ()

    def coefficients(scale: Array, offset: Array, mean: Array, variance: Array) -> tuple[Array, Array]:
        factor = scale.astype(np.float32) / np.sqrt(variance.astype(np.float32) + epsilon)
        return factor, offset.astype(np.float32) - mean.astype(np.float32) * factor

    fixed = None
    if all(value is not None and value.ndim == 1 for value in constants):
        if len({value.size for value in constants if value is not None}) == 1:
            fixed = coefficients(*constants)

    multiply, add = (PerChannel(value) for value in (fixed or (None, None)))

    def kernel(x: Array, scale: Array, offset: Array, mean: Array, variance: Array) -> tuple[Array, ...]:
        _check(
            x, {"scale": scale, "offset": offset, "estimated_mean": mean, "estimated_variance": variance}, first, (4, 5)
        )
        factor, shift = fixed if fixed is not None else coefficients(scale, offset, mean, variance)
        x = to_last(x, first)
        if not x.size:
            return _of_nothing(x, first, dtype, vector_dtype, extra)
        y = np.array(x, np.float32, order="C")
        rows = y.reshape(-1, y.shape[-1])
        multiply(np.multiply, rows, y.shape[-2], factor)
        add(np.add, rows, y.shape[-2], shift)
        y = to_first(y.astype(dtype, copy=False), first)
        return (y, mean.copy(), variance.copy(), mean.copy(), variance.copy(), *extra)

    return kernel


def _training(node: Node, first: bool, epsilon: Any) -> Kernel:
    dtype, vector_dtype = node.output_types[0].np, node.output_types[1].np
    average = np.float32(node.attrs["exponential_avg_factor"])
    extra = (vector_dtype.type(0),) if len(node.output_types) == 6 else ()

    def kernel(x: Array, scale: Array, offset: Array, mean: Array, variance: Array) -> tuple[Array, ...]:
        vectors = {"scale": scale, "offset": offset}
        if average != 1:
            vectors |= {"estimated_mean": mean, "estimated_variance": variance}
        _check(x, vectors, first, (4, 5))
        for name, vector in (("estimated_mean", mean), ("estimated_variance", variance)):
            if vector.ndim != 1:  # of any size, where it isn't used
                raise InvalidArgumentError(None, None, f"{name} must be 1-dimensional{shapes.text(vector.shape)}")
        x = to_last(x, first)
        channels = x.shape[-1]
        if not x.size:
            return _of_nothing(x, first, dtype, vector_dtype, extra)
        rows = np.ascontiguousarray(x, np.float32).reshape(-1, channels)
        count = rows.shape[0]
        batch_mean = rows.mean(axis=0)
        centered = rows - batch_mean
        batch_variance = np.square(centered).mean(axis=0)
        factor = scale.astype(np.float32) / np.sqrt(batch_variance + epsilon)
        np.multiply(centered, factor, out=centered)
        np.add(centered, offset.astype(np.float32), out=centered)
        y = to_first(centered.reshape(x.shape).astype(dtype, copy=False), first)
        unbiased = batch_variance * np.float32(count / max(1, count - 1))
        new_mean, new_variance = batch_mean, unbiased
        if average != 1:
            new_mean = (1 - average) * mean + average * batch_mean
            new_variance = (1 - average) * variance + average * unbiased
        results = (new_mean, new_variance, batch_mean.copy(), batch_variance)
        return (y, *[value.astype(vector_dtype) for value in results], *extra)

    return kernel


@numpy_kernel.make("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def fused_batch_norm(node: Node) -> Kernel:
    """y, the new running mean and variance, and what the gradient needs (in training the batch's own)."""
    first = channels_first(node.attrs["data_format"])
    epsilon = np.float32(node.attrs["epsilon"])
    return (_training if node.attrs["is_training"] else _inference)(node, first, epsilon)


@numpy_kernel.make("FusedBatchNormGrad", "FusedBatchNormGradV2", "FusedBatchNormGradV3")
def fused_batch_norm_gradient(node: Node) -> Kernel:
    first = channels_first(node.attrs["data_format"])
    epsilon = np.float32(node.attrs["epsilon"])
    training = node.attrs["is_training"]
    dtype, vector_dtype = node.output_types[0].np, node.output_types[1].np

    def kernel(g: Array, x: Array, scale: Array, mean: Array, variance: Array, *_: Array) -> tuple[Array, ...]:
        if g.shape != x.shape:
            raise InvalidArgumentError(
                None,
                None,
                f"x and y_backprop must have same shape, got {shapes.text(x.shape)} and {shapes.text(g.shape)}",
            )
        _check(x, {"scale": scale, "saved mean": mean, "saved variance": variance}, first, (4, 5))
        x, g = to_last(x, first), to_last(g, first)
        channels = x.shape[-1]
        rows = np.ascontiguousarray(x, np.float32).reshape(-1, channels)
        grows = np.ascontiguousarray(g, np.float32).reshape(-1, channels)
        inverse = 1 / np.sqrt(variance.astype(np.float32) + epsilon)
        centered = rows - mean.astype(np.float32)
        offset_gradient = grows.sum(axis=0)
        scale_gradient = (grows * centered).sum(axis=0) * inverse
        if training:
            count = np.float32(max(1, rows.shape[0]))
            dx = grows - offset_gradient / count - centered * (inverse * scale_gradient / count)
            dx *= scale * inverse
        else:
            dx = grows * (scale * inverse)
        dx = to_first(dx.reshape(x.shape).astype(dtype, copy=False), first)
        nothing = np.zeros(0, vector_dtype)
        return (dx, scale_gradient.astype(vector_dtype), offset_gradient.astype(vector_dtype), nothing, nothing.copy())

    return kernel


@numpy_kernel.make("BatchNormWithGlobalNormalization")
def batch_norm(node: Node) -> Kernel:
    """Normalization with given moments (removed from new graphs, still met in old ones)."""
    epsilon, scaled = node.attrs["variance_epsilon"], node.attrs["scale_after_normalization"]
    dtype = node.output_types[0].np
    compute = compute_type(node.output_types[0])

    def kernel(t: Array, m: Array, v: Array, beta: Array, gamma: Array) -> Array:
        _check(t, {"mean": m, "var": v, "beta": beta, **({"gamma": gamma} if scaled else {})}, False, (4,))
        t, m, v, beta, gamma = (value.astype(compute, copy=False) for value in (t, m, v, beta, gamma))
        factor = 1 / np.sqrt(v + compute.type(epsilon))
        if scaled:
            factor = factor * gamma
        return (t * factor + (beta - m * factor)).astype(dtype, copy=False)

    return kernel


@numpy_kernel.make("BatchNormWithGlobalNormalizationGrad")
def batch_norm_gradient(node: Node) -> Kernel:
    epsilon, scaled = node.attrs["variance_epsilon"], node.attrs["scale_after_normalization"]
    dtype = node.output_types[0].np
    compute = compute_type(node.output_types[0])

    def kernel(t: Array, m: Array, v: Array, gamma: Array, g: Array) -> tuple[Array, ...]:
        _check(t, {"mean": m, "var": v, **({"gamma": gamma} if scaled else {})}, False, (4,))
        if gamma.ndim != 1:
            raise InvalidArgumentError(None, None, f"gamma must be 1-dimensional{shapes.text(gamma.shape)}")
        if g.ndim != 4:
            raise InvalidArgumentError(None, None, f"out_backprop must be 4-dimensional{shapes.text(g.shape)}")
        t, m, v, gamma, g = (value.astype(compute, copy=False) for value in (t, m, v, gamma, g))
        axes = (0, 1, 2)
        inverse = 1 / np.sqrt(v + compute.type(epsilon))
        db = g.sum(axis=axes)
        spread = ((t - m) * g).sum(axis=axes)
        factor = gamma * inverse if scaled else inverse
        dg = spread * inverse if scaled else np.zeros_like(db)
        dv = spread * compute.type(-0.5) * factor * inverse * inverse
        results = (g * factor, -db * factor, dv, db, dg)
        return tuple(value.astype(dtype, copy=False) for value in results)

    return kernel


# --- local response normalization ---------------------------------------------------------------------------------


def _window_sums(x: Array, radius: int) -> Array:
    """Sums over the channels within `radius` of each."""
    depth = x.shape[-1]
    sums = np.zeros_like(x)
    for shift in range(-min(radius, depth - 1), min(radius, depth - 1) + 1):
        low, high = max(0, -shift), min(depth, depth - shift)
        sums[..., low:high] += x[..., low + shift : high + shift]
    return sums


def _band(depth: int, radius: int) -> Array:
    """float32 [depth, depth]: 1 where two channels are within `radius` of each other."""
    places = np.arange(depth)
    return (np.abs(places[:, None] - places) <= radius).astype(np.float32)


@numpy_kernel.make("LRN")
def local_response_normalization(node: Node) -> Kernel:
    radius = node.attrs["depth_radius"]
    bias, alpha, beta = (np.float32(node.attrs[name]) for name in ("bias", "alpha", "beta"))
    dtype = node.output_types[0].np

    def kernel(x: Array) -> Array:
        if x.ndim != 4:
            raise InvalidArgumentError(None, None, "in must be 4-dimensional")
        if radius < 0:
            raise InvalidArgumentError(None, None, f"depth_radius = {radius} larger than int max")
        wide = x.astype(np.float32, copy=False)
        squares = np.square(wide)
        sums = _window_sums(squares, radius)
        if not np.isfinite(sums).all():  # TensorFlow multiplies by a matrix of ones and zeros, and 0 * inf is NaN
            sums = squares @ _band(x.shape[-1], radius)
        norm = bias + alpha * sums
        return (wide * np.power(norm, -beta)).astype(dtype, copy=False)

    return kernel


@numpy_kernel.make("LRNGrad")
def local_response_normalization_gradient(node: Node) -> Kernel:
    radius = node.attrs["depth_radius"]
    bias, alpha, beta = (np.float32(node.attrs[name]) for name in ("bias", "alpha", "beta"))
    dtype = node.output_types[0].np

    def kernel(g: Array, x: Array, y: Array) -> Array:
        if x.ndim != 4:
            raise InvalidArgumentError(None, None, "in_grads must be 4-dimensional")
        if not g.shape == x.shape == y.shape:
            raise InvalidArgumentError(None, None, "input_grads, input_image, and out_image should have the same shape")
        g, x, y = (value.astype(np.float32, copy=False) for value in (g, x, y))
        norm = bias + alpha * _window_sums(np.square(x), radius)
        shared = _window_sums(g * y / norm, radius)
        return (g * np.power(norm, -beta) - 2 * alpha * beta * x * shared).astype(dtype, copy=False)

    return kernel
