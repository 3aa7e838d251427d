"""Gradients of fused LSTMs over whole sequences."""

from __future__ import annotations

from typing import Any

from runstep.gradients.nn_common import or_zeros, same_attrs
from runstep.gradients.registry import gradient
from runstep.graph.apply import apply
from runstep.graph.operation import Operation


def _block_lstm(op: Operation, backward: str, grads: tuple[Any, ...]) -> list[Any]:
    """Of the outputs only the states of cells and their outputs count: the gates are there for this gradient."""
    _, cells, *_, hidden = op.outputs
    in_cells, in_hidden = or_zeros(grads[1], cells), or_zeros(grads[6], hidden)
    attrs = same_attrs(op, "use_peephole")
    return [None, *apply(backward, *op.inputs, *op.outputs, in_cells, in_hidden, **attrs)]


@gradient("BlockLSTM")
def _first(op: Operation, *grads: Any) -> list[Any]:
    return _block_lstm(op, "BlockLSTMGrad", grads)


@gradient("BlockLSTMV2")
def _second(op: Operation, *grads: Any) -> list[Any]:
    return _block_lstm(op, "BlockLSTMGradV2", grads)
