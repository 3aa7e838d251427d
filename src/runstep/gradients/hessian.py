"""`tf.hessians`: gradients of gradients, row by row in a loop."""

from __future__ import annotations

from typing import Any

from runstep.gradients.backprop import gradients
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor
from runstep.ops.joining import concat
from runstep.ops.looping import while_loop
from runstep.ops.shape_ops import reshape, shape, size
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
    flat = reshape(gradient, [-1])
    count = size(x)

    def one(row: Tensor, rows: Any) -> Any:
        return row + 1, rows.write(row, gradients(flat[row], x)[0])

    _, rows = while_loop(lambda row, _: row < count, one, [0, TensorArray(x.dtype.base_dtype, count)])
    sizes = shape(x)
    return reshape(rows.stack(), concat([sizes, sizes], 0))
