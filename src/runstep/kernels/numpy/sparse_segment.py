"""Rows gathered by index and reduced by segment."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import dtypes, shapes
from runstep.kernels.bytestrings import Array
from runstep.kernels.numpy.segment import check_order
from runstep.kernels.registry import Kernel, Node, numpy_kernel


def _invalid(message: str) -> errors.InvalidArgumentError:
    return errors.InvalidArgumentError(None, None, message)


def _check_indices(indices: Array, size: int) -> None:
    if indices.size and not (0 <= indices.min() and indices.max() < size):
        place = int(np.flatnonzero((indices < 0) | (indices >= size))[0])
        raise _invalid(f"Bad: indices[{place}] == {indices[place]} out of range [0, {size})")


def _kind(op_type: str) -> str:
    return next(kind for kind in ("Mean", "Sum", "SqrtN") if op_type.startswith(f"SparseSegment{kind}"))


def _divisors(kind: str, counts: Array, dtype: Any) -> Array:
    counts = np.maximum(counts, 1).astype(dtype)
    return np.sqrt(counts) if kind == "SqrtN" else counts


@numpy_kernel.make(
    *(f"SparseSegment{kind}{suffix}" for kind in ("Sum", "Mean", "SqrtN") for suffix in ("", "WithNumSegments"))
)
def sparse_segment(node: Node) -> Kernel:
    kind, has_count = _kind(node.type), node.type.endswith("WithNumSegments")
    dtype = node.input_types[0].np
    wide = np.dtype(np.float32) if node.input_types[0] in (dtypes.float16, dtypes.bfloat16) else dtype

    def kernel(data: Array, indices: Array, ids: Array, number: Any = None) -> Array:
        _check(data, indices, ids)
        rows = _rows(ids, number, has_count)
        out = np.zeros((rows, *data.shape[1:]), wide)
        if not ids.size:
            return out.astype(dtype, copy=False)
        _check_indices(indices, data.shape[0])
        starts = np.flatnonzero(np.concatenate(([True], ids[1:] != ids[:-1])))
        gathered = data[indices]
        if len(starts) < len(ids):
            gathered = np.add.reduceat(gathered, starts, axis=0, dtype=wide)
        elif gathered.dtype != wide:
            gathered = gathered.astype(wide)
        if kind != "Sum":
            counts = np.diff(starts, append=len(ids))
            gathered /= _divisors(kind, counts, wide).reshape(-1, *[1] * (data.ndim - 1))
        out[ids[starts]] = gathered
        return out.astype(dtype, copy=False)

    return kernel


def _check(data: Array, indices: Array, ids: Array) -> None:
    if np.ndim(data) < 1:
        raise _invalid("Shape must be at least rank 1")
    if np.ndim(indices) != 1:
        raise _invalid("indices should be a vector.")
    if np.ndim(ids) != 1:
        raise _invalid("segment_ids should be a vector.")
    if len(indices) != len(ids):
        raise _invalid("segment_ids and indices should have same size.")


def _rows(ids: Array, number: Any, has_count: bool) -> int:
    """How many rows the result has, the ids checked."""
    if has_count:
        if np.ndim(number):
            raise _invalid(f"num_segments should be a scalar, not shape {shapes.text(number.shape)}")
        rows = int(number)
    else:
        rows = int(ids[-1]) + 1 if ids.size else 0
    if rows < 0:
        raise _invalid("segment ids must be >= 0")
    if has_count and ids.size and ids[-1] >= rows:
        raise _invalid("segment ids must be < num_segments")
    if ids.size and (ids[0] < 0 or np.any(ids[1:] < ids[:-1])):
        check_order(ids, rows)
    return rows


def _spread(node: Node, grad: Array, indices: Array, ids: Array, rows: int) -> Array:
    """What each row of the data gets of the gradient: [rows, ...]."""
    kind = _kind(node.type)
    dtype = node.input_types[0].np
    wide = np.dtype(np.float32) if node.input_types[0] in (dtypes.float16, dtypes.bfloat16) else dtype
    segments = grad.shape[0]
    if ids.size and not (0 <= ids.min() and ids.max() < segments):
        place = int(np.flatnonzero((ids < 0) | (ids >= segments))[0])
        raise _invalid(f"Segment id {ids[place]} out of range [0, {segments}).")
    scaled = grad.astype(wide, copy=False)
    if kind != "Sum":
        counts = np.bincount(ids, minlength=segments)[:segments]
        scaled = scaled / _divisors(kind, counts, wide).reshape(-1, *[1] * (grad.ndim - 1))
    out = np.zeros((rows, *grad.shape[1:]), wide)
    order = np.argsort(indices, kind="stable")
    targets = indices[order]
    if targets.size:
        starts = np.flatnonzero(np.concatenate(([True], targets[1:] != targets[:-1])))
        out[targets[starts]] = np.add.reduceat(scaled[ids[order]], starts, axis=0)
    return out.astype(dtype, copy=False)


def _checked_rows(grad: Array, indices: Array, ids: Array, number: Any, what: str) -> int:
    """How many rows the gradient of the data has; what goes into them checked, where there is any."""
    if np.ndim(number):
        raise _invalid(f"{what} should be a scalar.")
    _check(grad, indices, ids)
    rows = int(number)
    if rows < 0:
        raise _invalid(f"Expected a non-negative size, got {rows}")
    if not rows:
        return rows
    if ids.size and ids[-1] >= grad.shape[0]:
        raise _invalid("Invalid number of segments")
    if indices.size and not (0 <= indices.min() and indices.max() < rows):
        place = int(np.flatnonzero((indices < 0) | (indices >= rows))[0])
        raise _invalid(f"Index {indices[place]} out of range [0, {rows}).")
    return rows


@numpy_kernel.make(*(f"SparseSegment{kind}Grad" for kind in ("Sum", "Mean", "SqrtN")))
def sparse_segment_grad(node: Node) -> Kernel:
    def kernel(grad: Array, indices: Array, ids: Array, number: Any) -> Array:
        rows = _checked_rows(grad, indices, ids, number, "output_dim0")
        if not rows:
            return np.zeros((0, *grad.shape[1:]), grad.dtype)
        return _spread(node, grad, indices, ids, rows)

    return kernel


@numpy_kernel.make(*(f"SparseSegment{kind}GradV2" for kind in ("Sum", "Mean", "SqrtN")))
def sparse_segment_grad_v2(node: Node) -> Kernel:
    def kernel(grad: Array, indices: Array, ids: Array, number: Any) -> tuple[Array, Array]:
        if not _checked_rows(grad, indices, ids, number, "dense_output_dim0"):
            return np.zeros((0, *grad.shape[1:]), grad.dtype), np.zeros(0, indices.dtype)
        unique, compact = np.unique(indices, return_inverse=True)
        return _spread(node, grad, compact.reshape(-1), ids, len(unique)), unique

    return kernel
