"""Example and SequenceExample messages are read as TensorFlow reads them."""

from __future__ import annotations

import numpy as np
import pytest

import runstep.kernels.numpy.parsing
import runstep.ops.parsing  # noqa: F401
from runstep import errors
from runstep.protos import example_pb2, feature_pb2
from runstep.testing import case, check, of

INVALID = errors.InvalidArgumentError


def feature(values):
    found = feature_pb2.Feature()
    if values is None:
        return found
    first = values[0] if values else 1.5
    if isinstance(first, bytes):
        found.bytes_list.value.extend(values)
    elif isinstance(first, int):
        found.int64_list.value.extend(values)
    else:
        found.float_list.SetInParent()
        found.float_list.value.extend(values)
    return found


def example(**features):
    found = example_pb2.Example()
    for name, values in features.items():
        found.features.feature[name].CopyFrom(feature(values))
    return found.SerializeToString(deterministic=True)


def sequence(context, **lists):
    found = example_pb2.SequenceExample()
    for name, values in context.items():
        found.context.feature[name].CopyFrom(feature(values))
    for name, rows in lists.items():
        found.feature_lists.feature_list[name].SetInParent()
        for row in rows:
            found.feature_lists.feature_list[name].feature.add().CopyFrom(feature(row))
    return found.SerializeToString(deterministic=True)


A = example(f=[1.0, 2.0], i=[3], s=[b"x", b"y"], d=[5.0, 6.0])
B = example(f=[], s=[b"z"], d=[7.0, 8.0])
C = example(i=[1, 2, 3])
WIDE = [example(d=[1.0, 2.0, 3.0, 4.0]), example(d=[1.0, 2.0])]
NO_FLOAT, NO_INT = of([], "float32"), of([], "int64")
NO_STRING = of(np.zeros(0, object), "string")


def keys(*names):
    return of(np.array([name.encode() for name in names], object), "string")


def parse(serialized, names=(), sparse=(), dense=(), ragged=(), error=None):
    """`sparse`: (key, type) pairs; `dense`: (key, shape, default); `ragged`: (key, type, splits type)."""
    return case(
        "ParseExampleV2",
        of(np.array(serialized, object) if isinstance(serialized, list) else serialized, "string"),
        keys(*names),
        keys(*(key for key, _ in sparse)),
        keys(*(key for key, _, _ in dense)),
        keys(*(key for key, _, _ in ragged)),
        [default for _, _, default in dense],
        error=error,
        num_sparse=len(sparse),
        sparse_types=[kind for _, kind in sparse],
        dense_shapes=[shape for _, shape, _ in dense],
        ragged_value_types=[kind for _, kind, _ in ragged],
        ragged_split_types=[split for _, _, split in ragged],
    )


PAIR = (("f", "float32"), ("s", "string"))
ONE = PAIR[:1]
RAGGED = (("i", "int64", "int32"), ("s", "string", "int64"))
D = ("d", [2], NO_FLOAT)
VARIABLE = ("i", [-1], of([9], "int64"))


def old(serialized, sparse=(), dense=(), error=None):
    return case(
        "ParseExample",
        of(np.array(serialized, object), "string"),
        keys(),
        [of(key) for key, _ in sparse],
        [of(key) for key, _, _ in dense],
        [default for _, _, default in dense],
        error=error,
        sparse_types=[kind for _, kind in sparse],
        dense_shapes=[shape for _, shape, _ in dense],
    )


def single(serialized, sparse=(), dense=(), error=None):
    return case(
        "ParseSingleExample",
        of(serialized),
        [default for _, _, default in dense],
        error=error,
        num_sparse=len(sparse),
        sparse_keys=[key for key, _ in sparse],
        dense_keys=[key for key, _, _ in dense],
        sparse_types=[kind for _, kind in sparse],
        dense_shapes=[shape for _, shape, _ in dense],
    )


S = sequence({"c": [1, 2], "f": [1.5, 2.5], "r": [4]}, x=[[b"a"], [b"b", b"c"]], t=[[1, 2], [3, 4]], y=[[b"e"], [b"f"]])
T = sequence({"f": [0.5, 0.25], "r": [5, 6]}, x=[[b"d"]], t=[], y=[[b"g", b"h"]])
U = sequence({"c": [7], "f": [0.0, 1.0]})
BAD = sequence({"f": [0.0, 1.0]}, t=[[1, 2, 3]])


def sequences(serialized, missing=(False,), ragged=False, error=None, dense=True):
    timed = ["t"] if dense else []
    return case(
        "ParseSequenceExampleV2",
        of(np.array(serialized, object) if isinstance(serialized, list) else serialized, "string"),
        keys(),
        keys("c"),
        keys("f"),
        keys(*(["r"] if ragged else [])),
        keys("x"),
        keys(*timed),
        keys(*(["y"] if ragged else [])),
        of(np.array(missing[: len(timed)], bool), "bool"),
        [NO_FLOAT],
        error=error,
        Ncontext_sparse=1,
        context_sparse_types=["int64"],
        context_dense_shapes=[[2]],
        context_ragged_value_types=["int64"] if ragged else [],
        context_ragged_split_types=["int32"] if ragged else [],
        Nfeature_list_sparse=1,
        Nfeature_list_dense=len(timed),
        feature_list_sparse_types=["string"],
        feature_list_dense_types=["int64"] * len(timed),
        feature_list_dense_shapes=[[2]] * len(timed),
        feature_list_ragged_value_types=["string"] if ragged else [],
        feature_list_ragged_split_types=["int64"] if ragged else [],
    )


def old_sequences(serialized, missing=(), error=None):
    return case(
        "ParseSequenceExample",
        of(np.array(serialized, object), "string"),
        keys(),
        [NO_FLOAT],
        error=error,
        feature_list_dense_missing_assumed_empty=list(missing),
        context_sparse_keys=["c"],
        context_dense_keys=["f"],
        feature_list_sparse_keys=["x"],
        feature_list_dense_keys=["t"],
        Ncontext_sparse=1,
        Ncontext_dense=1,
        Nfeature_list_sparse=1,
        Nfeature_list_dense=1,
        context_sparse_types=["int64"],
        context_dense_shapes=[[2]],
        feature_list_dense_types=["int64"],
        feature_list_sparse_types=["string"],
        feature_list_dense_shapes=[[2]],
    )


def single_sequence(serialized, missing=(), error=None):
    return case(
        "ParseSingleSequenceExample",
        of(serialized),
        keys(*missing),
        [of("c")],
        [of("f")],
        [of("x")],
        [of("t")],
        [NO_FLOAT],
        of(""),
        error=error,
        context_sparse_types=["int64"],
        context_dense_shapes=[[2]],
        feature_list_dense_types=["int64"],
        feature_list_sparse_types=["string"],
        feature_list_dense_shapes=[[2]],
    )


CASES = [
    parse([A, B, C], sparse=PAIR),
    parse([A, B], dense=[D]),
    parse([A, C], dense=[("d", [2], of([0.5, 0.25]))]),
    parse([A, B, C], dense=[VARIABLE, ("s", [-1], of("pad"))]),
    parse([A, B, C], ragged=RAGGED),
    parse([A, B], sparse=ONE, dense=[D, ("i", [], of(4, "int64"))], ragged=RAGGED[1:]),
    parse(WIDE, dense=[("d", [-1, 2], of([0.0]))]),
    parse(WIDE, dense=[("d", [-1, 1], of([0.0]))]),
    parse(A, sparse=ONE, dense=[D, VARIABLE], ragged=RAGGED[1:]),
    parse([], sparse=ONE, dense=[D, VARIABLE], ragged=RAGGED[1:]),
    parse([b"", example(f=None)], sparse=ONE, ragged=RAGGED),
    parse([A, C], dense=[D], error=INVALID),
    parse([A, C], names=["n", "m"], dense=[D], error=INVALID),
    parse([A, C], names=["n"], sparse=PAIR, error=INVALID),
    parse([A, B], dense=[("d", [3], NO_FLOAT)], error=INVALID),
    parse([A, B], dense=[("d", [2], NO_INT)], error=INVALID),
    parse([A, B], dense=[("d", [2], of([1.5]))], error=INVALID),
    parse([A, B], sparse=[("d", "int64")], error=INVALID),
    parse([A, B], ragged=[("d", "int64", "int32")], error=INVALID),
    parse([example(d=[1.0, 2.0, 3.0])], dense=[("d", [-1, 2], of([0.0]))], error=INVALID),
    parse([b"abc"], sparse=PAIR, error=INVALID),
    parse([[A]], sparse=PAIR, error=INVALID),
    old([A, B, C], sparse=PAIR, dense=[("d", [2], of([0.5, 0.25])), VARIABLE]),
    old([A, C], dense=[D], error=INVALID),
    single(A, sparse=PAIR, dense=[D, VARIABLE]),
    single(B, sparse=PAIR, dense=[("i", [1], of([4], "int64"))]),
    single(C, dense=[D], error=INVALID),
    sequences([S, T]),
    sequences([S, U], dense=False, ragged=True),
    sequences([S, T, U], missing=(True,), ragged=True),
    sequences(S),  # TensorFlow leaves the ragged splits of a single example as the memory was
    sequences([], ragged=True, error=INVALID),
    sequences([S, U], error=INVALID),
    sequences([BAD], error=INVALID),
    sequences([b"\n\x05"], error=INVALID),
    old_sequences([S, T]),
    old_sequences([S, U], missing=["t"]),
    old_sequences([S, U], error=INVALID),
    single_sequence(S),
    single_sequence(U, missing=["t"]),
    single_sequence(U, error=INVALID),
]


for _index, _row in enumerate(CASES):
    _row.name = str(_index)  # the inputs are too long for an id


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
