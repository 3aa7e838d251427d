"""Sizes worked out of shapes, and arrays of one value: rewrites change no result, and happen where they may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import runstep as tf
from runstep.graph.apply import apply

RNG = np.random.default_rng(7)
X = RNG.normal(size=(3, 4)).astype(np.float32)
Z = RNG.normal(size=(3, 4)).astype(np.float32)
AXIS0 = np.array(0, np.int32)


def shape(x: Any, out: Any = tf.int32) -> Any:
    return apply("Shape", x, out_type=out)


def sliced(x: Any, begin: int, end: int, stride: int, shrink: int = 0) -> Any:
    numbers = [np.array([number], np.int32) for number in (begin, end, stride)]
    return apply("StridedSlice", shape(x), *numbers, shrink_axis_mask=shrink)


def product(x: Any, *indices: int) -> Any:
    return apply("Prod", apply("GatherV2", shape(x), np.array(indices, np.int32), AXIS0), AXIS0)


def filled(x: Any, value: Any) -> Any:
    return apply("BroadcastTo", value, shape(x))


def mean_gradient(x: Any, z: Any) -> Any:
    rows = tf.reduce_sum(x, 1)
    return apply("Mul", apply("ExpandDims", filled(rows, tf.reduce_sum(z)), np.array(-1, np.int32)), z)


# From two matrices of 3 x 4 whose shapes the graph leaves open: what is fetched, and the op types that must be gone
# from the plan ("-") or there ("+").
ROWS: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "one size": (lambda x, z: sliced(x, 1, 2, 1, 1), "-StridedSlice -Shape +_Sizes"),
    "sizes backwards": (lambda x, z: sliced(x, -1, -4, -1), "-StridedSlice -Shape"),
    "sizes twice": (lambda x, z: apply("GatherV2", shape(x), np.array([1, 1, 0], np.int32), AXIS0), "-GatherV2"),
    "a size of sizes": (
        lambda x, z: apply("Slice", sliced(x, 0, 2, 1), np.array([1], np.int32), np.array([1], np.int32)),
        "-Slice -StridedSlice",
    ),
    "a size that is not there": (
        lambda x, z: apply("Slice", shape(x), np.array([1], np.int32), np.array([-1], np.int32)),
        "-Slice",
    ),
    "sizes by a number of the run": (
        lambda x, z: apply("GatherV2", shape(x), tf.cast(tf.reduce_sum(z * 0), tf.int32), AXIS0),
        "+GatherV2",
    ),
    "a product of sizes": (lambda x, z: product(x, 0, 1), "-Prod -GatherV2 -Shape +_Count"),
    "the product of all": (lambda x, z: apply("Prod", shape(x, tf.int64), AXIS0), "-Prod"),
    "a product that stays a vector": (lambda x, z: apply("Prod", shape(x), AXIS0, keep_dims=True), "+Prod"),
    "a count": (lambda x, z: apply("Size", x), "+_Count"),
    "a count as a float": (lambda x, z: tf.cast(product(x, 1), tf.float64), "-Cast"),
    "a count as a short": (lambda x, z: tf.cast(product(x, 1), tf.int16), "+Cast"),
    "a shape that is used too": (lambda x, z: [shape(x), product(x, 1)], "+Shape -Prod"),
    "filled": (lambda x, z: filled(x, tf.reduce_sum(z)), "-BroadcastTo -Shape"),
    "filled by Fill": (lambda x, z: apply("Fill", shape(x), tf.reduce_sum(z)), "-Fill -Shape"),
    "filled with a reshaped value": (
        lambda x, z: filled(x, apply("Reshape", tf.reduce_sum(z), np.array([1, 1], np.int32))),
        "-BroadcastTo -Reshape",
    ),
    "filled with a row": (lambda x, z: filled(x, z[0]), "+BroadcastTo"),
    "filled with integers": (lambda x, z: filled(x, np.int32(7)), "-BroadcastTo"),
    "filled with texts": (lambda x, z: filled(x, tf.constant(b"a")), "+BroadcastTo"),
    "a product with what is filled": (lambda x, z: filled(x, tf.reduce_sum(z)) * z, "-Mul -BroadcastTo"),
    "a product from the other side": (lambda x, z: z * filled(x, tf.reduce_sum(z)), "-Mul"),
    "a square of what is filled": (
        lambda x, z: (lambda y: y * y)(filled(x, tf.reduce_sum(z))),
        "-Mul -BroadcastTo",
    ),
    "a product that enlarges": (lambda x, z: filled(x, tf.reduce_sum(z)) * z[:1], "-Mul"),
    "a product with a scalar": (lambda x, z: filled(x, tf.reduce_sum(z)) * tf.reduce_sum(x), "-Mul"),
    "a column times a matrix": (mean_gradient, "-Mul -ExpandDims -BroadcastTo"),
    "a column times a row": (
        lambda x, z: apply("Mul", apply("ExpandDims", filled(tf.reduce_sum(x, 1), np.float32(3)), AXIS0), z[:, :3]),
        "-Mul",
    ),
    "the gradient of a mean": (lambda x, z: tf.gradients(tf.reduce_mean(tf.square(x - z)), [x, z]), "-BroadcastTo"),
    "the gradient of a mean of rows": (lambda x, z: tf.gradients(tf.reduce_mean(x * z, 1), [x, z])[0], ""),
}


def run(build: Callable[[Any, Any], Any], level: Any, feeds: tuple[Any, Any]) -> tuple[list[Any], list[str]]:
    """Results and the op types of the plan."""
    config = tf.ConfigProto()
    config.graph_options.optimizer_options.opt_level = level
    with tf.Graph().as_default() as graph:
        x, z = tf.placeholder(tf.float32, [None, None]), tf.placeholder(tf.float32, [None, None])
        made = build(x, z)
        metadata = tf.RunMetadata()
        with tf.Session(graph=graph, config=config) as session:
            options = tf.RunOptions(output_partition_graphs=True)
            fetches = list(made) if isinstance(made, (list, tuple)) else [made]
            found = session.run(fetches, dict(zip((x, z), feeds, strict=True)), options, metadata)
    return found, [node.op for node in metadata.partition_graphs[0].node]


@pytest.mark.parametrize("name", ROWS)
def test_row(name: str) -> None:
    build, expected = ROWS[name]
    short, ops = run(build, tf.OptimizerOptions.L1, (X, Z))
    plain, all_ops = run(build, tf.OptimizerOptions.L0, (X, Z))
    for a, b in zip(short, plain, strict=True):
        assert (np.asarray(a).dtype, a.shape) == (np.asarray(b).dtype, b.shape)
        np.testing.assert_array_equal(a, b)
    for word in expected.split():
        assert (word[1:] in ops) is (word[0] == "+"), (word, ops)
        assert word[1:] in all_ops or word[1] == "_"


@pytest.mark.parametrize("rows", [0, 1])
def test_few_rows(rows: int) -> None:
    for name in ("a product of sizes", "a column times a matrix", "the gradient of a mean"):
        feeds = X[:rows], Z[:rows]
        short, _ = run(ROWS[name][0], tf.OptimizerOptions.L1, feeds)
        plain, _ = run(ROWS[name][0], tf.OptimizerOptions.L0, feeds)
        for a, b in zip(short, plain, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_filled_value_that_is_fetched_belongs_to_the_caller() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None])
        y = filled(x, tf.reduce_sum(x))
        first = session.run(y, {x: [1, 2]})
        first[...] = 9
        assert session.run([y, y * x], {x: [1, 2]})[1].tolist() == [3, 6]


def test_shapes_that_do_not_broadcast_are_refused() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x, z = tf.placeholder(tf.float32, [None]), tf.placeholder(tf.float32, [None])
        culprit = apply("Mul", filled(x, tf.reduce_sum(z)), z, name="culprit")
        with pytest.raises(tf.errors.InvalidArgumentError) as caught:
            session.run(culprit, {x: [1, 2, 3], z: [1, 2]})
        assert caught.value.op is culprit.op
