"""Running means: of values, of correct answers, of errors."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes
from runstep.graph.graph import get_default_graph
from runstep.graph.tensor import Tensor, TensorLike
from runstep.metrics.common import collected, metric_variable, ratio, squeezed
from runstep.ops.arithmetic import divide, multiply, squared_difference, subtract
from runstep.ops.cast import cast
from runstep.ops.comparison import equal, less
from runstep.ops.confusion import remove_squeezable_dimensions
from runstep.ops.creation import ones_like, zeros_like
from runstep.ops.elementwise import abs, sqrt
from runstep.ops.reduction import reduce_sum
from runstep.ops.selecting import where
from runstep.ops.shape_ops import size
from runstep.ops.state import assign_add
from runstep.ops.weights import broadcast_weights
from runstep.variables.scope import variable_scope

__all__ = [
    "accuracy",
    "mean",
    "mean_absolute_error",
    "mean_cosine_distance",
    "mean_relative_error",
    "mean_squared_error",
    "mean_tensor",
    "percentage_below",
    "root_mean_squared_error",
]

Metric = tuple[Tensor, Tensor]


def mean(
    values: TensorLike,
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The mean of all values so far (source: tf.metrics.mean).

    Local variables `total` and `count` hold the sum and the number; run the second result to count a batch.

    Args:
      weights: of the rank of `values`, with sizes equal or 1; a last axis may be missing. name: of the variable scope.
      metrics_collections, updates_collections: where the two results go.

    Returns:
      The mean, and an operation that takes in this batch and gives the mean after it.
    """
    with variable_scope(name, "mean", (values, weights)):
        values = cast(values, dtypes.float32)
        total = metric_variable([], dtypes.float32, name="total")
        count = metric_variable([], dtypes.float32, name="count")
        if weights is None:
            number = cast(size(values), dtypes.float32)
        else:
            values, _, weights = squeezed(values, None, weights)
            weights = broadcast_weights(cast(weights, dtypes.float32), values)
            values = multiply(values, weights)
            number = reduce_sum(weights)
        added = assign_add(total, reduce_sum(values))
        with get_default_graph().control_dependencies([values]):
            counted = assign_add(count, number)
        value = ratio(total, count, "value")
        return collected(value, ratio(added, counted, "update_op"), metrics_collections, updates_collections)


def mean_tensor(
    values: TensorLike,
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The mean of tensors so far, element by element (source: tf.metrics.mean_tensor). The rest: as `mean`."""
    with variable_scope(name, "mean", (values, weights)):
        values = cast(values, dtypes.float32)
        total = metric_variable(values.get_shape(), dtypes.float32, name="total_tensor")
        count = metric_variable(values.get_shape(), dtypes.float32, name="count_tensor")
        number = ones_like(values)
        if weights is not None:
            values, _, weights = squeezed(values, None, weights)
            weights = broadcast_weights(cast(weights, dtypes.float32), values)
            values = multiply(values, weights)
            number = multiply(number, weights)
        added = assign_add(total, values)
        with get_default_graph().control_dependencies([values]):
            counted = assign_add(count, number)
        value = ratio(total, count, "value")
        return collected(value, ratio(added, counted, "update_op"), metrics_collections, updates_collections)


def accuracy(
    labels: TensorLike,
    predictions: TensorLike,
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """How often predictions equal labels (source: tf.metrics.accuracy). The rest: as `mean`."""
    predictions, labels, weights = squeezed(predictions, labels, weights)
    predictions.get_shape().assert_is_compatible_with(labels.get_shape())
    if labels.dtype != predictions.dtype:
        predictions = cast(predictions, labels.dtype)
    correct = cast(equal(predictions, labels), dtypes.float32)
    return mean(correct, weights, metrics_collections, updates_collections, name or "accuracy")


def mean_absolute_error(
    labels: TensorLike,
    predictions: TensorLike,
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The mean of `|predictions - labels|` (source: tf.metrics.mean_absolute_error). The rest: as `mean`."""
    predictions, labels, weights = squeezed(predictions, labels, weights)
    errors = abs(predictions - labels)
    return mean(errors, weights, metrics_collections, updates_collections, name or "mean_absolute_error")


def mean_squared_error(
    labels: TensorLike,
    predictions: TensorLike,
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The mean of `(predictions - labels)**2` (source: tf.metrics.mean_squared_error). The rest: as `mean`."""
    predictions, labels, weights = squeezed(predictions, labels, weights)
    errors = squared_difference(labels, predictions)
    return mean(errors, weights, metrics_collections, updates_collections, name or "mean_squared_error")


def root_mean_squared_error(
    labels: TensorLike,
    predictions: TensorLike,
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The root of `mean_squared_error` (source: tf.metrics.root_mean_squared_error)."""
    predictions, labels, weights = squeezed(predictions, labels, weights)
    value, update = mean_squared_error(labels, predictions, weights, None, None, name or "root_mean_squared_error")
    return collected(sqrt(value), sqrt(update), metrics_collections, updates_collections)


def mean_relative_error(
    labels: TensorLike,
    predictions: TensorLike,
    normalizer: TensorLike,
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The mean of `|labels - predictions| / normalizer`, 0 for a normalizer of 0 (source:
    tf.metrics.mean_relative_error). The rest: as `mean`."""
    predictions, labels, weights = squeezed(predictions, labels, weights)
    predictions, normalizer = remove_squeezable_dimensions(predictions, normalizer)
    predictions.get_shape().assert_is_compatible_with(normalizer.get_shape())
    errors = where(equal(normalizer, 0.0), zeros_like(labels), divide(abs(labels - predictions), normalizer))
    return mean(errors, weights, metrics_collections, updates_collections, name or "mean_relative_error")


def mean_cosine_distance(
    labels: TensorLike,
    predictions: TensorLike,
    dim: int,
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """1 less the mean product of unit vectors along axis `dim` (source: tf.metrics.mean_cosine_distance). The rest: as
    `mean`."""
    predictions, labels, weights = squeezed(predictions, labels, weights)
    predictions.get_shape().assert_is_compatible_with(labels.get_shape())
    products = reduce_sum(multiply(predictions, labels), axis=[dim], keepdims=True)
    value, update = mean(products, weights, None, None, name or "mean_cosine_distance")
    return collected(subtract(1.0, value), subtract(1.0, update), metrics_collections, updates_collections)


def percentage_below(
    values: TensorLike,
    threshold: Any,
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """How often values are less than a threshold (source: tf.metrics.percentage_below). The rest: as `mean`."""
    below = cast(less(values, threshold), dtypes.float32)
    return mean(below, weights, metrics_collections, updates_collections, name or "percentage_below_threshold")
