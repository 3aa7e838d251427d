"""Depthwise convolution: each channel by itself, as one multiply-accumulate pass over flattened rows.

A row of the padded input is one vector of `width * channels` numbers; a tap reads it shifted by whole pixels, so that
the
inner loop of the sum over taps runs over a whole row, with the weights repeated along it. With a column stride `s` the
columns are dealt into `s` phases first, which makes each tap's reads neighbours again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from runstep.errors import InvalidArgumentError
from runstep.graph import shapes
from runstep.kernels.numpy import conv_checks, windows
from runstep.kernels.numpy.conv import Spec
from runstep.kernels.numpy.fused_tail import Tail, make_tail
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.ops.windows import split

Array = Any

_MEMO = 64


class _Rows:
    """The plan of one input shape: where each phase of the padded input lies, and the strided views of the taps."""

    def __init__(self, spec: Spec, x_shape: tuple[int, ...], w_shape: tuple[int, ...], item: int) -> None:
        batch, height, width, channels = x_shape
        rows, columns, _, multiplier = w_shape
        self.channels = channels * multiplier
        self.multiplier = multiplier
        self.placed = placed = spec.place((height, width), (rows, columns))
        self.out = placed.out
        self.batch = batch
        self.phases = phases = spec.strides[1] if spec.dilations[1] == 1 else 1
        self.is_plain = spec.dilations[1] == 1 or spec.strides[1] == 1
        (top, left), (bottom, right) = placed.before, placed.after
        self.buffer_shape: tuple[int, ...]
        padded_height, padded_width = height + top + bottom, width + left + right
        self.phase_width = -(-padded_width // phases)
        self.buffer_shape = (batch, padded_height, phases, self.phase_width, channels, multiplier)
        self.needs_copy = placed.is_padded or phases > 1 or multiplier > 1
        self.inner = []
        for phase in range(phases):
            first = (phase - left) % phases
            count = len(range(first, width, phases))
            start = (first + left) // phases
            self.inner.append((phase, slice(start, start + count), slice(first, width, phases)))
        self.rows = slice(top, top + height)
        pixel = self.channels * item
        row = phases * self.phase_width * pixel
        image = padded_height * row
        out_height, out_width = placed.out
        # Views [batch, out height, taps down, taps across, out width * channels], one for each phase that has taps.
        self.views = []
        for phase in range(min(phases, columns)):
            across = len(range(phase, columns, phases))
            self.views.append(
                (
                    (batch, out_height, rows, across, out_width * self.channels),
                    phase * self.phase_width * pixel,
                    (image, row * spec.strides[0], row * spec.dilations[0], pixel * spec.dilations[1], item),
                    slice(phase, None, phases),
                )
            )

    def source(self, x: Array) -> Array:
        """`x` with zeros around it, its columns dealt into phases and its channels multiplied."""
        if not self.needs_copy:
            return np.ascontiguousarray(x)
        if self.phases == 1 and self.multiplier == 1:
            return windows.pad(x, self.placed.before, self.placed.after, slot="padded")
        buffer = windows.scratch("padded", self.buffer_shape, x.dtype)
        rows = self.rows
        buffer[:, : rows.start] = 0
        buffer[:, rows.stop :] = 0
        for phase, to, taken in self.inner:
            part = buffer[:, rows, phase]
            part[:, :, : to.start] = 0
            part[:, :, to.stop :] = 0
            part[:, :, to] = x[:, :, taken, :, None]
        return buffer


def _repeated(w: Array, width: int) -> Array:
    rows, columns, channels, multiplier = w.shape
    flat = w.reshape(rows, columns, 1, channels * multiplier)
    return np.broadcast_to(flat, (rows, columns, width, channels * multiplier)).reshape(rows, columns, -1)


class Depthwise:
    """The kernel of one node: `(x, w, *args) -> y`."""

    def __init__(self, attrs: Mapping[str, Any], dtype: Any, weights: Array | None, tail: Tail | None) -> None:
        self.spec = Spec(attrs, 4)
        self.dtype = dtype.np
        self.compute = windows.compute_type(dtype)
        self.weights = weights
        self.tail = tail
        self.memo: dict[Any, tuple[_Rows, list[Array] | None]] = {}

    def plan(self, x_shape: tuple[int, ...], w_shape: tuple[int, ...]) -> tuple[_Rows, list[Array] | None]:
        if len(x_shape) != 4:
            raise InvalidArgumentError(None, None, f"input must be 4-dimensional{shapes.text(x_shape)}")
        if len(w_shape) != 4:
            raise InvalidArgumentError(None, None, f"filter must be 4-dimensional: {shapes.text(w_shape)}")
        if x_shape[3] != w_shape[2]:
            raise InvalidArgumentError(
                None, None, f"input and filter must have the same depth: {x_shape[3]} vs {w_shape[2]}"
            )
        if len(self.memo) >= _MEMO:
            self.memo.clear()
        rows = _Rows(self.spec, x_shape, w_shape, self.compute.itemsize)
        weights = None if self.weights is None else self.lay_out(rows, self.weights)
        self.memo[x_shape, w_shape] = found = (rows, weights)
        return found

    def lay_out(self, rows: _Rows, w: Array) -> list[Array]:
        """The weights of each phase, repeated along a row."""
        long = _repeated(w.astype(self.compute, copy=False), rows.out[1])
        return [np.ascontiguousarray(long[:, taps]) for *_, taps in rows.views]

    def __call__(self, x: Array, w: Array, *args: Array) -> Array:
        spec = self.spec
        x = windows.to_last(x, spec.first) if x.ndim > 2 else x
        found = self.memo.get((x.shape, w.shape))
        rows, weights = found if found is not None else self.plan(x.shape, w.shape)
        if x.dtype != self.compute:
            x = x.astype(self.compute)
        batch, (height, width), channels = rows.batch, rows.out, rows.channels
        if not (batch and height and width and channels and w.size):
            y: Any = np.zeros((batch, height, width, channels), self.compute)
        elif not rows.is_plain:
            y = self.strided_and_dilated(x, w, rows)
        else:
            source = rows.source(x)
            if weights is None:
                weights = self.lay_out(rows, w)
            y = None
            for (shape, offset, steps, _), long in zip(rows.views, weights, strict=True):
                taps = np.ndarray(shape, self.compute, source, offset, steps)
                part = np.einsum("nhijw,ijw->nhw", taps, long)
                y = part if y is None else np.add(y, part, out=y)
            y = y.reshape(batch, height, width, channels)
        if self.tail is not None and y.size:
            self.tail(y.reshape(-1, channels), width, args)
        if self.dtype != self.compute:
            y = y.astype(self.dtype)
        return windows.to_first(y, spec.first)

    def strided_and_dilated(self, x: Array, w: Array, rows: _Rows) -> Array:
        spec = self.spec
        source = windows.pad(x, rows.placed.before, rows.placed.after)
        taps = windows.view(source, w.shape[:2], spec.strides, spec.dilations, rows.out)
        y = np.einsum("nhwijc,ijcm->nhwcm", taps, w.astype(self.compute, copy=False))
        return y.reshape(rows.batch, *rows.out, rows.channels)


@numpy_kernel.make("DepthwiseConv2dNative")
def depthwise(node: Node) -> Kernel:
    return Depthwise(node.attrs, node.input_types[0], node.constant(1), None)


@numpy_kernel.make("_FusedDepthwiseConv2dNative")
def fused_depthwise(node: Node) -> Kernel:
    return Depthwise(node.attrs, node.input_types[0], node.constant(1), make_tail(node, 2))


# --- gradients ----------------------------------------------------------------------------------------------------


def _checked(
    op: str, spec: Spec, x_shape: Sequence[int], w_shape: Sequence[int], g_shape: Sequence[int]
) -> windows.Windows:
    conv_checks.check_ranks(op, 4, out_backprop=g_shape)
    if x_shape[0] != g_shape[0]:
        conv_checks.refuse(f"{op}: input and out_backprop must have the same batch size")
    if x_shape[3] != w_shape[2]:
        conv_checks.refuse(f"{op}: input and filter must have the same in_depth")
    if w_shape[2] * w_shape[3] != g_shape[3]:
        conv_checks.refuse(f"{op}: depth_multiplier * in_depth not equal to out_depth")
    placed = spec.place(x_shape[1:3], w_shape[:2])
    conv_checks.check_placed(op, spec, x_shape[1:3], w_shape[:2], g_shape[1:3], placed.out, ("rows", "cols"))
    return placed


def _taps(w_shape: Sequence[int]) -> list[tuple[int, int]]:
    return [(row, column) for row in range(w_shape[0]) for column in range(w_shape[1])]


def _reversed(
    spec: Spec, x_shape: tuple[int, ...], w_shape: tuple[int, ...], placed: windows.Windows, dtype: Any
) -> Depthwise | None:
    """With stride 1 and one output per channel the gradient is a convolution by the taps in reverse; None else."""
    if set(spec.strides) != {1} or w_shape[3] != 1:
        return None
    pads = []
    for size, tap, dilation, before, out in zip(
        x_shape[1:3], w_shape[:2], spec.dilations, placed.before, placed.out, strict=True
    ):
        ahead = (tap - 1) * dilation - before
        pads += [ahead, size + (tap - 1) * dilation - out - ahead]
    if min(pads) < 0:
        return None
    attrs = {
        "strides": (1, 1, 1, 1),
        "dilations": (1, *spec.dilations, 1),
        "padding": b"EXPLICIT",
        "explicit_paddings": (0, 0, *pads, 0, 0),
    }
    return Depthwise(attrs, dtype, None, None)


@numpy_kernel.make("DepthwiseConv2dNativeBackpropInput")
def depthwise_input_gradient(node: Node) -> Kernel:
    spec = Spec(node.attrs, 4)
    compute = windows.compute_type(node.output_types[0])
    dtype = node.output_types[0].np
    memo: dict[Any, Depthwise | None] = {}

    def reversed_convolution(
        x_shape: tuple[int, ...], w_shape: tuple[int, ...], placed: windows.Windows
    ) -> Depthwise | None:
        key = x_shape, w_shape
        if key not in memo:
            if len(memo) >= _MEMO:
                memo.clear()
            memo[key] = _reversed(spec, x_shape, w_shape, placed, node.output_types[0])
        return memo[key]

    def kernel(sizes: Array, w: Array, gradient: Array) -> Array:
        shape = conv_checks.check_sizes("Conv2DBackpropInput", sizes, "input_sizes")
        conv_checks.check_ranks("DepthwiseConv2DBackpropInput", 4, input=shape, filter=w.shape)
        conv_checks.check_positive(shape, "input_sizes")
        batch, channels, spatial = split(shape, spec.first)
        x_shape = (batch, *spatial, channels)
        g = windows.to_last(gradient, spec.first).astype(compute, copy=False)
        placed = _checked("DepthwiseConv2DBackpropInput", spec, x_shape, w.shape, g.shape)
        w = w.astype(compute, copy=False)
        back = reversed_convolution(x_shape, w.shape, placed)
        if back is not None and g.size and w.size:
            dx = back(g, w[::-1, ::-1])
            return windows.to_first(dx.astype(dtype, copy=False), spec.first)
        g = np.ascontiguousarray(g).reshape(*g.shape[:3], channels, w.shape[3])
        padded = [s + b + a for s, b, a in zip(spatial, placed.before, placed.after, strict=True)]
        dx = np.zeros((batch, *padded, channels), compute)
        if g.size:
            for tap in _taps(w.shape):
                at = windows.tap_slices(tap, spec.strides, spec.dilations, placed.out)
                dx[at] += np.einsum("nhwcm,cm->nhwc", g, w[tap])
        return windows.to_first(windows.crop(dx, placed.before, spatial).astype(dtype, copy=False), spec.first)

    return kernel


@numpy_kernel.make("DepthwiseConv2dNativeBackpropFilter")
def depthwise_filter_gradient(node: Node) -> Kernel:
    spec = Spec(node.attrs, 4)
    compute = windows.compute_type(node.output_types[0])
    dtype = node.output_types[0].np

    def kernel(x: Array, sizes: Array, gradient: Array) -> Array:
        w_shape = conv_checks.check_sizes("Conv2DBackpropFilter", sizes, "filter_sizes")
        conv_checks.check_ranks("DepthwiseConv2DBackpropFilter", 4, input=x.shape, filter=w_shape)
        conv_checks.check_positive(w_shape, "filter_sizes")
        x = windows.to_last(x, spec.first).astype(compute, copy=False)
        g = windows.to_last(gradient, spec.first).astype(compute, copy=False)
        placed = _checked("DepthwiseConv2DBackpropFilter", spec, x.shape, w_shape, g.shape)
        dw = np.zeros(w_shape, compute)
        if g.size:
            g = np.ascontiguousarray(g).reshape(*g.shape[:3], w_shape[2], w_shape[3])
            source = windows.pad(x, placed.before, placed.after)
            for tap in _taps(w_shape):
                at = windows.tap_slices(tap, spec.strides, spec.dilations, placed.out)
                dw[tap] = np.einsum("nhwc,nhwcm->cm", source[at], g)
        return dw.astype(dtype, copy=False)

    return kernel
