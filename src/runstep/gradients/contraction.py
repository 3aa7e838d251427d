"""Gradients of Einsum: for each operand, the einsum of the gradient and the other operand.

What that does not give are labels that only this operand has (they were summed: the gradient is repeated along them),
labels that stand twice (a diagonal was taken: the gradient is put on it), and axes of an ellipsis that were broadcast
(the gradient is summed over them).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runstep.gradients.broadcasting import conj, sum_to
from runstep.gradients.registry import gradient
from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops import einsum_equation
from runstep.ops.einsum_equation import ELLIPSIS, Subscript
from runstep.ops.joining import concat


@gradient("Einsum")
def _einsum(op: Operation, grad: Any) -> Any:
    inputs, output = einsum_equation.parse(op.attrs["equation"].decode())
    if len(inputs) == 1:
        return _to_operand(op.inputs[0], inputs[0], [grad], [output])
    (x, y), (xs, ys) = op.inputs, inputs
    to_x = _to_operand(x, xs, [grad, conj(y)], [output, ys])
    return to_x, _to_operand(y, ys, [conj(x), grad], [xs, output])


def _to_operand(x: Tensor, xs: Subscript, others: Sequence[Any], subscripts: Sequence[Subscript]) -> Tensor:
    """The gradient of the operand `x`, labelled `xs`, from the others and the gradient of the result."""
    stretched = any(ELLIPSIS in subscript for subscript in subscripts)
    labels = tuple(label for label in dict.fromkeys(xs) if label != ELLIPSIS)
    there = tuple(label for label in labels if any(label in subscript for subscript in subscripts))
    # The ellipsis in front, where broadcasting aligns.
    found = _summed(others, subscripts, (ELLIPSIS, *there) if stretched else there)
    front: Subscript = (ELLIPSIS,) if stretched and ELLIPSIS in xs else ()
    if stretched:
        found = sum_to(found, _sizes(x, xs, front + there))
    if there != labels:
        for place in reversed(range(len(labels))):
            if labels[place] not in there:
                found = apply("ExpandDims", found, place - len(labels))
        found = apply("BroadcastTo", found, _sizes(x, xs, front + labels))
    if not front:
        xs = tuple(label for label in xs if label != ELLIPSIS)
    return found if front + labels == xs else _summed([found], [front + labels], xs)


def _summed(operands: Sequence[Any], subscripts: Sequence[Subscript], output: Subscript) -> Tensor:
    equation = f"{','.join(map(''.join, subscripts))}->{''.join(output)}"
    found: Tensor = apply("Einsum", list(operands), equation=equation)
    return found


def _sizes(x: Tensor, xs: Subscript, wanted: Subscript) -> Any:
    """The sizes of `x` in the order of these of its labels: numbers where the graph knows them all, else a tensor."""
    split = xs.index(ELLIPSIS) if ELLIPSIS in xs else len(xs)
    after = len(xs) - split - 1
    raw = x.raw_shape
    if raw is not None and None not in raw:
        sizes: list[Any] = []
        for label in wanted:
            if label == ELLIPSIS:
                sizes += raw[split : len(raw) - after]
            else:
                place = xs.index(label)
                sizes.append(raw[place if place < split else place - len(xs)])
        return sizes
    whole = apply("Shape", x)
    parts = []
    for label in wanted:
        if label == ELLIPSIS:
            parts.append(whole[split:-after] if after > 0 else whole[split:])
        else:
            place = xs.index(label)
            place = place if place < split else place - len(xs)
            parts.append(whole[place : place + 1] if place != -1 else whole[place:])
    return concat(parts, 0) if parts else []
