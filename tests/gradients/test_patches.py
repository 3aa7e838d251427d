"""Gradients of cutting into patches against TensorFlow."""

from __future__ import annotations

from typing import Any

import pytest

from runstep.testing import check_grads, grad_case, real

BOTH = {"T": ["float32", "float64"]}
ONE, TWO = [1, 1, 1, 1], [1, 2, 2, 1]


def patches(*shape: int, **attrs: Any) -> Any:
    return grad_case("ExtractImagePatches", real(*shape), types=BOTH, known=[True], **attrs)


ROWS = [
    patches(2, 5, 6, 3, ksizes=[1, 2, 3, 1], strides=TWO, rates=ONE, padding="SAME"),
    patches(2, 5, 6, 1, ksizes=[1, 2, 2, 1], strides=ONE, rates=TWO, padding="VALID"),
    *[
        grad_case(
            "ExtractVolumePatches",
            real(2, 3, 4, 5, 2),
            ksizes=[1, 2, 2, 3, 1],
            strides=[1, 1, 2, 2, 1],
            padding=padding,
            types=BOTH,
            known=[True],
        )
        for padding in ("SAME", "VALID")
    ],
    # TensorFlow's fails where it does not know the rank.
    grad_case(
        "ExtractImagePatches",
        real(2, 5, 6, 3),
        ksizes=[1, 2, 3, 1],
        strides=TWO,
        rates=ONE,
        padding="SAME",
        types={"T": ["float64"]},
        known=[False],
        beyond=True,
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_gradients(row: Any) -> None:
    check_grads(row)
