"""Whole LSTM and GRU cells as one op: rows and shape rules."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.ops.common import Shapes
from runstep.ops.registry import op


def _lstm_cell(op: Any) -> Shapes:
    x = shapes.with_rank(op.inputs[0].raw_shape, 2)
    state = shapes.with_rank(op.inputs[1].raw_shape, 2)
    return [(x[0], state[1])] * 7


def _lstm_cell_gradient(op: Any) -> Shapes:
    x = shapes.with_rank(op.inputs[0].raw_shape, 2)
    state = shapes.with_rank(op.inputs[1].raw_shape, 2)
    size = state[1]
    vector = (size,)
    return [(x[0], size), (x[0], None if size is None else 4 * size), vector, vector, vector]


def _lstm(op: Any) -> Shapes:
    x = shapes.with_rank(op.inputs[1].raw_shape, 3)
    bias = shapes.with_rank(op.inputs[-1].raw_shape, 1)
    size = bias[0]
    if size is not None and size % 4:
        raise ValueError(f"Dimension size must be evenly divisible by 4 but is {size}")
    return [(x[0], x[1], None if size is None else size // 4)] * 7


def _lstm_gradient(op: Any) -> Shapes:
    shape_of = [tensor.raw_shape for tensor in op.inputs]
    ranks = (3, 2, 2, 2, 1, 1, 1, 1)
    return [shapes.with_rank(shape, rank) for shape, rank in zip(shape_of[1:9], ranks, strict=True)]


def _gru(op: Any) -> Shapes:
    x = shapes.with_rank(op.inputs[0].raw_shape, 2)
    state = shapes.with_rank(op.inputs[1].raw_shape, 2)
    return [(x[0], state[1])] * 4


def _gru_gradient(op: Any) -> Shapes:
    x = shapes.with_rank(op.inputs[0].raw_shape, 2)
    state = shapes.with_rank(op.inputs[1].raw_shape, 2)
    batch, size = x[0], state[1]
    weights = shapes.with_rank(op.inputs[2].raw_shape, 2)
    return [(batch, x[1]), (batch, size), (batch, size), (batch, weights[1])]


_HALVES = "T: {float16, float32}"
_STATE = "cs_prev: T, h_prev: T, w: T, wci: T, wcf: T, wco: T, b: T"
_GATES = "i: T, cs: T, f: T, o: T, ci: T, co: T, h: T"
_GRADIENTS = "x_grad: T, cs_prev_grad: T, h_prev_grad: T, w_grad: T, wci_grad: T, wcf_grad: T, wco_grad: T, b_grad: T"
_PEEPHOLE = "use_peephole: bool = false"

op(
    "LSTMBlockCell",
    f"x: T, {_STATE} -> {_GATES}",
    "forget_bias: float = 1.0",
    "cell_clip: float = 3.0",
    _PEEPHOLE,
    _HALVES,
    shape=_lstm_cell,
)
op(
    "LSTMBlockCellGrad",
    f"x: T, {_STATE}, i: T, cs: T, f: T, o: T, ci: T, co: T, cs_grad: T, h_grad: T -> "
    "cs_prev_grad: T, dicfo: T, wci_grad: T, wcf_grad: T, wco_grad: T",
    "use_peephole: bool",
    _HALVES,
    shape=_lstm_cell_gradient,
)
op(
    "BlockLSTM",
    f"seq_len_max: int64, x: T, {_STATE} -> {_GATES}",
    "forget_bias: float = 1.0",
    "cell_clip: float = 3.0",
    _PEEPHOLE,
    _HALVES,
    shape=_lstm,
)
op(
    "BlockLSTMV2",
    f"seq_len_max: int64, x: T, {_STATE} -> {_GATES}",
    "cell_clip: float = 0.0",
    _PEEPHOLE,
    _HALVES,
    shape=_lstm,
)
for _name in ("BlockLSTMGrad", "BlockLSTMGradV2"):
    op(
        _name,
        f"seq_len_max: int64, x: T, {_STATE}, {_GATES}, cs_grad: T, h_grad: T -> {_GRADIENTS}",
        "use_peephole: bool",
        _HALVES,
        shape=_lstm_gradient,
    )
op(
    "GRUBlockCell",
    "x: T, h_prev: T, w_ru: T, w_c: T, b_ru: T, b_c: T -> r: T, u: T, c: T, h: T",
    "T: {float32}",
    shape=_gru,
)
op(
    "GRUBlockCellGrad",
    "x: T, h_prev: T, w_ru: T, w_c: T, b_ru: T, b_c: T, r: T, u: T, c: T, d_h: T -> d_x: T, d_h_prev: T, d_c_bar: T, "
    "d_r_bar_u_bar: T",
    "T: {float32}",
    shape=_gru_gradient,
)
