"""Resource variables. A handle points at the place of its variable; reading takes no lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import dtypes
from runstep.kernels.numpy.ref_scatter import UPDATES, slice_index
from runstep.kernels.numpy.rows import (
    Update,
    assign_slice,
    gather_rows,
    ignores_bad_indices,
    scatter,
    scatter_nd,
)
from runstep.kernels.numpy.state import next_count
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.resources import (
    ANONYMOUS_NAME,
    VARIABLE,
    ResourceHandle,
    ResourceVariable,
    missing,
    resource_of,
    wrong_type,
)
from runstep.kernels.texts import invalid, shape_text, type_text


def variable_of(handle: Any) -> ResourceVariable:
    """The variable that a handle names. NotFoundError if there has been no assignment yet."""
    try:
        found = handle.entry.resource
    except AttributeError:
        found = None
    if type(found) is ResourceVariable:
        return found
    return resource_of(handle, VARIABLE)


def read(handle: Any) -> Any:
    """The value of the variable that a handle names; not to be written to.

    Raises:
      FailedPreconditionError: the variable does not exist (any more).
    """
    try:
        value = handle.entry.resource.value
    except AttributeError:
        value = None
    if value is not None:
        return value
    if type(handle) is not ResourceHandle:
        return variable_of(handle).locked_read()
    found = handle.entry.resource
    if type(found) is ResourceVariable:
        return found.locked_read()
    why = wrong_type(handle, VARIABLE) if handle.type_name != VARIABLE else missing(handle)
    raise errors.FailedPreconditionError(
        None,
        None,
        f"Could not find variable {handle.name}. This could mean that the variable has been deleted. In TF1, it can "
        f"also mean the variable is uninitialized. Debug info: container={handle.container}, status error "
        f"message={why}",
    )


def change(handle: Any, mutate: Callable[..., None], *args: Any) -> None:
    """`mutate(array, *args)` on the array of the variable that a handle names, under the variable's lock."""
    variable = variable_of(handle)
    with variable.lock:
        value = variable.take()
        try:
            mutate(value, *args)
        finally:
            variable.value = value


# --- the variable as a whole --------------------------------------------------------------------------------------


@numpy_kernel.make("VarHandleOp")
def var_handle(node: Node) -> Kernel:
    attrs = node.attrs
    dtype = attrs["dtype"]
    held = ((dtype, attrs["shape"]),)
    name = attrs["shared_name"].decode()
    manager = node.resources
    if name == ANONYMOUS_NAME:

        def fresh() -> ResourceHandle:
            variable = ResourceVariable(node.name, dtype, None, np.zeros((0,), dtype.np))
            handle: ResourceHandle = manager.anonymous(VARIABLE, variable, held)
            return handle

        return fresh
    handle: ResourceHandle = manager.handle(attrs["container"].decode(), VARIABLE, name, held)
    return lambda: handle


@numpy_kernel("VarIsInitializedOp")
def var_is_initialized(handle: Any) -> Any:
    return np.bool_(type(handle.entry.resource) is ResourceVariable)


@numpy_kernel.make("ReadVariableOp", view=True)
def read_variable(node: Node) -> Kernel:
    dtype = node.attrs["dtype"]

    def run(handle: Any) -> Any:
        value = read(handle)
        found = handle.entry.resource
        if found is not None and found.dtype is not dtype:
            raise invalid(
                f"Trying to read variable with wrong dtype. Expected {type_text(dtype)} got {type_text(found.dtype)}"
            )
        return value

    return run


@numpy_kernel.make("AssignVariableOp")
def assign_variable(node: Node) -> Kernel:
    dtype = node.attrs["dtype"]
    validate = node.attrs["validate_shape"]
    manager = node.resources

    def run(handle: Any, value: Any) -> None:
        variable = handle.entry.resource
        if type(variable) is not ResourceVariable:
            if handle.type_name != VARIABLE:
                raise invalid(wrong_type(handle, VARIABLE))
            copy = np.array(value, order="C") if isinstance(value, np.ndarray) else value
            created = ResourceVariable(handle.name, dtype, None, copy)
            variable = manager.fill(handle.entry, lambda: created)
            if variable is created:
                return
        if variable.dtype is not dtype:
            raise invalid(
                "Trying to assign variable with wrong dtype. "
                f"Expected {type_text(variable.dtype)} got {type_text(dtype)}"
            )
        with variable.lock:
            if validate and variable.value.shape != value.shape:
                raise invalid(
                    "Trying to assign to variable with tensor with wrong shape. "
                    f"Expected {shape_text(variable.value.shape)} got {shape_text(value.shape)}"
                )
            variable.store(value)

    return run


def _assign_update(function: Any) -> Kernel:
    def run(handle: Any, value: Any) -> None:
        variable = variable_of(handle)
        with variable.lock:
            if variable.value.shape != value.shape:
                raise invalid(
                    f"Cannot update variable with shape {shape_text(variable.value.shape)} using a Tensor with shape "
                    f"{shape_text(value.shape)}, shapes must be equal."
                )
            variable.apply(function, value)

    return run


numpy_kernel("AssignAddVariableOp")(_assign_update(np.add))
numpy_kernel("AssignSubVariableOp")(_assign_update(np.subtract))


@numpy_kernel.make("VariableShape")
def variable_shape(node: Node) -> Kernel:
    out_type = node.output_types[0].np

    def run(handle: Any) -> Any:
        variable = variable_of(handle)
        value = variable.value
        return np.array((variable.locked_read() if value is None else value).shape, out_type)

    return run


@numpy_kernel.make("DestroyResourceOp")
def destroy_resource(node: Node) -> Kernel:
    ignore = node.attrs["ignore_lookup_error"]
    manager = node.resources

    def run(handle: Any) -> None:
        if not manager.delete(handle.entry) and not ignore:
            raise errors.NotFoundError(None, None, missing(handle))

    return run


@numpy_kernel("DisableCopyOnRead")
def disable_copy_on_read(handle: Any) -> None:
    variable_of(handle)


@numpy_kernel.make("ResourceCountUpTo")
def resource_count_up_to(node: Node) -> Kernel:
    limit = node.attrs["limit"]
    return lambda handle: next_count(variable_of(handle), limit)


# --- parts of it --------------------------------------------------------------------------------------------------


def _value(handle: Any) -> Any:
    variable = variable_of(handle)
    value = variable.value
    return variable.locked_read() if value is None else value


@numpy_kernel.make("ResourceGather")
def resource_gather(node: Node) -> Kernel:
    batch_dims = node.attrs["batch_dims"]

    def run(handle: Any, indices: Any) -> Any:
        params = _value(handle)
        if params.ndim < 1:
            raise invalid("params must be at least 1 dimensional")
        if batch_dims == 0:
            return gather_rows(params, indices)
        batch = batch_dims + indices.ndim if batch_dims < 0 else batch_dims
        if not 0 <= batch <= indices.ndim or batch >= params.ndim:
            raise invalid(
                f"params.shape[:batch_dims]: {shape_text(params.shape)} does not reach batch_dims {batch_dims}"
            )
        if params.shape[:batch] != indices.shape[:batch]:
            raise invalid(
                f"params.shape[:{batch}] {shape_text(params.shape[:batch])} should be equal to indices.shape[:{batch}] "
                f"{shape_text(indices.shape[:batch])}"
            )
        count = int(np.prod(params.shape[:batch]))
        size = params.shape[batch]
        table = params.reshape((count, size, *params.shape[batch + 1 :]))
        picks = np.asarray(indices).reshape(count, -1)
        gather_rows(np.broadcast_to(np.uint8(0), (size,)), indices)  # the check alone
        rows = table[np.arange(count)[:, None], picks]
        return rows.reshape(indices.shape + params.shape[batch + 1 :])

    return run


@numpy_kernel.make("ResourceGatherNd")
def resource_gather_nd(node: Node) -> Kernel:
    def run(handle: Any, indices: Any) -> Any:
        params = _value(handle)
        if params.ndim < 1:
            raise invalid("params must be at least a vector")
        if indices.ndim < 1:
            raise invalid("indices must be at least a vector")
        depth = indices.shape[-1]
        if depth > params.ndim:
            raise invalid(f"index innermost dimension length must be <= params rank; saw: {depth} vs. {params.ndim}")
        outside = ((indices < 0) | (indices >= np.array(params.shape[:depth]))).any(axis=-1)
        if outside.any():
            where = np.argwhere(outside)[0].tolist()
            at = indices[tuple(where)].tolist()
            label = f"indices[{','.join(map(str, where))}]" if where else "indices"
            raise invalid(
                f"{label} = [{', '.join(map(str, at))}] does not index into param shape {shape_text(params.shape)}, "
                f"node name: {node.name}"
            )
        rows = params[tuple(np.moveaxis(indices, -1, 0))]
        shape = indices.shape[:-1] + params.shape[depth:]
        return np.array(np.broadcast_to(rows, shape)) if depth == 0 else rows

    return run


def _register(kind: str, function: Update | None) -> None:
    def mutate(target: np.ndarray, indices: Any, updates: Any) -> None:
        prefix = min(updates.ndim, indices.ndim)
        ranks_fit = target.ndim > 0 and updates.ndim == indices.ndim + target.ndim - 1
        if ranks_fit and updates.ndim and updates.shape[:prefix] != indices.shape[:prefix]:
            raise invalid(
                f"The shape of indices ({shape_text(indices.shape)}) must be a prefix of the shape of updates "
                f"({shape_text(updates.shape)})"
            )
        if ranks_fit and not indices.size:  # then rows of any size will do
            return
        scatter(function, target, indices, updates)

    def run(handle: Any, indices: Any, updates: Any) -> None:
        change(handle, mutate, indices, updates)

    numpy_kernel(f"ResourceScatter{kind}")(run)


def _register_nd(kind: str, function: Update | None) -> None:
    def make(node: Node) -> Kernel:
        # Bools are subtracted as numbers are: what is not zero is True.
        update = np.not_equal if function is np.subtract and node.attrs["T"] is dtypes.bool else function

        def run(handle: Any, indices: Any, updates: Any) -> None:
            ignore = ignores_bad_indices(node.attrs["bad_indices_policy"])
            change(handle, lambda target: scatter_nd(update, target, indices, updates, ignore))

        return run

    numpy_kernel.make(f"ResourceScatterNd{kind}")(make)


for _kind, _function in UPDATES.items():
    _register(_kind, _function)
    if _kind not in ("Mul", "Div"):
        _register_nd(_kind, _function)


@numpy_kernel.make("ResourceStridedSliceAssign")
def resource_strided_slice_assign(node: Node) -> Kernel:
    index = slice_index(node)

    def run(handle: Any, begin: Any, end: Any, strides: Any, value: Any) -> None:
        change(handle, assign_slice, index(begin, end, strides), value)

    return run
