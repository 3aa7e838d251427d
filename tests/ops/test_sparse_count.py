"""Counts as sparse tensors, decompression, and checks of several shapes are TensorFlow's."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from runstep.errors import DataLossError, InvalidArgumentError
from runstep.testing import case, check, of, real

KINDS = {"T": ["int32", "int64"], "output_type": ["int32", "float32"]}
ONE = {"T": ["int64"], "output_type": ["float32"]}
ROWS = of([[3, 1, 1], [0, 0, 7]])
NONE = real(0)
PLACES = of([[0, 1], [0, 2], [2, 0]], "int64")

CASES = [
    case("DenseCountSparseOutput", of([3, 1, 1]), of([]), binary_output=False, types=KINDS),
    *[
        case("DenseCountSparseOutput", ROWS, weights, **more, types=ONE)
        for weights, more in (
            (real(2, 3), {"binary_output": False}),
            (NONE, {"binary_output": True}),
            (NONE, {"binary_output": False, "minlength": 9}),
            (real(2, 3), {"binary_output": False, "maxlength": 3}),
        )
    ],
    case("DenseCountSparseOutput", of([]), NONE, binary_output=False, types=ONE),
    case("DenseCountSparseOutput", of([-1]), NONE, binary_output=False, types=ONE, error=InvalidArgumentError),
    case("DenseCountSparseOutput", ROWS, real(3), binary_output=False, types=ONE, error=InvalidArgumentError),
    case("DenseCountSparseOutput", of(3), NONE, binary_output=False, types=ONE, error=InvalidArgumentError),
    case("SparseCountSparseOutput", PLACES, of([1, 1, 4]), of([3, 4], "int64"), of([]), binary_output=False),
    case("SparseCountSparseOutput", PLACES, of([1, 1, 4]), of([3, 4], "int64"), real(3), binary_output=False,
         types=ONE),
    case("SparseCountSparseOutput", of([[2], [5]], "int64"), of([1, 1]), of([9], "int64"), NONE, binary_output=True,
         types=ONE),
    case("SparseCountSparseOutput", PLACES, of([1, 1, 4]), of([2, 4], "int64"), NONE, binary_output=False, types=ONE,
         error=InvalidArgumentError),
    case("RaggedCountSparseOutput", of([0, 2, 2, 3], "int64"), of([1, 1, 4]), of([]), binary_output=False),
    case("RaggedCountSparseOutput", of([0, 2, 2, 3], "int64"), of([1, 1, 4]), real(3), binary_output=False, types=ONE),
    case("RaggedCountSparseOutput", of([0, 2], "int64"), of([1, 1, 4]), NONE, binary_output=False, types=ONE,
         error=InvalidArgumentError),
    case("DecodeCompressed", of([b"abc", b""])),
    case("DecodeCompressed", of([[zlib.compress(b"abc" * 9)]]), compression_type="ZLIB"),
    case("DecodeCompressed", of([gzip.compress(b"abc" * 9, mtime=0)]), compression_type="GZIP"),
    case("DecodeCompressed", of([b"abc"]), compression_type="GZIP", error=DataLossError),
    case("DecodeCompressed", of([b"abc"]), compression_type="RAR", error=InvalidArgumentError),
]  # fmt: skip


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row: Any) -> None:
    check(row)


def test_bincount(same: Callable[..., None]) -> None:
    def program(tf: Any, log: Any) -> None:
        count = tf.sparse.bincount
        sparse = tf.SparseTensor([[0, 1], [0, 2], [2, 0]], [1, 1, 4], [3, 4])
        ragged = tf.RaggedTensor.from_row_splits([1, 1, 4], [0, 2, 2, 3], validate=False)
        found = [
            count([3, 1, 1]),
            count([[3, 1, 1], [0, 0, 7]], axis=-1, minlength=9),
            count([[3, 1, 1], [0, 0, 7]], weights=[[1.0, 2, 3], [4, 5, 6]], maxlength=4),
            count(sparse, axis=-1),
            count(sparse, binary_output=True),
            count(ragged, axis=-1),
        ]
        log.tried(lambda: count([1], axis=2))
        log.tried(lambda: count([1], weights=[1.0], binary_output=True))
        with tf.Session() as session:
            log([tuple(value) for value in session.run(found)])

    same(program, graph=False)


def test_shapes_that_must_agree(same: Callable[..., None]) -> None:
    def program(tf: Any, log: Any) -> None:
        check = tf.debugging.assert_shapes
        x, y = tf.placeholder(tf.float32, [2, 3], name="x"), tf.placeholder(tf.float32, [3, None], name="y")
        unknown = tf.placeholder(tf.float32, name="u")
        for shapes in (
            [(x, ("N", 3)), (y, (3, "Q"))],
            [(x, ("N", 4))],
            [(x, ("N", "D")), (y, ("N", "Q"))],
            [(x, ("N",))],
            [(x, (2, ...))],
            [(x, (..., 3))],
            [(x, "A*")],
            [(x, 5)],
            [(x, (1.5, 3))],
            [(x, (None, "."))],
            [(np.zeros([2, 2]), ("N", "N")), (np.zeros([2]), ("N",))],
            [(1.0, ())],
            {5.0: ()},
        ):
            log.tried(lambda: check(shapes).type)
        log.tried(lambda: check([(x, ("N", 4))], message="hello"))
        checks = [
            check([(unknown, ("N", "D")), (x, ("D", "N"))]),
            check([(unknown, ("N", 2))]),
            check([(unknown, ("*", "D", "D"))]),
            check([(unknown, ("D",))]),
            check([(unknown, (..., 2, 3))], data=["seen", unknown]),
        ]
        with tf.Session() as session:
            for value in (np.zeros([3, 2]), np.zeros([2, 3]), np.zeros([4, 2, 2]), np.float32(3), np.zeros([2])):
                for one in checks:
                    log.tried(lambda: session.run(one, {unknown: value, x: np.zeros([2, 3])}) is None)

    same(program, graph=False, texts=False)
