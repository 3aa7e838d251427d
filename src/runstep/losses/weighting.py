"""How losses are weighted, reduced and collected."""

from __future__ import annotations

from runstep.graph import dtypes
from runstep.graph.collections import GraphKeys
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.graph import get_default_graph, name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.arithmetic import add_n, div_no_nan, multiply
from runstep.ops.cast import cast
from runstep.ops.comparison import equal
from runstep.ops.creation import ones_like, range, zeros_like
from runstep.ops.reduction import reduce_sum
from runstep.ops.selecting import where
from runstep.ops.shape_ops import rank, size
from runstep.ops.weights import assert_broadcastable, broadcast_weights

__all__ = [
    "Reduction",
    "add_loss",
    "compute_weighted_loss",
    "get_losses",
    "get_regularization_loss",
    "get_regularization_losses",
    "get_total_loss",
]


class Reduction:
    """What becomes of the weighted losses (source: tf.losses.Reduction).

    NONE: they are kept. SUM: their sum. MEAN: over the sum of the weights. SUM_OVER_BATCH_SIZE: over the number of
    losses. SUM_BY_NONZERO_WEIGHTS, SUM_OVER_NONZERO_WEIGHTS: over the number of weights that aren't 0.
    """

    NONE = "none"
    SUM = "weighted_sum"
    SUM_OVER_BATCH_SIZE = "weighted_sum_over_batch_size"
    MEAN = "weighted_mean"
    SUM_BY_NONZERO_WEIGHTS = "weighted_sum_by_nonzero_weights"
    SUM_OVER_NONZERO_WEIGHTS = SUM_BY_NONZERO_WEIGHTS

    @classmethod
    def all(cls) -> tuple[str, ...]:
        """All of them."""
        return (
            cls.NONE,
            cls.SUM,
            cls.MEAN,
            cls.SUM_OVER_BATCH_SIZE,
            cls.SUM_OVER_NONZERO_WEIGHTS,
            cls.SUM_BY_NONZERO_WEIGHTS,
        )

    @classmethod
    def validate(cls, key: str) -> None:
        """ValueError unless `key` is one of them."""
        if key not in cls.all():
            raise ValueError(f"Invalid Reduction Key {key}. Key should be one of {cls.all()}.")


def num_present(losses: Tensor, weights: TensorLike, per_batch: bool = False) -> Tensor:
    """How many losses have a weight that isn't 0; `per_batch` keeps the first axis, and the others with length 1."""
    with name_scope(None, "num_present", (losses, weights)) as scope:
        weights = cast(weights, dtype=dtypes.float32)
        present = where(equal(weights, 0.0), zeros_like(weights), ones_like(weights))
        present = broadcast_weights(present, losses)
        if per_batch:
            return reduce_sum(present, axis=range(1, rank(present)), keepdims=True, name=scope)
        return reduce_sum(present, name=scope)


def _mean(losses: Tensor, count: Tensor) -> Tensor:
    """The sum of losses over a count; 0 where that is 0."""
    return div_no_nan(reduce_sum(losses), count, name="value")


def compute_weighted_loss(
    losses: TensorLike,
    weights: TensorLike = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """Losses times weights, reduced (source: tf.losses.compute_weighted_loss).

    Args:
      weights: a number, or a tensor that broadcasts to `losses`: of its rank, with sizes equal or 1.
      scope: of the operations' names. loss_collection: the result goes there. reduction: see `Reduction`.

    Raises:
      ValueError: weights of another shape, or an unknown reduction.
    """
    Reduction.validate(reduction)
    with (
        name_scope(scope, "weighted_loss", (losses, weights)),
        get_default_graph().control_dependencies((assert_broadcastable(weights, losses),)),
    ):
        losses = convert_to_tensor(losses)
        kind = losses.dtype
        losses = cast(losses, dtype=dtypes.float32)
        weights = cast(weights, dtype=dtypes.float32)
        loss = multiply(losses, weights)
        if reduction != Reduction.NONE:
            loss = reduce_sum(loss)
            if reduction == Reduction.MEAN:
                loss = _mean(loss, reduce_sum(ones_like(losses) * weights))
            elif reduction == Reduction.SUM_BY_NONZERO_WEIGHTS:
                loss = _mean(loss, num_present(losses, weights))
            elif reduction == Reduction.SUM_OVER_BATCH_SIZE:
                loss = _mean(loss, _num_elements(losses))
        loss = cast(loss, kind)
        add_loss(loss, loss_collection)
        return loss


def _num_elements(losses: Tensor) -> Tensor:
    with name_scope(None, "num_elements", (losses,)) as scope:
        return cast(size(losses, name=scope), dtype=dtypes.float32)


def add_loss(loss: Tensor, loss_collection: str | None = GraphKeys.LOSSES) -> None:
    """Adds a loss to a collection (source: tf.losses.add_loss)."""
    if loss_collection:
        get_default_graph().add_to_collection(loss_collection, loss)


def get_losses(scope: str | None = None, loss_collection: str = GraphKeys.LOSSES) -> list[Tensor]:
    """The losses of a collection; with `scope` those whose names match it (source: tf.losses.get_losses)."""
    return get_default_graph().get_collection(loss_collection, scope)


def get_regularization_losses(scope: str | None = None) -> list[Tensor]:
    """The regularization losses; with `scope` those whose names match it (source:
    tf.losses.get_regularization_losses)."""
    return get_default_graph().get_collection(GraphKeys.REGULARIZATION_LOSSES, scope)


def get_regularization_loss(scope: str | None = None, name: str = "total_regularization_loss") -> Tensor:
    """The sum of the regularization losses; the constant 0 for none (source: tf.losses.get_regularization_loss)."""
    losses = get_regularization_losses(scope)
    return add_n(losses, name=name) if losses else constant(0.0)


def get_total_loss(
    add_regularization_losses: bool = True, name: str = "total_loss", scope: str | None = None
) -> Tensor:
    """The sum of all losses (source: tf.losses.get_total_loss).

    Args:
      add_regularization_losses: whether those count. scope: only losses whose names match it.
    """
    losses = get_losses(scope=scope)
    if add_regularization_losses:
        losses += get_regularization_losses(scope=scope)
    return add_n(losses, name=name)
