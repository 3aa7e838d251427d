"""Gradients of losses against TensorFlow."""

from __future__ import annotations

import pytest

from runstep.graph.apply import apply
from runstep.testing import check_grads, grad_case, of, positive, real

CTC = (
    of([[0, 0], [0, 1], [0, 2], [1, 0], [1, 1]], dtype="int64"),
    of([0, 1, 1, 2, 0], dtype="int32"),
    of([6, 5], dtype="int32"),
)
LOOSE = {"float32": 1e-4, "float64": 1e-4}


def logits_loss(x, labels):
    return apply("SoftmaxCrossEntropyWithLogits", x, labels)[0]


ROWS = [
    grad_case("L2Loss", real(2, 3)),
    grad_case("SoftmaxCrossEntropyWithLogits", real(3, 4), positive(3, 4), order=1, numeric=False),
    grad_case("SoftmaxCrossEntropyWithLogits", real(3, 4), positive(3, 4), outputs=[0], numeric=False),
    grad_case("SoftmaxCrossEntropyWithLogits", real(3, 4), positive(3, 4), outputs=[0], wrt=[0], numeric=False),
    grad_case("SparseSoftmaxCrossEntropyWithLogits", real(3, 4), [1, 0, 3], outputs=[0]),
    grad_case("SparseSoftmaxCrossEntropyWithLogits", real(3, 4), [1, 0, 3], order=1),
    grad_case(
        logits_loss,
        real(3, 4),
        of([[0.5, 0.25, 0.25, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.5, 0.5, 0.0]], dtype="float64"),
        types={"T": ["float64"]},
        wrt=[0],
    ),
    grad_case("CTCLoss", real(6, 2, 4), *CTC, outputs=[0], order=1, numeric=False, rtol=LOOSE, atol=LOOSE),
    grad_case("CTCLoss", real(6, 2, 4), *CTC, outputs=[0], rtol=LOOSE, atol=LOOSE, numeric=False, error=LookupError),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_gradients(row):
    check_grads(row)
