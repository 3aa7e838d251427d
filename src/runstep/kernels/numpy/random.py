"""Random ops whose stream belongs to the node: it starts at the node's seeds in each session and moves on with each
run.

How far a run moves on is TensorFlow's rule too, so that the second run of a node agrees as well as the first: 256
blocks an output for most ops, whatever was used of them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from runstep.kernels.numpy import distributions, rejection
from runstep.kernels.numpy.distributions import STRIDE
from runstep.kernels.numpy.philox import Stream, stream_of, words
from runstep.kernels.numpy.shape_ops import dims_of, invalid, text
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = np.ndarray[Any, Any]


def output_shape(vector: Any, what: str = "shape") -> tuple[int, ...]:
    """The sizes of a random op's output; InvalidArgumentError if they are no vector, or one is negative."""
    dims = dims_of(vector, what)
    if dims and min(dims) < 0:
        invalid(f"Dimension {min(dims)} must be >= 0")
    return dims


def known_shape(node: Node) -> tuple[int, ...] | None:
    """The output's shape where the plan knows it."""
    vector = node.constant(0)
    return None if vector is None or vector.ndim != 1 or (vector < 0).any() else tuple(vector.tolist())


def draw(op: str, key: int, counter: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """`shape` numbers of the distribution that `op` names, from the stream at `counter` on."""
    if op.endswith(("RandomUniform", "RandomUniformV2", "StatefulUniform")):
        return distributions.fill(distributions.uniform, key, counter, shape, dtype)
    if "TruncatedNormal" in op:
        return distributions.truncated_normal(key, counter, shape, dtype)
    return distributions.fill(distributions.normal, key, counter, shape, dtype)


@numpy_kernel.make("RandomUniform", "RandomStandardNormal", "TruncatedNormal")
def random_floats(node: Node) -> Kernel:
    stream, op, dtype, known = stream_of(node), node.type, node.output_types[0].np, known_shape(node)

    def kernel(shape: Any) -> Array:
        dims = output_shape(shape) if known is None else known
        return draw(op, stream.key, stream.reserve(math.prod(dims) * STRIDE), dims, dtype)

    return kernel


def checked_range(dims: tuple[int, ...], low: Any, high: Any) -> None:
    """InvalidArgumentError unless integers in [low, high) can be drawn."""
    for bound, what in ((low, "minval"), (high, "maxval")):
        if bound.ndim:
            invalid(f"{what} must be 0-D, got shape {text(bound.shape)}")
    if low >= high and math.prod(dims):
        invalid(f"Need minval < maxval, got {low} >= {high}")


@numpy_kernel.make("RandomUniformInt")
def random_uniform_int(node: Node) -> Kernel:
    stream = stream_of(node)

    def kernel(shape: Any, low: Any, high: Any) -> Array:
        dims = output_shape(shape)
        checked_range(dims, low, high)
        counter = stream.reserve(math.prod(dims) * STRIDE)
        return (
            distributions.integers(stream.key, counter, dims, low, high)
            if math.prod(dims)
            else np.empty(dims, low.dtype)
        )

    return kernel


def bounded_parameters(parameters: tuple[Any, ...], names: tuple[str, ...]) -> list[Array]:
    """Means, deviations and bounds as vectors of one element or more."""
    for value, name in zip(parameters, names, strict=True):
        if value.ndim > 1:
            invalid(f"Input {name} should be a scalar or vector, got shape: {text(value.shape)}")
    return [np.reshape(value, -1) for value in parameters]


@numpy_kernel.make("ParameterizedTruncatedNormal")
def parameterized_truncated_normal(node: Node) -> Kernel:
    stream, dtype = stream_of(node), node.output_types[0].np
    names = ("means", "stdevs", "minvals", "maxvals")

    def kernel(shape: Any, *parameters: Any) -> Array:
        if shape.ndim == 1 and not shape.size:
            invalid("Shape tensor must not be empty, got Tensor<type: int32 shape: [0] values: >")
        dims = output_shape(shape)
        vectors = bounded_parameters(parameters, names)
        for vector, name in zip(vectors, names, strict=True):
            if vector.size not in (1, dims[0]):
                invalid(f"Input {name} should have length 1 or shape[0], got shape: {text(vector.shape)}")
        out = np.empty(dims, dtype)
        if not out.size:
            return out
        if all(vector.size == 1 for vector in vectors):
            rows = rejection.BATCH
            batches = -(-out.size // rows)
        else:
            batches = dims[0]
            rows = out.size // batches
        counter = stream.reserve(rejection.bounded_blocks(batches, rows))
        rejection.bounded_normal(stream.key, counter, out.reshape(-1), rows, vectors)
        return out

    return kernel


# --- shuffling ----------------------------------------------------------------------------------------------------


def permutation(key: int, counter: int, size: int) -> list[int]:
    """A random order of `size` things: Fisher and Yates, from the first place on, one word a swap."""
    order = list(range(size))
    if size < 2:
        return order
    left = np.arange(size, 1, -1, dtype=np.uint32)
    for place, step in enumerate((words(key, counter, size - 1) % left).tolist()):
        if step:
            other = place + step
            order[place], order[other] = order[other], order[place]
    return order


@numpy_kernel.make("RandomShuffle", view=True)
def random_shuffle(node: Node) -> Kernel:
    stream = stream_of(node)

    def kernel(value: Any) -> Any:
        size = value.shape[0] if np.ndim(value) else 0
        if size < 2:
            return value
        return value[permutation(stream.key, stream.reserve_words(size - 1), size)]

    return kernel


# --- gamma, Poisson -----------------------------------------------------------------------------------------------


def gamma_of(key: int, counter: int, dims: tuple[int, ...], alpha: Any) -> Array:
    """Gamma-distributed numbers of shape `dims + alpha.shape`."""
    flat = np.reshape(alpha, -1)
    drawn = rejection.gamma(key, counter, math.prod(dims), flat)
    return np.ascontiguousarray(drawn.astype(alpha.dtype)).reshape(dims + alpha.shape)


def poisson_of(key: int, counter: int, dims: tuple[int, ...], rate: Any, dtype: np.dtype[Any]) -> Array:
    """Poisson-distributed numbers of shape `dims + rate.shape`."""
    flat = np.reshape(rate, -1)
    drawn = rejection.poisson(key, counter, math.prod(dims), flat, dtype)
    return np.ascontiguousarray(drawn).reshape(dims + rate.shape)


@numpy_kernel.make("RandomGamma")
def random_gamma(node: Node) -> Kernel:
    stream = stream_of(node)

    def kernel(shape: Any, alpha: Any) -> Array:
        dims = output_shape(shape)
        return gamma_of(stream.key, stream.reserve(math.prod(dims) * alpha.size * STRIDE), dims, alpha)

    return kernel


@numpy_kernel.make("RandomPoisson", "RandomPoissonV2")
def random_poisson(node: Node) -> Kernel:
    stream, dtype = stream_of(node), node.output_types[0].np

    def kernel(shape: Any, rate: Any) -> Array:
        dims = output_shape(shape)
        return poisson_of(stream.key, stream.reserve(math.prod(dims) * rate.size * STRIDE), dims, rate, dtype)

    return kernel


# --- drawing classes by logits ------------------------------------------------------------------------------------


def checked_multinomial(logits: Any, num_samples: Any) -> int:
    """The number of samples; InvalidArgumentError for bad arguments."""
    if logits.ndim != 2:
        invalid(f"logits should be a matrix, got shape {text(logits.shape)}")
    if num_samples.ndim:
        invalid(f"num_samples should be a scalar, got shape {text(num_samples.shape)}")
    count = int(num_samples)
    if count < 0:
        invalid(f"num_samples should be non-negative, got {count}")
    if not logits.shape[1]:
        invalid(f"num_classes should be positive, got {logits.shape[1]}")
    return count


def multinomial_blocks(batch: int, count: int) -> int:
    """Blocks that are set aside for `batch` rows of `count` samples."""
    return batch * -(-count // 4) * 4 * 2 * STRIDE


def multinomial_of(key: int, counter: int, logits: Array, count: int, dtype: np.dtype[Any]) -> Array:
    """(rows, count) classes: where a uniform falls among the summed-up weights. Logits not finite weigh nothing."""
    rows, classes = logits.shape
    out = np.empty((rows, count), dtype)
    if not out.size:
        return out
    uniforms = distributions.uniform(words(key, counter, rows * count * 2), np.dtype(np.float64)).reshape(rows, count)
    values = logits.astype(np.float64)
    finite = np.isfinite(values)
    most = np.where(finite, values, -np.inf).max(axis=1, keepdims=True)
    weights = np.cumsum(np.where(finite, np.exp(values - most), 0), axis=1)
    wanted = uniforms * weights[:, -1:]
    for row in range(rows):
        out[row] = np.searchsorted(weights[row], wanted[row], side="right")
    return out


@numpy_kernel.make("Multinomial")
def multinomial(node: Node) -> Kernel:
    stream, dtype = stream_of(node), node.output_types[0].np

    def kernel(logits: Any, num_samples: Any) -> Array:
        count = checked_multinomial(logits, num_samples)
        counter = stream.reserve(multinomial_blocks(logits.shape[0], count))
        return multinomial_of(stream.key, counter, logits, count, dtype)

    return kernel


@numpy_kernel.make("NonDeterministicInts")
def non_deterministic_ints(node: Node) -> Kernel:
    stream, dtype = Stream(0, 0), node.output_types[0].np

    def kernel(shape: Any) -> Array:
        dims = output_shape(shape)
        return distributions.full_integers(stream.key, stream.reserve(math.prod(dims)), dims, dtype)

    return kernel
