"""Random ops whose stream is a variable that the program sees: op definitions. See `tf.random.Generator`."""

from __future__ import annotations

from typing import Any

from runstep.graph import shapes
from runstep.ops.common import Shapes, nothing
from runstep.ops.registry import op


def _scalars(op: Any) -> None:
    for source in op.inputs:
        shapes.with_rank(source.raw_shape, 0)


def _read(op: Any) -> Shapes:
    _scalars(op)
    return [(3,)]


def _skip(op: Any) -> Shapes:
    _scalars(op)
    return nothing(op)


def _drawn(op: Any) -> Shapes:
    _, algorithm, shape, *bounds = (source.raw_shape for source in op.inputs)
    shapes.with_rank(algorithm, 0)
    shapes.with_rank(shape, 1)
    for bound, what in zip(bounds, ("minval", "maxval"), strict=False):
        if bound:
            raise ValueError(f"{what} must be a scalar; got a tensor of shape {shapes.text(bound)}")
    return [op.constant_shape(2)]


def _binomial(op: Any) -> Shapes:
    shapes.with_rank(op.inputs[1].raw_shape, 0)
    return [op.constant_shape(2)]


_SHAPE = "shape_dtype: type = int64"
_SOURCE = "resource: resource, algorithm: int64, shape: shape_dtype"

op("RngReadAndSkip", "resource: resource, alg: int32, delta: uint64 -> value: int64", shape=_read, stateful=True)
op("RngSkip", "resource: resource, algorithm: int64, delta: int64 -> ", shape=_skip, stateful=True)
for _name in ("StatefulUniform", "StatefulStandardNormalV2", "StatefulTruncatedNormal"):
    op(_name, f"{_SOURCE} -> output: dtype", "dtype: type = float32", _SHAPE, shape=_drawn, stateful=True)
op(
    "StatefulUniformInt",
    f"{_SOURCE}, minval: dtype, maxval: dtype -> output: dtype",
    "dtype: type = int64",
    _SHAPE,
    shape=_drawn,
    stateful=True,
)
op(
    "StatefulUniformFullInt",
    f"{_SOURCE} -> output: dtype",
    "dtype: type = uint64",
    _SHAPE,
    shape=_drawn,
    stateful=True,
)
op(
    "StatefulRandomBinomial",
    "resource: resource, algorithm: int64, shape: S, counts: T, probs: T -> output: dtype",
    "S: {int32, int64}",
    "T: {float16, float32, float64, int32, int64} = float64",
    "dtype: {float16, float32, float64, int32, int64} = int64",
    shape=_binomial,
    stateful=True,
)
