"""Printing and asserting."""

from __future__ import annotations

import itertools
import sys
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import shapes
from runstep.io.failures import failed
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.shared import invalid, shape_of
from runstep.kernels.summarize import summarized


def _write(stream: Any, text: str) -> None:
    stream.write(text)
    stream.flush()


@numpy_kernel.make("Print", view=True)
def print_(node: Node) -> Kernel:
    attrs = node.attrs
    message, first, limit = attrs["message"], attrs["first_n"], attrs["summarize"]
    kinds = tuple(node.input_types)[1:]
    calls = itertools.count()

    def run(value: Any, *data: Any) -> Any:
        if first < 0 or next(calls) < first:
            parts = [b"[" + summarized(item, kind, limit) + b"]" for item, kind in zip(data, kinds, strict=True)]
            _write(sys.stderr, (message + b"".join(parts)).decode(errors="replace") + "\n")
        return value

    return run


_LEVELS = {"log(info)": "I", "log(warning)": "W", "log(error)": "E"}


@numpy_kernel.make("PrintV2")
def print_v2(node: Node) -> Kernel:
    target, end = node.attrs["output_stream"].decode(), node.attrs["end"].decode()
    if not target.startswith("file://") and target not in ("stdout", "stderr", *_LEVELS):
        raise invalid(
            f"Unknown output stream: {target}, Valid streams are: stdout stderr log(info) log(warning) log(error)"
        )

    def run(text: Any) -> None:
        if shape_of(text):
            raise invalid(f"Input is expected to be scalar, but got {shapes.text(shape_of(text))}")
        line = np.asarray(text).item().decode(errors="replace") + end
        if target.startswith("file://"):
            try:
                with open(target.removeprefix("file://"), "a", encoding="utf-8") as file:
                    file.write(line)
            except OSError as error:
                raise failed(error, target.removeprefix("file://")) from error
        elif target in _LEVELS:
            _write(sys.stderr, f"{_LEVELS[target]} {line if line.endswith(chr(10)) else line + chr(10)}")
        else:
            _write(sys.stdout if target == "stdout" else sys.stderr, line)

    return run


@numpy_kernel.make("Assert")
def assert_(node: Node) -> Kernel:
    limit = node.attrs["summarize"]
    kinds = tuple(node.input_types)[1:]

    def run(condition: Any, *data: Any) -> None:
        if shape_of(condition):
            raise invalid(f"In[0] should be a scalar: {shapes.text(shape_of(condition))}")
        if not condition:
            parts = (summarized(item, kind, limit) for item, kind in zip(data, kinds, strict=True))
            text = " ".join(f"[{part.decode(errors='replace')}]" for part in parts)
            raise invalid(f"assertion failed: {text}")

    return run


@numpy_kernel.make("Abort")
def abort(node: Node) -> Kernel:
    text = node.attrs["error_msg"].decode()

    def run() -> None:
        # TensorFlow ends the process here; a library must not.
        raise errors.AbortedError(None, None, text or "The graph asked to abort.")

    return run
