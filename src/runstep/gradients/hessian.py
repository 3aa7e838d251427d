"""`tf.hessians`: gradients of gradients, row by row in a loop."""

from __future__ import annotations

from typing import Any

from runstep.gradients.backprop import gradients
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor
from runstep.ops.joining import concat
from runstep.ops.looping import while_loop
from runstep.ops.shape_ops import reshape, shape
from runstep.ops.tensor_array import TensorArray

__all__ = ["hessians"]


def hessians(
    ys: Any,
    xs: Any,
    name: str = "hessians",
    colocate_gradients_with_ops: bool = False,
    gate_gradients: bool = False,
    aggregation_method: int | None = None,
) -> list[Tensor]:
    """The second derivatives of the sum of `ys` with respect to each of `xs` alone (source: tf.hessians).

    Args: as those of `tf.gradients`.

    Returns:
      Per x, a tensor of the shape of `x` twice.

    Raises:
      LookupError: an operation on the way, or one of its gradient, has no gradient.
    """
    xs = list(xs) if isinstance(xs, list | tuple) else [xs]
    options: dict[str, Any] = {
        "colocate_gradients_with_ops": colocate_gradients_with_ops,
        "gate_gradients": gate_gradients,
        "aggregation_method": aggregation_method,
    }
    with name_scope(name):
        first = gradients(ys, xs, **options)
        return [_rows(gradient, x) for gradient, x in zip(first, xs, strict=True)]


def _rows(gradient: Tensor, x: Any) -> Tensor:
    (rows,) = rows_of_gradients(reshape(gradient, [-1]), [x])
    sizes = shape(x)
    return reshape(rows, concat([sizes, sizes], 0))


def rows_of_gradients(y: Tensor, xs: list[Any], parallel_iterations: int = 10, **options: Any) -> list[Tensor]:
    """The gradients of the rows of `y`, one after the other, with respect to `xs`, all of which it depends on.

    Args:
      y: [rows, ...]. options: further arguments of `gradients`.

    Returns:
      Per x, a tensor [rows, ...] of its shape once more.
    """
    count = shape(y)[0]

    def one(row: Tensor, *arrays: Any) -> Any:
        found = gradients(y[row], xs, **options)
        return row + 1, *(array.write(row, grad) for array, grad in zip(arrays, found, strict=True))

    _, *arrays = while_loop(
        lambda row, *_: row < count,
        one,
        [0, *(TensorArray(x.dtype.base_dtype, count) for x in xs)],
        parallel_iterations=parallel_iterations,
    )
    return [array.stack() for array in arrays]
