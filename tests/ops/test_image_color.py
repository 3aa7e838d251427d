"""Colours of images and mirrored padding against TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

from runstep.errors import FailedPreconditionError, InvalidArgumentError
from runstep.testing import case, check, of, real

LOOSE = {"float32": 1e-4, "float16": 4e-3, "bfloat16": 3e-2}
RGB = real(2, 3, 4, 3, low=0, high=1)
BOXES = np.float32([[[0.1, 0.1, 0.7, 0.8], [0, 0, 1, 1]], [[-0.5, 0.2, 0.4, 1.5], [0.9, 0.1, 0.3, 0.5]]])  # type: ignore[arg-type]


def image(op, *inputs, **more):
    return case(op, *inputs, rtol=LOOSE, atol=LOOSE, **more)


CASES = [
    *[image(op, value) for op in ("RGBToHSV", "HSVToRGB") for value in (RGB, real(3, low=0, high=1), real(0, 3))],
    image("RGBToHSV", of([[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [0.5, 0.5, 0.25]])),
    *[image(op, real(2, 4), error=FailedPreconditionError) for op in ("RGBToHSV", "HSVToRGB")],
    *[image(op, real(2, 4), error=ValueError) for op in ("RGBToHSV", "HSVToRGB")],
    image("AdjustContrastv2", real(2, 3, 4, 5), of(1.75)),
    image("AdjustContrastv2", real(3, 4, 5), of(-0.5)),
    image("AdjustContrastv2", real(4, 5), of(-0.5), error=InvalidArgumentError),
    *[image("AdjustHue", RGB, of(delta)) for delta in (0.0, 0.3, -0.7)],
    *[image("AdjustSaturation", RGB, of(scale)) for scale in (0.0, 0.5, 3.0)],
    image("AdjustHue", real(2, 3, 4), of(0.1), error=InvalidArgumentError),
    *[image("DrawBoundingBoxes", real(2, 9, 12, depth), BOXES) for depth in (1, 3, 4)],
    image("DrawBoundingBoxesV2", real(2, 9, 12, 3), BOXES, of([[1, 0.5, 0.25]])),
    image("DrawBoundingBoxes", real(1, 9, 12, 3), of([[[np.nan, 0, 1, 1], [0, np.inf, 1, 0.5], [0, 0, 1e30, 0.5]]])),
    *[
        case("MirrorPad", real(3, 4), paddings, mode=mode)
        for paddings in ([[2, 1], [0, 3]], [[0, 0], [0, 0]])
        for mode in ("REFLECT", "SYMMETRIC")
    ],
    case("MirrorPad", real(3), [[3, 0]], mode="REFLECT", error=InvalidArgumentError),
    case("MirrorPad", real(3), [[4, 0]], mode="SYMMETRIC", error=InvalidArgumentError),
    case("MirrorPad", real(3), [[-1, 0]], mode="SYMMETRIC", error=InvalidArgumentError),
    *[
        case("MirrorPadGrad", real(5, 7), paddings, mode=mode, rtol=LOOSE, atol=LOOSE)
        for paddings in ([[1, 1], [2, 1]], [[0, 1], [0, 0]])
        for mode in ("REFLECT", "SYMMETRIC")
    ],
    case("DataFormatDimMap", of([0, 1, 2, 3, -1, -4])),
    case("DataFormatDimMap", of([[0, 3]]), src_format="NCHW", dst_format="NHWC"),
    case("DataFormatDimMap", of([4, -5])),
    case("DataFormatVecPermute", of([5, 6, 7, 8])),
    case("DataFormatVecPermute", of([[5, 6], [7, 8], [1, 2], [3, 4]]), src_format="NCHW", dst_format="NHWC"),
    case("DataFormatVecPermute", of([5, 6])),
    case("DataFormatVecPermute", of([5, 6, 7]), error=InvalidArgumentError),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
