"""Gradients of random numbers that can be differentiated: how a sample moves with its parameter."""

from __future__ import annotations

from typing import Any

from runstep.gradients.registry import gradient
from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.joining import concat


def _to_alpha(alpha: Tensor, samples: Any, grad: Any, drawn: Any) -> Tensor:
    """The gradient of gamma samples in `alpha`: `drawn` axes in front are samples of the same parameters."""
    ones = apply("Fill", apply("Reshape", drawn, [1]), 1)
    spread = apply("Reshape", alpha, concat([ones, apply("Shape", alpha)], 0))
    moved = apply("Mul", grad, apply("RandomGammaGrad", spread, samples))
    found: Tensor = apply("Sum", moved, apply("Range", 0, drawn, 1))
    return found


@gradient("RandomGamma")
def _random_gamma(op: Operation, grad: Any) -> Any:
    shape, alpha = op.inputs
    return None, _to_alpha(alpha, op.outputs[0], grad, apply("Size", shape))


@gradient("StatelessRandomGammaV2", "StatelessRandomGammaV3")
def _stateless_random_gamma(op: Operation, grad: Any) -> Any:
    shape, *between, alpha = op.inputs
    drawn = apply("Size", shape) - apply("Rank", alpha)
    return [None] * (1 + len(between)) + [_to_alpha(alpha, op.outputs[0], grad, drawn)]
