"""Slices and strided slices, against TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runstep.errors import InvalidArgumentError
from runstep.testing import case, check, of, real

# TensorFlow registers this kernel for quantized types too and then refuses them.
NOT_QUANTIZED = {"T": ["float32", "float64", "int32", "int64", "float16", "bfloat16", "bool", "string", "complex64"]}
FEW = {"T": ["float32", "string", "bfloat16"]}

SLICES = [
    ((4, 3), [1, 0], [2, 3]),
    ((4, 3), [1, 1], [-1, 2]),
    ((4, 3), [4, 0], [0, -1]),
    ((4, 3), [0, 0], [-1, -1]),
    ((), np.zeros(0, int), np.zeros(0, int)),
    ((0, 2), [0, 1], [0, 1]),
]
BAD_SLICES = [
    ([0, 0], [5, 1]),
    ([-1, 0], [1, 1]),
    ([0], [1]),
    ([0, 4], [1, -1]),
    ([0, 1], [1, -2]),
    ([0, 1], [1, 1, 1]),
]

# shape, begin, end, strides, masks
SPECS: Any = [
    ((5,), [1], [4], [1], {}),
    ((5,), [1], [100], [2], {}),
    ((5,), [-100], [100], [1], {}),
    ((5,), [4], [0], [-1], {}),
    ((5,), [4], [0], [-2], {"end_mask": 1}),
    ((5,), [3], [1], [1], {}),
    ((5,), [-1], [0], [1], {"shrink_axis_mask": 1}),
    ((5,), [2], [3], [1], {"begin_mask": 1, "shrink_axis_mask": 1}),
    ((4, 3), [1, 0], [3, 2], [1, 1], {}),
    ((4, 3), [0, 1], [0, 2], [1, 1], {"begin_mask": 1, "end_mask": 1, "shrink_axis_mask": 2}),
    ((4, 3), [0, 0], [0, 0], [-1, -1], {"begin_mask": 3, "end_mask": 3}),
    ((4, 3), [0, 0], [0, 0], [-1, 2], {"begin_mask": 3, "end_mask": 3}),
    ((4, 3), [1, 2], [2, 3], [1, 1], {"shrink_axis_mask": 3}),
    ((4, 3), [0, 0, 1], [0, 0, 2], [1, 1, 1], {"new_axis_mask": 1, "begin_mask": 2, "end_mask": 2}),
    ((2, 3, 4), [0, 1], [0, 2], [1, 1], {"ellipsis_mask": 1}),
    ((2, 3, 4), [0, 0, 1], [1, 0, 3], [1, 1, 1], {"ellipsis_mask": 2, "shrink_axis_mask": 1}),
    ((2, 3, 4), [0, 0, 0, 1], [1, 0, 0, 3], [1, 1, 1, 1], {"ellipsis_mask": 2, "new_axis_mask": 4}),
    ((2, 3), [0, 0, 1], [0, 0, 2], [1, 1, 1], {"ellipsis_mask": 1, "new_axis_mask": 2}),
    ((0, 3), [0, 0], [0, 2], [1, 1], {"begin_mask": 1, "end_mask": 1}),
    ((), np.zeros(0, int), np.zeros(0, int), np.zeros(0, int), {}),
    ((), [0], [0], [1], {"new_axis_mask": 1}),
    ((3,), [0, 0], [0, 1], [0, 1], {"new_axis_mask": 1}),
]
BAD_SPECS: Any = [
    ((5,), [5], [6], [1], {"shrink_axis_mask": 1}),
    ((5,), [-6], [6], [1], {"shrink_axis_mask": 1}),
    ((5,), [1, 1], [2, 2], [1, 1], {}),
    ((5,), [1], [2], [0], {}),
    ((5,), [1], [2], [-1], {"shrink_axis_mask": 1}),
    ((5, 5), [1, 1], [2, 2], [1, 1], {"ellipsis_mask": 3}),
]


def _picked(shape, begin, end, strides, masks):
    """The shape of the result, by numpy's own indexing."""
    from runstep.graph import strided_slice

    full = {mask: masks.get(mask, 0) for mask in strided_slice.MASKS}
    return np.empty(shape)[strided_slice.index(list(begin), list(end), list(strides), full)].shape


CASES = [
    *[case("Slice", real(*shape), of(begin), of(size)) for shape, begin, size in SLICES],
    *[case("Slice", real(4, 3), of(b), of(s), types=FEW, error=InvalidArgumentError) for b, s in BAD_SLICES],
    case("Slice", real(4, 3), of([0, 4]), of([1, -1]), types=FEW, error=ValueError),
    case("Slice", real(4, 3), of([0]), of([1]), types=FEW, error=ValueError),
    *[
        case("StridedSlice", real(*shape), of(b), of(e), of(s), types={} if i % 5 == 0 else FEW, **masks)
        for i, (shape, b, e, s, masks) in enumerate(SPECS)
    ],
    *[
        case("StridedSlice", real(*shape), of(b), of(e), of(s), types=FEW, error=error, **masks)
        for shape, b, e, s, masks in BAD_SPECS
        for error in (InvalidArgumentError, ValueError)
    ],
    case("StridedSlice", real(4), of([1, 2]), of([2]), of([1]), types=FEW, error=InvalidArgumentError),
    *[
        case(
            "StridedSliceGrad",
            of(np.array(shape, int)),
            of(b),
            of(e),
            of(s),
            real(*_picked(shape, b, e, s, masks)),
            types={} if i % 5 == 0 else FEW,
            **masks,
        )
        for i, (shape, b, e, s, masks) in enumerate(SPECS)
    ],
    case("StridedSliceGrad", of([4]), of([1]), of([3]), of([1]), real(3), types=FEW, error=InvalidArgumentError),
    *[
        case(
            "TensorStridedSliceUpdate",
            real(*shape),
            of(b),
            of(e),
            of(s),
            real(*_picked(shape, b, e, s, masks)),
            types=NOT_QUANTIZED if i % 5 == 0 else FEW,
            **masks,
        )
        for i, (shape, b, e, s, masks) in enumerate(SPECS)
    ],
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
