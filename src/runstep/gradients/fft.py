"""Gradients of Fourier transforms: linear maps, so each one's is the other direction's, scaled."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.gradients.registry import gradient
from runstep.graph.apply import apply
from runstep.graph.constant_value import constant_value
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.cast import cast
from runstep.ops.creation import range as range_of, zeros, zeros_like
from runstep.ops.joining import concat, stack
from runstep.ops.reduction import reduce_prod
from runstep.ops.shape_ops import rank as rank_of, shape


def _count(tensor: Tensor, axes: int, kind: Any) -> Tensor:
    """How many numbers are transformed together."""
    return cast(reduce_prod(shape(tensor)[-axes:]), kind)


def _complex(forward: str, inverse: str, axes: int) -> None:
    @gradient(forward)
    def _forward(op: Operation, grad: Any) -> Any:
        return apply(inverse, grad) * _count(grad, axes, grad.dtype)

    @gradient(inverse)
    def _inverse(op: Operation, grad: Any) -> Any:
        scale = 1 / _count(grad, axes, grad.dtype.real_dtype)
        return apply(forward, grad) * cast(scale, grad.dtype)


for _axes, _suffix in ((1, ""), (2, "2D"), (3, "3D")):
    _complex(f"FFT{_suffix}", f"IFFT{_suffix}", _axes)


def _weights(lengths: Tensor, once: float, other: float, kind: Any) -> Any:
    """A number for each frequency that a real transform keeps: `once` for zero and for the middle one of an even
    length, which stand for themselves, `other` for those that stand for their mirror image too.
    """
    known = constant_value(lengths)
    if known is not None:
        length = int(known[-1])
        found = np.full(length // 2 + 1, other, kind.as_numpy_dtype)
        found[0] = once
        if length % 2 == 0:
            found[-1] = once
        return found
    size = lengths[-1]
    place = range_of(size // 2 + 1)
    alone = apply("LogicalOr", apply("Equal", place, 0), apply("Equal", place * 2, size))
    return apply("SelectV2", alone, np.asarray(once, kind.as_numpy_dtype), np.asarray(other, kind.as_numpy_dtype))


def _in_shape_of(tensor: Tensor, like: Tensor, axes: int) -> Tensor:
    """Filled with zeros at the end of the transformed axes, where the transform left the rest of its input out."""
    have, want = tensor.raw_shape, like.raw_shape
    if have is not None and want is not None and None not in want[-axes:] and have[-axes:] == want[-axes:]:
        return tensor
    after = concat([zeros([rank_of(like) - axes], "int32"), shape(like)[-axes:] - shape(tensor)[-axes:]], 0)
    filled: Tensor = apply("Pad", tensor, stack([zeros_like(after), after], axis=1))
    return filled


def _real(forward: str, inverse: str, axes: int) -> None:
    @gradient(forward)
    def _forward(op: Operation, grad: Any) -> list[Any]:
        x, lengths = op.inputs
        weighed = grad * _weights(lengths, 1, 0.5, grad.dtype.base_dtype)
        back = apply(inverse, weighed, lengths, Treal=x.dtype.base_dtype)
        count = cast(reduce_prod(lengths), x.dtype.base_dtype)
        return [_in_shape_of(back * count, x, axes), None]

    @gradient(inverse)
    def _inverse(op: Operation, grad: Any) -> list[Any]:
        x, lengths = op.inputs
        kind = x.dtype.base_dtype
        count = cast(reduce_prod(lengths), kind)
        back = apply(forward, grad, lengths, Tcomplex=kind) * (_weights(lengths, 1, 2, kind) / count)
        return [_in_shape_of(back, x, axes), None]


for _axes, _suffix in ((1, ""), (2, "2D"), (3, "3D")):
    _real(f"RFFT{_suffix}", f"IRFFT{_suffix}", _axes)
