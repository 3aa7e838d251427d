"""The Laplace distribution."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from runstep.distributions.distribution import FULLY_REPARAMETERIZED, ScalarEvents
from runstep.graph import dtypes
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.scopes import control_dependencies
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.assertions import assert_positive
from runstep.ops.assertions_static import assert_same_float_dtype
from runstep.ops.basic import identity
from runstep.ops.creation import zeros_like
from runstep.ops.elementwise import abs as abs_, exp, log, log1p, sign
from runstep.ops.random import random_uniform
from runstep.ops.selecting import where_v2


class Laplace(ScalarEvents):
    """Numbers of density `exp(-|x - loc| / scale)`. Mirrors `tf.distributions.Laplace`.

    Args:
      loc, scale: floats of one type, broadcast; `scale` above 0.
    """

    def __init__(
        self,
        loc: TensorLike,
        scale: TensorLike,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str = "Laplace",
    ) -> None:
        parameters = dict(locals())
        with name_scope(name, values=[loc, scale]) as name:
            with control_dependencies([assert_positive(scale)] if validate_args else []):
                self._loc = identity(loc, name="loc")
                self._scale = identity(scale, name="scale")
                assert_same_float_dtype([self._loc, self._scale])
        self._batch_parameters = (self._loc, self._scale)
        super().__init__(
            self._loc.dtype,
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
        """The mean, median and mode."""
        return self._loc

    @property
    def scale(self) -> Tensor:
        """The mean distance from `loc`."""
        return self._scale

    def _sample_n(self, n: Tensor, seed: int | None = None) -> Tensor:
        kind = self.dtype.as_numpy_dtype
        least = np.nextafter(kind(-1.0), kind(0.0))  # the logarithm of 0 is not finite
        drawn = random_uniform(self._sample_shape(n), minval=least, maxval=1.0, dtype=self.dtype, seed=seed)
        return self.loc - self.scale * sign(drawn) * log1p(-abs_(drawn))

    def _log_prob(self, x: Tensor) -> Tensor:
        return -abs_(self._z(x)) - (math.log(2.0) + log(self.scale))

    def _prob(self, x: Tensor) -> Tensor:
        return 0.5 * exp(-abs_(self._z(x))) / self.scale

    def _cdf(self, x: Tensor) -> Tensor:
        z = self._z(x)
        return 0.5 + 0.5 * sign(z) * (1.0 - exp(-abs_(z)))

    def _log_cdf(self, x: Tensor) -> Tensor:
        return _log_cdf(self._z(x))

    def _log_survival_function(self, x: Tensor) -> Tensor:
        return _log_cdf(-self._z(x))

    def _entropy(self) -> Tensor:
        scale = self.scale + zeros_like(self.loc)
        return math.log(2.0) + 1.0 + log(scale)

    def _mean(self) -> Tensor:
        return self.loc + zeros_like(self.scale)

    def _stddev(self) -> Tensor:
        return math.sqrt(2.0) * self.scale + zeros_like(self.loc)

    def _median(self) -> Tensor:
        return self._mean()

    def _mode(self) -> Tensor:
        return self._mean()

    def _z(self, x: Tensor) -> Tensor:
        return (x - self.loc) / self.scale


def _log_cdf(z: Tensor) -> Tensor:
    """The logarithm of the share below `z`, of the distribution of scale 1 around 0."""
    below = -math.log(2.0) + z
    safe = exp(-abs_(z))  # of the side that is not taken too: its gradient must be finite
    return where_v2(z < 0.0, below, log1p(-0.5 * safe))
