"""Gradients of Fourier transforms against TensorFlow."""

from __future__ import annotations

import pytest

from runstep.testing import check_grads, complex_, grad_case, real

LOOSE = {"complex64": 1e-4, "complex128": 1e-10, "float32": 1e-4, "float64": 1e-10}
SIZES = {"": (5,), "2D": (4, 3), "3D": (3, 2, 4)}


def fft(op, *inputs, **more):
    return grad_case(op, *inputs, rtol=LOOSE, atol={"complex64": 1e-4, "float32": 1e-4}, **more)


def halved(*sizes):
    return (*sizes[:-1], sizes[-1] // 2 + 1)


REAL = (("", (5,)), ("", (6,)), ("2D", (4, 3)), ("2D", (3, 4)), ("3D", (3, 2, 4)), ("3D", (2, 3, 5)))
PAIRS = ({"Treal": "float32", "Tcomplex": "complex64"}, {"Treal": "float64", "Tcomplex": "complex128"})

ROWS = [
    *[fft(op + axes, complex_(2, *SIZES[axes])) for op in ("FFT", "IFFT") for axes in SIZES],
    *[
        row
        for axes, sizes in REAL
        for pair in PAIRS
        for row in (
            fft("RFFT" + axes, real(2, *sizes), list(sizes), beyond=axes == "3D", **pair),
            fft("IRFFT" + axes, complex_(2, *halved(*sizes)), list(sizes), beyond=axes == "3D", **pair),
        )
    ],
    # TensorFlow's gradient has the shape of the transform, not of the input, where that is cut.
    fft("RFFT", real(2, 7), [5], beyond=True, **PAIRS[1]),
    fft("IRFFT2D", complex_(2, 5, 4), [4, 4], beyond=True, **PAIRS[1]),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_gradients(row):
    check_grads(row)
