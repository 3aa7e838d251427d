"""Convolutions and their gradients: the `tf.nn.*` functions over the ops of `runstep.ops.conv`."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops import shape_ops
from runstep.ops.reduction import one_of

__all__ = [
    "conv1d",
    "conv2d",
    "conv2d_backprop_filter",
    "conv2d_backprop_input",
    "conv3d",
    "conv3d_backprop_filter",
    "conv3d_backprop_filter_v2",
    "depthwise_conv2d_backprop_filter",
    "depthwise_conv2d_backprop_input",
    "depthwise_conv2d_native",
    "depthwise_conv2d_native_backprop_filter",
    "depthwise_conv2d_native_backprop_input",
]


def per_axis(value: Any, spatial: int, channel_axis: int, name: str) -> list[int]:
    """One number for each axis: given as such, or for the spatial axes alone, or as one number for all of these."""
    if value is None:
        return [1] * (spatial + 2)
    values = list(value) if isinstance(value, (list, tuple, np.ndarray)) else [value]
    if len(values) == spatial + 2:
        return values
    if len(values) == 1:
        values *= spatial
    elif len(values) != spatial:
        raise ValueError(
            f"{name} should be of length 1, {spatial} or {spatial + 2}. Received: {name}={value} of length "
            f"{len(values)}"
        )
    return [1, 1, *values] if channel_axis == 1 else [1, *values, 1]


def channel_axis(data_format: str | None, rank: int) -> int:
    """The axis of the channels: 1 for NCHW and its like, else the last one."""
    return 1 if data_format is not None and data_format.startswith("NC") else rank - 1


def explicit(padding: Any) -> tuple[Any, list[int]]:
    """The attributes padding and explicit_paddings from a name, or from a list of (before, after) for each axis."""
    if not isinstance(padding, (list, tuple)):
        return padding, []
    flat: list[int] = []
    for pair in padding:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ValueError(
                "When padding is a list, each element of padding must be a list/tuple of size 2. "
                f"Received: padding={padding} with element of padding={pair}"
            )
        flat += pair
    return "EXPLICIT", flat


def conv2d(
    input: TensorLike,
    filter: TensorLike = None,
    strides: Any = None,
    padding: Any = None,
    use_cudnn_on_gpu: bool = True,
    data_format: str = "NHWC",
    dilations: Any = (1, 1, 1, 1),
    name: str | None = None,
    filters: TensorLike = None,
) -> Tensor:
    """`[batch, height, width, in]` with a filter `[height, width, in, out]`. Source: `tf.nn.conv2d`."""
    filter = one_of("filters", filters, "filter", filter)
    padding, paddings = explicit(padding)
    data_format = "NHWC" if data_format is None else data_format
    axis = channel_axis(data_format, 4)
    return apply(
        "Conv2D",
        input,
        filter,
        strides=per_axis(strides, 2, axis, "strides"),
        padding=padding,
        use_cudnn_on_gpu=use_cudnn_on_gpu,
        explicit_paddings=paddings,
        data_format=data_format,
        dilations=per_axis(dilations, 2, axis, "dilations"),
        name=name,
    )


def conv1d(
    value: TensorLike = None,
    filters: TensorLike = None,
    stride: Any = None,
    padding: Any = None,
    use_cudnn_on_gpu: bool | None = None,
    data_format: str | None = None,
    name: str | None = None,
    input: TensorLike = None,
    dilations: Any = None,
) -> Tensor:
    """`[batch, width, in]` with a filter `[width, in, out]`, as a conv2d of height 1. Source: `tf.nn.conv1d`."""
    value = one_of("input", input, "value", value)
    with name_scope(name, "conv1d") as scope:
        if data_format is None or data_format in ("NHWC", "NWC"):
            data_format, spatial, axis = "NHWC", 1, 2
        elif data_format in ("NCHW", "NCW"):
            data_format, spatial, axis = "NCHW", 2, 1
        else:
            raise ValueError(f"`data_format` must be 'NWC' or 'NCW'. Received: data_format={data_format}")
        strides = [1, *per_axis(stride, 1, axis, "stride")]
        steps = [1, *per_axis(dilations, 1, axis, "dilations")]
        value = shape_ops.expand_dims(convert_to_tensor(value, name="input"), -3 if spatial == 1 else -2)
        if axis == 1:
            strides[0:3], steps[0:3] = [1, 1, 1], [1, 1, 1]
        filters = shape_ops.expand_dims(convert_to_tensor(filters, name="filters"), 0)
        result = apply(
            "Conv2D",
            value,
            filters,
            strides=strides,
            padding=padding,
            use_cudnn_on_gpu=use_cudnn_on_gpu,
            data_format=data_format,
            dilations=steps,
            name=scope,
        )
        return shape_ops.squeeze(result, [spatial - 4 if spatial == 1 else -2])


def conv3d(
    input: TensorLike,
    filter: TensorLike = None,
    strides: Any = None,
    padding: Any = None,
    data_format: str = "NDHWC",
    dilations: Any = (1, 1, 1, 1, 1),
    name: str | None = None,
    filters: TensorLike = None,
) -> Tensor:
    """`[batch, depth, height, width, in]` with a filter of rank 5. Source: `tf.nn.conv3d`."""
    filter = one_of("filters", filters, "filter", filter)
    return apply(
        "Conv3D",
        input,
        filter,
        strides=strides,
        padding=padding,
        data_format=data_format,
        dilations=dilations,
        name=name,
    )


def depthwise_conv2d_native(
    input: TensorLike,
    filter: TensorLike,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    dilations: Any = (1, 1, 1, 1),
    name: str | None = None,
) -> Tensor:
    """Each channel with filters of its own, `[height, width, in, multiplier]`.
    Source: `tf.nn.depthwise_conv2d_native`."""
    padding, paddings = explicit(padding)
    return apply(
        "DepthwiseConv2dNative",
        input,
        filter,
        strides=strides,
        padding=padding,
        explicit_paddings=paddings,
        data_format=data_format,
        dilations=dilations,
        name=name,
    )


def depthwise_conv2d_native_backprop_input(
    input_sizes: TensorLike,
    filter: TensorLike,
    out_backprop: TensorLike,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    dilations: Any = (1, 1, 1, 1),
    name: str | None = None,
) -> Tensor:
    """The gradient with respect to the input. Source: `tf.nn.depthwise_conv2d_native_backprop_input`."""
    padding, paddings = explicit(padding)
    return apply(
        "DepthwiseConv2dNativeBackpropInput",
        input_sizes,
        filter,
        out_backprop,
        strides=strides,
        padding=padding,
        explicit_paddings=paddings,
        data_format=data_format,
        dilations=dilations,
        name=name,
    )


def depthwise_conv2d_native_backprop_filter(
    input: TensorLike,
    filter_sizes: TensorLike,
    out_backprop: TensorLike,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    dilations: Any = (1, 1, 1, 1),
    name: str | None = None,
) -> Tensor:
    """The gradient with respect to the filter. Source: `tf.nn.depthwise_conv2d_native_backprop_filter`."""
    padding, paddings = explicit(padding)
    return apply(
        "DepthwiseConv2dNativeBackpropFilter",
        input,
        filter_sizes,
        out_backprop,
        strides=strides,
        padding=padding,
        explicit_paddings=paddings,
        data_format=data_format,
        dilations=dilations,
        name=name,
    )


depthwise_conv2d_backprop_input = depthwise_conv2d_native_backprop_input
depthwise_conv2d_backprop_filter = depthwise_conv2d_native_backprop_filter


def conv2d_backprop_input(
    input_sizes: TensorLike,
    filter: TensorLike = None,
    out_backprop: TensorLike = None,
    strides: Any = None,
    padding: Any = None,
    use_cudnn_on_gpu: bool = True,
    data_format: str = "NHWC",
    dilations: Any = (1, 1, 1, 1),
    name: str | None = None,
    filters: TensorLike = None,
) -> Tensor:
    """The gradient of conv2d with respect to its input. Source: `tf.nn.conv2d_backprop_input`."""
    padding, paddings = explicit(padding)
    return apply(
        "Conv2DBackpropInput",
        input_sizes,
        one_of("filters", filters, "filter", filter),
        out_backprop,
        strides=per_axis(strides, 2, channel_axis(data_format, 4), "strides"),
        padding=padding,
        use_cudnn_on_gpu=use_cudnn_on_gpu,
        explicit_paddings=paddings,
        data_format=data_format,
        dilations=per_axis(dilations, 2, channel_axis(data_format, 4), "dilations"),
        name=name,
    )


def conv2d_backprop_filter(
    input: TensorLike,
    filter_sizes: TensorLike,
    out_backprop: TensorLike,
    strides: Any,
    padding: Any,
    use_cudnn_on_gpu: bool = True,
    data_format: str = "NHWC",
    dilations: Any = (1, 1, 1, 1),
    name: str | None = None,
) -> Tensor:
    """The gradient of conv2d with respect to its filter. Source: `tf.nn.conv2d_backprop_filter`."""
    padding, paddings = explicit(padding)
    return apply(
        "Conv2DBackpropFilter",
        input,
        filter_sizes,
        out_backprop,
        strides=strides,
        padding=padding,
        use_cudnn_on_gpu=use_cudnn_on_gpu,
        explicit_paddings=paddings,
        data_format=data_format,
        dilations=dilations,
        name=name,
    )


def conv3d_backprop_filter_v2(
    input: TensorLike,
    filter_sizes: TensorLike,
    out_backprop: TensorLike,
    strides: Any,
    padding: str,
    data_format: str = "NDHWC",
    dilations: Any = (1, 1, 1, 1, 1),
    name: str | None = None,
) -> Tensor:
    """The gradient of conv3d with respect to its filter. Source: `tf.nn.conv3d_backprop_filter_v2`."""
    return apply(
        "Conv3DBackpropFilterV2",
        input,
        filter_sizes,
        out_backprop,
        strides=strides,
        padding=padding,
        data_format=data_format,
        dilations=dilations,
        name=name,
    )


conv3d_backprop_filter = conv3d_backprop_filter_v2
