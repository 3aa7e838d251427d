"""Chains that go through tile by tile give what their nodes give one by one, however their inputs broadcast."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import runstep as tf
from runstep.kernels import blas, parallel, tiles

UNARY: list[Any] = [tf.abs, tf.tanh, tf.nn.relu, tf.negative, tf.square, tf.sigmoid, lambda x: tf.nn.leaky_relu(x, 0.3)]
BINARY: list[Any] = [
    tf.add,
    tf.subtract,
    tf.multiply,
    tf.maximum,
    tf.minimum,
    tf.squared_difference,
    lambda x, y: tf.where_v2(x > y, x, y * 2.0),
    lambda x, y: tf.cast(tf.cast(x, tf.float64) - tf.cast(y, tf.float64), tf.float32),
    lambda x, y: x + tf.cast(tf.logical_and(x < y, tf.not_equal(y, 0.0)), tf.float32),
]
ENDS: list[Any] = [
    tf.identity,
    tf.reduce_sum,
    tf.reduce_mean,
    tf.reduce_max,
    lambda x: tf.reduce_mean(x, axis=[0, 1, 2], keepdims=True),
    lambda x: tf.reduce_sum(x, axis=-1),
    lambda x: tf.reduce_mean(x, axis=2, keepdims=True),
]
INPUTS = {
    "x": (7, 5, 6),
    "full": (7, 5, 6),
    "row": (6,),
    "rows": (5, 6),
    "column": (7, 5, 1),
    "odd": (7, 1, 6),
    "one": (1, 1),
}


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "LARGE", 64)
    monkeypatch.setattr(tiles, "TILE", 36)


def session(level: Any) -> Any:
    config = tf.ConfigProto()
    config.graph_options.optimizer_options.opt_level = level
    return tf.Session(config=config)


def kernels(sess: Any) -> list[str]:
    (request,) = sess._cache.values()
    return [node.type for node in request.plan.nodes]


def both(fetches: Any, feeds: Any) -> tuple[Any, Any, list[str]]:
    """What is fetched with tiles, and without any rewrite; the nodes that ran."""
    with session(0) as tiled, session(-1) as plain:
        return tiled.run(fetches, feeds), plain.run(fetches, feeds), kernels(tiled)


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("split", (1, 1 << 40), ids=("threads", "one thread"))
@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    choices=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99)), min_size=2, max_size=7),
    end=st.integers(0, 6),
    batch=st.booleans(),
)
def test_random_chains(split: int, choices: list[tuple[int, int, int]], end: int, batch: bool) -> None:
    with pytest.MonkeyPatch.context() as patch, tf.Graph().as_default():
        patch.setattr(tiles, "_SPLIT", split)
        rng = np.random.default_rng(0)
        feeds, values = {}, []
        for name, shape in INPUTS.items():
            static = [None, *shape[1:]] if batch and len(shape) == 3 else list(shape)
            values.append(tf.placeholder(tf.float32, static, name=name))
            feeds[values[-1]] = rng.normal(size=shape).astype(np.float32)
        value = values[0]
        made = [*values, tf.constant(0.5)]
        for kind, which, with_ in choices:
            functions = UNARY + BINARY
            function = functions[kind % len(functions)]
            value = (
                function(value)
                if function in UNARY
                else function(*[(value, made[which % len(made)]), (made[with_ % len(made)], value)][kind % 2])
            )
            made.append(value)
        tiled, plain, _ = both(ENDS[end](value), feeds)
        assert tiled.dtype == plain.dtype and tiled.shape == plain.shape
        np.testing.assert_allclose(tiled, plain, rtol=2e-5, atol=1e-5)


LARGE = np.linspace(-3, 3, 96 * 1024, dtype=np.float32).reshape(96, 1024)


def test_a_chain_becomes_one_node_and_its_result_is_the_callers() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 1024])
        y = tf.maximum(tf.abs(x * 2.0 + 1.0) - 0.5, 0.0) * x
        tiled, plain, nodes = both(y, {x: LARGE})
    assert nodes == ["_MulTiled"]
    np.testing.assert_array_equal(tiled, plain)
    assert tiled.flags.writeable and tiled.base is None


def test_what_is_fetched_or_used_elsewhere_stays() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 1024])
        inner = x * 2.0 + 1.0
        y = tf.nn.relu(inner) * x
        product = tf.matmul(inner, tf.ones([1024, 2]))
        tiled, plain, nodes = both([y, inner, product], {x: LARGE})
    assert sorted(nodes) == ["MatMul", "_AddV2Tiled", "_MulTiled"]
    for found, wanted in zip(tiled, plain, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_small_and_unruly_inputs_go_through_the_nodes_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    layout = tiles.layout

    def recorded(*args: Any) -> Any:
        found = layout(*args)
        asked.append(found is not None)
        return found

    monkeypatch.setattr(tiles, "layout", recorded)
    with tf.Graph().as_default(), session(0) as sess:
        x, z = tf.placeholder(tf.float32, [None, None]), tf.placeholder(tf.float32, [None, None])
        y = tf.exp(-x) + z
        for a, b, is_tiled in (
            (LARGE, LARGE, True),
            (LARGE, LARGE[:1], True),
            (LARGE, LARGE[:, :1], True),
            (LARGE[:2], LARGE[:2], False),
            (LARGE[:1], LARGE[:, :1], False),  # neither has the result's shape
            (np.asfortranarray(LARGE), LARGE, False),
            (LARGE[:, ::2], LARGE[:, 1::2], False),
        ):
            asked.clear()
            np.testing.assert_allclose(sess.run(y, {x: a, z: b}), np.exp(-a) + b, rtol=1e-6)
            assert asked == [is_tiled]


def test_an_error_inside_names_its_own_node() -> None:
    with tf.Graph().as_default(), session(0) as sess:
        x = tf.placeholder(tf.int32, [None])
        culprit = tf.floordiv(x + 1, x, name="culprit")
        y = culprit * 2
        with pytest.raises(tf.errors.InvalidArgumentError, match="Integer division by zero") as caught:
            sess.run(y, {x: np.zeros(1 << 17, np.int32)})
        assert caught.value.op is culprit.op
        with pytest.raises(tf.errors.InvalidArgumentError, match="Integer division by zero") as caught:
            sess.run(y, {x: [0]})
        assert caught.value.op is culprit.op
        assert sess.run(y, {x: [1, 2]}).tolist() == [4, 2]


def test_shapes_that_do_not_broadcast_are_refused() -> None:
    with tf.Graph().as_default(), session(0) as sess:
        x, z = tf.placeholder(tf.float32, [None, None]), tf.placeholder(tf.float32, [None, None])
        with pytest.raises(tf.errors.InvalidArgumentError, match="Incompatible shapes"):
            sess.run(tf.exp(-x) + z, {x: LARGE, z: LARGE[:, :7]})


def test_a_branch_that_is_not_taken_takes_its_chain_with_it() -> None:
    with tf.Graph().as_default():
        x, p = tf.placeholder(tf.float32, [None, 1024]), tf.placeholder(tf.bool, [])
        y = tf.cond(p, lambda: tf.exp(x * 2.0) + 1.0, lambda: tf.nn.relu(x - 1.0) * x)
        for taken in (True, False):
            tiled, plain, _ = both(y, {x: LARGE, p: taken})
            np.testing.assert_array_equal(tiled, plain)


def test_a_split_covers_every_item_once_and_raises_what_a_part_raised() -> None:
    threads = parallel._Threads(3)
    for count in (1, 2, 3, 4, 100):
        seen = [0] * count

        def work(start: int, stop: int, seen: list[int] = seen) -> None:
            for item in range(start, stop):
                seen[item] += 1

        threads.split(count, work)
        assert seen == [1] * count
    turns = itertools.count()

    def fails(start: int, stop: int) -> None:
        next(turns)
        raise KeyError(start)

    with pytest.raises(KeyError):
        threads.split(9, fails)
    assert 1 <= next(turns) <= 3  # whoever is at it ends it, and nobody begins another part
    threads.split(3, lambda start, stop: threads.split(2, work))  # busy: the inner one is done in place


@pytest.mark.parametrize("allowed", (1, 2))
def test_a_split_keeps_to_the_threads_that_a_kernel_may_use(allowed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """`intra_op_parallelism_threads` sets how many."""
    monkeypatch.setattr(blas, "threads", lambda: allowed)
    monkeypatch.setattr(parallel, "_threads", parallel._Threads(1))
    parts: list[tuple[int, int]] = []
    parallel.split(10, lambda start, stop: parts.append((start, stop)))
    assert sorted(parts) == ([(0, 10)] if allowed == 1 else [(0, 3), (3, 6), (6, 9), (9, 10)])


def test_who_comes_to_a_job_late_finds_nothing_to_do_and_nothing_to_hold_on_to() -> None:
    parts: list[tuple[int, int]] = []
    job = parallel._Job(lambda start, stop: parts.append((start, stop)), 5, 2)
    assert job.do() == 5
    job.close()
    job.help()
    assert parts == [(0, 2), (2, 4), (4, 5)]
    assert job.work is None


def test_calls_that_help_made_slower_are_followed_by_ever_more_that_are_done_alone() -> None:
    threads = parallel._Threads(2)
    for pause in (1, 3, 7, 15, 31, 63, 64, 64):
        threads._judge(taken=2.0, alone=1.0)
        parts: list[tuple[int, int]] = []
        for _ in range(pause):
            threads.split(4, lambda start, stop, parts=parts: parts.append((start, stop)))  # type: ignore[misc]
        assert parts == [(0, 4)] * pause
        assert threads._alone == 0
    threads._judge(taken=1.0, alone=1.0)
    threads._judge(taken=2.0, alone=1.0)
    assert threads._alone == 1
