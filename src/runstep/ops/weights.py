"""Weights beside values: do they broadcast, and to what. Used by losses and metrics."""

from __future__ import annotations

from typing import Any

from runstep.graph.constant_value import constant_value
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import get_default_graph, name_scope
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.arithmetic import multiply
from runstep.ops.basic import no_op
from runstep.ops.branching import cond
from runstep.ops.comparison import equal
from runstep.ops.creation import ones_like
from runstep.ops.joining import concat
from runstep.ops.logging import Assert
from runstep.ops.sets import set_difference
from runstep.ops.shape_ops import expand_dims, rank, shape, size

__all__: list[str] = []

_ERROR = "weights can not be broadcast to values."


def assert_broadcastable(weights: Any, values: Any) -> Operation | Tensor:
    """An operation that fails unless `weights` is a scalar, or has the rank of `values` and each size equal or 1.

    Raises:
      ValueError: the static shapes say so already.
    """
    with name_scope(None, "assert_broadcastable", (weights, values)) as outer:
        with name_scope(None, "weights", (weights,)) as scope:
            weights = convert_to_tensor(weights, name=scope)
            weights_shape = shape(weights, name="shape")
            weights_rank = rank(weights, name="rank")
        with name_scope(None, "values", (values,)) as scope:
            values = convert_to_tensor(values, name=scope)
            values_shape = shape(values, name="shape")
            values_rank = rank(values, name="rank")
        known = constant_value(weights_rank), constant_value(values_rank)
        if known[0] is not None and known[1] is not None:
            if known[0] == 0:
                return no_op(name="static_scalar_check_success")
            theirs, ours = values.get_shape().as_list(), weights.get_shape().as_list()
            received = f"Received weights={weights}, values={values}"
            if known[0] != known[1]:
                raise ValueError(
                    f"{_ERROR} values.rank={known[1]}. weights.rank={known[0]}. values.shape={values.get_shape()}. "
                    f"weights.shape={weights.get_shape()}. {received}"
                )
            if all(size is not None for size in theirs + ours):
                for axis, (mine, its) in enumerate(zip(ours, theirs, strict=True)):
                    if mine not in (1, its):
                        raise ValueError(
                            f"{_ERROR} Mismatch at dim {axis}. values.shape={theirs}, weights.shape={ours}. {received}"
                        )
                return no_op(name="static_dims_check_success")
        is_scalar = equal(0, weights_rank, name="is_scalar")
        said = (
            _ERROR,
            "weights.shape=",
            weights.name,
            weights_shape,
            "values.shape=",
            values.name,
            values_shape,
            "is_scalar=",
            is_scalar,
        )
        valid = cond(
            is_scalar,
            lambda: is_scalar,
            lambda: _nonscalar_fits(weights_rank, weights_shape, values_rank, values_shape),
            name="is_valid_shape",
        )
        return Assert(valid, said, name=outer)


def _nonscalar_fits(weights_rank: Tensor, weights_shape: Tensor, values_rank: Tensor, values_shape: Tensor) -> Tensor:
    with name_scope(None, "has_valid_nonscalar_shape") as scope:
        same_rank = equal(values_rank, weights_rank, name="is_same_rank")
        return cond(same_rank, lambda: _sizes_fit(weights_shape, values_shape), lambda: same_rank, name=scope)


def _sizes_fit(weights_shape: Tensor, values_shape: Tensor) -> Tensor:
    """Each size of the weights is among the size of the values and 1: nothing is left of the set of it."""
    with name_scope(None, "has_invalid_dims") as scope:
        sizes = expand_dims(values_shape, -1)
        allowed = concat((sizes, ones_like(sizes)), axis=1)
        left = set_difference(expand_dims(weights_shape, -1), allowed)
        return equal(0, size(left.values, name="num_invalid_dims"), name=scope)


def broadcast_weights(weights: Any, values: Any) -> Tensor:
    """`weights` in the shape of `values`."""
    with name_scope(None, "broadcast_weights", (weights, values)) as scope:
        values = convert_to_tensor(values, name="values")
        weights = convert_to_tensor(weights, dtype=values.dtype.base_dtype, name="weights")
        ours, theirs = weights.get_shape(), values.get_shape()
        if ours.is_fully_defined() and theirs.is_fully_defined() and ours.is_compatible_with(theirs):
            return weights
        with get_default_graph().control_dependencies((assert_broadcastable(weights, values),)):
            return multiply(weights, ones_like(values), name=scope)
