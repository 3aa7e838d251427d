"""Dense layers, dropout, flattening."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runstep.graph import dtypes
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor, TensorLike
from runstep.layers.arguments import activation_function, data_format_of
from runstep.layers.base import Layer
from runstep.layers.input_spec import InputSpec
from runstep.ops.basic import identity
from runstep.ops.branching import smart_cond
from runstep.ops.contraction import tensordot
from runstep.ops.matmul import matmul
from runstep.ops.nn_statistics import bias_add, dropout as nn_dropout
from runstep.ops.rearranging import transpose
from runstep.ops.shape_ops import expand_dims, reshape, shape
from runstep.variables.initializers import Zeros

__all__ = ["Dense", "Dropout", "Flatten", "dense", "dropout", "flatten"]

_ZEROS = Zeros()
Function = Callable[[Any], Any]


class Dense(Layer):
    """`activation(inputs @ kernel + bias)`, over the last axis (source: tf.layers.Dense).

    Args:
      units: the size of the last axis of the outputs. activation: a function of the sum, or its name; none by default.
      use_bias: whether there is a bias. The others: how `kernel` [inputs, units] and `bias` [units] start, which losses
        they add, what constrains them after updates; a loss from the outputs; as `Layer`.

    Raises (when called):
      ValueError: inputs of rank 0 or 1, or with a last axis of unknown size. TypeError: inputs that aren't floats.
    """

    def __init__(
        self,
        units: int,
        activation: Function | None = None,
        use_bias: bool = True,
        kernel_initializer: Any = None,
        bias_initializer: Any = _ZEROS,
        kernel_regularizer: Function | None = None,
        bias_regularizer: Function | None = None,
        activity_regularizer: Function | None = None,
        kernel_constraint: Function | None = None,
        bias_constraint: Function | None = None,
        trainable: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(trainable, name, activity_regularizer=activity_regularizer, **kwargs)
        self.units = int(units) if not isinstance(units, int) else units
        if self.units < 0:
            raise ValueError(
                f"Received an invalid value for `units`, expected a positive integer. Received: units={units}"
            )
        self.activation = activation_function(activation)
        self.use_bias = use_bias
        self.kernel_initializer, self.bias_initializer = kernel_initializer, bias_initializer
        self.kernel_regularizer, self.bias_regularizer = kernel_regularizer, bias_regularizer
        self.kernel_constraint, self.bias_constraint = kernel_constraint, bias_constraint
        self.input_spec = InputSpec(min_ndim=2)

    def build(self, input_shape: Any) -> None:
        kind = dtypes.as_dtype(self.dtype or dtypes.float32)
        if not (kind.is_floating or kind.is_complex):
            raise TypeError(f"A Dense layer can only be built with a floating-point dtype. Received: dtype={kind.name}")
        found = TensorShape(input_shape)
        width = None if found.rank is None else found.as_list()[-1]
        if width is None:
            raise ValueError(
                "The last dimension of the inputs to a Dense layer should be defined. Found None. Full input shape "
                f"received: {found if found.rank is None else (*found.as_list(),)}"
            )
        self.input_spec = InputSpec(min_ndim=2, axes={-1: width})
        self.kernel = self.add_weight(
            "kernel",
            shape=[width, self.units],
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                "bias",
                shape=[self.units],
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        rank = inputs.get_shape().rank
        if rank in (2, None):
            outputs = matmul(inputs, self.kernel)
        else:
            outputs = tensordot(inputs, self.kernel, [[rank - 1], [0]])
            outputs.set_shape([*inputs.get_shape().as_list()[:-1], self.units])
        if self.bias is not None:
            outputs = bias_add(outputs, self.bias)
        return outputs if self.activation is None else self.activation(outputs)

    def compute_output_shape(self, input_shape: Any) -> TensorShape:
        sizes = TensorShape(input_shape).with_rank_at_least(2).as_list()
        if sizes[-1] is None:
            raise ValueError(
                f"The last dimension of the input shape of a Dense layer should be defined. Found None. Received: "
                f"input_shape={input_shape}"
            )
        return TensorShape([*sizes[:-1], self.units])


def dense(
    inputs: TensorLike,
    units: int,
    activation: Function | None = None,
    use_bias: bool = True,
    kernel_initializer: Any = None,
    bias_initializer: Any = _ZEROS,
    kernel_regularizer: Function | None = None,
    bias_regularizer: Function | None = None,
    activity_regularizer: Function | None = None,
    kernel_constraint: Function | None = None,
    bias_constraint: Function | None = None,
    trainable: bool = True,
    name: str | None = None,
    reuse: bool | None = None,
) -> Tensor:
    """A `Dense` layer, applied once (source: tf.layers.dense).

    Args:
      reuse: find the variables of an earlier layer of this name. The others: as `Dense`.
    """
    return Dense(
        units,
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


class Dropout(Layer):
    """Zeroes some of the inputs in training, and scales the others up by as much (source: tf.layers.Dropout).

    Args:
      rate: the part that is zeroed, in [0, 1]. noise_shape: along axes of size 1 inputs share their fate; None in it
        takes the size of the inputs. seed: of the random numbers.
    """

    def __init__(
        self, rate: Any = 0.5, noise_shape: Any = None, seed: int | None = None, name: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        if isinstance(rate, int | float) and not 0 <= rate <= 1:
            raise ValueError(f"Invalid value {rate} received for `rate`, expected a value between 0 and 1.")
        self.rate, self.noise_shape, self.seed = rate, noise_shape, seed

    def _noise_shape(self, inputs: Tensor) -> Any:
        if not isinstance(self.noise_shape, list | tuple):
            return self.noise_shape
        sizes = shape(inputs)
        return convert_to_tensor([sizes[axis] if size is None else size for axis, size in enumerate(self.noise_shape)])

    def call(self, inputs: Tensor, training: Any = False) -> Tensor:
        def dropped() -> Tensor:
            return nn_dropout(inputs, noise_shape=self._noise_shape(inputs), seed=self.seed, rate=self.rate)

        return smart_cond(training, dropped, lambda: identity(inputs))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


def dropout(
    inputs: TensorLike,
    rate: Any = 0.5,
    noise_shape: Any = None,
    seed: int | None = None,
    training: Any = False,
    name: str | None = None,
) -> Tensor:
    """A `Dropout` layer, applied once (source: tf.layers.dropout).

    Args:
      training: a bool or a boolean tensor; False by default, and then inputs pass unchanged.
    """
    return Dropout(rate, noise_shape, seed, name).apply(inputs, training=training)


class Flatten(Layer):
    """All axes but the first made one (source: tf.layers.Flatten).

    Args:
      data_format: "channels_last", or "channels_first" to move the channels behind the other axes before.
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format_of(data_format or "channels_last")
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Tensor) -> Tensor:
        rank = inputs.get_shape().rank
        if self.data_format == "channels_first" and rank is not None and rank > 1:
            inputs = transpose(inputs, [0, *range(2, rank), 1])
        sizes = None if rank is None else inputs.get_shape().as_list()
        if sizes is None:
            return _flattened_of_unknown_rank(inputs)
        if len(sizes) == 1:
            return expand_dims(inputs, axis=-1)
        width = self.compute_output_shape(sizes).as_list()[1]
        if width is not None:
            # One unknown size can be left to the op, whatever else is known.
            return reshape(inputs, constant([-1 if width else sizes[0] or 0, width]))
        flat = reshape(inputs, [shape(inputs)[0], -1] if sizes[0] is None else constant([sizes[0], -1]))
        flat.set_shape(self.compute_output_shape(sizes))
        return flat

    def compute_output_shape(self, input_shape: Any) -> TensorShape:
        sizes = TensorShape(input_shape).as_list()
        if len(sizes) == 1:
            return TensorShape([sizes[0], 1])
        width: int | None = 1
        for size in sizes[1:]:
            width = None if width is None or size is None else width * size
        return TensorShape([sizes[0], width])


def _flattened_of_unknown_rank(inputs: Tensor) -> Tensor:
    return reshape(inputs, [shape(inputs)[0], -1])


def flatten(inputs: TensorLike, name: str | None = None, data_format: str = "channels_last") -> Tensor:
    """A `Flatten` layer, applied once (source: tf.layers.flatten)."""
    return Flatten(data_format=data_format, name=name).apply(inputs)
