"""Pooling over regions of uneven sizes, so that an image shrinks by less than 2: op definitions and functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runstep.graph import shapes
from runstep.graph.apply import apply_named
from runstep.graph.tensor import TensorLike
from runstep.ops.common import Shapes
from runstep.ops.registry import op

__all__ = ["fractional_avg_pool", "fractional_max_pool"]


def _pooled(op: Any) -> Shapes:
    value = shapes.with_rank(op.inputs[0].raw_shape, 4)
    sizes: list[int | None] = []
    for size, ratio in zip(value, op.attrs["pooling_ratio"], strict=False):
        if ratio < 1:
            raise ValueError(f"pooling_ratio cannot be smaller than 1, got: {ratio:g}")
        sizes.append(None if size is None else int(size / ratio))
    # As TensorFlow says it; the sequences are longer by one.
    return [tuple(sizes), (sizes[1],), (sizes[2],)]


def _like_the_image(op: Any) -> Shapes:
    return [shapes.with_rank(op.inputs[0].raw_shape, 4)]


def _of_that_shape(op: Any) -> Shapes:
    return [shapes.with_rank(op.constant_shape(0), 4)]


_TYPE = "T: {float32, float64, int32, int64}"
_ENDS = "row_pooling_sequence: int64, col_pooling_sequence: int64"

for _name in ("FractionalMaxPool", "FractionalAvgPool"):
    op(
        _name,
        f"value: T -> output: T, {_ENDS}",
        "pooling_ratio: list(float) >= 4",
        "pseudo_random: bool = false",
        "overlapping: bool = false",
        "deterministic: bool = false",
        "seed: int = 0",
        "seed2: int = 0",
        _TYPE,
        shape=_pooled,
    )
op(
    "FractionalMaxPoolGrad",
    f"orig_input: T, orig_output: T, out_backprop: T, {_ENDS} -> output: T",
    "overlapping: bool = false",
    _TYPE,
    shape=_like_the_image,
)
op(
    "FractionalAvgPoolGrad",
    f"orig_input_tensor_shape: int64, out_backprop: T, {_ENDS} -> output: T",
    "overlapping: bool = false",
    _TYPE,
    shape=_of_that_shape,
)


def _pool(kind: str, value: Any, name: str | None, **attrs: Any) -> Any:
    return apply_named(f"Fractional{kind}Pool", value, name=name, **attrs)


def fractional_max_pool(
    value: TensorLike,
    pooling_ratio: Sequence[float],
    pseudo_random: bool = False,
    overlapping: bool = False,
    deterministic: bool = False,
    seed: int = 0,
    seed2: int = 0,
    name: str | None = None,
) -> Any:
    """The largest element of each region. Source: `tf.compat.v1.nn.fractional_max_pool`.

    Args:
      value: [batch, height, width, channels].
      pooling_ratio: [1, height ratio, width ratio, 1], each at least 1.
      pseudo_random: regions come from one random number, evenly spread, and not from shuffled sizes.
      overlapping: the last row and column of a region are the first of the next one.
      deterministic: the same regions in each run; needed for seeds.

    Returns:
      (output, row_pooling_sequence, col_pooling_sequence): the last two are int64, the first places of regions, and
      the end.
    """
    attrs = {"pseudo_random": pseudo_random, "overlapping": overlapping, "deterministic": deterministic}
    return _pool("Max", value, name, pooling_ratio=pooling_ratio, seed=seed, seed2=seed2, **attrs)


def fractional_avg_pool(
    value: TensorLike,
    pooling_ratio: Sequence[float],
    pseudo_random: bool = False,
    overlapping: bool = False,
    deterministic: bool = False,
    seed: int = 0,
    seed2: int = 0,
    name: str | None = None,
) -> Any:
    """The mean of each region: as `fractional_max_pool`. Source: `tf.compat.v1.nn.fractional_avg_pool`."""
    attrs = {"pseudo_random": pseudo_random, "overlapping": overlapping, "deterministic": deterministic}
    return _pool("Avg", value, name, pooling_ratio=pooling_ratio, seed=seed, seed2=seed2, **attrs)
