"""Gradients of taking tensors apart by index and putting them together."""

from __future__ import annotations

from typing import Any

from runstep.gradients.nn_common import dense
from runstep.gradients.registry import gradient
from runstep.graph.apply import apply
from runstep.graph.operation import Operation
from runstep.ops.creation import range as range_of
from runstep.ops.indexing import gather
from runstep.ops.reduction import reduce_prod
from runstep.ops.shape_ops import reshape, shape


@gradient("DynamicPartition")
def _dynamic_partition(op: Operation, *grads: Any) -> list[Any]:
    data, partitions = op.inputs
    prefix = shape(partitions)
    places = reshape(range_of(reduce_prod(prefix)), prefix)
    parts = apply("DynamicPartition", places, partitions, num_partitions=op.attrs["num_partitions"])
    return [reshape(apply("ParallelDynamicStitch", parts, list(map(dense, grads))), shape(data)), None]


@gradient("DynamicStitch", "ParallelDynamicStitch")
def _dynamic_stitch(op: Operation, grad: Any) -> list[Any]:
    count = len(op.inputs) // 2
    grad = dense(grad)
    return [*(None for _ in range(count)), *(gather(grad, indices) for indices in op.inputs[:count])]
