"""Loops from functions written for numpy: the function runs once, on stand-ins that note what is done to them.

So an optimizer's formula stands in one place, and its loop rounds as it does: the same operations in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from runstep.kernels.llvm import library, ops
from runstep.kernels.llvm.loop import Loop, Step

_RULES: dict[Any, Callable[..., Any]] = {
    np.add: ops.NUMBERS["AddV2"],
    np.subtract: ops.NUMBERS["Sub"],
    np.multiply: ops.NUMBERS["Mul"],
    np.maximum: ops.NUMBERS["Maximum"],
    np.minimum: ops.NUMBERS["Minimum"],
    np.absolute: ops.NUMBERS["Abs"],
    np.negative: ops.NUMBERS["Neg"],
    np.square: ops.NUMBERS["Square"],
    np.divide: ops.FLOATS["RealDiv"],
    np.sqrt: ops.FLOATS["Sqrt"],
    np.sign: ops.FLOATS["Sign"],
}


class _Untraceable(Exception):
    """The function does what no loop can: it looks at a value, or needs a function that loops don't have."""


class _Trace:
    def __init__(self, arguments: int) -> None:
        self.arguments = arguments
        self.steps: list[Step] = []

    def note(self, step: Step) -> int:
        """The number of the step's value."""
        self.steps.append(step)
        return self.arguments + len(self.steps) - 1


class _Stand(np.lib.mixins.NDArrayOperatorsMixin):
    """In an array's place. What is written to it is what it stands for from then on."""

    def __init__(self, trace: _Trace, number: int, dtype: np.dtype[Any]) -> None:
        self.trace, self.number, self.dtype = trace, number, dtype

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: tuple[Any, ...] = (), **rest: Any) -> Any:
        rule = _RULES.get(ufunc)
        if rule is None or method != "__call__" or rest:
            raise _Untraceable
        number = self.trace.note(Step(rule, tuple(self._number(x) for x in inputs)))
        if not out:
            return _Stand(self.trace, number, self.dtype)
        out[0].number = number
        return out[0]

    def _number(self, x: Any) -> int:
        if isinstance(x, _Stand):
            return x.number
        if getattr(x, "dtype", None) != self.dtype:
            raise _Untraceable
        return self.trace.note(Step(None, number=x))

    def __setitem__(self, place: Any, value: Any) -> None:
        self.number = self._number(value)

    def __bool__(self) -> bool:
        raise _Untraceable


def loop_of(update: Callable[..., None], written: int, dtypes: Sequence[np.dtype[Any]]) -> Loop | None:
    """The loop that does to every element what `update` does to arrays of them.

    Args:
      update: changes its first arguments in place, and computes element by element.
      written: how many arguments it changes. dtypes: of all of its arguments.

    Returns:
      None when it can't be compiled, or LLVM isn't there.
    """
    dtype = dtypes[0]
    if not library.is_there() or dtype.kind != "f" or dtype.itemsize < 4 or any(other != dtype for other in dtypes):
        return None
    trace = _Trace(len(dtypes))
    arguments = [_Stand(trace, number, dtype) for number in range(len(dtypes))]
    try:
        update(*arguments)
    except _Untraceable:
        return None
    return Loop(dtypes, trace.steps, [argument.number for argument in arguments[:written]])
