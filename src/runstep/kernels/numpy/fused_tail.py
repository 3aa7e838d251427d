"""What may follow a convolution or a matrix product in one node: bias or batch norm, then an activation, in place."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from runstep.errors import InvalidArgumentError, UnimplementedError
from runstep.kernels.registry import Node

Array = Any
Tail = Callable[[Array, int, Sequence[Array]], None]
"""`tail(rows, width, args)`: `rows` is `[positions, channels]`, its positions in runs of `width`; changed in place."""

# A vector shorter than this is repeated along the rows: numpy's inner loop then is as long as a row, not a vector.
_SHORT = 512


def repeated(vector: Array, times: int) -> Array:
    """`vector` after itself `times` times."""
    return np.broadcast_to(vector, (times, vector.size)).reshape(-1)


class PerChannel:
    """`ufunc(rows, vector, out=rows)` with short vectors repeated; the repetition of a constant is remembered."""

    def __init__(self, constant: Array | None) -> None:
        self.constant = constant
        self.memo: dict[int, Array] = {}

    def __call__(self, ufunc: Any, rows: Array, width: int, vector: Array) -> None:
        count = vector.size
        if count >= _SHORT or width == 1 or rows.shape[0] % width:
            ufunc(rows, vector, out=rows)
            return
        times = min(width, max(1, 4 * _SHORT // count))
        while width % times:
            times -= 1
        long = self.memo.get(times)
        if long is None:
            long = repeated(vector, times)
            if self.constant is not None:
                self.memo[times] = long
        wide = rows.reshape(-1, times * count)
        ufunc(wide, long, out=wide)


def _relu(x: Array) -> None:
    # Four times as fast as np.maximum, which looks at every number for NaN separately.
    kind = x.dtype.type
    x.clip(kind(0), kind(np.inf), out=x)


def _relu6(x: Array) -> None:
    kind = x.dtype.type
    x.clip(kind(0), kind(6), out=x)


def _elu(x: Array) -> None:
    np.copyto(x, np.expm1(x), where=x < 0)


def _tanh(x: Array) -> None:
    np.tanh(x, out=x)


def _sigmoid(x: Array) -> None:
    np.negative(x, out=x)
    np.exp(x, out=x)
    np.add(x, 1, out=x)
    np.reciprocal(x, out=x)


def _hard_swish(x: Array) -> None:
    """`x * relu6(x + 3) / 6`."""
    gate = np.add(x, np.float32(3))
    _relu6(gate)
    np.multiply(x, gate, out=x)
    np.multiply(x, np.float32(1 / 6), out=x)


def _swish(x: Array) -> None:
    gate = x.copy()
    _sigmoid(gate)
    np.multiply(x, gate, out=x)


_ACTIVATIONS: dict[bytes, Callable[[Array], None]] = {
    b"Relu": _relu,
    b"Relu6": _relu6,
    b"Elu": _elu,
    b"Tanh": _tanh,
    b"Sigmoid": _sigmoid,
    b"HardSwish": _hard_swish,
    b"Swish": _swish,
}
# Steps go over this many numbers at a time, which stay in the cache from one step to the next.
_TILE = 1 << 16


def tail_of(steps: Sequence[tuple[str, Any]]) -> Tail:
    """The tail that does `steps` with constants.

    Args:
      steps: ("Add", vector), ("Mul", vector), ("Sub", vector), ("ScaleShift", (factors, summands)), ("PRelu", slopes),
        ("LeakyRelu", alpha), or an activation's name and None. A vector has one number, or one for each channel.
    """
    ufuncs = {"Add": np.add, "Mul": np.multiply, "Sub": np.subtract}
    made: list[Callable[[Array, int], Any]] = []
    for kind, constant in steps:
        if kind in ufuncs:
            if constant.size == 1:
                made.append(functools.partial(_by_scalar, ufuncs[kind], constant.reshape(())[()]))
            else:
                vector = constant.reshape(-1)
                made.append(functools.partial(_by_vector, PerChannel(vector), ufuncs[kind], vector))
        elif kind == "ScaleShift":
            for ufunc, vector in zip((np.multiply, np.add), constant, strict=True):
                made.append(functools.partial(_by_vector, PerChannel(vector), ufunc, vector))
        elif kind == "PRelu":
            made.append(functools.partial(_prelu, PerChannel(constant.reshape(-1)), constant.reshape(-1)))
        elif kind == "LeakyRelu":
            made.append(functools.partial(_leaky, constant))
        else:
            made.append(functools.partial(_plain, _ACTIVATIONS[kind.encode()]))

    def tail(rows: Array, width: int, args: Sequence[Array]) -> None:
        if rows.size <= 2 * _TILE:
            for step in made:
                step(rows, width)
            return
        count = max(1, _TILE // (rows.shape[1] * width)) * width
        for start in range(0, rows.shape[0], count):
            part = rows[start : start + count]
            for step in made:
                step(part, width)

    return tail


def _by_scalar(ufunc: Any, scalar: Any, rows: Array, width: int) -> None:
    ufunc(rows, scalar, out=rows)


def _by_vector(per_channel: PerChannel, ufunc: Any, vector: Array, rows: Array, width: int) -> None:
    per_channel(ufunc, rows, width, vector)


def _leaky(alpha: Any, rows: Array, width: int) -> None:
    np.maximum(rows, rows * alpha, out=rows)


def _prelu(per_channel: PerChannel, slopes: Array, rows: Array, width: int) -> None:
    low = np.minimum(rows, rows.dtype.type(0))
    if slopes.size == 1:
        low *= slopes[0]
    else:
        per_channel(np.multiply, low, width, slopes)
    _relu(rows)
    np.add(rows, low, out=rows)


def _plain(activation: Callable[[Array], None], rows: Array, width: int) -> None:
    activation(rows)


def make_tail(node: Node, first_arg: int) -> Tail | None:
    """The tail that the node's `fused_ops` ask for; its arguments are the node's inputs from `first_arg` on."""
    fused = list(node.attrs["fused_ops"])
    steps: list[Callable[[Array, int, Sequence[Array]], None]] = []
    if fused and fused[0] == b"BiasAdd":
        fused.pop(0)
        add = PerChannel(node.constant(first_arg))

        def bias(rows: Array, width: int, args: Sequence[Array]) -> None:
            vector = args[0]
            if vector.shape != (rows.shape[-1],):
                raise InvalidArgumentError(
                    None, None, f"Must provide as many biases as the last dimension: {vector.shape} {rows.shape}"
                )
            add(np.add, rows, width, vector)

        steps.append(bias)
    elif fused and fused[0] == b"FusedBatchNorm":
        fused.pop(0)
        epsilon = np.float32(node.attrs["epsilon"])

        def normalize(rows: Array, width: int, args: Sequence[Array]) -> None:
            scale, offset, mean, variance = args
            factor = scale / np.sqrt(variance + epsilon)
            PerChannel(None)(np.multiply, rows, width, factor)
            PerChannel(None)(np.add, rows, width, offset - mean * factor)

        steps.append(normalize)
    for name in fused:
        if name == b"LeakyRelu":
            alpha = np.float32(node.attrs["leakyrelu_alpha"])

            def leaky(rows: Array, width: int, args: Sequence[Array], alpha: Any = alpha) -> None:
                np.multiply(rows, alpha, out=rows, where=rows < 0)

            steps.append(leaky)
        elif name in _ACTIVATIONS:
            steps.append(lambda rows, width, args, act=_ACTIVATIONS[name]: act(rows))  # type: ignore[misc]
        else:
            raise UnimplementedError(None, None, f"Fusion is not implemented: {name.decode()}")
    if not steps:
        return None
    if len(steps) == 1:
        return steps[0]

    def tail(rows: Array, width: int, args: Sequence[Array]) -> None:
        for step in steps:
            step(rows, width, args)

    return tail
