"""The normal distribution."""

from __future__ import annotations

import math
from typing import Any

from runstep.distributions import normal_cdf
from runstep.distributions.distribution import FULLY_REPARAMETERIZED, ScalarEvents
from runstep.distributions.divergence import RegisterKL
from runstep.graph import dtypes
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.scopes import control_dependencies
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.assertions import assert_positive
from runstep.ops.assertions_static import assert_same_float_dtype
from runstep.ops.basic import identity
from runstep.ops.creation import ones_like
from runstep.ops.elementwise import log, square
from runstep.ops.random import random_normal
from runstep.ops.special import ndtri


class Normal(ScalarEvents):
    """Normal distributions of mean `loc` and standard deviation `scale`. Mirrors `tf.distributions.Normal`.

    Args:
      loc, scale: floats of one type, broadcast; `scale` above 0.
    """

    def __init__(
        self,
        loc: TensorLike,
        scale: TensorLike,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str = "Normal",
    ) -> None:
        parameters = dict(locals())
        with name_scope(name, values=[loc, scale]) as name:
            with control_dependencies([assert_positive(scale)] if validate_args else []):
                self._loc = identity(loc, name="loc")
                self._scale = identity(scale, name="scale")
                assert_same_float_dtype([self._loc, self._scale])
        self._batch_parameters = (self._loc, self._scale)
        super().__init__(
            self._scale.dtype,
            FULLY_REPARAMETERIZED,
            validate_args,
            allow_nan_stats,
            parameters,
            [self._loc, self._scale],
            name,
        )

    @staticmethod
    def _param_shapes(sample_shape: Any) -> dict[str, Tensor]:
        return dict.fromkeys(("loc", "scale"), convert_to_tensor(sample_shape, dtypes.int32))

    @property
    def loc(self) -> Tensor:
        """The mean."""
        return self._loc

    @property
    def scale(self) -> Tensor:
        """The standard deviation."""
        return self._scale

    def _sample_n(self, n: Tensor, seed: int | None = None) -> Tensor:
        drawn = random_normal(self._sample_shape(n), mean=0.0, stddev=1.0, dtype=self.loc.dtype, seed=seed)
        return drawn * self.scale + self.loc

    def _log_prob(self, x: Tensor) -> Tensor:
        return -0.5 * square(self._z(x)) - (0.5 * math.log(2.0 * math.pi) + log(self.scale))

    def _cdf(self, x: Tensor) -> Tensor:
        return normal_cdf.cdf(self._z(x))

    def _log_cdf(self, x: Tensor) -> Tensor:
        return normal_cdf.log_cdf(self._z(x))

    def _survival_function(self, x: Tensor) -> Tensor:
        return normal_cdf.cdf(-self._z(x))

    def _log_survival_function(self, x: Tensor) -> Tensor:
        return normal_cdf.log_cdf(-self._z(x))

    def _quantile(self, p: Tensor) -> Tensor:
        return ndtri(p) * self.scale + self.loc

    def _entropy(self) -> Tensor:
        scale = self.scale * ones_like(self.loc)
        return 0.5 * math.log(2.0 * math.pi) + 0.5 + log(scale)

    def _mean(self) -> Tensor:
        return self.loc * ones_like(self.scale)

    def _stddev(self) -> Tensor:
        return self.scale * ones_like(self.loc)

    def _mode(self) -> Tensor:
        return self._mean()

    def _z(self, x: Tensor) -> Tensor:
        return (x - self.loc) / self.scale


@RegisterKL(Normal, Normal)
def _kl_normal_normal(a: Normal, b: Normal, name: str | None = None) -> Tensor:
    with name_scope(name, "kl_normal_normal", [a.loc, b.loc]):
        ratio = square(a.scale) / square(b.scale)
        return square(a.loc - b.loc) / (2.0 * square(b.scale)) + 0.5 * (ratio - 1.0 - log(ratio))
