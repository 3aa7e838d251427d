"""`tf.metrics`: nodes, collections, and values over several batches against TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Same = Callable[..., None]


def x(tf: Any, *shape: int | None, dtype: str = "float32") -> Any:
    return tf.placeholder(dtype, shape, name="x")


def two(tf: Any, *shape: int, dtype: str = "float32") -> tuple[Any, Any]:
    return x(tf, *shape, dtype=dtype), x(tf, *shape, dtype=dtype)


def answers(tf: Any) -> tuple[Any, Any]:
    return x(tf, 5, dtype="bool"), x(tf, 5)


METRICS = [
    lambda tf, m: m.mean(x(tf, None, 3)),
    lambda tf, m: m.mean(x(tf, 5, 3), x(tf, 5, 1), metrics_collections=["a"], updates_collections="b", name="q"),
    lambda tf, m: [m.mean_tensor(x(tf, 5, 3)), m.mean_tensor(x(tf, 5, 3), weights=x(tf, 5, 1))],
    lambda tf, m: m.accuracy(*two(tf, 5, dtype="int64")),
    lambda tf, m: m.accuracy(x(tf, 5, 1, dtype="int32"), x(tf, 5), weights=x(tf, 5)),
    lambda tf, m: [m.mean_absolute_error(*two(tf, 5, 3)), m.mean_squared_error(*two(tf, 5, 3))],
    lambda tf, m: m.root_mean_squared_error(*two(tf, 5, 3), weights=x(tf, 5, 1), name="r"),
    lambda tf, m: [m.mean_relative_error(*two(tf, 5, 3), x(tf, 5, 3)), m.mean_cosine_distance(*two(tf, 5, 3), 1)],
    lambda tf, m: m.percentage_below(x(tf, 5, 3), 0.5),
    *[
        lambda tf, m, name=name: [
            getattr(m, name)(*two(tf, 5, dtype="bool")),
            getattr(m, name)(*two(tf, 5, dtype="bool"), weights=x(tf, 5), name="n"),
        ]
        for name in "true_positives true_negatives false_positives false_negatives precision recall".split()
    ],
    lambda tf, m: m.auc(*answers(tf), num_thresholds=5),
    lambda tf, m: m.auc(*answers(tf), x(tf, 5), 5, curve="PR", summation_method="careful_interpolation"),
    lambda tf, m: m.auc(*answers(tf), curve="PR", summation_method="minoring", thresholds=[0.5, 0.1]),
    lambda tf, m: m.auc(*answers(tf), num_thresholds=5, summation_method="majoring"),
    *[
        lambda tf, m, name=name: getattr(m, f"{name}_at_thresholds")(*answers(tf), [0.2, 0.5])
        for name in "true_positives true_negatives false_positives false_negatives precision recall".split()
    ],
    lambda tf, m: m.sensitivity_at_specificity(*answers(tf), 0.6, num_thresholds=5),
    lambda tf, m: m.specificity_at_sensitivity(*answers(tf), 0.6, num_thresholds=5),
    lambda tf, m: [
        m.mean_iou(*two(tf, 5, dtype="int64"), 3),
        m.mean_iou(*two(tf, 5, 2, dtype="int32"), 3, x(tf, 5, 2)),
    ],
    lambda tf, m: m.mean_per_class_accuracy(*two(tf, 5, dtype="int64"), 3),
    lambda tf, m: m.precision_at_k(x(tf, 5, 2, dtype="int64"), x(tf, 5, 4), 2),
    lambda tf, m: m.recall_at_k(x(tf, 5, 2, dtype="int64"), x(tf, 5, 4), 2, name="r"),
    lambda tf, m: m.recall_at_k(x(tf, 5, dtype="int64"), x(tf, 5, 4), 2),
    lambda tf, m: m.precision_at_top_k(*two(tf, 5, 2, dtype="int64")),
    lambda tf, m: m.recall_at_top_k(*two(tf, 5, 2, dtype="int64"), weights=x(tf, 5)),
]


@pytest.mark.parametrize("build", METRICS)
def test_a_metric_makes_the_nodes_of_tensorflows(same: Same, build: Any) -> None:
    def program(tf: Any, log: Any) -> None:
        log(build(tf, tf.metrics), tf.get_collection("a"), tf.get_collection("b"))
        log(tf.local_variables(), tf.get_collection(tf.GraphKeys.METRIC_VARIABLES), tf.global_variables())

    same(program, ordered=False)


def test_values_over_batches(same: Same) -> None:
    random = np.random.RandomState(0)
    batches = [
        (random.randint(0, 2, 8), random.rand(8), random.rand(8), random.randint(0, 4, 8), random.randint(0, 4, 8))
        for _ in range(3)
    ]
    ranked = [(random.randint(0, 5, (8, 2)), random.rand(8, 5)) for _ in range(3)]

    def program(tf: Any, log: Any) -> None:
        m = tf.metrics
        truth, guess, weight = x(tf, None, dtype="bool"), x(tf, None), x(tf, None)
        classes, said = x(tf, None, dtype="int64"), x(tf, None, dtype="int64")
        labels, scores = x(tf, None, 2, dtype="int64"), x(tf, None, 5)
        some = tf.SparseTensor([[0, 0], [2, 0], [2, 1]], tf.constant([1, 3, 0], tf.int64), [8, 2])
        found = [m.mean(guess, weight), m.accuracy(classes, said, weight), m.root_mean_squared_error(weight, guess)]
        found += [m.mean_relative_error(weight, guess, tf.round(guess)), m.percentage_below(guess, 0.3, weight)]
        found += [metric(truth, guess > 0.4, weight) for metric in (m.precision, m.recall, m.true_negatives)]
        for curve in ("ROC", "PR"):
            for method in ("trapezoidal", "careful_interpolation", "minoring", "majoring"):
                found.append(m.auc(truth, guess, weight, 20, curve=curve, summation_method=method))
        found += [m.sensitivity_at_specificity(truth, guess, 0.6), m.specificity_at_sensitivity(truth, guess, 0.6)]
        found += [m.precision_at_thresholds(truth, guess, [0.2, 0.7]), m.recall_at_thresholds(truth, guess, [0.2, 0.7])]
        found += [m.mean_iou(classes, said, 4, weight), m.mean_per_class_accuracy(classes, said, 4, weight)]
        for target in (labels, some):
            found += [m.precision_at_k(target, scores, 2, weights=weight), m.recall_at_k(target, scores, 3)]
            found += [m.precision_at_k(target, scores, 2, class_id=1), m.recall_at_k(target, scores, 3, class_id=3)]
            found += [m.average_precision_at_k(target, scores, 3), m.average_precision_at_k(target, scores, 2, weight)]
        found += [m.recall_at_k(classes, scores, 2), m.mean_cosine_distance(scores, scores, 1)]
        with tf.Session() as session:
            session.run(tf.local_variables_initializer())
            for (a, b, c, d, e), (f, g) in zip(batches, ranked, strict=True):
                fed = {truth: a, guess: b, weight: c, classes: d, said: e, labels: f, scores: g}
                log(session.run([update for _, update in found], fed))
                log(session.run([value for value, _ in found]))

    same(program, graph=False)


def test_errors(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        m = tf.metrics
        log.tried(lambda: m.auc(*answers(tf), curve="X"))
        log.tried(lambda: m.auc(*answers(tf), summation_method="X"))
        log.tried(lambda: m.sensitivity_at_specificity(*answers(tf), 1.5))
        log.tried(lambda: m.specificity_at_sensitivity(*answers(tf), -1))
        log.tried(lambda: m.accuracy(x(tf, 5), x(tf, 4)))
        log.tried(lambda: m.mean(x(tf, 5), x(tf, 4)))
        log.tried(lambda: m.precision_at_k(x(tf, 5, 2, 3, dtype="int64"), x(tf, 5, 4), 2))
        value, _ = m.mean(x(tf, 5))
        with tf.Session() as session:
            log.tried(lambda: session.run(value))
            guess = x(tf, 1)
            _, update = m.auc([True], guess)
            session.run(tf.local_variables_initializer())
            log.tried(lambda: session.run(update, {guess: [2.0]}))

    same(program, graph=False, texts=False)
