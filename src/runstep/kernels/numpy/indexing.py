"""Kernels that read and write by lists of indices: gather, scatter, and their relatives.

Gathering goes through numpy's `take` and scattering through flat row numbers, so that whole rows move at
once. Every index is checked before anything is read, as numpy would take negative ones from the end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from runstep.graph import dtypes
from runstep.kernels.numpy.creation import empty_strings
from runstep.kernels.numpy.rows import fitting_indices, scatter_nd as scatter_in_place, without_nan
from runstep.kernels.numpy.shape_ops import also_of_handles, dims_of, invalid, text
from runstep.kernels.registry import Kernel, Node, numpy_kernel

# --- Gather, GatherV2 ---------------------------------------------------------------------------------------------


def _refuse_index(indices: Any, size: int) -> NoReturn:
    bad = np.argwhere((indices < 0) | (indices >= size))[0].tolist()
    where = "[" + ",".join(map(str, bad)) + "]" if bad else ""
    invalid(f"indices{where} = {indices[tuple(bad)]} is not in [0, {size})")


def _checked(indices: Any, size: int) -> None:
    if indices.size and (indices.min() < 0 or indices.max() >= size):
        _refuse_index(indices, size)


def _gather(params: Any, indices: Any, axis: int, batch: int) -> Any:
    rank = params.ndim
    if not rank:
        invalid("params must be at least 1 dimensional")
    if not -rank <= axis < rank:
        least = axis + 1 if axis >= 0 else -axis
        invalid(f"Shape must be at least rank {least} but is rank {rank}")
    axis %= rank
    if not -indices.ndim <= batch <= indices.ndim:
        invalid(f"Expected batch_dims in the range [{-indices.ndim}, {indices.ndim}], but got {batch}")
    if batch < 0:
        batch += indices.ndim
    if batch >= rank:
        invalid(f"batch_dims ({batch}) must be less than rank(params) ({rank}).")
    if batch > axis:
        invalid(f"batch_dims ({batch}) must be less than or equal to axis ({axis}).")
    for at in range(batch):
        if params.shape[at] != indices.shape[at]:
            invalid(
                f"params.shape[{at}]: {params.shape[at]} should be equal to indices.shape[{at}]: {indices.shape[at]}"
            )
    size = params.shape[axis]
    if not math.prod(params.shape[:axis] + params.shape[axis + 1 :]):  # nothing is read: any index will do
        return np.empty((*params.shape[:axis], *indices.shape[batch:], *params.shape[axis + 1 :]), params.dtype)
    _checked(indices, size)
    if not batch:
        found = params.take(indices, axis)
        if isinstance(found, np.ndarray | np.generic):
            return found
        return np.array(found, object)  # one string out of a vector
    shape = params.shape
    groups = math.prod(shape[:batch])
    outer, inner = math.prod(shape[batch:axis]), math.prod(shape[axis + 1 :])
    rows = indices.reshape(groups, -1) if indices.size else indices.reshape(groups, math.prod(indices.shape[batch:]))
    taken = params.reshape(groups, outer, size, inner)[np.arange(groups)[:, None], :, rows]
    return taken.transpose(0, 2, 1, 3).reshape(shape[:axis] + indices.shape[batch:] + shape[axis + 1 :])


@numpy_kernel.make("Gather")
@also_of_handles
def gather(node: Node) -> Kernel:
    return lambda params, indices: _gather(params, indices, 0, 0)


@numpy_kernel.make("GatherV2")
@also_of_handles
def gather_v2(node: Node) -> Kernel:
    batch, known, indices = node.attrs["batch_dims"], node.constant(2), node.constant(1)
    if known is None or known.ndim:

        def dynamic(params: Any, indices: Any, axis: Any) -> Any:
            if axis.ndim:
                invalid("axis must be scalar")
            return _gather(params, indices, int(axis), batch)

        return dynamic
    at = int(known)
    if batch or node.input_types[0] in (dtypes.string, dtypes.resource, dtypes.variant):
        return lambda params, indices, axis: _gather(params, indices, at, batch)
    source = node.input_shapes[0]
    if source is None or not -len(source) <= at < len(source):
        return lambda params, indices, axis: _gather(params, indices, at, batch)
    rank = len(source)
    size = source[at]
    if indices is not None and size is not None and indices.size and indices.min() >= 0 and indices.max() < size:
        if not indices.ndim:
            index: tuple[Any, ...] = (slice(None),) * (at % rank) + (int(indices),)
            return lambda params, indices, axis: params[index].copy()
        return lambda params, indices, axis: params.take(indices, at)
    if node.input_types[1] is dtypes.int32:
        # As unsigned numbers negative indices are too large, so that numpy's own check finds them.
        unsigned = np.uint32

        def narrow(params: Any, indices: Any, axis: Any) -> Any:
            try:
                return params.take(indices.view(unsigned), at)
            except IndexError:
                return _gather(params, indices, at, 0)

        return narrow

    def kernel(params: Any, indices: Any, axis: Any) -> Any:
        if indices.size and indices.min() < 0:
            return _gather(params, indices, at, 0)
        try:
            return params.take(indices, at)
        except IndexError:
            return _gather(params, indices, at, 0)

    return kernel


# --- GatherNd -----------------------------------------------------------------------------------------------------


def _flat_rows(indices: Any, shape: Sequence[int], complaint: str, ignore: bool) -> tuple[Any, Any]:
    """The row number of each index vector, and which of them are inside (None: all).

    A row is what the first `indices.shape[-1]` axes of `shape` lead to.
    """
    depth = indices.shape[-1]
    flat = indices.reshape(math.prod(indices.shape[:-1]), depth)
    lead = shape[:depth]
    inside: Any = None
    if depth and flat.size:
        good = ((flat >= 0) & (flat < np.array(lead, np.int64))).all(1)
        if not good.all():
            if not ignore:
                bad = int(np.argmin(good))
                where = np.unravel_index(bad, indices.shape[:-1]) if indices.ndim > 1 else ()
                place = "[" + ",".join(str(int(i)) for i in where) + "]" if where else ""
                values = ", ".join(map(str, flat[bad].tolist()))
                invalid(f"indices{place} = [{values}] {complaint}")
            inside = good
    rows = np.zeros(len(flat), np.int64)
    for axis in range(depth):
        rows *= lead[axis]
        rows += flat[:, axis]
    return rows, inside


def _ignores(node: Node) -> bool:
    return bool(node.attrs.get("bad_indices_policy") == b"IGNORE")


@numpy_kernel.make("GatherNd")
@also_of_handles
def gather_nd(node: Node) -> Kernel:
    ignore = _ignores(node)
    is_string = node.input_types[0] is dtypes.string

    def kernel(params: Any, indices: Any) -> Any:
        if not params.ndim:
            invalid("params must be at least a vector")
        if not indices.ndim:
            invalid("indices must be at least a vector")
        depth, shape = indices.shape[-1], params.shape
        if depth > params.ndim:
            invalid(f"index innermost dimension length must be <= params rank; saw: {depth} vs. {params.ndim}")
        wanted = indices.shape[:-1] + shape[depth:]
        if math.prod(indices.shape[:-1]) and not params.size:
            invalid("Requested more than 0 entries, but params is empty.  Params shape: " + text(shape))
        rows, inside = _flat_rows(
            indices, shape, f"does not index into param shape {text(shape)}, node name: {node.name}", ignore
        )
        table = params.reshape(math.prod(shape[:depth]), math.prod(shape[depth:]))
        if inside is None:
            return table.take(rows, 0).reshape(wanted)
        size = (len(rows), table.shape[1])
        out = empty_strings(size) if is_string else np.zeros(size, params.dtype)
        out[inside] = table[rows[inside]]
        return out.reshape(wanted)

    return kernel


# --- ScatterNd, TensorScatter* ------------------------------------------------------------------------------------


def _complete(*sizes: int) -> bool:
    """Whether output, indices and updates have something each, or the last two nothing."""
    return not any(sizes[1:]) or all(sizes)


def _check_scatter(indices: Any, updates: Any, shape: Sequence[int], fresh: bool) -> None:
    """What ScatterNd (`fresh`) and TensorScatter ops refuse, each in its own words."""
    for what, value in (("Indices", indices), ("Updates", updates)):
        if not value.ndim:
            invalid(f"{what} shape must have rank at least one. Found:{text(value.shape)}")
    if not _complete(len(shape) if fresh else math.prod(shape), indices.size, updates.size):
        invalid("Indices and updates specified for empty output shape")
    depth, lead, rank = indices.shape[-1], indices.ndim - 1, len(shape)
    inner = tuple(shape[depth:])
    at, to = text(indices.shape), text(updates.shape)
    if updates.shape[:lead] != indices.shape[:-1]:
        if fresh:
            invalid(
                f"Dimensions [0,{lead}) of indices[shape={at}] must match dimensions [0,{lead}) of updates[shape={to}]"
            )
        invalid(f"Outer dimensions of indices and update must match. Indices shape: {at}, updates shape:{to}")
    if rank - depth == updates.ndim - lead and updates.shape[lead:] == inner:
        return
    if fresh:
        invalid(
            f"Dimensions [{depth},{rank}) of input[shape={text(shape)}] must match dimensions [{lead},{updates.ndim}) "
            f"of updates[shape={to}]"
        )
    if rank - depth != updates.ndim - lead:
        invalid(
            "Inner dimensions of output shape must match inner dimensions of updates shape. "
            f"Output: {text(shape)} updates: {to}"
        )
    invalid(
        f"The inner {len(inner)} dimensions of output.shape={text(shape)} must match the inner {len(inner)} "
        f"dimensions of updates.shape={to}"
    )


def _scatter(out: Any, indices: Any, updates: Any, combine: Any, ignore: bool, fresh: bool = False) -> Any:
    """Writes `updates` into `out`, or combines them with what is there by the ufunc `combine`."""
    shape = out.shape
    _check_scatter(indices, updates, shape, fresh)
    if indices.ndim == 1:
        indices = fitting_indices(out, indices, updates)
    if not updates.size:
        return out
    if not out.size:
        invalid(f"Indices and updates specified for empty output.  indices shape: {text(indices.shape)}")
    rows, inside = _flat_rows(indices, shape, f"does not index into shape {text(shape)}", ignore)
    width = math.prod(shape[indices.shape[-1] :])
    table, source = out.reshape(-1, width), without_nan(combine, updates.reshape(-1, width))
    if inside is not None:
        rows, source = rows[inside], source[inside]
    if combine is None:
        table[rows] = source  # of several writes to one row numpy keeps the last
    elif len(rows) < 2 or np.bincount(rows).max() < 2:
        table[rows] = combine(table[rows], source)
    elif width == 1:
        combine.at(table.reshape(-1), rows, source.reshape(-1))
    else:
        combine.at(table, rows, source)
    return out


@numpy_kernel.make("ScatterNd")
def scatter_nd(node: Node) -> Kernel:
    known, ignore = node.constant(2), _ignores(node)
    dims = None if known is None or known.ndim != 1 or (known < 0).any() else dims_of(known)
    dtype = node.output_types[0].np
    is_string = node.output_types[0] is dtypes.string

    def kernel(indices: Any, updates: Any, shape: Any) -> Any:
        size = dims_of(shape, "Shape must be a vector, got shape ") if dims is None else dims
        if dims is None and size and min(size) < 0:
            invalid(f"Dimension {min(size)} must be >= 0")
        out = empty_strings(size) if is_string else np.zeros(size, dtype)
        return _scatter(out, indices, updates, np.add, ignore, fresh=True)

    return kernel


def _onto(combine: Any) -> Any:
    def make(node: Node) -> Kernel:
        ignore = _ignores(node)
        return lambda tensor, indices, updates: _scatter(np.array(tensor, order="C"), indices, updates, combine, ignore)

    return make


numpy_kernel.make("TensorScatterUpdate")(_onto(None))
numpy_kernel.make("TensorScatterAdd")(_onto(np.add))


@numpy_kernel.make("ScatterNdNonAliasingAdd")
def scatter_nd_non_aliasing_add(node: Node) -> Kernel:
    ignore = _ignores(node)

    def kernel(tensor: Any, indices: Any, updates: Any) -> Any:
        out = np.array(tensor, order="C")
        scatter_in_place(np.add, out, indices, updates, ignore)
        return out

    return kernel


numpy_kernel.make("TensorScatterSub")(_onto(np.subtract))
numpy_kernel.make("TensorScatterMax")(_onto(np.maximum))
numpy_kernel.make("TensorScatterMin")(_onto(np.minimum))


# --- DynamicStitch, DynamicPartition ------------------------------------------------------------------------------


@numpy_kernel.make("DynamicStitch", "ParallelDynamicStitch")
def dynamic_stitch(node: Node) -> Kernel:
    count = node.attrs["N"]
    is_string = node.output_types[0] is dtypes.string

    def kernel(*args: Any) -> Any:
        indices, data = args[:count], args[count:]
        rest = data[0].shape[indices[0].ndim :]
        size = 0
        for i, (where, values) in enumerate(zip(indices, data, strict=True)):
            if values.shape[: where.ndim] != where.shape:
                invalid(
                    f"data[{i}].shape = {text(values.shape)} does not start with "
                    f"indices[{i}].shape = {text(where.shape)}"
                )
            if values.shape[where.ndim :] != rest:
                invalid(
                    f"Need data[0].shape[{indices[0].ndim}:] = data[{i}].shape[{where.ndim}:], "
                    f"got data[0].shape = {text(data[0].shape)}, data[{i}].shape = {text(values.shape)}, "
                    f"indices[0].shape = {text(indices[0].shape)}, indices[{i}].shape = {text(where.shape)}"
                )
            if where.size:
                if where.min() < 0:
                    invalid(f"indices[{i}] is out of range")
                size = max(size, int(where.max()) + 1)
        if size >= 2**31:
            invalid(f"Expected a non-negative size, got {size - 2**32}")
        shape = (size, *rest)
        out = empty_strings(shape) if is_string else np.zeros(shape, data[0].dtype)
        for where, values in zip(indices, data, strict=True):
            out[where.reshape(-1)] = values.reshape(where.size, *rest)
        return out

    return kernel


@numpy_kernel.make("DynamicPartition")
def dynamic_partition(node: Node) -> Kernel:
    count = node.attrs["num_partitions"]

    def kernel(data: Any, partitions: Any) -> Any:
        rank = partitions.ndim
        if data.shape[:rank] != partitions.shape:
            invalid(
                f"data.shape must start with partitions.shape, got data.shape = {text(data.shape)}, "
                f"partitions.shape = {text(partitions.shape)}"
            )
        flat = partitions.reshape(-1)
        if flat.size and (flat.min() < 0 or flat.max() >= count):
            bad = np.argwhere((partitions < 0) | (partitions >= count))[0].tolist()
            invalid(f"partitions{bad if bad else ''} = {partitions[tuple(bad)]} is not in [0, {count})")
        rows = data.reshape(flat.size, *data.shape[rank:])
        return tuple([rows[flat == part] for part in range(count)])

    return kernel


# --- UnravelIndex -------------------------------------------------------------------------------------------------


@numpy_kernel("UnravelIndex")
def unravel_index(indices: Any, dims: Any) -> Any:
    if dims.ndim != 1:
        invalid(f'The indices can only be 1-D, got "{text(dims.shape)}"')
    if indices.ndim > 1:
        invalid(f'The indices can only be scalar or vector, got "{text(indices.shape)}"')
    sizes = dims.tolist()
    if any(size == 0 for size in sizes):
        invalid("Input dims cannot contain a dim of zero, but dims contains zero at index " + str(sizes.index(0)))
    total = math.prod(sizes)
    if not indices.size:
        invalid("received empty tensor indices")
    if indices.max() >= total:
        invalid("index is out of bound as with dims")
    out = np.empty((len(sizes), *indices.shape), indices.dtype)
    for axis, size in enumerate(sizes):
        total //= size
        # Negative indices are let through; quotient and remainder are C's.
        quotient = np.abs(indices) // total * np.sign(indices)
        out[axis] = np.fmod(quotient, size)
    return out
