"""The TensorList ops: their values are `TensorList` objects in variant tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import shapes
from runstep.graph.shapes import RawShape
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.tensor_list import TensorList, from_pieces, from_rows, from_scattered
from runstep.kernels.texts import invalid


def list_of(handle: Any) -> TensorList:
    """The list of a variant. InvalidArgumentError for anything else."""
    if type(handle) is TensorList:
        return handle
    if isinstance(handle, np.ndarray) and handle.size == 1:
        return list_of(handle.item())
    raise invalid(
        "Input handle is not a list. Saw: '<unknown>'"
        if handle is None
        else f"Input handle is not a list. Saw: {handle!r}"
    )


def shape_from(value: Any) -> RawShape:
    """The shape that a shape input describes: the scalar -1 for an unknown rank, -1 in a vector for an unknown size."""
    if value.ndim == 0:
        if value != -1:
            raise invalid("The only valid scalar shape tensor is the fully unknown shape specified as -1.")
        return None
    if value.ndim > 1:
        raise invalid(f"Shape must be at most rank 1 but is rank {value.ndim}")
    sizes = value.tolist()
    for size in sizes:
        if size < -1:
            raise invalid(f"Invalid value in tensor used for shape: {size}")
    return tuple([None if size == -1 else size for size in sizes])


def shape_reader(node: Node, index: int) -> Any:
    """`shape_from` for one input of a node; worked out once where the input is constant."""
    known = node.constant(index)
    if known is None:
        return shape_from
    shape = shape_from(known)
    return lambda value: shape


# --- making -------------------------------------------------------------------------------------------------------


@numpy_kernel.make("EmptyTensorList")
def empty_tensor_list(node: Node) -> Kernel:
    dtype, shape = node.attrs["element_dtype"], shape_reader(node, 0)
    return lambda element_shape, most: TensorList(dtype, shape(element_shape), None, int(most))


@numpy_kernel.make("TensorListReserve")
def tensor_list_reserve(node: Node) -> Kernel:
    dtype, shape = node.attrs["element_dtype"], shape_reader(node, 0)

    def run(element_shape: Any, count: Any) -> TensorList:
        if count < 0:
            raise invalid(f"The num_elements to reserve must be a non negative number, but got {count}")
        return TensorList(dtype, shape(element_shape), [None] * int(count), few=())

    return run


@numpy_kernel.make("TensorListFromTensor")
def tensor_list_from_tensor(node: Node) -> Kernel:
    dtype, shape = node.attrs["element_dtype"], shape_reader(node, 1)
    return lambda tensor, element_shape: from_rows(tensor, shape(element_shape), dtype)


@numpy_kernel.make("TensorListSplit")
def tensor_list_split(node: Node) -> Kernel:
    dtype, shape = node.attrs["element_dtype"], shape_reader(node, 1)
    return lambda tensor, element_shape, lengths: from_pieces(tensor, lengths, shape(element_shape), dtype)


@numpy_kernel.make("TensorListScatter")
def tensor_list_scatter(node: Node) -> Kernel:
    dtype, shape = node.attrs["element_dtype"], shape_reader(node, 2)
    return lambda tensor, indices, element_shape: from_scattered(tensor, indices, shape(element_shape), -1, dtype)


@numpy_kernel.make("TensorListScatterV2")
def tensor_list_scatter_v2(node: Node) -> Kernel:
    dtype, shape = node.attrs["element_dtype"], shape_reader(node, 2)
    return lambda tensor, indices, element_shape, count: from_scattered(
        tensor, indices, shape(element_shape), int(count), dtype
    )


# --- changing -----------------------------------------------------------------------------------------------------


@numpy_kernel.make("TensorListPushBack")
def tensor_list_push_back(node: Node) -> Kernel:
    dtype = node.attrs["element_dtype"]
    return lambda handle, value: list_of(handle).push(value, dtype)


@numpy_kernel.make("TensorListPushBackBatch")
def tensor_list_push_back_batch(node: Node) -> Kernel:
    dtype = node.attrs["element_dtype"]

    def run(handles: Any, tensor: Any) -> Any:
        lists = np.asarray(handles, object)
        if tensor.ndim == 0:
            raise invalid("Expected tensor to be at least a vector, but saw shape: []")
        if len(tensor) != lists.size:
            raise invalid(f"Expected tensor.shape[0] == input_handles.size, but saw {len(tensor)} vs. {lists.size}")
        result = np.empty(lists.shape, object)
        flat = result.reshape(-1)
        for i, one in enumerate(lists.reshape(-1)):
            flat[i] = list_of(one).push(tensor[i] if tensor.dtype != object else tensor[i, ...], dtype)
        return result if result.ndim else result.item()

    return run


@numpy_kernel.make("TensorListPopBack", view=True)
def tensor_list_pop_back(node: Node) -> Kernel:
    dtype, shape = node.attrs["element_dtype"], shape_reader(node, 1)
    return lambda handle, element_shape: list_of(handle).pop(shape(element_shape), dtype)


@numpy_kernel.make("TensorListSetItem")
def tensor_list_set_item(node: Node) -> Kernel:
    dtype, resize = node.attrs["element_dtype"], node.attrs["resize_if_index_out_of_bounds"]
    return lambda handle, index, value: list_of(handle).set(int(index), value, dtype, resize)


@numpy_kernel("TensorListResize")
def tensor_list_resize(handle: Any, size: Any) -> TensorList:
    return list_of(handle).resized(int(size))


@numpy_kernel.make("TensorListScatterIntoExistingList")
def tensor_list_scatter_into(node: Node) -> Kernel:
    dtype = node.attrs["element_dtype"]
    return lambda handle, tensor, indices: list_of(handle).scattered(tensor, indices, dtype)


@numpy_kernel.make("TensorListConcatLists")
def tensor_list_concat_lists(node: Node) -> Kernel:
    def run(a: Any, b: Any) -> Any:
        if not isinstance(a, np.ndarray):
            return list_of(a).joined(list_of(b))
        if a.shape != b.shape:
            raise invalid(f"Shapes of inputs do not match: {shapes.text(a.shape)} vs. {shapes.text(b.shape)}")
        result = np.empty(a.shape, object)
        flat = result.reshape(-1)
        for i, (x, y) in enumerate(zip(a.reshape(-1), b.reshape(-1), strict=True)):
            flat[i] = list_of(x).joined(list_of(y))
        return result

    return run


# --- reading ------------------------------------------------------------------------------------------------------


@numpy_kernel("TensorListLength")
def tensor_list_length(handle: Any) -> Any:
    return np.int32(len(list_of(handle)))


@numpy_kernel.make("TensorListElementShape")
def tensor_list_element_shape(node: Node) -> Kernel:
    dtype = node.output_types[0].np

    def run(handle: Any) -> Any:
        shape = list_of(handle).element_shape
        if shape is None:
            return dtype.type(-1)
        return np.array([-1 if size is None else size for size in shape], dtype)

    return run


@numpy_kernel.make("TensorListGetItem", view=True)
def tensor_list_get_item(node: Node) -> Kernel:
    dtype, shape = node.attrs["element_dtype"], shape_reader(node, 2)
    return lambda handle, index, element_shape: list_of(handle).get(int(index), shape(element_shape), dtype)


@numpy_kernel.make("TensorListStack")
def tensor_list_stack(node: Node) -> Kernel:
    dtype, count, shape = node.attrs["element_dtype"], node.attrs["num_elements"], shape_reader(node, 1)
    return lambda handle, element_shape: list_of(handle).stack(shape(element_shape), dtype, count)


@numpy_kernel.make("TensorListGather")
def tensor_list_gather(node: Node) -> Kernel:
    dtype, shape = node.attrs["element_dtype"], shape_reader(node, 2)
    return lambda handle, indices, element_shape: list_of(handle).gather(indices, shape(element_shape), dtype)


@numpy_kernel.make("TensorListConcat")
def tensor_list_concat(node: Node) -> Kernel:
    dtype, element_shape = node.attrs["element_dtype"], node.attrs["element_shape"]
    return lambda handle: list_of(handle).concat(element_shape, (), dtype)


@numpy_kernel.make("TensorListConcatV2")
def tensor_list_concat_v2(node: Node) -> Kernel:
    dtype, shape = node.attrs["element_dtype"], shape_reader(node, 1)
    return lambda handle, element_shape, leading: list_of(handle).concat(shape(element_shape), leading, dtype)
