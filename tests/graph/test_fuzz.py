"""Damaged GraphDefs never crash or hang: they are refused with a documented error, or the graph runs or raises."""

from __future__ import annotations

import numpy as np
import pytest

import runstep as tf
from runstep import errors

DOCUMENTED = (TypeError, ValueError, KeyError, RuntimeError, errors.OpError)


def small_model() -> bytes:
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], name="x")
        y = tf.nn.conv2d(x, tf.constant(np.ones((3, 3, 3, 2), np.float32) / 27), [1, 1, 1, 1], "SAME")
        y = tf.nn.relu(tf.nn.bias_add(y, tf.constant([0.5, -0.5])))
        y = tf.reshape(y, [-1, 128])
        count, y = tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * 0.5), (tf.constant(0), y))
        y = tf.cond(tf.reduce_sum(y) > 0, lambda: tf.nn.softmax(y), lambda: y)
        tf.identity(y, name="y")
    return graph.as_graph_def().SerializeToString()


def survives(content: bytes) -> str:
    """What becomes of a GraphDef: "refused", "raised" or "ran". Any other exception fails the test."""
    graph = tf.Graph()
    before = graph.version
    try:
        with graph.as_default():
            tf.import_graph_def(content, name="")
    except DOCUMENTED:
        assert graph.version == before, "a refused import leaves the graph as it was"
        return "refused"
    config = tf.ConfigProto(operation_timeout_in_ms=2000)
    with tf.Session(graph=graph, config=config) as session:
        try:
            session.run("y:0", {"x:0": np.ones((1, 8, 8, 3), np.float32)})
        except DOCUMENTED:
            return "raised"
    return "ran"


def test_the_model_itself_runs() -> None:
    assert survives(small_model()) == "ran"


def test_cut_short_anywhere() -> None:
    model = small_model()
    outcomes = {survives(model[:length]) for length in range(0, len(model), 7)}
    assert "refused" in outcomes


@pytest.mark.parametrize("seed", range(8))
def test_bits_flipped(seed: int) -> None:
    model = small_model()
    random = np.random.default_rng(seed)
    outcomes = set()
    for _ in range(60):
        damaged = bytearray(model)
        for position in random.integers(0, len(damaged), random.integers(1, 4)):
            damaged[position] ^= 1 << int(random.integers(0, 8))
        outcomes.add(survives(bytes(damaged)))
    assert outcomes & {"refused", "raised"}


@pytest.mark.parametrize("seed", range(4))
def test_nodes_rewired(seed: int) -> None:
    """Inputs pointed elsewhere, ops renamed, attributes dropped: well-formed messages, senseless graphs."""
    from runstep.protos import graph_pb2

    random = np.random.default_rng(seed)
    outcomes = set()
    for _ in range(40):
        message = graph_pb2.GraphDef.FromString(small_model())
        nodes = message.node
        for _ in range(int(random.integers(1, 3))):
            node = nodes[int(random.integers(len(nodes)))]
            other = nodes[int(random.integers(len(nodes)))]
            match int(random.integers(4)):
                case 0 if node.input:
                    node.input[int(random.integers(len(node.input)))] = other.name
                case 1:
                    node.op = other.op
                case 2 if node.attr:
                    del node.attr[sorted(node.attr)[int(random.integers(len(node.attr)))]]
                case _:
                    node.input.append(f"^{other.name}")
        outcomes.add(survives(message.SerializeToString()))
    assert outcomes & {"refused", "raised"}


def test_a_cycle_is_refused_with_its_nodes() -> None:
    from runstep.protos import graph_pb2

    message = graph_pb2.GraphDef()
    for name, source in (("a", "b"), ("b", "a")):
        node = message.node.add(name=name, op="Neg", input=[source])
        node.attr["T"].type = tf.float32.enum  # type: ignore[assignment]
    with pytest.raises(ValueError, match="cycle.*a, b"), tf.Graph().as_default():
        tf.import_graph_def(message)
