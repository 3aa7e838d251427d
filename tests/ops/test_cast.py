"""Casts and the parts of complex numbers agree with TensorFlow."""

from __future__ import annotations

import pytest

import runstep.kernels.numpy.cast
import runstep.ops.cast  # noqa: F401
from runstep import errors
from runstep.graph import dtypes
from runstep.testing import case, check, complex_, ints, of, real, special

FLOATS = [dtypes.float32, dtypes.float64, dtypes.float16, dtypes.bfloat16]
NUMBERS = [
    *FLOATS,
    *map(dtypes.as_dtype, "int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool complex64 complex128".split()),
]
QUANTIZED = list(map(dtypes.as_dtype, "qint8 quint8 qint16 quint16 qint32".split()))
FLOAT8 = [dtypes.float8_e5m2, dtypes.float8_e4m3fn]

CASES = [
    case("Cast", ints(2, 3), types={"SrcT": NUMBERS, "DstT": NUMBERS}),
    case("Cast", ints(), types={"SrcT": NUMBERS, "DstT": NUMBERS}),
    case("Cast", real(2, 3), types={"SrcT": FLOATS, "DstT": NUMBERS}),
    case("Cast", of([1.7, -1.7, 300.0, -300.0, 7e4]), types={"SrcT": FLOATS, "DstT": NUMBERS}),
    case("Cast", special(), types={"SrcT": FLOATS, "DstT": NUMBERS}),
    case("Cast", of([3e9, 5e9, -3e9, 3e19]), types={"SrcT": FLOATS[:2], "DstT": NUMBERS}),
    case("Cast", special(), types={"SrcT": [dtypes.float64, dtypes.float32], "DstT": FLOATS}, Truncate=True),
    case("Cast", real(20), types={"SrcT": [dtypes.float64, dtypes.float32], "DstT": FLOATS}, Truncate=True),
    case("Cast", real(5), types={"SrcT": [dtypes.float64], "DstT": [dtypes.int32]}, Truncate=True),
    case("Cast", real(3), types={"SrcT": [dtypes.float32], "DstT": [dtypes.string]}, error=errors.UnimplementedError),
    *[case(name, complex_(2, 3)) for name in ("Real", "Imag", "ComplexAbs", "Angle", "Conj")],
    *[case(name, complex_()) for name in ("Real", "Imag", "ComplexAbs", "Angle", "Conj")],
    case("Complex", real(2, 3), real(3)),
    case("Complex", real(), real()),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)
