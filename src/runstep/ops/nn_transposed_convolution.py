"""Transposed convolutions: the `tf.nn.*` functions over the gradients of convolutions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops import joining, shape_ops
from runstep.ops.nn_convolution import channel_axis, explicit, per_axis
from runstep.ops.reduction import one_of

__all__ = [
    "conv1d_transpose",
    "conv2d_transpose",
    "conv3d_transpose",
    "conv_transpose",
]


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
