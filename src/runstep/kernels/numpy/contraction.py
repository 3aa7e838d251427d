"""Einsum as transposes and one (batched) matrix product."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep import errors
from runstep.graph import shapes
from runstep.kernels.numpy.matmul import computed_in
from runstep.kernels.registry import Kernel, Node, numpy_kernel
from runstep.ops import einsum_equation
from runstep.ops.einsum_equation import ELLIPSIS, Subscript

Labels = tuple[str | int, ...]


def _diagonal(x: Any, labels: Labels) -> tuple[Any, Labels]:
    """`x` with each repeated label's axes replaced by their diagonal (a view)."""
    unique = tuple(dict.fromkeys(labels))
    if len(unique) == len(labels):
        return x, labels
    numbers = {label: index for index, label in enumerate(unique)}
    return np.einsum(x, [numbers[label] for label in labels], list(range(len(unique)))), unique


def _summed(x: Any, labels: Labels, needed: set[str | int]) -> tuple[Any, Labels]:
    """`x` summed over the labels that nothing else needs."""
    gone = tuple(axis for axis, label in enumerate(labels) if label not in needed)
    if not gone:
        return x, labels
    return np.add.reduce(x, gone, x.dtype), tuple(label for label in labels if label in needed)


def _contract(x: Any, xs: Labels, y: Any, ys: Labels, output: set[str | int]) -> tuple[Any, Labels]:
    """The product of two operands, summed over the labels that both have and the output does not."""
    shared = [label for label in xs if label in ys]
    summed = [label for label in shared if label not in output]
    dots = sorted({label for label in (*xs, *ys) if isinstance(label, int)})
    batch: list[str | int] = [*dots, *(label for label in shared if label in output and label not in dots)]
    free_x = [label for label in xs if label not in ys and label not in batch]
    free_y = [label for label in ys if label not in xs and label not in batch]
    x_size, y_size = dict(zip(xs, x.shape, strict=True)), dict(zip(ys, y.shape, strict=True))
    for label in shared:
        if label not in dots and x_size[label] != y_size[label]:
            raise errors.InvalidArgumentError(
                None, None, f"Expected dimension {x_size[label]} at axis {label} of the input, but got {y_size[label]}"
            )
    x = x.transpose([xs.index(label) for label in (*batch, *free_x, *summed) if label in x_size])
    y = y.transpose([ys.index(label) for label in (*batch, *summed, *free_y) if label in y_size])
    inner = math.prod(x_size[label] for label in summed)
    left = [x_size.get(label, 1) for label in batch]
    right = [y_size.get(label, 1) for label in batch]
    x = x.reshape(*left, math.prod(x_size[label] for label in free_x), inner)
    y = y.reshape(*right, inner, math.prod(y_size[label] for label in free_y))
    try:
        result = np.matmul(x, y)
    except ValueError:
        text = f"Invalid broadcasting dimensions: {left[: len(dots)]} and {right[: len(dots)]}"
        raise errors.InvalidArgumentError(None, None, text) from None
    sizes = [*result.shape[: len(batch)], *(x_size[label] for label in free_x), *(y_size[label] for label in free_y)]
    return result.reshape(sizes), (*batch, *free_x, *free_y)


def _arranged(x: Any, labels: Labels, output: Labels) -> Any:
    """`x` in the order of the output's labels; a label that the output repeats fills a diagonal."""
    unique = tuple(dict.fromkeys(output))
    x = x.transpose([labels.index(label) for label in unique])
    if len(unique) == len(output):
        return x
    sizes = dict(zip(unique, x.shape, strict=True))
    whole = np.zeros([sizes[label] for label in output], x.dtype)
    numbers = {label: index for index, label in enumerate(unique)}
    np.einsum(whole, [numbers[label] for label in output], list(range(len(unique))))[...] = x
    return whole


def evaluate(inputs: Sequence[Subscript], output: Subscript, operands: Sequence[Any]) -> Any:
    """The einsum of one or two arrays; may be a view of an operand."""
    ranks = [x.ndim for x in operands]
    dots = einsum_equation.ellipsis_width(inputs, ranks)
    out: Labels = ()
    for label in output:
        out += tuple(range(dots)) if label == ELLIPSIS else (label,)
    wanted = set(out)
    prepared = []
    for subscript, x in zip(inputs, operands, strict=True):
        prepared.append(_diagonal(x, einsum_equation.expanded(subscript, x.ndim, dots)))
    if len(prepared) == 1:
        x, labels = _summed(*prepared[0], wanted)
        return _arranged(x, labels, out)
    (x, xs), (y, ys) = prepared
    x, xs = _summed(x, xs, wanted | set(ys))
    y, ys = _summed(y, ys, wanted | set(xs))
    return _arranged(*_contract(x, xs, y, ys, wanted), out)


def _check_operands(inputs: Sequence[Subscript], operands: Sequence[Any]) -> None:
    """InvalidArgumentError where an operand's rank is not its subscript's, or one label has two sizes."""
    sizes: dict[str, int] = {}
    for place, (subscript, x) in enumerate(zip(inputs, operands, strict=True)):
        dots = subscript.count(ELLIPSIS)
        rank = len(subscript) - dots
        if x.ndim < rank or (x.ndim > rank and not dots):
            least = "at least " if dots else ""
            raise errors.InvalidArgumentError(
                None, None, f"Expected input {place} to have rank {least}{rank} but got: {x.ndim}"
            )
        width = x.ndim - rank
        axis = 0
        for label in subscript:
            if label == ELLIPSIS:
                axis += width
                continue
            size = sizes.setdefault(label, x.shape[axis])
            if size != x.shape[axis]:
                raise errors.InvalidArgumentError(
                    None,
                    None,
                    f"Expected dimension {size} at axis {axis} of the input shaped {shapes.text(x.shape)} "
                    f"but got dimension {x.shape[axis]}",
                )
            axis += 1


@numpy_kernel.make("Einsum", view=True)
def einsum(node: Node) -> Kernel:
    equation = node.attrs["equation"].decode()
    try:
        inputs, output = einsum_equation.parse(equation)
    except ValueError as error:
        raise errors.InvalidArgumentError(None, None, str(error)) from None
    wide = computed_in(node.output_types[0])
    kind = node.output_types[0].np

    def contract(*operands: Any) -> Any:
        if wide is not None:
            operands = tuple(x.astype(wide) for x in operands)
        try:
            result = evaluate(inputs, output, operands)
        except (ValueError, errors.InvalidArgumentError) as error:
            _check_operands(inputs, operands)
            raise errors.InvalidArgumentError(None, None, f"{error} for einsum equation {equation}") from None
        return result if wide is None else result.astype(kind)

    return contract
