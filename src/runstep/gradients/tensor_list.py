"""Gradients of tensor lists: the gradient of a list is a list of the gradients of its elements."""

from __future__ import annotations

from typing import Any

from runstep.gradients.nn_common import same_attrs
from runstep.gradients.registry import gradient, no_gradient
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.creation import zeros_like
from runstep.ops.shape_ops import shape


def _kind(op: Operation) -> dict[str, Any]:
    return same_attrs(op, "element_dtype")


def _element_shape(handle: Tensor) -> Tensor:
    found: Tensor = apply("TensorListElementShape", handle, shape_type=dtypes.int32)
    return found


@gradient("TensorListPushBack")
def _push_back(op: Operation, grad: Any) -> list[Any]:
    return list(apply("TensorListPopBack", grad, shape(op.inputs[1]), **_kind(op)))


@gradient("TensorListPopBack")
def _pop_back(op: Operation, grad: Any, in_element: Any) -> list[Any]:
    rest, element = op.outputs
    if grad is None:
        grad = apply("EmptyTensorList", _element_shape(rest), -1, **_kind(op))
    if in_element is None:
        in_element = zeros_like(element)
    return [apply("TensorListPushBack", grad, in_element), None]


@gradient("TensorListStack")
def _stack(op: Operation, grad: Any) -> list[Any]:
    return [apply("TensorListFromTensor", grad, op.inputs[1]), None]


@gradient("TensorListConcat", "TensorListConcatV2")
def _concat(op: Operation, grad: Any, _: Any) -> list[Any]:
    handle, *more = op.inputs
    return [apply("TensorListSplit", grad, _element_shape(handle), op.outputs[1]), *(None for _ in more)]


@gradient("TensorListSplit")
def _split(op: Operation, grad: Any) -> list[Any]:
    tensor, sizes, lengths = op.inputs
    found, _ = apply("TensorListConcatV2", grad, apply("ConcatV2", [[-1], shape(tensor)[1:]], 0), lengths, **_kind(op))
    del sizes
    return [found, None, None]


@gradient("TensorListFromTensor")
def _from_tensor(op: Operation, grad: Any) -> list[Any]:
    tensor = op.inputs[0]
    count = None if tensor.raw_shape is None else tensor.raw_shape[0]
    sizes = shape(tensor)[1:]
    return [apply("TensorListStack", grad, sizes, num_elements=-1 if count is None else count, **_kind(op)), None]


@gradient("TensorListGetItem")
def _get_item(op: Operation, grad: Any) -> list[Any]:
    handle, index, _ = op.inputs
    count = apply("TensorListLength", handle)
    empty = apply("TensorListReserve", _element_shape(handle), count, **_kind(op))
    return [apply("TensorListSetItem", empty, index, grad), None, None]


@gradient("TensorListSetItem")
def _set_item(op: Operation, grad: Any) -> list[Any]:
    handle, index, item = op.inputs
    in_list = apply("TensorListSetItem", grad, index, zeros_like(item))
    if op.attrs["resize_if_index_out_of_bounds"]:
        in_list = apply("TensorListResize", in_list, apply("TensorListLength", handle))
    return [in_list, None, apply("TensorListGetItem", grad, index, shape(item), **_kind(op))]


@gradient("TensorListResize")
def _resize(op: Operation, grad: Any) -> list[Any]:
    return [apply("TensorListResize", grad, apply("TensorListLength", op.inputs[0])), None]


@gradient("TensorListGather")
def _gather(op: Operation, grad: Any) -> list[Any]:
    handle, indices, _ = op.inputs
    count = apply("TensorListLength", handle)
    found = apply("TensorListScatterV2", grad, indices, _element_shape(handle), count)
    return [found, None, None]


@gradient("TensorListScatter", "TensorListScatterV2")
def _scatter(op: Operation, grad: Any) -> list[Any]:
    tensor, indices, *more = op.inputs
    back = apply("TensorListGather", grad, indices, shape(tensor)[1:], **_kind(op))
    return [back, None, *(None for _ in more)]


@gradient("TensorListScatterIntoExistingList")
def _scatter_into(op: Operation, grad: Any) -> list[Any]:
    _, tensor, indices = op.inputs
    in_list = apply("TensorListScatterIntoExistingList", grad, zeros_like(tensor), indices)
    back = apply("TensorListGather", grad, indices, shape(tensor)[1:], **_kind(op))
    return [in_list, back, None]


no_gradient("TensorListConcatLists", "TensorListElementShape", "TensorListLength", "TensorListPushBackBatch")
