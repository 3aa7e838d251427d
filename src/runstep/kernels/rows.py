"""The rows that the turns of a loop leave for one product, or one sum, over all of them (`plan/turn_sums.py`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from runstep.kernels import blas

_MOST = 1 << 22  # bytes collected before they are added up


class Rows:
    """Matrices with as many columns each, or pairs of those with as many rows each."""

    __slots__ = ("_bytes", "_first", "_second", "_total")

    def __init__(self, pairs: bool) -> None:
        self._first: list[np.ndarray] = []
        self._second: list[np.ndarray] | None = [] if pairs else None
        self._bytes = 0
        self._total: np.ndarray | None = None

    @staticmethod
    def of_terms(count: int) -> Callable[[Any], Rows]:
        """What makes an empty collection of single matrices or pairs. It takes what the sum starts with."""
        return lambda start: Rows(count == 2)

    def add(self, first: np.ndarray, second: np.ndarray | None = None) -> Rows:
        """Adds the rows of one turn. The arrays are kept: nobody may write over them."""
        self._first.append(first)
        self._bytes += first.nbytes
        if second is not None:
            self._second.append(second)  # type: ignore[union-attr]
            self._bytes += second.nbytes
        if self._bytes > _MOST:
            self._flush()
        return self

    def _flush(self) -> None:
        first = _joined(self._first)
        if self._second is None:
            part = first.sum(axis=0)
        else:
            part = blas.matmul(first.T, _joined(self._second))
            self._second.clear()
        self._first.clear()
        self._bytes = 0
        self._total = part if self._total is None else np.add(self._total, part, out=self._total)

    def total(self, start: Any) -> Any:
        """`start` and the sum of all turns."""
        if self._first:
            self._flush()
        return start if self._total is None else start + self._total


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
