"""Gradients of convolutions against TensorFlow."""

from __future__ import annotations

import pytest

from runstep.testing import check_grads, grad_case, of, real

LOOSE = {"float32": 2e-5}
S1, S2 = [1, 1, 1, 1], [1, 2, 2, 1]
ONE3, TWO3 = [1, 1, 1, 1, 1], [1, 2, 1, 2, 1]
EXPLICIT = {"padding": "EXPLICIT", "explicit_paddings": [0, 0, 1, 2, 0, 1, 0, 0]}
INPUT, FILTER = (1, 2), (0, 2)


def conv(op, *inputs, strides=S1, padding="SAME", **more):
    return grad_case(op, *inputs, strides=strides, padding=padding, rtol=LOOSE, atol=LOOSE, **more)


def image(*shape):
    return real(*shape, low=-1, high=1)


ROWS = [
    conv("Conv2D", image(2, 5, 6, 2), image(3, 2, 2, 4)),
    conv("Conv2D", image(2, 5, 6, 2), image(3, 2, 2, 4), strides=S2),
    conv("Conv2D", image(2, 5, 6, 2), image(3, 2, 2, 4), strides=[1, 1, 2, 1], padding="VALID"),
    conv("Conv2D", image(2, 5, 6, 2), image(3, 2, 2, 4), **EXPLICIT),
    # TensorFlow's CPU kernels of these two gradients know no dilation.
    conv("Conv2D", image(1, 7, 8, 2), image(3, 3, 2, 3), dilations=[1, 2, 3, 1], beyond=True),
    conv("Conv2D", image(2, 5, 4, 3), image(1, 1, 3, 5)),
    conv("Conv2D", image(2, 4, 4, 3), image(2, 2, 3, 5), strides=S2),
    conv("Conv2DBackpropInput", [2, 5, 6, 2], image(3, 2, 2, 4), image(2, 3, 3, 4), strides=S2, wrt=INPUT),
    conv("Conv2DBackpropFilter", image(2, 5, 6, 2), [3, 2, 2, 4], image(2, 3, 3, 4), strides=S2, wrt=FILTER),
    conv("Conv3D", image(1, 4, 3, 5, 2), image(2, 3, 2, 2, 3), strides=ONE3),
    conv("Conv3D", image(1, 4, 3, 5, 2), image(2, 3, 2, 2, 3), strides=TWO3, padding="VALID"),
    conv(
        "Conv3DBackpropInputV2",
        [1, 4, 3, 5, 2],
        image(2, 3, 2, 2, 3),
        image(1, 2, 3, 3, 3),
        strides=TWO3,
        wrt=INPUT,
        Tshape="int32",
    ),
    conv(
        "Conv3DBackpropFilterV2",
        image(1, 4, 3, 5, 2),
        [2, 3, 2, 2, 3],
        image(1, 2, 3, 3, 3),
        strides=TWO3,
        wrt=FILTER,
    ),
    conv("DepthwiseConv2dNative", image(2, 5, 6, 3), image(3, 2, 3, 2)),
    conv("DepthwiseConv2dNative", image(2, 5, 6, 3), image(3, 2, 3, 1), strides=S2, padding="VALID"),
    conv("DepthwiseConv2dNative", image(2, 5, 6, 3), image(3, 2, 3, 2), **EXPLICIT),
    conv(
        "DepthwiseConv2dNativeBackpropInput",
        [2, 5, 6, 3],
        image(3, 2, 3, 2),
        image(2, 3, 3, 6),
        strides=S2,
        wrt=INPUT,
    ),
    conv(
        "DepthwiseConv2dNativeBackpropFilter",
        image(2, 5, 6, 3),
        [3, 2, 3, 2],
        image(2, 3, 3, 6),
        strides=S2,
        wrt=FILTER,
    ),
    grad_case(
        "Dilation2D",
        of([[[[1.0], [5.0], [2.0]], [[9.0], [3.0], [6.0]], [[4.0], [8.0], [7.0]]]]),
        image(2, 2, 1),
        strides=S1,
        rates=[1, 1, 1, 1],
        padding="SAME",
        order=1,
    ),
    grad_case("Dilation2D", real(1, 7, 6, 2), image(2, 3, 2), strides=S2, rates=S2, padding="VALID", order=1),
    grad_case("Dilation2D", real(1, 5, 6, 2), image(2, 3, 2), strides=S1, rates=S1, padding="SAME", order=1),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_gradients(row):
    check_grads(row)
