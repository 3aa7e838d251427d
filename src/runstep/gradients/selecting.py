"""Gradients of choosing: they go to what was chosen."""

from __future__ import annotations

from typing import Any

from runstep.gradients.broadcasting import unbroadcast
from runstep.gradients.registry import gradient, no_gradient
from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.ops.creation import zeros_like

no_gradient("Where")


@gradient("Select")
def _select(op: Operation, grad: Any) -> Any:
    chosen, x, _ = op.inputs
    zero = zeros_like(x)
    return None, apply("Select", chosen, grad, zero), apply("Select", chosen, zero, grad)


@gradient("SelectV2")
def _select_v2(op: Operation, grad: Any) -> Any:
    (chosen, x, y), (z,) = op.inputs, op.outputs
    zero = zeros_like(grad)
    to_x, to_y = unbroadcast(x, z)[0], unbroadcast(y, z)[0]
    return (
        None,
        to_x(apply("SelectV2", chosen, grad, zero)),
        to_y(apply("SelectV2", chosen, zero, grad)),
    )


@gradient("ClipByValue")
def _clip_by_value(op: Operation, grad: Any) -> Any:
    x, low, high = op.inputs
    zero = zeros_like(grad)
    below, above = apply("Less", x, low), apply("Greater", x, high)
    to_low, to_high = unbroadcast(low, x)[0], unbroadcast(high, x)[0]
    return (
        apply("SelectV2", apply("LogicalOr", below, above), zero, grad),
        to_low(apply("SelectV2", below, grad, zero)),
        to_high(apply("SelectV2", above, grad, zero)),
    )


@gradient("CheckNumerics", "CheckNumericsV2")
def _check_numerics(op: Operation, grad: Any) -> Any:
    message = f"Not a number (NaN) or infinity (Inf) values detected in gradient. {op.attrs['message']!r}"
    return apply(op.type, grad, message=message)
