"""StringFormat: tensors printed into a template."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.dtypes import DType
from runstep.kernels.bytestrings import Array, scalar
from runstep.kernels.registry import Kernel, Node, numpy_kernel

_ESCAPES = {9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 39: "\\'", 92: "\\\\"}


def c_escaped(text: bytes) -> str:
    """`text` as a C string literal without its quotes, what is not ASCII unchanged (one character a byte)."""
    return "".join(_ESCAPES.get(byte) or (f"\\{byte:03o}" if byte < 32 or byte == 127 else chr(byte)) for byte in text)


def shortest_float(value: float) -> str:
    """A float32 in as few digits as tell it apart (6 or 9)."""
    if not math.isfinite(value):
        return str(value)
    text = f"{value:.6g}"
    return text if np.float32(text) == np.float32(value) else f"{value:.9g}"


def shortest_double(value: float) -> str:
    """A float64 in as few digits as tell it apart (15 or 17)."""
    text = f"{value:.15g}"
    return text if not math.isfinite(value) or float(text) == value else f"{value:.17g}"


def element_writer(kind: DType) -> Callable[[Any], str]:
    """How one element of a type is printed, given what `tolist` made of it."""
    if kind is dtypes.string:
        return lambda value: f'"{c_escaped(value)}"'
    if kind is dtypes.bool:
        return lambda value: "1" if value else "0"
    if kind is dtypes.float64:
        return shortest_double
    if kind.is_floating:
        return lambda value: shortest_float(float(value))
    if kind.is_integer:
        return str
    return lambda value: "?"


def printed(value: Any, kind: DType, summarize: int) -> str:
    """A tensor as numpy would print it, with at most `summarize` elements (negative: all) at either end of an axis."""
    write = element_writer(kind)
    array = np.asarray(value)
    ends = array.size if summarize < 0 else min(summarize, array.size)

    def level(items: Sequence[Any], axis: int) -> str:
        if axis == array.ndim:
            return write(items)
        gap = " " if axis == array.ndim - 1 else "\n" * (array.ndim - axis - 1) + " " * (axis + 1)
        size = array.shape[axis]
        if size > 2 * ends:
            head = [level(items[index], axis + 1) for index in range(ends)]
            tail = [level(items[index], axis + 1) for index in range(size - ends, size)]
            return f"[{gap.join(head)}{gap}...{''.join(gap + item for item in tail)}]"
        return f"[{gap.join(level(item, axis + 1) for item in items)}]"

    return level(array.tolist(), 0)


@numpy_kernel.make("StringFormat")
def string_format(node: Node) -> Kernel:
    template, placeholder = node.attrs["template"], node.attrs["placeholder"]
    pieces = template.split(placeholder) if placeholder else [template]
    kinds, summarize = tuple(node.input_types), node.attrs["summarize"]

    def kernel(*values: Array) -> Array:
        parts = [pieces[0]]
        for value, kind, piece in zip(values, kinds, pieces[1:], strict=True):
            parts += (printed(value, kind, summarize).encode("latin1"), piece)
        return scalar(b"".join(parts))

    return kernel
