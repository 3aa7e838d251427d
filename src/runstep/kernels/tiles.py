"""Element-by-element work on large arrays, tile by tile: what one tile needs stays in the cache between its kernels.

A chain of kernels on arrays of megabytes spends its time on memory. Here each tile of the inputs goes through the whole
chain before the next one is looked at, on all cores where the work is large.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from runstep.kernels import parallel
from runstep.kernels.llvm.loop import COLUMN, FULL, ONE, ROW, Loop, over

Array = Any

LARGE = 1 << 16
"""Elements from which an array goes through tile by tile."""

TILE = 1 << 15
"""Elements of a tile: 128 KiB of float32. A handful of them fit into a core's own cache."""

SLOW_BESIDE_SCALARS = frozenset(("Maximum", "Minimum"))
"""Ops whose ufunc takes four times as long for an array and a scalar as for two arrays."""

_SPLIT = 1 << 21
"""Elements times kernels from which the work is worth a second thread."""


class Layout:
    """The inputs of one call, cut for tiles: rows of `width` elements, `rows` to a tile.

    A full input is cut, a column has one element a row and is cut too, a row vector is repeated to the length of a
    tile, and what has one element is passed as it is, or, for kernels that are slow beside scalars (`spread`),
    repeated too.
    """

    __slots__ = ("count", "flat", "kinds", "rows", "shape", "views", "width")

    def __init__(
        self, inputs: Sequence[Array], shape: tuple[int, ...], width: int, flat: bool, spread: frozenset[int]
    ) -> None:
        size = 1
        for length in shape:
            size *= length
        self.shape, self.width, self.flat = shape, width, flat
        self.count = size // width
        self.rows = max(1, TILE // width)
        self.views: list[Array] = []
        kinds = []
        for position, x in enumerate(inputs):
            if x.size == 1:
                one = x.reshape(())
                self.views.append(np.full(self.rows * width, one) if flat and position in spread else one)
                kinds.append(ONE)
            elif x.shape == shape:
                self.views.append(x.reshape(-1) if flat else x.reshape(-1, width))
                kinds.append(FULL)
            elif not flat and x.size == self.count:
                self.views.append(x.reshape(-1, 1))
                kinds.append(COLUMN)
            else:
                row = x.reshape(-1)
                if row.size != width:
                    row = np.tile(row, width // row.size)
                self.views.append(np.tile(row, self.rows) if flat else row)
                kinds.append(ROW)
        self.kinds = "".join(kinds)

    def tile(self, start: int, stop: int) -> list[Array]:
        """The inputs of the rows start to stop."""
        if not self.flat:
            return [x[start:stop] if kind in _CUT else x for x, kind in zip(self.views, self.kinds, strict=True)]
        width = self.width
        length = (stop - start) * width
        whole = stop - start == self.rows
        start, stop = start * width, stop * width
        return [
            x[start:stop] if kind in _CUT else x if whole or not x.ndim else x[:length]
            for x, kind in zip(self.views, self.kinds, strict=True)
        ]

    def compiled(self, loop: Loop | None) -> Tile | None:
        """The whole chain as machine code: computes the rows start to stop at an address. None while there is none.

        Where rows are repeated, it does no more than `rows` of them at once.
        """
        native = loop.native(FULL + self.kinds, self.count * self.width) if loop is not None else None
        if native is None:
            return None
        self.views = [np.ascontiguousarray(x) for x in self.views]
        return over(native, self.kinds, self.views, self.width, self.flat)


_CUT = FULL + COLUMN
"""Kinds of inputs that have elements of their own for each row."""

Tile = Callable[..., None]
"""Called with start, stop and the address of the first of these rows of results."""


def layout(inputs: Sequence[Array], whole_rows: bool, spread: frozenset[int]) -> Layout | None:
    """How to cut these inputs; None when they are small, or broadcast in a way that tiles are not made for.

    Args:
      whole_rows: a tile must hold rows of the last axis.
      spread: positions of inputs that one of `SLOW_BESIDE_SCALARS` takes.
    """
    full = max(inputs, key=_size)
    shape = full.shape
    if full.size < LARGE:
        return None
    width, columns = 1, False
    for x in inputs:
        if x.size == 1:
            if x.ndim > len(shape):
                return None
            continue
        if x.shape == shape:
            if not x.flags.c_contiguous:
                return None
            continue
        kept = x.shape
        while kept and kept[0] == 1:
            kept = kept[1:]
        if len(kept) <= len(shape) and kept == shape[len(shape) - len(kept) :]:
            width = max(width, x.size)
        elif x.shape == (*shape[:-1], 1):
            columns = True
        else:
            return None
    if columns or whole_rows:
        if width not in (1, shape[-1]):
            return None
        width = shape[-1]
    if width > TILE:
        return None
    return Layout(inputs, shape, width, not (columns or whole_rows), spread)


def _size(x: Array) -> int:
    return int(x.size)


def tiled(
    plain: Callable[..., Any],
    inner: Callable[..., Any],
    last: np.ufunc | None,
    dtype: np.dtype[Any],
    steps: int,
    spread: frozenset[int],
    loop: Loop | None = None,
) -> Callable[..., Array]:
    """A kernel that goes tile by tile where its inputs are large.

    Args:
      plain: the whole chain, called with the inputs; for all that is not tiled.
      inner: the chain for a tile, up to the arguments of `last`, as a tuple; to its end, when `last` is None. Its first
        argument is an array for a tile of results, which it may use for others before.
      last: the ufunc at its end: writes into the result. dtype: the result's. steps: how many kernels the chain has.
      spread: positions of inputs that one of `SLOW_BESIDE_SCALARS` takes.
      loop: the whole chain, if it can be compiled.
    """

    def kernel(*inputs: Array) -> Array:
        cut = layout(inputs, False, spread)
        if cut is None:
            return plain(*inputs)
        out = np.empty(cut.shape, dtype)
        tile = cut.compiled(loop)
        if tile is not None:
            _run(_all_at_once(tile, cut, out), cut, len(inputs) + 1)
            return out
        flat = out.reshape(-1) if cut.flat else out.reshape(-1, cut.width)
        unit = cut.width if cut.flat else 1

        def work(start: int, stop: int) -> None:
            for begin in range(start, stop, cut.rows):
                end = min(begin + cut.rows, stop)
                place = flat[begin * unit : end * unit]
                values = inner(place, *cut.tile(begin, end))
                if last is None:
                    place[...] = values[0]
                else:
                    last(*values, out=place)

        _run(work, cut, steps)
        return out

    return kernel


def _all_at_once(tile: Tile, cut: Layout, out: Array) -> parallel.Work:
    """Machine code that writes to `out`: it needs no tiles, but for rows that are repeated."""
    address, unit = out.ctypes.data, cut.width * out.itemsize
    if not (cut.flat and ROW in cut.kinds):
        return lambda start, stop: tile(start, stop, address + start * unit)

    def work(start: int, stop: int) -> None:
        for begin in range(start, stop, cut.rows):
            tile(begin, min(begin + cut.rows, stop), address + begin * unit)

    return work


def reduced(
    plain: Callable[..., Any],
    inner: Callable[..., Any],
    fold: np.ufunc,
    dtype: np.dtype[Any],
    mean: bool,
    keep_dims: bool,
    last_axis: bool,
    steps: int,
    spread: frozenset[int],
    loop: Loop | None = None,
) -> Callable[..., Array]:
    """As `tiled`, for a chain that ends in a reduction over all axes, or over the last one.

    Args:
      fold: np.add, np.maximum, ...; reduces within a tile, and then what the tiles gave. mean: divides by the count.
    """

    def kernel(*inputs: Array) -> Array:
        cut = layout(inputs, last_axis, spread)
        if cut is None:
            return plain(*inputs)
        parts: list[Any] = [None] * -(-cut.count // cut.rows)
        tile = cut.compiled(loop)

        def work(start: int, stop: int) -> None:
            scratch = np.empty(cut.rows * cut.width if cut.flat else (cut.rows, cut.width), dtype)
            unit = cut.width if cut.flat else 1
            for begin in range(start, stop, cut.rows):
                end = min(begin + cut.rows, stop)
                value = scratch[: (end - begin) * unit]
                if tile is None:
                    (value,) = inner(value, *cut.tile(begin, end))
                else:
                    tile(begin, end, value.ctypes.data)
                parts[begin // cut.rows] = fold.reduce(value, -1 if last_axis else None)

        _run(work, cut, steps, cut.rows)
        if last_axis:
            found = np.concatenate(parts).reshape(cut.shape[:-1] + ((1,) if keep_dims else ()))
            return np.divide(found, found.dtype.type(cut.width), out=found) if mean else found
        total = fold.reduce(np.array(parts))
        if mean:
            total = total / total.dtype.type(cut.count * cut.width)
        return total.reshape((1,) * len(cut.shape)) if keep_dims else total

    return kernel


def _run(work: parallel.Work, cut: Layout, steps: int, align: int = 1) -> None:
    """All rows; in several threads where it is worth it, each of which gets whole multiples of `align` rows."""
    if cut.count * cut.width * steps < _SPLIT:
        work(0, cut.count)
    elif align == 1:
        parallel.split(cut.count, work)
    else:
        parallel.split(-(-cut.count // align), lambda start, stop: work(start * align, min(stop * align, cut.count)))
