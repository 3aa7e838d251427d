"""Learning rates that change with the number of steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from runstep.graph import dtypes
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor
from runstep.ops.arithmetic import add, divide, minimum, multiply, pow
from runstep.ops.basic import constant
from runstep.ops.branching import case, cond
from runstep.ops.cast import cast
from runstep.ops.comparison import equal
from runstep.ops.elementwise import ceil, cos, exp, floor, log, negative, sqrt
from runstep.ops.random import random_normal
from runstep.ops.selecting import where_v2

__all__ = [
    "cosine_decay",
    "cosine_decay_restarts",
    "exponential_decay",
    "inverse_time_decay",
    "linear_cosine_decay",
    "natural_exp_decay",
    "noisy_linear_cosine_decay",
    "piecewise_constant",
    "piecewise_constant_decay",
    "polynomial_decay",
]


def exponential_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, decay_rate: Any, staircase: bool = False, name: Any = None
) -> Tensor:
    """`learning_rate * decay_rate ** (global_step / decay_steps)` (source: tf.train.exponential_decay).

    Args:
      staircase: the exponent is rounded down.
    """
    with name_scope(name, "ExponentialDecay") as scope:
        rate = convert_to_tensor(learning_rate, name="initial_learning_rate")
        kind = rate.dtype.base_dtype
        steps, decay = cast(decay_steps, kind), cast(decay_rate, kind)
        part = _part(cast(global_step, kind), steps, staircase)
        return multiply(rate, pow(decay, part), name=scope)


def _part(step: Tensor, steps: Tensor, staircase: bool) -> Tensor:
    part = step / steps
    return floor(part) if staircase else part


def natural_exp_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, decay_rate: Any, staircase: bool = False, name: Any = None
) -> Tensor:
    """`learning_rate * exp(-decay_rate * global_step / decay_steps)` (source: tf.train.natural_exp_decay)."""
    return exponential_decay(learning_rate, global_step, decay_steps, exp(negative(decay_rate)), staircase, name)


def inverse_time_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, decay_rate: Any, staircase: bool = False, name: Any = None
) -> Tensor:
    """`learning_rate / (1 + decay_rate * global_step / decay_steps)` (source: tf.train.inverse_time_decay)."""
    with name_scope(name, "InverseTimeDecay") as scope:
        rate = convert_to_tensor(learning_rate, name="initial_learning_rate")
        kind = rate.dtype.base_dtype
        steps, decay = cast(decay_steps, kind), cast(decay_rate, kind)
        part = _part(cast(global_step, kind), steps, staircase)
        one = cast(constant(1), kind)
        return divide(rate, add(one, multiply(decay, part)), name=scope)


def piecewise_constant(x: Any, boundaries: Sequence[Any], values: Sequence[Any], name: Any = None) -> Tensor:
    """`values[i]` where `x` is above `boundaries[i - 1]` and at most `boundaries[i]`.

    Source: tf.train.piecewise_constant.

    Args:
      x: a number, a tensor or a variable, of the type of the boundaries.
      values: one more than there are boundaries.

    Raises:
      ValueError: the types or numbers of the lists do not fit.
    """
    limits = [convert_to_tensor(item) for item in boundaries]
    rates = [convert_to_tensor(item) for item in values]
    step = convert_to_tensor(x)
    for index, limit in enumerate(limits):
        kind = limit.dtype.base_dtype
        if kind is step.dtype.base_dtype:
            continue
        if kind is not dtypes.int32 or step.dtype.base_dtype is not dtypes.int64:
            raise ValueError(f"Boundaries ({kind!r}) must have the same dtype as x ({step.dtype.base_dtype!r}).")
        limits[index] = cast(limit, step.dtype.base_dtype)
    for rate in rates[1:]:
        if rate.dtype.base_dtype is not rates[0].dtype.base_dtype:
            raise ValueError(
                "Values must have elements all with the same dtype "
                f"({rates[0].dtype.base_dtype!r} vs {rate.dtype.base_dtype!r})."
            )
    if len(limits) != len(rates) - 1:
        raise ValueError("The length of boundaries should be 1 less than the length of values")
    with name_scope(name, "PiecewiseConstant"):
        pairs: list[Any] = [(step <= limits[0], lambda: rates[0]), (step > limits[-1], lambda: rates[-1])]
        for low, high, rate in zip(limits[:-1], limits[1:], rates[1:-1], strict=True):
            pairs.append(((step > low) & (step <= high), lambda rate=rate: rate))
        return case(pairs, lambda: rates[0], exclusive=True)


piecewise_constant_decay = piecewise_constant


def polynomial_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    end_learning_rate: Any = 0.0001,
    power: Any = 1.0,
    cycle: bool = False,
    name: Any = None,
) -> Tensor:
    """From `learning_rate` to `end_learning_rate` in `decay_steps` steps (source: tf.train.polynomial_decay).

    Args:
      power: 1 goes down in a straight line.
      cycle: past the end, start again from where twice (three times, ...) the number of steps would have come to.
    """
    with name_scope(name, "PolynomialDecay") as scope:
        rate = convert_to_tensor(learning_rate, name="initial_learning_rate")
        kind = rate.dtype.base_dtype
        end, exponent = cast(end_learning_rate, kind), cast(power, kind)
        step, steps = cast(global_step, kind), cast(decay_steps, kind)
        if cycle:
            rounds = where_v2(equal(step, 0), 1.0, ceil(step / decay_steps))
            steps = multiply(steps, rounds)
        else:
            step = minimum(step, steps)
        part = divide(step, steps)
        return add(multiply(rate - end, pow(1 - part, exponent)), end, name=scope)


def cosine_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, alpha: float = 0.0, name: Any = None
) -> Tensor:
    """Half a cosine from `learning_rate` to `alpha * learning_rate` (source: tf.train.cosine_decay)."""
    with name_scope(name, "CosineDecay"):
        rate = convert_to_tensor(learning_rate, name="initial_learning_rate")
        kind = rate.dtype.base_dtype
        steps = cast(decay_steps, kind)
        done = minimum(cast(global_step, kind), steps) / steps
        cosine = 0.5 * (1.0 + cos(constant(math.pi, dtype=kind) * done))
        return multiply(rate, (1 - alpha) * cosine + alpha)


def cosine_decay_restarts(
    learning_rate: Any,
    global_step: Any,
    first_decay_steps: Any,
    t_mul: Any = 2.0,
    m_mul: Any = 1.0,
    alpha: Any = 0.0,
    name: Any = None,
) -> Tensor:
    """Cosine decay, again and again (source: tf.train.cosine_decay_restarts).

    Args:
      first_decay_steps: the length of the first period. t_mul: each period is as many times as long as the one before.
      m_mul: each starts at as many times the rate of the one before.
    """
    with name_scope(name, "SGDRDecay") as scope:
        rate = convert_to_tensor(learning_rate, name="initial_learning_rate")
        kind = rate.dtype.base_dtype
        first = cast(first_decay_steps, kind)
        low, longer, higher = cast(alpha, kind), cast(t_mul, kind), cast(m_mul, kind)
        done = cast(global_step, kind) / first

        def period(geometric: bool) -> tuple[Tensor, Tensor]:
            if geometric:
                restart = floor(log(1.0 - done * (1.0 - longer)) / log(longer))
                start = (1.0 - longer**restart) / (1.0 - longer)
                return restart, (done - start) / longer**restart
            restart = floor(done)
            return restart, done - restart

        restart, within = cond(equal(longer, 1.0), lambda: period(False), lambda: period(True))
        cosine = 0.5 * higher**restart * (1.0 + cos(constant(math.pi, dtype=kind) * within))
        return multiply(rate, (1 - low) * cosine + low, name=scope)


def linear_cosine_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    num_periods: Any = 0.5,
    alpha: Any = 0.0,
    beta: Any = 0.001,
    name: Any = None,
) -> Tensor:
    """`(alpha + linear) * cosine + beta` times the learning rate (source: tf.train.linear_cosine_decay)."""
    with name_scope(name, "LinearCosineDecay") as scope:
        return _linear_cosine(learning_rate, global_step, decay_steps, num_periods, alpha, beta, scope, None)


def noisy_linear_cosine_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    initial_variance: Any = 1.0,
    variance_decay: Any = 0.55,
    num_periods: Any = 0.5,
    alpha: Any = 0.0,
    beta: Any = 0.001,
    name: Any = None,
) -> Tensor:
    """`linear_cosine_decay` with noise on the linear part (source: tf.train.noisy_linear_cosine_decay)."""
    with name_scope(name, "NoisyLinearCosineDecay") as scope:
        noise = (initial_variance, variance_decay)
        return _linear_cosine(learning_rate, global_step, decay_steps, num_periods, alpha, beta, scope, noise)


def _linear_cosine(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    num_periods: Any,
    alpha: Any,
    beta: Any,
    scope: str,
    noise: tuple[Any, Any] | None,
) -> Tensor:
    rate = convert_to_tensor(learning_rate, name="initial_learning_rate")
    kind = rate.dtype.base_dtype
    steps = cast(decay_steps, kind)
    if noise is not None:
        variance, fading = cast(noise[0], kind), cast(noise[1], kind)
    periods, alpha, beta = cast(num_periods, kind), cast(alpha, kind), cast(beta, kind)
    step = minimum(cast(global_step, kind), steps)
    linear = (steps - step) / steps
    if noise is not None:
        variance = variance / pow(1.0 + step, fading)
        linear = linear + random_normal(linear.shape, stddev=sqrt(variance))
    done = step / steps
    turns = 2.0 * periods * done
    cosine = 0.5 * (1.0 + cos(constant(math.pi, dtype=kind) * turns))
    return multiply(rate, (alpha + linear) * cosine + beta, name=scope)
