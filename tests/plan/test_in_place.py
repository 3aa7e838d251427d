"""A sum, difference or product may take the memory of an input that dies: never of one that anybody can still see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import runstep as tf

X = np.linspace(-2, 2, 6, dtype=np.float32).reshape(2, 3)


def fed(static: Any = (2, 3)) -> Any:
    return tf.placeholder(tf.float32, static, name="x")


def source_of(sess: Any) -> str:
    (request,) = sess._cache.values()
    return "\n".join(task.segment.source for task in request.plan.tasks)


def in_place(fetches: Any) -> int:
    """How many nodes write over an input; the values are held against those without rewrites and with traced steps."""
    x = tf.get_default_graph().get_tensor_by_name("x:0")
    given = X.copy()
    with tf.Session() as sess:
        found = sess.run(fetches, {x: given})
        lines = [line.strip() for line in source_of(sess).split("\n")]
        traced = sess.run(fetches, {x: given}, tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE), tf.RunMetadata())
        again = sess.run(fetches, {x: given})
    np.testing.assert_array_equal(given, X)
    for a, b, c in zip(found, traced, again, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    return sum(line.startswith("k") for line in lines)


def chain(x: Any) -> list[Any]:
    return [(x * 2.0 + x) * x - 1.0]


def both_inputs(x: Any) -> list[Any]:
    y = tf.sin(x)
    return [y * y]


def on_the_right(x: Any) -> list[Any]:
    return [3.0 - tf.square(x)]


def fetched(x: Any) -> list[Any]:
    y = x * 2.0
    return [y, y + 1.0]


def read_later(x: Any) -> list[Any]:
    y = x * 2.0
    return [(y + 1.0) / tf.exp(y)]


def seen_through_a_view(x: Any) -> list[Any]:
    y = x * 2.0
    view = tf.transpose(y)
    return [y + 1.0, view]


def of_a_view(x: Any) -> list[Any]:
    return [tf.reshape(x, [3, 2]) + 1.0]


def broader(x: Any) -> list[Any]:
    return [tf.exp(x[0]) + x]


def of_another_type(x: Any) -> list[Any]:
    return [tf.cast(tf.exp(x), tf.float64) * 2.0]


def kept_in_a_list(x: Any) -> list[Any]:
    array = tf.TensorArray(tf.float32, 1, infer_shape=False)
    y = x * 2.0
    array = array.write(0, y)
    with tf.control_dependencies([array.flow]):
        z = y + 1.0
    with tf.control_dependencies([z]):
        return [array.read(0), z]


def in_a_loop(x: Any) -> list[Any]:
    return list(
        tf.while_loop(lambda i, y: i < 5, lambda i, y: (i + 1, tf.exp(y * 0.5) * 0.5 + y), [tf.constant(0), x])[1:]
    )


def on_a_branch(x: Any) -> list[Any]:
    y = tf.exp(x)
    return [tf.cond(tf.reduce_sum(x) > 100.0, lambda: y + 1.0, lambda: y * 2.0), y - 1.0]


@pytest.mark.parametrize(
    "program, count",
    [
        (chain, 3),
        (both_inputs, 1),
        (on_the_right, 1),
        (fetched, 0),
        (read_later, 0),
        (seen_through_a_view, 0),
        (of_a_view, 0),
        (broader, 0),
        (of_another_type, 0),
        (kept_in_a_list, 0),
        (in_a_loop, 1),  # not the value for the next turn
        (on_a_branch, 0),
    ],
)
def test_memory_is_taken_where_nobody_sees_it(program: Callable[[Any], list[Any]], count: int) -> None:
    with tf.Graph().as_default():
        assert in_place(program(fed())) == count


def test_a_shape_that_is_not_known_is_not_trusted() -> None:
    with tf.Graph().as_default():
        assert in_place(chain(fed([None, 3]))) == 0


def test_partial_runs_keep_what_later_calls_read() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        x, z = fed(), tf.placeholder(tf.float32, [2, 3])
        y = tf.exp(x)
        first, second = y + 1.0, y * z
        handle = sess.partial_run_setup([first, second], [x, z])
        np.testing.assert_array_equal(sess.partial_run(handle, first, {x: X}), np.exp(X) + 1)
        np.testing.assert_array_equal(sess.partial_run(handle, second, {z: X}), np.exp(X) * X)
