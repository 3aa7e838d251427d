"""Branches and loops that TensorFlow's Python wrote, as dataflow (v1) and as functions (v2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

PROGRAMS: dict[str, Any] = {}


def program(function: Any) -> Any:
    PROGRAMS[function.__name__] = function
    return function


def scalar(tf: Any, name: str, dtype: str = "int32") -> Any:
    return tf.placeholder(dtype, [], name=name)


@program
def cond(tf: Any) -> Any:
    p, x = scalar(tf, "p", "bool"), scalar(tf, "x", "float32")
    found = tf.cond(p, lambda: x + 1.0, lambda: x * 10.0)
    return [found, found * 2.0], [{"p": True, "x": 2.0}, {"p": False, "x": 3.0}]


@program
def cond_of_several_outputs(tf: Any) -> Any:
    p, x = scalar(tf, "p", "bool"), scalar(tf, "x", "float32")
    a, b = tf.cond(p, lambda: (x, tf.constant(1)), lambda: (tf.constant(5.0), tf.cast(x, tf.int32)))
    return [a, b], [{"p": p_, "x": 2.5} for p_ in (True, False)]


@program
def conds_nested(tf: Any) -> Any:
    p, q, x = scalar(tf, "p", "bool"), scalar(tf, "q", "bool"), scalar(tf, "x", "float32")
    found = tf.cond(
        p,
        lambda: tf.cond(q, lambda: x + 1.0, lambda: x + 2.0),
        lambda: tf.cond(q, lambda: x * 3.0, lambda: tf.constant(7.0)),
    )
    return [found, found * 2.0], [{"p": a, "q": b, "x": 2.0} for a in (True, False) for b in (True, False)]


@program
def cond_on_a_cond(tf: Any) -> Any:
    p, x = scalar(tf, "p", "bool"), scalar(tf, "x", "float32")
    first = tf.cond(p, lambda: x, lambda: -x)
    return tf.cond(first > 0, lambda: first + 1.0, lambda: first - 1.0), [
        {"p": a, "x": b} for a in (True, False) for b in (2.0, -2.0)
    ]


@program
def two_conds_of_one_predicate(tf: Any) -> Any:
    p, x = scalar(tf, "p", "bool"), scalar(tf, "x", "float32")
    a = tf.cond(p, lambda: x + 1.0, lambda: x - 1.0)
    b = tf.cond(p, lambda: a * 2.0, lambda: a * 3.0)
    return [a, b, a + b], [{"p": v, "x": 2.0} for v in (True, False)]


@program
def cond_of_a_known_predicate(tf: Any) -> Any:
    x = scalar(tf, "x", "float32")
    return tf.cond(tf.constant(True), lambda: x + 1.0, lambda: x / 0.0), [{"x": 2.0}]


@program
def one_branch_fails(tf: Any) -> Any:
    p, x = scalar(tf, "p", "bool"), scalar(tf, "x")
    return tf.cond(p, lambda: 10 // x, lambda: x), [{"p": v, "x": d} for v in (True, False) for d in (0, 3)]


@program
def placeholder_only_in_one_branch(tf: Any) -> Any:
    p, x, y = scalar(tf, "p", "bool"), scalar(tf, "x"), scalar(tf, "y")
    return tf.cond(p, lambda: x + y, lambda: x), [{"p": True, "x": 1, "y": 2}, {"p": False, "x": 1, "y": 2}]


@program
def case(tf: Any) -> Any:
    x = scalar(tf, "x")
    found = tf.case(
        [(tf.equal(x, 1), lambda: tf.constant(10)), (tf.equal(x, 2), lambda: tf.constant(20))], default=lambda: x * 100
    )
    return found, [{"x": v} for v in (1, 2, 3)]


@program
def case_exclusive(tf: Any) -> Any:
    x = scalar(tf, "x")
    pairs = [(x > 1, lambda: x + 1), (x > 2, lambda: x + 2)]
    return tf.case(pairs, default=lambda: x, exclusive=True), [{"x": v} for v in (1, 2, 3)]


@program
def switch_case(tf: Any) -> Any:
    x = scalar(tf, "x")
    branches = [lambda: x * 10, lambda: x - 5, lambda: tf.constant(7)]
    return tf.switch_case(x, branches), [{"x": v} for v in (0, 1, 2, 3, -1)]


@program
def loop(tf: Any) -> Any:
    n = scalar(tf, "n")
    i, s = tf.while_loop(
        lambda i, s: i < n, lambda i, s: (i + 1, s + tf.cast(i, tf.float32)), [tf.constant(0), tf.constant(0.0)]
    )
    return [i, s], [{"n": v} for v in (0, 1, 5, 100)]


@program
def variables_trade_places(tf: Any) -> Any:
    n = scalar(tf, "n")
    found = tf.while_loop(
        lambda i, a, b: i < n, lambda i, a, b: (i + 1, b, a + b), [tf.constant(0), tf.constant(0), tf.constant(1)]
    )
    return list(found), [{"n": v} for v in (0, 1, 10)]


@program
def variable_that_does_not_change(tf: Any) -> Any:
    n, x = scalar(tf, "n"), tf.placeholder("float32", [2], name="x")
    found = tf.while_loop(lambda i, x, y: i < n, lambda i, x, y: (i + 1, x, y * x), [tf.constant(0), x, x])
    return list(found), [{"n": v, "x": [2.0, 3.0]} for v in (0, 3)]


@program
def loops_nested(tf: Any) -> Any:
    n = scalar(tf, "n")

    def body(i: Any, s: Any) -> Any:
        _, t = tf.while_loop(lambda j, t: j < i, lambda j, t: (j + 1, t + j * n), [tf.constant(0), s])
        return i + 1, t

    return list(tf.while_loop(lambda i, s: i < n, body, [tf.constant(0), tf.constant(0)])), [
        {"n": v} for v in (0, 1, 7)
    ]


@program
def loops_nested_thrice(tf: Any) -> Any:
    n = scalar(tf, "n")

    def count(depth: int, total: Any) -> Any:
        if not depth:
            return total + n
        return tf.while_loop(lambda i, t: i < n, lambda i, t: (i + 1, count(depth - 1, t)), [tf.constant(0), total])[1]

    return count(3, tf.constant(0)), [{"n": v} for v in (0, 1, 3)]


@program
def loop_after_loop(tf: Any) -> Any:
    n = scalar(tf, "n")
    a = tf.while_loop(lambda i: i < n, lambda i: i + 3, [tf.constant(0)])
    b = tf.while_loop(lambda i: i < a * 2, lambda i: i + 5, [a])
    return [a, b], [{"n": v} for v in (0, 4, 9)]


@program
def cond_in_loop(tf: Any) -> Any:
    n = scalar(tf, "n")
    found = tf.while_loop(
        lambda i, s: i < n,
        lambda i, s: (i + 1, tf.cond(tf.equal(i % 2, 0), lambda: s + i, lambda: s - 1)),
        [tf.constant(0), tf.constant(0)],
    )
    return list(found), [{"n": v} for v in (0, 5, 10)]


@program
def cond_in_the_condition(tf: Any) -> Any:
    n, p = scalar(tf, "n"), scalar(tf, "p", "bool")
    found = tf.while_loop(lambda i: tf.cond(p, lambda: i < n, lambda: i < 2 * n), lambda i: i + 1, [tf.constant(0)])
    return found, [{"n": 3, "p": v} for v in (True, False)]


@program
def loop_in_cond(tf: Any) -> Any:
    p, n = scalar(tf, "p", "bool"), scalar(tf, "n")
    found = tf.cond(
        p, lambda: tf.while_loop(lambda i: i < n, lambda i: i + 3, [tf.constant(0)]), lambda: tf.constant(-1)
    )
    return found, [{"p": v, "n": 10} for v in (True, False)]


@program
def loop_in_cond_in_loop(tf: Any) -> Any:
    n = scalar(tf, "n")

    def body(i: Any, s: Any) -> Any:
        inner = lambda: tf.while_loop(lambda j, t: j < i, lambda j, t: (j + 1, t + j), [tf.constant(0), s])[1]  # noqa: E731
        return i + 1, tf.cond(tf.equal(i % 3, 0), inner, lambda: s * 2)

    return list(tf.while_loop(lambda i, s: i < n, body, [tf.constant(0), tf.constant(1)])), [
        {"n": v} for v in (0, 4, 9)
    ]


@program
def loop_on_a_cond(tf: Any) -> Any:
    p, n = scalar(tf, "p", "bool"), scalar(tf, "n")
    start = tf.cond(p, lambda: n, lambda: tf.constant(1))
    found = tf.while_loop(lambda i: i < 20, lambda i: i * 2, [start])
    return tf.cond(p, lambda: found, lambda: -found), [{"p": v, "n": 3} for v in (True, False)]


@program
def condition_of_two_parts(tf: Any) -> Any:
    n = scalar(tf, "n")
    found = tf.while_loop(
        lambda i, s: tf.logical_and(i < n, s < 20),
        lambda i, s: [i + 1, s + i],
        [tf.constant(0), tf.constant(0)],
        maximum_iterations=9,
    )
    return list(found), [{"n": v} for v in (3, 100)]


@program
def value_used_inside_and_after(tf: Any) -> Any:
    n, x = scalar(tf, "n"), scalar(tf, "x", "float32")
    y = x * 2.0
    _, s = tf.while_loop(lambda i, s: i < n, lambda i, s: (i + 1, s + y), [tf.constant(0), tf.constant(0.0)])
    return [s, y, s + y], [{"n": v, "x": 1.5} for v in (0, 4)]


@program
def growing_shape(tf: Any) -> Any:
    n = scalar(tf, "n")
    found = tf.while_loop(
        lambda i, x: i < n,
        lambda i, x: (i + 1, tf.concat([x, x], 0)),
        [tf.constant(0), tf.constant([1.0])],
        shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])],
    )
    return list(found), [{"n": v} for v in (0, 4)]


@program
def tensor_array(tf: Any) -> Any:
    n = scalar(tf, "n")
    array = tf.TensorArray(tf.float32, size=n)
    _, array = tf.while_loop(
        lambda i, t: i < n, lambda i, t: (i + 1, t.write(i, tf.cast(i * i, tf.float32))), [tf.constant(0), array]
    )
    return array.stack(), [{"n": v} for v in (1, 4)]


@program
def tensor_array_read_back(tf: Any) -> Any:
    x = tf.placeholder("float32", [None, 2], name="x")
    array = tf.TensorArray(tf.float32, size=0, dynamic_size=True, clear_after_read=False).unstack(x)
    n = tf.shape(x)[0]
    found = tf.while_loop(
        lambda i, s: i < n,
        lambda i, s: (i + 1, s + array.read(n - 1 - i) * tf.cast(i, tf.float32)),
        [tf.constant(0), tf.zeros([2])],
    )
    return list(found), [{"x": np.arange(6.0).reshape(3, 2)}]


@program
def map_fn(tf: Any) -> Any:
    x = tf.placeholder("float32", [None, 3], name="x")
    return tf.map_fn(lambda v: v * 2 + tf.reduce_sum(v), x), [{"x": np.arange(12.0).reshape(4, 3)}]


@program
def scan(tf: Any) -> Any:
    x = tf.placeholder("float32", [None], name="x")
    return tf.scan(lambda a, v: a * 0.5 + v, x), [{"x": np.arange(6.0)}]


@program
def assertion_in_a_loop(tf: Any) -> Any:
    n = scalar(tf, "n")

    def body(i: Any) -> Any:
        with tf.control_dependencies([tf.debugging.assert_less(i, 5)]):
            return i + 1

    return tf.while_loop(lambda i: i < n, body, [tf.constant(0)]), [{"n": v} for v in (3, 9)]


@program
def assertion_on_a_condition(tf: Any) -> Any:
    x = scalar(tf, "x")
    with tf.control_dependencies([tf.debugging.assert_positive(x, message="no")]):
        return tf.identity(x), [{"x": v} for v in (3, -1)]


@program
def gradient_of_a_loop(tf: Any) -> Any:
    x = scalar(tf, "x", "float32")
    _, s = tf.while_loop(lambda i, s: i < 4, lambda i, s: (i + 1, s * x), [tf.constant(0), tf.constant(1.0)])
    return [s, tf.gradients(s, x)[0]], [{"x": v} for v in (2.0, 3.0)]


@program
def gradient_of_nested_loops(tf: Any) -> Any:
    x, n = scalar(tf, "x", "float32"), scalar(tf, "n")

    def body(i: Any, s: Any) -> Any:
        _, t = tf.while_loop(lambda j, t: j < i, lambda j, t: (j + 1, t * x), [tf.constant(0), s])
        return i + 1, t + x

    _, s = tf.while_loop(lambda i, s: i < n, body, [tf.constant(0), tf.constant(1.0)])
    return [s, tf.gradients(s, x)[0]], [{"x": 1.5, "n": v} for v in (0, 1, 4)]


@program
def gradient_of_a_cond(tf: Any) -> Any:
    x, p = scalar(tf, "x", "float32"), scalar(tf, "p", "bool")
    y = tf.cond(p, lambda: x * x, lambda: x * x * x)
    return [y, tf.gradients(y, x)[0]], [{"x": 2.0, "p": v} for v in (True, False)]


@program
def gradient_of_a_cond_in_a_loop(tf: Any) -> Any:
    x, n = scalar(tf, "x", "float32"), scalar(tf, "n")
    body = lambda i, s: (i + 1, tf.cond(tf.equal(i % 2, 0), lambda: s * x, lambda: s + x))  # noqa: E731
    _, s = tf.while_loop(lambda i, s: i < n, body, [tf.constant(0), tf.constant(1.0)])
    return [s, tf.gradients(s, x)[0]], [{"x": 2.0, "n": v} for v in (0, 1, 5)]


@program
def gradient_of_a_map(tf: Any) -> Any:
    x = tf.placeholder("float32", [3], name="x")
    y = tf.map_fn(lambda v: v * v * v, x)
    return [y, tf.gradients(y, x)[0]], [{"x": [1.0, 2.0, 3.0]}]


@program
def second_gradient_of_a_cond(tf: Any) -> Any:
    x, p = scalar(tf, "x", "float32"), scalar(tf, "p", "bool")
    y = tf.cond(p, lambda: x * x * x, lambda: x)
    first = tf.gradients(y, x)[0]
    return [first, tf.gradients(first * x, x)[0]], [{"x": 2.0, "p": v} for v in (True, False)]


@program
def strings_in_branches(tf: Any) -> Any:
    p = scalar(tf, "p", "bool")
    return tf.cond(p, lambda: tf.constant(["a", "b"]), lambda: tf.constant(["c", "d"])), [
        {"p": v} for v in (True, False)
    ]


@program
def random_numbers_in_a_loop_have_the_right_shape(tf: Any) -> Any:
    n = scalar(tf, "n")
    body = lambda i, s: (i + 1, s + tf.shape(tf.random_uniform([i, 2])))  # noqa: E731
    return list(tf.while_loop(lambda i, s: i < n, body, [tf.constant(0), tf.constant([0, 0])])), [{"n": 4}]


@program
def print_in_a_branch(tf: Any) -> Any:
    p, x = scalar(tf, "p", "bool"), scalar(tf, "x")

    def loud() -> Any:
        with tf.control_dependencies([tf.no_op()]):
            return tf.identity(x)

    return tf.cond(p, loud, lambda: x + 1), [{"p": v, "x": 3} for v in (True, False)]


@pytest.mark.parametrize("v2", [False, True], ids=["v1", "v2"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_same_as_tensorflow(name: str, v2: bool, same: Any) -> None:
    same(PROGRAMS[name], v2)
