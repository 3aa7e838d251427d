"""Whole training runs from equal seeds: losses and gradients follow TensorFlow's, also in the graph that we export.

Initial values, dropout and sampled classes come from the graph's seed alone, so the runs agree only if operations have
TensorFlow's seeds, random numbers, kernels, gradients and updates.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pytest

import runstep
from runstep.testing import programs
from runstep.testing.oracle import config

STEPS = 50
EXPORTED_STEPS = 5
CLOSE = 1e-4


@attrs.frozen
class Training:
    """A model: its loss, what trains it, and what its placeholders are fed in a step."""

    loss: Any
    optimizer: Any
    feed: Callable[[np.random.Generator], dict[str, Any]]
    global_step: Any = None
    clip: float | None = None


def mlp(tf: Any) -> Training:
    """Classes of points, with dropout, weight decay and a learning rate that falls."""
    x = tf.placeholder(tf.float32, [None, 8], "x")
    labels = tf.placeholder(tf.int32, [None], "labels")
    keep_prob = tf.placeholder_with_default(0.8, [], "keep_prob")
    y = x
    for layer, (rows, columns) in enumerate([(8, 16), (16, 12), (12, 3)]):
        with tf.variable_scope(f"layer{layer}", regularizer=lambda w: 0.001 * tf.nn.l2_loss(w)):
            w = tf.get_variable("w", [rows, columns])
            y = tf.nn.xw_plus_b(y, w, tf.Variable(tf.truncated_normal([columns], stddev=0.1), name="b"))
        if layer < 2:
            y = tf.nn.dropout(tf.nn.elu(y), keep_prob)
    loss = tf.losses.sparse_softmax_cross_entropy(labels, y) + tf.losses.get_regularization_loss()
    global_step = tf.train.get_or_create_global_step()
    rate = tf.train.exponential_decay(0.1, global_step, 10, 0.9, staircase=True)

    def feed(rng: np.random.Generator) -> dict[str, Any]:
        points = rng.normal(size=(12, 8))
        return {"x:0": points, "labels:0": points[:, :3].argmax(1)}

    return Training(loss, tf.train.MomentumOptimizer(rate, 0.9, use_nesterov=True), feed, global_step)


def lenet(tf: Any) -> Training:
    """Images of bars, by the layers of `tf.layers`."""
    x = tf.placeholder(tf.float32, [None, 28, 28, 1], "x")
    labels = tf.placeholder(tf.float32, [None, 4], "labels")
    y = tf.layers.conv2d(x, 6, 5, padding="same", activation=tf.nn.tanh)
    y = tf.layers.average_pooling2d(y, 2, 2)
    y = tf.layers.conv2d(y, 16, 5, activation=tf.nn.relu)
    y = tf.layers.max_pooling2d(y, 2, 2)
    y = tf.layers.dense(tf.layers.flatten(y), 40, tf.nn.relu)
    y = tf.layers.dense(y, 4)
    loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(labels=labels, logits=y))

    def feed(rng: np.random.Generator) -> dict[str, Any]:
        images, classes = rng.normal(0, 0.1, (4, 28, 28, 1)), rng.permutation(4)
        for image, number in zip(images, classes, strict=True):
            image[7 * number : 7 * number + 7] += 1.0
        return {"x:0": images, "labels:0": np.eye(4)[classes]}

    return Training(loss, tf.train.AdamOptimizer(0.001), feed)


def lstm(tf: Any) -> Training:
    """Sums of sequences of several lengths."""
    x = tf.placeholder(tf.float32, [None, 7, 2], "x")
    lengths = tf.placeholder(tf.int32, [None], "lengths")
    sums = tf.placeholder(tf.float32, [None], "sums")
    cell = tf.nn.rnn_cell.LSTMCell(6)
    _, state = tf.nn.dynamic_rnn(cell, x, lengths, dtype=tf.float32)
    y = tf.squeeze(tf.matmul(state.h, tf.get_variable("w", [6, 1])), 1)
    loss = tf.losses.mean_squared_error(sums, y)

    def feed(rng: np.random.Generator) -> dict[str, Any]:
        values, sizes = rng.normal(size=(5, 7, 2)), rng.integers(1, 8, 5)
        used = np.arange(7) < sizes[:, None]
        return {"x:0": values, "lengths:0": sizes, "sums:0": 0.3 * values.sum(2, where=used[:, :, None]).sum(1)}

    return Training(loss, tf.train.RMSPropOptimizer(0.005), feed, clip=1.0)


def word2vec(tf: Any) -> Training:
    """Neighbours of words, by a softmax over a sample of the vocabulary."""
    words, size = 120, 10
    center = tf.placeholder(tf.int64, [None], "center")
    near = tf.placeholder(tf.int64, [None, 1], "near")
    table = tf.Variable(tf.random_uniform([words, size], -1.0, 1.0))
    weights = tf.Variable(tf.truncated_normal([words, size], stddev=size**-0.5))
    biases = tf.Variable(tf.zeros([words]))
    embedded = tf.nn.embedding_lookup(table, center)
    loss = tf.reduce_mean(tf.nn.sampled_softmax_loss(weights, biases, near, embedded, 8, words))

    def feed(rng: np.random.Generator) -> dict[str, Any]:
        centers = rng.zipf(1.5, 16) % words
        return {"center:0": centers, "near:0": (centers[:, None] * 7 + rng.integers(0, 2, (16, 1))) % words}

    return Training(loss, tf.train.AdagradOptimizer(0.2), feed)


def gaussian_process(tf: Any) -> Training:
    """The marginal likelihood of noisy values of a sine, by a Cholesky decomposition."""
    rng = np.random.default_rng(2)
    points = np.sort(rng.uniform(-3, 3, 25))
    x, y = tf.constant(points), tf.constant(np.sin(2 * points)[:, None] + rng.normal(0, 0.2, (25, 1)))
    scale, variance, noise = (
        tf.exp(tf.get_variable(name, [], tf.float64, tf.random_normal_initializer(0, 0.3)))
        for name in ("scale", "variance", "noise")
    )
    distances = tf.square((x[:, None] - x[None, :]) / scale)
    covariance = variance * tf.exp(-0.5 * distances) + noise * tf.eye(25, dtype=tf.float64)
    root = tf.cholesky(covariance)
    fit = tf.reduce_sum(y * tf.cholesky_solve(root, y))
    loss = 0.5 * fit + tf.reduce_sum(tf.log(tf.matrix_diag_part(root))) + 12.5 * np.log(2 * np.pi)
    return Training(loss, tf.train.AdamOptimizer(0.05), lambda rng: {})


PROGRAMS = [mlp, lenet, lstm, word2vec, gaussian_process]


@attrs.frozen
class Run:
    """What the steps of a training gave; the graph and the names of what they ran."""

    losses: list[float]
    gradients: list[list[np.ndarray]]
    graph: Any
    names: list[Any]
    feeds: list[dict[str, Any]]


def _dense(gradient: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Rows in any order, and rows that come twice, are the same gradient."""
    if isinstance(gradient, np.ndarray | np.generic):
        return np.asarray(gradient)
    values, indices = gradient[:2]
    found = np.zeros(shape, values.dtype)
    np.add.at(found, indices, values)
    return found


def _steps(session: Any, names: list[Any], shapes: list[tuple[int, ...]], feeds: list[Any]) -> tuple[Any, Any]:
    """Starts the variables, and trains: losses and gradients of every step."""
    init, train, loss, gradients = names
    session.run(init)
    losses, found = [], []
    for feed in feeds:
        _, value, values = session.run([train, loss, gradients], feed)
        losses.append(float(value))
        found.append([_dense(value, shape) for value, shape in zip(values, shapes, strict=True)])
    return losses, found


def _train(tf: Any, program: Callable[[Any], Training], options: Any = None) -> Run:
    with tf.Graph().as_default() as graph:
        tf.set_random_seed(7)
        training = program(tf)
        pairs = training.optimizer.compute_gradients(training.loss)
        if training.clip is not None:
            clipped, _ = tf.clip_by_global_norm([gradient for gradient, _ in pairs], training.clip)
            pairs = list(zip(clipped, [variable for _, variable in pairs], strict=True))
        train = training.optimizer.apply_gradients(pairs, training.global_step)
        init = tf.global_variables_initializer()
        gradients = [
            (gradient.values, gradient.indices) if isinstance(gradient, tf.IndexedSlices) else gradient
            for gradient, _ in pairs
        ]
        rng = np.random.default_rng(0)
        feeds = [training.feed(rng) for _ in range(STEPS)]
        shapes = [tuple(variable.shape.as_list()) for _, variable in pairs]
        names = [init.name, train.name, training.loss.name, [_names(gradient) for gradient in gradients]]
        with tf.Session(config=options) as session:
            losses, found = _steps(session, names, shapes, feeds)
    return Run(losses, found, graph, names, feeds)


def _names(gradient: Any) -> Any:
    return tuple(part.name for part in gradient) if isinstance(gradient, tuple) else gradient.name


@functools.cache
def ours(program: Callable[[Any], Training]) -> Run:
    return _train(runstep, program)


def assert_follows(losses: list[float], gradients: list[list[np.ndarray]], want_losses: Any, want: Any) -> None:
    """Losses agree relative to themselves, gradients relative to the largest number of each."""
    np.testing.assert_allclose(losses, want_losses, rtol=CLOSE)
    for step, (found, wanted) in enumerate(zip(gradients, want, strict=True)):
        for number, (mine, theirs) in enumerate(zip(found, wanted, strict=True)):
            assert mine.dtype == theirs.dtype
            where = f"gradient {number} of step {step}"
            np.testing.assert_allclose(mine, theirs, rtol=CLOSE, atol=CLOSE * np.abs(theirs).max(), err_msg=where)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_losses_and_gradients_follow_tensorflows(program: Callable[[Any], Training]) -> None:
    with programs._version_one() as real:
        want = _train(real, program, config())
    run = ours(program)
    assert_follows(run.losses, run.gradients, want.losses, want.gradients)
    assert len(run.losses) == STEPS and np.mean(run.losses[-5:]) < 0.9 * np.mean(run.losses[:5])


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_tensorflow_trains_the_exported_graph(program: Callable[[Any], Training]) -> None:
    run = ours(program)
    definition = run.graph.as_graph_def().SerializeToString()
    shapes = [gradient.shape for gradient in run.gradients[0]]
    with programs._version_one() as real, real.Graph().as_default() as graph:
        real.import_graph_def(real.GraphDef.FromString(definition), name="")
        with real.Session(graph=graph, config=config()) as session:
            losses, gradients = _steps(session, run.names, shapes, run.feeds[:EXPORTED_STEPS])
    assert_follows(run.losses[:EXPORTED_STEPS], run.gradients[:EXPORTED_STEPS], losses, gradients)
