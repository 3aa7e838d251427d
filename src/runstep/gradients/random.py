"""Gradients of random numbers that can be differentiated: how a sample moves with its parameter."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from runstep.gradients.broadcasting import sizes_of, sum_to
from runstep.gradients.registry import gradient
from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.creation import ones_like
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


@gradient("StatelessParameterizedTruncatedNormal")
def _truncated_normal(op: Operation, grad: Any) -> list[Any]:
    """A sample keeps the probability of what is below it while a bound moves.

    As in TensorFlow, the mean and the deviation move and stretch a sample as if the bounds went with them.
    """
    mean, deviation, low, high = parameters = op.inputs[2:]
    sample, from_low, from_high = ((x - mean) / deviation for x in (op.outputs[0], low, high))
    one = np.finfo(sample.dtype.as_numpy_dtype)
    below, inside = (_normal_cdf(x) - _normal_cdf(from_low) for x in (sample, from_high))
    share = apply("Minimum", below / inside, 1 - one.eps)
    share = apply("Maximum", share, one.tiny)

    def with_bound(bound: Tensor, logarithm: Tensor) -> Tensor:
        """How much a sample moves with a bound: its share on the other side of the density there to that here."""
        found: Tensor = apply("Exp", 0.5 * (apply("Square", sample) - apply("Square", bound)) + logarithm)
        return found

    factors = (
        ones_like(sample),
        sample,
        with_bound(from_low, apply("Log1p", -share)),
        with_bound(from_high, apply("Log", share)),
    )
    of_parameters = [
        sum_to(apply("Mul", grad, factor), sizes_of(parameter))
        for factor, parameter in zip(factors, parameters, strict=True)
    ]
    return [None, None, *of_parameters]


def _normal_cdf(x: Tensor) -> Tensor:
    """The probability of a standard normal number below `x`; by erfc where 1 + erf would lose digits."""
    half = x * math.sqrt(0.5)
    size = apply("Abs", half)
    tail = apply("Erfc", size)
    outside = apply("Select", apply("Greater", half, 0.0), 2.0 - tail, tail)
    found: Tensor = 0.5 * apply("Select", apply("Less", size, math.sqrt(0.5)), 1.0 + apply("Erf", half), outside)
    return found
