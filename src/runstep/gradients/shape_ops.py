"""Gradients of ops that change a shape and keep or repeat the elements."""

from __future__ import annotations

from typing import Any

from runstep.gradients.broadcasting import is_full, sizes_of, sum_to
from runstep.gradients.registry import gradient, no_gradient
from runstep.graph.apply import apply
from runstep.graph.constant_value import known_value
from runstep.graph.operation import Operation

no_gradient("Shape", "ShapeN", "Rank", "Size", "BroadcastGradientArgs")


@gradient("Reshape", "ExpandDims")
def _reshaped(op: Operation, grad: Any) -> Any:
    return apply("Reshape", grad, sizes_of(op.inputs[0])), None


@gradient("Squeeze")
def _squeezed(op: Operation, grad: Any) -> Any:
    return apply("Reshape", grad, sizes_of(op.inputs[0]))


@gradient("BroadcastTo")
def _broadcast_to(op: Operation, grad: Any) -> Any:
    return sum_to(grad, sizes_of(op.inputs[0])), None


@gradient("Tile")
def _tile(op: Operation, grad: Any) -> Any:
    x, multiples = op.inputs
    raw, times = x.raw_shape, known_value(multiples)
    if is_full(raw) and times is not None:
        assert raw is not None
        apart = [size for pair in zip(times.tolist(), raw, strict=True) for size in pair]
        return apply("Sum", apply("Reshape", grad, apart), list(range(0, len(apart), 2))), None
    sizes = apply("Shape", x, out_type=multiples.dtype.base_dtype)
    apart = apply("Reshape", apply("Pack", [multiples, sizes], axis=1), [-1])
    if raw is not None:
        over: Any = list(range(0, 2 * len(raw), 2))
    else:
        over = apply("Range", 0, apply("Size", apart), 2)
    return apply("Sum", apply("Reshape", grad, apart), over), None


@gradient("Fill")
def _fill(op: Operation, grad: Any) -> Any:
    return None, apply("Sum", apply("Reshape", grad, [-1]), [0])


@gradient("Diag")
def _diag(op: Operation, grad: Any) -> Any:
    return apply("DiagPart", grad)


@gradient("DiagPart")
def _diag_part(op: Operation, grad: Any) -> Any:
    return apply("Diag", grad)


no_gradient("ZerosLike", "OnesLike", "LinSpace", "OneHot", "Range", "ConcatOffset", "InvertPermutation")
