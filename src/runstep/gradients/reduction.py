"""Gradients of reductions: the gradient goes back along the axes that were reduced."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep.gradients.broadcasting import conj, is_full, sizes_of
from runstep.gradients.registry import gradient, no_gradient
from runstep.graph.apply import apply
from runstep.graph.constant_value import known_value
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor

no_gradient("ArgMax", "ArgMin")


def _axes(op: Operation) -> list[int] | None:
    """The axes that were reduced, in order; None if the graph does not know them."""
    raw, value = op.inputs[0].raw_shape, known_value(op.inputs[1])
    if raw is None or value is None:
        return None
    return sorted({axis % len(raw) for axis in value.ravel().tolist()})


class _Reduced:
    """What the shapes of a reduction are before and after."""

    def __init__(self, op: Operation) -> None:
        self.op = op
        self.x = op.inputs[0]
        self.axes = _axes(op)
        self.sizes = sizes_of(self.x)
        self._kept: Any = None

    def kept(self, tensor: Any) -> Any:
        """A result, or what has its shape, with the reduced axes as axes of size 1."""
        if self.op.attrs["keep_dims"]:
            return tensor
        raw = self.x.raw_shape
        if raw is not None and self.axes is not None:
            if not self.axes:
                return tensor
            sizes = [1 if axis in self.axes else size for axis, size in enumerate(raw)]
            if sizes.count(None) < 2:
                return apply("Reshape", tensor, [-1 if size is None else size for size in sizes])
            for axis in self.axes:
                tensor = apply("ExpandDims", tensor, axis)
            return tensor
        return apply("Reshape", tensor, self._kept_sizes())

    def _kept_sizes(self) -> Tensor:
        """Of axes that only the run knows."""
        if self._kept is None:
            rank = apply("Size", self.sizes)
            axes = apply("Reshape", apply("Cast", self.op.inputs[1], DstT="int32"), [-1])
            axes = apply("FloorMod", axes + rank, rank)
            everywhere = apply("Range", 0, rank, 1)
            ones = apply("Fill", apply("Shape", axes), 1)
            self._kept = apply("DynamicStitch", [everywhere, axes], [self.sizes, ones])
        return self._kept

    def repeated(self, tensor: Any) -> Any:
        """What has the shape of the result, as often as elements went into it."""
        return apply("BroadcastTo", self.kept(tensor), self.sizes)

    def count(self) -> Any:
        """How many elements went into each of the result: a number, or a scalar tensor of int32."""
        raw = self.x.raw_shape
        if raw is not None and self.axes is not None:
            sizes = [raw[axis] for axis in self.axes]
            if None not in sizes:
                return math.prod(sizes)
            return apply("Prod", apply("GatherV2", self.sizes, self.axes, 0), [0])
        results = apply("Maximum", apply("Size", self.op.outputs[0]), 1)
        return apply("FloorDiv", apply("Maximum", apply("Size", self.x), 1), results)


@gradient("Sum")
def _sum(op: Operation, grad: Any) -> Any:
    return _Reduced(op).repeated(grad), None


@gradient("Mean")
def _mean(op: Operation, grad: Any) -> Any:
    reduced = _Reduced(op)
    count = reduced.count()
    if isinstance(count, int):
        return reduced.repeated(apply("RealDiv", grad, max(1, count))), None
    # Where the axis turns out empty, 0 and not NaN is what a second derivative gets.
    count = apply("Cast", count, DstT=op.inputs[0].dtype.base_dtype)
    return reduced.repeated(apply("DivNoNan", grad, count, name="truediv")), None


@gradient("Max", "Min")
def _extreme(op: Operation, grad: Any) -> Any:
    """Where several elements are the extreme, they share the gradient."""
    reduced = _Reduced(op)
    x = op.inputs[0]
    chosen = apply("Cast", apply("Equal", reduced.kept(op.outputs[0]), x), DstT=grad.dtype)
    number = apply("Sum", chosen, op.inputs[1], keep_dims=True)
    return apply("Mul", apply("RealDiv", chosen, number), reduced.kept(grad)), None


@gradient("EuclideanNorm")
def _euclidean_norm(op: Operation, grad: Any) -> Any:
    reduced = _Reduced(op)
    ratio = apply("RealDiv", reduced.kept(op.outputs[0]), reduced.kept(grad))
    return apply("RealDiv", op.inputs[0], ratio), None


@gradient("Prod")
def _prod(op: Operation, grad: Any) -> Any:
    """The product of all others, which a division would not give where there are zeros: of those before and after."""
    x = op.inputs[0]
    reduced = _Reduced(op)
    order, back, shape = _reduced_first(reduced)
    moved = apply("Transpose", x, order) if order is not None else x
    lined = apply("Reshape", moved, shape)
    before = apply("Cumprod", lined, 0, exclusive=True)
    after = apply("Cumprod", lined, 0, exclusive=True, reverse=True)
    others = apply("Mul", conj(before), conj(after))
    others = apply("Reshape", others, sizes_of(moved))
    if back is not None:
        others = apply("Transpose", others, back)
    return apply("Mul", reduced.repeated(grad), others), None


def _reduced_first(reduced: _Reduced) -> tuple[Any, Any, Any]:
    """The order of axes in which the reduced ones come first (None: they do), the way back, and the sizes of the matrix
    of which each column is multiplied up."""
    raw, axes = reduced.x.raw_shape, reduced.axes
    if raw is not None and axes is not None:
        given = known_value(reduced.op.inputs[1])
        assert given is not None
        axes = list(dict.fromkeys(axis % len(raw) for axis in given.ravel().tolist()))
        order = [*axes, *(axis for axis in range(len(raw)) if axis not in axes)]
        rows, columns = _number(raw, axes), _number(raw, order[len(axes) :])
        if rows is not None and columns is not None:
            back = None if order == sorted(order) else np.argsort(order).tolist()
            return None if back is None else order, back, [rows, columns]
    rank = apply("Size", reduced.sizes)
    over = apply("Reshape", apply("Cast", reduced.op.inputs[1], DstT="int32"), [-1])
    over = apply("FloorMod", over + rank, rank)
    rest = apply("ListDiff", apply("Range", 0, rank, 1), over)[0]
    order = apply("ConcatV2", [over, rest], 0)
    numbers = [apply("Prod", apply("GatherV2", reduced.sizes, which, 0), [0]) for which in (over, rest)]
    return order, apply("InvertPermutation", order), apply("Pack", numbers)


def _number(raw: Sequence[int | None], axes: Sequence[int]) -> int | None:
    sizes = [raw[axis] for axis in axes]
    return math.prod(sizes) if is_full(tuple(sizes)) else None  # type: ignore[arg-type]
