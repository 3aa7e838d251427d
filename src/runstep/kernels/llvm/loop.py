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
from runstep.kernels.llvm.values import BOOL, Body, Value, constant, memory_type, register_type

FULL, COLUMN, ROW, ONE = "FCRO"
"""How an argument lies beside rows of results: an element for each; one a row; one row for all; one for all."""

_WORTH = 1 << 27
"""Elements times steps of a chain after which it is compiled: about a tenth of a second in numpy."""

_NAME = "chain"
Native = Callable[..., None]
"""Called with the addresses of the result and of the arguments, the rows, and the elements of a row (neither is 0)."""


@attrs.frozen
class Step:
    """One op. `inputs` number the values: the arguments first, then the steps. A constant has a number instead."""

    rule: Callable[..., Value] | None
    inputs: tuple[int, ...] = ()
    number: Any = None


class Loop:
    """A chain with one result.

    Args:
      arguments: their element types.
      steps: producers first; the last one's value is the result.
      dtype: the result's element type.
      strict: the arguments that must be `FULL`, for ops that don't broadcast.
    """

    def __init__(
        self,
        arguments: Sequence[np.dtype[Any]],
        steps: Sequence[Step],
        dtype: np.dtype[Any],
        strict: frozenset[int] = frozenset(),
    ) -> None:
        self._arguments = arguments
        self._steps = steps
        self._dtype = dtype
        self._strict = strict
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
            if self._spent < _WORTH or any(kinds[position] != FULL for position in self._strict):
                return None
            compiled = library.Compiled(self.source(kinds), _NAME)
            addresses = [ctypes.c_void_p] * (1 + len(kinds))
            function: Any = ctypes.CFUNCTYPE(None, *addresses, ctypes.c_int64, ctypes.c_int64)(compiled.address)
            function.compiled = compiled  # which frees the code when it goes
            found = self._made[kinds] = function
        return found

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
        parameters = ", ".join(["ptr noalias %out", *(f"ptr noalias %p{i}" for i in range(len(kinds)))])
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
                *_store(values[-1], self._dtype),
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


def _store(value: Value, dtype: np.dtype[Any]) -> list[str]:
    stored, text = memory_type(dtype), value.text
    lines = [f"  %to = getelementptr {stored}, ptr %out, i64 %place"]
    if dtype == BOOL:
        lines.append(f"  %byte = zext {register_type(dtype)} {text} to i8")
        text = "%byte"
    return [*lines, f"  store {stored} {text}, ptr %to, align 1"]
