"""Pooling: the `tf.nn.*` functions over the ops of `runstep.ops.pooling`."""

from __future__ import annotations

from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.apply import apply, apply_named
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops import elementwise, rearranging, shape_ops
from runstep.ops.nn_convolution import channel_axis, explicit, per_axis
from runstep.ops.nn_dilated_convolution import with_space_to_batch
from runstep.ops.reduction import one_of

__all__ = [
    "avg_pool",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "avg_pool_v2",
    "dilation2d",
    "erosion2d",
    "extract_image_patches",
    "extract_volume_patches",
    "max_pool",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_pool_v2",
    "max_pool_with_argmax",
    "pool",
]


def _pooled(
    op_type: str, input: Tensor, ksize: Any, strides: Any, padding: Any, data_format: str | None, name: str | None
) -> Tensor:
    data_format = "NHWC" if data_format is None else data_format
    axis = channel_axis(data_format, 4)
    padding, paddings = explicit(padding)
    more = {"explicit_paddings": paddings} if op_type == "MaxPool" else {}
    return apply(
        op_type,
        input,
        ksize=per_axis(ksize, 2, axis, "ksize"),
        strides=per_axis(strides, 2, axis, "strides"),
        padding=padding,
        data_format=data_format,
        name=name,
        **more,
    )


def max_pool(
    value: TensorLike,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    name: str | None = None,
    input: TensorLike = None,
) -> Tensor:
    """The largest element of each window. Source: `tf.nn.max_pool`."""
    value = one_of("input", input, "value", value)
    with name_scope(name, "MaxPool") as scope:
        value = convert_to_tensor(value, name="input")
        return _pooled("MaxPool", value, ksize, strides, padding, data_format, scope)


def max_pool2d(
    input: TensorLike, ksize: Any, strides: Any, padding: Any, data_format: str = "NHWC", name: str | None = None
) -> Tensor:
    """The largest element of each window of `[batch, height, width, channels]`. Source: `tf.nn.max_pool2d`."""
    with name_scope(name, "MaxPool2d") as scope:
        return _pooled("MaxPool", convert_to_tensor(input, name="input"), ksize, strides, padding, data_format, scope)


def avg_pool(
    value: TensorLike,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    name: str | None = None,
    input: TensorLike = None,
) -> Tensor:
    """The mean of each window. Source: `tf.nn.avg_pool`."""
    value = one_of("input", input, "value", value)
    with name_scope(name, "AvgPool") as scope:
        value = convert_to_tensor(value, name="value")
        return _pooled("AvgPool", value, ksize, strides, padding, data_format, scope)


avg_pool2d = avg_pool


def _pooled_1d(
    op_type: str, scope: str, input: TensorLike, ksize: Any, strides: Any, padding: str, data_format: str | None
) -> Tensor:
    first = data_format == "NCW"
    spatial, axis = (2, 1) if first else (1, 2)
    sizes, steps = per_axis(ksize, 1, axis, "ksize"), per_axis(strides, 1, axis, "strides")
    sizes.insert(spatial, 1)
    steps.insert(spatial, 1)
    value = shape_ops.expand_dims(convert_to_tensor(input, name="input"), spatial)
    data_format = "NCHW" if first else "NHWC"
    result = apply(op_type, value, ksize=sizes, strides=steps, padding=padding, data_format=data_format, name=scope)
    return shape_ops.squeeze(result, spatial)


def max_pool1d(
    input: TensorLike, ksize: Any, strides: Any, padding: str, data_format: str = "NWC", name: str | None = None
) -> Tensor:
    """The largest element of each window of `[batch, width, channels]`. Source: `tf.nn.max_pool1d`."""
    with name_scope(name, "MaxPool1d") as scope:
        return _pooled_1d("MaxPool", scope, input, ksize, strides, padding, data_format)


def avg_pool1d(
    input: TensorLike, ksize: Any, strides: Any, padding: str, data_format: str = "NWC", name: str | None = None
) -> Tensor:
    """The mean of each window of `[batch, width, channels]`. Source: `tf.nn.avg_pool1d`."""
    with name_scope(name, "AvgPool1D") as scope:
        return _pooled_1d("AvgPool", scope, input, ksize, strides, padding, data_format)


def _pooled_3d(
    op_type: str, input: Tensor, ksize: Any, strides: Any, padding: str, data_format: str | None, scope: str
) -> Tensor:
    data_format = "NDHWC" if data_format is None else data_format
    axis = channel_axis(data_format, 5)
    return apply(
        op_type,
        input,
        ksize=per_axis(ksize, 3, axis, "ksize"),
        strides=per_axis(strides, 3, axis, "strides"),
        padding=padding,
        data_format=data_format,
        name=scope,
    )


def max_pool3d(
    input: TensorLike, ksize: Any, strides: Any, padding: str, data_format: str = "NDHWC", name: str | None = None
) -> Tensor:
    """The largest element of each window of rank 5 input. Source: `tf.nn.max_pool3d`."""
    with name_scope(name, "MaxPool3D") as scope:
        return _pooled_3d("MaxPool3D", convert_to_tensor(input), ksize, strides, padding, data_format, scope)


def avg_pool3d(
    input: TensorLike, ksize: Any, strides: Any, padding: str, data_format: str = "NDHWC", name: str | None = None
) -> Tensor:
    """The mean of each window of rank 5 input. Source: `tf.nn.avg_pool3d`."""
    with name_scope(name, "AvgPool3D") as scope:
        return _pooled_3d(
            "AvgPool3D", convert_to_tensor(input, name="value"), ksize, strides, padding, data_format, scope
        )


def _by_rank(functions: dict[int, Any], input: Any, data_format: str | None, default: int | None) -> Any:
    input = convert_to_tensor(input)
    if data_format is not None:
        rank = {"NWC": 3, "NCW": 3, "NHWC": 4, "NCHW": 4, "NDHWC": 5, "NCDHW": 5}.get(data_format, 4)
    else:
        rank = input.shape.ndims or default or 4
    if rank not in functions:
        raise ValueError(f"Input tensor must be of rank 3, 4 or 5 but was {rank}.")
    return functions[rank], {} if data_format is None else {"data_format": data_format}


def max_pool_v2(
    input: TensorLike, ksize: Any, strides: Any, padding: Any, data_format: str | None = None, name: str | None = None
) -> Tensor:
    """Max pooling in as many dimensions as `input` has. Source: `tf.nn.max_pool_v2`."""
    function, more = _by_rank({3: max_pool1d, 4: max_pool2d, 5: max_pool3d}, input, data_format, None)
    return function(input, ksize, strides, padding, name=name, **more)


def avg_pool_v2(
    input: TensorLike, ksize: Any, strides: Any, padding: Any, data_format: str | None = None, name: str | None = None
) -> Tensor:
    """Average pooling in as many dimensions as `input` has. Source: `tf.nn.avg_pool_v2`."""
    function, more = _by_rank({3: avg_pool1d, 4: avg_pool, 5: avg_pool3d}, input, data_format, None)
    return function(input, ksize, strides, padding, name=name, **more)


def max_pool_with_argmax(
    input: TensorLike,
    ksize: Any,
    strides: Any,
    padding: str,
    data_format: str = "NHWC",
    Targmax: Any = None,
    name: str | None = None,
    output_dtype: Any = None,
    include_batch_in_index: bool = False,
) -> Any:
    """Max pooling, and where in the flattened image each maximum was. Source: `tf.nn.max_pool_with_argmax`."""
    if data_format != "NHWC":
        raise ValueError(
            f"`data_format` values other than 'NHWC' are not supported. Received: data_format={data_format}"
        )
    index_type = one_of("output_dtype", output_dtype, "Targmax", Targmax)
    return apply_named(
        "MaxPoolWithArgmax",
        input,
        ksize=ksize,
        strides=strides,
        Targmax=dtypes.int64 if index_type is None else index_type,
        padding=padding,
        include_batch_in_index=include_batch_in_index,
        name=name,
    )


def pool(
    input: TensorLike,
    window_shape: Any,
    pooling_type: str,
    padding: str,
    dilation_rate: Any = None,
    strides: Any = None,
    name: str | None = None,
    data_format: str | None = None,
    dilations: Any = None,
) -> Tensor:
    """Pooling ("MAX" or "AVG") over one to three spatial axes, dilated or strided. Source: `tf.nn.pool`."""
    rates = one_of("dilations", dilations, "dilation_rate", dilation_rate)
    with name_scope(name, f"{pooling_type.lower()}_pool") as scope:
        input = convert_to_tensor(input, name="input")
        spatial = len(window_shape)
        if spatial not in (1, 2, 3):
            raise ValueError(f"`len(window_shape)` must be 1, 2, or 3. Received: window_shape={window_shape}")
        steps = [1] * spatial if strides is None else list(strides)
        spread = [1] * spatial if rates is None else list(rates)
        if padding == "SAME" and any(rate > 1 for rate in spread):
            raise ValueError(
                "pooling with 'SAME' padding is not implemented for `dilation_rate` > 1. "
                f"Received: padding={padding} and dilation_rate={np.array(spread)}"
            )
        if any(step > window for step, window in zip(steps, window_shape, strict=True)):
            raise ValueError(
                f"`strides` > `window_shape` not supported due to inconsistency between CPU and GPU implementations. "
                f"Received: strides={steps} and window_shape={window_shape}"
            )
        functions: dict[tuple[str, int], Any] = {
            ("MAX", 1): max_pool1d,
            ("MAX", 2): max_pool,
            ("MAX", 3): max_pool3d,
            ("AVG", 1): avg_pool1d,
            ("AVG", 2): avg_pool,
            ("AVG", 3): avg_pool3d,
        }
        if (pooling_type, spatial) not in functions:
            raise ValueError(f"`pooling_type` must be 'MAX' or 'AVG'. Received: pooling_type={pooling_type}")
        function = functions[pooling_type, spatial]
        first = data_format is not None and data_format.startswith("NC")
        lead = [1, 1] if first else [1]
        tail = [] if first else [1]
        known = {1: None, 2: "NCHW" if first else "NHWC", 3: "NCDHW" if first else "NDHWC"}[spatial]

        def undilated(value: Tensor, _: int, pads: str) -> Tensor:
            if spatial == 1:
                one = max_pool1d if pooling_type == "MAX" else avg_pool1d
                return one(value, window_shape, steps, pads, data_format="NCW" if first else "NWC", name=scope)
            return function(
                value, [*lead, *window_shape, *tail], [*lead, *steps, *tail], pads, data_format=known, name=scope
            )

        return with_space_to_batch(input, spread, padding, undilated, list(window_shape), None, data_format)


def dilation2d(
    input: TensorLike,
    filter: TensorLike = None,
    strides: Any = None,
    rates: Any = None,
    padding: str | None = None,
    name: str | None = None,
    filters: TensorLike = None,
    dilations: Any = None,
) -> Tensor:
    """Grey-scale dilation: the largest of `input + filter` over each window. Source: `tf.nn.dilation2d`."""
    filter = one_of("filters", filters, "filter", filter)
    rates = one_of("dilations", dilations, "rates", rates)
    return apply("Dilation2D", input, filter, strides=strides, rates=rates, padding=padding, name=name)


def erosion2d(
    value: TensorLike, kernel: TensorLike, strides: Any, rates: Any, padding: str, name: str | None = None
) -> Tensor:
    """Grey-scale erosion: the smallest of `value - kernel` over each window. Source: `tf.nn.erosion2d`."""
    with name_scope(name, "erosion2d") as scope:
        negative = elementwise.negative(value)
        turned = rearranging.reverse(kernel, [0, 1])
        return elementwise.negative(
            apply("Dilation2D", negative, turned, strides=strides, rates=rates, padding=padding, name=scope)
        )


def extract_image_patches(
    images: TensorLike,
    ksizes: Any = None,
    strides: Any = None,
    rates: Any = None,
    padding: str | None = None,
    name: str | None = None,
    sizes: Any = None,
) -> Tensor:
    """The windows of `images`, side by side in the channels. Source: `tf.extract_image_patches`."""
    ksizes = one_of("sizes", sizes, "ksizes", ksizes)
    return apply("ExtractImagePatches", images, ksizes=ksizes, strides=strides, rates=rates, padding=padding, name=name)


def extract_volume_patches(
    input: TensorLike, ksizes: Any, strides: Any, padding: str, name: str | None = None
) -> Tensor:
    """The blocks of `input` `[batch, planes, rows, columns, channels]`, side by side in the channels.

    Source: `tf.extract_volume_patches`.
    """
    return apply("ExtractVolumePatches", input, ksizes=ksizes, strides=strides, padding=padding, name=name)
