"""The base of recurrent cells, and the simple ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runstep.graph import dtypes
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor, TensorLike
from runstep.layers.base import Layer
from runstep.layers.input_spec import InputSpec
from runstep.ops.elementwise import sigmoid, tanh
from runstep.ops.joining import concat, split
from runstep.ops.matmul import matmul
from runstep.ops.nn_statistics import bias_add
from runstep.ops.shape_ops import shape
from runstep.rnn.state import zero_state
from runstep.variables.initializers import constant_initializer, zeros_initializer
from runstep.variables.scope import get_variable_scope, variable_scope

__all__ = ["BasicRNNCell", "GRUCell", "RNNCell"]


class RNNCell(Layer):
    """The base of cells: `output, next_state = cell(inputs, state)` (source: tf.nn.rnn_cell.RNNCell).

    A subclass says its `state_size` and `output_size` (a number, a shape, or a structure of them) and computes in
    `call(inputs, state)`, where it may use `tf.get_variable`.

    Args:
      inputs: `[batch, ...]`. state: a tensor `[batch, size]` for each part of `state_size`, in its structure. scope:
        the variable scope; named after the class by default.
    """

    def __init__(self, trainable: bool = True, name: Any = None, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(trainable=trainable, name=name, dtype=dtype, **kwargs)
        self._tracking_scope: Any = None

    def __call__(self, inputs: TensorLike, state: Any, scope: Any = None) -> Any:
        if scope is not None:
            with variable_scope(scope, custom_getter=self._tracked) as entered:
                return super().__call__(inputs, state, scope=entered)
        if self._tracking_scope is None:
            self._tracking_scope = variable_scope(get_variable_scope(), custom_getter=self._tracked)
        with self._tracking_scope:
            return super().__call__(inputs, state)

    def _tracked(self, getter: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A variable that `call` asks for is one of the layer's."""
        variable = getter(*args, **kwargs)
        trainable = getattr(variable, "trainable", True)
        kept = self._trainable_weights if trainable else self._non_trainable_weights
        if not any(variable is held for held in kept):
            kept.append(variable)
        return variable

    @property
    def state_size(self) -> Any:
        """The size of the state: a number, a shape, or a structure of them."""
        raise NotImplementedError("Abstract method")

    @property
    def output_size(self) -> Any:
        """The size of the output: a number or a shape."""
        raise NotImplementedError("Abstract method")

    def build(self, _: Any) -> None:
        """Variables are made by `call`."""

    def get_initial_state(self, inputs: Any = None, batch_size: Any = None, dtype: Any = None) -> Any:
        """`zero_state`, with batch size and dtype from `inputs` where there are any.

        Raises:
          ValueError: they are given beside `inputs` and differ, or not given at all.
        """
        if inputs is not None:
            inputs = convert_to_tensor(inputs, name="inputs")
            if batch_size is not None:
                known = constant_value(batch_size) if isinstance(batch_size, Tensor) else batch_size
                if inputs.shape.dims[0].value != known:
                    raise ValueError(
                        "batch size from input tensor is different from the input param. Input tensor batch: "
                        f"{inputs.shape.dims[0].value}, batch_size: {batch_size}"
                    )
            if dtype is not None and inputs.dtype != dtype:
                raise ValueError(
                    f"dtype from input tensor is different from the input param. Input tensor dtype: {inputs.dtype}, "
                    f"dtype: {dtype}"
                )
            batch_size = inputs.shape.dims[0].value or shape(inputs)[0]
            dtype = inputs.dtype
        if batch_size is None or dtype is None:
            raise ValueError(
                "batch_size and dtype cannot be None while constructing initial state: "
                f"batch_size={batch_size}, dtype={dtype}"
            )
        return self.zero_state(batch_size, dtype)

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """Zeros `[batch_size, size]` in the structure of `state_size`."""
        with name_scope(type(self).__name__ + "ZeroState", values=[batch_size]):
            return zero_state(self.state_size, batch_size, dtype)


class LayerRNNCell(RNNCell):
    """A cell whose variables are made by `build`, as those of layers are."""

    def __call__(self, inputs: TensorLike, state: Any, scope: Any = None, *args: Any, **kwargs: Any) -> Any:
        return Layer.__call__(self, inputs, state, *args, scope=scope, **kwargs)

    def depth(self, input_shape: Any) -> int:
        """The size of the inputs.

        Raises:
          ValueError: it isn't known.
        """
        found = TensorShape(input_shape)
        size = None if found.rank is None else found.as_list()[-1]
        if size is None:
            said = found if found.rank is None else tuple(found.as_list())
            raise ValueError(f"Expected inputs.shape[-1] to be known, received shape: {said}")
        return size


def activation_of(activation: Any, default: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function: the one given, the default for None, or that of `tf.nn` for a name."""
    if activation is None:
        return default
    if callable(activation):
        return activation
    from runstep import nn

    if not hasattr(nn, activation):
        raise ValueError(f"Unknown activation function: {activation!r}. Give a function, or the name of one in tf.nn.")
    return getattr(nn, activation)


class BasicRNNCell(LayerRNNCell):
    """`output = state = activation(inputs W + state U + b)` (source: tf.nn.rnn_cell.BasicRNNCell).

    Args:
      num_units: the size of state and output. activation: tanh by default. reuse: find the variables rather than make
        them. name, dtype: as layers.
    """

    def __init__(
        self,
        num_units: int,
        activation: Any = None,
        reuse: bool | None = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        self.input_spec = InputSpec(ndim=2)
        self._num_units = num_units
        self._activation = activation_of(activation, tanh)

    @property
    def state_size(self) -> Any:
        return self._num_units

    @property
    def output_size(self) -> Any:
        return self._num_units

    def build(self, inputs_shape: Any) -> None:
        depth = self.depth(inputs_shape)
        self._kernel = self.add_weight("kernel", shape=[depth + self._num_units, self._num_units])
        self._bias = self.add_weight(
            "bias", shape=[self._num_units], initializer=zeros_initializer(dtype=self.dtype or dtypes.float32)
        )
        self.built = True

    def call(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        output = self._activation(bias_add(matmul(concat([inputs, state], 1), self._kernel), self._bias))
        return output, output


class GRUCell(LayerRNNCell):
    """A gated recurrent unit (source: tf.nn.rnn_cell.GRUCell; arXiv 1406.1078).

    `r, u = sigmoid(gates of [inputs, state])`, `c = activation(candidate of [inputs, r * state])`,
    `output = state = u * state + (1 - u) * c`.

    Args:
      num_units: the size of state and output. activation: tanh by default. kernel_initializer, bias_initializer: how
        the two kernels and the two biases start; biases of the gates with ones by default, of the candidate with zeros.
    """

    def __init__(
        self,
        num_units: int,
        activation: Any = None,
        reuse: bool | None = None,
        kernel_initializer: Any = None,
        bias_initializer: Any = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        self.input_spec = InputSpec(ndim=2)
        self._num_units = num_units
        self._activation = activation_of(activation, tanh)
        self._kernel_initializer, self._bias_initializer = kernel_initializer, bias_initializer

    @property
    def state_size(self) -> Any:
        return self._num_units

    @property
    def output_size(self) -> Any:
        return self._num_units

    def build(self, inputs_shape: Any) -> None:
        width, units = self.depth(inputs_shape) + self._num_units, self._num_units
        kind = self.dtype or dtypes.float32
        ones = constant_initializer(1.0, dtype=kind)
        zeros = zeros_initializer(dtype=kind)
        self._gate_kernel = self.add_weight(
            "gates/kernel", shape=[width, 2 * units], initializer=self._kernel_initializer
        )
        self._gate_bias = self.add_weight(
            "gates/bias",
            shape=[2 * units],
            initializer=ones if self._bias_initializer is None else self._bias_initializer,
        )
        self._candidate_kernel = self.add_weight(
            "candidate/kernel", shape=[width, units], initializer=self._kernel_initializer
        )
        self._candidate_bias = self.add_weight(
            "candidate/bias",
            shape=[units],
            initializer=zeros if self._bias_initializer is None else self._bias_initializer,
        )
        self.built = True

    def call(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        gates = bias_add(matmul(concat([inputs, state], 1), self._gate_kernel), self._gate_bias)
        r, u = split(value=sigmoid(gates), num_or_size_splits=2, axis=1)
        candidate = bias_add(matmul(concat([inputs, r * state], 1), self._candidate_kernel), self._candidate_bias)
        c = self._activation(candidate)
        output = u * state + (1 - u) * c
        return output, output


def check_cell(cell: Any, name: str = "cell") -> None:
    """TypeError unless `cell` can be called and says its sizes."""
    if isinstance(cell, RNNCell):
        return
    wrong = [f"{word!r} property is missing" for word in ("output_size", "state_size") if not hasattr(cell, word)]
    if not hasattr(cell, "zero_state") and not hasattr(cell, "get_initial_state"):
        wrong.append("either 'zero_state' or 'get_initial_state' method is required")
    if not callable(cell):
        wrong.append("is not callable")
    if wrong:
        raise TypeError(f"The argument {name!r} ({cell}) is not an RNNCell: {', '.join(wrong)}.")
