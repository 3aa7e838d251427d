"""Gradients of resizing, cropping and colour spaces."""

from __future__ import annotations

from typing import Any

from runstep.gradients.nn_common import same_attrs
from runstep.gradients.registry import gradient
from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.cast import cast
from runstep.ops.creation import ones
from runstep.ops.joining import concat, stack
from runstep.ops.shape_ops import reshape, shape

_GRID = ("align_corners", "half_pixel_centers")


def _sizes(image: Tensor, first: int, last: int) -> Any:
    known = image.raw_shape
    if known is not None and None not in known[first:last]:
        return list(known[first:last])
    return shape(image)[first:last] if (first, last) != (0, 4) else shape(image)


@gradient("ResizeNearestNeighbor")
def _resize_nearest_neighbor(op: Operation, grad: Any) -> list[Any]:
    sizes = _sizes(op.inputs[0], 1, 3)
    return [apply("ResizeNearestNeighborGrad", grad, sizes, **same_attrs(op, *_GRID)), None]


@gradient("ResizeBilinear")
def _resize_bilinear(op: Operation, grad: Any) -> list[Any]:
    return [apply("ResizeBilinearGrad", grad, op.inputs[0], **same_attrs(op, *_GRID)), None]


@gradient("ResizeBicubic")
def _resize_bicubic(op: Operation, grad: Any) -> list[Any]:
    if op.inputs[0].dtype.base_dtype not in (dtypes.float32, dtypes.float64):
        return [None, None]
    return [apply("ResizeBicubicGrad", grad, op.inputs[0], **same_attrs(op, *_GRID)), None]


@gradient("CropAndResize")
def _crop_and_resize(op: Operation, grad: Any) -> list[Any]:
    image, boxes, index, _ = op.inputs
    kind = image.dtype.base_dtype
    dimage = None
    if kind in (dtypes.float16, dtypes.float32, dtypes.float64):
        sizes = _sizes(image, 0, 4)
        dimage = apply("CropAndResizeGradImage", grad, boxes, index, sizes, T=kind, **same_attrs(op, "method"))
    return [dimage, apply("CropAndResizeGradBoxes", grad, image, boxes, index), None, None]


@gradient("RGBToHSV")
def _rgb_to_hsv(op: Operation, grad: Any) -> Any:
    """With V the largest colour, m the smallest and C = V - m: value is V, saturation C / V, and hue a sixth of N / C
    plus a constant, where N is the difference of the two colours after the largest. Grey has no slope in hue.
    """
    rgb, value = op.inputs[0], op.outputs[0][..., 2]
    kind = rgb.dtype.base_dtype
    colors = [rgb[..., place] for place in (0, 1, 2)]
    red, green, blue = colors

    def flag(a: Tensor, how_a: str, b: Tensor, how_b: str, c: Tensor) -> Tensor:
        return cast(apply("LogicalAnd", apply(how_a, a, b), apply(how_b, a, c)), kind)

    most = [
        flag(red, "GreaterEqual", green, "GreaterEqual", blue),
        flag(green, "Greater", red, "GreaterEqual", blue),
        flag(blue, "Greater", red, "Greater", green),
    ]
    least = [
        flag(red, "Less", green, "Less", blue),
        flag(green, "LessEqual", red, "Less", blue),
        flag(blue, "LessEqual", red, "LessEqual", green),
    ]
    # By the flags, not by Minimum: second derivatives then settle ties as the first ones do.
    span = value - (red * least[0] + green * least[1] + blue * least[2])
    per_value, per_span = (apply("DivNoNan", apply("OnesLike", of), of) for of in (value, span))
    in_hue, in_saturation, in_value = (grad[..., place] for place in (0, 1, 2))
    in_numerator = in_hue * per_span / 6
    numerator = most[0] * (green - blue) + most[1] * (blue - red) + most[2] * (red - green)
    in_span = in_numerator * numerator * per_span
    in_most = in_saturation * (per_value - span * per_value * per_value)
    in_least = in_saturation * per_value
    found = []
    for place in (0, 1, 2):
        after, before = most[place - 1], most[place - 2]
        # TensorFlow takes saturation as constant in a colour that is not there at all.
        there = cast(apply("Greater", colors[place], apply("ZerosLike", colors[place])), kind)
        saturation = there * (in_most * most[place] - in_least * least[place])
        hue = in_numerator * (after - before) - in_span * (most[place] - least[place])
        found.append(in_value * most[place] + saturation + hue)
    return stack(found, axis=-1)


@gradient("ScaleAndTranslate")
def _scale_and_translate(op: Operation, grad: Any) -> list[Any]:
    image, _, scale, translation = op.inputs
    made = apply("ScaleAndTranslateGrad", grad, image, scale, translation, **same_attrs(op, "kernel_type", "antialias"))
    return [made, None, None, None]


@gradient("ImageProjectiveTransformV2", "ImageProjectiveTransformV3")
def _image_projective_transform(op: Operation, grad: Any) -> list[Any]:
    """Looks back through the inverse projection, as TensorFlow does: no exact transpose where pixels are mixed."""
    image, transforms = op.inputs[:2]
    count = shape(transforms)[0]
    matrices = reshape(concat([transforms, ones([count, 1], transforms.dtype)], 1), [count, 3, 3])
    inverse = reshape(apply("MatrixInverse", matrices), [count, 9])
    back = (inverse / inverse[:, 8:])[:, :8]
    made = apply(
        "ImageProjectiveTransformV2", grad, back, _sizes(image, 1, 3), **same_attrs(op, "interpolation", "fill_mode")
    )
    return [made, *[None] * (len(op.inputs) - 1)]
