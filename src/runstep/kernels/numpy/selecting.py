"""Kernels that choose elements: select, where, unique, differences of lists, bounds, checks."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from runstep.kernels.numpy.shape_ops import HANDLES, invalid, text
from runstep.kernels.registry import Kernel, Node, numpy_kernel

# --- Select, SelectV2, Where --------------------------------------------------------------------------------------


@numpy_kernel.make("Select", view=True)
def select(node: Node) -> Kernel:
    where = np.where

    def refuse(condition: Any, x: Any) -> NoReturn:
        invalid(
            f"Inputs to operation {node.name} of type Select must have the same size and shape.  "
            f"Input 0: {text(condition.shape)} != input 1: {text(x.shape)}"
        )

    if node.input_types[1] in HANDLES:
        return lambda condition, x, y: x if bool(condition) else y

    def kernel(condition: Any, x: Any, y: Any) -> Any:
        if x.shape != y.shape:
            invalid(f"'then' and 'else' must have the same size.  but received: {text(x.shape)} vs. {text(y.shape)}")
        if not condition.ndim:
            return x if condition else y
        if condition.shape != x.shape:
            if condition.ndim != 1 or not x.ndim or condition.shape[0] != x.shape[0]:
                if condition.ndim == 1 and x.ndim == 1:
                    refuse(condition, x)
                if condition.ndim == 1 and x.ndim:
                    invalid(
                        "Number of batches of 'then' must match size of 'cond', but saw: "
                        f"{x.shape[0]} vs. {condition.size}"
                    )
                refuse(condition, x)
            condition = condition.reshape((-1,) + (1,) * (x.ndim - 1))
        return where(condition, x, y)

    return kernel


@numpy_kernel.make("SelectV2", view=True)
def select_v2(node: Node) -> Kernel:
    where = np.where

    def refuse(condition: Any, x: Any) -> NoReturn:
        invalid(
            f"Inputs to operation {node.name} of type Select must have the same size and shape.  "
            f"Input 0: {text(condition.shape)} != input 1: {text(x.shape)}"
        )

    if node.input_types[1] in HANDLES:
        return lambda condition, x, y: x if bool(condition) else y

    def kernel(condition: Any, x: Any, y: Any) -> Any:
        try:
            return where(condition, x, y)
        except ValueError:
            invalid(
                f"condition {text(condition.shape)}, then {text(x.shape)}, and else {text(y.shape)} "
                "must be broadcastable"
            )

    return kernel


@numpy_kernel("Where")
def where(condition: Any) -> Any:
    if not 1 <= condition.ndim <= 8:
        invalid(f"WhereOp : Unhandled input dimensions: {condition.ndim}")
    return np.stack(np.nonzero(condition), 1).astype(np.int64, copy=False)


# --- Unique and its relatives, ListDiff ---------------------------------------------------------------------------


def _keys(x: Any) -> Any:
    """What tells elements of two bytes apart in TensorFlow: their bits, so that the two zeros differ."""
    bits = x.view(np.uint16).astype(np.int64)
    different = np.flatnonzero(x != x)
    bits[different] = (1 << 16) + different  # NaN differs from all, itself included
    return bits


_FEW = 256
"""Integers up to which a dictionary tells those that are alike faster than sorting does."""


def _first_places(x: Any) -> tuple[Any, Any, Any]:
    """For the distinct values of a vector in order of appearance: their first places, each element's number among
    them, and how often each occurs. NaNs are all distinct."""
    if x.dtype == object or (x.size <= _FEW and x.dtype.kind in "iu"):
        values = x.tolist()
        seen: dict[Any, int] = dict.fromkeys(values, 0)
        if len(seen) == len(values):
            places = np.arange(len(values))
            return places, places, np.ones(len(values), np.int64)
        for place, value in enumerate(seen):
            seen[value] = place
        number = np.array([seen[value] for value in values], np.int64)
        first = np.empty(len(seen), np.int64)
        first[number[::-1]] = np.arange(x.size)[::-1]
        return first, number, np.bincount(number, minlength=len(seen))
    if x.dtype.itemsize == 2 and x.dtype.kind not in "iu":
        x = _keys(x)
    _, first, inverse, counts = np.unique(
        x, return_index=True, return_inverse=True, return_counts=True, equal_nan=False
    )
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    return first[order], rank[inverse.reshape(-1)], counts[order]


@numpy_kernel.make("Unique", "UniqueWithCounts")
def unique(node: Node) -> Kernel:
    dtype, counted = node.output_types[1].np, len(node.output_types) == 3

    def kernel(x: Any) -> Any:
        if x.ndim != 1:
            invalid("unique expects a 1D vector.")
        first, number, counts = _first_places(x)
        found = (x[first], number.astype(dtype))
        return (*found, counts.astype(dtype)) if counted else found

    return kernel


def _slice_numbers(x: Any, axis: int) -> tuple[Any, Any, Any]:
    rows = np.moveaxis(x, axis, 0).reshape(x.shape[axis], x.size // max(x.shape[axis], 1))
    seen: dict[Any, int] = {}
    number = np.empty(len(rows), np.int64)
    first: list[int] = []
    for i, row in enumerate(rows):
        # NaN makes a slice differ from all others; 0.0 and -0.0 are the same.
        key: Any = tuple(row.tolist())
        if row.dtype.kind not in "OSb" and not (row == row).all():
            key = (i, key)
        found = seen.setdefault(key, len(first))
        if found == len(first):
            first.append(i)
        number[i] = found
    return np.array(first, np.int64), number, np.bincount(number, minlength=len(first))


@numpy_kernel.make("UniqueV2", "UniqueWithCountsV2")
def unique_v2(node: Node) -> Kernel:
    dtype, counted = node.output_types[1].np, len(node.output_types) == 3

    def kernel(x: Any, axes: Any) -> Any:
        if axes.ndim != 1:
            invalid(f"axis expects a 1D vector, got shape {text(axes.shape)}")
        if axes.size == 0:
            if x.ndim != 1:
                invalid("unique expects a 1D vector.")
            axis = 0
        else:
            if axes.size != 1:
                invalid("axis does not support input tensors larger than 1 elements")
            axis = int(axes[0])
            if not -x.ndim <= axis < x.ndim:
                invalid(f"axis has to be between [0, {x.ndim})")
        first, number, counts = _first_places(x) if x.ndim == 1 else _slice_numbers(x, axis % x.ndim)
        found = (x.take(first, axis), number.astype(dtype))
        return (*found, counts.astype(dtype)) if counted else found

    return kernel


@numpy_kernel.make("ListDiff")
def list_diff(node: Node) -> Kernel:
    dtype = node.output_types[1].np

    def kernel(x: Any, y: Any) -> Any:
        if x.ndim != 1:
            invalid("x should be a 1D vector.")
        if y.ndim != 1:
            invalid("y should be a 1D vector.")
        if x.dtype == object:
            known = set(y.tolist())
            kept = np.array([value not in known for value in x.tolist()], bool)
        elif x.dtype.itemsize == 2 and x.dtype.kind not in "iu":
            kept = np.isin(_keys(x), y.view(np.uint16), invert=True)
        else:
            kept = np.isin(x, y, invert=True)
        places = np.flatnonzero(kept)
        return x[places], places.astype(dtype)

    return kernel


# --- LowerBound, UpperBound ---------------------------------------------------------------------------------------


@numpy_kernel.make("LowerBound", "UpperBound")
def bound(node: Node) -> Kernel:
    dtype = node.output_types[0].np
    side: Any = "left" if node.type == "LowerBound" else "right"

    def kernel(lists: Any, values: Any) -> Any:
        if lists.ndim != 2:
            invalid(f"Shape must be rank 2 but is rank {lists.ndim} for `sorted_inputs` argument")
        if values.ndim != 2:
            invalid(f"Shape must be rank 2 but is rank {values.ndim} for `values` argument")
        if values.shape[0] != lists.shape[0]:
            invalid("Leading dim_size of both tensors must match.")
        if lists.dtype.kind not in "biuf":
            lists, values = lists.astype(np.float32), values.astype(np.float32)
        out = np.empty(values.shape, dtype)
        for row, (sorted_, wanted) in enumerate(zip(lists, values, strict=True)):
            out[row] = np.searchsorted(sorted_, wanted, side)
        if side == "left" and values.dtype.kind == "f":
            out[np.isnan(values)] = 0  # nothing is less than NaN
        return out

    return kernel


# --- CheckNumerics ------------------------------------------------------------------------------------------------


def _complain(node: Node, value: Any) -> NoReturn:
    message = node.attrs["message"].decode()
    nan, infinite = bool(np.isnan(value).any()), np.isinf(value)
    found = []
    if node.type == "CheckNumericsV2":
        found = [
            name for name, bad in (("-Inf", infinite & (value < 0)), ("+Inf", infinite & (value > 0))) if bad.any()
        ]
        if nan:
            found.append("NaN")
        text_ = ", ".join(found)
        if len(found) > 1:
            text_ = ", ".join(found[:-1]) + (", and " if len(found) > 2 else " and ") + found[-1]
    else:
        found = ["Inf"] if infinite.any() else []
        found += ["NaN"] if nan else []
        text_ = " and ".join(found)
    invalid(f"{message} : Tensor had {text_} values")


@numpy_kernel.make("CheckNumerics", "CheckNumericsV2", view=True)
def check_numerics(node: Node) -> Kernel:
    isfinite = np.isfinite

    def kernel(value: Any) -> Any:
        if not isfinite(value).all():
            _complain(node, value)
        return value

    return kernel
