"""Bessel functions of order 0 and 1, on flat float64 arrays. The series are described in `special_tables`."""

from __future__ import annotations

import numpy as np

from runstep.kernels.numpy import special_tables as tables
from runstep.kernels.numpy.special_errors import Array, chebyshev

_TWO_OVER_PI = 0.63661977236758134308


def i0e(x: Array) -> Array:
    """exp(-|x|) I0(x)."""
    size = np.abs(x)
    small = chebyshev(tables.I0_SMALL, np.minimum(size, 8), 0, 8)
    large = np.maximum(size, 8)
    return np.where(size <= 8, small, chebyshev(tables.I0_LARGE, 1 / large, 0, 1 / 8) / np.sqrt(large))


def i1e(x: Array) -> Array:
    """exp(-|x|) I1(x)."""
    size = np.abs(x)
    small = chebyshev(tables.I1_SMALL, np.minimum(size, 8), 0, 8) * size
    large = np.maximum(size, 8)
    result = np.where(size <= 8, small, chebyshev(tables.I1_LARGE, 1 / large, 0, 1 / 8) / np.sqrt(large))
    return np.where(x < 0, -result, result)


def i0(x: Array) -> Array:
    return i0e(x) * np.exp(np.abs(x))


def i1(x: Array) -> Array:
    return i1e(x) * np.exp(np.abs(x))


def k0e(x: Array) -> Array:
    """exp(x) K0(x); infinite for x <= 0."""
    small = np.clip(x, 1e-300, 2)
    square = small * small
    low = chebyshev(tables.K0_SMALL, square, 0, 4) - np.log(small / 2) * i0(small)
    large = np.maximum(x, 2)
    high = chebyshev(tables.K0_LARGE, 1 / large, 0, 1 / 2) / np.sqrt(large)
    return np.where(x <= 0, np.inf, np.where(x <= 2, low * np.exp(small), high))


def k1e(x: Array) -> Array:
    """exp(x) K1(x); infinite for x <= 0."""
    small = np.clip(x, 1e-300, 2)
    low = chebyshev(tables.K1_SMALL, small * small, 0, 4) / small + np.log(small / 2) * i1(small)
    large = np.maximum(x, 2)
    high = chebyshev(tables.K1_LARGE, 1 / large, 0, 1 / 2) / np.sqrt(large)
    return np.where(x <= 0, np.inf, np.where(x <= 2, low * np.exp(small), high))


def k0(x: Array) -> Array:
    return np.where(x <= 0, np.inf, k0e(x) * np.exp(-np.abs(x)))


def k1(x: Array) -> Array:
    return np.where(x <= 0, np.inf, k1e(x) * np.exp(-np.abs(x)))


def _waves(order: int, x: Array) -> tuple[Array, Array, Array]:
    """For x >= 8: sqrt(2 / (pi x)) P, sqrt(2 / (pi x)) Q, and the phase."""
    large = np.maximum(x, 8)
    w = 1 / (large * large)
    p, q = ((tables.P0, tables.Q0), (tables.P1, tables.Q1))[order]
    scale = np.sqrt(_TWO_OVER_PI / large)
    phase = large - (0.25 + 0.5 * order) * np.pi
    return scale * chebyshev(p, w, 0, 1 / 64), scale * chebyshev(q, w, 0, 1 / 64) / large, phase


def j0(x: Array) -> Array:
    size = np.abs(x)
    small = chebyshev(tables.J0_SMALL, np.minimum(x * x, 64), 0, 64)
    p, q, phase = _waves(0, size)
    return np.where(size <= 8, small, p * np.cos(phase) - q * np.sin(phase))


def j1(x: Array) -> Array:
    size = np.abs(x)
    small = chebyshev(tables.J1_SMALL, np.minimum(x * x, 64), 0, 64) * x
    p, q, phase = _waves(1, size)
    large = p * np.cos(phase) - q * np.sin(phase)
    return np.where(size <= 8, small, np.where(x < 0, -large, large))


def y0(x: Array) -> Array:
    small = np.clip(x, 1e-300, 8)
    low = chebyshev(tables.Y0_SMALL, small * small, 0, 64) + _TWO_OVER_PI * np.log(small) * j0(small)
    p, q, phase = _waves(0, x)
    return np.where(x <= 0, -np.inf, np.where(x <= 8, low, p * np.sin(phase) + q * np.cos(phase)))


def y1(x: Array) -> Array:
    small = np.clip(x, 1e-300, 8)
    low = chebyshev(tables.Y1_SMALL, small * small, 0, 64) / small + _TWO_OVER_PI * np.log(small) * j1(small)
    p, q, phase = _waves(1, x)
    return np.where(x <= 0, -np.inf, np.where(x <= 8, low, p * np.sin(phase) + q * np.cos(phase)))
