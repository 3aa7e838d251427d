"""Convolutions in one, two and three dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor, TensorLike
from runstep.layers.arguments import (
    activation_function,
    channels,
    data_format_of,
    op_data_format,
    padding_of,
    sizes_of,
    window_output,
)
from runstep.layers.base import Layer
from runstep.layers.input_spec import InputSpec
from runstep.ops.joining import pad
from runstep.ops.nn_dilated_convolution import convolution
from runstep.ops.nn_statistics import bias_add
from runstep.ops.shape_ops import reshape
from runstep.variables.initializers import Zeros

__all__ = ["Conv1D", "Conv2D", "Conv3D", "conv1d", "conv2d", "conv3d"]

ZEROS = Zeros()
Function = Callable[[Any], Any]


class Conv(Layer):
    """What convolutions have in common; `spatial` is the number of axes that windows move along."""

    spatial = 0

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any,
        padding: str,
        data_format: str,
        dilation_rate: Any,
        activation: Function | None,
        use_bias: bool,
        kernel_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Function | None,
        bias_regularizer: Function | None,
        activity_regularizer: Function | None,
        kernel_constraint: Function | None,
        bias_constraint: Function | None,
        trainable: bool,
        name: str | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(trainable, name, activity_regularizer=activity_regularizer, **kwargs)
        spatial = self.spatial
        if filters is not None and filters <= 0:
            raise ValueError(
                f"Invalid value for argument `filters`. Expected a strictly positive value. Received filters={filters}."
            )
        self.filters = filters
        self.kernel_size = sizes_of(kernel_size, spatial, "kernel_size")
        self.strides = sizes_of(strides, spatial, "strides", zero=True)
        self.padding = padding_of(padding, causal=spatial == 1)
        self.data_format = data_format_of(data_format)
        self.dilation_rate = sizes_of(dilation_rate, spatial, "dilation_rate")
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                "`strides > 1` not supported in conjunction with `dilation_rate > 1`. Received: "
                f"strides={self.strides} and dilation_rate={self.dilation_rate}"
            )
        self.activation, self.use_bias = activation_function(activation), use_bias
        self.kernel_initializer, self.bias_initializer = kernel_initializer, bias_initializer
        self.kernel_regularizer, self.bias_regularizer = kernel_regularizer, bias_regularizer
        self.kernel_constraint, self.bias_constraint = kernel_constraint, bias_constraint
        self.input_spec = InputSpec(min_ndim=spatial + 2)

    @property
    def channel_axis(self) -> int:
        """The axis of the channels, from the end."""
        return -1 - self.spatial if self.data_format == "channels_first" else -1

    def build(self, input_shape: Any) -> None:
        depth = channels(input_shape, self.channel_axis)
        self.make_kernels(depth)
        self.make_bias()
        self.input_spec = InputSpec(min_ndim=self.spatial + 2, axes={self.channel_axis: depth})
        self.built = True

    def make_kernels(self, depth: int) -> None:
        self.kernel = self.add_weight(
            "kernel",
            shape=(*self.kernel_size, depth, self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )

    def make_bias(self) -> None:
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                "bias",
                shape=(self.filters,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def call(self, inputs: Tensor) -> Tensor:
        padding = self.padding.upper()
        if self.padding == "causal":
            inputs, padding = self.padded_left(inputs), "VALID"
        outputs = convolution(
            inputs,
            self.kernel,
            padding,
            strides=self.strides,
            dilation_rate=self.dilation_rate,
            data_format=op_data_format(self.data_format, self.spatial),
            name=type(self).__name__,
        )
        return self.activated(self.with_bias(outputs))

    def padded_left(self, inputs: Tensor) -> Tensor:
        """Zeros before the first step, as many as a window reaches back."""
        reach = self.dilation_rate[0] * (self.kernel_size[0] - 1)
        paddings = [[0, 0], [reach, 0], [0, 0]] if self.data_format == "channels_last" else [[0, 0], [0, 0], [reach, 0]]
        return pad(inputs, paddings)

    def with_bias(self, outputs: Tensor) -> Tensor:
        if self.bias is None:
            return outputs
        if self.data_format == "channels_last":
            return bias_add(outputs, self.bias, data_format="NHWC")
        if self.spatial == 1:
            return outputs + reshape(self.bias, (1, self.filters, 1))
        return bias_add(outputs, self.bias, data_format="NCHW")

    def activated(self, outputs: Tensor) -> Tensor:
        return outputs if self.activation is None else self.activation(outputs)

    def window_output(self, size: int | None, axis: int) -> int | None:
        return window_output(size, self.kernel_size[axis], self.padding, self.strides[axis], self.dilation_rate[axis])

    def compute_output_shape(self, input_shape: Any) -> TensorShape:
        sizes = TensorShape(input_shape).as_list()
        if self.data_format == "channels_last":
            space = [self.window_output(size, axis) for axis, size in enumerate(sizes[1:-1])]
            return TensorShape([sizes[0], *space, self.filters])
        space = [self.window_output(size, axis) for axis, size in enumerate(sizes[2:])]
        return TensorShape([sizes[0], self.filters, *space])


class Conv1D(Conv):
    """Convolution in one dimension (source: tf.layers.Conv1D).

    Inputs are `[batch, steps, channels]`; with `data_format="channels_first"` the channels come second.

    Args:
      filters: the channels of the outputs. kernel_size, strides, dilation_rate: one for all spatial axes or one for
        each; strides and dilation exclude each other. padding: "valid", "same", or "causal": no
        output sees a later step.
      activation: a function of the sum, or its name; none by default. The others: as `Dense`; `kernel` is
        [*kernel_size, input channels, filters].
    """

    spatial = 1

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str = "channels_last",
        dilation_rate: Any = 1,
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
            dilation_rate,
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


class Conv2D(Conv):
    """Convolution in two dimensions (source: tf.layers.Conv2D).

    Inputs are `[batch, height, width, channels]`; with `data_format="channels_first"` the channels come second.

    Args:
      filters: the channels of the outputs. kernel_size, strides, dilation_rate: one for all spatial axes or one for
        each; strides and dilation exclude each other. padding: "valid" or "same".
      activation: a function of the sum, or its name; none by default. The others: as `Dense`; `kernel` is
        [*kernel_size, input channels, filters].
    """

    spatial = 2

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str = "channels_last",
        dilation_rate: Any = (1, 1),
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
            dilation_rate,
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


class Conv3D(Conv):
    """Convolution in three dimensions (source: tf.layers.Conv3D).

    Inputs are `[batch, depth, height, width, channels]`; with `data_format="channels_first"` the channels come second.

    Args:
      filters: the channels of the outputs. kernel_size, strides, dilation_rate: one for all spatial axes or one for
        each; strides and dilation exclude each other. padding: "valid" or "same".
      activation: a function of the sum, or its name; none by default. The others: as `Dense`; `kernel` is
        [*kernel_size, input channels, filters].
    """

    spatial = 3

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1, 1),
        padding: str = "valid",
        data_format: str = "channels_last",
        dilation_rate: Any = (1, 1, 1),
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
            dilation_rate,
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


def conv1d(
    inputs: TensorLike,
    filters: int,
    kernel_size: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str = "channels_last",
    dilation_rate: Any = 1,
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
    """A `Conv1D` layer, applied once (source: tf.layers.conv1d)."""
    return Conv1D(
        filters,
        kernel_size,
        strides,
        padding,
        data_format,
        dilation_rate,
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


def conv2d(
    inputs: TensorLike,
    filters: int,
    kernel_size: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str = "channels_last",
    dilation_rate: Any = (1, 1),
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
    """A `Conv2D` layer, applied once (source: tf.layers.conv2d)."""
    return Conv2D(
        filters,
        kernel_size,
        strides,
        padding,
        data_format,
        dilation_rate,
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


def conv3d(
    inputs: TensorLike,
    filters: int,
    kernel_size: Any,
    strides: Any = (1, 1, 1),
    padding: str = "valid",
    data_format: str = "channels_last",
    dilation_rate: Any = (1, 1, 1),
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
    """A `Conv3D` layer, applied once (source: tf.layers.conv3d)."""
    return Conv3D(
        filters,
        kernel_size,
        strides,
        padding,
        data_format,
        dilation_rate,
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
