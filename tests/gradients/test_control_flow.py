"""Gradients through branches and loops: TensorFlow's values, and graphs that TensorFlow runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep
from runstep.testing.oracle import tensorflow

PROGRAMS: dict[str, Any] = {}


def program(function: Any) -> Any:
    PROGRAMS[function.__name__] = function
    return function


def times(tf: Any, n: int, body: Any, *start: Any, **options: Any) -> Any:
    """`body` of the loop variables, n times."""

    def turn(i: Any, *values: Any) -> Any:
        found = body(i, *values)
        return (i + 1, *(found if isinstance(found, tuple) else (found,)))

    found = tf.while_loop(lambda i, *_: i < n, turn, (tf.constant(0), *start), **options)
    return found[1] if len(found) == 2 else found[1:]


# ---------------------------------------------------------------------- branches


@program
def cond(tf: Any, put: Any) -> Any:
    x, w = put([1.0, 2.0]), put([3.0, 4.0])
    found = []
    for p in True, False:
        y = tf.cond(put(p, dtype=bool), lambda: x * w, lambda: x * x)
        found += tf.gradients(y, [x, w])
    return found


@program
def cond_of_several_outputs(tf: Any, put: Any) -> Any:
    x, w = put(2.0), put(3.0)
    a, b, c = tf.cond(put(True, dtype=bool), lambda: (x * w, x, w * w * x), lambda: (x, w, x))
    return tf.gradients([a, c], [x, w]) + tf.gradients(b, [x, w]) + tf.gradients([a * b], [x, w])


@program
def branches_that_pass_on(tf: Any, put: Any) -> Any:
    x, w = put(2.0), put(3.0)
    y = tf.cond(put(False, dtype=bool), lambda: x, lambda: w)
    return tf.gradients(y * y, [x, w])


@program
def conds_nested(tf: Any, put: Any) -> Any:
    x, w = put(2.0), put(3.0)
    found = []
    for p, q in (True, True), (True, False), (False, True), (False, False):
        p, q = put(p, dtype=bool), put(q, dtype=bool)
        y = tf.cond(
            p, lambda: tf.cond(q, lambda: x * x * w, lambda: w * 2.0) * x, lambda: tf.cond(q, lambda: w * w, lambda: x)
        )
        found += tf.gradients(y, [x, w])
    return found


@program
def conds_one_after_the_other(tf: Any, put: Any) -> Any:
    x = put(2.0)
    p = put(True, dtype=bool)
    y = tf.cond(p, lambda: x * x, lambda: x)
    z = tf.cond(p, lambda: y * x, lambda: y)
    return tf.gradients(z, [x, y])


@program
def a_choice_of_three(tf: Any, put: Any) -> Any:
    x = put(2.0)
    found = []
    for k in range(3):
        n = put(k, dtype=np.int32)
        y = tf.case([(tf.equal(n, 0), lambda: x * x), (tf.equal(n, 1), lambda: x * 3.0)], default=lambda: x * x * x)
        found += tf.gradients(y, x)
    return found


@program
def shapes_unknown_in_a_cond(tf: Any, put: Any) -> Any:
    x, w = put([[1.0, 2.0]], shape=[None, 2]), put([[3.0, 1.0]], shape=None)
    found = []
    for p in True, False:
        y = tf.cond(put(p, dtype=bool), lambda: x * w, lambda: x * x)
        found += tf.gradients(y, [x, w])
    return found


@program
def inside_of_a_branch(tf: Any, put: Any) -> Any:
    x = put(2.0)
    kept: list[Any] = []

    def then() -> Any:
        kept.append(x * x)
        return kept[0] * x

    y = tf.cond(put(True, dtype=bool), then, lambda: x)
    return tf.gradients(y, kept)


@program
def nothing_to_differentiate(tf: Any, put: Any) -> Any:
    x, p = put(2.0), put(True, dtype=bool)
    y = tf.cond(p, lambda: tf.constant(1.0), lambda: tf.stop_gradient(x * x))
    return tf.gradients(y, [x, p])


# ---------------------------------------------------------------------- loops


@program
def power(tf: Any, put: Any) -> Any:
    x, w = put(1.5), put(0.9)
    return tf.gradients(times(tf, 5, lambda i, s: s * w, x), [x, w])


@program
def no_turn_at_all(tf: Any, put: Any) -> Any:
    x, w = put(1.5), put(0.9)
    return tf.gradients(times(tf, 0, lambda i, s: s * w, x), [x, w])


@program
def two_variables(tf: Any, put: Any) -> Any:
    x, w = put([1.0, 2.0]), put([0.5, -1.0])
    a, b = times(tf, 4, lambda i, a, b: (a * w + b, a - b * x), x, w)
    return tf.gradients(a, [x, w]) + tf.gradients([b], [x, w]) + tf.gradients([a * b], [x, w])


@program
def a_variable_that_nothing_comes_of(tf: Any, put: Any) -> Any:
    x, w = put(1.5), put(0.9)
    a, b = times(tf, 3, lambda i, a, b: (a * w, b * a), x, w)
    return tf.gradients(a, [x, w])


@program
def a_variable_that_is_forgotten(tf: Any, put: Any) -> Any:
    x, w = put(1.5), put(0.9)
    a, b = times(tf, 3, lambda i, a, b: (b * w, tf.constant(2.0)), x, w)
    return tf.gradients([a], [x, w])


@program
def a_condition_on_values(tf: Any, put: Any) -> Any:
    x, w = put(1.5), put(1.7)
    y = tf.while_loop(lambda s: s < 100.0, lambda s: s * w + x, [x])
    return tf.gradients(y, [x, w])


@program
def computed_from_constants_outside(tf: Any, put: Any) -> Any:
    x, w = put([1.0, 2.0, 3.0]), put(0.9)
    v = w * w
    return tf.gradients(times(tf, 3, lambda i, s: s * v * x * 0.5, x), [x, w, v])


@program
def two_loops_on_one_line(tf: Any, put: Any) -> Any:
    x, w = put(1.5), put(0.9)
    y = times(tf, 3, lambda i, s: s * w, x)
    return tf.gradients(times(tf, 2, lambda i, s: s * y, w), [x, w, y])


@program
def loops_nested(tf: Any, put: Any) -> Any:
    x, w = put(1.2), put(0.7)

    def outer(i: Any, s: Any) -> Any:
        found = tf.while_loop(lambda j, t: j <= i, lambda j, t: (j + 1, t * w + s * 0.1 * t), (tf.constant(0), s))
        return found[1] - s * 0.5

    return tf.gradients(times(tf, 4, outer, x), [x, w])


@program
def loops_three_deep(tf: Any, put: Any) -> Any:
    x, w = put(0.8), put(0.9)

    def middle(i: Any, s: Any) -> Any:
        return times(tf, 2, lambda j, t: times(tf, 2, lambda k, u: u * t * w + s, t) * w, s)

    return tf.gradients(times(tf, 2, middle, x), [x, w])


@program
def one_loop_after_the_other_in_a_loop(tf: Any, put: Any) -> Any:
    x, w = put(0.8), put(0.9)

    def outer(i: Any, s: Any) -> Any:
        a = times(tf, 2, lambda j, t: t * s * w, s)
        return times(tf, 3, lambda j, t: t * a + w, a)

    return tf.gradients(times(tf, 3, outer, x), [x, w])


@program
def cond_in_a_loop(tf: Any, put: Any) -> Any:
    x, w = put(1.5), put(0.9)

    def body(i: Any, s: Any) -> Any:
        return tf.cond(tf.equal(i % 2, 0), lambda: s * w * s, lambda: s * 2.0)

    return tf.gradients(times(tf, 5, body, x), [x, w])


@program
def conds_in_a_cond_in_a_loop(tf: Any, put: Any) -> Any:
    x, w = put(1.5), put(0.9)

    def body(i: Any, s: Any) -> Any:
        v = s * w
        return tf.cond(
            i < 2, lambda: tf.cond(tf.equal(i, 1), lambda: s * v * w, lambda: v * v) + v, lambda: s * v * 0.5
        )

    return tf.gradients(times(tf, 4, body, x), [x, w])


@program
def a_loop_in_a_cond(tf: Any, put: Any) -> Any:
    x, w = put(1.5), put(0.9)
    found = []
    for p in True, False:
        y = tf.cond(put(p, dtype=bool), lambda: times(tf, 3, lambda i, s: s * w * s, x), lambda: x * w)
        found += tf.gradients(y, [x, w])
    return found


@program
def a_loop_in_a_cond_in_a_loop(tf: Any, put: Any) -> Any:
    x, w = put(0.9), put(0.8)

    def body(i: Any, s: Any) -> Any:
        return tf.cond(tf.equal(i % 2, 0), lambda: times(tf, 3, lambda j, t: t * s * w + t, s), lambda: s * s * w)

    return tf.gradients(times(tf, 5, body, x), [x, w])


@program
def a_limit_of_turns(tf: Any, put: Any) -> Any:
    x, w = put(1.5), put(0.9)
    return tf.gradients(times(tf, 50, lambda i, s: s * w, x, maximum_iterations=4), [x, w])


@program
def options_of_a_loop(tf: Any, put: Any) -> Any:
    x, w = put(1.5), put(0.9)
    y = times(tf, 6, lambda i, s: s * s * w, x, parallel_iterations=1, swap_memory=True, name="named")
    return tf.gradients(y, [x, w])


@program
def without_back_prop(tf: Any, put: Any) -> Any:
    x, w = put(1.5), put(0.9)
    y = times(tf, 6, lambda i, s: s * w, x, back_prop=False)
    z = times(tf, 2, lambda i, s: s * times(tf, 2, lambda j, t: t * w, s, back_prop=False), x)
    return tf.gradients(y, [x, w]) + tf.gradients(z, [x, w])


@program
def stopped_inside(tf: Any, put: Any) -> Any:
    x, w = put(1.5), put(0.9)
    y = times(tf, 4, lambda i, s: s * tf.stop_gradient(s) * w, x)
    return tf.gradients(y, [x, w]) + tf.gradients(y, [x, w], stop_gradients=[w])


@program
def a_shape_that_grows(tf: Any, put: Any) -> Any:
    x, w = put([1.5, 2.0]), put([0.9])
    y = tf.while_loop(
        lambda i, s: i < 3,
        lambda i, s: (i + 1, s * w),
        (tf.constant(0), x),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None])),
    )[1]
    return tf.gradients(y, [x, w])


@program
def inside_of_a_body(tf: Any, put: Any) -> Any:
    """Gradients asked for in the body, of what the turn computes."""
    x, w = put(1.5), put(0.9)

    def body(i: Any, s: Any) -> Any:
        y = s * s * w
        ds, dw = tf.gradients(y, [s, w])
        return y * 0.1 + ds + dw

    y = times(tf, 3, body, x)
    return [y, *tf.gradients(y, [x, w])]


@program
def inside_of_a_body_through_a_loop_and_a_cond(tf: Any, put: Any) -> Any:
    x, w = put(0.9), put(0.8)

    def body(i: Any, s: Any) -> Any:
        y = times(tf, 3, lambda j, t: t * s * w, s)
        y = tf.cond(i < 2, lambda: y * s, lambda: y * w)
        return y + tf.gradients(y, [s])[0] * 0.1

    return [times(tf, 4, body, x)]


@program
def given_gradients(tf: Any, put: Any) -> Any:
    x, w = put([1.5, 2.0]), put(0.9)
    y = times(tf, 3, lambda i, s: s * w, x)
    return tf.gradients(y, [x, w], grad_ys=[put([10.0, 20.0])])


@program
def double_precision(tf: Any, put: Any) -> Any:
    x, w = put([1.5, 2.0], dtype=np.float64), put(0.9, dtype=np.float64)
    return tf.gradients(times(tf, 3, lambda i, s: s * w * s, x), [x, w])


@pytest.mark.parametrize("name", PROGRAMS)
def test_same_values(name: str, same: Any) -> None:
    same(PROGRAMS[name], names=False)


@pytest.mark.parametrize("name", PROGRAMS)
def test_tensorflow_runs_it(name: str, feeds: Any) -> None:
    """What we export runs there as it runs here."""
    with runstep.Graph().as_default() as graph:
        put = feeds(runstep)
        tensors = [tensor for tensor in PROGRAMS[name](runstep, put) if tensor is not None]
        with runstep.Session() as session:
            ours = session.run(tensors, put.values)
        definition = graph.as_graph_def().SerializeToString()
    tf = tensorflow().compat.v1
    with tf.Graph().as_default():
        tf.import_graph_def(tf.GraphDef.FromString(definition), name="")
        with tf.Session() as session:
            theirs = session.run([t.name for t in tensors], {t.name: value for t, value in put.values.items()})
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5)


def source_of(session: Any) -> str:
    """The emitted code of the one request that a session has run."""
    (request,) = session._cache.values()
    return "\n".join(task.segment.source for task in request.plan.tasks)


@pytest.mark.parametrize(
    "name, loops, kept",
    [
        ("power", 2, 1),
        ("loops_nested", 4, 3),
        ("loops_three_deep", 6, 6),
        ("cond_in_a_loop", 2, 3),
        ("a_loop_in_a_cond_in_a_loop", 4, 6),
    ],
)
def test_emitted_as_plain_loops(name: str, loops: int, kept: int, feeds: Any) -> None:
    """Forward and backward loops are Python loops that break; what is kept is appended to lists and popped."""
    with runstep.Graph().as_default():
        put = feeds(runstep)
        tensors = PROGRAMS[name](runstep, put)
        with runstep.Session() as session:
            session.run(tensors, put.values)
            lines = [line.strip() for line in source_of(session).split("\n")]
    assert lines.count("while True:") == lines.count("break") == loops
    assert sum(".append(" in line for line in lines) == sum(line.endswith(".pop()") for line in lines) == kept
    assert not any(line.startswith("if not (n") for line in lines), "a loop by tokens"


def _meta_graph(tf: Any) -> Any:
    x = tf.placeholder(tf.float32, [], name="x")
    w = tf.placeholder(tf.float32, [], name="w")

    def body(i: Any, s: Any) -> Any:
        t = tf.while_loop(lambda j, t: j < 2, lambda j, t: (j + 1, t * s * w), (tf.constant(0), s))[1]
        return i + 1, tf.cond(i < 1, lambda: t * w, lambda: t + s * s)

    y = tf.while_loop(lambda i, s: i < 3, body, (tf.constant(0), x), maximum_iterations=10)[1]
    y = tf.cond(x > 0.0, lambda: tf.while_loop(lambda z: z < 20.0, lambda z: z * 3.0 * w, [y]), lambda: y)
    tf.identity(y, name="y")


@pytest.mark.parametrize("scope", ["", "again"])
@pytest.mark.parametrize("back", [False, True], ids=["from TensorFlow", "to TensorFlow"])
def test_a_meta_graph_keeps_what_gradients_need(back: bool, scope: str) -> None:
    real = tensorflow().compat.v1
    real.disable_control_flow_v2()
    writer, reader = (runstep, real) if back else (real, runstep)
    with writer.Graph().as_default():
        _meta_graph(writer)
        written = writer.train.export_meta_graph().SerializeToString()
    found: list[Any] = []
    for tf in reader, real:
        with tf.Graph().as_default() as graph:
            if not found:
                tf.train.import_meta_graph(tf.MetaGraphDef.FromString(written), import_scope=scope)
            else:
                _meta_graph(tf)
            at = f"{scope}/" if scope and not found else ""
            y, x, w = (graph.get_tensor_by_name(f"{at}{name}:0") for name in "yxw")
            grads = tf.gradients(y, [x, w])
            with tf.Session() as session:
                found.append(session.run(grads, {x: 0.9, w: 1.1}))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)
