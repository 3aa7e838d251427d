"""Sobol's points: an op definition and `tf.math.sobol_sample`."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.graph.apply import apply
from runstep.graph.dtypes import float32
from runstep.graph.tensor import Tensor, TensorLike
from runstep.ops.common import Shapes
from runstep.ops.registry import op

__all__ = ["sobol_sample"]


def _points(op: Any) -> Shapes:
    for source in op.inputs:
        shapes.with_rank(source.raw_shape, 0)
    dim, count = op.constant(0), op.constant(1)
    return [(None if count is None else int(count), None if dim is None else int(dim))]


op(
    "SobolSample",
    "dim: int32, num_results: int32, skip: int32 -> samples: dtype",
    "dtype: {float32, float64} = float32",
    shape=_points,
)


def sobol_sample(
    dim: TensorLike,
    num_results: TensorLike,
    skip: TensorLike = 0,
    dtype: Any = float32,
    name: str | None = None,
) -> Tensor:
    """Points that fill the unit cube evenly, float [num_results, dim], after the first `skip`.

    Source: `tf.math.sobol_sample`. At most 1,111 dimensions.
    """
    return apply("SobolSample", dim, num_results, skip, dtype=dtype, name=name or "sobol")
