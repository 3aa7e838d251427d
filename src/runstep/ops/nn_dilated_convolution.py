"""Convolutions of any rank, dilated by moving space into the batch, or separable: `tf.nn.*` over plain convolutions."""

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
from runstep.ops.nn_convolution import conv1d, conv2d, conv3d, depthwise_conv2d_native
from runstep.ops.nn_transposed_convolution import conv2d_transpose
from runstep.ops.reduction import one_of

__all__ = [
    "atrous_conv2d",
    "atrous_conv2d_transpose",
    "convolution",
    "depthwise_conv2d",
    "separable_conv2d",
    "with_space_to_batch",
]


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
