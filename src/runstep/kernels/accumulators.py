"""Accumulators: gradients of one step are gathered, stale ones dropped, and taken out as a mean or a sum."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import shapes
from runstep.graph.dtypes import DType
from runstep.graph.shapes import RawShape
from runstep.kernels.lines import NOT_YET, Shared
from runstep.kernels.shared import invalid


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
    """Gradients of some rows; the mean of a row is over those that had it (source: tf.SparseConditionalAccumulator)."""

    def __init__(self, name: str, dtype: DType, shape: RawShape, mean: bool) -> None:
        super().__init__(name, dtype, shape, mean)
        self._rows: dict[int, list[Any]] = {}
        self._first: tuple[np.ndarray, np.ndarray] | None = None  # a lone gradient is given back as it came

    @property
    def nbytes(self) -> int:
        first = 0 if self._first is None else sum(part.nbytes for part in self._first)
        return int(first + sum(row[0].nbytes for row in self._rows.values()))

    def _check(self, indices: Any, values: Any, shape: Any) -> None:
        if np.ndim(indices) != 1:
            raise invalid(f"Input indices should be vector but received shape: {shapes.text(np.shape(indices))}")
        if not np.ndim(values):
            raise invalid("Values cannot be 0-dimensional.")
        if len(indices) != len(values):
            raise invalid(f"Expected {len(indices)} non-empty input values, got {len(values)}")
        for what, found in (("shape", shape), ("values", values.shape)):
            if found is None or self.shape is None:
                continue
            if len(found) != len(self.shape):
                raise invalid(f"Shape mismatch: expected {what} rank to be {len(self.shape)}, got {len(found)}")
            for axis, (size, wanted) in enumerate(zip(found, self.shape, strict=True)):
                if wanted is not None and int(size) != wanted and (what == "shape" or axis):
                    raise invalid(f"Shape mismatch: expected {what} dim {axis} to be {wanted}, got {int(size)}")

    def _add(self, indices: Any, values: Any, shape: Any) -> None:
        if self._first is None and not self._rows:
            self._first = indices.copy(), values.copy()
            return
        if self._first is not None:
            first, self._first = self._first, None
            self._merge(*first)
        self._merge(indices, values)

    def _merge(self, indices: np.ndarray, values: np.ndarray) -> None:
        for index, value in zip(indices.tolist(), values, strict=True):
            row = self._rows.get(index)
            if row is None:
                self._rows[index] = [np.array(value), 1]
            else:
                row[0] = row[0] + value
                row[1] += 1

    def _total(self) -> Any:
        shape: Any = self.shape
        if self._first is not None:
            indices, values = self._first
        else:
            indices = np.array(list(self._rows), np.int64)
            rows = [row[0] / row[0].dtype.type(row[1]) if self.mean else row[0] for row in self._rows.values()]
            values = np.array(rows, self.dtype.np)
        if shape is None:
            shape = (None, *values.shape[1:])
        return indices, values, np.array([-1 if size is None else size for size in shape], np.int64)

    def _empty(self) -> Any:
        kept = self._first, self._rows
        self._first, self._rows = None, {}
        return kept

    def _restore(self, kept: Any) -> None:
        first, rows = self._first, self._rows
        self._first, self._rows = kept
        if first is not None:
            self._add(*first, None)
        for index, (value, count) in rows.items():
            row = self._rows.setdefault(index, [np.zeros_like(value), 0])
            row[0], row[1] = row[0] + value, row[1] + count
