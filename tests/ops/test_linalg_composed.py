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
