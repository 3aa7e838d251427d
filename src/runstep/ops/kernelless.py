"""Ops that TensorFlow registers, for its own tests, and that no device computes: graphs with them can be built, written
and read."""

from __future__ import annotations

from runstep.ops.common import unknown
from runstep.ops.registry import op

op("IntAttr", " -> out: int64", "foo: int = 1", shape=unknown)
op("Int64Output", " -> out: int64", shape=unknown)
op("Namespace>TestStringOutput", "input: float32 -> output1: float32, output2: string", shape=unknown)
op("OpWithDefaultAttr", " -> a: int32", "default_float: float = 123.0", shape=unknown)
op("OpWithFutureDefaultAttr", " -> ", shape=unknown)
