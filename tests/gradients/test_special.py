"""Gradients of special functions against TensorFlow."""

from __future__ import annotations

import pytest

from runstep.testing import check_grads, grad_case, of, positive, real

# Series and continued fractions of our own: the last places differ.
LOOSE = {"float32": 5e-4, "float64": 1e-8}
UNIT = real(2, 3, low=0.1, high=0.9)


def special(op, *inputs, **more):
    return grad_case(op, *inputs, rtol=LOOSE, atol={"float32": 1e-5, "float64": 1e-10}, **more)


ROWS = [
    *[special(op, positive(2, 3)) for op in ("Lgamma", "Digamma", "Erf", "Erfc", "Expint", "Spence")],
    *[special(op, real(2, 3)) for op in ("Dawsn", "FresnelCos", "FresnelSin", "Erf", "Erfc")],
    special("Erfinv", real(2, 3, low=-0.9, high=0.9)),
    special("Ndtri", UNIT),
    *[special(op, real(2, 3)) for op in ("BesselI0", "BesselI0e", "BesselI1", "BesselI1e", "BesselJ0", "BesselJ1")],
    *[special(op, of([0.0, 0.5, 3.0]), wrt=[0], order=1, numeric=False) for op in ("BesselI1e", "BesselJ1")],
    special("BesselI1", of([0.0, 0.5, 3.0]), wrt=[0], beyond=True, order=1),  # TensorFlow's slope at zero is 1, not 1/2
    special("Spence", of([1.0, 0.5, 3.0]), wrt=[0], order=1, numeric=False),
    *[special(op, positive(2, 3)) for op in ("BesselY0", "BesselY1", "BesselK0", "BesselK0e", "BesselK1", "BesselK1e")],
    special("Polygamma", of([1.0, 2.0, 3.0]), positive(2, 3), wrt=[1]),
    special("Zeta", of([2.0, 2.5, 4.0]), positive(2, 3), wrt=[1]),
    special("Igamma", positive(2, 1), positive(2, 3), order=1),
    special("Igammac", positive(3), positive(2, 3), order=1),
    special("Betainc", positive(2, 3), positive(2, 3), UNIT, wrt=[2]),
    special("Betainc", positive(), positive(), UNIT, wrt=[2], order=1),
    special("IgammaGradA", positive(2, 3), positive(2, 3), error=LookupError),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_gradients(row):
    check_grads(row)
