"""Sparse matrices by compressed rows against TensorFlow; they are variants, which no row can feed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runstep.testing.stateful import compare

BY_HAND = dict.fromkeys(
    """SparseTensorToCSRSparseMatrix DenseToCSRSparseMatrix CSRSparseMatrixToSparseTensor CSRSparseMatrixComponents
    CSRSparseMatrixToDense SparseMatrixNNZ SparseMatrixTranspose SparseMatrixMatMul SparseMatrixSparseMatMul""".split(),
    "programs in this file",
)
TYPES = ("float32", "complex128")


def dense(dtype: str, *shape: int) -> Any:
    rng = np.random.default_rng(len(shape))
    value = rng.normal(size=shape) + (1j * rng.normal(size=shape) if dtype[0] == "c" else 0)
    return np.where(rng.random(shape) < 0.6, value, 0).astype(dtype)


def matrix(api: Any, value: Any) -> Any:
    return api.op("DenseToCSRSparseMatrix", value, np.argwhere(value))


def look(api: Any, sparse: Any, dtype: str) -> None:
    api.run(list(api.op("CSRSparseMatrixToSparseTensor", sparse, type=dtype)))
    api.run(api.op("CSRSparseMatrixToDense", sparse, type=dtype))
    api.run(api.op("SparseMatrixNNZ", sparse))


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (3, 0), (2, 0, 3)])
def test_there_and_back(shape: tuple[int, ...]) -> None:
    def program(api: Any) -> None:
        for dtype in TYPES:
            value = dense(dtype, *shape)
            places = np.argwhere(value)
            sizes = np.array(shape, np.int64)
            for made in (
                matrix(api, value),
                api.op("SparseTensorToCSRSparseMatrix", places, value[tuple(places.T)], sizes),
            ):
                look(api, made, dtype)
                for index in range(shape[0] if len(shape) == 3 else 1):
                    api.run(list(api.op("CSRSparseMatrixComponents", made, index, type=dtype)))
            for conjugate in (False, True):
                look(api, api.op("SparseMatrixTranspose", made, conjugate=conjugate, type=dtype), dtype)

    compare(program)


@pytest.mark.parametrize("batch", [(), (2,)])
@pytest.mark.parametrize("dtype", TYPES)
def test_products(dtype: str, batch: tuple[int, ...]) -> None:
    def program(api: Any) -> None:
        for side, other in (("", ""), ("transpose", ""), ("", "adjoint"), ("adjoint", "transpose")):
            flags = {f"{kind}_{name}": True for kind, name in ((side, "a"), (other, "b")) if kind}
            a = dense(dtype, *batch, *((4, 3) if side else (3, 4)))
            b = dense(dtype, *batch, *((5, 4) if other else (4, 5)))
            api.run(api.op("SparseMatrixMatMul", matrix(api, a), b, **flags))
            product = api.op("SparseMatrixSparseMatMul", matrix(api, a), matrix(api, b), type=dtype, **flags)
            look(api, product, dtype)
        for flags in ({"transpose_output": True}, {"conjugate_output": True}):
            api.run(
                api.op(
                    "SparseMatrixMatMul", matrix(api, dense(dtype, *batch, 3, 4)), dense(dtype, *batch, 4, 2), **flags
                )
            )
        ones = [matrix(api, np.array(value, dtype)) for value in ([[1, 1]], [[1, 0, 1], [-1, 0, 1]])]
        look(api, api.op("SparseMatrixSparseMatMul", *ones, type=dtype), dtype)  # a sum of 0 stays
        none = matrix(api, np.zeros((*batch, 3, 4), dtype))
        api.run(api.op("SparseMatrixMatMul", none, dense(dtype, *batch, 4, 2)))

    compare(program, rtol=1e-5, atol=1e-6)


def test_what_is_refused() -> None:
    value = np.array([[0, 1, 0], [2, 0, 3]], np.float32)

    def program(api: Any) -> None:
        one, two = matrix(api, value), matrix(api, np.stack([value, value]))
        for made, index in ((one, 1), (two, 2), (two, -1)):
            api.run(list(api.op("CSRSparseMatrixComponents", made, index, type="float32"))[:1])
        for op in ("CSRSparseMatrixToDense", "SparseMatrixTranspose"):
            api.run(api.op(op, one, type="float64"))
        api.run(list(api.op("CSRSparseMatrixToSparseTensor", one, type="float64"))[:1])
        for rows in ([[0, 7]], [[0, -1]], [[0, 0], [2, 0]]):
            places = np.array(rows, np.int64)
            api.run(api.op("SparseMatrixNNZ", api.op("DenseToCSRSparseMatrix", value, places)))
            values = np.ones(len(places), np.float32)
            made = api.op("SparseTensorToCSRSparseMatrix", places, values, np.array([2, 3], np.int64))
            api.run(api.op("SparseMatrixNNZ", made))
        api.run(api.op("SparseMatrixMatMul", one, np.ones((3, 2))))
        for b in (np.ones((2, 2), np.float32), np.ones((1, 3, 2), np.float32)):
            for a in (one, two):
                api.run(api.op("SparseMatrixMatMul", a, api.hidden(b, "float32")))

    compare(program, texts=True)
