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
    return _sums(x, y, 0)


def unbroadcast_batch(x: Tensor, y: Tensor) -> tuple[Sum, Sum]:
    """As `unbroadcast`, for an op that broadcast all axes but the last two."""
    return _sums(x, y, 2)


def _sums(x: Tensor, y: Tensor, last: int) -> tuple[Sum, Sum]:
    a, b = _leading(x.raw_shape, last), _leading(y.raw_shape, last)
    if x is y or (a == b and is_full(a)):
        return _nothing, _nothing
    over_x, over_y = _summed_axes(a, b), _summed_axes(b, a)
    axes = _Axes(x, y, last)
    return _sum(x, b, over_x, axes, 0), _sum(y, a, over_y, axes, 1)


def _leading(raw: RawShape, last: int) -> RawShape:
    return raw if raw is None or not last else raw[:-last]


def _sum(x: Tensor, other: RawShape, over: tuple[int, ...] | None, axes: _Axes, side: int) -> Sum:
    if over == ():
        return _nothing
    if over is None:
        return _dynamic_sum(axes, side)
    assert x.raw_shape is not None and other is not None
    return _static_sum(x, over, max(0, len(other) + axes.last - len(x.raw_shape)))


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


def _static_sum(x: Tensor, axes: tuple[int, ...], added: int) -> Sum:
    """The sum over these axes, of which the first `added` are not axes of `x`."""

    def summed(grad: Any) -> Any:
        if len(axes) == added:
            return apply("Sum", grad, list(axes))
        if not added:
            return apply("Sum", grad, list(axes), keep_dims=True)
        return apply("Reshape", apply("Sum", grad, list(axes)), sizes_of(x))

    return summed


class _Axes:
    """The nodes that find out at run time what to sum over, made when first asked for."""

    def __init__(self, x: Tensor, y: Tensor, last: int) -> None:
        self.last = last
        self._of = x, y
        self._found: tuple[Any, Any] | None = None
        self.sizes: tuple[Any, Any] = (None, None)

    def __call__(self) -> tuple[Any, Any]:
        if self._found is None:
            x, y = self._of
            self.sizes = sizes_of(x), sizes_of(y)
            of_x, of_y = self.sizes if not self.last else [sizes[: -self.last] for sizes in self.sizes]
            self._found = apply("BroadcastGradientArgs", of_x, of_y)
        return self._found


def _dynamic_sum(axes: _Axes, side: int) -> Sum:
    def summed(grad: Any) -> Any:
        over = axes()[side]
        return apply("Reshape", apply("Sum", grad, over), axes.sizes[side])

    return summed


def sum_to(grad: Tensor, sizes: Any) -> Tensor:
    """A gradient summed down to these sizes, which were broadcast to its shape.

    Args:
      sizes: a list of numbers, or an integer vector.
    """
    raw = grad.raw_shape
    if isinstance(sizes, list) and raw is not None:
        added = len(raw) - len(sizes)
        over = [
            *range(added),
            *(axis for axis in range(added, len(raw)) if sizes[axis - added] == 1 and raw[axis] != 1),
        ]
        if not over:
            return grad
        if len(over) == added or not added:
            return apply("Sum", grad, over, keep_dims=not added)
        return apply("Reshape", apply("Sum", grad, over), sizes)
    over = apply("BroadcastGradientArgs", apply("Shape", grad), sizes)[1]
    return apply("Reshape", apply("Sum", grad, over), sizes)
