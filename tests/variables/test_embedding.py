"""Embedding look-ups in variables, lists of variables, and partitioned variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Same = Callable[..., None]


@pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])
def test_embedding_lookup(same: Same, resource: bool) -> None:
    def program(tf: Any, log: Any) -> None:
        table = np.arange(12.0).reshape(6, 2)
        v = tf.Variable(table, name="v", use_resource=resource)
        w = tf.Variable(-table, name="w", use_resource=resource)
        p = tf.get_variable(
            "p",
            initializer=tf.constant(table[:5]),
            partitioner=tf.fixed_size_partitioner(2),
            use_resource=resource,
        )
        ids = tf.placeholder(tf.int64, [None])
        words = tf.placeholder(tf.int64, [None])
        bags = tf.SparseTensor([[0, 0], [1, 0]], words, [2, 2])
        weights = tf.SparseTensor([[0, 0], [1, 0]], tf.placeholder_with_default([1.0, 2.0], [None]), [2, 2])
        found = [
            tf.nn.embedding_lookup(v, ids),
            tf.nn.embedding_lookup([v, w], ids),
            tf.nn.embedding_lookup([v, w], ids, partition_strategy="div"),
            tf.nn.embedding_lookup(p, ids, partition_strategy="div"),
            tf.nn.embedding_lookup(v, ids, max_norm=1.0),
            tf.nn.embedding_lookup_sparse(v, bags, None, combiner="mean"),
            tf.nn.embedding_lookup_sparse(p, bags, weights, partition_strategy="div", combiner="sum"),
        ]
        log(found)
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            log(session.run(found, {ids: [0, 4, 2, 3], words: [1, 2]}))

    same(program)
