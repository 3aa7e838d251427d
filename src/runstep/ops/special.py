"""Special functions: op definitions and the `tf.math.*` and `tf.math.special.*` functions. Inputs broadcast."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import shapes
from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import Shapes, broadcast, unchanged
from runstep.ops.reduction import reduce_sum
from runstep.ops.registry import op
from runstep.ops.typesets import FLOAT

__all__ = [
    "bessel_i0",
    "bessel_i0e",
    "bessel_i1",
    "bessel_i1e",
    "bessel_j0",
    "bessel_j1",
    "bessel_k0",
    "bessel_k0e",
    "bessel_k1",
    "bessel_k1e",
    "bessel_y0",
    "bessel_y1",
    "betainc",
    "dawsn",
    "digamma",
    "erf",
    "erfc",
    "erfcinv",
    "erfinv",
    "expint",
    "fresnel_cos",
    "fresnel_sin",
    "igamma",
    "igammac",
    "lbeta",
    "lgamma",
    "ndtri",
    "polygamma",
    "spence",
    "zeta",
]


def _of_one_shape(op: Any) -> Shapes:
    """Scalars aside, the inputs have one shape."""
    stretched = [tensor.raw_shape for tensor in op.inputs if tensor.raw_shape != ()]
    if not stretched:
        return [()]
    shape: shapes.RawShape = None
    for other in stretched:
        shape = shapes.merge(shape, other)
    return [shape]


for _name in (
    "Lgamma Digamma Erf Erfc Erfinv Ndtri Dawsn Expint FresnelCos FresnelSin Spence BesselI0 BesselI0e BesselI1 "
    "BesselI1e BesselJ0 BesselJ1 BesselK0 BesselK0e BesselK1 BesselK1e BesselY0 BesselY1"
).split():
    op(_name, "x: T -> y: T", FLOAT, shape=unchanged)
for _name in ("Igamma", "Igammac"):
    op(_name, "a: T, x: T -> z: T", FLOAT, shape=broadcast)
for _name, _signature in (
    ("IgammaGradA", "a: T, x: T -> z: T"),
    ("RandomGammaGrad", "alpha: T, sample: T -> output: T"),
    ("Polygamma", "a: T, x: T -> z: T"),
    ("Zeta", "x: T, q: T -> z: T"),
):
    op(_name, _signature, "T: {float32, float64}", shape=broadcast)
op("Betainc", "a: T, b: T, x: T -> z: T", "T: {float32, float64}", shape=_of_one_shape)


def lgamma(x: TensorLike, name: str | None = None) -> Tensor:
    """`log(abs(gamma(x)))`. Source: `tf.lgamma`."""
    return apply("Lgamma", x, name=name)


def digamma(x: TensorLike, name: str | None = None) -> Tensor:
    """The derivative of `lgamma`. Source: `tf.digamma`."""
    return apply("Digamma", x, name=name)


def erf(x: TensorLike, name: str | None = None) -> Tensor:
    """The error function. Source: `tf.erf`."""
    return apply("Erf", x, name=name)


def erfc(x: TensorLike, name: str | None = None) -> Tensor:
    """`1 - erf(x)`. Source: `tf.erfc`."""
    return apply("Erfc", x, name=name)


def erfinv(x: TensorLike, name: str | None = None) -> Tensor:
    """The inverse of `erf`; NaN outside of [-1, 1]. Source: `tf.math.erfinv`."""
    with name_scope(name, "erfinv"):
        return apply("Erfinv", x)


def ndtri(x: TensorLike, name: str | None = None) -> Tensor:
    """The quantile function of the standard normal distribution. Source: `tf.math.ndtri`."""
    with name_scope(name, "ndtri"):
        return apply("Ndtri", x)


def igamma(a: TensorLike, x: TensorLike, name: str | None = None) -> Tensor:
    """The lower regularized incomplete gamma function P(a, x). Source: `tf.igamma`."""
    return apply("Igamma", a, x, name=name)


def igammac(a: TensorLike, x: TensorLike, name: str | None = None) -> Tensor:
    """The upper regularized incomplete gamma function Q(a, x). Source: `tf.igammac`."""
    return apply("Igammac", a, x, name=name)


def zeta(x: TensorLike, q: TensorLike, name: str | None = None) -> Tensor:
    """Hurwitz' zeta function, the sum of `(q + k) ** -x` over k = 0, 1, .... Source: `tf.zeta`."""
    return apply("Zeta", x, q, name=name)


def polygamma(a: TensorLike, x: TensorLike, name: str | None = None) -> Tensor:
    """The derivative of `digamma` of order `a`. Source: `tf.polygamma`."""
    return apply("Polygamma", a, x, name=name)


def betainc(a: TensorLike, b: TensorLike, x: TensorLike, name: str | None = None) -> Tensor:
    """The regularized incomplete beta function. Source: `tf.betainc`."""
    return apply("Betainc", a, b, x, name=name)


def bessel_i0(x: TensorLike, name: str | None = None) -> Tensor:
    """The Bessel function `I0(x)`. Source: `tf.math.special.bessel_i0`."""
    with name_scope(name, "bessel_i0"):
        return apply("BesselI0", x)


def bessel_i0e(x: TensorLike, name: str | None = None) -> Tensor:
    """The Bessel function `exp(-abs(x)) I0(x)`. Source: `tf.math.special.bessel_i0e`."""
    with name_scope(name, "bessel_i0e"):
        return apply("BesselI0e", x)


def bessel_i1(x: TensorLike, name: str | None = None) -> Tensor:
    """The Bessel function `I1(x)`. Source: `tf.math.special.bessel_i1`."""
    with name_scope(name, "bessel_i1"):
        return apply("BesselI1", x)


def bessel_i1e(x: TensorLike, name: str | None = None) -> Tensor:
    """The Bessel function `exp(-abs(x)) I1(x)`. Source: `tf.math.special.bessel_i1e`."""
    with name_scope(name, "bessel_i1e"):
        return apply("BesselI1e", x)


def bessel_j0(x: TensorLike, name: str | None = None) -> Tensor:
    """The Bessel function `J0(x)`. Source: `tf.math.special.bessel_j0`."""
    with name_scope(name, "bessel_j0"):
        return apply("BesselJ0", x)


def bessel_j1(x: TensorLike, name: str | None = None) -> Tensor:
    """The Bessel function `J1(x)`. Source: `tf.math.special.bessel_j1`."""
    with name_scope(name, "bessel_j1"):
        return apply("BesselJ1", x)


def bessel_k0(x: TensorLike, name: str | None = None) -> Tensor:
    """The Bessel function `K0(x)`. Source: `tf.math.special.bessel_k0`."""
    with name_scope(name, "bessel_k0"):
        return apply("BesselK0", x)


def bessel_k0e(x: TensorLike, name: str | None = None) -> Tensor:
    """The Bessel function `exp(x) K0(x)`. Source: `tf.math.special.bessel_k0e`."""
    with name_scope(name, "bessel_k0e"):
        return apply("BesselK0e", x)


def bessel_k1(x: TensorLike, name: str | None = None) -> Tensor:
    """The Bessel function `K1(x)`. Source: `tf.math.special.bessel_k1`."""
    with name_scope(name, "bessel_k1"):
        return apply("BesselK1", x)


def bessel_k1e(x: TensorLike, name: str | None = None) -> Tensor:
    """The Bessel function `exp(x) K1(x)`. Source: `tf.math.special.bessel_k1e`."""
    with name_scope(name, "bessel_k1e"):
        return apply("BesselK1e", x)


def bessel_y0(x: TensorLike, name: str | None = None) -> Tensor:
    """The Bessel function `Y0(x)`. Source: `tf.math.special.bessel_y0`."""
    with name_scope(name, "bessel_y0"):
        return apply("BesselY0", x)


def bessel_y1(x: TensorLike, name: str | None = None) -> Tensor:
    """The Bessel function `Y1(x)`. Source: `tf.math.special.bessel_y1`."""
    with name_scope(name, "bessel_y1"):
        return apply("BesselY1", x)


def dawsn(x: TensorLike, name: str | None = None) -> Tensor:
    """Dawson's integral. Source: `tf.math.special.dawsn`."""
    with name_scope(name, "dawsn"):
        return apply("Dawsn", x)


def expint(x: TensorLike, name: str | None = None) -> Tensor:
    """The exponential integral Ei of positive numbers. Source: `tf.math.special.expint`."""
    with name_scope(name, "expint"):
        return apply("Expint", x)


def fresnel_cos(x: TensorLike, name: str | None = None) -> Tensor:
    """Fresnel's integral C. Source: `tf.math.special.fresnel_cos`."""
    with name_scope(name, "fresnel_cos"):
        return apply("FresnelCos", x)


def fresnel_sin(x: TensorLike, name: str | None = None) -> Tensor:
    """Fresnel's integral S. Source: `tf.math.special.fresnel_sin`."""
    with name_scope(name, "fresnel_sin"):
        return apply("FresnelSin", x)


def spence(x: TensorLike, name: str | None = None) -> Tensor:
    """Spence's integral, the dilogarithm of 1 - x. Source: `tf.math.special.spence`."""
    with name_scope(name, "spence"):
        return apply("Spence", x)


def erfcinv(x: TensorLike, name: str | None = None) -> Tensor:
    """The inverse of `erfc`; NaN outside of [0, 2]. Source: `tf.math.erfcinv`."""
    with name_scope(name, "erfcinv"):
        x = convert_to_tensor(x, name="start")
        quantile = ndtri(apply("Mul", 0.5, x, name="mul"))
        return apply("Mul", apply("Neg", quantile), np.sqrt(0.5), name="mul")


def lbeta(x: TensorLike, name: str | None = None) -> Tensor:
    """`log(abs(beta(x)))` of the vectors in the last axis. Source: `tf.math.lbeta`."""
    with name_scope(name, "lbeta"):
        x = convert_to_tensor(x, name="x")
        return apply("Sub", reduce_sum(lgamma(x), axis=[-1]), lgamma(reduce_sum(x, axis=[-1])), name="sub")
