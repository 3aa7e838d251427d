"""Random ops without a stream: the seed, or a key and counter, is an input, and says all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.kernels.numpy import distributions, philox, rejection
from runstep.kernels.numpy.random import (
    checked_multinomial,
    checked_range,
    draw,
    gamma_of,
    multinomial_of,
    output_shape,
    permutation,
    poisson_of,
)
from runstep.kernels.numpy.shape_ops import invalid, text
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = np.ndarray[Any, Any]
PHILOX = 1
_ALGORITHMS = (PHILOX, 3)  # 3: whatever suits the device, which is Philox
_SEED_KEY = 0x02461E293EC8F720


REALS = (dtypes.float16, dtypes.float32, dtypes.float64)


def seeded(seed: Any) -> tuple[int, int]:
    """Key and counter of a seed of two integers. They are scrambled, so that any two numbers make a good seed."""
    if seed.shape != (2,):
        invalid(f"seed must have shape [2], not {text(seed.shape)}")
    first, second = (value % (1 << 64) for value in seed.tolist())
    block = philox.blocks(_SEED_KEY, first | second << 64, 1)[0].tolist()
    return block[0] | block[1] << 32, (block[2] | block[3] << 32) << 64


def given(key: Any, counter: Any, alg: Any) -> tuple[int, int]:
    """Key and counter of the ops that take them as tensors.

    Raises:
      InvalidArgumentError: a shape is wrong, or the algorithm is not Philox.
    """
    if key.shape != (1,):
        invalid(f"key must have shape [1], not {text(key.shape)}. (Note that batched keys are not supported yet.)")
    if alg.ndim:
        invalid(f"input 3 (0-based) must have shape [], not {text(alg.shape)}")
    if counter.ndim != 1 or counter.size < 2:
        invalid(
            f"counter must be a vector with length at least 2; got shape: {text(counter.shape)}. (Note that batched "
            "counters are not supported yet.)"
        )
    if int(alg) not in _ALGORITHMS:
        invalid(f"Unsupported algorithm id: {int(alg)}")
    return int(key[0]), int(counter[0]) | int(counter[1]) << 64


@numpy_kernel.make("StatelessRandomUniform", "StatelessRandomNormal", "StatelessTruncatedNormal")
def stateless_floats(node: Node) -> Kernel:
    op, dtype = node.type, node.output_types[0].np

    def kernel(shape: Any, seed: Any) -> Array:
        return draw(op, *seeded(seed), output_shape(shape), dtype)

    return kernel


@numpy_kernel.make("StatelessRandomUniformV2", "StatelessRandomNormalV2", "StatelessTruncatedNormalV2")
def stateless_floats_v2(node: Node) -> Kernel:
    op, dtype = node.type, node.output_types[0].np

    def kernel(shape: Any, key: Any, counter: Any, alg: Any) -> Array:
        return draw(op, *given(key, counter, alg), output_shape(shape), dtype)

    return kernel


def _integers(dims: tuple[int, ...], start: tuple[int, int], low: Any, high: Any) -> Array:
    checked_range(dims, low, high)
    return distributions.integers(*start, dims, low, high) if math.prod(dims) else np.empty(dims, low.dtype)


@numpy_kernel("StatelessRandomUniformInt")
def stateless_integers(shape: Any, seed: Any, low: Any, high: Any) -> Array:
    return _integers(output_shape(shape), seeded(seed), low, high)


@numpy_kernel("StatelessRandomUniformIntV2")
def stateless_integers_v2(shape: Any, key: Any, counter: Any, alg: Any, low: Any, high: Any) -> Array:
    return _integers(output_shape(shape), given(key, counter, alg), low, high)


def _seeded_by_signed(seed: Any) -> tuple[int, int]:
    if seed.dtype.kind == "u":
        invalid(f"Invalid seed type: {seed.dtype}")
    return seeded(seed)


@numpy_kernel.make("StatelessRandomUniformFullInt", "StatelessRandomUniformFullIntV2")
def stateless_full_integers(node: Node) -> Kernel:
    dtype = node.output_types[0].np
    start: Any = given if node.type.endswith("V2") else _seeded_by_signed

    def kernel(shape: Any, *source: Any) -> Array:
        key, counter = start(*source)
        return distributions.full_integers(key, counter, output_shape(shape), dtype)

    return kernel


@numpy_kernel.make("StatelessMultinomial")
def stateless_multinomial(node: Node) -> Kernel:
    dtype = node.output_types[0].np

    def kernel(logits: Any, num_samples: Any, seed: Any) -> Array:
        start = seeded(seed)
        return multinomial_of(*start, logits, checked_multinomial(logits, num_samples), dtype)

    return kernel


def _outer(shape: Any, parameter: Any) -> tuple[int, ...]:
    """The leading sizes of the output, which ends in the shape of the parameter."""
    dims = output_shape(shape)
    cut = len(dims) - parameter.ndim
    if cut < 0 or dims[cut:] != parameter.shape:
        invalid("Shape passed in must end with broadcasted shape.")
    return dims[:cut]


@numpy_kernel("StatelessRandomGammaV2")
def stateless_gamma(shape: Any, seed: Any, alpha: Any) -> Array:
    return gamma_of(*seeded(seed), _outer(shape, alpha), alpha)


@numpy_kernel("StatelessRandomGammaV3")
def stateless_gamma_v3(shape: Any, key: Any, counter: Any, alg: Any, alpha: Any) -> Array:
    return gamma_of(*given(key, counter, alg), _outer(shape, alpha), alpha)


@numpy_kernel.make("StatelessRandomPoisson")
def stateless_poisson(node: Node) -> Kernel:
    dtype = node.output_types[0].np

    def kernel(shape: Any, seed: Any, rate: Any) -> Array:
        return poisson_of(*seeded(seed), _outer(shape, rate), rate, dtype)

    return kernel


def binomial_of(key: int, counter: int, dims: tuple[int, ...], counts: Any, probs: Any, dtype: np.dtype[Any]) -> Array:
    """How many trials succeed, of shape `dims`, which ends in that of the parameters together."""
    stretched = np.broadcast_shapes(counts.shape, probs.shape)
    cut = len(dims) - len(stretched)
    if cut < 0 or dims[cut:] != stretched:
        invalid("Shape passed in must end with broadcasted shape.")
    flat = [np.broadcast_to(value, stretched).reshape(-1) for value in (counts, probs)]
    drawn = rejection.binomial(key, counter, math.prod(dims[:cut]), *flat)
    return np.ascontiguousarray(drawn.reshape(dims).astype(dtype))


@numpy_kernel.make("StatelessRandomBinomial", types={"T": REALS})
def stateless_binomial(node: Node) -> Kernel:
    dtype = node.output_types[0].np
    return lambda shape, seed, counts, probs: binomial_of(*seeded(seed), output_shape(shape), counts, probs, dtype)


@numpy_kernel("StatelessParameterizedTruncatedNormal")
def stateless_bounded_normal(shape: Any, seed: Any, *parameters: Any) -> Array:
    start = seeded(seed)
    dims = output_shape(shape)
    stretched = np.broadcast_shapes(*(value.shape for value in parameters))
    if dims[len(dims) - len(stretched) :] != stretched:
        invalid("Shape passed in must end with broadcasted shape.")
    out = np.empty(dims, parameters[0].dtype)
    if not out.size:
        return out
    samples = math.prod(dims[: len(dims) - len(stretched)])
    vectors = [np.broadcast_to(value, stretched).reshape(-1) for value in parameters]
    drawn = np.empty(out.size, out.dtype)
    rejection.bounded_normal(*start, drawn, samples, vectors)
    out[...] = drawn.reshape(-1, samples).T.reshape(dims)
    return out


@numpy_kernel("StatelessRandomGetKeyCounter")
def get_key_counter(seed: Any) -> tuple[Array, Array]:
    key, counter = seeded(seed)
    return np.array([key], np.uint64), np.array([counter % (1 << 64), counter >> 64], np.uint64)


@numpy_kernel("StatelessRandomGetKeyCounterAlg")
def get_key_counter_alg(seed: Any) -> tuple[Any, ...]:
    return (*get_key_counter(seed), np.int32(PHILOX))


@numpy_kernel("StatelessRandomGetAlg")
def get_alg() -> Any:
    return np.int32(PHILOX)


@numpy_kernel("StatelessShuffle", view=True)
def stateless_shuffle(value: Any, key: Any, counter: Any, alg: Any) -> Any:
    start = given(key, counter, alg)
    return value[permutation(*start, value.shape[0])] if np.ndim(value) else value
