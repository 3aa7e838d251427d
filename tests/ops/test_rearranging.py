"""Ops that move elements, against TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

from runstep.errors import InvalidArgumentError
from runstep.graph import dtypes
from runstep.kernels.numpy import rearranging
from runstep.testing import case, check, of, oracle, permutation, real, special

FEW = {"T": ["float32", "string", "bfloat16"]}
FEW_NUMBERS = {"T": ["float32", "int8", "bfloat16"]}
# ConjugateTranspose of strings aborts TensorFlow 2.21.
TRANSPOSED = {
    "T": ["float32", "float64", "int32", "int64", "float16", "bfloat16", "bool", "complex64", "complex128", "uint8"]
}
BOTH = (InvalidArgumentError, ValueError)

BITCASTS = [
    ("float32", "int32", (2, 3)),
    ("int32", "float32", ()),
    ("float64", "int32", (2,)),
    ("float32", "uint8", (2, 3)),
    ("float32", "uint8", ()),
    ("uint8", "float32", (2, 4)),
    ("int16", "complex128", (3, 8)),
    ("bfloat16", "uint16", (3,)),
    ("uint8", "float16", (0, 2)),
    ("int8", "qint8", (3,)),
]

CASES = [
    *[
        case(op, real(*shape), of(np.array(perm, int)), types=TRANSPOSED if i == 0 else FEW_NUMBERS)
        for op in ("Transpose", "ConjugateTranspose")
        for i, (shape, perm) in enumerate(
            (
                ((2, 3), [1, 0]),
                ((2, 3, 4), [2, 0, 1]),
                ((2, 3, 4), [0, 1, 2]),
                ((), []),
                ((3,), [0]),
                ((0, 2), [1, 0]),
                ((2, 3, 4), [-1, 0, 1]),
            )
        )
    ],
    *[case("Transpose", real(2, 3, 4), of(perm)) for perm in ([2, 0, 1], [0, 2, 1])],
    case("ConjugateTranspose", real(2, 3), of([1, 0]), types={"T": ["complex64", "complex128"]}),
    *[
        case("Transpose", real(2, 3), of(perm), types=FEW, error=error)
        for perm in ([0], [0, 2], [0, 1, 2])
        for error in BOTH
    ],
    case("Transpose", real(2, 3), of([0, 0]), types=FEW, error=InvalidArgumentError),
    *[case("InvertPermutation", permutation(size)) for size in (0, 1, 5)],
    *[case("InvertPermutation", of(perm), error=InvalidArgumentError) for perm in ([0, 0], [0, 2], [-1, 0])],
    *[case("InvertPermutation", of([[0, 1]]), error=error) for error in BOTH],
    *[
        case("Reverse", real(*shape), of(np.array(flip, bool)), types={} if i == 0 else FEW)
        for i, (shape, flip) in enumerate(
            (((2, 3), [True, False]), ((2, 3), [True, True]), ((), []), ((3, 0), [False, True]))
        )
    ],
    case("Reverse", real(0), of([True]), types=FEW, error=InvalidArgumentError),
    *[case("Reverse", real(2, 3), of([True]), types=FEW, error=error) for error in BOTH],
    *[
        case("ReverseV2", real(*shape), of(np.array(axes, int)), types={} if i == 0 else FEW)
        for i, (shape, axes) in enumerate(
            (((2, 3), [0]), ((2, 3), [-1, 0]), ((2, 3), []), ((), []), ((0, 3), [1]), ((2, 3, 4), [1]))
        )
    ],
    *[
        case("ReverseV2", real(2, 3), of(axes), types=FEW, error=error)
        for axes in ([2], [-3], [0, 0], [0, -2])
        for error in BOTH
    ],
    *[
        case("ReverseSequence", real(*shape), of(lengths), seq_dim=seq, batch_dim=batch, types={} if i == 0 else FEW)
        for i, (shape, lengths, seq, batch) in enumerate(
            (
                ((3, 4), [1, 4, 0], 1, 0),
                ((4, 3), [1, 4, 2], 0, 1),
                ((3, 4, 2), [3, 3, 3], 1, 0),
                ((2, 3, 4), [2, 3, 1], 2, 1),
                ((0, 2), np.zeros(0, int), 1, 0),
            )
        )
    ],
    *[
        case("ReverseSequence", real(3, 4), of(lengths), seq_dim=seq, types=FEW, error=InvalidArgumentError)
        for lengths, seq in (([1, 5, 0], 1), ([1, -1, 0], 1), ([1, 2], 1), ([1, 2, 3], 2), ([1, 2, 3], 0))
    ],
    *[
        case("ReverseSequence", real(3, 4), of(lengths), seq_dim=seq, types=FEW, error=ValueError)
        for lengths, seq in (([1, 2], 1), ([1, 2, 3], 2))
    ],
    *[
        case("Roll", real(*shape), of(shift), of(axis), types={} if i == 0 else FEW)
        for i, (shape, shift, axis) in enumerate(
            (
                ((5,), 2, 0),
                ((3, 4), [1, -2], [0, 1]),
                ((3, 4), [1, 1], [0, 0]),
                ((3, 4), -7, -1),
                ((0, 3), 1, 0),
                ((2, 3, 4), [1, 2], [2, 0]),
            )
        )
    ],
    *[
        case("Roll", real(3, 4), of(shift), of(axis), types=FEW, error=InvalidArgumentError)
        for shift, axis in ((1, 2), ([1, 2], [0, 2]))
    ],
    case("Roll", real(3, 4), of([1, 2]), of([0]), types=FEW, error=ValueError),
    *[case("Roll", real(), of(1), of(0), types=FEW, error=error) for error in BOTH],
    case("SpaceToBatch", real(1, 4, 4, 2), of([[0, 0], [1, 1]]), block_size=2),
    case("BatchToSpace", real(8, 2, 2, 2), of([[0, 1], [1, 1]]), block_size=2),
    *[
        case("SpaceToBatchND", real(1, 4, 4, 1), of(block), of(pads), types=FEW_NUMBERS, error=ValueError)
        for block, pads in (
            ([2, 3], [[0, 0], [0, 0]]),
            ([2, 2], [[0, -2], [0, 0]]),
            ([0, 2], [[0, 0], [0, 0]]),
            ([2, 2], [[0, 0]]),
        )
    ],
    *[
        case("BatchToSpaceND", real(4, 2, 2, 1), of(block), of(crops), types=FEW_NUMBERS, error=ValueError)
        for block, crops in (([2, 3], [[0, 0], [0, 0]]), ([2, 2], [[0, -2], [0, 0]]), ([2, 2], [[3, 2], [0, 0]]))
    ],
    *[
        case(op, real(*shape), block_size=2, types={} if i == 0 else FEW)
        for op, shapes in (
            ("SpaceToDepth", ((1, 4, 6, 3), (2, 2, 2, 1), (0, 2, 2, 1))),
            ("DepthToSpace", ((1, 2, 3, 12), (2, 1, 1, 4), (0, 1, 1, 4))),
        )
        for i, shape in enumerate(shapes)
    ],
    *[
        case(op, real(*shape), block_size=2, types=FEW, error=error)
        for op, shape in (
            ("SpaceToDepth", (1, 3, 4, 1)),
            ("SpaceToDepth", (4, 4, 1)),
            ("DepthToSpace", (1, 2, 2, 3)),
            ("DepthToSpace", (2, 2, 4)),
        )
        for error in BOTH
    ],
    *[
        case("Bitcast", special(*shape, dtype=source), type=target, types={"T": [source]})
        for source, target, shape in BITCASTS
    ],
    *[case("Bitcast", real(2, 3), type="float64", types={"T": ["float32"]}, error=error) for error in BOTH],
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)


# TensorFlow refuses these ops with blocks of unknown shape, which is how rows are run. So they are run eagerly here.
BLOCKS = [
    ("SpaceToBatchND", (1, 4, 4, 2), [2, 2], [[0, 0], [0, 0]]),
    ("SpaceToBatchND", (2, 3, 4, 1), [2, 2], [[0, 1], [2, 0]]),
    ("SpaceToBatchND", (1, 4, 3), [2], [[0, 0]]),
    ("SpaceToBatchND", (1, 4), [2], [[0, 0]]),
    ("SpaceToBatchND", (2, 3, 5, 2, 1), [1, 2, 2], [[0, 0], [1, 0], [0, 0]]),
    ("SpaceToBatchND", (0, 4, 4, 1), [2, 2], [[0, 0], [0, 0]]),
    ("SpaceToBatchND", (1, 4, 4, 1), [1, 1], [[0, 0], [0, 0]]),
    ("SpaceToBatchND", (1, 4, 4, 1), [2, 3], [[0, 0], [0, 0]]),
    ("SpaceToBatchND", (1, 4, 4, 1), [2, 2], [[0, -2], [0, 0]]),
    ("SpaceToBatchND", (1, 4, 4, 1), [0, 2], [[0, 0], [0, 0]]),
    ("BatchToSpaceND", (4, 2, 2, 2), [2, 2], [[0, 0], [0, 0]]),
    ("BatchToSpaceND", (8, 2, 3, 1), [2, 2], [[0, 1], [2, 0]]),
    ("BatchToSpaceND", (2, 4, 3), [2], [[1, 1]]),
    ("BatchToSpaceND", (2, 4), [2], [[0, 0]]),
    ("BatchToSpaceND", (4, 3, 3, 1, 1), [1, 2, 2], [[0, 0], [1, 0], [0, 0]]),
    ("BatchToSpaceND", (0, 4, 4, 1), [2, 2], [[0, 0], [0, 0]]),
    ("BatchToSpaceND", (1, 4, 4, 1), [1, 1], [[0, 0], [0, 0]]),
    ("BatchToSpaceND", (4, 2, 2, 1), [2, 3], [[0, 0], [0, 0]]),
    ("BatchToSpaceND", (4, 2, 2, 1), [2, 2], [[3, 2], [0, 0]]),
]


@pytest.mark.parametrize("dtype", ["float32", "int64", "bfloat16", "uint8"])
@pytest.mark.parametrize(("op", "shape", "block", "pads"), BLOCKS)
def test_blocks(op, shape, block, pads, dtype):
    tf = oracle.tensorflow()
    value = np.arange(int(np.prod(shape))).reshape(shape).astype(dtypes.as_dtype(dtype).np)
    pads_name = "paddings" if op == "SpaceToBatchND" else "crops"
    kernel = rearranging.space_to_batch_nd if op == "SpaceToBatchND" else rearranging.batch_to_space_nd
    try:
        want = getattr(tf.raw_ops, op)(input=tf.constant(value), block_shape=block, **{pads_name: pads}).numpy()
    except tf.errors.InvalidArgumentError:
        with pytest.raises(InvalidArgumentError):
            kernel(value, np.array(block), np.array(pads))
        return
    found = kernel(value, np.array(block), np.array(pads))
    assert found.dtype == want.dtype
    np.testing.assert_array_equal(found, want)
    assert not np.shares_memory(found, value)
