"""Patches of images and volumes, and grey-scale dilation."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.errors import InvalidArgumentError, OutOfRangeError, UnimplementedError
from runstep.graph import shapes
from runstep.kernels.numpy import windows
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = Any


def _patches(node: Node, rank: int) -> Kernel:
    attrs = node.attrs
    for name in ("ksizes", "strides", "rates"):
        values = attrs.get(name, (1,) * rank)
        if len(values) == rank and (values[0] != 1 or values[-1] != 1):
            raise UnimplementedError(None, None, f"Only support {name} across space.")
    taps, strides = attrs["ksizes"][1:-1], attrs["strides"][1:-1]
    rates = attrs.get("rates", (1,) * rank)[1:-1]
    padding, dtype = attrs["padding"], node.output_types[0].np
    pads = ((0, 0),) * len(taps)

    def kernel(x: Array) -> Array:
        if x.ndim != rank:
            raise InvalidArgumentError(None, None, f"input must be {rank}-dimensional{shapes.text(x.shape)}")
        placed = windows.place(x.shape[1:-1], taps, strides, padding, pads, rates)
        depth = x.shape[-1] * int(np.prod(taps))
        if not x.size or 0 in placed.out:
            return np.zeros((x.shape[0], *placed.out, depth), dtype)
        source = windows.pad(x, placed.before, placed.after)
        return windows.view(source, taps, strides, rates, placed.out).reshape(x.shape[0], *placed.out, depth)

    return kernel


@numpy_kernel.make("ExtractImagePatches")
def extract_image_patches(node: Node) -> Kernel:
    return _patches(node, 4)


@numpy_kernel.make("ExtractVolumePatches")
def extract_volume_patches(node: Node) -> Kernel:
    return _patches(node, 5)


def _check_dilation(node: Node) -> None:
    """That strides and rates are of four axes, positive, and 1 along batch and channels."""
    for name, field, word in (
        ("strides", "Sliding window stride", "Stride"), ("rates", "Input stride (atrous rate)", "Rate")
    ):  # fmt: skip
        values = node.attrs[name]
        if len(values) != 4:
            raise InvalidArgumentError(None, None, f"{field} field must specify 4 dimensions")
        if values[0] != 1 or values[3] != 1:
            raise UnimplementedError(None, None, f"{word} is only supported across spatial dimensions.")
        if min(values) <= 0:
            raise OutOfRangeError(None, None, f"{word} is only supported for positive numbers")


class _Dilation:
    """Which element of which window wins: `max over taps of input + filter`, taps outside the input left out."""

    def __init__(self, node: Node, x: Array, w: Array) -> None:
        if x.ndim != 4:
            raise InvalidArgumentError(None, None, f"input must be 4-dimensional: {shapes.text(x.shape)}")
        if w.ndim != 3:
            raise InvalidArgumentError(None, None, f"filter must be 3-dimensional: {shapes.text(w.shape)}")
        if x.shape[3] != w.shape[2]:
            raise InvalidArgumentError(
                None, None, f"input and filter must have the same depth: {x.shape[3]} vs {w.shape[2]}"
            )
        self.strides, self.rates = node.attrs["strides"][1:3], node.attrs["rates"][1:3]
        self.placed = windows.place(
            x.shape[1:3], w.shape[:2], self.strides, node.attrs["padding"], ((0, 0), (0, 0)), self.rates
        )
        compute = windows.compute_type(node.input_types[0])
        low = np.finfo(compute).min if compute.kind == "f" else np.iinfo(compute).min
        self.best = np.full((x.shape[0], *self.placed.out, x.shape[3]), low, compute)
        self.chosen = np.zeros(self.best.shape, np.int64)
        x, w = x.astype(compute, copy=False), w.astype(compute, copy=False)
        inside = np.ones((1, *x.shape[1:3], 1), bool)
        source = windows.pad(x, self.placed.before, self.placed.after)
        valid = windows.pad(inside, self.placed.before, self.placed.after)
        for index, tap in enumerate(np.ndindex(*w.shape[:2])):
            at = self.at(tap)
            value = source[at] + w[tap]
            better = (value > self.best) & valid[at]
            self.best = np.where(better, value, self.best)
            self.chosen = np.where(better, index, self.chosen)
        self.padded = source.shape

    def at(self, tap: tuple[int, ...]) -> tuple[slice, ...]:
        return windows.tap_slices(tap, self.strides, self.rates, self.placed.out)

    def check(self, g: Array) -> None:
        if g.shape != self.best.shape:
            raise InvalidArgumentError(
                None,
                None,
                f"out_backprop has incompatible size: {shapes.text(g.shape)}, expected {shapes.text(self.best.shape)}",
            )


@numpy_kernel.make("Dilation2D")
def dilation(node: Node) -> Kernel:
    _check_dilation(node)
    dtype = node.output_types[0].np
    return lambda x, w: _Dilation(node, x, w).best.astype(dtype, copy=False)


@numpy_kernel.make("Dilation2DBackpropInput")
def dilation_input_gradient(node: Node) -> Kernel:
    _check_dilation(node)
    dtype = node.output_types[0].np

    def kernel(x: Array, w: Array, g: Array) -> Array:
        found = _Dilation(node, x, w)
        found.check(g)
        dx = np.zeros(found.padded, found.best.dtype)
        for index, tap in enumerate(np.ndindex(*w.shape[:2])):
            dx[found.at(tap)] += np.where(found.chosen == index, g, g.dtype.type(0))
        return windows.crop(dx, found.placed.before, x.shape[1:3]).astype(dtype, copy=False)

    return kernel


@numpy_kernel.make("Dilation2DBackpropFilter")
def dilation_filter_gradient(node: Node) -> Kernel:
    _check_dilation(node)
    dtype = node.output_types[0].np

    def kernel(x: Array, w: Array, g: Array) -> Array:
        found = _Dilation(node, x, w)
        found.check(g)
        dw = np.zeros(w.shape, found.best.dtype)
        for index, tap in enumerate(np.ndindex(*w.shape[:2])):
            dw[tap] = np.where(found.chosen == index, g, g.dtype.type(0)).sum(axis=(0, 1, 2), dtype=dw.dtype)
        return dw.astype(dtype, copy=False)

    return kernel
