"""Right and wrong answers, counted; precision and recall; confusion matrices."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import get_default_graph
from runstep.graph.tensor import Tensor, TensorLike
from runstep.metrics.common import collected, metric_variable, ratio, squeezed
from runstep.ops.arithmetic import divide, multiply
from runstep.ops.assertions_static import assert_rank_in, assert_type
from runstep.ops.basic import identity
from runstep.ops.cast import cast
from runstep.ops.comparison import equal, greater, logical_and, not_equal
from runstep.ops.confusion import confusion_matrix
from runstep.ops.creation import diag_part, ones, ones_like
from runstep.ops.reduction import reduce_mean, reduce_sum
from runstep.ops.ref_scatter import scatter_add
from runstep.ops.selecting import where
from runstep.ops.shape_ops import rank, reshape, size
from runstep.ops.state import assign_add
from runstep.variables.scope import variable_scope

__all__ = [
    "false_negatives",
    "false_positives",
    "mean_iou",
    "mean_per_class_accuracy",
    "precision",
    "recall",
    "true_negatives",
    "true_positives",
]

Metric = tuple[Tensor, Tensor]


def _count(values: Tensor, weights: Any, metrics_collections: Any, updates_collections: Any) -> Metric:
    """How many of `values` are True so far, each counted by its weight."""
    assert_type(values, dtypes.bool)
    count = metric_variable([], dtypes.float32, name="count")
    values = cast(values, dtypes.float32)
    if weights is not None:
        with get_default_graph().control_dependencies((assert_rank_in(weights, (0, rank(values))),)):
            weights = cast(weights, dtypes.float32)
            values = multiply(values, weights)
    value = identity(count)
    return collected(value, assign_add(count, reduce_sum(values)), metrics_collections, updates_collections)


def _pairs(
    default_name: str,
    label: bool,
    prediction: bool,
    labels: TensorLike,
    predictions: TensorLike,
    weights: TensorLike | None,
    metrics_collections: Any,
    updates_collections: Any,
    name: str | None,
) -> Metric:
    """How often this label met this prediction."""
    with variable_scope(name, default_name, (predictions, labels, weights)):
        predictions, labels, weights = squeezed(
            cast(predictions, dtype=dtypes.bool), cast(labels, dtype=dtypes.bool), weights
        )
        both = logical_and(equal(labels, label), equal(predictions, prediction))
        return _count(both, weights, metrics_collections, updates_collections)


def true_positives(
    labels: TensorLike,
    predictions: TensorLike,
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The weights of True predictions that are right (source: tf.metrics.true_positives)."""
    where_to = (metrics_collections, updates_collections, name)
    return _pairs("true_positives", True, True, labels, predictions, weights, *where_to)


def true_negatives(
    labels: TensorLike,
    predictions: TensorLike,
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The weights of False predictions that are right (source: tf.metrics.true_negatives)."""
    where_to = (metrics_collections, updates_collections, name)
    return _pairs("true_negatives", False, False, labels, predictions, weights, *where_to)


def false_positives(
    labels: TensorLike,
    predictions: TensorLike,
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The weights of True predictions that are wrong (source: tf.metrics.false_positives)."""
    where_to = (metrics_collections, updates_collections, name)
    return _pairs("false_positives", False, True, labels, predictions, weights, *where_to)


def false_negatives(
    labels: TensorLike,
    predictions: TensorLike,
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The weights of False predictions that are wrong (source: tf.metrics.false_negatives)."""
    where_to = (metrics_collections, updates_collections, name)
    return _pairs("false_negatives", True, False, labels, predictions, weights, *where_to)


def _part(right: Any, wrong: Any, name: str) -> Tensor:
    """`right / (right + wrong)`, 0 for nothing at all."""
    return where(greater(right + wrong, 0), divide(right, right + wrong), 0, name)


def precision(
    labels: TensorLike,
    predictions: TensorLike,
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The part of True predictions that is right (source: tf.metrics.precision)."""
    with variable_scope(name, "precision", (predictions, labels, weights)):
        predictions, labels, weights = squeezed(
            cast(predictions, dtype=dtypes.bool), cast(labels, dtype=dtypes.bool), weights
        )
        right, right_update = true_positives(labels, predictions, weights)
        wrong, wrong_update = false_positives(labels, predictions, weights)
        value = _part(right, wrong, "value")
        update = _part(right_update, wrong_update, "update_op")
        return collected(value, update, metrics_collections, updates_collections)


def recall(
    labels: TensorLike,
    predictions: TensorLike,
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The part of True labels that was predicted (source: tf.metrics.recall)."""
    with variable_scope(name, "recall", (predictions, labels, weights)):
        predictions, labels, weights = squeezed(
            cast(predictions, dtype=dtypes.bool), cast(labels, dtype=dtypes.bool), weights
        )
        found, found_update = true_positives(labels, predictions, weights)
        missed, missed_update = false_negatives(labels, predictions, weights)
        value = _part(found, missed, "value")
        update = _part(found_update, missed_update, "update_op")
        return collected(value, update, metrics_collections, updates_collections)


# --- confusion matrices -----------------------------------------------------------------------------------------------


def _flat(value: Any) -> Any:
    return reshape(value, [-1]) if value.get_shape().ndims is not None and value.get_shape().ndims > 1 else value


def mean_iou(
    labels: TensorLike,
    predictions: TensorLike,
    num_classes: Any,
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The mean over classes of intersection over union (source: tf.metrics.mean_iou).

    Classes that occur nowhere don't count. The second result is the confusion matrix after this batch.
    """
    with variable_scope(name, "mean_iou", (predictions, labels, weights)):
        labels, predictions = convert_to_tensor(labels), convert_to_tensor(predictions)
        predictions.get_shape().assert_is_compatible_with(labels.get_shape())
        total = metric_variable([num_classes, num_classes], dtypes.float64, name="total_confusion_matrix")
        predictions, labels = cast(predictions, dtypes.int64), cast(labels, dtypes.int64)
        classes = cast(num_classes, dtypes.int64)
        predictions, labels = _flat(predictions), _flat(labels)
        if weights is not None:
            weights = _flat(convert_to_tensor(weights))
        batch = confusion_matrix(labels, predictions, classes, weights=weights, dtype=dtypes.float64)
        update = assign_add(total, batch)
        rows = cast(reduce_sum(total, 0), dtypes.float32)
        columns = cast(reduce_sum(total, 1), dtypes.float32)
        both = cast(diag_part(total), dtypes.float32)
        union = rows + columns - both
        present = reduce_sum(cast(not_equal(union, 0), dtype=dtypes.float32))
        union = where(greater(union, 0), union, ones_like(union))
        parts = divide(both, union)
        value = where(greater(present, 0), reduce_sum(parts, name="mean_iou") / present, 0)
        return collected(value, update, metrics_collections, updates_collections)


def mean_per_class_accuracy(
    labels: TensorLike,
    predictions: TensorLike,
    num_classes: Any,
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The mean over classes of how often their samples are predicted (source: tf.metrics.mean_per_class_accuracy).

    The second result is the accuracy of each class after this batch.
    """
    with variable_scope(name, "mean_accuracy", (predictions, labels, weights)):
        labels = cast(labels, dtypes.int64)
        predictions = convert_to_tensor(predictions)
        labels = _flat(labels)
        predictions = _flat(predictions)
        predictions.get_shape().assert_is_compatible_with(labels.get_shape())
        total = metric_variable([num_classes], dtypes.float32, name="total")
        count = metric_variable([num_classes], dtypes.float32, name="count")
        number = ones([size(labels)], dtypes.float32)
        if labels.dtype != predictions.dtype:
            predictions = cast(predictions, labels.dtype)
        correct = cast(equal(predictions, labels), dtypes.float32)
        if weights is not None:
            weights = cast(_flat(convert_to_tensor(weights)), dtypes.float32)
            correct = multiply(correct, weights)
            number = multiply(number, weights)
        seen = scatter_add(total, labels, number)
        right = scatter_add(count, labels, correct)
        value = reduce_mean(ratio(count, total, None), name="mean_accuracy")
        return collected(value, ratio(right, seen, "update_op"), metrics_collections, updates_collections)
