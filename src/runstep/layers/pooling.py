"""Pooling layers."""

from __future__ import annotations

from typing import Any

from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor, TensorLike
from runstep.layers.arguments import data_format_of, op_data_format, padding_of, sizes_of, window_output
from runstep.layers.base import Layer
from runstep.layers.input_spec import InputSpec
from runstep.ops.nn_pooling import avg_pool, avg_pool3d, max_pool, max_pool3d
from runstep.ops.rearranging import transpose
from runstep.ops.shape_ops import expand_dims, squeeze

__all__ = [
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "average_pooling1d",
    "average_pooling2d",
    "average_pooling3d",
    "max_pooling1d",
    "max_pooling2d",
    "max_pooling3d",
]


class Pooling(Layer):
    """What pooling layers have in common: `functions` pool in two and in three dimensions."""

    spatial = 0
    functions: tuple[Any, Any]

    def __init__(
        self, pool_size: Any, strides: Any, padding: str, data_format: str, name: str | None, **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.pool_size = sizes_of(pool_size, self.spatial, "pool_size")
        self.strides = sizes_of(pool_size if strides is None else strides, self.spatial, "strides", zero=True)
        self.padding = padding_of(padding)
        self.data_format = data_format_of(data_format)
        self.input_spec = InputSpec(ndim=self.spatial + 2)

    def call(self, inputs: Tensor) -> Tensor:
        return (self._line, self._image, self._volume)[self.spatial - 1](inputs)

    def _line(self, inputs: Tensor) -> Tensor:
        """An image of width 1; the kernels of a CPU want the channels last."""
        axis = 3 if self.data_format == "channels_first" else 2
        image = expand_dims(inputs, axis)
        if axis == 3:
            image = transpose(image, (0, 2, 3, 1))
        pooled = self.functions[0](
            image, (1, *self.pool_size, 1, 1), (1, *self.strides, 1, 1), self.padding.upper(), data_format="NHWC"
        )
        return squeeze(transpose(pooled, (0, 3, 1, 2)) if axis == 3 else pooled, axis)

    def _image(self, inputs: Tensor) -> Tensor:
        first = self.data_format == "channels_first"
        return self.functions[0](
            inputs,
            (1, 1, *self.pool_size) if first else (1, *self.pool_size, 1),
            (1, 1, *self.strides) if first else (1, *self.strides, 1),
            self.padding.upper(),
            data_format=op_data_format(self.data_format, 2),
        )

    def _volume(self, inputs: Tensor) -> Tensor:
        first = self.data_format == "channels_first"
        volume = transpose(inputs, (0, 2, 3, 4, 1)) if first else inputs
        pooled = self.functions[1](volume, (1, *self.pool_size, 1), (1, *self.strides, 1), self.padding.upper())
        return transpose(pooled, (0, 4, 1, 2, 3)) if first else pooled

    def compute_output_shape(self, input_shape: Any) -> TensorShape:
        sizes = TensorShape(input_shape).as_list()
        first = self.data_format == "channels_first"
        space = [
            window_output(size, pool, self.padding, stride)
            for size, pool, stride in zip(
                sizes[2:] if first else sizes[1:-1], self.pool_size, self.strides, strict=True
            )
        ]
        return TensorShape([*sizes[:2], *space] if first else [sizes[0], *space, sizes[-1]])


class AveragePooling1D(Pooling):
    """The mean of each window of `[batch, steps, channels]` (source: tf.layers.AveragePooling1D).

    Args:
      pool_size, strides: one for all spatial axes or one for each. padding: "valid" or "same".
      data_format: "channels_last" or "channels_first".
    """

    spatial = 1
    functions = (avg_pool, avg_pool3d)

    def __init__(
        self,
        pool_size: Any,
        strides: Any,
        padding: str = "valid",
        data_format: str = "channels_last",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


class AveragePooling2D(Pooling):
    """The mean of each window of `[batch, height, width, channels]` (source: tf.layers.AveragePooling2D).

    Args:
      pool_size, strides: one for all spatial axes or one for each. padding: "valid" or "same".
      data_format: "channels_last" or "channels_first".
    """

    spatial = 2
    functions = (avg_pool, avg_pool3d)

    def __init__(
        self,
        pool_size: Any,
        strides: Any,
        padding: str = "valid",
        data_format: str = "channels_last",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


class AveragePooling3D(Pooling):
    """The mean of each window of `[batch, depth, height, width, channels]` (source: tf.layers.AveragePooling3D).

    Args:
      pool_size, strides: one for all spatial axes or one for each. padding: "valid" or "same".
      data_format: "channels_last" or "channels_first".
    """

    spatial = 3
    functions = (avg_pool, avg_pool3d)

    def __init__(
        self,
        pool_size: Any,
        strides: Any,
        padding: str = "valid",
        data_format: str = "channels_last",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


class MaxPooling1D(Pooling):
    """The largest element of each window of `[batch, steps, channels]` (source: tf.layers.MaxPooling1D).

    Args:
      pool_size, strides: one for all spatial axes or one for each. padding: "valid" or "same".
      data_format: "channels_last" or "channels_first".
    """

    spatial = 1
    functions = (max_pool, max_pool3d)

    def __init__(
        self,
        pool_size: Any,
        strides: Any,
        padding: str = "valid",
        data_format: str = "channels_last",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


class MaxPooling2D(Pooling):
    """The largest element of each window of `[batch, height, width, channels]` (source: tf.layers.MaxPooling2D).

    Args:
      pool_size, strides: one for all spatial axes or one for each. padding: "valid" or "same".
      data_format: "channels_last" or "channels_first".
    """

    spatial = 2
    functions = (max_pool, max_pool3d)

    def __init__(
        self,
        pool_size: Any,
        strides: Any,
        padding: str = "valid",
        data_format: str = "channels_last",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


class MaxPooling3D(Pooling):
    """The largest element of each window of `[batch, depth, height, width, channels]` (source: tf.layers.MaxPooling3D).

    Args:
      pool_size, strides: one for all spatial axes or one for each. padding: "valid" or "same".
      data_format: "channels_last" or "channels_first".
    """

    spatial = 3
    functions = (max_pool, max_pool3d)

    def __init__(
        self,
        pool_size: Any,
        strides: Any,
        padding: str = "valid",
        data_format: str = "channels_last",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


def average_pooling1d(
    inputs: TensorLike,
    pool_size: Any,
    strides: Any,
    padding: str = "valid",
    data_format: str = "channels_last",
    name: str | None = None,
) -> Tensor:
    """A `AveragePooling1D` layer, applied once (source: tf.layers.average_pooling1d)."""
    return AveragePooling1D(pool_size, strides, padding, data_format, name).apply(inputs)


def average_pooling2d(
    inputs: TensorLike,
    pool_size: Any,
    strides: Any,
    padding: str = "valid",
    data_format: str = "channels_last",
    name: str | None = None,
) -> Tensor:
    """A `AveragePooling2D` layer, applied once (source: tf.layers.average_pooling2d)."""
    return AveragePooling2D(pool_size, strides, padding, data_format, name).apply(inputs)


def average_pooling3d(
    inputs: TensorLike,
    pool_size: Any,
    strides: Any,
    padding: str = "valid",
    data_format: str = "channels_last",
    name: str | None = None,
) -> Tensor:
    """A `AveragePooling3D` layer, applied once (source: tf.layers.average_pooling3d)."""
    return AveragePooling3D(pool_size, strides, padding, data_format, name).apply(inputs)


def max_pooling1d(
    inputs: TensorLike,
    pool_size: Any,
    strides: Any,
    padding: str = "valid",
    data_format: str = "channels_last",
    name: str | None = None,
) -> Tensor:
    """A `MaxPooling1D` layer, applied once (source: tf.layers.max_pooling1d)."""
    return MaxPooling1D(pool_size, strides, padding, data_format, name).apply(inputs)


def max_pooling2d(
    inputs: TensorLike,
    pool_size: Any,
    strides: Any,
    padding: str = "valid",
    data_format: str = "channels_last",
    name: str | None = None,
) -> Tensor:
    """A `MaxPooling2D` layer, applied once (source: tf.layers.max_pooling2d)."""
    return MaxPooling2D(pool_size, strides, padding, data_format, name).apply(inputs)


def max_pooling3d(
    inputs: TensorLike,
    pool_size: Any,
    strides: Any,
    padding: str = "valid",
    data_format: str = "channels_last",
    name: str | None = None,
) -> Tensor:
    """A `MaxPooling3D` layer, applied once (source: tf.layers.max_pooling3d)."""
    return MaxPooling3D(pool_size, strides, padding, data_format, name).apply(inputs)
