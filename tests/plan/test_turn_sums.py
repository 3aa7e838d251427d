"""Sums of products over the turns of a loop are taken after it: the same values as without, and as TensorFlow's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import runstep as tf
from runstep.kernels import rows

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 3)).astype(np.float32)
W = RNG.normal(size=(3, 3)).astype(np.float32) * 0.5
B = RNG.normal(size=3).astype(np.float32)


def put(value: Any, name: str) -> Any:
    return tf.placeholder(tf.as_dtype(value.dtype), value.shape, name=name)


def turns(n: Any, body: Callable[..., Any], *start: Any) -> Any:
    return tf.while_loop(lambda i, *_: i < n, lambda i, *s: (i + 1, *body(*s)), (tf.constant(0), *start))[1:]


def dense(n: Any = 5, dtype: Any = np.float32) -> list[Any]:
    x, w, b = put(X.astype(dtype), "x"), put(W.astype(dtype), "w"), put(B.astype(dtype), "b")
    (y,) = turns(n, lambda s: [tf.tanh(tf.matmul(s, w) + b)], x)
    return tf.gradients(y, [w, b, x])


def no_turn() -> list[Any]:
    return dense(0)


def double() -> list[Any]:
    return dense(3, np.float64)


def as_many_turns_as_fed() -> list[Any]:
    return dense(tf.reduce_sum(tf.cast(put(X, "x2") > 0.0, tf.int32)))


def in_an_inner_loop() -> list[Any]:
    x, w = put(X, "x"), put(W, "w")
    (y,) = turns(3, lambda s: turns(2, lambda t: [tf.tanh(tf.matmul(t, w) + s)], s), x)
    return tf.gradients(y, [w, x])


def on_the_way_forward() -> list[Any]:
    x, w = put(X, "x"), put(W, "w")
    s, total = turns(
        4, lambda s, t: [tf.tanh(tf.matmul(s, w)), t + tf.matmul(s, s + 1.0, transpose_a=True)], x, tf.ones([3, 3])
    )
    return [s, total]


def looked_at_in_the_loop() -> list[Any]:
    x, w = put(X, "x"), put(W, "w")
    s, total = turns(
        4, lambda s, t: [tf.tanh(tf.matmul(s, w + t)), t + tf.matmul(s, s, transpose_a=True)], x, tf.ones([3, 3])
    )
    return [s, total]


def twice_the_same() -> list[Any]:
    x, w = put(X, "x"), put(W, "w")
    (y,) = turns(4, lambda s: [tf.tanh(tf.matmul(s, w))], x)
    grad = tf.gradients(y, w)[0]
    return [grad, grad, tf.identity(grad), grad * 2.0]


def handed_out_together() -> list[Any]:
    x, w, b = put(X, "x"), put(W, "w"), put(B, "b")
    (y,) = turns(5, lambda s: [tf.tanh(tf.matmul(s, w) + b)], x)
    return [grad for grad, _ in optimizer().compute_gradients(y, [w, b, x])]


def optimizer() -> Any:
    train: Any = tf.train
    return train.GradientDescentOptimizer(0.1)


def without_activations() -> list[Any]:
    """What is added up reads the loop's own state, not a node of this turn."""
    x, w = put(X, "x"), put(W, "w")
    (y,) = turns(3, lambda s: [tf.matmul(s, w)], x)
    return [grad for grad, _ in optimizer().compute_gradients(y, [w])]


FEEDS = {"x": X, "w": W, "b": B, "x2": X}


def values(build: Callable[[], list[Any]], plain: bool) -> tuple[list[Any], int]:
    """The values, and how many sums were taken out of loops."""
    config = tf.ConfigProto()
    if plain:
        config.graph_options.optimizer_options.opt_level = tf.OptimizerOptions.L0
    with tf.Graph().as_default() as graph:
        fetches = build()
        names = {op.name: op.outputs[0] for op in graph.get_operations() if op.type == "Placeholder"}
        fed = {tensor: FEEDS[name].astype(tensor.dtype.as_numpy_dtype) for name, tensor in names.items()}
        with tf.Session(config=config) as session:
            first = session.run(fetches, fed)
            again = session.run(fetches, fed)
            (request,) = session._cache.values()
            nodes = [node for task in request.plan.tasks for node in task.segment.nodes]
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    return first, sum(node.type == "_TotalOfRows" for node in nodes)


@pytest.mark.parametrize("most", [1 << 22, 40], ids=["at the end", "now and then"])
@pytest.mark.parametrize(
    "build, sums",
    [
        (dense, 2),
        (no_turn, 2),
        (double, 2),
        (as_many_turns_as_fed, 2),
        (in_an_inner_loop, 1),
        (on_the_way_forward, 0),  # only what gradients write is looked for
        (looked_at_in_the_loop, 0),
        (twice_the_same, 1),
        (handed_out_together, 2),
        (without_activations, 0),
    ],
)
def test_same_values(build: Callable[[], list[Any]], sums: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_MOST", most)
    wanted, none = values(build, plain=True)
    found, some = values(build, plain=False)
    assert (none, some) == (0, sums)
    for a, b in zip(found, wanted, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)
