"""A function of the graph's library mapped over the rows of its arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import shapes
from runstep.kernels.numpy.datasets import function_of
from runstep.kernels.numpy.shape_ops import invalid
from runstep.kernels.registry import Kernel, Node, numpy_kernel


@numpy_kernel.make("MapDefun", step=True)
def map_defun(node: Node) -> Kernel:
    """One row after the other; what is captured goes to each call as it is."""
    attrs = node.attrs
    function, rows = function_of(node, "f"), len(attrs["Targuments"])
    kinds, asked = [kind.np for kind in node.output_types], attrs["output_shapes"]

    def stacked(values: list[Any], kind: Any, shape: Any) -> Any:
        if not values:
            return np.empty((0, *(size or 0 for size in shape or ())), kind)
        found = np.shape(values[0])
        if not shapes.is_compatible(found, shape):
            invalid(
                f"Mismatch in function retval shape, {shapes.text(found)}, and expected output shape, "
                f"{shapes.text(shape)}."
            )
        if any(np.shape(value) != found for value in values):
            invalid(f"Outputs of the function differ in shape; the first has {shapes.text(found)}")
        out = np.empty((len(values), *found), kind)
        for place, value in enumerate(values):
            out[place] = value if found else value[()]
        return out

    def kernel(step: Any, *inputs: Any) -> Any:
        arguments, captured = inputs[:rows], inputs[rows:]
        if any(not np.ndim(value) for value in arguments):
            invalid("All inputs must have rank at least 1")
        count = len(arguments[0])
        for index, value in enumerate(arguments):
            if len(value) != count:
                invalid(f"All inputs must have the same dimension 0. Input {index} has {len(value)}, the first {count}")
        found = []
        for place in range(count):
            if step is not None and step.cancelled:
                step.stop()
            found.append(function(step, *(_row(value, place) for value in arguments), *captured))
        columns = zip(*found, strict=True) if found else ((),) * len(kinds)
        made = tuple(stacked(list(column), *what) for column, *what in zip(columns, kinds, asked, strict=True))
        return made if len(made) > 1 else made[0]

    return kernel


def _row(value: Any, place: int) -> Any:
    """A row, as kernels take it: a scalar string is an array of rank 0."""
    row = value[place]
    if value.dtype != object or value.ndim > 1:
        return row
    boxed = np.empty((), object)
    boxed[()] = row
    return boxed
