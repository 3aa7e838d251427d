"""Gradients of the largest elements: they go back to where those came from."""

from __future__ import annotations

import math
from typing import Any

from runstep.gradients.broadcasting import is_full, sizes_of
from runstep.gradients.registry import gradient
from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor


@gradient("TopK")
def _top_k(op: Operation, grad: Any, _: Any) -> Any:
    return _to_places(op, grad)


@gradient("ApproxTopK")
def _approximate_top_k(op: Operation, grad: Any, _: Any) -> Any:
    raw, axis = op.inputs[0].raw_shape, op.attrs["reduction_dimension"]
    if axis != -1 and (raw is None or axis % len(raw) != len(raw) - 1):
        raise ValueError("The gradient of ApproxTopK is there for the last axis only")
    return _to_places(op, grad)


@gradient("TopKV2")
def _top_k_v2(op: Operation, grad: Any, _: Any) -> Any:
    return _to_places(op, grad), None


def _to_places(op: Operation, grad: Any) -> Tensor:
    """The rows of the input stand one after the other; each row's places count from its start."""
    x, places = op.inputs[0], apply("Cast", op.outputs[1], DstT="int32")
    raw = x.raw_shape
    if is_full(raw):
        length, total = raw[-1], math.prod(raw)  # type: ignore[index, arg-type]
        starts = apply("Range", 0, total, max(1, length))  # type: ignore[type-var]
    else:
        sizes = apply("Shape", x)
        length, total = sizes[-1], apply("Prod", sizes, [0])
        starts = apply("Range", 0, total, length)
    number = apply("Shape", places)[-1]
    by_row = apply("AddV2", apply("Reshape", places, [-1, number]), apply("ExpandDims", starts, -1))
    found = apply("ScatterNd", apply("Reshape", by_row, [-1, 1]), apply("Reshape", grad, [-1]), [total])
    return apply("Reshape", found, sizes_of(x))


@gradient("NthElement")
def _nth_element(op: Operation, grad: Any) -> Any:
    """Equal elements share the gradient."""
    chosen = apply("Equal", apply("ExpandDims", op.outputs[0], -1), op.inputs[0])
    chosen = apply("Cast", chosen, DstT=grad.dtype)
    number = apply("Sum", chosen, [-1], keep_dims=True)
    return apply("Mul", apply("RealDiv", chosen, number), apply("ExpandDims", grad, -1)), None
