"""The gamma function and its kin, on flat float64 arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.kernels.numpy import special_tables as tables
from runstep.kernels.numpy.special_errors import Array, chebyshev

_HALF_LOG_2_PI = 0.91893853320467274178
# B(2k) / (2k (2k - 1)) and B(2k) / 2k of Stirling's series for lgamma and digamma, from the Bernoulli numbers.
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
_MOST_TERMS = 2000


def _power_series(x: Array, terms: tuple[float, ...]) -> Array:
    """terms[0] + terms[1] x + ..."""
    total = np.full_like(x, terms[-1])
    for term in terms[-2::-1]:
        total = total * x + term
    return total


_STIRLING = tuple(b / ((2 * k + 2) * (2 * k + 1)) for k, b in enumerate(_BERNOULLI))
_DIGAMMA = tuple(b / (2 * k + 2) for k, b in enumerate(_BERNOULLI))


def _lgamma_of_positive(x: Array) -> Array:
    large = np.maximum(x, 8.0)
    inverse = 1 / large
    stirling = (large - 0.5) * np.log(large) - large + _HALF_LOG_2_PI
    stirling += _power_series(inverse * inverse, _STIRLING) * inverse
    # Below 8, the argument moves into [0.5, 2.5] and the factors that it leaves behind are logged.
    y = np.clip(x, 1e-320, 8.0)
    factor = np.ones_like(y)
    for _ in range(6):
        high = y > 2.5
        y = np.where(high, y - 1, y)
        factor = np.where(high, factor * y, factor)
    low = y < 0.5
    factor = np.where(low, y, factor)
    y = np.where(low, y + 1, y)
    series = chebyshev(tables.LGAMMA, y, 0.5, 2.5) * (y - 1) * (y - 2)
    log = np.log(factor)
    return np.where(x < 8, series + np.where(low, -log, log), stirling)


def lgamma(x: Array) -> Array:
    """log |gamma(x)|; infinite at 0, -1, -2, ..."""
    positive = _lgamma_of_positive(np.where(x > 0, x, 1 - x))
    sine = np.abs(np.sin(np.pi * (x - np.rint(x))))
    reflected = np.log(np.pi / sine) - positive
    result = np.where(x > 0, positive, reflected)
    return np.where(np.isinf(x) | ((x <= 0) & (x == np.floor(x))), np.inf, result)


def digamma(x: Array) -> Array:
    """The derivative of lgamma; NaN at 0, -1, -2, ..."""
    negative = x <= 0
    y = np.where(negative, 1 - x, x)
    shift = np.zeros_like(y)
    for _ in range(10):
        low = y < 10
        shift = np.where(low, shift - 1 / y, shift)
        y = np.where(low, y + 1, y)
    inverse = 1 / y
    square = inverse * inverse
    result = np.log(y) - 0.5 * inverse - square * _power_series(square, _DIGAMMA) + shift
    fraction = x - np.rint(x)
    result = np.where(negative, result - np.pi / np.tan(np.pi * fraction), result)
    return np.where((negative & (fraction == 0)) | np.isneginf(x), np.nan, np.where(np.isposinf(x), np.inf, result))


# --- incomplete gamma -----------------------------------------------------------------------------------------------


def _log_prefactor(a: Array, x: Array) -> Array:
    """log(x^a exp(-x) / gamma(a + 1)), also for large a, where the terms nearly cancel."""
    plain = a * np.log(x) - x - _lgamma_of_positive(a + 1)
    large = np.maximum(a, 20.0)
    t = (x - large) / large
    inverse = 1 / large
    # lgamma(a + 1) by Stirling, with a log(x / a) - (x - a) kept together.
    series = large * (np.log1p(np.maximum(t, -0.999999)) - t) - _power_series(inverse * inverse, _STIRLING) * inverse
    series -= _HALF_LOG_2_PI + 0.5 * np.log(large)
    return np.where((a > 20) & (np.abs(t) < 0.5), series, plain)


def _lower_series(a: Array, x: Array) -> tuple[Array, Array]:
    """Sum of x^n / ((a + 1) ... (a + n)) and its derivative by a."""
    term, slope = np.ones_like(a), np.zeros_like(a)
    total, total_slope = term.copy(), slope.copy()
    for n in range(1, _MOST_TERMS):
        ratio = x / (a + n)
        slope = slope * ratio - term * ratio / (a + n)
        term = term * ratio
        total += term
        total_slope += slope
        if (np.abs(term) <= 1e-17 * total).all() and (np.abs(slope) <= 1e-17 * np.abs(total_slope)).all():
            break
    return total, total_slope


def _upper_fraction(a: Array, x: Array) -> tuple[Array, Array]:
    """gamma(a, x) / (x^a exp(-x)) as a continued fraction, and its derivative by a."""
    tiny = 1e-300
    b = x + 1 - a
    b = np.where(b == 0, tiny, b)
    c, dc = np.full_like(a, 1 / tiny), np.zeros_like(a)
    d = 1 / b
    dd = d * d  # b falls by 1 with a
    h, dh = d.copy(), dd.copy()
    for n in range(1, _MOST_TERMS):
        numerator, slope = -n * (n - a), float(n)
        b = b + 2
        inner = numerator * d + b
        inner_slope = slope * d + numerator * dd - 1
        inner = np.where(inner == 0, tiny, inner)
        d, dd = 1 / inner, -inner_slope / (inner * inner)
        outer = b + numerator / c
        outer_slope = -1 + slope / c - numerator * dc / (c * c)
        c, dc = np.where(outer == 0, tiny, outer), outer_slope
        step, step_slope = d * c, dd * c + d * dc
        h, dh = h * step, dh * step + h * step_slope
        if (np.abs(step - 1) < 1e-16).all() and (np.abs(h * step_slope) <= 1e-16 * np.abs(dh)).all():
            break
    return h, dh


def _split(a: Array, x: Array) -> tuple[Any, Any, Any]:
    """Where the arguments are regular, and where the series or the continued fraction is used."""
    regular = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
    use_series = regular & ((x <= 1) | (x <= a))
    return regular, use_series, regular & ~use_series


def _both(a: Array, x: Array) -> tuple[Array, Array]:
    """The lower and the upper regularized incomplete gamma function; edge cases are left at 0, 1."""
    lower, upper = np.zeros_like(a), np.ones_like(a)
    _, series, fraction = _split(a, x)
    if series.any():
        s, t = a[series], x[series]
        lower[series] = np.exp(_log_prefactor(s, t)) * _lower_series(s, t)[0]
        upper[series] = 1 - lower[series]
    if fraction.any():
        s, t = a[fraction], x[fraction]
        upper[fraction] = np.exp(_log_prefactor(s, t)) * s * _upper_fraction(s, t)[0]
        lower[fraction] = 1 - upper[fraction]
    return lower, upper


def igamma(a: Array, x: Array) -> Array:
    """The lower regularized incomplete gamma function P(a, x)."""
    result = _both(a, x)[0]
    result = np.where(np.isposinf(x) & np.isfinite(a), 1.0, result)
    bad = (x < 0) | (a < 0) | ((a == 0) & (x != 0)) | np.isnan(a) | np.isnan(x)
    return np.where(x == 0, 0.0, np.where(bad, np.nan, result))


def igammac(a: Array, x: Array) -> Array:
    """The upper regularized incomplete gamma function Q(a, x)."""
    result = _both(a, x)[1]
    result = np.where(np.isposinf(x) & np.isfinite(a), 0.0, result)
    bad = (x < 0) | (a <= 0) | np.isnan(a) | np.isnan(x)
    return np.where(bad, np.nan, result)


def igamma_grad_a(a: Array, x: Array) -> Array:
    """The derivative of P(a, x) by a."""
    result = np.zeros_like(a)
    _, series, fraction = _split(a, x)
    if series.any():
        s, t = a[series], x[series]
        total, slope = _lower_series(s, t)
        result[series] = np.exp(_log_prefactor(s, t)) * ((np.log(t) - digamma(s + 1)) * total + slope)
    if fraction.any():
        s, t = a[fraction], x[fraction]
        value, slope = _upper_fraction(s, t)
        result[fraction] = -np.exp(_log_prefactor(s, t)) * s * ((np.log(t) - digamma(s)) * value + slope)
    bad = (x < 0) | (a < 0) | ((a == 0) & (x != 0)) | np.isnan(a) | np.isnan(x)
    return np.where(bad, np.nan, result)


def gamma_sample_slope(a: Array, x: Array) -> Array:
    """How a sample `x` of the gamma distribution moves with its parameter: -dP/da / dP/dx, both of P(a, x).

    What the two have in common cancels, so that it is good also where they are too small to be told from 0.
    """
    result = np.zeros_like(a)
    _, series, fraction = _split(a, x)
    if series.any():
        s, t = a[series], x[series]
        total, slope = _lower_series(s, t)
        result[series] = -((np.log(t) - digamma(s + 1)) * total + slope) * t / s
    if fraction.any():
        s, t = a[fraction], x[fraction]
        value, slope = _upper_fraction(s, t)
        result[fraction] = ((np.log(t) - digamma(s)) * value + slope) * t
    bad = (x < 0) | (a <= 0) | np.isnan(a) | np.isnan(x)
    return np.where(bad, np.nan, result)


# --- zeta, polygamma, beta ------------------------------------------------------------------------------------------

_ZETA_SHIFT = 12


def zeta(x: Array, q: Array) -> Array:
    """Hurwitz' zeta function, the sum of (q + k)^-x, by Euler and Maclaurin's formula.

    At its poles in q it comes from both sides to infinity where x is even; for other x it has no value there.
    """
    pole = (q <= 0) & (q == np.floor(q))
    total = np.zeros_like(x)
    for k in range(_ZETA_SHIFT):
        total = total + np.power(q + k, -x)
    # Negative q needs more terms before the formula holds.
    w = q + _ZETA_SHIFT
    while (behind := (w < _ZETA_SHIFT - 2) & (q > -1e4)).any():
        total = np.where(behind, total + np.power(w, -x), total)
        w = np.where(behind, w + 1, w)
    tail = np.power(w, -x)
    total = total + tail * w / (x - 1) + 0.5 * tail
    factor = x * tail / w
    factorial = 2.0
    for k, bernoulli in enumerate(_BERNOULLI):
        total = total + bernoulli / factorial * factor
        factor = factor * (x + 2 * k + 1) * (x + 2 * k + 2) / (w * w)
        factorial *= (2 * k + 3) * (2 * k + 4)
    total = np.where(np.isposinf(q), 0.0, total)
    total = np.where(np.isposinf(x), np.where(q > 1, 0.0, np.where(q == 1, 1.0, np.inf)), total)
    total = np.where(pole, np.where(np.fmod(x, 2) == 0, np.inf, np.nan), total)
    invalid = (x < 1) | np.isnan(x) | np.isnan(q) | ((q < 0) & ~pole & (x != np.floor(x)))
    return np.where(x == 1, np.inf, np.where(invalid, np.nan, total))


def polygamma(n: Array, x: Array) -> Array:
    """The n-th derivative of digamma, n = 0, 1, ...; NaN for other n."""
    order = np.where((n >= 0) & (n == np.floor(n)), n, 0.0)
    sign = np.where(np.fmod(order, 2) == 0, -1.0, 1.0)
    high = sign * np.exp(_lgamma_of_positive(order + 1)) * zeta(order + 1, x)
    high = np.where(np.isposinf(n), np.inf, high)
    return np.where((n < 0) | (n != np.floor(n)) | np.isnan(n), np.nan, np.where(n == 0, digamma(x), high))


def _beta_fraction(a: Array, b: Array, x: Array) -> Array:
    tiny = 1e-300

    def safe(value: Array) -> Array:
        return np.where(np.abs(value) < tiny, tiny, value)

    c = np.ones_like(x)
    d = 1 / safe(1 - (a + b) * x / (a + 1))
    h = d.copy()
    for m in range(1, _MOST_TERMS):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / safe(1 + numerator * d)
            c = safe(1 + numerator / c)
            step = c * d
            h = h * step
        if (np.abs(step - 1) < 1e-16).all():
            break
    return h


def betainc(a: Array, b: Array, x: Array) -> Array:
    """The regularized incomplete beta function; NaN unless a, b > 0 and 0 <= x <= 1."""
    valid = (a > 0) & (b > 0) & (x >= 0) & (x <= 1) & np.isfinite(a) & np.isfinite(b)
    result = np.where(valid, np.where(x >= 1, 1.0, 0.0), np.nan)
    inside = valid & (x > 0) & (x < 1)
    if not inside.any():
        return result
    a, b, x = a[inside], b[inside], x[inside]
    swap = x > (a + 1) / (a + b + 2)
    a, b = np.where(swap, b, a), np.where(swap, a, b)
    y = np.where(swap, x, 1 - x)
    x = np.where(swap, 1 - x, x)
    log = a * np.log(x) + b * np.log(y) + lgamma(a + b) - lgamma(a) - lgamma(b)
    value = np.exp(log) * _beta_fraction(a, b, x) / a
    result[inside] = np.where(swap, 1 - value, value)
    return result
