"""Gradients of what packs components: the components' gradients, packed."""

from __future__ import annotations

from typing import Any

from runstep.gradients.nn_common import dense
from runstep.gradients.registry import gradient
from runstep.graph.apply import apply, apply_op
from runstep.graph.operation import Operation


@gradient("OptionalFromValue")
def _from_value(op: Operation, grad: Any) -> list[Any]:
    types = [tensor.dtype.base_dtype for tensor in op.inputs]
    shapes = [tensor.shape for tensor in op.inputs]
    return list(apply_op("OptionalGetValue", grad, output_types=types, output_shapes=shapes).outputs)


@gradient("OptionalGetValue")
def _get_value(op: Operation, *grads: Any) -> Any:
    return apply("OptionalFromValue", [None if grad is None else dense(grad) for grad in grads])


@gradient("CompositeTensorVariantFromComponents")
def _from_components(op: Operation, grad: Any) -> list[Any]:
    types = [tensor.dtype.base_dtype for tensor in op.inputs]
    made = apply_op("CompositeTensorVariantToComponents", grad, metadata=op.get_attr("metadata"), Tcomponents=types)
    return list(made.outputs)


@gradient("CompositeTensorVariantToComponents")
def _to_components(op: Operation, *grads: Any) -> Any:
    parts = [None if grad is None else dense(grad) for grad in grads]
    return apply("CompositeTensorVariantFromComponents", parts, metadata=op.get_attr("metadata"))
