"""Counting values in bins: op definitions and the `tf.*` functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import dtypes, shapes
from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.cast import cast
from runstep.ops.common import Shapes, unchanged, unknown
from runstep.ops.elements import element
from runstep.ops.reduction import reduce_max
from runstep.ops.registry import op
from runstep.ops.shape_ops import shape, size

__all__ = ["bincount", "histogram_fixed_width", "histogram_fixed_width_bins"]


def _size(op: Any, index: int) -> int | None:
    """The size that scalar input `index` gives, where it is known."""
    shapes.with_rank(op.inputs[index].raw_shape, 0)
    value = op.constant(index)
    if value is None:
        return None
    if int(value) < 0:
        raise ValueError(f"size ({int(value)}) must be non-negative")
    return int(value)


def _bins(op: Any) -> Shapes:
    return [(_size(op, 1),)]


def _dense_bins(op: Any) -> Shapes:
    known = shapes.with_rank_at_most(op.inputs[0].raw_shape, 2)
    length = _size(op, 1)
    if known is None:
        return [None]
    if not known and length is None:
        return [()]
    if len(known) < 2:
        return [(length,)]
    return [(known[0] if length is not None else None, length)]


def _sparse_bins(op: Any) -> Shapes:
    length = _size(op, 3)
    dense = op.constant(2)
    if dense is None or length is None:
        return [None]
    if dense.size not in (1, 2):
        raise ValueError("Input must be less than rank 2")
    return [(length,) if dense.size == 1 else (int(dense[0]), length)]


def _histogram(op: Any) -> Shapes:
    shapes.merge_size(shapes.with_rank(op.inputs[1].raw_shape, 1)[0], 2)
    shapes.with_rank(op.inputs[2].raw_shape, 0)
    number = op.constant(2)
    if number is None:
        return [(None,)]
    if int(number) <= 0:
        raise ValueError(f"Requires nbins > 0: {int(number)}")
    return [(int(number),)]


_WEIGHTS = "T: {int32, int64, float32, float64}"
op("Bincount", "arr: int32, size: int32, weights: T -> bins: T", _WEIGHTS, shape=_bins)
for _name, _signature, _rule in (
    ("DenseBincount", "input: Tidx, size: Tidx, weights: T -> output: T", _dense_bins),
    (
        "SparseBincount",
        "indices: int64, values: Tidx, dense_shape: int64, size: Tidx, weights: T -> output: T",
        _sparse_bins,
    ),
    ("RaggedBincount", "splits: int64, values: Tidx, size: Tidx, weights: T -> output: T", unknown),
):
    op(_name, _signature, "Tidx: {int32, int64}", _WEIGHTS, "binary_output: bool = false", shape=_rule)
op(
    "HistogramFixedWidth",
    "values: T, value_range: T, nbins: int32 -> out: dtype",
    "T: {int32, int64, float32, float64}",
    "dtype: {int32, int64} = int32",
    shape=_histogram,
)
op(
    "Bucketize",
    "input: T -> output: int32",
    "T: {int32, int64, float32, float64}",
    "boundaries: list(float)",
    shape=unchanged,
)


def bincount(
    arr: TensorLike,
    weights: TensorLike | None = None,
    minlength: TensorLike | None = None,
    maxlength: TensorLike | None = None,
    dtype: Any = dtypes.int32,
) -> Tensor:
    """How often each of 0, 1, ... occurs in `arr`, or the sum of its weights. Source: `tf.bincount`.

    Args:
      arr: non-negative integers of any shape.
      weights: of the same shape; counts are then sums of weights, of their dtype.
      minlength, maxlength: bounds of the result's length, which otherwise is the greatest value plus one.
      dtype: of the counts, when there are no weights.
    """
    with name_scope(None, "bincount"):
        arr = convert_to_tensor(arr, name="arr")
        if arr.dtype.base_dtype not in (dtypes.int32, dtypes.int64):
            arr = cast(arr, dtypes.int32)
        kind = arr.dtype.base_dtype
        is_filled = cast(apply("Greater", size(arr), 0), kind)
        length = apply("Mul", is_filled, apply("AddV2", reduce_max(arr), 1, name="add"), name="mul")
        if minlength is not None:
            least = convert_to_tensor(minlength, dtype=kind, name="minlength")
            length = apply("Maximum", least, length)
        if maxlength is not None:
            most = convert_to_tensor(maxlength, dtype=kind, name="maxlength")
            length = apply("Minimum", most, length)
        if weights is not None:
            weights = apply("Reshape", convert_to_tensor(weights, name="weights"), [-1])
            flat = apply("Reshape", arr, [-1])
        else:
            flat = apply("Reshape", arr, [-1])
            weights = convert_to_tensor(np.zeros(0, dtypes.as_dtype(dtype).np))
        result: Tensor = apply("DenseBincount", flat, length, weights)
        return result


def histogram_fixed_width(
    values: TensorLike,
    value_range: TensorLike,
    nbins: TensorLike = 100,
    dtype: Any = dtypes.int32,
    name: str | None = None,
) -> Tensor:
    """How many values fall into each of `nbins` equal bins of `value_range`; outliers count in the outer bins.

    Source: `tf.histogram_fixed_width`.
    """
    with name_scope(name, "histogram_fixed_width") as scope:
        result: Tensor = apply("HistogramFixedWidth", values, value_range, nbins, dtype=dtype, name=scope)
        return result


def histogram_fixed_width_bins(
    values: TensorLike,
    value_range: TensorLike,
    nbins: TensorLike = 100,
    dtype: Any = dtypes.int32,
    name: str | None = None,
) -> Tensor:
    """The bin, of `nbins` equal bins of `value_range`, that each value falls into.

    Source: `tf.histogram_fixed_width_bins`.
    """
    with name_scope(name, "histogram_fixed_width_bins"):
        values = convert_to_tensor(values, name="values")
        sizes = shape(values)
        values = apply("Reshape", values, [-1])
        value_range = convert_to_tensor(value_range, name="value_range")
        nbins = convert_to_tensor(nbins, dtype=dtypes.int32, name="nbins")
        count = cast(nbins, values.dtype.base_dtype)
        distance = apply("Sub", values, element(value_range, 0), name="sub")
        width = apply("Sub", element(value_range, 1), element(value_range, 0), name="sub")
        scaled = apply("RealDiv", distance, width, name="scaled_values")
        places = apply("Floor", apply("Mul", count, scaled, name="mul"), name="indices")
        last = apply("Sub", count, 1, name="sub")
        with name_scope(None, "clip_by_value") as scope:
            inside = apply("Maximum", apply("Minimum", places, last), 0, name=scope)
        result: Tensor = apply("Reshape", cast(inside, dtype), sizes)
        return result
