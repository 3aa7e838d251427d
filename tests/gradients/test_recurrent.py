"""Gradients of fused LSTMs against TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep
from runstep.graph.apply import apply
from runstep.testing import check_grads, grad_case, of, real

LOOSE = {"float32": 1e-4}
BATCH, IN, CELL, TIME = 2, 3, 2, 3
INPUTS: Any = [
    of(TIME, dtype="int64"),
    real(TIME, BATCH, IN),
    *[real(BATCH, CELL, low=-1, high=1) for _ in range(2)],
    real(IN + CELL, 4 * CELL, low=-1, high=1),
    *[real(CELL) for _ in range(3)],
    real(4 * CELL),
]


def lstm(op: str, **more: Any) -> Any:
    # The gates, inputs of the gradient op, have no gradient of their own.
    options: Any = {"rtol": LOOSE, "atol": LOOSE, "types": {"T": ["float32"]}, "order": 1, "outputs": [1, 6]}
    return grad_case(op, *INPUTS, **options, **more)


ROWS = [
    lstm("BlockLSTM", cell_clip=0.0),
    lstm("BlockLSTM", use_peephole=True, forget_bias=0.5, cell_clip=0.5),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_gradients(row: Any) -> None:
    check_grads(row)


@pytest.mark.parametrize("peephole", [False, True])
def test_the_second_version_is_the_first_with_gates_in_another_order(peephole: bool) -> None:
    """TensorFlow's gradient of BlockLSTMV2 takes the gates in the order of the first version, and is wrong."""
    rng = np.random.default_rng(0)
    first = [rng.uniform(-1, 1, spec.shape).astype(np.float32) for spec in INPUTS[1:]]
    second = [*first[:3], _reordered(first[3]), *first[4:7], _reordered(first[7])]

    def found(op: str, values: list[Any], **attrs: Any) -> list[Any]:
        with runstep.Graph().as_default(), runstep.Session() as session:
            inputs = [runstep.constant(value) for value in values]
            _, cells, *_, hidden = apply(op, np.int64(TIME), *inputs, use_peephole=peephole, cell_clip=0.0, **attrs)
            return list(session.run([cells, hidden, *runstep.gradients([cells * cells, hidden], inputs)]))

    one = found("BlockLSTM", first, forget_bias=0.0)
    other = found("BlockLSTMV2", second)
    one[2 + 3], one[2 + 7] = _reordered(one[2 + 3]), _reordered(one[2 + 7])
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def _reordered(gates: Any) -> Any:
    """Input, cell, forget, output -> input, forget, cell, output."""
    i, c, f, o = np.split(gates, 4, axis=-1)
    return np.concatenate([i, f, c, o], axis=-1)
