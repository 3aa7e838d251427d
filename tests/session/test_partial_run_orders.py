"""Partial runs of random graphs, fed and fetched in random orders: always the values of one run, each task once."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings, strategies as st

import runstep as tf


def build(choices: list[tuple[int, int, int]], feeds: list[Any], counter: Any) -> list[Any]:
    """A graph over the feeds: arithmetic, views, branches, loops, kernels that wait; all on earlier nodes."""
    nodes: list[Any] = [*feeds, tf.identity(counter.assign_add([1.0, 0.0]))]
    for kind, left, right in choices:
        a, b = nodes[left % len(nodes)], nodes[right % len(nodes)]
        if kind == 0:
            new = a + b
        elif kind == 1:
            new = a * 0.5
        elif kind == 2:
            new = tf.reshape(tf.reshape(a, [2, 1]), [2])
        elif kind == 3:
            new = tf.cond(tf.reduce_sum(a) > tf.reduce_sum(b), lambda a=a: a - 1.0, lambda b=b: b + 1.0)  # type: ignore[misc]
        elif kind == 4:
            new = tf.while_loop(lambda i, v: i < 2, lambda i, v, b=b: (i + 1, v * 0.5 + b), [0, a])[1]
        elif kind == 5:
            queue = tf.FIFOQueue(10, tf.float32, shapes=[[2]])
            with tf.control_dependencies([queue.enqueue(a)]):
                new = queue.dequeue()
        elif kind == 6:
            with tf.control_dependencies([b * 1.0]):  # a placeholder itself may not be run
                new = tf.identity(a)
        else:
            with tf.device("/cpu:1"):
                new = a - b
        nodes.append(new)
    return nodes[len(feeds) :]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data(), devices=st.sampled_from([1, 1, 1, 2]))
def test_any_order(data: st.DataObject, devices: int) -> None:
    """S142, S144, S145, S52."""
    count = data.draw(st.integers(1, 4))
    kinds = st.integers(0, 6 if devices == 1 else 7)
    choices = data.draw(st.lists(st.tuples(kinds, st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=8))
    with tf.Graph().as_default():
        feeds = [tf.placeholder(tf.float32, [2]) for _ in range(count)]
        counter = tf.get_variable("counter", shape=[2], initializer=tf.zeros_initializer(), use_resource=True)
        fetches = build(choices, feeds, counter)
        values = {feed: np.array([n + 1, 0.25 * n], np.float32) for n, feed in enumerate(feeds)}
        with tf.Session(config=tf.ConfigProto(device_count={"CPU": devices})) as session:
            session.run(counter.initializer)
            expected = dict(zip(fetches, session.run(fetches, values), strict=True))
            orders = [
                (feed, [f for f in fetches if data.draw(st.booleans())]) for feed in data.draw(st.permutations(feeds))
            ]
            for _ in range(2):  # the second time by what the first has left in the session
                session.run(counter.initializer)
                _one_order(session, session.partial_run_setup(fetches, feeds), orders, values, expected)
                assert session.run(counter).tolist() == [1, 0]


def _one_order(session: Any, handle: Any, orders: Any, values: Any, expected: Any) -> None:
    """Feeds one by one, and asks after each for what the order says."""
    left = list(expected)
    for feed, asked in orders:
        session.partial_run(handle, [], {feed: values[feed]})
        for fetch in asked:
            if fetch in left:
                try:
                    found = session.partial_run(handle, fetch)
                except tf.errors.InvalidArgumentError as error:
                    assert "can't be computed from the feeds that have been fed so far" in error.message
                    continue
                np.testing.assert_array_equal(found, expected[fetch])
                found[:] = 99.0  # it is the caller's own
                left.remove(fetch)
    for fetch, found in zip(left, session.partial_run(handle, left), strict=True):
        np.testing.assert_array_equal(found, expected[fetch])
