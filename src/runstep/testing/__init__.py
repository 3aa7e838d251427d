"""Public test helpers: an op's test is one row.

    CASES = [case("SquaredDifference", real(2, 3), real(3)), case("Pack", [real(2), real(2)], axis=-1)]

    @pytest.mark.parametrize("row", CASES, ids=str)
    def test_ops(row): check(row)

`check` compares runstep with TensorFlow, which must be installed; everything else here works without it.
"""

from runstep.testing.gradients import GradCase, check_grads, grad_case
from runstep.testing.harness import check
from runstep.testing.rows import Case, case
from runstep.testing.values import (
    Spec,
    bools,
    complex_,
    distinct,
    ints,
    of,
    permutation,
    positive,
    real,
    special,
    strings,
    variable,
)

__all__ = [
    "Case",
    "GradCase",
    "Spec",
    "bools",
    "case",
    "check",
    "check_grads",
    "complex_",
    "distinct",
    "grad_case",
    "ints",
    "of",
    "permutation",
    "positive",
    "real",
    "special",
    "strings",
    "variable",
]
