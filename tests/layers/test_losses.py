"""`tf.losses`: nodes, collections, values and errors against TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Same = Callable[..., None]


def x(tf: Any, *shape: int | None, dtype: str = "float32") -> Any:
    return tf.placeholder(dtype, shape, name="x")


def pair(tf: Any) -> tuple[Any, Any]:
    return x(tf, 5, 3), x(tf, 5, 3)


LOSSES = [
    lambda tf: tf.losses.mean_squared_error(x(tf, None, 3), x(tf, None, 3)),
    lambda tf: tf.losses.mean_squared_error(*pair(tf), weights=2.0, scope="s", loss_collection="mine"),
    lambda tf: tf.losses.absolute_difference(*pair(tf), weights=x(tf, 5, 1), reduction=tf.losses.Reduction.MEAN),
    lambda tf: tf.losses.cosine_distance(*pair(tf), axis=1),
    lambda tf: tf.losses.cosine_distance(*pair(tf), dim=0),
    lambda tf: tf.losses.hinge_loss(*pair(tf)),
    lambda tf: tf.losses.huber_loss(*pair(tf), delta=2.0),
    lambda tf: tf.losses.log_loss(*pair(tf), weights=0.5),
    lambda tf: tf.losses.sigmoid_cross_entropy(x(tf, 5, 3, dtype="int32"), x(tf, 5, 3)),
    lambda tf: tf.losses.sigmoid_cross_entropy(*pair(tf), label_smoothing=0.1),
    lambda tf: tf.losses.softmax_cross_entropy(*pair(tf)),
    lambda tf: tf.losses.softmax_cross_entropy(*pair(tf), label_smoothing=0.1, weights=x(tf, 5)),
    lambda tf: tf.losses.softmax_cross_entropy(x(tf, 5, 2, 3), x(tf, 5, 2, 3), label_smoothing=0.1),
    lambda tf: tf.losses.sparse_softmax_cross_entropy(x(tf, 5, dtype="int64"), x(tf, 5, 3)),
    lambda tf: tf.losses.sparse_softmax_cross_entropy(x(tf, 5, 1, dtype="int64"), x(tf, 5, 3), weights=x(tf, 5, 1)),
    lambda tf: tf.losses.mean_pairwise_squared_error(*pair(tf)),
    lambda tf: tf.losses.compute_weighted_loss(x(tf, 5, 3), weights=x(tf, None, 1), reduction="none"),
    lambda tf: tf.losses.compute_weighted_loss(x(tf, 5, 3, dtype="float64"), weights=[[1.0]] * 5),
    lambda tf: tf.losses.compute_weighted_loss(x(tf, 5, 3, dtype="float16"), weights=0),
    *[
        lambda tf, key=key: tf.losses.compute_weighted_loss(x(tf, 5, 3), x(tf, 5, 1), reduction=key)
        for key in ("none", "weighted_sum", "weighted_sum_over_batch_size", "weighted_mean")
    ],
]


@pytest.mark.parametrize("build", LOSSES)
def test_a_loss_makes_the_nodes_of_tensorflows(same: Same, build: Any) -> None:
    def program(tf: Any, log: Any) -> None:
        log(build(tf), tf.get_collection("losses"), tf.get_collection("mine"))

    same(program, ordered=False)


DYNAMIC = [
    lambda tf: tf.losses.compute_weighted_loss(x(tf, None, 3), weights=x(tf, 5, 1), reduction="weighted_sum"),
    lambda tf: tf.losses.mean_pairwise_squared_error(x(tf, None, 3, 2), x(tf, None, 3, 2), weights=x(tf, None, 1, 1)),
]


@pytest.mark.parametrize("build", DYNAMIC)
def test_shapes_that_only_the_step_knows(same: Same, build: Any) -> None:
    """Nodes are the same but for the control inputs of branches inside of branches."""

    def program(tf: Any, log: Any) -> None:
        log(build(tf), tf.get_collection("losses"))
        log(sorted(op.name for op in tf.get_default_graph().get_operations()))

    same(program, graph=False)


def test_totals(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        losses = tf.losses
        log(losses.get_regularization_loss(), losses.get_losses())
        losses.hinge_loss(*pair(tf))
        losses.log_loss(*pair(tf))
        losses.add_loss(tf.constant(1.0, name="extra"))
        losses.add_loss(tf.constant(1.0), None)
        for value in (2.0, 3.0):
            tf.add_to_collection("regularization_losses", tf.constant(value))
        log(losses.get_losses(), losses.get_losses("hinge"), losses.get_regularization_losses())
        log(losses.get_regularization_loss(), losses.get_total_loss(), losses.get_total_loss(False, name="some"))
        log(losses.get_total_loss(scope="hinge_loss"), losses.Reduction.all())

    same(program)


def test_values(same: Same) -> None:
    random = np.random.RandomState(0)
    labels, guesses = random.randint(0, 2, (6, 3)).astype(np.float32), random.rand(6, 3).astype(np.float32)
    weights = np.array([[0.0], [1.0], [2.0], [0.5], [0.0], [1.5]], np.float32)

    def program(tf: Any, log: Any) -> None:
        losses = tf.losses
        a, b, w = tf.constant(labels), tf.constant(guesses), tf.constant(weights)
        fed = tf.placeholder_with_default(weights, [None, None])
        elementwise = [losses.absolute_difference, losses.hinge_loss, losses.huber_loss, losses.log_loss]
        elementwise += [losses.mean_squared_error, losses.sigmoid_cross_entropy]
        found = [
            loss(a, b, weights=w, reduction=reduction)
            for loss in elementwise
            for reduction in ("none", "weighted_mean", "weighted_sum_by_nonzero_weights")
        ]
        found += [loss(a, b, weights=fed) for loss in elementwise]
        found += [losses.mean_pairwise_squared_error(a, b, w), losses.cosine_distance(a, b, axis=1, weights=w)]
        found += [losses.softmax_cross_entropy(a, b, w[:, 0], 0.2), losses.mean_squared_error(a, b, weights=0.0)]
        found += [losses.sparse_softmax_cross_entropy([0, 1, 2, 0, 1, 2], b, weights=w)]
        with tf.Session() as session:
            log(session.run(found))

    same(program, graph=False)


def test_weights_that_do_not_fit_are_found_in_the_step(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        values, weights = tf.placeholder(tf.float32, None), tf.placeholder(tf.float32, None)
        loss = tf.losses.compute_weighted_loss(values, weights)
        with tf.Session() as session:
            for shape in ((), (2, 3), (2, 1), (1, 3), (3,), (3, 3), (2, 3, 1)):
                log.tried(lambda: session.run(loss, {values: np.ones((2, 3)), weights: np.ones(shape)}))

    same(program, graph=False, texts=False)


def test_errors(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        losses = tf.losses
        log.tried(lambda: losses.mean_squared_error(None, [1.0]))
        log.tried(lambda: losses.mean_squared_error([1.0], None))
        log.tried(lambda: losses.softmax_cross_entropy(None, [[1.0, 2.0]]))
        log.tried(lambda: losses.mean_squared_error([1.0], [1.0], weights=None))
        log.tried(lambda: losses.mean_squared_error([1.0, 2.0], [[1.0]]))
        log.tried(lambda: losses.mean_squared_error([1.0, 2.0], [1.0, 2.0], weights=[1.0, 2.0, 3.0]))
        log.tried(lambda: losses.mean_squared_error([[1.0, 2.0]], [[1.0, 2.0]], weights=[1.0, 2.0]))
        log.tried(lambda: losses.mean_squared_error([1.0, 2.0], [1.0, 2.0], reduction="x"))
        log.tried(lambda: losses.softmax_cross_entropy([[1, 2, 3]], [[1.0, 2.0]]))
        log.tried(lambda: losses.cosine_distance([[1.0, 2.0]], [[1.0, 2.0]]))
        log.tried(lambda: losses.Reduction.validate("z"))

    same(program)
