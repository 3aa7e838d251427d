"""`tf.vectorized_map`: a function of each row, whose result says by itself what it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runstep.graph import nest
from runstep.graph.convert import convert_to_tensor
from runstep.graph.functions import FunctionGraph
from runstep.graph.graph import get_default_graph
from runstep.graph.tensor import Tensor
from runstep.ops.functional_loops import map_fn
from runstep.ops.shape_ops import broadcast_to, shape

__all__ = ["vectorized_map"]


def vectorized_map(fn: Callable[[Any], Any], elems: Any, fallback_to_while_loop: bool = True, warn: bool = True) -> Any:
    """`fn` of each row of `elems`, the results stacked (source: tf.vectorized_map).

    The rows are taken in a loop, as by `map_fn`; what comes out is TensorFlow's. `fn` is called once more, to see what
    it returns.

    Args:
      elems: a tensor or a nested structure of them, whose first sizes are equal, or 1: such a row is for all.

    Raises:
      ValueError: elems is empty, or a first size is neither.
    """
    rows = [convert_to_tensor(elem) for elem in nest.flatten(elems)]
    if not rows:
        raise ValueError("elems must be a Tensor or (possibly nested) sequence of Tensors.")
    sizes = {row.shape[0].value for row in rows}
    if len(sizes) > 1 and 1 in sizes:
        longest = next(row for row in rows if row.shape[0].value != 1)
        rows = [_stretched(row, longest) if row.shape[0].value == 1 else row for row in rows]
    packed = nest.pack_sequence_as(elems, rows)
    found = _result_of(fn, nest.pack_sequence_as(elems, [row[0] for row in rows]))
    types = nest.pack_sequence_as(found, [tensor.dtype for tensor in nest.flatten(found)])

    def each(row: Any) -> Any:
        result = fn(row)
        return nest.pack_sequence_as(result, [convert_to_tensor(part) for part in nest.flatten(result)])

    return map_fn(each, packed, dtype=types)


def _stretched(row: Tensor, longest: Tensor) -> Tensor:
    from runstep.ops.joining import concat

    return broadcast_to(row, concat([shape(longest)[:1], shape(row)[1:]], 0))


def _result_of(fn: Callable[[Any], Any], row: Any) -> Any:
    """What `fn` returns for one row: tensors of a graph that nobody keeps."""
    scratch = FunctionGraph("vectorized_map", get_default_graph())
    with scratch.as_default():
        result = fn(nest.pack_sequence_as(row, [scratch.capture(part) for part in nest.flatten(row)]))
        return nest.pack_sequence_as(result, [convert_to_tensor(part) for part in nest.flatten(result)])
