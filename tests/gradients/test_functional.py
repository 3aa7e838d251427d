"""Gradients of what calls functions: graphs of TensorFlow with calls, If, Case and While, differentiated by both."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import runstep
from runstep.graph.defun import Defun
from runstep.testing.oracle import tensorflow

PROGRAMS: dict[str, Callable[[Any], tuple[Any, list[Any], list[dict[str, Any]]]]] = {}
"""Each takes TensorFlow, builds a graph, and returns what to differentiate, with respect to what, and what to feed."""

FED = [{"x": 1.3, "w": 0.9}]


def program(function: Any) -> Any:
    PROGRAMS[function.__name__] = function
    return function


def inputs(tf: Any) -> tuple[Any, Any]:
    v1 = tf.compat.v1
    return v1.placeholder(tf.float32, [], name="x"), v1.placeholder(tf.float32, [], name="w")


@pytest.fixture
def tf() -> Iterator[Any]:
    """TensorFlow with functional control flow."""
    real = tensorflow()
    before = real.compat.v1.control_flow_v2_enabled()
    real.compat.v1.enable_control_flow_v2()
    try:
        with real.Graph().as_default():
            yield real
    finally:
        if not before:
            real.compat.v1.disable_control_flow_v2()


@program
def call(tf: Any) -> Any:
    x, w = inputs(tf)
    a, b = tf.function(lambda a, b: (a * b * b, a + w))(x, w)
    return a * b, [x, w], FED


@program
def one_output_of_two(tf: Any) -> Any:
    x, w = inputs(tf)
    a, _ = tf.function(lambda a, b: (a * b * b, a + w))(x, w)
    return a, [x, w], FED


@program
def calls_in_calls(tf: Any) -> Any:
    x, w = inputs(tf)
    inner = tf.function(lambda a: a * a * w)
    outer = tf.function(lambda a, b: inner(a) + inner(b) * a)
    return outer(x, x * w), [x, w], FED


@program
def a_call_by_name(tf: Any) -> Any:
    from tensorflow.python.framework import function

    x, w = inputs(tf)

    @function.Defun(tf.float32, tf.float32)
    def named(a: Any, b: Any) -> Any:
        return a * b * b, a + w

    a, b = named(x, w)
    return a * b, [x, w], FED


@program
def branches(tf: Any) -> Any:
    x, w = inputs(tf)
    return tf.cond(x > 1.0, lambda: x * x * w, lambda: w * 2.0), [x, w], [*FED, {"x": 0.5, "w": 2.0}]


@program
def several_branches(tf: Any) -> Any:
    x, w = inputs(tf)
    n = tf.compat.v1.placeholder(tf.int32, [], name="n")
    y = tf.switch_case(n, [lambda: x * w, lambda: x * x, lambda: w * 3.0])
    return y, [x, w], [{**FED[0], "n": n} for n in (0, 1, 2, 7)]


@program
def loop(tf: Any) -> Any:
    x, w = inputs(tf)
    return tf.while_loop(lambda i, s: i < 4, lambda i, s: (i + 1, s * w * s), (tf.constant(0), x))[1], [x, w], FED


@program
def loops_and_branches(tf: Any) -> Any:
    x, w = inputs(tf)

    def body(i: Any, s: Any) -> Any:
        def inner(j: Any, t: Any) -> Any:
            return j + 1, tf.cond(t > 0.5, lambda: t * w + s * 0.1 * t, lambda: t * t)

        return i + 1, tf.while_loop(lambda j, t: j <= i, inner, (tf.constant(0), s))[1] - s * 0.5

    return tf.while_loop(lambda i, s: i < 4, body, (tf.constant(0), x))[1], [x, w], FED


@program
def a_loop_in_a_function(tf: Any) -> Any:
    x, w = inputs(tf)

    @tf.function(autograph=False)
    def power(a: Any) -> Any:
        return tf.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, s * w * a), (tf.constant(0), a))[1]

    return power(x) * power(w), [x, w], FED


def drawn(tf: Any, seed: int) -> Any:
    return tf.compat.v1.random_uniform([], 0.5, 1.5, seed=seed)


@program
def random_numbers_in_calls(tf: Any) -> Any:
    x, w = inputs(tf)
    inner = tf.function(lambda a: a * w * drawn(tf, 1))
    outer = tf.function(lambda a, b: (inner(a) * drawn(tf, 2) + b, a * drawn(tf, 3)))
    return outer(x, w), [x, w], FED * 2


@program
def random_numbers_in_branches(tf: Any) -> Any:
    x, w = inputs(tf)
    n = tf.compat.v1.placeholder(tf.int32, [], name="n")
    y = tf.cond(x > 1.0, lambda: x * w * drawn(tf, 1), lambda: (w * drawn(tf, 2)) ** 2 * x)
    y += tf.switch_case(n, [lambda: x * drawn(tf, 3), lambda: x * y * drawn(tf, 4), lambda: w * 3.0])
    return y, [x, w], [{"x": x, "w": 0.9, "n": n} for x, n in ((1.3, 0), (0.5, 1), (2.0, 2), (1.3, 7))]


@program
def random_numbers_in_loops(tf: Any) -> Any:
    x, w = inputs(tf)
    loop = functools.partial(tf.while_loop, parallel_iterations=1)  # or the order of draws is anybody's guess

    def body(i: Any, s: Any) -> Any:
        r = drawn(tf, 1)
        t = loop(lambda j, t: j <= i, lambda j, t: (j + 1, t * w * drawn(tf, 2) + r), (tf.constant(0), s))[1]
        return i + 1, tf.cond(t > 1.0, lambda: t * drawn(tf, 3), lambda: t * t) * r

    return loop(lambda i, s: i < 3, body, (tf.constant(0), x))[1], [x, w], FED * 2


def values(session: Any, found: Any, fed: Any) -> list[Any]:
    return [session.run(found, {f"{name}:0": value for name, value in feed.items()}) for feed in fed]


@pytest.mark.parametrize("name", PROGRAMS)
def test_same_values_and_tensorflow_runs_it(name: str, tf: Any) -> None:
    """First and second order."""
    v1 = tf.compat.v1

    def differentiated(module: Any, ys: list[Any], xs: list[Any]) -> list[Any]:
        first = module.gradients(ys, xs)
        if name == "a_call_by_name":  # TensorFlow can't differentiate its SymbolicGradient
            return list(first)
        return [*first, *module.gradients([grad for grad in first if grad is not None], xs)]

    y, xs, fed = PROGRAMS[name](tf)
    definition = v1.get_default_graph().as_graph_def().SerializeToString()
    ys = list(y) if isinstance(y, list | tuple) else [y]
    wanted = differentiated(v1, ys, xs)
    with v1.Session() as session:
        theirs = values(session, [*ys, *(grad for grad in wanted if grad is not None)], fed)
    with runstep.Graph().as_default() as graph:
        runstep.import_graph_def(runstep.GraphDef.FromString(definition), name="")
        tensors = [graph.get_tensor_by_name(t.name) for t in (*ys, *xs)]
        grads = differentiated(runstep, tensors[: len(ys)], tensors[len(ys) :])
        assert [grad is None for grad in grads] == [grad is None for grad in wanted]
        found = [*tensors[: len(ys)], *(grad for grad in grads if grad is not None)]
        with runstep.Session() as session:
            ours = values(session, found, fed)
        exported = graph.as_graph_def().SerializeToString()
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    with tf.Graph().as_default():
        tf.import_graph_def(v1.GraphDef.FromString(exported), name="")
        with v1.Session() as session:
            np.testing.assert_allclose(values(session, [t.name for t in found], fed), theirs, rtol=1e-5)


def test_the_gradients_that_tensorflow_wrote_run_here(tf: Any) -> None:
    """SymbolicGradient, and the functions that TensorFlow makes for gradients."""
    v1 = tf.compat.v1
    for name in ("a_call_by_name", "call", "branches", "loop"):
        with tf.Graph().as_default() as graph:
            y, xs, fed = PROGRAMS[name](tf)
            wanted = v1.gradients(y, xs)
            if name == "a_call_by_name":
                assert any(op.type == "SymbolicGradient" for op in graph.get_operations())
            with v1.Session() as session:
                theirs = values(session, wanted, fed)
            definition = graph.as_graph_def().SerializeToString()
        with runstep.Graph().as_default():
            runstep.import_graph_def(runstep.GraphDef.FromString(definition), name="")
            with runstep.Session() as session:
                np.testing.assert_allclose(values(session, [t.name for t in wanted], fed), theirs, rtol=1e-5)


def test_a_gradient_through_a_gradient_that_tensorflow_wrote(tf: Any) -> None:
    v1 = tf.compat.v1
    y, xs, fed = PROGRAMS["a_call_by_name"](tf)
    first = v1.gradients(y, xs[0])[0]
    definition = v1.get_default_graph().as_graph_def().SerializeToString()
    with runstep.Graph().as_default() as graph:
        runstep.import_graph_def(runstep.GraphDef.FromString(definition), name="")
        grad, x, w = (graph.get_tensor_by_name(t.name) for t in (first, *xs))
        second = runstep.gradients(grad, [x, w])
        with runstep.Session() as session:
            (found,) = values(session, second, fed)
    a, b = 1.3, 0.9  # y = a b^2 (a + b), dy/da = 2 a b^2 + b^3
    np.testing.assert_allclose(found, [2 * b * b, 4 * a * b + 3 * b * b], rtol=1e-5)


def test_loops_of_a_graph_def_have_no_gradient(tf: Any) -> None:
    """A GraphDef does not say what is in a loop: TensorFlow fails with AttributeError, we say why."""
    v1 = tf.compat.v1
    v1.disable_control_flow_v2()
    x = v1.placeholder(tf.float32, [], name="x")
    y = v1.while_loop(lambda s: s < 5.0, lambda s: s * x, [x])
    definition = v1.get_default_graph().as_graph_def().SerializeToString()
    with runstep.Graph().as_default() as graph:
        runstep.import_graph_def(runstep.GraphDef.FromString(definition), name="")
        with pytest.raises(ValueError, match="import_graph_def: there is no gradient"):
            runstep.gradients(graph.get_tensor_by_name(y.name), graph.get_tensor_by_name("x:0"))


# ------------------------------------------------------------ functions of ours, with branches and loops inside


def drawn_here(seed: int) -> Any:
    return runstep.random_uniform([], 0.5, 1.5, seed=seed)


def in_a_branch(x: Any, w: Any) -> Any:
    return runstep.cond(x > 1.0, lambda: x * w * drawn_here(1), lambda: runstep.exp(w) * drawn_here(2) * x)


def in_nested_branches(x: Any, w: Any) -> Any:
    r = drawn_here(1)

    def inner() -> Any:
        return runstep.cond(w > 1.0, lambda: x * drawn_here(2), lambda: runstep.sin(x * r) * drawn_here(3))

    return runstep.cond(x > 1.0, inner, lambda: w * w * r) * x


def in_a_loop(x: Any, w: Any) -> Any:
    def turn(i: Any, s: Any) -> Any:
        more = runstep.cond(s > 1.0, lambda: s * s, lambda: x * drawn_here(2))
        return i + 1, runstep.sin(s) * w * drawn_here(1) + more

    return runstep.while_loop(lambda i, s: i < 4, turn, [runstep.constant(0), x], parallel_iterations=1)[1]


def in_a_loop_of_a_branch(x: Any, w: Any) -> Any:
    return runstep.cond(x > 1.0, lambda: in_a_loop(x, w) * w, lambda: in_a_branch(x, w))


def in_a_loop_without_chance(x: Any, w: Any) -> Any:
    array = runstep.TensorArray("float32", 4)

    def turn(i: Any, s: Any, found: Any) -> Any:
        s = runstep.sin(s) * w + runstep.cond(s > 1.0, lambda: s * s, lambda: x * 0.5)
        return i + 1, s, found.write(i, s * x)

    return runstep.reduce_sum(runstep.while_loop(lambda i, s, _: i < 4, turn, [0, x, array])[2].stack() ** 2)


def rows_of_a_matrix(x: Any, w: Any) -> Any:
    table = runstep.fill([3, 2], x)
    return runstep.reduce_sum(runstep.gather(table, [0, 0, 2]) ** 2) * w


def in_loops_of_loops(x: Any, w: Any) -> Any:
    """Values are kept of both loops, of branches in them, and of one that isn't taken in some turns."""

    def turn(i: Any, s: Any) -> Any:
        def inner(j: Any, t: Any) -> Any:
            t = runstep.cond(t > 1.0, lambda: runstep.sin(t) * s * drawn_here(3), lambda: t * w)
            return j + 1, t * drawn_here(4) + x

        again = runstep.cond(
            runstep.equal(i % 2, 0),
            lambda: runstep.while_loop(lambda j, t: j <= i, inner, [0, s], parallel_iterations=1)[1],
            lambda: runstep.exp(-s) * drawn_here(5),
        )
        return i + 1, again * s

    return runstep.while_loop(lambda i, s: i < 3, turn, [runstep.constant(0), x], parallel_iterations=1)[1] * w


def in_a_loop_that_turns_a_matrix(x: Any, w: Any) -> Any:
    """Of no fixed shape, and nothing to draw."""
    start = runstep.fill([2, 2], x)

    def turn(s: Any) -> Any:
        return runstep.concat([runstep.matmul(s, s, transpose_a=True) * w, runstep.tanh(s[:1])], 0)[-2:]

    found = runstep.while_loop(lambda s: runstep.reduce_sum(s) < 9.0, turn, [start], [runstep.TensorShape([None, 2])])
    return runstep.reduce_sum(found)


def in_a_map(x: Any, w: Any) -> Any:
    rows = runstep.stack([x, w, x * w]) * drawn_here(1)
    return runstep.map_fn(lambda row: runstep.sin(row) * w * drawn_here(2), rows, parallel_iterations=1)[1] * x


TWICE = (in_a_branch, in_nested_branches, rows_of_a_matrix)
IN_LOOPS = (in_a_loop, in_a_loop_of_a_branch, in_loops_of_loops, in_a_loop_that_turns_a_matrix, in_a_map)
SIZES = [(1.3, 0.9), (0.6, 1.2), (1.5, 1.1)]


@pytest.mark.parametrize("body", (*TWICE, *IN_LOOPS, in_a_loop_without_chance))
def test_a_function_has_the_gradients_of_its_body(body: Any) -> None:
    """Also of second order, when asked for twice, and when TensorFlow runs it."""

    def run(function: Any) -> tuple[Any, bytes, list[str]]:
        with runstep.Graph().as_default() as graph:
            x, w = runstep.placeholder("float32", [], name="x"), runstep.placeholder("float32", [], name="w")
            y = function(x, w)
            first = runstep.gradients(y, [x, w])
            again = runstep.gradients(y * 2.0, [x, w])
            found = [y, *first, *again]
            if body in TWICE or function is not body:  # plain loops, of version 1, have no second derivative
                found += [grad for grad in runstep.gradients(first, [x, w]) if grad is not None]
            with runstep.Session() as session:
                got = [session.run(found, {x: a, w: b}) for a, b in SIZES]
            return got, graph.as_graph_def().SerializeToString(), [tensor.name for tensor in found]

    plain, _, _ = run(body)
    called, exported, names = run(runstep.function(body))
    np.testing.assert_allclose([values[: len(plain[0])] for values in called], plain, rtol=1e-5)
    real = tensorflow()
    with real.Graph().as_default():
        real.import_graph_def(real.compat.v1.GraphDef.FromString(exported), name="")
        with real.compat.v1.Session() as session:
            theirs = [session.run(names, {"x:0": a, "w:0": b}) for a, b in SIZES]
    np.testing.assert_allclose(called, theirs, rtol=1e-4)


@pytest.mark.parametrize("defun", (False, True))
def test_tensorflow_runs_the_gradient_of_a_loop_in_a_function_that_reads_a_variable(defun: bool) -> None:
    with runstep.Graph().as_default() as graph:
        x = runstep.placeholder("float32", [], name="x")
        v = runstep.get_variable("v", initializer=2.0, use_resource=True)

        def turn(s: Any) -> Any:
            with runstep.control_dependencies([v.assign_add(s * 0.1)]):
                return runstep.sin(s) * v.read_value()

        def body(s: Any) -> Any:
            return runstep.while_loop(lambda s: s < 1.5, turn, [s], parallel_iterations=1)

        y = (Defun(runstep.float32)(body) if defun else runstep.function(body))(x)
        fetched = [y.name, runstep.gradients(y, x)[0].name]
        with runstep.Session() as session:
            session.run(v.initializer)
            found = [session.run(fetched, {x: value}) for value in (0.5, 1.0, 2.0)]
        exported = graph.as_graph_def().SerializeToString()
    real = tensorflow()
    with real.Graph().as_default():
        real.import_graph_def(real.compat.v1.GraphDef.FromString(exported), name="")
        with real.compat.v1.Session() as session:
            session.run(v.initializer.name)
            theirs = [session.run(fetched, {"x:0": value}) for value in (0.5, 1.0, 2.0)]
    np.testing.assert_allclose(found, theirs, rtol=1e-5)


@pytest.mark.parametrize("defun", (False, True))
def test_functions_in_loops_and_variables_that_change(defun: bool) -> None:
    """A call in a loop draws and reads once a turn; its gradient sees what it saw."""
    with runstep.Graph().as_default():
        runstep.set_random_seed(1)
        x = runstep.placeholder("float32", [])
        v = runstep.get_variable("v", initializer=2.0, use_resource=True)

        def body(s: Any) -> Any:
            return s * v * drawn_here(1)

        layer = Defun(runstep.float32)(body) if defun else runstep.function(body)

        def turn(i: Any, s: Any, product: Any) -> Any:
            again = runstep.reshape(layer(s), [])
            return i + 1, again, product * again / s

        _, y, product = runstep.while_loop(lambda i, s, p: i < 3, turn, [0, x, 1.0])
        dx, dv = runstep.gradients(y, [x, v])
        with runstep.control_dependencies([y]):
            changed = v.assign(5.0)
        with runstep.control_dependencies([changed]):
            dx, dv = runstep.identity(dx), runstep.identity(dv)
        with runstep.Session() as session:
            for _ in range(2):
                session.run(v.initializer)
                got = session.run([y, product, dx, dv], {x: 1.5})
                np.testing.assert_allclose(got[0], got[1] * 1.5, rtol=1e-5)
                np.testing.assert_allclose(got[2], got[1], rtol=1e-5)
                np.testing.assert_allclose(got[3], got[0] * 3 / 2.0, rtol=1e-5)
