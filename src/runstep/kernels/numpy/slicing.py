"""Kernels that take parts of a tensor by range. The parts are views; the index is worked out once per node."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from runstep.graph import dtypes, strided_slice
from runstep.kernels.numpy.shape_ops import also_of_handles, dims_of, invalid, shape_of, text
from runstep.kernels.registry import Kernel, Node, numpy_kernel

# --- Slice --------------------------------------------------------------------------------------------------------


def _bounds(value: Any, begin: Any, size: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The two vectors as tuples: one number an axis of `value`."""
    if not begin.shape == size.shape == (value.ndim,):
        invalid(
            f"Expected begin and size arguments to be 1-D tensors of size {value.ndim}, "
            f"but got shapes {text(begin.shape)} and {text(size.shape)} instead."
        )
    return tuple(begin.tolist()), tuple(size.tolist())


def _slice(value: Any, begins: tuple[int, ...], sizes: tuple[int, ...]) -> Any:
    items: list[Any] = []
    for axis, (begin, size, dim) in enumerate(zip(begins, sizes, value.shape, strict=True)):
        if size == -1:
            size = dim - begin
        if not 0 <= begin <= dim:
            invalid(f"Expected begin[{axis}] in [0, {dim}], but got {begin}")
        if size < 0 or begin + size > dim:
            invalid(f"Expected size[{axis}] in [0, {dim - begin}], but got {size}")
        items.append(slice(begin, begin + size))
    items.append(Ellipsis)
    return value[tuple(items)]


@numpy_kernel.make("Slice", view=True)
@also_of_handles
def slice_(node: Node) -> Kernel:
    begin, size = node.constant(1), node.constant(2)
    if begin is None or size is None or begin.ndim != 1 or size.ndim != 1:
        return lambda value, begin, size: _slice(value, *_bounds(value, begin, size))
    begins, sizes = dims_of(begin), dims_of(size)
    source = node.input_shapes[0]
    fits = source is not None and len(source) == len(begins) == len(sizes)
    if fits:
        for dim, first, length in zip(source or (), begins, sizes, strict=True):
            if first == 0 and length == -1:
                continue
            fits = fits and dim is not None and first >= 0 and first + max(length, 0) <= dim and length >= -1
    if not fits:
        return lambda value, begin, size: _slice(value, *_bounds(value, begin, size))
    index = (
        *[slice(first, None if length == -1 else first + length) for first, length in zip(begins, sizes, strict=True)],
        Ellipsis,
    )
    return lambda value, begin, size: value[index]


# --- StridedSlice -------------------------------------------------------------------------------------------------


def _spec_index(node: Node, begin: Any, end: Any, strides: Any) -> tuple[Any, ...]:
    if not begin.ndim == end.ndim == strides.ndim == 1 or not begin.size == end.size == strides.size:
        invalid(
            "Expected begin, end, and strides to be 1D equal size tensors, "
            f"but got shapes {text(begin.shape)}, {text(end.shape)}, and {text(strides.shape)} instead."
        )
    try:
        return strided_slice.index(begin.tolist(), end.tolist(), strides.tolist(), node.attrs)
    except ValueError as error:
        invalid(str(error))


def _refuse(shape: tuple[int, ...], index: tuple[Any, ...]) -> NoReturn:
    try:
        strided_slice.result_shape(shape, index)
    except ValueError as error:
        invalid(str(error))
    raise AssertionError(f"numpy refused index {index} of shape {shape}")


def _constant_index(node: Node, first: int) -> tuple[Any, ...] | None:
    begin, end, strides = [node.constant(i) for i in range(first, first + 3)]
    if begin is None or end is None or strides is None:
        return None
    try:
        return strided_slice.index(begin.tolist(), end.tolist(), strides.tolist(), node.attrs)
    except (ValueError, TypeError):
        return None  # the error is raised when the node runs


@numpy_kernel.make("StridedSlice", view=True)
@also_of_handles
def strided_slice_(node: Node) -> Kernel:
    found = _constant_index(node, 1)
    if found is None:

        def dynamic(value: Any, begin: Any, end: Any, strides: Any) -> Any:
            index = _spec_index(node, begin, end, strides)
            try:
                return value[index]
            except IndexError:
                _refuse(value.shape, index)

        return dynamic
    index = found
    if index[-1] is Ellipsis and len(index) > 1 and node.input_types[0] is not dtypes.string:
        # Without the Ellipsis numpy gives a scalar for an array of rank 0, and is faster. Strings need the array.
        index = index[:-1]

    def kernel(value: Any, begin: Any, end: Any, strides: Any) -> Any:
        try:
            return value[index]
        except IndexError:
            _refuse(value.shape, found)

    return kernel


def _placed(shape: tuple[int, ...], dtype: Any) -> Any:
    if shape and min(shape) < 0:
        invalid(f"Dimension {min(shape)} must be >= 0")
    if dtype.kind == "O":
        out = np.empty(shape, object)
        out[...] = b""
        return out
    return np.zeros(shape, dtype)


@numpy_kernel.make("StridedSliceGrad")
def strided_slice_grad(node: Node) -> Kernel:
    index, shape = _constant_index(node, 1), node.constant(0)
    dims = None if shape is None else dims_of(shape)
    dtype = node.output_types[0].np

    def kernel(shape: Any, begin: Any, end: Any, strides: Any, grad: Any) -> Any:
        out = _placed(dims if dims is not None else dims_of(shape), dtype)
        at = index if index is not None else _spec_index(node, begin, end, strides)
        _assign(out, at, grad, "dy")
        return out

    return kernel


def _assign(out: Any, index: tuple[Any, ...], value: Any, what: str) -> None:
    try:
        part = out[index]
    except IndexError:
        _refuse(out.shape, index)
    if what == "dy" and shape_of(part) != shape_of(value):  # of variants one element is no array
        invalid(f"shape of dy was {text(shape_of(value))} instead of {text(shape_of(part))}")
    try:
        out[index] = value
    except ValueError:
        invalid(f"Shape of the value {text(value.shape)} cannot be assigned to the slice of shape {text(part.shape)}")


@numpy_kernel.make("TensorStridedSliceUpdate")
def tensor_strided_slice_update(node: Node) -> Kernel:
    index = _constant_index(node, 1)

    def kernel(tensor: Any, begin: Any, end: Any, strides: Any, value: Any) -> Any:
        out = np.array(tensor)
        _assign(out, index if index is not None else _spec_index(node, begin, end, strides), value, "value")
        return out

    return kernel
