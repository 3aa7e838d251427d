"""Gradients of biases and normalizations against TensorFlow."""

from __future__ import annotations

import pytest

from runstep.testing import check_grads, grad_case, positive, real

FLOAT = {"T": ["float32"]}
BATCH_NORM = {"float32": 2e-4}
C = 3
X = {"NHWC": real(4, 3, 2, C), "NCHW": real(4, C, 3, 2), "NDHWC": real(2, 3, 2, 2, C), "NCDHW": real(2, C, 3, 2, 2)}
VERSIONS = (
    ("FusedBatchNorm", ("NHWC",)),
    ("FusedBatchNormV2", ("NHWC",)),
    ("FusedBatchNormV3", ("NHWC", "NDHWC")),
)


def batch_norm(op, layout, training, **more):
    return grad_case(
        op,
        X[layout],
        positive(C),
        real(C),
        real(0 if training else C),
        positive(0 if training else C),
        is_training=training,
        data_format=layout,
        types={**FLOAT, **({} if op == "FusedBatchNorm" else {"U": ["float32"]})},
        outputs=[0],
        wrt=[0, 1, 2],
        rtol=BATCH_NORM,
        atol=BATCH_NORM,
        **more,
    )


ROWS = [
    grad_case("BiasAdd", real(2, 3, 4), real(4)),
    grad_case("BiasAdd", real(2, 3, 4, 2), real(3), data_format="NCHW"),
    grad_case("BiasAdd", real(2, 3, 4, 2, 2), real(3), data_format="NCHW"),
    grad_case("BiasAdd", real(3, 4), real(4)),
    grad_case("BiasAddV1", real(2, 3, 4), real(4)),
    grad_case("LRN", positive(2, 2, 2, 5), depth_radius=2, alpha=0.3, order=1, types=FLOAT),
    grad_case("LRN", positive(1, 2, 2, 5), depth_radius=1, bias=2.0, beta=0.75, order=1, types=FLOAT),
    *[batch_norm(op, layout, training) for op, layouts in VERSIONS for layout in layouts for training in (True, False)],
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_gradients(row):
    check_grads(row)
