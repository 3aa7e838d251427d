"""Random ops whose stream is a resource variable: int64 [counter, counter's upper half, key, ...].

They read it and move its counter on by 256 blocks an output, in one go: two steps never draw the same numbers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from runstep import errors
from runstep.kernels.numpy import distributions
from runstep.kernels.numpy.distributions import STRIDE
from runstep.kernels.numpy.random import checked_range, draw, output_shape
from runstep.kernels.numpy.random_stateless import REALS, binomial_of
from runstep.kernels.numpy.resource_state import variable_of
from runstep.kernels.numpy.shape_ops import invalid, text
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = np.ndarray[Any, Any]
_THREEFRY = 2
_ALGORITHMS = (1, 3)  # 3: whatever suits the device, which is Philox
_SIZE = 3
_TRIES = 100  # that TensorFlow sets aside for each binomial number
_WORD = 1 << 64
_HALF = 1 << 32


def _check_algorithm(algorithm: Any) -> None:
    if algorithm.ndim:
        invalid(f"input 1 (0-based) must have shape [], not {text(algorithm.shape)}")
    if algorithm == _THREEFRY:
        raise errors.UnimplementedError(None, None, "Non-XLA devices don't support the ThreeFry algorithm.")
    if algorithm not in _ALGORITHMS:
        invalid(f"Unsupported algorithm id: {algorithm}")


def _read_and_skip(handle: Any, outputs: int) -> Array:
    """The state as it was before; the variable's counter moves on by what so many outputs take."""
    variable = variable_of(handle)
    with variable.lock:
        state: Any = variable.value
        if state.dtype != np.int64:
            invalid(f"dtype of RNG state variable must be int64, not {state.dtype}")
        if state.ndim != 1:
            invalid(f"RNG state must have one and only one dimension, not {state.ndim}")
        if len(state) < _SIZE:
            invalid(f"For the Philox algorithm, the size of state must be at least {_SIZE}; got {len(state)}")
        if outputs:
            moved = state.copy()
            moved[:2] = np.array(_skipped(state, outputs * STRIDE % _WORD), np.uint64).view(np.int64)
            variable.value = moved
    return state


def _skipped(state: Array, blocks: int) -> tuple[int, int]:
    """Both halves of the counter, so many blocks on.

    TensorFlow adds words of 32 bits and drops the carry out of the upper one of `blocks`, so skipping -n goes back.
    """
    low, high = (int(word) % _WORD for word in state[:2])
    first = low % _HALF + blocks % _HALF
    second = low // _HALF + (blocks // _HALF + first // _HALF) % _HALF
    return first % _HALF | second % _HALF << 32, (high + second // _HALF) % _WORD


def _counter(state: Array) -> int:
    low, high = (int(word) % _WORD for word in state[:2])
    return low | high << 64


def _start(handle: Any, dims: tuple[int, ...]) -> tuple[int, int]:
    """Key and counter of a draw of this shape."""
    state = _read_and_skip(handle, math.prod(dims))
    return int(state[2]) % _WORD, _counter(state)


@numpy_kernel("RngReadAndSkip")
def rng_read_and_skip(handle: Any, algorithm: Any, delta: Any) -> Array:
    _check_algorithm(algorithm)
    if delta.ndim:
        invalid(f"input 2 (0-based) must have shape [], not {text(delta.shape)}")
    return _read_and_skip(handle, int(delta))[:_SIZE].copy()


@numpy_kernel("RngSkip")
def rng_skip(handle: Any, algorithm: Any, delta: Any) -> None:
    _check_algorithm(algorithm)
    if delta.ndim:
        invalid(f"input 2 (0-based) must have shape [], not {text(delta.shape)}")
    _read_and_skip(handle, int(delta))


def _dims(algorithm: Any, shape: Any) -> tuple[int, ...]:
    _check_algorithm(algorithm)
    if shape.dtype not in (np.int32, np.int64):
        invalid("shape must be a vector of {int32,int64}.")
    return output_shape(shape)


@numpy_kernel.make("StatefulUniform", "StatefulStandardNormalV2", "StatefulTruncatedNormal")
def stateful_floats(node: Node) -> Kernel:
    op, dtype = node.type, node.output_types[0].np

    def kernel(handle: Any, algorithm: Any, shape: Any) -> Array:
        dims = _dims(algorithm, shape)
        return draw(op, *_start(handle, dims), dims, dtype)

    return kernel


@numpy_kernel("StatefulUniformInt")
def stateful_integers(handle: Any, algorithm: Any, shape: Any, low: Any, high: Any) -> Array:
    dims = _dims(algorithm, shape)
    # TensorFlow looks at the range even where nothing is drawn.
    checked_range((), low, high)
    return distributions.integers(*_start(handle, dims), dims, low, high)


@numpy_kernel.make("StatefulUniformFullInt")
def stateful_full_integers(node: Node) -> Kernel:
    dtype = node.output_types[0].np

    def kernel(handle: Any, algorithm: Any, shape: Any) -> Array:
        dims = _dims(algorithm, shape)
        return distributions.full_integers(*_start(handle, dims), dims, dtype)

    return kernel


@numpy_kernel.make("StatefulRandomBinomial", types={"T": REALS})
def stateful_binomial(node: Node) -> Kernel:
    dtype = node.output_types[0].np

    def kernel(handle: Any, algorithm: Any, shape: Any, counts: Any, probs: Any) -> Array:
        dims = _dims(algorithm, shape)
        batches = math.prod(np.broadcast_shapes(counts.shape, probs.shape))
        samples = math.prod(dims) // max(1, batches)
        state = _read_and_skip(handle, batches * 2 * _TRIES * (samples + 3) // 4)
        return binomial_of(int(state[2]) % _WORD, _counter(state), dims, counts, probs, dtype)

    return kernel
