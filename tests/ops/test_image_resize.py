"""Resizing and cropping of images against TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

from runstep.errors import InvalidArgumentError, OutOfRangeError
from runstep.testing import case, check, of, real

LOOSE = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 3e-2, "float64": 1e-5}
SIZES = [[7, 9], [3, 2], [5, 4], [1, 1], [10, 8]]
FLAGS = [{}, {"align_corners": True}, {"half_pixel_centers": True}]
BOXES = np.float32(
    [[0, 0, 1, 1], [0.25, 0.125, 0.75, 0.875], [1, 0, 0, 1], [-0.5, 0.25, 1.25, 0.5], [0.5, 0.5, 0.5, 0.5]]  # type: ignore[arg-type]
)
OWNERS = [0, 1, 1, 0, 1]


def image(op, *inputs, **more):
    return case(op, *inputs, rtol=LOOSE, atol=LOOSE, **more)


CASES = [
    *[
        image(op, real(2, 5, 4, 3), size, **flags)
        for op in ("ResizeBilinear", "ResizeBicubic", "ResizeNearestNeighbor")
        for size in SIZES
        for flags in FLAGS
    ],
    *[image("ResizeArea", real(2, 5, 4, 3), size, **flags) for size in SIZES for flags in FLAGS[:2]],
    *[
        image(op, real(2, *size, 3), real(2, 5, 4, 3), **flags)
        for op in ("ResizeBilinearGrad", "ResizeBicubicGrad")
        for size in SIZES[:3]
        for flags in FLAGS
    ],
    *[image("ResizeNearestNeighborGrad", real(2, *size, 3), [5, 4], **flags) for size in SIZES[:3] for flags in FLAGS],
    *[
        image(op, value, size, error=InvalidArgumentError)
        for op in ("ResizeBilinear", "ResizeNearestNeighbor")
        for value, size in (
            (real(5, 4, 3), [2, 2]),
            (real(1, 5, 4, 3), [0, 2]),
            (real(1, 5, 4, 3), [2, 2, 2]),
            (real(1, 0, 4, 3), [2, 2]),
        )
    ],
    image("ResizeBilinear", real(1, 5, 4, 3), [2, 2, 2], error=ValueError),
    image(
        "ResizeBilinear",
        real(1, 5, 4, 3),
        [2, 2],
        align_corners=True,
        half_pixel_centers=True,
        error=InvalidArgumentError,
    ),
    *[
        image("CropAndResize", real(2, 6, 5, 3), BOXES, OWNERS, size, method=method, extrapolation_value=1.5)
        for size in ([3, 4], [1, 1], [6, 5])
        for method in ("bilinear", "nearest")
    ],
    image("CropAndResize", real(2, 6, 5, 3), BOXES, [0, 1, 2, 0, 0], [3, 3], error=OutOfRangeError),
    image("CropAndResize", real(2, 6, 5, 3), BOXES, OWNERS, [0, 3], error=InvalidArgumentError),
    image("CropAndResize", real(6, 5, 3), BOXES, OWNERS, [3, 3], error=InvalidArgumentError),
    image("CropAndResize", real(2, 6, 5, 3), BOXES, OWNERS, [3, 3, 3], error=ValueError),
    *[
        image("CropAndResizeGradImage", real(5, 3, 4, 3), BOXES, OWNERS, [2, 6, 5, 3], method=method)
        for method in ("bilinear", "nearest")
    ],
    image("CropAndResizeGradBoxes", real(5, 3, 4, 3), real(2, 6, 5, 3), BOXES, OWNERS),
    image("CropAndResizeGradBoxes", real(5, 1, 1, 3), real(2, 6, 5, 3), of(BOXES), OWNERS),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
