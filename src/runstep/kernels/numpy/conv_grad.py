"""The two transposes of convolution: with respect to its input (also `conv2d_transpose`), and to its filter."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep.errors import InvalidArgumentError, UnimplementedError
from runstep.kernels import blas
from runstep.kernels.numpy import conv_checks, windows
from runstep.kernels.numpy.conv import Columns, Spec
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.ops.windows import split

Array = Any
Sizes = Sequence[int]

_MEMO = 64
_FEW = 4
"""How many times more channels a gradient has than the input before columns of it cost more than the sum of shares."""


def _fitting(prefix: str, spec: Spec, x_shape: Sizes, w_shape: Sizes, g_shape: Sizes) -> tuple[windows.Windows, int]:
    """Where the windows lie, and the number of groups, once the three shapes fit each other."""
    groups = conv_checks.check_gradient(prefix, x_shape, w_shape, g_shape)
    placed = spec.place(x_shape[1:-1], w_shape[:-2])
    conv_checks.check_placed(prefix, spec, x_shape[1:-1], w_shape[:-2], g_shape[1:-1], placed.out)
    return placed, groups


class _Phase:
    """One phase of the input: the places `[first, first + stride, ...]` along each axis, which only the taps of the
    same phase reach. In them the gradient is a convolution of stride 1 of `g`, with those taps in reverse order.
    """

    def __init__(
        self, of: Sequence[tuple[int, ...]], spec: Spec, placed: windows.Windows, sizes: Sequence[int]
    ) -> None:
        self.taps, self.into, self.taken, pads = [], [slice(None)], [slice(None)], []
        self.counts = []
        for (phase, tap), stride, dilation, before, out, size in zip(
            of, spec.strides, spec.dilations, placed.before, placed.out, sizes, strict=True
        ):
            start = -(-(before - phase) // stride)
            count = max(0, (before + size - 1 - phase) // stride + 1 - start)
            self.counts.append(count)
            taps = len(range(phase, tap, stride))
            ahead = (taps - 1) * dilation - start
            behind = count + (taps - 1) * dilation - out - ahead
            first = start * stride + phase - before
            self.taps.append((slice(phase, tap, stride), taps))
            self.into.append(slice(first, None, stride))
            self.taken.append(slice(max(0, -ahead), out - max(0, -behind)))
            pads += [max(0, ahead), max(0, behind)]
        self.is_empty = not all(self.counts) or not all(taps for _, taps in self.taps)
        ones, rank = [1] * (len(sizes) + 2), len(sizes) + 2
        attrs = {
            "strides": ones,
            "dilations": [1, *spec.dilations, 1],
            "padding": b"EXPLICIT",
            "explicit_paddings": [0, 0, *pads, 0, 0],
        }
        self.spec = Spec(attrs, rank)
        self.columns: Columns | None = None

    def __call__(self, w: Array, g: Array, dtype: Any) -> Array:
        part = g[tuple(self.taken)]
        chosen = w[tuple(slice_ for slice_, _ in self.taps)]
        back = (slice(None, None, -1),) * len(self.taps)
        matrix = np.ascontiguousarray(chosen[back].swapaxes(-1, -2)).reshape(-1, w.shape[-2])
        if self.columns is None:
            self.columns = Columns(self.spec, part.shape, tuple(taps for _, taps in self.taps), dtype)
        columns = self.columns
        dx = np.empty((columns.positions, w.shape[-2]), dtype)
        for block, start, end in columns.each(part):
            blas.matmul(block, matrix, dx[start:end])
        return dx.reshape(g.shape[0], *self.counts, w.shape[-2])


class InputGradient:
    """`(w, gradient, x_shape) -> dx`, channels last: a convolution of the gradient, phase by phase of the stride."""

    def __init__(self, op: str, spec: Spec, dtype: Any) -> None:
        self.op = op
        self.spec = spec
        self.compute = windows.compute_type(dtype)
        self.memo: dict[Any, list[_Phase]] = {}

    def __call__(self, w: Array, g: Array, x_shape: tuple[int, ...]) -> Array:
        placed, groups = _fitting(self.op, self.spec, x_shape, w.shape, g.shape)
        if not (math.prod(x_shape) and g.size and w.size):
            return np.zeros(x_shape, self.compute)
        if groups == 1:
            return self.of_group(w, g, x_shape, placed)
        taken, each = w.shape[-2], w.shape[-1] // groups
        parts = [
            self.of_group(
                w[..., group * each : (group + 1) * each],
                g[..., group * each : (group + 1) * each],
                (*x_shape[:-1], taken),
                placed,
            )
            for group in range(groups)
        ]
        return np.concatenate(parts, axis=-1)

    def of_group(self, w: Array, g: Array, x_shape: tuple[int, ...], placed: windows.Windows) -> Array:
        spec, sizes, taps = self.spec, x_shape[1:-1], w.shape[:-2]
        batch, channels = x_shape[0], x_shape[-1]
        dilated, strided = set(spec.dilations) != {1}, set(spec.strides) != {1}
        apart = taps == spec.strides and not placed.is_padded and not dilated
        if apart and len(taps) == 2 and tuple(o * s for o, s in zip(placed.out, spec.strides, strict=True)) == sizes:
            # Windows that tile the input: each share goes to a place of its own.
            shares = np.matmul(np.ascontiguousarray(g).reshape(-1, g.shape[-1]), _transposed(w))
            run = np.dtype((np.void, taps[1] * channels * shares.itemsize))
            tiles = shares.view(run).reshape(batch, placed.out[0], placed.out[1], taps[0])
            return np.ascontiguousarray(tiles.swapaxes(2, 3)).view(shares.dtype).reshape(x_shape)
        # In the other ways borders of zeros are multiplied, and 0 * inf is NaN.
        if (dilated and strided) or channels * _FEW < g.shape[-1] or not math.isfinite(w.sum(dtype=np.float64)):
            return self.tap_by_tap(w, g, x_shape, placed)
        phases = self.phases(x_shape, w.shape, placed)
        if len(phases) == 1 and not phases[0].is_empty and not strided:
            return phases[0](w, g, self.compute)
        dx = np.empty(x_shape, self.compute)
        for phase in phases:
            dx[tuple(phase.into)] = 0 if phase.is_empty else phase(w, g, self.compute)
        return dx

    def phases(self, x_shape: tuple[int, ...], w_shape: tuple[int, ...], placed: windows.Windows) -> list[_Phase]:
        found = self.memo.get((x_shape, w_shape))
        if found is None:
            if len(self.memo) >= _MEMO:
                self.memo.clear()
            each = itertools.product(*map(range, self.spec.strides))
            found = self.memo[x_shape, w_shape] = [
                _Phase(tuple(zip(of, w_shape[:-2], strict=True)), self.spec, placed, x_shape[1:-1]) for of in each
            ]
        return found

    def tap_by_tap(self, w: Array, g: Array, x_shape: tuple[int, ...], placed: windows.Windows) -> Array:
        """Every output position's share is added where its window lies: best where little goes back to each place."""
        spec, sizes, taps = self.spec, x_shape[1:-1], w.shape[:-2]
        batch, channels = x_shape[0], x_shape[-1]
        matrix = _transposed(w)
        flat = np.ascontiguousarray(g).reshape(-1, g.shape[-1])
        padded = [s + b + a for s, b, a in zip(sizes, placed.before, placed.after, strict=True)]
        dx = np.zeros((batch, *padded, channels), self.compute)
        for index, tap in enumerate(itertools.product(*map(range, taps))):
            share = np.matmul(flat, matrix[:, index * channels : (index + 1) * channels])
            dx[windows.tap_slices(tap, spec.strides, spec.dilations, placed.out)] += share.reshape(
                batch, *placed.out, channels
            )
        return windows.crop(dx, placed.before, sizes)


def _transposed(w: Array) -> Array:
    """The filter as a matrix `[out channels, taps * channels]`."""
    return np.ascontiguousarray(w).reshape(-1, w.shape[-1]).T


class FilterGradient:
    """`(x, gradient, w_shape) -> dw`: the columns of the input, transposed, times the gradient."""

    def __init__(self, op: str, spec: Spec, dtype: Any) -> None:
        self.op = op
        self.spec = spec
        self.compute = windows.compute_type(dtype)

    def __call__(self, x: Array, g: Array, w_shape: tuple[int, ...]) -> Array:
        _, groups = _fitting(self.op, self.spec, x.shape, w_shape, g.shape)
        dw = np.zeros(w_shape, self.compute)
        if not (x.size and g.size and dw.size):
            return dw
        taken, each = w_shape[-2], w_shape[-1] // groups
        columns = Columns(self.spec, (*x.shape[:-1], taken), w_shape[:-2], self.compute)
        for group in range(groups):
            flat = np.ascontiguousarray(g[..., group * each : (group + 1) * each]).reshape(-1, each)
            total = np.zeros((columns.width, each), self.compute)
            for block, start, end in columns.each(x[..., group * taken : (group + 1) * taken]):
                total += np.matmul(block.T, flat[start:end])
            dw[..., group * each : (group + 1) * each] = total.reshape(*w_shape[:-1], each)
        return dw


def _input_gradient(node: Node, rank: int, sizes_index: int | None) -> Kernel:
    spec = Spec(node.attrs, rank, UnimplementedError if rank == 4 else InvalidArgumentError)
    dtype = node.output_types[0]
    prefix = "Conv2DCustomBackpropInput" if rank == 4 else "Conv3DBackpropInputOp"
    filter_name = "filter" if rank == 4 else "filter_sizes"
    made = InputGradient(prefix, spec, dtype)

    def kernel(sizes: Array, w: Array, g: Array) -> Array:
        g = windows.to_last(g, spec.first).astype(made.compute, copy=False)
        w = w.astype(made.compute, copy=False)
        shape = (
            sizes.shape if sizes_index is None else conv_checks.check_sizes("Conv2DBackpropInput", sizes, "input_sizes")
        )
        conv_checks.check_positive(shape)
        if rank == 4 and g.ndim != 4:
            conv_checks.refuse(f"input_sizes must be 4-dimensional, got: {g.ndim}")
        if rank == 5:
            conv_checks.check_ranks(prefix, 5, input=shape)
        conv_checks.check_ranks(prefix, rank, **{filter_name: w.shape}, out_backprop=g.shape)
        if len(shape) == rank - 2:  # only the spatial sizes are given
            x_shape = (g.shape[0], *shape, w.shape[-2])
        elif len(shape) == rank:
            batch, channels, spatial = split(shape, spec.first)
            x_shape = (batch, *spatial, channels)
        else:
            conv_checks.refuse(
                f"Conv2DBackpropInput requires input_sizes to contain 4 values or 2 values, but got: {len(shape)}"
            )
        return windows.to_first(made(w, g, x_shape).astype(dtype.np, copy=False), spec.first)

    return kernel


def _filter_gradient(node: Node, rank: int, sizes_given: bool) -> Kernel:
    spec = Spec(node.attrs, rank)
    dtype = node.output_types[0]
    prefix = "Conv2DCustomBackpropFilter" if rank == 4 else "Conv3DBackpropFilterOp"
    made = FilterGradient(prefix, spec, dtype)

    def kernel(x: Array, sizes: Array, g: Array) -> Array:
        x = windows.to_last(x, spec.first).astype(made.compute, copy=False)
        g = windows.to_last(g, spec.first).astype(made.compute, copy=False)
        shape = conv_checks.check_sizes(prefix, sizes, "filter_sizes") if sizes_given else sizes.shape
        conv_checks.check_positive(shape)
        filter_name = "filter" if rank == 4 else "filter_sizes"
        conv_checks.check_ranks(prefix, rank, input=x.shape, **{filter_name: shape}, out_backprop=g.shape)
        return made(x, g, shape).astype(dtype.np, copy=False)

    return kernel


@numpy_kernel.make("Conv2DBackpropInput")
def conv2d_input(node: Node) -> Kernel:
    return _input_gradient(node, 4, 0)


@numpy_kernel.make("Conv3DBackpropInputV2")
def conv3d_input_v2(node: Node) -> Kernel:
    return _input_gradient(node, 5, 0)


@numpy_kernel.make("Conv3DBackpropInput")
def conv3d_input(node: Node) -> Kernel:
    return _input_gradient(node, 5, None)


@numpy_kernel.make("Conv2DBackpropFilter")
def conv2d_filter(node: Node) -> Kernel:
    return _filter_gradient(node, 4, True)


@numpy_kernel.make("Conv3DBackpropFilterV2")
def conv3d_filter_v2(node: Node) -> Kernel:
    return _filter_gradient(node, 5, True)


@numpy_kernel.make("Conv3DBackpropFilter")
def conv3d_filter(node: Node) -> Kernel:
    return _filter_gradient(node, 5, False)
