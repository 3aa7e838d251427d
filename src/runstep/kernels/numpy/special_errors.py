"""The error function and its kin, on flat float64 arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep.kernels.numpy import special_tables as tables

Array = np.ndarray[Any, np.dtype[np.float64]]

_SQRT_PI = 1.7724538509055160273
_SQRT_2 = 1.4142135623730950488


def chebyshev(coefficients: Sequence[float], x: Array, low: float, high: float) -> Array:
    """The Chebyshev series over [low, high] at `x`, by Clenshaw's recurrence."""
    t = (x - low) * (4 / (high - low)) - 2  # twice the reduced variable
    ahead = np.zeros_like(t)
    after = ahead
    for coefficient in coefficients[:0:-1]:
        ahead, after = coefficient + t * ahead - after, ahead
    return coefficients[0] + 0.5 * t * ahead - after


def _scaled_erfc(x: Array) -> Array:
    """exp(x^2) erfc(x) for x >= 0."""
    return chebyshev(tables.ERFCX, (x - 4) / (x + 4), -1, 1) / (1 + 2 * x)


def erfc(x: Array) -> Array:
    """1 - erf(x), accurate where erf is near 1."""
    size = np.abs(x)
    bounded = np.minimum(size, 30.0)
    small = chebyshev(tables.ERF_OVER_X, np.minimum(x * x, 1), 0, 1) * x
    tail = _scaled_erfc(bounded) * np.exp(-bounded * bounded)
    return np.where(size < 1, 1 - small, np.where(x < 0, 2 - tail, tail))


def erf(x: Array) -> Array:
    """2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x."""
    size = np.abs(x)
    bounded = np.minimum(size, 30.0)
    small = chebyshev(tables.ERF_OVER_X, np.minimum(x * x, 1), 0, 1) * x
    rest = 1 - _scaled_erfc(bounded) * np.exp(-bounded * bounded)
    return np.where(size < 1, small, np.copysign(rest, x))


# erf(x) / x as a quotient of polynomials in x^2, |x| < 3.93: a least-squares fit of erf's relative error, 5e-8 at most.
_ERF_P = (
    1.1283791065216064,
    0.20080618560314178,
    0.050689201802015305,
    0.0037367858458310366,
    0.00014249405649024993,
    -1.9553806396288564e-06,
    1.9815336926853888e-08,
)
_ERF_Q = (1.0, 0.5112914443016052, 0.1153617724776268, 0.014426912181079388, 0.0009639078634791076)


_TILE = 32768  # elements: a tile and its scratch stay in the cache


def _polynomial(coefficients: Sequence[float], s: Any, total: Any) -> None:
    single = np.float32
    np.multiply(s, single(coefficients[-1]), out=total)
    for coefficient in coefficients[-2:0:-1]:
        total += single(coefficient)
        total *= s
    total += single(coefficients[0])


def erf_float32(x: Any) -> Any:
    """erf of a flat float32 array in float32 throughout: this is the gelu of many models."""
    result = np.empty(x.shape, np.float32)
    squares = np.empty(min(x.size, _TILE), np.float32)
    scratch = np.empty_like(squares)
    # numpy takes the maximum of two arrays several times faster than that of an array and a number.
    bound, one = np.full_like(squares, 3.92), np.ones_like(squares)
    low, least = -bound, -one
    for start in range(0, x.size, _TILE):
        z = result[start : start + _TILE]
        s, total = squares[: z.size], scratch[: z.size]
        np.maximum(x[start : start + _TILE], low[: z.size], out=z)
        np.minimum(z, bound[: z.size], out=z)
        np.multiply(z, z, out=s)
        _polynomial(_ERF_P, s, total)
        z *= total
        _polynomial(_ERF_Q, s, total)
        z /= total
        np.minimum(z, one[: z.size], out=z)
        np.maximum(z, least[: z.size], out=z)
    return result


def _inverse_erfc(z: Array) -> Array:
    """The x >= 0 with erfc(x) = z, for z in (0, 1]."""
    # Winitzki's elementary approximation is within 4e-3; Halley's method triples the digits at each step.
    log = np.log(z * (2 - z))
    half = 2 / (np.pi * 0.147) + log / 2
    x = np.sqrt(np.maximum(np.sqrt(half * half - log / 0.147) - half, 0))
    for _ in range(3):
        # Both sides are scaled by exp(x^2), so that tails do not underflow.
        error = _scaled_erfc(x) - z * np.exp(x * x)
        x = x + error / (2 / _SQRT_PI - x * error)
    return x


def inverse_erf(y: Array) -> Array:
    """The x with erf(x) = y; NaN outside of [-1, 1]."""
    size = np.abs(y)
    inner = np.where(size < 1, size, 0.5)
    x = np.copysign(_inverse_erfc(1 - inner), y)
    # Near 0, 1 - y has lost the digits of y: a Newton step on erf itself restores them.
    x = np.where(size < 0.5, x - (erf(x) - y) * (_SQRT_PI / 2) * np.exp(x * x), x)
    x = np.where(size == 0, y, x)
    return np.where(size == 1, np.copysign(np.inf, y), np.where(size < 1, x, np.nan))


def normal_quantile(p: Array) -> Array:
    """The x below which a standard normal number lies with probability `p`; NaN outside of [0, 1]."""
    inside = (p > 0) & (p < 1)
    lower = np.where(inside, np.minimum(p, 1 - p), 0.25)
    x = -_SQRT_2 * _inverse_erfc(np.minimum(2 * lower, 1.0))
    central = np.where(np.abs(p - 0.5) < 0.25, p - 0.5, 0.0)
    x = np.where(np.abs(p - 0.5) < 0.25, _SQRT_2 * inverse_erf(2 * central), np.where(p > 0.5, -x, x))
    return np.where(inside, x, np.where(p == 0, -np.inf, np.where(p == 1, np.inf, np.nan)))


def dawson(x: Array) -> Array:
    """exp(-x^2) times the integral of exp(t^2) from 0 to x."""
    size = np.abs(x)
    small = chebyshev(tables.DAWSON_SMALL, np.minimum(x * x, 4), 0, 4) * x
    middle = chebyshev(tables.DAWSON_MIDDLE, np.clip(size, 2, 6), 2, 6)
    large = chebyshev(tables.DAWSON_LARGE, 1 / np.maximum(size, 6) ** 2, 0, 1 / 36) / size
    return np.where(size < 2, small, np.copysign(np.where(size < 6, middle, large), x))
