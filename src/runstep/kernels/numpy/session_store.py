"""Kernels that put tensors into the session store, take them out and delete them."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph.dtypes import as_dtype
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.resources import Entry, ResourceHandle
from runstep.kernels.session_store import store_of
from runstep.kernels.shared import invalid, scalar, shape_of, type_text


def _text(handle: Any) -> str:
    if shape_of(handle):
        raise invalid("`handle` must be scalar")
    if isinstance(handle, ResourceHandle):
        return handle.name
    return np.asarray(handle).item().decode()


@numpy_kernel.make("GetSessionHandle", "GetSessionHandleV2")
def get_session_handle(node: Node) -> Kernel:
    store = store_of(node.resources)
    as_resource = node.type.endswith("V2")

    def run(value: Any) -> Any:
        handle = store.put(node.name, node.device, value)
        if as_resource:
            return ResourceHandle(node.device, Entry("", "tensorflow::Tensor", handle))
        return scalar(handle.encode())

    return run


@numpy_kernel.make("GetSessionTensor", view=True)
def get_session_tensor(node: Node) -> Kernel:
    store, dtype = store_of(node.resources), node.attrs["dtype"]

    def run(handle: Any) -> Any:
        value = store.get(_text(handle))
        if isinstance(value, np.ndarray | np.generic) and value.dtype != dtype.np:
            raise invalid(
                f"The tensor with handle '{_text(handle)}' is {type_text(as_dtype(value.dtype))}, "
                f"{type_text(dtype)} was asked for."
            )
        return value

    return run


@numpy_kernel.make("DeleteSessionTensor")
def delete_session_tensor(node: Node) -> Kernel:
    store = store_of(node.resources)
    return lambda handle: store.delete(_text(handle))
