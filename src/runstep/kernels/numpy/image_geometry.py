"""Images scaled and moved with a chosen filter, which is separable, and seen through a projection: a gather."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from runstep.kernels.numpy.shape_ops import invalid, text
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = Any

# --- scaled and moved ---------------------------------------------------------------------------------------------


def _lanczos(radius: float) -> Callable[[Array], Array]:
    def weights(x: Array) -> Array:
        turn = np.pi * np.maximum(x, 1e-3)
        return np.where(x <= 1e-3, 1.0, radius * np.sin(turn) * np.sin(turn / radius) / turn**2)

    return weights


def _cubic(b: float, c: float) -> Callable[[Array], Array]:
    """Mitchell and Netravali's family of piecewise cubic filters."""

    def weights(x: Array) -> Array:
        near = ((12 - 9 * b - 6 * c) * x**3 + (-18 + 12 * b + 6 * c) * x**2 + (6 - 2 * b)) / 6
        far = ((-b - 6 * c) * x**3 + (6 * b + 30 * c) * x**2 + (-12 * b - 48 * c) * x + (8 * b + 24 * c)) / 6
        return np.where(x < 1, near, far)

    return weights


_FILTERS: dict[str, tuple[float, Callable[[Array], Array]]] = {
    "lanczos1": (1.0, _lanczos(1.0)),
    "lanczos3": (3.0, _lanczos(3.0)),
    "lanczos5": (5.0, _lanczos(5.0)),
    "gaussian": (1.5, lambda x: np.exp(-2 * x**2)),
    "box": (1.0, lambda x: np.where(x < 0.5, 1.0, np.where(x == 0.5, 0.5, 0.0))),
    "triangle": (1.0, lambda x: 1 - x),
    "keyscubic": (2.0, _cubic(0.0, 0.5)),
    "mitchellcubic": (2.0, _cubic(1 / 3, 1 / 3)),
}
"""Per name the radius beyond which a pixel does not count, and the weight at a distance."""


@functools.lru_cache(maxsize=256)
def _mixed(kind: str, size: int, out: int, scale: float, translation: float, antialias: bool) -> Array:
    """What each of `out` pixels takes of `size` pixels: float32 [out, size]."""
    radius, weight_at = _FILTERS[kind]
    step = np.float32(1) / np.float32(scale)
    wide = max(step, np.float32(1)) if antialias else np.float32(1)
    centers = (np.arange(out, dtype=np.float32) + np.float32(0.5)) * step - step * np.float32(translation)
    first = np.clip(np.ceil(centers - np.float32(radius) * wide - np.float32(0.5)), 0, size - 1)
    last = np.clip(np.floor(centers + np.float32(radius) * wide - np.float32(0.5)), 0, size - 1)
    places = np.arange(size, dtype=np.float32)
    distance = np.abs(places + np.float32(0.5) - centers[:, None]) / wide
    counts = (places >= first[:, None]) & (places <= last[:, None]) & (distance < radius)
    weights = np.where(counts, weight_at(distance), 0).astype(np.float32)
    sums = weights.sum(axis=1, keepdims=True)
    weights = np.divide(weights, sums, out=weights, where=np.abs(sums) >= 1000 * np.finfo(np.float32).tiny)
    weights[(centers < 0) | (centers > size)] = 0
    return weights


def _along(kind: str, sizes: Any, outs: Any, scale: Array, translation: Array, antialias: bool) -> list[Array]:
    return [
        _mixed(kind, sizes[axis], outs[axis], float(scale[axis]), float(translation[axis]), antialias)
        for axis in range(2)
    ]


def _filter(node: Node) -> str:
    kind = bytes(node.attrs["kernel_type"]).decode()
    if kind not in _FILTERS:
        invalid(f"Unrecognized kernel type: {kind}. It is one of {', '.join(_FILTERS)}")
    return kind


def _check_scale(scale: Array, translation: Array) -> None:
    for value, name in ((scale, "scale"), (translation, "translation")):
        if value.shape != (2,):
            invalid(f"{name} must be a vector of 2 elements, got shape {text(value.shape)}")
    if not (scale > 0).all():
        invalid(f"scale must be greater than zero, got {scale.tolist()}")


@numpy_kernel.make("ScaleAndTranslate")
def scale_and_translate(node: Node) -> Kernel:
    kind, antialias = _filter(node), node.attrs["antialias"]

    def kernel(images: Array, size: Array, scale: Array, translation: Array) -> Array:
        if images.ndim != 4:
            invalid(f"input must be 4-dimensional {text(images.shape)}")
        if size.shape != (2,):
            invalid(f"size must be a vector of 2 elements, got shape {text(size.shape)}")
        if not (size > 0).all():
            invalid(f"output dimensions must be positive, got {size.tolist()}")
        _check_scale(scale, translation)
        if not all(images.shape[1:]):
            invalid(f"image must be of non-zero size, got shape {text(images.shape)}")
        rows, columns = _along(kind, images.shape[1:3], size.tolist(), scale, translation, antialias)
        return np.einsum("yh,bhwc,xw->byxc", rows, images.astype(np.float32), columns, optimize=True)

    return kernel


@numpy_kernel.make("ScaleAndTranslateGrad")
def scale_and_translate_grad(node: Node) -> Kernel:
    kind, antialias = _filter(node), node.attrs["antialias"]

    def kernel(grads: Array, image: Array, scale: Array, translation: Array) -> Array:
        for value, name in ((grads, "input_grad"), (image, "original_image")):
            if value.ndim != 4:
                invalid(f"{name} must be 4-dimensional {text(value.shape)}")
        _check_scale(scale, translation)
        rows, columns = _along(kind, image.shape[1:3], grads.shape[1:3], scale, translation, antialias)
        return np.einsum("yh,byxc,xw->bhwc", rows, grads, columns, optimize=True)

    return kernel


# --- projected ----------------------------------------------------------------------------------------------------


def _reflected(at: Array, size: int) -> Array:
    """d c b a | a b c d | d c b a"""
    if size <= 1:
        return np.where((at < 0) | (at > size - 1), np.float32(0), at)
    twice = np.float32(2 * size)
    low = np.where(at < -twice, twice * np.trunc(-at / twice) + at, at)
    low = np.where(low < -size, low + twice, -low - 1)
    high = at - twice * np.trunc(at / twice)
    high = np.where(high >= size, twice - high - 1, high)
    return np.clip(np.where(at < 0, low, np.where(at > size - 1, high, at)), 0, size - 1)


def _wrapped(at: Array, size: int) -> Array:
    """a b c d | a b c d | a b c d"""
    if size <= 1:
        return np.where((at < 0) | (at > size - 1), np.float32(0), at)
    low = at + size * (np.trunc(-at / np.float32(size - 1)) + 1)
    high = at - size * np.trunc(at / np.float32(size - 1))
    return np.clip(np.where(at < 0, low, np.where(at > size - 1, high, at)), 0, size - 1)


_FILLS: dict[str, Callable[[Array, int], Array]] = {
    "CONSTANT": lambda at, size: at,
    "NEAREST": lambda at, size: np.clip(at, 0, size - 1),
    "REFLECT": _reflected,
    "WRAP": _wrapped,
}


def _pixels(images: Array, y: Array, x: Array, fill: Any) -> Array:
    """images[b, y, x], `fill` outside."""
    height, width = images.shape[1:3]
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    batch = np.arange(images.shape[0])[:, None, None]
    found = images[batch, np.where(inside, y, 0).astype(np.intp), np.where(inside, x, 0).astype(np.intp)]
    return np.where(inside[..., None], found, fill)


def _nearest(images: Array, y: Array, x: Array, fill: Any) -> Array:
    return _pixels(images, _rounded(y), _rounded(x), fill)


def _rounded(at: Array) -> Array:
    """Halves away from zero."""
    return np.copysign(np.floor(np.abs(at) + np.float32(0.5)), at)


def _bilinear(images: Array, y: Array, x: Array, fill: Any) -> Array:
    top, left = np.floor(y), np.floor(x)
    right, below = (x - left)[..., None], (y - top)[..., None]
    upper, lower = (
        (1 - right) * _pixels(images, row, left, fill).astype(np.float32)
        + right * _pixels(images, row, left + 1, fill).astype(np.float32)
        for row in (top, top + 1)
    )
    return (1 - below) * upper + below * lower


_BETWEEN = {"NEAREST": _nearest, "BILINEAR": _bilinear}


@numpy_kernel.make("ImageProjectiveTransformV2", "ImageProjectiveTransformV3")
def image_projective_transform(node: Node) -> Kernel:
    between, mode = (bytes(node.attrs[name]).decode() for name in ("interpolation", "fill_mode"))
    if between not in _BETWEEN:
        invalid(f"Invalid interpolation {between}. Supported types: NEAREST, BILINEAR")
    if mode not in _FILLS:
        invalid(f"Invalid mode {mode}. Supported types: REFLECT, WRAP, CONSTANT, NEAREST")
    read, mapped, kind = _BETWEEN[between], _FILLS[mode], node.output_types[0].np

    def kernel(images: Array, transforms: Array, shape: Array, *filled: Array) -> Array:
        if images.ndim != 4:
            invalid(f"Input images must have rank 4, got shape {text(images.shape)}")
        if transforms.ndim != 2 or transforms.shape[1] != 8 or transforms.shape[0] not in (1, images.shape[0]):
            invalid(f"Input transform should be num_images x 8 or 1 x 8, got shape {text(transforms.shape)}")
        if shape.shape != (2,):
            invalid(f"output shape must be 2-dimensional, got shape {text(shape.shape)}")
        if filled and filled[0].ndim:
            invalid(f"fill_value must be a scalar, got shape {text(filled[0].shape)}")
        height, width = shape.tolist()
        if height <= 0 or width <= 0:
            invalid(f"new dimensions must be positive, got {shape.tolist()}")
        fill = (filled[0] if filled else np.float32(0)).astype(kind)
        y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)
        part = transforms[:, :, None, None]
        depth = part[:, 6] * x + part[:, 7] * y + np.float32(1)
        with np.errstate(all="ignore"):
            across = mapped((part[:, 0] * x + part[:, 1] * y + part[:, 2]) / depth, images.shape[2])
            down = mapped((part[:, 3] * x + part[:, 4] * y + part[:, 5]) / depth, images.shape[1])
            seen = read(images, down, across, fill)
        return np.where((depth == 0)[..., None], fill, seen).astype(kind)

    return kernel
