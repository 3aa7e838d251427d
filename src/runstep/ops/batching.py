"""Batching across steps: what several runs bring is computed at once. Op definitions.

A step that runs `Batch` waits for others; one of them gets the rows of all, the others none, and `Unbatch` brings each
its own back. `BatchFunction` does all three.
"""

from __future__ import annotations

from typing import Any

from runstep.graph.shapes import RawShape
from runstep.ops.common import Shapes, unknown
from runstep.ops.registry import op


def _any_rows(raw: RawShape) -> RawShape:
    if raw == ():
        raise ValueError("Out of range dim_index 0 for shape with 0 dimensions")
    return None if raw is None else (None, *raw[1:])


def _batched(op: Any) -> Shapes:
    return [*(_any_rows(source.raw_shape) for source in op.inputs), (None, 3), ()]


def _unbatched(op: Any) -> Shapes:
    return [_any_rows(op.inputs[0].raw_shape)]


def _gathered(op: Any) -> Shapes:
    raw = op.inputs[2].raw_shape
    return [None if raw is None else (None,) * len(raw)]


_OWNER = ("container: string = ''", "shared_name: string = ''")

op(
    "Batch",
    "in_tensors: T -> batched_tensors: T, batch_index: int64, id: int64",
    "num_batch_threads: int",
    "max_batch_size: int",
    "max_enqueued_batches: int = 10",
    "batch_timeout_micros: int",
    "allowed_batch_sizes: list(int) = []",
    "grad_timeout_micros: int",
    *_OWNER,
    "batching_queue: string = ''",
    "T: list(type) >= 1",
    shape=_batched,
)
op(
    "Unbatch",
    "batched_tensor: T, batch_index: int64, id: int64 -> unbatched_tensor: T",
    "timeout_micros: int",
    *_OWNER,
    "T: type",
    shape=_unbatched,
)
op(
    "UnbatchGrad",
    "original_input: T, batch_index: int64, grad: T, id: int64 -> batched_grad: T",
    *_OWNER,
    "T: type",
    shape=_gathered,
)
_POLICIES = (
    "'low_priority_padding_with_max_batch_size', 'low_priority_padding_with_next_allowed_batch_size', "
    "'priority_isolation', 'priority_merge'"
)
op(
    "BatchFunction",
    "in_tensors: Tin, captured_tensors: Tcaptured -> out_tensors: Tout",
    "f: func",
    "num_batch_threads: int",
    "max_batch_size: int",
    "batch_timeout_micros: int",
    "max_enqueued_batches: int = 10",
    "allowed_batch_sizes: list(int) = []",
    *_OWNER,
    "batching_queue: string = ''",
    "low_priority_max_batch_size: int = 0",
    "low_priority_batch_timeout_micros: int = 0",
    "low_priority_allowed_batch_sizes: list(int) = []",
    "low_priority_max_enqueued_batches: int = 0",
    f"mixed_priority_policy: {{{_POLICIES}}} = 'low_priority_padding_with_max_batch_size'",
    "batch_padding_policy: {'PAD_UP', 'BATCH_DOWN', 'MINIMIZE_TPU_COST_PER_REQUEST'} = 'PAD_UP'",
    "Tin: list(type) >= 1",
    "Tcaptured: list(type) >= 0",
    "Tout: list(type) >= 1",
    "enable_large_batch_splitting: bool = false",
    shape=unknown,
)
