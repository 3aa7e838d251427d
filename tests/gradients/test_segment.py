"""Gradients of reductions by segment against TensorFlow."""

from __future__ import annotations

import pytest

from runstep.testing import check_grads, distinct, grad_case, of, real

IDS = [0, 0, 1, 1, 1]
UNSORTED = [2, -1, 0, 2, 1]
X = real(5, 2)
FLOATS = {"T": ["float32", "float64"]}
ZEROS = of([[1.0, 0.0], [0.0, 0.0], [3.0, 2.0], [0.5, 0.0], [2.0, 4.0]])

ROWS = [
    *[grad_case(op, X, IDS, types=FLOATS) for op in ("SegmentSum", "SegmentMean", "SegmentProd")],
    *[grad_case(op, distinct(5, 2), IDS, types=FLOATS) for op in ("SegmentMax", "SegmentMin")],
    grad_case(
        "SegmentMax", of([[1.0, 2.0], [1.0, 1.0], [3.0, 2.0], [3.0, 2.0], [2.0, 2.0]]), IDS, wrt=[0], numeric=False
    ),
    grad_case("SegmentMean", X, [0, 0, 2, 2, 3], types=FLOATS, order=1),
    grad_case("SegmentProd", ZEROS, IDS, wrt=[0], order=1),
    *[grad_case(op, X, UNSORTED, 3, types=FLOATS) for op in ("UnsortedSegmentSum", "UnsortedSegmentProd")],
    *[grad_case(op, distinct(5, 2), UNSORTED, 3, types=FLOATS) for op in ("UnsortedSegmentMax", "UnsortedSegmentMin")],
    grad_case("UnsortedSegmentProd", ZEROS, UNSORTED, 3, wrt=[0], order=1),
    grad_case("UnsortedSegmentSum", real(2, 3, 2), [[0, 2, -1], [1, 1, 0]], 4, types=FLOATS),
    *[
        grad_case(f"SparseSegment{op}", real(4, 2), [0, 2, 2, 1], [0, 0, 1, 3], types={**FLOATS, **more}, order=1)
        for op in ("Sum", "Mean", "SqrtN")
        for more in ({"Tidx": ["int32", "int64"], "Tsegmentids": ["int32"]},)
    ],
    *[
        grad_case(f"SparseSegment{op}WithNumSegments", real(4, 2), [0, 2, 2, 1], [0, 0, 1, 3], 6, types=FLOATS, order=1)
        for op in ("Sum", "Mean", "SqrtN")
    ],
    *[
        grad_case(
            f"SparseSegment{op}", real(4, 2), [0, 2, 2, 1], [0, 0, 1, 3], types=FLOATS, order=1, sparse_gradient=True
        )
        for op in ("Sum", "Mean", "SqrtN")
    ],
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_gradients(row):
    check_grads(row)
