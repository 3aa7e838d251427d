"""Functions of linear algebra that are many nodes give TensorFlow's values."""

from __future__ import annotations

import numpy as np
import pytest

import runstep as tf
from runstep.ops import linalg_composed
from runstep.testing.stateful import compare


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_expm(dtype):
    rng = np.random.default_rng(2)

    def program(api):
        library = linalg_composed if api.name == "runstep" else api.tf.linalg
        for value in drawn:
            api.run(library.expm(api.constant(value)))

    drawn = [
        rng.normal(size=shape) * scale for shape, scale in (((3, 3), 1), ((2, 4, 4), 4), ((1, 1), 1), ((2, 2), 1e-3))
    ]
    drawn.append(np.stack([np.eye(3) * 5, np.zeros((3, 3))]))
    if dtype.startswith("c"):
        drawn = [value * (1 + 0.5j) for value in drawn]  # type: ignore[misc]
    drawn = [value.astype(dtype) for value in drawn]
    short = np.finfo(dtype).eps > 1e-10
    compare(program, rtol=1e-3 if short else 1e-9, atol=1e-4 if short else 1e-10)


def test_derivatives_of_expm_of_any_order():
    """TensorFlow's second derivative ends at its loop, which it enters at a norm of 10.7."""
    start = np.array([[4.0, 0.2], [0.3, 9.0]])
    with tf.Session() as session:
        x = tf.placeholder("float64", [2, 2])
        first = tf.gradients(linalg_composed.expm(x), x)[0]
        second = tf.gradients(first, x)[0]
        step = 1e-5
        moves = step * np.eye(4).reshape(4, 2, 2)
        slopes = [session.run(first, {x: start + d}).sum() - session.run(first, {x: start - d}).sum() for d in moves]
        np.testing.assert_allclose(session.run(second, {x: start}).ravel(), np.divide(slopes, 2 * step), rtol=1e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pinv_and_rank(dtype):
    rng = np.random.default_rng(3)
    low = rng.normal(size=(2, 5, 2)) @ rng.normal(size=(2, 2, 4))

    def program(api):
        library = linalg_composed if api.name == "runstep" else api.tf.linalg
        for value in (low, low[0], np.eye(3), np.zeros((2, 3))):
            api.run(library.matrix_rank(api.constant(value, dtype)))
            api.run(library.pinv(api.constant(value, dtype)))
        api.run(library.matrix_rank(api.constant(np.diag([3.0, 1.0, 0.1]), dtype), tol=0.5))
        api.run(library.pinv(api.constant(np.diag([3.0, 1.0, 0.1]), dtype), rcond=0.2))

    compare(program, rtol=1e-3 if dtype == "float32" else 1e-9, atol=1e-4 if dtype == "float32" else 1e-10)


def test_eigh_tridiagonal():
    """Against numpy: TensorFlow builds loops of bisection, which take it seconds."""
    diagonal, above = np.array([1, 2, 5, 3], np.complex128), np.array([0.5, -1, 2]) * (0.6 + 0.8j)
    whole = np.diag(diagonal) + np.diag(above, 1) + np.diag(above.conj(), -1)
    want = np.linalg.eigvalsh(whole)
    every, vectors = tf.linalg.eigh_tridiagonal(diagonal, above, eigvals_only=False)
    places = tf.linalg.eigh_tridiagonal(diagonal, above, select="i", select_range=(1, 2))
    between = tf.linalg.eigh_tridiagonal(diagonal, above, select="v", select_range=(1.0, 3.0))
    assert [(y.dtype.name, y.shape.as_list()) for y in (every, places)] == [("float64", [4]), ("float64", [2])]
    with tf.Session() as session:
        every, vectors, places, between = session.run([every, vectors, places, between])
    np.testing.assert_allclose(every, want, rtol=1e-12)
    np.testing.assert_allclose(whole @ vectors, vectors * want, atol=1e-12)
    np.testing.assert_allclose([places, between], [want[1:3]] * 2, rtol=1e-12)


def test_eigh_tridiagonal_refuses():
    ones = tf.ones([2])
    for arguments, error, text in (
        ((ones, tf.ones([1], tf.float64)), ValueError, "same type"),
        ((tf.constant([1, 2]), tf.constant([1])), ValueError, "int32"),
        ((ones, ones[:1], True, "x"), ValueError, "select must have a value"),
        ((ones, ones[:1], True, "i", (1, 0)), tf.errors.InvalidArgumentError, "empty index range"),
        ((ones, ones[:1], True, "v", (2.0, 1.0)), tf.errors.InvalidArgumentError, "empty interval"),
    ):
        with pytest.raises(error, match=text):
            tf.linalg.eigh_tridiagonal(*arguments)
