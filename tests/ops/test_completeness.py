"""Every op that has a row in the table also has a kernel and a test; and the page that lists them is up to date."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from runstep.kernels.registry import numpy_kernel
from runstep.ops import registry
from runstep.testing import coverage

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

_STRUCTURE = "Switch Merge Enter Exit NextIteration RefSwitch RefMerge RefEnter RefExit RefNextIteration _SwitchN"
_CALLS = (
    "If StatelessIf Case StatelessCase While StatelessWhile For PartitionedCall StatefulPartitionedCall RemoteCall "
    "_Arg _Retval DeviceIndex"
)

BY_HAND: dict[str, str] = {
    **dict.fromkeys(_STRUCTURE.split(), "control flow needs a graph around it: the tests of plan and session"),
    **dict.fromkeys(_CALLS.split(), "needs functions: the tests of plan and session"),
    **dict.fromkeys(("Placeholder", "PlaceholderV2"), "every row feeds them"),
    **dict.fromkeys(filter(re.compile("Queue").search, registry.names()), "needs a queue: tests/ops/test_queues.py"),
    **dict.fromkeys(filter(re.compile("Table").search, registry.names()), "needs a table: tests/ops/test_lookup.py"),
    "FakeParam": "stands for an input that no function body reads",
}
"""Ops that are tested outside of tests/ops, with the place and why no row can do it."""

NO_KERNEL: dict[str, str] = {
    **dict.fromkeys(_STRUCTURE.split(), "compiled into the plan"),
    **dict.fromkeys(_CALLS.split(), "compiled into the plan"),
    **dict.fromkeys(("Placeholder", "PlaceholderV2"), "must be fed"),
}
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


def test_every_module_of_ops_and_kernels_is_imported() -> None:
    code = (
        "import pkgutil, runstep.ops.table, runstep.kernels.numpy, importlib\n"
        "from runstep.ops import registry\n"
        "from runstep.kernels.registry import numpy_kernel\n"
        "before = {*registry.names()}, {*numpy_kernel.ops()}\n"
        "for package in (runstep.ops, runstep.kernels.numpy):\n"
        "    for module in pkgutil.iter_modules(package.__path__, package.__name__ + '.'):\n"
        "        importlib.import_module(module.name)\n"
        "after = {*registry.names()}, {*numpy_kernel.ops()}\n"
        "print(*[sorted(late - early) for early, late in zip(before, after, strict=True)])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"


def test_remarks_are_about_ops_that_exist(covered: coverage.Coverage) -> None:
    remarks = {**covered.by_hand, **covered.gaps, **covered.no_kernel}
    assert sorted(set(remarks) - set(registry.names())) == []
    assert [name for name, text in remarks.items() if not text.strip()] == []
    assert sorted(name for name in covered.no_kernel if numpy_kernel.rows(name)) == []


def test_the_page_lists_the_ops_that_exist() -> None:
    listed = coverage.listed(ROOT / coverage.PAGE)
    again = "run python -m runstep.testing.coverage"
    assert listed == sorted(registry.names()), again
