"""`tf.contrib.layers`: initializers, regularizers and a few layers (source: tf.contrib.layers of TensorFlow 1.15)."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import Any

from runstep.graph import dtypes
from runstep.graph.collections import GraphKeys
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import get_default_graph, name_scope
from runstep.graph.scopes import add_to_collections
from runstep.graph.tensor import Tensor, TensorLike
from runstep.layers.core import Dense, flatten as _flatten
from runstep.ops.activation import relu
from runstep.ops.arithmetic import add_n, multiply
from runstep.ops.elementwise import abs
from runstep.ops.nn_statistics import batch_normalization, l2_loss, moments
from runstep.ops.random import random_uniform, truncated_normal
from runstep.ops.reduction import reduce_sum
from runstep.variables.initializers import ones_initializer, zeros_initializer
from runstep.variables.scope import get_variable, variable_scope

__all__ = [
    "apply_regularization",
    "flatten",
    "fully_connected",
    "l1_l2_regularizer",
    "l1_regularizer",
    "l2_regularizer",
    "layer_norm",
    "linear",
    "sum_regularizer",
    "variance_scaling_initializer",
    "xavier_initializer",
    "xavier_initializer_conv2d",
]

Regularizer = Callable[[Any], Any]

# --- initializers -----------------------------------------------------------------------------------------------------


def xavier_initializer(uniform: bool = True, seed: int | None = None, dtype: Any = dtypes.float32) -> Any:
    """Numbers around 0 with variance 2 / (fan in + fan out) (Glorot and Bengio 2010).

    Args:
      uniform: else normal, cut off at two standard deviations.
    """
    return variance_scaling_initializer(factor=1.0, mode="FAN_AVG", uniform=uniform, seed=seed, dtype=dtype)


xavier_initializer_conv2d = xavier_initializer


def variance_scaling_initializer(
    factor: float = 2.0,
    mode: str = "FAN_IN",
    uniform: bool = False,
    seed: int | None = None,
    dtype: Any = dtypes.float32,
) -> Any:
    """Numbers around 0 with variance factor / fan.

    Args:
      mode: "FAN_IN", "FAN_OUT" or "FAN_AVG". uniform: else normal, cut off at two standard deviations, and wider for
        that.

    Raises:
      TypeError: a dtype that isn't a float. ValueError: an unknown mode.
    """
    kind = dtypes.as_dtype(dtype)
    if not kind.is_floating:
        raise TypeError("Cannot create initializer for non-floating point type.")
    if mode not in ("FAN_IN", "FAN_OUT", "FAN_AVG"):
        raise ValueError(f"Unknown mode {mode} [FAN_IN, FAN_OUT, FAN_AVG]")

    def initializer(shape: Any, dtype: Any = kind, partition_info: Any = None) -> Tensor:
        wanted = dtypes.as_dtype(dtype or kind)
        if not wanted.is_floating:
            raise TypeError("Cannot create initializer for non-floating point type.")
        sizes = [float(size) for size in shape]
        fan_in = sizes[-2] if len(sizes) > 1 else sizes[-1] if sizes else 1.0
        fan_out = sizes[-1] if sizes else 1.0
        for size in sizes[:-2]:
            fan_in, fan_out = fan_in * size, fan_out * size
        n = {"FAN_IN": fan_in, "FAN_OUT": fan_out, "FAN_AVG": (fan_in + fan_out) / 2.0}[mode]
        if uniform:
            limit = math.sqrt(3.0 * factor / n)
            return random_uniform(shape, -limit, limit, wanted, seed=seed)
        return truncated_normal(shape, 0.0, math.sqrt(1.3 * factor / n), wanted, seed=seed)

    return initializer


# --- regularizers -----------------------------------------------------------------------------------------------------


def _checked_scale(scale: Any) -> Any:
    if isinstance(scale, numbers.Integral):
        raise ValueError(f"scale cannot be an integer: {scale}")
    if isinstance(scale, numbers.Real) and scale < 0.0:
        raise ValueError(f"Setting a scale less than 0 on a regularizer: {scale}")
    return scale


def l1_regularizer(scale: Any, scope: str | None = None) -> Regularizer:
    """`scale * sum(|weights|)`; no loss at all for 0.

    Raises:
      ValueError: an integer, or less than 0.
    """
    if _checked_scale(scale) == 0.0:
        return lambda _: None

    def l1(weights: Any, name: str | None = None) -> Tensor:
        with name_scope(scope, "l1_regularizer", [weights]) as inside:
            factor = convert_to_tensor(scale, dtype=weights.dtype.base_dtype, name="scale")
            return multiply(factor, reduce_sum(abs(weights)), name=inside)

    return l1


def l2_regularizer(scale: Any, scope: str | None = None) -> Regularizer:
    """`scale * sum(weights**2) / 2`; no loss at all for 0.

    Raises:
      ValueError: an integer, or less than 0.
    """
    if _checked_scale(scale) == 0.0:
        return lambda _: None

    def l2(weights: Any) -> Tensor:
        with name_scope(scope, "l2_regularizer", [weights]) as inside:
            factor = convert_to_tensor(scale, dtype=weights.dtype.base_dtype, name="scale")
            return multiply(factor, l2_loss(weights), name=inside)

    return l2


def l1_l2_regularizer(scale_l1: Any = 1.0, scale_l2: Any = 1.0, scope: str | None = None) -> Regularizer:
    """The sum of both."""
    scope = scope or "l1_l2_regularizer"
    if _checked_scale(scale_l1) == 0.0:
        return l2_regularizer(scale_l2, scope)
    if _checked_scale(scale_l2) == 0.0:
        return l1_regularizer(scale_l1, scope)
    return sum_regularizer([l1_regularizer(scale_l1), l2_regularizer(scale_l2)], scope=scope)


def sum_regularizer(regularizer_list: Any, scope: str | None = None) -> Any:
    """The sum of several; None for none."""
    given = [regularizer for regularizer in regularizer_list if regularizer is not None]
    if not given:
        return None

    def total(weights: Any) -> Any:
        with name_scope(scope, "sum_regularizer", [weights]) as inside:
            losses = [loss for regularizer in given if (loss := regularizer(weights)) is not None]
            return add_n(losses, name=inside) if losses else None

    return total


def apply_regularization(regularizer: Regularizer, weights_list: Any = None) -> Tensor:
    """The sum of a regularizer's losses over weights (`GraphKeys.WEIGHTS` by default), kept as a regularization
    loss."""
    graph = get_default_graph()
    weights = weights_list or graph.get_collection(GraphKeys.WEIGHTS)
    if not weights:
        raise ValueError("No weights to regularize.")
    with name_scope("get_regularization_penalty", values=weights) as scope:
        losses = [regularizer(weight) for weight in weights]
        losses = [convert_to_tensor(0.0) if loss is None else loss for loss in losses]
        for loss in losses:
            if loss.get_shape().ndims != 0:
                raise ValueError(
                    f"regularizer must return a scalar Tensor instead of a Tensor with shape {loss.shape}."
                )
        total = add_n(losses, name=scope)
        graph.add_to_collection(GraphKeys.REGULARIZATION_LOSSES, total)
        return total


# --- layers -----------------------------------------------------------------------------------------------------------


def flatten(inputs: TensorLike, outputs_collections: Any = None, scope: str | None = None) -> Tensor:
    """All axes but the first made one."""
    with name_scope(scope, "Flatten", [inputs]):
        inputs = convert_to_tensor(inputs)
        outputs = _flatten(inputs)
    return _collected(outputs, outputs_collections)


def _collected(outputs: Tensor, collections: Any) -> Tensor:
    if collections:
        add_to_collections(collections, outputs)
    return outputs


def fully_connected(
    inputs: TensorLike,
    num_outputs: int,
    activation_fn: Callable[[Any], Any] | None = relu,
    normalizer_fn: Callable[..., Any] | None = None,
    normalizer_params: dict[str, Any] | None = None,
    weights_initializer: Any = None,
    weights_regularizer: Regularizer | None = None,
    biases_initializer: Any = None,
    biases_regularizer: Regularizer | None = None,
    reuse: Any = None,
    variables_collections: Any = None,
    outputs_collections: Any = None,
    trainable: bool = True,
    scope: Any = None,
) -> Tensor:
    """`activation(inputs @ weights + biases)`, with variables `fully_connected/weights` and `.../biases`.

    Args:
      normalizer_fn: normalizes in place of biases. weights_initializer: Xavier's by default; biases start at 0.
      variables_collections: where variables go too: a list, or lists by "weights" and "biases".
    """
    if not isinstance(num_outputs, int):
        raise ValueError(f"num_outputs type should be one of [int], got {num_outputs}.")

    def collections(name: str) -> Any:
        found = variables_collections
        if isinstance(found, dict):
            found = found.get(name)
        return [GraphKeys.GLOBAL_VARIABLES, *found] if found else None

    def getter(getter: Callable[..., Any], name: str, *args: Any, **kwargs: Any) -> Any:
        for ours, theirs in (("kernel", "weights"), ("bias", "biases")):
            if name.endswith("/" + ours):
                name = name[: -len(ours)] + theirs
                kwargs["collections"] = collections(theirs)
        variable = getter(name, *args, **kwargs)
        if not any(variable is known for known in get_default_graph().get_collection(GraphKeys.MODEL_VARIABLES)):
            get_default_graph().add_to_collection(GraphKeys.MODEL_VARIABLES, variable)
        return variable

    with variable_scope(scope, "fully_connected", [inputs], reuse=reuse, custom_getter=getter) as inside:
        inputs = convert_to_tensor(inputs)
        layer = Dense(
            num_outputs,
            use_bias=normalizer_fn is None,
            kernel_initializer=weights_initializer or xavier_initializer(),
            bias_initializer=biases_initializer or zeros_initializer(),
            kernel_regularizer=weights_regularizer,
            bias_regularizer=biases_regularizer,
            trainable=trainable,
            name=inside.name,
            _scope=inside,
            _reuse=reuse,
        )
        outputs = layer(inputs)
        if normalizer_fn is not None:
            outputs = normalizer_fn(outputs, **(normalizer_params or {}))
        if activation_fn is not None:
            outputs = activation_fn(outputs)
        return _collected(outputs, outputs_collections)


def linear(inputs: TensorLike, num_outputs: int, **how: Any) -> Tensor:
    """`fully_connected` without an activation."""
    return fully_connected(inputs, num_outputs, activation_fn=None, **how)


def layer_norm(
    inputs: TensorLike,
    center: bool = True,
    scale: bool = True,
    activation_fn: Callable[[Any], Any] | None = None,
    reuse: Any = None,
    variables_collections: Any = None,
    outputs_collections: Any = None,
    trainable: bool = True,
    begin_norm_axis: int = 1,
    begin_params_axis: int = -1,
    scope: Any = None,
) -> Tensor:
    """Layer normalization (arXiv 1607.06450), with variables `LayerNorm/beta` and `LayerNorm/gamma`.

    Args:
      center, scale: whether there are beta, gamma. begin_norm_axis: moments are over this axis and those after it.
      begin_params_axis: beta and gamma have the sizes of this axis and those after it.

    Raises:
      ValueError: inputs of unknown rank, or of unknown sizes where beta and gamma have axes.
    """
    with variable_scope(scope, "LayerNorm", [inputs], reuse=reuse):
        inputs = convert_to_tensor(inputs)
        sizes = inputs.get_shape()
        if sizes.ndims is None:
            raise ValueError(f"Inputs {inputs.name} has undefined rank.")
        first = begin_norm_axis + sizes.ndims if begin_norm_axis < 0 else begin_norm_axis
        if begin_params_axis >= sizes.ndims or first >= sizes.ndims:
            raise ValueError(
                f"begin_params_axis ({begin_params_axis}) and begin_norm_axis ({first}) must be < rank(inputs) "
                f"({sizes.ndims})"
            )
        params = sizes[begin_params_axis:]
        if not params.is_fully_defined():
            raise ValueError(f"Inputs {inputs.name}: shape(inputs)[{begin_params_axis}:] is not fully defined: {sizes}")
        kind = inputs.dtype.base_dtype

        def parameter(name: str, initializer: Any) -> Any:
            return get_variable(
                name,
                shape=params,
                dtype=kind,
                initializer=initializer,
                collections=[GraphKeys.GLOBAL_VARIABLES, GraphKeys.MODEL_VARIABLES],
                trainable=trainable,
            )

        beta = parameter("beta", zeros_initializer()) if center else None
        gamma = parameter("gamma", ones_initializer()) if scale else None
        mean, variance = moments(inputs, list(range(first, sizes.ndims)), keep_dims=True)
        epsilon = 1e-3 if kind is dtypes.float16 else 1e-12
        outputs = batch_normalization(inputs, mean, variance, offset=beta, scale=gamma, variance_epsilon=epsilon)
        outputs.set_shape(sizes)
        if activation_fn is not None:
            outputs = activation_fn(outputs)
        return _collected(outputs, outputs_collections)
