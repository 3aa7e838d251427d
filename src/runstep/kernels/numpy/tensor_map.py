"""The TensorMap ops: their values are `TensorMap` objects in variant tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep import errors
from runstep.graph.dtypes import DType
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.tensor_array import shape_of, stack_values
from runstep.kernels.texts import invalid, type_text

_Key = tuple[DType, tuple[int, ...], Any]


class TensorMap:
    """A map that never changes: every change gives a new one.

    Attributes:
      items: per key, what it is made of: the key tensor, the value tensor and the value's dtype.
    """

    __slots__ = ("items",)

    def __init__(self, items: dict[_Key, tuple[Any, Any, DType]]) -> None:
        self.items = items

    @property
    def nbytes(self) -> int:
        """Bytes of keys and values."""
        return sum(int(getattr(x, "nbytes", 0)) for key, value, _ in self.items.values() for x in (key, value))


def _map_of(handle: Any) -> TensorMap:
    if type(handle) is not TensorMap:
        raise invalid(f"Input handle is not a map. Saw: {handle!r}")
    return handle


def _key(value: Any, dtype: DType) -> _Key:
    array = np.asarray(value)
    return dtype, array.shape, tuple(array.ravel().tolist()) if array.dtype.hasobject else array.tobytes()


def _text(value: Any) -> str:
    items = [x.decode(errors="replace") if isinstance(x, bytes) else str(x) for x in np.asarray(value).ravel().tolist()]
    return f'"{" ".join(items)}"'


@numpy_kernel("EmptyTensorMap")
def empty_tensor_map() -> TensorMap:
    return TensorMap({})


@numpy_kernel("TensorMapSize")
def tensor_map_size(handle: Any) -> Any:
    return np.int32(len(_map_of(handle).items))


@numpy_kernel.make("TensorMapLookup", view=True)
def tensor_map_lookup(node: Node) -> Kernel:
    key_dtype, value_dtype = node.attrs["key_dtype"], node.attrs["value_dtype"]

    def run(handle: Any, key: Any) -> Any:
        found = _map_of(handle).items.get(_key(key, key_dtype))
        if found is None:
            raise invalid(f"Trying to lookup non-existent key. Could not find key {_text(key)}.")
        if found[2] is not value_dtype:
            raise errors.InternalError(
                None,
                None,
                f"Output 0 of type {type_text(found[2])} does not match declared output type {type_text(value_dtype)} "
                f"for node {{{{node {node.name}}}}}",
            )
        return found[1]

    return run


@numpy_kernel.make("TensorMapInsert")
def tensor_map_insert(node: Node) -> Kernel:
    key_dtype, value_dtype = node.attrs["key_dtype"], node.attrs["value_dtype"]
    return lambda handle, key, value: TensorMap(
        {**_map_of(handle).items, _key(key, key_dtype): (key, value, value_dtype)}
    )


@numpy_kernel.make("TensorMapErase")
def tensor_map_erase(node: Node) -> Kernel:
    key_dtype = node.attrs["key_dtype"]

    def run(handle: Any, key: Any) -> TensorMap:
        items = dict(_map_of(handle).items)
        if items.pop(_key(key, key_dtype), None) is None:
            raise invalid(f"Trying to erase non-existent item. Could not find key {_text(key)}.")
        return TensorMap(items)

    return run


@numpy_kernel.make("TensorMapHasKey")
def tensor_map_has_key(node: Node) -> Kernel:
    key_dtype = node.attrs["key_dtype"]
    return lambda handle, key: np.bool_(_key(key, key_dtype) in _map_of(handle).items)


@numpy_kernel.make("TensorMapStackKeys")
def tensor_map_stack_keys(node: Node) -> Kernel:
    dtype = node.attrs["key_dtype"]

    def run(handle: Any) -> Any:
        items = _map_of(handle).items
        if not items:
            raise invalid("TensorMapStackKeys cannot be called on empty map.")
        keys = [key for key, _, _ in items.values()]
        if any(kind is not dtype for kind, _, _ in items):
            raise invalid("Key does not match requested dtype.")
        shape = shape_of(keys[0])
        if any(shape_of(key) != shape for key in keys):
            raise invalid("Keys must all have the same shape.")
        return stack_values(keys, shape, dtype)

    return run
