"""Kernels of the special functions: computed in float64 and rounded once, except where a function says otherwise."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import dtypes, shapes
from runstep.kernels.numpy import special_bessel as bessel, special_errors, special_gamma, special_integrals
from runstep.kernels.registry import Kernel, Node, numpy_kernel


def _register(op: str, function: Callable[..., Any]) -> None:
    @numpy_kernel.make(op)
    def make(node: Node) -> Kernel:
        kind = node.output_types[0].np
        wide = np.float64

        def of_one(x: Any) -> Any:
            flat = np.asarray(x, wide).reshape(-1)
            return function(flat).reshape(x.shape).astype(kind, copy=False)

        def of_several(*inputs: Any) -> Any:
            stretched = np.broadcast_arrays(*[np.asarray(x, wide) for x in inputs])
            flat = [np.ascontiguousarray(x).reshape(-1) for x in stretched]
            return function(*flat).reshape(stretched[0].shape).astype(kind, copy=False)

        return of_one if len(node.input_types) == 1 else of_several


for _op, _function in (
    ("Lgamma", special_gamma.lgamma),
    ("Digamma", special_gamma.digamma),
    ("Erfc", special_errors.erfc),
    ("Erfinv", special_errors.inverse_erf),
    ("Ndtri", special_errors.normal_quantile),
    ("Dawsn", special_errors.dawson),
    ("Igamma", special_gamma.igamma),
    ("Igammac", special_gamma.igammac),
    ("IgammaGradA", special_gamma.igamma_grad_a),
    ("RandomGammaGrad", special_gamma.gamma_sample_slope),
    ("Zeta", special_gamma.zeta),
    ("Polygamma", special_gamma.polygamma),
    ("Expint", special_integrals.expint),
    ("FresnelCos", special_integrals.fresnel_cos),
    ("FresnelSin", special_integrals.fresnel_sin),
    ("Spence", special_integrals.spence),
    ("BesselI0", bessel.i0),
    ("BesselI0e", bessel.i0e),
    ("BesselI1", bessel.i1),
    ("BesselI1e", bessel.i1e),
    ("BesselK0", bessel.k0),
    ("BesselK0e", bessel.k0e),
    ("BesselK1", bessel.k1),
    ("BesselK1e", bessel.k1e),
    ("BesselJ0", bessel.j0),
    ("BesselJ1", bessel.j1),
    ("BesselY0", bessel.y0),
    ("BesselY1", bessel.y1),
):
    _register(_op, _function)


@numpy_kernel.make("Erf")
def erf(node: Node) -> Kernel:
    dtype = node.output_types[0]
    kind = dtype.np
    if dtype is dtypes.float64:
        return lambda x: special_errors.erf(np.asarray(x).reshape(-1)).reshape(x.shape)
    single = np.float32

    def in_float32(x: Any) -> Any:
        flat = np.asarray(x, single).reshape(-1)
        return special_errors.erf_float32(flat).reshape(x.shape).astype(kind, copy=False)

    return in_float32


@numpy_kernel.make("Betainc")
def betainc(node: Node) -> Kernel:
    kind = node.output_types[0].np

    def compute(a: Any, b: Any, x: Any) -> Any:
        shaped = {name: item.shape for name, item in (("a", a), ("b", b), ("x", x)) if item.ndim}
        for (one, first), (other, second) in itertools.combinations(shaped.items(), 2):
            if first != second:
                text = f"Shapes of {one} and {other} are inconsistent: {shapes.text(first)} vs. {shapes.text(second)}"
                raise errors.InvalidArgumentError(None, None, text)
        stretched = np.broadcast_arrays(*[np.asarray(item, np.float64) for item in (a, b, x)])
        flat = [np.ascontiguousarray(item).reshape(-1) for item in stretched]
        return special_gamma.betainc(*flat).reshape(stretched[0].shape).astype(kind, copy=False)

    return compute
