"""Non-max suppression against TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

from runstep.errors import InvalidArgumentError
from runstep.testing import case, check, of, real

BOXES = of(
    np.float32(
        [  # type: ignore[arg-type]
            [0, 0, 1, 1],
            [0, 0.1, 1, 1.1],
            [0, -0.1, 1, 0.9],
            [0, 10, 1, 11],
            [1, 11.1, 0, 10.1],
            [0, 100, 1, 101],
            [2, 2, 2, 3],
        ]
    )
)
SCORES = of(np.float32([0.9, 0.75, 0.6, 0.95, 0.5, 0.3, 0.3]))  # type: ignore[arg-type]
THREE = np.stack([np.roll(np.float32(BOXES.draw(None, None)), k, axis=0) for k in range(3)], axis=1)[None]  # type: ignore[arg-type]

CASES = [
    *[case("NonMaxSuppression", BOXES, SCORES, most) for most in (0, 2, 3, 30)],
    case("NonMaxSuppression", BOXES, SCORES, 5, iou_threshold=0.9),
    case("NonMaxSuppression", real(0, 4), real(0), 5),
    case("NonMaxSuppression", BOXES, SCORES, -1, error=InvalidArgumentError),
    case("NonMaxSuppression", real(3, 4), real(2), 3, error=InvalidArgumentError),
    case("NonMaxSuppression", real(3, 5), real(3), 3, error=InvalidArgumentError),
    case("NonMaxSuppression", real(3, 4), real(2), 3, error=ValueError),
    case("NonMaxSuppressionV2", BOXES, SCORES, 5, of(0.5)),
    case("NonMaxSuppressionV2", BOXES, SCORES, 5, of(1.5), error=InvalidArgumentError),
    case("NonMaxSuppressionV2", real(12, 4), real(12), 8, of(0.25), types={"T": ["float32"]}),
    case("NonMaxSuppressionV3", BOXES, SCORES, 5, of(0.5), of(0.4)),
    *[
        case("NonMaxSuppressionV4", BOXES, SCORES, 5, of(0.5), of(0.4), pad_to_max_output_size=pad)
        for pad in (False, True)
    ],
    *[
        case(
            "NonMaxSuppressionV5",
            BOXES,
            SCORES,
            5,
            of(0.5),
            of(0.25),
            of(sigma),
            pad_to_max_output_size=pad,
            types={"T": ["float32"]},
        )
        for pad in (False, True)
        for sigma in (0.0, 0.5)
    ],
    case("NonMaxSuppressionWithOverlaps", real(4, 4, low=0, high=1), real(4), 3, of(0.5), of(-1.0)),
    *[
        case(
            "CombinedNonMaxSuppression",
            boxes,
            real(1, 7, 3, low=0, high=1),
            3,
            5,
            of(0.5),
            of(0.1),
            pad_per_class=pad,
            clip_boxes=clip,
        )
        for boxes in (of(THREE), of(THREE[:, :, :1]))
        for pad in (False, True)
        for clip in (False, True)
    ],
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
