"""The losses: each is computed per element, weighted, reduced and collected."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes
from runstep.graph.collections import GraphKeys
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import get_default_graph, name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.losses.weighting import Reduction, add_loss, compute_weighted_loss, num_present
from runstep.ops.activation import relu
from runstep.ops.arithmetic import add, div_no_nan, maximum, minimum, multiply, squared_difference, subtract
from runstep.ops.basic import stop_gradient
from runstep.ops.branching import cond
from runstep.ops.cast import cast
from runstep.ops.comparison import equal
from runstep.ops.confusion import remove_squeezable_dimensions
from runstep.ops.creation import ones_like, range, zeros_like
from runstep.ops.elementwise import abs, log, square
from runstep.ops.nn_losses import (
    sigmoid_cross_entropy_with_logits,
    softmax_cross_entropy_with_logits_v2,
    sparse_softmax_cross_entropy_with_logits,
)
from runstep.ops.reduction import one_of, reduce_sum
from runstep.ops.selecting import where
from runstep.ops.shape_ops import rank, shape, squeeze
from runstep.ops.weights import assert_broadcastable

__all__ = [
    "absolute_difference",
    "cosine_distance",
    "hinge_loss",
    "huber_loss",
    "log_loss",
    "mean_pairwise_squared_error",
    "mean_squared_error",
    "sigmoid_cross_entropy",
    "softmax_cross_entropy",
    "sparse_softmax_cross_entropy",
]

_BY_NONZERO = Reduction.SUM_BY_NONZERO_WEIGHTS


def _given(**arguments: Any) -> None:
    for name, value in arguments.items():
        if value is None:
            raise ValueError(f"Argument `{name}` must not be None.")


def _floats(labels: TensorLike, predictions: TensorLike) -> tuple[Tensor, Tensor]:
    """Both in float32, of one shape."""
    predictions = cast(predictions, dtype=dtypes.float32)
    labels = cast(labels, dtype=dtypes.float32)
    predictions.get_shape().assert_is_compatible_with(labels.get_shape())
    return labels, predictions


def absolute_difference(
    labels: TensorLike,
    predictions: TensorLike,
    weights: TensorLike = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = _BY_NONZERO,
) -> Tensor:
    """`|predictions - labels|` (source: tf.losses.absolute_difference). See `compute_weighted_loss` for the rest."""
    _given(labels=labels, predictions=predictions)
    with name_scope(scope, "absolute_difference", (predictions, labels, weights)) as scope:
        labels, predictions = _floats(labels, predictions)
        losses = abs(subtract(predictions, labels))
        return compute_weighted_loss(losses, weights, scope, loss_collection, reduction=reduction)


def cosine_distance(
    labels: TensorLike,
    predictions: TensorLike,
    axis: int | None = None,
    weights: TensorLike = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = _BY_NONZERO,
    dim: int | None = None,
) -> Tensor:
    """1 less the product of unit vectors along `axis` (source: tf.losses.cosine_distance). Both must be unit vectors
    already. See `compute_weighted_loss` for the rest."""
    axis = one_of("axis", axis, "dim", dim)
    if axis is None:
        raise ValueError("You must specify argument `axis`.")
    _given(labels=labels, predictions=predictions)
    with name_scope(scope, "cosine_distance_loss", (predictions, labels, weights)) as scope:
        labels, predictions = _floats(labels, predictions)
        losses = 1 - reduce_sum(multiply(predictions, labels), axis=(axis,), keepdims=True)
        return compute_weighted_loss(losses, weights, scope, loss_collection, reduction=reduction)


def hinge_loss(
    labels: TensorLike,
    logits: TensorLike,
    weights: TensorLike = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = _BY_NONZERO,
) -> Tensor:
    """`max(0, 1 - logits * (2 labels - 1))`, for labels 0 and 1 (source: tf.losses.hinge_loss). See
    `compute_weighted_loss` for the rest."""
    _given(labels=labels, logits=logits)
    with name_scope(scope, "hinge_loss", (logits, labels, weights)) as scope:
        labels, logits = _floats(labels, logits)
        ones = ones_like(labels)
        labels = subtract(2 * labels, ones)
        losses = relu(subtract(ones, multiply(labels, logits)))
        return compute_weighted_loss(losses, weights, scope, loss_collection, reduction=reduction)


def huber_loss(
    labels: TensorLike,
    predictions: TensorLike,
    weights: TensorLike = 1.0,
    delta: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = _BY_NONZERO,
) -> Tensor:
    """`d**2 / 2` for distances up to `delta`, linear beyond (source: tf.losses.huber_loss). See
    `compute_weighted_loss` for the rest."""
    _given(labels=labels, predictions=predictions)
    with name_scope(scope, "huber_loss", (predictions, labels, weights)) as scope:
        labels, predictions = _floats(labels, predictions)
        distance = abs(subtract(predictions, labels))
        near = minimum(distance, delta)
        far = subtract(distance, near)
        half = convert_to_tensor(0.5, dtype=near.dtype)
        losses = add(multiply(half, multiply(near, near)), multiply(delta, far))
        return compute_weighted_loss(losses, weights, scope, loss_collection, reduction=reduction)


def log_loss(
    labels: TensorLike,
    predictions: TensorLike,
    weights: TensorLike = 1.0,
    epsilon: float = 1e-7,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = _BY_NONZERO,
) -> Tensor:
    """`-labels log(p + epsilon) - (1 - labels) log(1 - p + epsilon)` (source: tf.losses.log_loss). See
    `compute_weighted_loss` for the rest."""
    _given(labels=labels, predictions=predictions)
    with name_scope(scope, "log_loss", (predictions, labels, weights)) as scope:
        labels, predictions = _floats(labels, predictions)
        losses = -multiply(labels, log(predictions + epsilon)) - multiply(1 - labels, log(1 - predictions + epsilon))
        return compute_weighted_loss(losses, weights, scope, loss_collection, reduction=reduction)


def mean_squared_error(
    labels: TensorLike,
    predictions: TensorLike,
    weights: TensorLike = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = _BY_NONZERO,
) -> Tensor:
    """`(predictions - labels)**2` (source: tf.losses.mean_squared_error). See `compute_weighted_loss` for the rest."""
    _given(labels=labels, predictions=predictions)
    with name_scope(scope, "mean_squared_error", (predictions, labels, weights)) as scope:
        labels, predictions = _floats(labels, predictions)
        losses = squared_difference(predictions, labels)
        return compute_weighted_loss(losses, weights, scope, loss_collection, reduction=reduction)


def mean_pairwise_squared_error(
    labels: TensorLike,
    predictions: TensorLike,
    weights: TensorLike = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
) -> Tensor:
    """How differences between pairs of elements of one sample differ (source: tf.losses.mean_pairwise_squared_error).

    Args:
      weights: a number, or one for each sample, with further axes of length 1.
    """
    _given(labels=labels, predictions=predictions)
    with name_scope(scope, "mean_pairwise_squared_error", (predictions, labels, weights)) as scope:
        weights = cast(weights, dtype=dtypes.float32)
        labels = cast(labels, dtype=dtypes.float32)
        with get_default_graph().control_dependencies((assert_broadcastable(weights, labels),)):
            predictions = cast(predictions, dtype=dtypes.float32)
            predictions.get_shape().assert_is_compatible_with(labels.get_shape())
            delta = subtract(predictions, labels)
            axis = range(1, rank(delta))
            squares = reduce_sum(square(delta), axis=axis, keepdims=True)
            present = num_present(delta, weights, per_batch=True)
            first = 2.0 * div_no_nan(squares, maximum(present - 1, 0), name="value")
            total = reduce_sum(delta, axis=axis, keepdims=True)
            second = 2.0 * div_no_nan(square(total), maximum(multiply(present, present - 1), 0), name="value")
            loss = reduce_sum(multiply(first - second, weights))
            mean = where(reduce_sum(present) > 0, loss, zeros_like(loss), name="value")
            add_loss(mean, loss_collection)
            return mean


# --- cross entropies ------------------------------------------------------------------------------------------------


def sigmoid_cross_entropy(
    multi_class_labels: TensorLike,
    logits: TensorLike,
    weights: TensorLike = 1.0,
    label_smoothing: Any = 0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = _BY_NONZERO,
) -> Tensor:
    """`tf.nn.sigmoid_cross_entropy_with_logits` (source: tf.losses.sigmoid_cross_entropy).

    Args:
      label_smoothing: above 0, labels move towards 1/2 by this part. See `compute_weighted_loss` for the rest.
    """
    _given(multi_class_labels=multi_class_labels, logits=logits)
    with name_scope(scope, "sigmoid_cross_entropy_loss", (logits, multi_class_labels, weights)) as scope:
        logits = convert_to_tensor(logits)
        labels = cast(multi_class_labels, logits.dtype)
        logits.get_shape().assert_is_compatible_with(labels.get_shape())
        if label_smoothing > 0:
            labels = labels * (1 - label_smoothing) + 0.5 * label_smoothing
        losses = sigmoid_cross_entropy_with_logits(labels=labels, logits=logits, name="xentropy")
        return compute_weighted_loss(losses, weights, scope, loss_collection, reduction=reduction)


def softmax_cross_entropy(
    onehot_labels: TensorLike,
    logits: TensorLike,
    weights: TensorLike = 1.0,
    label_smoothing: Any = 0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = _BY_NONZERO,
) -> Tensor:
    """`tf.nn.softmax_cross_entropy_with_logits` for `[..., classes]` (source: tf.losses.softmax_cross_entropy).

    Args:
      label_smoothing: above 0, labels move towards 1/classes by this part. weights: a number or `[batch]`. See
        `compute_weighted_loss` for the rest.
    """
    _given(onehot_labels=onehot_labels, logits=logits)
    with name_scope(scope, "softmax_cross_entropy_loss", (logits, onehot_labels, weights)) as scope:
        logits = convert_to_tensor(logits)
        labels = cast(onehot_labels, logits.dtype)
        logits.get_shape().assert_is_compatible_with(labels.get_shape())
        if label_smoothing > 0:
            classes = cast(shape(labels)[-1], logits.dtype)
            positive = 1.0 - label_smoothing
            negative = label_smoothing / classes
            labels = labels * positive + negative
        labels = stop_gradient(labels, name="labels_stop_gradient")
        losses = softmax_cross_entropy_with_logits_v2(labels=labels, logits=logits, name="xentropy")
        return compute_weighted_loss(losses, weights, scope, loss_collection, reduction=reduction)


def sparse_softmax_cross_entropy(
    labels: TensorLike,
    logits: TensorLike,
    weights: TensorLike = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = _BY_NONZERO,
) -> Tensor:
    """`tf.nn.sparse_softmax_cross_entropy_with_logits` (source: tf.losses.sparse_softmax_cross_entropy).

    Args:
      labels: class indices, of the shape of `logits` without its last axis, or with a last axis of length 1. See
        `compute_weighted_loss` for the rest.
    """
    _given(labels=labels, logits=logits)
    with name_scope(scope, "sparse_softmax_cross_entropy_loss", (logits, labels, weights)) as scope:
        labels, logits, weights = squeezed(labels, logits, weights, expected_rank_diff=1)
        losses = sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits, name="xentropy")
        return compute_weighted_loss(losses, weights, scope, loss_collection, reduction=reduction)


def squeezed(
    labels: Any, predictions: Any, weights: Any = None, expected_rank_diff: int = 0
) -> tuple[Tensor, Tensor, Any]:
    """Labels, predictions and weights of one rank: a last axis of length 1 is dropped or added where that helps."""
    labels, predictions = remove_squeezable_dimensions(labels, predictions, expected_rank_diff=expected_rank_diff)
    if weights is None:
        return labels, predictions, None
    weights = convert_to_tensor(weights)
    ranks = labels.get_shape().ndims, weights.get_shape().ndims
    if ranks[1] == 0:
        return labels, predictions, weights
    if ranks[0] is not None and ranks[1] is not None:
        if ranks[1] - ranks[0] == 1:
            weights = squeeze(weights, [-1])
        return labels, predictions, weights
    given = weights
    difference = rank(given) - rank(labels)
    if ranks[1] is None or given.get_shape().dims[-1].is_compatible_with(1):
        weights = cond(equal(1, difference), lambda: squeeze(given, [-1]), lambda: given)
    return labels, predictions, weights
