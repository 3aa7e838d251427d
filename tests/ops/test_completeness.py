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
    "SymbolicGradient"
)


def _named(pattern: str) -> list[str]:
    return [name for name in registry.names() if re.search(pattern, name)]


BY_HAND: dict[str, str] = {
    **dict.fromkeys(_STRUCTURE.split(), "needs a graph around it: tests/plan"),
    **dict.fromkeys((*_CALLS.split(), "MapDefun"), "needs functions: tests/plan"),
    **dict.fromkeys(
        ("_Arg", "_Retval"), "only TensorFlow's executor makes them; a partition that tests/session traces"
    ),
    **dict.fromkeys(("DeviceIndex", "FakeParam", "PlaceholderV2"), "no row can say it: tests/plan/test_rare_nodes.py"),
    "Placeholder": "every row feeds them: tests/session/test_feeds.py",
    "Abort": "ends TensorFlow's process: tests/ops/test_logging.py",
    "SelfAdjointEig": "TensorFlow refuses it in new graphs: tests/ops/test_linalg.py",
    "_SwitchN": "as Switch: tests/plan/test_raw_control_flow.py",
    **dict.fromkeys(_named("Fused(Mat|Conv|Dep|Pad|Resize)"), "fused by the plan or by hand: tests/ops/test_fused.py"),
    **dict.fromkeys(_named("Queue"), "needs a queue: tests/ops/test_queues.py"),
    **dict.fromkeys(_named("Table"), "needs a table: tests/ops/test_lookup.py"),
    **dict.fromkeys(_named("Accumulator"), "needs an accumulator: tests/ops/test_accumulators.py"),
    **dict.fromkeys(_named("Reader|^(Matching|Read|Write)File|^ImmutableConst"), "files: tests/ops/test_io.py"),
    **dict.fromkeys(_named("RaggedTensor(To|From)Variant"), "a variant cannot be fed: tests/ops/test_ragged.py"),
    **dict.fromkeys(_named("Dataset|^(OneShot|Make)?Iterator"), "a dataset cannot be fed: tests/data"),
    **dict.fromkeys(_named("Barrier"), "needs a barrier: tests/ops/test_barriers.py"),
    **dict.fromkeys(_named("^(Ordered)?Map|^(Uns|S)tage"), "needs a staging area: tests/ops/test_staging.py"),
    **dict.fromkeys(_named("Session(Handle|Tensor)"), "needs a session's store: tests/ops/test_session_store.py"),
    **dict.fromkeys(_named("^Encode(Png|Jpeg)"), "files differ, pixels do not: tests/ops/test_image_codecs.py"),
    **dict.fromkeys(_named("PyFunc"), "needs a Python function: tests/ops/test_script.py"),
    **dict.fromkeys(
        _named("^(Save|Restore)|Sharded|MergeV2Ch|VocabRemapping|RemapMatrix"), "files: tests/ops/test_checkpoint.py"
    ),
}
"""Ops that are tested outside of tests/ops, with the place and why no row can do it."""

NO_KERNEL: dict[str, str] = {
    **dict.fromkeys(_STRUCTURE.split(), "compiled into the plan"),
    **dict.fromkeys(_CALLS.split(), "compiled into the plan"),
    **dict.fromkeys(("_Arg", "_Retval"), "a body is called with its arguments"),
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
        "import pkgutil, runstep.ops.table, runstep.kernels.numpy.table, importlib\n"
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
