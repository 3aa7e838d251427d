"""`tf.confusion_matrix`: how often each class was taken for each other."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes
from runstep.graph.convert import convert_to_tensor
from runstep.graph.dtypes import DType
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor
from runstep.ops.arithmetic import maximum
from runstep.ops.assertions import assert_less, assert_non_negative
from runstep.ops.basic import with_dependencies
from runstep.ops.branching import cond
from runstep.ops.cast import cast
from runstep.ops.comparison import equal
from runstep.ops.creation import ones_like
from runstep.ops.indexing import scatter_nd
from runstep.ops.joining import stack
from runstep.ops.reduction import reduce_max
from runstep.ops.shape_ops import rank as rank_of, squeeze

__all__ = ["confusion_matrix"]


def remove_squeezable_dimensions(
    labels: Any, predictions: Any, expected_rank_diff: int = 0, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """Both, the one whose rank is one more than expected without its last axis, which must be of length 1.

    Args:
      expected_rank_diff: the rank of `predictions` less that of `labels`, as it should be.
    """
    with name_scope(name, "remove_squeezable_dimensions", [labels, predictions]):
        predictions = convert_to_tensor(predictions)
        labels = convert_to_tensor(labels)
        ranks = predictions.shape.ndims, labels.shape.ndims
        if ranks[0] is not None and ranks[1] is not None:
            excess = ranks[0] - ranks[1] - expected_rank_diff
            if excess == 1 and predictions.shape[-1].is_compatible_with(1):
                predictions = squeeze(predictions, [-1])
            elif excess == -1 and labels.shape[-1].is_compatible_with(1):
                labels = squeeze(labels, [-1])
            return labels, predictions
        difference = rank_of(predictions) - rank_of(labels)
        if ranks[0] is None or predictions.shape[-1].is_compatible_with(1):
            given = predictions
            predictions = cond(equal(expected_rank_diff + 1, difference), lambda: squeeze(given, [-1]), lambda: given)
        if ranks[1] is None or labels.shape[-1].is_compatible_with(1):
            known = labels
            labels = cond(equal(expected_rank_diff - 1, difference), lambda: squeeze(known, [-1]), lambda: known)
        return labels, predictions


def confusion_matrix(
    labels: Any,
    predictions: Any,
    num_classes: Any = None,
    dtype: DType = dtypes.int32,
    name: str | None = None,
    weights: Any = None,
) -> Tensor:
    """Element [i, j] counts where the label is i and the prediction j (source: tf.confusion_matrix).

    Args:
      labels, predictions: vectors of class numbers. num_classes: one more than the largest by default.
      dtype: of the result. weights: a vector, what each pair counts; 1 by default.

    Returns:
      A matrix of shape [num_classes, num_classes].

    Raises:
      ValueError: the shapes differ. A run raises InvalidArgumentError for numbers that are negative or too large.
    """
    with name_scope(name, "confusion_matrix", [predictions, labels, num_classes, weights]):
        labels, predictions = remove_squeezable_dimensions(
            convert_to_tensor(labels, name="labels"), convert_to_tensor(predictions, name="predictions")
        )
        predictions = cast(predictions, dtypes.int64)
        labels = cast(labels, dtypes.int64)
        labels = with_dependencies([assert_non_negative(labels, message="`labels` contains negative values")], labels)
        predictions = with_dependencies(
            [assert_non_negative(predictions, message="`predictions` contains negative values")], predictions
        )
        if num_classes is None:
            num_classes = maximum(reduce_max(predictions), reduce_max(labels)) + 1
        else:
            limit = cast(num_classes, dtypes.int64)
            labels = with_dependencies([assert_less(labels, limit, message="`labels` out of bound")], labels)
            predictions = with_dependencies(
                [assert_less(predictions, limit, message="`predictions` out of bound")], predictions
            )
        if weights is not None:
            weights = convert_to_tensor(weights, name="weights")
            predictions.get_shape().assert_is_compatible_with(weights.get_shape())
            weights = cast(weights, dtype)
        shape = stack([num_classes, num_classes])
        indices = stack([labels, predictions], axis=1)
        values = ones_like(predictions, dtype) if weights is None else weights
        return scatter_nd(indices=indices, updates=values, shape=cast(shape, dtypes.int64))
