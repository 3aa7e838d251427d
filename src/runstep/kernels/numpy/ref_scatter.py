"""Changing rows and slices of ref variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from runstep.graph import strided_slice
from runstep.kernels.numpy.rows import (
    Update,
    assign_slice,
    ignores_bad_indices,
    scatter,
    scatter_nd,
    truncated_division,
)
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.resources import RefVariable, Variable, uninitialized
from runstep.kernels.texts import invalid, shape_text

UPDATES: dict[str, Update | None] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": truncated_division,
    "Min": np.minimum,
    "Max": np.maximum,
    "Update": None,
}
"""What the last word of a scatter op's name does to a row; None replaces it."""


def change(variable: Variable, mutate: Callable[..., None], *args: Any) -> None:
    """`mutate(array, *args)` on the variable's own array, under its lock."""
    with variable.lock:
        if variable.value is None:
            raise uninitialized(variable.name)
        value = variable.take()
        try:
            mutate(value, *args)
        finally:
            variable.value = value


def slice_index(node: Node, at: int = 1) -> Callable[[Any, Any, Any], tuple[Any, ...]]:
    """The numpy index of a strided slice, from the values of begin, end and strides; ready-made where they are
    known."""

    def read(begin: Any, end: Any, strides: Any) -> tuple[Any, ...]:
        if not begin.ndim == end.ndim == strides.ndim == 1 or not begin.shape == end.shape == strides.shape:
            raise invalid(
                "Expected begin, end, and strides to be 1D equal size tensors, but got shapes "
                f"{shape_text(begin.shape)}, {shape_text(end.shape)}, and {shape_text(strides.shape)} instead."
            )
        try:
            return strided_slice.index(begin.tolist(), end.tolist(), strides.tolist(), node.attrs)
        except ValueError as error:
            raise invalid(str(error)) from None

    known = [node.constant(i) for i in range(at, at + 3)]
    if any(value is None for value in known):
        return read
    index = read(*known)
    return lambda begin, end, strides: index


def _register(kind: str, function: Update | None) -> None:
    def mutate(target: np.ndarray, indices: Any, updates: Any) -> None:
        if target.ndim == 0:
            raise invalid(f"params must be at least 1-D, got shape {shape_text(target.shape)}")
        scatter(function, target, indices, updates)

    def run(ref: RefVariable, indices: Any, updates: Any) -> RefVariable:
        change(ref, mutate, indices, updates)
        return ref

    numpy_kernel(f"Scatter{kind}")(run)


def _register_nd(kind: str, function: Update | None) -> None:
    def make(node: Node) -> Kernel:
        def run(ref: RefVariable, indices: Any, updates: Any) -> RefVariable:
            ignore = ignores_bad_indices(node.attrs["bad_indices_policy"])
            change(ref, lambda target: scatter_nd(function, target, indices, updates, ignore))
            return ref

        return run

    numpy_kernel.make(f"ScatterNd{kind}")(make)


for _kind, _function in UPDATES.items():
    _register(_kind, _function)
    if _kind not in ("Mul", "Div"):
        _register_nd(_kind, _function)


@numpy_kernel.make("StridedSliceAssign")
def strided_slice_assign(node: Node) -> Kernel:
    index = slice_index(node)

    def run(ref: RefVariable, begin: Any, end: Any, strides: Any, value: Any) -> RefVariable:
        change(ref, assign_slice, index(begin, end, strides), value)
        return ref

    return run
