"""The benchmark programs, written once against the TF1 API: each takes the module `tf` and returns a function to
time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Run = Callable[[], object]


def run_const(tf: Any) -> Run:
    """`run` of a constant."""
    x = tf.constant(3.0)
    session = tf.Session()
    return lambda: session.run(x)


def run_fed(tf: Any) -> Run:
    """`run` of two ops on one feed."""
    x = tf.placeholder(tf.float32)
    y = x * 2.0 + 1.0
    session, value = tf.Session(), np.float32(2.0)
    return lambda: session.run(y, {x: value})


def run_nested(tf: Any) -> Run:
    """`run` of a dict of lists with two feeds."""
    x, z = tf.placeholder(tf.float32), tf.placeholder(tf.float32)
    fetches = {"sum": x + z, "both": [x * z, x - z]}
    session, value = tf.Session(), np.float32(2.0)
    return lambda: session.run(fetches, {x: value, z: value})


def callable_fed(tf: Any) -> Run:
    """A callable with one feed."""
    x = tf.placeholder(tf.float32)
    call, value = tf.Session().make_callable(x * 2.0 + 1.0, [x]), np.float32(2.0)
    return lambda: call(value)


def chain(tf: Any) -> Run:
    """1,000 scalar ops one after the other."""
    x = tf.placeholder(tf.float32, [])
    y = x
    for i in range(1000):
        y = y + 1.0 if i % 2 else y * 1.0001
    session, value = tf.Session(), np.float32(2.0)
    return lambda: session.run(y, {x: value})


def chain_of_vectors(tf: Any) -> Run:
    """1,000 ops on 16 floats one after the other."""
    x = tf.placeholder(tf.float32, [16])
    y = x
    for i in range(1000):
        y = y + x if i % 2 else y * x
    session, value = tf.Session(), np.full(16, 0.5, np.float32)
    return lambda: session.run(y, {x: value})


def fan(tf: Any) -> Run:
    """300 ops side by side on one input, then one sum."""
    x = tf.placeholder(tf.float32, [16])
    y = tf.add_n([x * float(i) for i in range(300)])
    session, value = tf.Session(), np.ones(16, np.float32)
    return lambda: session.run(y, {x: value})


def elementwise(tf: Any) -> Run:
    """Six elementwise ops on 1 M floats."""
    x = tf.placeholder(tf.float32, [1 << 20])
    y = tf.maximum(tf.abs(x * 2.0 + 1.0) - 0.5, 0.0) * x
    session, value = tf.Session(), np.linspace(-1, 1, 1 << 20, dtype=np.float32)
    return lambda: session.run(y, {x: value})


def matmuls(tf: Any) -> Run:
    """Four 512x512 matmuls."""
    x = tf.placeholder(tf.float32, [512, 512])
    y = x
    for _ in range(4):
        y = tf.matmul(y, x)
    session, value = tf.Session(), np.eye(512, dtype=np.float32)
    return lambda: session.run(y, {x: value})


def loop(tf: Any) -> Run:
    """A while loop of 1,000 turns."""
    _, y = tf.while_loop(lambda i, s: i < 1000, lambda i, s: (i + 1, s + 1.5), (tf.constant(0), tf.constant(0.0)))
    session = tf.Session()
    return lambda: session.run(y)


PROGRAMS: dict[str, Callable[[Any], Run]] = {
    "run const": run_const,
    "run with a feed": run_fed,
    "run nested fetches": run_nested,
    "callable with a feed": callable_fed,
    "chain of 1,000 scalar ops": chain,
    "chain of 1,000 vector ops": chain_of_vectors,
    "fan of 300 ops": fan,
    "elementwise on 1 M floats": elementwise,
    "four 512x512 matmuls": matmuls,
    "while loop of 1,000 turns": loop,
}


def model(tf: Any, graph_def: bytes, arrays: dict[str, np.ndarray]) -> Run:
    """One inference of a frozen graph; `arrays` has `in:TENSOR` to feed and `out:TENSOR` to fetch."""
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(tf.GraphDef.FromString(graph_def), name="")
    session = tf.Session(graph=graph)
    feeds = {name[3:]: value for name, value in arrays.items() if name.startswith("in:")}
    fetches = [name[4:] for name in arrays if name.startswith("out:")]
    return lambda: session.run(fetches, feeds)


def build(tf: Any, ops: int) -> Run:
    """Building a graph of so many ops, shape inference included."""

    def run() -> None:
        with tf.Graph().as_default():
            x = tf.placeholder(tf.float32, [None, 4])
            y = x
            for _ in range(ops // 2):
                y = tf.tanh(y + x)

    return run
