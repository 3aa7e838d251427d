"""Functions of linear algebra that are many nodes give TensorFlow's values."""

from __future__ import annotations

import numpy as np
import pytest

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
