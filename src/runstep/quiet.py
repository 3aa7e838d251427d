"""numpy's floating-point warnings, off while kernels run: TensorFlow's ops divide by zero and overflow silently.

    token = begin()
    try: ...
    finally: end(token)

means `with np.errstate(all="ignore")`, at a tenth of its cost: a step of microseconds would spend a third of its time
on it. numpy 2 keeps the setting in a context variable; where that isn't found, `np.errstate` itself is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _plain_begin() -> Any:
    state = np.errstate(all="ignore")
    state.__enter__()
    return state


def _plain_end(state: Any) -> None:
    state.__exit__(None, None, None)


begin: Callable[[], Any] = _plain_begin
end: Callable[[Any], None] = _plain_end


def _use_context_variable() -> None:
    global begin, end
    try:
        from numpy._core.umath import _extobj_contextvar as variable
    except ImportError:
        return
    with np.errstate(all="ignore"):
        ignoring = variable.get()
    token = variable.set(ignoring)
    silent = np.geterr()
    variable.reset(token)
    if set(silent.values()) == {"ignore"}:
        begin = lambda: variable.set(ignoring)  # noqa: E731
        end = variable.reset


_use_context_variable()
