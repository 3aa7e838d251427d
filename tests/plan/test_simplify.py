"""Rewrites of single nodes change no result, and happen where they may."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep as tf
from runstep.graph.apply import apply
from runstep.kernels.onednn import provider

RNG = np.random.default_rng(4)
W = RNG.normal(size=(3, 3, 4, 4)).astype(np.float32)
V = np.abs(RNG.normal(size=4)).astype(np.float32)
TO_FIRST, TO_LAST = np.array([0, 3, 1, 2], np.int32), np.array([0, 2, 3, 1], np.int32)
ONE, ZERO = np.float32(1), np.float32(0)
SHAPE = [2, 6, 5, 4]


def ints(*values: Any) -> Any:
    return np.array(values, np.int32)


def conv(x: Any, op: str = "Conv2D", **attrs: Any) -> Any:
    return apply(op, x, W, strides=[1, 1, 1, 1], padding="VALID", **attrs)


def norm(x: Any, version: str = "V3", **attrs: Any) -> Any:
    return apply(f"FusedBatchNorm{version}", x, V, V + 1, V - 1, V + 0.5, is_training=False, epsilon=0.01, **attrs)


# What is built from one image: its result must stay, and these op types must be gone from the plan (or, with "+", be
# there).
ROWS: dict[str, tuple[Any, str]] = {
    "times one": (lambda x: apply("Neg", apply("Mul", x, ONE)), "-Mul"),
    "one times": (lambda x: apply("Neg", apply("Mul", ONE, x)), "-Mul"),
    "times one of rank 1": (lambda x: apply("Neg", apply("Mul", x, np.ones(1, np.float32))), "-Mul"),
    "times ones that enlarge": (lambda x: apply("Neg", apply("Mul", x, np.ones((1,) * 5, np.float32))), "+Mul"),
    "over one": (lambda x: apply("Neg", apply("RealDiv", x, ONE)), "-RealDiv"),
    "one over": (lambda x: apply("Neg", apply("RealDiv", ONE, x)), "+RealDiv"),
    "plus zero": (lambda x: apply("Neg", apply("AddV2", x, ZERO)), "-AddV2"),
    "minus zero": (lambda x: apply("Neg", apply("Sub", x, ZERO)), "-Sub"),
    "zero minus": (lambda x: apply("Neg", apply("Sub", ZERO, x)), "+Sub"),
    "sum of one": (lambda x: apply("Neg", apply("AddN", [x])), "-AddN"),
    "cast to itself": (lambda x: apply("Neg", apply("Cast", x, DstT=tf.float32)), "-Cast"),
    "reshape of a reshape": (
        lambda x: apply("Reshape", apply("Reshape", x, ints(-1, 4)), ints(2, -1)),
        "1Reshape",
    ),
    "reshape to the same": (lambda x: apply("Neg", apply("Reshape", apply("Abs", x), ints(*SHAPE))), "-Reshape"),
    "squeeze of nothing": (lambda x: apply("Neg", apply("Squeeze", apply("Abs", x))), "-Squeeze"),
    "transpose of nothing": (lambda x: apply("Neg", apply("Transpose", x, ints(0, 1, 2, 3))), "-Transpose"),
    "there and back": (
        lambda x: apply("Neg", apply("Transpose", apply("Transpose", x, TO_FIRST), TO_LAST)),
        "-Transpose",
    ),
    "two transposes": (
        lambda x: apply("Transpose", apply("Transpose", x, TO_FIRST), ints(1, 0, 2, 3)),
        "1Transpose",
    ),
    "there, functions, and back": (
        lambda x: apply("Neg", apply("Transpose", apply("Tanh", apply("Relu", tr(x))), TO_LAST)),
        "-Transpose",
    ),
    "there, functions, and back to a bias": (
        lambda x: apply("BiasAdd", apply("Transpose", apply("Relu", tr(conv(x))), TO_LAST), V),
        "-Transpose",
    ),
    "there, a bias, and back": (
        lambda x: apply("Transpose", apply("BiasAdd", tr(x), V, data_format="NCHW"), TO_LAST),
        "2Transpose",
    ),
    "there, fetched, and back": (
        lambda x: (lambda y: [y, apply("Transpose", y, TO_LAST)])(apply("Relu", tr(x))),
        "+Transpose",
    ),
    "padded": (lambda x: conv(apply("Pad", x, [[0, 0], [1, 2], [0, 1], [0, 0]])), "-Pad"),
    "padded with another number": (
        lambda x: conv(apply("PadV2", x, [[0, 0], [1, 2], [0, 1], [0, 0]], np.float32(3))),
        "+PadV2",
    ),
    "padded channels": (lambda x: conv(apply("Pad", slim(x), [[0, 0], [0, 0], [0, 0], [1, 0]])), "+Pad"),
    "padded for two": (
        lambda x: (lambda y: [conv(y), apply("Neg", y)])(apply("Pad", x, [[0, 0], [1, 1], [1, 1], [0, 0]])),
        "+Pad",
    ),
    "padded, depthwise": (
        lambda x: apply(
            "DepthwiseConv2dNative",
            apply("Pad", x, [[0, 0], [1, 1], [2, 0], [0, 0]]),
            W[..., :1],
            strides=[1, 1, 1, 1],
            padding="VALID",
        ),
        "-Pad",
    ),
    "norm": (lambda x: norm(conv(x))[0], "-FusedBatchNormV3"),
    "norm, version 1": (lambda x: norm(x, "")[0], "-FusedBatchNorm"),
    "norm and relu": (lambda x: apply("Relu", norm(conv(x), "V2")[0]), "-FusedBatchNormV2"),
    "norm whose mean is used": (lambda x: list(norm(conv(x))[:2]), "+FusedBatchNormV3"),
}


def tr(x: Any) -> Any:
    return apply("Transpose", x, TO_FIRST)


def slim(x: Any) -> Any:
    return apply("StridedSlice", x, ints(0, 0, 0, 0), ints(*SHAPE[:3], 3), ints(1, 1, 1, 1))


def run(build: Any, image: Any, *, level: Any) -> tuple[list[Any], list[str]]:
    """Results and the op types of the plan."""
    config = tf.ConfigProto()
    config.graph_options.optimizer_options.opt_level = level
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, SHAPE)
        made = build(x)
        fetches = list(made) if isinstance(made, (list, tuple)) else [made]
        metadata = tf.RunMetadata()
        with tf.Session(graph=graph, config=config) as session:
            options = tf.RunOptions(output_partition_graphs=True)
            found = session.run(fetches, {x: image}, options, metadata)
    return found, [node.op for node in metadata.partition_graphs[0].node]


@pytest.mark.parametrize("name", ROWS)
def test_row(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "get", lambda: None)
    build, expected = ROWS[name]
    image = RNG.normal(size=SHAPE).astype(np.float32)
    simple, ops = run(build, image, level=tf.OptimizerOptions.L1)
    plain, all_ops = run(build, image, level=tf.OptimizerOptions.L0)
    rounds = name.startswith(("norm", "padded", "there, functions, and back to"))
    for a, b in zip(simple, plain, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        np.testing.assert_allclose(a, b, rtol=1e-5 if rounds else 0, atol=1e-5 if rounds else 0)
    kind = expected[1:]
    assert kind in all_ops
    present = [op for op in ops if kind in op]
    if expected[0] in "-":
        assert not present
    elif expected[0] == "+":
        assert present
    else:
        assert len(present) == int(expected[0])


def test_what_a_variable_keeps_is_not_the_callers_array() -> None:
    """`x * 1` is x itself then, which the assignment must not hold on to."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [3])
        variable = tf.Variable(tf.zeros([3]), use_resource=True)
        assign = variable.assign(x * 1.0)
        with tf.Session(graph=graph) as session:
            session.run(variable.initializer)
            fed = np.ones(3, np.float32)
            session.run(assign.op if hasattr(assign, "op") else assign, {x: fed})
            fed[...] = 7
            assert session.run(variable).tolist() == [1, 1, 1]


def test_a_fetched_alias_is_private() -> None:
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [3])
        y = tf.abs(x)
        with tf.Session(graph=graph) as session:
            a, b = session.run([y, y * 1.0], {x: np.ones(3, np.float32)})
            a[...] = 5
            assert b.tolist() == [1, 1, 1]


def test_control_edges_that_wait_for_nothing() -> None:
    """A constant and a NoOp hold nobody up: the convolution still takes in what follows it."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, SHAPE)
        y = conv(x)
        with tf.control_dependencies([tf.constant(3), tf.no_op()]):
            z = tf.nn.relu(y)
        with tf.Session(graph=graph) as session:
            metadata = tf.RunMetadata()
            session.run(z, {x: np.ones(SHAPE, np.float32)}, tf.RunOptions(output_partition_graphs=True), metadata)
    ops = [node.op for node in metadata.partition_graphs[0].node]
    assert "Relu" not in ops and "NoOp" not in ops


@pytest.mark.parametrize(("fold", "deduplicate"), [(False, False), (True, False), (False, True)])
def test_options_ask_for_rewrites_by_name(fold: bool, deduplicate: bool) -> None:
    config = tf.ConfigProto()
    options = config.graph_options.optimizer_options
    options.opt_level = tf.OptimizerOptions.L0
    options.do_constant_folding, options.do_common_subexpression_elimination = fold, deduplicate
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [])
        y = (tf.sin(x) + tf.sin(x)) * (tf.constant(2.0) - 1.0)
        with tf.Session(graph=graph, config=config) as session:
            metadata = tf.RunMetadata()
            session.run(y, {x: 1.0}, tf.RunOptions(output_partition_graphs=True), metadata)
    ops = [node.op for node in metadata.partition_graphs[0].node]
    assert ops.count("Sin") == (1 if deduplicate else 2)
    assert ("Sub" in ops) is not fold
    assert "Mul" in ops


UNARY = ["Relu", "Tanh", "Abs", "Neg", "Sigmoid", "Square"]


@pytest.mark.parametrize("seed", range(25))
def test_random_graphs(seed: int) -> None:
    """Everything on against everything off, with and without oneDNN (where it is installed)."""
    random = np.random.default_rng(seed)

    def grow(x: Any) -> Any:
        made = [x]
        for _ in range(25):
            y = made[random.integers(max(0, len(made) - 4), len(made))]
            kind = random.integers(12)
            if kind == 0:
                y = conv(apply("Pad", y, [[0, 0], [1, 1], [1, 1], [0, 0]]))
                y = apply("Mul", y, np.float32(0.1))
            elif kind == 1:
                y = norm(y)[0]
            elif kind == 2:
                y = apply("BiasAdd", y, V)
            elif kind == 3:
                y = apply("Transpose", apply(str(random.choice(UNARY)), tr(y)), TO_LAST)
            elif kind == 4:
                y = apply("AddV2", y, made[random.integers(len(made))])
            elif kind == 5:
                y = apply("Mul", apply("Sigmoid", y), y)
            elif kind == 6:
                y = apply("Mul", apply("AddV2", y, ZERO), ONE)
            elif kind == 7:
                y = apply("AddV2", apply("Relu", y), apply("Mul", apply("Sub", y, apply("Abs", y)), V))
            elif kind == 8:
                y = apply("Reshape", apply("Reshape", y, ints(-1, 20)), ints(*SHAPE))
            elif kind == 9:
                y = apply("Maximum", y, apply("Mul", y, np.float32(0.2)))
            else:
                y = apply(str(random.choice(UNARY)), y)
            made.append(y)
        return [made[-1], made[random.integers(1, len(made))]]

    image = random.normal(size=SHAPE).astype(np.float32)
    state = random.bit_generator.state
    results = []
    for level in (tf.OptimizerOptions.L1, tf.OptimizerOptions.L0):
        random.bit_generator.state = state
        results.append(run(grow, image, level=level)[0])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5 * max(1.0, np.abs(b).max()))


def test_a_constant_that_is_rewritten_away_leaves_its_waiting_behind() -> None:
    """TensorFlow puts a block's control edges on the constant, not on the sum that takes it."""
    ran: list[str] = []
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 70])
        note = tf.py_func(lambda: ran.append("ran"), [], [])
        with tf.control_dependencies([note]):
            for build in (
                lambda: x + 0.0,
                lambda: x * 1.0,
                lambda: tf.nn.relu(x + 2.0),
                lambda: tf.tanh(x * 2.0) + 1.0,
            ):
                y = build()
                ran.clear()
                session.run(y, {x: np.ones((2, 70), np.float32)})
                assert ran == ["ran"]
