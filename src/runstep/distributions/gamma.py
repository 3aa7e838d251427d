"""The gamma distribution, and the exponential one, which is a case of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.distributions.distribution import FULLY_REPARAMETERIZED, ScalarEvents
from runstep.distributions.divergence import RegisterKL
from runstep.distributions.parameters import after, undefined
from runstep.graph import dtypes
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.scopes import control_dependencies
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.arithmetic import xlogy
from runstep.ops.assertions import assert_positive
from runstep.ops.assertions_static import assert_same_float_dtype
from runstep.ops.basic import identity
from runstep.ops.creation import ones
from runstep.ops.elementwise import log, sqrt, square
from runstep.ops.joining import concat
from runstep.ops.random import random_gamma, random_uniform
from runstep.ops.shape_ops import shape as shape_of
from runstep.ops.special import digamma, igamma, lgamma


class Gamma(ScalarEvents):
    """Positive numbers of density `x^(concentration - 1) exp(-rate x)`. Mirrors `tf.distributions.Gamma`.

    Args:
      concentration, rate: floats above 0 of one type, broadcast.
    """

    def __init__(
        self,
        concentration: TensorLike,
        rate: TensorLike,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str = "Gamma",
    ) -> None:
        parameters = dict(locals())
        with name_scope(name, values=[concentration, rate]) as name:
            checks = [assert_positive(concentration), assert_positive(rate)] if validate_args else []
            with control_dependencies(checks):
                self._concentration = identity(concentration, name="concentration")
                self._rate = identity(rate, name="rate")
                assert_same_float_dtype([self._concentration, self._rate])
        self._batch_parameters = (self._concentration, self._rate)
        super().__init__(
            self._concentration.dtype,
            FULLY_REPARAMETERIZED,
            validate_args,
            allow_nan_stats,
            parameters,
            [self._concentration, self._rate],
            name,
        )

    @staticmethod
    def _param_shapes(sample_shape: Any) -> dict[str, Tensor]:
        return dict.fromkeys(("concentration", "rate"), convert_to_tensor(sample_shape, dtypes.int32))

    @property
    def concentration(self) -> Tensor:
        """The shape, often called alpha."""
        return self._concentration

    @property
    def rate(self) -> Tensor:
        """The inverse of the scale, often called beta."""
        return self._rate

    def _sample_n(self, n: Tensor, seed: int | None = None) -> Tensor:
        return random_gamma([n], alpha=self.concentration, beta=self.rate, dtype=self.dtype, seed=seed)

    def _log_prob(self, x: Tensor) -> Tensor:
        x = self._checked(x)
        normalization = lgamma(self.concentration) - self.concentration * log(self.rate)
        return xlogy(self.concentration - 1.0, x) - self.rate * x - normalization

    def _cdf(self, x: Tensor) -> Tensor:
        return igamma(self.concentration, self.rate * self._checked(x))

    def _entropy(self) -> Tensor:
        a = self.concentration
        return a - log(self.rate) + lgamma(a) + (1.0 - a) * digamma(a)

    def _mean(self) -> Tensor:
        return self.concentration / self.rate

    def _variance(self) -> Tensor:
        return self.concentration / square(self.rate)

    def _stddev(self) -> Tensor:
        return sqrt(self.concentration) / self.rate

    def _mode(self) -> Tensor:
        found = (self.concentration - 1.0) / self.rate
        exists = self.concentration > 1.0
        return undefined(self, "mode not defined when any concentration <= 1", exists, found)

    def _checked(self, x: Tensor) -> Tensor:
        return after([assert_positive(x)], x) if self.validate_args else x


class Exponential(Gamma):
    """Positive numbers of density `rate exp(-rate x)`. Mirrors `tf.distributions.Exponential`.

    Args:
      rate: floats above 0.
    """

    def __init__(
        self, rate: TensorLike, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Exponential"
    ) -> None:
        parameters = dict(locals())
        with name_scope(name, values=[rate]) as name:
            self._rate = convert_to_tensor(rate, name="rate")
        super().__init__(ones([], self._rate.dtype), self._rate, validate_args, allow_nan_stats, name)
        self._parameters = parameters

    @staticmethod
    def _param_shapes(sample_shape: Any) -> dict[str, Tensor]:
        return {"rate": convert_to_tensor(sample_shape, dtypes.int32)}

    def _sample_n(self, n: Tensor, seed: int | None = None) -> Tensor:
        shape = concat([[n], shape_of(self.rate)], 0)
        least = np.finfo(self.dtype.as_numpy_dtype).tiny  # the logarithm of 0 is not finite
        drawn = random_uniform(shape, minval=least, maxval=1.0, seed=seed, dtype=self.dtype)
        return -log(drawn) / self.rate

    def _log_survival_function(self, x: Tensor) -> Tensor:
        return -self.rate * self._checked(x)


@RegisterKL(Gamma, Gamma)
def _kl_gamma_gamma(a: Gamma, b: Gamma, name: str | None = None) -> Tensor:
    with name_scope(name, "kl_gamma_gamma", values=[a.concentration, a.rate, b.concentration, b.rate]):
        return (
            (a.concentration - b.concentration) * digamma(a.concentration)
            + lgamma(b.concentration)
            - lgamma(a.concentration)
            + b.concentration * log(a.rate)
            - b.concentration * log(b.rate)
            + a.concentration * (b.rate / a.rate - 1.0)
        )
