"""Ops that move values without changing them: views, padding, concatenation."""

from __future__ import annotations

import ctypes
import math
from typing import Any

from runstep.kernels.onednn import api as c
from runstep.kernels.onednn.api import Unsupported
from runstep.kernels.onednn.lowering import Lowering, lowers
from runstep.kernels.onednn.program import Value, channels_second, reshaped

_LARGE, _FEW = 1 << 14, 8
"""From so many numbers on, and with so few parts, a copy for each part is faster than the library's concatenation."""


@lowers("Reshape")
def reshape(lowering: Lowering, node: Any, inputs: list[Value]) -> Value:
    x, shape = inputs
    if shape.array is None or shape.array.ndim != 1:
        raise Unsupported("Reshape")
    sizes = shape.array.tolist()
    if sizes.count(-1) == 1:
        rest = -math.prod(sizes)
        if not rest or x.size % rest:
            raise Unsupported("Reshape")
        sizes[sizes.index(-1)] = x.size // rest
    if math.prod(sizes) != x.size or min(sizes, default=0) < 0:
        raise Unsupported("Reshape")
    return reshaped(x, sizes)


@lowers("Squeeze", "ExpandDims", "Identity", "StopGradient", "PreventGradient")
def view(lowering: Lowering, node: Any, inputs: list[Value]) -> Value:
    x = inputs[0]
    if node.type == "Squeeze":
        axes = [axis % len(x.shape) for axis in node.attrs.get("squeeze_dims") or node.attrs.get("axis") or ()]
        if any(x.shape[axis] != 1 for axis in axes):
            raise Unsupported("Squeeze")
        return reshaped(x, [size for axis, size in enumerate(x.shape) if (axis not in axes if axes else size != 1)])
    if node.type == "ExpandDims":
        axis = inputs[1].array
        if axis is None or axis.size != 1:
            raise Unsupported("ExpandDims")
        at = int(axis.reshape(()))
        at += (len(x.shape) + 1) * (at < 0)
        if not 0 <= at <= len(x.shape):
            raise Unsupported("ExpandDims")
        return reshaped(x, (*x.shape[:at], 1, *x.shape[at:]))
    return x


@lowers("Pad", "PadV2")
def pad(lowering: Lowering, node: Any, inputs: list[Value]) -> Value:
    """A copy into the middle of memory that holds zeros already."""
    x, paddings = inputs[:2]
    if paddings.array is None or paddings.array.shape != (len(x.shape), 2) or not x.shape or (paddings.array < 0).any():
        raise Unsupported("Pad")
    if len(inputs) > 2 and (inputs[2].array is None or inputs[2].array.any()):
        raise Unsupported("PadV2")
    before, after = paddings.array.T.tolist()
    shape = [low + size + high for low, size, high in zip(before, x.shape, after, strict=True)]
    b = lowering.b
    b.sized(32 * x.size)
    result = b.new(shape, kept=True)
    target = c.part_of(b.api, b.desc(result), channels_second(x.shape), channels_second(before))
    b.reorder(x.home, b.desc(x), result.home, target)
    return result


@lowers("ConcatV2")
def concat(lowering: Lowering, node: Any, inputs: list[Value]) -> Value:
    *parts, axis = inputs
    if axis.array is None or any(len(part.shape) != len(parts[0].shape) for part in parts) or not parts[0].shape:
        raise Unsupported("ConcatV2")
    rank = len(parts[0].shape)
    at = int(axis.array.reshape(()))
    at += rank * (at < 0)
    if not 0 <= at < rank or any(
        a != b for part in parts for i, (a, b) in enumerate(zip(part.shape, parts[0].shape, strict=True)) if i != at
    ):
        raise Unsupported("ConcatV2")
    shape = list(parts[0].shape)
    shape[at] = sum(part.shape[at] for part in parts)
    b = lowering.b
    if any(not part.size for part in parts):
        raise Unsupported("ConcatV2")
    b.sized(32 * math.prod(shape))
    result = b.new(shape)
    if math.prod(shape) >= _LARGE and len(parts) <= _FEW:
        whole, start = b.desc(result), [0] * rank
        for part in parts:
            target = c.part_of(b.api, whole, channels_second(part.shape), channels_second(start))
            b.reorder(part.home, b.desc(part), result.home, target)
            start[at] += part.shape[at]
        return result
    sources, target = [b.desc(part) for part in parts], b.desc(result)
    handles = (ctypes.c_void_p * len(parts))(*[source.handle.value for source in sources])
    attributes = c.Attributes(b.api)
    made = c.Primitive(
        b.api,
        "concat",
        b.api.engine,
        target.handle,
        len(parts),
        channels_second(range(rank)).index(at),
        handles,
        attributes.handle,
    )
    arguments = [
        (c.ARG_MULTIPLE_SRC + i, part.home, source) for i, (part, source) in enumerate(zip(parts, sources, strict=True))
    ]
    b.run(made, [*arguments, (c.ARG_DST, result.home, target)])
    return result
