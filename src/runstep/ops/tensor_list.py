"""TensorList ops: persistent lists of tensors, the containers of functional loops."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.graph.shapes import RawShape
from runstep.ops.common import Shapes, scalar
from runstep.ops.handles import handle_data, type_text
from runstep.ops.registry import op

__all__: list[str] = []


# --- static shape rules -------------------------------------------------------------------------------------------
# A list's handle data is its elements' (raw shape, dtype).


def _shape_input(op: Any, index: int) -> RawShape:
    raw = shapes.with_rank_at_most(op.inputs[index].raw_shape, 1)
    if raw == ():
        value = op.constant(index)
        if value is not None and value != -1:
            raise ValueError(
                "Input tensor to MakeShapeFromShapeTensor must be rank 1, or if its rank 0 it must have value -1 "
                f"(representing an unknown shape).  Saw value: {int(value)}"
            )
        return None
    shape: RawShape = op.constant_shape(index)
    return shape


def _element(op: Any, wrong: str, index: int = 0) -> RawShape:
    """The element shape of a list input; ValueError with the text `wrong` (of list and op dtype) for other dtypes."""
    data = handle_data(op.inputs[index])
    if not data:
        return None
    shape, dtype = data[0]
    if dtype is not op.attrs["element_dtype"]:
        raise ValueError(wrong.format(list=type_text(dtype), op=type_text(op.attrs["element_dtype"])))
    return shape


_READ = "Trying to read from list with wrong element dtype. List has type {list} but expected type {op}"
_EXPECTED = "Expected list with element dtype {op} but got list with element dtype {list}"
_PUSH = (
    "Trying to push to list with wrong element dtype. List has type {list} but trying to push element with type {op}"
)
_POP = (
    "Trying to read from list with wrong element dtype. List has type {list} but trying to push element with type {op}"
)


def _list(op: Any, shape: RawShape) -> Shapes:
    op.outputs[0]._handle_data = ((shape, op.attrs["element_dtype"]),)
    return [()]


def _made(op: Any) -> Shapes:
    return _list(op, _shape_input(op, 0))


def _push(op: Any) -> Shapes:
    return _list(op, _element(op, _PUSH))  # the shapes are compared when it runs


def _push_batch(op: Any) -> Shapes:
    element = _element(op, _PUSH)
    tensor = shapes.with_rank_at_least(op.inputs[1].raw_shape, 1)
    if tensor is not None:
        shapes.merge(element, tensor[1:])
    op.outputs[0]._handle_data = ((element, op.attrs["element_dtype"]),)
    return [op.inputs[0].raw_shape]


def _pop(op: Any) -> Shapes:
    element = _element(op, _POP)  # as in TensorFlow, without what the op's own input says
    return [*_list(op, element), element]


def _stack(op: Any) -> Shapes:
    element = shapes.merge(_shape_input(op, 1), _element(op, _READ))
    count = op.attrs["num_elements"]
    return [None if element is None else (None if count == -1 else count, *element)]


def _get(op: Any) -> Shapes:
    return [shapes.merge(_element(op, _EXPECTED), _shape_input(op, 2))]


def _set(op: Any) -> Shapes:
    element = _element(op, _EXPECTED)
    shapes.merge(op.inputs[2].raw_shape, element)
    return _list(op, element)


def _gather(op: Any) -> Shapes:
    element = shapes.merge(_element(op, _EXPECTED), _shape_input(op, 2))
    indices = op.inputs[1].raw_shape
    return [None if element is None or indices is None else indices + element]


def _concat(op: Any, element: RawShape) -> Shapes:
    shapes.with_rank_at_least(element, 1)
    return [None if element is None else (None, *element[1:]), (None,)]


def _concat_v1(op: Any) -> Shapes:
    return _concat(op, shapes.merge(op.attrs["element_shape"], _element(op, _READ)))


def _concat_v2(op: Any) -> Shapes:
    return _concat(op, shapes.merge(_shape_input(op, 1), _element(op, _READ)))


def _concat_lists(op: Any) -> Shapes:
    wanted = op.attrs["element_dtype"]
    element: RawShape = None
    for letter, tensor in zip("ab", op.inputs, strict=True):
        for shape, dtype in handle_data(tensor) or ():
            if dtype is not wanted:
                raise ValueError(f"input_{letter}.type != element_dtype: {type_text(dtype)} vs. {type_text(wanted)}")
            element = shapes.merge(element, shape)
    op.outputs[0]._handle_data = ((element, wanted),)
    return [shapes.merge(op.inputs[0].raw_shape, op.inputs[1].raw_shape)]


def _from_tensor(op: Any) -> Shapes:
    element = _shape_input(op, 1)
    tensor = shapes.with_rank_at_least(op.inputs[0].raw_shape, 1)
    if tensor is not None:
        shapes.merge(tensor[1:], element)
    return _list(op, element)


def _scatter(op: Any) -> Shapes:
    return _list(op, _shape_input(op, 2))


def _scatter_into(op: Any) -> Shapes:
    return _list(op, _element(op, _EXPECTED))


def _split(op: Any) -> Shapes:
    element = _shape_input(op, 1)
    tensor = shapes.with_rank_at_least(op.inputs[0].raw_shape, 1)
    shapes.with_rank(op.inputs[2].raw_shape, 1)
    if tensor is not None:
        shapes.merge((None, *tensor[1:]), element)
    return _list(op, element)


def _resize(op: Any) -> Shapes:
    shapes.with_rank(op.inputs[1].raw_shape, 0)
    op.outputs[0]._handle_data = handle_data(op.inputs[0])
    return [()]


def _element_shape(op: Any) -> Shapes:
    data = handle_data(op.inputs[0])
    return [None if not data or data[0][0] is None else (len(data[0][0]),)]


# --- rows ---------------------------------------------------------------------------------------------------------

_ELEMENT = "element_dtype: type"
_SHAPE = "shape_type: {int32, int64}"

op(
    "EmptyTensorList",
    "element_shape: shape_type, max_num_elements: int32 -> handle: variant",
    _ELEMENT,
    _SHAPE,
    shape=_made,
)
op(
    "TensorListReserve",
    "element_shape: shape_type, num_elements: int32 -> handle: variant",
    _ELEMENT,
    _SHAPE,
    shape=_made,
)
op(
    "TensorListFromTensor",
    "tensor: element_dtype, element_shape: shape_type -> output_handle: variant",
    _ELEMENT,
    _SHAPE,
    shape=_from_tensor,
)
op(
    "TensorListSplit",
    "tensor: element_dtype, element_shape: shape_type, lengths: int64 -> output_handle: variant",
    _ELEMENT,
    _SHAPE,
    shape=_split,
)
op(
    "TensorListScatter",
    "tensor: element_dtype, indices: int32, element_shape: shape_type -> output_handle: variant",
    _ELEMENT,
    _SHAPE,
    shape=_scatter,
)
op(
    "TensorListScatterV2",
    "tensor: element_dtype, indices: int32, element_shape: shape_type, num_elements: int32 -> output_handle: variant",
    _ELEMENT,
    _SHAPE,
    shape=_scatter,
)
op(
    "TensorListScatterIntoExistingList",
    "input_handle: variant, tensor: element_dtype, indices: int32 -> output_handle: variant",
    _ELEMENT,
    shape=_scatter_into,
)
op(
    "TensorListPushBack",
    "input_handle: variant, tensor: element_dtype -> output_handle: variant",
    _ELEMENT,
    shape=_push,
)
op(
    "TensorListPushBackBatch",
    "input_handles: variant, tensor: element_dtype -> output_handles: variant",
    _ELEMENT,
    shape=_push_batch,
)
op(
    "TensorListPopBack",
    "input_handle: variant, element_shape: int32 -> output_handle: variant, tensor: element_dtype",
    _ELEMENT,
    shape=_pop,
)
op(
    "TensorListSetItem",
    "input_handle: variant, index: int32, item: element_dtype -> output_handle: variant",
    _ELEMENT,
    "resize_if_index_out_of_bounds: bool = false",
    shape=_set,
)
op("TensorListResize", "input_handle: variant, size: int32 -> output_handle: variant", shape=_resize)
op(
    "TensorListConcatLists",
    "input_a: variant, input_b: variant -> output: variant",
    _ELEMENT,
    shape=_concat_lists,
)
op("TensorListLength", "input_handle: variant -> length: int32", shape=scalar)
op("TensorListElementShape", "input_handle: variant -> element_shape: shape_type", _SHAPE, shape=_element_shape)
op(
    "TensorListGetItem",
    "input_handle: variant, index: int32, element_shape: Tshape -> item: element_dtype",
    _ELEMENT,
    "Tshape: {int32, int64} = int32",
    shape=_get,
)
op(
    "TensorListStack",
    "input_handle: variant, element_shape: int32 -> tensor: element_dtype",
    _ELEMENT,
    "num_elements: int = -1",
    shape=_stack,
)
op(
    "TensorListGather",
    "input_handle: variant, indices: int32, element_shape: int32 -> values: element_dtype",
    _ELEMENT,
    shape=_gather,
)
op(
    "TensorListConcat",
    "input_handle: variant -> tensor: element_dtype, lengths: int64",
    _ELEMENT,
    "element_shape: shape = None",
    shape=_concat_v1,
)
op(
    "TensorListConcatV2",
    "input_handle: variant, element_shape: shape_type, leading_dims: int64 -> tensor: element_dtype, lengths: int64",
    _ELEMENT,
    _SHAPE,
    shape=_concat_v2,
)
