"""Ops that make tensors from sizes and single values, against TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

from runstep.errors import InvalidArgumentError
from runstep.testing import case, check, ints, of, real, special

FEW = {"T": ["float32", "int32", "bool", "string", "bfloat16"]}

CASES = [
    *[case("Fill", of(dims), real()) for dims in ([2, 3], np.zeros(0, int), [0, 2])],
    case("Fill", of([2]), of(0), types={"T": ["float32", "int32", "complex64"]}),
    case("Fill", of([2]), of(-0.0), types={"T": ["float32", "bfloat16"]}),
    case("Fill", of([2]), real(1), types=FEW),
    *[case("Fill", of([2]), real(2), types=FEW, error=error) for error in (InvalidArgumentError, ValueError)],
    case("Fill", of([-2]), real(), types=FEW, error=InvalidArgumentError),
    case("Fill", of([[2]]), real(), types=FEW, error=ValueError),
    *[case(op, real(*shape)) for op in ("ZerosLike", "OnesLike") for shape in ((2, 3), (), (0, 2))],
    *[
        case("Range", of(start), of(limit), of(delta))
        for start, limit, delta in ((0, 5, 1), (2, 10, 3), (10, 2, -3), (5, 5, 1), (0, 0, -1), (3, 200, 7))
    ],
    *[
        case("Range", of(start), of(limit), of(delta), types={"Tidx": ["float32", "float64", "float16", "bfloat16"]})
        for start, limit, delta in ((0.3, 7.0, 0.1), (0.0, 1.0, 0.25), (5.5, -2.0, -0.7), (0.0, 100.0, 1.1))
    ],
    *[
        case("Range", of(start), of(limit), of(delta), error=error)
        for start, limit, delta in ((0, 5, 0), (5, 0, 1), (0, 5, -1))
        for error in (InvalidArgumentError, ValueError)
    ],
    *[case("Range", of([0, 1]), of(5), of(1), error=error) for error in (InvalidArgumentError, ValueError)],
    *[
        case("LinSpace", of(start), of(stop), of(num))
        for start, stop, num in ((0.0, 1.0, 5), (0.1, 7.3, 11), (3.0, -2.0, 8), (1.5, 9.0, 1), (-5.3, 100.7, 101))
    ],
    *[case("LinSpace", of(0.0), of(1.0), of(0), error=error) for error in (InvalidArgumentError, ValueError)],
    *[
        case("OneHot", ints(*shape, low=-1, high=5), of(depth), real(), real(), axis=axis, types=types)
        for shape, depth, axis, types in (
            ((3,), 4, -1, {}),
            ((2, 3), 4, -1, FEW),
            ((2, 3), 4, 0, FEW),
            ((2, 3), 4, 1, FEW),
            ((2, 3), 4, 2, FEW),
            ((), 4, -1, FEW),
            ((), 4, 0, FEW),
            ((0,), 4, -1, FEW),
            ((3,), 0, -1, FEW),
        )
    ],
    *[
        case("OneHot", ints(3), of(depth), real(*on), real(), axis=axis, types=FEW, error=error)
        for depth, axis, on in ((-1, -1, ()), ([4], 0, ()))
        for error in (InvalidArgumentError, ValueError)
    ],
    case("OneHot", ints(3), of(4), real(2), real(), types=FEW, error=InvalidArgumentError),
    *[case("Diag", real(*shape)) for shape in ((3,), (2, 3), (0,))],
    case("Diag", special(7), types={"T": ["float32", "float64", "int32"]}),
    *[case("Diag", real(), error=error) for error in (InvalidArgumentError, ValueError)],
    case("DiagPart", real(), error=ValueError),
    *[case("DiagPart", real(*shape)) for shape in ((3, 3), (2, 3, 2, 3), (0, 0))],
    *[
        case("DiagPart", real(*shape), error=error)
        for shape in ((3, 2), (3,))
        for error in (InvalidArgumentError, ValueError)
    ],
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
