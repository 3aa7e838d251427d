"""Convolutions in one to three dimensions, their transposes, and the depthwise ones: rows and shape rules."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.ops.common import Shapes
from runstep.ops.registry import op
from runstep.ops.windows import channels_first, from_vector, join, out_size, per_axis, spatial_pads, split


def _groups(channels: int | None, taken: int | None, out: int | None) -> None:
    if channels is None or taken is None:
        return
    if taken == 0:
        raise ValueError("Depth of filter must not be 0")
    if channels % taken:
        raise ValueError(f"Depth of input ({channels}) is not a multiple of input depth of filter ({taken})")
    groups = channels // taken
    if groups > 0 and out is not None and out % groups:
        raise ValueError(f"Depth of output ({out}) is not a multiple of the number of groups ({groups})")


def _convolved(op: Any, rank: int, filter_index: int = 1) -> Shapes:
    attrs = op.attrs
    first = channels_first(attrs.get("data_format", b"NHWC"))
    image = shapes.with_rank(op.inputs[0].raw_shape, rank)
    window = shapes.with_rank(op.inputs[filter_index].raw_shape, rank)
    strides = split(per_axis(op, attrs["strides"], "stride", rank), first)[2]
    dilations = split(per_axis(op, attrs["dilations"], "dilation", rank), first)[2]
    pads = spatial_pads(op, first, rank)
    batch, channels, sizes = split(image, first)
    *taps, taken, out = window
    _groups(channels, taken, out)
    padding = attrs["padding"]
    spatial = [
        out_size(size, tap, stride, padding, pad, dilation)
        for size, tap, stride, pad, dilation in zip(sizes, taps, strides, pads, dilations, strict=True)
    ]
    return [join(batch, out, spatial, first)]


def convolved_2d(op: Any) -> Shapes:
    return _convolved(op, 4)


def _conv3d(op: Any) -> Shapes:
    return _convolved(op, 5)


def _conv(op: Any) -> Shapes:
    attrs = op.attrs
    image = op.inputs[0].raw_shape
    if image is None or op.inputs[1].raw_shape is None:
        return [None]
    batch_dims = attrs["batch_dims"]
    rank = len(image) - batch_dims + 1
    window = shapes.with_rank(op.inputs[1].raw_shape, rank)
    first = channels_first(attrs.get("data_format", b"NHWC"))
    strides = split(per_axis(op, attrs["strides"], "stride", rank), first)[2]
    dilations = split(attrs["dilations"] or (1,) * rank, first)[2]
    pads = spatial_pads(op, first, rank)
    _, channels, sizes = split(image[batch_dims - 1 :], first)
    *taps, taken, out = window
    _groups(channels, taken, out)
    spatial = [
        out_size(size, tap, stride, attrs["padding"], pad, dilation)
        for size, tap, stride, pad, dilation in zip(sizes, taps, strides, pads, dilations, strict=True)
    ]
    return [image[: batch_dims - 1] + join(image[batch_dims - 1], out, spatial, first)]


def _depthwise(op: Any) -> Shapes:
    attrs = op.attrs
    first = channels_first(attrs.get("data_format", b"NHWC"))
    image = shapes.with_rank(op.inputs[0].raw_shape, 4)
    rows, columns, taken, multiplier = shapes.with_rank(op.inputs[1].raw_shape, 4)
    strides = split(per_axis(op, attrs["strides"], "stride", 4), first)[2]
    dilations = split(per_axis(op, attrs["dilations"], "dilation", 4), first)[2]
    pads = spatial_pads(op, first, 4)
    batch, channels, sizes = split(image, first)
    channels = shapes.merge_size(channels, taken)
    out = None if channels is None or multiplier is None else channels * multiplier
    spatial = [
        out_size(size, tap, stride, attrs["padding"], pad, dilation)
        for size, tap, stride, pad, dilation in zip(sizes, (rows, columns), strides, pads, dilations, strict=True)
    ]
    return [join(batch, out, spatial, first)]


def _conv2d_input(op: Any) -> Shapes:
    first = channels_first(op.attrs["data_format"])
    vector = op.inputs[0].raw_shape
    gradient = shapes.with_rank(op.inputs[2].raw_shape, 4)
    if vector is not None and len(vector) == 1 and vector[0] not in (None, 2, 4):
        raise ValueError(
            f"Conv2DBackpropInput requires input_sizes to contain 4 values or 2 values, but got: {vector[0]}"
        )
    sizes = op.constant_shape(0)
    if sizes is None:
        return [join(gradient[0], None, (None, None), first)]
    if len(sizes) == 2:
        window = shapes.with_rank(op.inputs[1].raw_shape, 4)
        return [join(gradient[0], window[2], sizes, first)]
    sizes = shapes.with_rank(sizes, 4)
    shapes.merge_size(sizes[0], gradient[0])
    return [(gradient[0], *sizes[1:])]


def _filter_of_rank_4(op: Any) -> Shapes:
    return from_vector(op, 1, 4)


def _input_of_rank_4(op: Any) -> Shapes:
    return from_vector(op, 0, 4)


def _filter_of_rank_5(op: Any) -> Shapes:
    return from_vector(op, 1, 5)


def _input_of_rank_5(op: Any) -> Shapes:
    return from_vector(op, 0, 5)


def _like_input(op: Any) -> Shapes:
    return [shapes.with_rank(op.inputs[0].raw_shape, 5)]


def _like_filter(op: Any) -> Shapes:
    return [shapes.with_rank(op.inputs[1].raw_shape, 5)]


_FLOATS = "T: {float16, bfloat16, float32, float64}"
_FLOATS_AND_INT = "T: {float16, bfloat16, float32, float64, int32}"
_PADDING = "padding: {'SAME', 'VALID', 'EXPLICIT'}"
_SIMPLE_PADDING = "padding: {'SAME', 'VALID'}"
_FORMAT = "data_format: {'NHWC', 'NCHW'} = 'NHWC'"
_FORMAT_3D = "data_format: {'NDHWC', 'NCDHW'} = 'NDHWC'"
_DILATIONS = "dilations: list(int) = [1, 1, 1, 1]"
_DILATIONS_3D = "dilations: list(int) = [1, 1, 1, 1, 1]"
_EXPLICIT = "explicit_paddings: list(int) = []"
_CUDNN = "use_cudnn_on_gpu: bool = true"
_STRIDES = "strides: list(int)"
_STRIDES_3D = "strides: list(int) >= 5"

op(
    "Conv",
    "input: T, filter: T -> output: T",
    _FLOATS_AND_INT,
    _STRIDES,
    _PADDING,
    _EXPLICIT,
    "data_format: {'CHANNELS_FIRST', 'CHANNELS_LAST'} = 'CHANNELS_LAST'",
    "dilations: list(int) = []",
    "batch_dims: int = 1",
    "groups: int = 1",
    shape=_conv,
)
op(
    "Conv2D",
    "input: T, filter: T -> output: T",
    _FLOATS_AND_INT,
    _STRIDES,
    _CUDNN,
    _PADDING,
    _EXPLICIT,
    _FORMAT,
    _DILATIONS,
    shape=convolved_2d,
)
op(
    "Conv2DBackpropFilter",
    "input: T, filter_sizes: int32, out_backprop: T -> output: T",
    _FLOATS,
    _STRIDES,
    _CUDNN,
    _PADDING,
    _EXPLICIT,
    _FORMAT,
    _DILATIONS,
    shape=_filter_of_rank_4,
)
op(
    "Conv2DBackpropInput",
    "input_sizes: int32, filter: T, out_backprop: T -> output: T",
    _FLOATS_AND_INT,
    _STRIDES,
    _CUDNN,
    _PADDING,
    _EXPLICIT,
    _FORMAT,
    _DILATIONS,
    shape=_conv2d_input,
)
op(
    "Conv3D",
    "input: T, filter: T -> output: T",
    _FLOATS,
    _STRIDES_3D,
    _SIMPLE_PADDING,
    _FORMAT_3D,
    _DILATIONS_3D,
    shape=_conv3d,
)
op(
    "Conv3DBackpropFilter",
    "input: T, filter: T, out_backprop: T -> output: T",
    "T: {float16, float32, float64}",
    _STRIDES_3D,
    _SIMPLE_PADDING,
    _DILATIONS_3D,
    shape=_like_filter,
)
op(
    "Conv3DBackpropFilterV2",
    "input: T, filter_sizes: int32, out_backprop: T -> output: T",
    _FLOATS,
    _STRIDES_3D,
    _SIMPLE_PADDING,
    _FORMAT_3D,
    _DILATIONS_3D,
    shape=_filter_of_rank_5,
)
op(
    "Conv3DBackpropInput",
    "input: T, filter: T, out_backprop: T -> output: T",
    "T: {float16, float32, float64}",
    _STRIDES_3D,
    _SIMPLE_PADDING,
    _DILATIONS_3D,
    shape=_like_input,
)
op(
    "Conv3DBackpropInputV2",
    "input_sizes: Tshape, filter: T, out_backprop: T -> output: T",
    _FLOATS,
    _STRIDES_3D,
    _SIMPLE_PADDING,
    _FORMAT_3D,
    _DILATIONS_3D,
    "Tshape: {int32, int64} = int32",
    shape=_input_of_rank_5,
)
op(
    "DepthwiseConv2dNative",
    "input: T, filter: T -> output: T",
    _FLOATS,
    _STRIDES,
    _PADDING,
    _EXPLICIT,
    _FORMAT,
    _DILATIONS,
    shape=_depthwise,
)
op(
    "DepthwiseConv2dNativeBackpropFilter",
    "input: T, filter_sizes: int32, out_backprop: T -> output: T",
    _FLOATS,
    _STRIDES,
    _PADDING,
    _EXPLICIT,
    _FORMAT,
    _DILATIONS,
    shape=_filter_of_rank_4,
)
op(
    "DepthwiseConv2dNativeBackpropInput",
    "input_sizes: int32, filter: T, out_backprop: T -> output: T",
    _FLOATS,
    _STRIDES,
    _PADDING,
    _EXPLICIT,
    _FORMAT,
    _DILATIONS,
    shape=_input_of_rank_4,
)
op(
    "_FusedConv2D",
    "input: T, filter: T, args: TArgs, host_args: num_host_args * float32 -> output: T",
    "T: {float16, float32, float64, int8, qint8}",
    "TArgs: list(type) >= 1",
    "num_args: int >= 0",
    "num_host_args: int >= 0 = 0",
    _STRIDES,
    _PADDING,
    _EXPLICIT,
    "data_format: {'NHWC', 'NCHW', 'NCHW_VECT_C'} = 'NHWC'",
    "filter_format: {'HWIO', 'OIHW', 'OIHW_VECT_I'} = 'HWIO'",
    _DILATIONS,
    _CUDNN,
    "fused_ops: list(string) = []",
    "epsilon: float = 0.0001",
    "leakyrelu_alpha: float = 0.2",
    shape=convolved_2d,
)
op(
    "_FusedDepthwiseConv2dNative",
    "input: T, filter: T, args: num_args * T -> output: T",
    _FLOATS,
    "num_args: int >= 0",
    _STRIDES,
    _SIMPLE_PADDING,
    _FORMAT,
    _DILATIONS,
    "fused_ops: list(string) = []",
    "epsilon: float = 0.0001",
    "leakyrelu_alpha: float = 0.2",
    shape=_depthwise,
)
