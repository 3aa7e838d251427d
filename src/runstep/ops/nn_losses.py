"""Losses and rankings: the `tf.nn.*` functions."""

from __future__ import annotations

import math
from typing import Any

from runstep.graph import dtypes
from runstep.graph.apply import apply, apply_named
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops import (
    arithmetic,
    basic,
    cast,
    comparison,
    creation,
    elementwise,
    joining,
    rearranging,
    selecting,
    shape_ops,
    slicing,
)
from runstep.ops.reduction import one_of

__all__ = [
    "approx_max_k",
    "approx_min_k",
    "in_top_k",
    "log_poisson_loss",
    "sigmoid_cross_entropy_with_logits",
    "softmax_cross_entropy_with_logits",
    "softmax_cross_entropy_with_logits_v2",
    "sparse_softmax_cross_entropy_with_logits",
    "top_k",
    "weighted_cross_entropy_with_logits",
    "zero_fraction",
]


def _same_static_shape(first: str, a: Tensor, second: str, b: Tensor) -> None:
    if not a.shape.is_compatible_with(b.shape):
        raise ValueError(f"`{first}` and `{second}` must have the same shape, received ({a.shape} vs {b.shape}).")


def sigmoid_cross_entropy_with_logits(
    labels: TensorLike = None, logits: TensorLike = None, name: str | None = None
) -> Tensor:
    """`-labels log(p) - (1 - labels) log(1 - p)` for p = sigmoid(logits), without overflow.
    Source: `tf.nn.sigmoid_cross_entropy_with_logits`."""
    with name_scope(name, "logistic_loss") as scope:
        logits = convert_to_tensor(logits, name="logits")
        labels = convert_to_tensor(labels, name="labels")
        _same_static_shape("logits", logits, "labels", labels)
        zeros = creation.zeros_like(logits, dtype=logits.dtype)
        positive = apply("GreaterEqual", logits, zeros)
        above = selecting.where(positive, logits, zeros)
        negative = selecting.where(positive, elementwise.negative(logits), logits)
        return arithmetic.add(
            arithmetic.subtract(above, arithmetic.multiply(logits, labels, name="mul"), name="sub"),
            elementwise.log1p(elementwise.exp(negative)),
            name=scope,
        )


def weighted_cross_entropy_with_logits(
    labels: TensorLike = None,
    logits: TensorLike = None,
    pos_weight: Any = None,
    name: str | None = None,
    targets: TensorLike = None,
) -> Tensor:
    """`sigmoid_cross_entropy_with_logits` where positive labels count `pos_weight` times.
    Source: `tf.nn.weighted_cross_entropy_with_logits`."""
    labels = one_of("labels", labels, "targets", targets)
    with name_scope(name, "logistic_loss") as scope:
        logits = convert_to_tensor(logits, name="logits")
        labels = convert_to_tensor(labels, name="labels")
        _same_static_shape("logits", logits, "labels", labels)
        extra = pos_weight - 1 if not isinstance(pos_weight, Tensor) else arithmetic.subtract(pos_weight, 1, name="sub")
        weight = apply("AddV2", 1.0, apply("Mul", extra, labels, name="mul"), name="add")
        return arithmetic.add(
            apply("Mul", apply("Sub", 1.0, labels, name="sub"), logits, name="mul"),
            apply(
                "Mul",
                weight,
                apply(
                    "AddV2",
                    elementwise.log1p(elementwise.exp(elementwise.negative(elementwise.abs(logits)))),
                    apply("Relu", elementwise.negative(logits)),
                    name="add",
                ),
                name="mul",
            ),
            name=scope,
        )


def log_poisson_loss(
    targets: TensorLike, log_input: TensorLike, compute_full_loss: bool = False, name: str | None = None
) -> Tensor:
    """`exp(log_input) - log_input * targets`, plus Stirling's approximation of log(targets!) where asked for.
    Source: `tf.nn.log_poisson_loss`."""
    with name_scope(name, "log_poisson_loss"):
        log_input = convert_to_tensor(log_input, name="log_input")
        targets = convert_to_tensor(targets, name="targets")
        if not log_input.shape.is_compatible_with(targets.shape):
            raise ValueError(
                f"`log_input` and `targets` must have the same shape, received ({log_input.shape} vs {targets.shape})."
            )
        loss = arithmetic.subtract(elementwise.exp(log_input), apply("Mul", log_input, targets, name="mul"), name="sub")
        if compute_full_loss:
            half = convert_to_tensor(0.5, dtype=targets.dtype)
            two_pi = convert_to_tensor(2 * math.pi, dtype=targets.dtype)
            stirling = apply(
                "AddV2",
                apply("Sub", apply("Mul", targets, elementwise.log(targets), name="mul"), targets, name="sub"),
                apply("Mul", half, elementwise.log(apply("Mul", two_pi, targets, name="mul")), name="mul"),
                name="add",
            )
            zeros = creation.zeros_like(targets, dtype=targets.dtype)
            ones = creation.ones_like(targets, dtype=targets.dtype)
            small = comparison.logical_and(apply("GreaterEqual", targets, zeros), apply("LessEqual", targets, ones))
            loss = apply("AddV2", loss, selecting.where(small, zeros, stirling), name="add")
        return loss


# --- cross-entropy ------------------------------------------------------------------------------------------------


def _classes_last(x: Tensor, axis: int, rank: Tensor) -> Tensor:
    order = joining.concat([creation.range(axis), creation.range(axis + 1, rank), [axis]], 0)
    return rearranging.transpose(x, order)


def _as_matrix(x: Tensor) -> Tensor:
    """All but the last axis flattened into one."""
    rank = shape_ops.rank(x)
    last = slicing.slice(shape_ops.shape(x), [arithmetic.subtract(rank, 1)], [1])
    flat = apply("Reshape", x, joining.concat([[-1], last], 0))
    raw = x.raw_shape
    if raw is not None and None not in raw:
        rows = math.prod(size for size in raw[:-1] if size is not None)
        flat.set_shape([rows, raw[-1]])
    return flat


def _cross_entropy(labels: TensorLike, logits: TensorLike, axis: int, name: str | None) -> Tensor:
    with name_scope(name, "softmax_cross_entropy_with_logits") as scope:
        logits = convert_to_tensor(logits, name="logits")
        labels = convert_to_tensor(labels, name="labels")
        is_low = logits.dtype in (dtypes.float16, dtypes.bfloat16)
        precise = cast.cast(logits, dtypes.float32) if is_low else logits
        labels = cast.cast(labels, precise.dtype)
        rank = shape_ops.rank(precise)
        shape = logits.shape
        if axis != -1:
            precise = _classes_last(precise, axis, rank)
            labels = _classes_last(labels, axis, rank)
        sizes = shape_ops.shape(precise)
        precise, labels = _as_matrix(precise), _as_matrix(labels)
        loss, _ = apply("SoftmaxCrossEntropyWithLogits", precise, labels, name=scope)
        outer = slicing.slice(sizes, [0], [arithmetic.subtract(rank, 1)])
        result = apply("Reshape", loss, outer)
        if shape.ndims is not None:
            sizes_left = shape.as_list()
            del sizes_left[axis]
            result.set_shape(sizes_left)
        return cast.cast(result, logits.dtype) if is_low else result


def softmax_cross_entropy_with_logits_v2(
    labels: TensorLike, logits: TensorLike, axis: int | None = None, name: str | None = None, dim: int | None = None
) -> Tensor:
    """`-sum(labels * log_softmax(logits))` along `axis`; the gradient goes to both.
    Source: `tf.nn.softmax_cross_entropy_with_logits_v2`."""
    axis = one_of("axis", axis, "dim", dim)
    return _cross_entropy(labels, logits, -1 if axis is None else axis, name)


def softmax_cross_entropy_with_logits(
    labels: TensorLike = None,
    logits: TensorLike = None,
    dim: int = -1,
    name: str | None = None,
    axis: int | None = None,
) -> Tensor:
    """As the `_v2` function, and no gradient goes to the labels.
    Source: `tf.nn.softmax_cross_entropy_with_logits`."""
    if labels is None or logits is None:
        missing = "labels" if labels is None else "logits"
        raise ValueError(f"Both `labels` and `logits` must be provided. Received: {missing}=None")
    dim = axis if axis is not None else dim
    with name_scope(name, "softmax_cross_entropy_with_logits_sg") as scope:
        labels = basic.stop_gradient(labels, name="labels_stop_gradient")
        return _cross_entropy(labels, logits, dim, scope)


def sparse_softmax_cross_entropy_with_logits(
    labels: TensorLike = None, logits: TensorLike = None, name: str | None = None
) -> Tensor:
    """Cross-entropy where `labels` are class numbers, of the shape of `logits` less its last axis.
    Source: `tf.nn.sparse_softmax_cross_entropy_with_logits`."""
    if labels is None or logits is None:
        missing = "labels" if labels is None else "logits"
        raise ValueError(f"Both `labels` and `logits` must be provided. Received: {missing}=None")
    with name_scope(name, "SparseSoftmaxCrossEntropyWithLogits"):
        labels = convert_to_tensor(labels)
        logits = convert_to_tensor(logits)
        is_low = logits.dtype in (dtypes.float16, dtypes.bfloat16)
        precise = cast.cast(logits, dtypes.float32) if is_low else logits
        label_shape = shape_ops.shape(labels)
        static = labels.shape
        ranks = labels.shape.ndims, logits.shape.ndims
        if ranks[1] == 0:
            raise ValueError(f"`logits` cannot be a scalar. Received logits={logits}`")
        if None not in ranks and ranks[0] != ranks[1] - 1:
            raise ValueError(
                "`labels.shape.rank` must equal `logits.shape.rank - 1`. Received: "
                f"labels.shape={labels.shape} of rank {ranks[0]} and logits.shape={logits.shape} of rank {ranks[1]}"
            )
        if ranks[1] == 2:
            loss, _ = apply("SparseSoftmaxCrossEntropyWithLogits", precise, labels, name=name)
            return cast.cast(loss, logits.dtype) if is_low else loss
        sizes = shape_ops.shape(precise)
        last = arithmetic.subtract(shape_ops.rank(precise), 1, name="sub")
        end = apply("AddV2", last, 1, name="add")
        with name_scope("strided_slice", "strided_slice") as scope:
            classes = apply(
                "StridedSlice",
                sizes,
                joining.stack([last]),
                joining.stack([end], name="stack_1"),
                joining.stack([1], name="stack_2"),
                shrink_axis_mask=1,
                name=scope,
            )
        precise = apply("Reshape", precise, [-1, classes])
        labels = apply("Reshape", labels, [-1])
        loss, _ = apply("SparseSoftmaxCrossEntropyWithLogits", precise, labels, name=name)
        loss = apply("Reshape", loss, label_shape)
        loss.set_shape(static)
        return cast.cast(loss, logits.dtype) if is_low else loss


# --- rankings -----------------------------------------------------------------------------------------------------


def top_k(
    input: TensorLike, k: TensorLike = 1, sorted: bool = True, index_type: Any = dtypes.int32, name: str | None = None
) -> Any:
    """The `k` largest elements of each row (`values`), and where they are (`indices`). Source: `tf.nn.top_k`."""
    return apply_named("TopKV2", input, k, sorted=sorted, index_type=index_type, name=name)


def _approx_k(
    operand: TensorLike, k: int, is_max_k: bool, axis: int, recall: float, size: int, aggregate: bool, name: str | None
) -> Any:
    return apply_named(
        "ApproxTopK",
        operand,
        k=k,
        reduction_dimension=axis,
        recall_target=recall,
        is_max_k=is_max_k,
        reduction_input_size_override=size,
        aggregate_to_topk=aggregate,
        name=name,
    )


def approx_max_k(
    operand: TensorLike,
    k: int,
    reduction_dimension: int = -1,
    recall_target: float = 0.95,
    reduction_input_size_override: int = -1,
    aggregate_to_topk: bool = True,
    name: str | None = None,
) -> Any:
    """The `k` largest elements along an axis (`values`) and their places (`indices`); exact here, whatever is asked.

    Source: `tf.nn.approx_max_k`.
    """
    return _approx_k(
        operand, k, True, reduction_dimension, recall_target, reduction_input_size_override, aggregate_to_topk, name
    )


def approx_min_k(
    operand: TensorLike,
    k: int,
    reduction_dimension: int = -1,
    recall_target: float = 0.95,
    reduction_input_size_override: int = -1,
    aggregate_to_topk: bool = True,
    name: str | None = None,
) -> Any:
    """The `k` smallest elements, as `approx_max_k` the largest. Source: `tf.nn.approx_min_k`."""
    return _approx_k(
        operand, k, False, reduction_dimension, recall_target, reduction_input_size_override, aggregate_to_topk, name
    )


def in_top_k(predictions: TensorLike, targets: TensorLike, k: TensorLike, name: str | None = None) -> Tensor:
    """Whether each target is among the `k` classes with the best predictions. Source: `tf.nn.in_top_k`."""
    with name_scope(name, "in_top_k"):
        return apply("InTopKV2", predictions, targets, k)


def zero_fraction(value: TensorLike, name: str | None = None) -> Tensor:
    """Which part of the elements of `value` is zero, a float32 scalar. Source: `tf.nn.zero_fraction`."""
    with name_scope(name, "zero_fraction"):
        value = convert_to_tensor(value, name="value")
        size = shape_ops.size(value, out_type=dtypes.int64)
        flags = cast.cast(apply("NotEqual", value, creation.zeros([], value.dtype)), dtypes.int64)
        nonzero = apply("Sum", flags, creation.range(shape_ops.rank(flags)))
        with name_scope("counts_to_fraction", "counts_to_fraction"):
            zeros = cast.cast(apply("Sub", size, nonzero, name="sub"), dtypes.float32)
            fraction = apply("RealDiv", zeros, cast.cast(size, dtypes.float32), name="truediv")
        found = basic.identity(fraction, "fraction")
        found.set_shape([])
        return found
