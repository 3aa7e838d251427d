"""Nearest points and the first centers of k-means are TensorFlow's."""

from __future__ import annotations

import pytest

import runstep.kernels.numpy.clustering
import runstep.ops.clustering  # noqa: F401
from runstep import errors
from runstep.testing import case, check, of, real

INVALID = errors.InvalidArgumentError
LINE = [[0.0], [1.0], [4.0], [9.0], [16.0], [25.0]]

CASES = [
    *[case("NearestNeighbors", real(7, 3), real(4, 3), k) for k in (0, 1, 3, 9)],
    case("NearestNeighbors", [[1.0], [2.5]], [[2.0], [0.0], [3.0], [2.0]], 3),
    case("NearestNeighbors", real(2, 3), real(0, 3), 2),
    case("NearestNeighbors", real(0, 3), real(2, 3), 2, error=INVALID),
    case("NearestNeighbors", real(3), real(2, 3), 2, error=INVALID),
    case("NearestNeighbors", real(2, 3), real(3), 2, error=INVALID),
    case("NearestNeighbors", real(2, 3), real(2, 2), 2, error=INVALID),
    case("NearestNeighbors", real(2, 3), real(2, 3), [2], error=INVALID),
    *[case("KMC2ChainInitialization", [5.0, 4.0, 3.0, 2.0, 1.0, 0.5], seed) for seed in (0, 1, 2, 3, -7)],
    case("KMC2ChainInitialization", of([]), 0, error=INVALID),
    case("KMC2ChainInitialization", [[1.0]], 0, error=INVALID),
    case("KMC2ChainInitialization", [1.0], [0], error=INVALID),
    *[
        case("KmeansPlusPlusInitialization", LINE, count, seed, retries)
        for count, retries in ((1, 0), (3, 0), (3, 2), (5, -1), (6, 1))
        for seed in (0, 1, 2, -1)
    ],
    case("KmeansPlusPlusInitialization", real(40, 3), 9, 5, -1),
    case("KmeansPlusPlusInitialization", LINE, 7, 0, 1, error=INVALID),
    case("KmeansPlusPlusInitialization", LINE, 0, 0, 1, error=INVALID),
    case("KmeansPlusPlusInitialization", [1.0, 2.0], 1, 0, 1, error=INVALID),
    case("KmeansPlusPlusInitialization", LINE, [1], 0, 1, error=INVALID),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
