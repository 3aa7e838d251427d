"""Crosses of columns agree with TensorFlow."""

from __future__ import annotations

import pytest

import runstep.kernels.numpy.sparse_cross
import runstep.ops.table  # noqa: F401
from runstep import errors
from runstep.ops import sparse_cross
from runstep.testing import case, check, ints, of, strings
from runstep.testing.building import Names, compare_graphs

INVALID = errors.InvalidArgumentError


def of64(value):
    return of(value, "int64")


def column(places, values, shape):
    return of64(places), values, of64(shape)


NUMBERS = ints(3, high=1000, dtype="int64")
A = column([[0, 0], [1, 0], [1, 1]], strings(3), [2, 2])
B = column([[0, 0], [1, 0]], of(["x", "y"]), [2, 1])
C = column([[0, 0], [1, 0], [1, 1]], NUMBERS, [2, 2])
HALF = column([[1, 0]], of(["y"]), [2, 1])
OTHER = column([[0, 0]], of(["y"]), [3, 1])
WIDE = column([[0, 0]], of64([1 << 40]), [2, 1])
DENSE, WHOLE = strings(2, 2), ints(2, 2, high=1000, dtype="int64")


def cross(op, columns, dense, *more, error=None, **attrs):
    indices, values, shapes = [list(part) for part in zip(*columns, strict=True)] if columns else ([], [], [])
    return case(op, indices, values, shapes, dense, *more, error=error, **attrs)


COLUMNS = {
    "text": ([A, B], []),
    "one": ([A], []),
    "dense": ([A], [DENSE]),
    "only dense": ([], [DENSE, DENSE]),
    "half": ([A, HALF], []),
    "three": ([A, B], [DENSE]),
}
WITH_NUMBERS = {"numbers": ([C, B], []), "all numbers": ([C], [WHOLE]), "wide": ([WIDE, HALF], [WHOLE])}
TEXT = {"out_type": "string", "internal_type": "string", "hashed_output": False, "num_buckets": 0, "hash_key": 0}
HASH = {"out_type": "int64", "internal_type": "int64", "hashed_output": True}

CASES = [
    *[cross("SparseCross", *parts, **TEXT) for parts in COLUMNS.values()],
    *[
        cross("SparseCross", *parts, **HASH, num_buckets=buckets, hash_key=key)
        for parts in [*COLUMNS.values(), *WITH_NUMBERS.values()]
        for buckets, key in [(0, 0xDECAFCAFFE), (100, 7)]
    ],
    *[
        cross("SparseCrossV2", *parts, sep)
        for parts in [*COLUMNS.values(), *WITH_NUMBERS.values()]
        for sep in ("_X_", "")
    ],
    *[
        cross("SparseCrossHashed", *parts, of64(buckets), of(strong), of64([3, 5]))
        # TensorFlow reads beyond the end of dense numbers.
        for parts in [*COLUMNS.values(), WITH_NUMBERS["numbers"], ([WIDE, HALF], []), ([C], [DENSE])]
        for buckets, strong in [(0, False), (100, False), (0, True), (100, True)]
    ],
    cross("SparseCross", [A, OTHER], [], **TEXT, error=INVALID),
    cross("SparseCross", [C, B], [], **TEXT, error=INVALID),
    cross("SparseCrossV2", [A, OTHER], [], "-", error=INVALID),
    cross("SparseCrossHashed", [A, B], [], of64(0), of(False), of64([1]), error=INVALID),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)


class Ours:
    cross = staticmethod(sparse_cross.sparse_cross)
    cross_hashed = staticmethod(sparse_cross.sparse_cross_hashed)


Names.sparse = Ours  # type: ignore[attr-defined]


def sparse(tf, kind):
    return tf.SparseTensor(
        tf.placeholder("int64", [None, 2]), tf.placeholder(kind, [None]), tf.placeholder("int64", [2])
    )


BUILDERS = {
    "cross": lambda tf: tf.sparse.cross(
        [sparse(tf, "string"), tf.placeholder("int32", [None, 2]), sparse(tf, "int64")], separator="-"
    ),
    "hashed": lambda tf: tf.sparse.cross_hashed(
        [sparse(tf, "string"), tf.placeholder("int32", [None, 2]), sparse(tf, "int32")], num_buckets=5
    ),
    "hashed text": lambda tf: tf.sparse.cross_hashed([sparse(tf, "string"), tf.placeholder("string", [None, 2])]),
    "no list": lambda tf: tf.sparse.cross("a"),
    "no tensors": lambda tf: tf.sparse.cross([["a"]]),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_graph_is_tensorflows(name):
    compare_graphs(BUILDERS[name], [sparse_cross])
