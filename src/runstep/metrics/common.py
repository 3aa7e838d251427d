"""What metrics share: their variables, what they do with weights, and where their results go."""

from __future__ import annotations

from typing import Any

from runstep.graph.collections import GraphKeys
from runstep.graph.convert import convert_to_tensor
from runstep.graph.scopes import add_to_collections
from runstep.graph.tensor import Tensor
from runstep.ops.arithmetic import div_no_nan, maximum
from runstep.ops.branching import cond
from runstep.ops.comparison import equal
from runstep.ops.confusion import remove_squeezable_dimensions
from runstep.ops.creation import zeros
from runstep.ops.shape_ops import expand_dims, rank, squeeze
from runstep.variables.facts import VariableAggregation, VariableSynchronization
from runstep.variables.variable import Variable


def metric_variable(shape: Any, dtype: Any, validate_shape: bool = True, name: str | None = None) -> Any:
    """A local variable of zeros, in `GraphKeys.METRIC_VARIABLES`."""
    return Variable(
        lambda: zeros(shape, dtype),
        trainable=False,
        collections=[GraphKeys.LOCAL_VARIABLES, GraphKeys.METRIC_VARIABLES],
        validate_shape=validate_shape,
        synchronization=VariableSynchronization.ON_READ,
        aggregation=VariableAggregation.SUM,
        name=name,
    )


def collected(value: Any, update: Any, metrics_collections: Any, updates_collections: Any) -> tuple[Any, Any]:
    """Both, added to the collections asked for."""
    if metrics_collections:
        add_to_collections(metrics_collections, value)
    if updates_collections:
        add_to_collections(updates_collections, update)
    return value, update


def ratio(numerator: Any, denominator: Any, name: str | None) -> Tensor:
    """Their quotient; 0 where the denominator isn't above 0."""
    return div_no_nan(numerator, maximum(denominator, 0), name=name)


def squeezed(predictions: Any, labels: Any, weights: Any) -> tuple[Tensor, Any, Any]:
    """Predictions, labels and weights of one rank: a last axis of length 1 is dropped or added where that helps."""
    predictions = convert_to_tensor(predictions)
    if labels is not None:
        labels, predictions = remove_squeezable_dimensions(labels, predictions)
        predictions.get_shape().assert_is_compatible_with(labels.get_shape())
    if weights is None:
        return predictions, labels, None
    weights = convert_to_tensor(weights)
    ours, theirs = weights.get_shape().ndims, predictions.get_shape().ndims
    if ours == 0:
        return predictions, labels, weights
    if ours is not None and theirs is not None:
        if ours - theirs == 1:
            weights = squeeze(weights, [-1])
        elif theirs - ours == 1:
            weights = expand_dims(weights, [-1])
        return predictions, labels, weights
    return predictions, labels, _of_rank(weights, predictions)


def _of_rank(weights: Tensor, predictions: Tensor) -> Tensor:
    """The same where only the step knows the ranks."""
    ours = rank(weights)
    excess = ours - rank(predictions)
    known = weights.get_shape()

    def expanded() -> Any:
        return cond(equal(excess, -1), lambda: expand_dims(weights, [-1]), lambda: weights)

    def dropped() -> Any:
        fits = known.ndims is None or known.dims[-1].is_compatible_with(1)  # type: ignore[index]
        return squeeze(weights, [-1]) if fits else weights

    return cond(equal(ours, 0), lambda: weights, lambda: cond(equal(excess, 1), dropped, expanded))
