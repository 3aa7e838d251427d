"""Gradients of resizing, cropping and colour spaces against TensorFlow."""

from __future__ import annotations

from typing import Any

import pytest

from runstep.testing import check_grads, grad_case, of, real

FLOAT = {"T": ["float32"]}
SIZES = ([3, 7], [4, 4], [10, 3])
WAYS: Any = ({}, {"align_corners": True}, {"half_pixel_centers": True})
BOXES = of([[0.1, 0.2, 0.8, 0.9], [0.0, 0.0, 1.0, 1.0], [0.7, 0.6, 0.2, 0.1], [-0.2, 0.3, 1.3, 0.7]], dtype="float32")
IMAGE = real(2, 4, 5, 3)

ROWS = [
    *[grad_case("ResizeNearestNeighbor", IMAGE, size, order=1, **way) for size in SIZES for way in WAYS],
    *[grad_case("ResizeBilinear", IMAGE, size, types=FLOAT, order=1, **way) for size in SIZES for way in WAYS],
    *[
        grad_case("ResizeBicubic", IMAGE, size, types=FLOAT, order=1, rtol=3e-5, **way)
        for size in SIZES
        for way in WAYS
    ],
    grad_case("ResizeBilinear", IMAGE, [3, 7], types={"T": ["float64", "float16"]}, order=1, rtol=2e-3, numeric=False),
    grad_case("ResizeBicubic", IMAGE, [3, 7], types={"T": ["float64", "float16"]}, order=1, rtol=3e-5),
    grad_case("ResizeArea", IMAGE, [3, 7], types=FLOAT, error=LookupError),
    *[
        grad_case("CropAndResize", IMAGE, BOXES, [0, 1, 0, 1], size, types=FLOAT, order=1, wrt=[0, 1], rtol=3e-5)
        for size in ([3, 4], [1, 1])
    ],
    grad_case("CropAndResize", IMAGE, BOXES, [0, 1, 0, 1], [3, 4], types={"T": ["float64"]}, order=1, wrt=[0]),
    grad_case("CropAndResize", IMAGE, BOXES, [0, 1, 0, 1], [3, 4], types=FLOAT, order=1, wrt=[0], method="nearest"),
    *[
        grad_case(
            "ScaleAndTranslate",
            IMAGE,
            [6, 3],
            of([1.3, 0.6]),
            of([0.5, -0.5]),
            kernel_type=kind,
            types=FLOAT,
            order=1,
            wrt=[0],
            rtol=3e-5,
        )
        for kind in ("lanczos3", "triangle")
    ],
    *[
        grad_case(
            op,
            IMAGE,
            of([[0.9, 0.2, 0.1, -0.1, 1.1, 0.3, 0.01, -0.02]]),
            [4, 3],
            *more,
            interpolation=between,
            types={"dtype": ["float32"]},
            order=1,
            wrt=[0],
            numeric=False,
            known=[True],
            rtol=3e-5,
        )
        for op, more in (("ImageProjectiveTransformV2", ()), ("ImageProjectiveTransformV3", (of(0.5),)))
        for between in ("NEAREST", "BILINEAR")
    ],
    grad_case("RGBToHSV", real(3, 4, 3, low=0.1, high=1), order=1, rtol=3e-5),
    grad_case(
        "RGBToHSV",
        of([[1, 1, 0.5], [0.5, 1, 1], [1, 0.25, 1], [0.5, 0.5, 1], [1, 0.5, 0.5], [0.5, 1, 0.5]]),
        order=2,
        rtol=1e-5,
        numeric=False,
        wrt=[0],
    ),
    grad_case("RGBToHSV", of([[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]), order=1, numeric=False, wrt=[0]),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_gradients(row):
    check_grads(row)
