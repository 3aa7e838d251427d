"""Quantization: the `tf.quantization.*` functions over the ops of `runstep.ops.quantization`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runstep.graph import dtypes
from runstep.graph.apply import apply, apply_named
from runstep.graph.convert import convert_to_tensor
from runstep.graph.tensor import Tensor, TensorLike

__all__ = [
    "dequantize",
    "fake_quant_with_min_max_args",
    "fake_quant_with_min_max_args_gradient",
    "fake_quant_with_min_max_vars",
    "fake_quant_with_min_max_vars_gradient",
    "fake_quant_with_min_max_vars_per_channel",
    "fake_quant_with_min_max_vars_per_channel_gradient",
    "quantize",
    "quantize_and_dequantize",
    "quantize_and_dequantize_v2",
    "quantize_v2",
    "quantized_avg_pool",
    "quantized_concat",
    "quantized_conv2d",
    "quantized_max_pool",
    "quantized_relu_x",
]


def quantize(
    input: TensorLike,
    min_range: TensorLike,
    max_range: TensorLike,
    T: Any,  # noqa: N803 - TensorFlow's name
    mode: str = "MIN_COMBINED",
    round_mode: str = "HALF_AWAY_FROM_ZERO",
    name: str | None = None,
    narrow_range: bool = False,
    axis: int | None = None,
    ensure_minimum_range: float = 0.01,
) -> Any:
    """Floats as integers of the quantized type `T`: (output, output_min, output_max).

    Source: `tf.quantization.quantize`.

    Args:
      min_range, max_range: the floats of the least and the greatest integer; vectors with `axis`, which goes over them.
    """
    return apply_named(
        "QuantizeV2",
        input,
        min_range,
        max_range,
        T=T,
        mode=mode,
        round_mode=round_mode,
        name=name,
        narrow_range=narrow_range,
        axis=-1 if axis is None else axis,
        ensure_minimum_range=ensure_minimum_range,
    )


def quantize_v2(
    input: TensorLike,
    min_range: TensorLike,
    max_range: TensorLike,
    T: Any,  # noqa: N803 - TensorFlow's name
    mode: str = "MIN_COMBINED",
    name: str | None = None,
    round_mode: str = "HALF_AWAY_FROM_ZERO",
    narrow_range: bool = False,
    axis: int | None = None,
    ensure_minimum_range: float = 0.01,
) -> Any:
    """`quantize` by its older name, with the arguments in another order (source: tf.quantize_v2)."""
    return quantize(input, min_range, max_range, T, mode, round_mode, name, narrow_range, axis, ensure_minimum_range)


def dequantize(
    input: TensorLike,
    min_range: TensorLike,
    max_range: TensorLike,
    mode: str = "MIN_COMBINED",
    name: str | None = None,
    axis: int | None = None,
    narrow_range: bool = False,
    dtype: Any = dtypes.float32,
) -> Tensor:
    """The floats that quantized integers stand for. Source: `tf.quantization.dequantize`."""
    return apply(
        "Dequantize",
        input,
        min_range,
        max_range,
        mode=mode,
        name=name,
        narrow_range=narrow_range,
        axis=-1 if axis is None else axis,
        dtype=dtype,
    )


def _imitate(op_type: str, input: Any, low: Any, high: Any, axis: int | None, name: str | None, **attrs: Any) -> Tensor:
    if axis is None:
        axis = -1
    elif axis < 0:
        ndims = convert_to_tensor(input).get_shape().ndims
        if ndims is None:
            raise ValueError("input should have known rank to use negative axis.")
        axis = ndims + axis
    return apply(op_type, input, low, high, axis=axis, name=name, **attrs)


def quantize_and_dequantize(
    input: TensorLike,
    input_min: TensorLike,
    input_max: TensorLike,
    signed_input: bool = True,
    num_bits: int = 8,
    range_given: bool = False,
    round_mode: str = "HALF_TO_EVEN",
    name: str | None = None,
    narrow_range: bool = False,
    axis: int | None = None,
) -> Tensor:
    """Floats, rounded as quantization would; the gradient passes as it is. Source: `tf.quantize_and_dequantize`."""
    return _imitate(
        "QuantizeAndDequantizeV2",
        input,
        input_min,
        input_max,
        axis,
        name,
        signed_input=signed_input,
        num_bits=num_bits,
        range_given=range_given,
        round_mode=round_mode,
        narrow_range=narrow_range,
    )


def quantize_and_dequantize_v2(
    input: TensorLike,
    input_min: TensorLike,
    input_max: TensorLike,
    signed_input: bool = True,
    num_bits: int = 8,
    range_given: bool = False,
    round_mode: str = "HALF_TO_EVEN",
    name: str | None = None,
    narrow_range: bool = False,
    axis: int | None = None,
) -> Tensor:
    """As `quantize_and_dequantize`; the gradient is 0 outside of the range.

    Source: `tf.quantization.quantize_and_dequantize_v2`.
    """
    return _imitate(
        "QuantizeAndDequantizeV4",
        input,
        input_min,
        input_max,
        axis,
        name,
        signed_input=signed_input,
        num_bits=num_bits,
        range_given=range_given,
        round_mode=round_mode,
        narrow_range=narrow_range,
    )


def fake_quant_with_min_max_args(
    inputs: TensorLike,
    min: float = -6,
    max: float = 6,
    num_bits: int = 8,
    narrow_range: bool = False,
    name: str | None = None,
) -> Tensor:
    """Floats, rounded to `2^num_bits` steps from min to max. Source: `tf.quantization.fake_quant_with_min_max_args`."""
    return apply(
        "FakeQuantWithMinMaxArgs", inputs, min=min, max=max, num_bits=num_bits, narrow_range=narrow_range, name=name
    )


def fake_quant_with_min_max_args_gradient(
    gradients: TensorLike,
    inputs: TensorLike,
    min: float = -6,
    max: float = 6,
    num_bits: int = 8,
    narrow_range: bool = False,
    name: str | None = None,
) -> Tensor:
    """The gradients where the inputs are within the range, 0 elsewhere.

    Source: `tf.quantization.fake_quant_with_min_max_args_gradient`.
    """
    return apply(
        "FakeQuantWithMinMaxArgsGradient",
        gradients,
        inputs,
        min=min,
        max=max,
        num_bits=num_bits,
        narrow_range=narrow_range,
        name=name,
    )


def fake_quant_with_min_max_vars(
    inputs: TensorLike,
    min: TensorLike,
    max: TensorLike,
    num_bits: int = 8,
    narrow_range: bool = False,
    name: str | None = None,
) -> Tensor:
    """As `fake_quant_with_min_max_args`, the range from tensors.

    Source: `tf.quantization.fake_quant_with_min_max_vars`.
    """
    return apply("FakeQuantWithMinMaxVars", inputs, min, max, num_bits=num_bits, narrow_range=narrow_range, name=name)


def fake_quant_with_min_max_vars_gradient(
    gradients: TensorLike,
    inputs: TensorLike,
    min: TensorLike,
    max: TensorLike,
    num_bits: int = 8,
    narrow_range: bool = False,
    name: str | None = None,
) -> Any:
    """The gradients of the inputs, of `min` and of `max`.

    Source: `tf.quantization.fake_quant_with_min_max_vars_gradient`.
    """
    return apply_named(
        "FakeQuantWithMinMaxVarsGradient",
        gradients,
        inputs,
        min,
        max,
        num_bits=num_bits,
        narrow_range=narrow_range,
        name=name,
    )


def fake_quant_with_min_max_vars_per_channel(
    inputs: TensorLike,
    min: TensorLike,
    max: TensorLike,
    num_bits: int = 8,
    narrow_range: bool = False,
    name: str | None = None,
) -> Tensor:
    """As `fake_quant_with_min_max_vars`, with one range for each channel (the last dimension).

    Source: `tf.quantization.fake_quant_with_min_max_vars_per_channel`.
    """
    return apply(
        "FakeQuantWithMinMaxVarsPerChannel", inputs, min, max, num_bits=num_bits, narrow_range=narrow_range, name=name
    )


def fake_quant_with_min_max_vars_per_channel_gradient(
    gradients: TensorLike,
    inputs: TensorLike,
    min: TensorLike,
    max: TensorLike,
    num_bits: int = 8,
    narrow_range: bool = False,
    name: str | None = None,
) -> Any:
    """The gradients of the inputs, and of each channel's `min` and `max`.

    Source: `tf.quantization.fake_quant_with_min_max_vars_per_channel_gradient`.
    """
    return apply_named(
        "FakeQuantWithMinMaxVarsPerChannelGradient",
        gradients,
        inputs,
        min,
        max,
        num_bits=num_bits,
        narrow_range=narrow_range,
        name=name,
    )


def quantized_concat(
    concat_dim: TensorLike,
    values: Sequence[TensorLike],
    input_mins: Sequence[TensorLike],
    input_maxes: Sequence[TensorLike],
    name: str | None = None,
) -> Any:
    """Quantized tensors joined along an axis, in the widest of their ranges: (output, output_min, output_max).

    Source: `tf.quantization.quantized_concat`.

    Args:
      input_mins, input_maxes: as many scalars as there are tensors.
    """
    return apply_named("QuantizedConcat", concat_dim, values, input_mins, input_maxes, name=name)


def quantized_conv2d(
    input: TensorLike,
    filter: TensorLike,
    min_input: TensorLike,
    max_input: TensorLike,
    min_filter: TensorLike,
    max_filter: TensorLike,
    strides: Sequence[int],
    padding: str,
    out_type: Any = dtypes.qint32,
    dilations: Sequence[int] = (1, 1, 1, 1),
    name: str | None = None,
) -> Any:
    """A convolution of bytes: (output, min_output, max_output). Source: `tf.nn.quantized_conv2d`.

    Args:
      input: `[batch, height, width, channels]`, quint8. filter: `[height, width, channels, out]`, quint8.
      min_input, max_input, min_filter, max_filter: scalars, the floats of the least and the greatest integer.
    """
    return apply_named(
        "QuantizedConv2D",
        input,
        filter,
        min_input,
        max_input,
        min_filter,
        max_filter,
        strides=strides,
        padding=padding,
        out_type=out_type,
        dilations=dilations,
        name=name,
    )


def quantized_relu_x(
    features: TensorLike,
    max_value: TensorLike,
    min_features: TensorLike,
    max_features: TensorLike,
    out_type: Any = dtypes.quint8,
    name: str | None = None,
) -> Any:
    """`min(max(features, 0), max_value)` of quantized features; no device computes it, in TensorFlow neither.

    Source: `tf.nn.quantized_relu_x`.
    """
    return apply_named("QuantizedReluX", features, max_value, min_features, max_features, out_type=out_type, name=name)


def quantized_avg_pool(
    input: TensorLike,
    min_input: TensorLike,
    max_input: TensorLike,
    ksize: Sequence[int],
    strides: Sequence[int],
    padding: str,
    name: str | None = None,
) -> Any:
    """Means of windows of quantized images, rounded down: (output, min_output, max_output).

    Source: `tf.nn.quantized_avg_pool`.
    """
    return apply_named(
        "QuantizedAvgPool", input, min_input, max_input, ksize=ksize, strides=strides, padding=padding, name=name
    )


def quantized_max_pool(
    input: TensorLike,
    min_input: TensorLike,
    max_input: TensorLike,
    ksize: Sequence[int],
    strides: Sequence[int],
    padding: str,
    name: str | None = None,
) -> Any:
    """The greatest of windows of quantized images: (output, min_output, max_output).

    Source: `tf.nn.quantized_max_pool`.
    """
    return apply_named(
        "QuantizedMaxPool", input, min_input, max_input, ksize=ksize, strides=strides, padding=padding, name=name
    )
