"""Operations on sets, and edit distances, agree with TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

import runstep.kernels.numpy.sets
import runstep.ops.table  # noqa: F401
from runstep import errors
from runstep.ops import sets
from runstep.testing import case, check, ints, of
from runstep.testing.building import Names, compare_graphs

INVALID = errors.InvalidArgumentError
ONE = {"T": ["int32"]}


def of64(value):
    return of(value, "int64")


NOWHERE = of64(np.zeros((0, 2)))
A, B = of64([[0, 0], [1, 0], [1, 1]]), of64([[0, 0], [2, 0]])


def pair(name, a=A, na=3, a_shape=(3, 2), b=B, nb=2, b_shape=(3, 1), types=ONE, **more):
    return case(
        "SparseToSparseSetOperation",
        a, ints(na, high=4), of64(list(a_shape)), b, ints(nb, high=4), of64(list(b_shape)),
        set_operation=name, types=types, **more,
    )  # fmt: skip


def edit(a, na, a_shape, b, nb, b_shape, **more):
    types = more.pop("types", ONE)
    return case(
        "EditDistance",
        of64(a), ints(na, high=3), of64(a_shape), of64(b), ints(nb, high=3), of64(b_shape),
        types=types, **more,
    )  # fmt: skip


LEFT, RIGHT = [[0, 0], [0, 1], [1, 0]], [[0, 0], [1, 0], [1, 1], [1, 2]]

CASES = [
    case("SetSize", of64([[0, 0], [0, 1], [1, 0]]), ints(3, high=3), of64([3, 2])),
    case("SetSize", of64([[0, 0, 0], [0, 1, 0], [0, 1, 1]]), ints(3, high=2), of64([1, 2, 2]), types=ONE),
    case("SetSize", NOWHERE, ints(0), of64([3, 2]), types=ONE),
    case("SetSize", of64([[1, 0], [0, 1]]), ints(2), of64([3, 2]), validate_indices=False, types=ONE),
    case("SetSize", of64([[1, 0], [0, 1]]), ints(2), of64([3, 2]), types=ONE, error=INVALID),
    case("SetSize", of64([[9, 0]]), ints(1), of64([3, 2]), types=ONE, error=INVALID),
    case("SetSize", of64([[0]]), ints(1), of64([1]), types=ONE, error=INVALID),
    *[
        row
        for name in ("a-b", "b-a", "intersection", "union")
        for row in (
            case("DenseToDenseSetOperation", ints(2, 4, high=5), ints(2, 3, high=5), set_operation=name),
            case("DenseToDenseSetOperation", ints(1, 2, 3, high=4), ints(1, 2, 3, high=4), set_operation=name),
            case("DenseToSparseSetOperation", ints(3, 2, high=4), A, ints(3, high=4), of64([3, 2]), set_operation=name),
            case(
                "DenseToSparseSetOperation",
                ints(3, 2, high=4),
                NOWHERE,
                ints(0),
                of64([3, 2]),
                set_operation=name,
                types=ONE,
            ),
            pair(name, types={}),
            pair(name, b=NOWHERE, nb=0),
        )
    ],
    case("DenseToDenseSetOperation", ints(2, 3), ints(2, 3), set_operation="x", types=ONE, error=INVALID),
    case("DenseToDenseSetOperation", ints(2, 3), ints(1, 3), set_operation="union", types=ONE, error=INVALID),
    case("DenseToDenseSetOperation", ints(2, 3), ints(1, 3), set_operation="union", types=ONE, error=ValueError),
    case("DenseToDenseSetOperation", ints(2), ints(2), set_operation="union", types=ONE, error=INVALID),
    case(
        "DenseToSparseSetOperation",
        ints(2, 2),
        of64([[1, 0], [0, 0]]),
        ints(2),
        of64([2, 2]),
        set_operation="union",
        types=ONE,
        error=INVALID,
    ),
    case(
        "DenseToSparseSetOperation",
        ints(2, 2),
        of64([[0, 0]]),
        ints(1),
        of64([3, 2]),
        set_operation="union",
        types=ONE,
        error=INVALID,
    ),
    pair("union", b_shape=(4, 1), error=INVALID),
    edit(LEFT, 3, [3, 2], RIGHT, 4, [3, 3], types={}),
    edit(LEFT, 3, [3, 2], RIGHT, 4, [3, 3], normalize=False),
    edit([[0, 0]], 1, [2, 1], [[0, 0]], 1, [1, 1]),
    edit([[0, 0]], 1, [2, 1], np.zeros((0, 2)), 0, [1, 1]),
    edit(np.zeros((0, 2)), 0, [2, 1], [[0, 0]], 1, [2, 1]),
    edit([[0, 0, 0], [0, 1, 0]], 2, [2, 2, 1], [[1, 1, 0]], 1, [2, 2, 1]),
    edit([[0, 0]], 1, [1, 1], [[0, 0, 0]], 1, [1, 1, 1], error=INVALID),
    edit([[0]], 1, [1], [[0]], 1, [1], error=INVALID),
    edit([[5, 0]], 1, [1, 1], [[0, 0]], 1, [1, 1], error=errors.InternalError),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)


class Ours:
    size = staticmethod(sets.set_size)
    union = staticmethod(sets.set_union)
    intersection = staticmethod(sets.set_intersection)
    difference = staticmethod(sets.set_difference)


Names.sets = Ours  # type: ignore[attr-defined]


def sparse(tf):
    return tf.SparseTensor(
        tf.placeholder("int64", [None, 2]), tf.placeholder("int32", [None]), tf.placeholder("int64", [2])
    )


BUILDERS = {
    "size": lambda tf: tf.sets.size(sparse(tf)),
    "dense": lambda tf: tf.sets.union(tf.placeholder("int32", [2, 3]), tf.placeholder("int32", [2, 1])),
    "dense and sparse": lambda tf: tf.sets.difference(tf.placeholder("int32", [2, 3]), sparse(tf)),
    "sparse and dense": lambda tf: tf.sets.difference(sparse(tf), tf.placeholder("int32", [2, 3])),
    "sparse": lambda tf: tf.sets.intersection(sparse(tf), sparse(tf), validate_indices=False),
    "other way": lambda tf: tf.sets.difference(sparse(tf), sparse(tf), aminusb=False),
    "types": lambda tf: tf.sets.union(tf.placeholder("int32", [2, 3]), tf.placeholder("int64", [2, 1])),
    "edit": lambda tf: tf.edit_distance(sparse(tf), sparse(tf)),
    "edit no": lambda tf: tf.edit_distance(1, sparse(tf)),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_graph_is_tensorflows(name):
    compare_graphs(BUILDERS[name], [sets])
