"""The beta distribution: numbers between 0 and 1."""

from __future__ import annotations

from typing import Any

from runstep.distributions.distribution import FULLY_REPARAMETERIZED, ScalarEvents
from runstep.distributions.divergence import RegisterKL
from runstep.distributions.parameters import after, new_seed, undefined
from runstep.graph import dtypes
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor
from runstep.ops.arithmetic import xlogy
from runstep.ops.assertions import assert_less, assert_positive
from runstep.ops.assertions_static import assert_same_float_dtype
from runstep.ops.comparison import logical_and
from runstep.ops.creation import ones, ones_like
from runstep.ops.elementwise import exp, log, log1p
from runstep.ops.random import random_gamma
from runstep.ops.special import betainc, digamma, lgamma


class Beta(ScalarEvents):
    """Numbers of density `x^(concentration1 - 1) (1 - x)^(concentration0 - 1)`. Mirrors `tf.distributions.Beta`.

    Args:
      concentration1, concentration0: floats above 0 of one type, broadcast.
    """

    def __init__(
        self,
        concentration1: Any = None,
        concentration0: Any = None,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str = "Beta",
    ) -> None:
        parameters = dict(locals())
        with name_scope(name, values=[concentration1, concentration0]) as name:
            self._concentration1 = self._valid(concentration1, "concentration1", validate_args)
            self._concentration0 = self._valid(concentration0, "concentration0", validate_args)
            assert_same_float_dtype([self._concentration1, self._concentration0])
            self._total = self._concentration1 + self._concentration0
        self._batch_parameters = (self._total,)
        super().__init__(
            self._total.dtype,
            FULLY_REPARAMETERIZED,
            validate_args,
            allow_nan_stats,
            parameters,
            [self._concentration1, self._concentration0, self._total],
            name,
        )

    @staticmethod
    def _valid(given: Any, name: str, validate_args: bool) -> Tensor:
        found = convert_to_tensor(given, name=name)
        if not validate_args:
            return found
        return after([assert_positive(found, message="Concentration parameter must be positive.")], found)

    @staticmethod
    def _param_shapes(sample_shape: Any) -> dict[str, Tensor]:
        shape = convert_to_tensor(sample_shape, dtypes.int32)
        return dict.fromkeys(("concentration1", "concentration0"), shape)

    @property
    def concentration1(self) -> Tensor:
        """How much lies near 1."""
        return self._concentration1

    @property
    def concentration0(self) -> Tensor:
        """How much lies near 0."""
        return self._concentration0

    @property
    def total_concentration(self) -> Tensor:
        """The sum of both."""
        return self._total

    def _sample_n(self, n: Tensor, seed: int | None = None) -> Tensor:
        ones_ = ones_like(self._total, dtype=self.dtype)
        one, zero = (
            random_gamma([n], alpha=alpha * ones_, dtype=self.dtype, seed=seed_)
            for alpha, seed_ in ((self.concentration1, seed), (self.concentration0, new_seed(seed, "beta")))
        )
        return one / (one + zero)

    def _log_prob(self, x: Tensor) -> Tensor:
        x = self._checked(x)
        unnormalized = xlogy(self.concentration1 - 1.0, x) + (self.concentration0 - 1.0) * log1p(-x)
        return unnormalized - self._log_normalization()

    def _prob(self, x: Tensor) -> Tensor:
        return exp(self._log_prob(x))

    def _cdf(self, x: Tensor) -> Tensor:
        return betainc(self.concentration1, self.concentration0, self._checked(x))

    def _log_cdf(self, x: Tensor) -> Tensor:
        return log(self._cdf(x))

    def _log_normalization(self) -> Tensor:
        return lgamma(self.concentration1) + lgamma(self.concentration0) - lgamma(self._total)

    def _entropy(self) -> Tensor:
        return (
            self._log_normalization()
            - (self.concentration1 - 1.0) * digamma(self.concentration1)
            - (self.concentration0 - 1.0) * digamma(self.concentration0)
            + (self._total - 2.0) * digamma(self._total)
        )

    def _mean(self) -> Tensor:
        return self.concentration1 / self._total

    def _variance(self) -> Tensor:
        return self._mean() * (1.0 - self._mean()) / (1.0 + self._total)

    def _mode(self) -> Tensor:
        found = (self.concentration1 - 1.0) / (self._total - 2.0)
        exists = logical_and(self.concentration1 > 1.0, self.concentration0 > 1.0)
        return undefined(self, "Mode undefined for concentration <= 1.", exists, found)

    def _checked(self, x: Tensor) -> Tensor:
        if not self.validate_args:
            return x
        return after(
            [
                assert_positive(x, message="sample must be positive"),
                assert_less(x, ones([], self.dtype), message="sample must be less than `1`."),
            ],
            x,
        )


@RegisterKL(Beta, Beta)
def _kl_beta_beta(a: Beta, b: Beta, name: str | None = None) -> Tensor:
    values = [a.concentration1, a.concentration0, b.concentration1, b.concentration0]
    with name_scope(name, "kl_beta_beta", values=values):
        parts = [
            (ours - theirs) * digamma(ours)
            for ours, theirs in (
                (a.concentration1, b.concentration1),
                (a.concentration0, b.concentration0),
            )
        ]
        total = (b.total_concentration - a.total_concentration) * digamma(a.total_concentration)
        return b._log_normalization() - a._log_normalization() + parts[0] + parts[1] + total
