"""Tensors that stay in the session between steps, under a handle. The user's functions are with the session."""

from __future__ import annotations

from typing import Any

from runstep.graph.shapes import with_rank
from runstep.ops.common import Shapes, scalar, unknown
from runstep.ops.registry import op


def _get(op: Any) -> Shapes:
    with_rank(op.inputs[0].raw_shape, 0)
    return unknown(op)


def _delete(op: Any) -> Shapes:
    with_rank(op.inputs[0].raw_shape, 0)
    return []


op("GetSessionHandle", "value: T -> handle: string", "T: type", shape=scalar, stateful=True)
op("GetSessionHandleV2", "value: T -> handle: resource", "T: type", shape=scalar, stateful=True)
op("GetSessionTensor", "handle: string -> value: dtype", "dtype: type", shape=_get, stateful=True)
op("DeleteSessionTensor", "handle: string -> ", shape=_delete, stateful=True)
