"""Ops that ask for or change shapes, against TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

from runstep.errors import InvalidArgumentError
from runstep.testing import case, check, ints, of, real

INT32 = {"T": ["float32", "string", "bfloat16"]}
FEW = {"T": ["float32", "int32", "bool", "string", "complex64", "bfloat16", "qint8"]}

CASES = [
    *[
        case("Reshape", real(*shape), of(target), types=FEW)
        for shape, target in (
            ((2, 3), [3, 2]),
            ((2, 3), [-1]),
            ((2, 3), [6, -1]),
            ((), [1, 1]),
            ((1,), np.zeros(0, np.int32)),
            ((0, 3), [3, -1]),
            ((0, 3), [0]),
            ((4,), [-1, 2]),
        )
    ],
    *[
        case("Reshape", real(2, 3), of(target), types=INT32, error=error)
        for target in ([4], [4, -1], [-1, -1])
        for error in (InvalidArgumentError,)
    ],
    *[case("Reshape", real(2, 3), of(target), types=INT32, error=ValueError) for target in ([4], [4, -1])],
    case("Reshape", real(2, 3), of([-2, 3]), types=INT32, error=InvalidArgumentError),
    case("Reshape", real(0, 3), of([0, -1]), types=INT32),
    case("Reshape", real(2, 3), of([[6]]), types=INT32, error=InvalidArgumentError),
    *[case(op, real(*shape)) for op in ("Shape", "Size", "Rank") for shape in ((), (3,), (2, 0, 3))],
    case("ShapeN", [real(2, 3), real(2), real()]),
    *[case("Shape", real(2, 3), out_type="int64", types=INT32)],
    *[
        case("ExpandDims", real(*shape), of(axis), types=FEW)
        for shape, axis in (
            ((2, 3), 0),
            ((2, 3), 1),
            ((2, 3), 2),
            ((2, 3), -1),
            ((2, 3), -3),
            ((), 0),
            ((), -1),
            ((3,), [1]),
        )
    ],
    *[case("ExpandDims", real(2, 3), of(axis), types=INT32, error=InvalidArgumentError) for axis in (3, -4)],
    *[case("ExpandDims", real(2, 3), of(axis), types=INT32, error=ValueError) for axis in (3, -4, [0, 1])],
    *[
        case("Squeeze", real(*shape), squeeze_dims=axes)
        for shape, axes in (
            ((1, 3, 1), []),
            ((1, 3, 1), [0]),
            ((1, 3, 1), [-1, 0]),
            ((), []),
            ((1,), [0]),
            ((2, 3), []),
            ((1, 0, 1), [2]),
        )
    ],
    *[
        case("Squeeze", real(1, 3), squeeze_dims=axes, types=INT32, error=InvalidArgumentError)
        for axes in ([1], [2], [-3])
    ],
    *[case("Squeeze", real(1, 3), squeeze_dims=axes, types=INT32, error=ValueError) for axes in ([1], [2], [-3])],
    *[
        case("BroadcastTo", real(*shape), of(target), types=types)
        for shape, target, types in (
            ((3,), [2, 3], {}),
            ((), [2, 3], {}),
            ((2, 1), [2, 3], FEW),
            ((2, 3), [2, 3], FEW),
            ((1, 3), [0, 3], FEW),
            ((), np.array([], np.int32), INT32),
        )
    ],
    *[case("BroadcastTo", real(2, 3), of(target), types=INT32, error=InvalidArgumentError) for target in ([3, 3], [3])],
    *[case("BroadcastTo", real(2, 3), of(target), types=INT32, error=ValueError) for target in ([3, 3], [3])],
    *[
        case(op, of(a), of(b))
        for op in ("BroadcastArgs", "BroadcastGradientArgs")
        for a, b in (
            ([2, 3], [3]),
            ([2, 1], [1, 4]),
            ([3], [2, 3]),
            ([1, 1], [1]),
            (np.zeros(0, int), [2]),
            ([2, 2], [2, 2]),
        )
    ],
    *[case(op, of([2, 3]), of([2]), error=InvalidArgumentError) for op in ("BroadcastArgs", "BroadcastGradientArgs")],
    *[case("EnsureShape", real(2, 3), shape=shape) for shape in ([2, -1], [2, 3])],
    case("EnsureShape", real(2, 3), shape=[3, -1], types=INT32, error=InvalidArgumentError),
    case("EnsureShape", real(2, 3), shape=[3, -1], types=INT32, error=ValueError),
    case("BroadcastArgs", ints(2, low=1, high=2), ints(3, low=1, high=4)),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
