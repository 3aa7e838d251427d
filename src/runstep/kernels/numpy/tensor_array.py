"""The TensorArray ops of all three generations. They differ in the handle's declared dtype only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from runstep.graph import shapes
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.tensor_array import TensorArray
from runstep.kernels.texts import invalid

_GENERATIONS = ("V3", "V2", "")
_FLOW = np.float32(0)


def _ops(stem: str) -> list[str]:
    return [stem + generation for generation in _GENERATIONS]


def array_of(handle: Any) -> TensorArray:
    """The TensorArray of a handle. InvalidArgumentError for anything else."""
    if type(handle) is not TensorArray:
        raise invalid(f"Handle is not that of a TensorArray: {handle!r}")
    return handle


# --- making, sizing and closing -----------------------------------------------------------------------------------


@numpy_kernel.make(*_ops("TensorArray"))
def tensor_array(node: Node) -> Kernel:
    attrs = node.attrs
    name = attrs["tensor_array_name"].decode() or node.name
    dtype = attrs["dtype"]
    options = {
        "element_shape": attrs["element_shape"],
        "dynamic": attrs["dynamic_size"],
        "clear_after_read": attrs["clear_after_read"],
        "identical": attrs.get("identical_element_shapes", False),
    }

    def create(size: Any) -> TensorArray:
        if size.ndim:
            raise invalid(f"TensorArray size must be scalar, but had shape: {shapes.text(size.shape)}")
        if size < 0:
            raise invalid("Size should be >= 0.")
        return TensorArray.create(name, dtype, int(size), **options)

    if node.type != "TensorArrayV3":
        return create
    return lambda size: (create(size), _FLOW)


@numpy_kernel.make(*_ops("TensorArrayGrad"))
def tensor_array_grad(node: Node) -> Kernel:
    source = node.attrs["source"].decode()
    if node.type != "TensorArrayGradV3":
        return lambda handle, flow: array_of(handle).grad(source)
    return lambda handle, flow: (array_of(handle).grad(source), flow)


@numpy_kernel.make("TensorArrayGradWithShape")
def tensor_array_grad_with_shape(node: Node) -> Kernel:
    source = node.attrs["source"].decode()
    return lambda handle, flow, prepend: (array_of(handle).grad(source, tuple(prepend.tolist())), flow)


@numpy_kernel(*_ops("TensorArraySize"))
def tensor_array_size(handle: Any, flow: Any) -> Any:
    return np.int32(len(array_of(handle)))


@numpy_kernel(*_ops("TensorArrayClose"))
def tensor_array_close(handle: Any) -> None:
    array_of(handle).close()


# --- elements -----------------------------------------------------------------------------------------------------


def _index(index: Any) -> int:
    if index.ndim:
        raise invalid(f"TensorArray index must be scalar, but had shape: {shapes.text(index.shape)}")
    return int(index)


@numpy_kernel.make(*_ops("TensorArrayWrite"), view=True)
def tensor_array_write(node: Node) -> Kernel:
    dtype = node.attrs["T"]

    def run(handle: Any, index: Any, value: Any, flow: Any) -> Any:
        array = array_of(handle)
        if dtype is not array.dtype:
            array.check_dtype(dtype, "is trying to write")
        array.write(_index(index), value)
        return flow

    return run


def told_write(node: Node, mask: int, tell: Callable[[Any, TensorArray, Any], None]) -> Kernel:
    """The kernel of a write that tells the step of the array and the value where no bit of `mask` is set in the
    index."""
    dtype = node.attrs["T"]

    def run(step: Any, handle: Any, index: Any, value: Any, flow: Any) -> Any:
        array = array_of(handle)
        if dtype is not array.dtype:
            array.check_dtype(dtype, "is trying to write")
        place = _index(index)
        array.write(place, value)
        if not place & mask:
            tell(step, array, value)
        return flow

    return run


@numpy_kernel.make(*_ops("TensorArrayRead"), view=True)
def tensor_array_read(node: Node) -> Kernel:
    dtype = node.attrs["dtype"]

    def run(handle: Any, index: Any, flow: Any) -> Any:
        array = array_of(handle)
        if dtype is not array.dtype:
            array.check_dtype(dtype, "requested")
        return array.read(_index(index))

    return run


@numpy_kernel.make(*_ops("TensorArrayGather"))
def tensor_array_gather(node: Node) -> Kernel:
    dtype, element_shape = node.attrs["dtype"], node.attrs["element_shape"]

    def run(handle: Any, indices: Any, flow: Any) -> Any:
        array = array_of(handle)
        array.check_dtype(dtype, "requested")
        if indices.ndim != 1:
            raise invalid(f"Expected indices to be a vector, but received shape: {shapes.text(indices.shape)}")
        return array.gather(indices.tolist(), element_shape)

    return run


@numpy_kernel.make("TensorArrayPack")
def tensor_array_pack(node: Node) -> Kernel:
    dtype, element_shape = node.attrs["dtype"], node.attrs["element_shape"]

    def run(handle: Any, flow: Any) -> Any:
        array = array_of(handle)
        array.check_dtype(dtype, "requested")
        return array.gather(range(len(array)), element_shape)

    return run


@numpy_kernel.make(*_ops("TensorArrayConcat"))
def tensor_array_concat(node: Node) -> Kernel:
    dtype, except0 = node.attrs["dtype"], node.attrs["element_shape_except0"]

    def run(handle: Any, flow: Any) -> Any:
        array = array_of(handle)
        array.check_dtype(dtype, "requested")
        return array.concat(except0)

    return run


def _writer(node: Node, write: Callable[[TensorArray, Any, Any, Any], None]) -> Kernel:
    dtype = node.attrs["T"]

    def run(handle: Any, first: Any, second: Any, flow: Any) -> Any:
        write(array_of(handle), first, second, dtype)
        return flow

    return run


@numpy_kernel.make(*_ops("TensorArrayScatter"), view=True)
def tensor_array_scatter(node: Node) -> Kernel:
    return _writer(node, lambda array, indices, value, dtype: array.scatter(indices, value, dtype))


@numpy_kernel.make(*_ops("TensorArraySplit"), view=True)
def tensor_array_split(node: Node) -> Kernel:
    return _writer(node, lambda array, value, lengths, dtype: array.split(value, lengths, dtype))


@numpy_kernel.make("TensorArrayUnpack", view=True)
def tensor_array_unpack(node: Node) -> Kernel:
    dtype = node.attrs["T"]

    def run(handle: Any, value: Any, flow: Any) -> Any:
        array_of(handle).scatter(np.arange(len(value) if value.ndim else 0), value, dtype)
        return flow

    return run
