"""LSTM and GRU cells against TensorFlow."""

from __future__ import annotations

from typing import Any

import pytest

from runstep.errors import InvalidArgumentError
from runstep.testing import case, check, of, real

# TensorFlow computes halves in half.
LOOSE = {"float32": 1e-4, "float16": 5e-2}
BATCH, IN, CELL, TIME = 2, 3, 4, 5
FLOAT = {"T": ["float32"]}


def weights(gates: int = 4) -> list[Any]:
    return [real(IN + CELL, gates * CELL, low=-1, high=1), real(CELL), real(CELL), real(CELL), real(gates * CELL)]


def state() -> list[Any]:
    return [real(BATCH, CELL, low=-1, high=1), real(BATCH, CELL, low=-1, high=1)]


def cell(op: str, *inputs: Any, **more: Any) -> Any:
    return case(op, *inputs, rtol=LOOSE, atol=LOOSE, **more)


GRU = [real(BATCH, IN), real(BATCH, CELL), real(IN + CELL, 2 * CELL), real(IN + CELL, CELL), real(2 * CELL), real(CELL)]

CASES = [
    *[
        cell("LSTMBlockCell", real(BATCH, IN), *state(), *weights(), use_peephole=peephole)
        for peephole in (False, True)
    ],
    cell("LSTMBlockCell", real(BATCH, IN), *state(), *weights(), cell_clip=0.5, forget_bias=0.0),
    cell("LSTMBlockCell", real(BATCH, IN + 1), *state(), *weights(), error=InvalidArgumentError),
    *[
        cell(
            "LSTMBlockCellGrad",
            real(BATCH, IN),
            *state(),
            *weights(),
            *[real(BATCH, CELL, low=0, high=1) for _ in range(8)],
            use_peephole=peephole,
            types=FLOAT,
        )
        for peephole in (False, True)
    ],
    *[
        cell(op, of(TIME, dtype="int64"), real(TIME, BATCH, IN), *state(), *weights(), use_peephole=peephole)
        for op in ("BlockLSTM", "BlockLSTMV2")
        for peephole in (False, True)
    ],
    # TensorFlow leaves the steps after the last unset.
    cell("BlockLSTM", of(3, dtype="int64"), real(TIME, BATCH, IN), *state(), *weights(), stateful=True),
    *[
        cell(
            op,
            of(length, dtype="int64"),
            real(TIME, BATCH, IN),
            *state(),
            *weights(),
            *[real(TIME, BATCH, CELL, low=0, high=1) for _ in range(9)],
            use_peephole=peephole,
            types=FLOAT,
        )
        for op in ("BlockLSTMGrad", "BlockLSTMGradV2")
        for length in (TIME, 3)
        for peephole in (False, True)
    ],
    cell("GRUBlockCell", *GRU),
    cell("GRUBlockCell", real(BATCH, IN + 1), *GRU[1:], error=InvalidArgumentError),
    cell("GRUBlockCellGrad", *GRU, *[real(BATCH, CELL, low=0, high=1) for _ in range(4)]),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row: Any) -> None:
    check(row)
