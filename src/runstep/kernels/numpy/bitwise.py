"""Bitwise functions of integers."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.kernels.registry import Kernel, Node, numpy_kernel

for _op, _ufunc in (
    ("BitwiseAnd", np.bitwise_and),
    ("BitwiseOr", np.bitwise_or),
    ("BitwiseXor", np.bitwise_xor),
    ("Invert", np.invert),
):
    numpy_kernel(_op)(_ufunc)


def _register_shift(op: str, ufunc: Kernel) -> None:
    @numpy_kernel.make(op)
    def make(node: Node) -> Kernel:
        kind = node.output_types[0].np.type
        most = kind(node.output_types[0].size * 8 - 1)
        none = kind(0)
        count = node.constant(1)
        if count is not None and (count >= none).all() and (count <= most).all():
            return ufunc
        return lambda x, y: ufunc(x, np.minimum(np.maximum(y, none), most))


_register_shift("LeftShift", np.left_shift)
_register_shift("RightShift", np.right_shift)


@numpy_kernel.make("PopulationCount")
def population_count(node: Node) -> Kernel:
    size = node.input_types[0].size
    bits_of_byte = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1, dtype=np.uint8)

    def count(x: Any) -> Any:
        octets = np.ascontiguousarray(x).view(np.uint8).reshape(*x.shape, size)
        return np.add.reduce(bits_of_byte[octets], axis=-1, dtype=np.uint8)

    return count
