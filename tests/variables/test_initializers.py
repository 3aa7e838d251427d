"""Initializers: the same nodes, and with equal seeds the same values as TensorFlow's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Same = Callable[..., None]


def _calls(tf: Any) -> list[Any]:
    init = tf.initializers
    return [
        lambda: init.zeros()([2]),
        lambda: init.zeros()([2], dtype=tf.string),
        lambda: init.zeros(tf.bool)([2]),
        lambda: init.ones()([2], dtype=tf.int32),
        lambda: init.constant(2.0)([2]),
        lambda: init.constant([1, 2, 3])([2, 3]),
        lambda: init.constant([1, 2, 3], verify_shape=True)([2, 3]),
        lambda: init.constant([1, 2, 3])([2]),
        lambda: init.constant(2.0)([2], dtype=tf.int32),
        lambda: init.constant(2, dtype=tf.int64)([2]),
        lambda: init.constant("a", dtype=tf.string)([2]),
        lambda: init.constant(np.ones((2, 2)))([4]),
        lambda: init.random_uniform()([2]),
        lambda: init.random_uniform(0, 5, dtype=tf.int32, seed=3)([2]),
        lambda: init.random_uniform(-1, 1)([2], dtype=tf.float64),
        lambda: init.random_normal(1, 2, seed=3)([2]),
        lambda: init.truncated_normal()([2]),
        lambda: init.uniform_unit_scaling()([2, 3]),
        lambda: init.uniform_unit_scaling(1.4)([]),
        lambda: init.variance_scaling()([3, 4]),
        lambda: init.variance_scaling(mode="fan_out", distribution="uniform")([3, 3, 4, 5]),
        lambda: init.variance_scaling(mode="fan_avg", distribution="untruncated_normal")([3]),
        lambda: init.variance_scaling(distribution="normal")([]),
        lambda: init.orthogonal()([3, 4]),
        lambda: init.orthogonal(2.0)([4, 2, 3]),
        lambda: init.orthogonal()([4]),
        lambda: init.identity()([3, 3]),
        lambda: init.identity(2.0)([2, 3]),
        lambda: init.identity()([3]),
        lambda: init.identity(dtype=tf.float64)([2, 2]),
        lambda: init.glorot_uniform()([2, 3]),
        lambda: init.glorot_normal(seed=1)([2, 3]),
        lambda: init.he_normal()([2, 3]),
        lambda: init.he_uniform()([2, 3]),
        lambda: init.lecun_normal()([2, 3]),
        lambda: init.lecun_uniform()([2, 3]),
    ]


def test_nodes_and_values(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        tf.set_random_seed(5)
        made = [log.tried(call) for call in _calls(tf)]
        with tf.Session() as session:
            log(session.run([tensor for tensor in made if tensor is not None]))

    same(program)


def test_constructors(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        init = tf.initializers
        for call in (
            lambda: init.variance_scaling(scale=-1),
            lambda: init.variance_scaling(mode="x"),
            lambda: init.variance_scaling(distribution="x"),
            lambda: init.constant(object()),
            lambda: init.random_normal(dtype=tf.int32),
            lambda: init.orthogonal(dtype=tf.int32),
            lambda: init.truncated_normal(dtype=tf.string),
        ):
            log.tried(call)
        for made in (
            init.zeros("float64"),
            init.constant(3),
            init.random_uniform(seed=4),
            init.random_normal(),
            init.truncated_normal(),
            init.uniform_unit_scaling(),
            init.variance_scaling(),
            init.orthogonal(),
            init.identity(),
            init.glorot_uniform(),
            init.glorot_normal(),
            init.he_normal(),
        ):
            log(type(made).__name__, made.get_config(), made.dtype.name)
            log(type(made).from_config(made.get_config()).get_config())

    same(program, graph=False, texts=False)


def test_seeded_variables_start_as_in_tensorflow(same: Same) -> None:
    """The seed of an operation without one of its own is its position in the graph."""

    def program(tf: Any, log: Any) -> None:
        tf.set_random_seed(1)
        a = tf.get_variable("a", [3, 2])
        with tf.variable_scope("s", regularizer=lambda w: tf.reduce_sum(w) * 0.1):
            b = tf.get_variable("b", [4], use_resource=True)
            c = tf.get_variable("c", [2, 2], initializer=tf.truncated_normal_initializer(stddev=0.1))
        d = tf.Variable(tf.random_normal([2]), name="d")
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            log(session.run([a, b, c, d]))

    same(program)
