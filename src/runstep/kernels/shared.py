"""Kernels that own a resource which other nodes share: they make or find it once and hand out its handle.

A node with a `shared_name` finds what any other node of that name made; without one the resource is the node's own,
and its messages call it "_3_name" as TensorFlow does.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import dtypes, shapes
from runstep.graph.dtypes import DType
from runstep.kernels.registry import Kernel, Node
from runstep.kernels.resources import DEFAULT_CONTAINER, RefVariable, ResourceHandle, resource_of

_numbers = itertools.count()


def invalid(text: str) -> errors.InvalidArgumentError:
    return errors.InvalidArgumentError(None, None, text)


class RefHandle(RefVariable):
    """The value of a `Ref(string)` handle (queues, tables ... of the first generation).

    Read as a tensor it is [container, name].
    """

    __slots__ = ("handle",)

    def __init__(self, handle: ResourceHandle, name: str) -> None:
        value = np.array([handle.container.encode(), name.encode()], object)
        super().__init__(name, dtypes.string, (2,), value)
        self.handle = handle


def owner(
    node: Node,
    type_name: str,
    make: Callable[[str], Any],
    check: Callable[[Any], None] | None = None,
    own_name: bool = False,
) -> Kernel:
    """The kernel of a node that owns a shared resource: no inputs, its handle as output.

    Args:
      type_name: of the handle, as "tensorflow::QueueInterface".
      make: takes the resource's name for messages; called when there is no such resource.
      check: raises InvalidArgumentError for a resource that another node made and that is not as this node says.
      own_name: without a shared_name the resource is shared under the node's name.
    """
    attrs = node.attrs
    manager = node.resources
    container = (attrs.get("container") or b"").decode() or DEFAULT_CONTAINER
    shared = (attrs.get("shared_name") or b"").decode() or (node.name if own_name else "")
    entry = manager.entry(container, type_name, shared or f"__private_{node.name}")
    label = shared
    handle: Any = ResourceHandle(manager.device, entry)
    checked: Any = None
    is_ref = bool(node.output_types) and node.output_types[0].is_ref

    def create() -> Any:
        nonlocal label
        label = shared or f"_{next(_numbers)}_{node.name}"
        return make(label)

    def run() -> Any:
        nonlocal checked, handle
        found = entry.resource
        if found is None:
            found = manager.fill(entry, create)
        if found is not checked:
            if check is not None:
                check(found)
            checked = found
            if is_ref:
                handle = RefHandle(ResourceHandle(manager.device, entry), label)
        return handle

    return run


def anonymous_owner(node: Node, type_name: str, make: Callable[[str], Any]) -> Kernel:
    """The kernel of a node that makes a new resource, without a name, each time it runs."""
    manager = node.resources

    def run() -> ResourceHandle:
        found: ResourceHandle = manager.anonymous(type_name, make(f"_{next(_numbers)}_{node.name}"))
        return found

    return run


def found(handle: Any, type_name: str) -> Any:
    """The resource that a handle names, a ref handle too. See `resource_of` for the errors."""
    if type(handle) is RefHandle:
        handle = handle.handle
    return resource_of(handle, type_name)


_TYPE_TEXT = {"float32": "float", "float64": "double", "float16": "half"}


def type_text(dtype: DType) -> str:
    """A dtype as TensorFlow's kernels spell it: "float", "int32", "string_ref"."""
    base = dtype.base_dtype.name
    return _TYPE_TEXT.get(base, base) + ("_ref" if dtype.is_ref else "")


def types_text(types: Iterable[DType]) -> str:
    return ", ".join(map(type_text, types))


def signature_mismatch(
    have: tuple[Iterable[DType], Iterable[DType]], expected: tuple[Iterable[DType], Iterable[DType]]
) -> errors.InvalidArgumentError:
    """The error of a node whose (inputs, outputs) are not those of the resource that it uses."""
    return invalid(
        f"Signature mismatch, have: {types_text(have[0])}->{types_text(have[1])} "
        f"expected: {types_text(expected[0])}->{types_text(expected[1])}"
    )


def shape_of(value: Any) -> tuple[int, ...]:
    """The shape of a value that flows between kernels; a Python object has rank 0."""
    return getattr(value, "shape", ())


def one_variant(op: str, value: Any) -> Any:
    """The object of a variant scalar. InvalidArgumentError for a tensor of several, which `op` does not take."""
    if isinstance(value, np.ndarray):
        raise invalid(f"{op} of non-scalar Tensor with dtype=DT_VARIANT is not supported: got shape {value.shape}.")
    return value


def kept(value: Any) -> Any:
    """`value` in memory of its own, to be kept beyond the step."""
    return value.copy() if isinstance(value, np.ndarray) else value


def bytes_of(value: Any) -> int:
    """Bytes that a kept value takes; strings count by their lengths."""
    if not isinstance(value, np.ndarray | np.generic):
        return int(getattr(value, "nbytes", 0))
    if value.dtype.hasobject:
        items = value.ravel().tolist() if value.ndim else [value.item()]
        return int(value.nbytes) + sum(len(item) for item in items if isinstance(item, bytes))
    return int(value.nbytes)


def rows(batch: np.ndarray, dtype: DType) -> list[Any]:
    """The slices of `batch` along its first dimension, each in memory of its own."""
    if batch.ndim > 1:
        return [row.copy() for row in batch]
    if batch.dtype == object:
        return [scalar(item) if dtype is dtypes.string else item for item in batch.tolist()]
    return list(batch)


def one(value: Any, what: str) -> int:
    """A number out of an array of one element; TensorFlow takes any rank.

    Raises:
      InvalidArgumentError: another number of elements.
    """
    if getattr(value, "size", 1) != 1:
        raise invalid(f"{what} must be a scalar, but had shape: {shapes.text(shape_of(value))}")
    return int(value if shape_of(value) == () else value.item())


def refuse_timeout(node: Node) -> None:
    """Raises InvalidArgumentError for a queue operation with a timeout of its own, which TensorFlow never had."""
    if node.attrs.get("timeout_ms", -1) != -1:
        raise invalid("Timeout not supported yet.")


def scalar(item: bytes) -> np.ndarray:
    """A string of rank 0."""
    out = np.empty((), object)
    out[()] = item
    return out


def stacked(items: list[Any], dtype: DType, shape: tuple[int, ...]) -> np.ndarray:
    """`items`, each of this shape, along a new first dimension."""
    if not shape and not dtype.np.hasobject:
        return np.array(items, dtype.np)
    out = np.empty((len(items), *shape), dtype.np)
    for index, item in enumerate(items):
        out[index] = item.item() if type(item) is np.ndarray and item.ndim == 0 else item
    return out
