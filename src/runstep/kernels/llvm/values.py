"""Values of a loop's body: Python expressions of them write LLVM's assembly, an instruction an operator.

Integers wrap around and floats round once an operation, as numpy's do: nothing is contracted or reordered.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

BOOL = np.dtype(np.bool_)


def register_type(dtype: np.dtype[Any]) -> str:
    """LLVM's type of one element in a register."""
    if dtype == BOOL:
        return "i1"
    return {"f4": "float", "f8": "double"}.get(dtype.str[1:]) or f"i{8 * dtype.itemsize}"


def memory_type(dtype: np.dtype[Any]) -> str:
    """LLVM's type of one element in an array."""
    return "i8" if dtype == BOOL else register_type(dtype)


class Body:
    """The instructions written so far."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._names = 0

    def write(self, instruction: str) -> str:
        """The register of what the instruction gives."""
        self._names += 1
        name = f"%t{self._names}"
        self.lines.append(f"  {name} = {instruction}")
        return name


class Value:
    """One element: a register or a constant."""

    __slots__ = ("body", "dtype", "text")

    def __init__(self, body: Body, text: str, dtype: np.dtype[Any]) -> None:
        self.body, self.text, self.dtype = body, text, dtype

    @property
    def type(self) -> str:
        return register_type(self.dtype)

    @property
    def is_float(self) -> bool:
        return self.dtype.kind == "f"

    def like(self, number: Any) -> Value:
        """A constant of this value's type."""
        return constant(self.body, self.dtype.type(number))

    def write(self, instruction: str, dtype: np.dtype[Any] | None = None) -> Value:
        return Value(self.body, self.body.write(instruction), self.dtype if dtype is None else dtype)

    def _binary(self, real: str, whole: str, other: Value) -> Value:
        return self.write(f"{real if self.is_float else whole} {self.type} {self.text}, {other.text}")

    def __add__(self, other: Value) -> Value:
        return self._binary("fadd", "add", other)

    def __sub__(self, other: Value) -> Value:
        return self._binary("fsub", "sub", other)

    def __mul__(self, other: Value) -> Value:
        return self._binary("fmul", "mul", other)

    def __truediv__(self, other: Value) -> Value:
        return self.write(f"fdiv {self.type} {self.text}, {other.text}")

    def __and__(self, other: Value) -> Value:
        return self.write(f"and {self.type} {self.text}, {other.text}")

    def __or__(self, other: Value) -> Value:
        return self.write(f"or {self.type} {self.text}, {other.text}")

    def __xor__(self, other: Value) -> Value:
        return self.write(f"xor {self.type} {self.text}, {other.text}")

    def __neg__(self) -> Value:
        return self.write(f"fneg {self.type} {self.text}") if self.is_float else self.like(0) - self

    def __abs__(self) -> Value:
        if self.is_float:
            return self.call("fabs")
        return self if self.dtype.kind != "i" else (self < self.like(0)).choose(-self, self)

    def call(self, function: str) -> Value:
        """One of LLVM's own functions of one float."""
        return self.write(f"call {self.type} @llvm.{function}.f{8 * self.dtype.itemsize}({self.type} {self.text})")

    def _compared(self, how: str, other: Value, unordered: bool = False) -> Value:
        if self.is_float:
            return self.write(f"fcmp {'u' if unordered else 'o'}{how} {self.type} {self.text}, {other.text}", BOOL)
        sign = "" if how in ("eq", "ne") else "s" if self.dtype.kind == "i" else "u"
        return self.write(f"icmp {sign}{how} {self.type} {self.text}, {other.text}", BOOL)

    def __lt__(self, other: Value) -> Value:
        return self._compared("lt", other)

    def __le__(self, other: Value) -> Value:
        return self._compared("le", other)

    def __gt__(self, other: Value) -> Value:
        return self._compared("gt", other)

    def __ge__(self, other: Value) -> Value:
        return self._compared("ge", other)

    def equals(self, other: Value) -> Value:
        return self._compared("eq", other)

    def differs(self, other: Value) -> Value:
        """True where one is NaN."""
        return self._compared("ne", other, unordered=True)

    def is_nan(self) -> Value:
        return self.write(f"fcmp uno {self.type} {self.text}, {self.text}", BOOL)

    def choose(self, then: Value, otherwise: Value) -> Value:
        """`then` where this is true."""
        return self.write(
            f"select i1 {self.text}, {then.type} {then.text}, {otherwise.type} {otherwise.text}", then.dtype
        )

    def to(self, dtype: np.dtype[Any]) -> Value:
        """As C converts; floats to integers it can't, for what it would leave open."""
        if dtype == self.dtype:
            return self
        if dtype == BOOL:
            return self.differs(self.like(0))
        return self.write(f"{_conversion(self.dtype, dtype)} {self.type} {self.text} to {register_type(dtype)}", dtype)


def _conversion(source: np.dtype[Any], target: np.dtype[Any]) -> str:
    """LLVM's instruction between two types of numbers that differ."""
    if target.kind == "f":
        if source.kind == "f":
            return "fpext" if target.itemsize > source.itemsize else "fptrunc"
        return "sitofp" if source.kind == "i" else "uitofp"
    if source == BOOL:
        return "zext"
    if target.itemsize == source.itemsize:
        return "bitcast"
    return "trunc" if target.itemsize < source.itemsize else "sext" if source.kind == "i" else "zext"


def constant(body: Body, number: Any) -> Value:
    """A numpy scalar, as it is."""
    if number.dtype.kind == "f":
        (bits,) = struct.unpack("<Q", struct.pack("<d", float(number)))
        text = f"0x{bits:016X}"
    else:
        text = str(number).lower() if number.dtype == BOOL else str(int(number))
    return Value(body, text, number.dtype)
