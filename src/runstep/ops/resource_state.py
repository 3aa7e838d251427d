"""Resource variables: a handle names the variable; reads and updates are ops on the handle."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.graph.dtypes import DType
from runstep.graph.shapes import RawShape
from runstep.graph.tensor import Tensor
from runstep.ops.common import Shapes, nothing, scalar
from runstep.ops.handles import handle_data, type_text
from runstep.ops.ref_scatter import check_scatter, check_scatter_nd, check_strided_assign
from runstep.ops.registry import op

__all__: list[str] = []


def variable_shape(tensor: Tensor, dtype: DType | None = None) -> RawShape:
    """The shape that the variable of a handle was declared with. ValueError if it was declared with another dtype."""
    data = handle_data(tensor)
    if not data:
        return None
    shape, declared = data[0]
    if dtype is not None and declared is not dtype:
        raise ValueError(
            f"Trying to read variable with wrong dtype. Expected {type_text(declared)} got {type_text(dtype)}"
        )
    return shape


# --- static shape rules -------------------------------------------------------------------------------------------


def _handle(op: Any) -> Shapes:
    op.outputs[0]._handle_data = ((op.attrs["shape"], op.attrs["dtype"]),)
    return [()]


def _read(op: Any) -> Shapes:
    return [variable_shape(op.inputs[0], op.attrs["dtype"])]


def _assign(op: Any) -> Shapes:
    shapes.merge(variable_shape(op.inputs[0], op.attrs["dtype"]), op.inputs[1].raw_shape)
    return []


def _shape_of(op: Any) -> Shapes:
    shape = variable_shape(op.inputs[0])
    return [(None if shape is None else len(shape),)]


def _counter(op: Any) -> Shapes:
    return [shapes.with_rank(variable_shape(op.inputs[0], op.attrs["T"]), 0)]


def _gather(op: Any) -> Shapes:
    params = shapes.with_rank_at_least(variable_shape(op.inputs[0], op.attrs["dtype"]), 1)
    indices = op.inputs[1].raw_shape
    batch = op.attrs["batch_dims"]
    if batch < 0 and indices is not None:
        batch += len(indices)
    if indices is None or params is None or batch < 0:
        return [None]
    shapes.with_rank_at_least(params, batch + 1)
    return [shapes.merge(params[:batch], indices[:batch]) + indices[batch:] + params[batch + 1 :]]


def _gather_nd(op: Any) -> Shapes:
    params = variable_shape(op.inputs[0], op.attrs["dtype"])
    indices = shapes.with_rank_at_least(op.inputs[1].raw_shape, 1)
    if params is None or indices is None or indices[-1] is None:
        return [None]
    depth = indices[-1]
    if depth > len(params):
        raise ValueError(
            "indices.shape[-1] must be <= params.rank, but saw indices shape: "
            f"{shapes.text(indices)} and params shape: {shapes.text(params)}"
        )
    return [indices[:-1] + params[depth:]]


def _scatter(op: Any) -> Shapes:
    check_scatter(variable_shape(op.inputs[0], op.attrs["dtype"]), op.inputs[1].raw_shape, op.inputs[2].raw_shape)
    return []


def _scatter_nd(op: Any) -> Shapes:
    check_scatter_nd(variable_shape(op.inputs[0], op.attrs["T"]), op.inputs[1].raw_shape, op.inputs[2].raw_shape)
    return []


def _strided(op: Any) -> Shapes:
    check_strided_assign(op, variable_shape(op.inputs[0], op.attrs["T"]))
    return []


# --- rows ---------------------------------------------------------------------------------------------------------

op(
    "VarHandleOp",
    " -> resource: resource",
    "container: string = ''",
    "shared_name: string = ''",
    "debug_name: string = ''",
    "dtype: type",
    "shape: shape",
    "allowed_devices: list(string) = []",
    shape=_handle,
    stateful=True,
)
op("VarIsInitializedOp", "resource: resource -> is_initialized: bool", shape=scalar, stateful=True)
op("ReadVariableOp", "resource: resource -> value: dtype", "dtype: type", shape=_read, stateful=True)
op(
    "AssignVariableOp",
    "resource: resource, value: dtype -> ",
    "dtype: type",
    "validate_shape: bool = false",
    shape=_assign,
    stateful=True,
)
op("AssignAddVariableOp", "resource: resource, value: dtype -> ", "dtype: type", shape=_assign, stateful=True)
op("AssignSubVariableOp", "resource: resource, value: dtype -> ", "dtype: type", shape=_assign, stateful=True)
op(
    "VariableShape",
    "input: resource -> output: out_type",
    "out_type: {int32, int64} = int32",
    shape=_shape_of,
    stateful=True,
)
op(
    "DestroyResourceOp",
    "resource: resource -> ",
    "ignore_lookup_error: bool = true",
    shape=nothing,
    stateful=True,
)
op("DisableCopyOnRead", "resource: resource -> ", shape=nothing, stateful=True)
op(
    "ResourceCountUpTo",
    "resource: resource -> output: T",
    "limit: int",
    "T: {int32, int64}",
    shape=_counter,
    stateful=True,
)
op(
    "ResourceGather",
    "resource: resource, indices: Tindices -> output: dtype",
    "batch_dims: int = 0",
    "validate_indices: bool = true",
    "dtype: type",
    "Tindices: {int32, int64}",
    shape=_gather,
    stateful=True,
)
op(
    "ResourceGatherNd",
    "resource: resource, indices: Tindices -> output: dtype",
    "dtype: type",
    "Tindices: {int32, int64}",
    shape=_gather_nd,
    stateful=True,
)
for _name in ("Add", "Sub", "Mul", "Div", "Min", "Max", "Update"):
    op(
        f"ResourceScatter{_name}",
        "resource: resource, indices: Tindices, updates: dtype -> ",
        "dtype: type" if _name == "Update" else "dtype: numbertype",
        "Tindices: {int32, int64}",
        shape=_scatter,
        stateful=True,
    )
for _name in ("Update", "Add", "Sub", "Max", "Min"):
    op(
        f"ResourceScatterNd{_name}",
        "ref: resource, indices: Tindices, updates: T -> ",
        "T: type",
        "Tindices: {int32, int64}",
        "use_locking: bool = true",
        "bad_indices_policy: string = ''",
        shape=_scatter_nd,
        stateful=True,
    )
op(
    "ResourceStridedSliceAssign",
    "ref: resource, begin: Index, end: Index, strides: Index, value: T -> ",
    "T: type",
    "Index: {int32, int64}",
    "begin_mask: int = 0",
    "end_mask: int = 0",
    "ellipsis_mask: int = 0",
    "new_axis_mask: int = 0",
    "shrink_axis_mask: int = 0",
    shape=_strided,
    stateful=True,
)
