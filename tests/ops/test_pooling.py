"""Pooling, its gradients, and patches against TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

from runstep.errors import InvalidArgumentError, UnimplementedError
from runstep.testing import case, check, distinct, of, real

LOOSE = {"float16": 1e-2, "bfloat16": 6e-2}
S1, S2, S12 = [1, 1, 1, 1], [1, 2, 2, 1], [1, 1, 2, 1]
K22, K32 = [1, 2, 2, 1], [1, 3, 2, 1]
EXPLICIT = {"padding": "EXPLICIT", "explicit_paddings": [0, 0, 1, 1, 0, 1, 0, 0]}
D222, D121 = [1, 2, 2, 2, 1], [1, 1, 2, 1, 1]


def pool(op, *inputs, ksize=K22, strides=S2, padding="SAME", **more):
    return case(op, *inputs, ksize=ksize, strides=strides, padding=padding, rtol=LOOSE, atol=LOOSE, **more)


GRID = (np.arange(16) * 7 % 16).reshape(1, 4, 4, 1)
CUBE = (np.arange(64) * 11 % 64).reshape(1, 4, 4, 4, 1)


def pooled(image):
    """What pooling with windows of 2 and strides of 2 makes of it."""
    for axis in range(1, image.ndim - 1):
        image = image.reshape(*image.shape[:axis], -1, 2, *image.shape[axis + 1 :]).max(axis=axis + 1)
    return image


GEOMETRY = [
    (K22, S2, "SAME", (4, 3)),
    (K22, S2, "VALID", (3, 3)),
    (K32, S1, "SAME", (7, 6)),
    (K32, S12, "VALID", (5, 3)),
    ([1, 7, 6, 1], [1, 7, 6, 1], "VALID", (1, 1)),
    ([1, 5, 5, 1], [1, 4, 5, 1], "SAME", (2, 2)),
]
CASES = [
    *[
        pool(op, real(2, 7, 6, 3), ksize=ksize, strides=strides, padding=padding)
        for op in ("MaxPool", "AvgPool", "MaxPoolWithArgmax")
        for ksize, strides, padding, _ in GEOMETRY
    ],
    *[pool(op, real(1, 9, 8, 2), ksize=[1, 4, 4, 1], strides=[1, 4, 4, 1]) for op in ("MaxPool", "AvgPool")],
    *[pool(op, real(1, 9, 8, 2), ksize=S1, strides=S1) for op in ("MaxPool", "AvgPool")],
    *[pool(op, real(1, 9, 8, 2), ksize=S1, strides=S2) for op in ("MaxPool", "AvgPool")],
    *[pool(op, real(0, 4, 4, 2)) for op in ("MaxPool", "AvgPool")],
    *[
        pool(op, real(1, 4, 4, 2), ksize=[1, 6, 1, 1], strides=S1, padding="VALID", error=InvalidArgumentError)
        for op in ("MaxPool", "AvgPool")
    ],
    *[
        pool(op, real(1, 4, 4, 2), ksize=[1, 5, 1, 1], padding="VALID", error=ValueError)
        for op in ("MaxPool", "AvgPool")
    ],
    pool("MaxPool", real(1, 4, 4, 2), ksize=[1, 0, 1, 1], error=InvalidArgumentError),
    pool("MaxPool", real(4, 4, 2), error=InvalidArgumentError),
    pool("MaxPool", real(2, 4, 4, 2), ksize=[2, 1, 1, 1], error=UnimplementedError),
    pool("AvgPool", real(2, 4, 4, 2), ksize=[1, 1, 1, 2], error=UnimplementedError),
    pool("MaxPool", real(2, 4, 3, 6), ksize=[1, 1, 1, 2], strides=[1, 1, 1, 2]),
    pool("MaxPool", real(2, 7, 6, 3), **EXPLICIT),
    pool(
        "MaxPool",
        of(np.array([np.nan, 1, np.inf, -np.inf, -np.inf, np.nan]).reshape(1, 1, 6, 1)),
        ksize=[1, 1, 2, 1],
        strides=S1,
        padding="VALID",
        types={"T": ["float32", "float64"]},
    ),
    case("MaxPoolV2", real(2, 7, 6, 3), K22, S2, padding="SAME"),
    case("MaxPoolWithArgmax", real(2, 7, 6, 3), ksize=K32, strides=S1, padding="SAME", include_batch_in_index=True),
    *[
        pool(op, real(2, 4, 5, 6, 3), ksize=D222, strides=strides, padding=padding)
        for op in ("MaxPool3D", "AvgPool3D")
        for strides in (D222, D121)
        for padding in ("SAME", "VALID")
    ],
    *[
        pool("AvgPoolGrad", [2, 7, 6, 3], real(2, *out, 3), ksize=ksize, strides=strides, padding=padding)
        for ksize, strides, padding, out in GEOMETRY
    ],
    pool("AvgPoolGrad", [2, 7, 6, 3], real(2, 5, 5, 3), error=InvalidArgumentError),
    *[
        pool(
            op,
            of(np.arange(252).reshape(2, 7, 6, 3) * 37 % 127),
            real(2, *out, 3),
            real(2, *out, 3),
            ksize=ksize,
            strides=strides,
            padding=padding,
        )
        for op in ("MaxPoolGrad",)
        for ksize, strides, padding, out in GEOMETRY
    ],
    *[
        case(
            "MaxPoolGrad",
            of(np.array([1, 1, 2, 1, -np.inf, -np.inf, 3, 3]).reshape(1, 1, 8, 1)),
            real(1, 1, out, 1),
            of(np.array([np.inf, 2, 3, -np.inf])[:out].reshape(1, 1, out, 1)),
            ksize=[1, 1, taps, 1],
            strides=S2,
            padding="SAME",
            types={"T": ["float32", "float64"]},
        )
        for taps, out in ((2, 4), (3, 4))
    ],
    pool("MaxPoolGradGrad", GRID, pooled(GRID), real(1, 4, 4, 1)),
    case("MaxPoolGradGradV2", GRID, pooled(GRID), real(1, 4, 4, 1), K22, S2, padding="SAME"),
    case("MaxPoolGradV2", distinct(2, 4, 4, 1), real(2, 2, 2, 1), real(2, 2, 2, 1), K22, S2, padding="SAME"),
    pool("MaxPoolGrad", real(2, 7, 6, 3), real(2, 4, 3, 3), real(2, 4, 4, 3), error=InvalidArgumentError),
    case(
        "MaxPoolGradWithArgmax",
        real(1, 4, 4, 1),
        real(1, 2, 2, 1),
        of(np.array([0, 3, 3, 15]).reshape(1, 2, 2, 1)),
        ksize=K22,
        strides=S2,
        padding="SAME",
        include_batch_in_index=True,
    ),
    case(
        "MaxPoolGradWithArgmax",
        real(2, 4, 4, 1),
        real(2, 2, 2, 1),
        of(np.array([0, 3, 9, 15] * 2).reshape(2, 2, 2, 1)),
        ksize=K22,
        strides=S2,
        padding="SAME",
    ),
    pool("AvgPool3DGrad", [2, 4, 5, 6, 3], real(2, 2, 3, 3, 3), ksize=D222, strides=D222),
    pool("MaxPool3DGrad", CUBE, pooled(CUBE), real(1, 2, 2, 2, 1), ksize=D222, strides=D222),
    pool("MaxPool3DGradGrad", CUBE, pooled(CUBE), real(1, 4, 4, 4, 1), ksize=D222, strides=D222),
    *[
        case("ExtractImagePatches", real(2, 7, 6, 3), ksizes=K32, strides=strides, rates=rates, padding=padding)
        for strides in (S1, S2)
        for rates in (S1, [1, 2, 1, 1])
        for padding in ("SAME", "VALID")
    ],
    case("ExtractImagePatches", real(0, 7, 6, 3), ksizes=K32, strides=S1, rates=S1, padding="SAME"),
    case("ExtractVolumePatches", real(2, 4, 5, 6, 3), ksizes=D222, strides=D121, padding="SAME"),
    case("ExtractVolumePatches", real(2, 4, 5, 6, 3), ksizes=D222, strides=D222, padding="VALID"),
    *[
        case(
            op,
            real(2, 7, 6, 3),
            real(3, 2, 3),
            *grad,
            strides=S2,
            rates=[1, 1, 2, 1],
            padding="SAME",
            rtol=LOOSE,
            atol=LOOSE,
        )
        for op, grad in (
            ("Dilation2D", []),
            ("Dilation2DBackpropInput", [real(2, 4, 3, 3)]),
            ("Dilation2DBackpropFilter", [real(2, 4, 3, 3)]),
        )
    ],
    case("Dilation2D", real(2, 7, 6, 3), real(3, 2, 3), strides=S1, rates=S1, padding="VALID", rtol=LOOSE, atol=LOOSE),
    case(
        "Dilation2D", real(2, 7, 6, 3), real(3, 2, 2), strides=S1, rates=S1, padding="VALID", error=InvalidArgumentError
    ),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
