"""The Dirichlet-multinomial distribution: counts of classes whose probabilities are drawn first."""

from __future__ import annotations

from runstep.distributions.distribution import NOT_REPARAMETERIZED
from runstep.distributions.parameters import after, counts, log_combinations, new_seed
from runstep.distributions.simplex import Concentrated, outer, valid_concentration, with_variance
from runstep.graph import dtypes
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.assertions import assert_equal
from runstep.ops.cast import cast
from runstep.ops.creation import one_hot
from runstep.ops.elementwise import exp, log, sqrt
from runstep.ops.joining import concat
from runstep.ops.random import multinomial, random_gamma
from runstep.ops.reduction import reduce_sum
from runstep.ops.shape_ops import reshape
from runstep.ops.special import lbeta


class DirichletMultinomial(Concentrated):
    """How often each of k classes comes in `total_count` draws, by probabilities that a Dirichlet distribution gives.

    Mirrors `tf.distributions.DirichletMultinomial`.

    Args:
      total_count: floats [...], whole numbers. concentration: floats [..., k] above 0.
    """

    def __init__(
        self,
        total_count: TensorLike,
        concentration: TensorLike,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str = "DirichletMultinomial",
    ) -> None:
        parameters = dict(locals())
        with name_scope(name, values=[total_count, concentration]) as name:
            self._total_count = convert_to_tensor(total_count, name="total_count")
            if validate_args:
                self._total_count = counts(self._total_count)
            tensor = convert_to_tensor(concentration, name="concentration")
            self._concentration = valid_concentration(tensor, validate_args)
            self._total = reduce_sum(self._concentration, -1)
        super().__init__(
            self._concentration.dtype,
            NOT_REPARAMETERIZED,
            validate_args,
            allow_nan_stats,
            parameters,
            [self._total_count, self._concentration],
            name,
        )

    @property
    def total_count(self) -> Tensor:
        """The number of draws."""
        return self._total_count

    def _sample_n(self, n: Tensor, seed: int | None = None) -> Tensor:
        draws = cast(self.total_count, dtypes.int32)
        classes = self.event_shape_tensor()[0]
        chances = random_gamma([n], alpha=self.concentration, dtype=self.dtype, seed=seed)
        logits = reshape(log(chances), [-1, classes])
        drawn = multinomial(logits, draws, seed=new_seed(seed, "dirichlet_multinomial"))
        found = reduce_sum(one_hot(drawn, depth=classes), -2)
        found = reshape(found, concat([[n], self.batch_shape_tensor(), [classes]], 0))
        return cast(found, self.dtype)

    def _log_prob(self, counts: Tensor) -> Tensor:
        counts = self._checked(counts)
        ordered = lbeta(self.concentration + counts) - lbeta(self.concentration)
        return ordered + log_combinations(self.total_count, counts)

    def _prob(self, counts: Tensor) -> Tensor:
        return exp(self._log_prob(counts))

    def _mean(self) -> Tensor:
        return self.total_count * (self.concentration / self._total[..., None])

    def _covariance(self) -> Tensor:
        x = self._scale() * self._mean()
        return with_variance(outer(x, x), self._variance())

    def _variance(self) -> Tensor:
        scale = self._scale()
        x = scale * self._mean()
        return x * (self.total_count * scale - x)

    def _scale(self) -> Tensor:
        total = self._total[..., None]
        return sqrt((1.0 + total / self.total_count) / (1.0 + total))

    def _checked(self, value: Tensor) -> Tensor:
        if not self.validate_args:
            return value
        value = counts(value)
        message = "counts last-dimension must sum to `self.total_count`"
        return after([assert_equal(self.total_count, reduce_sum(value, -1), message=message)], value)
