"""The sum of the gradients that come into one tensor, dense or sparse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.composite import IndexedSlices
from runstep.graph.convert import convert_to_tensor
from runstep.graph.graph import Graph
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor

__all__ = ["AggregationMethod", "aggregated", "as_dense"]


class AggregationMethod:
    """How several gradients of one tensor are added up (source: tf.AggregationMethod).

    ADD_N, the default, adds all of them in one operation; EXPERIMENTAL_TREE and EXPERIMENTAL_ACCUMULATE_N add one by
    one, so that each can be forgotten early.
    """

    ADD_N = 0
    DEFAULT = ADD_N
    EXPERIMENTAL_TREE = 1
    EXPERIMENTAL_ACCUMULATE_N = 2

    _ALL = (ADD_N, EXPERIMENTAL_TREE, EXPERIMENTAL_ACCUMULATE_N)


def aggregated(graph: Graph, op: Operation, grads: Sequence[Any], method: int) -> Any:
    """One gradient for an output of `op` from the one or more that came in.

    Raises:
      TypeError: one is neither a Tensor nor IndexedSlices.
    """
    if not all(isinstance(grad, Tensor | IndexedSlices) for grad in grads):
        raise TypeError(f"Gradients have to be either all Tensors or all IndexedSlices, got {list(grads)}")
    if len(grads) == 1:
        return grads[0]
    if not all(isinstance(grad, Tensor) for grad in grads):
        if any(isinstance(grad, Tensor) for grad in grads):
            return _sum([as_dense(grad) for grad in grads])
        return _joined(grads)
    if method == AggregationMethod.ADD_N:
        return _sum_by_device(graph, grads)
    with graph.name_scope(f"{op.name}_gradient_sum"):
        running = grads[0]
        for grad in grads[1:]:
            running = _sum([running, grad])
    return running


def as_dense(grad: Any) -> Any:
    """IndexedSlices as the tensor that they are rows of; anything else as it is."""
    return convert_to_tensor(grad) if isinstance(grad, IndexedSlices) else grad


def _sum(tensors: Sequence[Tensor]) -> Tensor:
    return tensors[0] if len(tensors) == 1 else apply("AddN", list(tensors))


def _sum_by_device(graph: Graph, grads: Sequence[Tensor]) -> Tensor:
    """Added up where they are first, so that one sum travels from each device."""
    by_device: dict[str, list[Tensor]] = {}
    for grad in grads:
        by_device.setdefault(grad.device, []).append(grad)
    sums = []
    for device in sorted(by_device):
        with graph.colocate_with(by_device[device][0].op, ignore_existing=True):
            sums.append(_sum(by_device[device]))
    return _sum(sums)


def _joined(grads: Sequence[IndexedSlices]) -> IndexedSlices:
    """All rows of all of them; a row may occur several times."""
    indices = [grad.indices for grad in grads]
    if len({index.dtype for index in indices}) > 1:
        indices = [apply("Cast", i, DstT=dtypes.int64) if i.dtype is dtypes.int32 else i for i in indices]
    values = apply("ConcatV2", [grad.values for grad in grads], 0, name="concat")
    return IndexedSlices(values, apply("ConcatV2", indices, 0, name="concat"), grads[0].dense_shape)
