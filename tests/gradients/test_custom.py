"""Functions with gradients of their own, Hessians, and the numeric check of TensorFlow 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep
from runstep.testing.oracle import tensorflow

X = [0.5, 2.0, -3.0]
PROGRAMS: dict[str, Any] = {}


def program(function: Any) -> Any:
    PROGRAMS[function.__name__] = function
    return function


@program
def a_gradient_of_its_own(tf: Any, put: Any) -> Any:
    @tf.custom_gradient
    def f(x: Any) -> Any:
        e = tf.exp(x)
        return tf.log(1.0 + e), lambda upstream: upstream * (1.0 - 1.0 / (1.0 + e))

    x = put(X)
    y = f(x)
    return [y, *tf.gradients(y * 2.0, x)]


@program
def several_arguments_and_results(tf: Any, put: Any) -> Any:
    @tf.custom_gradient
    def f(x: Any, z: Any) -> Any:
        return (x * z, x + z), lambda a, b: (a * 10.0, b * 100.0)

    x, z = put(X), put(X)
    a, b = f(x, z)
    return tf.gradients([a, b], [x, z]) + tf.gradients(a, [x, z])


@program
def second_order_through_what_it_says(tf: Any, put: Any) -> Any:
    @tf.custom_gradient
    def f(x: Any) -> Any:
        return x, lambda upstream: upstream * x * x

    x = put(X)
    first = tf.gradients(f(x), x)
    return first + tf.gradients(first, x)


@program
def variables_inside(tf: Any, put: Any) -> Any:
    v = tf.get_variable("v", [3], initializer=tf.ones_initializer(), use_resource=True)

    @tf.custom_gradient
    def f(x: Any) -> Any:
        def gradient(upstream: Any, variables: Any = None) -> Any:
            assert [one.name for one in variables] == ["v:0"]
            return upstream * 5.0, [upstream * 7.0]

        return x * v, gradient

    x = put(X)
    return tf.gradients(f(x), [x, v])


@program
def reference_variables_inside(tf: Any, put: Any) -> Any:
    v = tf.get_variable("v", [3], initializer=tf.ones_initializer(), use_resource=False)
    x = put(X)
    f = tf.custom_gradient(lambda x: (x * v, lambda upstream, variables=None: (upstream * 5.0, [upstream * 7.0])))
    return tf.gradients(f(x), [x, v])


@program
def within_functions(tf: Any, put: Any) -> Any:
    outer = put(X)

    @tf.custom_gradient
    def f(x: Any) -> Any:
        twice = x * 2.0
        return twice * outer, lambda upstream: upstream * twice * outer * x

    x = put([1.0, -1.0, 2.0])
    found = []
    for function in (f, lambda x: tf.function(f)(x + 1.0) * x):
        y = tf.function(function)(x)
        first = tf.gradients(y, x)
        found += [y, *first, *tf.gradients(y * y, x)]
    return found


@program
def passed_through(tf: Any, put: Any) -> Any:
    x = put(X)
    return tf.gradients(tf.grad_pass_through(tf.round)(x) * 3.0, x)


@program
def recomputed(tf: Any, put: Any) -> Any:
    x = put(X)
    y = tf.recompute_grad(lambda a: tf.sin(a) * a)(x)
    return [y, *tf.gradients(y, x)]


@program
def hessians(tf: Any, put: Any) -> Any:
    x, z = put(X), put([[1.0, 2.0], [3.0, 4.0]])
    return tf.hessians(tf.reduce_sum(x * x * x) + tf.reduce_prod(z), [x, z])


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_tensorflow(name: str, same: Any) -> None:
    same(PROGRAMS[name], names=False)


def test_what_is_computed_anew_has_a_second_derivative() -> None:
    # TensorFlow: NotImplementedError.
    with runstep.Graph().as_default(), runstep.Session() as session:
        x = runstep.constant(X)
        (first,) = runstep.gradients(runstep.recompute_grad(lambda a: a * a * a)(x), x)
        np.testing.assert_allclose(session.run(runstep.gradients(first, x)[0]), [6 * one for one in X])


def test_keywords_are_refused(both_raise: Any) -> None:
    both_raise(ValueError, "keywords arguments only", lambda tf, put: tf.custom_gradient(lambda x: (x, None))(x=put(X)))


@pytest.mark.parametrize("resource", [True, False])
def test_a_gradient_that_takes_no_variables_is_refused(resource: bool, both_raise: Any) -> None:
    def build(tf: Any, put: Any) -> Any:
        v = tf.get_variable("v", [3], use_resource=resource)
        return tf.custom_gradient(lambda x: (x * v, lambda upstream: upstream))(put(X))

    both_raise(TypeError, "must accept keyword argument 'variables'", build)


def test_a_variables_gradient_that_is_missing_is_an_error(both_raise: Any) -> None:
    def build(tf: Any, put: Any) -> Any:
        v = tf.get_variable("v", [3], use_resource=True)
        x = put(X)
        y = tf.custom_gradient(lambda x: (x * v, lambda upstream, variables=None: (upstream, [])))(x)
        return tf.gradients(y, x)

    both_raise(ValueError, "Must return gradient for each variable", build)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_jacobians_are_tensorflows(dtype: Any) -> None:
    found = []
    point = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.5]], dtype)
    for tf in (tensorflow().compat.v1, runstep):
        with tf.Graph().as_default(), tf.Session().as_default():
            x = tf.placeholder(tf.as_dtype(dtype), [2, 3])
            y = tf.reduce_sum(x * x, 1) if dtype is np.float64 else x * x
            where: Any = (x, [2, 3], y, y.shape.as_list(), point)
            found.append((tf.test.compute_gradient(*where), tf.test.compute_gradient_error(*where)))
    (theirs, their_error), (ours, our_error) = found
    np.testing.assert_allclose(ours[0], theirs[0])
    np.testing.assert_allclose(ours[1], theirs[1], atol=1e-9)
    assert their_error < 1e-8 and our_error < 1e-8


def test_jacobians_of_slices_and_of_lists() -> None:
    with runstep.Graph().as_default(), runstep.Session().as_default():
        x, z = runstep.placeholder(runstep.float64, [3, 2]), runstep.placeholder(runstep.float64, [2])
        y = runstep.gather(x, [0, 2, 0]) * z
        pairs = runstep.test.compute_gradient([x, z], [[3, 2], [2]], y, [3, 2])
        assert [pair[0].shape for pair in pairs] == [(6, 6), (2, 6)]
        for by_gradient, by_difference in pairs:
            np.testing.assert_allclose(by_gradient, by_difference, atol=1e-9)
        with pytest.raises(ValueError, match="x_shape is"):
            runstep.test.compute_gradient(z, [2], z * z, [2], [1.0])


def test_a_numeric_check_needs_a_session() -> None:
    with runstep.Graph().as_default(), pytest.raises(ValueError, match="no default session"):
        x = runstep.placeholder(runstep.float32, [])
        runstep.test.compute_gradient(x, [], x * x, [])
