"""Sparse tensors as strings agree with TensorFlow; the table of sparse tensors gives each back once."""

from __future__ import annotations

import numpy as np
import pytest

import runstep.kernels.numpy.sparse_serial  # noqa: F401
from runstep import errors
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.kernels.numpy.sparse_serial import _written
from runstep.ops import sparse_serial
from runstep.testing import case, check, of, real
from runstep.testing.bench import Bench
from runstep.testing.building import compare_graphs

INVALID = errors.InvalidArgumentError
GAPS = {"SerializeSparse": "variants hold the parts themselves: they do not leave the process"}
ONE = {"T": ["float32"]}
FLOATS = np.array([1.5, 2.5], np.float32)


def of64(value):
    return of(value, "int64")


A = of64([[0, 1], [1, 0]])
NOWHERE = of64(np.zeros((0, 2)))


def written(indices, values, shape, kind=dtypes.float32):
    parts = (np.array(indices, np.int64), values, np.array(shape, np.int64))
    return _written(parts, kind, False)


FIRST = written([[0, 1], [1, 0]], FLOATS, [2, 3])
LARGER = written([[4, 1]], FLOATS[:1], [5, 4])
OTHER_RANK = written([[4]], FLOATS[:1], [5])
TEXT = written([[0]], np.array([b"abc"], object), [3], dtypes.string)

CASES = [
    case("SerializeSparse", A, real(2), of64([2, 3]), out_type="string"),
    case("SerializeSparse", NOWHERE, real(0), of64([2, 3]), out_type="string", types=ONE),
    case("SerializeSparse", of64([1]), real(2), of64([2, 3]), out_type="string", types=ONE, error=INVALID),
    case("SerializeManySparse", A, real(2), of64([3, 3]), out_type="string"),
    case("SerializeManySparse", NOWHERE, real(0), of64([2, 3]), out_type="string", types=ONE),
    case("SerializeManySparse", of64([[1, 0], [0, 1]]), real(2), of64([2, 3]), types=ONE, error=INVALID),
    case("SerializeManySparse", of64([[5, 0]]), real(1), of64([2, 3]), out_type="string", types=ONE, error=INVALID),
    case("SerializeManySparse", of64([[0]]), real(1), of64([2]), out_type="string", types=ONE, error=INVALID),
    case("DeserializeSparse", of(FIRST), dtype="float32", Tserialized="string"),
    case("DeserializeSparse", of([FIRST, LARGER]), dtype="float32", Tserialized="string"),
    case("DeserializeSparse", of([[FIRST], [LARGER]]), dtype="float32", Tserialized="string"),
    case("DeserializeSparse", of(TEXT), dtype="string", Tserialized="string"),
    case("DeserializeSparse", of([FIRST, OTHER_RANK]), dtype="float32", Tserialized="string", error=INVALID),
    case("DeserializeSparse", of([FIRST]), dtype="int32", Tserialized="string", error=INVALID),
    case("DeserializeSparse", of("a"), dtype="int32", Tserialized="string", error=INVALID),
    case("DeserializeSparse", of(["a", "b", "c"]), dtype="int32", Tserialized="string", error=INVALID),
    case("DeserializeManySparse", of([FIRST, LARGER]), dtype="float32"),
    case("DeserializeManySparse", of([FIRST]), dtype="int32", error=INVALID),
    case("DeserializeManySparse", of([["a", "b"]]), dtype="int32", error=INVALID),
    case("DeserializeManySparse", of([["a", "b"]]), dtype="int32", error=ValueError),
    case("AddSparseToTensorsMap", A, real(2), of64([2, 3]), stateful=True, types=ONE),
    case("AddSparseToTensorsMap", A, real(3), of64([2, 3]), types=ONE, error=INVALID),
    case("AddManySparseToTensorsMap", A, real(2), of64([2, 3]), stateful=True, types=ONE),
    case("TakeManySparseFromTensorsMap", of64([]), dtype="float32", shared_name="q", error=INVALID),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)


def test_variants_hold_the_parts_themselves():
    bench = Bench()
    with bench.graph.as_default():
        parts = (np.array([[0, 1], [1, 0]], np.int64), FLOATS, np.array([2, 3], np.int64))
        packed = apply("SerializeManySparse", *parts, out_type=dtypes.variant)
        back = bench.run(apply("DeserializeSparse", packed, dtype=dtypes.float32, Tserialized=dtypes.variant))
    assert [part.tolist() for part in back] == [[[0, 1], [1, 0]], [1.5, 2.5], [2, 3]]


def test_a_table_gives_each_sparse_tensor_once():
    bench = Bench()
    with bench.graph.as_default():
        parts = (np.array([[0, 1], [1, 0]], np.int64), FLOATS, np.array([2, 3], np.int64))
        one = bench.run(apply("AddSparseToTensorsMap", *parts, shared_name="map"))
        many = bench.run(apply("AddManySparseToTensorsMap", *parts, shared_name="map"))
        assert int(one) == 0 and many.tolist() == [1, 2]

        def take(handles, dtype=dtypes.float32):
            handles = np.array(handles, np.int64)
            taken = apply("TakeManySparseFromTensorsMap", handles, dtype=dtype, shared_name="map")
            return [part.tolist() for part in bench.run(taken)]

        assert take([2, 1]) == [[[0, 0], [1, 1]], [2.5, 1.5], [2, 3]]
        with pytest.raises(INVALID, match="Unable to find SparseTensor: 1"):
            take([1])
        with pytest.raises(INVALID, match="type int32"):
            take([0], dtypes.int32)


def sparse(tf):
    return tf.SparseTensor(
        tf.placeholder("int64", [None, 2]), tf.placeholder("float32", [None]), tf.placeholder("int64", [2])
    )


BUILDERS = [
    lambda tf: tf.serialize_sparse(sparse(tf)),
    lambda tf: tf.serialize_many_sparse(sparse(tf), name="x"),
    lambda tf: tf.deserialize_many_sparse(tf.placeholder("string", [None, 3]), tf.float32, rank=2),
    lambda tf: tf.deserialize_many_sparse(tf.placeholder("string"), tf.float32),
]


@pytest.mark.parametrize("index", range(len(BUILDERS)))
def test_graph_is_tensorflows(index):
    compare_graphs(BUILDERS[index], [sparse_serial])
