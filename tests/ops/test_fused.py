"""Ops that do several things in one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import runstep.kernels.numpy.table  # noqa: F401
from runstep.errors import InvalidArgumentError
from runstep.graph import dtypes
from runstep.kernels.registry import numpy_kernel
from runstep.testing import oracle

PADS = [[0, 0], [1, 2], [2, 1], [0, 0]]


def made(kind: str, attrs: dict[str, Any], constants: dict[int, Any]) -> Any:
    """The kernel of a node of this kind."""
    node = SimpleNamespace(
        type=kind,
        attrs=attrs,
        input_types=[dtypes.float32] * 4,
        output_types=[dtypes.float32],
        constant=lambda index: constants.get(index),
    )
    row = numpy_kernel.find(kind, attrs)
    assert row is not None
    return row.make(node)


def values(*shapes: tuple[int, ...]) -> list[Any]:
    rng = np.random.default_rng(1)
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("mode", ["REFLECT", "SYMMETRIC"])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_fused_pad(mode: str, padding: str) -> None:
    """TensorFlow's shape function asks for a known rank, so that a row of the harness cannot be built."""
    raw = oracle.tensorflow().raw_ops
    x, w = values((1, 5, 6, 3), (3, 2, 3, 4))  # of a larger batch TensorFlow convolves the first image only
    attrs = {"mode": mode.encode(), "strides": (1, 2, 1, 1), "padding": padding.encode()}
    want = raw.FusedPadConv2D(input=x, paddings=PADS, filter=w, mode=mode, strides=[1, 2, 1, 1], padding=padding)
    got = made("FusedPadConv2D", attrs, {2: w})(x, np.array(PADS, np.int32), w)
    np.testing.assert_allclose(got, want.numpy(), rtol=1e-4, atol=1e-4)
    with pytest.raises(InvalidArgumentError, match="paddings must be"):
        made("FusedPadConv2D", attrs, {})(x, np.array([[0, 0], [6, 0], [0, 0], [0, 0]], np.int32), w)


@pytest.mark.parametrize("align", [False, True])
def test_fused_resize_and_pad(align: bool) -> None:
    raw = oracle.tensorflow().raw_ops
    x, w = values((1, 5, 6, 3), (3, 2, 3, 4))  # of a larger batch TensorFlow convolves the first image only
    attrs = {"mode": b"REFLECT", "strides": (1, 1, 1, 1), "padding": b"VALID", "resize_align_corners": align}
    want = raw.FusedResizeAndPadConv2D(
        input=x, size=[7, 4], paddings=PADS, filter=w, mode="REFLECT", strides=[1, 1, 1, 1], padding="VALID",
        resize_align_corners=align,
    )  # fmt: skip
    kernel = made("FusedResizeAndPadConv2D", attrs, {})
    got = kernel(x, np.array([7, 4], np.int32), np.array(PADS, np.int32), w)
    np.testing.assert_allclose(got, want.numpy(), rtol=1e-4, atol=1e-4)


def test_fused_matmul() -> None:
    a, b, bias = values((4, 3), (5, 4), (5,))
    attrs = {
        "transpose_a": True,
        "transpose_b": True,
        "fused_ops": (b"BiasAdd", b"Relu"),
        "epsilon": 0.0,
        "leakyrelu_alpha": 0.0,
    }
    got = made("_FusedMatMul", attrs, {})(a, b, bias)
    np.testing.assert_allclose(got, np.maximum(a.T @ b.T + bias, 0), rtol=1e-5, atol=1e-5)
    with pytest.raises(InvalidArgumentError, match="Matrix size-incompatible"):
        made("_FusedMatMul", attrs, {})(b, b, bias)


@pytest.mark.parametrize("op", ["_FusedConv2D", "_FusedDepthwiseConv2dNative"])
@pytest.mark.parametrize("activation", [b"Relu", b"Relu6", b"Elu", b"Tanh", b"Sigmoid", b"LeakyRelu"])
@pytest.mark.parametrize("size", [1, 3])
def test_tails(op: str, activation: bytes, size: int) -> None:
    """A convolution with a tail gives what the ops give one after the other."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 9, 8, 4)).astype(np.float32)
    w = rng.normal(size=(size, size, 4, 1 if "Depth" in op else 5)).astype(np.float32)
    bias = rng.normal(size=4 if "Depth" in op else 5).astype(np.float32)
    attrs = {
        "strides": (1, 1, 1, 1),
        "dilations": (1, 1, 1, 1),
        "padding": b"SAME",
        "data_format": b"NHWC",
        "fused_ops": (b"BiasAdd", activation),
        "epsilon": 1e-3,
        "leakyrelu_alpha": 0.25,
    }
    constants = {1: w, 2: bias}

    plain = made("DepthwiseConv2dNative" if "Depth" in op else "Conv2D", attrs, constants)(x, w) + bias
    with np.errstate(all="ignore"):
        want = {  # type: ignore[operator]
            b"Relu": lambda y: np.maximum(y, 0),
            b"Relu6": lambda y: np.clip(y, 0, 6),
            b"Elu": lambda y: np.where(y < 0, np.expm1(y), y),
            b"Tanh": np.tanh,
            b"Sigmoid": lambda y: 1 / (1 + np.exp(-y)),
            b"LeakyRelu": lambda y: np.where(y < 0, 0.25 * y, y),
        }[activation](plain)
    np.testing.assert_allclose(made(op, attrs, constants)(x, w, bias), want, rtol=1e-5, atol=1e-5)
