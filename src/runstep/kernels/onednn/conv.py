"""Convolutions, their transposes and their gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep.kernels.numpy.conv import Spec
from runstep.kernels.onednn import api as c
from runstep.kernels.onednn.api import MemoryDesc, Primitive, Unsupported
from runstep.kernels.onednn.elementwise import finish, per_channel
from runstep.kernels.onednn.lowering import Lowering, Post, lowers
from runstep.kernels.onednn.program import Builder, Value, channels_second, constant, strides_of

Array = Any


class _Geometry:
    """A convolution's sizes as oneDNN wants them, from TensorFlow's shapes of input and filter."""

    def __init__(self, spec: Spec, x_shape: Sequence[int], w_shape: Sequence[int], *, depthwise: bool) -> None:
        if spec.first or len(x_shape) != len(w_shape):
            raise Unsupported("layout")
        channels = x_shape[-1]
        taps = w_shape[:-2]
        if depthwise:
            self.groups, inner, outer = channels, 1, w_shape[-1]
            if w_shape[-2] != channels:
                raise Unsupported("depth")
        else:
            inner = w_shape[-2]
            if not inner or channels % inner or w_shape[-1] % (channels // inner):
                raise Unsupported("depth")
            self.groups = channels // inner
            outer = w_shape[-1] // self.groups
        placed = spec.place(x_shape[1:-1], taps)
        self.depthwise = depthwise
        self.out = (x_shape[0], *placed.out, self.groups * outer)
        self.strides, self.dilations = c.dims(spec.strides), c.dims([d - 1 for d in spec.dilations])
        self.before, self.after = c.dims(placed.before), c.dims(placed.after)
        self.taps, self.inner, self.outer = tuple(taps), inner, outer
        self.work = 2 * math.prod(self.out) * inner * math.prod(taps)
        if not math.prod(self.out) or not math.prod(x_shape) or not math.prod(w_shape):
            raise Unsupported("empty")

    @property
    def weights(self) -> list[int]:
        """The filter's dimensions in oneDNN's order."""
        lead = [self.groups] if self.groups > 1 or self.depthwise else []
        return [*lead, self.outer, self.inner, *self.taps]

    def plain(self, b: Builder, *, swap: bool = False) -> MemoryDesc:
        """TensorFlow's filter `[*taps, in, out]` (depthwise: `[*taps, channels, multiplier]`) described for oneDNN.
        With `swap`, input and output channels change places: the filter of a transposed convolution."""
        if self.depthwise:
            across = self.groups * self.outer
            lead, outer, inner = [self.outer], 1, across
        else:
            across = self.inner * self.groups * self.outer
            lead = [self.outer] if self.groups > 1 else []
            outer, inner = 1, self.groups * self.outer
        steps = [across]
        for tap in reversed(self.taps[1:]):
            steps.insert(0, steps[0] * tap)
        sizes, strides = self.weights, [*lead, outer, inner, *steps]
        if swap:
            at = len(lead)
            sizes[at], sizes[at + 1] = sizes[at + 1], sizes[at]
            strides[at], strides[at + 1] = strides[at + 1], strides[at]
        return c.strided(b.api, sizes, strides)


def _geometry(node: Any, x_shape: Sequence[int], w_shape: Sequence[int]) -> _Geometry:
    spec = Spec(node.attrs, len(x_shape))
    return _Geometry(spec, x_shape, w_shape, depthwise=node.type.startswith("Depthwise"))


class Affine:
    """What follows a convolution or product with constant weights channel by channel: folded into its weights.

    Attributes:
      scale, bias: one number a channel, or None. last: the last node that is in them. posts: what follows.
    """

    def __init__(self, node: Any, posts: list[Post], channels: int, rank: int, *, scales: bool) -> None:
        self.scale: Array = None
        self.bias: Array = None
        self.last = node
        while posts:
            post = posts[0]
            vector = None
            if post.kind == "eltwise" and post.kernel == c.LINEAR:
                scale, offset = np.float32(post.alpha), np.float32(post.beta)
                if scale == 1:
                    self._add(np.full(channels, offset, np.float32))
                elif scales:
                    self._scale(np.full(channels, scale, np.float32))
                    self._add(np.full(channels, offset, np.float32))
                else:
                    break
            elif post.kind == "binary" and post.operand is not None:
                vector = per_channel(post.operand, channels, rank)
                if vector is None:
                    break
                if post.kernel == c.ADD:
                    self._add(vector)
                elif post.kernel == c.SUB:
                    self._add(-vector)
                elif post.kernel == c.MUL and scales:
                    self._scale(vector)
                else:
                    break
            else:
                break
            self.last = post.node or self.last
            del posts[0]

    def _add(self, vector: Array) -> None:
        self.bias = vector if self.bias is None else self.bias + vector

    def _scale(self, vector: Array) -> None:
        self.scale = vector if self.scale is None else self.scale * vector
        if self.bias is not None:
            self.bias = self.bias * vector


def forward(lowering: Lowering, node: Any, x: Value, w: Value) -> Value:
    """A convolution with what follows it."""
    shape = _geometry(node, x.shape, w.shape)
    rank = len(x.shape)
    posts = lowering.tail(node, shape.out)
    affine = Affine(node, posts, shape.out[-1], rank, scales=w.array is not None)
    if affine.scale is not None:
        scale = affine.scale.reshape(w.shape[-2:]) if shape.depthwise else affine.scale
        w = constant(w.array * scale)
    return _convolve(lowering, node, x, w, shape, affine, posts)


def _convolve(
    lowering: Lowering, node: Any, x: Value, w: Value, shape: _Geometry, affine: Affine, posts: list[Post]
) -> Value:
    b = lowering.b
    b.sized(shape.work)
    source, plain = b.desc(x), shape.plain(b)
    result_desc = c.strided(b.api, channels_second(shape.out), channels_second(strides_of(shape.out)))
    weights, bias = b.any(shape.weights), c.strided(b.api, (shape.out[-1],), (1,))

    def make(attributes: Any) -> Any:
        return b.primitive(
            "convolution_forward",
            c.FORWARD_INFERENCE,
            c.CONVOLUTION_DIRECT,
            source,
            weights,
            bias if affine.bias is not None else None,
            result_desc,
            shape.strides,
            shape.dilations,
            shape.before,
            shape.after,
            attributes,
        )

    primitive, arguments, last = lowering.fused(node, posts, len(x.shape), make, last=affine.last)
    chosen = primitive.layout(c.QUERY_WEIGHTS, shape.weights)
    w_home = b.arranged(w, plain, chosen)
    if affine.bias is not None:
        arguments.append((c.ARG_BIAS, constant(affine.bias).home, bias))
    result = b.new(shape.out)
    b.run(
        primitive,
        [
            (c.ARG_SRC, x.home, source),
            (c.ARG_WEIGHTS, w_home, chosen),
            (c.ARG_DST, result.home, result_desc),
            *arguments,
        ],
    )
    finish(lowering, node, last, result)
    return result


@lowers("Conv2D", "DepthwiseConv2dNative", "Conv3D")
def convolution(lowering: Lowering, node: Any, inputs: list[Value]) -> Value:
    return forward(lowering, node, *inputs)


@lowers("Conv2DBackpropInput", "DepthwiseConv2dNativeBackpropInput")
def transposed(lowering: Lowering, node: Any, inputs: list[Value]) -> Value:
    """The gradient with respect to the input, which is also the transposed convolution, with what follows it."""
    sizes, w, g = inputs
    if sizes.array is None or sizes.array.size != 4 or len(g.shape) != 4:
        raise Unsupported("sizes")
    x_shape = tuple(sizes.array.tolist())
    shape = _geometry(node, x_shape, w.shape)
    if shape.out != g.shape:
        raise Unsupported("sizes")
    if shape.groups != 1 or shape.depthwise:
        return _input_gradient(lowering, w, g, shape, x_shape)
    b = lowering.b
    b.sized(shape.work)
    posts = lowering.tail(node, x_shape)
    affine = Affine(node, posts, x_shape[-1], 4, scales=False)
    if _is_tiling(node, shape, x_shape):
        return _tiles(lowering, node, w, g, shape, x_shape, affine, posts)
    result = b.new(x_shape)
    source, target = b.desc(g), b.desc(result)
    plain = shape.plain(b, swap=True)
    weights, bias = b.any([shape.inner, shape.outer, *shape.taps]), c.strided(b.api, (x_shape[-1],), (1,))

    def make(attributes: Any) -> Any:
        return b.primitive(
            "deconvolution_forward",
            c.FORWARD_INFERENCE,
            c.DECONVOLUTION_DIRECT,
            source,
            weights,
            bias if affine.bias is not None else None,
            target,
            shape.strides,
            shape.dilations,
            shape.before,
            shape.after,
            attributes,
        )

    primitive, arguments, last = lowering.fused(node, posts, 4, make, last=affine.last)
    chosen = primitive.layout(c.QUERY_WEIGHTS, ())
    if affine.bias is not None:
        arguments.append((c.ARG_BIAS, constant(affine.bias).home, bias))
    w_home = b.arranged(w, plain, chosen)
    b.run(
        primitive,
        [(c.ARG_SRC, g.home, source), (c.ARG_WEIGHTS, w_home, chosen), (c.ARG_DST, result.home, target), *arguments],
    )
    finish(lowering, node, last, result)
    return result


def _is_tiling(node: Any, shape: _Geometry, x_shape: Sequence[int]) -> bool:
    """Whether the windows of a convolution lie side by side and cover the input."""
    rows, columns = shape.taps
    return (
        tuple(node.attrs["strides"][1:3]) == (rows, columns)
        and not any(shape.before)
        and tuple(x_shape[1:3]) == (shape.out[1] * rows, shape.out[2] * columns)
    )


def _tiles(
    lowering: Lowering,
    node: Any,
    w: Value,
    g: Value,
    shape: _Geometry,
    x_shape: Sequence[int],
    affine: Affine,
    posts: list[Post],
) -> Value:
    """The transpose of such a convolution: one product makes all tiles, a copy puts them where they belong."""
    b = lowering.b
    rows, columns = shape.taps
    batch, height, width, inner = g.shape
    each = x_shape[-1]
    row = columns * each
    tile = rows * row
    needs_place = [post.operand is not None for post in posts]  # an operand has its numbers in the places of the result
    posts = posts[: needs_place.index(True)] if True in needs_place else posts
    # The product as a convolution with a window of one: what follows is taken in better there.
    product = b.new((batch, height, width, tile))
    source, target = b.desc(g), b.desc(product)
    plain = c.strided(b.api, (tile, inner, 1, 1), (inner, 1, 1, 1))
    weights, bias = b.any((tile, inner, 1, 1)), c.strided(b.api, (tile,), (1,))
    ones, zeros = c.dims((1, 1)), c.dims((0, 0))

    def make(attributes: Any) -> Any:
        return b.primitive(
            "convolution_forward",
            c.FORWARD_INFERENCE,
            c.CONVOLUTION_DIRECT,
            source,
            weights,
            bias if affine.bias is not None else None,
            target,
            ones,
            zeros,
            zeros,
            zeros,
            attributes,
        )

    primitive, arguments, last = lowering.fused(node, posts, 4, make, last=affine.last)
    chosen = primitive.layout(c.QUERY_WEIGHTS, (tile, inner, 1, 1))
    if affine.bias is not None:
        arguments.append((c.ARG_BIAS, constant(np.tile(affine.bias, rows * columns)).home, bias))
    w_home = b.arranged(w, plain, chosen)
    b.run(
        primitive,
        [(c.ARG_SRC, g.home, source), (c.ARG_WEIGHTS, w_home, chosen), (c.ARG_DST, product.home, target), *arguments],
    )
    result = b.new(x_shape)
    sizes = (batch * height, width, rows, row)
    made = c.strided(b.api, sizes, (width * tile, tile, row, 1))
    placed = c.strided(b.api, sizes, (width * tile, row, width * row, 1))
    b.reorder(product.home, made, result.home, placed)
    finish(lowering, node, last, result)
    return result


def _forward_hint(b: Builder, shape: _Geometry, x: MemoryDesc, y: MemoryDesc) -> Primitive:
    """The convolution that a gradient belongs to, which the library wants to see."""
    return b.primitive(
        "convolution_forward",
        c.FORWARD_TRAINING,
        c.CONVOLUTION_DIRECT,
        x,
        b.any(shape.weights),
        None,
        y,
        shape.strides,
        shape.dilations,
        shape.before,
        shape.after,
        c.Attributes(b.api),
    )


def _input_gradient(lowering: Lowering, w: Value, g: Value, shape: _Geometry, x_shape: Sequence[int]) -> Value:
    """The gradient of a convolution in groups with respect to its input."""
    b = lowering.b
    result = b.new(x_shape)
    target, source = b.desc(result), b.desc(g)
    hint = _forward_hint(b, shape, target, source)
    primitive = b.primitive(
        "convolution_backward_data",
        c.CONVOLUTION_DIRECT,
        target,
        b.any(shape.weights),
        source,
        shape.strides,
        shape.dilations,
        shape.before,
        shape.after,
        hint.desc,
        c.Attributes(b.api),
    )
    chosen = primitive.layout(c.QUERY_WEIGHTS, shape.weights)
    w_home = b.arranged(w, shape.plain(b), chosen)
    b.run(
        primitive,
        [(c.ARG_DIFF_DST, g.home, source), (c.ARG_WEIGHTS, w_home, chosen), (c.ARG_DIFF_SRC, result.home, target)],
    )
    return result


@lowers("Conv2DBackpropFilter", "DepthwiseConv2dNativeBackpropFilter")
def filter_gradient(lowering: Lowering, node: Any, inputs: list[Value]) -> Value:
    """The gradient with respect to the filter: computed in the library's layout, then put into TensorFlow's."""
    x, sizes, g = inputs
    if sizes.array is None or sizes.array.size != 4 or len(x.shape) != 4:
        raise Unsupported("sizes")
    w_shape = tuple(sizes.array.tolist())
    shape = _geometry(node, x.shape, w_shape)
    if shape.out != g.shape:
        raise Unsupported("sizes")
    b = lowering.b
    b.sized(shape.work)
    source, gradient = b.desc(x), b.desc(g)
    hint = _forward_hint(b, shape, source, gradient)
    primitive = b.primitive(
        "convolution_backward_weights",
        c.CONVOLUTION_DIRECT,
        source,
        b.any(shape.weights),
        None,
        gradient,
        shape.strides,
        shape.dilations,
        shape.before,
        shape.after,
        hint.desc,
        c.Attributes(b.api),
    )
    chosen = primitive.layout(c.QUERY_DIFF_WEIGHTS, shape.weights)
    result, plain = b.new(w_shape), shape.plain(b)
    home = result.home if chosen == plain else b.block(chosen.nbytes)
    b.run(
        primitive,
        [(c.ARG_SRC, x.home, source), (c.ARG_DIFF_DST, g.home, gradient), (c.ARG_DIFF_WEIGHTS, home, chosen)],
    )
    if home is not result.home:
        b.reorder(home, chosen, result.home, plain)
    return result
