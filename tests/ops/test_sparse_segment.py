"""Reductions of gathered rows agree with TensorFlow."""

from __future__ import annotations

import pytest

import runstep.kernels.numpy.sparse_segment  # noqa: F401
from runstep import errors
from runstep.ops import sparse_segment
from runstep.testing import case, check, of, real
from runstep.testing.building import compare_graphs

INVALID = errors.InvalidArgumentError
KINDS = ("Sum", "Mean", "SqrtN")
ONE = {"T": ["float32"], "Tidx": ["int32"]}
# TensorFlow adds half precision rows up in half precision.
LOOSE = {"float16": 1e-2, "bfloat16": 5e-2}
NONE = of([], "int32")

CASES = [
    *[
        row
        for kind in KINDS
        for row in (
            case(f"SparseSegment{kind}", real(5, 3), [1, 0, 4, 1], [0, 0, 2, 2], rtol=LOOSE, atol=0.02),
            case(f"SparseSegment{kind}", real(5, 2, 2), [1, 0, 4, 1, 1, 2], [0, 0, 0, 0, 0, 1], types=ONE),
            case(f"SparseSegment{kind}", real(5), [3, 3, 2], [0, 1, 2], types=ONE),
            case(f"SparseSegment{kind}", real(5, 3), NONE, NONE, types=ONE),
            case(f"SparseSegment{kind}", real(5, 0), [1], [1], types=ONE),
            case(f"SparseSegment{kind}", real(5, 3), [1, 5], [0, 1], types=ONE, error=INVALID),
            case(f"SparseSegment{kind}", real(5, 3), [1, -1], [0, 1], types=ONE, error=INVALID),
            case(f"SparseSegment{kind}", real(5, 3), [1, 2], [1, 0], types=ONE, error=INVALID),
            case(f"SparseSegment{kind}", real(5, 3), [1, 2], [-1, 0], types=ONE, error=INVALID),
            case(f"SparseSegment{kind}", real(5, 3), [1, 2], [0], types=ONE, error=INVALID),
            case(f"SparseSegment{kind}", real(5, 3), [1, 2], [0], types=ONE, error=ValueError),
            case(f"SparseSegment{kind}WithNumSegments", real(5, 3), [1, 0, 4], [0, 0, 2], 4, rtol=LOOSE, atol=0.02),
            case(f"SparseSegment{kind}WithNumSegments", real(5, 3), NONE, NONE, 2, types=ONE),
            case(f"SparseSegment{kind}WithNumSegments", real(5, 3), [1, 2], [0, 2], 2, types=ONE, error=INVALID),
            case(f"SparseSegment{kind}WithNumSegments", real(5, 3), [1, 2], [0, 1], -2, types=ONE, error=ValueError),
            case(f"SparseSegment{kind}Grad", real(3, 2), [1, 0, 4, 1], [0, 0, 2, 2], 6, rtol=LOOSE, atol=0.02),
            case(f"SparseSegment{kind}Grad", real(3, 2), [1, 4], [0, 1], 2, types=ONE, error=INVALID),
            case(f"SparseSegment{kind}Grad", real(3, 2), [1, 0], [0, 3], 2, types=ONE, error=INVALID),
            case(f"SparseSegment{kind}GradV2", real(3, 2), [1, 0, 4, 1], [0, 0, 2, 2], 6, rtol=LOOSE, atol=0.02),
            case(f"SparseSegment{kind}GradV2", real(3, 2), NONE, NONE, 2, types=ONE),
            case(f"SparseSegment{kind}GradV2", real(3, 2), [1, 4], [0, 1], 2, types=ONE, error=INVALID),
            case(f"SparseSegment{kind}GradV2", real(3, 2), [1, 0], [0, 3], 2, types=ONE, error=INVALID),
        )
    ],
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)


BUILDERS = [
    lambda tf: tf.sparse_segment_sum(tf.placeholder("float32", [4, 3]), [0, 1], [0, 1]),
    lambda tf: tf.sparse_segment_sum(tf.placeholder("float32", [4, 3]), [0, 1], [0, 1], "x", 3, True),
    lambda tf: tf.sparse_segment_mean(tf.placeholder("float32", [4, 3]), [0, 1], [0, 1]),
    lambda tf: tf.sparse_segment_sqrt_n(tf.placeholder("float32"), [0, 1], [0, 1], num_segments=2),
]


@pytest.mark.parametrize("index", range(len(BUILDERS)))
def test_graph_is_tensorflows(index):
    compare_graphs(BUILDERS[index], [sparse_segment])
