"""The functions of linear algebra make TensorFlow's nodes and give its values."""

from __future__ import annotations

import numpy as np
import pytest

import runstep.kernels.numpy.table  # noqa: F401
from runstep.ops import creation, linalg_functions
from runstep.testing import building
from runstep.testing.stateful import compare

# Where tf.compat.v1 has it: at the top, or in tf.linalg under this name.
TOP = [
    "cholesky", "cholesky_solve", "matrix_determinant", "matrix_inverse", "matrix_solve", "matrix_solve_ls",
    "matrix_square_root", "matrix_triangular_solve", "qr", "self_adjoint_eig", "self_adjoint_eigvals", "svd",
]  # fmt: skip
LINALG = [
    "adjoint", "logdet", "logm", "lu", "lu_matrix_inverse", "lu_reconstruct", "lu_solve", "slogdet",
    "tridiagonal_matmul", "tridiagonal_solve",
]  # fmt: skip


def matrix(tf, *shape):
    return tf.placeholder(tf.float32, shape)


GRAPHS = {
    "cholesky_solve": lambda tf: tf.cholesky_solve(tf.eye(2), [[1.0], [2.0]]),
    "logdet": lambda tf: tf.logdet(matrix(tf, 3, 2, 2)),
    "slogdet": lambda tf: tf.slogdet(matrix(tf, 3, 2, 2), name="s"),
    "solve_ls tall": lambda tf: tf.matrix_solve_ls(matrix(tf, 3, 2), matrix(tf, 3, 1)),
    "solve_ls wide": lambda tf: tf.matrix_solve_ls(matrix(tf, 4, 2, 3), matrix(tf, 4, 2, 1)),
    "solve_ls slow": lambda tf: tf.matrix_solve_ls(matrix(tf, 3, 2), matrix(tf, 3, 1), 0.5, False),
    "solve_ls regularized": lambda tf: tf.matrix_solve_ls(matrix(tf, 3, 2), matrix(tf, 3, 1), 0.5),
    "triangular": lambda tf: tf.matrix_triangular_solve(tf.eye(2), [[1.0], [2.0]], lower=False),
    "solve": lambda tf: tf.matrix_solve(tf.eye(2), [[1.0], [2.0]], adjoint=True),
    "eig": lambda tf: (tf.self_adjoint_eig(tf.eye(2)), tf.self_adjoint_eigvals(tf.eye(2), name="v")),
    "svd": lambda tf: (tf.svd(tf.eye(2)), tf.svd(tf.eye(2), compute_uv=False)),
    "qr": lambda tf: tf.qr(tf.eye(2), full_matrices=True),
    "factors": lambda tf: (tf.cholesky(tf.eye(2)), tf.lu(tf.eye(2)), tf.matrix_inverse(tf.eye(2), adjoint=True)),
    "determinant": lambda tf: (tf.matrix_determinant([[1.0, 2.0], [3.0, 4.0]]), tf.matrix_square_root(tf.eye(2))),
    "adjoint": lambda tf: tf.adjoint(matrix(tf, 3, 4)),
    "lu_solve": lambda tf: tf.lu_solve(matrix(tf, 2, 2), [0, 1], matrix(tf, 2, 3)),
    "lu_matrix_inverse": lambda tf: tf.lu_matrix_inverse(matrix(tf, 2, 2), [0, 1]),
    "lu_reconstruct": lambda tf: tf.lu_reconstruct(matrix(tf, 2, 2), [0, 1]),
    "tridiagonal vector": lambda tf: tf.tridiagonal_solve(matrix(tf, 3, 4), matrix(tf, 4)),
    "tridiagonal": lambda tf: tf.tridiagonal_solve(matrix(tf, 3, 4), matrix(tf, 4, 2), partial_pivoting=False),
    "tridiagonal sequence": lambda tf: tf.tridiagonal_solve(
        [matrix(tf, 4) for _ in range(3)], matrix(tf, 4, 2), diagonals_format="sequence"
    ),
    "tridiagonal product": lambda tf: tf.tridiagonal_matmul(matrix(tf, 3, 4), matrix(tf, 4, 2)),
}


def _theirs(tf):
    names = {name: getattr(tf, name) for name in (*TOP, "placeholder", "eye", "float32")}
    names |= {name: getattr(tf.linalg, name) for name in LINALG}
    return type("Namespace", (), {name: staticmethod(value) for name, value in names.items()} | {"float32": tf.float32})


@pytest.mark.parametrize("name", GRAPHS)
def test_functions_build_tensorflows_nodes(name):
    building.compare_graphs(GRAPHS[name], [linalg_functions, creation], theirs=lambda tf: GRAPHS[name](_theirs(tf)))


def test_values():
    rng = np.random.default_rng(5)
    root = rng.normal(size=(3, 4, 4))
    definite = root @ np.swapaxes(root, -1, -2) + np.eye(4)
    rhs = rng.normal(size=(3, 4, 2))

    def program(api):
        library = linalg_functions if api.name == "runstep" else _theirs(api.tf)
        a, b = api.constant(definite), api.constant(rhs)
        api.run(library.cholesky_solve(library.cholesky(a), b))
        api.run(library.logdet(a))
        api.run(library.matrix_solve_ls(a[:, :, :2], b, 0.5))
        api.run(library.matrix_solve_ls(a[:, :2, :], b[:, :2, :], 0.5))
        api.run(library.matrix_solve_ls(api.hidden(definite), api.hidden(rhs), 0.5))
        api.run(library.adjoint(a))
        factors, order = library.lu(a[0])
        api.run(library.lu_solve(factors, order, b[0]))
        api.run(library.lu_matrix_inverse(factors, order))
        api.run(library.lu_reconstruct(factors, order))
        factors, order = library.lu(a)
        api.run(library.lu_solve(factors, order, b))
        api.run(library.lu_matrix_inverse(factors, order))
        api.run(library.lu_reconstruct(factors, order))
        api.run(library.tridiagonal_matmul(a[:, :3, :], b))
        api.run(library.tridiagonal_solve(a[:, :3, :], b))
        api.run(library.tridiagonal_solve(a, b, diagonals_format="matrix"))
        api.run(library.self_adjoint_eigvals(a))

    compare(program, rtol=1e-8, atol=1e-10)
