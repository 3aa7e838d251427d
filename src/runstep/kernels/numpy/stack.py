"""Stacks that live for one step. The handle is the stack itself."""

from __future__ import annotations

import copy
import itertools
from typing import Any

from runstep import errors
from runstep.graph import shapes
from runstep.graph.dtypes import DType
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.texts import invalid, type_text

_serial = itertools.count()


class Stack:
    """A stack of tensors of one dtype. Appending and popping are single operations on a list, so any thread may."""

    __slots__ = ("closed", "dtype", "most", "name", "values")

    def __init__(self, name: str, dtype: DType, most: int) -> None:
        self.name = f"{name}_{next(_serial)}"
        self.dtype = dtype
        self.most = most
        self.values: list[Any] = []
        self.closed = False

    @property
    def value(self) -> Stack:
        """Itself: what reading a ref to a stack gives (handles of old graphs are refs)."""
        return self

    def forked(self, memo: dict[int, Any]) -> Stack:
        """A stack of its own with the same elements, for a step that begins where this one's is. Once per `memo`."""
        found = memo.get(id(self))
        if found is None:
            found = memo[id(self)] = copy.copy(self)
            found.values = list(self.values)
        return found

    def __len__(self) -> int:
        return len(self.values)

    @property
    def nbytes(self) -> int:
        """Bytes of the elements."""
        return sum(int(getattr(value, "nbytes", 0)) for value in self.values)


def _stack_of(handle: Any) -> Stack:
    if type(handle) is not Stack:
        raise invalid(f"Handle is not that of a stack: {handle!r}")
    if handle.closed:
        raise invalid(f"Stack[{handle.name}] has already been closed.")
    return handle


@numpy_kernel.make("StackV2", "Stack")
def stack(node: Node) -> Kernel:
    dtype, name = node.attrs["elem_type"], node.attrs["stack_name"].decode() or node.name
    if node.type == "Stack":
        return lambda: Stack(name, dtype, -1)

    def run(most: Any) -> Stack:
        if most.ndim:
            raise invalid(f"Stack size must be a scalar, but had shape: {shapes.text(most.shape)}")
        return Stack(name, dtype, int(most))

    return run


@numpy_kernel.make("StackPushV2", "StackPush", view=True)
def stack_push(node: Node) -> Kernel:
    dtype = node.attrs["T"]

    def run(handle: Any, value: Any) -> Any:
        found = _stack_of(handle)
        if dtype is not found.dtype:
            raise invalid(f"Must have type {type_text(found.dtype)} but got {type_text(dtype)}")
        if 0 <= found.most <= len(found.values):
            raise invalid(f"Stack[{found.name}] overflowed its max_size ({found.most})")
        found.values.append(value)
        return value

    return run


@numpy_kernel.make("StackPopV2", "StackPop", view=True)
def stack_pop(node: Node) -> Kernel:
    dtype = node.attrs["elem_type"]

    def run(handle: Any) -> Any:
        found = _stack_of(handle)
        if not found.values:
            raise invalid(f"Stack[{found.name}] is empty when calling Pop().")
        if dtype is not found.dtype:
            raise errors.InternalError(
                None,
                None,
                f"Output 0 of type {type_text(found.dtype)} does not match declared output type {type_text(dtype)} "
                f"for node {{{{node {node.name}}}}}",
            )
        return found.values.pop()

    return run


@numpy_kernel("StackCloseV2", "StackClose")
def stack_close(handle: Any) -> None:
    found = _stack_of(handle)
    found.closed = True
    found.values.clear()
