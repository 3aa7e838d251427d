"""Gradients of what calls functions: graphs of TensorFlow with calls, If, Case and While, differentiated by both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import runstep
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


def values(session: Any, found: Any, fed: Any) -> list[Any]:
    return [session.run(found, {f"{name}:0": value for name, value in feed.items()}) for feed in fed]


@pytest.mark.parametrize("name", PROGRAMS)
def test_same_values_and_tensorflow_runs_it(name: str, tf: Any) -> None:
    v1 = tf.compat.v1
    y, xs, fed = PROGRAMS[name](tf)
    definition = v1.get_default_graph().as_graph_def().SerializeToString()
    wanted = v1.gradients(y, xs)
    with v1.Session() as session:
        theirs = values(session, [grad for grad in wanted if grad is not None], fed)
    with runstep.Graph().as_default() as graph:
        runstep.import_graph_def(runstep.GraphDef.FromString(definition), name="")
        tensors = [graph.get_tensor_by_name(t.name) for t in (y, *xs)]
        grads = runstep.gradients(tensors[0], tensors[1:])
        assert [grad is None for grad in grads] == [grad is None for grad in wanted]
        found = [grad for grad in grads if grad is not None]
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
