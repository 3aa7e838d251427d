"""The time of the run: row and `tf.timestamp`."""

from __future__ import annotations

from runstep.graph.apply import apply
from runstep.graph.tensor import Tensor
from runstep.ops.common import scalar
from runstep.ops.registry import op

__all__ = ["timestamp"]

op("Timestamp", "-> ts: float64", shape=scalar, stateful=True)


def timestamp(name: str | None = None) -> Tensor:
    """Seconds since 1970 when the op runs: a float64 scalar, new in each step (source: tf.timestamp)."""
    found: Tensor = apply("Timestamp", name=name)
    return found
