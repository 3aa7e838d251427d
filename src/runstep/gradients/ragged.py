"""Gradients of ragged tensors in their values."""

from __future__ import annotations

from typing import Any

from runstep.gradients.nn_common import dense
from runstep.gradients.registry import gradient
from runstep.graph.operation import Operation
from runstep.ops.shape_ops import reshape, shape


@gradient("RaggedTensorToSparse")
def _to_sparse(op: Operation, _: Any, grad: Any, __: Any) -> list[Any]:
    *splits, values = op.inputs
    return [*(None for _ in splits), reshape(dense(grad), shape(values))]
