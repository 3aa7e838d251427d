"""Losses of a batch as one number: `tf.nn.compute_average_loss`, `tf.nn.scale_regularization_loss`."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes
from runstep.graph.convert import convert_to_tensor
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.assertions_static import assert_scalar
from runstep.ops.cast import cast
from runstep.ops.reduction import reduce_sum
from runstep.ops.shape_ops import expand_dims, shape as shape_of

__all__ = ["compute_average_loss", "scale_regularization_loss"]


def compute_average_loss(
    per_example_loss: TensorLike, sample_weight: TensorLike | None = None, global_batch_size: TensorLike | None = None
) -> Tensor:
    """The sum of losses over the size of the batch, that of the first axis. Source: `tf.nn.compute_average_loss`.

    Args:
      sample_weight: multiplies the losses. global_batch_size: a whole scalar, in place of the size of the first axis.

    Raises:
      ValueError: the loss is a scalar, or the size is not one. TypeError: the size is not a whole number.
    """
    loss = convert_to_tensor(per_example_loss)
    if loss.shape.ndims == 0:
        raise ValueError(
            "Invalid value passed for `per_example_loss`. Expected a tensor with at least rank 1. Received "
            f"per_example_loss={loss} with rank 0"
        )
    kind = loss.dtype
    if sample_weight is not None:
        weights = convert_to_tensor(sample_weight)
        wide = dtypes.float32 if kind not in (dtypes.float32, dtypes.float64) else kind
        weights, loss = cast(weights, wide), cast(loss, wide)
        if weights.shape.ndims is not None and loss.shape.ndims is not None:
            for _ in range(loss.shape.ndims - weights.shape.ndims):
                weights = expand_dims(weights, -1)
        loss = cast(loss * weights, kind)
    if global_batch_size is None:
        size = shape_of(loss)[0]
    else:
        assert_scalar(global_batch_size, message="global_batch_size must be scalar.")
        size = convert_to_tensor(global_batch_size)
        if not size.dtype.is_integer:
            raise TypeError(f"global_batch_size must be an integer, not {size.dtype.name}.")
    total = reduce_sum(loss)
    return total / cast(size, total.dtype)


def scale_regularization_loss(regularization_loss: Any) -> Tensor:
    """The sum of regularization losses, as one of one replica. Source: `tf.nn.scale_regularization_loss`."""
    return reduce_sum(regularization_loss)
