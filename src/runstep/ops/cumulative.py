"""Running sums, products and log-sums along an axis: op definitions and the `tf.*` functions."""

from __future__ import annotations

from runstep.graph.apply import apply
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import name_scope
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import unchanged
from runstep.ops.registry import op
from runstep.ops.typesets import FLOAT, INDEX

__all__ = ["cumprod", "cumsum", "cumulative_logsumexp"]

for _name, _types in (
    ("Cumsum", "T: numbertype"),
    ("Cumprod", "T: numbertype"),
    ("CumulativeLogsumexp", FLOAT),
):
    op(
        _name,
        "x: T, axis: Tidx -> out: T",
        "exclusive: bool = false",
        "reverse: bool = false",
        _types,
        INDEX,
        shape=unchanged,
    )


def cumsum(
    x: TensorLike, axis: TensorLike = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
) -> Tensor:
    """Element i is the sum of elements 0 to i along `axis`. Source: `tf.cumsum`.

    Args:
      exclusive: without element i itself.
      reverse: from the end.
    """
    with name_scope(name, "Cumsum") as scope:
        x = convert_to_tensor(x, name="x")
        return apply("Cumsum", x, axis, exclusive=exclusive, reverse=reverse, name=scope)


def cumprod(
    x: TensorLike, axis: TensorLike = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
) -> Tensor:
    """Element i is the product of elements 0 to i along `axis`; flags as in `cumsum`. Source: `tf.cumprod`."""
    with name_scope(name, "Cumprod") as scope:
        x = convert_to_tensor(x, name="x")
        return apply("Cumprod", x, axis, exclusive=exclusive, reverse=reverse, name=scope)


def cumulative_logsumexp(
    x: TensorLike, axis: TensorLike = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
) -> Tensor:
    """The logarithm of the cumulative sum of exp(x), without overflow. Source: `tf.math.cumulative_logsumexp`."""
    with name_scope(name, "CumulativeLogsumexp") as scope:
        x = convert_to_tensor(x, name="x")
        return apply("CumulativeLogsumexp", x, axis, exclusive=exclusive, reverse=reverse, name=scope)
