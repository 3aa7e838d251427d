"""The largest elements: rows and shape rules."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.ops.common import Shapes
from runstep.ops.registry import op


def _top(op: Any, k: int | None) -> Shapes:
    shape = shapes.with_rank_at_least(op.inputs[0].raw_shape, 1)
    if shape is None:
        return [None, None]
    last = shape[-1]
    if last is not None and k is not None and last < k:
        raise ValueError(f"input must have last dimension >= k = {k} but is {last}")
    found = (*shape[:-1], k)
    return [found, found]


def _top_k(op: Any) -> Shapes:
    return _top(op, op.attrs["k"])


def _scalar_input(op: Any, index: int) -> int | None:
    shapes.with_rank(op.inputs[index].raw_shape, 0)
    value = op.constant(index)
    if value is None:
        return None
    if value < 0:
        raise ValueError(f"Dimension size, given by scalar input {index}, must be non-negative but is {int(value)}")
    return int(value)


def _top_k_v2(op: Any) -> Shapes:
    return _top(op, _scalar_input(op, 1))


def _approximate(op: Any) -> Shapes:
    shape = shapes.with_rank_at_least(op.inputs[0].raw_shape, 1)
    if shape is None:
        return [None, None]
    attrs = op.attrs
    axis, k = attrs["reduction_dimension"], attrs["k"]
    if not -len(shape) <= axis < len(shape):
        raise ValueError(f"Reduction dimension {axis} is not an axis of a tensor of rank {len(shape)}")
    axis %= len(shape)
    size = shape[axis]
    if size is not None and size < k:
        raise ValueError(f"input must have last dimension >= k = {k} but was {size}")
    found = (*shape[:axis], k if attrs["aggregate_to_topk"] else None, *shape[axis + 1 :])
    return [found, found]


def _nth(op: Any) -> Shapes:
    n = _scalar_input(op, 1)
    shape = shapes.with_rank_at_least(op.inputs[0].raw_shape, 1)
    if shape is None:
        return [None]
    if shape[-1] is not None and n is not None and shape[-1] <= n:
        raise ValueError(f"Input must have last dimension > n = {n} but is {shape[-1]}")
    return [shape[:-1]]


def _in_top(op: Any) -> Shapes:
    predictions = shapes.with_rank(op.inputs[0].raw_shape, 2)
    targets = shapes.with_rank(op.inputs[1].raw_shape, 1)
    return [(shapes.merge_size(predictions[0], targets[0]),)]


op(
    "TopK",
    "input: T -> values: T, indices: int32",
    "k: int >= 0",
    "sorted: bool = true",
    "T: realnumbertype",
    shape=_top_k,
)
op(
    "TopKV2",
    "input: T, k: Tk -> values: T, indices: index_type",
    "sorted: bool = true",
    "T: realnumbertype",
    "Tk: {int16, int32, int64} = int32",
    "index_type: {int16, int32, int64} = int32",
    shape=_top_k_v2,
)
op(
    "ApproxTopK",
    "input: T -> values: T, indices: int32",
    "k: int >= 0",
    "reduction_dimension: int = -1",
    "recall_target: float = 0.95",
    "is_max_k: bool = true",
    "reduction_input_size_override: int = -1",
    "aggregate_to_topk: bool = true",
    "T: {float16, bfloat16, float32}",
    shape=_approximate,
)
op("NthElement", "input: T, n: int32 -> values: T", "reverse: bool = false", "T: realnumbertype", shape=_nth)
op(
    "InTopK",
    "predictions: float32, targets: T -> precision: bool",
    "k: int",
    "T: {int32, int64} = int32",
    shape=_in_top,
)
op("InTopKV2", "predictions: float32, targets: T, k: T -> precision: bool", "T: {int32, int64} = int32", shape=_in_top)
