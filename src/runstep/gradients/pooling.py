"""Gradients of pooling, and their gradients in turn."""

from __future__ import annotations

from typing import Any

from runstep.gradients.nn_common import same_attrs
from runstep.gradients.registry import gradient
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.ops.creation import zeros_like
from runstep.ops.shape_ops import shape

_WINDOW = ("ksize", "strides", "padding", "data_format")


def _average(forward: str, backward: str) -> None:
    @gradient(forward)
    def _forward(op: Operation, grad: Any) -> Any:
        return apply(backward, shape(op.inputs[0]), grad, **same_attrs(op, *_WINDOW))

    @gradient(backward)
    def _backward(op: Operation, grad: Any) -> list[Any]:
        return [None, apply(forward, grad, **same_attrs(op, *_WINDOW))]


_average("AvgPool", "AvgPoolGrad")
_average("AvgPool3D", "AvgPool3DGrad")


def _largest(forward: str, first: str, second: str, names: tuple[str, ...]) -> None:
    """A maximum picks one element of a window: its gradient goes there, and the gradient's comes from there."""

    @gradient(forward)
    def _forward(op: Operation, grad: Any) -> list[Any]:
        x, *window = op.inputs
        more = same_attrs(op, "explicit_paddings") if forward == "MaxPool" else {}
        dx = apply(first, x, op.outputs[0], grad, *window, **same_attrs(op, *names), **more)
        return [dx, *(None for _ in window)]

    # Which element is picked does not change with the values nearby: no gradient, but zeros, as TensorFlow says it.
    @gradient(first)
    def _first(op: Operation, grad: Any) -> list[Any]:
        x, y, _, *window = op.inputs
        back = apply(second, x, y, grad, *window, **same_attrs(op, *names))
        return [zeros_like(x), zeros_like(y), back, *(None for _ in window)]

    if second == "MaxPoolGradGradV2":
        return  # TensorFlow has no third order of it

    @gradient(second)
    def _second(op: Operation, grad: Any) -> list[Any]:
        x, y, _ = op.inputs
        return [zeros_like(x), zeros_like(y), apply(first, x, y, grad, **same_attrs(op, *names))]


_largest("MaxPool", "MaxPoolGrad", "MaxPoolGradGrad", _WINDOW)
_largest("MaxPool3D", "MaxPool3DGrad", "MaxPool3DGradGrad", _WINDOW)
_largest("MaxPoolV2", "MaxPoolGradV2", "MaxPoolGradGradV2", ("padding", "data_format"))


@gradient("MaxPoolWithArgmax")
def _max_pool_with_argmax(op: Operation, grad: Any, _: Any) -> Any:
    names = ("ksize", "strides", "padding", "include_batch_in_index")
    return apply("MaxPoolGradWithArgmax", op.inputs[0], grad, op.outputs[1], **same_attrs(op, *names))


@gradient("FractionalMaxPool")
def _fractional_max_pool(op: Operation, grad: Any, *_: Any) -> Any:
    sequences = op.outputs[1:]
    inputs = op.inputs[0], op.outputs[0], grad, *sequences
    return apply("FractionalMaxPoolGrad", *inputs, overlapping=op.attrs["overlapping"])


@gradient("FractionalAvgPool")
def _fractional_avg_pool(op: Operation, grad: Any, *_: Any) -> Any:
    sizes = shape(op.inputs[0], out_type=dtypes.int64)
    return apply("FractionalAvgPoolGrad", sizes, grad, *op.outputs[1:], overlapping=op.attrs["overlapping"])
