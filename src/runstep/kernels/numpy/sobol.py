"""Sobol's points, of the direction numbers of Joe and Kuo.

`sobol.txt` has a line for each dimension after the first: the degree of its primitive polynomial, the coefficients
between the first and the last as the bits of a number, and as many first direction numbers.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.shared import invalid, shape_of

Array = np.ndarray[Any, Any]
_BITS = 31
_FILE = Path(__file__).with_suffix(".txt")


@functools.cache
def _directions() -> Array:
    """int64 (dimension, bit): what bit of a point's Gray code adds to the coordinate, in units of 2**-31."""
    rows = [[1 << (_BITS - 1 - bit) for bit in range(_BITS)]]
    for line in _FILE.read_text("utf-8").splitlines():
        degree, inner, *first = map(int, line.split())
        row = [number << (_BITS - 1 - bit) for bit, number in enumerate(first)]
        for bit in range(degree, _BITS):
            value = row[bit - degree] ^ row[bit - degree] >> degree
            for back in range(1, degree):
                if inner >> (degree - 1 - back) & 1:
                    value ^= row[bit - back]
            row.append(value)
        rows.append(row)
    return np.array(rows, np.int64)


@numpy_kernel.make("SobolSample")
def sobol_sample(node: Node) -> Kernel:
    dtype = node.output_types[0].np

    def kernel(dim: Any, num_results: Any, skip: Any) -> Array:
        for value, name in ((dim, "dim"), (num_results, "num_results"), (skip, "skip")):
            if shape_of(value):
                raise invalid(f"{name} must be a scalar")
        if dim < 1:
            raise invalid("dim must be at least one")
        directions = _directions()
        if dim > len(directions):
            raise invalid(f"dim must be at most {len(directions)}")
        if num_results < 1:
            raise invalid("num_results must be at least one")
        if skip < 0:
            raise invalid("skip must be non-negative")
        numbers = np.arange(1, int(num_results) + 1, dtype=np.int64) + int(skip)
        if numbers[-1] >> _BITS:
            raise invalid("num_results + skip is too large")
        codes = numbers ^ numbers >> 1
        points = np.zeros((len(numbers), int(dim)), np.int64)
        for bit in range(int(numbers[-1]).bit_length()):
            points ^= np.where((codes >> bit & 1)[:, None], directions[: int(dim), bit], 0)
        return (points * 2.0**-_BITS).astype(dtype)

    return kernel
