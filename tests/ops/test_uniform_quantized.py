"""Arithmetic on uniformly quantized integers is TensorFlow's, to the bit."""

from __future__ import annotations

from typing import Any

import pytest

import runstep.kernels.numpy.uniform_quantized
import runstep.ops.uniform_quantized  # noqa: F401
from runstep import errors
from runstep.testing import case, check, ints, of, real

INVALID = errors.InvalidArgumentError
BYTES = (-128, 127)
WORDS = (-(2**31), 2**31 - 1)
HALVES = of([0.25, 0.75, -0.25, -0.75, 1.25, -1.25, 1.75, 80.0, -300.0])


def limits(prefix: str = "", ends: tuple[int, int] = BYTES, axis: int = -1) -> dict[str, Any]:
    return {
        f"{prefix}quantization_axis": axis,
        f"{prefix}quantization_min_val": ends[0],
        f"{prefix}quantization_max_val": ends[1],
    }


def quantize(value: Any, scale: Any, zero: Any, axis: int = -1, to: str = "qint8", **attrs: Any) -> Any:
    ends = BYTES if to == "qint8" else WORDS
    return case("UniformQuantize", value, scale, zero, Tout=to, **{**limits("", ends, axis), **attrs})


def requantize(*given: Any, axes: tuple[int, int] = (-1, -1), error: Any = None) -> Any:
    value, *others = given
    attrs = {**limits("input_", BYTES, axes[0]), **limits("output_", BYTES, axes[1])}
    return case("UniformRequantize", value, *others, Tout="qint8", types={"Tin": ["qint8"]}, error=error, **attrs)


def three(ends: tuple[tuple[int, int], ...], axes: tuple[int, int, int]) -> dict[str, Any]:
    return {k: v for p, e, a in zip(("lhs_", "rhs_", "output_"), ends, axes) for k, v in limits(p, e, a).items()}  # noqa: B905


def add(x: Any, y: Any, *parameters: Any, axes: tuple[int, int, int] = (-1, -1, -1), error: Any = None) -> Any:
    return case("UniformQuantizedAdd", x, y, *parameters, error=error, **three((WORDS,) * 3, axes))


def dot(x: Any, y: Any, *parameters: Any, axes: tuple[int, int, int] = (-1, -1, -1), error: Any = None) -> Any:
    attrs = three((BYTES, BYTES, WORDS), axes)
    return case("UniformQuantizedDot", x, y, *parameters, Tout="qint32", error=error, **attrs)


SMALL = ints(3, 4, low=-128, high=128)
SIX = (0.5, 3, 0.25, -2, 0.125, 1)
ODD = (0.37, 1, 0.211, 2, 0.077, 5)

CASES = [
    quantize(HALVES, 0.5, 3),
    quantize(HALVES, 0.5, 3, quantization_min_val=-127),
    quantize(HALVES, 0.5, 3, to="qint32"),
    quantize(real(3, 4), [0.3, 0.1, 0.2, 0.7], [1, 2, 3, -4], 1),
    quantize(real(3, 4), [0.3, 0.1, 0.2], [1, 2, 3], 0),
    quantize(real(3, 4), [0.3], [1], error=INVALID),
    quantize(real(3, 4), 0.3, [1], error=INVALID),
    quantize(real(3, 4), 0.3, 1, -2, error=INVALID),
    quantize(real(3, 4), 0.3, 1, 2, error=INVALID),
    quantize(real(3, 4), [0.3] * 3, [1] * 3, 1, error=INVALID),
    case("UniformDequantize", SMALL, 0.3, -7, Tout="float32", types={"Tin": ["qint8"]}, **limits()),
    case(
        "UniformDequantize",
        SMALL,
        [0.3, 0.1, 2.0],
        [5, 0, -1],
        Tout="float32",
        types={"Tin": ["qint8"]},
        **limits("", BYTES, 0),
    ),
    case(
        "UniformDequantize",
        ints(3, 4, low=-(2**31), high=2**31 - 1),
        0.3,
        -7,
        Tout="float32",
        types={"Tin": ["qint32"]},
        **limits("", WORDS),
    ),
    requantize(SMALL, 0.5, 3, 0.3, -1),
    requantize(SMALL, 0.3, 3, 0.5, -1),
    requantize(SMALL, [0.5, 0.2, 0.3], [1, 2, 3], 0.3, 1, axes=(0, -1)),
    requantize(SMALL, 0.3, 1, [0.5, 0.2, 0.3], [1, 2, 3], axes=(-1, 0)),
    requantize(SMALL, [0.1, 0.2, 0.3], [0, 1, 2], [0.5, 0.2, 0.3], [1, 2, 3], axes=(0, 0)),
    requantize(SMALL, [0.1, 0.2, 0.3], [0, 1, 2], [0.5, 0.2, 0.3, 0.1], [1, 2, 3, 4], axes=(0, 1), error=INVALID),
    case("UniformQuantizedClipByValue", [[1, 5, 9]], 2, 6, 0.5, 3, **limits("", WORDS)),
    case("UniformQuantizedClipByValue", [[1, 5, 9]], [2, 6, 0], [6, 7, 3], [0.5] * 3, [3] * 3, **limits("", WORDS, 1)),
    case(
        "UniformQuantizedClipByValue",
        [[1, 5, 9]],
        [2, 6],
        [6, 7],
        [0.5] * 3,
        [3] * 3,
        error=INVALID,
        **limits("", WORDS, 1),
    ),
    add([[1, 5, 9], [2, 4, 6]], [10, -20, 30], *SIX),
    add([[1, 5, 9], [2, 4, 6]], [[10], [-20]], *ODD),
    add([[1, 5, 9]], 7, *ODD),
    add(ints(40, low=-1000, high=1000), ints(40, low=-1000, high=1000), *ODD),
    add([[1, 5, 9], [2, 4, 6]], [10, -20, 30], *([0.5, 0.3, 0.2], [1, 2, 3]) * 3, axes=(1, 0, 1)),
    add([[1, 5, 9], [2, 4, 6]], [10, -20], *SIX, error=INVALID),
    dot(SMALL, ints(4, 5, low=-128, high=128), *SIX),
    dot(SMALL, ints(4, 5, low=-128, high=128), *ODD),
    dot(SMALL, ints(4, 2, low=-128, high=128), 0.37, 1, [0.2, 0.1], [0, 3], [0.07, 0.09], [1, 2], axes=(-1, 1, 1)),
    dot(SMALL, ints(4, 2, low=-128, high=128), 0.37, 1, [0.2, 0.1], [0, 3], 0.3, 5, axes=(-1, 1, -1)),
    dot(SMALL, ints(3, 2), *SIX, error=INVALID),
    *[
        case(
            "UniformQuantizedDotHybrid",
            x,
            ints(4, 2, low=-128, high=128),
            s,
            z,
            Tout="float32",
            **limits("rhs_", BYTES, a),
        )
        for x in (real(3, 4), of([[0.0] * 4]), of([[1.0, 2.0, 0.5, 3.3]]), of([[-1.0, -2.0, -0.5, -3.3]]))
        for s, z, a in ((0.25, -2, -1), ([0.1, 0.2], [0, 1], 1))
    ],
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
