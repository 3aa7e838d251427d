"""Resizing of images: bilinear, bicubic, area, nearest neighbour, and the transposes that are their gradients.

All of them are separable. The bilinear one gathers and mixes; the others that are not a mere gather are products with a
matrix of weights `[out, in]` along each axis.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from runstep.errors import InvalidArgumentError
from runstep.graph import shapes
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = Any

_TABLE = 1024  # bicubic weights are looked up at this many offsets between two pixels


def scale(size: int, out: int, align: bool) -> Any:
    """Input pixels per output pixel, in float32 as TensorFlow computes it."""
    if align and out > 1:
        return np.float32(np.float32(size - 1) / np.float32(out - 1))
    return np.float32(np.float32(size) / np.float32(out))


def _sources(size: int, out: int, align: bool, half: bool) -> Array:
    """Where each output pixel lies on the input, in float32."""
    places = np.arange(out, dtype=np.float32)
    factor = scale(size, out, align)
    if half:
        return (places + np.float32(0.5)) * factor - np.float32(0.5)
    return places * factor


@functools.lru_cache(maxsize=256)
def linear(size: int, out: int, align: bool, half: bool) -> tuple[Array, Array, Array]:
    """The two neighbours of each output pixel, and the share of the second."""
    at = _sources(size, out, align, half)
    floor = np.floor(at)
    low = np.maximum(floor, 0).astype(np.int64)
    high = np.minimum(floor + 1, size - 1).astype(np.int64)
    return np.minimum(low, size - 1), high, (at - floor).astype(np.float32)


def _linear_matrix(size: int, out: int, align: bool, half: bool) -> Array:
    low, high, share = linear(size, out, align, half)
    weights = np.zeros((out, size), np.float32)
    rows = np.arange(out)
    np.add.at(weights, (rows, low), 1 - share)
    np.add.at(weights, (rows, high), share)
    return weights


def _cubic(distance: Array, a: float) -> Array:
    """The cubic convolution kernel with parameter `a`."""
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, far)


@functools.lru_cache(maxsize=64)
def _cubic_matrix(size: int, out: int, align: bool, half: bool) -> Array:
    at = _sources(size, out, align, half)
    floor = np.floor(at)
    offset = np.rint((at - floor) * np.float32(_TABLE)) / _TABLE
    first = floor.astype(np.int64)
    a = -0.5 if half else -0.75
    weights = np.zeros((out, size), np.float32)
    rows = np.arange(out)
    taps = [(step, _cubic(np.abs(offset - step), a).astype(np.float32)) for step in (-1, 0, 1, 2)]
    if half:  # taps outside the image count nothing, and the others make up for them
        inside = [((first + step >= 0) & (first + step < size)) * weight for step, weight in taps]
        total = sum(inside)
        safe = np.where(np.abs(total) >= 1000 * np.finfo(np.float32).tiny, total, 1)
        taps = [(step, weight / safe) for (step, _), weight in zip(taps, inside, strict=True)]
    for step, weight in taps:
        np.add.at(weights, (rows, np.clip(first + step, 0, size - 1)), weight)
    return weights


@functools.lru_cache(maxsize=64)
def _area_matrix(size: int, out: int, align: bool) -> Array:
    """How much of each input pixel each output pixel covers."""
    factor = scale(size, out, align)
    weights = np.zeros((out, size), np.float32)
    for row in range(out):
        low, high = np.float32(row * factor), np.float32((row + 1) * factor)
        for pixel in range(int(np.floor(low)), int(np.ceil(high))):
            start, end = max(np.float32(pixel), low), min(np.float32(pixel + 1), high)
            weights[row, min(max(pixel, 0), size - 1)] += (end - start) / factor
    return weights


def _mixed(x: Array, down: Array, across: Array) -> Array:
    """`[n, h, w, c]` with the weights `[out h, h]` and `[out w, w]` applied."""
    count, height, width, depth = x.shape
    y = np.matmul(down, x.reshape(count, height, width * depth)).reshape(count, down.shape[0], width, depth)
    return np.matmul(across, y)


def checked(x: Array, size: Array) -> tuple[int, int]:
    if x.ndim != 4:
        raise InvalidArgumentError(None, None, f"input must be 4-dimensional{shapes.text(x.shape)}")
    if size.ndim != 1:
        raise InvalidArgumentError(None, None, f"shape_t must be 1-dimensional{shapes.text(size.shape)}")
    if size.size != 2:
        raise InvalidArgumentError(None, None, f"shape_t must have two elements{shapes.text(size.shape)}")
    height, width = size.tolist()
    if height <= 0 or width <= 0:
        raise InvalidArgumentError(None, None, "output dimensions must be positive")
    if not (x.shape[1] > 0 and x.shape[2] > 0):
        raise InvalidArgumentError(None, None, "input image must be of non-zero size")
    if not x.shape[3]:
        raise InvalidArgumentError(None, None, "image must have at least one channel")
    return height, width


def flags(node: Node) -> tuple[bool, bool]:
    align, half = node.attrs["align_corners"], node.attrs.get("half_pixel_centers", False)
    if align and half:
        raise InvalidArgumentError(None, None, "If half_pixel_centers is True, align_corners must be False.")
    return align, half


def _along(x: Array, axis: int, low: Array, high: Array, share: Array) -> Array:
    y = np.take(x, low, axis=axis)
    z = np.take(x, high, axis=axis)
    z -= y
    z *= share.reshape((-1, *(1,) * (x.ndim - axis - 1)))
    y += z
    return y


def resize_bilinear(x: Array, size: Array, align: bool, half: bool) -> Array:
    """Floats `[n, h, w, c]`, resized; a new array."""
    height, width = checked(x, size)
    if (height, width) == x.shape[1:3]:
        return x.copy()
    # Across first: there the copies are short, and there are fewer rows before than after (in enlarging).
    if width != x.shape[2]:
        x = _along(x, 2, *linear(x.shape[2], width, align, half))
    if height != x.shape[1]:
        x = _along(x, 1, *linear(x.shape[1], height, align, half))
    return x


@numpy_kernel.make("ResizeBilinear")
def bilinear(node: Node) -> Kernel:
    align, half = flags(node)
    return lambda x, size: resize_bilinear(x.astype(np.float32, copy=False), size, align, half)


@numpy_kernel.make("ResizeBicubic")
def bicubic(node: Node) -> Kernel:
    align, half = flags(node)

    def kernel(x: Array, size: Array) -> Array:
        height, width = checked(x, size)
        down = _cubic_matrix(x.shape[1], height, align, half)
        return _mixed(x.astype(np.float32, copy=False), down, _cubic_matrix(x.shape[2], width, align, half))

    return kernel


@numpy_kernel.make("ResizeArea")
def area(node: Node) -> Kernel:
    align, _ = flags(node)

    def kernel(x: Array, size: Array) -> Array:
        height, width = checked(x, size)
        down = _area_matrix(x.shape[1], height, align)
        return _mixed(x.astype(np.float32, copy=False), down, _area_matrix(x.shape[2], width, align))

    return kernel


@functools.lru_cache(maxsize=256)
def _nearest(size: int, out: int, align: bool, half: bool) -> Array:
    places = np.arange(out, dtype=np.float32)
    factor = scale(size, out, align)
    at = (places + np.float32(0.5)) * factor if half else places * factor
    index = np.floor(at + np.float32(0.5)) if align else np.floor(at)
    return np.clip(index.astype(np.int64), 0, size - 1)


@numpy_kernel.make("ResizeNearestNeighbor")
def nearest(node: Node) -> Kernel:
    align, half = flags(node)

    def kernel(x: Array, size: Array) -> Array:
        height, width = checked(x, size)
        rows = np.take(x, _nearest(x.shape[1], height, align, half), axis=1)
        return np.take(rows, _nearest(x.shape[2], width, align, half), axis=2)

    return kernel


@numpy_kernel.make("ResizeNearestNeighborGrad")
def nearest_gradient(node: Node) -> Kernel:
    align, half = flags(node)
    dtype = node.output_types[0].np

    def kernel(g: Array, size: Array) -> Array:
        height, width = checked(g, size)
        batch, rows, columns, channels = g.shape
        wide = g.dtype if g.dtype.kind in "iu" else np.float64 if g.dtype == np.float64 else np.float32
        dx = np.zeros((batch, height, width, channels), wide)
        down = _nearest(height, rows, align, half)
        across = _nearest(width, columns, align, half)
        np.add.at(dx, (slice(None), down[:, None], across), g.astype(wide, copy=False))  # type: ignore[arg-type]
        return dx.astype(dtype, copy=False)

    return kernel


def _transposed(node: Node, matrix: Any) -> Kernel:
    align, half = flags(node)
    dtype = node.output_types[0].np

    def kernel(g: Array, original: Array) -> Array:
        if g.ndim != 4 or original.ndim != 4:
            raise InvalidArgumentError(None, None, f"input_grad must be 4-dimensional: {shapes.text(g.shape)}")
        for what, sizes in (("resized", g.shape), ("original", original.shape)):
            if not (sizes[1] and sizes[2]):
                raise InvalidArgumentError(None, None, f"{what} dimensions must be positive")
        if not g.size or not original.size:
            return np.zeros((g.shape[0], *original.shape[1:3], g.shape[3]), dtype)
        down = matrix(original.shape[1], g.shape[1], align, half).T
        across = matrix(original.shape[2], g.shape[2], align, half).T
        return _mixed(g, down, across).astype(dtype, copy=False)

    return kernel


@numpy_kernel.make("ResizeBilinearGrad")
def bilinear_gradient(node: Node) -> Kernel:
    return _transposed(node, _linear_matrix)


@numpy_kernel.make("ResizeBicubicGrad")
def bicubic_gradient(node: Node) -> Kernel:
    return _transposed(node, _cubic_matrix)
