"""Gradients of ragged tensors against TensorFlow."""

from __future__ import annotations

from typing import Any

import pytest

from runstep.testing import check_grads, grad_case, of, real

SPLITS = of([0, 2, 2, 5], dtype="int64")

ROWS = [
    grad_case("RaggedTensorToSparse", [SPLITS], real(5), types={"T": ["float64"]}, outputs=[1], order=1),
    grad_case("RaggedTensorToSparse", [SPLITS], real(5, 2), types={"T": ["float64"]}, outputs=[1], order=1),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_gradients(row: Any) -> None:
    check_grads(row)
