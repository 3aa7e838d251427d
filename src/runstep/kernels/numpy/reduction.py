"""Reductions over axes. Constant axes, as nearly all are, leave one numpy call per step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from runstep import errors
from runstep.graph import shapes
from runstep.graph.dtypes import DType
from runstep.kernels import blas
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Reduce = Callable[[Any, tuple[int, ...]], Any]


def _bad_axes(x: Any, axes: tuple[int, ...]) -> errors.OpError:
    rank = x.ndim
    seen = set()
    for axis in axes:
        if not -rank <= axis < rank:
            text = f"Invalid reduction dimension ({axis} for input with {rank} dimension(s)"
            return errors.InvalidArgumentError(None, None, text)
        if axis % rank in seen:
            text = f"Invalid reduction arguments: Axes contains duplicate dimension: {axis % rank}"
            return errors.InvalidArgumentError(None, None, text)
        seen.add(axis % rank)
    return errors.InternalError(None, None, f"Cannot reduce axes {list(axes)} of shape {shapes.text(x.shape)}")


def _over_axes(node: Node, reduce: Reduce) -> Kernel:
    """The kernel of (input, axes) that calls `reduce(input, axes as a tuple)`."""
    known = node.constant(1)
    if known is not None:
        axes = tuple(known.ravel().tolist())

        def fixed(x: Any, _: Any) -> Any:
            try:
                return reduce(x, axes)
            except ValueError:
                raise _bad_axes(x, axes) from None

        return fixed

    def free(x: Any, indices: Any) -> Any:
        axes = tuple(indices.ravel().tolist())
        try:
            return reduce(x, axes)
        except ValueError:
            raise _bad_axes(x, axes) from None

    return free


def accumulator(dtype: DType) -> np.dtype[Any]:
    """The dtype that sums and products are taken in: narrow floats are rounded once, at the end."""
    return np.dtype(np.float32) if dtype.is_floating and dtype.size < 4 else dtype.np


# numpy's inner loop runs along the last axis: where that is short, its start-up is all that is paid for.
_MANY = 4096
_SHORT_SUM = 64
_SHORT_EXTREME = 16


def _is_short(x: Any, axes: tuple[int, ...], longest: int) -> bool:
    return x.size >= _MANY and axes in ((-1,), (x.ndim - 1,)) and x.ndim > 1 and x.shape[-1] <= longest


def sum_over(wide: np.dtype[Any], kept: bool) -> Reduce:
    """Sums in `wide`. Over a short last axis, as a product with ones: BLAS is many times faster there."""
    add: Any = np.add.reduce
    if wide not in (np.float32, np.float64):
        return lambda x, axes: add(x, axes, wide, None, kept)

    def total(x: Any, axes: tuple[int, ...]) -> Any:
        if x.size >= _MANY and _is_short(x, axes, _SHORT_SUM) and x.dtype == wide:
            blas.hold()
            sums = np.dot(x, np.ones(x.shape[-1], wide))
            return sums[..., None] if kept else sums
        return add(x, axes, wide, None, kept)

    return total


class Ones(dict[int, np.ndarray]):
    """Vectors of ones of a dtype, by their lengths; for lengths below `FEW`."""

    def __init__(self, dtype: Any) -> None:
        self._all = np.ones(FEW, dtype)

    def __missing__(self, length: int) -> np.ndarray:
        found = self[length] = self._all[:length]
        return found


FEW = _MANY
"""Elements below which a product with ones beats a reduction, which takes a microsecond before it begins."""

ONES: dict[np.dtype[Any], Ones] = {np.dtype(np.float32): Ones(np.float32), np.dtype(np.float64): Ones(np.float64)}
"""Of the dtypes that BLAS knows, and no narrower one is summed in."""


def _sum_of_few(node: Node) -> tuple[int, Callable[[Any], Any]] | None:
    """The function that sums fewer than `FEW` elements over the axes of a node, and the rank of its argument; None for
    axes that no vector of ones sums over."""
    ones, shape, known = ONES.get(node.output_types[0].np), node.input_shapes[0], node.constant(1)
    if ones is None or not shape or known is None or node.attrs["keep_dims"]:
        return None
    rank = len(shape)
    axes = sorted(axis % rank if -rank <= axis < rank else rank for axis in known.ravel().tolist())
    if axes == list(range(rank)):
        return rank, (lambda x: x.dot(ones[x.size])) if rank == 1 else (lambda x: x.reshape(-1).dot(ones[x.size]))
    if rank != 2 or axes not in ([0], [1]):
        return None
    return rank, (lambda x: x.dot(ones[x.shape[1]])) if axes == [1] else (lambda x: ones[len(x)].dot(x))


@numpy_kernel.make("Sum")
def sum_(node: Node) -> Kernel:
    dtype = node.output_types[0]
    wide, narrow = accumulator(dtype), dtype.np
    add = sum_over(wide, node.attrs["keep_dims"])
    of_many = _over_axes(node, add if wide == narrow else lambda x, axes: add(x, axes).astype(narrow))
    found = _sum_of_few(node)
    if found is None:
        return of_many
    rank, of_few = found
    return lambda x, axes: of_few(x) if x.size < FEW and x.ndim == rank else of_many(x, axes)


def _register_fold(op: str, ufunc: np.ufunc) -> None:
    @numpy_kernel.make(op)
    def make(node: Node) -> Kernel:
        dtype = node.output_types[0]
        kept = node.attrs["keep_dims"]
        fold: Any = ufunc.reduce
        wide = accumulator(dtype)
        if wide == dtype.np:
            return _over_axes(node, lambda x, axes: fold(x, axes, wide, None, kept))
        narrow = dtype.np
        return _over_axes(node, lambda x, axes: fold(x, axes, wide, None, kept).astype(narrow))


_register_fold("Prod", np.multiply)
_register_fold("All", np.logical_and)
_register_fold("Any", np.logical_or)


def _register_extreme(op: str, ufunc: np.ufunc, lowest: bool) -> None:
    @numpy_kernel.make(op)
    def make(node: Node) -> Kernel:
        dtype = node.output_types[0]
        kept = node.attrs["keep_dims"]
        fold: Any = ufunc.reduce
        if dtype.is_floating:
            start = dtype.np.type(-np.inf if lowest else np.inf)
        else:
            iinfo: Any = ml_dtypes.iinfo
            info = iinfo(dtype.np)
            start = dtype.np.type(info.min if lowest else info.max)

        def extreme(x: Any, axes: tuple[int, ...]) -> Any:
            if _is_short(x, axes, _SHORT_EXTREME):
                best = ufunc(x[..., 0], x[..., -1])
                for column in range(1, x.shape[-1] - 1):
                    ufunc(best, x[..., column], out=best)
                return best[..., None] if kept else best
            if x.size:
                return fold(x, axes, None, None, kept)
            return fold(x, axes, None, None, kept, start)

        return _over_axes(node, extreme)


_register_extreme("Max", np.maximum, lowest=True)
_register_extreme("Min", np.minimum, lowest=False)


@numpy_kernel.make("Mean")
def mean(node: Node) -> Kernel:
    dtype = node.output_types[0]
    kept = node.attrs["keep_dims"]
    kind = dtype.np
    add: Any = np.add.reduce
    if dtype.is_integer:
        wide: Any = np.uint64 if dtype.is_unsigned else np.int64

        def of_integers(x: Any, axes: tuple[int, ...]) -> Any:
            total = add(x, axes, wide, None, kept)
            if not x.size:
                return total.astype(kind)
            count = wide(x.size // total.size)
            # Rounds to zero, as C's division.
            return np.floor_divide(np.subtract(total, np.fmod(total, count)), count).astype(kind)

        return _over_axes(node, of_integers)
    wide = accumulator(dtype)
    complex_ = dtype.is_complex
    real = dtype.real_dtype.np.type if complex_ else wide.type

    add_many = sum_over(wide, kept)

    def of_reals(x: Any, axes: tuple[int, ...]) -> Any:
        total = add(x, axes, wide, None, kept) if x.size < _MANY else add_many(x, axes)
        if not x.size and complex_:
            return total  # TensorFlow: the mean of no complex numbers is 0, of no reals NaN
        if not total.ndim:
            return total / real(x.size)
        size = total.size
        return np.true_divide(total, real(x.size // size if size else 0), out=total)

    if wide != kind:
        return _over_axes(node, lambda x, axes: of_reals(x, axes).astype(kind))
    of_many = _over_axes(node, of_reals)
    found = _sum_of_few(node)
    if found is None:
        return of_many
    rank, of_few = found

    def kernel(x: Any, axes: Any) -> Any:
        if x.size >= FEW or x.ndim != rank or not x.size:
            return of_many(x, axes)
        total = of_few(x)
        if not total.ndim:
            return total / real(x.size)
        return np.true_divide(total, real(x.size // total.size), total)

    return kernel


@numpy_kernel.make("EuclideanNorm")
def euclidean_norm(node: Node) -> Kernel:
    dtype = node.output_types[0]
    kept = node.attrs["keep_dims"]
    kind = dtype.np
    wide = accumulator(dtype)
    add: Any = np.add.reduce
    if dtype.is_complex:
        return _over_axes(
            node,
            lambda x, axes: np.sqrt(add(np.square(x.real) + np.square(x.imag), axes, None, None, kept)).astype(kind),
        )
    if dtype.is_integer:
        # The squares wrap around, as they do in TensorFlow.
        return _over_axes(
            node, lambda x, axes: np.sqrt(add(np.square(x), axes, kind, None, kept).astype(np.float64)).astype(kind)
        )
    return _over_axes(
        node, lambda x, axes: np.sqrt(add(np.square(x.astype(wide)), axes, wide, None, kept)).astype(kind)
    )


def _bad_dimension(x: Any, axis: Any) -> errors.OpError:
    rank = x.ndim
    if axis.ndim:
        text = f"dim must be a scalar, but received tensor of shape: {shapes.text(axis.shape)}"
    elif not -rank <= int(axis) < rank:
        text = f"Expected dimension in the range [{-rank}, {rank}), but got {int(axis)}"
    else:
        text = f"Reduction axis {int(axis)} is empty in shape {shapes.text(x.shape)}"
    return errors.InvalidArgumentError(None, None, text)


def _register_arg(op: str, find: Callable[..., Any], worst: float) -> None:
    @numpy_kernel.make(op)
    def make(node: Node) -> Kernel:
        out = node.output_types[0].np
        floating = node.input_types[0].is_floating
        lowest = node.input_types[0].np.type(worst) if floating else None

        def position(x: Any, axis: Any) -> Any:
            if axis.ndim or not -x.ndim <= int(axis) < x.ndim or not (x.shape[int(axis)]):
                raise _bad_dimension(x, axis)
            # NaN is never the answer, while numpy would take the first one.
            if floating and np.isnan(x).any():
                x = np.where(np.isnan(x), lowest, x)
            return find(x, int(axis)).astype(out)

        return position


_register_arg("ArgMax", np.argmax, -np.inf)
_register_arg("ArgMin", np.argmin, np.inf)
