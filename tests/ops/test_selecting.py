"""Ops that choose elements, against TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

from runstep.errors import InvalidArgumentError
from runstep.testing import bools, case, check, ints, of, real, special

FEW = {"T": ["float32", "string", "bfloat16"]}
# TensorFlow has a kernel for float16 that refuses.
WHERE = {"T": ["bool", "float32", "float64", "int32", "uint8", "int8", "int64", "bfloat16", "complex64", "uint64"]}
BOTH = (InvalidArgumentError, ValueError)
NAN, INF = float("nan"), float("inf")

CASES = [
    *[
        case("Select", bools(*condition), real(*shape), real(*shape), types={} if i == 0 else FEW)
        for i, (condition, shape) in enumerate(
            (((2, 3), (2, 3)), ((2,), (2, 3)), ((), (2, 3)), ((), ()), ((0,), (0, 2)), ((2,), (2,)), ((2,), (2, 3, 2)))
        )
    ],
    *[
        case("Select", bools(*condition), real(*x), real(*y), types=FEW, error=error)
        for condition, x, y in (((2,), (3, 2), (3, 2)), ((2, 3), (2,), (2,)), ((2,), (2,), (3,)), ((1,), (), ()))
        for error in BOTH
    ],
    *[
        case("SelectV2", bools(*condition), real(*x), real(*y), types={} if i == 0 else FEW)
        for i, (condition, x, y) in enumerate(
            (
                ((2, 3), (2, 3), (2, 3)),
                ((3,), (2, 3), ()),
                ((), (2, 3), (2, 3)),
                ((), (), ()),
                ((2, 1), (3,), (2, 3)),
                ((0, 1), (3,), ()),
            )
        )
    ],
    *[case("SelectV2", bools(2), real(3), real(3), types=FEW, error=error) for error in BOTH],
    *[case("Where", real(*shape), types=WHERE) for shape in ((7,), (2, 3), (2, 2, 2), (0,))],
    case("Where", special(20), types=WHERE),
    case("Where", real(), types=WHERE, error=InvalidArgumentError),
    case("Where", of([0.0, -0.0, NAN, 1.0]), types={"T": ["float32", "bfloat16", "float64"]}),
    *[case(op, ints(9, high=4)) for op in ("Unique", "UniqueWithCounts")],
    *[case(op, ints(0)) for op in ("Unique", "UniqueWithCounts")],
    *[case(op, of([5, 3, 9, 4])) for op in ("Unique", "UniqueWithCounts")],
    *[case(op, ints(300, high=90), types={"T": ["int64"]}) for op in ("Unique", "UniqueWithCounts")],
    *[
        case(op, of([0.0, -0.0, NAN, 1.0, NAN, 1.0]), types={"T": ["float32", "bfloat16", "float64", "float16"]})
        for op in ("Unique", "UniqueWithCounts")
    ],
    *[case("Unique", real(2, 2), types=FEW, error=error) for error in BOTH],
    *[
        case(
            op,
            ints(*shape, high=2),
            of(np.array(axes, int)),
            types={"T": ["int32", "string", "float32", "bool", "bfloat16"]},
        )
        for op in ("UniqueV2", "UniqueWithCountsV2")
        for shape, axes in (
            ((6,), []),
            ((6,), [0]),
            ((5, 2), [0]),
            ((2, 5), [1]),
            ((2, 5), [-1]),
            ((3, 2, 2), [0]),
            ((0, 2), [0]),
        )
    ],
    *[case("UniqueV2", ints(6), of(np.array([], int))), case("UniqueWithCountsV2", ints(6), of([0]))],
    *[
        case("UniqueV2", real(3, 2), of(np.array(axes, int)), types=FEW, error=error)
        for axes in ([2], [0, 1], [])
        for error in BOTH
    ],
    case("ListDiff", ints(9, high=6), ints(3, high=6)),
    case("ListDiff", ints(0), ints(3)),
    case("ListDiff", ints(5), ints(0)),
    case("ListDiff", of([0.0, NAN, 1.0, 1.0]), of([NAN, -0.0]), types={"T": ["float32", "bfloat16"]}),
    *[case("ListDiff", real(2, 2), real(2), types=FEW, error=error) for error in BOTH],
    *[
        case(op, of(lists), real(*shape))
        for op in ("LowerBound", "UpperBound")
        for lists, shape in (
            ([[0, 1, 1, 3, 5], [0, 0, 2, 2, 7]], (2, 4)),
            (np.zeros((2, 0), int), (2, 1)),
            ([[1, 2]], (1, 0)),
        )
    ],
    *[case(op, real(2, 3), real(3, 3), error=InvalidArgumentError) for op in ("LowerBound", "UpperBound")],
    *[case(op, real(3), real(3), error=error) for op in ("LowerBound", "UpperBound") for error in BOTH],
    *[
        case(op, real(*shape), message="m")
        for op in ("CheckNumerics", "CheckNumericsV2")
        for shape in ((2, 3), (), (0,))
    ],
    *[
        case(op, of(values), message="m", error=InvalidArgumentError)
        for op in ("CheckNumerics", "CheckNumericsV2")
        for values in ([1.0, NAN], [INF], [-INF, INF, NAN])
    ],
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
