"""How much of the standard normal distribution lies below a number, far out in the tails too."""

from __future__ import annotations

import math

from runstep.graph import dtypes
from runstep.graph.tensor import Tensor
from runstep.ops.arithmetic import maximum, minimum
from runstep.ops.elementwise import abs as abs_, log, square
from runstep.ops.selecting import where_v2
from runstep.ops.special import erf, erfc


def cdf(x: Tensor) -> Tensor:
    """The share below `x`."""
    half = math.sqrt(0.5)
    w = x * half
    z = abs_(w)
    tails = where_v2(w > 0.0, 2.0 - erfc(z), erfc(z))
    return 0.5 * where_v2(z < half, 1.0 + erf(w), tails)


def log_cdf(x: Tensor) -> Tensor:
    """Its logarithm: by a series far below, where the share itself is 0, and by its complement far above."""
    lowest, highest = (-20.0, 8.0) if x.dtype is dtypes.float64 else (-10.0, 5.0)
    middle = log(cdf(maximum(x, lowest)))
    below = _log_far_below(minimum(x, lowest))
    return where_v2(x > highest, -cdf(-x), where_v2(x > lowest, middle, below))


def _log_far_below(x: Tensor) -> Tensor:
    """By the asymptotic series of Mills' ratio: 1 - 1/x^2 + 3/x^4 - 15/x^6."""
    inverse = 1.0 / square(x)
    series = 1.0 - inverse * (1.0 - inverse * (3.0 - 15.0 * inverse))
    return -0.5 * square(x) - log(-x) - 0.5 * math.log(2.0 * math.pi) + log(series)
