"""Predictions that become True above a threshold: counts for many thresholds at once, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runstep.graph import dtypes
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.graph import get_default_graph
from runstep.graph.tensor import Tensor, TensorLike
from runstep.metrics.common import collected, metric_variable, ratio, squeezed
from runstep.ops.arithmetic import divide, maximum, minimum, multiply
from runstep.ops.assertions import assert_greater_equal, assert_less_equal
from runstep.ops.basic import identity
from runstep.ops.cast import cast
from runstep.ops.comparison import equal, greater, logical_and, logical_not
from runstep.ops.creation import ones_like
from runstep.ops.cumulative import cumsum
from runstep.ops.elementwise import abs, log
from runstep.ops.joining import stack, tile
from runstep.ops.rearranging import transpose
from runstep.ops.reduction import argmax, argmin, reduce_min, reduce_sum
from runstep.ops.selecting import where
from runstep.ops.shape_ops import expand_dims, reshape, shape
from runstep.ops.state import assign_add
from runstep.ops.weights import broadcast_weights
from runstep.variables.scope import variable_scope

__all__ = [
    "auc",
    "false_negatives_at_thresholds",
    "false_positives_at_thresholds",
    "precision_at_thresholds",
    "recall_at_thresholds",
    "sensitivity_at_specificity",
    "specificity_at_sensitivity",
    "true_negatives_at_thresholds",
    "true_positives_at_thresholds",
]

Metric = tuple[Tensor, Tensor]
_EPSILON = 1e-7
_NAMES = {"tp": "true_positives", "fn": "false_negatives", "tn": "true_negatives", "fp": "false_positives"}


def _counts(
    labels: TensorLike,
    predictions: TensorLike,
    thresholds: Sequence[float],
    weights: TensorLike | None,
    includes: Sequence[str] = ("tp", "fn", "tn", "fp"),
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The counts for each threshold so far, and after this batch, by "tp", "fn", "tn" and "fp"."""
    predictions = convert_to_tensor(predictions)
    said = "predictions must be in [0, 1]"
    with get_default_graph().control_dependencies(
        [
            assert_greater_equal(predictions, cast(0.0, dtype=predictions.dtype), message=said),
            assert_less_equal(predictions, cast(1.0, dtype=predictions.dtype), message=said),
        ]
    ):
        predictions, labels, weights = squeezed(
            cast(predictions, dtypes.float32), cast(labels, dtype=dtypes.bool), weights
        )
    number = len(thresholds)
    column = reshape(predictions, [-1, 1])
    row = reshape(cast(labels, dtype=dtypes.bool), [1, -1])
    samples: Any = column.get_shape().as_list()[0]
    if samples is None:
        samples = shape(column)[0]
    limits = tile(expand_dims(constant(thresholds), [1]), stack([1, samples]))
    positive = greater(tile(transpose(column), [number, 1]), limits)
    negative = logical_not(positive) if {"fn", "tn"} & set(includes) else None
    is_true = tile(row, [number, 1])
    is_false = logical_not(is_true) if {"fp", "tn"} & set(includes) else None
    tiled = None
    if weights is not None:
        weights = broadcast_weights(cast(weights, dtypes.float32), predictions)
        tiled = tile(reshape(weights, [1, -1]), [number, 1])
        limits.get_shape().assert_is_compatible_with(tiled.get_shape())
    which = {
        "tp": (is_true, positive),
        "fn": (is_true, negative),
        "tn": (is_false, negative),
        "fp": (is_false, positive),
    }
    values: dict[str, Any] = {}
    updates: dict[str, Any] = {}
    for key in ("tp", "fn", "tn", "fp"):
        if key in includes:
            count = metric_variable([number], dtypes.float32, name=_NAMES[key])
            found = cast(logical_and(*which[key]), dtypes.float32)
            if tiled is not None:
                found = found * tiled
            updates[key] = assign_add(count, reduce_sum(found, 1))
            values[key] = count
    return values, updates


def _spaced(number: int) -> list[float]:
    """Thresholds from just below 0 to just above 1."""
    inner = [(index + 1) * 1.0 / (number - 1) for index in range(number - 2)]
    return [0.0 - _EPSILON, *inner, 1.0 + _EPSILON]


def auc(
    labels: TensorLike,
    predictions: TensorLike,
    weights: TensorLike | None = None,
    num_thresholds: int = 200,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    curve: str = "ROC",
    name: str | None = None,
    summation_method: str = "trapezoidal",
    thresholds: Sequence[float] | None = None,
) -> Metric:
    """The area under the ROC or the precision-recall curve (source: tf.metrics.auc).

    Args:
      predictions: in [0, 1]; the step fails otherwise. num_thresholds: points of the curve. curve: "ROC" or "PR".
      summation_method: "trapezoidal", "careful_interpolation" (better for "PR"), "minoring" or "majoring".
      thresholds: instead of evenly spaced ones. The others: as `mean`.

    Raises:
      ValueError: an unknown curve or method.
    """
    with variable_scope(name, "auc", (labels, predictions, weights)):
        if curve not in ("ROC", "PR"):
            raise ValueError(f"curve must be either ROC or PR, {curve} unknown")
        if thresholds is not None:
            limits = [0.0 - _EPSILON, *sorted(thresholds), 1.0 + _EPSILON]
        else:
            limits = _spaced(num_thresholds)
        values, updates = _counts(labels, predictions, limits, weights)
        value = _area(values, curve, summation_method, len(limits), "value")
        update = _area(updates, curve, summation_method, len(limits), "update_op")
        return collected(value, update, metrics_collections, updates_collections)


def _area(counts: dict[str, Any], curve: str, method: str, number: int, name: str) -> Tensor:
    tp, fn, tn, fp = (counts[key] for key in ("tp", "fn", "tn", "fp"))
    if curve == "PR" and method == "careful_interpolation":
        return _interpolated(tp, fp, fn, number)
    epsilon = 1.0e-6
    recall = divide(tp + epsilon, tp + fn + epsilon)
    if curve == "ROC":
        x, y = divide(fp, fp + tn + epsilon), recall
    else:
        x, y = recall, divide(tp + epsilon, tp + fp + epsilon)
    width = x[: number - 1] - x[1:]
    if method in ("trapezoidal", "careful_interpolation"):
        return reduce_sum(multiply(width, (y[: number - 1] + y[1:]) / 2.0), name=name)
    if method == "minoring":
        return reduce_sum(multiply(width, minimum(y[: number - 1], y[1:])), name=name)
    if method == "majoring":
        return reduce_sum(multiply(width, maximum(y[: number - 1], y[1:])), name=name)
    raise ValueError(f"Invalid summation_method: {method}")


def _interpolated(tp: Any, fp: Any, fn: Any, number: int) -> Tensor:
    """The area under the precision-recall curve with true and false positives, not precision, interpolated linearly
    (source: Davis and Goadrich 2006)."""
    step = tp[: number - 1] - tp[1:]
    p = tp + fp
    slope = ratio(step, p[: number - 1] - p[1:], "prec_slope")
    intercept = tp[1:] - multiply(slope, p[1:])
    quotient = where(
        logical_and(p[: number - 1] > 0, p[1:] > 0),
        ratio(p[: number - 1], p[1:], "recall_relative_ratio"),
        ones_like(p[1:]),
    )
    increments = ratio(slope * (step + intercept * log(quotient)), tp[1:] + fn[1:], "pr_auc_increment")
    return reduce_sum(increments, name="interpolate_pr_auc")


def _fraction(name: str, value: float) -> None:
    if value < 0 or value > 1:
        raise ValueError(f"`{name}` must be in the range [0, 1]. Currently, `{name}` got: {value}")


def sensitivity_at_specificity(
    labels: TensorLike,
    predictions: TensorLike,
    specificity: float,
    weights: TensorLike | None = None,
    num_thresholds: int = 200,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The recall at the threshold whose specificity is nearest to the one given (source:
    tf.metrics.sensitivity_at_specificity). The rest: as `auc`."""
    _fraction("specificity", specificity)

    def found(counts: dict[str, Any], name: str) -> Tensor:
        tp, fn, tn, fp = (counts[key] for key in ("tp", "fn", "tn", "fp"))
        specificities = divide(tn, tn + fp + _EPSILON)
        index = cast(argmin(abs(specificities - specificity), 0), dtypes.int32)
        return divide(tp[index], tp[index] + fn[index] + _EPSILON, name)

    with variable_scope(name, "sensitivity_at_specificity", (predictions, labels, weights)):
        values, updates = _counts(labels, predictions, _spaced(num_thresholds), weights)
        return collected(found(values, "value"), found(updates, "update_op"), metrics_collections, updates_collections)


def specificity_at_sensitivity(
    labels: TensorLike,
    predictions: TensorLike,
    sensitivity: float,
    weights: TensorLike | None = None,
    num_thresholds: int = 200,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The specificity at the last threshold whose recall is nearest to the one given (source:
    tf.metrics.specificity_at_sensitivity). The rest: as `auc`."""
    _fraction("sensitivity", sensitivity)

    def found(counts: dict[str, Any], name: str) -> Tensor:
        tp, fn, tn, fp = (counts[key] for key in ("tp", "fn", "tn", "fp"))
        sensitivities = divide(tp, tp + fn + _EPSILON)
        least = reduce_min(abs(sensitivities - sensitivity))
        nearest = cast(equal(abs(sensitivities - sensitivity), least), dtypes.int64)
        index = cast(argmax(cumsum(nearest), 0), dtypes.int32)
        return divide(tn[index], tn[index] + fp[index] + _EPSILON, name)

    with variable_scope(name, "specificity_at_sensitivity", (predictions, labels, weights)):
        values, updates = _counts(labels, predictions, _spaced(num_thresholds), weights)
        return collected(found(values, "value"), found(updates, "update_op"), metrics_collections, updates_collections)


def _single(key: str, labels: Any, predictions: Any, thresholds: Any, weights: Any, to: Any, name: Any) -> Metric:
    with variable_scope(name, _NAMES[key], (predictions, labels, weights)):
        values, updates = _counts(labels, predictions, thresholds, weights, (key,))
        return collected(identity(values[key]), updates[key], *to)


def true_positives_at_thresholds(
    labels: TensorLike,
    predictions: TensorLike,
    thresholds: Sequence[float],
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """`true_positives` for each threshold (source: tf.metrics.true_positives_at_thresholds)."""
    to = (metrics_collections, updates_collections)
    return _single("tp", labels, predictions, thresholds, weights, to, name)


def true_negatives_at_thresholds(
    labels: TensorLike,
    predictions: TensorLike,
    thresholds: Sequence[float],
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """`true_negatives` for each threshold (source: tf.metrics.true_negatives_at_thresholds)."""
    to = (metrics_collections, updates_collections)
    return _single("tn", labels, predictions, thresholds, weights, to, name)


def false_positives_at_thresholds(
    labels: TensorLike,
    predictions: TensorLike,
    thresholds: Sequence[float],
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """`false_positives` for each threshold (source: tf.metrics.false_positives_at_thresholds)."""
    to = (metrics_collections, updates_collections)
    return _single("fp", labels, predictions, thresholds, weights, to, name)


def false_negatives_at_thresholds(
    labels: TensorLike,
    predictions: TensorLike,
    thresholds: Sequence[float],
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """`false_negatives` for each threshold (source: tf.metrics.false_negatives_at_thresholds)."""
    to = (metrics_collections, updates_collections)
    return _single("fn", labels, predictions, thresholds, weights, to, name)


def precision_at_thresholds(
    labels: TensorLike,
    predictions: TensorLike,
    thresholds: Sequence[float],
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """`precision` for each threshold (source: tf.metrics.precision_at_thresholds)."""
    with variable_scope(name, "precision_at_thresholds", (predictions, labels, weights)):
        values, updates = _counts(labels, predictions, thresholds, weights, ("tp", "fp"))
        value, update = (
            divide(counts["tp"], _EPSILON + counts["tp"] + counts["fp"], name=f"precision_{key}")
            for key, counts in (("value", values), ("update_op", updates))
        )
        return collected(value, update, metrics_collections, updates_collections)


def recall_at_thresholds(
    labels: TensorLike,
    predictions: TensorLike,
    thresholds: Sequence[float],
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """`recall` for each threshold (source: tf.metrics.recall_at_thresholds)."""
    with variable_scope(name, "recall_at_thresholds", (predictions, labels, weights)):
        values, updates = _counts(labels, predictions, thresholds, weights, ("tp", "fn"))
        value, update = (
            divide(counts["tp"], _EPSILON + counts["tp"] + counts["fn"], name=f"recall_{key}")
            for key, counts in (("value", values), ("update_op", updates))
        )
        return collected(value, update, metrics_collections, updates_collections)
