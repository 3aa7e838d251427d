"""Gradients of loops over TensorArrays, rows of tables and variables; what cannot be differentiated; random nests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

PROGRAMS: dict[str, Any] = {}
X = np.array([[0.5, -1.0], [1.5, 2.0], [-0.3, 0.7]], np.float32)


def program(function: Any) -> Any:
    PROGRAMS[function.__name__] = function
    return function


def loosely(tf: Any, grads: Any) -> Any:
    """The parts of gradients, without the static shapes: of rows added up in a loop we know more than TensorFlow."""
    parts = [p for g in grads for p in ([g.values, g.indices, g.dense_shape] if hasattr(g, "indices") else [g])]
    return [tf.placeholder_with_default(part, None) for part in parts]


@program
def mapped(tf: Any, put: Any) -> Any:
    x, w = put(X), put(0.9)
    y = tf.map_fn(lambda row: tf.tanh(row * w) * row, x)
    return tf.gradients(y, [x, w])


@program
def mapped_over_several(tf: Any, put: Any) -> Any:
    x, w = put(X), put([1.0, 2.0, 3.0])
    y = tf.map_fn(lambda pair: pair[0] * pair[1], (x, w), dtype=tf.float32)
    return tf.gradients(y * y, [x, w])


@program
def mapped_in_a_map(tf: Any, put: Any) -> Any:
    x, w = put(X), put(0.9)
    y = tf.map_fn(lambda row: tf.map_fn(lambda e: e * e * w, row), x)
    return tf.gradients(y, [x, w])


@program
def scanned(tf: Any, put: Any) -> Any:
    x, w = put(X), put(0.9)
    found = []
    for reverse in False, True:
        y = tf.scan(lambda a, row: tf.tanh(a * w + row), x, initializer=tf.ones([2]) * w, reverse=reverse)
        found += tf.gradients(y, [x, w])
    return found


@program
def scanned_from_the_first(tf: Any, put: Any) -> Any:
    x = put(X)
    return tf.gradients(tf.scan(lambda a, row: a * row, x), x)


@program
def folded(tf: Any, put: Any) -> Any:
    x, w = put(X), put(0.9)
    left = tf.foldl(lambda a, row: a * w + row * row, x)
    right = tf.foldr(lambda a, row: a * row + w, x, initializer=tf.ones([2]))
    return tf.gradients(left, [x, w]) + tf.gradients(right, [x, w])


@program
def recurrent(tf: Any, put: Any) -> Any:
    x, w = put(np.linspace(-1, 1, 24).reshape(4, 2, 3)), put(np.linspace(-1, 1, 15).reshape(5, 3))
    rows = tf.TensorArray(tf.float32, 4).unstack(x)
    h0 = tf.zeros([2, 2])

    def step(t: Any, h: Any, out: Any) -> Any:
        z = tf.matmul(tf.concat([rows.read(t), h], 1), w)
        h = tf.tanh(z[:, :2]) * tf.sigmoid(z[:, 2:])
        return t + 1, h, out.write(t, h)

    _, last, out = tf.while_loop(lambda t, *_: t < 4, step, (tf.constant(0), h0, tf.TensorArray(tf.float32, 4)))
    return tf.gradients(out.stack(), [x, w]) + tf.gradients(last, [x, w])


@program
def with_lengths(tf: Any, put: Any) -> Any:
    """As dynamic_rnn does it: what is past the end of a row is copied through in a cond."""
    x, w = put(X), put(0.9)
    rows = tf.TensorArray(tf.float32, 3).unstack(x)
    length = put([3, 2], dtype=np.int32)

    def step(t: Any, h: Any, out: Any) -> Any:
        def go() -> Any:
            new = tf.tanh(h * w + rows.read(t))
            return tf.where(t >= length, h, new)

        h = tf.cond(t < tf.reduce_max(length), go, lambda: h)
        return t + 1, h, out.write(t, h)

    start = tf.constant(0), tf.zeros([2]), tf.TensorArray(tf.float32, 3)
    _, last, out = tf.while_loop(lambda t, *_: t < 3, step, start)
    return tf.gradients([out.stack(), last], [x, w])


@program
def read_in_a_cond(tf: Any, put: Any) -> Any:
    x = put(X)
    rows = tf.TensorArray(tf.float32, 3, clear_after_read=False).unstack(x)

    def step(t: Any, s: Any) -> Any:
        return t + 1, s + tf.cond(tf.equal(t, 1), lambda: s * rows.read(t), lambda: rows.read(t) * rows.read(t))

    y = tf.while_loop(lambda t, _: t < 3, step, (tf.constant(0), tf.ones([2])))[1]
    return tf.gradients(y, x)


@program
def in_pieces(tf: Any, put: Any) -> Any:
    x, w = put(X), put(0.9)
    pieces = tf.TensorArray(tf.float32, 2, infer_shape=False).split(x, [1, 2])

    def step(t: Any, out: Any) -> Any:
        return t + 1, out.write(t, pieces.read(t) * w)

    start = tf.TensorArray(tf.float32, 2, infer_shape=False)
    out = tf.while_loop(lambda t, _: t < 2, step, (tf.constant(0), start))[1]
    return tf.gradients(out.concat() * 2.0, [x, w])


@program
def some_rows(tf: Any, put: Any) -> Any:
    x = put(X)
    array = tf.TensorArray(tf.float32, 4, element_shape=[2]).scatter([0, 2, 3], x)

    def step(t: Any, s: Any) -> Any:
        return t + 2, s * array.read(t)

    y = tf.while_loop(lambda t, _: t < 4, step, (tf.constant(0), tf.ones([2])))[1]
    return tf.gradients(y, x) + tf.gradients(tf.reduce_sum(y), x)


@program
def rows_of_a_table(tf: Any, put: Any) -> Any:
    """IndexedSlices from each turn, one after the other."""
    table, w = put(X), put(0.9)

    def step(i: Any, s: Any) -> Any:
        return i + 1, s * w + tf.gather(table, [i, 0])

    y = tf.while_loop(lambda i, _: i < 3, step, (tf.constant(0), tf.ones([2, 2])))[1]
    return loosely(tf, tf.gradients(y, [table, w]))


@program
def rows_of_a_table_in_an_inner_loop(tf: Any, put: Any) -> Any:
    table = put(X)

    def outer(i: Any, s: Any) -> Any:
        def inner(j: Any, t: Any) -> Any:
            return j + 1, t + s * tf.gather(table, j)

        return i + 1, tf.while_loop(lambda j, _: j < 2, inner, (tf.constant(0), s))[1]

    y = tf.while_loop(lambda i, _: i < 2, outer, (tf.constant(0), tf.ones([2])))[1]
    return loosely(tf, [tf.convert_to_tensor(grad) for grad in tf.gradients(y, [table])])


@program
def rows_in_a_cond(tf: Any, put: Any) -> Any:
    table = put(X)
    found = []
    for p in True, False:
        y = tf.cond(put(p, dtype=bool), lambda: tf.gather(table, [1, 1]), lambda: table[:2] * 2.0)
        z = tf.cond(put(p, dtype=bool), lambda: tf.gather(table, [1]), lambda: tf.zeros([1, 2]))
        found += tf.gradients(y, table) + tf.gradients(z, table)
    return found


@program
def rows_of_a_variable_of_the_loop(tf: Any, put: Any) -> Any:
    x = put(X)

    def step(i: Any, s: Any) -> Any:
        return i + 1, s + tf.reduce_sum(tf.gather(s, [i, i]))

    return tf.gradients(tf.while_loop(lambda i, _: i < 3, step, (tf.constant(0), x))[1], x)


@program
def variables(tf: Any, put: Any) -> Any:
    x = put([1.0, 2.0])
    found = []
    for i, resource in enumerate((False, True)):
        w = tf.get_variable(f"w{i}", initializer=[0.5, 0.7], use_resource=resource)
        table = tf.get_variable(f"t{i}", initializer=X, use_resource=resource)

        def step(i: Any, s: Any, w: Any = w, table: Any = table) -> Any:
            row = tf.nn.embedding_lookup(table, i)
            return i + 1, tf.cond(i < 1, lambda: s * w + row, lambda: s * s * row)

        y = tf.while_loop(lambda i, _: i < 3, step, (tf.constant(0), x))[1]
        found += loosely(tf, [tf.convert_to_tensor(grad) for grad in tf.gradients(y, [w, table, x])])
    return found


@program
def shapes_known_only_when_it_runs(tf: Any, put: Any) -> Any:
    x, w = put(X, shape=[None, None]), put(np.eye(2, dtype=np.float32), shape=None)

    def step(i: Any, s: Any) -> Any:
        return i + 1, tf.cond(i < 1, lambda: tf.matmul(s, w), lambda: s * s[:1] + tf.reduce_sum(w))

    y = tf.while_loop(
        lambda i, _: i < 3, step, (tf.constant(0), x), shape_invariants=(tf.TensorShape([]), tf.TensorShape(None))
    )[1]
    return tf.gradients(y, [x, w])


@program
def second_order_through_a_cond(tf: Any, put: Any) -> Any:
    x, w = put(2.0), put(3.0)
    found = []
    for p in True, False:
        y = tf.cond(put(p, dtype=bool), lambda: x * x * x * w, lambda: x * w)
        g = tf.gradients(y, x)[0]
        found += tf.gradients(g, [x, w])
    return found


@pytest.mark.parametrize("name", PROGRAMS)
def test_same_values(name: str, same: Any) -> None:
    same(PROGRAMS[name], names=False)


# ---------------------------------------------------------------------- what cannot be


def power(tf: Any, x: Any, w: Any) -> Any:
    return tf.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, s * w), (tf.constant(0), x))[1]


def test_second_order_through_a_loop(both_raise: Any) -> None:
    def second(tf: Any, put: Any) -> Any:
        x, w = put(2.0), put(3.0)
        return tf.gradients(tf.gradients(power(tf, x, w), w), w)

    both_raise(TypeError, "Second-order gradient for while loops not supported.", second)


def test_of_what_a_variable_of_the_loop_starts_with(both_raise: Any) -> None:
    def initial(tf: Any, put: Any) -> Any:
        x = put(2.0)
        return tf.while_loop(lambda s: s < 10.0, lambda s: s + tf.gradients(s * s * x, x)[0], [x])

    text = "Cannot compute gradient inside while loop with respect to op .*through the initial value of a loop variable"
    both_raise(ValueError, text, initial)


# ---------------------------------------------------------------------- random nests

Nest = tuple[Any, ...]
leaves = st.sampled_from([("double",), ("square",), ("by w",), ("plus w",), ("tanh",)])
nests = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(st.just("then"), inner, inner),
        st.tuples(st.just("loop"), st.integers(0, 3), inner),
        st.tuples(st.just("odd"), inner, inner),
        st.tuples(st.just("if positive"), inner, inner),
    ),
    max_leaves=6,
)


def build(tf: Any, nest: Nest, s: Any, w: Any, turn: Any) -> Any:
    """What a nest of branches and loops makes of `s`."""
    kind = nest[0]
    if kind == "then":
        return build(tf, nest[2], build(tf, nest[1], s, w, turn), w, turn)
    if kind == "loop":
        return tf.while_loop(
            lambda i, _: i < nest[1], lambda i, t: (i + 1, build(tf, nest[2], t, w, i)), (tf.constant(0), s)
        )[1]
    if kind in ("odd", "if positive"):
        pred = tf.equal(turn % 2, 1) if kind == "odd" else s > 0.2
        return tf.cond(pred, lambda: build(tf, nest[1], s, w, turn), lambda: build(tf, nest[2], s, w, turn))
    simple = {"double": lambda: s * 2.0, "square": lambda: s * s, "by w": lambda: s * w, "plus w": lambda: s + w}
    return tf.tanh(s) if kind == "tanh" else tf.clip_by_value(simple[kind](), -3.0, 3.0)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(nest=nests)
def test_random_nests(nest: Nest, same: Any) -> None:
    def nested(tf: Any, put: Any) -> Any:
        x, w = put(0.7), put(-0.6)
        y = build(tf, nest, x, w, tf.constant(1))
        return [y, *tf.gradients(y, [x, w])]

    same(nested, names=False)
