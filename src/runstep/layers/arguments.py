"""How layers take sizes, paddings and formats."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from runstep.graph.shapes import TensorShape

_ACTIVATIONS = "elu leaky_relu relu relu6 selu sigmoid softmax softplus softsign swish tanh".split()


def activation_function(value: str | Callable[[Any], Any] | None) -> Callable[[Any], Any] | None:
    """The function that an argument `activation` means: itself, or the one of `tf.nn` that it names; None for "linear".

    Raises:
      ValueError: there is none of that name.
    """
    if not isinstance(value, str):
        return value
    if value == "linear":
        return None
    if value not in _ACTIVATIONS:
        raise ValueError(f"Unknown activation function: '{value}'; known: linear, {', '.join(_ACTIVATIONS)}.")
    found: Callable[[Any], Any] = getattr(importlib.import_module("runstep.nn"), value)
    return found


def data_format_of(value: str) -> str:
    """ "channels_first" or "channels_last".

    Raises:
      ValueError: something else.
    """
    if value.lower() not in ("channels_first", "channels_last"):
        raise ValueError(
            f'The `data_format` argument must be one of "channels_first", "channels_last". Received: {value}'
        )
    return value.lower()


def op_data_format(data_format: str, spatial: int) -> str:
    """The format as operations name it: "NHWC", "NCDHW" ..."""
    axes = {1: "W", 2: "HW", 3: "DHW"}[spatial]
    return f"NC{axes}" if data_format == "channels_first" else f"N{axes}C"


def sizes_of(value: Any, spatial: int, name: str, zero: bool = False) -> tuple[int, ...]:
    """One positive number (or 0, with `zero`) for each of `spatial` axes, from one for all or one for each.

    Raises:
      ValueError: it is neither.
    """
    wrong = f"The `{name}` argument must be a tuple of {spatial} integers. Received: {value}"
    if isinstance(value, int):
        found: tuple[Any, ...] = (value,) * spatial
    else:
        try:
            found = tuple(value)
        except TypeError:
            raise ValueError(wrong) from None
        if len(found) != spatial:
            raise ValueError(wrong)
        for single in found:
            try:
                int(single)
            except (ValueError, TypeError):
                raise ValueError(f"{wrong}including element {single} of type {type(single).__name__}") from None
    if any(int(size) < (0 if zero else 1) for size in found):
        least = ">= 0" if zero else "> 0"
        bad = {size for size in found if int(size) < (0 if zero else 1)}
        raise ValueError(f"{wrong} including {bad} that does not satisfy the requirement `{least}`.")
    return tuple(int(size) for size in found)


def padding_of(value: Any, causal: bool = False) -> str:
    """ "valid", "same", or where allowed "causal".

    Raises:
      ValueError: something else.
    """
    padding = value.lower()
    if padding not in ("valid", "same", "causal"):
        raise ValueError(
            'The `padding` argument must be a list/tuple or one of "valid", "same" (or "causal", only for `Conv1D). '
            f"Received: {padding}"
        )
    if padding == "causal" and not causal:
        raise ValueError("Causal padding is only supported for `Conv1D`and `SeparableConv1D`.")
    return padding


def channels(input_shape: Any, axis: int) -> int:
    """The number of channels of inputs of this shape.

    Raises:
      ValueError: it is not known.
    """
    shape = TensorShape(input_shape)
    size = None if shape.rank is None else shape.as_list()[axis]
    if size is None:
        found = shape if shape.rank is None else tuple(shape.as_list())
        raise ValueError(
            f"The channel dimension of the inputs should be defined. The input_shape received is {found}, where axis "
            f"{axis} (0-based) is the channel dimension, which found to be `None`."
        )
    return size


def window_output(size: int | None, kernel: int, padding: str, stride: int, dilation: int = 1) -> int | None:
    """How many windows of this kernel fit."""
    if size is None:
        return None
    reach = kernel + (kernel - 1) * (dilation - 1)
    length = size - reach + 1 if padding == "valid" else size
    return (length + stride - 1) // stride


def transposed_output(size: Any, kernel: int, padding: str, stride: int) -> Any:
    """The size (a number, a tensor or None) of which a convolution makes `size`."""
    if size is None:
        return None
    length = size * stride
    return length + max(kernel - stride, 0) if padding == "valid" else length
