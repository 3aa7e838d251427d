"""Metrics of the k best predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runstep.graph import dtypes
from runstep.graph.composite import SparseTensor
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import get_default_graph, name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.metrics.common import collected, metric_variable
from runstep.ops.arithmetic import add, div_no_nan, divide, minimum, multiply
from runstep.ops.branching import cond
from runstep.ops.cast import cast
from runstep.ops.comparison import equal, greater_equal
from runstep.ops.creation import fill, ones_like, zeros_like
from runstep.ops.cumulative import cumsum
from runstep.ops.joining import concat, tile
from runstep.ops.nn_losses import top_k
from runstep.ops.reduction import reduce_max, reduce_sum
from runstep.ops.selecting import where_v2
from runstep.ops.sets import set_difference, set_intersection, set_size
from runstep.ops.shape_ops import expand_dims, rank, shape, size
from runstep.ops.sparse_functions import sparse_concat, sparse_reshape, sparse_retain
from runstep.ops.state import assign_add
from runstep.ops.weights import assert_broadcastable, broadcast_weights

__all__ = [
    "average_precision_at_k",
    "precision_at_k",
    "precision_at_top_k",
    "recall_at_k",
    "recall_at_top_k",
    "sparse_average_precision_at_k",
    "sparse_precision_at_k",
]

Metric = tuple[Tensor, Tensor]


def _named(name: str, k: int | None = None, class_id: int | None = None) -> str:
    name = f"{name}_at_{k}" if k is not None else f"{name}_at_k"
    return f"{name}_class{class_id}" if class_id is not None else name


def _as_labels(labels: Any) -> Any:
    return labels if isinstance(labels, SparseTensor) else convert_to_tensor(labels)


def _expanded(labels: Any, predictions: Any) -> Any:
    """Labels with a last axis: of length 1 where it was missing.

    Raises:
      ValueError: ranks that don't fit.
    """
    with name_scope(None, "expand_labels", (labels, predictions)) as scope:
        labels = _as_labels(labels)
        if isinstance(labels, SparseTensor):
            return cond(
                equal(rank(predictions), size(labels.dense_shape) + 1),
                lambda: sparse_reshape(labels, concat((labels.dense_shape, (1,)), 0), name=scope),
                lambda: labels,
            )
        ours, theirs = labels.get_shape().ndims, predictions.get_shape().ndims
        if ours is None or theirs is None:
            return cond(
                equal(rank(predictions), rank(labels) + 1),
                lambda: expand_dims(labels, -1, name=scope),
                lambda: labels,
            )
        if theirs == ours + 1:
            return expand_dims(labels, -1, name=scope)
        if theirs == ours:
            return labels
        raise ValueError(
            f"Unexpected labels shape {labels.get_shape()} for predictions shape {predictions.get_shape()}."
        )


def _only(ids: Any, class_id: int) -> SparseTensor:
    """The ids that equal `class_id`."""
    if isinstance(ids, SparseTensor):
        return sparse_retain(ids, equal(ids.values, cast(class_id, ids.dtype)))
    sizes = shape(ids, out_type=dtypes.int64)
    one = convert_to_tensor([1], dtype=dtypes.int64)
    wanted = fill(concat([sizes[:-1], one], 0), cast(class_id, dtypes.int64))
    found = set_intersection(wanted, ids)
    return SparseTensor(found.indices, found.values, sizes)


def _size_of(
    name: str, sets: Callable[[Any, Any], Any], labels: Any, ids: Any, class_id: int | None, weights: Any
) -> Tensor:
    """How many elements a set of predictions and labels has, one number a sample."""
    with name_scope(None, name, (ids, labels, weights)):
        if class_id is not None:
            labels, ids = _only(labels, class_id), _only(ids, class_id)
        found = cast(set_size(sets(ids, labels)), dtypes.float64)
        if weights is not None:
            with get_default_graph().control_dependencies((assert_broadcastable(weights, found),)):
                weights = cast(weights, dtypes.float64)
                found = multiply(found, weights)
        return found


def _running(
    kind: str, sets: Callable[[Any, Any], Any], labels: Any, ids: Any, k: int | None, class_id: int | None, weights: Any
) -> tuple[Any, Any]:
    with name_scope(None, _named(kind, k, class_id), (ids, labels, weights)) as scope:
        batch = reduce_sum(_size_of(f"{kind}s", sets, labels, ids, class_id, weights))
        total = metric_variable([], dtypes.float64, name=scope)
        return total, assign_add(total, cast(batch, dtypes.float64), name="update")


def _found_of(
    what: str,
    other: str,
    sets: Callable[[Any, Any], Any],
    labels: Any,
    ids: Any,
    k: int | None,
    class_id: int | None,
    weights: Any,
    to: tuple[Any, Any],
    name: str | None,
) -> Metric:
    """The part that true positives are of themselves and another set."""
    with name_scope(name, _named(what, k, class_id), (ids, labels, weights)) as scope:
        ids = convert_to_tensor(ids)
        labels = _expanded(labels, ids)
        ids = cast(ids, dtypes.int64)
        found, found_update = _running("true_positive", set_intersection, labels, ids, k, class_id, weights)
        rest, rest_update = _running(other, sets, labels, ids, k, class_id, weights)
        value = divide(found, add(found, rest), name=scope)
        update = divide(found_update, add(found_update, rest_update), name="update")
        return collected(value, update, *to)


def _predicted_only(ids: Any, labels: Any) -> Any:
    return set_difference(ids, labels, aminusb=True)


def _labelled_only(ids: Any, labels: Any) -> Any:
    return set_difference(ids, labels, aminusb=False)


def precision_at_top_k(
    labels: Any,
    predictions_idx: TensorLike,
    k: int | None = None,
    class_id: int | None = None,
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """`precision_at_k` from the indices of the best predictions (source: tf.metrics.precision_at_top_k)."""
    to = (metrics_collections, updates_collections)
    return _found_of(
        "precision", "false_positive", _predicted_only, labels, predictions_idx, k, class_id, weights, to, name
    )


def recall_at_top_k(
    labels: Any,
    predictions_idx: TensorLike,
    k: int | None = None,
    class_id: int | None = None,
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """`recall_at_k` from the indices of the best predictions (source: tf.metrics.recall_at_top_k)."""
    to = (metrics_collections, updates_collections)
    return _found_of(
        "recall", "false_negative", _labelled_only, labels, predictions_idx, k, class_id, weights, to, name
    )


def precision_at_k(
    labels: Any,
    predictions: TensorLike,
    k: int,
    class_id: int | None = None,
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The part of the k best predictions that are labels (source: tf.metrics.precision_at_k).

    Args:
      labels: int64 class numbers `[..., labels of a sample]`, dense or sparse, or `[...]` for one each.
      predictions: scores `[..., classes]`. class_id: count only this class. The others: as `mean`.
    """
    with name_scope(name, _named("precision", k, class_id), (predictions, labels, weights)) as scope:
        _, ids = top_k(predictions, k)
        return precision_at_top_k(labels, ids, k, class_id, weights, metrics_collections, updates_collections, scope)


def recall_at_k(
    labels: Any,
    predictions: TensorLike,
    k: int,
    class_id: int | None = None,
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The part of the labels that are among the k best predictions (source: tf.metrics.recall_at_k). The rest: as
    `precision_at_k`."""
    with name_scope(name, _named("recall", k, class_id), (predictions, labels, weights)) as scope:
        _, ids = top_k(predictions, k)
        return recall_at_top_k(labels, ids, k, class_id, weights, metrics_collections, updates_collections, scope)


def sparse_precision_at_k(
    labels: Any,
    predictions: TensorLike,
    k: int,
    class_id: int | None = None,
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The old name of `precision_at_k` (source: tf.metrics.sparse_precision_at_k)."""
    return precision_at_k(labels, predictions, k, class_id, weights, metrics_collections, updates_collections, name)


def average_precision_at_k(
    labels: Any,
    predictions: TensorLike,
    k: int,
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The mean of precisions at 1 to k, where a prediction is a label (source: tf.metrics.average_precision_at_k). The
    rest: as `precision_at_k`."""
    with name_scope(name, _named("average_precision", k), (predictions, labels, weights)) as scope:
        predictions = convert_to_tensor(predictions)
        _, ids = top_k(predictions, k)
        labels = _in_range(_as_labels(labels), cast(shape(predictions)[-1], dtypes.int64))
        found = _average_precision(labels, ids)
        if weights is not None:
            weights = broadcast_weights(cast(weights, dtypes.float64), found)
            found = multiply(found, weights)
        with name_scope(None, "max", (found,)) as max_scope:
            most = metric_variable([], dtypes.float64, name=max_scope)
            if weights is None:
                batch = cast(size(found, name="batch_max"), dtypes.float64)
            else:
                batch = reduce_sum(weights, name="batch_max")
            most_update = assign_add(most, batch, name="update")
        with name_scope(None, "total", (found,)) as total_scope:
            total = metric_variable([], dtypes.float64, name=total_scope)
            total_update = assign_add(total, reduce_sum(found, name="batch_total"), name="update")
        value = div_no_nan(total, most, name="mean")
        update = div_no_nan(total_update, most_update, name=scope)
        return collected(value, update, metrics_collections, updates_collections)


def sparse_average_precision_at_k(
    labels: Any,
    predictions: TensorLike,
    k: int,
    weights: TensorLike | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The old name of `average_precision_at_k` (source: tf.metrics.sparse_average_precision_at_k)."""
    return average_precision_at_k(labels, predictions, k, weights, metrics_collections, updates_collections, name)


def _in_range(labels: Any, classes: Tensor) -> Any:
    """Labels that are no classes become -1, which counts as none."""

    def cleaned(values: Tensor) -> Tensor:
        return cond(
            greater_equal(reduce_max(values), classes),
            lambda: where_v2(greater_equal(values, classes), -1 * ones_like(values), values),
            lambda: values,
        )

    if isinstance(labels, SparseTensor):
        return SparseTensor(labels.indices, cleaned(labels.values), labels.dense_shape)
    return cleaned(labels)


def _average_precision(labels: Any, ids: Tensor) -> Tensor:
    with name_scope(None, "average_precision", (ids, labels)) as scope:
        ids = cast(ids, dtypes.int64, name="predictions_idx")
        if ids.get_shape().ndims == 0:
            raise ValueError("The rank of predictions_idx must be at least 1.")
        k = ids.get_shape().as_list()[-1] or 0  # of `top_k`: known
        labels = _expanded(labels, ids)
        each = expand_dims(ids, -1, name="predictions_idx_per_k")
        repeated = _repeated(labels, k)
        relevant = _size_of("relevant_per_k", set_intersection, repeated, each, None, None)
        right = cumsum(relevant, axis=-1, name="tp_per_k")
        retrieved = cumsum(ones_like(relevant), axis=-1, name="retrieved_per_k")
        precisions = divide(right, retrieved, name="precision_per_k")
        kept = multiply(precisions, relevant, name="relevant_precision_per_k")
        total = reduce_sum(kept, axis=(-1,), name="precision_sum")
        return divide(total, cast(_num_relevant(labels, k), dtypes.float64), name=scope)


def _repeated(labels: Any, count: int) -> Any:
    """`[..., count, labels]` from `[..., labels]`."""
    with name_scope(None, "labels_per_k", (labels,)):
        if isinstance(labels, SparseTensor):
            sizes = labels.dense_shape
            one = convert_to_tensor([1], dtype=dtypes.int64)
            wide = sparse_reshape(labels, concat([sizes[:-1], one, sizes[-1:]], 0))
            return sparse_concat(-2, [wide] * count)
        expanded = expand_dims(labels, -2)
        return tile(expanded, concat([ones_like(shape(labels))[:-1], [count, 1]], 0))


def _num_relevant(labels: Any, k: int) -> Tensor:
    with name_scope(None, "num_relevant", (labels,)) as scope:
        if isinstance(labels, SparseTensor):
            return minimum(set_size(labels), k, name=scope)
        known = where_v2(greater_equal(labels, 0), ones_like(labels), zeros_like(labels))
        return minimum(reduce_sum(known, axis=-1), k, name=scope)
