"""Gradients of max pooling: everything that asks which element of a window was the largest."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.errors import InvalidArgumentError, UnimplementedError
from runstep.graph import shapes
from runstep.kernels.numpy import windows
from runstep.kernels.numpy.pooling import Pool, along, lowest, served
from runstep.kernels.registry import Kernel, Node, numpy_kernel

Array = Any


def winners(x: Array, pool: Pool, placed: windows.Windows) -> tuple[Array, Array]:
    """The index of the tap that holds the largest element of each window (the first of equals), and that element."""
    shape = (x.shape[0], *placed.out, x.shape[-1])
    best = np.full(shape, lowest(x.dtype), x.dtype)
    chosen = np.full(shape, -1, np.int64)
    for index, outs, ins in served(x.shape, pool, placed):
        part, now = x[ins], best[outs]
        better = (part > now) | (chosen[outs] < 0)
        best[outs] = np.where(better, part, now)
        chosen[outs] = np.where(better, index, chosen[outs])
    return chosen, best


def chosen_by(x: Array, pool: Pool, placed: windows.Windows) -> Any:
    """Per tap: the outputs it serves and the elements it reads, as slices, and for which of these outputs it holds the
    largest element, or the first of several.
    """
    least = x.dtype.type(-np.inf) if x.dtype.kind == "f" else lowest(x.dtype)
    best = x
    for axis in range(len(placed.out)):
        place = (pool.taps[axis], pool.strides[axis], placed.before[axis], placed.out[axis])
        best = along(np.maximum, least, best, axis + 1, *place)
    if x.dtype.kind == "f" and np.isnan(best).any():  # among NaNs it is not the largest that counts
        chosen, _ = winners(x, pool, placed)
        for index, outs, ins in served(x.shape, pool, placed):
            yield outs, ins, chosen[outs] == index
        return
    left = np.ones(best.shape, bool)
    for _, outs, ins in served(x.shape, pool, placed):
        here = np.equal(x[ins], best[outs])
        free = left[outs]
        np.logical_and(here, free, out=here)
        np.logical_xor(free, here, out=free)
        yield outs, ins, here


def _pool(node: Node, rank: int, ksize: Array | None = None, strides: Array | None = None) -> Pool:
    if ksize is None or strides is None:
        return Pool(node.attrs, rank, node.attrs["ksize"], node.attrs["strides"])
    return Pool(node.attrs, rank, ksize.ravel().tolist(), strides.ravel().tolist())


def _checked(what: str, shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if shape != wanted:
        raise InvalidArgumentError(
            None, None, f"Expected {what} shape to be {shapes.text(wanted)}, but got {shapes.text(shape)}"
        )


def _check_depth(node: Node, pool: Pool) -> None:
    """That no window has several channels: TensorFlow differentiates none that has."""
    if pool.depth_taps != 1 or pool.depth_stride != 1:
        name = "MaxPoolingGrad" if pool.rank == 4 else node.type.replace("MaxPool3D", "MaxPooling3d")
        raise UnimplementedError(None, None, f"{name} is not yet supported on the depth dimension.")


def _gradient(node: Node, rank: int) -> Kernel:
    dtype = node.output_types[0]
    compute = windows.compute_type(dtype)

    def kernel(x: Array, y: Array, g: Array, ksize: Array | None = None, strides: Array | None = None) -> Array:
        pool = _pool(node, rank, ksize, strides)
        pool.check_ranks(tensor_in=x.shape, tensor_out=y.shape, out_backprop=g.shape)
        _check_depth(node, pool)
        x, y, g = (windows.to_last(value, pool.first) for value in (x, y, g))
        placed = pool.place(x.shape)
        wanted = (x.shape[0], *placed.out, x.shape[-1])
        _checked("orig_output", y.shape, wanted)
        _checked("grad", g.shape, wanted)
        if not (x.size and g.size):
            return windows.to_first(np.zeros(x.shape, dtype.np), pool.first)
        g = g.astype(compute, copy=False)
        tiles = pool.taps == pool.strides and not placed.is_padded
        dx = np.zeros(x.shape, compute)
        # Times one or zero is three times as fast as a masked copy, but makes NaN of infinity.
        finite = compute.kind != "f" or bool(np.isfinite(g).all())
        for outs, ins, here in chosen_by(x.astype(compute, copy=False), pool, placed):
            if not finite:
                np.add(dx[ins], g[outs], out=dx[ins], where=here)
            elif tiles:
                np.multiply(g[outs], here, out=dx[ins])
            else:
                dx[ins] += g[outs] * here
        return windows.to_first(dx.astype(dtype.np, copy=False), pool.first)

    return kernel


def _second_gradient(node: Node, rank: int) -> Kernel:
    dtype = node.output_types[0]
    compute = windows.compute_type(dtype)

    def kernel(x: Array, y: Array, g: Array, ksize: Array | None = None, strides: Array | None = None) -> Array:
        pool = _pool(node, rank, ksize, strides)
        pool.check_ranks(tensor_in=x.shape, tensor_out=y.shape, out_grad_backprop=g.shape)
        _check_depth(node, pool)
        x, y, g = (windows.to_last(value, pool.first) for value in (x, y, g))
        placed = pool.place(x.shape)
        _checked("orig_output", y.shape, (x.shape[0], *placed.out, x.shape[-1]))
        _checked("grad", g.shape, x.shape)
        result = np.zeros(y.shape, dtype.np)
        if x.size and y.size:
            for outs, ins, here in chosen_by(x.astype(compute, copy=False), pool, placed):
                np.copyto(result[outs], g[ins], where=here)
        return windows.to_first(result, pool.first)

    return kernel


@numpy_kernel.make("MaxPoolGrad", "MaxPoolGradV2")
def max_pool_gradient(node: Node) -> Kernel:
    return _gradient(node, 4)


@numpy_kernel.make("MaxPool3DGrad")
def max_pool_3d_gradient(node: Node) -> Kernel:
    return _gradient(node, 5)


@numpy_kernel.make("MaxPoolGradGrad", "MaxPoolGradGradV2")
def max_pool_second_gradient(node: Node) -> Kernel:
    return _second_gradient(node, 4)


@numpy_kernel.make("MaxPool3DGradGrad")
def max_pool_3d_second_gradient(node: Node) -> Kernel:
    return _second_gradient(node, 5)


@numpy_kernel.make("MaxPoolWithArgmax")
def max_pool_with_argmax(node: Node) -> Kernel:
    """The largest elements and their places in the flattened image (or batch)."""
    pool = _pool(node, 4)
    dtype, index_dtype = node.output_types[0], node.output_types[1].np
    compute = windows.compute_type(dtype)
    with_batch = node.attrs["include_batch_in_index"]

    def kernel(x: Array) -> tuple[Array, Array]:
        pool.check_ranks(tensor_in=x.shape)
        placed = pool.place(x.shape)
        chosen, best = winners(x.astype(compute, copy=False), pool, placed)
        batch, height, width, channels = x.shape
        down, across = np.divmod(chosen, pool.taps[1])
        rows = (np.arange(placed.out[0]) * pool.strides[0] - placed.before[0])[:, None, None] + down
        columns = (np.arange(placed.out[1]) * pool.strides[1] - placed.before[1])[:, None] + across
        index = (rows * width + columns) * channels + np.arange(channels)
        if with_batch:
            index += np.arange(batch)[:, None, None, None] * (height * width * channels)
        return best.astype(dtype.np, copy=False), index.astype(index_dtype)

    return kernel


@numpy_kernel.make("MaxPoolGradWithArgmax")
def max_pool_gradient_with_argmax(node: Node) -> Kernel:
    pool = _pool(node, 4)
    dtype = node.output_types[0]
    compute = windows.compute_type(dtype)
    with_batch = node.attrs["include_batch_in_index"]

    def kernel(x: Array, g: Array, argmax: Array) -> Array:
        placed = pool.place(x.shape)
        wanted = (x.shape[0], *placed.out, x.shape[-1])
        _checked("grad", g.shape, wanted)
        _checked("argmax", argmax.shape, wanted)
        dx = np.zeros(x.size, compute)
        index = argmax.astype(np.int64)
        if not with_batch and x.shape[0]:
            index += np.arange(x.shape[0])[:, None, None, None] * (x.size // x.shape[0])
        if index.size and (index.min() < 0 or index.max() >= x.size):
            raise InvalidArgumentError(None, None, f"Invalid input: argmax holds an index outside [0, {x.size})")
        np.add.at(dx, index.reshape(-1), g.astype(compute, copy=False).reshape(-1))
        return dx.reshape(x.shape).astype(dtype.np, copy=False)

    return kernel
