"""Embedding look-ups build TensorFlow's graphs."""

from __future__ import annotations

import pytest

import runstep.ops.table  # noqa: F401
from runstep.ops import embedding
from runstep.testing.building import Names, compare_graphs


class Space:
    embedding_lookup = staticmethod(embedding.embedding_lookup)
    embedding_lookup_sparse = staticmethod(embedding.embedding_lookup_sparse)
    safe_embedding_lookup_sparse = staticmethod(embedding.safe_embedding_lookup_sparse)


Names.nn = Space  # type: ignore[attr-defined]


def sparse(tf, kind="int64"):
    return tf.SparseTensor(
        tf.placeholder("int64", [None, 2]), tf.placeholder(kind, [None]), tf.placeholder("int64", [2])
    )


def table(tf):
    return tf.placeholder("float32", [10, 4])


BUILDERS = {
    "one": lambda tf: tf.nn.embedding_lookup(table(tf), tf.placeholder("int64", [3])),
    "one of list": lambda tf: tf.nn.embedding_lookup([table(tf)], [1, 2], name="x"),
    "two": lambda tf: tf.nn.embedding_lookup([table(tf), table(tf)], tf.placeholder("int64", [3])),
    "two divided": lambda tf: tf.nn.embedding_lookup([table(tf), table(tf)], tf.placeholder("int64", [3]), "div"),
    "nothing": lambda tf: tf.nn.embedding_lookup([], [1]),
    "strategy": lambda tf: tf.nn.embedding_lookup([table(tf), table(tf)], [1], "other"),
    "sum": lambda tf: tf.nn.embedding_lookup_sparse(table(tf), sparse(tf), None, combiner="sum"),
    "mean": lambda tf: tf.nn.embedding_lookup_sparse(table(tf), sparse(tf), None, combiner="mean"),
    "sqrtn": lambda tf: tf.nn.embedding_lookup_sparse(table(tf), sparse(tf), None, combiner="sqrtn", name="x"),
    "two mean": lambda tf: tf.nn.embedding_lookup_sparse([table(tf), table(tf)], sparse(tf), None, combiner="mean"),
    "weighted": lambda tf: tf.nn.embedding_lookup_sparse(table(tf), sparse(tf), sparse(tf, "float32"), combiner="mean"),
    "weighted root": lambda tf: tf.nn.embedding_lookup_sparse(
        [table(tf)], sparse(tf), sparse(tf, "float32"), combiner="sqrtn"
    ),
    "weighted sum": lambda tf: tf.nn.embedding_lookup_sparse(
        [table(tf)], sparse(tf), sparse(tf, "float32"), combiner="sum"
    ),
    "combiner": lambda tf: tf.nn.embedding_lookup_sparse(table(tf), sparse(tf), None, combiner="max"),
    "safe": lambda tf: tf.nn.safe_embedding_lookup_sparse([table(tf)], sparse(tf), None),
    "safe default": lambda tf: tf.nn.safe_embedding_lookup_sparse([table(tf)], sparse(tf), None, default_id=3),
    "safe weighted": lambda tf: tf.nn.safe_embedding_lookup_sparse([table(tf)], sparse(tf), sparse(tf, "float32")),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_graph_is_tensorflows(name):
    compare_graphs(BUILDERS[name], [])
