"""Kernels that ask for or change a shape. Most results are views: what they need is worked out once per node."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from runstep.errors import InvalidArgumentError
from runstep.graph import dtypes, shapes
from runstep.kernels.registry import Kernel, Node, numpy_kernel


def invalid(text: str) -> NoReturn:
    """Raises InvalidArgumentError; the runner adds the node."""
    raise InvalidArgumentError(None, None, text)


def dims_of(vector: Any, complaint: str = "shape must be a vector of {int32,int64}, got shape ") -> tuple[int, ...]:
    """The sizes in a shape vector, as Python ints; `complaint` and its shape where it is no vector."""
    if vector.ndim != 1:
        invalid(complaint + shapes.text(vector.shape))
    return tuple(vector.tolist())


def text(dims: Sequence[int]) -> str:
    """`[2,3]`, as TensorFlow prints a shape."""
    return "[" + ",".join(map(str, dims)) + "]"


HANDLES = (dtypes.resource, dtypes.variant)


def boxed(value: Any) -> Any:
    """A resource or variant as an object array, so that numpy can move it."""
    if isinstance(value, np.ndarray):
        return value
    out = np.empty((), object)
    out[()] = value
    return out


def also_of_handles(factory: Callable[[Node], Kernel]) -> Callable[[Node], Kernel]:
    """Lets a kernel that only moves elements of its first input move resources and variants too."""

    def make(node: Node) -> Kernel:
        kernel = factory(node)
        if node.input_types[0] not in HANDLES:
            return kernel

        def of_handles(value: Any, *rest: Any) -> Any:
            out = kernel(boxed(value), *rest)
            return out[()] if isinstance(out, np.ndarray) and not out.ndim else out

        return of_handles

    return make


# --- Reshape ------------------------------------------------------------------------------------------------------


def _other_reshape(tensor: Any, dims: tuple[int, ...]) -> Any:
    """What numpy refuses: sizes that TensorFlow takes all the same, else its error."""
    if dims.count(-1) == 1 and 0 in dims and 0 in tensor.shape and min(dims) == -1:
        # The missing size follows from the sizes that are not zero.
        missing, rest = divmod(math.prod(filter(None, tensor.shape)), -math.prod(filter(None, dims)))
        if not rest:
            return tensor.reshape([missing if dim == -1 else dim for dim in dims])
    _refuse_reshape(tensor, dims)


def _refuse_reshape(tensor: Any, dims: tuple[int, ...]) -> NoReturn:
    known, unknown = 1, 0
    for axis, dim in enumerate(dims):
        if dim == -1:
            unknown += 1
            if unknown > 1:
                invalid(f"Only one input size may be -1, not both {dims.index(-1)} and {axis}")
        elif dim < 0:
            invalid(f"Size {axis} must be non-negative, not {dim}")
        else:
            known *= dim
    if unknown and not known and not tensor.size:
        invalid(
            "reshape cannot infer the missing input size for an empty tensor unless all "
            "specified input sizes are non-zero"
        )
    if unknown and known:
        invalid(
            f"Input to reshape is a tensor with {tensor.size} values, "
            f"but the requested shape requires a multiple of {known}"
        )
    invalid(f"Input to reshape is a tensor with {tensor.size} values, but the requested shape has {known}")


def _reshape_to(tensor: Any, dims: tuple[int, ...]) -> Any:
    if dims and min(dims) < -1:  # numpy would take any negative size for -1
        _refuse_reshape(tensor, dims)
    try:
        return tensor.reshape(dims)
    except ValueError:
        return _other_reshape(tensor, dims)


@numpy_kernel.make("Reshape", view=True)
@also_of_handles
def reshape(node: Node) -> Kernel:
    target = node.constant(1)
    if target is None or target.ndim != 1 or (target < -1).any():
        return lambda tensor, shape: _reshape_to(tensor, dims_of(shape, "sizes input must be 1-D, not "))
    dims = dims_of(target)

    def kernel(tensor: Any, shape: Any) -> Any:
        try:
            return tensor.reshape(dims)
        except ValueError:
            return _other_reshape(tensor, dims)

    return kernel


# --- Shape, ShapeN, Size, Rank ------------------------------------------------------------------------------------


def shape_of(value: Any) -> tuple[int, ...]:
    """The shape of any value that flows between kernels: a resource or variant object is a scalar."""
    return getattr(value, "shape", ()) if isinstance(value, (np.ndarray, np.generic)) else ()


@numpy_kernel.make("Shape")
def shape(node: Node) -> Kernel:
    dtype, array = node.output_types[0].np, np.array
    if node.input_types[0] in HANDLES:
        return lambda value: array(shape_of(value), dtype)
    return lambda value: array(value.shape, dtype)


@numpy_kernel.make("ShapeN")
def shape_n(node: Node) -> Kernel:
    dtype, array = node.output_types[0].np, np.array
    return lambda *values: tuple([array(shape_of(value), dtype) for value in values])


@numpy_kernel.make("Size")
def size(node: Node) -> Kernel:
    kind = node.output_types[0].np.type
    if node.input_types[0] in HANDLES:
        return lambda value: kind(value.size if isinstance(value, np.ndarray) else 1)
    return lambda value: kind(value.size)


@numpy_kernel("Rank")
def rank(value: Any) -> Any:
    return np.int32(len(shape_of(value)))


# --- ExpandDims, Squeeze, EnsureShape -----------------------------------------------------------------------------


def _insert(value: Any, dim: Any) -> Any:
    if dim.size != 1:
        invalid("'dim' must be a tensor with a single value")
    at, rank = int(dim.reshape(-1)[0]), value.ndim
    if not -rank - 1 <= at <= rank:
        invalid(f"Tried to expand dim index {at} for tensor with {rank} dimensions.")
    dims = list(value.shape)
    dims.insert(at if at >= 0 else at + rank + 1, 1)
    return value.reshape(dims)


@numpy_kernel.make("ExpandDims", view=True)
@also_of_handles
def expand_dims(node: Node) -> Kernel:
    dim = node.constant(1)
    if dim is None or dim.size != 1:
        return _insert
    at = int(dim.reshape(-1)[0])
    # None in an index inserts an axis; it is the fastest way, but needs no rank only when counted from one end.
    if at >= 0:
        index: tuple[Any, ...] = (slice(None),) * at + (None,)
    else:
        index = (Ellipsis, None) + (slice(None),) * (-at - 1)

    def kernel(value: Any, dim: Any) -> Any:
        try:
            return value[index]
        except IndexError:
            return _insert(value, dim)

    return kernel


def _squeeze(value: Any, axes: Sequence[int]) -> Any:
    rank = value.ndim
    drop: set[int] = set()
    for axis in axes:
        if not -rank <= axis < rank:
            invalid(f"Tried to squeeze dim index {axis} for tensor with {rank} dimensions.")
        axis %= rank
        if value.shape[axis] != 1:
            invalid(f"Can not squeeze dim[{axis}], expected a dimension of 1, got {value.shape[axis]}")
        drop.add(axis)
    return value.reshape([dim for axis, dim in enumerate(value.shape) if axis not in drop])


@numpy_kernel.make("Squeeze", view=True)
@also_of_handles
def squeeze(node: Node) -> Kernel:
    axes = tuple(node.attrs["squeeze_dims"]) or None

    def kernel(value: Any) -> Any:
        try:
            return value.squeeze(axes)
        except ValueError:  # numpy also refuses an axis named twice
            return _squeeze(value, axes or ())

    return kernel


@numpy_kernel.make("EnsureShape", view=True)
def ensure_shape(node: Node) -> Kernel:
    wanted = node.attrs["shape"]

    def kernel(value: Any) -> Any:
        if not shapes.is_compatible(shape_of(value), wanted):
            invalid(
                f"Shape of tensor {node.name} {shapes.text(shape_of(value))} is not compatible with "
                f"expected shape {shapes.text(wanted)}."
            )
        return value

    return kernel


# --- broadcasting -------------------------------------------------------------------------------------------------


def _broadcast_to(value: Any, dims: tuple[int, ...]) -> Any:
    if value.shape == dims:
        return value.copy()
    if value.ndim > len(dims):
        invalid(f"Rank of input ({value.ndim}) must be no greater than rank of output shape ({len(dims)}).")
    try:
        out = np.empty(dims, value.dtype)
        if value.shape:
            out[...] = value
        else:
            out.fill(value.item() if value.dtype == object else value)
    except ValueError:
        if min(dims, default=0) < 0:
            invalid(f"Dimension {next(dim for dim in dims if dim < 0)} must be >= 0")
        try:
            np.broadcast_shapes(value.shape, dims)
        except ValueError:
            invalid(f"Incompatible shapes: {text(value.shape)} vs. {text(dims)}")
        invalid(f"Unable to broadcast tensor of shape {text(value.shape)} to tensor of shape {text(dims)}")
    return out


@numpy_kernel.make("BroadcastTo")
def broadcast_to(node: Node) -> Kernel:
    target = node.constant(1)
    if target is None or target.ndim != 1:
        return lambda value, shape: _broadcast_to(value, dims_of(shape))
    dims = dims_of(target)
    return lambda value, shape: _broadcast_to(value, dims)


@numpy_kernel.make("BroadcastArgs")
def broadcast_args(node: Node) -> Kernel:
    dtype = node.output_types[0].np

    def kernel(x: Any, y: Any) -> Any:
        a, b = dims_of(x, "In[0] must be a vector."), dims_of(y, "In[1] must be a vector.")
        lead = len(a) - len(b)
        sizes = list(a[: max(lead, 0)]) + list(b[: max(-lead, 0)])
        for p, q in zip(a[max(lead, 0) :], b[max(-lead, 0) :], strict=True):
            if p != q and p != 1 and q != 1:
                invalid(f"Incompatible shapes: {text(a)} vs. {text(b)}")
            sizes.append(q if p == 1 else p)
        return np.array(sizes, dtype)

    return kernel


def reduced_axes(a: Sequence[int], b: Sequence[int]) -> tuple[list[int], list[int]]:
    """The axes of the broadcast result that the gradients of operands of shape `a` and `b` are summed over.

    Where both sizes are 1 TensorFlow names the axis for both, which changes nothing but is visible.
    """
    if tuple(a) == tuple(b):
        return [], []
    rank = max(len(a), len(b))
    x = [1] * (rank - len(a)) + list(a)
    y = [1] * (rank - len(b)) + list(b)
    left: list[int] = []
    right: list[int] = []
    for axis, (p, q) in enumerate(zip(x, y, strict=True)):
        if p != q and p != 1 and q != 1:
            invalid(f"Incompatible shapes: {text(a)} vs. {text(b)}")
        if p == 1:
            left.append(axis)
        if q == 1:
            right.append(axis)
    return left, right


@numpy_kernel.make("BroadcastGradientArgs")
def broadcast_gradient_args(node: Node) -> Kernel:
    dtype = node.output_types[0].np

    def kernel(x: Any, y: Any) -> Any:
        left, right = reduced_axes(dims_of(x, "In[0] must be a vector."), dims_of(y, "In[1] must be a vector."))
        return np.array(left, dtype), np.array(right, dtype)

    return kernel
