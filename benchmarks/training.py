"""Training steps, written once against the TF1 API: each takes the module `tf` and returns a function to time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Run = Callable[[], object]

CLASSES = 10


def _weights(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, shape).astype(np.float32)


def _started(tf: Any, step: Any, feeds: dict[Any, Any]) -> Run:
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    return lambda: session.run(step, feeds)


def _mlp(tf: Any, sizes: tuple[int, ...], batch: int, optimizer: Any) -> Run:
    x = tf.placeholder(tf.float32, [None, sizes[0]])
    labels = tf.placeholder(tf.int64, [None])
    y = x
    for number, (rows, columns) in enumerate(zip(sizes, sizes[1:], strict=False)):
        if number:
            y = tf.nn.relu(y)
        w = tf.Variable(_weights((rows, columns), number))
        y = tf.matmul(y, w) + tf.Variable(np.zeros(columns, np.float32))
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=y))
    step = optimizer.minimize(loss)
    rng = np.random.default_rng(0)
    values = rng.normal(size=(batch, sizes[0])).astype(np.float32), rng.integers(0, sizes[-1], batch)
    return _started(tf, [step, loss], {x: values[0], labels: values[1]})


def small_mlp(tf: Any) -> Run:
    """A step of gradient descent: 8-16-4, batch 8."""
    return _mlp(tf, (8, 16, 4), 8, tf.train.GradientDescentOptimizer(0.01))


def mnist_mlp(tf: Any) -> Run:
    """A step of Adam: 784-256-128-10, batch 64."""
    return _mlp(tf, (784, 256, 128, CLASSES), 64, tf.train.AdamOptimizer())


def _convolutional(tf: Any, convolutions: tuple[tuple[int, int, str], ...], dense: tuple[int, ...]) -> Run:
    """A step of momentum: 28x28 images, batch 32; convolutions 5x5 with a pooling after each, then dense layers."""
    x = tf.placeholder(tf.float32, [None, 28, 28, 1])
    labels = tf.placeholder(tf.int64, [None])
    y = x
    for number, (inputs, outputs, padding) in enumerate(convolutions):
        y = tf.nn.conv2d(y, tf.Variable(_weights((5, 5, inputs, outputs), number)), [1, 1, 1, 1], padding)
        y = tf.nn.relu(tf.nn.bias_add(y, tf.Variable(np.zeros(outputs, np.float32))))
        y = tf.nn.max_pool(y, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
    y = tf.reshape(y, [-1, dense[0]])
    for number, (rows, columns) in enumerate(zip(dense, dense[1:], strict=False)):
        if number:
            y = tf.nn.relu(y)
        y = tf.matmul(y, tf.Variable(_weights((rows, columns), 2 + number)))
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=y))
    step = tf.train.MomentumOptimizer(0.01, 0.9).minimize(loss)
    rng = np.random.default_rng(0)
    feeds = {x: rng.normal(size=(32, 28, 28, 1)).astype(np.float32), labels: rng.integers(0, dense[-1], 32)}
    return _started(tf, [step, loss], feeds)


def lenet(tf: Any) -> Run:
    """LeNet-5: 6 and 16 channels, dense 120, 84, 10."""
    return _convolutional(tf, ((1, 6, "SAME"), (6, 16, "VALID")), (5 * 5 * 16, 120, 84, CLASSES))


def cnn(tf: Any) -> Run:
    """32 and 64 channels, dense 256, 10."""
    return _convolutional(tf, ((1, 32, "SAME"), (32, 64, "SAME")), (7 * 7 * 64, 256, CLASSES))


def rnn(tf: Any) -> Run:
    """A step of gradient descent through a loop of 50 turns: a cell of 32 units, batch 8."""
    turns, units, batch = 50, 32, 8
    x = tf.placeholder(tf.float32, [turns, batch, units])
    w, u = tf.Variable(_weights((units, units), 0)), tf.Variable(_weights((units, units), 1))
    inputs = tf.TensorArray(tf.float32, turns).unstack(x)

    def turn(i: Any, state: Any) -> tuple[Any, Any]:
        return i + 1, tf.tanh(tf.matmul(inputs.read(i), w) + tf.matmul(state, u))

    zero = tf.zeros([batch, units])
    _, state = tf.while_loop(lambda i, s: i < turns, turn, (tf.constant(0), zero))
    loss = tf.reduce_mean(tf.square(state))
    step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    return _started(tf, [step, loss], {x: np.random.default_rng(0).normal(size=x.shape.as_list()).astype(np.float32)})


def embedding(tf: Any) -> Run:
    """A step of Adagrad on 64 of 10,000 rows of 64 floats."""
    table = tf.Variable(_weights((10000, 64), 0))
    ids = tf.placeholder(tf.int64, [None])
    loss = tf.reduce_mean(tf.square(tf.nn.embedding_lookup(table, ids)))
    step = tf.train.AdagradOptimizer(0.1).minimize(loss)
    return _started(tf, step, {ids: np.random.default_rng(0).integers(0, 10000, 64)})


def assign(tf: Any) -> Run:
    """`assign_add` of a scalar variable."""
    v = tf.Variable(0.0)
    return _started(tf, tf.assign_add(v, 1.0).op, {})


PROGRAMS: dict[str, Callable[[Any], Run]] = {
    "assign_add": assign,
    "MLP step, small": small_mlp,
    "MLP step, MNIST size": mnist_mlp,
    "LeNet step": lenet,
    "CNN step": cnn,
    "RNN step, 50 turns": rnn,
    "embedding step": embedding,
}
