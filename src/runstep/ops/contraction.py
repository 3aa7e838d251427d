"""Sums of products over named or numbered axes: the Einsum op, `tf.einsum` and `tf.tensordot`."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from runstep.graph import dtypes, shapes
from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.shapes import RawShape
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops import einsum_equation
from runstep.ops.common import Shapes
from runstep.ops.einsum_equation import ELLIPSIS
from runstep.ops.elements import element
from runstep.ops.matmul import matmul
from runstep.ops.reduction import reduce_prod
from runstep.ops.registry import op
from runstep.ops.shape_ops import rank, shape

__all__ = ["einsum", "tensordot"]


def _einsum(op: Any) -> Shapes:
    equation = op.attrs["equation"].decode()
    inputs, output = einsum_equation.parse(equation)
    known = [tensor.raw_shape for tensor in op.inputs]
    if len(inputs) != len(known):
        raise ValueError(f"Expected {len(inputs)} inputs for equation {equation} but got: {len(known)}")
    sizes: dict[str, int | None] = {}
    dots: RawShape = ()
    for position, (subscript, extent) in enumerate(zip(inputs, known, strict=True)):
        if extent is None:
            dots = None if ELLIPSIS in subscript else dots
            for label in subscript:
                sizes.setdefault(label, None)
            continue
        try:
            labels = einsum_equation.expanded(subscript, len(extent), len(extent) - len(subscript) + 1)
        except ValueError as error:
            raise ValueError(f"{error}\n\t for {position}th input and equation: {equation}") from None
        own: list[int | None] = []
        for axis, size in zip(labels, extent, strict=True):
            if isinstance(axis, str):
                sizes[axis] = shapes.merge_size(sizes.get(axis), size)
            else:
                own.append(size)
        if ELLIPSIS in subscript:
            dots = shapes.broadcast(dots, tuple(own))
    if ELLIPSIS in output:
        if dots is None:
            return [None]
    elif dots:
        raise ValueError(
            f"Shape must be at most rank 0 but is rank {len(dots)}\n\t for einsum equation '{equation}' without "
            "ellipsis (...) in the output subscripts where input(s) have non-empty broadcasting shape"
        )
    result: list[int | None] = []
    for label in output:
        if label == ELLIPSIS:
            result.extend(dots or ())
        else:
            result.append(sizes[label])
    return [tuple(result)]


op("Einsum", "inputs: N * T -> output: T", "equation: string", "N: int >= 1", "T: type", shape=_einsum)


def _resolved(equation: str, operands: Sequence[Tensor]) -> tuple[list[str], str]:
    """The subscripts of the operands and of the output, which an equation without "->" implies."""
    text = equation.replace(" ", "")
    if not re.fullmatch(r"[^,>-]*(,[^,>-]*)*(->[^,>-]*)?", text):
        raise ValueError(f"Indices have incorrect format. Received: {equation}.")
    left, arrow, output = text.partition("->")
    inputs = left.split(",")
    if len(inputs) != len(operands):
        raise ValueError(f'Got {len(operands)} inputs for equation "{equation}", expecting {len(inputs)}')
    counts = Counter(label for subscript in inputs for label in einsum_equation.read_subscript(subscript))
    if not arrow:
        single = sorted(label for label, count in counts.items() if count == 1 and label != ELLIPSIS)
        output = (ELLIPSIS if ELLIPSIS in counts else "") + "".join(single)
    for label in einsum_equation.read_subscript(output):
        if label != ELLIPSIS and label not in counts:
            raise ValueError(
                f"Label {label} appears in the output subscript of equation {equation} but in no input subscript."
            )
    return inputs, output


def einsum(equation: str, *inputs: TensorLike, **kwargs: Any) -> Tensor:
    """Sums of products as the equation says, e.g. `einsum("bij,bjk->bik", x, y)`. Source: `tf.einsum`.

    More than two operands are contracted pair by pair, those first whose result is smallest.

    Raises:
      ValueError: the equation cannot be read or does not fit the inputs.
      TypeError: a keyword argument other than `name` and `optimize`.
    """
    name = kwargs.pop("name", None)
    kwargs.pop("optimize", None)
    if kwargs:
        unknown = ", ".join(sorted(kwargs))
        raise TypeError(f"Invalid keyword arguments for einsum: {unknown}. Valid arguments: name, optimize")
    with name_scope(name, "einsum"):
        operands = [convert_to_tensor(item) for item in inputs]
        subscripts, output = _resolved(equation, operands)
        while len(operands) > 2:
            first, second, between = _cheapest(subscripts, output, operands)
            pair = f"{subscripts[second]},{subscripts[first]}->{between}"
            product = apply("Einsum", [operands[second], operands[first]], equation=pair)
            for gone in (second, first):
                del operands[gone], subscripts[gone]
            operands.append(product)
            subscripts.append(between)
        result: Tensor = apply("Einsum", operands, equation=f"{','.join(subscripts)}->{output}")
        return result


def _cheapest(subscripts: list[str], output: str, operands: list[Tensor]) -> tuple[int, int, str]:
    """The pair of operands that leaves the least to carry on, and the subscript of its product."""
    sizes: dict[str, int] = {}
    for subscript, tensor in zip(subscripts, operands, strict=True):
        labels = einsum_equation.read_subscript(subscript)
        if ELLIPSIS not in labels and tensor.raw_shape is not None:
            sizes.update({label: size or 1 for label, size in zip(labels, tensor.raw_shape, strict=False)})
    best: tuple[int, int, int, str] | None = None
    for first in range(len(subscripts)):
        for second in range(first + 1, len(subscripts)):
            pair = [*einsum_equation.read_subscript(subscripts[second])]
            pair += [label for label in einsum_equation.read_subscript(subscripts[first]) if label not in pair]
            others = {
                label
                for index, subscript in enumerate(subscripts)
                if index not in (first, second)
                for label in einsum_equation.read_subscript(subscript)
            }
            others.update(einsum_equation.read_subscript(output))
            kept = [label for label in dict.fromkeys(pair) if label in others]
            size = math.prod(sizes.get(label, 1) for label in kept)
            if best is None or size < best[0]:
                best = (size, first, second, "".join(kept))
    assert best is not None
    return best[1:]


# --- tensordot ----------------------------------------------------------------------------------------------------


def tensordot(a: TensorLike, b: TensorLike, axes: Any, name: str | None = None) -> Tensor:
    """The sum of products over `axes`: a number of axes (last of `a`, first of `b`), or a list for each operand.

    `axes` may be a tensor of these. Source: `tf.tensordot`.

    Raises:
      ValueError: the axes are negative in number, differ in number, or are not there.
    """
    with name_scope(name, "Tensordot") as scope:
        a = convert_to_tensor(a, name="a")
        b = convert_to_tensor(b, name="b")
        axes_a, axes_b = _axes_of_both(a, axes)
        left, free_a, static_a = _as_matrix(a, axes_a, axes_first=False)
        right, free_b, static_b = _as_matrix(b, axes_b, axes_first=True)
        product = matmul(left, right)
        if isinstance(free_a, list) and isinstance(free_b, list):
            wanted = tuple(free_a + free_b)
            if product.raw_shape == wanted:
                return product
            whole: Tensor = apply("Reshape", product, np.array(wanted, np.int32), name=scope)
            return whole
        sizes = [
            free if isinstance(free, Tensor) else convert_to_tensor(np.array(free, np.int32))
            for free in (free_a, free_b)
        ]
        result: Tensor = apply("Reshape", product, apply("ConcatV2", sizes, 0, name="concat"), name=scope)
        if static_a is not None and static_b is not None:
            result.set_shape(static_a + static_b)
        return result


def _axes_of_both(a: Tensor, axes: Any) -> tuple[Any, Any]:
    known = None if a.raw_shape is None else len(a.raw_shape)
    if isinstance(axes, (int, np.integer)):
        if axes < 0:
            raise ValueError(f"`axes` must be at least 0. Received: {axes}.")
        if known is not None:
            if axes > known:
                raise ValueError(
                    f"`axes` must not be larger than the number of dimensions of tensor {a}. Received {axes}."
                )
            return list(range(known - axes, known)), list(range(axes))
        count = rank(a)
        start = apply("Sub", count, axes, name="sub")
        return apply("Range", start, count, 1, name="range"), apply("Range", 0, axes, 1, name="range")
    if isinstance(axes, (list, tuple)):
        if len(axes) != 2:
            raise ValueError(f"`axes` must be an integer or have length 2. Received {axes}.")
        both = [[int(item)] if isinstance(item, (int, np.integer)) else item for item in axes]
        if len(both[0]) != len(both[1]):
            raise ValueError(f"Different number of contraction axes `a` and `b`, {len(both[0])} != {len(both[1])}.")
        return list(both[0]), list(both[1])
    axes = convert_to_tensor(axes, name="axes", dtype=dtypes.int32)
    return element(axes, 0), element(axes, 1)


def _as_matrix(x: Tensor, axes: Any, *, axes_first: bool) -> tuple[Tensor, Any, RawShape]:
    """`x` as a matrix of free axes by summed axes (or the other way round).

    Returns:
      The matrix, the sizes of the free axes (a list, or a tensor where they are not all known), and their static shape.
    """
    known = x.raw_shape
    if known is not None and isinstance(axes, (list, tuple)):
        summed = [int(axis) + len(known) if axis < 0 else int(axis) for axis in axes]
        free = [axis for axis in range(len(known)) if axis not in summed]
        order = summed + free if axes_first else free + summed
        if None not in known:
            return _known_matrix(x, summed, free, order, axes_first)
        static: RawShape = tuple(known[axis] for axis in free)
        summed_axes = convert_to_tensor(np.array(summed, np.int32), name="axes")
        free_axes = convert_to_tensor(np.array(free, np.int32), name="free")
        sizes = shape(x)
    else:
        static = None
        sizes = shape(x)
        count = rank(x)
        given = convert_to_tensor(axes, dtype=dtypes.int32, name="axes")
        positive = apply("GreaterEqual", given, 0)
        summed_axes = apply("Select", positive, given, apply("AddV2", given, count, name="add"))
        free_axes = apply("ListDiff", apply("Range", 0, count, 1, name="range"), summed_axes)[0]
    free_sizes = apply("GatherV2", sizes, free_axes, 0)
    summed_sizes = apply("GatherV2", sizes, summed_axes, 0)
    free_count = reduce_prod(free_sizes)
    summed_count = reduce_prod(summed_sizes)
    both = [free_axes, summed_axes], [free_count, summed_count]
    orders, counts = (both[0][::-1], both[1][::-1]) if axes_first else both
    order_tensor = apply("ConcatV2", orders, 0, name="concat")
    matrix_sizes = apply("Pack", counts, name="stack")
    matrix = apply("Reshape", apply("Transpose", x, order_tensor, name="transpose"), matrix_sizes)
    return matrix, free_sizes, static


def _known_matrix(
    x: Tensor, summed: list[int], free: list[int], order: list[int], axes_first: bool
) -> tuple[Tensor, Any, RawShape]:
    known: Any = x.raw_shape
    free_sizes = [known[axis] for axis in free]
    counts = [math.prod(free_sizes), math.prod(known[axis] for axis in summed)]
    if axes_first:
        counts.reverse()
    if order != list(range(len(known))):
        x = apply("Transpose", x, np.array(order, np.int32), name="transpose")
    if x.raw_shape != tuple(counts):
        x = apply("Reshape", x, np.array(counts, np.int32))
    return x, free_sizes, tuple(free_sizes)
