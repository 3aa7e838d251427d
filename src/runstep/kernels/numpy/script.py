"""py_func: a Python function, called in place; a coroutine function is awaited in the actors' loop."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.kernels import scripts
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.waiting import NeedsLoop, park


def _argument(value: Any) -> Any:
    """An input as the function gets it: numpy scalars, bytes, and arrays of its own that it may write to."""
    if isinstance(value, np.ndarray):
        return value.copy() if value.ndim else value[()]
    return value


@numpy_kernel.make(
    "PyFunc",
    "PyFuncStateless",
    "EagerPyFunc",
    types={"_awaits": (True,)},  # type: ignore[dict-item]  # an attribute of ours, not a dtype
    view=True,
    is_async=True,
)
def awaited(node: Node) -> Kernel:
    token, types = node.attrs["token"].decode(), node.attrs["Tout"]
    reason = f"py_func {token}: its coroutine awaits"

    async def run(*inputs: Any) -> Any:
        script = scripts.find(token)
        await park(NeedsLoop(reason))
        try:
            returned = await script.function(*map(_argument, inputs))
        except Exception as error:
            raise scripts.failure(error) from error
        return scripts.results(script, returned, types)

    return run


@numpy_kernel.make("PyFunc", "PyFuncStateless", "EagerPyFunc", view=True)
def called(node: Node) -> Kernel:
    token, types = node.attrs["token"].decode(), node.attrs["Tout"]
    given = node.attrs["Tin"]

    def run(*inputs: Any) -> Any:
        script = scripts.find(token)
        try:
            arguments = list(map(_argument, inputs))
            if script.converts:
                from runstep.session.script_graph import call  # a session, which kernels know nothing of

                returned = call(script.function, arguments, given, types)
            else:
                returned = script.function(*arguments)
        except Exception as error:
            raise scripts.failure(error) from error
        return scripts.results(script, returned, types)

    return run
