"""Parameters of distributions: logits or probabilities, assertions, seeds of second draws."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.scopes import control_dependencies
from runstep.graph.tensor import Tensor
from runstep.ops.activation import softmax
from runstep.ops.assertions import assert_equal, assert_less_equal, assert_near, assert_non_negative
from runstep.ops.basic import identity, no_op
from runstep.ops.creation import fill
from runstep.ops.elementwise import log, log1p, round as round_, sigmoid
from runstep.ops.reduction import reduce_sum
from runstep.ops.selecting import where_v2
from runstep.ops.shape_ops import shape as shape_of
from runstep.ops.special import lgamma


def new_seed(seed: int | None, salt: str) -> int | None:
    """Another seed, that of the draw called `salt`; None of None."""
    if seed is None:
        return None
    return int(hashlib.md5(f"{seed}{salt}".encode()).hexdigest()[:8], 16) & 0x7FFFFFFF


def logits_and_probs(
    logits: Any, probs: Any, *, multidimensional: bool, validate_args: bool, name: str
) -> tuple[Tensor, Tensor]:
    """Both, of which one is given. ValueError if none or both are.

    Args:
      multidimensional: the last dimension goes over classes; else each number is the chance of a 1.
    """
    with name_scope(name, values=[probs, logits]):
        if (probs is None) == (logits is None):
            raise ValueError("Must pass probs or logits, but not both.")
        if probs is None:
            logits = convert_to_tensor(logits, name="logits")
            if not logits.dtype.is_floating:
                raise TypeError("logits must having floating type.")
            return logits, softmax(logits, name="probs") if multidimensional else sigmoid(logits, name="probs")
        probs = convert_to_tensor(probs, name="probs")
        if not probs.dtype.is_floating:
            raise TypeError("probs must having floating type.")
        if validate_args:
            with name_scope("validate_probs"):
                one = constant(1.0, probs.dtype)
                checks = [assert_non_negative(probs)]
                if multidimensional:
                    checks.append(assert_near(reduce_sum(probs, -1), one, message="probs does not sum to 1."))
                else:
                    checks.append(assert_less_equal(probs, one, message="probs has components greater than 1."))
                probs = after(checks, probs)
        with name_scope("logits"):
            if multidimensional:
                return log(probs), probs
            return log(probs) - log1p(-1.0 * probs), probs


def after(checks: Sequence[Any], tensor: Tensor) -> Tensor:
    """`tensor`, once the checks have passed."""
    with control_dependencies(list(checks)):
        return identity(tensor)


def is_integral(tensor: Tensor, message: str) -> Any:
    """An assertion that the elements are whole numbers."""
    if tensor.dtype.is_integer:
        return no_op()
    return assert_equal(tensor, round_(tensor), message=message)


def counts(value: Tensor) -> Tensor:
    """`value`, checked to be whole numbers from 0 on."""
    return after(
        [
            assert_non_negative(value, message="'counts' must be non-negative"),
            is_integral(value, "'counts' cannot contain fractional components."),
        ],
        value,
    )


def log_combinations(n: Tensor, counts: Tensor, name: str = "log_combinations") -> Tensor:
    """The logarithm of in how many orders `counts` things of each class make `n`: a multinomial coefficient."""
    with name_scope(name, values=[n, counts]):
        n = convert_to_tensor(n, name="n")
        counts = convert_to_tensor(counts, name="counts")
        return lgamma(n + 1) - reduce_sum(lgamma(counts + 1), axis=[-1])


def undefined(self: Any, message: str, defined: Tensor, value: Tensor, where_not: Any = np.nan) -> Tensor:
    """A statistic that exists where `defined`: NaN elsewhere, or an assertion where NaN is not allowed."""
    if self.allow_nan_stats:
        filler = fill(shape_of(value), np.array(where_not, value.dtype.np), name="nan")
        return where_v2(defined, value, filler)
    return after([assert_true(defined, message)], value)


def assert_true(condition: Tensor, message: str) -> Any:
    """An assertion that all of `condition` holds."""
    return assert_equal(condition, constant(True), message=message)
