"""Gradients of reductions by segment."""

from __future__ import annotations

from typing import Any

from runstep.gradients.registry import gradient
from runstep.graph.apply import apply
from runstep.graph.composite import IndexedSlices
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.cast import cast
from runstep.ops.creation import ones, ones_like, zeros_like
from runstep.ops.indexing import gather
from runstep.ops.joining import concat
from runstep.ops.selecting import where_v2
from runstep.ops.shape_ops import rank, reshape, shape

Pick = Any


@gradient("SegmentSum")
def _sum(op: Operation, grad: Any) -> list[Any]:
    return [gather(grad, op.inputs[1]), None]


@gradient("SegmentMean")
def _mean(op: Operation, grad: Any) -> list[Any]:
    data, ids = op.inputs
    raw = data.raw_shape
    further = apply("Fill", [rank(data) - 1], 1) if raw is None else [1] * (len(raw) - 1)
    each = ones(concat([shape(ids), further], 0), grad.dtype.base_dtype)
    return [gather(grad / apply("SegmentSum", each, ids), ids), None]


def _of_extreme(op: Operation, grad: Any, pick: Pick, total: Pick) -> Tensor:
    """To the elements that are the extreme of their segment, in equal shares."""
    data = op.inputs[0]
    chosen = apply("Equal", data, pick(op.outputs[0]))
    shares = grad / total(cast(chosen, grad.dtype.base_dtype))
    given = pick(shares)
    return where_v2(chosen, given, zeros_like(given))


def _of_product(op: Operation, grad: Any, pick: Pick, total: Pick, product: Pick) -> Tensor:
    """What each element is multiplied by: the product of the others. It is the product divided by the element; but
    where one element is zero it is zero for all others, and the product of these for it; with two zeros it is zero.
    """
    data = op.inputs[0]
    is_zero = apply("Equal", data, zeros_like(data))
    zeros_inside = total(cast(is_zero, "int32"))
    grad = where_v2(apply("Greater", zeros_inside, 1), zeros_like(grad), grad)
    others = where_v2(is_zero, ones_like(data), data)
    of_others = product(others)
    factor = where_v2(is_zero, pick(of_others), pick(op.outputs[0]) / others)
    return pick(grad) * factor


def _sorted_pick(op: Operation) -> tuple[Pick, Pick, Pick]:
    ids = op.inputs[1]
    return (
        lambda of: gather(of, ids),
        lambda of: apply("SegmentSum", of, ids),
        lambda of: apply("SegmentProd", of, ids),
    )


def _unsorted_pick(op: Operation) -> tuple[Pick, Pick, Pick]:
    """As `_sorted_pick`; rows with a negative id are in no segment and get zeros."""
    data, ids, count = op.inputs
    return (
        lambda of: dropping_negatives(of, ids),
        lambda of: apply("UnsortedSegmentSum", of, ids, count),
        lambda of: apply("UnsortedSegmentProd", of, ids, count),
    )


def dropping_negatives(params: Tensor, ids: Tensor) -> Tensor:
    """Gathered rows, zeros for negative ids."""
    rows = gather(params, apply("Maximum", ids, zeros_like(ids)))
    inside = apply("GreaterEqual", ids, zeros_like(ids))
    known = rows.raw_shape
    if known is not None and ids.raw_shape is not None:
        further: Any = [1] * (len(known) - len(ids.raw_shape))
        inside = inside if not further else reshape(inside, concat([shape(inside), further], 0))
    else:
        inside = reshape(inside, concat([shape(inside), apply("Fill", [rank(rows) - rank(inside)], 1)], 0))
    return where_v2(inside, rows, zeros_like(rows))


@gradient("SegmentMin", "SegmentMax")
def _extreme(op: Operation, grad: Any) -> list[Any]:
    pick, total, _ = _sorted_pick(op)
    return [_of_extreme(op, grad, pick, total), None]


@gradient("SegmentProd")
def _prod(op: Operation, grad: Any) -> list[Any]:
    return [_of_product(op, grad, *_sorted_pick(op)), None]


@gradient("UnsortedSegmentSum")
def _unsorted_sum(op: Operation, grad: Any) -> list[Any]:
    return [dropping_negatives(grad, op.inputs[1]), None, None]


@gradient("UnsortedSegmentMin", "UnsortedSegmentMax")
def _unsorted_extreme(op: Operation, grad: Any) -> list[Any]:
    pick, total, _ = _unsorted_pick(op)
    return [_of_extreme(op, grad, pick, total), None, None]


@gradient("UnsortedSegmentProd")
def _unsorted_prod(op: Operation, grad: Any) -> list[Any]:
    return [_of_product(op, grad, *_unsorted_pick(op)), None, None]


# --- of gathered rows -----------------------------------------------------------------------------------------


def _sparse(name: str) -> None:
    @gradient(f"SparseSegment{name}", f"SparseSegment{name}WithNumSegments")
    def _of_gathered(op: Operation, grad: Any) -> list[Any]:
        data, indices, ids, *count = op.inputs
        rows = shape(data)[0]
        back: Any
        if op.attrs["sparse_gradient"]:
            values, touched = apply(f"SparseSegment{name}GradV2", grad, indices, ids, rows)
            back = IndexedSlices(values, touched, shape(data))
        else:
            back = apply(f"SparseSegment{name}Grad", grad, indices, ids, rows)
        return [back, None, None, *(None for _ in count)]


for _name in ("Sum", "Mean", "SqrtN"):
    _sparse(_name)
