"""`tf.debugging.assert_shapes`: sizes of several tensors that must agree."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.composite import SparseTensor
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.operation import Operation
from runstep.graph.shapes import Dimension, TensorShape
from runstep.ops.assertions_static import assert_rank, assert_rank_at_least, assert_rank_in
from runstep.ops.basic import group
from runstep.ops.cast import cast
from runstep.ops.comparison import equal
from runstep.ops.logging import Assert
from runstep.ops.shape_ops import shape as shape_of

__all__ = ["assert_shapes"]


def assert_shapes(
    shapes: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> Operation:
    """Checks the shapes of tensors, now as far as they are known, else when the returned operation runs.

    Source: `tf.debugging.assert_shapes`.

    Args:
      shapes: a dict, or (tensor, shape) pairs. A shape is an iterable of sizes: a number; a symbol (most often text),
        which stands for one size in all shapes; None or "." for any size. `...` or "*" first stands for any sizes.
      data, summarize: what a failed check shows beside the sizes, and how much of it. message: goes before the error's.

    Raises:
      ValueError: a shape that is known is another one, or a shape cannot be read.
    """
    pairs = list(shapes.items()) if isinstance(shapes, dict) else list(shapes)
    prefix = f"{message}.  " if message else ""
    with name_scope(name, "assert_shapes", [shapes, data]):
        checks: list[Any] = []
        known: dict[Any, tuple[Any, str]] = {}
        for given, shape in pairs:
            tensor = given if isinstance(given, SparseTensor) else convert_to_tensor(given)
            check = _Check(tensor, prefix, data, summarize)
            sizes, open_ended = check.parse(shape)
            checks += check.rank(len(sizes), open_ended)
            for place, size in enumerate(sizes):
                axis = place - len(sizes) if open_ended else place
                checks += check.size(axis, size, known)
        return group(*checks)


class _Check:
    def __init__(self, tensor: Any, prefix: str, data: Any, summarize: int | None) -> None:
        self.tensor, self.prefix, self.data, self.summarize = tensor, prefix, data, summarize
        self.name = getattr(tensor, "name", str(tensor))
        self.static = tensor.get_shape()
        self.sizes = tensor.dense_shape if isinstance(tensor, SparseTensor) else shape_of(tensor)

    def parse(self, shape: Any) -> tuple[list[Any], bool]:
        """The sizes, and whether there may be others before them."""
        if not (hasattr(shape, "__iter__") or hasattr(shape, "__getitem__")):
            raise ValueError(
                f"{self.prefix}Tensor {self.name}.  Specified shape must be an iterable.  An iterable has the "
                f"attribute `__iter__` or `__getitem__`.  Received specified shape: {shape}"
            )
        sizes = list(shape.as_list()) if isinstance(shape, TensorShape) else list(shape)
        for place, size in enumerate(sizes[1:], 1):
            if size is Ellipsis or size == "*":
                raise ValueError(
                    f"{self.prefix}Tensor {self.name} specified shape index {place}.  Symbol `...` or `*` for a "
                    "variable number of unspecified dimensions is only allowed as the first entry"
                )
        open_ended = bool(sizes) and (sizes[0] is Ellipsis or sizes[0] == "*")
        return [_size(size) for size in sizes[open_ended:]], open_ended

    def rank(self, count: int, open_ended: bool) -> list[Any]:
        ranks = f"at least {count}" if open_ended else ("in (0, 1)" if count == 1 else str(count))
        ndims = self.static.ndims
        scalar_too = count == 1 and not open_ended  # a scalar stands for a vector of one
        if ndims is not None:
            if ndims == count or (open_ended and ndims > count) or (scalar_too and ndims == 0):
                return []
            raise ValueError(
                f"{self.prefix}Tensor {self.name} must have rank {ranks}.  Received rank {ndims}, shape {self.static}"
            )
        if scalar_too:
            return [assert_rank_in(self.tensor, (0, 1), self.data, self.summarize, self.prefix)]
        check = assert_rank_at_least if open_ended else assert_rank
        return [check(self.tensor, count, self.data, self.summarize, self.prefix)]

    def size(self, axis: int, wanted: Any, known: dict[Any, tuple[Any, str]]) -> list[Any]:
        """The checks of one size: against a number, or against the size that the symbol has stood for before."""
        if wanted is None:
            return []
        ndims = self.static.ndims
        if ndims == 0:
            actual: Any = 1
        else:
            found = None if ndims is None else self.static.as_list()[axis]
            actual = self.sizes[axis] if found is None else found
        if isinstance(wanted, int):
            return self._equal(axis, actual, wanted, "Specified explicitly")
        if wanted not in known:
            known[wanted] = actual, f"Specified by tensor {self.name} dimension {axis}"
            return []
        return self._equal(axis, actual, *known[wanted])

    def _equal(self, axis: int, actual: Any, wanted: Any, origin: str) -> list[Any]:
        text = f"{self.prefix}{origin}.  Tensor {self.name} dimension {axis} must have size"
        if isinstance(actual, int) and isinstance(wanted, int):
            if actual != wanted:
                raise ValueError(f"{text} {wanted}.  Received size {actual}, shape {self.static}")
            return []
        data = [text, wanted, "Received shape:", self.sizes] if self.data is None else self.data
        same = equal(cast(actual, dtypes.int64), cast(wanted, dtypes.int64))
        return [Assert(same, data, summarize=self.summarize)]


def _size(size: Any) -> Any:
    """A number, a symbol, or None for any size."""
    if size is None or size == ".":
        return None
    if isinstance(size, Dimension):
        return size.value
    if isinstance(size, str):
        return int(size) if size.isdigit() else size
    return int(size) if isinstance(size, int | float | np.number) else size
