"""Gradients of partitioning and stitching against TensorFlow."""

from __future__ import annotations

import pytest

from runstep.testing import check_grads, grad_case, real

FLOATS = {"T": ["float32", "float64"]}

ROWS = [
    grad_case("DynamicPartition", real(5, 2), [1, 0, 2, 1, 1], num_partitions=3, types=FLOATS),
    grad_case("DynamicPartition", real(2, 2), [[1, 0], [1, 1]], num_partitions=2, types=FLOATS),
    *[
        grad_case(op, [[0, 2], [[1], [3]], 4], [real(2, 3), real(2, 1, 3), real(3)], types=FLOATS)
        for op in ("DynamicStitch", "ParallelDynamicStitch")
    ],
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_gradients(row):
    check_grads(row)
