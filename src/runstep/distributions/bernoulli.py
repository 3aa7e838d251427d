"""The Bernoulli distribution: 1 with a chance, else 0."""

from __future__ import annotations

from typing import Any

from runstep.distributions.distribution import NOT_REPARAMETERIZED, ScalarEvents
from runstep.distributions.divergence import RegisterKL
from runstep.distributions.parameters import after, is_integral, logits_and_probs
from runstep.graph import dtypes
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor
from runstep.ops.activation import softplus
from runstep.ops.assertions import assert_less_equal, assert_non_negative
from runstep.ops.basic import identity
from runstep.ops.cast import cast
from runstep.ops.comparison import less
from runstep.ops.creation import ones_like
from runstep.ops.elementwise import sigmoid
from runstep.ops.nn_losses import sigmoid_cross_entropy_with_logits
from runstep.ops.random import random_uniform


class Bernoulli(ScalarEvents):
    """1 with probability `probs`, which is `sigmoid(logits)`; else 0. Mirrors `tf.distributions.Bernoulli`.

    Args:
      logits, probs: floats; give one of them.
    """

    def __init__(
        self,
        logits: Any = None,
        probs: Any = None,
        dtype: Any = dtypes.int32,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str = "Bernoulli",
    ) -> None:
        parameters = dict(locals())
        with name_scope(name) as name:
            self._logits, self._probs = logits_and_probs(
                logits, probs, multidimensional=False, validate_args=validate_args, name=name
            )
        self._batch_parameters = (self._logits,)
        super().__init__(
            dtype,
            NOT_REPARAMETERIZED,
            validate_args,
            allow_nan_stats,
            parameters,
            [self._logits, self._probs],
            name,
        )

    @staticmethod
    def _param_shapes(sample_shape: Any) -> dict[str, Tensor]:
        return {"logits": convert_to_tensor(sample_shape, dtypes.int32)}

    @property
    def logits(self) -> Tensor:
        """The logarithm of the odds of a 1."""
        return self._logits

    @property
    def probs(self) -> Tensor:
        """The probability of a 1."""
        return self._probs

    def _sample_n(self, n: Tensor, seed: int | None = None) -> Tensor:
        drawn = random_uniform(self._sample_shape(n), seed=seed, dtype=self.probs.dtype)
        return cast(less(drawn, self.probs), self.dtype)

    def _log_prob(self, event: Tensor) -> Tensor:
        if self.validate_args:
            event = after(
                [
                    assert_non_negative(event, message="'event' must be non-negative"),
                    is_integral(event, "'event' cannot contain fractional components."),
                    assert_less_equal(event, ones_like(event), message="event is not less than or equal to 1."),
                ],
                event,
            )
        event, logits = cast(event, self.logits.dtype), self.logits
        static = (event.get_shape(), logits.get_shape())
        if not (static[0].is_fully_defined() and static[1].is_fully_defined() and static[0] == static[1]):
            logits = ones_like(event) * logits
            event = ones_like(logits) * event
        return -sigmoid_cross_entropy_with_logits(labels=event, logits=logits)

    def _entropy(self) -> Tensor:
        return -self.logits * (sigmoid(self.logits) - 1) + softplus(-self.logits)

    def _mean(self) -> Tensor:
        return identity(self.probs)

    def _variance(self) -> Tensor:
        return self._mean() * (1.0 - self.probs)

    def _mode(self) -> Tensor:
        return cast(self.probs > 0.5, self.dtype)


@RegisterKL(Bernoulli, Bernoulli)
def _kl_bernoulli_bernoulli(a: Bernoulli, b: Bernoulli, name: str | None = None) -> Tensor:
    with name_scope(name, "kl_bernoulli_bernoulli", values=[a.logits, b.logits]):
        of_one = softplus(-b.logits) - softplus(-a.logits)
        of_zero = softplus(b.logits) - softplus(a.logits)
        return sigmoid(a.logits) * of_one + sigmoid(-a.logits) * of_zero
