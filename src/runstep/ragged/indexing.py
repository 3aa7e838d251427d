"""What `rt[...]` picks out of a ragged tensor."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.graph import name_scope
from runstep.graph.ragged_tensor import RaggedTensor
from runstep.graph.shapes import Dimension
from runstep.graph.tensor import Tensor
from runstep.ops.cast import cast

__all__: list[str] = []


def getitem(rt: RaggedTensor, key: Any) -> Any:
    """A row for a number, rows for a slice, a new axis for None, for each dimension that the key names.

    Raises:
      TypeError: a key is none of these.
      ValueError: a number for an inner ragged dimension, since rows may be too short for it.
    """
    keys = list(key) if isinstance(key, tuple | list) else [key]
    with name_scope(None, "RaggedGetItem", [rt, *keys]):
        return _picked(rt, keys)


def _picked(rt: Any, keys: list[Any]) -> Any:
    if not keys:
        return rt
    if isinstance(rt, Tensor):
        return rt[tuple(keys)]
    first, rest = keys[0], keys[1:]
    if first is Ellipsis:
        return _picked(rt, [*_spelled_out(rt, rest), *rest])
    if first is None:
        from runstep.ragged.joining import expand_dims

        return expand_dims(_picked(rt, rest), 0)
    if isinstance(first, slice):
        return _within(_sliced(rt, first), rest)
    index = _number(first)
    splits = rt.row_splits
    row = rt.values[splits[:-1][index] : splits[1:][index]]
    return _picked(row, rest)


def _number(key: Any) -> Any:
    if isinstance(key, Dimension):
        return key.value
    if isinstance(key, Tensor):
        if key.dtype in (dtypes.int16, dtypes.int32, dtypes.int64) and key.shape.rank in (0, None):
            return key
    elif not isinstance(key, bool) and hasattr(key, "__index__"):
        return key.__index__()
    raise TypeError(
        "Only integers, slices (`:`), ellipsis (`...`), tf.newaxis (`None`) and scalar tf.int32/tf.int64 tensors are "
        f"valid indices, got {key!r}"
    )


def _spelled_out(rt: RaggedTensor, rest: list[Any]) -> list[slice]:
    """The slices that `...` means before these keys."""
    taken = sum(key is not None and key is not Ellipsis for key in rest)
    if not taken:
        return [] if all(key is Ellipsis for key in rest) else [slice(None)] * (rt.shape.rank or 0)
    if rt.shape.rank is None:
        raise ValueError("Ellipsis not supported for unknown shape RaggedTensors")
    return [slice(None)] * (rt.shape.rank - taken)


def _sliced(rt: RaggedTensor, key: slice) -> RaggedTensor:
    """Some of the rows."""
    if key.start is None and key.stop is None and key.step is None:
        return rt
    return rows_between(rt, rt.row_splits[:-1][key], rt.row_splits[1:][key])


def rows_between(rt: RaggedTensor, starts: Tensor, limits: Tensor, step: Any = 1) -> RaggedTensor:
    """Rows of what is between places of `rt.values`."""
    from runstep.ragged.gathering import gather_rows

    splits, places = apply("RaggedRange", starts, limits, cast(step, starts.dtype), Tsplits=starts.dtype)
    splits.set_shape([None if starts.shape[0].value is None else starts.shape[0].value + 1])
    return RaggedTensor(gather_rows(rt.values, places), splits)


def first_of_rows(rt: RaggedTensor, lengths: Tensor) -> RaggedTensor:
    """Each row as far as these lengths."""
    starts = rt.row_splits[:-1]
    return rows_between(rt, starts, apply("Minimum", starts + lengths, rt.row_splits[1:]))


def _within(rt: RaggedTensor, keys: list[Any]) -> Any:
    """Applies keys to what each row holds."""
    if not keys:
        return rt
    first, rest = keys[0], keys[1:]
    if first is Ellipsis:
        inner = _spelled_out_within(rt, rest)
        return _within(rt, [*inner, *rest])
    if first is None:
        from runstep.ragged.joining import expand_dims

        return expand_dims(_within(rt, rest), 1)
    if isinstance(first, slice):
        cut = _slice_of_rows(rt, first)
        return cut.with_values(_within_values(cut.values, rest)) if rest else cut
    index = _number(first)
    if rt.uniform_row_length is None:
        raise ValueError("Cannot index into an inner ragged dimension.")
    from runstep.ragged.gathering import gather_rows

    splits = rt.row_splits
    ends = splits[1:] if isinstance(index, int) and index < 0 else splits[:-1]
    picked = gather_rows(rt.values, ends + cast(index, splits.dtype))
    return _picked(picked, [slice(None), *rest]) if rest else picked


def _spelled_out_within(rt: RaggedTensor, rest: list[Any]) -> list[slice]:
    taken = sum(key is not None and key is not Ellipsis for key in rest)
    if rt.shape.rank is None:
        raise ValueError("Ellipsis not supported for unknown shape RaggedTensors")
    return [slice(None)] * (rt.shape.rank - 1 - taken)


def _within_values(values: Any, keys: list[Any]) -> Any:
    if isinstance(values, RaggedTensor):
        return _within(values, keys)
    return values[(slice(None), *keys)]


def _slice_of_rows(rt: RaggedTensor, key: slice) -> RaggedTensor:
    """A slice of each row, as Python would cut it."""
    if key.start is None and key.stop is None and key.step is None:
        return rt
    splits, kind = rt.row_splits, rt.row_splits.dtype
    starts, limits = splits[:-1], splits[1:]
    step = 1 if key.step is None else key.step
    if isinstance(step, int) and step == 0:
        raise ValueError("slice step cannot be zero")
    if not isinstance(step, int):
        raise ValueError("The step of a slice of an inner ragged dimension must be a Python number.")
    low, high = (starts, limits) if step > 0 else (starts - 1, limits - 1)

    def place(bound: Any, default: Tensor) -> Tensor:
        if bound is None:
            return default
        bound = cast(bound, kind)
        found = apply("SelectV2", apply("Less", bound, cast(0, kind)), limits + bound, starts + bound)
        result: Tensor = apply("Minimum", apply("Maximum", found, low), high)
        return result

    begin = place(key.start, low if step > 0 else high)
    end = place(key.stop, high if step > 0 else low)
    between = apply("Maximum", begin, end) if step > 0 else apply("Minimum", begin, end)
    return rows_between(rt, begin, between, step)
