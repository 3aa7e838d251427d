"""Gradients of cutting images and volumes into patches."""

from __future__ import annotations

from typing import Any

from runstep.gradients.nn_common import same_attrs
from runstep.gradients.registry import gradient
from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.creation import range as range_of
from runstep.ops.joining import concat
from runstep.ops.rearranging import transpose
from runstep.ops.reduction import reduce_prod
from runstep.ops.shape_ops import reshape, shape


def _back(op: Operation, grad: Any, names: tuple[str, ...]) -> Tensor:
    """Each element of a patch goes back to where it was taken from. The patches of an image of numbered places say
    where that is; places outside of the image have number zero.
    """
    image = op.inputs[0]
    sizes = shape(image)
    batch, places, channels = sizes[:1], sizes[1:-1], sizes[-1:]
    count = reduce_prod(places)
    numbers = reshape(range_of(1, count + 1), concat([[1], places, [1]], 0))
    taken_from = reshape(apply(op.type, numbers, **same_attrs(op, *names)), [-1]) - 1
    by_place = transpose(reshape(grad, concat([batch, [-1], channels], 0)), [1, 0, 2])
    total = apply("UnsortedSegmentSum", by_place, taken_from, count)
    return reshape(transpose(total, [1, 0, 2]), sizes)


@gradient("ExtractImagePatches")
def _image_patches(op: Operation, grad: Any) -> Any:
    return _back(op, grad, ("ksizes", "strides", "rates", "padding"))


@gradient("ExtractVolumePatches")
def _volume_patches(op: Operation, grad: Any) -> Any:
    return _back(op, grad, ("ksizes", "strides", "padding"))
