"""Images scaled, moved and projected against TensorFlow."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import runstep
from runstep.errors import InvalidArgumentError
from runstep.graph.apply import apply
from runstep.testing import case, check, of, real

IMAGES = real(2, 5, 4, 3)
SCALES = (((1.4, 2.0), (0.0, 0.0)), ((0.6, 0.3), (0.0, 0.0)), ((1.0, 0.8), (1.5, -2.0)))
FILTERS = ("lanczos1", "lanczos3", "lanczos5", "gaussian", "box", "triangle", "keyscubic", "mitchellcubic")
floats = functools.partial(of, dtype="float32")
LOOSE: Any = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2, "float64": 1e-4}
NEAR: Any = [
    [1, 0, 0, 0, 1, 0, 0, 0],
    [0.7, 0.2, 1.0, -0.3, 1.2, -0.6, 0.0, 0.0],
]
FAR: Any = [
    [2.5, 0.4, -9.3, -0.6, 3.1, 4.2, 0.01, -0.02],
    [1.0, 0.5, -20.1, 0.3, 1.1, 17.4, 0.0, 0.0],
]


CASES = [
    *[
        case(
            "ScaleAndTranslate",
            IMAGES,
            [7, 6],
            floats(scale),
            floats(moved),
            kernel_type=kind,
            antialias=antialias,
            types={"T": ["float32"]} if kind != "triangle" else {},
            rtol=LOOSE,
            atol=LOOSE,
        )
        for scale, moved in SCALES
        for kind in FILTERS
        for antialias in (True, False)
    ],
    *[
        case(
            "ScaleAndTranslateGrad",
            real(2, 7, 6, 3),
            IMAGES,
            floats(scale),
            floats(moved),
            kernel_type=kind,
            antialias=antialias,
            rtol=LOOSE,
            atol=LOOSE,
        )
        for scale, moved in SCALES
        for kind in ("lanczos3", "box")
        for antialias in (True, False)
    ],
    *[
        case(
            "ScaleAndTranslate",
            image,
            size,
            floats(scale),
            floats([0, 0]),
            kernel_type=kind,
            error=InvalidArgumentError,
        )
        for image, size, scale, kind in (
            (IMAGES, [7, 0], [1, 1], "box"),
            (IMAGES, [7, 6], [1, 0], "box"),
            (IMAGES, [7, 6], [1, 1], "sinc"),
            (real(2, 0, 4, 3), [7, 6], [1, 1], "box"),
        )
    ],
    *[
        case(
            "ImageProjectiveTransformV3",
            IMAGES,
            floats(transforms),
            size,
            floats(0.75),
            interpolation=between,
            fill_mode=fill,
            rtol=LOOSE,
            atol=LOOSE,
            types={"dtype": ["float32"]} if fill != "WRAP" else {},
        )
        for between in ("NEAREST", "BILINEAR")
        for fill in ("CONSTANT", "NEAREST", "REFLECT", "WRAP")
        for transforms, size in ((NEAR, [5, 4]), (FAR, [6, 3]), (NEAR[1:], [2, 7]))
    ],
    case("ImageProjectiveTransformV2", IMAGES, floats(NEAR), [6, 4], interpolation="BILINEAR", rtol=LOOSE, atol=LOOSE),
    case("ImageProjectiveTransformV2", real(1, 1, 1, 2), floats(FAR[:1]), [3, 3], interpolation="NEAREST"),
    *[
        case("ImageProjectiveTransformV2", IMAGES, seen, size, interpolation="NEAREST", error=InvalidArgumentError)
        for seen, size in ((floats([[1, 0, 0, 0, 1, 0]]), [5, 4]), (floats(NEAR), [0, 4]))
    ],
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row: Any) -> None:
    check(row)


@pytest.mark.parametrize(("interpolation", "fill_mode"), [("CUBIC", "NEAREST"), ("NEAREST", "MIRROR")])
def test_unknown_ways_are_refused(interpolation: str, fill_mode: str) -> None:
    """TensorFlow hands on whatever its memory holds."""
    ways = {"interpolation": interpolation, "fill_mode": fill_mode}
    seen = apply("ImageProjectiveTransformV2", np.ones((1, 2, 2, 1), np.float32), NEAR[:1], [2, 2], **ways)
    with runstep.Session() as session, pytest.raises(InvalidArgumentError, match="Supported types: .*NEAREST"):
        session.run(seen)
