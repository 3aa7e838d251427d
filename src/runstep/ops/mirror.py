"""Mirrored padding, and the permutations between data formats: rows and shape rules."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.ops.common import Shapes, unchanged
from runstep.ops.registry import op


def _paddings(op: Any) -> tuple[int | None, Any]:
    """The rank that the paddings tell, and their value where it is constant."""
    paddings = shapes.with_rank(op.inputs[1].raw_shape, 2)
    if paddings[1] not in (None, 2):
        raise ValueError(f"Dimension must be 2 but is {paddings[1]}")
    return paddings[0], op.constant(1)


def _mirror(op: Any) -> Shapes:
    shape = op.inputs[0].raw_shape
    rank, value = _paddings(op)
    if shape is not None:
        if rank is not None and rank != len(shape):
            raise ValueError(f"Shape must be rank {rank} but is rank {len(shape)}")
        rank = len(shape)
    if value is not None and value.size and value.min() < 0:
        raise ValueError("Paddings must be non-negative")
    if value is None or shape is None:
        if value is not None:
            rank = len(value)
        return [None if rank is None else (None,) * rank]
    sizes = []
    for size, (before, after) in zip(shape, value.tolist(), strict=True):
        sizes.append(None if size is None else size + before + after)
    return [tuple(sizes)]


def _mirror_gradient(op: Any) -> Shapes:
    shape = op.inputs[0].raw_shape
    rank, value = _paddings(op)
    if rank is None:
        return [None]
    shape = shapes.with_rank(shape, rank)
    if value is None:
        return [(None,) * rank]
    sizes: list[int | None] = []
    for size, (before, after) in zip(shape, value.tolist(), strict=True):
        if before < 0 or after < 0:
            raise ValueError("Paddings must be non-negative")
        if size is not None and size < before + after:
            raise ValueError(f"Negative dimension size caused by subtracting {before + after} from {size}")
        sizes.append(None if size is None else size - before - after)
    return [tuple(sizes)]


_PADDINGS = "Tpaddings: {int32, int64} = int32"
_MODE = "mode: {'REFLECT', 'SYMMETRIC'}"
_INDEX = "T: {int32, int64} = int32"
_FROM = "src_format: string = 'NHWC'"
_TO = "dst_format: string = 'NCHW'"

op("MirrorPad", "input: T, paddings: Tpaddings -> output: T", "T: type", _PADDINGS, _MODE, shape=_mirror)
op("MirrorPadGrad", "input: T, paddings: Tpaddings -> output: T", "T: type", _PADDINGS, _MODE, shape=_mirror_gradient)
op("DataFormatDimMap", "x: T -> y: T", _INDEX, _FROM, _TO, shape=unchanged)
op("DataFormatVecPermute", "x: T -> y: T", _INDEX, _FROM, _TO, shape=unchanged)
