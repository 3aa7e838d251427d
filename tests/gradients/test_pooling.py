"""Gradients of pooling against TensorFlow."""

from __future__ import annotations

import pytest

from runstep.errors import UnimplementedError
from runstep.testing import check_grads, distinct, grad_case, real

S1, S2, K2 = [1, 1, 1, 1], [1, 2, 2, 1], [1, 2, 2, 1]
K32, S21 = [1, 3, 2, 1], [1, 2, 1, 1]
K3D, S3D = [1, 2, 2, 2, 1], [1, 2, 1, 2, 1]
X = distinct(2, 5, 6, 3)
X3D = distinct(1, 4, 3, 5, 2)


def pool(op, *inputs, ksize=K2, strides=S2, padding="SAME", **more):
    return grad_case(op, *inputs, ksize=ksize, strides=strides, padding=padding, **more)


ROWS = [
    pool("AvgPool", real(2, 5, 6, 3)),
    pool("AvgPool", real(2, 5, 6, 3), ksize=K32, strides=S21),
    pool("AvgPool", real(2, 5, 6, 3), ksize=K32, strides=S21, padding="VALID"),
    pool("AvgPoolGrad", [2, 5, 6, 3], real(2, 3, 3, 3), wrt=[1]),
    pool("AvgPool3D", real(1, 4, 3, 5, 2), ksize=K3D, strides=S3D),
    pool("AvgPool3D", real(1, 4, 3, 5, 2), ksize=K3D, strides=S3D, padding="VALID"),
    pool("AvgPool3DGrad", [1, 4, 3, 5, 2], real(1, 2, 3, 3, 2), ksize=K3D, strides=S3D, wrt=[1]),
    pool("MaxPool", X, order=3),
    pool("MaxPool", X, ksize=K32, strides=S21),
    pool("MaxPool", X, ksize=K32, strides=S21, padding="VALID"),
    pool("MaxPool", X, padding="EXPLICIT", explicit_paddings=[0, 0, 1, 0, 0, 1, 0, 0], order=1),
    grad_case("MaxPoolV2", X, K32, S21, padding="SAME", order=2),
    pool("MaxPool", real(2, 3, 3, 4), ksize=[1, 1, 1, 2], strides=[1, 1, 1, 2], error=UnimplementedError),
    pool("MaxPool3D", X3D, ksize=K3D, strides=S3D, order=3),
    pool("MaxPool3D", X3D, ksize=K3D, strides=S3D, padding="VALID"),
    # TensorFlow has no CPU kernel of MaxPoolGradWithArgmax.
    pool("MaxPoolWithArgmax", X, order=1, beyond=True),
    pool(
        "MaxPoolWithArgmax",
        X,
        ksize=K32,
        strides=S21,
        padding="VALID",
        include_batch_in_index=True,
        order=1,
        beyond=True,
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_gradients(row):
    check_grads(row)
