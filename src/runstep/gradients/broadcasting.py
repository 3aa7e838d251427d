"""What many gradient functions need: conjugates, and sums that undo a broadcast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runstep.graph.apply import apply
from runstep.graph.shapes import RawShape
from runstep.graph.tensor import Tensor

Sum = Callable[[Any], Any]


def is_full(raw: RawShape) -> bool:
    """Whether every size is known."""
    return raw is not None and None not in raw


def sizes_of(tensor: Tensor) -> Any:
    """The sizes of a tensor: a list of numbers where the graph knows them all, else a Shape node."""
    raw = tensor.raw_shape
    if raw is not None and None not in raw:
        return list(raw)
    return apply("Shape", tensor)


def conj(tensor: Any) -> Any:
    """The complex conjugate; a real tensor as it is."""
    return apply("Conj", tensor) if tensor.dtype.is_complex else tensor


def unbroadcast(x: Tensor, y: Tensor) -> tuple[Sum, Sum]:
    """For an op that broadcast `x` against `y`: two functions that sum a gradient in the shape of its output down to
    the shapes of `x` and of `y`.

    What the static shapes tell costs no nodes: equal shapes need none at all, a vector added to each row one Sum.
    """
    a, b = x.raw_shape, y.raw_shape
    if x is y or (a == b and is_full(a)):
        return _nothing, _nothing
    over_x, over_y = _summed_axes(a, b), _summed_axes(b, a)
    if over_x is not None and over_y is not None:
        rank = max(len(a or ()), len(b or ()))
        return _static_sum(x, over_x, rank), _static_sum(y, over_y, rank)
    dynamic = _Axes(x, y)
    return (
        _nothing if over_x == () else _dynamic_sum(x, dynamic, 0),
        _nothing if over_y == () else _dynamic_sum(y, dynamic, 1),
    )


def _nothing(grad: Any) -> Any:
    return grad


def _summed_axes(mine: RawShape, other: RawShape) -> tuple[int, ...] | None:
    """The axes of the output along which a tensor of shape `mine` was repeated; None if that depends on the run."""
    if other == ():
        return ()
    if mine is None or other is None:
        return None
    rank = max(len(mine), len(other))
    added = rank - len(mine)
    axes = list(range(added))
    for axis in range(added, rank):
        size = mine[axis - added]
        opposite = 1 if axis < rank - len(other) else other[axis - rank]
        if size == 1 and opposite != 1:
            axes.append(axis)  # if the other one turns out to be 1, the sum of one element
        elif size is None and opposite != 1:
            return None
    return tuple(axes)


def _static_sum(x: Tensor, axes: tuple[int, ...], rank: int) -> Sum:
    if not axes:
        return _nothing
    raw = x.raw_shape
    assert raw is not None
    added = rank - len(raw)

    def summed(grad: Any) -> Any:
        if len(axes) == added:
            return apply("Sum", grad, list(axes))
        if not added:
            return apply("Sum", grad, list(axes), keep_dims=True)
        return apply("Reshape", apply("Sum", grad, list(axes)), sizes_of(x))

    return summed


class _Axes:
    """The nodes that find out at run time what to sum over, made when first asked for."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self._of = x, y
        self._found: tuple[Any, Any] | None = None

    def __call__(self) -> tuple[Any, Any]:
        if self._found is None:
            x, y = self._of
            self.sizes = sizes_of(x), sizes_of(y)
            self._found = apply("BroadcastGradientArgs", *self.sizes)
        return self._found


def _dynamic_sum(x: Tensor, axes: _Axes, side: int) -> Sum:
    def summed(grad: Any) -> Any:
        over = axes()[side]
        return apply("Reshape", apply("Sum", grad, over), axes.sizes[side])

    return summed
