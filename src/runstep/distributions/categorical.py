"""The categorical distribution: one of k classes."""

from __future__ import annotations

from typing import Any

from runstep.distributions.distribution import NOT_REPARAMETERIZED, Distribution
from runstep.distributions.divergence import RegisterKL
from runstep.distributions.parameters import after, is_integral, logits_and_probs
from runstep.graph import dtypes
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor
from runstep.ops.activation import log_softmax, softmax
from runstep.ops.assertions_static import assert_rank_at_least
from runstep.ops.basic import identity
from runstep.ops.cast import cast
from runstep.ops.creation import ones_like
from runstep.ops.grids import sequence_mask
from runstep.ops.joining import concat
from runstep.ops.nn_losses import sparse_softmax_cross_entropy_with_logits
from runstep.ops.random import multinomial
from runstep.ops.rearranging import transpose
from runstep.ops.reduction import argmax, reduce_sum
from runstep.ops.shape_ops import expand_dims, rank, reshape, shape as shape_of


class Categorical(Distribution):
    """A class from 0 to below k, by probabilities or logits [..., k]. Mirrors `tf.distributions.Categorical`.

    Args:
      logits, probs: floats of rank 1 or more; give one of them.
      dtype: of the samples.
    """

    def __init__(
        self,
        logits: Any = None,
        probs: Any = None,
        dtype: Any = dtypes.int32,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str = "Categorical",
    ) -> None:
        parameters = dict(locals())
        with name_scope(name, values=[logits, probs]) as name:
            self._logits, self._probs = logits_and_probs(
                logits, probs, multidimensional=True, validate_args=validate_args, name=name
            )
            if validate_args:
                self._logits = after([assert_rank_at_least(self._logits, 1)], self._logits)
            static = self._logits.get_shape().with_rank_at_least(1)
            self._rank = convert_to_tensor(
                static.ndims - 1 if static.ndims is not None else rank(self._logits) - 1,
                dtypes.int32,
                name="batch_rank",
            )
            classes = static.as_list()[-1] if static.ndims is not None else None
            self._classes = (
                convert_to_tensor(classes, dtypes.int32, name="event_size")
                if classes is not None
                else identity(shape_of(self._logits)[-1], name="event_size")
            )
        super().__init__(
            dtype,
            NOT_REPARAMETERIZED,
            validate_args,
            allow_nan_stats,
            parameters,
            [self._logits, self._probs],
            name,
        )

    @property
    def event_size(self) -> Tensor:
        """int32: the number of classes."""
        return self._classes

    @property
    def logits(self) -> Tensor:
        """[..., k]: logarithms of probabilities, up to a constant."""
        return self._logits

    @property
    def probs(self) -> Tensor:
        """[..., k]: probabilities."""
        return self._probs

    def _batch_shape_tensor(self) -> Tensor:
        return shape_of(self.logits)[:-1]

    def _batch_shape(self) -> TensorShape:
        return self.logits.get_shape()[:-1]

    def _event_shape_tensor(self) -> Tensor:
        return constant([], dtypes.int32)

    def _event_shape(self) -> TensorShape:
        return TensorShape([])

    def _sample_n(self, n: Tensor, seed: int | None = None) -> Tensor:
        rows = self.logits
        if rows.get_shape().ndims != 2:
            rows = reshape(rows, [-1, self.event_size])
        kind = dtypes.int64 if self.dtype.size > 4 else dtypes.int32
        drawn = multinomial(rows, n, seed=seed, output_dtype=kind)
        return cast(reshape(transpose(drawn), concat([[n], self.batch_shape_tensor()], 0)), self.dtype)

    def _cdf(self, k: Tensor) -> Tensor:
        k = convert_to_tensor(k, name="k")
        if self.validate_args:
            k = after([is_integral(k, "'k' cannot contain fractional components.")], k)
        k, probs = _broadcast(k, self.probs)
        rows = reshape(probs, [-1, self.event_size])
        counted = cast(sequence_mask(reshape(cast(k, dtypes.int32), [-1]), self.event_size), rows.dtype)
        return reshape(reduce_sum(rows * counted, axis=-1), shape_of(k))

    def _log_prob(self, k: Tensor) -> Tensor:
        k = convert_to_tensor(k, name="k")
        if self.validate_args:
            k = after([is_integral(k, "'k' cannot contain fractional components.")], k)
        if not k.dtype.is_integer:
            k = cast(k, dtypes.int32)
        k, logits = _broadcast(k, self.logits)
        return -sparse_softmax_cross_entropy_with_logits(labels=k, logits=logits)

    def _entropy(self) -> Tensor:
        return -reduce_sum(log_softmax(self.logits) * self.probs, axis=-1)

    def _mode(self) -> Tensor:
        found = cast(argmax(self.logits, axis=self._rank), self.dtype)
        found.set_shape(self.batch_shape)
        return found


def _broadcast(k: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
    """Classes [...] and parameters [..., classes], the outer shapes made equal."""
    wanted = parameters.get_shape()[:-1]
    if k.get_shape().is_fully_defined() and wanted.is_fully_defined() and k.get_shape() == wanted:
        return k, parameters
    parameters = parameters * ones_like(expand_dims(k, -1), dtype=parameters.dtype)
    k = k * cast(ones_like(reduce_sum(parameters, -1)), k.dtype)
    return k, parameters


@RegisterKL(Categorical, Categorical)
def _kl_categorical_categorical(a: Categorical, b: Categorical, name: str | None = None) -> Tensor:
    with name_scope(name, "kl_categorical_categorical", values=[a.logits, b.logits]):
        difference = log_softmax(a.logits, axis=-1) - log_softmax(b.logits, axis=-1)
        return reduce_sum(softmax(a.logits, axis=-1) * difference, axis=-1)
