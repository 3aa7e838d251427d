"""Comparisons and logic. All are numpy's ufuncs, which compare strings (object arrays of bytes) as well."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import dtypes, shapes
from runstep.kernels.registry import Kernel, Node, numpy_kernel

for _op, _ufunc in (
    ("Less", np.less),
    ("LessEqual", np.less_equal),
    ("Greater", np.greater),
    ("GreaterEqual", np.greater_equal),
    ("LogicalAnd", np.logical_and),
    ("LogicalOr", np.logical_or),
    ("LogicalNot", np.logical_not),
):
    numpy_kernel(_op)(_ufunc)


def _tolerant(ufunc: Kernel, differ: np.bool_) -> Kernel:
    """`ufunc`, or `differ` for shapes that do not broadcast."""

    def compare(x: Any, y: Any) -> Any:
        try:
            np.broadcast_shapes(x.shape, y.shape)
        except ValueError:
            return differ
        return ufunc(x, y)

    return compare


def _typed(ufunc: Kernel) -> Kernel:
    """For strings: two scalars compare to a Python bool."""
    return lambda x, y: np.asarray(ufunc(x, y), dtype=np.bool_)


def _register(op: str, ufunc: Kernel, differ: np.bool_) -> None:
    @numpy_kernel.make(op)
    def make(node: Node) -> Kernel:
        kernel = _typed(ufunc) if node.input_types[0] is dtypes.string else ufunc
        return kernel if node.attrs["incompatible_shape_error"] else _tolerant(kernel, differ)


_register("Equal", np.equal, np.bool_(False))
_register("NotEqual", np.not_equal, np.bool_(True))


@numpy_kernel.make("ApproximateEqual")
def approximate_equal(node: Node) -> Kernel:
    tolerance = node.input_types[0].np.type(node.attrs["tolerance"])

    def compare(x: Any, y: Any) -> Any:
        if x.shape != y.shape:
            text = (
                f"x and y must be of the same shape. x shape: {shapes.text(x.shape)}. y shape: {shapes.text(y.shape)}"
            )
            raise errors.InvalidArgumentError(None, None, text)
        return np.less(np.absolute(np.subtract(x, y)), tolerance)

    return compare
