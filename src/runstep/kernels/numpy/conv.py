"""Convolution as im2col and one matrix product, in any number of spatial dimensions.

What the shapes decide is worked out once per input shape and remembered; weights that are constant are laid out as a
matrix once per node. The columns are copied in runs of one window row (its taps and channels are neighbours in memory),
as opaque elements, which numpy copies with one memmove each.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from runstep.errors import InvalidArgumentError, UnimplementedError
from runstep.kernels import blas
from runstep.kernels.numpy import conv_checks, windows
from runstep.kernels.numpy.fused_tail import Tail, make_tail
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.ops.windows import channels_first, split

Array = Any

# Columns are made in blocks of about this many bytes, so that the matrix product reads them from the cache.
_BLOCK = 1 << 20
_MEMO = 64


class Spec:
    """The attributes of one convolution, split by axis."""

    def __init__(
        self, attrs: Mapping[str, Any], rank: int, refused: conv_checks.Refused = InvalidArgumentError
    ) -> None:
        self.first = channels_first(attrs.get("data_format", b"NDHWC"))
        conv_checks.check_attrs(attrs, rank, self.first, refused)
        self.strides = split(attrs["strides"], self.first)[2]
        self.dilations = split(attrs.get("dilations") or (1,) * rank, self.first)[2]
        self.padding: bytes = attrs["padding"]
        explicit = attrs.get("explicit_paddings") or (0,) * (2 * rank)
        self.pads = split([explicit[2 * axis : 2 * axis + 2] for axis in range(rank)], self.first)[2]

    def place(self, sizes: Sequence[int], taps: Sequence[int]) -> windows.Windows:
        return windows.place(sizes, taps, self.strides, self.padding, self.pads, self.dilations)


class Columns:
    """How the windows of inputs of one shape become the rows of a matrix: `[positions, taps * channels]`."""

    def __init__(self, spec: Spec, x_shape: tuple[int, ...], taps: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        batch, *sizes, channels = x_shape
        self.placed = placed = spec.place(sizes, taps)
        self.before, self.after = placed.before, placed.after
        self.is_padded = placed.is_padded
        self.out = placed.out
        self.batch = batch
        self.width = math.prod(taps) * channels
        self.dtype = dtype
        item = dtype.itemsize
        padded = [s + b + a for s, b, a in zip(sizes, placed.before, placed.after, strict=True)]
        steps = [channels * item]
        for size in reversed(padded):
            steps.insert(0, steps[0] * size)
        batch_step, axis_steps = steps[0], steps[1:]
        # One run is a whole window row when its taps are neighbours, else a single tap.
        merged = spec.dilations[-1] == 1
        run = taps[-1] * channels if merged else channels
        outer_taps = taps[:-1] if merged else taps
        self.run = np.dtype((np.void, max(1, run * item)))
        self.runs = math.prod(outer_taps)
        tap_steps = [step * dilation for step, dilation in zip(axis_steps, spec.dilations, strict=True)]
        self.offsets = [
            sum(t * step for t, step in zip(tap, tap_steps, strict=False))
            for tap in itertools.product(*map(range, outer_taps))
        ]
        self.steps = (batch_step, *[step * stride for step, stride in zip(axis_steps, spec.strides, strict=True)])
        self.is_empty = not (batch and math.prod(self.out) and self.width)
        row = max(1, math.prod(self.out[1:]) * self.width * item)
        self.rows = min(max(1, _BLOCK // row), max(1, self.out[0]))
        self.images = min(max(1, _BLOCK // (row * self.rows)), max(1, batch)) if self.rows == self.out[0] else 1
        self.blocks = [
            (image, min(image + self.images, batch), top, min(top + self.rows, self.out[0]))
            for image in range(0, batch, self.images)
            for top in range(0, self.out[0], self.rows)
        ]
        self.positions = batch * math.prod(self.out)
        self.per_row = math.prod(self.out[1:])

    def source(self, x: Array) -> Array:
        """`x` padded, or contiguous as it is."""
        if self.is_padded:
            return windows.pad(x, self.before, self.after, slot="padded")
        return np.ascontiguousarray(x)

    def each(self, x: Array) -> Any:
        """Yields (matrix of columns, first position, end position) of one block after the other; the matrix is
        reused."""
        source = self.source(x)
        rest = self.out[1:]
        image, image_end, top, bottom = self.blocks[0]
        count = (image_end - image) * (bottom - top) * self.per_row
        matrix = windows.scratch("columns", (count, self.width), self.dtype)
        for image, image_end, top, bottom in self.blocks:
            shape = (image_end - image, bottom - top, *rest)
            used = (image_end - image) * (bottom - top) * self.per_row
            block = matrix[:used]
            target = np.ndarray((*shape, self.runs), self.run, block)
            base = image * self.steps[0] + top * self.steps[1]
            for index, offset in enumerate(self.offsets):
                target[..., index] = np.ndarray(shape, self.run, source, base + offset, self.steps)
            start = (image * self.out[0] + top) * self.per_row
            yield block, start, start + used


def _as_matrix(w: Array, dtype: np.dtype[Any]) -> Array:
    return np.ascontiguousarray(w, dtype).reshape(math.prod(w.shape[:-1]), w.shape[-1])


def _pointwise(w: Array, tail: Tail | None) -> Callable[..., Array]:
    """A 1x1 convolution of stride 1 is a matrix product."""
    channels, out = w.shape
    product = blas.matmul

    def kernel(x: Array, *args: Array) -> Array:
        return product(x.reshape(-1, channels), w).reshape(*x.shape[:-1], out)

    def with_tail(x: Array, _: Array, *args: Array) -> Array:
        y = product(x.reshape(-1, channels), w)
        tail(y, x.shape[-2], args)  # type: ignore[misc]
        return y.reshape(*x.shape[:-1], out)

    return kernel if tail is None else with_tail


class Convolution:
    """The kernel of one node: `(x, w, *args) -> y`."""

    def __init__(
        self, attrs: Mapping[str, Any], dtype: Any, rank: int, weights: Array | None, tail: Tail | None
    ) -> None:
        self.spec = Spec(attrs, rank, UnimplementedError if rank == 4 else InvalidArgumentError)
        self.rank = rank
        self.dtype = dtype.np
        self.compute = windows.compute_type(dtype)
        self.tail = tail
        self.matrix = None
        if weights is not None and weights.ndim == rank and weights.size:
            self.matrix = _as_matrix(weights, self.compute)
        self.memo: dict[Any, Columns] = {}

    def columns(self, x_shape: tuple[int, ...], w_shape: tuple[int, ...]) -> Columns:
        key = (x_shape, w_shape)
        found = self.memo.get(key)
        if found is None:
            if len(self.memo) >= _MEMO:
                self.memo.clear()
            conv_checks.check_forward(x_shape, w_shape, self.rank)
            grouped = (*x_shape[:-1], w_shape[-2])
            self.memo[key] = found = Columns(self.spec, grouped, w_shape[:-2], self.compute)
        return found

    def __call__(self, x: Array, w: Array, *args: Array) -> Array:
        first = self.spec.first
        x = windows.to_last(x, first) if x.ndim > 2 else x
        columns = self.columns(x.shape, w.shape)
        out_channels = w.shape[-1]
        y = np.empty((columns.positions, out_channels), self.compute)
        if x.dtype != self.compute:
            x = x.astype(self.compute)
        matrix = self.matrix if self.matrix is not None else _as_matrix(w, self.compute)
        taken = w.shape[-2]
        if columns.is_empty or not y.size or not x.size:
            y[...] = 0
            if self.tail is not None and y.size:
                self.tail(y, columns.out[-1], args)
        elif taken == x.shape[-1]:
            for block, start, end in columns.each(x):
                rows = y[start:end]
                blas.matmul(block, matrix, rows)
                if self.tail is not None:
                    self.tail(rows, columns.out[-1], args)
        else:
            each = out_channels // (x.shape[-1] // taken)
            for group in range(x.shape[-1] // taken):
                part = slice(group * each, (group + 1) * each)
                chosen = x[..., group * taken : (group + 1) * taken]
                for block, start, end in columns.each(chosen):
                    y[start:end, part] = np.matmul(block, matrix[:, part])
            if self.tail is not None:
                self.tail(y, columns.out[-1], args)
        y = y.reshape(columns.batch, *columns.out, out_channels)
        if self.dtype != self.compute:
            y = y.astype(self.dtype)
        return windows.to_first(y, first)


def convolution(attrs: Mapping[str, Any], dtype: Any, rank: int, weights: Array | None, tail: Tail | None) -> Kernel:
    """The kernel `(x, w, *args) -> y` of a convolution of inputs of `rank` axes; `weights` where they are constant."""
    made = Convolution(attrs, dtype, rank, weights, tail)
    spec = made.spec
    if (
        made.matrix is not None
        and weights is not None
        and weights.size
        and made.compute == made.dtype
        and math.prod(weights.shape[:-2]) == 1
        and set(spec.strides) == {1}
        and not any(map(any, spec.pads))
        and not spec.first
    ):
        quick = _pointwise(made.matrix, tail)
        taken = weights.shape[-2]

        def kernel(x: Array, w: Array, *args: Array) -> Array:
            if x.ndim == rank and x.shape[-1] == taken:
                return quick(x, w, *args)
            return made(x, w, *args)

        return kernel
    return made


@numpy_kernel.make("Conv2D")
def conv2d(node: Node) -> Kernel:
    return convolution(node.attrs, node.input_types[0], 4, node.constant(1), None)


@numpy_kernel.make("Conv3D")
def conv3d(node: Node) -> Kernel:
    return convolution(node.attrs, node.input_types[0], 5, node.constant(1), None)


@numpy_kernel.make("_FusedConv2D")
def fused_conv2d(node: Node) -> Kernel:
    """Convolution with what follows it (BiasAdd, FusedBatchNorm, an activation) done on each block in the cache."""
    return convolution(node.attrs, node.input_types[0], 4, node.constant(1), make_tail(node, 2))


@numpy_kernel.make("Conv")
def conv(node: Node) -> Kernel:
    """Convolution over any number of spatial axes (`Conv`), with several batch axes."""
    attrs = node.attrs
    batch_dims = attrs["batch_dims"]
    weights = node.constant(1)
    made: dict[int, Kernel] = {}

    def kernel(x: Array, w: Array) -> Array:
        rank = w.ndim
        if rank not in made:
            made[rank] = convolution(attrs, node.input_types[0], rank, weights, None)
        lead = x.shape[: batch_dims - 1]
        if not lead:
            return made[rank](x, w)
        y = made[rank](x.reshape(-1, *x.shape[batch_dims:]), w)
        return y.reshape(*lead, x.shape[batch_dims - 1], *y.shape[1:])

    return kernel
