"""Pooling, means over space, resizing and softmax."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from runstep.kernels.numpy.pooling import Pool
from runstep.kernels.onednn import api as c
from runstep.kernels.onednn.api import Unsupported
from runstep.kernels.onednn.elementwise import finish
from runstep.kernels.onednn.lowering import Lowering, lowers
from runstep.kernels.onednn.program import Value, reshaped


@lowers("MaxPool", "AvgPool")
def pool(lowering: Lowering, node: Any, inputs: list[Value]) -> Value:
    (x,) = inputs
    made = Pool(node.attrs, 4, node.attrs["ksize"], node.attrs["strides"])
    if made.first or made.depth_taps != 1 or made.depth_stride != 1 or made.padding == b"EXPLICIT":
        raise Unsupported("pool")
    placed = made.place(x.shape)
    shape = (x.shape[0], *placed.out, x.shape[3])
    if not math.prod(shape) or any(b >= t for b, t in zip(placed.before + placed.after, made.taps * 2, strict=True)):
        raise Unsupported("pool")
    kind = c.POOLING_MAX if node.type == "MaxPool" else c.POOLING_AVG_EXCLUDE
    return _pooled(lowering, node, x, shape, kind, made.taps, made.strides, placed.before, placed.after, shape)


def _pooled(
    lowering: Lowering,
    node: Any,
    x: Value,
    pooled: Sequence[int],
    kind: int,
    taps: Sequence[int],
    strides: Sequence[int],
    before: Sequence[int],
    after: Sequence[int],
    shape: Sequence[int],
) -> Value:
    """A pooling primitive with result `pooled`, which the node gives out as `shape`."""
    b = lowering.b
    b.sized(32 * x.size + 16 * math.prod(pooled) * math.prod(taps))
    result = b.new(pooled)
    source, target = b.desc(x), b.desc(result)
    posts = lowering.tail(node, pooled) if tuple(shape) == tuple(pooled) else []

    def make(attributes: Any) -> Any:
        return b.primitive(
            "pooling_forward",
            c.FORWARD_INFERENCE,
            kind,
            source,
            target,
            c.dims(strides),
            c.dims(taps),
            c.dims((0, 0)),
            c.dims(before),
            c.dims(after),
            attributes,
        )

    primitive, arguments, last = lowering.fused(node, posts, 4, make)
    b.run(primitive, [(c.ARG_SRC, x.home, source), (c.ARG_DST, result.home, target), *arguments])
    result = reshaped(result, shape)
    finish(lowering, node, last, result)
    return result


@lowers("MaxPoolGrad", "AvgPoolGrad")
def pool_gradient(lowering: Lowering, node: Any, inputs: list[Value]) -> Value:
    """The gradient of pooling. Where the maxima were, a forward pass tells again: it costs less than keeping it."""
    g = inputs[-1]
    b = lowering.b
    made = Pool(node.attrs, 4, node.attrs["ksize"], node.attrs["strides"])
    if made.first or made.depth_taps != 1 or made.depth_stride != 1 or made.padding == b"EXPLICIT":
        raise Unsupported("pool")
    x = inputs[0]
    is_max = node.type == "MaxPoolGrad"
    if not is_max and x.array is None:
        raise Unsupported("pool")
    x_shape = x.shape if is_max else tuple(x.array.tolist())
    placed = made.place(x_shape)
    shape = (x_shape[0], *placed.out, x_shape[3])
    if is_max and inputs[1].shape != shape:
        raise Unsupported("pool")  # the other kernel says what is wrong
    if g.shape != shape or not math.prod(shape) or any(b >= t for b, t in zip(placed.before, made.taps, strict=True)):
        raise Unsupported("pool")
    kind = c.POOLING_MAX if is_max else c.POOLING_AVG_EXCLUDE
    b.sized(32 * math.prod(x_shape) + 16 * math.prod(shape) * math.prod(made.taps))
    result = b.new(x_shape)
    target, source = b.desc(result), b.desc(g)
    window = [c.dims(sizes) for sizes in (made.strides, made.taps, (0, 0), placed.before, placed.after)]
    attributes = c.Attributes(b.api)
    forward = b.primitive("pooling_forward", c.FORWARD_TRAINING, kind, target, source, *window, attributes)
    backward = b.primitive("pooling_backward", kind, target, source, *window, forward.desc, attributes)
    arguments = [(c.ARG_DIFF_DST, g.home, source), (c.ARG_DIFF_SRC, result.home, target)]
    if is_max:
        places = forward.layout(c.QUERY_WORKSPACE, ())
        home, again = b.block(places.nbytes), b.new(shape)
        b.run(
            forward,
            [(c.ARG_SRC, x.home, target), (c.ARG_DST, again.home, source), (c.ARG_WORKSPACE, home, places)],
        )
        arguments.append((c.ARG_WORKSPACE, home, places))
    b.run(backward, arguments)
    return result


@lowers("Mean")
def mean(lowering: Lowering, node: Any, inputs: list[Value]) -> Value:
    """The mean over height and width, as a pooling with one window."""
    x, axes = inputs
    if axes.array is None or len(x.shape) != 4:
        raise Unsupported("Mean")
    if sorted(axis % 4 for axis in axes.array.reshape(-1).tolist()) != [1, 2]:
        raise Unsupported("Mean")
    batch, height, width, channels = x.shape
    keep = node.attrs["keep_dims"]
    shape = (batch, 1, 1, channels) if keep else (batch, channels)
    window = (height, width)
    return _pooled(
        lowering, node, x, (batch, 1, 1, channels), c.POOLING_AVG_INCLUDE, window, window, (0, 0), (0, 0), shape
    )


@lowers("ResizeBilinear", "ResizeNearestNeighbor")
def resize(lowering: Lowering, node: Any, inputs: list[Value]) -> Value:
    x, size = inputs
    if size.array is None or size.array.shape != (2,) or len(x.shape) != 4:
        raise Unsupported("resize")
    height, width = size.array.tolist()
    if node.attrs["align_corners"] or height < 1 or width < 1:
        raise Unsupported("resize")
    if node.type == "ResizeBilinear":
        if not node.attrs["half_pixel_centers"]:
            raise Unsupported("resize")
        kind = c.RESAMPLING_LINEAR
    else:
        # oneDNN rounds the middle of a pixel where TensorFlow rounds down: the same when sizes grow by whole factors.
        if height % x.shape[1] or width % x.shape[2]:
            raise Unsupported("resize")
        kind = c.RESAMPLING_NEAREST
    b = lowering.b
    shape = (x.shape[0], height, width, x.shape[3])
    b.sized(64 * math.prod(shape))
    result = b.new(shape)
    source, target = b.desc(x), b.desc(result)
    posts = lowering.tail(node, shape)

    def make(attributes: Any) -> Any:
        return b.primitive("resampling_forward", c.FORWARD_INFERENCE, kind, None, source, target, attributes)

    primitive, arguments, last = lowering.fused(node, posts, 4, make)
    b.run(primitive, [(c.ARG_SRC, x.home, source), (c.ARG_DST, result.home, target), *arguments])
    finish(lowering, node, last, result)
    return result


@lowers("Softmax", "LogSoftmax")
def softmax(lowering: Lowering, node: Any, inputs: list[Value]) -> Value:
    (x,) = inputs
    if len(x.shape) < 1 or not x.size:
        raise Unsupported("softmax")
    b = lowering.b
    kind = c.SOFTMAX if node.type == "Softmax" else c.LOG_SOFTMAX
    b.sized(64 * x.size)
    rows = reshaped(x, (x.size // x.shape[-1], x.shape[-1]))
    result = b.new(rows.shape)
    desc = b.desc(rows)
    primitive = b.primitive("softmax_forward", c.FORWARD_INFERENCE, kind, desc, desc, 1, c.Attributes(b.api))
    b.run(primitive, [(c.ARG_SRC, rows.home, desc), (c.ARG_DST, result.home, desc)])
    return reshaped(result, x.shape)
