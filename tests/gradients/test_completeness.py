"""Every op that TensorFlow differentiates is differentiable; what TensorFlow says is constant is."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

import runstep.ops.table  # noqa: F401
from runstep.gradients import registry
from runstep.ops import registry as ops
from runstep.testing.oracle import tensorflow

GAPS = {
    "QuantizeAndDequantizeV4Grad": "TensorFlow's own has the wrong number of gradients",
    **dict.fromkeys(
        """CSRSparseMatrixToDense CSRSparseMatrixToSparseTensor DenseToCSRSparseMatrix SparseTensorToCSRSparseMatrix
        SparseMatrixMatMul SparseMatrixSparseMatMul SparseMatrixTranspose""".split(),
        "not written yet: docs/differences.md",
    ),
}
"""Ops that TensorFlow differentiates and we do not, with the reason."""


@pytest.fixture(scope="module")
def theirs() -> dict[str, bool]:
    """Whether an op is differentiable, for every op that TensorFlow says something about."""
    tensorflow()
    found: Any = importlib.import_module("tensorflow.python.framework.ops").gradient_registry
    return {name: found.lookup(name) is not None for name in found.list()}


def test_what_tensorflow_differentiates_is_differentiable(theirs: dict[str, bool]) -> None:
    wanted = {name for name, differentiable in theirs.items() if differentiable}
    missing = {name for name in wanted & set(ops.names()) if not registry.has_row(name)} - set(GAPS)
    assert sorted(missing) == []


def test_what_tensorflow_says_is_constant_is_known_too(theirs: dict[str, bool]) -> None:
    constant = {name for name, differentiable in theirs.items() if not differentiable}
    missing = {name for name in constant & set(ops.names()) if not registry.has_row(name)}
    assert sorted(missing) == []


def test_nothing_is_constant_that_tensorflow_differentiates(theirs: dict[str, bool]) -> None:
    rows = [name for name in registry.types() if theirs.get(name) and registry.find(name) is None]
    assert sorted(rows) == sorted(CONSTANT)


CONSTANT = ("ArgMax", "ArgMin", "Ceil", "Floor", "FloorDiv", "LoopCond", "Rint", "Round", "TruncateDiv")
"""TensorFlow registers a function for these that returns None."""


def test_every_row_and_every_gap_has_an_op(theirs: dict[str, bool]) -> None:
    known = set(ops.names())
    made_here = ("CustomGradient", "RegisteredHere", "Overridden")
    assert sorted(n for n in registry.types() if n in theirs and n not in known and not n.startswith(made_here)) == []
    assert sorted(set(GAPS) - known) == []
