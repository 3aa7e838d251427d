"""Sets and sequences along the last axis."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from runstep import errors
from runstep.kernels.bytestrings import Array, packed, text_shape
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.sparse_arrays import check_order, check_parts, check_tensor, invalid

Row = tuple[int, ...]
Groups = dict[Row, list[Any]]
"""By place of all axes but the last, the elements in order."""

_OPERATIONS: dict[bytes, Callable[[set[Any], set[Any]], set[Any]]] = {
    b"a-b": lambda a, b: a - b,
    b"b-a": lambda a, b: b - a,
    b"intersection": lambda a, b: a & b,
    b"union": lambda a, b: a | b,
}


def _groups(indices: Array, values: Array) -> Groups:
    found: Groups = {}
    for row, value in zip(map(tuple, indices[:, :-1].tolist()), values.tolist(), strict=True):
        found.setdefault(row, []).append(value)
    return found


def _sparse_groups(indices: Array, values: Array, shape: Array, validate: bool) -> tuple[Groups, list[int]]:
    if np.ndim(shape) != 1:
        raise invalid("Shape must be a 1D tensor.")
    check_tensor(indices, values, shape)
    if len(shape) < 2:
        raise invalid(f"Invalid rank {len(shape)}.")
    if validate:
        check_order(indices, shape.tolist())
    return _groups(indices, values), shape.tolist()[:-1]


def _dense_groups(values: Array) -> tuple[Groups, list[int]]:
    if values.ndim < 2:
        raise invalid(f"Shape {text_shape(values.shape)} has rank {values.ndim} < 2")
    rows = itertools.product(*map(range, values.shape[:-1]))
    flat = values.reshape(-1, values.shape[-1]).tolist() if values.size else [[]] * int(np.prod(values.shape[:-1]))
    return dict(zip(rows, flat, strict=True)), list(values.shape[:-1])


@numpy_kernel.make("SetSize")
def set_size(node: Node) -> Kernel:
    validate = node.attrs["validate_indices"]

    def kernel(indices: Array, values: Array, shape: Array) -> Array:
        groups, sizes = _sparse_groups(indices, values, shape, validate)
        for place, axis in np.argwhere(indices >= shape)[:1].tolist():
            others = np.flatnonzero((indices[:place, :-1] != indices[place, :-1]).any(axis=1))
            within = place - (int(others[-1]) + 1 if len(others) else 0)  # its group
            why = f"indices[{within}, {axis}] expected < {shape[axis]}, got {indices[place, axis]}."
            raise errors.InternalError(None, None, why)
        out = np.zeros(sizes, np.int32)
        for row, items in groups.items():
            if any(not 0 <= place < size for place, size in zip(row, sizes, strict=True)):
                raise invalid(f"Group {text_shape(row)} is outside of the shape {text_shape(sizes)}")
            out[row] = len(set(items))
        return out

    return kernel


def _combined(node: Node, a: tuple[Groups, list[int]], b: tuple[Groups, list[int]], dtype: Any) -> Any:
    (mine, a_sizes), (theirs, b_sizes) = a, b
    if a_sizes != b_sizes:
        raise invalid(f"Mismatched shapes {text_shape(a_sizes)} vs {text_shape(b_sizes)}")
    operation = _OPERATIONS[node.attrs["set_operation"].lower()]
    places, found, longest = [], [], 0
    for row in sorted(mine.keys() | theirs.keys()):
        items = sorted(operation(set(mine.get(row, ())), set(theirs.get(row, ()))))
        longest = max(longest, len(items))
        places += [(*row, place) for place in range(len(items))]
        found += items
    values = packed(found) if dtype.kind == "O" else np.array(found, dtype)
    indices = np.array(places, np.int64).reshape(-1, len(a_sizes) + 1)
    return indices, values, np.array([*a_sizes, longest], np.int64)


def _check_operation(node: Node) -> None:
    name = node.attrs["set_operation"]
    if name.lower() not in _OPERATIONS:
        raise invalid(f"Invalid set_operation {name.decode('latin1')}.")


@numpy_kernel.make("DenseToDenseSetOperation")
def dense_to_dense_set_operation(node: Node) -> Kernel:
    _check_operation(node)
    return lambda a, b: _combined(node, _dense_groups(a), _dense_groups(b), a.dtype)


@numpy_kernel.make("DenseToSparseSetOperation")
def dense_to_sparse_set_operation(node: Node) -> Kernel:
    _check_operation(node)
    validate = node.attrs["validate_indices"]
    return lambda a, indices, values, shape: _combined(
        node, _dense_groups(a), _sparse_groups(indices, values, shape, validate), a.dtype
    )


@numpy_kernel.make("SparseToSparseSetOperation")
def sparse_to_sparse_set_operation(node: Node) -> Kernel:
    _check_operation(node)
    validate = node.attrs["validate_indices"]

    def kernel(indices: Array, values: Array, shape: Array, b_indices: Array, b_values: Array, b_shape: Array) -> Any:
        a = _sparse_groups(indices, values, shape, validate)
        b = _sparse_groups(b_indices, b_values, b_shape, validate)
        return _combined(node, a, b, values.dtype)

    return kernel


def distance(a: Sequence[Any], b: Sequence[Any]) -> int:
    """The least number of insertions, deletions and replacements that make `a` into `b`."""
    before = list(range(len(b) + 1))
    for row, left in enumerate(a, 1):
        now = [row]
        for column, right in enumerate(b, 1):
            now.append(min(before[column] + 1, now[-1] + 1, before[column - 1] + (left != right)))
        before = now
    return before[-1]


@numpy_kernel.make("EditDistance")
def edit_distance(node: Node) -> Kernel:
    normalize = node.attrs["normalize"]

    def kernel(
        indices: Array, values: Array, shape: Array, truth_indices: Array, truth_values: Array, truth_shape: Array
    ) -> Array:
        check_parts(indices, values, shape)
        check_parts(truth_indices, truth_values, truth_shape)
        if len(truth_shape) < 2:
            raise invalid(f"Input SparseTensors must have rank at least 2, but truth_shape rank is: {len(truth_shape)}")
        if len(truth_shape) != len(shape):
            raise invalid(
                "Expected truth and hypothesis to have matching ranks, but their shapes are: "
                f"[{len(truth_shape)}] and [{len(shape)}]"
            )
        sizes = np.maximum(shape, truth_shape)[:-1].tolist()
        mine, truths = _groups(indices, values), _groups(truth_indices, truth_values)
        out = np.zeros(sizes, np.float32)
        for row in mine.keys() | truths.keys():
            if any(not 0 <= place < size for place, size in zip(row, sizes, strict=True)):
                raise errors.InternalError(
                    None,
                    None,
                    f"Got an inner product {row} which would require writing to outside of the buffer for the output "
                    f"tensor (max elements {out.size})",
                )
            hypothesis, truth = mine.get(row, []), truths.get(row, [])
            found = float(distance(hypothesis, truth))
            if normalize:
                found = found / len(truth) if truth else np.inf
            out[row] = found
        return out if out.ndim else out[()]

    return kernel
