"""Convolutions by oneDNN against numpy's, whose own tests hold them against TensorFlow."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from runstep.graph.apply import apply
from runstep.graph.graph import Graph

RNG = np.random.default_rng(11)


def real(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


GEOMETRIES = [
    # input, filter, strides, dilations, padding
    ((1, 8, 9, 3), (3, 3, 3, 8), 1, 1, "SAME"),
    ((2, 9, 8, 4), (3, 3, 4, 6), 2, 1, "SAME"),
    ((1, 8, 8, 5), (1, 1, 5, 7), 1, 1, "VALID"),
    ((3, 7, 7, 16), (1, 1, 16, 32), 2, 1, "SAME"),
    ((1, 12, 13, 2), (5, 3, 2, 9), 3, 1, "VALID"),
    ((1, 16, 16, 8), (3, 3, 8, 8), 1, 2, "SAME"),
    ((1, 16, 16, 8), (3, 2, 8, 8), 1, (3, 2), "VALID"),
    ((2, 9, 9, 8), (3, 3, 4, 6), 1, 1, "SAME"),  # two groups
    ((1, 9, 9, 6), (3, 3, 1, 12), 2, 1, "SAME"),  # six groups
    ((1, 6, 6, 3), (7, 7, 3, 4), 1, 1, "SAME"),  # window larger than the input
    ((1, 8, 8, 3), (3, 3, 3, 4), 2, 1, [[0, 0], [1, 0], [2, 1], [0, 0]]),
    ((4, 5, 5, 1), (4, 4, 1, 3), 1, 1, "VALID"),
]


def padding(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"padding": value}
    return {"padding": "EXPLICIT", "explicit_paddings": [n for pair in value for n in pair]}


def pair(value: Any) -> list[int]:
    rows, columns = (value, value) if isinstance(value, int) else value
    return [1, rows, columns, 1]


@pytest.mark.parametrize("constant", [True, False], ids=["constant filter", "fed filter"])
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_conv2d(sides: Any, geometry: Any, constant: bool) -> None:
    x, w, strides, dilations, pads = geometry
    attrs: Any = {"strides": pair(strides), "dilations": pair(dilations), **padding(pads)}
    image, weights = real(*x), real(*w)
    if constant:
        sides.check(lambda x: apply("Conv2D", x, weights, **attrs), image)
    else:
        sides.check(lambda x, w: apply("Conv2D", x, w, **attrs), image, weights)
    assert "numpy" not in sides.steps()


@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize(
    ("x", "taps", "stride", "dilation", "pads"),
    [
        ((1, 9, 8, 6), (3, 3), 1, 1, "SAME"),
        ((2, 9, 8, 8), (3, 3), 2, 1, "SAME"),
        ((1, 9, 8, 16), (5, 5), 2, 1, "VALID"),
        ((1, 9, 9, 8), (3, 3), 1, 2, "SAME"),
        ((1, 7, 7, 1), (3, 3), 1, 1, "SAME"),
    ],
    ids=str,
)
def test_depthwise(sides: Any, x: Any, taps: Any, stride: int, dilation: int, pads: str, multiplier: int) -> None:
    weights = real(*taps, x[3], multiplier)
    attrs: Any = {"strides": pair(stride), "dilations": pair(dilation), "padding": pads}
    sides.check(lambda x: apply("DepthwiseConv2dNative", x, weights, **attrs), real(*x))
    assert sides.programs[-1] is not None


@pytest.mark.parametrize("kind", ["Conv2D", "DepthwiseConv2dNative"])
@pytest.mark.parametrize("geometry", [g for g in GEOMETRIES if isinstance(g[4], str)], ids=str)
def test_gradients(sides: Any, geometry: Any, kind: str) -> None:
    x, w, strides, dilations, pads = geometry
    if kind != "Conv2D":
        w = (*w[:2], x[3], 2)
        if strides != 1 and dilations != 1:
            pytest.skip("TensorFlow has no such depthwise convolution")
    attrs: Any = {"strides": pair(strides), "dilations": pair(dilations), "padding": pads}
    with Graph().as_default():
        y_shape = apply(kind, np.zeros(x, np.float32), np.zeros(w, np.float32), **attrs).shape.as_list()
    x_sizes, w_sizes = np.array(x, np.int32), np.array(w, np.int32)

    def build(x: Any, w: Any, g: Any) -> Any:
        return [
            apply(f"{kind}BackpropInput", x_sizes, w, g, **attrs),
            apply(f"{kind}BackpropFilter", x, w_sizes, g, **attrs),
        ]

    sides.check(build, real(*x), real(*w), real(*y_shape), tolerance=1e-4)
    assert all(program is not None for program in sides.programs)


@pytest.mark.parametrize(("stride", "pads"), list(itertools.product((1, 2, 3), ("SAME", "VALID"))))
def test_transposed(sides: Any, stride: int, pads: str) -> None:
    weights, bias = real(3, 3, 5, 4), real(5)
    height = 4 * stride if pads == "SAME" else 3 * stride + 3

    def build(g: Any) -> Any:
        sizes = np.array([2, height, height, 5], np.int32)
        y = apply("Conv2DBackpropInput", sizes, weights, g, strides=pair(stride), padding=pads)
        return apply("Relu", apply("BiasAdd", y, bias))

    sides.check(build, real(2, 4, 4, 4))
    assert len(sides.steps()) == 1 + (stride == 3) and "numpy" not in sides.steps()  # side by side with stride 3


@pytest.mark.parametrize(("taps", "channels"), [((2, 2), 1), ((2, 3), 4)])
@pytest.mark.parametrize("constant", [True, False])
def test_transposed_side_by_side(sides: Any, taps: Any, channels: int, constant: bool) -> None:
    weights, bias = real(*taps, channels, 6), real(channels)

    def build(g: Any, w: Any = weights) -> Any:
        sizes = np.array([2, 5 * taps[0], 4 * taps[1], channels], np.int32)
        y = apply("Conv2DBackpropInput", sizes, w, g, strides=pair(taps), padding="VALID")
        return apply("AddV2", apply("Sigmoid", apply("BiasAdd", y, bias)), other)

    other = real(2, 5 * taps[0], 4 * taps[1], channels)
    sides.check(build, real(2, 5, 4, 6), *([] if constant else [weights]))
    assert "numpy" not in sides.steps()


@pytest.mark.parametrize("channels", [3, 16, 40])
def test_a_gate_and_a_scale_for_each_channel(sides: Any, channels: int) -> None:
    """Few channels go along whole rows."""
    weights, scale = real(1, 1, 4, channels), real(channels)

    def build(x: Any) -> Any:
        y = apply("Relu", apply("Conv2D", x, weights, strides=pair(1), padding="SAME"))
        gate = apply("Mean", y, np.array([1, 2], np.int32), keep_dims=True)
        return [
            apply("AddV2", apply("Mul", y, apply("Sigmoid", gate)), y),
            apply("Sub", apply("Mul", apply("Tanh", y), scale), scale),
            apply("Mul", apply("Sub", y, scale), scale),
        ]

    for batch in (1, 2):
        sides.check(build, real(batch, 24, 40, 4))


def conv(x: Any, w: Any = None, stride: int = 1) -> Any:
    return apply("Conv2D", x, W if w is None else w, strides=pair(stride), padding="SAME")


W, BIAS, SCALE = real(3, 3, 4, 5), real(5), real(5)
TAILS = {
    "bias": lambda y: apply("BiasAdd", y, BIAS),
    "add, relu": lambda y: apply("Relu", apply("Add", BIAS, y)),
    "scale, offset, relu6": lambda y: apply("Relu6", apply("AddV2", apply("Mul", y, SCALE), BIAS[None, None, None])),
    "offset, scale": lambda y: apply("Mul", apply("BiasAdd", y, BIAS), SCALE),
    "sub, leaky": lambda y: apply("LeakyRelu", apply("Sub", y, BIAS), alpha=0.25),
    "elu": lambda y: apply("Elu", y),
    "tanh, scale": lambda y: apply("Mul", apply("Tanh", y), SCALE),
    "sigmoid": lambda y: apply("Sigmoid", y),
    "swish": lambda y: apply("Mul", y, apply("Sigmoid", y)),
    "hard swish": lambda y: apply(
        "Mul", apply("Mul", y, np.float32(1 / 6)), apply("Relu6", apply("Add", y, np.float32(3)))
    ),
    "prelu": lambda y: apply(
        "Add", apply("Relu", y), apply("Mul", np.float32(0.5), apply("Mul", SCALE, apply("Sub", y, apply("Abs", y))))
    ),
    "div, min, max": lambda y: apply(
        "Maximum", apply("Minimum", apply("RealDiv", y, SCALE), np.float32(1)), np.float32(-1)
    ),
    "neg, abs, square": lambda y: apply("Square", apply("Abs", apply("Neg", y))),
}


@pytest.mark.parametrize("name", TAILS)
def test_what_follows_is_taken_in(sides: Any, name: str) -> None:
    sides.check(lambda x: TAILS[name](conv(x)), real(2, 7, 6, 4), shapes=[[None, None, None, 4]])
    assert len(sides.steps()) == 1


def test_the_sum_of_two_branches_is_taken_in_by_the_second(sides: Any) -> None:
    other = real(1, 1, 4, 5)
    sides.check(lambda x: apply("Relu", apply("AddV2", conv(x), conv(x, other))), real(1, 6, 6, 4))
    assert len(sides.steps()) == 2


def test_a_gate_for_each_channel(sides: Any) -> None:
    """Squeeze and excitation: the mean over space, two products, a sigmoid, and back."""
    first, second = real(5, 3), real(3, 5)

    def build(x: Any) -> Any:
        y = conv(x)
        gate = apply("Mean", y, np.array([1, 2], np.int32), keep_dims=False)
        gate = apply("Sigmoid", apply("MatMul", apply("Relu", apply("MatMul", gate, first)), second))
        return apply("Mul", y, apply("Reshape", gate, np.array([-1, 1, 1, 5], np.int32)))

    sides.check(build, real(2, 6, 7, 4))
    assert "numpy" not in sides.steps()


def test_values_that_are_fetched_stay(sides: Any) -> None:
    def build(x: Any) -> Any:
        y = apply("BiasAdd", conv(x), BIAS)
        z = apply("Relu", y)
        return [y, z, apply("Reshape", z, np.array([-1], np.int32))]

    found = sides.check(build, real(1, 5, 5, 4))
    assert found[0].min() < 0
    found[2][...] = 7  # every fetched value has memory of its own
    assert (found[1] != 7).all()
