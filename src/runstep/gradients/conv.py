"""Gradients of convolutions. The three ops of each kind are linear in image, filter and output, and each other's."""

from __future__ import annotations

from typing import Any

from runstep.gradients.nn_common import same_attrs
from runstep.gradients.registry import gradient
from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.ops.shape_ops import shape, shape_n

_CONV2D = ("strides", "padding", "use_cudnn_on_gpu", "explicit_paddings", "data_format", "dilations")
_DEPTHWISE = ("strides", "padding", "explicit_paddings", "data_format", "dilations")
_CONV3D = ("strides", "padding", "data_format", "dilations")
_DILATION = ("strides", "rates", "padding")


def _add(forward: str, to_input: str, to_filter: str, names: tuple[str, ...]) -> None:
    """The rows of a convolution and of its two transposes."""

    @gradient(forward)
    def _forward(op: Operation, grad: Any) -> list[Any]:
        image, window = op.inputs
        image_shape, window_shape = shape_n([image, window])
        attrs = same_attrs(op, *names)
        return [
            apply(to_input, image_shape, window, grad, **attrs),
            apply(to_filter, image, window_shape, grad, **attrs),
        ]

    @gradient(to_input)
    def _to_input(op: Operation, grad: Any) -> list[Any]:
        _, window, out = op.inputs
        attrs = same_attrs(op, *names)
        return [None, apply(to_filter, grad, shape(window), out, **attrs), apply(forward, grad, window, **attrs)]

    @gradient(to_filter)
    def _to_filter(op: Operation, grad: Any) -> list[Any]:
        image, _, out = op.inputs
        attrs = same_attrs(op, *names)
        return [apply(to_input, shape(image), grad, out, **attrs), None, apply(forward, image, grad, **attrs)]


_add("Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter", _CONV2D)
_add("Conv3D", "Conv3DBackpropInputV2", "Conv3DBackpropFilterV2", _CONV3D)
_add(
    "DepthwiseConv2dNative",
    "DepthwiseConv2dNativeBackpropInput",
    "DepthwiseConv2dNativeBackpropFilter",
    _DEPTHWISE,
)


@gradient("Dilation2D")
def _dilation2d(op: Operation, grad: Any) -> list[Any]:
    attrs = same_attrs(op, *_DILATION)
    return [
        apply("Dilation2DBackpropInput", *op.inputs, grad, **attrs),
        apply("Dilation2DBackpropFilter", *op.inputs, grad, **attrs),
    ]
