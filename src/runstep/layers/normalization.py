"""Batch normalization."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from runstep.graph import dtypes
from runstep.graph.constant_value import constant_value
from runstep.graph.convert import constant, convert_to_tensor
from runstep.graph.graph import get_default_graph, name_scope
from runstep.graph.shapes import TensorShape
from runstep.graph.tensor import Tensor, TensorLike
from runstep.layers.base import Layer
from runstep.layers.input_spec import InputSpec
from runstep.ops import state
from runstep.ops.activation import relu
from runstep.ops.arithmetic import maximum, minimum
from runstep.ops.basic import identity, stop_gradient
from runstep.ops.branching import smart_cond
from runstep.ops.cast import cast
from runstep.ops.creation import ones_like, zeros_like
from runstep.ops.elementwise import sqrt
from runstep.ops.joining import concat
from runstep.ops.nn_statistics import batch_normalization as nn_batch_normalization, fused_batch_norm, moments
from runstep.ops.reduction import reduce_mean
from runstep.ops.shape_ops import reshape, shape
from runstep.variables.initializers import Ones, Zeros

__all__ = ["BatchNormalization", "batch_normalization"]

_ZEROS, _ONES = Zeros(), Ones()
Function = Callable[[Any], Any]
_HALVES = (dtypes.float16, dtypes.bfloat16)


class BatchNormalization(Layer):
    """Batch normalization: in training by the batch, else by moving averages (source: tf.layers.BatchNormalization).

    The averages are updated by operations in `GraphKeys.UPDATE_OPS`, which the training step must run:

        with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
            train = optimizer.minimize(loss)

    Args:
      axis: that of the channels, or several. momentum: of the moving averages. epsilon: added to the variance.
      center, scale: whether there are `beta`, `gamma`. The others: how they and `moving_mean`, `moving_variance` start,
        which losses they add, what constrains them.
      renorm: batch renormalization, with `renorm_clipping` ("rmin", "rmax", "dmax") and `renorm_momentum`.
      fused: one FusedBatchNormV3 node; where possible by default: four axes, channels last or second.
      virtual_batch_size: how many rows, of which the batch must be a multiple, are normalized together in training; not
        fused.
      adjustment: `f(shape of the inputs)` gives a scale and a bias that are used in training.

    Raises:
      ValueError: a bad axis, or fused or virtual batches where that is not possible.
    """

    def __init__(
        self,
        axis: Any = -1,
        momentum: Any = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = _ZEROS,
        gamma_initializer: Any = _ONES,
        moving_mean_initializer: Any = _ZEROS,
        moving_variance_initializer: Any = _ONES,
        beta_regularizer: Function | None = None,
        gamma_regularizer: Function | None = None,
        beta_constraint: Function | None = None,
        gamma_constraint: Function | None = None,
        renorm: bool = False,
        renorm_clipping: dict[str, Any] | None = None,
        renorm_momentum: Any = 0.99,
        fused: bool | None = None,
        trainable: bool = True,
        virtual_batch_size: int | None = None,
        adjustment: Function | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(trainable, name, **kwargs)
        if not isinstance(axis, int | list | tuple):
            raise TypeError(f"Expected an int or a list/tuple of ints for the argument 'axis', but received: {axis}")
        unknown = set(renorm_clipping or ()) - {"rmin", "rmax", "dmax"}
        if unknown:
            raise ValueError(f"Received invalid keys for `renorm_clipping` argument: {renorm_clipping}.")
        if virtual_batch_size is not None:
            fused = False  # as in TensorFlow, which says nothing either
        if fused and renorm:
            raise ValueError("Passing both `fused=True` and `renorm=True` is not supported.")
        self.axis: Any = list(axis) if isinstance(axis, list | tuple) else axis
        self.momentum, self.epsilon, self.center, self.scale = momentum, epsilon, center, scale
        self.beta_initializer, self.gamma_initializer = beta_initializer, gamma_initializer
        self.moving_mean_initializer = moving_mean_initializer
        self.moving_variance_initializer = moving_variance_initializer
        self.beta_regularizer, self.gamma_regularizer = beta_regularizer, gamma_regularizer
        self.beta_constraint, self.gamma_constraint = beta_constraint, gamma_constraint
        self.renorm, self.renorm_clipping, self.renorm_momentum = renorm, renorm_clipping or {}, renorm_momentum
        self.fused, self.adjustment, self.virtual_batch_size = fused, adjustment, virtual_batch_size

    # Variables.

    def build(self, input_shape: Any) -> None:
        found = TensorShape(input_shape)
        if found.rank is None:
            raise ValueError("Input has undefined rank. Received: input_shape=<unknown>.")
        sizes = found.as_list()
        self.axis = self._axes(self.axis, len(sizes))
        self.fused = self._fused(len(sizes))
        channels = {axis: sizes[axis] for axis in self.axis}
        for size in channels.values():
            if size is None:
                raise ValueError(
                    f"Input has undefined `axis` dimension. Received input with shape {tuple(sizes)} and "
                    f"axis={tuple(self.axis)}"
                )
        self.input_spec = InputSpec(ndim=len(sizes), axes=channels)
        if len(self.axis) == 1 and self.virtual_batch_size is None:
            self._param_shape: tuple[int, ...] = (channels[self.axis[0]],)
        else:
            self._param_shape = tuple(channels.get(axis, 1) for axis in range(len(sizes)))
        if self.virtual_batch_size is not None:
            self._check_virtual(self.virtual_batch_size)
            self._param_shape = (self._param_shape[0], 1, *self._param_shape[1:])
            self.axis = [axis + 1 for axis in self.axis]  # the batch becomes two axes
        kind = dtypes.as_dtype(self.dtype or dtypes.float32)
        self._param_dtype = dtypes.float32 if kind in _HALVES else kind
        self.gamma = self.beta = None
        if self.scale:
            self.gamma = self._parameter(
                "gamma", self.gamma_initializer, True, self.gamma_regularizer, self.gamma_constraint
            )
        if self.center:
            self.beta = self._parameter(
                "beta", self.beta_initializer, True, self.beta_regularizer, self.beta_constraint
            )
        self.moving_mean = self._parameter("moving_mean", self.moving_mean_initializer)
        self.moving_variance = self._parameter("moving_variance", self.moving_variance_initializer)
        if self.renorm:
            initial_deviation = _square_root(self.moving_variance_initializer)
            graph = get_default_graph()
            with graph.colocate_with(self.moving_variance.op):
                self.moving_stddev = self._parameter("moving_stddev", initial_deviation)
            with graph.colocate_with(self.moving_mean.op):
                self.renorm_mean = self._parameter("renorm_mean", self.moving_mean_initializer)
            with graph.colocate_with(self.moving_variance.op):
                self.renorm_stddev = self._parameter("renorm_stddev", initial_deviation)
        self.built = True

    def _check_virtual(self, size: int) -> None:
        if size <= 0:
            raise ValueError(
                "`virtual_batch_size` must be a positive integer that divides the true batch size of the input "
                f"tensor. Received: virtual_batch_size={size}"
            )
        if 0 in self.axis:
            raise ValueError(
                "When using `virtual_batch_size`, the batch dimension must be 0 and thus axis cannot include 0. "
                f"Received axis={self.axis}"
            )
        if self.adjustment is not None:
            raise ValueError("When using `virtual_batch_size`, adjustment cannot be specified")

    @staticmethod
    def _axes(given: Any, rank: int) -> list[int]:
        axes = [axis + rank if axis < 0 else axis for axis in (given if isinstance(given, list) else [given])]
        for axis in axes:
            if not 0 <= axis < rank:
                raise ValueError(
                    f"Invalid value for `axis` argument. Expected 0 <= axis < inputs.rank (with inputs.rank={rank}). "
                    f"Received: axis={tuple(axes)}"
                )
        if len(set(axes)) != len(axes):
            raise ValueError(f"Duplicate axis: {given}")
        return axes

    def _fused(self, rank: int) -> bool:
        possible = rank == 4 and self.axis in ([1], [3]) and not self.renorm and self.adjustment is None
        if self.fused and not possible:
            raise ValueError(
                f"Batch normalization layers with `fused=True` only support 4D inputs with axis 1 or 3, without "
                f"adjustment. Received inputs of rank {rank}, axis={self.axis}."
            )
        return possible if self.fused is None else self.fused

    def _parameter(
        self,
        name: str,
        initializer: Any,
        trainable: bool = False,
        regularizer: Function | None = None,
        constraint: Function | None = None,
    ) -> Any:
        return self.add_weight(
            name,
            shape=self._param_shape,
            dtype=self._param_dtype,
            initializer=initializer,
            regularizer=regularizer,
            constraint=constraint,
            trainable=trainable,
        )

    # Outputs and updates.

    def call(self, inputs: Tensor, training: Any = False) -> Tensor:
        known = training if isinstance(training, bool | int) else constant_value(convert_to_tensor(training))
        if self.fused:
            return self._call_fused(inputs, training, known)
        whole = None
        if self.virtual_batch_size is not None:
            sizes = shape(inputs)
            whole = concat([constant([-1]), sizes[1:]], 0)
            inputs = reshape(inputs, concat([constant([self.virtual_batch_size, -1]), whole[1:]], 0))
        source = inputs
        if source.dtype.base_dtype in _HALVES:
            source = cast(source, dtypes.float32)
        rank = len(inputs.get_shape().as_list())
        reduced = [axis for axis in range(rank) if axis not in self.axis]
        keeps_axes = len(self.axis) > 1 or whole is not None
        if whole is not None:
            reduced.remove(1)

        def spread(value: Any) -> Any:
            if value is None or keeps_axes or reduced == list(range(rank - 1)):
                return value
            return reshape(value, [self._param_shape[0] if axis in self.axis else 1 for axis in range(rank)])

        scale, offset = spread(self.gamma), spread(self.beta)
        if known is not None and not known:
            mean, variance = self.moving_mean, self.moving_variance
        else:
            if self.adjustment is not None:
                scale, offset = self._adjusted(inputs, training, scale, offset)
            mean, variance = moments(source, reduced, keep_dims=keeps_axes)
            new_mean, new_variance = (
                smart_cond(training, lambda: mean, lambda: convert_to_tensor(self.moving_mean)),
                smart_cond(training, lambda: variance, lambda: convert_to_tensor(self.moving_variance)),
            )
            mean, variance = new_mean, new_variance
            if whole is not None:  # the averages move once, by the mean of the virtual batches
                new_mean, new_variance = (reduce_mean(value, 1, keepdims=True) for value in (mean, variance))
            if self.renorm:
                r, d, new_mean, new_variance = self._renormalized(new_mean, new_variance, training)
                r, d = stop_gradient(r, name="renorm_r"), stop_gradient(d, name="renorm_d")
                scale, offset = _composed(scale, offset, spread(r), spread(d))
            self._update(new_mean, new_variance, training)
        outputs = nn_batch_normalization(
            source,
            spread(_of_type(mean, source)),
            spread(_of_type(variance, source)),
            None if offset is None else cast(offset, source.dtype),
            None if scale is None else cast(scale, source.dtype),
            self.epsilon,
        )
        if inputs.dtype.base_dtype in _HALVES:
            outputs = cast(outputs, inputs.dtype)
        outputs.set_shape(inputs.get_shape())
        return outputs if whole is None else reshape(outputs, whole)

    def _call_fused(self, inputs: Tensor, training: Any, known: Any) -> Tensor:
        beta = self.beta if self.center else convert_to_tensor(0.0 * _zeros(self._param_shape), self._param_dtype)
        gamma = self.gamma if self.scale else convert_to_tensor(1.0 + _zeros(self._param_shape), self._param_dtype)
        data_format = "NCHW" if self.axis == [1] else "NHWC"

        def normalized(is_training: bool) -> Callable[[], tuple[Tensor, Tensor, Tensor]]:
            return lambda: fused_batch_norm(
                inputs,
                gamma,
                beta,
                mean=self.moving_mean,
                variance=self.moving_variance,
                epsilon=self.epsilon,
                data_format=data_format,
                is_training=is_training,
            )

        outputs, mean, variance = smart_cond(training, normalized(True), normalized(False))
        if known is None or known:
            momentum = self.momentum
            if known is None:
                momentum = smart_cond(
                    training, lambda: convert_to_tensor(self.momentum), lambda: convert_to_tensor(1.0)
                )
            momentum = convert_to_tensor(momentum)
            self.add_update(_moved(self.moving_mean, mean, momentum))
            self.add_update(_moved(self.moving_variance, variance, momentum))
        return outputs

    def _adjusted(self, inputs: Tensor, training: Any, scale: Any, offset: Any) -> tuple[Any, Any]:
        assert self.adjustment is not None
        factor, bias = self.adjustment(shape(inputs))
        factor = smart_cond(training, lambda: identity(factor), lambda: ones_like(factor))
        bias = smart_cond(training, lambda: identity(bias), lambda: zeros_like(bias))
        return _composed(scale, offset, factor, bias, adjusts=True)

    def _update(self, mean: Tensor, variance: Tensor, training: Any) -> None:
        """Moves the averages in training. The axes that the moments kept are those of the averages."""

        def mean_moved() -> Any:
            return _moved(self.moving_mean, mean, self.momentum)

        def variance_moved() -> Any:
            if not self.renorm:
                return _moved(self.moving_variance, variance, self.momentum)
            # Averages of deviations, not of variances: what renormalization divides by.
            deviation = _moved(self.moving_stddev, sqrt(variance + self.epsilon), self.momentum, self.moving_variance)
            return state.assign(self.moving_variance, relu(deviation * deviation - self.epsilon), name="AssignNewValue")

        self.add_update(smart_cond(training, mean_moved, lambda: convert_to_tensor(self.moving_mean)))
        self.add_update(smart_cond(training, variance_moved, lambda: convert_to_tensor(self.moving_variance)))

    def _renormalized(self, mean: Tensor, variance: Tensor, training: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The corrections r and d, and the moments for the moving averages (source: arXiv 1702.03275)."""
        deviation = sqrt(variance + self.epsilon)
        graph = get_default_graph()
        floor = maximum(self.renorm_stddev, sqrt(self.epsilon))
        r = deviation / floor
        d = (mean - self.renorm_mean) / floor
        with graph.control_dependencies([r, d]):
            mean, deviation = identity(mean), identity(deviation)
        low, high, largest = (self.renorm_clipping.get(key) for key in ("rmin", "rmax", "dmax"))
        if low is not None:
            r = maximum(r, low)
        if high is not None:
            r = minimum(r, high)
        if largest is not None:
            d = minimum(maximum(d, -largest), largest)
        r = smart_cond(training, lambda: r, lambda: ones_like(r))
        d = smart_cond(training, lambda: d, lambda: zeros_like(d))

        def moved(variable: Any, value: Tensor, beside: Any) -> Any:
            return smart_cond(
                training,
                lambda: _moved(variable, identity(value), self.renorm_momentum, beside),
                lambda: identity(variable),
            )

        updates = [
            moved(self.renorm_mean, mean, self.moving_mean),
            moved(self.renorm_stddev, deviation, self.moving_variance),
        ]
        with graph.control_dependencies(updates):
            return r, d, identity(mean), identity(variance)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


def _zeros(sizes: Sequence[int]) -> Any:
    return np.zeros(sizes, np.float32)


def _square_root(initializer: Any) -> Any:
    """An initializer of deviations from one of variances."""
    return lambda shape, dtype=None, partition_info=None: sqrt(initializer(shape, dtype=dtype))


def _of_type(value: Any, like: Tensor) -> Any:
    if value is None or value.dtype.base_dtype is like.dtype.base_dtype:
        return value
    return cast(value, like.dtype)


def _composed(scale: Any, offset: Any, factor: Any, bias: Any, adjusts: bool = False) -> tuple[Any, Any]:
    """`(x * factor + bias) * scale + offset` as one scale and one offset."""
    if scale is not None:
        factor, bias = factor * scale, bias * scale
    return factor, bias if offset is None else bias + offset


def _moved(variable: Any, value: Tensor, momentum: Any, beside: Any = None) -> Any:
    """`variable -= (variable - value) * (1 - momentum)`."""
    with name_scope("AssignMovingAvg") as scope, get_default_graph().colocate_with((beside or variable).op):
        decay = convert_to_tensor(1.0 - momentum, name="decay")
        if decay.dtype.base_dtype is not variable.dtype.base_dtype:
            decay = cast(decay, variable.dtype.base_dtype)
        if value.dtype.base_dtype is not variable.dtype.base_dtype:
            value = cast(value, variable.dtype.base_dtype)
        return state.assign_sub(variable, (variable - value) * decay, name=scope)


def batch_normalization(
    inputs: TensorLike,
    axis: Any = -1,
    momentum: Any = 0.99,
    epsilon: float = 1e-3,
    center: bool = True,
    scale: bool = True,
    beta_initializer: Any = _ZEROS,
    gamma_initializer: Any = _ONES,
    moving_mean_initializer: Any = _ZEROS,
    moving_variance_initializer: Any = _ONES,
    beta_regularizer: Function | None = None,
    gamma_regularizer: Function | None = None,
    beta_constraint: Function | None = None,
    gamma_constraint: Function | None = None,
    training: Any = False,
    trainable: bool = True,
    name: str | None = None,
    reuse: bool | None = None,
    renorm: bool = False,
    renorm_clipping: dict[str, Any] | None = None,
    renorm_momentum: Any = 0.99,
    fused: bool | None = None,
    virtual_batch_size: int | None = None,
    adjustment: Function | None = None,
) -> Tensor:
    """A `BatchNormalization` layer, applied once (source: tf.layers.batch_normalization).

    Args:
      training: a bool or a boolean tensor: normalize by the batch and move the averages, or normalize by the averages.
    """
    return BatchNormalization(
        axis,
        momentum,
        epsilon,
        center,
        scale,
        beta_initializer,
        gamma_initializer,
        moving_mean_initializer,
        moving_variance_initializer,
        beta_regularizer,
        gamma_regularizer,
        beta_constraint,
        gamma_constraint,
        renorm,
        renorm_clipping,
        renorm_momentum,
        fused,
        trainable,
        virtual_batch_size,
        adjustment,
        name,
        _reuse=reuse,
        _scope=name,
    ).apply(inputs, training=training)
