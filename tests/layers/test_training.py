"""With equal seeds, training follows TensorFlow's loss: convolutional, recurrent, and sampled networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Same = Callable[..., None]


def trained(
    tf: Any, log: Any, loss: Any, optimizer: Any, batches: Any, feeds: tuple[Any, ...], variables: bool = True
) -> None:
    """Logs the loss of each step, and the variables at the end."""
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    with tf.control_dependencies(updates):
        step = optimizer.minimize(loss)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for batch in batches:
            log(session.run([loss, step], dict(zip(feeds, batch, strict=True)))[0])
        if variables:
            log(session.run(tf.global_variables()))


def test_a_convolutional_network(same: Same) -> None:
    """Losses only: weights near 0 carry rounding that is more than 1e-4 of them."""
    random = np.random.RandomState(0)
    batches = [(random.rand(8, 14, 14, 1), random.randint(0, 10, 8)) for _ in range(20)]

    def program(tf: Any, log: Any) -> None:
        tf.set_random_seed(1)
        images, labels = tf.placeholder(tf.float32, [None, 14, 14, 1]), tf.placeholder(tf.int64, [None])
        net = tf.layers.conv2d(images, 6, 5, padding="same", activation=tf.nn.relu)
        net = tf.layers.max_pooling2d(net, 2, 2)
        net = tf.layers.batch_normalization(tf.layers.conv2d(net, 12, 3), training=True)
        net = tf.layers.average_pooling2d(tf.nn.relu(net), 2, 2)
        net = tf.layers.dense(tf.layers.flatten(net), 20, activation=tf.nn.tanh)
        net = tf.layers.dropout(net, 0.3, training=True)
        logits = tf.layers.dense(net, 10, kernel_regularizer=lambda w: 0.01 * tf.nn.l2_loss(w))
        tf.losses.sparse_softmax_cross_entropy(labels, logits)
        optimizer = tf.train.MomentumOptimizer(0.05, 0.9)
        trained(tf, log, tf.losses.get_total_loss(), optimizer, batches, (images, labels), False)

    same(program, graph=False)


def test_a_recurrent_network(same: Same) -> None:
    random = np.random.RandomState(0)
    batches = [(random.rand(6, 7, 3), random.randint(1, 8, 6), random.randint(0, 4, 6)) for _ in range(20)]

    def program(tf: Any, log: Any) -> None:
        tf.set_random_seed(1)
        values, sizes = tf.placeholder(tf.float32, [None, 7, 3]), tf.placeholder(tf.int32, [None])
        labels = tf.placeholder(tf.int64, [None])
        cells = [tf.nn.rnn_cell.LSTMCell(5, use_peepholes=True), tf.nn.rnn_cell.GRUCell(4)]
        cell = tf.nn.rnn_cell.MultiRNNCell(cells)
        _, state = tf.nn.dynamic_rnn(cell, values, sizes, dtype=tf.float32)
        _, both = tf.nn.bidirectional_dynamic_rnn(
            tf.nn.rnn_cell.BasicLSTMCell(3), tf.nn.rnn_cell.BasicRNNCell(3), values, sizes, dtype=tf.float32
        )
        features = tf.concat([state[1], both[0].h, both[1]], 1)
        loss = tf.losses.sparse_softmax_cross_entropy(labels, tf.layers.dense(features, 4))
        trained(tf, log, loss, tf.train.AdamOptimizer(0.02), batches, (values, sizes, labels))

    same(program, graph=False)


def test_word_vectors(same: Same) -> None:
    random = np.random.RandomState(0)
    batches = [(random.randint(0, 50, 16), random.randint(0, 50, (16, 1))) for _ in range(20)]

    def program(tf: Any, log: Any) -> None:
        tf.set_random_seed(1)
        words, near = tf.placeholder(tf.int64, [None]), tf.placeholder(tf.int64, [None, 1])
        table = tf.get_variable("embeddings", [50, 8], initializer=tf.random_uniform_initializer(-1, 1))
        weights, biases = tf.get_variable("weights", [50, 8]), tf.get_variable("biases", [50])
        vectors = tf.nn.embedding_lookup(table, words)
        loss = tf.reduce_mean(tf.nn.sampled_softmax_loss(weights, biases, near, vectors, 9, 50))
        loss += tf.reduce_mean(tf.nn.nce_loss(weights, biases, near, vectors, 5, 50))
        trained(tf, log, loss, tf.train.AdagradOptimizer(0.5), batches, (words, near))

    same(program, graph=False)
