"""The uniform distribution."""

from __future__ import annotations

import math
from typing import Any

from runstep.distributions.distribution import FULLY_REPARAMETERIZED, ScalarEvents
from runstep.graph import dtypes
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.scopes import control_dependencies
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.assertions import assert_less
from runstep.ops.assertions_static import assert_same_float_dtype
from runstep.ops.basic import identity
from runstep.ops.comparison import logical_or
from runstep.ops.creation import ones, ones_like, zeros_like
from runstep.ops.elementwise import is_nan, log, square
from runstep.ops.random import random_uniform
from runstep.ops.selecting import where_v2


class Uniform(ScalarEvents):
    """Numbers from `low` to below `high`, all of one density. Mirrors `tf.distributions.Uniform`.

    Args:
      low, high: floats of one type, broadcast; `low < high`.
    """

    def __init__(
        self,
        low: TensorLike = 0.0,
        high: TensorLike = 1.0,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str = "Uniform",
    ) -> None:
        parameters = dict(locals())
        with name_scope(name, values=[low, high]) as name:
            checks = [assert_less(low, high, message="uniform not defined when low >= high.")] if validate_args else []
            with control_dependencies(checks):
                self._low = identity(low, name="low")
                self._high = identity(high, name="high")
                assert_same_float_dtype([self._low, self._high])
        self._batch_parameters = (self._low, self._high)
        super().__init__(
            self._low.dtype,
            FULLY_REPARAMETERIZED,
            validate_args,
            allow_nan_stats,
            parameters,
            [self._low, self._high],
            name,
        )

    @staticmethod
    def _param_shapes(sample_shape: Any) -> dict[str, Tensor]:
        return dict.fromkeys(("low", "high"), convert_to_tensor(sample_shape, dtypes.int32))

    @property
    def low(self) -> Tensor:
        """The lowest value."""
        return self._low

    @property
    def high(self) -> Tensor:
        """What values stay below."""
        return self._high

    def range(self, name: str = "range") -> Tensor:
        """`high - low`."""
        with self._scope(name):
            return self.high - self.low

    def _sample_n(self, n: Tensor, seed: int | None = None) -> Tensor:
        drawn = random_uniform(self._sample_shape(n), dtype=self.dtype, seed=seed)
        return self.low + self.range() * drawn

    def _prob(self, x: Tensor) -> Tensor:
        x = x * ones(self.batch_shape_tensor(), dtype=x.dtype)
        outside = logical_or(x < self.low, x >= self.high)
        return where_v2(is_nan(x), x, where_v2(outside, zeros_like(x), ones_like(x) / self.range()))

    def _cdf(self, x: Tensor) -> Tensor:
        x = x * ones(self.batch_shape_tensor(), dtype=x.dtype)
        inside = (x - self.low) / self.range()
        return where_v2(x < self.low, zeros_like(x), where_v2(x >= self.high, ones_like(x), inside))

    def _entropy(self) -> Tensor:
        return log(self.range())

    def _mean(self) -> Tensor:
        return (self.low + self.high) / 2.0

    def _variance(self) -> Tensor:
        return square(self.range()) / 12.0

    def _stddev(self) -> Tensor:
        return self.range() / math.sqrt(12.0)
