"""The Dirichlet distribution: probabilities of k classes."""

from __future__ import annotations

from runstep.distributions.distribution import FULLY_REPARAMETERIZED
from runstep.distributions.divergence import RegisterKL
from runstep.distributions.parameters import after, undefined
from runstep.distributions.simplex import Concentrated, outer, valid_concentration, with_variance
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.arithmetic import xlogy
from runstep.ops.assertions import assert_near, assert_positive
from runstep.ops.cast import cast
from runstep.ops.creation import ones
from runstep.ops.elementwise import exp, rsqrt
from runstep.ops.random import random_gamma
from runstep.ops.reduction import reduce_all, reduce_sum
from runstep.ops.special import digamma, lbeta


class Dirichlet(Concentrated):
    """k positive numbers of sum 1. Mirrors `tf.distributions.Dirichlet`.

    Args:
      concentration: floats [..., k] above 0.
    """

    def __init__(
        self,
        concentration: TensorLike,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str = "Dirichlet",
    ) -> None:
        parameters = dict(locals())
        with name_scope(name, values=[concentration]) as name:
            tensor = convert_to_tensor(concentration, name="concentration")
            self._concentration = valid_concentration(tensor, validate_args)
            self._total = reduce_sum(self._concentration, -1)
        super().__init__(
            self._concentration.dtype,
            FULLY_REPARAMETERIZED,
            validate_args,
            allow_nan_stats,
            parameters,
            [self._concentration, self._total],
            name,
        )

    def _sample_n(self, n: Tensor, seed: int | None = None) -> Tensor:
        drawn = random_gamma([n], alpha=self.concentration, dtype=self.dtype, seed=seed)
        return drawn / reduce_sum(drawn, -1, keepdims=True)

    def _log_prob(self, x: Tensor) -> Tensor:
        x = self._checked(x)
        return reduce_sum(xlogy(self.concentration - 1.0, x), -1) - lbeta(self.concentration)

    def _prob(self, x: Tensor) -> Tensor:
        return exp(self._log_prob(x))

    def _entropy(self) -> Tensor:
        count = cast(self.event_shape_tensor()[0], self.dtype)
        return (
            lbeta(self.concentration)
            + (self._total - count) * digamma(self._total)
            - reduce_sum((self.concentration - 1.0) * digamma(self.concentration), axis=-1)
        )

    def _mean(self) -> Tensor:
        return self.concentration / self._total[..., None]

    def _covariance(self) -> Tensor:
        x = self._scaled_mean()
        return with_variance(outer(x, x), self._variance())

    def _variance(self) -> Tensor:
        x, scale = self._scaled_mean(), self._scale()
        return x * (scale - x)

    def _scale(self) -> Tensor:
        return rsqrt(1.0 + self._total[..., None])

    def _scaled_mean(self) -> Tensor:
        return self._scale() * self._mean()

    def _mode(self) -> Tensor:
        count = cast(self.event_shape_tensor()[0], self.dtype)
        found = (self.concentration - 1.0) / (self._total[..., None] - count)
        exists = reduce_all(self.concentration > 1.0, axis=-1)
        if self.allow_nan_stats:
            exists = exists[..., None]
        return undefined(self, "Mode undefined when any concentration <= 1", exists, found)

    def _checked(self, x: Tensor) -> Tensor:
        if not self.validate_args:
            return x
        return after(
            [
                assert_positive(x, message="samples must be positive"),
                assert_near(ones([], self.dtype), reduce_sum(x, -1), message="sample last-dimension must sum to `1`"),
            ],
            x,
        )


@RegisterKL(Dirichlet, Dirichlet)
def _kl_dirichlet_dirichlet(a: Dirichlet, b: Dirichlet, name: str | None = None) -> Tensor:
    with name_scope(name, "kl_dirichlet_dirichlet", values=[a.concentration, b.concentration]):
        mean_log = digamma(a.concentration) - digamma(reduce_sum(a.concentration, axis=-1, keepdims=True))
        difference = a.concentration - b.concentration
        return reduce_sum(difference * mean_log, axis=-1) - lbeta(a.concentration) + lbeta(b.concentration)
