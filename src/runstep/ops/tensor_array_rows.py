"""The rows of the TensorArray ops, all three generations of them."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.graph.shapes import RawShape
from runstep.ops.common import Shapes, nothing, scalar, unknown
from runstep.ops.handles import handle_data
from runstep.ops.registry import op

__all__: list[str] = []


# --- static shape rules -------------------------------------------------------------------------------------------
# A handle's data is the element's (raw shape, dtype), where every element has that shape.

_HANDLE = (2,)  # what TensorFlow infers for these handles; the value is a scalar


def _check_flow(op: Any) -> None:
    shapes.with_rank(op.inputs[-1].raw_shape, 0)


def _element(op: Any) -> RawShape:
    data = handle_data(op.inputs[0])
    return data[0][0] if data else None


def _create(op: Any) -> Shapes:
    shapes.with_rank(op.inputs[0].raw_shape, 0)
    attrs = op.attrs
    element = attrs["element_shape"]
    if shapes.is_fully_defined(element) or attrs["identical_element_shapes"]:
        op.outputs[0]._handle_data = ((element, attrs["dtype"]),)
    return [_HANDLE, ()]


def _grad(op: Any) -> Shapes:
    op.outputs[0]._handle_data = handle_data(op.inputs[0])
    return [_HANDLE, ()]


def _grad_with_shape(op: Any) -> Shapes:
    data = handle_data(op.inputs[0])
    prepend = op.constant_shape(2)
    if data and prepend is not None and data[0][0] is not None:
        op.outputs[0]._handle_data = ((prepend + data[0][0], data[0][1]),)
    return [_HANDLE, ()]


def _write(op: Any) -> Shapes:
    shapes.with_rank(op.inputs[1].raw_shape, 0)
    _check_flow(op)
    shapes.merge(_element(op), op.inputs[2].raw_shape)
    return [()]


def _read(op: Any) -> Shapes:
    shapes.with_rank(op.inputs[1].raw_shape, 0)
    return [_element(op)]


def _gather(op: Any) -> Shapes:
    indices = shapes.with_rank(op.inputs[1].raw_shape, 1)
    # As in TensorFlow, what the handle says counts, even when that is nothing.
    element = _element(op) if handle_data(op.inputs[0]) else op.attrs["element_shape"]
    return [None if element is None else indices + element]


def _scatter(op: Any) -> Shapes:
    indices = shapes.with_rank(op.inputs[1].raw_shape, 1)
    value = shapes.with_rank_at_least(op.inputs[2].raw_shape, 1)
    if value is not None:
        shapes.merge(indices, value[:1])
        shapes.merge(_element(op), value[1:])
    return [()]


def _concat(op: Any) -> Shapes:
    return [None, (None,)]


def _split(op: Any) -> Shapes:
    shapes.with_rank_at_least(op.inputs[1].raw_shape, 1)
    shapes.with_rank(op.inputs[2].raw_shape, 1)
    return [()]


def _old_handle(op: Any) -> Shapes:
    return [_HANDLE]


# --- rows ---------------------------------------------------------------------------------------------------------

op(
    "TensorArrayV3",
    "size: int32 -> handle: resource, flow: float32",
    "dtype: type",
    "element_shape: shape = None",
    "dynamic_size: bool = false",
    "clear_after_read: bool = true",
    "identical_element_shapes: bool = false",
    "tensor_array_name: string = ''",
    shape=_create,
    stateful=True,
)
op(
    "TensorArrayGradV3",
    "handle: resource, flow_in: float32 -> grad_handle: resource, flow_out: float32",
    "source: string",
    shape=_grad,
    stateful=True,
)
op(
    "TensorArrayGradWithShape",
    "handle: resource, flow_in: float32, shape_to_prepend: int32 -> grad_handle: resource, flow_out: float32",
    "source: string",
    shape=_grad_with_shape,
    stateful=True,
)
op(
    "TensorArrayWriteV3",
    "handle: resource, index: int32, value: T, flow_in: float32 -> flow_out: float32",
    "T: type",
    shape=_write,
    stateful=True,
)
op(
    "TensorArrayReadV3",
    "handle: resource, index: int32, flow_in: float32 -> value: dtype",
    "dtype: type",
    shape=_read,
    stateful=True,
)
op(
    "TensorArrayGatherV3",
    "handle: resource, indices: int32, flow_in: float32 -> value: dtype",
    "dtype: type",
    "element_shape: shape = None",
    shape=_gather,
    stateful=True,
)
op(
    "TensorArrayScatterV3",
    "handle: resource, indices: int32, value: T, flow_in: float32 -> flow_out: float32",
    "T: type",
    shape=_scatter,
    stateful=True,
)
op(
    "TensorArrayConcatV3",
    "handle: resource, flow_in: float32 -> value: dtype, lengths: int64",
    "dtype: type",
    "element_shape_except0: shape = None",
    shape=_concat,
    stateful=True,
)
op(
    "TensorArraySplitV3",
    "handle: resource, value: T, lengths: int64, flow_in: float32 -> flow_out: float32",
    "T: type",
    shape=_split,
    stateful=True,
)
op("TensorArraySizeV3", "handle: resource, flow_in: float32 -> size: int32", shape=scalar, stateful=True)
op("TensorArrayCloseV3", "handle: resource -> ", shape=nothing, stateful=True)

op(
    "TensorArrayV2",
    "size: int32 -> handle: string",
    "dtype: type",
    "element_shape: shape = None",
    "dynamic_size: bool = false",
    "clear_after_read: bool = true",
    "tensor_array_name: string = ''",
    shape=_old_handle,
    stateful=True,
)
op(
    "TensorArrayGradV2",
    "handle: string, flow_in: float32 -> grad_handle: string",
    "source: string",
    shape=_old_handle,
    stateful=True,
)
op(
    "TensorArray",
    "size: int32 -> handle: Ref(string)",
    "dtype: type",
    "dynamic_size: bool = false",
    "clear_after_read: bool = true",
    "tensor_array_name: string = ''",
    "element_shape: shape = None",
    shape=unknown,
    stateful=True,
)
op(
    "TensorArrayGrad",
    "handle: string, flow_in: float32 -> grad_handle: Ref(string)",
    "source: string",
    shape=unknown,
    stateful=True,
)
op(
    "TensorArrayPack",
    "handle: Ref(string), flow_in: float32 -> value: dtype",
    "dtype: type",
    "element_shape: shape = None",
)
op("TensorArrayUnpack", "handle: Ref(string), value: T, flow_in: float32 -> flow_out: float32", "T: type")
for _suffix, _handle in (("V2", "string"), ("", "Ref(string)")):
    op(
        f"TensorArrayWrite{_suffix}",
        f"handle: {_handle}, index: int32, value: T, flow_in: float32 -> flow_out: float32",
        "T: type",
        shape=scalar if _suffix else None,
    )
    op(f"TensorArrayRead{_suffix}", f"handle: {_handle}, index: int32, flow_in: float32 -> value: dtype", "dtype: type")
    op(
        f"TensorArrayGather{_suffix}",
        f"handle: {_handle}, indices: int32, flow_in: float32 -> value: dtype",
        "dtype: type",
        "element_shape: shape = None",
    )
    op(
        f"TensorArrayScatter{_suffix}",
        f"handle: {_handle}, indices: int32, value: T, flow_in: float32 -> flow_out: float32",
        "T: type",
        shape=scalar if _suffix else None,
    )
    op(
        f"TensorArrayConcat{_suffix}",
        f"handle: {_handle}, flow_in: float32 -> value: dtype, lengths: int64",
        "dtype: type",
        "element_shape_except0: shape = None",
        shape=_concat if _suffix else None,
    )
    op(
        f"TensorArraySplit{_suffix}",
        f"handle: {_handle}, value: T, lengths: int64, flow_in: float32 -> flow_out: float32",
        "T: type",
        shape=scalar if _suffix else None,
    )
    op(
        f"TensorArraySize{_suffix}",
        f"handle: {_handle}, flow_in: float32 -> size: int32",
        shape=scalar if _suffix else None,
    )
    op(f"TensorArrayClose{_suffix}", f"handle: {_handle} -> ", shape=nothing if _suffix else None)
