"""Chains of element-by-element ops as one loop of machine code.

A chain is compiled once it has cost about what compiling costs: nobody waits for LLVM who runs it a few times, and who
runs it often pays at most twice what the better choice would have been.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import numpy as np

from runstep.kernels.llvm import library
from runstep.kernels.llvm.values import BOOL, Body, Value, constant, memory_type

FULL, COLUMN, ROW, ONE = "FCRO"
"""How an argument lies beside rows of results: an element for each; one a row; one row for all; one for all. What is
written to is `FULL`."""

_WORTH = 1 << 27
"""Elements times steps of a chain after which it is compiled: about a tenth of a second in numpy."""

_NAME = "chain"
Native = Callable[..., None]
"""Called with the addresses of the arguments, the rows, and the elements of a row (neither is 0)."""


_MOST = 256
_compiled: dict[Any, Native] = {}
"""The loops compiled last, for chains that are alike: those of the next plan, an optimizer's for the next variable."""


def _bits(number: Any) -> Any:
    return None if number is None else (number.dtype.str, number.tobytes())


@attrs.frozen
class Step:
    """One op. `inputs` number the values: the arguments first, then the steps. A constant has a number instead, whose
    bits tell it from others."""

    rule: Callable[..., Value] | None
    inputs: tuple[int, ...] = ()
    number: Any = attrs.field(default=None, eq=_bits)


class Loop:
    """A chain of steps over arrays.

    Args:
      arguments: their element types; those that are written to come first.
      steps: producers first.
      writes: the values (numbered as a step's inputs) that are written to the first arguments, in order.
      strict: the arguments that must be `FULL`, for ops that don't broadcast.
    """

    def __init__(
        self,
        arguments: Sequence[np.dtype[Any]],
        steps: Sequence[Step],
        writes: Sequence[int],
        strict: frozenset[int] = frozenset(),
    ) -> None:
        self._arguments = arguments
        self._steps = steps
        self._writes = writes
        self._strict = strict
        self._key = (tuple(arguments), tuple(steps), tuple(writes))
        self._spent = 0
        self._made: dict[str, Native] = {}

    def native(self, kinds: str, elements: int) -> Native | None:
        """The loop for arguments that lie so; None as long as it isn't worth having.

        Args:
          kinds: of each argument, `FULL`, `COLUMN`, `ROW` or `ONE`.
          elements: how many are about to be computed.
        """
        found = self._made.get(kinds)
        if found is None:
            self._spent += elements * len(self._steps)
            if any(kinds[position] != FULL for position in self._strict):
                return None
            found = _compiled.get((self._key, kinds)) or (self._compiled(kinds) if self._spent >= _WORTH else None)
            if found is not None:
                self._made[kinds] = found
        return found

    def _compiled(self, kinds: str) -> Native:
        code = library.Compiled(self.source(kinds), _NAME)
        addresses = [ctypes.c_void_p] * len(kinds)
        function: Any = ctypes.CFUNCTYPE(None, *addresses, ctypes.c_int64, ctypes.c_int64)(code.address)
        function.code = code  # which is freed when it goes
        while len(_compiled) >= _MOST:
            _compiled.pop(next(iter(_compiled)), None)
        _compiled[self._key, kinds] = function
        return function

    def source(self, kinds: str) -> str:
        """The loop in LLVM's assembly language."""
        body = Body()
        before: dict[str, list[str]] = {ONE: [], COLUMN: []}
        values: list[Value] = []
        for position, (dtype, kind) in enumerate(zip(self._arguments, kinds, strict=True)):
            lines = before.get(kind, body.lines)
            lines += _load(position, dtype, {ONE: "0", COLUMN: "%row", ROW: "%column", FULL: "%place"}[kind])
            values.append(Value(body, f"%x{position}", dtype))
        for step in self._steps:
            if step.rule is None:
                values.append(constant(body, step.number))
            else:
                values.append(step.rule(*[values[number] for number in step.inputs]))
        for position, number in enumerate(self._writes):
            body.lines += _store(position, values[number])
        parameters = ", ".join(f"ptr noalias %p{position}" for position in range(len(kinds)))
        return "\n".join(
            [
                *_DECLARED,
                f"define void @{_NAME}({parameters}, i64 %rows, i64 %width) {{",
                "start:",
                *before[ONE],
                "  br label %outer",
                "outer:",
                "  %row = phi i64 [0, %start], [%row.next, %ended]",
                "  %base = mul nuw nsw i64 %row, %width",
                *before[COLUMN],
                "  br label %inner",
                "inner:",
                "  %column = phi i64 [0, %outer], [%column.next, %inner]",
                "  %place = add nuw nsw i64 %base, %column",
                *body.lines,
                "  %column.next = add nuw nsw i64 %column, 1",
                "  %more = icmp ult i64 %column.next, %width",
                "  br i1 %more, label %inner, label %ended",
                "ended:",
                "  %row.next = add nuw nsw i64 %row, 1",
                "  %again = icmp ult i64 %row.next, %rows",
                "  br i1 %again, label %outer, label %done",
                "done:",
                "  ret void",
                "}",
            ]
        )


def over(
    native: Native, kinds: str, arrays: Sequence[np.ndarray], width: int = 1, flat: bool = True
) -> Callable[..., None]:
    """`native` on the rows start to stop of contiguous arrays, which lie as `kinds` say.

    Args:
      arrays: the last arguments; the caller keeps them as long as he calls.
      width: the elements of a row. flat: all rows are computed as if they were one.

    Returns:
      A function of start, stop, and the addresses of the arguments before.
    """
    units = {FULL: width, COLUMN: 1, ROW: 0, ONE: 0}
    places = [(x.ctypes.data, units[kind] * x.itemsize) for x, kind in zip(arrays, kinds, strict=True)]

    def rows(start: int, stop: int, *before: int) -> None:
        addresses = [address + start * unit for address, unit in places]
        count = stop - start
        native(*before, *addresses, 1 if flat else count, count * width if flat else width)

    return rows


_DECLARED = [
    f"declare {kind} @llvm.{name}.{suffix}({kind})"
    for name in ("fabs", "sqrt", "floor", "ceil", "rint")
    for kind, suffix in (("float", "f32"), ("double", "f64"))
]


def _load(position: int, dtype: np.dtype[Any], index: str) -> list[str]:
    stored = memory_type(dtype)
    name = f"%x{position}"
    lines = [f"  {name}.at = getelementptr {stored}, ptr %p{position}, i64 {index}"]
    if dtype != BOOL:
        return [*lines, f"  {name} = load {stored}, ptr {name}.at, align 1"]
    return [*lines, f"  {name}.byte = load i8, ptr {name}.at, align 1", f"  {name} = icmp ne i8 {name}.byte, 0"]


def _store(position: int, value: Value) -> list[str]:
    stored, text = memory_type(value.dtype), value.text
    name = f"%y{position}"
    lines = [f"  {name}.at = getelementptr {stored}, ptr %p{position}, i64 %place"]
    if value.dtype == BOOL:
        lines.append(f"  {name} = zext i1 {text} to i8")
        text = name
    return [*lines, f"  store {stored} {text}, ptr {name}.at, align 1"]
