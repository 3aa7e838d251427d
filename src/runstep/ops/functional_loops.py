"""Functions applied along the first axis: `map_fn`, `scan`, `foldl`, `foldr`. A loop over TensorArrays each."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from runstep.graph import nest
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.dtypes import as_dtype
from runstep.graph.graph import name_scope
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor
from runstep.ops.looping import while_loop
from runstep.ops.shape_ops import shape as shape_of
from runstep.ops.tensor_array import TensorArray
from runstep.variables.scope import get_variable_scope

__all__ = ["foldl", "foldr", "map_fn", "scan"]


@contextlib.contextmanager
def _variables_cached() -> Iterator[None]:
    """Variables made in the `with` block are read once, outside of the loop, where no caching device is set."""
    scope = get_variable_scope()
    unset = scope.caching_device is None
    if unset:
        scope.set_caching_device(lambda op: op.device)
    try:
        yield
    finally:
        if unset:
            scope.set_caching_device(None)


def _checked(fn: Any) -> None:
    if not callable(fn):
        raise TypeError(f"fn must be callable, got {fn!r}.")


def _tensors(elems: Any) -> list[Tensor]:
    return [convert_to_tensor(elem, name="elem") for elem in nest.flatten(elems)]


def _count(elems: Sequence[Tensor]) -> Any:
    """The length of the first axis: an int where it is known (and not 0, as TensorFlow has it), else a tensor."""
    known = elems[0].shape[0].value
    return known or shape_of(elems[0])[0]


def _known_count(elems: Sequence[Tensor]) -> int | None:
    """The static length of the first axis, of which all must agree (ValueError)."""
    count = elems[0].shape[0]
    for elem in elems[1:]:
        count = count.merge_with(elem.shape[0])
    found: int | None = count.value
    return found


def _arrays(elems: Sequence[Tensor], count: Any, shaped: bool = False) -> list[TensorArray]:
    """A TensorArray of the rows of each tensor."""
    arrays = [
        TensorArray(
            elem.dtype,
            size=count,
            dynamic_size=False,
            infer_shape=True,
            element_shape=elem.shape[1:] if shaped else None,
        )
        for elem in elems
    ]
    return [array.unstack(elem) for array, elem in zip(arrays, elems, strict=True)]


def _stacked(arrays: Sequence[TensorArray], count: int | None) -> list[Tensor]:
    results = [array.stack() for array in arrays]
    for result in results:
        result.set_shape(TensorShape([count]).concatenate(result.shape[1:]))
    return results


def map_fn(
    fn: Callable[[Any], Any],
    elems: Any,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    name: str | None = None,
    fn_output_signature: Any = None,
) -> Any:
    """`fn` of each row of `elems`, stacked (source: tf.map_fn).

    Args:
      fn: from a row (a structure like `elems`) to a structure of tensors like `dtype`.
      elems: a nested structure of tensors whose first axes have one length.
      dtype: the dtypes of what `fn` returns, in its structure; those of `elems` by default.
        fn_output_signature: the same by its newer name.
      infer_shape: whether all results have one shape.
      parallel_iterations, back_prop, swap_memory: as in `while_loop`.

    Raises:
      TypeError: `fn` is not callable. ValueError: no elements, scalars, differing lengths or structures.
    """
    _checked(fn)
    if fn_output_signature is None:
        fn_output_signature = dtype
    if not nest.flatten(elems):
        raise ValueError(
            f"elems must be a Tensor or (possibly nested) sequence of Tensors. Got {elems!r}, which does not contain "
            "any Tensors."
        )
    with name_scope(name, "map", nest.flatten(elems)), _variables_cached():
        tensors = _tensors(elems)
        if any(tensor.raw_shape == () for tensor in tensors):
            raise ValueError("Elements in elems must be 1+ dimensional Tensors, not scalars")
        known = _known_count(tensors)
        count = _count(tensors)
        rows = _arrays(tensors, count)
        like = elems if fn_output_signature is None else fn_output_signature
        kinds = [
            as_dtype(getattr(kind, "dtype", kind))
            for kind in (tensors if fn_output_signature is None else nest.flatten(fn_output_signature))
        ]
        start = constant(0)
        results = [TensorArray(kind, size=count, dynamic_size=False, infer_shape=infer_shape) for kind in kinds]

        def turn(i: Tensor, arrays: Any) -> Any:
            value = fn(nest.pack_sequence_as(elems, [row.read(i) for row in rows]))
            nest.assert_same_structure(like, value)
            written = [array.write(i, part) for array, part in zip(arrays, nest.flatten(value), strict=True)]
            return i + 1, written

        _, results = while_loop(
            lambda i, _: i < count,
            turn,
            (start, results),
            parallel_iterations=parallel_iterations or 10,
            back_prop=back_prop,
            swap_memory=swap_memory,
            maximum_iterations=count,
        )
        return nest.pack_sequence_as(like, _stacked(results, known))


def scan(
    fn: Callable[[Any, Any], Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    reverse: bool = False,
    name: str | None = None,
) -> Any:
    """What `fn` accumulates row by row, after each of them, stacked (source: tf.scan).

    Args:
      fn: from what is accumulated so far and a row of `elems` to what is accumulated next.
      elems: a nested structure of tensors whose first axes have one length.
      initializer: what is accumulated before the first row; by default the first row itself, which `fn` then isn't
        called with.
      infer_shape: whether all results have one shape. reverse: from the last row to the first.
      parallel_iterations, back_prop, swap_memory: as in `while_loop`.

    Raises:
      TypeError: `fn` is not callable. ValueError: differing lengths or structures. IndexError: no rows to go along.
    """
    _checked(fn)
    with name_scope(name, "scan", nest.flatten(elems)), _variables_cached():
        tensors = _tensors(elems)
        count = _count(tensors)
        rows = _arrays(tensors, count, shaped=True)
        like = elems if initializer is None else initializer
        if initializer is None:
            value = [row.read(count - 1 if reverse else 0) for row in rows]
            done = 1
        else:
            value = [convert_to_tensor(init) for init in nest.flatten(initializer)]
            done = 0
        arrays = [
            TensorArray(
                init.dtype,
                size=count,
                element_shape=init.shape if infer_shape else None,
                dynamic_size=False,
                infer_shape=infer_shape,
            )
            for init in value
        ]
        if initializer is None:
            arrays = [array.write(count - 1 if reverse else 0, init) for array, init in zip(arrays, value, strict=True)]

        def turn(i: Tensor, value: Any, arrays: Any) -> Any:
            row = nest.pack_sequence_as(elems, [row.read(i) for row in rows])
            found = fn(nest.pack_sequence_as(like, value), row)
            nest.assert_same_structure(like, found)
            parts = nest.flatten(found)
            written = [array.write(i, part) for array, part in zip(arrays, parts, strict=True)]
            return i - 1 if reverse else i + 1, parts, written

        _, _, arrays = while_loop(
            (lambda i, *_: i >= 0) if reverse else (lambda i, *_: i < count),
            turn,
            (count - 1 - done if reverse else done, value, arrays),
            parallel_iterations=parallel_iterations,
            back_prop=back_prop,
            swap_memory=swap_memory,
            maximum_iterations=count,
        )
        return nest.pack_sequence_as(like, _stacked(arrays, _known_count(tensors)))


def foldl(
    fn: Callable[[Any, Any], Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """What `fn` accumulates from the first row of `elems` to the last; see `scan` (source: tf.foldl)."""
    _checked(fn)
    with name_scope(name, "foldl", nest.flatten(elems)), _variables_cached():
        tensors = _tensors(elems)
        count = _count(tensors)
        rows = _arrays(tensors, count)
        if initializer is None:
            value = nest.pack_sequence_as(elems, [row.read(0) for row in rows])
            start = constant(1)
        else:
            value = initializer
            start = constant(0)

        def turn(i: Tensor, value: Any) -> Any:
            row = nest.pack_sequence_as(elems, [row.read(i) for row in rows])
            value = fn(value, row)
            return [i + 1, value]

        return while_loop(
            lambda i, _: i < count,
            turn,
            [start, value],
            parallel_iterations=parallel_iterations,
            back_prop=back_prop,
            swap_memory=swap_memory,
            maximum_iterations=count,
        )[1]


def foldr(
    fn: Callable[[Any, Any], Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """What `fn` accumulates from the last row of `elems` to the first; see `scan` (source: tf.foldr)."""
    _checked(fn)
    with name_scope(name, "foldr", nest.flatten(elems)), _variables_cached():
        tensors = _tensors(elems)
        count = _count(tensors)
        rows = _arrays(tensors, count)
        if initializer is None:
            start = count - 1
            value = nest.pack_sequence_as(elems, [row.read(start) for row in rows])
        else:
            start = count
            value = initializer

        def turn(i: Tensor, value: Any) -> Any:
            i = i - 1
            row = nest.pack_sequence_as(elems, [row.read(i) for row in rows])
            return [i, fn(value, row)]

        return while_loop(
            lambda i, _: i > 0,
            turn,
            [start, value],
            parallel_iterations=parallel_iterations,
            back_prop=back_prop,
            swap_memory=swap_memory,
            maximum_iterations=count,
        )[1]
