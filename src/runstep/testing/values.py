"""Descriptions of input values. One description serves every dtype: it is drawn anew for each, by a seeded generator.

Every description takes `dtype=` to fix its type; without it the type is the one that the op def and the combination
under test ask for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from runstep.graph import dtypes
from runstep.graph.dtypes import DType

Draw = Callable[[DType, np.random.Generator], Any]

_WORDS = (b"", b"a", b"runstep", b"Tensor Flow", "สวัสดี".encode(), b"\x00\xff", b"1.5", b"-7", b"B", b"zz top")


class Spec:
    """One input: a shape, and how to draw its value in a given dtype. A literal has the same value in every dtype."""

    __slots__ = ("draw", "dtype", "is_literal", "is_variable", "natural", "shape", "text")

    def __init__(
        self,
        shape: tuple[int, ...],
        draw: Draw,
        text: str,
        dtype: Any,
        natural: DType = dtypes.float32,
        is_literal: bool = False,
    ) -> None:
        self.shape = shape
        self.draw = draw
        self.text = text
        self.dtype: DType | None = None if dtype is None else dtypes.as_dtype(dtype)
        # The type in a list(type) argument, where neither the op def nor another input says one.
        self.natural = self.dtype or natural
        self.is_literal = is_literal
        self.is_variable = False

    def __call__(self, dtype: DType, rng: np.random.Generator) -> np.ndarray[Any, Any]:
        """The value in `dtype`: an array of this shape in the storage type (bytes objects for strings)."""
        if dtype.np.kind == "O":
            value = np.empty(self.shape, object)
            value[...] = self.draw(dtype, rng)
            if dtype.base_dtype is dtypes.string:
                for index in np.ndindex(self.shape):
                    value[index] = _encode(value[index])
            return value
        with np.errstate(all="ignore"):
            drawn = np.asarray(self.draw(dtype, rng))
            if drawn.dtype.kind == "c" and dtype.np.kind != "c":
                drawn = drawn.real
            value = drawn.astype(dtype.np)
        return np.array(np.broadcast_to(value, self.shape))

    def __str__(self) -> str:
        return self.text if self.dtype is None else f"{self.text}:{self.dtype.name}"


def _label(kind: str, shape: tuple[int, ...]) -> str:
    return kind + ("x".join(map(str, shape)) if shape else "()")


def _integer_range(dtype: DType, low: float, high: float) -> tuple[int, int]:
    info = ml_dtypes.iinfo(dtype.np.type)  # type: ignore[no-untyped-call]
    least, most = int(info.min), int(info.max)
    first = min(max(int(np.ceil(low)), least), most)
    return first, max(min(int(np.ceil(high)), most), first + 1)


def _is_integer(dtype: DType) -> bool:
    return dtype.is_integer or dtype.is_quantized


def _words(shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    drawn = np.empty(shape, object)
    for index in np.ndindex(shape):
        drawn[index] = _WORDS[int(rng.integers(len(_WORDS)))]
    return drawn if shape else drawn[()]


def real(*shape: int, low: float | None = None, high: float | None = None, dtype: Any = None) -> Spec:
    """Numbers spread evenly in [low, high), by default [-3, 3) for floats and small integers for integers.

    Complex values have both parts in the range, bools are random, strings are words.
    """

    def draw(kind: DType, rng: np.random.Generator) -> Any:
        if kind.is_bool:
            return rng.integers(0, 2, shape).astype(bool)
        if kind is dtypes.string:
            return _words(shape, rng)
        if _is_integer(kind):
            first, last = _integer_range(kind, -9 if low is None else low, 10 if high is None else high)
            return rng.integers(first, last, shape)
        start, stop = (-3.0 if low is None else low), (3.0 if high is None else high)
        drawn = rng.uniform(start, stop, shape)
        return drawn + 1j * rng.uniform(start, stop, shape) if kind.is_complex else drawn

    bounds = "" if low is None and high is None else f"[{low},{high})"
    return Spec(shape, draw, _label("", shape) + bounds, dtype)


def positive(*shape: int, high: float = 4, dtype: Any = None) -> Spec:
    """Numbers in [0.25, high) for floats, 1 .. high - 1 for integers."""
    return real(*shape, low=0.25, high=high, dtype=dtype)


def ints(*shape: int, low: int = 0, high: int = 10, dtype: Any = None) -> Spec:
    """Whole numbers low .. high - 1, in any dtype (indices, sizes, labels)."""

    def draw(kind: DType, rng: np.random.Generator) -> Any:
        if kind is dtypes.string:
            return _words(shape, rng)
        first, last = _integer_range(kind, low, high) if _is_integer(kind) else (low, high)
        return rng.integers(first, last, shape)

    return Spec(shape, draw, _label("i", shape) + f"[{low},{high})", dtype, dtypes.int32)


def distinct(*shape: int, dtype: Any = None) -> Spec:
    """Numbers that all differ, in random order, around zero (as far as the dtype can tell them apart)."""

    def draw(kind: DType, rng: np.random.Generator) -> Any:
        count = int(np.prod(shape, dtype=np.int64))
        if kind is dtypes.string:
            drawn = np.empty(shape, object)
            for place, index in zip(rng.permutation(count), np.ndindex(shape), strict=True):
                drawn[index] = b"%04d" % place
            return drawn if shape else drawn[()]
        first = 0 if kind.is_unsigned or kind.np.kind == "u" else -(count // 2)
        return (rng.permutation(count) + first).reshape(shape)

    return Spec(shape, draw, _label("distinct", shape), dtype)


def permutation(size: int, dtype: Any = None) -> Spec:
    """A vector of 0 .. size - 1 in random order."""
    return Spec((size,), lambda kind, rng: rng.permutation(size), f"perm{size}", dtype, dtypes.int32)


def special(*shape: int, dtype: Any = None) -> Spec:
    """The awkward values: NaN, infinities, both zeros, the largest and the smallest normal numbers, ties for rounding;
    the extremes for integers. (TensorFlow flushes denormal numbers to zero, so there are none.)

    Complex values mix finite parts only: what NaN and infinities do there depends on TensorFlow's compiler flags.
    """

    def draw(kind: DType, rng: np.random.Generator) -> Any:
        count = int(np.prod(shape, dtype=np.int64))
        if kind is dtypes.string:
            return _words(shape, rng)
        if kind.is_bool:
            values: Any = [False, True]
        elif _is_integer(kind):
            info = ml_dtypes.iinfo(kind.np.type)  # type: ignore[no-untyped-call]
            small = [value for value in (0, 1, -1, 2, -2, 3, -7) if int(info.min) <= value <= int(info.max)]
            values = np.array([int(info.min), int(info.max), int(info.max) - 1, *small], dtype=kind.np)
        elif kind.is_complex:
            parts = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 100.0]
            values = np.array([complex(a, b) for a in parts for b in parts])
        else:
            finite = ml_dtypes.finfo(kind.np.type)  # type: ignore[no-untyped-call]
            large, tiny = float(finite.max), float(finite.smallest_normal)
            values = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.25, -7.0]
            values += [large, -large, tiny, -tiny, large / 4]
        values = np.asarray(values)
        # Each value once before any comes twice, so that small inputs still vary between rows.
        picks = np.concatenate([rng.permutation(len(values)) for _ in range(count // len(values) + 1)])[:count]
        return values[picks].reshape(shape)

    return Spec(shape, draw, _label("special", shape), dtype)


def bools(*shape: int) -> Spec:
    """Random bools, whatever the dtype asked for (0 and 1 in numbers)."""

    def draw(kind: DType, rng: np.random.Generator) -> Any:
        return rng.integers(0, 2, shape).astype(bool)

    return Spec(shape, draw, _label("bool", shape), None, dtypes.bool)


def complex_(*shape: int, dtype: Any = None) -> Spec:
    """Complex numbers with both parts in [-3, 3); the real part alone for real dtypes."""

    def draw(kind: DType, rng: np.random.Generator) -> Any:
        return rng.uniform(-3, 3, shape) + 1j * rng.uniform(-3, 3, shape)

    return Spec(shape, draw, _label("complex", shape), dtype, dtypes.complex64)


def strings(*shape: int, words: tuple[bytes, ...] | None = None) -> Spec:
    """Words, some empty, some not ASCII; or drawn from `words`."""

    def draw(kind: DType, rng: np.random.Generator) -> Any:
        choice = words or _WORDS
        drawn = np.empty(shape, object)
        for index in np.ndindex(shape):
            drawn[index] = choice[int(rng.integers(len(choice)))]
        return drawn if shape else drawn[()]

    return Spec(shape, draw, _label("str", shape), dtypes.string)


def _encode(value: Any) -> Any:
    return value if isinstance(value, bytes) else str(value).encode()


def of(value: Any, dtype: Any = None) -> Spec:
    """Exactly this value, in `dtype` if given, else in the type that the op asks for.

    A literal is what a graph would hold as a constant (axes, shapes, permutations): static shape inference is tried
    with it known and with it unknown.
    """
    flat = np.asarray(value, dtype=object) if _holds_text(value) else np.asarray(value)
    array = flat
    if flat.dtype == object:
        array = np.empty(flat.shape, object)
        for index in np.ndindex(flat.shape):
            array[index] = _encode(flat[index])
    literal = array if array.shape or array.dtype != object else array[()]
    text = np.array2string(array, separator=",", threshold=8).replace("\n", "").replace(" ", "")
    if array.dtype == object and dtype is None:
        dtype = dtypes.string
    natural = {"b": dtypes.bool, "i": dtypes.int32, "c": dtypes.complex64}.get(array.dtype.kind, dtypes.float32)
    return Spec(array.shape, lambda kind, rng: literal, text[:40], dtype, natural, is_literal=True)


def variable(value: Any) -> Spec:
    """A resource variable that holds `value` (a description or a literal) before the op runs.

    For inputs of type resource; an input that is a ref needs no mark, it is always a variable. What the variable holds
    after the run is compared too.
    """
    inner = as_spec(value)
    spec = Spec(inner.shape, inner.draw, f"var({inner.text})", inner.dtype, inner.natural)
    spec.is_variable = True
    return spec


def _holds_text(value: Any) -> bool:
    if isinstance(value, (str, bytes)):
        return True
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "OSU"
    return isinstance(value, (list, tuple)) and any(_holds_text(item) for item in value)


def as_spec(value: Any) -> Spec:
    """`value` itself when it is a description, else the literal."""
    return value if isinstance(value, Spec) else of(value)
