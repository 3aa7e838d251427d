"""Convolutions against TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

from runstep.errors import InvalidArgumentError, UnimplementedError
from runstep.testing import case, check, of, real

# TensorFlow adds half and bfloat16 up in their own precision, runstep in float32.
LOOSE = {"float32": 1e-5, "float16": 2e-2, "bfloat16": 0.1}
S1, S2 = [1, 1, 1, 1], [1, 2, 2, 1]
S12 = [1, 1, 2, 1]
ONE3, TWO3 = [1, 1, 1, 1, 1], [1, 2, 1, 2, 1]
EXPLICIT = {"padding": "EXPLICIT", "explicit_paddings": [0, 0, 1, 2, 0, 3, 0, 0]}


def conv(op, *inputs, strides=S1, padding="SAME", **more):
    return case(op, *inputs, strides=strides, padding=padding, rtol=LOOSE, atol=LOOSE, **more)


def image(*shape):
    return real(*shape, low=-1, high=1)


CASES = [
    # What does not come of the gradient stays finite.
    conv("Conv2DBackpropInput", [1, 3, 3, 1], of([[[[np.inf]], [[1.0]]], [[[np.nan]], [[2.0]]]]), image(1, 3, 3, 1)),
    *[
        conv("Conv2D", image(2, 7, 6, 3), image(3, 2, 3, 4), strides=strides, padding=padding)
        for strides in (S1, S2, S12)
        for padding in ("SAME", "VALID")
    ],
    conv("Conv2D", image(2, 7, 6, 3), image(3, 2, 3, 4), **EXPLICIT),
    conv("Conv2D", image(2, 9, 8, 3), image(3, 3, 3, 4), dilations=[1, 2, 3, 1]),
    conv(
        "Conv2D",
        image(2, 9, 8, 3),
        image(3, 3, 3, 4),
        dilations=[1, 2, 1, 1],
        padding="VALID",
        types={"T": ["float32", "float64"]},
    ),
    conv("Conv2D", image(2, 5, 5, 6), image(3, 3, 2, 9)),
    conv("Conv2D", image(3, 4, 5, 6), image(1, 1, 6, 7)),
    conv("Conv2D", image(3, 4, 5, 6), image(1, 1, 6, 7), strides=S2),
    conv("Conv2D", image(3, 4, 5, 6), of(np.ones((1, 1, 6, 2)))),
    conv(
        "Conv2D",
        image(1, 4, 5, 2),
        of(np.arange(36).reshape(3, 3, 2, 2) / 18 - 1),
        types={"T": ["float32", "float64", "float16"]},
    ),
    conv("Conv2D", image(0, 4, 5, 6), image(3, 3, 6, 7)),
    conv("Conv2D", image(2, 4, 5, 6), image(3, 3, 6, 0)),
    conv("Conv2D", image(1, 2, 2, 3), image(4, 4, 3, 2)),
    conv("Conv2D", image(1, 40, 50, 3), image(5, 5, 3, 8), types={"T": ["float32"]}),
    conv("Conv2D", image(1, 2, 2, 3), image(4, 4, 3, 2), padding="VALID", error=InvalidArgumentError),
    conv("Conv2D", image(1, 4, 4, 3), image(2, 2, 2, 2), error=InvalidArgumentError),
    conv("Conv2D", image(1, 4, 4, 3), image(2, 2, 3), error=InvalidArgumentError),
    conv("Conv2D", image(1, 4, 4, 3), image(2, 2, 3, 2), strides=[2, 1, 1, 1], error=UnimplementedError),
    conv("Conv2D", image(1, 2, 2, 3), image(4, 4, 3, 2), padding="VALID", error=ValueError),
    conv("Conv2D", image(1, 4, 4, 3), image(2, 2, 3, 2), strides=[1, 0, 1, 1], error=ValueError),
    conv("Conv2D", image(1, 4, 4, 3), image(2, 2, 3, 2), strides=[1, 1, 1], error=ValueError),
    *[
        conv("Conv3D", image(2, 4, 5, 6, 3), image(2, 3, 2, 3, 4), strides=strides, padding=padding)
        for strides in (ONE3, TWO3)
        for padding in ("SAME", "VALID")
    ],
    conv("Conv3D", image(2, 4, 5, 6, 3), image(1, 1, 1, 3, 4), strides=ONE3),
    conv("Conv", image(2, 5, 6, 3), image(3, 3, 3, 4)),
    conv("Conv", image(2, 4, 5, 6, 3), image(2, 3, 2, 3, 4), strides=ONE3, padding="VALID"),
    conv("Conv", image(2, 3, 5, 6, 3), image(3, 3, 3, 4), batch_dims=2, strides=S2, dilations=[1, 1, 1, 1]),
    *[
        conv(
            "Conv2DBackpropInput", [2, 7, 6, 3], image(3, 2, 3, 4), image(2, *out, 4), strides=strides, padding=padding
        )
        for strides, padding, out in (
            (S1, "SAME", (7, 6)),
            (S2, "SAME", (4, 3)),
            (S1, "VALID", (5, 5)),
            (S12, "VALID", (5, 3)),
        )
    ],
    conv("Conv2DBackpropInput", [7, 6], image(3, 2, 3, 4), image(2, 7, 6, 4)),
    conv("Conv2DBackpropInput", [2, 8, 6, 3], image(2, 2, 3, 4), image(2, 4, 3, 4), strides=S2),
    conv("Conv2DBackpropInput", [2, 9, 6, 3], image(2, 2, 3, 4), image(2, 4, 3, 4), strides=S2, padding="VALID"),
    conv("Conv2DBackpropInput", [2, 7, 6, 3], image(3, 2, 3, 4), image(2, 8, 8, 4), **EXPLICIT),
    conv("Conv2DBackpropInput", [0, 7, 6, 3], image(3, 2, 3, 4), image(0, 7, 6, 4)),
    conv("Conv2DBackpropInput", [2, 7, 6, 3], image(3, 2, 3, 4), image(2, 5, 6, 4), error=InvalidArgumentError),
    *[
        conv(
            "Conv2DBackpropFilter", image(2, 7, 6, 3), [3, 2, 3, 4], image(2, *out, 4), strides=strides, padding=padding
        )
        for strides, padding, out in (
            (S1, "SAME", (7, 6)),
            (S2, "SAME", (4, 3)),
            (S1, "VALID", (5, 5)),
            (S12, "VALID", (5, 3)),
        )
    ],
    conv("Conv2DBackpropFilter", image(2, 7, 6, 3), [3, 2, 3, 4], image(2, 8, 8, 4), **EXPLICIT),
    conv("Conv2DBackpropFilter", image(0, 7, 6, 3), [3, 2, 3, 4], image(0, 7, 6, 4)),
    conv("Conv2DBackpropFilter", image(2, 7, 6, 3), [3, 2, 3, 4], image(2, 5, 6, 4), error=InvalidArgumentError),
    conv("Conv3DBackpropInputV2", [2, 4, 5, 6, 3], image(2, 3, 2, 3, 4), image(2, 4, 5, 6, 4), strides=ONE3),
    conv(
        "Conv3DBackpropInputV2",
        [2, 4, 5, 6, 3],
        image(2, 3, 2, 3, 4),
        image(2, 2, 3, 3, 4),
        strides=TWO3,
        padding="VALID",
    ),
    conv("Conv3DBackpropFilterV2", image(2, 4, 5, 6, 3), [2, 3, 2, 3, 4], image(2, 4, 5, 6, 4), strides=ONE3),
    conv(
        "Conv3DBackpropFilterV2",
        image(2, 4, 5, 6, 3),
        [2, 3, 2, 3, 4],
        image(2, 2, 3, 3, 4),
        strides=TWO3,
        padding="VALID",
    ),
    *[
        conv("DepthwiseConv2dNative", image(2, 7, 6, 3), image(3, 2, 3, m), strides=strides, padding=padding)
        for strides in (S1, S2, [1, 3, 3, 1])
        for padding in ("SAME", "VALID")
        for m in (1, 2)
    ],
    conv("DepthwiseConv2dNative", image(2, 7, 6, 3), image(3, 2, 3, 1), **EXPLICIT),
    conv(
        "DepthwiseConv2dNative",
        image(1, 7, 7, 4),
        of(np.arange(36).reshape(3, 3, 4, 1) / 18 - 1),
        strides=S2,
        types={"T": ["float32", "float64", "float16"]},
    ),
    conv("DepthwiseConv2dNative", image(1, 7, 7, 4), image(7, 7, 4, 1), padding="VALID"),
    conv("DepthwiseConv2dNative", image(0, 7, 7, 4), image(3, 3, 4, 1)),
    conv("DepthwiseConv2dNative", image(1, 7, 7, 4), image(3, 3, 3, 1), error=InvalidArgumentError),
    conv("DepthwiseConv2dNative", image(1, 7, 7, 4), image(3, 3, 3, 1), error=ValueError),
    *[
        conv(
            "DepthwiseConv2dNativeBackpropInput",
            [2, 7, 6, 3],
            image(3, 2, 3, m),
            image(2, *out, 3 * m),
            strides=strides,
            padding=padding,
        )
        for strides, padding, out in ((S1, "SAME", (7, 6)), (S2, "SAME", (4, 3)), (S1, "VALID", (5, 5)))
        for m in (1, 2)
    ],
    *[
        conv(
            "DepthwiseConv2dNativeBackpropFilter",
            image(2, 7, 6, 3),
            [3, 2, 3, m],
            image(2, *out, 3 * m),
            strides=strides,
            padding=padding,
        )
        for strides, padding, out in ((S1, "SAME", (7, 6)), (S2, "SAME", (4, 3)), (S1, "VALID", (5, 5)))
        for m in (1, 2)
    ],
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
