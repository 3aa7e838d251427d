"""is_tensor, the conversions to tensors of any kind, and what makes sparse tensors, against TensorFlow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import runstep
from runstep.ops import conversion, sparse_making
from runstep.testing import building, oracle


def p(tf: Any, *shape: Any, kind: str = "float32") -> Any:
    return tf.placeholder(kind, shape)


def sparse(tf: Any) -> Any:
    return tf.SparseTensor([[0]], [1.0], [3])


class Names(building.Names):
    SparseTensor = runstep.SparseTensor
    SparseTensorValue = runstep.SparseTensorValue
    IndexedSlices = runstep.IndexedSlices

    def __init__(self) -> None:
        super().__init__([conversion, sparse_making])
        self.sparse = SimpleNamespace(from_dense=sparse_making.sparse_from_dense, eye=sparse_making.sparse_eye)


GRAPHS = {
    "arg_max": lambda tf: (tf.arg_max(p(tf, 2, 3), 1), tf.arg_min(p(tf, 2, 3), 0, output_type=tf.int32, name="z")),
    "constants": lambda tf: [
        tf.convert_to_tensor_or_sparse_tensor([1], name="q"),
        tf.convert_to_tensor_or_indexed_slices([1], tf.float32),
    ],
    "sparse": lambda tf: tf.convert_to_tensor_or_sparse_tensor(sparse(tf)),
    "sparse value": lambda tf: tf.convert_to_tensor_or_sparse_tensor(tf.SparseTensorValue([[0]], [1.0], [3])),
    "sparse dtype": lambda tf: tf.convert_to_tensor_or_sparse_tensor(sparse(tf), dtype=tf.int32),
    "slices": lambda tf: tf.convert_to_tensor_or_indexed_slices(tf.IndexedSlices(p(tf, 2), p(tf, 2, kind="int32"))),
    "from_dense": lambda tf: tf.sparse.from_dense(p(tf, 2, 3)),
    "from_dense of strings": lambda tf: tf.sparse.from_dense(tf.placeholder("string"), name="q"),
    "eye": lambda tf: (tf.sparse.eye(3, 2), tf.sparse.eye(4, dtype=tf.int32, name="e")),
    "eye unknown": lambda tf: tf.sparse.eye(p(tf, kind="int64")),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_functions_build_tensorflows_nodes(name: str) -> None:
    want = building.nodes(oracle.tensorflow().compat.v1, GRAPHS[name])
    got = building.nodes(Names(), GRAPHS[name])
    if isinstance(want[0], str):
        assert got[:2] == want[:2]
    else:
        assert sorted(map(repr, got)) == sorted(map(repr, want))


def test_what_a_tensor_is() -> None:
    def answers(tf: Any, module: Any) -> list[Any]:
        with tf.Graph().as_default():
            things = [p(tf), 1, sparse(tf), tf.get_variable("a", []), None, [p(tf)], np.zeros(2)]
            return [[module.is_tensor(thing), module.is_symbolic_tensor(thing)] for thing in things]

    tf = oracle.tensorflow().compat.v1
    assert answers(runstep, conversion) == answers(tf, tf)


def test_values() -> None:
    with runstep.Graph().as_default(), runstep.Session() as session:
        found = session.run(sparse_making.sparse_from_dense([[0, 3], [4, 0]]))
        assert found.indices.tolist() == [[0, 1], [1, 0]] and found.values.tolist() == [3, 4]
        assert found.dense_shape.tolist() == [2, 2]
        found = session.run(sparse_making.sparse_eye(2, 3))
        assert found.indices.tolist() == [[0, 0], [1, 1]] and found.dense_shape.tolist() == [2, 3]
    assert conversion.get_logger().name == oracle.tensorflow().get_logger().name
