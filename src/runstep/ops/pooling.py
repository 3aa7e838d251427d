"""Pooling and patch extraction in two and three dimensions: rows and shape rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runstep.graph import shapes
from runstep.ops.common import Shapes
from runstep.ops.registry import op
from runstep.ops.windows import channels_first, from_vector, join, out_size, spatial_pads, split


def _values(op: Any, name: str, values: Sequence[int], rank: int) -> Sequence[int]:
    if len(values) != rank:
        raise ValueError(f"{op.type} requires the {name} attribute to contain {rank} values, but got: {len(values)}")
    return values


def _pooled(op: Any, rank: int, ksize: Sequence[int], strides: Sequence[int], deep: bool = True) -> tuple[Any, ...]:
    attrs = op.attrs
    first = channels_first(attrs.get("data_format", b"NHWC"))
    image = shapes.with_rank(op.inputs[0].raw_shape, rank)
    _, depth_taps, taps = split(_values(op, "ksize", ksize, rank), first)
    _, depth_stride, steps = split(_values(op, "stride", strides, rank), first)
    pads = spatial_pads(op, first, rank)
    padding = attrs["padding"]
    batch, channels, sizes = split(image, first)
    spatial = [
        out_size(size, tap, stride, padding, pad)
        for size, tap, stride, pad in zip(sizes, taps, steps, pads, strict=True)
    ]
    if deep and (depth_taps != 1 or depth_stride != 1):
        channels = out_size(channels, depth_taps, depth_stride, b"VALID" if padding == b"EXPLICIT" else padding)
    return join(batch, channels, spatial, first)


def pooled_2d(op: Any) -> Shapes:
    return [_pooled(op, 4, op.attrs["ksize"], op.attrs["strides"])]


def _pool_3d(op: Any) -> Shapes:
    return [_pooled(op, 5, op.attrs["ksize"], op.attrs["strides"], deep=False)]


def _pool_v2(op: Any) -> Shapes:
    ksize, strides = op.constant(1), op.constant(2)
    if ksize is None or strides is None:
        return [None]
    return [_pooled(op, 4, ksize.tolist(), strides.tolist())]


def _with_argmax(op: Any) -> Shapes:
    return pooled_2d(op) * 2


def _like_first(op: Any) -> Shapes:
    return [shapes.with_rank(op.inputs[0].raw_shape, 4)]


def _like_first_3d(op: Any) -> Shapes:
    return [shapes.with_rank(op.inputs[0].raw_shape, 5)]


def _from_sizes(op: Any) -> Shapes:
    return from_vector(op, 0, 4)


def _from_sizes_3d(op: Any) -> Shapes:
    return from_vector(op, 0, 5)


def _second_gradient(op: Any, rank: int, ksize: Sequence[int], strides: Sequence[int]) -> Shapes:
    shapes.merge(op.inputs[0].raw_shape, op.inputs[2].raw_shape)
    return [shapes.merge(op.inputs[1].raw_shape, _pooled(op, rank, ksize, strides))]


def _gradient_gradient(op: Any) -> Shapes:
    return _second_gradient(op, 4, op.attrs["ksize"], op.attrs["strides"])


def _gradient_gradient_3d(op: Any) -> Shapes:
    return _second_gradient(op, 5, op.attrs["ksize"], op.attrs["strides"])


def _gradient_gradient_v2(op: Any) -> Shapes:
    ksize, strides = op.constant(3), op.constant(4)
    if ksize is None or strides is None:
        return [None]
    return _second_gradient(op, 4, ksize.tolist(), strides.tolist())


def _patches(op: Any) -> Shapes:
    attrs = op.attrs
    image = shapes.with_rank(op.inputs[0].raw_shape, 4)
    _, rows, columns, _ = _values(op, "ksizes", attrs["ksizes"], 4)
    strides = _values(op, "stride", attrs["strides"], 4)
    rates = _values(op, "rates", attrs["rates"], 4)
    spatial = [
        out_size(size, tap, stride, attrs["padding"], dilation=rate)
        for size, tap, stride, rate in zip(image[1:3], (rows, columns), strides[1:3], rates[1:3], strict=True)
    ]
    depth = None if image[3] is None else image[3] * rows * columns
    return [(image[0], *spatial, depth)]


def _volume_patches(op: Any) -> Shapes:
    attrs = op.attrs
    image = shapes.with_rank(op.inputs[0].raw_shape, 5)
    taps = _values(op, "ksizes", attrs["ksizes"], 5)[1:4]
    strides = _values(op, "stride", attrs["strides"], 5)[1:4]
    spatial = [
        out_size(size, tap, stride, attrs["padding"])
        for size, tap, stride in zip(image[1:4], taps, strides, strict=True)
    ]
    depth = None if image[4] is None else image[4] * taps[0] * taps[1] * taps[2]
    if None in spatial:
        return [(image[0], None, None, depth)]  # TensorFlow loses one axis here
    return [(image[0], *spatial, depth)]


def _dilation(op: Any) -> Shapes:
    attrs = op.attrs
    image = shapes.with_rank(op.inputs[0].raw_shape, 4)
    window = shapes.with_rank(op.inputs[1].raw_shape, 3)
    strides = _values(op, "stride", attrs["strides"], 4)
    rates = _values(op, "rates", attrs["rates"], 4)
    if None in (*image[1:3], *window[:2]):
        return [(image[0], None, None, window[2])]
    spatial = [
        out_size(size, tap, stride, attrs["padding"], dilation=rate)
        for size, tap, stride, rate in zip(image[1:3], window[:2], strides[1:3], rates[1:3], strict=True)
    ]
    return [(image[0], *spatial, shapes.merge_size(image[3], window[2]))]


def _like_input(op: Any) -> Shapes:
    return [op.inputs[0].raw_shape]


def _like_filter(op: Any) -> Shapes:
    return [op.inputs[1].raw_shape]


_FLOATS = "T: {float16, bfloat16, float32, float64}"
_POOLED = "T: {float16, bfloat16, float32, float64, int32, int64, uint8, int16, int8, uint16, qint8} = float32"
_THREE = "T: {float16, bfloat16, float32}"
_KSIZE, _STRIDES = "ksize: list(int) >= 4", "strides: list(int) >= 4"
_KSIZE_3D, _STRIDES_3D = "ksize: list(int) >= 5", "strides: list(int) >= 5"
_ANY_PADDING = "padding: {'SAME', 'VALID', 'EXPLICIT'}"
_PADDING = "padding: {'SAME', 'VALID'}"
_EXPLICIT = "explicit_paddings: list(int) = []"
_FORMAT = "data_format: {'NHWC', 'NCHW'} = 'NHWC'"
_VECTOR_FORMAT = "data_format: {'NHWC', 'NCHW', 'NCHW_VECT_C'} = 'NHWC'"
_FORMAT_3D = "data_format: {'NDHWC', 'NCDHW'} = 'NDHWC'"
_GRADIENT = "orig_input: T, orig_output: T, grad: T -> output: T"

op("AvgPool", "value: T -> output: T", _KSIZE, _STRIDES, _PADDING, _FORMAT, _FLOATS, shape=pooled_2d)
op(
    "AvgPoolGrad",
    "orig_input_shape: int32, grad: T -> output: T",
    _KSIZE,
    _STRIDES,
    _PADDING,
    _FORMAT,
    _FLOATS,
    shape=_from_sizes,
)
op("AvgPool3D", "input: T -> output: T", _KSIZE_3D, _STRIDES_3D, _PADDING, _FORMAT_3D, _FLOATS, shape=_pool_3d)
op(
    "AvgPool3DGrad",
    "orig_input_shape: int32, grad: T -> output: T",
    _KSIZE_3D,
    _STRIDES_3D,
    _PADDING,
    _FORMAT_3D,
    _FLOATS,
    shape=_from_sizes_3d,
)
op(
    "MaxPool",
    "input: T -> output: T",
    _POOLED,
    _KSIZE,
    _STRIDES,
    _ANY_PADDING,
    _EXPLICIT,
    _VECTOR_FORMAT,
    shape=pooled_2d,
)
op(
    "MaxPoolV2",
    "input: T, ksize: int32, strides: int32 -> output: T",
    _POOLED,
    _PADDING,
    _VECTOR_FORMAT,
    shape=_pool_v2,
)
op("MaxPool3D", "input: T -> output: T", _KSIZE_3D, _STRIDES_3D, _PADDING, _FORMAT_3D, _THREE, shape=_pool_3d)
op(
    "MaxPoolWithArgmax",
    "input: T -> output: T, argmax: Targmax",
    _KSIZE,
    _STRIDES,
    "Targmax: {int32, int64} = int64",
    _PADDING,
    "include_batch_in_index: bool = false",
    "T: realnumbertype",
    shape=_with_argmax,
)
op(
    "MaxPoolGrad",
    _GRADIENT,
    _KSIZE,
    _STRIDES,
    _ANY_PADDING,
    _EXPLICIT,
    _FORMAT,
    "T: realnumbertype = float32",
    shape=_like_first,
)
op(
    "MaxPoolGradV2",
    "orig_input: T, orig_output: T, grad: T, ksize: int32, strides: int32 -> output: T",
    _PADDING,
    _FORMAT,
    "T: realnumbertype = float32",
    shape=_like_first,
)
op(
    "MaxPoolGradWithArgmax",
    "input: T, grad: T, argmax: Targmax -> output: T",
    _KSIZE,
    _STRIDES,
    _PADDING,
    "include_batch_in_index: bool = false",
    "Targmax: {int32, int64}",
    "T: realnumbertype",
    shape=_like_first,
)
op("MaxPoolGradGrad", _GRADIENT, _KSIZE, _STRIDES, _PADDING, _FORMAT, "T: realnumbertype", shape=_gradient_gradient)
op(
    "MaxPoolGradGradV2",
    "orig_input: T, orig_output: T, grad: T, ksize: int32, strides: int32 -> output: T",
    _PADDING,
    _FORMAT,
    "T: realnumbertype",
    shape=_gradient_gradient_v2,
)
op(
    "MaxPool3DGrad",
    "orig_input: TInput, orig_output: TInput, grad: T -> output: T",
    _KSIZE_3D,
    _STRIDES_3D,
    _PADDING,
    _FORMAT_3D,
    f"{_THREE} = float32",
    "TInput: {float16, bfloat16, float32} = float32",
    shape=_like_first_3d,
)
op(
    "MaxPool3DGradGrad",
    _GRADIENT,
    _KSIZE_3D,
    _STRIDES_3D,
    _PADDING,
    _FORMAT_3D,
    "T: realnumbertype",
    shape=_gradient_gradient_3d,
)
op(
    "ExtractImagePatches",
    "images: T -> patches: T",
    "ksizes: list(int) >= 4",
    _STRIDES,
    "rates: list(int) >= 4",
    "T: {bfloat16, float16, float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64, complex64, "
    "complex128, bool}",
    _PADDING,
    shape=_patches,
)
op(
    "ExtractVolumePatches",
    "input: T -> patches: T",
    "ksizes: list(int) >= 5",
    _STRIDES_3D,
    "T: realnumbertype",
    _PADDING,
    shape=_volume_patches,
)
op(
    "Dilation2D",
    "input: T, filter: T -> output: T",
    "T: realnumbertype",
    _STRIDES,
    "rates: list(int) >= 4",
    _PADDING,
    shape=_dilation,
)
op(
    "Dilation2DBackpropInput",
    "input: T, filter: T, out_backprop: T -> in_backprop: T",
    "T: realnumbertype",
    _STRIDES,
    "rates: list(int) >= 4",
    _PADDING,
    shape=_like_input,
)
op(
    "Dilation2DBackpropFilter",
    "input: T, filter: T, out_backprop: T -> filter_backprop: T",
    "T: realnumbertype",
    _STRIDES,
    "rates: list(int) >= 4",
    _PADDING,
    shape=_like_filter,
)
