"""Changing the element type, and the parts of complex numbers."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from runstep import errors
from runstep.graph import dtypes, shapes
from runstep.graph.dtypes import DType
from runstep.kernels.registry import Kernel, Node, numpy_kernel

_PLAIN = frozenset(
    (
        "float32 float64 int32 uint8 int16 int8 complex64 int64 bool bfloat16 uint16 complex128 float16 uint32 uint64"
    ).split()
)
_QUANTIZED = frozenset(("qint8", "quint8", "qint32", "qint16", "quint16"))
_INTEGERS = frozenset(("int32", "uint8", "int16", "int8", "int64", "uint16", "uint32", "uint64")) | _QUANTIZED
_FLOAT8 = frozenset(("float8_e5m2", "float8_e4m3fn"))
_INT4 = frozenset(("int4", "uint4"))
_FLOATS = frozenset(("float32", "float64", "bfloat16", "float16"))
_TWO_64 = np.float64(2.0**64)
# Each complex type has its own real type; TensorFlow has no kernel for the other pairs.
_PARTS: tuple[Any, ...] = (
    {"T": (dtypes.complex64,), "Tout": (dtypes.float32,)},
    {"T": (dtypes.complex128,), "Tout": (dtypes.float64,)},
)


def is_supported(source: DType, target: DType) -> bool:
    """Whether TensorFlow's CPU kernel converts between these types."""
    a, b = source.name, target.name
    plain = _PLAIN | _QUANTIZED
    return (
        a == b
        or (a in plain and b in plain)
        or (a in _FLOAT8 and b in plain | _FLOAT8)
        or (a in _FLOATS and b in _FLOAT8)
        or (a in _INT4 and b in _INTEGERS | _INT4)
        or (a in _INTEGERS and b in _INT4)
    )


def _through(*steps: Any) -> Kernel:
    def convert(x: Any) -> Any:
        for step in steps:
            x = x.astype(step)
        return x

    return convert


def truncated(x: Any, source: DType, target: DType) -> Any:
    """`x` with the low bits of its mantissa, which `target` has no room for, set to zero."""
    finfo: Any = ml_dtypes.finfo
    bits = finfo(source.np).nmant - finfo(target.np).nmant
    word = np.dtype(f"u{source.size}")
    kept = word.type((1 << (8 * source.size)) - (1 << bits))
    return (np.asarray(x).view(word) & kept).view(source.np)


@numpy_kernel.make("Cast", view=True)
def cast(node: Node) -> Kernel:
    source, target = node.input_types[0].base_dtype, node.output_types[0]
    if not is_supported(source, target):
        text = f"Cast {source.name} to {target.name} is not supported"
        raise errors.UnimplementedError(None, None, text)
    kind = target.np
    if source is target or source.np == kind:
        return lambda x: x
    if source.is_complex and not target.is_complex:
        if target is dtypes.bool:
            return lambda x: np.not_equal(x.real, 0)
        inner = _real_cast(_REAL_PARTS[source.name], target)
        return lambda x: inner(x.real)
    if node.attrs["Truncate"] and source.is_floating and target.is_floating and target.size < source.size:
        return lambda x: truncated(x, source, target).astype(kind)
    return _real_cast(source, target)


_REAL_PARTS = {"complex64": dtypes.float32, "complex128": dtypes.float64}


def _real_cast(source: DType, target: DType) -> Kernel:
    kind = target.np
    if source.is_floating and target.name in _INTEGERS:
        # Out of range, C leaves the result open; these are the steps that the processor takes for TensorFlow.
        if target is dtypes.uint64:
            return _to_uint64
        steps: list[Any] = [] if source.name in ("float32", "float64") else [np.float32]
        if target.size < 4:
            steps.append(np.int32)
        elif target is dtypes.uint32:
            steps.append(np.int64)
        return _through(*steps, kind)
    if source.is_floating and source.size < 4 and target.name not in ("float32", "float64", "bool"):
        return _through(np.float32, kind)
    return lambda x: x.astype(kind)


def _to_uint64(x: Any) -> Any:
    wide = x.astype(np.float64)
    return np.where(wide < _TWO_64, wide.astype(np.uint64), np.uint64(1 << 63))


@numpy_kernel.make("Complex")
def complex_(node: Node) -> Kernel:
    kind = node.output_types[0].np

    def combine(real: Any, imag: Any) -> Any:
        try:
            shape = np.broadcast_shapes(real.shape, imag.shape)
        except ValueError:
            text = f"Incompatible shapes: {shapes.text(real.shape)} vs. {shapes.text(imag.shape)}"
            raise errors.InvalidArgumentError(None, None, text) from None
        out = np.empty(shape, kind)
        out.real = real
        out.imag = imag
        return out

    return combine


numpy_kernel("Real")(lambda x: x.real.copy())
numpy_kernel("Imag")(lambda x: x.imag.copy())
numpy_kernel("ComplexAbs", types=_PARTS[0])(np.absolute)
numpy_kernel("ComplexAbs", types=_PARTS[1])(np.absolute)
numpy_kernel("Angle")(lambda x: np.arctan2(x.imag, x.real))


@numpy_kernel.make("Conj", view=True)
def conj(node: Node) -> Kernel:
    return (lambda x: x) if node.output_types[0] is dtypes.variant else np.conjugate
