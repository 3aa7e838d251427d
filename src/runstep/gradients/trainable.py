"""What can be differentiated, and the zeros in its shape."""

from __future__ import annotations

from typing import Any

from runstep.graph import dtypes
from runstep.graph.apply import apply
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
