"""Kernels of optionals."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.errors import InvalidArgumentError
from runstep.kernels.registry import Kernel, Node, numpy_kernel


class Optional:
    """A tuple of values, or None for nothing."""

    __slots__ = ("values",)

    def __init__(self, values: tuple[Any, ...] | None) -> None:
        self.values = values

    def zeros_like(self) -> Optional:
        """An optional of zeros (ZerosLike); nothing of nothing."""
        return Optional(None if self.values is None else tuple(map(_zeros_like, self.values)))

    def plus(self, other: Optional) -> Optional:
        """The sums of the components (AddN). InvalidArgumentError when only one has a value."""
        if self.values is None or other.values is None:
            if self.values is not other.values:
                text = "Cannot add optionals because one has a value and the other doesn't."
                raise InvalidArgumentError(None, None, text)
            return self
        return Optional(tuple(_sum(a, b) for a, b in zip(self.values, other.values, strict=True)))


def _zeros_like(value: Any) -> Any:
    if hasattr(value, "zeros_like"):
        return value.zeros_like()
    if value.dtype == object:
        raise InvalidArgumentError(None, None, "Trying to compute zeros_like for unsupported dtype string")
    zeros = np.zeros_like(value)
    return zeros if zeros.ndim else zeros[()]


def _sum(a: Any, b: Any) -> Any:
    return a.plus(b) if hasattr(a, "plus") else np.add(a, b)


@numpy_kernel("OptionalFromValue", view=True)
def from_value(*components: Any) -> Optional:
    return Optional(components)


@numpy_kernel("OptionalNone")
def none() -> Optional:
    return Optional(None)


@numpy_kernel("OptionalHasValue")
def has_value(optional: Optional) -> Any:
    return np.bool_(optional.values is not None)


@numpy_kernel("OptionalGetValue", view=True)
def get_value(optional: Optional) -> tuple[Any, ...]:
    if optional.values is None:
        raise InvalidArgumentError(None, None, "The given optional does not have a value.")
    return optional.values


class Composite(Optional):
    """The components of a tensor that is made of several."""

    __slots__ = ()


@numpy_kernel("CompositeTensorVariantFromComponents", view=True)
def from_components(*components: Any) -> Composite:
    return Composite(components)


@numpy_kernel.make("CompositeTensorVariantToComponents", view=True)
def to_components(node: Node) -> Kernel:
    kinds = [kind.np for kind in node.output_types]

    def kernel(encoded: Any) -> tuple[Any, ...]:
        if not isinstance(encoded, Composite) or encoded.values is None:
            raise InvalidArgumentError(
                None, None, f"The input is not a CompositeTensorVariant but a {type(encoded).__name__}"
            )
        if len(encoded.values) != len(kinds):
            raise InvalidArgumentError(
                None, None, f"Encoded value has {len(encoded.values)} tensors, the node says {len(kinds)}"
            )
        for index, (value, kind) in enumerate(zip(encoded.values, kinds, strict=True)):
            if getattr(value, "dtype", kind) != kind:
                raise InvalidArgumentError(
                    None, None, f"Tensor at index {index} has dtype {value.dtype}, the node says {kind}"
                )
        return encoded.values

    return kernel
