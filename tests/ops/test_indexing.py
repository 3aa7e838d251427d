"""Ops that read and write by lists of indices, against TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

from runstep.errors import InvalidArgumentError
from runstep.testing import case, check, ints, of, real, special

FEW = {"T": ["float32", "string", "bfloat16"]}
FEW_PARAMS = {"Tparams": ["float32", "string", "bfloat16"]}
NUMBERS = {"T": ["float32", "int32", "bfloat16", "float16", "complex64"]}
ORDERED = {"T": ["float32", "int32", "bfloat16", "float16", "uint8"]}
BOTH = (InvalidArgumentError, ValueError)
SCATTERS = ["TensorScatterUpdate", "TensorScatterAdd", "TensorScatterSub", "TensorScatterMax", "TensorScatterMin"]

# shape of params, indices
GATHERS = [
    ((5,), [0, 4, 4]),
    ((5, 2), [[0, 4], [4, 1]]),
    ((5, 2), 3),
    ((5,), 3),
    ((5, 2), np.zeros((0,), int)),
    ((3, 0), [1]),
]
# the output's shape, indices, the updates' shape
SCATTERED = [
    ((8,), [[4], [3], [1]], (3,)),
    ((8,), [[4], [4], [1]], (3,)),
    ((4, 3), [[0], [2]], (2, 3)),
    ((4, 3), [[2], [2]], (2, 3)),
    ((4, 3), [[0, 1], [2, 2], [0, 1]], (3,)),
    ((4, 3), [[[0, 1], [2, 2]]], (1, 2)),
    ((4, 3), np.zeros((0, 1), int), (0, 3)),
]

CASES = [
    *[
        case("Gather", real(*shape), of(indices), types={} if i == 1 else FEW_PARAMS)
        for i, (shape, indices) in enumerate(GATHERS)
    ],
    *[
        case("GatherV2", real(*shape), of(indices), of(axis), types={} if i == 0 else FEW_PARAMS)
        for i, (shape, indices, axis) in enumerate(
            [
                *[(shape, indices, 0) for shape, indices in GATHERS],
                ((2, 5), [4, 0], 1),
                ((2, 5), [[4, 0]], -1),
                ((2, 5, 3), [4, 0], -2),
                ((2, 5, 3), 1, 2),
            ]
        )
    ],
    case("GatherV2", real(5, 2), ints(4, high=5), of(0), types=FEW_PARAMS),
    case("GatherV2", real(2, 5), ints(3, 2, high=5), of(1), types=FEW_PARAMS),
    *[
        case("GatherV2", real(*shape), of(indices), of(axis), batch_dims=batch, types=FEW_PARAMS)
        for shape, indices, axis, batch in (
            ((2, 5), [[4, 0], [1, 1]], 1, 1),
            ((2, 5, 3), [[4, 0], [1, 1]], 1, 1),
            ((2, 3, 5), [[4, 0], [1, 1]], 2, 1),
            ((2, 5), [[4, 0], [1, 1]], 1, -1),
            ((2, 5), [4, 0], 1, 1),
            ((2, 2, 4), [[[1], [2]], [[3], [0]]], 2, 2),
            ((2, 0), np.zeros((2, 0), int), 1, 1),
        )
    ],
    *[
        case(op, *args, types=FEW_PARAMS, error=InvalidArgumentError)
        for indices in ([0, 5], [-1], 7, [[0, 1], [9, 2]])
        for op, args in (("Gather", (real(5, 2), of(indices))), ("GatherV2", (real(5, 2), of(indices), of(0))))
    ],
    *[
        case("GatherV2", real(5, 2), of([0]), of(axis), types=FEW_PARAMS, error=error)
        for axis in (2, -3)
        for error in BOTH
    ],
    *[case("GatherV2", real(), of([0]), of(0), types=FEW_PARAMS, error=error) for error in BOTH],
    case("GatherV2", real(2, 5), of([[0], [1]]), of(0), batch_dims=1, types=FEW_PARAMS, error=InvalidArgumentError),
    case("GatherV2", real(3, 5), of([[0], [1]]), of(1), batch_dims=1, types=FEW_PARAMS, error=InvalidArgumentError),
    *[
        case("GatherNd", real(*shape), of(indices), types={} if i == 1 else FEW_PARAMS)
        for i, (shape, indices) in enumerate(
            (
                ((3, 4), [[0], [2]]),
                ((3, 4), [[0, 1], [2, 3]]),
                ((3, 4), [2, 3]),
                ((3, 4), [1]),
                ((3, 4, 2), [[[0, 1]], [[2, 3]]]),
                ((3, 4), np.zeros((2, 0), int)),
                ((3, 4), np.zeros((0, 2), int)),
                ((0, 4), np.zeros((0, 1), int)),
            )
        )
    ],
    *[
        case("GatherNd", real(3, 4), of(indices), types=FEW_PARAMS, error=InvalidArgumentError)
        for indices in ([[3]], [[0, -1]], [[0, 0, 0]], [0, 4])
    ],
    *[
        case("GatherNd", real(*shape), of(indices), types=FEW_PARAMS, error=ValueError)
        for shape, indices in (((3, 4), [[0, 0, 0]]), ((3,), 0))
    ],
    *[
        case("ScatterNd", of(indices), real(*updates), of(shape), types={} if i == 0 else FEW)
        for i, (shape, indices, updates) in enumerate(SCATTERED)
    ],
    *[
        case("ScatterNd", of(indices), real(*updates), of(shape), types=NUMBERS)
        for shape, indices, updates in SCATTERED[:5]
    ],
    case("ScatterNd", of([[1], [1], [1]]), of([True, False, True]), of([3]), types={"T": ["bool"]}),
    *[
        case("ScatterNd", of(indices), real(*updates), of(shape), types=FEW, error=InvalidArgumentError)
        for shape, indices, updates in (
            ((4,), [[4]], (1,)),
            ((4,), [[-1]], (1,)),
            ((4, 3), [[0]], (1, 2)),
            ((4,), [[0]], (2,)),
            ((4,), [[0, 0]], (1,)),
            ((0,), [[0]], (1,)),
            ((4, 3), [1, 2], (2, 3)),
            ((4, 3), [1], (3,)),
        )
    ],
    *[
        case("ScatterNd", of(indices), real(*updates), of(shape), types=FEW, error=ValueError)
        for shape, indices, updates in (((4, 3), [[0]], (1, 2)), ((4,), [[0]], (2,)))
    ],
    *[
        case(op, real(*shape), of(indices), real(*updates), types={} if i in (1, 4) else ORDERED)
        for op in SCATTERS
        for i, (shape, indices, updates) in enumerate(SCATTERED)
    ],
    *[case(op, special(8), of([[4], [3], [4]]), special(3), types=ORDERED) for op in SCATTERS],
    *[
        case(op, real(4, 3), of(indices), real(*updates), types=ORDERED, error=InvalidArgumentError)
        for op in SCATTERS
        for indices, updates in (([[4]], (1, 3)), ([[-1]], (1, 3)), ([[0]], (1, 2)), ([[0, 0, 0]], (1,)))
    ],
    case("TensorScatterAdd", real(4, 3), of([[0]]), real(1, 2), types=ORDERED, error=ValueError),
    case("ScatterNdNonAliasingAdd", real(4, 3), of([[0], [2], [0]]), real(3, 3)),
    *[
        case("DynamicPartition", real(*shape), of(parts), num_partitions=count, types={} if i == 0 else FEW)
        for i, (shape, parts, count) in enumerate(
            (
                ((4, 2), [0, 1, 1, 0], 2),
                ((4,), [2, 2, 0, 2], 3),
                ((2, 2, 3), [[0, 1], [1, 1]], 2),
                ((3,), 1, 2),
                ((0,), np.zeros(0, int), 2),
            )
        )
    ],
    *[
        case("DynamicPartition", real(3), of(parts), num_partitions=2, types=FEW, error=InvalidArgumentError)
        for parts in ([0, 2, 1], [0, -1, 1], [0, 1])
    ],
    case("DynamicPartition", real(3), of([0, 1]), num_partitions=2, types=FEW, error=ValueError),
    *[
        case(op, [of(where) for where in indices], [real(*shape) for shape in data], types={} if i == 0 else FEW)
        for op in ("DynamicStitch", "ParallelDynamicStitch")
        for i, (indices, data) in enumerate(
            (
                (([0, 2], [1, 3]), ((2, 3), (2, 3))),
                ((2, [[0, 1]]), ((2,), (1, 2, 2))),
                (([0, 1], [2]), ((2,), (1,))),
                ((np.zeros(0, int),), ((0, 2),)),
            )
        )
    ],
    case("DynamicStitch", [of([0, 1]), of([1, 0])], [real(2), real(2)], types=FEW),
    *[
        case("DynamicStitch", [of([0, 1])], [real(*shape)], types=FEW, error=error)
        for shape in ((3,), ())
        for error in BOTH
    ],
    case("DynamicStitch", [of([0, -1])], [real(2)], types=FEW, error=InvalidArgumentError),
    *[
        case("UnravelIndex", of(indices), of(dims))
        for indices, dims in (([5, 0, 7], [2, 4]), (5, [2, 4]), ([-5, -1], [2, 4]))
    ],
    *[
        case("UnravelIndex", of(indices), of(dims), error=InvalidArgumentError)
        for indices, dims in (([8], [2, 4]), ([0], [0, 4]), (np.zeros(0, int), [3]))
    ],
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
