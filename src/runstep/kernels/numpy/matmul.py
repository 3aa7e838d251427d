"""Matrix products. numpy hands transposed operands to BLAS as they are, without copying them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import dtypes
from runstep.graph.dtypes import DType
from runstep.kernels import blas
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Operand = Callable[[Any], Any]


def _transposed(x: Any) -> Any:
    return x.T


def _swapped(x: Any) -> Any:
    return x.swapaxes(-1, -2)


def _adjoint(x: Any) -> Any:
    return np.conjugate(x.swapaxes(-1, -2))


def _in(dtype: Any, change: Operand | None) -> Operand:
    if change is None:
        return lambda x: x.astype(dtype)
    return lambda x: change(x.astype(dtype))


def computed_in(dtype: DType) -> np.dtype[Any] | None:
    """The dtype to multiply in where it is not the operands' own: numpy has no BLAS for narrow floats."""
    return np.dtype(np.float32) if dtype.is_floating and dtype.size < 4 else None


def product(left: Operand | None, right: Operand | None, out: np.dtype[Any] | None) -> Kernel:
    """x @ y with each operand changed first, and the result cast to `out` (None: as it is)."""
    multiply = blas.matmul
    if out is not None:
        first, second = left or (lambda x: x), right or (lambda x: x)
        return lambda x, y: multiply(first(x), second(y)).astype(out)
    if left is None and right is None:
        return multiply
    if left is None and right is not None:
        return lambda x, y: multiply(x, right(y))
    if right is None and left is not None:
        return lambda x, y: multiply(left(x), y)
    return lambda x, y: multiply(left(x), right(y))  # type: ignore[misc]


def _guarded(kernel: Kernel, check: Callable[[Any, Any], errors.OpError | None], rank: int | None) -> Kernel:
    """`kernel` with TensorFlow's errors: `check` says what is wrong, once numpy or the rank says that something is."""

    def of_matrices(x: Any, y: Any) -> Any:
        if x.ndim != rank or y.ndim != rank:
            raise check(x, y) or _wrong_rank(x, y)
        try:
            return kernel(x, y)
        except ValueError:
            raise check(x, y) or errors.InternalError(None, None, "MatMul failed") from None

    def of_batches(x: Any, y: Any) -> Any:
        if x.ndim < 2 or y.ndim < 2:
            raise _wrong_rank(x, y)
        try:
            return kernel(x, y)
        except ValueError:
            raise check(x, y) or errors.InternalError(None, None, "BatchMatMul failed") from None

    return of_batches if rank is None else of_matrices


def _wrong_rank(x: Any, y: Any) -> errors.OpError:
    which = 0 if x.ndim < 2 else 1
    if min(x.ndim, y.ndim) >= 2:
        text = f"In[0] and In[1] has different ndims: {_text(x.shape)} vs. {_text(y.shape)}"
    else:
        text = f"In[{which}] ndims must be >= 2: {(x, y)[which].ndim}"
    return errors.InvalidArgumentError(None, None, text)


def _text(shape: tuple[int, ...]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"


def _incompatible(x: Any, y: Any) -> errors.OpError:
    text = f"Matrix size-incompatible: In[0]: {_text(x.shape)}, In[1]: {_text(y.shape)}"
    return errors.InvalidArgumentError(None, None, text)


def _of_floats(left: bool, right: bool) -> Kernel:
    """The product of two matrices whose elements BLAS knows, each transposed first or not. Small ones take a third of
    the time of `np.matmul` this way."""
    small, large, multiply, hold = blas.SMALL, blas.LARGE, blas.matmul, blas.hold

    def kernel(x: Any, y: Any) -> Any:
        if x.ndim != 2 or y.ndim != 2:
            raise _wrong_rank(x, y)
        if left:
            x = x.T
        if right:
            y = y.T
        try:
            work = x.size * y.shape[1]
            if work < small:
                return x.dot(y)
            hold()
            return x.dot(y) if work < large else multiply(x, y)
        except ValueError:
            raise _incompatible(x.T if left else x, y.T if right else y) from None

    return kernel


@numpy_kernel.make("MatMul")
def matmul(node: Node) -> Kernel:
    attrs = node.attrs
    wide = computed_in(node.output_types[0])
    if node.output_types[0] in (dtypes.float32, dtypes.float64):
        return _of_floats(attrs["transpose_a"], attrs["transpose_b"])
    left = _transposed if attrs["transpose_a"] else None
    right = _transposed if attrs["transpose_b"] else None
    if wide is None:
        return _guarded(product(left, right, None), _incompatible, 2)
    kernel = product(_in(wide, left), _in(wide, right), node.output_types[0].np)
    return _guarded(kernel, _incompatible, 2)


@numpy_kernel.make("SparseMatMul")
def sparse_matmul(node: Node) -> Kernel:
    left: Operand | None = _transposed if node.attrs["transpose_a"] else None
    right: Operand | None = _transposed if node.attrs["transpose_b"] else None
    single = np.dtype(np.float32)
    if any(dtype.np != single for dtype in node.input_types):
        left, right = _in(single, left), _in(single, right)
    return _guarded(product(left, right, None), _incompatible, 2)


def _batch_mismatch(x: Any, y: Any) -> errors.OpError:
    try:
        np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    except ValueError:
        text = f"In[0] and In[1] must have compatible batch dimensions: {_text(x.shape)} vs. {_text(y.shape)}"
        return errors.InvalidArgumentError(None, None, text)
    return _incompatible(x, y)


@numpy_kernel.make("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
def batch_matmul(node: Node) -> Kernel:
    x_type, y_type = node.input_types[0], node.input_types[1]
    out = node.output_types[0]

    def operand(dtype: DType, adjoint: bool) -> Operand | None:
        if not adjoint:
            return None
        return _adjoint if dtype.is_complex else _swapped

    left, right = operand(x_type, node.attrs["adj_x"]), operand(y_type, node.attrs["adj_y"])
    wide: Any = computed_in(out)
    if wide is None and (x_type is not out or y_type is not out):
        wide = np.dtype(np.float64)  # short integers to int32: exact in float64, and BLAS is there
    if wide is None:
        kernel = product(left, right, None)
    else:
        kernel = product(_in(wide, left), _in(wide, right), out.np)
    if node.type != "BatchMatMul":
        return _guarded(kernel, _batch_mismatch, None)
    guarded = _guarded(kernel, _batch_mismatch, None)

    def unstretched(x: Any, y: Any) -> Any:
        if x.ndim != y.ndim:
            raise _wrong_rank(x, y)
        if x.shape[:-2] != y.shape[:-2]:
            axis = next(i for i, (a, b) in enumerate(zip(x.shape, y.shape, strict=True)) if a != b)
            text = f"In[0].dim({axis}) and In[1].dim({axis}) must be the same: {_text(x.shape)} vs {_text(y.shape)}"
            raise errors.InvalidArgumentError(None, None, text)
        return guarded(x, y)

    return unstretched
