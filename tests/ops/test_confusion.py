"""confusion_matrix against TensorFlow: nodes, values, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep
from runstep.ops import confusion
from runstep.testing import building, oracle


@pytest.fixture(autouse=True)
def _old_control_flow() -> Any:
    tf = oracle.tensorflow().compat.v1
    was = tf.control_flow_v2_enabled()
    tf.disable_control_flow_v2()
    yield
    if was:
        tf.enable_control_flow_v2()


def p(tf: Any, *shape: Any, kind: str = "int32") -> Any:
    return tf.placeholder(kind, shape)


def unknown(tf: Any) -> Any:
    return tf.placeholder("int64")


GRAPHS = {
    "constants": lambda tf: tf.confusion_matrix([1, 2], [2, 2]),
    "classes": lambda tf: tf.confusion_matrix(p(tf, None), p(tf, None), 3, name="c"),
    "classes as a tensor": lambda tf: tf.confusion_matrix([1], [1], num_classes=tf.constant(4)),
    "weights": lambda tf: tf.confusion_matrix(
        p(tf, None), p(tf, None, 1, kind="int64"), 3, weights=p(tf, None, kind="float32"), dtype=tf.float32
    ),
    "cast weights": lambda tf: tf.confusion_matrix(p(tf, 2), p(tf, 2), 3, weights=[1, 2], dtype=tf.float64),
    "labels too deep": lambda tf: tf.confusion_matrix(p(tf, None, 1), p(tf, None)),
    "floats": lambda tf: tf.confusion_matrix(p(tf, 2, kind="float32"), p(tf, 2, kind="float32")),
    "unknown": lambda tf: tf.confusion_matrix(unknown(tf), unknown(tf)),
    "one unknown": lambda tf: tf.confusion_matrix(unknown(tf), p(tf, None)),
    "other unknown": lambda tf: tf.confusion_matrix(p(tf, None, 1), unknown(tf)),
    "ranks differ": lambda tf: tf.confusion_matrix(p(tf, 2, 2), p(tf, 2)),
    "weights differ": lambda tf: tf.confusion_matrix([1], [1], 3, weights=p(tf, 4)),
    "negative": lambda tf: tf.confusion_matrix([-1], [1]),
    "too large": lambda tf: tf.confusion_matrix([1], [3], 3),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_function_builds_tensorflows_nodes(name: str) -> None:
    tf = oracle.tensorflow().compat.v1
    want = building.nodes(tf, GRAPHS[name])
    got = building.nodes(building.Names([confusion]), GRAPHS[name])
    if isinstance(want[0], str):
        assert got[0] == want[0]
        assert want[1].partition(" for '")[0].partition("\n")[0] in got[1]
    else:
        assert sorted(map(repr, got)) == sorted(map(repr, want))


def test_values_and_failures_are_tensorflows() -> None:
    labels, predictions = np.array([0, 1, 2, 2, 1, 0]), np.array([0, 2, 2, 2, 1, 1])

    def program(tf: Any, function: Any) -> list[Any]:
        log: list[Any] = []
        with tf.Graph().as_default(), tf.Session() as session:
            a, b = tf.placeholder("int64"), tf.placeholder("int64", [None])
            for fetch, x in (
                (function(a, b), labels),
                (function(a, b, 4, tf.float32, None, [1, 2, 3, 4, 5, 6]), labels[:, None]),
                (function(a, b, 2), labels),
                (function(a, b), labels - 1),
            ):
                try:
                    log.append(session.run(fetch, {a: x, b: predictions}))
                except Exception as error:
                    log.append(type(error).__name__)
        return log

    tf = oracle.tensorflow().compat.v1
    for ours, theirs in zip(
        program(runstep, confusion.confusion_matrix), program(tf, tf.confusion_matrix), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
        assert getattr(ours, "dtype", None) == getattr(theirs, "dtype", None)
