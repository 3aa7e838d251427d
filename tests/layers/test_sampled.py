"""Losses over a sample of the classes, and functions that share variables, against TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Same = Callable[..., None]


def x(tf: Any, *shape: int | None, dtype: str = "float32") -> Any:
    return tf.placeholder(dtype, shape, name="x")


def table(tf: Any) -> tuple[Any, Any]:
    return tf.get_variable("w", [20, 4]), tf.get_variable("b", [20])


LOSSES = [
    lambda tf: tf.nn.sampled_softmax_loss(*table(tf), x(tf, 5, 1, dtype="int64"), x(tf, 5, 4), 7, 20),
    lambda tf: tf.nn.nce_loss(
        *table(tf), x(tf, 5, 2, dtype="int32"), x(tf, 5, 4), 7, 20, num_true=2, remove_accidental_hits=True, name="q"
    ),
    lambda tf: tf.nn.sampled_softmax_loss(
        [tf.get_variable(f"w{part}", [10, 4]) for part in range(2)],
        tf.get_variable("b", [20]),
        x(tf, None, 1, dtype="int64"),
        x(tf, None, 4),
        7,
        20,
        partition_strategy="div",
        seed=4,
        remove_accidental_hits=False,
    ),
]


@pytest.mark.parametrize("build", LOSSES)
def test_a_sampled_loss_makes_the_nodes_of_tensorflows(same: Same, build: Any) -> None:
    def program(tf: Any, log: Any) -> None:
        tf.set_random_seed(3)
        log(build(tf))

    same(program)


def test_values(same: Same) -> None:
    """Equal seeds sample equal classes."""
    random = np.random.RandomState(0)
    words, near = random.rand(6, 4).astype(np.float32), random.randint(0, 20, (6, 2))

    def program(tf: Any, log: Any) -> None:
        tf.set_random_seed(3)
        weights, biases = table(tf)
        labels = tf.constant(near, tf.int64)
        uniform = tf.nn.uniform_candidate_sampler(labels, 2, 5, True, 20, seed=7)
        found = [
            tf.nn.sampled_softmax_loss(weights, biases, labels, words, 7, 20, num_true=2),
            tf.nn.sampled_softmax_loss(weights, biases, labels[:, :1], words, 7, 20, seed=5),
            tf.nn.nce_loss(weights, biases, labels, words, 5, 20, num_true=2, sampled_values=uniform),
            tf.nn.nce_loss(weights, biases, labels[:, 1:], words, 5, 20, remove_accidental_hits=True),
        ]
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            for _ in range(2):
                log(session.run(found))

    same(program, graph=False)


def test_make_template(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        def scaled(value: Any, n: int, k: int = 2) -> Any:
            return value * tf.get_variable("w", [n], initializer=tf.ones_initializer()) * k

        ones = tf.ones([3])
        first = tf.make_template("t", scaled, n=3)
        log(first(ones), first(ones, k=4), first.variables, first.name, first.variable_scope.name)
        log(first.trainable_variables, first.weights, first.non_trainable_variables)
        now = tf.make_template("t", scaled, n=3, create_scope_now_=True)
        log(now.variable_scope.name)
        with tf.variable_scope("outer"):
            log(now(ones), now(ones))
        log(tf.make_template("z", scaled, n=3, unique_name_="exact")(ones))
        log(tf.make_template("inner", first)(ones))
        dense = tf.make_template("layers", lambda value: tf.layers.dense(value, 2))
        log(dense(tf.ones([3, 2])), dense(tf.ones([3, 2])), tf.global_variables())
        with tf.variable_scope("again"):
            twice = tf.make_template("t", scaled, n=3)
            log(twice(ones), twice(ones))

        own = tf.make_template("own", lambda: tf.Variable(1.0) + 1.0)
        log(own())
        log.tried(own)
        count = [0]

        def more() -> Any:
            count[0] += 1
            return tf.get_variable(f"v{count[0]}", [1])

        grows = tf.make_template("grows", more)
        log(grows(), own.global_variables, own.local_variables)
        log.tried(grows)

    same(program, ordered=False, texts=False)
