"""Fresnel's, Spence's and the exponential integral, on flat float64 arrays."""

from __future__ import annotations

import numpy as np

from runstep.kernels.numpy import special_tables as tables
from runstep.kernels.numpy.special_errors import Array, chebyshev

_EULER = 0.57721566490153286061
_FRESNEL_SPLIT = 1.8
_FRESNEL_END = _FRESNEL_SPLIT**4
_EI_SPLIT = 40.0


def _fresnel(x: Array) -> tuple[Array, Array]:
    """S(|x|), C(|x|)."""
    size = np.abs(x)
    small = np.minimum(size, _FRESNEL_SPLIT)
    s = small**4
    sine = chebyshev(tables.FRESNEL_S, s, 0, _FRESNEL_END) * small**3
    cosine = chebyshev(tables.FRESNEL_C, s, 0, _FRESNEL_END) * small
    large = np.clip(size, _FRESNEL_SPLIT, 1e15)
    w = large**-4.0
    f = chebyshev(tables.FRESNEL_F, w, 0, 1 / _FRESNEL_END) / large
    g = chebyshev(tables.FRESNEL_G, w, 0, 1 / _FRESNEL_END) / large**3
    # The angle pi x^2 / 2 loses its digits when squared as it is: its period in x^2 is 4.
    turn = np.fmod(large * large, 4.0) * (np.pi / 2)
    far_sine = 0.5 - f * np.cos(turn) - g * np.sin(turn)
    far_cosine = 0.5 + f * np.sin(turn) - g * np.cos(turn)
    near = size <= _FRESNEL_SPLIT
    infinite = np.isinf(size)
    return (
        np.where(infinite, 0.5, np.where(near, sine, far_sine)),
        np.where(infinite, 0.5, np.where(near, cosine, far_cosine)),
    )


def fresnel_sin(x: Array) -> Array:
    """The integral of sin(pi t^2 / 2) from 0 to x."""
    return np.where(np.isnan(x), np.nan, np.copysign(_fresnel(x)[0], x))


def fresnel_cos(x: Array) -> Array:
    """The integral of cos(pi t^2 / 2) from 0 to x."""
    return np.where(np.isnan(x), np.nan, np.copysign(_fresnel(x)[1], x))


def spence(x: Array) -> Array:
    """The dilogarithm of 1 - x; NaN for x < 0."""
    safe = np.where(x > 0, x, 1.0)
    low, high = safe < 0.5, safe > 1.5
    y = np.where(low, 1 - safe, np.where(high, 1 / safe, safe))
    # 1 / x of a large x is moved once more.
    again = y < 0.5
    z = np.where(again, 1 - y, y)
    value = chebyshev(tables.SPENCE, z, 0.5, 1.5) * (1 - z)
    moved = np.pi**2 / 6 - np.log(y) * np.log1p(-np.where(again, y, 0.25)) - value
    value = np.where(again, moved, value)
    log = np.log(safe)
    value = np.where(low, np.pi**2 / 6 - log * np.log1p(-np.where(low, safe, 0.25)) - value, value)
    value = np.where(high, -0.5 * log * log - value, value)
    return np.where(x == 0, np.pi**2 / 6, np.where((x > 0) & np.isfinite(x), value, np.nan))


def expint(x: Array) -> Array:
    """The exponential integral Ei(x) of x >= 0; NaN for others and for infinity."""
    small = np.clip(x, 1e-320, _EI_SPLIT)
    term, total = np.ones_like(small), np.zeros_like(small)
    for n in range(1, 160):
        term = term * small / n
        total = total + term / n
    near = _EULER + np.log(small) + total
    large = np.maximum(x, _EI_SPLIT)
    term, far = np.ones_like(large), np.ones_like(large)
    for n in range(1, 40):
        term = term * n / large
        far = far + term
    # exp(x) / x in two halves, which overflow only when the result does.
    half = np.exp(large / 2)
    far = half / large * far * half
    value = np.where(x <= _EI_SPLIT, near, far)
    return np.where(x == 0, -np.inf, np.where((x > 0) & np.isfinite(x), value, np.nan))
