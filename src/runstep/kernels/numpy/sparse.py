"""The structure of sparse tensors: dense forms, order, shape, parts, empty rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from runstep import errors
from runstep.kernels.bytestrings import Array, text_shape
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.sparse_arrays import (
    check_order,
    check_parts,
    check_ranks,
    check_shape,
    flat,
    invalid,
    sorted_order,
    unflat,
)


@numpy_kernel.make("SparseToDense")
def sparse_to_dense(node: Node) -> Kernel:
    validate = node.attrs["validate_indices"]

    def kernel(indices: Array, shape: Array, values: Array, default: Array) -> Array:
        if np.ndim(indices) > 2:
            where = text_shape(indices.shape)
            raise invalid(f"sparse_indices should be a scalar, vector, or matrix, got shape {where}")
        count = indices.shape[0] if np.ndim(indices) else 1
        rank = indices.shape[1] if np.ndim(indices) == 2 else 1
        if np.ndim(shape) != 1:
            raise invalid(f"output_shape must be rank 1, got shape {text_shape(np.shape(shape))}")
        if len(shape) != rank:
            raise invalid(f"output_shape has incorrect number of elements: {len(shape)} should be: {rank}")
        if np.shape(values) not in ((), (count,)):
            raise invalid(f"sparse_values has incorrect shape {text_shape(values.shape)}, should be [] or [{count}]")
        if np.ndim(default):
            raise invalid("default_value should be a scalar.")
        if (shape < 0).any():
            raise invalid(f"Dimension {shape[shape < 0][0]} must be >= 0")
        if not _is_size(shape.tolist()):
            raise invalid(f"Shape {text_shape(shape.tolist())} would have more than 2**63 - 1 elements")
        places = np.reshape(indices, (count, rank)).astype(np.int64, copy=False)
        sizes = shape.tolist()
        if validate:
            check_order(places, sizes)
        elif ((places < 0) | (places >= shape)).any():
            raise invalid(f"Indices are not valid (out of bounds).  Shape: {text_shape(sizes)}")
        out = np.empty(int(np.prod(sizes)), np.asarray(values).dtype)
        out[...] = default
        out[flat(places, sizes)] = values
        return out.reshape(sizes)

    return kernel


@numpy_kernel("SparseReorder")
def sparse_reorder(indices: Array, values: Array, shape: Array) -> tuple[Array, Array]:
    check_parts(indices, values, shape)
    order = sorted_order(indices)
    return indices[order], values[order]


@numpy_kernel("SparseReshape")
def sparse_reshape(indices: Array, shape: Array, new_shape: Array) -> tuple[Array, Array]:
    if np.ndim(indices) != 2:
        raise invalid("Input must be a matrix.")
    if np.ndim(shape) != 1:
        raise invalid("Input shape must be a vector.")
    if np.ndim(new_shape) != 1:
        raise invalid(f"Target shape should be a vector but received shape {text_shape(np.shape(new_shape))}")
    if indices.shape[1] != len(shape):
        raise invalid("Input tensor rank must match input shape length.")
    old, sizes = shape.tolist(), new_shape.tolist()
    check_shape(shape)
    total = int(np.prod(old, dtype=object)) if old else 1
    sizes = _inferred(sizes, total, old)
    out_shape = np.array(sizes, np.int64)
    if old == sizes:
        return indices.copy(), out_shape
    return unflat(flat(indices, old), sizes), out_shape


def _inferred(sizes: list[int], total: int, old: list[int]) -> list[int]:
    """`sizes` with the -1 among them replaced, such that they hold `total` elements."""
    product, unknown = 1, -1
    for place, size in enumerate(sizes):
        if size == -1:
            if unknown != -1:
                raise invalid(f"only one output dimension may be -1, not both {unknown} and {place}")
            unknown = place
        elif size < 0:
            raise invalid(f"size {place} must be non-negative, not {size}")
        else:
            product *= size
    if unknown != -1:
        if product == 0:
            raise invalid(
                "reshape cannot infer the missing input size for an empty tensor unless all specified input sizes are "
                "non-zero"
            )
        sizes = [total // product if size == -1 else size for size in sizes]
        if total % product:
            raise invalid(
                f"Input to reshape is a SparseTensor with {total} dense values, but the requested shape requires a "
                f"multiple of {product}. input_shape={text_shape(old)} output_shape={text_shape(sizes)}"
            )
        product = total
    if product != total:
        raise invalid(
            f"Input to reshape is a tensor with {total} dense values, but the requested shape has {product}. "
            f"input_shape={text_shape(old)} output_shape={text_shape(sizes)}"
        )
    return sizes


@numpy_kernel.make("SparseConcat")
def sparse_concat(node: Node) -> Kernel:
    number, axis = node.attrs["N"], node.attrs["concat_dim"]

    def kernel(*parts: Array) -> tuple[Array, Array, Array]:
        indices, values, dense = parts[:number], parts[number : 2 * number], parts[2 * number :]
        for place, tensor in enumerate(indices):
            if np.ndim(tensor) != 2:
                raise invalid(
                    f"Input indices should be a matrix but received shape {text_shape(np.shape(tensor))} at position "
                    f"{place}"
                )
        for part, held, shape in zip(indices, values, dense, strict=True):
            if np.ndim(held) != 1:
                raise invalid(f"Input values should be a vector but received shape {text_shape(np.shape(held))}")
            if np.ndim(shape) != 1:
                raise invalid(f"Input shapes should be a vector but received shape {text_shape(np.shape(shape))}")
            if not _is_size(shape.tolist()):
                raise errors.InternalError(None, None, "Encountered overflow from large input shape.")
            if len(part) != len(held):
                raise invalid(
                    "indices and values rows (indexing dimension) must match. "
                    f"(indices = {len(part)}, values = {len(held)})"
                )
        rank = len(dense[0])
        if not -rank <= axis < rank:
            raise invalid(f"Concat dimension must be in range [{-rank}, {rank}), got {axis}")
        along = axis % rank
        total = _checked_total(dense, along)
        shifted, start = [], 0
        for part, shape in zip(indices, dense, strict=True):
            moved = part.copy()
            moved[:, along] += start
            start += int(shape[along])
            shifted.append(moved)
        joined = np.concatenate(shifted)
        order = sorted_order(joined)
        shape = dense[0].copy()
        shape[along] = total
        return joined[order], np.concatenate(values)[order], shape

    return kernel


def _is_size(sizes: list[int]) -> bool:
    """Whether a dense tensor could have these sizes."""
    return all(size >= 0 for size in sizes) and math.prod(sizes) < 2**63


def _checked_total(dense: tuple[Array, ...], along: int) -> int:
    first = dense[0]
    for place, shape in enumerate(dense):
        if len(shape) != len(first):
            raise invalid(
                f"Ranks of all input tensors must match: expected {len(first)} but got {len(shape)} at position {place}"
            )
        for axis, (want, size) in enumerate(zip(first.tolist(), shape.tolist(), strict=True)):
            if axis != along and want != size:
                raise invalid(
                    f"Input shapes must match: expected {want} for dimension {axis} but got {size} at position {place}"
                )
    return int(sum(int(shape[along]) for shape in dense))


@numpy_kernel.make("SparseSplit")
def sparse_split(node: Node) -> Kernel:
    number = node.attrs["num_split"]

    def kernel(axis: Array, indices: Array, values: Array, shape: Array) -> tuple[Array, ...]:
        if np.ndim(axis):
            raise invalid(f"Input axis should be a scalar but received shape {text_shape(np.shape(axis))}")
        check_ranks(indices, values, shape)
        check_parts(indices, values, shape)
        rank = len(shape)
        if not -rank <= axis < rank:
            raise invalid(f"Input axis should be in range [{-rank}, {rank}), got {axis}")
        along = int(axis) % rank
        size = int(shape[along])
        outside = ((indices < 0) | (indices >= shape)).any(axis=1)
        if outside.any():
            place = int(np.argmax(outside))
            row = ", ".join(map(str, indices[place].tolist()))
            raise invalid(f"Sparse index tuple indices[{place}, :] = [{row}] is out of bounds")
        check_shape(shape)
        if number > size:
            raise invalid(
                f"Input num_split should be between 1 and the splitting dimension size ({size}), got {number}"
            )
        small, longer = divmod(size, number)
        bounds = [part * small + min(part, longer) for part in range(number + 1)]
        out: tuple[list[Array], list[Array], list[Array]] = ([], [], [])
        for start, end in zip(bounds, bounds[1:], strict=False):
            chosen = (indices[:, along] >= start) & (indices[:, along] < end)
            moved, sizes = indices[chosen], shape.copy()
            moved[:, along] -= start
            sizes[along] = end - start
            for found, value in zip(out, (moved, values[chosen], sizes), strict=True):
                found.append(value)
        return (*out[0], *out[1], *out[2])

    return kernel


@numpy_kernel("SparseSlice")
def sparse_slice(indices: Array, values: Array, shape: Array, start: Array, size: Array) -> tuple[Array, Array, Array]:
    check_parts(indices, values, shape)
    for name, vector in (("start", start), ("size", size)):
        if np.ndim(vector) != 1:
            raise invalid(f"Input {name} should be a vector but received shape {text_shape(np.shape(vector))}")
        if len(vector) != len(shape):
            raise invalid(f"Expected {name} to be a vector of length {len(shape)} but got length {len(vector)}")
    check_shape(shape)
    if (size < 0).any():
        raise invalid(f"Expected a non-negative size, got {size[size < 0][0]}")
    chosen = ((indices >= start) & (indices < start + size)).all(axis=1)
    sizes = np.maximum(np.minimum(size, shape - start), 0)
    return indices[chosen] - start, values[chosen], sizes


@numpy_kernel("SparseSliceGrad")
def sparse_slice_grad(grad: Array, indices: Array, start: Array, taken: Array) -> Array:
    if np.ndim(indices) != 2 or np.ndim(taken) != 2:
        raise invalid(
            f"Input and output indices should be matrices but received shapes: {text_shape(np.shape(indices))} and "
            f"{text_shape(np.shape(taken))}"
        )
    if np.ndim(grad) != 1:
        raise invalid(f"Input backprop_val_grad should be a vector but received shape: {text_shape(np.shape(grad))}")
    if np.ndim(start) != 1 or len(start) != indices.shape[1] or taken.shape[1] != indices.shape[1]:
        raise invalid("The input_indices and output_indices should have the same rank as input_start")
    if len(grad) != len(taken):
        raise invalid(
            f"# elements in backprop_val_grad and rows in output_indices should match; got {len(grad)} and {len(taken)}"
        )
    if len(taken) > len(indices):
        raise invalid(
            f"# rows of output_indices should be not greater than of input_indices, got {len(taken)} and {len(indices)}"
        )
    out = np.zeros(len(indices), grad.dtype)
    places = {row: place for place, row in enumerate(map(tuple, (taken + start).tolist()))}
    rows = list(map(tuple, indices.tolist()))
    found = [(place, places[row]) for place, row in enumerate(rows) if row in places]
    if len({source for _, source in found}) != len(grad):
        raise errors.InternalError(
            None,
            None,
            f"Elements of backprop_val_grad aren't all propagated. Num elements:{len(grad)}, used: {len(found)}",
        )
    if found:
        targets, sources = np.array(found).T
        out[targets] = grad[sources]
    return out


@numpy_kernel("SparseFillEmptyRows")
def sparse_fill_empty_rows(
    indices: Array, values: Array, shape: Array, default: Array
) -> tuple[Array, Array, Array, Array]:
    if np.ndim(shape) != 1:
        raise invalid(f"dense_shape must be a vector, saw: {text_shape(np.shape(shape))}")
    if np.ndim(indices) != 2:
        raise invalid(f"indices must be a matrix, saw: {text_shape(np.shape(indices))}")
    if np.ndim(values) != 1:
        raise invalid(f"values must be a vector, saw: {text_shape(np.shape(values))}")
    if len(values) != len(indices):
        raise invalid(
            f"The length of `values` ({len(values)}) must match the first dimension of `indices` ({len(indices)})."
        )
    if np.ndim(default):
        raise invalid(f"default_value must be a scalar, saw: {text_shape(np.shape(default))}")
    if not len(shape):
        raise invalid("Dense shape cannot be empty.")
    if len(shape) != indices.shape[1]:
        raise invalid(
            f"The length of `dense_shape` ({len(shape)}) must match the second dimension of `indices` "
            f"({indices.shape[1]})."
        )
    check_shape(shape[:1])
    rows, count = int(shape[0]), len(indices)
    if rows == 0:
        if count:
            raise invalid(f"Received SparseTensor with dense_shape[0] = 0 but indices.shape[0] = {count}")
        return np.zeros((0, len(shape)), np.int64), values.copy(), np.zeros(0, bool), np.zeros(0, np.int64)
    taken, order, empty, reverse = fill_rows(indices[:, 0], rows, "indices({place}, 0) is invalid: {row} >= {rows}")
    out_indices = np.zeros((len(taken), indices.shape[1]), np.int64)
    out_indices[:, 0] = taken
    out_values = np.empty(len(taken), values.dtype)
    out_values[...] = default
    out_indices[reverse] = indices
    out_values[reverse] = values
    return out_indices, out_values, empty, reverse


def fill_rows(ids: Array, rows: int, message: str) -> tuple[Array, Array, Array, Array]:
    """The rows of elements after every empty row got one element.

    Returns:
      the row of each element of the result; the stable order of the elements by row; bool [rows], which rows were
      empty; int64 [n], where each element is in the result.
    """
    outside = (ids < 0) | (ids >= rows)
    if outside.any():
        place = int(np.argmax(outside))
        raise invalid(message.format(place=place, row=int(ids[place]), rows=rows))
    counts = np.bincount(ids, minlength=rows)
    empty = counts == 0
    lengths = np.maximum(counts, 1)
    starts = np.cumsum(lengths) - lengths
    order = np.argsort(ids, kind="stable")
    within = np.arange(len(ids)) - np.repeat(np.cumsum(counts) - counts, counts)
    reverse = np.empty(len(ids), np.int64)
    reverse[order] = np.repeat(starts, counts) + within
    return np.repeat(np.arange(rows, dtype=np.int64), lengths), order, empty, reverse


@numpy_kernel("SparseFillEmptyRowsGrad", "RaggedFillEmptyRowsGrad")
def sparse_fill_empty_rows_grad(reverse: Array, grad: Array) -> tuple[Array, Any]:
    if np.ndim(reverse) != 1:
        raise invalid(f"reverse_index_map must be a vector, saw: {text_shape(np.shape(reverse))}")
    if np.ndim(grad) != 1:
        raise invalid(f"grad_values must be a vector, saw: {text_shape(np.shape(grad))}")
    outside = (reverse < 0) | (reverse >= len(grad))
    if outside.any():
        raise invalid(f"Elements in reverse index must be in [0, {len(grad)}) but got {reverse[np.argmax(outside)]}")
    rest = np.ones(len(grad), bool)
    rest[reverse] = False
    return grad[reverse], grad.dtype.type(grad[rest].sum())
