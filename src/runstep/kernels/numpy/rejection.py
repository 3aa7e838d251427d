"""Distributions that are drawn by trial and rejection: gamma, Poisson, and normals within bounds.

Each output of gamma and Poisson has its own stretch of the stream (`distributions.Rows`); all outputs that are still
without a result make their next try together.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep import errors
from runstep.kernels.numpy import distributions, philox
from runstep.kernels.numpy.special_gamma import lgamma

Array = np.ndarray[Any, Any]
_POISSON_DIRECT = 10.0
"""Rates below are drawn by multiplying uniforms until they fall below exp(-rate)."""


def gamma(key: int, counter: int, count: int, alpha: Array) -> Array:
    """Gamma-distributed numbers of scale 1: float64 (count, len(alpha)).

    Source: Marsaglia and Tsang, "A simple method for generating gamma variables" (2000).
    """
    rates = len(alpha)
    each = np.repeat(alpha.astype(np.float64), count)
    rows = distributions.Rows(key, counter, np.arange(count * rates))
    uniform = rows.buffer(distributions.uniform, np.float64)
    normal = rows.buffer(distributions.normal, np.float64)
    out = np.empty(count * rates, np.float64)
    exponential = np.flatnonzero(each == 1)
    out[exponential] = -np.log1p(-uniform(exponential))
    small = each < 1
    d = each + np.where(small, 2 / 3, -1 / 3)
    c = 1 / 3 / np.sqrt(d)
    out[np.isnan(d) | np.isnan(c)] = np.nan
    out[np.isposinf(each)] = np.inf
    pending = np.flatnonzero((each != 1) & (c > 0))
    while pending.size:
        x = normal(pending)
        v = 1 + c[pending] * x
        positive = v > 0
        tried, x, v = pending[positive], x[positive], v[positive] ** 3
        u = uniform(tried)
        squared = x * x
        passed = u < 1 - 0.0331 * squared * squared
        passed |= np.log(u) < 0.5 * squared + d[tried] * (1 - v + np.log(v))
        done = tried[passed]
        out[done] = d[done] * v[passed]
        pending = np.concatenate((pending[~positive], tried[~passed]))
    boosted = np.flatnonzero(small & (c > 0))
    if boosted.size:
        out[boosted] *= uniform(boosted) ** (1 / each[boosted])
    return out.reshape(rates, count).T


def poisson(key: int, counter: int, count: int, rate: Array, dtype: np.dtype[Any]) -> Array:
    """Poisson-distributed numbers: (count, len(rate)). Numbers that `dtype` does not hold are not taken.

    An infinite rate gives infinity, 0 in an integer type.

    Source, for large rates: Hörmann, "The transformed rejection method for generating Poisson random variables" (1993).

    Raises:
      InvalidArgumentError: a rate is NaN.
    """
    if np.isnan(rate).any():
        raise errors.InvalidArgumentError(None, None, "The rate of a Poisson distribution is NaN")
    rates = len(rate)
    each = np.repeat(rate.astype(np.float64), count)
    rows = distributions.Rows(key, counter, np.arange(count * rates))
    take = rows.buffer(distributions.uniform, np.float64)
    out = np.zeros(count * rates, np.float64)
    direct = each < _POISSON_DIRECT
    most = float(np.iinfo(dtype).max if dtype.kind == "i" else np.finfo(dtype).max)
    _multiplied(take, each, np.flatnonzero(direct), out)
    _transformed(take, each, np.flatnonzero(~direct & np.isfinite(each)), out, most)
    if dtype.kind == "f":
        out[np.isposinf(each)] = np.inf
    return out.astype(dtype).reshape(rates, count).T


def _multiplied(take: Any, each: Array, pending: Array, out: Array) -> None:
    limit = np.exp(-each)
    product = np.ones_like(each)
    while pending.size:
        product[pending] *= take(pending)
        pending = pending[product[pending] > limit[pending]]
        out[pending] += 1


def _transformed(take: Any, each: Array, pending: Array, out: Array, most: float) -> None:
    log_rate = np.log(each)
    b = 0.931 + 2.53 * np.sqrt(each)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    while pending.size:
        rate, a_, b_ = each[pending], a[pending], b[pending]
        u = take(pending) - 0.5
        v = take(pending)
        shifted = 0.5 - np.abs(u)
        k = np.floor((2 * a_ / shifted + b_) * u + rate + 0.43)
        fits = k <= most
        passed = fits & (shifted >= 0.07) & (v <= 0.9277 - 3.6224 / (b_ - 2))
        unsure = np.flatnonzero(fits & ~passed & (k >= 0) & ~((shifted < 0.013) & (v > shifted)))
        if unsure.size:
            s = np.log(v[unsure] * inverse_alpha[pending[unsure]] / (a_[unsure] / shifted[unsure] ** 2 + b_[unsure]))
            passed[unsure] = s <= -rate[unsure] + k[unsure] * log_rate[pending[unsure]] - lgamma(k[unsure] + 1)
        out[pending[passed]] = k[passed]
        pending = pending[~passed]


# --- binomial -------------------------------------------------------------------------------------------------------

_BINOMIAL_DIRECT = 10.0
"""Fewer successes than this, on average, are counted one by one."""
_COUNTED_STRIDE = 42
"""Blocks that each number has of the stream which is counted one by one; the others have `distributions.STRIDE`."""
_TAILS = np.array(
    [
        0.0810614667953272,
        0.0413406959554092,
        0.0276779256849983,
        0.02079067210376509,
        0.0166446911898211,
        0.0138761288230707,
        0.0118967099458917,
        0.0104112652619720,
        0.00925546218271273,
        0.00833056343336287,
    ]
)


def _tail(k: Array) -> Array:
    """What Stirling's formula lacks of log(k!)."""
    squared = (k + 1) ** 2
    found: Array = (1 / 12 - (1 / 360 - 1 / 1260 / squared) / squared) / (k + 1)
    few = k <= 9
    found[few] = _TAILS[k[few].astype(np.intp)]
    return found


def binomial(key: int, counter: int, samples: int, counts: Array, probs: Array) -> Array:
    """How many of `counts` trials succeed, each with its probability: float64 (samples, len(counts)).

    An infinity of trials gives infinity, a NaN gives NaN.

    Source, for many successes: Hörmann, "The generation of binomial random variates" (1993).
    """
    trials = np.repeat(counts.astype(np.float64), samples)
    each = np.repeat(probs.astype(np.float64), samples)
    often = each > 0.5
    rare = np.where(often, 1 - each, each)
    few = trials * rare < _BINOMIAL_DIRECT
    out = np.where(np.isinf(trials), trials, np.nan)
    out[np.isnan(each)] = np.nan
    drawn = np.isfinite(trials) & (trials > 0) & (each > 0) & (each < 1)
    stride = np.where(few, _COUNTED_STRIDE, distributions.STRIDE)
    rows = distributions.Rows(key, counter, np.arange(len(trials)), stride)
    take = rows.buffer(distributions.uniform, np.float64)
    _counted(take, trials, rare, np.flatnonzero(drawn & few), out)
    _balanced(take, trials, rare, np.flatnonzero(drawn & ~few), out)
    out[drawn & often] = (trials - out)[drawn & often]
    out[(trials <= 0) | (each <= 0)] = 0
    sure = (trials > 0) & (each >= 1)
    out[sure] = trials[sure]
    return out.reshape(len(counts), samples).T


def _counted(take: Any, trials: Array, probs: Array, pending: Array, out: Array) -> None:
    reached = np.zeros(len(out))
    out[pending] = 0
    while pending.size:
        reached[pending] += np.ceil(np.log(take(pending)) / np.log1p(-probs[pending]))
        pending = pending[reached[pending] <= trials[pending]]
        out[pending] += 1


def _balanced(take: Any, trials: Array, probs: Array, pending: Array, out: Array) -> None:
    deviation = np.sqrt(trials * probs * (1 - probs))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * probs
    c = trials * probs + 0.5
    sure = 0.92 - 4.2 / b
    ratio = probs / (1 - probs)
    alpha = (2.83 + 5.1 / b) * deviation
    middle = np.floor((trials + 1) * probs)
    while pending.size:
        n, p = trials[pending], ratio[pending]
        u = take(pending) - 0.5
        v = take(pending)
        shifted = 0.5 - np.abs(u)
        k = np.floor((2 * a[pending] / shifted + b[pending]) * u + c[pending])
        passed = (shifted >= 0.07) & (v <= sure[pending])
        unsure = np.flatnonzero(~passed & (k >= 0) & (k <= n))
        if unsure.size:
            at, n, p, k_, m = pending[unsure], n[unsure], p[unsure], k[unsure], middle[pending[unsure]]
            height = np.log(v[unsure] * alpha[at] / (a[at] / shifted[unsure] ** 2 + b[at]))
            passed[unsure] = height <= (
                (m + 0.5) * np.log((m + 1) / (p * (n - m + 1)))
                + (n + 1) * np.log((n - m + 1) / (n - k_ + 1))
                + (k_ + 0.5) * np.log(p * (n - k_ + 1) / (k_ + 1))
                + (_tail(m) + _tail(n - m) - _tail(k_) - _tail(n - k_))
            )
        out[pending[passed]] = k[passed]
        pending = pending[~passed]


# --- normals within bounds ------------------------------------------------------------------------------------------

BATCH = 100
"""Outputs that share parameters when all parameters are scalars: one pass of the sampler."""
_MOST_TRIES = 1000
_DEVIATIONS = 1.3
"""Bounds that leave this much of one side of the bell are met by drawing normals until one fits."""


def bounded_blocks(batches: int, rows: int) -> int:
    """Blocks that a run of `bounded_normal` sets aside."""
    return batches * (2 * _MOST_TRIES * (rows + 3) // 4)


class _Reader:
    """Numbers of one type off a stream, block by block."""

    def __init__(self, key: int, counter: int, dtype: np.dtype[Any]) -> None:
        self._key = key
        self._counter = counter
        self._dtype = dtype
        self.per_block = 4 // distributions.words_each(dtype)

    def peek(self, make: Any, blocks: int) -> Array:
        """The numbers of the next blocks, (blocks, per_block), without moving on."""
        drawn = philox.blocks(self._key, self._counter, blocks)
        found: Array = make(drawn.reshape(-1), self._dtype).reshape(blocks, -1)
        return found

    def skip(self, blocks: int) -> None:
        self._counter += blocks


def bounded_normal(key: int, counter: int, out: Array, rows: int, parameters: list[Array]) -> None:
    """Fills `out` (flat) with normals of given mean and deviation, cut at bounds, `rows` outputs per set of parameters.

    Args:
      parameters: means, deviations, lower bounds, upper bounds; each with one number for all or one for each batch.

    Raises:
      InvalidArgumentError: a deviation is not positive, or bounds are out of order or both infinite; or a thousand
        tries in a row failed.
    """
    number = out.dtype.type
    reader = _Reader(key, counter, np.dtype(number))
    for batch, start in enumerate(range(0, out.size, rows)):
        mean, deviation, low, high = (number(p[batch if p.size > 1 else 0]) for p in parameters)
        if not (deviation > 0 and low < high and (np.isfinite(low) or np.isfinite(high))):
            raise errors.InvalidArgumentError(None, None, "Invalid parameters")
        if np.isneginf(low) or high < mean:  # a bound on one side becomes the lower one
            low, high, deviation = high, low, -deviation
        wanted = out[start : start + rows]
        wanted[:] = (
            _standard(reader, len(wanted), (low - mean) / deviation, (high - mean) / deviation) * deviation + mean
        )


def _standard(reader: _Reader, count: int, low: Any, high: Any) -> Array:
    """Standard normals in [low, high]. Source: Robert, "Simulation of truncated normal variables" (1995)."""
    number = type(low)
    root = np.sqrt(low * low + number(4))
    cutoff = number(2) * np.exp(number(0.5) + (low * (low - root)) / number(4)) / (low + root)
    if (low < -_DEVIATIONS and high >= 0) or (high > _DEVIATIONS and low <= 0):
        method, at_once = _by_normals, 1
    elif high - low < cutoff:
        method, at_once = _by_uniforms, 2
    else:
        method, at_once = _by_exponentials, 1
    found: list[Array] = []
    got = 0
    failed = 0
    while got < count:
        tries = -(-(count - got) * 3 // (2 * reader.per_block)) + 1
        values, passed, per_step = method(reader, tries, low, high, root)
        places = np.flatnonzero(passed)[: count - got]
        failed = 0 if places.size else failed + passed.size
        if failed > _MOST_TRIES:
            raise errors.InvalidArgumentError(
                None, None, "TruncatedNormal randn rejection sampler exceeded maximum iterations."
            )
        found.append(values[places])
        got += len(places)
        used = tries if got < count else int(places[-1]) // per_step + 1
        reader.skip(used * at_once)
    return np.concatenate(found) if found else np.empty(0, number)


def _by_normals(reader: _Reader, tries: int, low: Any, high: Any, root: Any) -> tuple[Array, Array, int]:
    drawn = reader.peek(distributions.normal, tries).reshape(-1)
    return drawn, (drawn >= low) & (drawn <= high), reader.per_block


def _by_uniforms(reader: _Reader, tries: int, low: Any, high: Any, root: Any) -> tuple[Array, Array, int]:
    drawn = reader.peek(distributions.uniform, 2 * tries).reshape(tries, 2, -1)
    z = (drawn[:, 0] * (high - low) + low).reshape(-1)
    peak = low * 0 if low < 0 else low * low
    return z, drawn[:, 1].reshape(-1) <= np.exp((peak - z * z) / type(low)(2)), reader.per_block


def _by_exponentials(reader: _Reader, tries: int, low: Any, high: Any, root: Any) -> tuple[Array, Array, int]:
    number = type(low)
    alpha = (low + root) / number(2)
    drawn = reader.peek(distributions.uniform, tries).reshape(-1, 2)
    z = -np.log(drawn[:, 0]) / alpha + low
    x = alpha - z if low < alpha else low - alpha
    return z, (drawn[:, 1] <= np.exp(-x * x / number(2))) & (z < high), reader.per_block // 2
