"""Ops that pass values on or stand where values come from."""

from __future__ import annotations

import numpy as np
import pytest

from runstep import errors
from runstep.testing import Case, bools, case, check, of, real, special, strings

INVALID = errors.InvalidArgumentError

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
    case("Copy", real(2, 3), types={"T": ["float32", "string"]}),
    case("CopyHost", real(2, 3), types={"T": ["float32"]}),
    case("DebugGradientIdentity", real(2, 3), types={"T": ["float32"]}),
    case("DebugGradientRefIdentity", real(2, 3), types={"T": ["float32"]}),
    case("PlaceholderWithDefault", real(2, 3), shape=[2, 3]),
    case("PlaceholderWithDefault", real(2, 3), shape=[-1, 3]),
    case("PlaceholderWithDefault", real(2, 3), shape=None),
    case("PlaceholderWithDefault", real(2, 3), shape=[2, 4], error=ValueError),
    case("Const", value=np.float32([[1, 2, 3]]), dtype="float32"),  # type: ignore[arg-type]
    case("Const", value=np.array([b"", b"text"], object), dtype="string"),
    case("Const", value=np.int64(7), dtype="int64"),
    case("Const", value=np.zeros((0, 2), bool), dtype="bool"),
    case("NoOp"),
    case("ControlTrigger"),
    case("Assert", True, [real(2, dtype="float32"), real(dtype="string")]),
    case("Assert", False, [real(2, dtype="float32"), strings(words=(b"not so",))], error=INVALID),
    case("Assert", [True], [real(2, dtype="float32")], error=INVALID),
    case("Print", real(2, 3), [real(2, dtype="float32")], message="rows: "),
    case("PrintV2", of("a row of the tests"), output_stream="stderr"),
    case("RefIdentity", real(2, 3)),
    case("RefSelect", 1, [real(2, 3), real(2, 3), real(2, 3)]),
    case("RefSelect", 3, [real(2, 3), real(2, 3), real(2, 3)], error=INVALID),
    case("Switch", real(2, 3), True, error=INVALID),  # the dead output cannot be fetched
    # Which of two living inputs comes first is a race.
    case("Merge", [real(2, 3), real(2, 3)], stateful=True),
    case("Merge", [real(2, 3), real(2, 3), real(2, 3)], stateful=True),
    case("RefMerge", [real(2, 3)]),
    case("LoopCond", bools()),
    case("ToBool", real(), types={"T": ["float32", "int32", "bool", "string"]}),
    case("ToBool", real(2), types={"T": ["float32", "string"]}),
]

BY_HAND = {"TopK": "TensorFlow 2.21 cannot make its own kernel; the rows of TopKV2 run the same code."}


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row: Case) -> None:
    check(row)
