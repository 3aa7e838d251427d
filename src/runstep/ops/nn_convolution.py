"""Convolutions: the `tf.nn.*` functions over the ops of `runstep.ops.conv`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops import joining, rearranging, shape_ops, slicing
from runstep.ops.reduction import one_of

__all__ = [
    "atrous_conv2d",
    "atrous_conv2d_transpose",
    "conv1d",
    "conv1d_transpose",
    "conv2d",
    "conv2d_backprop_filter",
    "conv2d_backprop_input",
    "conv2d_transpose",
    "conv3d",
    "conv3d_backprop_filter",
    "conv3d_backprop_filter_v2",
    "conv3d_transpose",
    "conv_transpose",
    "convolution",
    "depthwise_conv2d",
    "depthwise_conv2d_backprop_filter",
    "depthwise_conv2d_backprop_input",
    "depthwise_conv2d_native",
    "depthwise_conv2d_native_backprop_filter",
    "depthwise_conv2d_native_backprop_input",
    "separable_conv2d",
    "with_space_to_batch",
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


# --- transposed ---------------------------------------------------------------------------------------------------


def conv2d_transpose(
    value: TensorLike = None,
    filter: TensorLike = None,
    output_shape: TensorLike = None,
    strides: Any = None,
    padding: Any = "SAME",
    data_format: str = "NHWC",
    name: str | None = None,
    input: TensorLike = None,
    filters: TensorLike = None,
    dilations: Any = None,
) -> Tensor:
    """conv2d the other way round, with a filter `[height, width, out, in]`. Source: `tf.nn.conv2d_transpose`."""
    value = one_of("input", input, "value", value)
    filter = one_of("filters", filters, "filter", filter)
    with name_scope(name, "conv2d_transpose") as scope:
        axis = channel_axis(data_format, 4)
        padding, paddings = explicit(padding)
        return apply(
            "Conv2DBackpropInput",
            output_shape,
            filter,
            value,
            strides=per_axis(strides, 2, axis, "strides"),
            padding=padding,
            explicit_paddings=paddings,
            data_format=data_format,
            dilations=per_axis(dilations, 2, axis, "dilations"),
            name=scope,
        )


def conv3d_transpose(
    value: TensorLike = None,
    filter: TensorLike = None,
    output_shape: TensorLike = None,
    strides: Any = None,
    padding: str = "SAME",
    data_format: str = "NDHWC",
    name: str | None = None,
    input: TensorLike = None,
    filters: TensorLike = None,
    dilations: Any = None,
) -> Tensor:
    """conv3d the other way round. Source: `tf.nn.conv3d_transpose`."""
    value = one_of("input", input, "value", value)
    filter = one_of("filters", filters, "filter", filter)
    with name_scope(name, "conv3d_transpose") as scope:
        axis = channel_axis(data_format, 5)
        return apply(
            "Conv3DBackpropInputV2",
            output_shape,
            filter,
            value,
            strides=per_axis(strides, 3, axis, "strides"),
            padding=padding,
            data_format=data_format,
            dilations=per_axis(dilations, 3, axis, "dilations"),
            name=scope,
        )


def conv1d_transpose(
    input: TensorLike,
    filters: TensorLike,
    output_shape: Any,
    strides: Any,
    padding: str = "SAME",
    data_format: str | None = "NWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """conv1d the other way round, as a transposed conv2d of height 1. Source: `tf.nn.conv1d_transpose`."""
    with name_scope(name, "conv1d_transpose") as scope:
        first = data_format in ("NCHW", "NCW")
        axis, spatial = (1, 2) if first else (2, 1)
        steps = [1, *per_axis(strides, 1, axis, "strides")]
        spread = [1, *per_axis(dilations, 1, axis, "dilations")]
        if first:
            steps, spread = [1, 1, 1, steps[-1]], [1, 1, 1, spread[-1]]
        value = shape_ops.expand_dims(convert_to_tensor(input, name="input"), spatial)
        filters = shape_ops.expand_dims(convert_to_tensor(filters, name="filters"), 0)
        shape = list(output_shape) if isinstance(output_shape, (list, tuple)) else output_shape
        full = joining.concat([shape[:spatial], [1], shape[spatial:]], axis=0)
        result = apply(
            "Conv2DBackpropInput",
            full,
            filters,
            value,
            strides=steps,
            padding=padding,
            data_format="NCHW" if first else "NHWC",
            dilations=spread,
            name=scope,
        )
        return shape_ops.squeeze(result, spatial)


def conv_transpose(
    input: TensorLike,
    filters: TensorLike,
    output_shape: Any,
    strides: Any,
    padding: str = "SAME",
    data_format: str | None = None,
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """The transposed convolution that fits the length of `output_shape`. Source: `tf.nn.conv_transpose`."""
    with name_scope(name, "conv_transpose") as scope:
        rank = len(output_shape) if isinstance(output_shape, (list, tuple)) else int(output_shape.shape[0])
        functions: dict[int, tuple[Callable[..., Tensor], str]] = {
            3: (conv1d_transpose, "NWC"),
            4: (conv2d_transpose, "NHWC"),
            5: (conv3d_transpose, "NDHWC"),
        }
        if rank not in functions:
            raise ValueError(f"`output_shape` must be of rank 3, 4 or 5. Received: rank {rank}")
        function, default = functions[rank]
        return function(
            input=input,
            filters=filters,
            output_shape=output_shape,
            strides=strides,
            padding=padding,
            data_format=data_format or default,
            dilations=dilations,
            name=scope,
        )


# --- dilated, by moving space into the batch ----------------------------------------------------------------------


def _same_paddings(filter_shape: Tensor, spatial: int, rate: Any) -> Tensor:
    known = constant_value(filter_shape)
    if known is None:
        raise ValueError("filter_shape must be known for SAME padding with a dilation")
    pairs = []
    for size, step in zip(known[:spatial].tolist(), rate, strict=True):
        extra = (size - 1) * int(step)
        pairs.append([extra // 2, extra - extra // 2])
    return joining.stack([[before, after] for before, after in pairs])


def with_space_to_batch(
    input: TensorLike,
    dilation_rate: TensorLike,
    padding: str,
    op: Callable[..., Tensor],
    filter_shape: TensorLike = None,
    spatial_dims: Sequence[int] | None = None,
    data_format: str | None = None,
) -> Tensor:
    """`op` on every `dilation_rate`-th pixel: the pixels between go to the batch and back.
    Source: `tf.nn.with_space_to_batch`."""
    input = convert_to_tensor(input, name="input")
    rate_tensor = convert_to_tensor(dilation_rate, dtypes.int32, name="dilation_rate")
    if rate_tensor.shape.ndims != 1:
        raise ValueError(f"`dilation_rate.shape.rank` must be 1. Received: dilation_rate={dilation_rate}")
    spatial = int(rate_tensor.shape[0])
    first = data_format is not None and data_format.startswith("NC")
    dims = (
        sorted(spatial_dims)
        if spatial_dims is not None
        else list(range(2 if first else 1, spatial + (2 if first else 1)))
    )
    if min(dims, default=1) < 1:
        raise ValueError(f"`spatial_dims` must all be positive integers. Received: spatial_dims={spatial_dims}")
    rate = constant_value(rate_tensor)
    if rate is not None:
        if (rate < 1).any():
            raise ValueError(f"`dilation_rate` must be positive. Received: dilation_rate={rate}")
        if (rate == 1).all():
            return op(input, spatial, padding)
    steps = rate if rate is not None else rate_tensor
    if padding == "SAME":
        if filter_shape is None:
            raise ValueError("`filter_shape` must be specified for `padding='SAME'`.")
        base: Any = _same_paddings(convert_to_tensor(filter_shape, name="filter_shape"), spatial, steps)
    elif padding == "VALID":
        base = np.zeros([spatial, 2], np.int32)
    else:
        raise ValueError(f"`padding` must be one of 'SAME' or 'VALID'. Received: padding={padding}")
    sizes: Any
    raw = input.raw_shape
    if raw is not None and all(raw[dim] is not None for dim in dims):
        sizes = np.array([raw[dim] for dim in dims], np.int32)
    else:
        shape = shape_ops.shape(input)
        sizes = joining.stack([slicing.strided_slice(shape, [dim], [dim + 1], shrink_axis_mask=1) for dim in dims])
    paddings, crops = rearranging.required_space_to_batch_paddings(sizes, rate_tensor, base)

    def at_dims(values: Any, fill: Any) -> Any:
        """The values of the spatial axes, with `fill` for axes before them that aren't spatial."""
        known = values if isinstance(values, np.ndarray) else constant_value(values)
        if known is not None:
            rows = {dim: row for dim, row in zip(dims, known, strict=True)}
            return np.array(
                [rows.get(dim, np.broadcast_to(fill, known.shape[1:])) for dim in range(1, dims[-1] + 1)], np.int32
            )
        if len(dims) == dims[-1]:
            return values
        parts = [[np.broadcast_to(np.int32(fill), values.shape.as_list()[1:])]] * (dims[0] - 1)
        return joining.concat([*parts, values], 0)

    block = at_dims(steps, 1)
    moved = rearranging.space_to_batch_nd(input, block, at_dims(paddings, 0))
    result = op(moved, spatial, "VALID")
    restored = rearranging.batch_to_space_nd(result, block, at_dims(crops, 0))
    return restored


def convolution(
    input: TensorLike,
    filter: TensorLike,
    padding: str,
    strides: Any = None,
    dilation_rate: Any = None,
    name: str | None = None,
    data_format: str | None = None,
    filters: TensorLike = None,
    dilations: Any = None,
) -> Tensor:
    """Convolution over one to three spatial axes, dilated or strided. Source: `tf.nn.convolution`."""
    filter = one_of("filters", filters, "filter", filter)
    rates = one_of("dilations", dilations, "dilation_rate", dilation_rate)
    with name_scope(name, "convolution") as scope:
        input = convert_to_tensor(input, name="input")
        filter = convert_to_tensor(filter, name="filter")
        rank = filter.shape.ndims if filter.shape.ndims is not None else input.shape.ndims
        if rank is None:
            raise ValueError("rank of input or filter must be known.")
        spatial = rank - 2
        if spatial not in (1, 2, 3):
            raise ValueError(f"`num_spatial_dims` must be 1, 2, or 3. Received: num_spatial_dims={spatial}.")
        steps = [1] * spatial if strides is None else _spatial(strides, spatial, "strides")
        spread = [1] * spatial if rates is None else _spatial(rates, spatial, "dilations")

        def plain(value: Tensor, _: int, pads: str) -> Tensor:
            return _undilated(value, filter, pads, steps, spatial, data_format, scope)

        if all(step == 1 for step in spread):
            return plain(input, spatial, padding)
        if any(step != 1 for step in steps):
            raise ValueError(
                f"`strides > 1` not supported in conjunction with `dilations > 1`. Received: strides={strides} and "
                f"dilations={rates}"
            )
        shape = filter.shape.as_list() if padding == "SAME" else None
        return with_space_to_batch(input, spread, padding, plain, shape, None, data_format)


def _spatial(value: Any, spatial: int, name: str) -> list[int]:
    values = list(value) if isinstance(value, (list, tuple, np.ndarray)) else [value]
    if len(values) == 1:
        values *= spatial
    if len(values) != spatial:
        raise ValueError(f"`{name}` must have one element for each of {spatial} spatial axes. Received: {value}")
    return values


def _undilated(
    value: Tensor, filter: Tensor, padding: str, steps: list[int], spatial: int, data_format: str | None, scope: str
) -> Tensor:
    first = data_format is not None and data_format.startswith("NC")
    if spatial == 1:
        return conv1d(value, filter, steps[0], padding, data_format=data_format or "NWC", name=scope)
    strides = [1, 1, *steps] if first else [1, *steps, 1]
    if spatial == 2:
        return conv2d(value, filter, strides, padding, data_format=data_format or "NHWC", name=scope)
    return conv3d(value, filter, strides, padding, data_format=data_format or "NDHWC", name=scope)


def atrous_conv2d(value: TensorLike, filters: TensorLike, rate: Any, padding: str, name: str | None = None) -> Tensor:
    """conv2d whose taps are `rate` pixels apart. Source: `tf.nn.atrous_conv2d`."""
    return convolution(input=value, filter=filters, padding=padding, dilation_rate=[rate, rate], name=name)


def atrous_conv2d_transpose(
    value: TensorLike, filters: TensorLike, output_shape: Any, rate: int, padding: str, name: str | None = None
) -> Tensor:
    """`atrous_conv2d` the other way round; `output_shape` is a list of known sizes.
    Source: `tf.nn.atrous_conv2d_transpose`."""
    with name_scope(name, "atrous_conv2d_transpose"):
        value = convert_to_tensor(value, name="value")
        filters = convert_to_tensor(filters, name="filters")
        if rate < 1:
            raise ValueError(f"`rate` cannot be less than one. Received: rate={rate}")
        if rate == 1:
            return conv2d_transpose(value, filters, output_shape, [1, 1, 1, 1], padding)
        shape = convert_to_tensor(output_shape, name="output_shape")
        known = constant_value(shape)
        if known is None:
            raise ValueError("`output_shape` must be known for a dilated transposed convolution.")
        height, width = (int(size) for size in filters.shape.as_list()[:2])
        if padding == "SAME":
            tall, wide = (size + (size - 1) * (rate - 1) - 1 for size in (height, width))
            top, left = tall // 2, wide // 2
            bottom, right = tall - top, wide - left
        elif padding == "VALID":
            top = bottom = left = right = 0
        else:
            raise ValueError(f"`padding` must be either 'VALID' or 'SAME'. Received: padding={padding}")
        in_height, in_width = int(known[1]) + top + bottom, int(known[2]) + left + right
        down, across = -int(value.shape[1]) % rate, -int(value.shape[2]) % rate
        block = np.array([rate, rate], np.int64)
        value = rearranging.space_to_batch_nd(value, block, [[0, down], [0, across]])
        over_down, over_across = -in_height % rate, -in_width % rate
        sizes = [
            rate * rate * int(known[0]),
            (in_height + over_down) // rate,
            (in_width + over_across) // rate,
            int(known[3]),
        ]
        value = apply("Conv2DBackpropInput", sizes, filters, value, strides=[1, 1, 1, 1], padding="VALID")
        crops = [[top, bottom + over_down], [left, right + over_across]]
        return rearranging.batch_to_space_nd(value, block, crops)


def _depthwise(
    input: Tensor, filter: Tensor, strides: Any, padding: Any, rate: Any, data_format: str | None, name: str
) -> Tensor:
    rate = [1, 1] if rate is None else rate

    def native(value: Tensor, _: int, pads: Any) -> Tensor:
        return depthwise_conv2d_native(value, filter, strides, pads, data_format or "NHWC", name=name)

    return with_space_to_batch(input, rate, padding, native, shape_ops.shape(filter), None, data_format)


def depthwise_conv2d(
    input: TensorLike,
    filter: TensorLike = None,
    strides: Any = None,
    padding: Any = None,
    rate: Any = None,
    name: str | None = None,
    data_format: str | None = None,
    dilations: Any = None,
) -> Tensor:
    """Each channel with filters of its own, dilated where `rate` says. Source: `tf.nn.depthwise_conv2d`."""
    rate = one_of("dilations", dilations, "rate", rate)
    with name_scope(name, "depthwise") as scope:
        filter = convert_to_tensor(filter, name="filter_in")
        input = convert_to_tensor(input, name="tensor_in")
        return _depthwise(input, filter, strides, padding, rate, data_format, scope)


def separable_conv2d(
    input: TensorLike,
    depthwise_filter: TensorLike,
    pointwise_filter: TensorLike,
    strides: Any,
    padding: Any,
    rate: Any = None,
    name: str | None = None,
    data_format: str | None = None,
    dilations: Any = None,
) -> Tensor:
    """A depthwise convolution, then a 1x1 convolution that mixes the channels. Source: `tf.nn.separable_conv2d`."""
    rate = one_of("dilations", dilations, "rate", rate)
    with name_scope(name, "separable_conv2d") as scope:
        input = convert_to_tensor(input, name="tensor_in")
        depthwise_filter = convert_to_tensor(depthwise_filter, name="depthwise_filter")
        pointwise_filter = convert_to_tensor(pointwise_filter, name="pointwise_filter")
        raw = pointwise_filter.raw_shape
        if raw is not None and (len(raw) != 4 or raw[0] not in (1, None) or raw[1] not in (1, None)):
            raise ValueError(f"`pointwise_filter` must be 1 by 1. Received: pointwise_filter.shape={raw}")
        middle = _depthwise(input, depthwise_filter, strides, padding, rate, data_format, "depthwise")
        return apply(
            "Conv2D",
            middle,
            pointwise_filter,
            strides=[1, 1, 1, 1],
            padding="VALID",
            data_format=data_format or "NHWC",
            name=scope,
        )
