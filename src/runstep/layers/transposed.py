"""Transposed convolutions: upwards, as the gradient of a convolution goes."""

from __future__ import annotations

from typing import Any

from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor, TensorLike
from runstep.layers.arguments import channels, op_data_format, transposed_output
from runstep.layers.convolution import ZEROS, Conv, Function
from runstep.layers.input_spec import InputSpec
from runstep.ops.joining import stack
from runstep.ops.nn_transposed_convolution import (
    conv2d_transpose as nn_conv2d_transpose,
    conv3d_transpose as nn_conv3d_transpose,
)
from runstep.ops.shape_ops import shape

__all__ = ["Conv2DTranspose", "Conv3DTranspose", "conv2d_transpose", "conv3d_transpose"]


class ConvTranspose(Conv):
    """What transposed convolutions have in common."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.input_spec = InputSpec(ndim=self.spatial + 2)

    def build(self, input_shape: Any) -> None:
        found = TensorShape(input_shape)
        rank = self.spatial + 2
        if found.rank != rank:
            raise ValueError(f"Inputs should have rank {rank}. Received input_shape={input_shape}.")
        depth = channels(found, self.channel_axis)
        self.input_spec = InputSpec(ndim=rank, axes={self.channel_axis: depth})
        self.kernel = self.add_weight(
            "kernel",
            shape=(*self.kernel_size, self.filters, depth),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.make_bias()
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        first = self.data_format == "channels_first"
        axes = range(2, self.spatial + 2) if first else range(1, self.spatial + 1)
        sizes = shape(inputs)
        batch = sizes[0]
        known = inputs.get_shape().as_list()
        # In three dimensions TensorFlow takes no notice of what is known.
        space = [sizes[axis] if self.spatial == 3 or known[axis] is None else known[axis] for axis in axes]
        out = [
            transposed_output(size, kernel, self.padding, stride)
            for size, kernel, stride in zip(space, self.kernel_size, self.strides, strict=True)
        ]
        output_shape = stack([batch, self.filters, *out] if first else [batch, *out, self.filters])
        function = nn_conv2d_transpose if self.spatial == 2 else nn_conv3d_transpose
        strides = (1, 1, *self.strides) if first else (1, *self.strides, 1)
        outputs = function(
            inputs,
            self.kernel,
            output_shape,
            strides=strides,
            padding=self.padding.upper(),
            data_format=op_data_format(self.data_format, self.spatial),
        )
        outputs.set_shape(self.compute_output_shape(inputs.get_shape()))
        return self.activated(self.with_bias(outputs))

    def window_output(self, size: int | None, axis: int) -> int | None:
        return transposed_output(size, self.kernel_size[axis], self.padding, self.strides[axis])


class Conv2DTranspose(ConvTranspose):
    """Transposed convolution in two dimensions (source: tf.layers.Conv2DTranspose).

    Args:
      As `Conv2D`; outputs are about `strides` times as large as inputs, and `kernel` is
        [*kernel_size, filters, input channels].
    """

    spatial = 2

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str = "channels_last",
        activation: Function | None = None,
        use_bias: bool = True,
        kernel_initializer: Any = None,
        bias_initializer: Any = ZEROS,
        kernel_regularizer: Function | None = None,
        bias_regularizer: Function | None = None,
        activity_regularizer: Function | None = None,
        kernel_constraint: Function | None = None,
        bias_constraint: Function | None = None,
        trainable: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            filters,
            kernel_size,
            strides,
            padding,
            data_format,
            1,
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            bias_constraint,
            trainable,
            name,
            **kwargs,
        )


class Conv3DTranspose(ConvTranspose):
    """Transposed convolution in three dimensions (source: tf.layers.Conv3DTranspose).

    Args:
      As `Conv3D`; outputs are about `strides` times as large as inputs, and `kernel` is
        [*kernel_size, filters, input channels].
    """

    spatial = 3

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1, 1),
        padding: str = "valid",
        data_format: str = "channels_last",
        activation: Function | None = None,
        use_bias: bool = True,
        kernel_initializer: Any = None,
        bias_initializer: Any = ZEROS,
        kernel_regularizer: Function | None = None,
        bias_regularizer: Function | None = None,
        activity_regularizer: Function | None = None,
        kernel_constraint: Function | None = None,
        bias_constraint: Function | None = None,
        trainable: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            filters,
            kernel_size,
            strides,
            padding,
            data_format,
            1,
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            bias_constraint,
            trainable,
            name,
            **kwargs,
        )


def conv2d_transpose(
    inputs: TensorLike,
    filters: int,
    kernel_size: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str = "channels_last",
    activation: Function | None = None,
    use_bias: bool = True,
    kernel_initializer: Any = None,
    bias_initializer: Any = ZEROS,
    kernel_regularizer: Function | None = None,
    bias_regularizer: Function | None = None,
    activity_regularizer: Function | None = None,
    kernel_constraint: Function | None = None,
    bias_constraint: Function | None = None,
    trainable: bool = True,
    name: str | None = None,
    reuse: bool | None = None,
) -> Tensor:
    """A `Conv2DTranspose` layer, applied once (source: tf.layers.conv2d_transpose)."""
    return Conv2DTranspose(
        filters,
        kernel_size,
        strides,
        padding,
        data_format,
        activation,
        use_bias,
        kernel_initializer,
        bias_initializer,
        kernel_regularizer,
        bias_regularizer,
        activity_regularizer,
        kernel_constraint,
        bias_constraint,
        trainable,
        name,
        _scope=name,
        _reuse=reuse,
    ).apply(inputs)


def conv3d_transpose(
    inputs: TensorLike,
    filters: int,
    kernel_size: Any,
    strides: Any = (1, 1, 1),
    padding: str = "valid",
    data_format: str = "channels_last",
    activation: Function | None = None,
    use_bias: bool = True,
    kernel_initializer: Any = None,
    bias_initializer: Any = ZEROS,
    kernel_regularizer: Function | None = None,
    bias_regularizer: Function | None = None,
    activity_regularizer: Function | None = None,
    kernel_constraint: Function | None = None,
    bias_constraint: Function | None = None,
    trainable: bool = True,
    name: str | None = None,
    reuse: bool | None = None,
) -> Tensor:
    """A `Conv3DTranspose` layer, applied once (source: tf.layers.conv3d_transpose)."""
    return Conv3DTranspose(
        filters,
        kernel_size,
        strides,
        padding,
        data_format,
        activation,
        use_bias,
        kernel_initializer,
        bias_initializer,
        kernel_regularizer,
        bias_regularizer,
        activity_regularizer,
        kernel_constraint,
        bias_constraint,
        trainable,
        name,
        _scope=name,
        _reuse=reuse,
    ).apply(inputs)
