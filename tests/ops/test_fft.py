"""Fourier transforms agree with TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import runstep.kernels.numpy.table  # noqa: F401
from runstep import errors
from runstep.ops import creation, fft
from runstep.testing import building, case, check, complex_, of, real
from runstep.testing.stateful import compare

LOOSE: Any = {"rtol": {"complex64": 1e-4, "float32": 1e-4, "complex128": 1e-10, "float64": 1e-10}}
NEAR: Any = {**LOOSE, "atol": {"complex64": 1e-4, "float32": 1e-5, "complex128": 1e-11, "float64": 1e-12}}
PAIRS = [{"Treal": ["float32"], "Tcomplex": ["complex64"]}, {"Treal": ["float64"], "Tcomplex": ["complex128"]}]
INVALID = errors.InvalidArgumentError


def length(*sizes):
    return of(np.array(sizes, np.int32), dtype="int32")


CASES = [
    *[
        row
        for name in ("FFT", "IFFT")
        for row in (
            case(name, complex_(8), **NEAR),
            case(name, complex_(2, 3, 7), **NEAR),
            case(name, complex_(1)),
            case(name, complex_(0, 3)),
            case(name, complex_(3, 0)),
            case(name, complex_(), error=INVALID),
            case(name, complex_(), error=ValueError),
            case(f"{name}2D", complex_(4, 6), **NEAR),
            case(f"{name}2D", complex_(2, 3, 5), **NEAR),
            case(f"{name}2D", complex_(3), error=INVALID),
            case(f"{name}2D", complex_(3), error=ValueError),
            case(f"{name}3D", complex_(2, 3, 4), **NEAR),
            case(f"{name}3D", complex_(2, 2, 3, 4), **NEAR),
        )
    ],
    *[
        row
        for pair in PAIRS
        for row in (
            case("RFFT", real(8), length(8), types=pair, **NEAR),
            case("RFFT", real(2, 3, 7), length(7), types=pair, **NEAR),
            case("RFFT", real(7), length(4), types=pair, **NEAR),
            case("RFFT", real(7), length(1), types=pair, **NEAR),
            case("RFFT", real(0, 3), length(3), types=pair),
            case("RFFT", real(7), length(9), types=pair, error=INVALID),
            case("RFFT", real(7), length(9, 9), types=pair, error=INVALID),
            case("RFFT", real(7), length(9, 9), types=pair, error=ValueError),
            case("RFFT", real(7), of(4, dtype="int32"), types=pair, error=ValueError),
            case("RFFT", real(), length(4), types=pair, error=INVALID),
            case("RFFT2D", real(4, 6), length(4, 6), types=pair, **NEAR),
            case("RFFT2D", real(2, 5, 7), length(3, 5), types=pair, **NEAR),
            case("RFFT2D", real(3, 5), length(4, 4), types=pair, error=INVALID),
            case("RFFT3D", real(2, 4, 3, 5), length(3, 3, 5), types=pair, **NEAR),
            case("IRFFT", complex_(5), length(8), types=pair, **NEAR),
            case("IRFFT", complex_(5), length(9), types=pair, **NEAR),
            case("IRFFT", complex_(2, 5), length(6), types=pair, **NEAR),
            case("IRFFT", complex_(5), length(10), types=pair, error=INVALID),
            case("IRFFT", complex_(0, 3), length(3), types=pair),
            case("IRFFT2D", complex_(3, 4), length(3, 6), types=pair, **NEAR),
            case("IRFFT2D", complex_(2, 5, 4), length(4, 7), types=pair, **NEAR),
            case("IRFFT3D", complex_(2, 3, 3, 4), length(3, 3, 6), types=pair, **NEAR),
        )
    ],
    case("RFFT", real(7), length(7), types={"Treal": ["float32"], "Tcomplex": ["complex128"]}, error=INVALID),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)


GRAPHS = {
    "fft": lambda tf: tf.fft(tf.constant([1j, 2])),
    "ifft3d": lambda tf: tf.ifft3d(tf.constant([[[1j, 2]]]), name="x"),
    "rfft": lambda tf: tf.rfft([1.0, 2.0, 3.0]),
    "rfft double": lambda tf: tf.rfft(tf.constant([1.0, 2.0, 3.0], tf.float64)),
    "rfft longer": lambda tf: tf.rfft([1.0, 2.0, 3.0], [5]),
    "rfft shorter": lambda tf: tf.rfft([1.0, 2.0, 3.0], [2], name="r"),
    "rfft batch": lambda tf: tf.rfft(tf.placeholder(tf.float32, [None, 4]), [6]),
    "rfft unknown": lambda tf: tf.rfft(tf.placeholder(tf.float32, [None, None])),
    "rfft2d": lambda tf: tf.rfft2d(tf.ones([3, 3])),
    "rfft3d": lambda tf: tf.rfft3d(tf.ones([3, 3, 4]), [3, 3, 5]),
    "irfft": lambda tf: tf.irfft(tf.constant([1j, 2])),
    "irfft longer": lambda tf: tf.irfft(tf.constant([1j, 2]), [9]),
    "irfft2d": lambda tf: tf.irfft2d(tf.constant([[1j, 2, 3]] * 3)),
    "irfft of reals": lambda tf: tf.irfft(tf.constant([1.0, 2])),
    "irfft unknown": lambda tf: tf.irfft(tf.placeholder(tf.complex64, [None, None])),
    "fftshift": lambda tf: tf.fftshift(tf.ones([3, 3])),
    "ifftshift": lambda tf: tf.ifftshift(tf.ones([3, 3]), axes=1),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_functions_build_tensorflows_nodes(name):
    from runstep.graph import dtypes

    def namespace(tf):
        names = {key: getattr(tf, key) for key in ("constant", "placeholder", "ones", "float32", "float64")}
        complex64 = tf.complex64 if hasattr(tf, "complex64") else dtypes.complex64
        source = tf.signal if hasattr(tf, "signal") else tf
        names |= {key: getattr(source, key) for key in fft.__all__}
        return type(
            "Namespace", (), {key: staticmethod(value) for key, value in names.items()} | {"complex64": complex64}
        )

    building.compare_graphs(lambda tf: GRAPHS[name](namespace(tf)), [fft, creation])


def test_the_lengths_can_be_unknown():
    def program(api):
        library = api.tf.signal if api.name == "TensorFlow" else fft
        rows = api.hidden(np.arange(12.0).reshape(2, 6), "float32")
        spectrum = api.hidden(np.arange(8.0).reshape(2, 4) + 1j, "complex64")
        for length in ([6], [4], [9]):
            api.run(library.rfft(rows, length))
            api.run(library.irfft(spectrum, length))
        api.run(library.rfft(rows))
        api.run(library.rfft2d(rows))
        api.run(library.fftshift(rows, axes=[0, 1]))

    compare(program, rtol=1e-5, atol=1e-5)
