"""Counting values in bins agrees with TensorFlow."""

from __future__ import annotations

import pytest

import runstep.kernels.numpy.histogram
import runstep.ops.histogram  # noqa: F401
from runstep import errors
from runstep.testing import case, check, of, positive, real

INVALID = errors.InvalidArgumentError

CASES = [
    case("Bincount", [1, 2, 2, 7], 5, of([])),
    case("Bincount", [[1, 2], [2, 4]], 5, positive(2, 2)),
    case("Bincount", 3, 5, of([])),
    case("Bincount", [1, -2], 5, of([]), error=INVALID),
    case("Bincount", [1, 2], -5, of([]), error=INVALID),
    case("Bincount", [1, 2], -5, of([]), error=ValueError),
    case("Bincount", [1, 2], [5], of([]), error=INVALID),
    case("Bincount", [1, 2], 5, positive(3), error=INVALID),
    *[
        row
        for binary in (False, True)
        for row in (
            case("DenseBincount", of([1, 2, 2, 7]), 5, of([]), binary_output=binary),
            case("DenseBincount", of([1, 2, 2, 7]), 5, positive(4), binary_output=binary),
            case("DenseBincount", of([[1, 2], [2, 2]]), 5, of([]), binary_output=binary),
            case("DenseBincount", of([[1, 2], [2, 9]]), 5, positive(2, 2), binary_output=binary),
            case("SparseBincount", [[0, 1], [0, 3], [2, 0]], of([1, 1, 4]), [3, 4], 5, of([]), binary_output=binary),
            case("SparseBincount", [[0, 1], [2, 0]], of([1, 9]), [3, 4], 5, positive(2), binary_output=binary),
            case("SparseBincount", [[0], [2]], of([1, 2]), [4], 5, positive(2), binary_output=binary),
            case("RaggedBincount", [0, 2, 2, 3], of([1, 1, 4]), 5, of([]), binary_output=binary),
            case("RaggedBincount", [0, 2, 3], of([1, 9, 4]), 5, positive(3), binary_output=binary),
        )
    ],
    case("DenseBincount", of(1), 5, of([])),
    case("DenseBincount", of([]), 5, of([])),
    case("DenseBincount", of([1, -2]), 5, of([]), error=INVALID),
    case("DenseBincount", of([[1, -2]]), 5, of([]), error=INVALID),
    case("DenseBincount", of([[[1, 2]]]), 5, of([]), error=INVALID),
    case("DenseBincount", of([1, 2]), -5, of([]), error=INVALID),
    case("DenseBincount", of([1, 2]), 5, positive(3), error=INVALID),
    case("HistogramFixedWidth", of([-1.0, 0.0, 1.5, 2.0, 5.0, 15.0]), [0, 5], 5),
    case("HistogramFixedWidth", real(3, 4), [-1, 1], 3),
    case("HistogramFixedWidth", real(0), [-1, 1], 3),
    case("HistogramFixedWidth", real(3), [1, 1], 3, error=INVALID),
    case("HistogramFixedWidth", real(3), [0, 1, 2], 3, error=INVALID),
    case("HistogramFixedWidth", real(3), [0, 1], 0, error=INVALID),
    case("HistogramFixedWidth", real(3), [0, 1], 0, error=ValueError),
    case("Bucketize", of([-1, 0, 1, 2]), boundaries=[0.0, 1.0, 2.0]),
    case("Bucketize", of([[-1.0, 0.3], [0.5, 0.1]]), boundaries=[0.1, 0.3]),
    case("Bucketize", real(3), boundaries=[]),
    case("Bucketize", real(), boundaries=[0.5]),
    case("Bucketize", real(3), boundaries=[1.0, 0.5], error=INVALID),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
