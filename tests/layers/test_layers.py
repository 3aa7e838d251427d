"""`tf.layers`: variables, names, nodes and values against TensorFlow with Keras 2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Same = Callable[..., None]


def x(tf: Any, *shape: int | None, dtype: str = "float32") -> Any:
    return tf.placeholder(dtype, shape, name="x")


def l2(tf: Any) -> Callable[[Any], Any]:
    return lambda variable: tf.nn.l2_loss(variable) * 0.1


DENSE = [
    lambda tf: tf.layers.dense(x(tf, None, 4), 3, activation=tf.nn.relu),
    lambda tf: [tf.layers.dense(x(tf, None, 4), 3), tf.layers.dense(x(tf, None, 4), 2, use_bias=False)],
    lambda tf: tf.layers.dense(x(tf, None, 7, 4), 3, name="a"),
    lambda tf: tf.layers.dense(x(tf, 2, None, 4, dtype="float64"), 3, trainable=False),
    lambda tf: tf.layers.dense(x(tf, None, 4), 3, kernel_initializer=tf.ones_initializer(), bias_initializer=None),
    lambda tf: tf.layers.dense(
        x(tf, None, 4), 3, kernel_regularizer=l2(tf), bias_regularizer=l2(tf), activity_regularizer=l2(tf)
    ),
    lambda tf: [tf.layers.flatten(x(tf, *s)) for s in ([None, 3, 4], [2, 3, 4], [None, None, 4], [2], [3, None, 2])],
    lambda tf: tf.layers.flatten(tf.placeholder(tf.float32, None)),
    lambda tf: tf.layers.flatten(x(tf, None, 3, 4, 5), data_format="channels_first", name="f"),
    lambda tf: [tf.layers.dropout(x(tf, None, 4), 0.3), tf.layers.dropout(x(tf, None, 4), 0.3, training=True)],
    lambda tf: tf.layers.dropout(x(tf, None, 4), 0.3, noise_shape=[None, 1], training=True, seed=3),
    lambda tf: tf.layers.dropout(x(tf, None, 4), tf.placeholder(tf.float32, []), training=True),
    lambda tf: [tf.layers.dense(x(tf, None, 4), 3, activation=name) for name in ("relu", "linear", "tanh")],
]
CONVOLUTIONS = [
    lambda tf: tf.layers.conv2d(x(tf, None, 10, 10, 4), 3, 3, activation="softplus"),
    lambda tf: tf.layers.conv1d(x(tf, None, 10, 4), 3, 3),
    lambda tf: tf.layers.conv1d(x(tf, None, 10, 4), 3, 3, dilation_rate=2, padding="same", name="d"),
    lambda tf: tf.layers.conv1d(x(tf, None, 10, 4), 3, 3, dilation_rate=2, padding="causal"),
    lambda tf: tf.layers.conv1d(x(tf, None, 4, 10), 3, 3, data_format="channels_first"),
    lambda tf: tf.layers.conv2d(x(tf, None, 10, 10, 4), 3, 3, activation=tf.nn.relu),
    lambda tf: tf.layers.conv2d(x(tf, None, 10, 10, 4), 3, (3, 2), strides=(2, 1), padding="SAME"),
    lambda tf: tf.layers.conv2d(x(tf, None, 10, 10, 4), 3, 3, dilation_rate=(2, 1), padding="same", use_bias=False),
    lambda tf: tf.layers.conv2d(x(tf, None, 4, 10, 10), 3, 3, data_format="channels_first"),
    lambda tf: tf.layers.conv2d(x(tf, None, None, None, 4), 3, 3, kernel_regularizer=l2(tf)),
    lambda tf: tf.layers.conv3d(x(tf, None, 6, 6, 6, 4), 3, 3),
    lambda tf: tf.layers.conv3d(x(tf, None, 4, 6, 6, 6), 3, 3, data_format="channels_first"),
    lambda tf: tf.layers.conv3d(x(tf, None, 10, 10, 10, 4), 3, 3, dilation_rate=2),
    lambda tf: tf.layers.conv3d_transpose(x(tf, None, 4, 4, 4, 4), 3, 3, strides=2, activation=tf.nn.relu),
    lambda tf: tf.layers.conv3d_transpose(
        x(tf, None, 4, 4, 4, 4), 3, 3, strides=2, padding="same", data_format="channels_first"
    ),
    lambda tf: tf.layers.conv3d_transpose(x(tf, 2, None, 4, 4, 4), 3, 3, use_bias=False),
    lambda tf: tf.layers.separable_conv2d(
        x(tf, None, 10, 10, 4), 6, 3, depth_multiplier=2, strides=2, activation=tf.nn.relu
    ),
    lambda tf: tf.layers.separable_conv2d(x(tf, None, 10, 10, 4), 6, 3, dilation_rate=2, padding="same"),
    lambda tf: tf.layers.separable_conv2d(x(tf, None, 4, 10, 10), 6, 3, data_format="channels_first", use_bias=False),
    lambda tf: tf.layers.separable_conv1d(x(tf, None, 10, 4), 6, 3, depth_multiplier=2, strides=2),
    lambda tf: tf.layers.separable_conv1d(x(tf, None, 10, 4), 6, 3, padding="causal", dilation_rate=2),
    lambda tf: tf.layers.separable_conv1d(x(tf, None, 4, 10), 6, 3, data_format="channels_first"),
]


def pools(rank: int, kind: str) -> Any:
    def build(tf: Any) -> None:
        pool = getattr(tf.layers, f"{kind}_pooling{rank}d")
        space = [10] * rank
        pool(x(tf, None, *space, 4), 2, 2)
        pool(x(tf, None, *space, 4), (3, 2, 1)[:rank], (2, 1, 1)[:rank], "same", name="p")
        pool(x(tf, None, 4, *space), 3, 2, data_format="channels_first")

    return build


POOLS = [pools(rank, kind) for rank in (1, 2, 3) for kind in ("max", "average")]


def batch(*shape: int | None, dtype: str = "float32", **how: Any) -> Any:
    return lambda tf: tf.layers.batch_normalization(x(tf, *shape, dtype=dtype), **how)


NORMALIZATIONS = [
    batch(None, 4),
    batch(None, 4, training=True, momentum=0.9, name="m"),
    batch(None, 5, 5, 4),
    batch(None, 5, 5, 4, training=True),
    batch(None, 4, 5, 5, axis=1, training=True, center=False, scale=False),
    batch(None, 5, 6, 4, training=True, fused=False),
    batch(None, 5, 6, 4, training=True, axis=2, scale=False),
    batch(None, 5, 4, training=True, center=False),
    batch(None, 5, 4, training=True, axis=[1, 2]),
    batch(None, 5, 5, 4, training=True, dtype="float16"),
    batch(None, 4, training=True, dtype="float16"),
    batch(None, 4, training=True, virtual_batch_size=2),
    batch(6, 5, 5, 4, training=True, virtual_batch_size=3, axis=1, dtype="float16"),
    batch(None, 4, virtual_batch_size=2),
    batch(None, 5, 4, training=True, virtual_batch_size=2, axis=[1, 2], renorm=True),
    batch(None, 4, training=True, trainable=False),
    batch(None, 4, training=True, renorm=True),
    batch(None, 4, training=True, renorm=True, renorm_clipping={"rmin": 0.3, "rmax": 3, "dmax": 2}),
]


@pytest.mark.parametrize("build", DENSE + CONVOLUTIONS + POOLS + NORMALIZATIONS)
def test_a_layer_makes_the_nodes_of_tensorflows(same: Same, build: Any) -> None:
    def program(tf: Any, log: Any) -> None:
        tf.set_random_seed(7)
        log(build(tf))
        for key in ("variables", "trainable_variables", "update_ops", "regularization_losses"):
            log(tf.get_collection(key))

    same(program)


def test_names_and_reuse(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        inputs = x(tf, None, 4)
        log(tf.layers.dense(inputs, 2, name="b"), tf.layers.dense(inputs, 2, name="b", reuse=True))
        with tf.variable_scope("s", reuse=tf.AUTO_REUSE):
            log([tf.layers.dense(inputs, 2, name=name) for name in ("b", "b", None, None)])
        layer = tf.layers.Dense(5)
        log(layer.name, layer.dtype, layer.built)
        log(layer(inputs), layer(inputs))
        log(layer.name, layer.scope_name, layer.dtype, layer.built, layer.kernel, layer.weights, layer.count_params())
        layer = tf.layers.Dense(5, name="inner")
        with tf.name_scope("outer"):
            log(layer(inputs))
        log(layer.name, layer.scope_name, tf.layers.Dense(2)(inputs, scope="given"))
        log(tf.global_variables(), tf.trainable_variables())

    same(program)


def test_what_a_variable_scope_says_holds_for_layers(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        inputs = x(tf, None, 4)
        defaults = {"regularizer": l2(tf), "initializer": tf.ones_initializer()}
        with tf.variable_scope("s", partitioner=tf.fixed_size_partitioner(2), **defaults):
            log(tf.layers.dense(inputs, 3))
        with tf.variable_scope("t", custom_getter=lambda getter, name, *a, **k: tf.identity(getter(name, *a, **k))):
            log(tf.layers.dense(inputs, 3))
        with tf.variable_scope("u", use_resource=True):
            log(tf.layers.dense(inputs, 3))
        log(tf.get_collection("regularization_losses"), tf.global_variables())

    same(program)


def test_a_layer_of_ones_own(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        class Scale(tf.layers.Layer):  # type: ignore[misc]
            def build(self, input_shape: Any) -> None:
                log(input_shape)
                self.factor = self.add_weight("factor", shape=[4], initializer=tf.ones_initializer())
                self.steps = self.add_variable("steps", [], dtype=tf.int32, trainable=False)
                super().build(input_shape)

            def call(self, inputs: Any, power: int = 1) -> Any:
                self.add_loss(tf.reduce_sum(self.factor))
                self.add_update(tf.assign_add(self.steps, 1))
                return inputs * self.factor**power

        layer = Scale(name="scale")
        log(layer(x(tf, None, 4), power=2), layer.losses, layer.updates, layer.trainable_weights)
        log(layer.non_trainable_variables, layer.scope_name, tf.get_collection("update_ops"))
        layer.trainable = False
        log(layer.trainable_variables, layer.updates, layer.non_trainable_variables)

    same(program)


def test_values_in_training_and_after(same: Same) -> None:
    """Equal seeds give equal variables, and so equal outputs and moving averages."""
    images = np.random.RandomState(1).rand(6, 8, 8, 3).astype(np.float32)

    def program(tf: Any, log: Any) -> None:
        tf.set_random_seed(3)
        inputs, training = tf.placeholder(tf.float32, [None, 8, 8, 3]), tf.placeholder(tf.bool, [])
        net = tf.layers.conv2d(inputs, 6, 3, activation=tf.nn.relu)
        net = tf.layers.batch_normalization(net, training=training)
        net = tf.layers.max_pooling2d(net, 2, 2)
        net = tf.layers.conv2d_transpose(net, 4, 3, strides=2, padding="same")
        net = tf.layers.separable_conv2d(net, 5, 3)
        net = tf.layers.dropout(tf.layers.flatten(net), 0.4, training=training)
        net = tf.layers.batch_normalization(tf.layers.dense(net, 10), training=training, renorm=True)
        net = tf.layers.batch_normalization(net, training=training, virtual_batch_size=3, momentum=0.8)
        updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            log(session.run(tf.global_variables()))
            for _ in range(2):
                log(session.run([net, updates], {inputs: images, training: True})[0])
            log(session.run(net, {inputs: images, training: False}), session.run(tf.global_variables()))

    same(program, graph=False)


@pytest.mark.parametrize("shape", [[None, 4], [None, 5, 5, 4]])
def test_training_may_be_a_tensor(same: Same, shape: Any) -> None:
    def program(tf: Any, log: Any) -> None:
        training = tf.placeholder(tf.bool, [], name="t")
        log(tf.layers.batch_normalization(x(tf, *shape), training=training), tf.get_collection("update_ops"))
        log(tf.layers.dropout(x(tf, *shape), 0.3, training=training, seed=3))

    same(program, ordered=False)


def test_transposed_convolutions_in_two_dimensions(same: Same) -> None:
    """But for nodes of TensorFlow's that nothing uses."""

    def program(tf: Any, log: Any) -> None:
        log(tf.layers.conv2d_transpose(x(tf, None, 10, 10, 4), 3, 3, strides=2, activation=tf.nn.relu))
        log(tf.layers.conv2d_transpose(x(tf, None, 10, 10, 4), 3, 3, strides=2, padding="same", use_bias=False))
        log(tf.layers.conv2d_transpose(x(tf, None, 4, 10, 10), 3, 3, strides=2, data_format="channels_first"))
        log(tf.layers.conv2d_transpose(x(tf, 2, None, 10, 4), 3, 3), tf.global_variables())

    same(program, graph=False)


def test_errors(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        layers, image = tf.layers, x(tf, 4, 5, 6, 2)
        for shape, dtype in (([4], "float32"), ([3, None], "float32"), (None, "float32"), ([2, 3], "int32")):
            inputs = tf.placeholder(dtype, shape)
            log.tried(lambda: layers.dense(inputs, 3))
        log.tried(lambda: layers.dense([[1.0, 2.0]], 3))
        log.tried(lambda: [layers.dense(x(tf, 4, 4), 3, name="z") for _ in range(2)])
        layer = layers.Dense(3)
        layer(x(tf, 4, 4))
        log.tried(lambda: layer(x(tf, 4, 5)))
        log.tried(lambda: layers.Dense(3).scope_name)
        log.tried(lambda: layers.Dense(3, foo=1))
        log.tried(lambda: layers.Dense(-3))
        log.tried(lambda: layers.Dropout(2.0))
        log.tried(lambda: layers.conv2d(x(tf, 4, 5, 6), 3, 3))
        log.tried(lambda: layers.conv2d(x(tf, 4, 5, 6, None), 3, 3))
        for bad in ({"padding": "foo"}, {"data_format": "foo"}, {"strides": 2, "dilation_rate": 2}, {"strides": "a"}):
            log.tried(lambda: layers.conv2d(image, 3, 3, **bad))
        log.tried(lambda: layers.conv2d(image, 3, (1, 2, 3)))
        log.tried(lambda: layers.conv2d(image, -1, 3))
        log.tried(lambda: layers.max_pooling2d(x(tf, 4, 5, 6), 2, 2))
        log.tried(lambda: layers.batch_normalization(x(tf, 4, 5), axis=2))
        log.tried(lambda: layers.batch_normalization(x(tf, 4, None)))
        ghosts: Any = ({"fused": True}, {"virtual_batch_size": 0}, {"adjustment": lambda _: None}, {"axis": 0})
        for ghost in ghosts:
            log.tried(lambda: layers.batch_normalization(x(tf, 4, 5), **{"virtual_batch_size": 2, **ghost}))
        log.tried(lambda: layers.batch_normalization(tf.placeholder(tf.float32, None)))

    same(program)


def test_output_shapes(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        layers = tf.layers
        for layer, shape in (
            (layers.Dense(3), [None, 4, 5]),
            (layers.Flatten(), [None, 4, 5]),
            (layers.Conv2D(3, 3, strides=2), [None, 9, 9, 2]),
            (layers.Conv2D(3, 3, padding="same", data_format="channels_first"), [None, 2, 9, 9]),
            (layers.MaxPooling2D(2, 2), [None, 9, 9, 2]),
            (layers.Conv2DTranspose(3, 3, 2), [None, 9, 9, 2]),
        ):
            log(layer.compute_output_shape(tf.TensorShape(shape)))

    same(program)
