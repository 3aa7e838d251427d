"""The multinomial distribution: counts of classes."""

from __future__ import annotations

from typing import Any

from runstep.distributions.distribution import NOT_REPARAMETERIZED, Distribution
from runstep.distributions.parameters import after, counts, log_combinations, logits_and_probs
from runstep.distributions.simplex import outer, with_variance
from runstep.graph import dtypes
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.activation import log_softmax
from runstep.ops.assertions import assert_equal
from runstep.ops.basic import identity
from runstep.ops.cast import cast
from runstep.ops.creation import one_hot, ones_like
from runstep.ops.functional_loops import map_fn
from runstep.ops.joining import concat
from runstep.ops.random import multinomial
from runstep.ops.rearranging import transpose
from runstep.ops.reduction import reduce_sum
from runstep.ops.shape_ops import reshape, shape as shape_of


class Multinomial(Distribution):
    """How often each of k classes comes in `total_count` draws. Mirrors `tf.distributions.Multinomial`.

    Args:
      total_count: floats [...], whole numbers. logits, probs: floats [..., k]; give one of them.
    """

    def __init__(
        self,
        total_count: TensorLike,
        logits: Any = None,
        probs: Any = None,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str = "Multinomial",
    ) -> None:
        parameters = dict(locals())
        with name_scope(name, values=[total_count, logits, probs]) as name:
            self._total_count = convert_to_tensor(total_count, name="total_count")
            if validate_args:
                self._total_count = counts(self._total_count)
            self._logits, self._probs = logits_and_probs(
                logits, probs, multidimensional=True, validate_args=validate_args, name=name
            )
            self._mean_counts = self._total_count[..., None] * self._probs
        super().__init__(
            self._probs.dtype,
            NOT_REPARAMETERIZED,
            validate_args,
            allow_nan_stats,
            parameters,
            [self._total_count, self._logits, self._probs],
            name,
        )

    @property
    def total_count(self) -> Tensor:
        """The number of draws."""
        return self._total_count

    @property
    def logits(self) -> Tensor:
        """[..., k]: logarithms of probabilities, up to a constant."""
        return self._logits

    @property
    def probs(self) -> Tensor:
        """[..., k]: probabilities."""
        return self._probs

    def _batch_shape_tensor(self) -> Tensor:
        return shape_of(self._mean_counts)[:-1]

    def _batch_shape(self) -> TensorShape:
        return self._mean_counts.get_shape().with_rank_at_least(1)[:-1]

    def _event_shape_tensor(self) -> Tensor:
        return shape_of(self._mean_counts)[-1:]

    def _event_shape(self) -> TensorShape:
        return self._mean_counts.get_shape().with_rank_at_least(1)[-1:]

    def _sample_n(self, n: Tensor, seed: int | None = None) -> Tensor:
        classes = self.event_shape_tensor()[0]
        draws = cast(self.total_count, dtypes.int32)
        draws = ones_like(self.logits[..., 0], dtype=draws.dtype) * draws
        logits = ones_like(draws[..., None], dtype=self.logits.dtype) * self.logits
        rows, draws = reshape(logits, [-1, classes]), n * reshape(draws, [-1])

        def of_one(row: list[Tensor]) -> Tensor:
            """[n, k]: the counts of one distribution of the batch."""
            drawn = multinomial(row[0][None, ...], row[1], seed=seed)
            return reduce_sum(one_hot(reshape(drawn, [n, -1]), depth=classes), -2)

        found = transpose(map_fn(of_one, [rows, draws], dtype=self.dtype), [1, 0, 2])
        return reshape(found, concat([[n], self.batch_shape_tensor(), [classes]], 0))

    def _log_prob(self, counts: Tensor) -> Tensor:
        counts = self._checked(counts)
        return reduce_sum(counts * log_softmax(self.logits), -1) + log_combinations(self.total_count, counts)

    def _mean(self) -> Tensor:
        return identity(self._mean_counts)

    def _covariance(self) -> Tensor:
        probs = self.probs * ones_like(self.total_count)[..., None]
        return with_variance(outer(self._mean_counts, probs), self._variance())

    def _variance(self) -> Tensor:
        probs = self.probs * ones_like(self.total_count)[..., None]
        return self._mean_counts - self._mean_counts * probs

    def _checked(self, value: Tensor) -> Tensor:
        if not self.validate_args:
            return value
        value = counts(value)
        message = "counts must sum to `self.total_count`"
        return after([assert_equal(self.total_count, reduce_sum(value, -1), message=message)], value)
