"""`tf.function` and `Defun`: Python functions as functions of the graph, with their gradients, as TensorFlow's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep
from runstep.graph.defun import Defun
from runstep.testing.oracle import tensorflow

PROGRAMS: dict[str, Any] = {}


def program(function: Any) -> Any:
    PROGRAMS[function.__name__] = function
    return function


def defun_of(tf: Any) -> Any:
    if tf is runstep:
        return Defun
    from tensorflow.python.framework import function

    return function.Defun


def inputs(tf: Any) -> tuple[Any, Any]:
    return tf.placeholder(tf.float32, [2], name="x"), tf.placeholder(tf.float32, [], name="w")


@program
def one_function(tf: Any) -> Any:
    x, w = inputs(tf)
    f = tf.function(lambda a, b: a * b + a)
    return [f(x, w), f(x, 2.0), f(w, w), *tf.gradients(f(x, w), [x, w])]


@program
def what_is_used_from_outside(tf: Any) -> Any:
    x, w = inputs(tf)

    @tf.function(autograph=False)
    def f(a: Any) -> Any:
        return {"y": a * w, "z": (w + 1.0, None)}

    found = f(x)
    return [found["y"], found["z"][0], *tf.gradients(found["y"], [x, w])]


@program
def functions_in_functions(tf: Any) -> Any:
    x, w = inputs(tf)
    inner = tf.function(lambda a: tf.tanh(a) * w)
    outer = tf.function(lambda a, n=2: inner(a) * inner(w) if n == 2 else a)
    return [outer(x), outer(x, n=3), *tf.gradients(outer(x), [x, w])]


@program
def branches_and_loops_inside(tf: Any) -> Any:
    x, w = inputs(tf)

    @tf.function(autograph=False)
    def f(a: Any) -> Any:
        y = tf.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, s * w + a), (tf.constant(0), a))[1]
        return tf.cond(w > 0.0, lambda: y * a, lambda: y)

    return [f(x), *tf.gradients(f(x), [x, w])]


@program
def a_defun(tf: Any) -> Any:
    x, w = inputs(tf)

    @defun_of(tf)(tf.float32, tf.float32)
    def scaled(a: Any, b: Any) -> Any:
        return a * b, a + w

    y, z = scaled(x, w)
    return [y, z, *tf.gradients(y, [x, w]), *tf.gradients(y * z, [x, w])]


@program
def a_defun_with_a_gradient_of_its_own(tf: Any) -> Any:
    x, _ = inputs(tf)

    @defun_of(tf)(tf.float32, tf.float32)
    def backward(a: Any, dy: Any) -> Any:
        return dy * a * 100.0

    @defun_of(tf)(tf.float32, grad_func=backward)
    def forward(a: Any) -> Any:
        return a * a

    @defun_of(tf)(tf.float32, python_grad_func=lambda op, dy: dy * 7.0)
    def other(a: Any) -> Any:
        return a * 3.0

    return [forward(x), *tf.gradients(forward(x), x), *tf.gradients(other(x), x)]


@program
def a_defun_of_any_type(tf: Any) -> Any:
    x, _ = inputs(tf)

    @defun_of(tf)()
    def twice(*a: Any) -> Any:
        return a[0] + a[0]

    @defun_of(tf)(func_name="ThreeTimes")
    def three_times(a: Any) -> Any:
        return a * tf.constant(3, a.dtype)

    return [three_times(x), *tf.gradients(three_times(x), x)]


FED = {"x:0": [1.5, -2.0], "w:0": 0.7}


@pytest.mark.parametrize("name", PROGRAMS)
def test_same_values_and_tensorflow_runs_it(name: str, both: Any) -> None:
    def run(tf: Any) -> Any:
        tensors = PROGRAMS[name](tf)
        with tf.Session() as session:
            found = session.run(tensors, FED)
        return found, [t.name for t in tensors], tf.get_default_graph().as_graph_def().SerializeToString()

    (ours, names, definition), (theirs, _, _) = both(run)
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-5)
    if name == "a_defun_with_a_gradient_of_its_own":
        return  # what python_grad_func made is in the graph; a GradientDef is checked by TensorFlow's own rules
    tf = tensorflow().compat.v1
    with tf.Graph().as_default():
        tf.import_graph_def(tf.GraphDef.FromString(definition), name="")
        with tf.Session() as session:
            for a, b in zip(session.run(names, FED), ours, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-5)


def test_called_in_branches_and_loops(rs: Any) -> None:
    """Gradients included, the same as of what it stands for. (TensorFlow fails to differentiate this.)"""
    x, w = inputs(rs)

    def step(a: Any) -> Any:
        return a * w + a * a

    def gradients(f: Any) -> Any:
        def body(i: Any, s: Any) -> Any:
            return i + 1, rs.cond(i < 1, lambda: f(s), lambda: s * w)

        y = rs.while_loop(lambda i, s: i < 3, body, (rs.constant(0), x))[1]
        return [y, *rs.gradients(y, [x, w])]

    tensors = gradients(rs.function(step)), gradients(step)
    with rs.Session() as session:
        called, plain = session.run(tensors, FED)
    for a, b in zip(called, plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_traced_once_for_each_kind_of_arguments(rs: Any) -> None:
    traces: list[Any] = []

    @rs.function
    def f(a: Any, scale: int = 1) -> Any:
        traces.append((a.dtype.name, a.shape.as_list(), scale))
        return a * scale

    x = rs.placeholder(rs.float32, [2])
    for _ in range(2):
        f(x), f(x, scale=2), f(rs.constant(1))
    assert traces == [("float32", [2], 1), ("float32", [2], 2), ("int32", [], 1)]
    assert len(rs.get_default_graph().as_graph_def().library.function) == 3
    kinds = [op.type for op in rs.get_default_graph().get_operations()]
    assert kinds.count("PartitionedCall") == 6


def test_state_in_a_function(rs: Any) -> None:
    """Stateful operations run, in order, though nothing needs them."""
    v = rs.get_variable("v", initializer=1.0, use_resource=True)

    @rs.function
    def f(a: Any) -> Any:
        v.assign_add(a)
        v.assign(v.read_value() * 10.0)
        return v.read_value()

    y = f(rs.constant(2.0))
    assert y.op.type == "StatefulPartitionedCall"
    with rs.Session() as session:
        session.run(v.initializer)
        assert session.run(y) == 30.0
        assert session.run(v) == 30.0


def test_gradient_of_a_variable_used_inside(rs: Any) -> None:
    v = rs.get_variable("v", initializer=3.0, use_resource=True)
    f = rs.function(lambda a: a * v * v)
    (grad,) = rs.gradients(f(rs.constant(2.0)), [v])
    with rs.Session() as session:
        session.run(v.initializer)
        assert session.run(grad) == 12.0


def test_an_input_signature(rs: Any) -> None:
    spec = rs.placeholder(rs.float32, [None])
    f = rs.function(lambda a: a * 2.0, input_signature=[spec])
    assert f(rs.constant([1.0])).shape.as_list() == f(rs.constant([1.0, 2.0])).shape.as_list() == [None]
    assert len(rs.get_default_graph()._functions) == 1
    with pytest.raises(TypeError, match="input_signature"):
        f(rs.constant([1]))


WRONG: dict[str, Any] = {
    "arguments": lambda tf: defun_of(tf)(tf.float32)(lambda a: a)(tf.constant(1.0), tf.constant(2.0)),
    "a dtype": lambda tf: defun_of(tf)(tf.float32)(lambda a: a)(tf.constant(1)),
    "no function": lambda tf: defun_of(tf)(tf.float32)(3),
    "a signature": lambda tf: defun_of(tf)(tf.float32)(lambda a, b: a),
}


@pytest.mark.parametrize("name", WRONG)
def test_same_error(name: str, both: Any) -> None:
    def kind(tf: Any) -> str:
        with pytest.raises(ValueError) as caught:
            WRONG[name](tf)
        return type(caught.value).__name__

    ours, theirs = both(kind)
    assert ours == theirs
