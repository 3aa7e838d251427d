"""What is there of `tf.contrib`, which TensorFlow 2 has not: held against the formulas of its documentation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import runstep as tf


@pytest.fixture(autouse=True)
def _graph() -> Any:
    with tf.Graph().as_default():
        yield


def run(*fetches: Any) -> Any:
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(fetches)


@pytest.mark.parametrize("mode, fan", [("FAN_IN", 27 * 20), ("FAN_OUT", 27 * 60), ("FAN_AVG", 27 * 40)])
@pytest.mark.parametrize("uniform", [True, False])
def test_variance_scaling(mode: str, fan: int, uniform: bool) -> None:
    initializer = tf.contrib.layers.variance_scaling_initializer(3.0, mode, uniform, seed=1)
    (drawn,) = run(initializer([3, 9, 20, 60]))
    expected = math.sqrt(3.0 / fan)
    assert abs(drawn.mean()) < expected / 20
    assert drawn.std() == pytest.approx(expected, rel=0.02)
    limit = math.sqrt(3.0) * expected if uniform else 2 * math.sqrt(1.3) * expected
    assert 0.9 * limit < abs(drawn).max() <= limit


def test_xavier_is_the_uniform_average() -> None:
    ours, glorot = run(
        tf.contrib.layers.xavier_initializer(seed=3)([7, 5]), tf.glorot_uniform_initializer(seed=3)([7, 5])
    )
    np.testing.assert_allclose(ours, glorot, rtol=1e-6)


def test_initializers_refuse() -> None:
    with pytest.raises(TypeError, match="non-floating"):
        tf.contrib.layers.variance_scaling_initializer(dtype=tf.int32)
    with pytest.raises(ValueError, match="Unknown mode X"):
        tf.contrib.layers.variance_scaling_initializer(mode="X")


def test_regularizers() -> None:
    layers = tf.contrib.layers
    weights = tf.constant([1.0, -2.0, 3.0])
    found = run(
        layers.l1_regularizer(0.5)(weights),
        layers.l2_regularizer(0.5)(weights),
        layers.l1_l2_regularizer(0.5, 0.25)(weights),
        layers.sum_regularizer([layers.l1_regularizer(1.0), None])(weights),
        layers.apply_regularization(layers.l2_regularizer(1.0), [weights, weights]),
    )
    np.testing.assert_allclose(found, [3.0, 3.5, 4.75, 6.0, 14.0])
    assert len(tf.losses.get_regularization_losses()) == 1
    assert layers.l1_regularizer(0.0)(weights) is None and layers.sum_regularizer([]) is None
    for bad in (1, -0.5):
        with pytest.raises(ValueError, match="scale"):
            layers.l2_regularizer(bad)


def test_fully_connected() -> None:
    layers = tf.contrib.layers
    inputs = tf.constant(np.eye(3, dtype=np.float32))
    how: dict[str, Any] = {"weights_regularizer": layers.l2_regularizer(1.0), "variables_collections": ["mine"]}
    outputs = layers.fully_connected(inputs, 2, biases_initializer=tf.ones_initializer(), **how)
    linear = layers.linear(outputs, 4, scope="head", outputs_collections="seen")
    assert [v.name for v in tf.trainable_variables()] == [
        "fully_connected/weights:0",
        "fully_connected/biases:0",
        "head/weights:0",
        "head/biases:0",
    ]
    assert tf.model_variables() == tf.global_variables() and tf.get_collection("seen") == [linear]
    assert tf.get_collection("mine") == tf.global_variables()[:2]
    with tf.variable_scope("", reuse=True):
        again = layers.fully_connected(inputs, 2, scope="fully_connected")
    weights, first, second, losses = run(
        tf.global_variables()[0], outputs, again, tf.losses.get_regularization_losses()
    )
    np.testing.assert_allclose(first, np.maximum(weights + 1.0, 0.0), rtol=1e-6)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(losses, [np.square(weights).sum() / 2], rtol=1e-6)


def test_layer_norm() -> None:
    values = np.random.RandomState(0).rand(2, 3, 5).astype(np.float32)
    outputs = tf.contrib.layers.layer_norm(tf.constant(values), begin_norm_axis=1)
    last = tf.contrib.layers.layer_norm(tf.constant(values), begin_norm_axis=-1, center=False, scope="n")
    assert [v.name for v in tf.global_variables()] == ["LayerNorm/beta:0", "LayerNorm/gamma:0", "n/gamma:0"]
    whole, rows = run(outputs, last)
    for found, axes in ((whole, (1, 2)), (rows, 2)):
        centred = values - values.mean(axis=axes, keepdims=True)
        np.testing.assert_allclose(found, centred / values.std(axis=axes, keepdims=True), rtol=1e-3, atol=1e-4)
    with pytest.raises(ValueError, match="undefined rank"):
        tf.contrib.layers.layer_norm(tf.placeholder(tf.float32, None))


def test_names_of_other_modules() -> None:
    assert tf.contrib.rnn.LSTMCell is tf.nn.rnn_cell.LSTMCell
    assert tf.contrib.framework.nest.flatten([1, [2]]) == [1, 2]
    assert tf.contrib.layers.flatten(tf.zeros([2, 3, 4])).shape == (2, 12)
