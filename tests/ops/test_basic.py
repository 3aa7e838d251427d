"""Ops that pass values on or stand where values come from."""

from __future__ import annotations

import pytest

from runstep.testing import Case, case, check, real, special

CASES = [
    case("Identity", real(2, 3)),
    case("Identity", special()),
    case("Identity", real(0, 3)),
    case("Identity", real(2, 2, dtype="int4")),
    case("Identity", real(2, 2, dtype="float8_e5m2")),
    case("IdentityN", [real(2, 3), real(dtype="int32"), real(2, dtype="string"), real(1, dtype="bool")]),
    case("IdentityN", [real(2, dtype="bfloat16"), real(2, dtype="complex64")]),
    case("StopGradient", real(2, 3)),
    case("PreventGradient", real(2, 3), message="no way back"),
    case("Snapshot", real(2, 3)),
    case("PlaceholderWithDefault", real(2, 3), shape=[2, 3]),
    case("PlaceholderWithDefault", real(2, 3), shape=[-1, 3]),
    case("PlaceholderWithDefault", real(2, 3), shape=None),
    case("PlaceholderWithDefault", real(2, 3), shape=[2, 4], error=ValueError),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row: Case) -> None:
    check(row)
