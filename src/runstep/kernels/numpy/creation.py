"""Kernels that make tensors from sizes and single values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.kernels.numpy.shape_ops import dims_of, invalid, shape_of, text
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.kernels.shared import one_variant

# --- Fill, ZerosLike, OnesLike ------------------------------------------------------------------------------------


def _single(value: Any) -> Any:
    """A scalar; TensorFlow takes a vector of one element for one."""
    if shape_of(value):
        if value.shape != (1,):
            invalid(f"value must represent a scalar, got shape {text(value.shape)}")
        return value.reshape(())
    return value


def _fill(dims: tuple[int, ...], value: Any, dtype: Any) -> Any:
    value = _single(value)
    if dims and min(dims) < 0:
        invalid(f"Dimension {min(dims)} must be >= 0")
    out = np.empty(dims, dtype)
    out.fill(value)
    return out


def _fill_objects(dims: tuple[int, ...], value: Any, dtype: Any) -> Any:
    value = _single(value)
    if dims and min(dims) < 0:
        invalid(f"Dimension {min(dims)} must be >= 0")
    if isinstance(value, np.ndarray):
        value = value.item()
    elif not dims:
        return value  # a resource or variant of rank 0 is the object itself
    out = np.empty(dims, object)
    out.fill(value)
    return out


@numpy_kernel.make("Fill", view=True)
def fill(node: Node) -> Kernel:
    dtype = node.output_types[0].np
    make = _fill_objects if dtype.kind == "O" else _fill
    shape, value = node.constant(0), node.constant(1)
    if shape is None or shape.ndim != 1 or (shape < 0).any():
        return lambda dims, value: make(dims_of(dims, "dims must represent a vector, got shape "), value, dtype)
    dims, zeros = dims_of(shape), np.zeros
    if dtype.kind != "O" and value is not None and value.ndim == 0 and value == 0 and not np.signbit(value.real):
        return lambda shape, value: zeros(dims, dtype)
    return lambda shape, value: make(dims, value, dtype)


def empty_strings(shape: tuple[int, ...]) -> Any:
    """An object array of empty strings."""
    out = np.empty(shape, object)
    out.fill(b"")
    return out


@numpy_kernel.make("ZerosLike")
def zeros_like(node: Node) -> Kernel:
    kind = node.input_types[0]
    dtype, zeros = kind.np, np.zeros
    if kind is dtypes.string:
        return lambda value: empty_strings(value.shape)
    if kind is dtypes.variant:
        return lambda value: one_variant("ZerosLike", value).zeros_like()
    return lambda value: zeros(value.shape, dtype)


@numpy_kernel.make("OnesLike")
def ones_like(node: Node) -> Kernel:
    dtype, empty = node.input_types[0].np, np.empty
    one = dtype.type(1)

    def kernel(value: Any) -> Any:
        out = empty(value.shape, dtype)
        out.fill(one)
        return out

    return kernel


# --- Range, LinSpace ----------------------------------------------------------------------------------------------


_MOST = 2**63 - 1


def range_size(start: Any, limit: Any, delta: Any) -> int:
    """How many values lie from `start` on, before `limit`, at distance `delta`. Numbers of one type, which rounds.

    ValueError with TensorFlow's phrase if the values never get there.
    """
    if delta == 0:
        raise ValueError("Requires delta != 0: 0")
    # Comparisons with NaN are false.
    if delta > 0 and not start <= limit or delta < 0 and not start >= limit:
        ends = [str(end) if isinstance(end, int) else f"{end:g}" for end in (start, limit)]
        order, sign = ("<=", ">") if delta > 0 else (">=", "<")
        raise ValueError(f"Requires start {order} limit when delta {sign} 0: {'/'.join(ends)}")
    if isinstance(start, int):
        return -(-(limit - start) // delta)
    size = abs((limit - start) / delta)
    if not size <= _MOST:
        raise ValueError(f"Requires ((limit - start) / delta) <= {_MOST}")
    return math.ceil(size)


@numpy_kernel.make("Range")
def range_(node: Node) -> Kernel:
    dtype = node.output_types[0].np
    arange = np.arange
    integral = dtype.kind in "iu"

    def kernel(start: Any, limit: Any, delta: Any) -> Any:
        if start.ndim or limit.ndim or delta.ndim:
            for what, value in (("start", start), ("limit", limit), ("delta", delta)):
                if value.size != 1:
                    invalid(f"{what} must be a scalar, not shape {text(value.shape)}")
            start, limit, delta = (value.reshape(()) for value in (start, limit, delta))
        if integral:
            first, last, step = start.item(), limit.item(), delta.item()
            if step == 1 and first <= last:
                return arange(first, last, dtype=dtype)
        else:
            first, last, step = start[()], limit[()], delta[()]
        try:
            count = range_size(first, last, step)
        except (ValueError, OverflowError) as error:
            invalid(str(error))
        # Each value is computed from its own place, so that rounding does not add up.
        return dtype.type(first) + arange(count).astype(dtype) * dtype.type(step)

    return kernel


@numpy_kernel.make("LinSpace")
def lin_space(node: Node) -> Kernel:
    dtype = node.output_types[0].np

    def kernel(start: Any, stop: Any, num: Any) -> Any:
        for what, value in (("start", start), ("stop", stop), ("num", num)):
            if value.ndim:
                invalid(f"{what} must be a scalar, not shape {text(value.shape)}")
        count = int(num)
        if count <= 0:
            invalid(f"Requires num > 0: {count}")
        out = np.empty(count, dtype)
        if count > 1:
            step = dtype.type(stop - start) / dtype.type(count - 1)
            np.multiply(np.arange(count, dtype=dtype), step, out)
            np.add(out, dtype.type(start), out)
            out[-1] = stop
        out[0] = start
        return out

    return kernel


# --- OneHot -------------------------------------------------------------------------------------------------------


def _check_values(on: Any, off: Any) -> None:
    if shape_of(on):
        invalid(f"on_value must be a scalar, but got: {text(on.shape)}")
    if shape_of(off):
        invalid(f"off_value must be a scalar, but got: {text(off.shape)}")


@numpy_kernel.make("OneHot")
def one_hot(node: Node) -> Kernel:
    dtype, axis = node.output_types[0].np, node.attrs["axis"]
    arange, where = np.arange, np.where
    known = node.constant(1)
    counts = None if known is None or known.ndim or known < 0 else arange(int(known))

    def kernel(indices: Any, depth: Any, on: Any, off: Any) -> Any:
        rank = indices.ndim
        if not -1 <= axis <= rank:
            invalid(f"Expected axis to be -1 or between [0, {rank + 1}).  But received: {axis}")
        if depth.ndim:
            invalid(f"depth must be a scalar, but got: {text(depth.shape)}")
        _check_values(on, off)
        if counts is None:
            if depth < 0:
                invalid(f"depth must be non-negative, got: {depth}")
            places = arange(int(depth))
        else:
            places = counts
        if axis == -1 or axis == rank:
            hot = indices[..., None] == places
        else:
            places = places.reshape(places.shape + (1,) * (rank - axis))
            hot = indices.reshape(indices.shape[:axis] + (1,) + indices.shape[axis:]) == places
        return where(hot, on, off).astype(dtype, copy=False)

    if dtype.kind == "O":

        def objects(indices: Any, depth: Any, on: Any, off: Any) -> Any:
            _check_values(on, off)
            hot = kernel(indices, depth, np.bool_(True), np.bool_(False))
            out = np.empty(hot.shape, object)
            out.fill(off.item() if isinstance(off, np.ndarray) else off)
            out[hot.astype(bool)] = on.item() if isinstance(on, np.ndarray) else on
            return out

        return objects
    return kernel


# --- Diag, DiagPart -----------------------------------------------------------------------------------------------


@numpy_kernel("Diag")
def diag(diagonal: Any) -> Any:
    if diagonal.ndim < 1:
        invalid("Input must be at least rank 1, got 0")
    size = diagonal.size
    out = np.zeros((size, size), diagonal.dtype)
    out.reshape(-1)[:: size + 1] = diagonal.reshape(-1)
    return out.reshape(diagonal.shape * 2)


@numpy_kernel("DiagPart")
def diag_part(value: Any) -> Any:
    rank = value.ndim
    if rank % 2:
        invalid(f"The rank of the tensor should be even and positive, got shape {text(value.shape)}")
    half = value.shape[: rank // 2]
    if half != value.shape[rank // 2 :]:
        axis = next(i for i in range(rank // 2) if half[i] != value.shape[i + rank // 2])
        invalid(f"Invalid shape {text(value.shape)}: dimensions {axis} and {axis + rank // 2} do not match.")
    size = math.prod(half)
    return value.reshape(-1)[:: size + 1].reshape(half).copy()
