"""Every op that has a row in the table also has a kernel and a test; and the page that lists them is up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from runstep.kernels.registry import numpy_kernel
from runstep.ops import registry
from runstep.testing import coverage

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

BY_HAND: dict[str, str] = {}
"""Ops that are tested outside of tests/ops, with the place and why no row can do it."""

NO_KERNEL: dict[str, str] = {}
"""Ops that no kernel computes, with what does it instead."""


@pytest.fixture(scope="module")
def covered() -> coverage.Coverage:
    return coverage.Coverage(HERE)


def test_every_op_has_a_kernel(covered: coverage.Coverage) -> None:
    assert covered.without_kernel() == []


def test_every_op_has_a_test(covered: coverage.Coverage) -> None:
    assert covered.untested() == []


def test_every_kernel_and_every_row_has_an_op(covered: coverage.Coverage) -> None:
    known = set(registry.names())
    assert sorted(set(numpy_kernel.ops()) - known) == []
    assert sorted(set(covered.cases) - known) == []


def test_remarks_are_about_ops_that_exist(covered: coverage.Coverage) -> None:
    remarks = {**covered.by_hand, **covered.gaps, **covered.no_kernel}
    assert sorted(set(remarks) - set(registry.names())) == []
    assert [name for name, text in remarks.items() if not text.strip()] == []
    assert sorted(name for name in covered.no_kernel if numpy_kernel.rows(name)) == []


def test_the_page_lists_the_ops_that_exist() -> None:
    listed = coverage.listed(ROOT / coverage.PAGE)
    again = "run python -m runstep.testing.coverage"
    assert listed == sorted(registry.names()), again
