"""Kernels of optionals."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.errors import InvalidArgumentError
from runstep.kernels.registry import numpy_kernel


class Optional:
    """A tuple of values, or None for nothing."""

    __slots__ = ("values",)

    def __init__(self, values: tuple[Any, ...] | None) -> None:
        self.values = values


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
