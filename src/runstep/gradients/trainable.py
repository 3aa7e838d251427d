"""What can be differentiated, and the zeros in its shape."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runstep.graph import dtypes
from runstep.graph.apply import apply
from runstep.graph.collections import GraphKeys
from runstep.graph.functions import standing_for
from runstep.graph.graph import Graph
from runstep.graph.operation import Operation
from runstep.graph.tensor import Tensor
from runstep.ops.creation import zeros, zeros_like
from runstep.ops.handles import handle_data

_HANDLES = (dtypes.resource, dtypes.variant)
_TRAINABLE = frozenset(
    (
        dtypes.bfloat16,
        dtypes.float16,
        dtypes.float32,
        dtypes.float64,
        dtypes.complex64,
        dtypes.complex128,
        *_HANDLES,
    )
)


def is_trainable(tensor: Tensor) -> bool:
    """Whether gradients pass through a tensor of this dtype; of a resource or variant, of what it holds."""
    dtype = tensor.dtype
    if dtype in _HANDLES:
        return all(held.base_dtype in _TRAINABLE for _, held in handle_data(tensor) or ())
    return dtype in _TRAINABLE or (dtype.is_ref and dtype.base_dtype in _TRAINABLE)


def zeros_for(tensor: Tensor) -> Any:
    """Zeros in the shape of a tensor; None where what it holds has no shape."""
    if tensor.dtype is dtypes.resource:
        data = handle_data(tensor)
        if not data:
            return None
        (raw, dtype), *_ = data
        return zeros(apply("VariableShape", tensor) if raw is None or None in raw else list(raw), dtype)
    return zeros_like(tensor)


def known_variables(graph: Graph | None) -> list[Any]:
    """The variables in a graph's collections, and in those of the graphs around a function's."""
    found: dict[Any, None] = {}
    while graph is not None:
        for key in (GraphKeys.TRAINABLE_VARIABLES, GraphKeys.GLOBAL_VARIABLES):
            found.update(dict.fromkeys(graph.get_collection(key)))
        graph = getattr(graph, "outer", None)
    return list(found)


def variables_read(graph: Graph, operations: Iterable[Operation]) -> list[Any]:
    """The trainable variables that one of these operations takes: a handle to read, or what was read with it."""
    taken = {tensor for op in operations if op.type != "AssignVariableOp" for tensor in op.inputs}
    return [
        v
        for v in known_variables(graph)
        if v.trainable and (standing_for(v._handle_tensor(), graph) in taken or getattr(v, "_snapshot", None) in taken)
    ]
