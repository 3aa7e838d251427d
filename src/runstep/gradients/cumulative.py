"""Gradients of running sums and products: running sums the other way."""

from __future__ import annotations

from typing import Any

from runstep.gradients.registry import gradient
from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.creation import zeros_like


def _back(op: Operation, tensor: Any, kind: str) -> Tensor:
    found: Tensor = apply(kind, tensor, op.inputs[1], exclusive=op.attrs["exclusive"], reverse=not op.attrs["reverse"])
    return found


@gradient("Cumsum")
def _cumsum(op: Operation, grad: Any) -> Any:
    return _back(op, grad, "Cumsum"), None


@gradient("Cumprod")
def _cumprod(op: Operation, grad: Any) -> Any:
    total = _back(op, apply("Mul", op.outputs[0], grad), "Cumsum")
    return apply("DivNoNan", total, op.inputs[0]), None


@gradient("CumulativeLogsumexp")
def _cumulative_logsumexp(op: Operation, grad: Any) -> Any:
    """Positive and negative gradients apart, so that each has a logarithm."""
    x, y = op.inputs[0], op.outputs[0]
    nothing = apply("AddV2", zeros_like(grad), grad.dtype.min)

    def part(sign: str, positive: Any) -> Tensor:
        logs = apply("SelectV2", apply(sign, grad, 0), apply("Log", positive), nothing)
        return apply("Exp", apply("AddV2", _back(op, apply("Sub", logs, y), "CumulativeLogsumexp"), x))

    return apply("Sub", part("Greater", grad), part("Less", -grad)), None
