"""Accumulators: gradients of one step are gathered, stale ones dropped, and taken out as a mean or a sum."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import shapes
from runstep.graph.dtypes import DType
from runstep.graph.shapes import RawShape
from runstep.kernels.lines import NOT_YET, Shared
from runstep.kernels.shared import invalid

Row = tuple[int, Any, int]
"""Index, sum, how many gradients had it."""


class Accumulator(Shared):
    """What dense and sparse ones share.

    Attributes:
      dtype, shape: of the gradients. mean: a mean is taken out, else a sum. count: gradients gathered.
      step: gradients computed before this step are stale.
    """

    def __init__(self, name: str, dtype: DType, shape: RawShape, mean: bool) -> None:
        super().__init__(1)
        self.name = name
        self.dtype = dtype
        self.shape = shape
        self.mean = mean
        self.count = 0
        self.step = 0

    def apply(self, step: int, *gradient: Any) -> None:
        """Adds a gradient that was computed at `step`; a stale one is dropped.

        Raises:
          InvalidArgumentError: its shape is not that of the others.
        """

        def add() -> None:
            if step >= self.step:
                self._check(*gradient)
                self._add(*gradient)
                self.count += 1

        self.change(add)

    async def take(self, required: int) -> Any:
        """What `required` or more gradients come to; waits for them. Then the accumulator is empty, one step on."""

        def attempt() -> Any:
            if self.count < required or not self.count:
                return NOT_YET
            found = self._total()
            before = self.count
            self.count = 0
            self.step += 1
            return found, before, self._empty()

        def undo(taken: Any) -> None:
            self._restore(taken[2])
            self.count += taken[1]
            self.step -= 1

        reason = lambda: f"{self.in_words}, {required} to take"  # noqa: E731
        return (await self.stand(0, attempt, "TakeGrad", reason, undo))[0]

    @property
    def in_words(self) -> str:
        """What it is and how full, for people."""
        return f"accumulator '{self.name}' {self.count} gradients at step {self.step}"

    def set_step(self, step: int) -> None:
        """Sets the current step."""

        def change() -> None:
            self.step = step

        self.change(change)

    def _check(self, *gradient: Any) -> None:
        raise NotImplementedError

    def _add(self, *gradient: Any) -> None:
        raise NotImplementedError

    def _total(self) -> Any:
        raise NotImplementedError

    def _empty(self) -> Any:
        """Forgets everything; returns what `_restore` needs to bring it back."""
        raise NotImplementedError

    def _restore(self, kept: Any) -> None:
        raise NotImplementedError


class DenseAccumulator(Accumulator):
    """Source: tf.ConditionalAccumulator."""

    _sum: np.ndarray | None = None

    @property
    def nbytes(self) -> int:
        return 0 if self._sum is None else int(self._sum.nbytes)

    def _check(self, gradient: Any) -> None:
        expected: Any = self.shape if self._sum is None or not self.count else self._sum.shape
        if not shapes.is_compatible(gradient.shape, expected):
            raise invalid(f"Shape mismatch: expected {shapes.text(expected)}, got {shapes.text(gradient.shape)}")

    def _add(self, gradient: Any) -> None:
        if self._sum is None:
            self._sum = np.array(gradient)
        else:
            np.add(self._sum, gradient, out=self._sum)

    def _total(self) -> Any:
        assert self._sum is not None
        if not self.mean:
            return self._sum.copy()
        return (self._sum / self._sum.dtype.type(self.count)).astype(self.dtype.np)

    def _empty(self) -> Any:
        kept, self._sum = self._sum, None
        return kept

    def _restore(self, kept: Any) -> None:
        self._sum = kept if self._sum is None else self._sum + kept


class SparseAccumulator(Accumulator):
    """Gradients of some rows; the mean of a row is over those that had it (source: tf.SparseConditionalAccumulator).

    Gradients are merged as if their indices rose, as they do in TensorFlow: in another order, an index may stay twice.
    """

    def __init__(self, name: str, dtype: DType, shape: RawShape, mean: bool) -> None:
        super().__init__(name, dtype, shape, mean)
        self._rows: list[Row] = []
        self._row_shape: tuple[int, ...] = ()

    @property
    def nbytes(self) -> int:
        return int(sum(8 + row[1].nbytes for row in self._rows))

    def _check(self, indices: Any, values: Any, shape: Any) -> None:
        if np.ndim(indices) != 1:
            raise invalid(f"Input indices should be vector but received shape: {shapes.text(np.shape(indices))}")
        if not np.ndim(values):
            raise invalid("Values cannot be 0-dimensional.")
        if len(indices) != len(values):
            raise invalid(f"Expected {len(indices)} non-empty input values, got {len(values)}")
        for what, found in (("shape", shape), ("values", values.shape)):
            if found is None or not self.shape:  # rank 0 is no shape, as in TensorFlow
                continue
            if len(found) != len(self.shape):
                rank = "rank at least" if what == "shape" else "rank to be"
                raise invalid(f"Shape mismatch: expected {what} {rank} {len(self.shape)}, got {len(found)}")
            for axis, (size, wanted) in enumerate(zip(found, self.shape, strict=True)):
                if wanted is not None and int(size) != wanted and (what == "shape" or axis):
                    raise invalid(f"Shape mismatch: expected {what} dim {axis} to be {wanted}, got {int(size)}")

    def _add(self, indices: Any, values: Any, shape: Any) -> None:
        self._row_shape = values.shape[1:]
        rows = [(index, value, 1) for index, value in zip(indices.tolist(), values.copy(), strict=True)]
        self._rows = _merged(self._rows, rows)

    def _total(self) -> Any:
        rows = [value / value.dtype.type(count) if self.mean else value for _, value, count in self._rows]
        values = np.array(rows, self.dtype.np).reshape(len(rows), *self._row_shape)
        shape: Any = self.shape
        if not shape:
            shape = (None, *self._row_shape)
        indices = np.array([row[0] for row in self._rows], np.int64)
        return indices, values, np.array([-1 if size is None else size for size in shape], np.int64)

    def _empty(self) -> Any:
        kept, self._rows = self._rows, []
        return kept

    def _restore(self, kept: Any) -> None:
        self._rows = _merged(kept, self._rows)


def _merged(left: list[Row], right: list[Row]) -> list[Row]:
    """The rows of both, where the same index comes next in both their sum."""
    found: list[Row] = []
    place = 0
    for row in left:
        while place < len(right) and right[place][0] < row[0]:
            found.append(right[place])
            place += 1
        if place < len(right) and right[place][0] == row[0]:
            row = row[0], row[1] + right[place][1], row[2] + right[place][2]
            place += 1
        found.append(row)
    return found + right[place:]
