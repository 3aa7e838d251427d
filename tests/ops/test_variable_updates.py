"""Ops that change a variable: what they return and what the variable holds afterwards, in every dtype."""

from __future__ import annotations

import pytest

from runstep import errors
from runstep.testing import Case, case, check, ints, of, positive, real, variable

INVALID = errors.InvalidArgumentError
GATHERED = (
    "float32 float64 int32 int64 float16 bfloat16 bool string complex64 complex128 "
    "uint8 int8 uint16 int16 uint32 uint64"
).split()
SCATTERS = ("Add", "Sub", "Mul", "Div", "Min", "Max", "Update")
SCATTERS_ND = ("Add", "Sub", "Min", "Max", "Update")

CASES = [
    case("Assign", real(2, 3), real(2, 3)),
    case("Assign", real(), real()),
    case("Assign", real(2, 3), real(3), validate_shape=False),
    case("Assign", real(2, 3), real(3), error=INVALID),
    case("AssignAdd", real(2, 3), real(2, 3)),
    case("AssignAdd", real(2, 3), real(3), error=INVALID),
    case("AssignSub", real(2, 3), real(2, 3)),
    case("AssignSub", real(2, 3), real(3), error=INVALID),
    case("CountUpTo", of(3), limit=5),
    case("CountUpTo", of(5), limit=5, error=errors.OutOfRangeError),
    case("IsVariableInitialized", real(2, 3)),
    case("AssignVariableOp", variable(real(2, 3)), real(2, 3)),
    case("AssignVariableOp", variable(real(2, 3)), real(2, 3), types={"dtype": ["string", "bool", "bfloat16"]}),
    case("AssignAddVariableOp", variable(real(2, 3)), real(2, 3)),
    case("AssignAddVariableOp", variable(real(2, 3)), real(3), error=INVALID),
    case("AssignSubVariableOp", variable(real(2, 3)), real(2, 3)),
    case("AssignSubVariableOp", variable(real(2, 3)), real(3), error=INVALID),
    case("ReadVariableOp", variable(real(2, 3))),
    case("VariableShape", variable(real(2, 3, dtype="float32"))),
    case("VarIsInitializedOp", variable(real(2, 3, dtype="float32"))),
    # (TensorFlow cannot assign quantized resource variables, only gather from them.)
    case("ResourceGather", variable(real(5, 3)), ints(2, 2, high=5), types={"dtype": GATHERED}),
    case("ResourceGather", variable(real(5, 3)), of([1, 5]), error=INVALID, types={"dtype": ["float32"]}),
    case("ResourceGatherNd", variable(real(5, 3)), of([[1, 2], [4, 0]])),
    case("ResourceGatherNd", variable(real(5, 3)), of([[1], [4]])),
]
for kind in SCATTERS:
    name = f"Scatter{kind}"
    update = positive if kind == "Div" else real
    CASES += [
        case(name, real(5, 3), of([0, 4, 2]), update(3, 3)),
        case(name, real(5, 3), of(3), update(3)),
        case(name, real(5, 3), of([], "int32"), update(0, 3)),
        case(name, real(5), of([[0, 1], [2, 3]]), update(2, 2)),
        case(name, real(5, 3), of([0, 5]), update(2, 3), error=INVALID),
        case(name, real(5, 3), of([0, 1]), update(3, 3), error=INVALID),
        case(f"Resource{name}", variable(real(5, 3)), of([0, 4, 2]), update(3, 3)),
        case(f"Resource{name}", variable(real(5, 3)), of(3), update(3)),
        case(f"Resource{name}", variable(real(5, 3)), of([0, 5]), update(2, 3), error=INVALID),
    ]
    if kind not in ("Mul", "Div"):  # one index twice: the order of rounding would show
        CASES.append(case(name, real(5, 3), of([1, 1, 2]), update(3, 3), rtol=1e-2, atol=2e-2))
for kind in SCATTERS_ND:
    name = f"ScatterNd{kind}"
    CASES += [
        case(name, real(5, 3), of([[0], [4]]), real(2, 3)),
        case(name, real(5, 3), of([[0, 1], [4, 2]]), real(2)),
        case(name, real(5, 3), of([[0], [5]]), real(2, 3), error=INVALID),
        case(f"Resource{name}", variable(real(5, 3)), of([[0], [4]]), real(2, 3)),
        case(f"Resource{name}", variable(real(5, 3)), of([[0, 1], [4, 2]]), real(2)),
        case(f"Resource{name}", variable(real(5, 3)), of([[0], [5]]), real(2, 3), error=INVALID),
    ]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row: Case) -> None:
    check(row)
