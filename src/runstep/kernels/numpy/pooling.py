"""Max and average pooling, one spatial axis after the other: first whole rows, then within the rows that are left."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from runstep.errors import InvalidArgumentError, UnimplementedError
from runstep.kernels.numpy import windows
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.ops.windows import channels_first, split

Array = Any

_MEMO = 64


class Pool:
    """The attributes of one pooling node, split by axis."""

    def __init__(self, attrs: Mapping[str, Any], rank: int, ksize: Sequence[int], strides: Sequence[int]) -> None:
        for values, what in ((ksize, "ksize"), (strides, "stride")):
            if len(values) != rank:
                raise InvalidArgumentError(None, None, f"Sliding window {what} field must specify {rank} dimensions")
        self.rank = rank
        self.first = channels_first(attrs.get("data_format", b"NHWC"))
        batch_taps, self.depth_taps, self.taps = split(tuple(ksize), self.first)
        batch_stride, self.depth_stride, self.strides = split(tuple(strides), self.first)
        if batch_taps != 1 or batch_stride != 1:
            raise UnimplementedError(None, None, "Pooling is not yet supported on the batch dimension.")
        if min(ksize) <= 0:
            text = ",".join(map(str, ksize))
            raise InvalidArgumentError(
                None, None, f"Sliding window ksize must be positive. The specified or inferred ksize is: {text}"
            )
        if min(strides) <= 0:
            text = ",".join(map(str, strides))
            raise InvalidArgumentError(
                None, None, f"Sliding window stride must be positive. The specified or inferred stride is: {text}"
            )
        self.padding = attrs["padding"]
        explicit = attrs.get("explicit_paddings") or (0,) * (2 * rank)
        self.pads = split([explicit[2 * axis : 2 * axis + 2] for axis in range(rank)], self.first)[2]

    def place(self, x_shape: Sequence[int]) -> windows.Windows:
        if len(x_shape) != self.rank:
            if self.rank == 4:
                text = f"tensor_in_shape must have 2 spatial dimensions. {len(x_shape)} 0"
                raise InvalidArgumentError(None, None, text)
            self.check_ranks(tensor_in=x_shape)
        sizes = x_shape[1:-1]
        return windows.place(sizes, self.taps, self.strides, self.padding, self.pads, (1,) * len(sizes))

    def check_ranks(self, **given: Sequence[int]) -> None:
        """That shapes have an axis for each of the window. The names are those of the arguments in messages."""
        for what, shape in given.items():
            if len(shape) != self.rank:
                raise InvalidArgumentError(None, None, f"{what} must be {self.rank}-dimensional")


def reach(size: int, tap: int, stride: int, before: int, out: int) -> tuple[int, int, int]:
    """Which outputs `[low, high)` a tap serves with elements inside the input, and the first element it reads."""
    low = max(0, -(-(before - tap) // stride))
    high = min(out, (size - 1 + before - tap) // stride + 1)
    return low, max(low, high), low * stride + tap - before


def along(ufunc: Any, identity: Any, x: Array, axis: int, taps: int, stride: int, before: int, out: int) -> Array:
    """`ufunc` over the windows along one axis; what lies outside the input does not count."""
    lead = (slice(None),) * axis
    size = x.shape[axis]
    if taps == stride == 1 and not before and out == size:
        return x
    if out == 1:
        return ufunc.reduce(x[(*lead, slice(0, max(0, taps - before)))], axis=axis, keepdims=True)
    if taps == stride and taps > 3 and not before and out * stride <= size:
        blocks = x[(*lead, slice(0, out * stride))]
        shape = (*x.shape[:axis], out, taps, *x.shape[axis + 1 :])
        return ufunc.reduce(blocks.reshape(shape), axis=axis + 1)
    full: list[Any] = []
    partial: list[Any] = []
    for tap in range(min(taps, size + before)):
        low, high, start = reach(size, tap, stride, before, out)
        if high > low:
            part = x[(*lead, slice(start, start + (high - low - 1) * stride + 1, stride))]
            (full if high - low == out else partial).append((low, high, part))
    shape = (*x.shape[:axis], out, *x.shape[axis + 1 :])
    if len(full) >= 2:
        y = ufunc(full[0][2], full[1][2])
    else:
        y = np.empty(shape, x.dtype)
        y[...] = full[0][2] if full else identity
    for _, _, part in full[2:]:
        ufunc(y, part, out=y)
    for low, high, part in partial:
        target = y[(*lead, slice(low, high))]
        ufunc(target, part, out=target)
    return y


def _counts(x_shape: Sequence[int], pool: Pool, placed: windows.Windows) -> Array:
    """How many elements of the input each window covers: one number, or an array `[*out, 1]`."""
    total: Any = np.ones((), np.int64)
    rank = len(placed.out)
    for axis, (size, tap, stride, before, out) in enumerate(
        zip(x_shape[1:-1], pool.taps, pool.strides, placed.before, placed.out, strict=True)
    ):
        starts = np.arange(out) * stride - before
        counts = np.minimum(starts + tap, size) - np.maximum(starts, 0)
        total = total * counts.reshape((out, *(1,) * (rank - axis)))
    return total.flat[0] if total.size and (total == total.flat[0]).all() else total


def average(pool: Pool, dtype: Any) -> Kernel:
    compute = windows.compute_type(dtype)
    memo: dict[tuple[int, ...], Any] = {}

    def kernel(x: Array) -> Array:
        if x.ndim != pool.rank:
            pool.place(x.shape)
        if pool.depth_taps != 1 or pool.depth_stride != 1:
            raise UnimplementedError(None, None, "Non-spatial pooling is not yet supported. Volunteers? :)")
        x = windows.to_last(x, pool.first)
        found = memo.get(x.shape)
        if found is None:
            if len(memo) >= _MEMO:
                memo.clear()
            placed = pool.place(x.shape)
            found = memo[x.shape] = (placed, np.asarray(_counts(x.shape, pool, placed), compute))
        placed, counts = found
        if not x.size or 0 in placed.out:
            return windows.to_first(np.zeros((x.shape[0], *placed.out, x.shape[-1]), dtype.np), pool.first)
        y = x.astype(compute) if x.dtype != compute else x
        for axis in range(len(placed.out)):
            y = along(
                np.add, 0, y, axis + 1, pool.taps[axis], pool.strides[axis], placed.before[axis], placed.out[axis]
            )
        y = np.divide(y, counts) if y is x else np.divide(y, counts, out=y)
        return windows.to_first(y.astype(dtype.np, copy=False), pool.first)

    return kernel


def lowest(dtype: np.dtype[Any]) -> Any:
    """The least finite value."""
    return dtype.type(np.finfo(dtype).min if dtype.kind == "f" else np.iinfo(dtype).min)


def _deep_max(pool: Pool, x: Array) -> Array:
    """Pooling over channels."""
    if max(pool.taps) > 1 or max(pool.strides) > 1:
        raise UnimplementedError(
            None, None, "MaxPooling supports exactly one of pooling across depth or pooling across width/height."
        )
    if pool.depth_taps != pool.depth_stride:
        raise UnimplementedError(
            None, None, "Depthwise max pooling requires the depth window to equal the depth stride."
        )
    if x.shape[-1] % pool.depth_taps:
        raise UnimplementedError(
            None, None, "Depthwise max pooling requires the depth window to evenly divide the input depth."
        )
    return x.reshape(*x.shape[:-1], -1, pool.depth_taps).max(axis=-1)


def maximum(pool: Pool, dtype: Any) -> Kernel:
    """The kernel of max pooling. As in TensorFlow a NaN loses against every number, and the least finite number is
    the result where nothing is larger."""
    compute = windows.compute_type(dtype)
    ufunc = np.fmax if compute.kind == "f" else np.maximum
    least = lowest(compute)

    def kernel(x: Array) -> Array:
        if x.ndim != pool.rank:
            pool.place(x.shape)
        x = windows.to_last(x, pool.first)
        if pool.depth_taps != 1:
            return windows.to_first(_deep_max(pool, x), pool.first)
        placed = pool.place(x.shape)
        if not x.size or 0 in placed.out:
            return windows.to_first(np.zeros((x.shape[0], *placed.out, x.shape[-1]), dtype.np), pool.first)
        y = x.astype(compute) if x.dtype != compute else x
        for axis in range(len(placed.out)):
            y = along(
                ufunc, least, y, axis + 1, pool.taps[axis], pool.strides[axis], placed.before[axis], placed.out[axis]
            )
        if compute.kind == "f":
            y = ufunc(y, least) if y is x else ufunc(y, least, out=y)
        elif y is x:
            y = x.copy()
        return windows.to_first(y.astype(dtype.np, copy=False), pool.first)

    return kernel


def of_attrs(node: Node, rank: int) -> Pool:
    return Pool(node.attrs, rank, node.attrs["ksize"], node.attrs["strides"])


@numpy_kernel.make("AvgPool")
def avg_pool(node: Node) -> Kernel:
    return average(of_attrs(node, 4), node.output_types[0])


@numpy_kernel.make("AvgPool3D")
def avg_pool_3d(node: Node) -> Kernel:
    return average(of_attrs(node, 5), node.output_types[0])


@numpy_kernel.make("MaxPool")
def max_pool(node: Node) -> Kernel:
    return maximum(of_attrs(node, 4), node.output_types[0])


@numpy_kernel.make("MaxPool3D")
def max_pool_3d(node: Node) -> Kernel:
    return maximum(of_attrs(node, 5), node.output_types[0])


@numpy_kernel.make("MaxPoolV2")
def max_pool_v2(node: Node) -> Kernel:
    """`MaxPool` whose window and strides are inputs."""
    attrs, dtype = node.attrs, node.output_types[0]
    known, steps = node.constant(1), node.constant(2)
    if known is not None and steps is not None:
        fixed = maximum(Pool(attrs, 4, known.ravel().tolist(), steps.ravel().tolist()), dtype)
        return lambda x, ksize, strides: fixed(x)

    def kernel(x: Array, ksize: Array, strides: Array) -> Array:
        return maximum(Pool(attrs, 4, ksize.ravel().tolist(), strides.ravel().tolist()), dtype)(x)

    return kernel


def _average_gradient(node: Node, rank: int) -> Kernel:
    pool = of_attrs(node, rank)
    dtype = node.output_types[0]
    compute = windows.compute_type(dtype)

    def kernel(sizes: Array, g: Array) -> Array:
        if sizes.ndim != 1 or sizes.size != rank:
            what = "out_backprop" if rank == 4 else "tensor_in"
            raise InvalidArgumentError(None, None, f"{what} must be 1-dimensional and {rank} elements")
        pool.check_ranks(out_backprop=g.shape)
        if (sizes < 0).any():
            raise InvalidArgumentError(None, None, f"Expected a non-negative size, got {int(sizes[sizes < 0][0])}")
        batch, channels, spatial = split(tuple(sizes.tolist()), pool.first)
        g = windows.to_last(g, pool.first)
        x_shape = (batch, *spatial, channels)
        placed = pool.place(x_shape)
        if rank == 4 and not g.size:
            return np.zeros(tuple(sizes.tolist()), dtype.np)
        for what, want, have in (("first", batch, g.shape[0]), ("last", channels, g.shape[-1])):
            if want != have and not (what == "first" and rank == 4 and have < want):
                why = f"Expected {what} dimension of tensor_in_shape and out_backprop to match, got {want} and {have}"
                raise InvalidArgumentError(None, None, why)
        if not g.size:
            return np.zeros(tuple(sizes.tolist()), dtype.np)
        # Fewer windows than fit, or more, will do while they begin within the input.
        for size, count, stride in zip(spatial, g.shape[1:-1], pool.strides, strict=True):
            if (count - 1) * stride > size:
                raise InvalidArgumentError(None, None, "index * stride must be less than or equal to input size")
        placed = placed._replace(out=g.shape[1:-1])
        dx = np.zeros(x_shape, compute)
        if g.size and dx.size:
            share = g.astype(compute, copy=False) / np.asarray(_counts(x_shape, pool, placed), compute)
            for _, outs, ins in served(x_shape, pool, placed):
                dx[: len(g)][ins] += share[outs]
        return windows.to_first(dx.astype(dtype.np, copy=False), pool.first)

    return kernel


def served(x_shape: Sequence[int], pool: Pool, placed: windows.Windows) -> Any:
    """Per tap that reads inside the input: its index, the outputs it serves and the elements it reads, as slices."""
    ranges = [
        [
            (tap, low, high, start)
            for tap in range(min(taps, size + before))
            for low, high, start in [reach(size, tap, stride, before, out)]
            if high > low
        ]
        for size, taps, stride, before, out in zip(
            x_shape[1:-1], pool.taps, pool.strides, placed.before, placed.out, strict=True
        )
    ]
    for tap in itertools.product(*ranges):
        outs, ins, index = [slice(None)], [slice(None)], 0
        for (at, low, high, start), taps, step in zip(tap, pool.taps, pool.strides, strict=True):
            outs.append(slice(low, high))
            ins.append(slice(start, start + (high - low - 1) * step + 1, step))
            index = index * taps + at
        yield index, tuple(outs), tuple(ins)


@numpy_kernel.make("AvgPoolGrad")
def avg_pool_gradient(node: Node) -> Kernel:
    return _average_gradient(node, 4)


@numpy_kernel.make("AvgPool3DGrad")
def avg_pool_3d_gradient(node: Node) -> Kernel:
    return _average_gradient(node, 5)
