"""Student's t-distribution."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from runstep.distributions.distribution import FULLY_REPARAMETERIZED, ScalarEvents
from runstep.distributions.parameters import new_seed, undefined
from runstep.graph import dtypes
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.scopes import control_dependencies
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.assertions import assert_positive
from runstep.ops.assertions_static import assert_same_float_dtype
from runstep.ops.basic import identity
from runstep.ops.creation import fill, ones, ones_like
from runstep.ops.elementwise import abs as abs_, log, log1p, rsqrt, square
from runstep.ops.joining import concat
from runstep.ops.random import random_gamma, random_normal
from runstep.ops.selecting import where_v2
from runstep.ops.shape_ops import shape as shape_of
from runstep.ops.special import betainc, digamma, lbeta, lgamma


class StudentT(ScalarEvents):
    """Student's distributions with `df` degrees of freedom. Mirrors `tf.distributions.StudentT`.

    Args:
      df, loc, scale: floats of one type, broadcast; `df` above 0. The sign of `scale` says nothing.
    """

    def __init__(
        self,
        df: TensorLike,
        loc: TensorLike,
        scale: TensorLike,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str = "StudentT",
    ) -> None:
        parameters = dict(locals())
        with name_scope(name, values=[df, loc, scale]) as name:
            with control_dependencies([assert_positive(df)] if validate_args else []):
                self._df = identity(df, name="df")
                self._loc = identity(loc, name="loc")
                self._scale = identity(scale, name="scale")
                assert_same_float_dtype([self._df, self._loc, self._scale])
        self._batch_parameters = (self._df, self._loc, self._scale)
        super().__init__(
            self._scale.dtype,
            FULLY_REPARAMETERIZED,
            validate_args,
            allow_nan_stats,
            parameters,
            [self._df, self._loc, self._scale],
            name,
        )

    @staticmethod
    def _param_shapes(sample_shape: Any) -> dict[str, Tensor]:
        return dict.fromkeys(("df", "loc", "scale"), convert_to_tensor(sample_shape, dtypes.int32))

    @property
    def df(self) -> Tensor:
        """The degrees of freedom."""
        return self._df

    @property
    def loc(self) -> Tensor:
        """The middle."""
        return self._loc

    @property
    def scale(self) -> Tensor:
        """What distances from `loc` are measured in."""
        return self._scale

    def _sample_n(self, n: Tensor, seed: int | None = None) -> Tensor:
        shape = self._sample_shape(n)
        normal = random_normal(shape, dtype=self.dtype, seed=seed)
        df = self.df * ones(self.batch_shape_tensor(), dtype=self.dtype)
        gamma = random_gamma([n], 0.5 * df, beta=0.5, dtype=self.dtype, seed=new_seed(seed, "student_t"))
        return normal * rsqrt(gamma / df) * self.scale + self.loc

    def _log_prob(self, x: Tensor) -> Tensor:
        y = (x - self.loc) / self.scale
        normalization = (
            log(abs_(self.scale))
            + 0.5 * log(self.df)
            + 0.5 * math.log(math.pi)
            + lgamma(0.5 * self.df)
            - lgamma(0.5 * (self.df + 1.0))
        )
        return -0.5 * (self.df + 1.0) * log1p(square(y) / self.df) - normalization

    def _cdf(self, x: Tensor) -> Tensor:
        y = (x - self.loc) / abs_(self.scale)
        below = 0.5 * betainc(0.5 * self.df, constant(0.5, self.dtype), self.df / (square(y) + self.df))
        return where_v2(y < 0.0, below, 1.0 - below)

    def _entropy(self) -> Tensor:
        each = ones(self.batch_shape_tensor(), dtype=self.dtype)
        both = concat([each[..., None], (self.df * each)[..., None]], -1) / 2.0
        middle = 0.5 * (self.df + 1.0)
        return (
            log(abs_(self.scale) * each)
            + 0.5 * log(self.df)
            + lbeta(both)
            + middle * (digamma(middle) - digamma(0.5 * self.df))
        )

    def _mean(self) -> Tensor:
        mean = self.loc * ones(self.batch_shape_tensor(), dtype=self.dtype)
        exists = self.df > ones(self.batch_shape_tensor(), dtype=self.dtype)
        return undefined(self, "mean not defined for components of df <= 1", exists, mean)

    def _variance(self) -> Tensor:
        denominator = where_v2(self.df > 2.0, self.df - 2.0, ones_like(self.df))
        variance = ones(self.batch_shape_tensor(), dtype=self.dtype) * square(self.scale) * self.df / denominator
        endless = fill(shape_of(variance), np.array(np.inf, self.dtype.as_numpy_dtype), name="inf")
        least = fill(shape_of(variance), np.array(2.0, self.dtype.as_numpy_dtype))
        found = where_v2(self.df > least, variance, endless)
        return undefined(
            self,
            "variance not defined for components of df <= 1",
            self.df > ones(self.batch_shape_tensor(), dtype=self.dtype),
            found,
        )

    def _mode(self) -> Tensor:
        return identity(self.loc)
