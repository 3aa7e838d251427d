"""The Kullback-Leibler divergence: a table of formulas by pairs of classes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from runstep.graph.graph import name_scope
from runstep.graph.scopes import control_dependencies
from runstep.graph.tensor import Tensor
from runstep.ops.basic import identity
from runstep.ops.comparison import logical_not
from runstep.ops.elementwise import is_nan
from runstep.ops.logging import Assert
from runstep.ops.reduction import reduce_all

_FORMULAS: dict[tuple[type, type], Callable[..., Tensor]] = {}


def _formula(a: type, b: type) -> Callable[..., Tensor] | None:
    """That of the nearest base classes, those of `a` and `b` together."""
    nearest = None
    for up_a, base_a in enumerate(inspect.getmro(a)):
        for up_b, base_b in enumerate(inspect.getmro(b)):
            found = _FORMULAS.get((base_a, base_b))
            if found is not None and (nearest is None or up_a + up_b < nearest[0]):
                nearest = (up_a + up_b, found)
    return None if nearest is None else nearest[1]


def kl_divergence(
    distribution_a: Any, distribution_b: Any, allow_nan_stats: bool = True, name: str | None = None
) -> Tensor:
    """What b loses in nats when it stands for a: the mean of `a.log_prob - b.log_prob` over samples of a.

    Source: `tf.distributions.kl_divergence`. NotImplementedError for two classes without a formula.

    Args:
      allow_nan_stats: give NaN where there is no number; else an assertion fails there.
    """
    found = _formula(type(distribution_a), type(distribution_b))
    if found is None:
        raise NotImplementedError(
            f"No KL(distribution_a || distribution_b) registered for distribution_a type "
            f"{type(distribution_a).__name__} and distribution_b type {type(distribution_b).__name__}"
        )
    with name_scope("KullbackLeibler"):
        result = found(distribution_a, distribution_b, name=name)
        if allow_nan_stats:
            return result
        checked = Assert(
            reduce_all(logical_not(is_nan(result))),
            [
                f"KL calculation between {distribution_a.name} and {distribution_b.name} returned NaN values "
                "(and was called with allow_nan_stats=False). Values:",
                result,
            ],
        )
        with control_dependencies([checked]):
            return identity(result, name="checked_kl")


def cross_entropy(ref: Any, other: Any, allow_nan_stats: bool = True, name: str | None = None) -> Tensor:
    """The entropy of `ref` and what `other` loses when it stands for it, in nats."""
    with name_scope(name, "cross_entropy"):
        return ref.entropy() + kl_divergence(ref, other, allow_nan_stats=allow_nan_stats)


class RegisterKL:
    """A decorator: the function `f(a, b, name=None)` is the divergence of these classes and of their subclasses.

    Mirrors `tf.distributions.RegisterKL`. TypeError for what is not callable, ValueError for a pair that has one.
    """

    def __init__(self, dist_cls_a: type, dist_cls_b: type) -> None:
        self._key = (dist_cls_a, dist_cls_b)

    def __call__(self, kl_fn: Any) -> Any:
        if not callable(kl_fn):
            raise TypeError(f"kl_fn must be callable, received: {kl_fn}")
        if self._key in _FORMULAS:
            a, b = self._key
            raise ValueError(f"KL({a.__name__} || {b.__name__}) has already been registered to: {_FORMULAS[self._key]}")
        _FORMULAS[self._key] = kl_fn
        return kl_fn
