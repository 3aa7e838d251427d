"""Ops that put tensors together and take them apart, against TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

from runstep.errors import InvalidArgumentError
from runstep.ops import joining
from runstep.testing import case, check, of, real, special

FEW = {"T": ["float32", "string", "bfloat16"]}
# TensorFlow 2.21 aborts the process in shape inference of constant int8 lengths.
LENGTHS = {"Tlen": ["int32", "int64"]}
# TensorFlow registers Tile for every dtype and refuses the others when it runs.
TILED = {
    "T": ["float32", "float64", "int32", "int64", "float16", "bfloat16", "bool", "string", "complex64", "uint8", "int8"]
}
BOTH = (InvalidArgumentError, ValueError)


def varying(value):
    """A literal that static shape inference sees as unknown.

    Where the axis is unknown TensorFlow takes it for -1, and infers wrong shapes from known sizes.
    """
    spec = of(value)
    spec.is_literal = False
    return spec


CASES = [
    *[
        case("ConcatV2", [real(*shape) for shape in shapes], of(axis), types={} if i == 0 else FEW)
        for i, (shapes, axis) in enumerate(
            (
                (((2, 3), (1, 3)), 0),
                (((2, 3), (2, 1), (2, 2)), 1),
                (((2, 3), (2, 1)), -1),
                (((2, 3, 4), (2, 1, 4)), -2),
                (((2,), (0,)), 0),
                (((0, 3), (2, 3)), 0),
            )
        )
    ],
    *[
        case("ConcatV2", [real(*shape) for shape in shapes], of(axis), types=FEW, error=error)
        for shapes, axis in (
            (((2, 3), (1, 3)), 1),
            (((2, 3), (1, 3)), 2),
            (((2, 3), (1, 3)), -3),
            (((2, 3), (3,)), 0),
            (((), ()), 0),
        )
        for error in BOTH
    ],
    *[case("Concat", of(axis), [real(2, 3), real(2, 3)], types={} if axis else FEW) for axis in (0, 1)],
    *[
        case("ConcatOffset", of(axis), [of(shape) for shape in shapes])
        for axis, shapes in ((1, ([2, 2, 7], [2, 3, 7], [2, 5, 7])), (-1, ([1, 2], [1, 9])), (0, ([4], [5])))
    ],
    *[
        case("ConcatOffset", of(axis), [of(shape) for shape in shapes], error=InvalidArgumentError)
        for axis, shapes in ((1, ([2, 2, 7], [2, 3, 8])), (2, ([1, 2], [1, 9])), (0, ([4], [5, 5])))
    ],
    *[
        case("Pack", [real(*shape)] * count, axis=axis, types={} if i in (0, 3) else FEW)
        for i, (shape, count, axis) in enumerate(
            (
                ((2, 3), 2, 0),
                ((2, 3), 2, 1),
                ((2, 3), 3, 2),
                ((), 3, 0),
                ((), 2, -1),
                ((2, 3), 2, -1),
                ((2, 3), 2, -3),
                ((0,), 2, 0),
                ((4,), 1, 0),
            )
        )
    ],
    *[case("Pack", [real(2), real(3)], types=FEW, error=error) for error in BOTH],
    *[case("Pack", [real(2), real(2)], axis=axis, types=FEW, error=error) for axis in (2, -3) for error in BOTH],
    *[
        case("Unpack", real(*shape), num=num, axis=axis, types={} if i in (0, 3) else FEW)
        for i, (shape, num, axis) in enumerate(
            (
                ((2, 3), 2, 0),
                ((2, 3), 3, 1),
                ((2, 3), 3, -1),
                ((3,), 3, 0),
                ((2, 3, 4), 3, -2),
                ((0, 3), 0, 0),
                ((3, 0), 3, 0),
            )
        )
    ],
    *[
        case("Unpack", real(*shape), num=num, axis=axis, types=FEW, error=error)
        for shape, num, axis in (((2, 3), 3, 0), ((2, 3), 2, 2), ((2, 3), 2, -3), ((), 1, 0))
        for error in BOTH
    ],
    *[
        case("Split", of(axis), real(*shape), num_split=num, types={} if i == 0 else FEW)
        for i, (axis, shape, num) in enumerate(
            ((0, (4, 3), 2), (1, (4, 6), 3), (-1, (4, 6), 1), (0, (0, 3), 2), (-2, (4, 3), 4))
        )
    ],
    *[
        case("Split", of(axis), real(*shape), num_split=num, types=FEW, error=error)
        for axis, shape, num in ((0, (4, 3), 3), (2, (4, 3), 2), (-3, (4, 3), 2))
        for error in BOTH
    ],
    *[
        case(
            "SplitV",
            real(*shape),
            varying(sizes),
            of(axis),
            num_split=len(sizes),
            types=(LENGTHS if i == 0 else FEW | LENGTHS),
        )
        for i, (shape, sizes, axis) in enumerate(
            (
                ((4, 3), [1, 3], 0),
                ((4, 3), [1, -1], 0),
                ((4, 6), [0, 2, 4], 1),
                ((4, 6), [3, 3], -1),
                ((4, 6), [6], 1),
                ((0, 2), [0, -1], 0),
            )
        )
    ],
    *[
        case(
            "SplitV", real(4, 3), varying(sizes), of(axis), num_split=2, types=FEW | LENGTHS, error=InvalidArgumentError
        )
        for sizes, axis in (([1, 2], 0), ([5, -1], 0), ([1, 1, 2], 0), ([1, 3], 2), ([-1, -1], 0))
    ],
    *[
        case("Tile", real(*shape), of(np.array(multiples, int)), types=TILED if i == 0 else FEW)
        for i, (shape, multiples) in enumerate(
            (
                ((2, 3), [2, 1]),
                ((2, 3), [1, 3]),
                ((2, 3), [1, 1]),
                ((2, 3), [0, 2]),
                ((3,), [4]),
                ((), []),
                ((0, 2), [2, 2]),
                ((1, 2, 3), [2, 3, 2]),
            )
        )
    ],
    *[case("Tile", real(2, 3), of(multiples), types=FEW, error=InvalidArgumentError) for multiples in ([2], [1, -1])],
    case("Tile", real(2, 3), of([2]), types=FEW, error=ValueError),
    *[
        case("Pad", real(*shape), of(np.array(pads, int).reshape(-1, 2)), types={} if i == 0 else FEW)
        for i, (shape, pads) in enumerate(
            (
                ((2, 3), [[1, 0], [0, 2]]),
                ((2, 3), [[0, 0], [0, 0]]),
                ((3,), [[2, 2]]),
                ((), []),
                ((0, 2), [[1, 1], [1, 0]]),
                ((1, 2, 2, 1), [[0, 0], [1, 1], [1, 1], [0, 0]]),
            )
        )
    ],
    *[
        case("PadV2", real(*shape), of(pads), real(), types={} if i == 0 else FEW)
        for i, (shape, pads) in enumerate((((2, 3), [[1, 0], [0, 2]]), ((3,), [[2, 2]]), ((0, 2), [[1, 1], [1, 0]])))
    ],
    *[
        case("ParallelConcat", [real(*shape), real(*shape)], shape=[2, 3], types=FEW, error=ValueError)
        for shape in ((1, 4), (2, 3), ())
    ],
    case("Pad", special(8), of([[1, 1]]), types={"T": ["float32", "int8", "bfloat16"]}),
    *[
        case("Pad", real(2, 3), of(pads), types=FEW, error=error)
        for pads in ([[1, 0]], [[-1, 0], [0, 0]], [[1, 0, 0], [0, 0, 0]])
        for error in BOTH
    ],
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)


def _built(function):
    from runstep.graph.graph import Graph

    with Graph().as_default():
        return function()


def _placeholder(*shape):
    from runstep.graph.apply import apply

    return apply("Placeholder", dtype="float32", shape=shape)


@pytest.mark.parametrize(
    ("shape", "sizes", "axis", "want"),
    [
        ((4, 3), [1, 3], 0, [(1, 3), (3, 3)]),
        ((4, 3), [1, -1], 0, [(1, 3), (3, 3)]),
        ((None, 3), [1, -1], 0, [(1, 3), (None, 3)]),
        ((4, None), [1, 3], -2, [(1, None), (3, None)]),
    ],
)
def test_split_v_infers_from_constant_sizes(shape, sizes, axis, want):
    parts = _built(lambda: joining.split(_placeholder(*shape), sizes, axis))
    assert [part.raw_shape for part in parts] == want


@pytest.mark.parametrize(("sizes", "axis"), [([1, 2], 0), ([5, -1], 0), ([-1, -1], 0), ([1, 3], 2)])
def test_split_v_refuses_wrong_constant_sizes(sizes, axis):
    with pytest.raises(ValueError):
        _built(lambda: joining.split(_placeholder(4, 3), sizes, axis))


def test_parallel_stack_joins_tensors_of_known_shape():
    stacked = _built(lambda: joining.parallel_stack([np.ones((2, 3), np.float32)] * 2))
    assert stacked.op.type == "ParallelConcat"
    assert stacked.raw_shape == (2, 2, 3)
    assert stacked.name == "parallel_stack/ParallelConcat:0"
    with pytest.raises(ValueError, match="fully defined"):
        _built(lambda: joining.parallel_stack([_placeholder(None, 2)] * 2))
