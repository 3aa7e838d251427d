"""Assertions on ranks and dtypes: known while the graph is built, or operations that check when run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.composite import IndexedSlices, SparseTensor
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import convert_to_tensor
from runstep.graph.dtypes import DType
from runstep.graph.graph import name_scope
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.assertions import prefixed
from runstep.ops.basic import no_op, with_dependencies
from runstep.ops.comparison import equal, greater_equal, logical_or
from runstep.ops.logging import Assert
from runstep.ops.shape_ops import rank as rank_of, shape as shape_of

__all__ = [
    "assert_integer",
    "assert_proper_iterable",
    "assert_rank",
    "assert_rank_at_least",
    "assert_rank_in",
    "assert_same_float_dtype",
    "assert_scalar",
    "assert_type",
    "is_numeric_tensor",
]


def assert_type(tensor: Any, tf_type: Any, message: str | None = None, name: str | None = None) -> Operation:
    """An operation that does nothing, if `tensor` has the dtype `tf_type` (source: tf.assert_type).

    Raises:
      TypeError: it has another one.
    """
    kind = dtypes.as_dtype(tf_type)
    with name_scope(name, "assert_type", [tensor]):
        if not isinstance(tensor, SparseTensor):
            tensor = convert_to_tensor(tensor, name="tensor")
        if tensor.dtype != kind:
            shown = tensor.name if isinstance(tensor, Tensor) else repr(tensor)
            raise TypeError(f"{prefixed(message)}{shown} must be of type tf.{kind.name}; got tf.{tensor.dtype.name}")
        return no_op("statically_determined_correct_type")


def assert_integer(x: Any, message: str | None = None, name: str | None = None) -> Operation:
    """An operation that does nothing, if `x` has an integer dtype. Else TypeError (source: tf.assert_integer)."""
    with name_scope(name, "assert_integer", [x]):
        x = convert_to_tensor(x, name="x")
        if not x.dtype.is_integer:
            raise TypeError(f'{prefixed(message)}Expected "x" to be integer type.  Found: {x.name} of dtype {x.dtype}')
        return no_op("statically_determined_was_integer")


def is_numeric_tensor(tensor: Any) -> bool:
    """Whether it is a tensor of numbers, not of bools or strings (source: tf.is_numeric_tensor)."""
    if not isinstance(tensor, Tensor):
        return False
    kind = tensor.dtype.base_dtype
    return bool(kind.is_floating or kind.is_complex or kind.is_integer or kind.is_quantized)


def assert_scalar(tensor: Any, name: str | None = None, message: str | None = None) -> Tensor:
    """`tensor`, if its static shape is that of a scalar. Else ValueError (source: tf.debugging.assert_scalar)."""
    with name_scope(name, "assert_scalar", [tensor]) as scope:
        found = convert_to_tensor(tensor, name=scope)
        if found.raw_shape != ():
            raise ValueError(
                f"{prefixed(message)}Expected scalar shape for {found.name}, saw shape: {found.get_shape()}."
            )
        return found


def assert_proper_iterable(values: Any) -> None:
    """Raises TypeError unless `values` is an iterable other than a tensor, array, or string."""
    if isinstance(values, Tensor | SparseTensor | IndexedSlices | np.ndarray | bytes | str):
        raise TypeError(f'Expected argument "values" to be a "proper" iterable.  Found: {type(values)}')
    if not isinstance(values, Iterable):
        raise TypeError(f'Expected argument "values" to be iterable.  Found: {type(values)}')


def assert_same_float_dtype(tensors: Any = None, dtype: Any = None) -> DType:
    """The one floating dtype that the tensors have; float32 for none (source: tf.debugging.assert_same_float_dtype).

    Raises:
      ValueError: they differ among each other or from `dtype`, or are not floating.
    """
    kind = None if dtype is None else dtypes.as_dtype(dtype).base_dtype
    first = None
    for tensor in tensors or ():
        if tensor is None:
            continue
        found = tensor.dtype.base_dtype
        if kind is None:
            kind, first = found, tensor
        elif found is not kind:
            like = "" if first is None else f" as {first.name}"
            raise ValueError(f"{tensor.name}, type={found}, must be of the same type ({kind}){like}.")
    if kind is None:
        return dtypes.float32
    if not kind.is_floating:
        raise ValueError(f"Expected floating point type, got {kind}.")
    return kind


def _known_ranks(ranks: Sequence[Tensor]) -> list[int | None]:
    """The ranks that are known. ValueError for a rank that is not a scalar, TypeError for one that is not int32."""
    known: list[int | None] = []
    for rank in ranks:
        assert_type(rank, dtypes.int32)
    for rank in ranks:
        if rank.raw_shape not in ((), None):
            raise ValueError("Rank must be a scalar.")
        value = constant_value(rank)
        known.append(None if value is None else int(value))
    return known


def _check(
    x: Any,
    ranks: Sequence[Any],
    words: str,
    shown: str,
    holds: Callable[[int, list[int]], bool],
    condition: Callable[[list[Tensor]], Tensor],
    data: Any,
    summarize: int | None,
    message: str,
) -> Any:
    """The operation that checks the rank of `x` against `ranks`, or says that nothing is left to check."""
    sparse = isinstance(x, SparseTensor)
    if not sparse:
        x = convert_to_tensor(x, name="x")
    name = "SparseTensor" if sparse else x.name
    # A list of several ranks is for tf.assert_rank_in alone.
    tensors = [convert_to_tensor(rank, name="rank") for rank in ranks]
    if data is None:
        data = [message, f"Tensor {name} must have rank {words}".rstrip(), *tensors, "Received shape: ", shape_of(x)]
    known = _known_ranks(tensors)
    shape = x.get_shape()
    if shape.ndims is not None and None not in known:
        wanted = [rank for rank in known if rank is not None]
        if not holds(shape.ndims, wanted):
            text = shown.format(wanted[0] if len(ranks) == 1 and "in" not in words else tuple(wanted))
            raise ValueError(
                f"{message}Tensor {name} must have rank {text}.  Received rank {shape.ndims}, shape {shape}"
            )
        return no_op("static_checks_determined_all_ok")
    found = condition([rank_of(x), *tensors])
    controls = [assert_rank(rank, 0, data=data) for rank, value in zip(tensors, known, strict=True) if value is None]
    if controls:
        found = with_dependencies(controls, found)
    return Assert(found, data, summarize=summarize)


def assert_rank(
    x: Any,
    rank: Any,
    data: Any = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Any:
    """The operation that fails unless `x` has the rank `rank`, an int32 scalar (source: tf.assert_rank).

    Raises:
      ValueError: it is known already that it hasn't, or `rank` isn't a scalar. TypeError: `rank` is not int32.
    """
    with name_scope(name, "assert_rank", [x, rank, *(data or [])]):
        return _check(
            x,
            [rank],
            "",
            "{}",
            lambda actual, wanted: actual == wanted[0],
            lambda found: equal(found[0], found[1]),
            data,
            summarize,
            prefixed(message),
        )


def assert_rank_at_least(
    x: Any,
    rank: Any,
    data: Any = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Any:
    """The operation that fails unless `x` has the rank `rank` or more; see `assert_rank`."""
    with name_scope(name, "assert_rank_at_least", [x, rank, *(data or [])]):
        return _check(
            x,
            [rank],
            "at least",
            "at least {}",
            lambda actual, wanted: actual >= wanted[0],
            lambda found: greater_equal(found[0], found[1]),
            data,
            summarize,
            prefixed(message),
        )


def assert_rank_in(
    x: Any,
    ranks: Any,
    data: Any = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Any:
    """The operation that fails unless the rank of `x` is one of `ranks`; see `assert_rank`."""

    def any_of(found: list[Tensor]) -> Tensor:
        matches = [equal(rank, found[0]) for rank in found[1:]]
        either = matches[0]
        for match in matches[1:]:
            either = logical_or(either, match)
        return either

    with name_scope(name, "assert_rank_in", [x, *ranks, *(data or [])]):
        return _check(
            x,
            list(ranks),
            "in",
            "in {}",
            lambda actual, wanted: actual in wanted,
            any_of,
            data,
            summarize,
            prefixed(message),
        )
